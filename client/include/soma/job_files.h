// What goes into a job and comes out of it: files, input, the log, artifacts. Include
// <soma/soma.h>.
#ifndef SOMA_JOB_FILES_H
#define SOMA_JOB_FILES_H

#include <soma/jobs.h>

#ifdef __cplusplus
extern "C" {
#endif

struct soma_job_upload_request {
    size_t struct_size;
    // NULL: a new upload, with its first piece. An upload that gets no piece for a day, and is no
    // job's, is removed.
    const char *upload_id;
    // Where the piece belongs; a piece may be sent again.
    int64_t offset;
    // At most 1 MiB; a file may have 4 GiB.
    const void *data;
    size_t length;
    // This is the last one: the file is on disk when the call returns, and may be given to
    // soma_job_submit, once.
    bool end;
};
#define SOMA_JOB_UPLOAD_REQUEST_INIT SOMA_INIT(struct soma_job_upload_request)

struct soma_job_upload {
    const char *upload_id;
    int64_t size_bytes;
};
SOMA_METHOD(job_upload, soma_job_upload_request, soma_job_upload);

// Where a reader of a log stands; what the fields say is the server's.
struct soma_job_log_position {
    int64_t record;
    int64_t taken_bytes;
    int64_t stdout_offset;
    int64_t stderr_offset;
    int64_t time_ms;
};

struct soma_job_log_request {
    size_t struct_size;
    const char *job_id;
    // 0: the latest. A position belongs to one attempt: give both.
    uint32_t attempt;
    // soma_job_log.position of the call before; NULL: the next two say where to begin.
    const struct soma_job_log_position *position;
    // So many lines before the end, at most 100 000; 0: at the beginning; -1: at the end.
    int64_t tail_lines;
    // What came then or later; 0: all.
    int64_t since_ms;
    // SOMA_STDOUT or SOMA_STDERR alone; 0: both.
    enum soma_stream stream;
    // 0: 262 144. At most 1 048 576.
    uint32_t max_bytes;
    // As in soma_job_wait_request.
    uint32_t wait_ms;
};
#define SOMA_JOB_LOG_REQUEST_INIT SOMA_INIT(struct soma_job_log_request)

// Bytes that one stream got within a few milliseconds.
struct soma_job_log_piece {
    enum soma_stream stream;
    int64_t offset;
    const void *data;
    size_t length;
    // 0: not known.
    int64_t time_ms;
};

struct soma_job_log {
    const struct soma_job_log_piece *pieces;
    size_t piece_count;
    struct soma_job_log_position position;
    // Which one was read; 0: none was started yet.
    uint32_t attempt;
    // Nothing will ever follow.
    bool end;
};
// Output of both streams in the order in which it came.
SOMA_METHOD(job_log, soma_job_log_request, soma_job_log);

struct soma_job_input_request {
    size_t struct_size;
    const char *job_id;
    // 0: the latest.
    uint32_t attempt;
    // Where data belongs in the whole input; what is there already is passed over.
    int64_t offset;
    // At most 262 144 bytes.
    const void *data;
    size_t length;
    // End of file behind data.
    bool end;
    // How long to wait for a start, or for room, as in soma_job_wait_request.
    uint32_t wait_ms;
};
#define SOMA_JOB_INPUT_REQUEST_INIT SOMA_INIT(struct soma_job_input_request)

struct soma_job_input {
    // Of the whole input now, the next offset; less than was given where there was no room.
    int64_t size_bytes;
    // 0: none runs yet.
    uint32_t attempt;
    // The program takes no more.
    bool closed;
};
// Appends to an interactive job's standard input; a piece that is sent twice is taken once.
SOMA_METHOD(job_input, soma_job_input_request, soma_job_input);

struct soma_job_artifacts_request {
    size_t struct_size;
    const char *job_id;
    // 0: the latest.
    uint32_t attempt;
};
#define SOMA_JOB_ARTIFACTS_REQUEST_INIT SOMA_INIT(struct soma_job_artifacts_request)

struct soma_job_artifact {
    // Relative, and harmless: as soma_job_file.path, whatever the server says.
    const char *path;
    int64_t size_bytes;
    bool executable;
};

struct soma_job_artifacts {
    const struct soma_job_artifact *artifacts;
    size_t artifact_count;
    // Which one it is; 0: none was started yet.
    uint32_t attempt;
    // The attempt is over: nothing comes later.
    bool end;
};
// The files that an attempt left (soma_job_spec.artifacts).
SOMA_METHOD(job_artifacts, soma_job_artifacts_request, soma_job_artifacts);

struct soma_job_artifact_read_request {
    size_t struct_size;
    const char *job_id;
    // 0: the latest.
    uint32_t attempt;
    const char *path;
    int64_t offset;
    // 0: 262 144. At most 1 048 576.
    uint32_t max_bytes;
};
#define SOMA_JOB_ARTIFACT_READ_REQUEST_INIT SOMA_INIT(struct soma_job_artifact_read_request)

struct soma_job_artifact_piece {
    const void *data;
    size_t length;
    // Of the whole file.
    int64_t size_bytes;
};
SOMA_METHOD(job_artifact_read, soma_job_artifact_read_request, soma_job_artifact_piece);

#ifdef __cplusplus
}
#endif

#endif
