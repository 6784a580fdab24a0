#include "victims.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/id.h"

enum {
    FOUND_MAX = 4096,
    TEXT_SIZE = 65536
};

struct process {
    pid_t pid;
    pid_t parent;
    char name[32];
};

// Reads /proc/PID/FILE into static memory, NUL-terminated; the length, 0 where there is none.
static size_t read_text(pid_t pid, const char *file, const char **ret_text)
{
    static char text[TEXT_SIZE];
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    FD_CLEANUP int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    length = length < 0 ? 0 : length;
    text[length] = '\0';
    *ret_text = text;
    return (size_t)length;
}

static bool look_at(pid_t pid, struct process *ret_process)
{
    const char *text;
    read_text(pid, "stat", &text);
    const char *open = strchr(text, '('), *close = strrchr(text, ')');
    if (!open || !close || strlen(close) < 5)
        return false;
    *ret_process = (struct process){.pid = pid, .parent = (pid_t)strtol(close + 4, NULL, 10)};
    snprintf(ret_process->name, sizeof ret_process->name, "%.*s", (int)(close - open - 1),
             open + 1);
    return true;
}

static bool has_name(pid_t pid, const char *name)
{
    struct process process;
    return look_at(pid, &process) && strcmp(process.name, name) == 0;
}

typedef bool is_wanted(const struct process *process, const void *about);

static int find(is_wanted *wanted, const void *about, pid_t found[FOUND_MAX])
{
    DIR *directory = opendir("/proc");
    struct dirent *entry;
    int count = 0;
    while (directory && count < FOUND_MAX && (entry = readdir(directory)) != NULL) {
        struct process process;
        if (isdigit((unsigned char)entry->d_name[0]) &&
            look_at((pid_t)strtol(entry->d_name, NULL, 10), &process) && wanted(&process, about))
            found[count++] = process.pid;
    }
    if (directory)
        closedir(directory);
    return count;
}

static pid_t one_of(struct dice *dice, is_wanted *wanted, const void *about)
{
    static pid_t found[FOUND_MAX];
    int count = find(wanted, about, found);
    return count > 0 ? found[dice_below(dice, (uint32_t)count)] : 0;
}

// Its title is "soma-runner JOB". A child that it has just forked bears the same.
static bool is_runner(const struct process *process, const void *jobs_directory)
{
    if (strcmp(process->name, "soma-runner") != 0 || has_name(process->parent, "soma-runner"))
        return false;
    const char *text;
    read_text(process->pid, "cmdline", &text);
    const char *id = strchr(text, ' ');
    char path[PATH_MAX];
    if (!id || strlen(id + 1) != ID_LENGTH)
        return false;
    snprintf(path, sizeof path, "%s/%s", (const char *)jobs_directory, id + 1);
    return access(path, F_OK) == 0;
}

static bool has_variable(const struct process *process, const void *variable)
{
    const char *text;
    size_t length = read_text(process->pid, "environ", &text);
    return length > 0 && memmem(text, length, variable, strlen(variable) + 1) != NULL;
}

static bool is_program(const struct process *process, const void *variable)
{
    return has_variable(process, variable) && has_name(process->parent, "soma-init");
}

// Of a spawner that was killed nobody looks after the runners any more.
static bool is_guarded_runner(const struct process *process, const void *jobs_directory)
{
    return has_name(process->parent, "soma-spawner") && is_runner(process, jobs_directory);
}

static bool is_stray(const struct process *process, const void *spawner_pid)
{
    return process->parent == *(const pid_t *)spawner_pid &&
           strcmp(process->name, "soma-runner") != 0;
}

static bool is_spawner(const struct process *process, const void *server_pid)
{
    return process->parent == *(const pid_t *)server_pid &&
           strcmp(process->name, "soma-spawner") == 0;
}

pid_t victim_runner(struct dice *dice, const char *jobs_directory)
{
    return one_of(dice, is_guarded_runner, jobs_directory);
}

pid_t victim_program(struct dice *dice, const char *variable)
{
    return one_of(dice, is_program, variable);
}

pid_t victim_spawner(pid_t server_pid)
{
    static pid_t found[FOUND_MAX], strays[FOUND_MAX];
    bool is_free = find(is_spawner, &server_pid, found) > 0 && find(is_stray, found, strays) == 0;
    return is_free ? found[0] : 0;
}

bool victim_is_dead(pid_t pid)
{
    const char *text;
    read_text(pid, "stat", &text);
    const char *close = strrchr(text, ')');
    return !close || strncmp(close, ") Z", 3) == 0;
}

int victims_left(const char *jobs_directory, const char *variable)
{
    static pid_t found[FOUND_MAX];
    return find(is_runner, jobs_directory, found) + find(has_variable, variable, found);
}

int victim_descriptors(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *directory = opendir(path);
    int count = 0;
    while (directory && readdir(directory))
        count++;
    if (directory)
        closedir(directory);
    return count;
}
