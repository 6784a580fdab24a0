// A file system for SQLite that fails when it is told to: in front of the real one, for a store in
// the test's own process.
//
// Steps are reads, writes, truncations, syncs, opens, deletions and mappings, counted from
// fault_vfs_arm on. What was synced is remembered, so that the power can be cut: then nothing is
// written any more, and fault_vfs_survivors makes the files that a disk would still have. One at a
// time; SQLite's calls may come from any thread.
#ifndef TESTS_FAULT_VFS_H
#define TESTS_FAULT_VFS_H

#include <stdbool.h>

#include "dice.h"

enum fault_kind {
    FAULT_NONE,     // steps are counted
    FAULT_IO_ERROR, // EIO, of any step
    FAULT_FULL,     // ENOSPC, of what takes room
    FAULT_SHORT,    // half of a write is done; other steps are EIO
    FAULT_CUT       // the power fails: half of a write is done, then nothing ever again
};

// Becomes the default. Before the first store of the process.
void fault_vfs_install(void);

// The step of that number (from 1) fails; goes_on: so do all after it.
void fault_vfs_arm(enum fault_kind kind, unsigned step, bool goes_on);
// Whether it has failed. After a cut nothing works until fault_vfs_forget.
bool fault_vfs_disarm(void);
// The power fails now.
void fault_vfs_cut(void);

enum survival {
    SURVIVES_SYNCED, // what was synced, and nothing else
    SURVIVES_SOME    // and of what was not, any sectors
};

// Writes the surviving files of one directory into another; the store is closed.
void fault_vfs_survivors(const char *directory, enum survival survival, struct dice *dice);
// All files are closed; the next ones count as synced when they are opened.
void fault_vfs_forget(void);

#endif
