// Where an import stopped: a small file under $XDG_STATE_HOME (or ~/.local/state), one for each
// collection, file and file of ids (--ids) that have not changed since.
#ifndef CLI_IMPORT_STATE_H
#define CLI_IMPORT_STATE_H

#include "cli/import_source.h"

struct import_counts {
    int64_t inserted, updated, unchanged, skipped, rejected;
};

struct import_state {
    // "": nothing is kept.
    char path[512];
    struct import_position position;
    struct import_counts counts;
};

// Names the file of state, for regular files; otherwise nothing is kept. ids_path NULL: none.
void import_state_init(struct import_state *state, const char *collection_uid, const char *path,
                       const char *ids_path);
// Fills position and counts; false: there is nothing to go on from.
bool import_state_load(struct import_state *state);
// Best effort: an import without state begins anew, which does no harm.
void import_state_save(const struct import_state *state);
void import_state_remove(const struct import_state *state);

#endif
