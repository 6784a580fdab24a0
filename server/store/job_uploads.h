// Which job has taken which upload. The files themselves are jobs/uploads.h's.
#ifndef STORE_JOB_UPLOADS_H
#define STORE_JOB_UPLOADS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

enum soma_code job_uploads_find(struct store_txn *txn, const char *id, bool *ret_is_taken,
                                struct soma_error *err);
enum soma_code job_uploads_insert(struct store_txn *txn, const char *id, int64_t num,
                                  struct soma_error *err);
// The job is removed, its uploads with it.
enum soma_code job_uploads_forget(struct store_txn *txn, int64_t num, struct soma_error *err);

#endif
