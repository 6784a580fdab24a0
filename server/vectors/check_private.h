// What the files of a check share: check.c compares, check_recall.c measures.
#ifndef VECTORS_CHECK_PRIVATE_H
#define VECTORS_CHECK_PRIVATE_H

#include "vectors/check.h"

struct check {
    const struct check_request *request;
    struct arena *arena;
    struct store_txn *txn;
    struct collection_row row; // as the transaction sees it
    struct collection_reader reader;
    struct check_report report;
    struct check_finding found[CHECK_KINDS]; // by kind, also those that did not occur
};

// id NULL: no record can be named.
void check_note(struct check *check, enum check_kind kind, int64_t count, const char *id);

enum soma_code check_recall(struct check *check, struct soma_error *err);

#endif
