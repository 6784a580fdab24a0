// A job in domain terms: what was asked for, what is true, and how its latest attempt ended.
//
// Plain values without behaviour; texts and lists are borrowed from whoever made the value (a
// call's arena, a store transaction's arena) and end in NUL. Numbers of states and reasons are
// those of proto/soma/v1/jobs.proto and are what the database holds.
#ifndef JOBS_JOB_H
#define JOBS_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/id.h"

enum job_state {
    JOB_QUEUED = 1,
    JOB_RUNNING = 2,
    JOB_SUCCEEDED = 3,
    JOB_FAILED = 4,
    JOB_CANCELLED = 5,
    JOB_TIMED_OUT = 6,
    JOB_LOST = 7,
};

enum job_reason {
    JOB_REASON_NONE = 0,
    JOB_REASON_EXITED = 1,
    JOB_REASON_SIGNALED = 2,
    JOB_REASON_WALL_TIMEOUT = 3,
    JOB_REASON_CANCELLED = 4,
    JOB_REASON_LOST = 5,
    JOB_REASON_START_FAILED = 6,
    JOB_REASON_CPU_LIMIT = 7,
    JOB_REASON_MEMORY_LIMIT = 8,
    JOB_REASON_DISK_LIMIT = 9,
    JOB_REASON_OUTPUT_LIMIT = 10,
    JOB_REASON_EXPIRED = 11,    // not started by its deadline for starting
    JOB_REASON_DEPENDENCY = 12, // a job that it waited for did not succeed
};

// Why a queued job does not run.
enum job_wait {
    JOB_WAIT_NONE = 0, // it is not queued
    JOB_WAIT_PLACE = 1,
    JOB_WAIT_TIME = 2,         // not_before
    JOB_WAIT_BACKOFF = 3,      // its last attempt failed, the next one comes later
    JOB_WAIT_AFTER = 4,        // other jobs have to end first
    JOB_WAIT_QUEUE_PAUSED = 5, // ready, but its queue starts nothing
    JOB_WAIT_QUEUE_LIMIT = 6,  // ready, but its queue runs as many as it may
};

// What becomes of a job when one that it waits for does not succeed.
enum job_after_policy {
    JOB_AFTER_CANCEL = 1, // CANCELLED
    JOB_AFTER_FAIL = 2,   // FAILED
    JOB_AFTER_RUN = 3,    // it is started all the same, when all have ended
};

enum {
    JOB_STATE_COUNT = 8,     // with the unused 0
    JOB_REASON_COUNT = 31,   // bits of a set of reasons
    JOB_STATES_FINAL = 0xF8, // bits 1 << state of all final states
    JOB_MESSAGE_BYTES = 511, // JobStatus.message; longer ones are cut at a character
    JOB_NOTE_BYTES = 255,    // a cancel's note, a progress message
    JOB_ISOLATION_BYTES = 2047,
};

enum job_sandbox {
    JOB_SANDBOX_DEFAULT = 0, // the server's policy
    JOB_SANDBOX_REQUIRED = 1,
    JOB_SANDBOX_BEST_EFFORT = 2,
};

struct job_variable {
    const char *name;
    const char *value;
};

struct job_label {
    const char *key;
    const char *value;
};

// A file for the work directory.
struct job_file {
    const char *path;
    bool executable;
    const uint8_t *content; // where it came with the specification
    const char *upload_id;  // where it was uploaded; NULL otherwise
    int64_t size_bytes;
};

struct job_limits {
    int64_t wall_time_ms;
    int64_t output_bytes; // of each stream
    int64_t kill_grace_ms;
    // 0: none, or the server's default where the order is written.
    int64_t cpu_time_ms;
    int64_t memory_bytes;
    int64_t processes;
    int64_t disk_bytes;
    int64_t file_bytes;
    int64_t open_files;
    int64_t tmp_bytes;
    bool end_at_output_limit;
    int64_t artifact_bytes;    // of all artifacts
    int64_t output_tail_bytes; // of output_bytes, kept of the stream's end
};

// When a failed attempt is followed by another one. All 0: never, but for LOST ones of idempotent
// jobs.
struct job_retry {
    int64_t max_attempts; // in all, since the submit or the latest RetryJob
    int64_t backoff_ms;   // before the second attempt
    int64_t factor_milli; // each wait is as many thousandths of the one before
    int64_t backoff_max_ms;
    int64_t reasons; // bits 1 << reason
};

// What the caller asked for; checked, defaults filled in, never changed after the submit.
struct job_spec {
    // --- the head: small, everywhere there
    const char *language;    // NULL: argv is a command; otherwise args of the source
    const char *const *argv; // a command's words, or the arguments after the script's name
    size_t argc;
    const char *name;  // "" where none was given
    const char *queue; // its full name: base/namespaces.h
    int32_t priority;
    struct wall_time not_before; // 0: at once
    const struct job_label *labels;
    size_t label_count;
    struct job_limits limits;
    bool idempotent;
    int64_t keep_ms;
    bool network;
    bool detached;                // not cancelled with its parent
    int32_t withheld;             // bits of enum scope that whoever submitted it did not have
    int32_t sandbox;              // a number of enum job_sandbox
    bool interactive;             // standard input is a stream
    const char *const *artifacts; // patterns
    size_t artifact_count;
    struct wall_time start_by; // 0: whenever
    struct job_retry retry;
    const char *const *after; // ids of jobs that have to end first
    size_t after_count;
    int32_t after_policy;   // enum job_after_policy
    const char *dedupe_key; // NULL: none
    // --- the body: up to megabytes, only where it was asked for (zero and empty otherwise)
    const uint8_t *source;
    size_t source_length;
    const uint8_t *stdin_bytes;
    size_t stdin_length;
    const struct job_variable *environment;
    size_t environment_count;
    const struct job_file *files; // their paths fit each other
    size_t file_count;
};

struct job_output_size {
    int64_t kept_bytes;
    int64_t dropped_bytes;
};

struct job_artifacts {
    int64_t file_count;
    int64_t total_bytes;
    int64_t left_out_count;
};

struct job_resources {
    int64_t wall_time_ms;
    int64_t user_time_ms;
    int64_t system_time_ms;
    int64_t peak_memory_bytes;
    int64_t disk_bytes;
    // Now, while it runs.
    int64_t memory_bytes;
    int64_t processes;
};

struct job_progress {
    double percent;      // 0 to 100
    const char *message; // at most LIMIT_JOB_NAME_BYTES
    struct wall_time reported;
};

// What is true.
struct job_status {
    enum job_state state;
    enum job_reason reason;
    int32_t exit_code;
    int32_t signal;
    const char *message; // at most JOB_MESSAGE_BYTES
    int64_t revision;
    struct wall_time created;
    struct wall_time started;  // of the latest attempt; 0: not yet
    struct wall_time finished; // 0: not yet
    uint32_t attempt;          // the latest, from 1; 0: none was started yet
    bool has_progress;
    struct job_progress progress;
    bool has_resources;
    struct job_resources resources;
    struct job_output_size stdout_size;
    struct job_output_size stderr_size;
    struct job_artifacts artifacts;
    int64_t asked_count;  // processes that got TERM
    int64_t killed_count; // and KILL
    const char
        *isolation; // lines "+name detail" or "-name detail"; NULL: not known, or not asked for
    struct wall_time cancel_requested; // 0: nobody asked
    const char *cancel_note;
    bool cancel_force;  // KILL without the grace
    int64_t runner_pid; // while RUNNING and known; 0 otherwise
    enum job_wait wait;
    struct wall_time due;      // QUEUED: not to be started before; 0: at once
    struct wall_time start_by; // QUEUED: not to be started after; 0: whenever
    uint32_t tries_from;       // attempts before the latest RetryJob: they count no more
    bool is_awaited;           // another job names it in its after
};

// An attempt that was followed by another one.
struct job_past {
    uint32_t attempt;
    enum job_reason reason;
    int32_t exit_code;
    int32_t signal;
    const char *message;
    struct wall_time started;
    struct wall_time finished;
};

struct job {
    int64_t num; // the database's row; rises with the submits, never reused
    char id[ID_SIZE];
    char parent[ID_SIZE]; // the job that submitted it; "": none did
    struct job_spec spec;
    struct job_status status;
};

// How an attempt ended, from its runner's status file or from recovery.
struct job_outcome {
    enum job_reason reason;
    int32_t exit_code;
    int32_t signal;
    char message[JOB_MESSAGE_BYTES + 1];
    struct wall_time started;  // 0: keep what is there
    struct wall_time finished; // 0: now
    bool has_resources;
    struct job_resources resources;
    struct job_output_size stdout_size;
    struct job_output_size stderr_size;
    struct job_artifacts artifacts;
    int64_t asked_count;
    int64_t killed_count;
    char isolation[JOB_ISOLATION_BYTES + 1]; // "": the program never ran
    bool has_progress;                       // the program's last report
    double progress_percent;
    char progress_message[JOB_NOTE_BYTES + 1];
};

// How many jobs there may be.
struct job_room {
    int64_t unfinished_max; // queued or running in all; past it QUEUE_FULL
    int64_t queued_max; // queued in one namespace; past it NAMESPACE_FULL. 0: no bound of its own
};

// Which jobs; all parts must hold.
struct job_filter {
    const char *space;  // NULL: jobs of all namespaces
    uint32_t states;    // bits 1 << state; 0: any
    const char *queue;  // its full name; NULL: any
    const char *parent; // id; NULL: any job, and none
    const struct job_label *labels;
    size_t label_count;
};

bool job_state_is_final(enum job_state state);

// What the latest attempt keeps: output and artifacts. Here, as the store counts by it too.
static inline int64_t job_kept_bytes(const struct job_status *status)
{
    return status->stdout_size.kept_bytes + status->stderr_size.kept_bytes +
           status->artifacts.total_bytes;
}

// False, and nothing written, for a number without a name.
bool job_state_from_number(int64_t number, enum job_state *ret_state);

// "queued", "timed_out"; "exited", "wall_timeout": for logs, messages and metrics.
const char *job_state_name(enum job_state state);
const char *job_reason_name(enum job_reason reason);

#endif
