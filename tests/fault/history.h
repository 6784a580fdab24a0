// What clients did and what they were told, to be explained afterwards.
//
// Each call is an event with two ticks of one counter, at its begin and at its end: of two events
// whose ticks do not overlap one came first. Clients never give a call up, so every event has its
// answer. A round begins with no job and what the last round left in the collection, and ends when
// all clients are done.
#ifndef TESTS_HISTORY_H
#define TESTS_HISTORY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <soma/soma.h>

#include "dice.h"
#include "ledger.h"

enum {
    CLIENTS = 6,
    RECORDS = 40, // of the collection; bits of a set
    CLIENT_JOBS = 4000,
    CLIENT_EVENTS = 60000,
    JOB_ID_SIZE = 32,
    FAILURE_SIZE = 512
};

enum event_kind {
    EVENT_UPSERT, // records = value
    EVENT_DELETE, // records are gone
    EVENT_READ,   // a query or a scan: all records
    EVENT_SUBMIT,
    EVENT_GET,
    EVENT_CANCEL,
    EVENT_RETRY
};

struct event {
    enum event_kind kind;
    int64_t begin, end; // ticks
    // of the collection
    int64_t sequence;
    uint64_t records; // a set
    uint32_t value;
    int64_t count;  // deleted
    uint32_t *seen; // uint32_t[RECORDS], 0: not there; owned
    // of a job
    uint32_t job; // client × CLIENT_JOBS + its place
    bool is_refused;
    int64_t revision;
    enum soma_job_state state;
    enum soma_job_reason reason;
    uint32_t attempt;
};

struct history_client {
    struct history *history;
    unsigned number;
    struct dice dice;
    struct event *events; // CLIENT_EVENTS
    unsigned event_count;
    char (*ids)[JOB_ID_SIZE]; // CLIENT_JOBS; of submits that were acknowledged
    atomic_uint job_count;
    uint32_t next_value;
};

struct history {
    const char *server; // URL
    const char *ledger; // path
    uint64_t seed;
    unsigned round;
    unsigned ops; // of each client in the round
    atomic_llong tick;
    struct soma_client *library;
    atomic_uint done; // clients
    struct history_client clients[CLIENTS];
    pthread_t threads[CLIENTS];
    // The collection at the round's begin.
    int64_t base_sequence;
    uint32_t base[RECORDS];
    pthread_mutex_t lock;
    char failure[FAILURE_SIZE]; // lock; "": none
};

void history_open(struct history *history);
void history_close(struct history *history);

// Plays a round: seed and round decide what each client does. The collection is there.
void history_start(struct history *history);
bool history_is_over(struct history *history); // all clients are done
void history_wait(struct history *history);

// Notes the first thing that cannot be.
void history_fail(struct history *history, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// --- history_check.c: the model

// A job as it is when all is over, for the list that a check gets.
struct final_job {
    char id[JOB_ID_SIZE];
    char name[JOB_ID_SIZE];
    struct event told; // state, reason, attempt, revision
};

// Every read is the state of the collection at its sequence, in between what was acknowledged
// before it began and what had begun before it ended. Afterwards base and base_sequence are the new
// ones.
void history_check_records(struct history *history);
// jobs: all that there are. The ledger holds a line "ID ATTEMPT" for each start.
void history_check_jobs(struct history *history, const struct final_job *jobs, size_t count,
                        const struct ledger *ledger);

#endif
