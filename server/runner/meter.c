#include "runner/meter.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/directory_size.h"
#include "base/file.h"

void meter_start(struct meter *meter, const struct order *order, int work_fd,
                 const struct cgroups *cgroups)
{
    *meter = (struct meter){.cpu_time_ms = order->cpu_time_ms,
                            .memory_bytes = cgroups->holds_memory ? 0 : order->memory_bytes,
                            .disk_bytes = order->disk_bytes,
                            .processors = (int)sysconf(_SC_NPROCESSORS_ONLN),
                            .cgroups = cgroups,
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

static void sample_process(struct meter *meter, pid_t pid, bool is_carrier)
{
    struct process_stat stat;
    if (!process_stat_read(pid, &stat))
        return;
    // An init's own work is not the job's, but those that it has reaped were.
    cpu_account_add(&meter->cpu, pid, is_carrier, &stat);
    if (is_carrier)
        return;
    meter->use.memory_bytes += stat.resident_bytes;
    meter->use.processes++;
}

static void keep_largest(int64_t *value, int64_t other)
{
    if (other > *value)
        *value = other;
}

static void sample(struct meter *meter, struct tree *tree)
{
    struct descendants descendants = {0};
    struct meter_use *use = &meter->use;
    int64_t ticks[TIME_COUNT], tick_ms = 1000 / sysconf(_SC_CLK_TCK);
    int64_t counted_ms[TIME_COUNT] = {0};
    use->memory_bytes = use->processes = 0;
    descendants_find(&descendants);
    for (size_t i = 0; i < descendants.count; i++)
        sample_process(meter, descendants.list[i].pid, tree_is_carrier(tree, &descendants.list[i]));
    descendants_fini(&descendants);
    cpu_account_end(&meter->cpu, ticks);
    // The kernel's own count misses nobody.
    cgroups_cpu_ms(meter->cgroups, &counted_ms[TIME_USER], &counted_ms[TIME_SYSTEM]);
    // Whoever was reaped between two looks is missing for a moment: time never goes back.
    keep_largest(&use->user_ms, ticks[TIME_USER] * tick_ms);
    keep_largest(&use->system_ms, ticks[TIME_SYSTEM] * tick_ms);
    keep_largest(&use->user_ms, counted_ms[TIME_USER]);
    keep_largest(&use->system_ms, counted_ms[TIME_SYSTEM]);
    keep_largest(&use->peak_memory_bytes, use->memory_bytes);
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
        struct process_stat stat;
        if (tree_is_carrier(tree, &descendants.list[i]))
            continue;
        int64_t share = field_of_smaps(descendants.list[i].pid, "\nPss:");
        if (share < 0 && process_stat_read(descendants.list[i].pid, &stat))
            share = stat.resident_bytes;
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
