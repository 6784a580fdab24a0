// The engine: one thread that starts jobs, follows those that run, and ends them in the database.
//
// It owns all that is known of running jobs beyond their rows: the links to their runners, sizes of
// their output, wishes to cancel. Everything durable goes through write operations. At its start it
// takes up every job that the database calls RUNNING and finds out what became of it, by the same
// steps that follow the end of a link: there is one path, not a special one for crashes.
#ifndef JOBS_ENGINE_H
#define JOBS_ENGINE_H

#include "base/namespaces.h"
#include "jobs/attempt.h"
#include "runner/spawner.h"
#include "store/writer.h"

struct engine;

struct engine_config {
    struct store *store;
    struct writer *writer;
    struct spawner spawner;    // started; the engine's from here on
    const char *runner_path;   // starts another spawner when that one dies
    struct attempt_root *root; // borrowed
    struct order_settings order;
    unsigned running_max;
    // A job changed: after the commit, or the output grew. Any thread; must not block.
    void (*on_change)(void *user, int64_t num);
    void *user;
};

// Takes up the running jobs and starts the thread, which starts no job yet. The texts in config are
// borrowed as long as the engine lives.
enum soma_code engine_start(const struct engine_config *config, struct engine **ret_engine,
                            struct soma_error *err);

// From now on queued jobs are started: once, when all that can fail at the start has not.
void engine_begin_claims(struct engine *engine);

// Ends the thread: nothing is started any more, links are closed, runners and their jobs go on.
// Before writer_stop. Takes NULL.
void engine_stop(struct engine *engine);

// After writer_stop. Takes NULL.
void engine_free(struct engine *engine);

// Something may be ready to start. Any thread, cheap.
void engine_wake(struct engine *engine);

// From within an apply on the writer thread that made a job ready: if a place is free it is claimed
// in the same transaction. False: engine_wake is still to be called, after the commit.
bool engine_follow(struct engine *engine);

// The same as engine_wake, and besides: a job that others may wait for has ended without the
// engine, or there is a new time to look at. Any thread, cheap.
void engine_settle(struct engine *engine);

// The wish to end a job is committed: told to its runner. Any thread.
void engine_cancel(struct engine *engine, int64_t num, const char *note, bool force);

// The input of a running job has grown or ended: told to its runner. Any thread.
void engine_feed(struct engine *engine, int64_t num);

// Whether the attempt is one that runs, or whose end is not written yet; then ret_withheld is its
// specification's and ret_space its namespace. Any thread.
bool engine_follows(struct engine *engine, const char *id, uint32_t attempt, uint32_t *ret_withheld,
                    char ret_space[NAMESPACE_SIZE]);

// What is known of a running attempt beyond its row.
struct job_live {
    int64_t runner_pid; // 0: not known yet
    struct job_resources use;
    bool has_use;
    char isolation[JOB_ISOLATION_BYTES + 1]; // "": not known yet
    struct job_output_size stdout_size;
    struct job_output_size stderr_size;
    int64_t input_fed; // bytes that the program's pipe has taken
    bool input_closed; // it takes no more
};

// False where the engine does not follow this attempt of the job. Any thread.
bool engine_peek_live(struct engine *engine, int64_t num, uint32_t attempt,
                      struct job_live *ret_live);

#endif
