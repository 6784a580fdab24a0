// libsoma: run code as durable jobs, keep vectors, on a SOMA server.
//
//     struct soma_client *client;
//     struct soma_error err;
//     if (soma_client_open(NULL, &client, &err) != SOMA_OK)
//         return report(&err);
//     struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
//     spec.language = "python";
//     spec.source = "print('hello')";
//     spec.source_length = strlen(spec.source);
//     struct soma_job *job;
//     if (soma_job_submit(client, &spec, NULL, &job, &err) == SOMA_OK)
//         printf("%s\n", job->id);
//     soma_free(job);
//     soma_client_close(client);
//
// Threads: a client may be used by any number of threads at once. A result belongs to the caller
// alone.
//
// Memory: what a function takes is read before it returns and stays the caller's, in the
// asynchronous form too. What it gives is one allocation that soma_free gives back, whatever hangs
// below it; NULL is fine there.
//
// Structs that the caller fills begin with struct_size and are initialised with their _INIT macro,
// so that programs go on working when fields are added. All other fields may be left 0 (NULL),
// which means "the default" unless said otherwise.
//
// Texts are UTF-8 that ends in NUL. Times are milliseconds since 1970-01-01 UTC, 0: not yet. Limits
// of sizes and counts are the server's; soma_server_info shows them, and what breaks one is
// SOMA_INVALID_ARGUMENT with the field's name.
//
// Retries: a call that surely changed nothing (SOMA_UNAVAILABLE, SOMA_RESOURCE_EXHAUSTED with a
// retry_after_ms) is tried again until the call's timeout, waiting longer each time; a call whose
// reply was lost is sent again with the same request id, which the server carries out once.
// soma_call_options changes both. A server that this client has reached before is waited for until
// the timeout; one that it never reached is given up sooner
// (soma_client_options.connect_timeout_ms).
#ifndef SOMA_SOMA_H
#define SOMA_SOMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <soma/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SOMA_API __attribute__((visibility("default")))
#else
#define SOMA_API
#endif

// The initial value of a struct that begins with struct_size: all other fields are 0.
#if defined(__cplusplus)
#define SOMA_INIT(type) \
    {                   \
        sizeof(type)    \
    }
#else
#define SOMA_INIT(type)             \
    {                               \
        .struct_size = sizeof(type) \
    }
#endif

// --- clients -------------------------------------------------------------------------

struct soma_client;

struct soma_client_options {
    size_t struct_size;
    // "ipc:///run/soma/somad.sock", "tcp://127.0.0.1:7766", "ws://…". NULL: $SOMA_SERVER, or the
    // address that a server of this user listens on by default.
    const char *server;
    // Sent with each request; NULL: $SOMA_TOKEN, or none.
    const char *token;
    // Program and version for the server's log, "ingest/1.2"; NULL: "libsoma/VERSION". At most 64
    // bytes.
    const char *program;
    // For calls that give none. 0: 30 000. Below 0: no deadline but the server's.
    int64_t timeout_ms;
    // Requests in flight at once; more wait their turn. 0: 32. At most 1 024. Small calls, large
    // ones and long polls (wait_ms above 0) are counted apart; of long polls there may be 1 024.
    uint32_t max_in_flight;
    // How long a call waits for a server that this client has not reached yet, before
    // SERVER_UNREACHABLE. 0: 2 000. Below 0: as long as the call's timeout.
    int64_t connect_timeout_ms;
};
#define SOMA_CLIENT_OPTIONS_INIT SOMA_INIT(struct soma_client_options)

// Does not wait for the server: the first call does. options may be NULL.
SOMA_API enum soma_code soma_client_open(const struct soma_client_options *options,
                                         struct soma_client **ret_client, struct soma_error *err);

// Calls that are still in flight end with SOMA_CANCELLED; their callbacks have returned when this
// returns. Not from a callback. Takes NULL.
SOMA_API void soma_client_close(struct soma_client *client);

// The address in use; lives as long as the client.
SOMA_API const char *soma_client_server(const struct soma_client *client);

// "0.1.0", of the library.
SOMA_API const char *soma_version(void);

// Gives back what any function here gave. Takes NULL.
SOMA_API void soma_free(void *result);

// --- calls ---------------------------------------------------------------------------

enum {
    SOMA_REQUEST_ID_BYTES = 16
};

struct soma_call_options {
    size_t struct_size;
    // Everything, retries included, milliseconds. 0: the client's. Below 0: already past,
    // SOMA_DEADLINE_EXCEEDED without a request.
    int64_t timeout_ms;
    // Attempts at most. 0: as many as the timeout allows. 1: no retry.
    uint32_t max_attempts;
    // First wait between attempts, doubled each time up to retry_max_ms, each shortened at random
    // by up to half. 0: 20 and 2 000.
    uint32_t retry_first_ms;
    uint32_t retry_max_ms;
    // SOMA_REQUEST_ID_BYTES bytes that name this change for ever, for callers that retry across
    // their own restarts. NULL: the library makes one for each call.
    const uint8_t *request_id;
};
#define SOMA_CALL_OPTIONS_INIT SOMA_INIT(struct soma_call_options)

// A call on its way.
struct soma_call;

// Gives the call up: its callback is called with SOMA_CANCELLED, unless it is already on its way.
// What the server did is unknown. The pointer is dead when the callback has returned.
SOMA_API void soma_call_cancel(struct soma_call *call);

// Every method below has two functions. The first waits:
//
//     enum soma_code soma_NAME(client, request, options, &result, err)
//
// and the second calls done, once, from a thread of the library, which must neither be kept for
// long nor wait for another call; result is done's to free, and NULL when err is not, except where
// a method says otherwise. ret_call may be NULL. When the function itself fails (a bad argument, no
// memory) done is never called. The waiting form sets *result to NULL on failure, with the same
// exceptions; ret_result may be NULL.
//
//     enum soma_code soma_NAME_async(client, request, options, done, user, &call, err)
//
// options and err may be NULL everywhere.
#define SOMA_METHOD(NAME, REQUEST, RESULT)                                                         \
    SOMA_API enum soma_code soma_##NAME(struct soma_client *client, const struct REQUEST *request, \
                                        const struct soma_call_options *options,                   \
                                        struct RESULT **ret_result, struct soma_error *err);       \
    typedef void soma_##NAME##_done(void *user, struct RESULT *result,                             \
                                    const struct soma_error *err);                                 \
    SOMA_API enum soma_code soma_##NAME##_async(                                                   \
        struct soma_client *client, const struct REQUEST *request,                                 \
        const struct soma_call_options *options, soma_##NAME##_done *done, void *user,             \
        struct soma_call **ret_call, struct soma_error *err)

// --- the server ----------------------------------------------------------------------

struct soma_ping_request {
    size_t struct_size;
    // Echoed; at most 65 536 bytes.
    const void *payload;
    size_t payload_length;
};
#define SOMA_PING_REQUEST_INIT SOMA_INIT(struct soma_ping_request)

struct soma_ping {
    const void *payload;
    size_t payload_length;
    int64_t server_time_ms;
};
SOMA_METHOD(server_ping, soma_ping_request, soma_ping);

// For requests that say nothing.
struct soma_empty_request {
    size_t struct_size;
};
#define SOMA_EMPTY_REQUEST_INIT SOMA_INIT(struct soma_empty_request)

struct soma_named_value {
    const char *name;
    int64_t value;
};

struct soma_enforcement {
    // "tree_kill", "user", "output_cap", "wall_time", "filesystem", …
    const char *name;
    bool enforced;
    // By what, or why not.
    const char *detail;
};

struct soma_language {
    const char *name;
    const char *interpreter;
};

struct soma_server_info {
    const char *version;
    uint32_t frame_version;
    // Differs after each start of the server.
    const char *boot_id;
    int64_t started_ms;
    uint32_t pid;
    const struct soma_named_value *limits;
    size_t limit_count;
    // What the server enforces on jobs.
    const struct soma_enforcement *enforcement;
    size_t enforcement_count;
    const struct soma_language *languages;
    size_t language_count;
    const char *const *listeners;
    size_t listener_count;
    // Distance kernels in use.
    const char *kernels;
    const char *const *libraries;
    size_t library_count;
};
SOMA_METHOD(server_info, soma_empty_request, soma_server_info);

struct soma_server_stats {
    const struct soma_named_value *stats;
    size_t stat_count;
};
SOMA_METHOD(server_stats, soma_empty_request, soma_server_stats);

// --- jobs ----------------------------------------------------------------------------

enum soma_job_state {
    SOMA_JOB_QUEUED = 1,
    SOMA_JOB_RUNNING = 2,
    SOMA_JOB_SUCCEEDED = 3,
    SOMA_JOB_FAILED = 4,
    SOMA_JOB_CANCELLED = 5,
    SOMA_JOB_TIMED_OUT = 6,
    SOMA_JOB_LOST = 7,
};

// "queued", …; "unknown" for a number that this library does not know.
SOMA_API const char *soma_job_state_name(enum soma_job_state state);
// False where no state has the name.
SOMA_API bool soma_job_state_from_name(const char *name, enum soma_job_state *ret_state);
SOMA_API bool soma_job_state_is_final(enum soma_job_state state);

enum soma_job_reason {
    SOMA_JOB_REASON_NONE = 0,
    SOMA_JOB_REASON_EXITED = 1,
    SOMA_JOB_REASON_SIGNALED = 2,
    SOMA_JOB_REASON_WALL_TIMEOUT = 3,
    SOMA_JOB_REASON_CANCELLED = 4,
    SOMA_JOB_REASON_LOST = 5,
    SOMA_JOB_REASON_START_FAILED = 6,
};
SOMA_API const char *soma_job_reason_name(enum soma_job_reason reason);

enum soma_stream {
    SOMA_STDOUT = 1,
    SOMA_STDERR = 2,
};

// A key with its value: a label, an environment variable.
struct soma_pair {
    const char *key;
    const char *value;
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
    // Kept of each stream. 0: 64 MiB.
    int64_t output_bytes;
    // Between TERM and KILL. 0: 5 000.
    int64_t kill_grace_ms;
    // Running it twice does no harm.
    bool idempotent;
    // How long the finished job is kept. 0: 7 days.
    int64_t keep_ms;
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

struct soma_job {
    const char *id;
    // Whole only from soma_job_get; elsewhere without source, stdin and environment. Its
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
    // Of the ended attempt.
    int64_t wall_used_ms;
    int64_t user_used_ms;
    int64_t system_used_ms;
    int64_t peak_memory_bytes;
    struct soma_output_size stdout_size;
    struct soma_output_size stderr_size;
};

// What a process that ran the job itself would exit with: the exit code; 128 + n after signal n,
// and 143 (TERM) where it was cancelled; 124 on time-out; 126 and 127 where it could not be
// started; 125 where SOMA cannot tell (lost). -1 while it is not final.
SOMA_API int soma_job_exit_status(const struct soma_job *job);

// On disk when it returns. The job is without spec.
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
    // 0: everything that is there.
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
    // since_revision of the next call.
    int64_t revision;
    // Too long ago: begin again with 0.
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

// --- collections ---------------------------------------------------------------------

// docs/PROTOCOL.md and proto/soma/v1/vectors.proto define distance and score of each.
enum soma_metric {
    SOMA_METRIC_COSINE = 1,
    SOMA_METRIC_L2 = 2,
    SOMA_METRIC_DOT = 3,
};
// "cosine", "l2", "dot"; "unknown".
SOMA_API const char *soma_metric_name(enum soma_metric metric);
SOMA_API bool soma_metric_from_name(const char *name, enum soma_metric *ret_metric);

enum soma_value_type {
    // In an update: remove the key.
    SOMA_VALUE_NONE = 0,
    SOMA_VALUE_STRING = 1,
    SOMA_VALUE_INT = 2,
    SOMA_VALUE_DOUBLE = 3,
    SOMA_VALUE_BOOL = 4,
    SOMA_VALUE_STRING_LIST = 5,
    SOMA_VALUE_INT_LIST = 6,
    SOMA_VALUE_DOUBLE_LIST = 7,
    SOMA_VALUE_BOOL_LIST = 8,
};

struct soma_metadata_field {
    const char *key;
    enum soma_value_type type;
    // Values in the list that value points to.
    size_t list_count;
    union {
        const char *string;
        int64_t integer;
        double number;
        bool boolean;
        const char *const *strings;
        const int64_t *integers;
        const double *numbers;
        const bool *booleans;
    } value;
};

struct soma_collection {
    const char *name;
    const char *uid;
    uint32_t dimension;
    enum soma_metric metric;
    const struct soma_metadata_field *metadata;
    size_t metadata_count;
    int64_t created_ms;
    int64_t sequence;
    int64_t record_count;
    // 0: not loaded.
    int64_t memory_bytes;
    const char *index_kind;
};

struct soma_collection_create_request {
    size_t struct_size;
    const char *name;
    uint32_t dimension;
    // 0: cosine.
    enum soma_metric metric;
    const struct soma_metadata_field *metadata;
    size_t metadata_count;
    // One of the same dimension and metric is taken as it is.
    bool exist_ok;
};
#define SOMA_COLLECTION_CREATE_REQUEST_INIT SOMA_INIT(struct soma_collection_create_request)
SOMA_METHOD(collection_create, soma_collection_create_request, soma_collection);

struct soma_collection_request {
    size_t struct_size;
    // Name or uid, here and below.
    const char *collection;
};
#define SOMA_COLLECTION_REQUEST_INIT SOMA_INIT(struct soma_collection_request)
SOMA_METHOD(collection_get, soma_collection_request, soma_collection);

struct soma_collection_list_request {
    size_t struct_size;
    uint32_t page_size;
    const char *cursor;
};
#define SOMA_COLLECTION_LIST_REQUEST_INIT SOMA_INIT(struct soma_collection_list_request)

struct soma_collection_list {
    const struct soma_collection *collections;
    size_t collection_count;
    const char *next_cursor;
};
SOMA_METHOD(collection_list, soma_collection_list_request, soma_collection_list);

struct soma_collection_update_request {
    size_t struct_size;
    const char *collection;
    // NULL: keep.
    const char *new_name;
    // Merged by key.
    const struct soma_metadata_field *metadata;
    size_t metadata_count;
};
#define SOMA_COLLECTION_UPDATE_REQUEST_INIT SOMA_INIT(struct soma_collection_update_request)
SOMA_METHOD(collection_update, soma_collection_update_request, soma_collection);

struct soma_records_deleted {
    int64_t matched;
    int64_t deleted;
    // Of ids: those that named no record.
    int64_t missing;
    int64_t sequence;
};
SOMA_METHOD(collection_delete, soma_collection_request, soma_records_deleted);
SOMA_METHOD(collection_clear, soma_collection_request, soma_records_deleted);

// --- records -------------------------------------------------------------------------

struct soma_record {
    // NULL or "" in an upsert or insert: derived from the content.
    const char *id;
    // NULL: none (in an update: keep).
    const char *document;
    const struct soma_metadata_field *metadata;
    size_t metadata_count;
};

struct soma_records_write_request {
    size_t struct_size;
    const char *collection;
    const struct soma_record *records;
    size_t record_count;
    // float[record_count][dimension], row-major. NULL in an update: keep all embeddings.
    const float *embeddings;
    uint32_t dimension;
};
#define SOMA_RECORDS_WRITE_REQUEST_INIT SOMA_INIT(struct soma_records_write_request)

struct soma_record_error {
    // Place in records.
    size_t index;
    const char *id;
    enum soma_code code;
    const char *reason;
    const char *message;
};

// inserted + updated + unchanged + skipped + failed = records.
struct soma_records_written {
    int64_t inserted;
    int64_t updated;
    int64_t unchanged;
    // Followed by another record with the same id.
    int64_t skipped;
    int64_t failed;
    const struct soma_record_error *errors;
    size_t error_count;
    int64_t sequence;
    // One for each record where some came without: the ids they got. NULL otherwise.
    const char *const *ids;
    size_t id_count;
};

// Any number of records: the library sends them in pieces of about 1 MiB, in order, each piece
// whole or not at all. When a piece fails, *ret_result is what the pieces before it did (NULL:
// none), also in the asynchronous form, and err.field counts records from the beginning. Repeating
// the whole is safe: what is there already is unchanged. A soma_call_options.request_id names the
// first piece; those of the others are derived from it, the same ones for the same records.
SOMA_METHOD(records_upsert, soma_records_write_request, soma_records_written);
// Ids that exist are errors of their records, the others are written.
SOMA_METHOD(records_insert, soma_records_write_request, soma_records_written);
// Ids that do not exist are errors of their records, the others are merged into.
SOMA_METHOD(records_update, soma_records_write_request, soma_records_written);

struct soma_include {
    bool document;
    bool metadata;
    bool embedding;
};

struct soma_records_get_request {
    size_t struct_size;
    const char *collection;
    // Any number.
    const char *const *ids;
    size_t id_count;
    // NULL: documents and metadata.
    const struct soma_include *include;
    int64_t min_sequence;
};
#define SOMA_RECORDS_GET_REQUEST_INIT SOMA_INIT(struct soma_records_get_request)

struct soma_records {
    const struct soma_record *records;
    size_t record_count;
    // float[record_count][dimension]; NULL where not asked for.
    const float *embeddings;
    uint32_t dimension;
    const char *const *missing_ids;
    size_t missing_count;
    int64_t sequence;
    // From a scan; NULL: this was the last page.
    const char *next_cursor;
};
SOMA_METHOD(records_get, soma_records_get_request, soma_records);

struct soma_records_scan_request {
    size_t struct_size;
    const char *collection;
    // JSON text; NULL: all.
    const char *where;
    // 0: 100. At most 10 000.
    uint32_t page_size;
    const char *cursor;
    const struct soma_include *include;
    int64_t min_sequence;
};
#define SOMA_RECORDS_SCAN_REQUEST_INIT SOMA_INIT(struct soma_records_scan_request)
SOMA_METHOD(records_scan, soma_records_scan_request, soma_records);

struct soma_records_delete_request {
    size_t struct_size;
    const char *collection;
    // Exactly one of ids and where. Any number of ids, sent in pieces as in soma_records_upsert.
    const char *const *ids;
    size_t id_count;
    const char *where;
    bool dry_run;
};
#define SOMA_RECORDS_DELETE_REQUEST_INIT SOMA_INIT(struct soma_records_delete_request)
SOMA_METHOD(records_delete, soma_records_delete_request, soma_records_deleted);

struct soma_records_count_request {
    size_t struct_size;
    const char *collection;
    const char *where;
    int64_t min_sequence;
};
#define SOMA_RECORDS_COUNT_REQUEST_INIT SOMA_INIT(struct soma_records_count_request)

struct soma_records_count {
    int64_t count;
    int64_t sequence;
};
SOMA_METHOD(records_count, soma_records_count_request, soma_records_count);

struct soma_records_query_request {
    size_t struct_size;
    const char *collection;
    // float[query_count][dimension], row-major.
    const float *embeddings;
    size_t query_count;
    uint32_t dimension;
    // Hits for each query. 0: 10.
    uint32_t k;
    const char *where;
    const struct soma_include *include;
    // Hits farther than *max_distance are left out; NULL: no cut-off.
    const double *max_distance;
    int64_t min_sequence;
};
#define SOMA_RECORDS_QUERY_REQUEST_INIT SOMA_INIT(struct soma_records_query_request)

struct soma_hit {
    // Smaller is nearer.
    double distance;
    // Larger is better.
    double score;
    struct soma_record record;
    // float[dimension]; NULL where not asked for.
    const float *embedding;
};

struct soma_query_result {
    const struct soma_hit *hits;
    size_t hit_count;
    // Why there are fewer than k, "FEWER_MATCHES", "MAX_DISTANCE"; NULL: there are k.
    const char *short_reason;
};

struct soma_query_results {
    // One for each query, in order.
    const struct soma_query_result *results;
    size_t result_count;
    // What ran.
    const char *plan;
    int64_t sequence;
};
SOMA_METHOD(records_query, soma_records_query_request, soma_query_results);

#ifdef __cplusplus
}
#endif

#endif
