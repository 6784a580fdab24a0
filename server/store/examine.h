// What the database holds twice, compared: for whoever asks whether it is sound.
#ifndef STORE_EXAMINE_H
#define STORE_EXAMINE_H

#include "base/clock.h"
#include "store/store.h"

// Hears of each thing that is wrong; text is valid during the call.
typedef void store_found(void *user, const char *text);

// Reads the whole database file in a read transaction. Tells at most some hundred findings; where
// the file itself is broken, nothing but that: what it says of itself would mislead. An error is
// one of reading, and says nothing; err is needed. DEADLINE_EXCEEDED.
enum soma_code store_examine_in(struct store_txn *txn, struct mono_time deadline,
                                store_found *found, void *user, struct soma_error *err);

// Only the file, whatever its schema is.
enum soma_code store_examine_file(struct store_txn *txn, store_found *found, void *user,
                                  struct soma_error *err);

#endif
