// Clients that submit jobs, cancel some and wait for the others, without a pause, while somebody
// kills whatever there is to kill; and what they were told, to be compared afterwards.
//
// Each job appends one line "ID ATTEMPT" to the ledger, a file that the server knows nothing of,
// writes lines that are known beforehand, and ends with a known exit code. Some leave a daemon
// behind that ignores TERM.
#ifndef TESTS_LOAD_H
#define TESTS_LOAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <soma/soma.h>

enum {
    LOAD_CLIENTS = 12,
    LOAD_JOBS_MAX = 50000,
    LOAD_ID_SIZE = 21,
    LOAD_PATIENCE_MS = 60000
};

// What a client knows of its job.
struct load_job {
    char id[LOAD_ID_SIZE]; // "": the submit was not acknowledged
    unsigned out_lines;    // "1\n2\n…" on stdout
    unsigned err_lines;
    int exit_code;
    bool idempotent;
    bool cancel_asked; // whatever the answer was
    bool final_seen;   // the server said that it is final, with:
    enum soma_job_state state;
    enum soma_job_reason reason;
    int seen_exit_code;
    uint32_t attempt;
    int64_t finished_ms;
};

struct load {
    const char *server; // URL
    const char *ledger; // path
    const char *cookie; // "NAME=VALUE" in every job's environment
    uint64_t seed;
    struct soma_client *client;
    pthread_t threads[LOAD_CLIENTS];
    pthread_mutex_t lock;
    bool stopping;         // lock
    unsigned count;        // lock: of jobs begun
    char failure[512];     // lock: the first thing that should not have been
    struct load_job *jobs; // [LOAD_JOBS_MAX]; each written by its client until load_stop
};

// server, ledger, cookie and seed are set, the rest is 0.
void load_start(struct load *load);
// Clients end what they have begun; the server must run.
void load_stop(struct load *load);
void load_free(struct load *load);

// The name that job number n was submitted under, and back; LOAD_JOBS_MAX: no such name.
void load_name(unsigned number, char ret_name[16]);
unsigned load_number(const char *name);

#endif
