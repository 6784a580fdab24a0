#include "runner/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "runner/packet.h"
#include "runner/zygote.h"

enum {
    SPAWNER_FD = 3, // the socket's number in the spawner
    START_WAIT_MS = 10000,
    STOP_WAIT_MS = 1000
};

// The spawner's whole environment: nothing of the server's may be read in a runner's
// /proc/PID/environ. Its bytes are the room for the runners' titles ("soma-runner JOB").
static char title_room[] = "SOMA_RUNNER_TITLE=                                              ";

static int set_up_descriptors(posix_spawn_file_actions_t *actions, int socket_fd)
{
    int errnum = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    if (!errnum)
        errnum = posix_spawn_file_actions_addopen(actions, 1, "/dev/null", O_WRONLY, 0);
    if (!errnum)
        errnum = posix_spawn_file_actions_adddup2(actions, socket_fd, SPAWNER_FD);
    if (!errnum)
        errnum = posix_spawn_file_actions_addclosefrom_np(actions, SPAWNER_FD + 1);
    return errnum;
}

// A session of its own: a Ctrl-C on the server's terminal is not for the spawner.
static int set_up_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                    POSIX_SPAWN_SETSID);
}

static int spawn_program(pid_t *ret_pid, const char *runner_path, int socket_fd)
{
    posix_spawn_file_actions_t actions;
    int errnum = posix_spawn_file_actions_init(&actions);
    if (errnum)
        return errnum;
    posix_spawnattr_t attributes;
    errnum = posix_spawnattr_init(&attributes);
    if (errnum) {
        posix_spawn_file_actions_destroy(&actions);
        return errnum;
    }
    char name[] = "soma-runner", option[] = "--spawner", number[] = "3";
    char *argv[] = {name, option, number, NULL};
    char *environment[] = {title_room, NULL};
    errnum = set_up_descriptors(&actions, socket_fd);
    if (!errnum)
        errnum = set_up_attributes(&attributes);
    if (!errnum)
        errnum = posix_spawn(ret_pid, runner_path, &actions, &attributes, argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return errnum;
}

static bool is_readable_within(int fd, struct mono_time deadline)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    int ready;
    do
        ready = poll(&readable, 1, (int)clock_left_ms(deadline));
    while (ready < 0 && errno == EINTR);
    return ready > 0;
}

// Whether it says the word; false also when it ends, or says nothing in time.
static bool says(int fd, const char *word, struct mono_time deadline)
{
    char text[PACKET_SIZE];
    while (is_readable_within(fd, deadline)) {
        ssize_t length = packet_receive(fd, text, sizeof text, NULL, MSG_DONTWAIT);
        if (length == 0 || (length < 0 && errno != EMSGSIZE && errno != EAGAIN))
            return false;
        if (length > 0 && strcmp(text, word) == 0)
            return true;
    }
    return false;
}

static void wait_or_kill(pid_t pid, struct mono_time deadline)
{
    FD_CLEANUP int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0 || !is_readable_within(pidfd, deadline))
        kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

enum soma_code spawner_start(struct spawner *ret_spawner, const char *runner_path,
                             struct soma_error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return error_set_errno(err, errno, "cannot make the spawner's socket");
    pid_t pid;
    int errnum = spawn_program(&pid, runner_path, pair[1]);
    close(pair[1]);
    if (!errnum && fcntl(pair[0], F_SETFL, O_NONBLOCK))
        errnum = errno;
    if (errnum) {
        close(pair[0]);
        return error_set_errno(err, errnum, "cannot start %s", runner_path);
    }
    if (!says(pair[0], ZYGOTE_READY, clock_deadline_after(START_WAIT_MS))) {
        close(pair[0]);
        wait_or_kill(pid, clock_mono_now());
        return error_set(err, REASON_CONFIG_INVALID, "runner", "%.200s is no soma-runner",
                         runner_path);
    }
    *ret_spawner = (struct spawner){.fd = pair[0], .pid = pid};
    return SOMA_OK;
}

enum soma_code spawner_spawn(struct spawner *spawner, int64_t tag, const char *attempt_dir,
                             int link_fd, struct soma_error *err)
{
    char text[PACKET_SIZE];
    int length = snprintf(text, sizeof text, "spawn %" PRId64 " %s", tag, attempt_dir);
    if (length >= (int)sizeof text)
        return error_set_errno(err, ENAMETOOLONG, "cannot spawn a runner for %.64s", attempt_dir);
    int errnum = packet_send(spawner->fd, text, (size_t)length, link_fd, MSG_DONTWAIT);
    // ETOOMANYREFS: as many descriptors are under way as the server may have open.
    if (errnum == EAGAIN || errnum == ENOBUFS || errnum == ETOOMANYREFS)
        return error_set(err, REASON_SERVER_BUSY, NULL, "the spawner has enough to do");
    if (errnum)
        return error_set_errno(err, errnum, "cannot ask the spawner");
    return SOMA_OK;
}

static bool parse_reply(const char *text, struct spawner_reply *ret_reply)
{
    bool is_forked = strncmp(text, "forked ", 7) == 0;
    if (!is_forked && strncmp(text, "failed ", 7) != 0)
        return false;
    const char *at = text + 7;
    int64_t tag, number;
    if (!packet_take_int(&at, &tag) || !packet_take_int(&at, &number))
        return false;
    *ret_reply = (struct spawner_reply){.tag = tag,
                                        .runner_pid = is_forked ? (pid_t)number : 0,
                                        .errnum = is_forked ? 0 : (int)number};
    return true;
}

enum spawner_read_result spawner_read(struct spawner *spawner, struct spawner_reply *ret_reply)
{
    char text[PACKET_SIZE];
    for (;;) {
        ssize_t length = packet_receive(spawner->fd, text, sizeof text, NULL, MSG_DONTWAIT);
        if (length < 0 && errno == EAGAIN)
            return SPAWNER_EMPTY;
        if (length < 0 && errno == EMSGSIZE)
            continue;
        if (length <= 0)
            return SPAWNER_GONE;
        if (parse_reply(text, ret_reply))
            return SPAWNER_REPLY;
    }
}

void spawner_stop(struct spawner *spawner)
{
    if (spawner->fd < 0)
        return;
    struct mono_time deadline = clock_deadline_after(STOP_WAIT_MS);
    shutdown(spawner->fd, SHUT_WR);
    if (!says(spawner->fd, ZYGOTE_STAYS, deadline))
        wait_or_kill(spawner->pid, deadline);
    close(spawner->fd);
    *spawner = SPAWNER_INIT;
}
