#include "somad_kit.h"

#include <fcntl.h>
#include <limits.h>
#include <nng/protocol/reqrep0/req.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "soma/v1/server.pb-c.h"
#include "user_kit.h"
#include "wire/decode.h"
#include "wire/frame.h"
#include "wire/limits.h"

enum {
    ARGUMENTS_MAX = 16,
    // A restore syncs whole file systems, which others write to as well; under valgrind all is
    // slow.
    LONG_PATIENCE_MS = 120000,
    LOG_BYTES_MAX = 1 << 20
};

static struct {
    char base[KIT_PATH_SIZE]; // where copies of the programs lie; "": they are run where they are
    char somad[PATH_MAX];
    char runner[PATH_MAX];
    const char *other_runner; // in its place; NULL
} programs = {.somad = SOMAD, .runner = SOMA_RUNNER};

static void remove_copies(void)
{
    directory_remove_all(AT_FDCWD, programs.base, NULL, NULL);
}

void somad_kit_open(int argc, char **argv)
{
    if (!user_is_wanted(argc, argv))
        return;
    snprintf(programs.base, sizeof programs.base, "/tmp/soma-programs-XXXXXX");
    assert_non_null(mkdtemp(programs.base));
    atexit(remove_copies);
    snprintf(programs.somad, sizeof programs.somad, "%s/somad", programs.base);
    snprintf(programs.runner, sizeof programs.runner, "%s/soma-runner", programs.base);
    user_copy_program(SOMAD, programs.somad);
    user_copy_program(SOMA_RUNNER, programs.runner);
    user_become(programs.base);
}

void somad_kit_use_runner(const char *path)
{
    programs.other_runner = path;
}

static void pause_a_moment(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

void somad_prepare(struct somad *somad)
{
    *somad = (struct somad){.directory = "/tmp/soma-somad-XXXXXX"};
    assert_non_null(mkdtemp(somad->directory));
}

// Starts the program with stderr in the file of that name.
static pid_t run(const struct somad *somad, const char *file, const char *const *arguments)
{
    char path[KIT_PATH_SIZE + 16];
    snprintf(path, sizeof path, "%s/%s", somad->directory, file);
    unlink(path); // what an earlier server said must not be taken for this one's
    pid_t pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid > 0)
        return pid;
    const char *argv[ARGUMENTS_MAX] = {programs.somad};
    for (int i = 0; arguments[i] && i < ARGUMENTS_MAX - 2; i++)
        argv[i + 1] = arguments[i];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
        _exit(99);
    unsetenv("JOURNAL_STREAM");
    execv(programs.somad, (char *const *)argv);
    _exit(99);
}

// The whole file as a string, which the caller frees.
static char *read_file(const struct somad *somad, const char *file)
{
    FD_CLEANUP int directory = open(somad->directory, O_RDONLY | O_DIRECTORY);
    char *text = NULL;
    bool missing;
    struct soma_error err;
    if (file_read_all(directory, file, LOG_BYTES_MAX, &text, NULL, &missing, &err) != SOMA_OK)
        fail_msg("%s", err.text);
    return text ? text : calloc(1, 1);
}

bool somad_said(const struct somad *somad, const char *file, const char *text)
{
    char *all = read_file(somad, file);
    bool found = strstr(all, text) != NULL;
    free(all);
    return found;
}

// Picks the addresses from "… listening on URL URL URL".
static void take_urls(struct somad *somad, char *line)
{
    for (char *save, *url = strtok_r(line, " ", &save); url; url = strtok_r(NULL, " ", &save)) {
        char *place = strncmp(url, "ipc:", 4) == 0   ? somad->ipc
                      : strncmp(url, "tcp:", 4) == 0 ? somad->tcp
                      : strncmp(url, "ws:", 3) == 0  ? somad->ws
                                                     : NULL;
        if (place)
            snprintf(place, KIT_URL_SIZE, "%s", url);
    }
}

static bool is_ready(struct somad *somad)
{
    char *all = read_file(somad, "stderr");
    char *line = strstr(all, "SERVER-READY");
    char *end = line ? strchr(line, '\n') : NULL;
    if (end) {
        *end = '\0';
        take_urls(somad, line);
    }
    free(all);
    return end != NULL;
}

void somad_start(struct somad *somad)
{
    char data[KIT_PATH_SIZE + 16], ipc[KIT_PATH_SIZE + 32];
    snprintf(data, sizeof data, "%s/data", somad->directory);
    snprintf(ipc, sizeof ipc, "ipc://%s/socket", somad->directory);
    const char *runner = programs.other_runner ? programs.other_runner : programs.runner;
    const char *const arguments[] = {
        "--data", data,       "--runner",          runner,     "--listen",
        ipc,      "--listen", "tcp://127.0.0.1:0", "--listen", "ws://127.0.0.1:0/rpc",
        NULL};
    // Tests of tokens ask for them.
    setenv("SOMA_INSECURE", "on", 0);
    // The default of a server with TCP is to require a sandbox, which not every machine has.
    setenv("SOMA_SANDBOX", "best_effort", 0);
    somad->pid = run(somad, "stderr", arguments);
    struct mono_time deadline = clock_deadline_after(LONG_PATIENCE_MS);
    while (!is_ready(somad)) {
        int status;
        if (waitpid(somad->pid, &status, WNOHANG) == somad->pid || clock_left_ms(deadline) == 0) {
            char *said = read_file(somad, "stderr");
            print_error("%s\n", said);
            free(said);
            fail_msg("somad did not get ready");
        }
        pause_a_moment();
    }
    assert_true(somad->ipc[0] && somad->tcp[0] && somad->ws[0]);
}

static int wait_for_end(pid_t pid)
{
    struct mono_time deadline = clock_deadline_after(LONG_PATIENCE_MS);
    int status;
    while (waitpid(pid, &status, WNOHANG) != pid) {
        if (clock_left_ms(deadline) == 0) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            fail_msg("somad did not end");
        }
        pause_a_moment();
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int somad_refused(const struct somad *somad, const char *const *arguments)
{
    return wait_for_end(run(somad, "refused", arguments));
}

bool somad_is_dead(const struct somad *somad)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)somad->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == somad->pid;
}

int somad_wait(struct somad *somad)
{
    pid_t pid = somad->pid;
    somad->pid = 0;
    return wait_for_end(pid);
}

int somad_end(struct somad *somad, int signal)
{
    assert_int_equal(kill(somad->pid, signal), 0);
    return somad_wait(somad);
}

void somad_remove(struct somad *somad)
{
    if (somad->pid > 0)
        somad_end(somad, SIGKILL);
    directory_remove_all(AT_FDCWD, somad->directory, NULL, NULL);
}

// --- a peer

void peer_open(struct peer *peer, const char *url)
{
    assert_int_equal(nng_req0_open(&peer->socket), 0);
    assert_int_equal(nng_socket_set_ms(peer->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE),
                     0);
    assert_int_equal(nng_socket_set_ms(peer->socket, NNG_OPT_SENDTIMEO, KIT_PATIENCE_MS), 0);
    assert_int_equal(nng_socket_set_ms(peer->socket, NNG_OPT_RECVTIMEO, KIT_PATIENCE_MS), 0);
    assert_int_equal(nng_socket_set_ms(peer->socket, NNG_OPT_RECONNMINT, 5), 0);
    assert_int_equal(nng_socket_set_ms(peer->socket, NNG_OPT_RECONNMAXT, 50), 0);
    assert_int_equal(nng_socket_set_size(peer->socket, NNG_OPT_RECVMAXSZ,
                                         LIMIT_FRAME_BYTES + FRAME_ENVELOPE_BYTES),
                     0);
    assert_int_equal(nng_dial(peer->socket, url, NULL, NNG_FLAG_NONBLOCK), 0);
}

void peer_close(struct peer *peer)
{
    nng_close(peer->socket);
}

static void take_reply(const uint8_t *frame, size_t length, struct answer *answer)
{
    struct frame_parts parts;
    struct soma_error err;
    arena_init(&answer->arena, 64 << 20);
    char *copy = arena_copy(&answer->arena, frame, length);
    assert_non_null(copy);
    assert_int_equal(frame_split((const uint8_t *)copy, length, &parts, &err), SOMA_OK);
    answer->header = (const Pb__ResponseHeader *)wire_decode(
        &pb__response_header__descriptor, parts.header, parts.header_length, &answer->arena, &err);
    if (!answer->header)
        fail_msg("%s", err.text);
    answer->message = parts.message;
    answer->message_length = parts.message_length;
}

bool peer_ask(struct peer *peer, const void *frame, size_t length, struct answer *ret_answer)
{
    nng_msg *message;
    assert_int_equal(nng_msg_alloc(&message, 0), 0);
    assert_int_equal(nng_msg_append(message, frame, length), 0);
    assert_int_equal(nng_sendmsg(peer->socket, message, 0), 0);
    int result = nng_recvmsg(peer->socket, &message, 0);
    if (result == NNG_ETIMEDOUT)
        fail_msg("no reply within %d ms", KIT_PATIENCE_MS);
    if (result != 0)
        return false;
    take_reply(nng_msg_body(message), nng_msg_len(message), ret_answer);
    nng_msg_free(message);
    return true;
}

bool peer_call(struct peer *peer, const char *method, int32_t timeout_ms, const void *message,
               size_t length, struct answer *ret_answer)
{
    Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
    header.method = method;
    header.timeout_ms = timeout_ms;
    size_t total = frame_length_packed(&header.base, length);
    uint8_t *frame = malloc(total);
    assert_non_null(frame);
    frame_write_packed(frame, &header.base, message, length);
    bool answered = peer_ask(peer, frame, total, ret_answer);
    free(frame);
    return answered;
}

bool peer_pings(struct peer *peer)
{
    static const char message[] = "\x0a\x04ping";
    struct answer answer;
    if (!peer_call(peer, "soma.v1.ServerService/Ping", 0, message, sizeof message - 1, &answer))
        return false;
    const Pb__PingResponse *response = (const Pb__PingResponse *)wire_decode(
        &pb__ping_response__descriptor, answer.message, answer.message_length, &answer.arena, NULL);
    bool same = response && response->payload.len == 4 &&
                memcmp(response->payload.data, "ping", 4) == 0 &&
                answer.header->code == PB__CODE__CODE_OK;
    answer_free(&answer);
    return same;
}

void answer_free(struct answer *answer)
{
    arena_fini(&answer->arena);
}
