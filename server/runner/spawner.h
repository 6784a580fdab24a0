// The server's handle to the spawner: the tiny process that forks one supervisor (soma-runner) for
// each attempt, so that the server itself, large and threaded, never forks.
//
// The spawner is `soma-runner --spawner`, a child with an empty environment and no descriptor but
// one SOCK_SEQPACKET socket to the server. When that closes it ends, or stays as long as it has
// runners: they live on, and it kills what one of them leaves behind when it is killed.
// Requests are answered later, in any order; the answers are read where the socket is polled (the
// engine's thread). Not thread-safe: one owner.
//
// An answer says only that a runner was forked. What became of the attempt is told by the end of
// its link and by its directory (docs/ARCHITECTURE.md, "Recovery"): also where the spawner died
// with requests unanswered, for then their links close too.
#ifndef RUNNER_SPAWNER_H
#define RUNNER_SPAWNER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

enum {
    SPAWNER_CLOSED = -1
};

struct spawner {
    int fd;    // SOCK_SEQPACKET, non-blocking, close-on-exec; SPAWNER_CLOSED: not started
    pid_t pid; // our child, reaped by spawner_stop if it ended by then
};

// A spawner that is not started; spawner_stop on it does nothing.
#define SPAWNER_INIT ((struct spawner){.fd = SPAWNER_CLOSED})

// Starts the program at runner_path. Called before the server's first thread; again, after
// spawner_stop, whenever spawner_read said SPAWNER_GONE (posix_spawn is safe with threads).
// Waits until it is ready, at most ten seconds.
// IO_ERROR where the program cannot be executed, CONFIG_INVALID (runner) where it is another one.
enum soma_code spawner_start(struct spawner *ret_spawner, const char *runner_path,
                             struct soma_error *err);

// Asks for a runner of the attempt in attempt_dir (an absolute path below PATH_MAX), which gets
// link_fd, one end of a SOCK_SEQPACKET pair, as its first link. Never blocks. link_fd stays the
// caller's, who closes it after the call: only then does the end of the runner end the link. tag is
// the caller's name for the request and stands in the answer.
// SERVER_BUSY: too many requests are unanswered, nothing was asked; ask again when the socket is
// readable or writable. IO_ERROR: the spawner is gone.
enum soma_code spawner_spawn(struct spawner *spawner, int64_t tag, const char *attempt_dir,
                             int link_fd, struct soma_error *err);

struct spawner_reply {
    int64_t tag;
    pid_t runner_pid; // 0: no runner was forked, errnum says why
    int errnum;
};

enum spawner_read_result {
    SPAWNER_REPLY, // ret_reply is filled
    SPAWNER_EMPTY, // nothing more for now
    SPAWNER_GONE   // the spawner ended: spawner_stop, then spawner_start
};

// The next answer. Never blocks.
enum spawner_read_result spawner_read(struct spawner *spawner, struct spawner_reply *ret_reply);

// Closes the socket, waits until the spawner has ended or says that it stays for its runners (it is
// killed where that takes more than a second), and leaves SPAWNER_INIT. Runners are not touched.
void spawner_stop(struct spawner *spawner);

#endif
