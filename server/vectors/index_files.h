// The files of the indexes: where they are, when they are written and removed (index/hnsw_file.h
// has what is in them).
#ifndef VECTORS_INDEX_FILES_H
#define VECTORS_INDEX_FILES_H

#include "vectors/collection_private.h"

// Makes the directory, and removes what is no collection's or was not finished.
enum soma_code index_files_tidy(struct vectors *vectors, struct soma_error *err);

// NULL: there is none that is of use. The caller loads the collection.
struct rows *index_file_load(struct vectors *vectors, const struct collection *collection,
                             const struct collection_row *row, int64_t *ret_sequence);

// Is enough new to write a file? With vectors.lock.
bool index_file_is_due(const struct vectors *vectors, const struct collection *collection);
// An indexer that is alone with the collection; the set and graph are of that sequence or later,
// the partition is the collection's at the sequence.
bool index_file_save(struct vectors *vectors, const struct collection *collection,
                     int64_t partition, int64_t sequence, const struct row_set *set,
                     struct graph *graph);

// Harmless where there is none.
void index_file_remove(struct vectors *vectors, const char *uid);

#endif
