// The threads that keep graphs up with their collections' rows: in steps of bounded length they
// insert what waits, sweep out what died, and write the index's file. Behind everybody else: they
// run at a lower priority, and searches never wait for them.
#ifndef VECTORS_INDEXER_H
#define VECTORS_INDEXER_H

#include "vectors/collection_private.h"

enum soma_code indexer_start(struct vectors *vectors, unsigned threads, struct soma_error *err);
void indexer_stop(struct vectors *vectors);

// The changer of the collection's rows: makes the graph once they are many. Without vectors.lock.
void indexer_make_graph(const struct collection *collection, struct rows *rows);
// With vectors.lock: rows were written, and so many died.
void indexer_note(struct vectors *vectors, struct collection *collection, size_t killed);
// With vectors.lock: rows that a reader saw may be swept now.
void indexer_note_reader_gone(struct vectors *vectors, const struct collection *collection);

#endif
