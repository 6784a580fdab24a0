// What the tests of soma-runner share: a scratch directory, attempts in it, the real program.
//
// As root the jobs run as KIT_UID; with --as-user the whole test becomes that user first. With
// --sandbox the jobs run behind the walls that this machine has: in namespaces where bubblewrap can
// make them, confined elsewhere.
#ifndef INTEGRATION_RUNNER_KIT_H
#define INTEGRATION_RUNNER_KIT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fields.h"
#include "runner/spawner.h"
#include "user_kit.h"

enum {
    KIT_WAIT_MS = 60000 // until a condition that never comes is a failure
};

struct attempt {
    char path[PATH_MAX];
    int fd; // of the directory
    struct fields_writer order;
    char cookie[64]; // "SOMA_TEST_COOKIE=…", in the job's environment and nobody else's
    pid_t pid;       // of a runner started by attempt_start
    int link_fd;     // our end of the link of a runner spawned by attempt_spawn; -1
    char *status;    // owned; read when first asked for
    size_t status_length;
};

// To be called by main before the tests; argv may hold --as-user and --sandbox.
void kit_open(int argc, char **argv);
void kit_close(void);
bool kit_is_root(void);
const char *kit_runner(void);
// "off", "confined" or "namespaces": what attempt_new puts into its orders.
const char *kit_sandbox(void);
// Whether bubblewrap can make namespaces here, tried once.
bool kit_has_namespaces(void);

// A new attempt whose order has everything but words: PATH, the cookie, the user, wall time 60 s,
// 1 MiB of output, a second of grace; more is put with attempt->order.
struct attempt *attempt_new(void);
// Words of a command, or a script for /bin/sh.
void attempt_order(struct attempt *attempt, const char *const *words);
void attempt_order_script(struct attempt *attempt, const char *script);
// Another sandbox than kit_sandbox.
void attempt_enclose(struct attempt *attempt, const char *sandbox);
// Replaces a number of the order, which is written last so that it wins.
void attempt_limit(struct attempt *attempt, const char *key, int64_t value);
// Writes the order.
void attempt_write(struct attempt *attempt);
// Starts `soma-runner --attempt`; the order is written before.
void attempt_start(struct attempt *attempt);
// Waits for the end of that runner; its exit status, or -signal.
int attempt_wait(struct attempt *attempt);
// attempt_start and attempt_wait, which must say 0.
void attempt_run(struct attempt *attempt);
// Has it spawned with a link; the order is written before. The runner's pid.
pid_t attempt_spawn(struct attempt *attempt, struct spawner *spawner);
void attempt_free(struct attempt *attempt);

// Of the status; the test fails where it is missing.
int64_t attempt_number(struct attempt *attempt, const char *key);
bool attempt_text_is(struct attempt *attempt, const char *key, const char *text);
bool attempt_text_has(struct attempt *attempt, const char *key, const char *part);
bool attempt_has(const struct attempt *attempt, const char *name);
// A file of its directory, NUL-terminated; the caller frees it.
char *attempt_read(const struct attempt *attempt, const char *name);
bool attempt_file_is(const struct attempt *attempt, const char *name, const char *text);
int64_t attempt_file_size(const struct attempt *attempt, const char *name);

// Processes of the machine that carry the attempt's cookie, zombies not counted.
int attempt_processes(const struct attempt *attempt);
void attempt_wait_for_processes(const struct attempt *attempt, int count);
// Waits until the file holds the text.
void attempt_wait_for_text(const struct attempt *attempt, const char *name, const char *text);

// A new connection to `control`.
int attempt_connect(const struct attempt *attempt);
void link_cancel(int link_fd, int64_t grace_ms, const char *note);
// The next message, NUL-terminated; false: the link has ended.
bool link_next(int link_fd, char *ret_text, size_t size);
// Reads until a message equals text; fails where the link ends before.
void link_expect(int link_fd, const char *text);
void link_expect_end(int link_fd);

// Fails the test when the deadline has come; otherwise waits a moment.
struct waiting {
    int64_t deadline_ms;
};
void waiting_step(struct waiting *waiting, const char *for_what);

#endif
