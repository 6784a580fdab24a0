#include "runner/cpu_account.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    FIRST_SIZE = 16
};

struct cpu_process {
    pid_t pid;
    bool is_carrier;
    struct process_stat stat;
};

void cpu_account_fini(struct cpu_account *account)
{
    free(account->seen.list);
    free(account->found.list);
    *account = (struct cpu_account){0};
}

void cpu_account_add(struct cpu_account *account, pid_t pid, bool is_carrier,
                     const struct process_stat *stat)
{
    struct cpu_list *found = &account->found;
    if (found->count == found->size) {
        size_t size = found->size ? found->size * 2 : FIRST_SIZE;
        struct cpu_process *list = realloc(found->list, size * sizeof *list);
        account->is_partial |= !list;
        if (!list)
            return;
        found->list = list;
        found->size = size;
    }
    found->list[found->count++] = (struct cpu_process){pid, is_carrier, *stat};
}

static int compare(const void *a, const void *b)
{
    const struct cpu_process *one = a, *other = b;
    return (one->pid > other->pid) - (one->pid < other->pid);
}

static int64_t total_of(const struct cpu_process *process, int time)
{
    const struct process_stat *stat = &process->stat;
    return stat->children_ticks[time] + (process->is_carrier ? 0 : stat->own_ticks[time]);
}

// The same process as of now, NULL where it is gone. One that the list of all lacked, as such lists
// may, is asked for by its number.
static const struct cpu_process *find_again(struct cpu_account *account, size_t sorted_count,
                                            const struct cpu_process *before,
                                            struct cpu_process *room)
{
    const struct cpu_process *now =
        sorted_count ? bsearch(before, account->found.list, sorted_count, sizeof *now, compare)
                     : NULL;
    if (!now && process_stat_read(before->pid, &room->stat)) {
        room->pid = before->pid;
        room->is_carrier = before->is_carrier;
        if (room->stat.start == before->stat.start)
            cpu_account_add(account, room->pid, room->is_carrier, &room->stat);
        now = room;
    }
    return now && now->stat.start == before->stat.start ? now : NULL;
}

// What those that are gone had used, and what others have taken over, both since the last look.
static void compare_looks(struct cpu_account *account, int64_t vanished[TIME_COUNT],
                          int64_t taken[TIME_COUNT])
{
    struct cpu_list *found = &account->found;
    size_t sorted_count = found->count;
    if (sorted_count)
        qsort(found->list, sorted_count, sizeof *found->list, compare);
    for (size_t i = 0; i < account->seen.count; i++) {
        struct cpu_process room;
        const struct cpu_process *before = &account->seen.list[i];
        const struct cpu_process *now = find_again(account, sorted_count, before, &room);
        for (int time = 0; time < TIME_COUNT; time++) {
            if (now)
                taken[time] += now->stat.children_ticks[time] - before->stat.children_ticks[time];
            else
                vanished[time] += total_of(before, time);
        }
    }
    if (found->count > sorted_count)
        qsort(found->list, found->count, sizeof *found->list, compare);
}

static int64_t ticks_of(struct timeval time)
{
    int64_t second = sysconf(_SC_CLK_TCK);
    return (int64_t)time.tv_sec * second + (int64_t)time.tv_usec * second / 1000000;
}

// This process takes over, too: from carriers, and from orphans that have none.
static void take_own(struct cpu_account *account, int64_t taken[TIME_COUNT])
{
    struct rusage usage;
    if (getrusage(RUSAGE_CHILDREN, &usage))
        return;
    const int64_t reaped[TIME_COUNT] = {ticks_of(usage.ru_utime), ticks_of(usage.ru_stime)};
    for (int time = 0; time < TIME_COUNT; time++) {
        taken[time] += reaped[time] - account->reaped[time];
        account->reaped[time] = reaped[time];
    }
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

// A process that goes during a look is missing there, but its parent was read before and shows the
// time at the next look only. So what is gone is settled one look later, the older first.
static void settle(struct cpu_account *account, const int64_t vanished[TIME_COUNT],
                   const int64_t taken[TIME_COUNT])
{
    for (int time = 0; time < TIME_COUNT; time++) {
        int64_t there = account->left_over[time] + taken[time];
        int64_t used = least(there, account->vanished[time]);
        account->lost[time] += account->vanished[time] - used;
        account->left_over[time] = least(there - used, taken[time]);
        account->vanished[time] = account->is_partial ? 0 : vanished[time];
    }
}

void cpu_account_end(struct cpu_account *account, int64_t ret_ticks[TIME_COUNT])
{
    int64_t vanished[TIME_COUNT] = {0}, taken[TIME_COUNT] = {0};
    compare_looks(account, vanished, taken);
    take_own(account, taken);
    settle(account, vanished, taken);
    struct cpu_list seen = account->seen;
    account->seen = account->found;
    account->found = (struct cpu_list){seen.list, 0, seen.size};
    account->is_partial = false;
    for (int time = 0; time < TIME_COUNT; time++) {
        ret_ticks[time] = account->lost[time];
        for (size_t i = 0; i < account->seen.count; i++)
            ret_ticks[time] += total_of(&account->seen.list[i], time);
    }
}
