// A job's specification as bytes (base/fields.h), for the database: a small head that every reader
// wants, and a body with source, standard input, environment and files that only a start and GetJob
// want. The store keeps the two apart and looks into neither; what it filters and orders by (queue,
// priority, not_before, labels, keep_ms) it takes from the struct.
#ifndef JOBS_SPEC_CODEC_H
#define JOBS_SPEC_CODEC_H

#include "base/arena.h"
#include "base/error.h"
#include "jobs/job.h"

enum {
    // A head is no longer, whatever the limits of its parts allow; decoded it takes less than twice
    // as much.
    SPEC_HEAD_BYTES_MAX = 256 << 10
};

struct spec_bytes {
    const void *head; // never empty
    size_t head_length;
    const void *body; // NULL where all of it is empty
    size_t body_length;
};

// Encodes into the arena. RESOURCE_EXHAUSTED when that is full.
enum soma_code spec_encode(const struct job_spec *spec, struct arena *arena,
                           struct spec_bytes *ret_bytes, struct soma_error *err);

// Decodes into the arena, which gets copies of all texts. Without body (NULL) the spec's body is
// empty. DATA_DAMAGED where the bytes are no specification; unknown fields are skipped.
enum soma_code spec_decode(const struct spec_bytes *bytes, struct arena *arena,
                           struct job_spec *ret_spec, struct soma_error *err);

#endif
