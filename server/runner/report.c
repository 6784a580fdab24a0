#include "runner/report.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    EXIT_NOT_FOUND = 127,
    EXIT_NOT_EXECUTABLE = 126,
    EXIT_NOT_STARTED = 125
};

static const char *const step_texts[STEP_COUNT] = {
    [STEP_SESSION] = "begin a session",
    [STEP_STREAMS] = "connect the program's streams",
    [STEP_DIRECTORY] = "enter the work directory",
    [STEP_ORDER] = "read the order in the sandbox",
    [STEP_CGROUP] = "enter the cgroup",
    [STEP_LIMITS] = "set limits",
    [STEP_GROUPS] = "leave the runner's groups",
    [STEP_USER] = "become the job's user",
    [STEP_PRIVILEGES] = "give up privileges",
    [STEP_SANDBOX] = "set up the sandbox",
    [STEP_LANDLOCK] = "restrict files by Landlock",
    [STEP_SECCOMP] = "filter system calls by seccomp",
    [STEP_FORK] = "fork the program",
    [STEP_DEATH_SIGNAL] = "tie the program to its runner",
    [STEP_EXECUTE] = "execute the program",
};

const char *start_step_text(int step)
{
    return step >= 0 && step < STEP_COUNT ? step_texts[step] : "start the program";
}

int start_failure_exit_code(const struct start_failure *failure)
{
    if (failure->step != STEP_EXECUTE)
        return EXIT_NOT_STARTED;
    return failure->errnum == ENOENT || failure->errnum == ENOTDIR ? EXIT_NOT_FOUND
                                                                   : EXIT_NOT_EXECUTABLE;
}

bool report_send(int fd, const struct report *report)
{
    ssize_t sent;
    do
        sent = send(fd, report, sizeof *report, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == sizeof *report;
}

_Noreturn void report_failure(int fd, enum start_step step, int errnum)
{
    report_send(fd, &(struct report){.kind = REPORT_FAILED, .failure = {(int)step, errnum}});
    _exit(REPORT_EXIT);
}
