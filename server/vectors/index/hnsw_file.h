// The index's file: a collection's rows and its graph as they are at one sequence, so that opening
// the collection is mapping the file. A cache: whatever is wrong with it, it is thrown away and the
// database read instead.
//
//     head, then sections, each at a multiple of FILE_ALIGNMENT, padded with zeros
// The head has the place, length and checksum of each section, and a checksum of itself; padding is
// checked too, so that no byte of the file can change unseen. Numbers are little-endian. The file
// is written beside its place, synced and renamed (index_file_write), and opened privately mapped,
// so that changes in memory never reach it (index_file_open).
#ifndef VECTORS_INDEX_HNSW_FILE_H
#define VECTORS_INDEX_HNSW_FILE_H

#include "base/error.h"
#include "base/id.h"
#include "vectors/index.h"
#include "vectors/index/graph.h"

enum {
    FILE_ALIGNMENT = 64 << 10,
    FILE_VERSION = 2
};

enum file_section {
    SECTION_CODES,
    SECTION_LINKS,
    SECTION_UPPERS,
    SECTION_UPPER_AT,
    SECTION_LEVELS,
    SECTION_NUMS,    // int64_t[row_count]
    SECTION_NODES,   // uint32_t[row_count]; ROW_WAITING, ROW_UNFIT, or the row's node
    SECTION_ID_ENDS, // uint64_t[row_count]: where the id ends in SECTION_IDS, behind its NUL
    SECTION_IDS,
    SECTION_VECTORS, // float[row_count][dim]
    SECTION_COUNT
};

// What a file is of; another collection, state or setting, and it is of no use.
struct file_subject {
    char uid[ID_SIZE];
    int64_t partition;
    enum metric metric;
    uint32_t dim;
    struct index_settings settings;
    const char *directory; // of rows (rows.h), borrowed
};

struct file_place {
    uint64_t offset, bytes, checksum;
};

struct file_head {
    char magic[8];
    uint32_t version;
    uint32_t dim, metric, quantization, m, ef_construction;
    char uid[32];
    int64_t partition, sequence;
    uint32_t node_count, upper_count, entry, row_count;
    struct file_place places[SECTION_COUNT];
    uint64_t file_bytes;
    uint64_t checksum; // of all before it
};

// Any single changed byte changes it.
uint64_t file_checksum(const void *bytes, size_t length);

// Writes the rows that are alive at the sequence; nobody inserts or sweeps meanwhile. The caller
// holds the set. DISK_FULL, INTERNAL.
enum soma_code index_file_write(const char *path, const struct file_subject *subject,
                                int64_t sequence, const struct row_set *set, struct graph *graph,
                                struct soma_error *err);

// The rows and graph of the file; *ret_sequence is theirs. NULL: there is no such file, or it is of
// no use, and was removed: *ret_why says why, "" where there was none.
struct rows *index_file_open(const char *path, const struct file_subject *subject,
                             int64_t *ret_sequence, const char **ret_why);

#endif
