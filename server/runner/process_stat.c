#include "runner/process_stat.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

enum {
    // Fields of /proc/PID/stat after the name, from 0 (proc(5) counts from 1, the name is 2).
    FIELD_PARENT = 1,
    FIELD_UTIME = 11,
    FIELD_STIME = 12,
    FIELD_CHILDREN_UTIME = 13,
    FIELD_CHILDREN_STIME = 14,
    FIELD_START = 19,
    FIELD_RSS = 21,
    FIELD_COUNT
};

bool process_stat_read(pid_t pid, struct process_stat *ret_stat)
{
    char text[1024];
    int64_t fields[FIELD_COUNT] = {0}; // the state, a letter, counts as field 0
    snprintf(text, sizeof text, "/proc/%d/stat", (int)pid);
    FD_CLEANUP int fd = open(text, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length <= 0)
        return false;
    text[length] = '\0';
    char *at = strrchr(text, ')'); // the name may hold anything
    if (!at || strlen(at) < 4)
        return false;
    char state = at[2];
    at += 3;
    for (int i = 1; i < FIELD_COUNT; i++)
        fields[i] = strtoll(at, &at, 10);
    *ret_stat = (struct process_stat){
        .state = state,
        .parent = (pid_t)fields[FIELD_PARENT],
        .start = fields[FIELD_START],
        .own_ticks = {fields[FIELD_UTIME], fields[FIELD_STIME]},
        .children_ticks = {fields[FIELD_CHILDREN_UTIME], fields[FIELD_CHILDREN_STIME]},
        .resident_bytes = fields[FIELD_RSS] * sysconf(_SC_PAGESIZE)};
    return true;
}
