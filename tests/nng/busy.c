#include "busy.h"

#include <dirent.h>
#include <netinet/in.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

extern char **environ;

enum {
    SMALL_BYTES = 64,
    BIG_BYTES = 300000,
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    PATIENCE = 5
#else
    PATIENCE = 1
#endif
};

/* ---- slots ---- */

static void slot_receive(struct busy_slot *s)
{
    s->sending = false;
    nng_ctx_recv(s->ctx, s->aio);
}

static void slot_send(struct busy_slot *s, nng_msg *msg)
{
    s->sending = true;
    nng_aio_set_msg(s->aio, msg);
    nng_ctx_send(s->ctx, s->aio);
}

static void slot_send_request(struct busy_slot *s)
{
    nng_msg *msg;
    size_t size = ++s->sent % 8 == 0 ? BIG_BYTES : SMALL_BYTES;
    if (nng_msg_alloc(&msg, size) != 0)
        abort();
    slot_send(s, msg);
}

static bool is_over(int rc)
{
    return rc == NNG_ECLOSED || rc == NNG_ECANCELED;
}

static void server_step(struct busy_slot *s, int rc)
{
    if (s->sending || rc != 0) {
        slot_receive(s);
        return;
    }
    nng_msg *msg = nng_aio_get_msg(s->aio);
    atomic_fetch_add(&s->owner->rounds, 1);
    slot_send(s, msg);
}

static void client_step(struct busy_slot *s, int rc)
{
    if (rc == 0 && s->sending) {
        slot_receive(s);
        return;
    }
    if (rc == 0) {
        nng_msg_free(nng_aio_get_msg(s->aio));
        nng_aio_set_msg(s->aio, NULL);
        atomic_fetch_add(&s->owner->rounds, 1);
    }
    slot_send_request(s);
}

static void slot_done(void *arg)
{
    struct busy_slot *s = arg;
    int rc = nng_aio_result(s->aio);
    bool is_final = is_over(rc) || atomic_load(&s->owner->stopping);
    /* A message that was not sent comes back; one that was received is ours. */
    if ((s->sending && rc != 0) || (is_final && !s->sending && rc == 0)) {
        nng_msg_free(nng_aio_get_msg(s->aio));
        nng_aio_set_msg(s->aio, NULL);
    }
    if (is_final)
        return;
    if (s->owner->is_server)
        server_step(s, rc);
    else
        client_step(s, rc);
}

static void count_pipe(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    struct busy *b = arg;
    (void)pipe;
    atomic_fetch_add(event == NNG_PIPE_EV_ADD_POST ? &b->added : &b->removed, 1);
}

static void busy_start(struct busy *b)
{
    assert_int_equal(nng_pipe_notify(b->sock, NNG_PIPE_EV_ADD_POST, count_pipe, b), 0);
    assert_int_equal(nng_pipe_notify(b->sock, NNG_PIPE_EV_REM_POST, count_pipe, b), 0);
    for (int i = 0; i < BUSY_SLOTS; i++) {
        struct busy_slot *s = &b->slots[i];
        s->owner = b;
        assert_int_equal(nng_ctx_open(&s->ctx, b->sock), 0);
        assert_int_equal(nng_aio_alloc(&s->aio, slot_done, s), 0);
    }
}

void busy_serve(struct busy *b, const char *url)
{
    memset(b, 0, sizeof *b);
    b->is_server = true;
    assert_int_equal(nng_rep0_open(&b->sock), 0);
    busy_start(b);
    assert_int_equal(nng_listen(b->sock, url, NULL, 0), 0);
    for (int i = 0; i < BUSY_SLOTS; i++)
        slot_receive(&b->slots[i]);
}

void busy_request(struct busy *b, const char *url)
{
    memset(b, 0, sizeof *b);
    assert_int_equal(nng_req0_open(&b->sock), 0);
    assert_int_equal(nng_socket_set_ms(b->sock, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE), 0);
    assert_int_equal(nng_socket_set_ms(b->sock, NNG_OPT_RECONNMINT, 10), 0);
    assert_int_equal(nng_socket_set_ms(b->sock, NNG_OPT_RECONNMAXT, 100), 0);
    busy_start(b);
    assert_int_equal(nng_dial(b->sock, url, NULL, NNG_FLAG_NONBLOCK), 0);
    for (int i = 0; i < BUSY_SLOTS; i++)
        slot_send_request(&b->slots[i]);
}

/* A send that a stopped aio refused was never begun: its message is still there. */
static void free_aios(struct busy *b)
{
    for (int i = 0; i < BUSY_SLOTS; i++) {
        nng_aio *aio = b->slots[i].aio;
        nng_aio_stop(aio);
        if (nng_aio_get_msg(aio) != NULL)
            nng_msg_free(nng_aio_get_msg(aio));
        nng_aio_free(aio);
    }
}

void busy_close(struct busy *b)
{
    atomic_store(&b->stopping, true);
    for (int i = 0; i < BUSY_SLOTS; i++)
        nng_aio_stop(b->slots[i].aio);
    for (int i = 0; i < BUSY_SLOTS; i++)
        nng_ctx_close(b->slots[i].ctx);
    assert_int_equal(nng_close(b->sock), 0);
    free_aios(b);
}

void busy_close_abruptly(struct busy *b)
{
    assert_int_equal(nng_close(b->sock), 0);
    atomic_store(&b->stopping, true);
    free_aios(b);
}

static bool exchange(nng_socket sock, const char *url)
{
    nng_msg *msg;
    nng_socket_set_ms(sock, NNG_OPT_SENDTIMEO, 5000);
    nng_socket_set_ms(sock, NNG_OPT_RECVTIMEO, 5000);
    nng_socket_set_ms(sock, NNG_OPT_RECONNMINT, 10);
    if (nng_dial(sock, url, NULL, NNG_FLAG_NONBLOCK) != 0 || nng_msg_alloc(&msg, SMALL_BYTES) != 0)
        return false;
    if (nng_sendmsg(sock, msg, 0) != 0) {
        nng_msg_free(msg);
        return false;
    }
    if (nng_recvmsg(sock, &msg, 0) != 0)
        return false;
    nng_msg_free(msg);
    return true;
}

bool round_trip(const char *url)
{
    nng_socket sock;
    if (nng_req0_open(&sock) != 0)
        return false;
    bool is_answered = exchange(sock, url);
    nng_close(sock);
    return is_answered;
}

/* ---- bounds ---- */

static void out_of_time(int signal_number)
{
    static const char text[] = "watchdog: the test hangs\n";
    (void)signal_number;
    if (write(STDERR_FILENO, text, sizeof text - 1) > 0)
        _exit(124);
    _exit(125);
}

void watchdog(unsigned seconds)
{
    signal(SIGALRM, out_of_time);
    alarm(seconds * PATIENCE);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool wait_until(bool (*is_so)(void *arg), void *arg, int timeout_ms)
{
    int64_t deadline_ms = now_ms() + (int64_t)timeout_ms * PATIENCE;
    while (!is_so(arg)) {
        if (now_ms() >= deadline_ms)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return true;
}

int count_fds(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

/* ---- processes and places ---- */

pid_t spawn_role(const char *role, const char *url)
{
    pid_t pid;
    char *argv[] = {(char *)"peer", (char *)role, (char *)url, NULL};
    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
    return pid;
}

void begin_role(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    watchdog(60);
}

void kill_and_reap(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static char scratch[64];
static int scratch_count;

static void remove_scratch(void)
{
    char path[96];
    for (int i = 1; i <= scratch_count; i++) {
        snprintf(path, sizeof path, "%s/%d", scratch, i);
        unlink(path);
    }
    rmdir(scratch);
}

const char *ipc_url(void)
{
    static char url[96];
    if (scratch[0] == '\0') {
        snprintf(scratch, sizeof scratch, "/tmp/nng-test-XXXXXX");
        assert_non_null(mkdtemp(scratch));
        atexit(remove_scratch);
    }
    snprintf(url, sizeof url, "ipc://%s/%d", scratch, ++scratch_count);
    return url;
}

const char *tcp_url(void)
{
    static char url[64];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    snprintf(url, sizeof url, "tcp://127.0.0.1:%d", ntohs(address.sin_port));
    return url;
}
