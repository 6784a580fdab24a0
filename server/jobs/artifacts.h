// Files that an attempt's program left, as the runner kept them (docs/ARCHITECTURE.md has the
// directory): listed and read when the attempt is over.
#ifndef JOBS_ARTIFACTS_H
#define JOBS_ARTIFACTS_H

#include "jobs/output.h"

struct artifact {
    const char *path; // relative, path_is_inside
    int64_t size_bytes;
    bool executable;
    uint32_t number; // of its file
};

struct artifact_list {
    struct artifact *rows; // sorted by path
    size_t count;
};

// An attempt that kept none, or is not over, has an empty list.
enum soma_code artifacts_list(const struct attempt_root *root, const char *id, uint32_t attempt,
                              struct arena *arena, struct artifact_list *ret_list,
                              struct soma_error *err);

// At most max bytes from the offset on. ARTIFACT_NOT_FOUND; OFFSET_PAST_END.
enum soma_code artifact_read(const struct attempt_root *root, const char *id, uint32_t attempt,
                             const char *path, int64_t offset, int64_t max, struct arena *arena,
                             struct output_piece *ret_piece, struct soma_error *err);

#endif
