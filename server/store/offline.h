// A database file without a store around it: for whoever copies or examines a data directory. A
// server may be running on it.
#ifndef STORE_OFFLINE_H
#define STORE_OFFLINE_H

#include <stdbool.h>

#include "base/error.h"
#include "store/examine.h"

// Copies soma.db of the directory, as it is at one moment, into the new file path, mode 0600,
// synced. DATA_DAMAGED where it is no database of SOMA, SCHEMA_TOO_NEW.
enum soma_code store_copy(const char *directory, const char *path, struct soma_error *err);

// Reads all of soma.db in the directory and compares what it holds twice; where its schema is an
// older one (ret_is_older), looks at the file as such. Tells at most some hundred findings. An
// error is one of reading, and says nothing; err is needed.
enum soma_code store_examine(const char *directory, store_found *found, void *user,
                             bool *ret_is_older, struct soma_error *err);

#endif
