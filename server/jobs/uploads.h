// Files on their way into jobs: jobs/uploads/<id>.part while pieces come, jobs/uploads/<id> when
// finished, jobs/<job>/files/<id> when the job that took it is started for the first time. Outside
// of the default namespace "@<namespace>" stands behind the first two.
//
// Only the file system knows of an upload until a job takes it (store/job_uploads.h). A finished
// one is removed on the writer thread alone, so that no submit loses what it has found.
#ifndef JOBS_UPLOADS_H
#define JOBS_UPLOADS_H

#include "jobs/attempt.h"
#include "store/writer.h"

struct upload_piece {
    const char *space; // the caller's namespace; the upload is of the one it was begun in
    const char *id;    // "": a new upload
    int64_t offset;
    const void *bytes;
    size_t length;
    bool end;
};

// Writes the piece; after the last one the file is synced. UPLOAD_NOT_FOUND, UPLOAD_FINISHED,
// UPLOAD_LIMIT, OFFSET_PAST_END.
enum soma_code uploads_write(const struct attempt_root *root, const struct upload_piece *piece,
                             char ret_id[ID_SIZE], int64_t *ret_size_bytes, struct soma_error *err);

// Whether there is a finished upload in the namespace that was not moved yet.
bool uploads_find(const struct attempt_root *root, const char *space, const char *id,
                  int64_t *ret_size_bytes);

// Moves the job's uploads into its directory, which is there; those that are there stay.
enum soma_code uploads_move(const struct attempt_root *root, const struct job *job,
                            struct soma_error *err);

// Removes uploads that nobody wrote to for a day and no job took.
void uploads_sweep(const struct attempt_root *root, struct writer *writer);

#endif
