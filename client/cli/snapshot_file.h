// The file of a snapshot: "SOMASNAP", a version, pages with their lengths, and an end with how many
// there are and a checksum of all before it. What a page is stays between the library's functions.
// Numbers are little-endian. Written and read from front to back, so pipes will do.
#ifndef CLI_SNAPSHOT_FILE_H
#define CLI_SNAPSHOT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct snapshot_file {
    FILE *file; // the caller's
    uint64_t checksum, pages;
    unsigned char *page; // read last; owned
    size_t page_room;
};

enum snapshot_read {
    SNAPSHOT_PAGE,
    SNAPSHOT_END,     // whole and unchanged
    SNAPSHOT_NONE,    // this is no snapshot, or of a later version
    SNAPSHOT_DAMAGED, // torn or changed
    SNAPSHOT_FAILED   // errno
};

// False: the stream fails.
bool snapshot_write_begin(struct snapshot_file *snapshot, FILE *file);
bool snapshot_write_page(struct snapshot_file *snapshot, const void *bytes, size_t length);
bool snapshot_write_end(struct snapshot_file *snapshot);

// SNAPSHOT_PAGE: go on with snapshot_read_page.
enum snapshot_read snapshot_read_begin(struct snapshot_file *snapshot, FILE *file);
// The page lives until the next call.
enum snapshot_read snapshot_read_page(struct snapshot_file *snapshot, const void **ret_bytes,
                                      size_t *ret_length);
void snapshot_file_fini(struct snapshot_file *snapshot);

#endif
