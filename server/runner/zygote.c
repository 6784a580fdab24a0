#include "runner/zygote.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "runner/packet.h"
#include "runner/runner.h"
#include "runner/title.h"

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

int zygote_run(int socket_fd)
{
    // Nobody asks how a runner ended but its link and its directory: the kernel reaps it.
    signal(SIGCHLD, SIG_IGN);
    prctl(PR_SET_NAME, "soma-spawner");
    char text[PACKET_SIZE];
    for (;;) {
        int link_fd = -1;
        ssize_t length = packet_receive(socket_fd, text, sizeof text, &link_fd, 0);
        if (length < 0 && errno == EMSGSIZE)
            continue;
        if (length <= 0)
            return 0;
        struct request request;
        bool is_valid = parse_request(text, &request);
        pid_t pid = is_valid && link_fd >= 0 ? fork() : -1;
        if (pid == 0) {
            prctl(PR_SET_NAME, "soma-runner");
            set_runner_title(request.attempt_dir);
            return runner_run(request.attempt_dir, link_fd);
        }
        int errnum = is_valid && link_fd >= 0 ? errno : EINVAL;
        if (link_fd >= 0)
            close(link_fd);
        if (is_valid && !answer(socket_fd, &request, pid, errnum))
            return 0;
    }
}
