// Files of the work directory that are kept with the attempt's result: moved out of the job's reach
// when nothing of it lives any more, into the directory `artifacts` under plain numbers, with an
// index of their paths.
//
// The job is hostile. No link is followed; what was moved is looked at again where only the runner
// can reach it; a file that has other names is copied, so that nobody else can change it; names
// that are no plain UTF-8 are left out; files, bytes and names that are looked at have a maximum.
#ifndef RUNNER_ARTIFACTS_H
#define RUNNER_ARTIFACTS_H

#include "runner/attempt_dir.h"

// What the order asks for.
struct artifact_wish {
    char *bytes; // owned: what patterns point into
    char **patterns;
    size_t count;
    int64_t bytes_max; // of all together
};

// What came of it.
struct artifacts {
    int64_t count;
    int64_t bytes;
    int64_t left_out_count; // matched, but over a limit or no regular file, or was not looked at
    int errnum;             // why nothing more was kept; 0: nothing is wrong
};

// Copies the order's wish. False: no memory.
bool artifact_wish_take(struct artifact_wish *ret_wish, const struct order *order);
void artifact_wish_fini(struct artifact_wish *wish);

// Collects, syncs, and writes the index (base/fields.h): path, executable, size, number, again and
// again, sorted by path.
void artifacts_collect(const struct attempt_dir *dir, const struct artifact_wish *wish,
                       struct artifacts *ret_artifacts);

#endif
