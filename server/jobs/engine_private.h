// What the engine's files share. Everything here is the engine thread's alone, except where a field
// says otherwise.
#ifndef JOBS_ENGINE_PRIVATE_H
#define JOBS_ENGINE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "jobs/changes.h"
#include "jobs/engine.h"

enum {
    LINK_MESSAGE_BYTES = JOB_ISOLATION_BYTES + 128,
    RETRY_FIRST_MS = 1,
    RETRY_LAST_MS = 1000,
    WRITE_RETRY_MS = 1000,  // after a commit that failed
    CLAIM_BATCH = 16,       // jobs whose specifications are in memory together
    CLAIM_BYTES = 96 << 20, // and what they may take
    IDLE_MS = 60000,
    WALL_LOOK_MS = 5000, // wall time may jump: while a job waits for it, it is looked at so often
};

enum attempt_phase {
    PHASE_SPAWN,   // the order is written; the spawner is to be asked
    PHASE_LINKED,  // link_fd is open
    PHASE_EXAMINE, // no link: look at the directory, connect again if it runs
    PHASE_ENDING,  // its end is with the writer
    PHASE_END      // its end is to be given to the writer (again)
};

// A running job.
struct running {
    struct running *next; // engine.lock for writing, so that others may walk the list
    int64_t num;
    char id[ID_SIZE];
    uint32_t attempt;
    int64_t kill_grace_ms;
    uint32_t withheld; // the specification's
    char space[NAMESPACE_SIZE];
    enum attempt_phase phase;
    int64_t begun_us;     // of clock_mono_us: claimed, by this server
    struct mono_time due; // of the phase's next step; MONO_NEVER while others are at work
    int64_t retry_ms;
    int link_fd;          // -1: none; owned
    bool is_spawned;      // this server's spawner said that the runner was forked
    bool is_recovered;    // from a server before this one
    bool is_of_last_boot; // and from before the machine went down, or the data was restored
    bool is_cancelled;    // somebody asked for the end
    bool cancel_force;    //
    bool cancel_is_sent;  // over the link that is open
    char cancel_note[JOB_NOTE_BYTES + 1];
    bool feed_is_owed;          // the runner is to look at the input again
    bool feed_is_answered;      // it has answered since it was told, or was not told yet
    struct job_live live;       // engine.lock
    struct job_outcome outcome; // in PHASE_END and PHASE_ENDING
    bool gives_back;            // instead of an outcome
    bool has_report;            // the program's latest progress, not yet with the writer
    bool report_is_written;     // one is with the writer
    double report_percent;
    char report_message[JOB_NOTE_BYTES + 1];
};

// A message to the engine's thread; lives in what it is about.
struct engine_mail {
    struct engine_mail *next;
    void (*deliver)(struct engine *engine, void *owner); // frees or keeps the owner
    void (*drop)(void *owner);                           // the engine is gone
    void *owner;
};

struct claim_op;

struct engine {
    struct engine_config config;
    pthread_t thread;
    bool has_thread;
    atomic_bool stopping;
    atomic_bool wanted;    // something may be ready to start
    atomic_bool unsettled; // something is to be looked at even where no place is free
    int epoll_fd;
    int wake_fd;
    pthread_mutex_t lock;
    struct engine_mail *mail_first; // lock
    struct engine_mail *mail_last;  // lock
    struct running *running;        // lock for writing
    unsigned running_count;
    bool may_claim;    // engine_begin_claims was called
    bool claim_is_out; // one stands ready, or is with the writer
    // The claim that stands ready, to follow what makes a job ready or a place free. Who takes it
    // out owns it: the writer thread, or the engine's.
    _Atomic(struct claim_op *) standing;
    struct claim_op *following;   // the writer thread's: taken, and not yet applied
    struct mono_time claim_after; // not before, after a failure
    struct wall_time next_due;    // a job becomes ready, or overdue; 0: none
    struct mono_time spawner_after;
    struct engine_mail claims_mail;
    unsigned last_boot_count; // running jobs of the last boot: when the last one is settled, this
                              // boot is noted
};

// engine_calls.c
void engine_ring(struct engine *engine);
void engine_post(struct engine *engine, struct engine_mail *mail);
void engine_changed(struct engine *engine, int64_t num);
void engine_take_cancel(struct engine *engine, int64_t num, const char *note, bool force);

// engine.c
struct running *engine_add(struct engine *engine, const struct job *job);
void engine_drop(struct engine *engine, struct running *running);
struct running *engine_find(struct engine *engine, int64_t num);
void running_due_after(struct running *running, enum attempt_phase phase, int64_t ms);
void running_back_off(struct running *running);

// engine_writes.c
void engine_claim(struct engine *engine, unsigned count);
void engine_stand_by(struct engine *engine, unsigned count);
// Takes back the claim that stands ready. False: it is with the writer.
bool engine_withdraw(struct engine *engine);
void engine_write_end(struct engine *engine, struct running *running);
// Back to the queue, the attempt uncounted: its program never ran.
void engine_give_back(struct engine *engine, struct running *running);
void engine_write_report(struct engine *engine, struct running *running);

// engine_attempts.c
// is_prepared: its directory is there, with the order.
void engine_begin(struct engine *engine, const struct job *job, bool is_prepared);
void engine_step(struct engine *engine, struct running *running);
void engine_read_link(struct engine *engine, struct running *running);
void engine_send_cancel(struct running *running);
void engine_send_feed(struct running *running);
void engine_read_spawner(struct engine *engine);
enum soma_code engine_watch(struct engine *engine, int fd, void *about, struct soma_error *err);

#endif
