#include "runner/meter.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/directory_size.h"
#include "base/file.h"

enum {
    STAT_FIELDS_AFTER_NAME = 22,
    // Fields of /proc/PID/stat after the name, from 0 (proc(5) counts from 1, the name is 2).
    FIELD_UTIME = 11,
    FIELD_STIME = 12,
    FIELD_CHILDREN_UTIME = 13,
    FIELD_CHILDREN_STIME = 14,
    FIELD_RSS = 21
};

void meter_start(struct meter *meter, const struct order *order, int work_fd, bool is_memory_held)
{
    *meter = (struct meter){.cpu_time_ms = order->cpu_time_ms,
                            .memory_bytes = is_memory_held ? 0 : order->memory_bytes,
                            .disk_bytes = order->disk_bytes,
                            .processors = (int)sysconf(_SC_NPROCESSORS_ONLN),
                            .work_fd = work_fd};
    int64_t first = meter->memory_bytes ? METER_MEMORY_MS : METER_IDLE_MS;
    if (meter->cpu_time_ms && meter->cpu_time_ms < first)
        first = meter->cpu_time_ms;
    meter->next_disk = clock_deadline_after(METER_DISK_MIN_MS);
    if (meter->disk_bytes && METER_DISK_MIN_MS < first)
        first = METER_DISK_MIN_MS;
    meter->next = clock_deadline_after(first);
}

// --- /proc

static int64_t field_of_smaps(pid_t pid, const char *name)
{
    char text[4096];
    snprintf(text, sizeof text, "/proc/%d/smaps_rollup", (int)pid);
    FD_CLEANUP int fd = open(text, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length <= 0)
        return -1;
    text[length] = '\0';
    const char *line = strstr(text, name);
    return line ? strtoll(line + strlen(name), NULL, 10) * 1024 : -1;
}

// False where there is no such process.
static bool read_stat(pid_t pid, int64_t ret_fields[STAT_FIELDS_AFTER_NAME])
{
    char text[1024];
    snprintf(text, sizeof text, "/proc/%d/stat", (int)pid);
    FD_CLEANUP int fd = open(text, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length <= 0)
        return false;
    text[length] = '\0';
    char *at = strrchr(text, ')');
    if (!at || strlen(at) < 4)
        return false;
    at += 3; // the state, a letter, counts as field 0
    ret_fields[0] = 0;
    for (int i = 1; i < STAT_FIELDS_AFTER_NAME; i++)
        ret_fields[i] = strtoll(at, &at, 10);
    return true;
}

static void add_process(struct meter_use *use, const struct descendant *descendant, bool is_carrier,
                        int64_t *ticks)
{
    int64_t fields[STAT_FIELDS_AFTER_NAME];
    if (!read_stat(descendant->pid, fields))
        return;
    // An init's own work is not the job's, but those that it has reaped were.
    ticks[0] += fields[FIELD_CHILDREN_UTIME] + (is_carrier ? 0 : fields[FIELD_UTIME]);
    ticks[1] += fields[FIELD_CHILDREN_STIME] + (is_carrier ? 0 : fields[FIELD_STIME]);
    if (is_carrier)
        return;
    use->memory_bytes += fields[FIELD_RSS] * sysconf(_SC_PAGESIZE);
    use->processes++;
}

static void sample(struct meter *meter, struct tree *tree)
{
    struct descendants descendants = {0};
    struct meter_use *use = &meter->use;
    int64_t ticks[2] = {0};
    use->memory_bytes = use->processes = 0;
    descendants_find(&descendants);
    for (size_t i = 0; i < descendants.count; i++)
        add_process(use, &descendants.list[i], tree_is_carrier(tree, &descendants.list[i]), ticks);
    descendants_fini(&descendants);
    int64_t tick_ms = 1000 / sysconf(_SC_CLK_TCK);
    // Whoever was reaped between two looks is missing for a moment: time never goes back.
    if (ticks[0] * tick_ms > use->user_ms)
        use->user_ms = ticks[0] * tick_ms;
    if (ticks[1] * tick_ms > use->system_ms)
        use->system_ms = ticks[1] * tick_ms;
    if (use->memory_bytes > use->peak_memory_bytes)
        use->peak_memory_bytes = use->memory_bytes;
}

// Pages that several processes share counted once; looked at only where the plain sum is over the
// limit.
static bool is_over_memory(const struct meter *meter, struct tree *tree)
{
    if (!meter->memory_bytes || meter->use.memory_bytes <= meter->memory_bytes)
        return false;
    struct descendants descendants = {0};
    int64_t bytes = 0;
    descendants_find(&descendants);
    for (size_t i = 0; i < descendants.count; i++) {
        int64_t fields[STAT_FIELDS_AFTER_NAME];
        if (tree_is_carrier(tree, &descendants.list[i]))
            continue;
        int64_t share = field_of_smaps(descendants.list[i].pid, "\nPss:");
        if (share < 0 && read_stat(descendants.list[i].pid, fields))
            share = fields[FIELD_RSS] * sysconf(_SC_PAGESIZE);
        bytes += share > 0 ? share : 0;
    }
    descendants_fini(&descendants);
    return bytes > meter->memory_bytes;
}

// --- the disk

// Most programs leave nothing.
static bool is_empty(int directory_fd)
{
    char bytes[1024];
    if (lseek(directory_fd, 0, SEEK_SET) < 0)
        return false;
    ssize_t got;
    while ((got = getdents64(directory_fd, bytes, sizeof bytes)) > 0) {
        for (ssize_t at = 0; at < got;) {
            const struct dirent64 *entry = (const void *)(bytes + at);
            if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                return false;
            at += entry->d_reclen;
        }
    }
    return got == 0;
}

static struct directory_size measure(int work_fd)
{
    struct directory_size size = {0};
    if (!is_empty(work_fd))
        directory_measure(work_fd, INT64_MAX, &size);
    return size;
}

int64_t meter_walk(int work_fd)
{
    return measure(work_fd).disk_bytes;
}

static void check_disk(struct meter *meter)
{
    if (!meter->disk_bytes || clock_left_ms(meter->next_disk) > 0)
        return;
    struct mono_time before = clock_mono_now();
    struct directory_size size = measure(meter->work_fd);
    meter->use.disk_bytes = size.disk_bytes;
    // Nothing is hidden where nobody counts.
    if (size.is_too_deep && size.disk_bytes <= meter->disk_bytes)
        meter->use.disk_bytes = meter->disk_bytes + 1;
    int64_t pause = (clock_mono_now().ms - before.ms) * METER_DISK_SHARE;
    meter->next_disk = clock_deadline_after(pause > METER_DISK_MIN_MS ? pause : METER_DISK_MIN_MS);
}

// --- when

static int64_t pause_ms(const struct meter *meter)
{
    int64_t pause = meter->memory_bytes ? METER_MEMORY_MS : METER_IDLE_MS;
    if (meter->disk_bytes && METER_DISK_MIN_MS < pause)
        pause = METER_DISK_MIN_MS;
    if (!meter->cpu_time_ms)
        return pause;
    int64_t left = meter->cpu_time_ms - meter->use.user_ms - meter->use.system_ms;
    left /= meter->processors > 0 ? meter->processors : 1;
    if (left < pause)
        pause = left > METER_CPU_MIN_MS ? left : METER_CPU_MIN_MS;
    return pause;
}

enum meter_verdict meter_check(struct meter *meter, struct tree *tree, bool *ret_sampled)
{
    if (clock_left_ms(meter->next) > 0)
        return METER_FINE;
    *ret_sampled = true;
    sample(meter, tree);
    check_disk(meter);
    meter->next = clock_deadline_after(pause_ms(meter));
    if (meter->cpu_time_ms && meter->use.user_ms + meter->use.system_ms >= meter->cpu_time_ms)
        return METER_CPU;
    if (is_over_memory(meter, tree))
        return METER_MEMORY;
    return meter->disk_bytes && meter->use.disk_bytes > meter->disk_bytes ? METER_DISK : METER_FINE;
}
