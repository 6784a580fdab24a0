// soma-runner: what a job in a sandbox can reach, and what its limits hold. Where this machine
// lacks a wall, the tests hold the runner to saying so.
#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "runner_kit.h"

static bool is_nested(void)
{
    return strcmp(kit_sandbox(), "namespaces") == 0;
}

static struct attempt *python_attempt(const char *source)
{
    struct attempt *attempt = attempt_new();
    attempt_order(attempt, (const char *const[]){"python3", "-I", "-S", "main.py", NULL});
    fields_put_text(&attempt->order, "file_name", "main.py");
    fields_put_text(&attempt->order, "file_bytes", source);
    return attempt;
}

// Whether the status says that this layer is enforced; the layer must be named.
static bool is_enforced(struct attempt *attempt, const char *layer)
{
    char enforced[64], missing[64];
    snprintf(enforced, sizeof enforced, "+%s ", layer);
    snprintf(missing, sizeof missing, "-%s ", layer);
    if (attempt_text_has(attempt, "isolation", enforced))
        return true;
    assert_true(attempt_text_has(attempt, "isolation", missing));
    return false;
}

// Everybody may read it: only a wall keeps a job away.
static void put_file(const char *path, const char *text)
{
    FD_CLEANUP int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0644), 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
}

static void a_job_sees_neither_other_jobs_nor_the_server(void **state)
{
    (void)state;
    struct attempt *other = attempt_new();
    char secret[PATH_MAX], database[PATH_MAX], script[4 * PATH_MAX];
    snprintf(secret, sizeof secret, "%.1000s/secret", other->path);
    snprintf(database, sizeof database, "%.1000s.db", kit_runner());
    put_file(secret, "of another job\n");
    put_file(database, "of the server\n");
    struct attempt *attempt = attempt_new();
    snprintf(script, sizeof script,
             "cat %s %s /etc/shadow; ls /root /home; echo x >> %s; echo fine > mine; cat mine",
             secret, database, secret);
    attempt_order_script(attempt, script);
    attempt_run(attempt);
    if (is_enforced(attempt, "filesystem"))
        assert_true(attempt_file_is(attempt, "stdout", "fine\n"));
    attempt_free(other);
    attempt_free(attempt);
}

static void a_job_changes_nothing_but_its_own(void **state)
{
    (void)state;
    struct attempt *attempt = attempt_new();
    attempt_order_script(attempt, "for at in / /usr /etc /bin /dev /var/tmp/x /run; do "
                                  "echo x > $at/soma-was-here && echo wrote $at; done; "
                                  "echo own > own; cat own; echo 5 > $SOMA_PROGRESS");
    attempt_run(attempt);
    assert_true(attempt_file_is(attempt, "stdout", "own\n"));
    assert_true(attempt_text_is(attempt, "progress", "5"));
    attempt_free(attempt);
}

static const char escapes[] = "import ctypes, os\n"
                              "libc = ctypes.CDLL(None, use_errno=True)\n"
                              "def tries(name, *args):\n"
                              "    ctypes.set_errno(0)\n"
                              "    result = getattr(libc, name)(*args)\n"
                              "    print(name, 'fails' if result == -1 else 'WORKS')\n"
                              "tries('mount', b'none', b'/tmp', b'tmpfs', 0, None)\n"
                              "tries('umount2', b'/proc', 2)\n"
                              "tries('chroot', b'.')\n"
                              "tries('unshare', 0x10000000)\n"
                              "tries('unshare', 0x20000)\n"
                              "tries('setns', os.open('/proc/self/ns/mnt', os.O_RDONLY), 0)\n"
                              "tries('syscall', 321, 0, 0, 0)\n" // bpf
                              "tries('syscall', 425, 8, 0)\n"    // io_uring_setup
                              "tries('syscall', 250, 0, 0, 0)\n" // keyctl
                              "tries('setuid', 0)\n"
                              "tries('sethostname', b'x', 1)\n"
                              "tries('reboot', 0)\n";

static void the_ways_out_are_closed(void **state)
{
    (void)state;
#ifdef __x86_64__
    struct attempt *attempt = python_attempt(escapes);
    attempt_run(attempt);
    assert_int_equal(attempt_number(attempt, "exit_code"), 0);
    char *output = attempt_read(attempt, "stdout");
    if (is_enforced(attempt, "seccomp"))
        assert_null(strstr(output, "WORKS"));
    assert_non_null(strstr(output, "reboot fails"));
    free(output);
    attempt_free(attempt);
#endif
}

// It is told the runner's pid, and tries what the same user could do outside.
static const char attacks[] = "import ctypes, os, time\n"
                              "while not os.path.exists('pid'): time.sleep(0.01)\n"
                              "pid = int(open('pid').read())\n"
                              "libc = ctypes.CDLL(None)\n"
                              "for name, attack in {\n"
                              "    'kill': lambda: os.kill(pid, 9),\n"
                              "    'environ': lambda: open(f'/proc/{pid}/environ').read(),\n"
                              "    'mem': lambda: open(f'/proc/{pid}/mem', 'rb'),\n"
                              "    'fd': lambda: os.readlink(f'/proc/{pid}/fd/2'),\n"
                              "}.items():\n"
                              "    try: attack(); print(name, 'WORKS')\n"
                              "    except OSError: pass\n"
                              "if libc.ptrace(16, pid, 0, 0) == 0: print('ptrace WORKS')\n"
                              "time.sleep(0.2)\n"
                              "print('alive')\n";

static void a_job_cannot_touch_its_runner(void **state)
{
    (void)state;
    struct attempt *attempt = python_attempt(attacks);
    attempt_start(attempt);
    attempt_wait_for_processes(attempt, 1);
    struct waiting waiting = {0};
    while (!attempt_has(attempt, "work"))
        waiting_step(&waiting, "the work directory");
    char text[32];
    snprintf(text, sizeof text, "%d\n", (int)attempt->pid);
    struct soma_error err;
    int work_fd = openat(attempt->fd, "work", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(file_write_atomic(work_fd, "pid", text, strlen(text), 0644, &err), SOMA_OK);
    assert_int_equal(fchmodat(work_fd, "pid", 0644, 0), 0);
    close(work_fd);
    int end = attempt_wait(attempt);
    if (end == 0 && is_enforced(attempt, "signals"))
        assert_true(attempt_file_is(attempt, "stdout", "alive\n"));
    // Who kills the runner of the same user without a wall is gone with it.
    if (end != 0)
        assert_true(!is_nested() && !kit_is_root());
    attempt_wait_for_processes(attempt, 0);
    attempt_free(attempt);
}

static void a_job_in_namespaces_is_alone(void **state)
{
    (void)state;
    if (!is_nested())
        return; // what is left of it, the tests above have seen
    struct attempt *attempt =
        python_attempt("import os, socket\n"
                       "print(sorted(int(p) for p in os.listdir('/proc') if p.isdigit()),\n"
                       "    socket.gethostname(), len(open('/proc/net/dev').readlines()))\n"
                       "print(repr(open('/proc/1/environ').read()))\n");
    attempt_run(attempt);
    // Its init and itself, loopback below two lines of title, and an init that tells nothing.
    char *output = attempt_read(attempt, "stdout");
    assert_memory_equal(output, "[1, 2] soma 3\n", 14);
    assert_true(output[14] == '\0' || strcmp(output + 14, "''\n") == 0);
    free(output);
    attempt_free(attempt);
}

static int listen_tcp(int *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void the_network_is_there_only_where_it_was_allowed(void **state)
{
    (void)state;
    int port;
    int fd = listen_tcp(&port);
    for (int allowed = 0; allowed < 2; allowed++) {
        char source[512];
        snprintf(source, sizeof source,
                 "import socket\n"
                 "try: socket.create_connection(('127.0.0.1', %d), 5); print('connected')\n"
                 "except OSError as error: print('no')\n",
                 port);
        struct attempt *attempt = python_attempt(source);
        attempt_limit(attempt, "network", allowed);
        attempt_run(attempt);
        bool is_closed = is_enforced(attempt, "network");
        assert_true(!allowed || !is_closed);
        assert_true(attempt_file_is(attempt, "stdout", is_closed ? "no\n" : "connected\n"));
        attempt_free(attempt);
    }
    close(fd);
}

static void sockets_of_the_machine_are_reached_only_where_they_were_bound(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%.90s.sock", kit_runner());
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(chmod(address.sun_path, 0777), 0);
    assert_int_equal(listen(fd, 4), 0);
    for (int is_bound = 0; is_bound < 2; is_bound++) {
        char source[512];
        snprintf(source, sizeof source,
                 "import socket\n"
                 "try: socket.socket(socket.AF_UNIX).connect('%s'); print('connected')\n"
                 "except OSError: print('no')\n"
                 "a, b = socket.socketpair()\n"
                 "a.send(b'own'); print(b.recv(9))\n",
                 address.sun_path);
        struct attempt *attempt = python_attempt(source);
        if (is_bound)
            fields_put_text(&attempt->order, "bind", address.sun_path);
        attempt_run(attempt);
        bool has_walls = is_enforced(attempt, "seccomp");
        assert_true(attempt_file_is(
            attempt, "stdout", has_walls && !is_bound ? "no\nb'own'\n" : "connected\nb'own'\n"));
        attempt_free(attempt);
    }
    close(fd);
    unlink(address.sun_path);
}

// What bubblewrap cannot do is a failed start that says why, never a job without walls.
static void a_sandbox_that_cannot_be_made_is_no_start(void **state)
{
    (void)state;
    struct attempt *attempt = attempt_new();
    attempt_order_script(attempt, "echo ran");
    fields_put_text(&attempt->order, "sandbox", "namespaces");
    fields_put_text(&attempt->order, "bwrap", "/nonexistent/bwrap");
    attempt_run(attempt);
    assert_true(attempt_text_is(attempt, "reason", "start_failed"));
    assert_int_equal(attempt_number(attempt, "exit_code"), 125);
    assert_true(attempt_text_has(attempt, "message", "cannot set up the sandbox: No such file"));
    assert_false(attempt_has(attempt, "stdout"));
    attempt_free(attempt);
    // One that complains: its words are told.
    attempt = attempt_new();
    attempt_order_script(attempt, "echo ran");
    fields_put_text(&attempt->order, "sandbox", "namespaces");
    fields_put_text(&attempt->order, "bwrap", "/bin/ls");
    attempt_run(attempt);
    assert_true(attempt_text_is(attempt, "reason", "start_failed"));
    assert_true(attempt_text_has(attempt, "message", "cannot set up the sandbox: "));
    assert_true(attempt_text_has(attempt, "message", "unrecognized option"));
    attempt_free(attempt);
}

static void a_sandbox_of_an_unknown_kind_is_no_start(void **state)
{
    (void)state;
    struct attempt *attempt = attempt_new();
    attempt_order_script(attempt, "echo ran");
    fields_put_text(&attempt->order, "sandbox", "of-the-future");
    attempt_run(attempt);
    assert_true(attempt_text_is(attempt, "reason", "start_failed"));
    assert_true(attempt_text_has(attempt, "message", "sandbox"));
    attempt_free(attempt);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_sees_neither_other_jobs_nor_the_server),
        cmocka_unit_test(a_job_changes_nothing_but_its_own),
        cmocka_unit_test(the_ways_out_are_closed),
        cmocka_unit_test(a_job_cannot_touch_its_runner),
        cmocka_unit_test(a_job_in_namespaces_is_alone),
        cmocka_unit_test(the_network_is_there_only_where_it_was_allowed),
        cmocka_unit_test(sockets_of_the_machine_are_reached_only_where_they_were_bound),
        cmocka_unit_test(a_sandbox_that_cannot_be_made_is_no_start),
        cmocka_unit_test(a_sandbox_of_an_unknown_kind_is_no_start),
    };
    kit_open(argc, argv);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kit_close();
    return failed;
}
