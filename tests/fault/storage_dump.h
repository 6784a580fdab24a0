// All that a database holds, as text: to say whether two are the same.
#ifndef TESTS_STORAGE_DUMP_H
#define TESTS_STORAGE_DUMP_H

#include "store/store.h"

// A line for each row of each table, but for the uids of collections, which are chance. Freed by
// the caller; NULL: it cannot be read.
char *storage_dump(struct store *store, struct soma_error *err);

// The first line that differs, of both; static memory, of the last call.
const char *storage_difference(const char *a, const char *b);

#endif
