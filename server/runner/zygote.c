#include "runner/zygote.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runner/brood.h"
#include "runner/packet.h"
#include "runner/runner.h"
#include "runner/signals.h"
#include "runner/title.h"

struct zygote {
    int socket_fd; // -1: the server is gone
    int signal_fd;
    struct brood brood;
};

struct request {
    int64_t tag;
    const char *attempt_dir;
};

static bool parse_request(const char *text, struct request *ret_request)
{
    if (strncmp(text, "spawn ", 6) != 0)
        return false;
    const char *at = text + 6;
    if (!packet_take_int(&at, &ret_request->tag))
        return false;
    ret_request->attempt_dir = at;
    return *at == '/';
}

// False: the server is gone.
static bool answer(int socket_fd, const struct request *request, pid_t pid, int errnum)
{
    char text[64];
    int length = snprintf(text, sizeof text, "%s %" PRId64 " %d", pid > 0 ? "forked" : "failed",
                          request->tag, pid > 0 ? (int)pid : errnum);
    return packet_send(socket_fd, text, (size_t)length, -1, 0) == 0;
}

// The job's id: jobs/<id>/<attempt> is the directory's end.
static void set_runner_title(const char *attempt_dir)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", attempt_dir);
    char *attempt = strrchr(path, '/');
    *attempt = '\0';
    char *id = strrchr(path, '/');
    title_set(id ? id + 1 : attempt_dir);
}

static pid_t fork_runner(struct zygote *zygote)
{
    if (!brood_make_room(&zygote->brood)) {
        errno = ENOMEM;
        return -1;
    }
    pid_t pid = fork();
    if (pid > 0)
        brood_add(&zygote->brood, pid);
    return pid;
}

// False: the server is gone. In a forked child it does not return.
static bool serve(struct zygote *zygote)
{
    char text[PACKET_SIZE];
    int link_fd = -1;
    ssize_t length = packet_receive(zygote->socket_fd, text, sizeof text, &link_fd, 0);
    if (length < 0 && errno == EMSGSIZE)
        return true;
    if (length <= 0)
        return false;
    struct request request;
    bool is_valid = parse_request(text, &request);
    errno = EINVAL;
    pid_t pid = is_valid && link_fd >= 0 ? fork_runner(zygote) : -1;
    int errnum = errno;
    if (pid == 0) {
        prctl(PR_SET_NAME, "soma-runner");
        set_runner_title(request.attempt_dir);
        exit(runner_run(request.attempt_dir, link_fd));
    }
    // The answer first: whoever sees the link end finds it.
    bool is_heard = !is_valid || answer(zygote->socket_fd, &request, pid, errnum);
    if (link_fd >= 0)
        close(link_fd);
    return is_heard;
}

// Nobody may be there to hear it.
static void say(const struct zygote *zygote, const char *word)
{
    packet_send(zygote->socket_fd, word, strlen(word), -1, MSG_DONTWAIT);
}

static void leave_server(struct zygote *zygote)
{
    if (zygote->brood.count > 0)
        say(zygote, ZYGOTE_STAYS);
    close(zygote->socket_fd);
    zygote->socket_fd = -1;
    // Nobody who waits for the end of the server's log shall wait for a runner.
    dup2(STDOUT_FILENO, STDERR_FILENO);
}

// Blocked here; each runner unblocks it for itself.
static int watch_children(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL))
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int zygote_run(int socket_fd)
{
    struct zygote zygote = {.socket_fd = socket_fd, .signal_fd = watch_children()};
    if (zygote.signal_fd < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1))
        return 1;
    prctl(PR_SET_NAME, "soma-spawner");
    say(&zygote, ZYGOTE_READY);
    bool has_children = false;
    while (zygote.socket_fd >= 0 || has_children) {
        struct pollfd set[] = {{.fd = zygote.socket_fd, .events = POLLIN},
                               {.fd = zygote.signal_fd, .events = POLLIN}};
        poll(set, 2, -1);
        while (signals_read(zygote.signal_fd))
            continue;
        if (set[0].revents && !serve(&zygote))
            leave_server(&zygote);
        has_children = brood_reap(&zygote.brood);
    }
    brood_fini(&zygote.brood);
    return 0;
}
