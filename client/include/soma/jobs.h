// Durable jobs: submit, follow, cancel, remove. Include <soma/soma.h>.
#ifndef SOMA_JOBS_H
#define SOMA_JOBS_H

#include <soma/client.h>
#include <soma/job_states.h>
#include <soma/server.h>

#ifdef __cplusplus
extern "C" {
#endif

enum soma_stream {
    SOMA_STDOUT = 1,
    SOMA_STDERR = 2,
};

// A key with its value: a label, an environment variable.
struct soma_pair {
    const char *key;
    const char *value;
};

// A file for the work directory, there before the program starts.
struct soma_job_file {
    // Relative: names separated by '/', none of them empty, "." or "..". At most 1 024 bytes. No
    // file stands twice, or below another.
    const char *path;
    bool executable;
    // Either the file itself, of all files together at most 1 MiB (NULL in what soma_job_get
    // gives) …
    const void *content;
    size_t content_length;
    // … or, where this is not NULL, what soma_job_upload said, which is the job's from then on.
    const char *upload_id;
    // Of an upload. From soma_job_get: of either.
    int64_t size_bytes;
};

// How much of a sandbox a job must have; the server's policy counts where it asks for more.
enum soma_sandbox {
    SOMA_SANDBOX_SERVER = 0,
    // Walls around files, network, signals and system calls, or the submit is refused.
    SOMA_SANDBOX_REQUIRED = 1,
    // As much of that as the server's machine can.
    SOMA_SANDBOX_BEST_EFFORT = 2,
};

struct soma_job_spec {
    size_t struct_size;
    // Either source text for an interpreter that the server knows by name ("python", "sh", …) …
    const char *language;
    const void *source;
    size_t source_length;
    // … with these arguments, or, where language is NULL, a command: arguments[0] is the program.
    const char *const *arguments;
    size_t argument_count;
    const void *stdin_bytes;
    size_t stdin_length;
    const struct soma_pair *environment;
    size_t environment_count;
    const char *name;
    // NULL: "default".
    const char *queue;
    // Larger first, -1 000 to 1 000.
    int32_t priority;
    int64_t not_before_ms;
    const struct soma_pair *labels;
    size_t label_count;
    // 0: 24 h. At most 7 days.
    int64_t wall_time_ms;
    // Kept of each stream. 0: 64 MiB. -1: nothing.
    int64_t output_bytes;
    // Between TERM and KILL. 0: 5 000. -1: KILL at once.
    int64_t kill_grace_ms;
    // Running it twice does no harm.
    bool idempotent;
    // How long the finished job is kept. 0: 7 days. -1: it goes as soon as it has ended.
    int64_t keep_ms;
    // At most 2 000.
    const struct soma_job_file *files;
    size_t file_count;
    // Standard input is a stream that soma_job_input fills; stdin_bytes must be NULL.
    bool interactive;
    // Submitted in a job, by its token: not cancelled with that job.
    bool detached;
    // Files to keep at the end, as patterns: '*', '?', and "**" for any number of directories; a
    // directory stands for all that is below it. At most 64.
    const char *const *artifacts;
    size_t artifact_count;
    // Of all of them. 0: 1 GiB. At most 100 GiB.
    int64_t artifact_bytes;
    // In place of not_before_ms: from the submit, by the server's clock.
    int64_t delay_ms;
    // A job that has not been started by then never is. 0: no deadline.
    int64_t start_deadline_ms;
    // In place of it: from the submit, by the server's clock.
    int64_t start_within_ms;
    // Attempts in all, at most 100. 0 and 1: a failed one is not followed by another.
    uint32_t retry_attempts;
    // Before the second attempt. 0: 1 000. At most 7 days. Up to a quarter is taken off by chance.
    int64_t backoff_ms;
    // Each wait is this many times the one before, 1 to 10. 0: 2.
    double backoff_factor;
    // No wait is longer. 0: 1 h. At most 7 days.
    int64_t backoff_max_ms;
    // Ends that are followed by another attempt; none: every one but success and cancel. LOST
    // cannot stand here: a lost attempt is followed by another one only where the job is
    // idempotent.
    const enum soma_job_reason *retry_reasons;
    size_t retry_reason_count;
    // Ids of jobs that have to end first, at most 64.
    const char *const *after;
    size_t after_count;
    enum soma_after_policy after_policy;
    // While a job with the same key is queued or running a submit returns that one. NULL: none.
    const char *dedupe_key;
    // Of the whole tree: CPU time, memory; past them the job is ended. 0: no limit.
    int64_t cpu_time_ms;
    int64_t memory_bytes;
    // Processes and threads at once; past it fork fails. 0: 1 024 in namespaces, elsewhere no
    // limit.
    int64_t processes;
    // Of the work directory; past it the job is ended. 0: no limit.
    int64_t disk_bytes;
    // Of each file; past it writing fails. 0: no limit.
    int64_t file_bytes;
    // Open descriptors of a process. 0: 1 024, which a program may raise.
    int64_t open_files;
    // Of the job's own /tmp, in namespaces. 0: 256 MiB.
    int64_t tmp_bytes;
    // Ends the job when a stream passes output_bytes, instead of dropping the rest.
    bool end_at_output_limit;
    // Asks for the network; refused where the server gives jobs none.
    bool network;
    enum soma_sandbox sandbox;
    // Of output_bytes, kept of each stream's end; then the middle is what is dropped. At most 1
    // MiB.
    int64_t output_tail_bytes;
};
#define SOMA_JOB_SPEC_INIT SOMA_INIT(struct soma_job_spec)

struct soma_job_progress {
    // 0 to 100; below 0: the program has reported nothing.
    double percent;
    // "" where none.
    const char *message;
    int64_t reported_ms;
};

struct soma_output_size {
    int64_t kept_bytes;
    // Written by the program past the cap.
    int64_t dropped_bytes;
};

// How one attempt ended.
struct soma_job_attempt {
    uint32_t attempt;
    // NONE: it runs.
    enum soma_job_reason reason;
    // As in soma_job.
    int exit_code;
    int signal_number;
    const char *message;
    int64_t started_ms;
    int64_t finished_ms;
};

struct soma_job {
    const char *id;
    // The job that submitted this one by its token; it may have been removed. "": none did.
    const char *parent_id;
    // Whole only from soma_job_get; elsewhere without source, stdin, environment and files. Its
    // struct_size is set.
    struct soma_job_spec spec;
    enum soma_job_state state;
    enum soma_job_reason reason;
    // Where reason is EXITED or START_FAILED; -1 otherwise.
    int exit_code;
    // Where reason is SIGNALED; 0 otherwise.
    int signal_number;
    const char *message;
    int64_t revision;
    int64_t created_ms;
    int64_t started_ms;
    int64_t finished_ms;
    int64_t cancel_requested_ms;
    uint32_t attempt;
    int64_t runner_pid;
    struct soma_job_progress progress;
    // Of the ended attempt, or of the running one as it was last looked at.
    int64_t wall_used_ms;
    int64_t user_used_ms;
    int64_t system_used_ms;
    int64_t peak_memory_bytes;
    struct soma_output_size stdout_size;
    struct soma_output_size stderr_size;
    // Of the latest attempt.
    uint32_t artifact_count;
    int64_t artifact_bytes;
    // Matched, but over a limit or no regular file.
    int64_t artifacts_left_out;
    // Where it is queued: why it does not run, and until when at least.
    enum soma_job_wait wait;
    int64_t next_attempt_ms;
    // Ids of the jobs that it still waits for; only from soma_job_get.
    const char *const *waiting_for;
    size_t waiting_count;
    // The attempts so far, the latest last; only from soma_job_get.
    const struct soma_job_attempt *attempts;
    size_t attempt_count;
    // Only from soma_job_submit: a job with the dedupe_key was there, this one, and no other one
    // was made; and it had been submitted with another specification.
    bool is_existing;
    bool differs;
    // Of the work directory: at the end, or now where there is a limit.
    int64_t disk_bytes;
    // While it runs, as of the last look: resident memory and processes.
    int64_t memory_bytes;
    int64_t processes;
    // Processes that SOMA asked to end (TERM), and that it killed.
    int64_t asked_count;
    int64_t killed_count;
    // What stands around the latest attempt; only from soma_job_get, once its program has started.
    const struct soma_enforcement *isolation;
    size_t isolation_count;
};

// What a process that ran the job itself would exit with: the exit code; 128 + n after signal n,
// and 143 (TERM) where it was cancelled; 124 on time-out; 137 (KILL), 152 (XCPU) and 153 (XFSZ) at
// the limits of memory, CPU time, and disk or output; 126 and 127 where it could not be started;
// 125 where SOMA cannot tell (lost). -1 while it is not final.
SOMA_API int soma_job_exit_status(const struct soma_job *job);

// On disk when it returns. The job is without spec; is_existing says whether it was there before.
SOMA_METHOD(job_submit, soma_job_spec, soma_job);

struct soma_job_request {
    size_t struct_size;
    const char *job_id;
};
#define SOMA_JOB_REQUEST_INIT SOMA_INIT(struct soma_job_request)

SOMA_METHOD(job_get, soma_job_request, soma_job);
// Queues a final job again.
SOMA_METHOD(job_retry, soma_job_request, soma_job);

struct soma_job_removed {
    uint32_t removed_count;
    int64_t freed_bytes;
    // Only from soma_job_prune: more match than max_jobs.
    bool more;
};
// A final job with its output.
SOMA_METHOD(job_delete, soma_job_request, soma_job_removed);

struct soma_job_filter {
    // Any of these; none: any state.
    const enum soma_job_state *states;
    size_t state_count;
    // NULL: any.
    const char *queue;
    // All of these.
    const struct soma_pair *labels;
    size_t label_count;
    // The jobs that this one submitted. NULL: any. A job that calls by its token sees its own only.
    const char *parent_id;
};

struct soma_job_list_request {
    size_t struct_size;
    struct soma_job_filter filter;
    // 0: 100. At most 1 000.
    uint32_t page_size;
    // NULL: from the newest.
    const char *cursor;
};
#define SOMA_JOB_LIST_REQUEST_INIT SOMA_INIT(struct soma_job_list_request)

struct soma_job_list {
    const struct soma_job *jobs;
    size_t job_count;
    // NULL: this was the last page.
    const char *next_cursor;
    // What changes after this page: soma_job_watch with it as since_revision.
    int64_t revision;
};
SOMA_METHOD(job_list, soma_job_list_request, soma_job_list);

struct soma_job_wait_request {
    size_t struct_size;
    const char *job_id;
    // 0: until it is final. Otherwise also as soon as its revision is larger.
    int64_t after_revision;
    // One long poll, at most 60 000; 0: answer at once. The call's timeout is lengthened by it.
    uint32_t wait_ms;
};
#define SOMA_JOB_WAIT_REQUEST_INIT SOMA_INIT(struct soma_job_wait_request)
// One poll: the job as it is when something came or the time was over.
SOMA_METHOD(job_wait, soma_job_wait_request, soma_job);

struct soma_job_read_request {
    size_t struct_size;
    const char *job_id;
    // 0: the latest.
    uint32_t attempt;
    // Offsets to read from; below 0: not this stream.
    int64_t stdout_offset;
    int64_t stderr_offset;
    // 0: 262 144. At most 1 048 576.
    uint32_t max_bytes;
    // As in soma_job_wait_request.
    uint32_t wait_ms;
};
#define SOMA_JOB_READ_REQUEST_INIT SOMA_INIT(struct soma_job_read_request)

struct soma_job_chunk {
    // NULL only where the stream was not asked for.
    const void *data;
    size_t length;
    int64_t offset;
    // Nothing will ever follow.
    bool end;
    struct soma_output_size size;
};

struct soma_job_output {
    struct soma_job_chunk stdout_chunk;
    struct soma_job_chunk stderr_chunk;
    // Which one was read; 0: none was started yet.
    uint32_t attempt;
};
SOMA_METHOD(job_read, soma_job_read_request, soma_job_output);

struct soma_job_watch_request {
    size_t struct_size;
    // 0: everything that is there, page by page. Otherwise revision of the answer before.
    int64_t since_revision;
    struct soma_job_filter filter;
    uint32_t page_size;
    uint32_t wait_ms;
};
#define SOMA_JOB_WATCH_REQUEST_INIT SOMA_INIT(struct soma_job_watch_request)

struct soma_job_changes {
    const struct soma_job *jobs;
    size_t job_count;
    const char *const *removed_ids;
    size_t removed_count;
    // since_revision of the next call. Below 0 until everything that was there is told.
    int64_t revision;
    // since_revision is more than a day old, or of another database: begin again with 0.
    bool history_lost;
};
SOMA_METHOD(job_watch, soma_job_watch_request, soma_job_changes);

struct soma_job_cancel_request {
    size_t struct_size;
    const char *job_id;
    // Why; kept in the job's message. At most 255 bytes.
    const char *note;
    // KILL at once.
    bool force;
};
#define SOMA_JOB_CANCEL_REQUEST_INIT SOMA_INIT(struct soma_job_cancel_request)
// The job as it is then; a final one is left as it is. soma_job_wait tells when it has ended.
SOMA_METHOD(job_cancel, soma_job_cancel_request, soma_job);

struct soma_job_prune_request {
    size_t struct_size;
    struct soma_job_filter filter;
    int64_t older_than_ms;
    bool dry_run;
    // 0: 1 000. At most 10 000.
    uint32_t max_jobs;
};
#define SOMA_JOB_PRUNE_REQUEST_INIT SOMA_INIT(struct soma_job_prune_request)
SOMA_METHOD(job_prune, soma_job_prune_request, soma_job_removed);

struct soma_job_report_request {
    size_t struct_size;
    const char *job_id;
    // 0 to 100.
    double percent;
    const char *message;
};
#define SOMA_JOB_REPORT_REQUEST_INIT SOMA_INIT(struct soma_job_report_request)

struct soma_job_reported {
    // Somebody asked for this job's end.
    bool cancel_requested;
};
SOMA_METHOD(job_report, soma_job_report_request, soma_job_reported);

struct soma_job_follow_request {
    size_t struct_size;
    const char *job_id;
    // Where to begin; below 0: not this stream. After a broken follow: where it stopped.
    int64_t stdout_offset;
    int64_t stderr_offset;
    void *user;
    // In order and without gaps within a stream; NULL: output is not read. Offsets are of one
    // attempt: where the job is queued again while it is followed, they begin again at 0. False
    // ends the follow (SOMA_CANCELLED).
    bool (*on_output)(void *user, enum soma_stream stream, int64_t offset, const void *data,
                      size_t length);
    // The job whenever it has changed; borrowed. NULL: not told. False ends the follow.
    bool (*on_change)(void *user, const struct soma_job *job);
};
#define SOMA_JOB_FOLLOW_REQUEST_INIT SOMA_INIT(struct soma_job_follow_request)

// Stays with a job until it is final and all of its output was handed over; the result is the final
// job. Callbacks run on the calling thread. Goes on over lost connections and server restarts until
// the call's timeout, which is none by default here.
SOMA_API enum soma_code soma_job_follow(struct soma_client *client,
                                        const struct soma_job_follow_request *request,
                                        const struct soma_call_options *options,
                                        struct soma_job **ret_result, struct soma_error *err);

#ifdef __cplusplus
}
#endif

#endif
