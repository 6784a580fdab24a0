// server/runner: what the spawner says of a runner that it cannot fork.
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runner/packet.h"
#include "runner/zygote.h"

static struct {
    int server[2]; // the spawner's socket: the server's end, its own
    int link[2];   // a runner's link: the server's end, the runner's
} scene;

// Called in place of the real ones, see CMakeLists.txt.
pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
    errno = EAGAIN;
    return -1;
}

static bool has_ended(int link_fd)
{
    struct pollfd set = {.fd = link_fd};
    return poll(&set, 1, 0) == 1 && (set.revents & POLLHUP);
}

// In the spawner, which has a copy of the server's end of the link.
int __real_packet_send(int socket_fd, const char *bytes, size_t length, int pass_fd, int flags);
int __wrap_packet_send(int socket_fd, const char *bytes, size_t length, int pass_fd, int flags);
int __wrap_packet_send(int socket_fd, const char *bytes, size_t length, int pass_fd, int flags)
{
    static const char late[] = "late";
    if (strncmp(bytes, "failed ", 7) == 0 && has_ended(scene.link[0]))
        return __real_packet_send(socket_fd, late, sizeof late - 1, pass_fd, flags);
    return __real_packet_send(socket_fd, bytes, length, pass_fd, flags);
}

static void expect(const char *word)
{
    char text[PACKET_SIZE];
    int fd = -1;
    assert_true(packet_receive(scene.server[0], text, sizeof text, &fd, 0) > 0);
    assert_string_equal(text, word);
}

static void a_link_ends_only_after_the_answer(void **state)
{
    (void)state;
    static const char request[] = "spawn 7 /jobs/x/1";
    int status;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, scene.server), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, scene.link), 0);
    // Before the spawner reads it, so that nobody else has the runner's end any more.
    assert_int_equal(packet_send(scene.server[0], request, sizeof request - 1, scene.link[1], 0),
                     0);
    close(scene.link[1]);
    pid_t pid = __real_fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(scene.server[0]);
        _exit(zygote_run(scene.server[1]));
    }
    close(scene.server[1]);
    expect(ZYGOTE_READY);
    expect("failed 7 11");
    close(scene.server[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(has_ended(scene.link[0]));
    close(scene.link[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_ends_only_after_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
