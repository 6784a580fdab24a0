// How much lies below a directory. Looked at entry by entry, at any depth, without following links
// and within one file system; with few descriptors and little memory however many files there are,
// for whoever made them may mean harm.
#ifndef BASE_DIRECTORY_SIZE_H
#define BASE_DIRECTORY_SIZE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    DIRECTORY_DEPTH_MAX = 65536
};

struct directory_size {
    int64_t file_bytes; // how long the regular files are
    int64_t disk_bytes; // what all entries take on the disk, the directory itself left out
    int64_t entries;
    bool is_too_deep; // something lies deeper than DIRECTORY_DEPTH_MAX and is not counted
};

// Adds to *ret_size. Ends early at the entries_max-th entry that ret_size counts. Left out is what
// cannot be read, or is moved about meanwhile. The descriptor's position is another one afterwards.
void directory_measure(int directory_fd, int64_t entries_max, struct directory_size *ret_size);

#endif
