// Checks that turn what was decoded into values that can be trusted: lengths, ranges, characters,
// required fields. What decode.h checks (UTF-8, NUL, known enum values) is not checked again.
//
// field is the whole path ("spec.limits.wall_time_ms"), which the error carries.
#ifndef SERVICES_VALIDATE_H
#define SERVICES_VALIDATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

// FIELD_REQUIRED where empty.
enum soma_code check_given(const char *text, const char *field, struct soma_error *err);

// FIELD_TOO_LONG over max bytes.
enum soma_code check_length(size_t length, int64_t max, const char *field, struct soma_error *err);

// FIELD_TOO_LONG over max bytes, FIELD_INVALID with a character that is not in allowed
// (base/text.h).
enum soma_code check_word(const char *text, int64_t max, const char *allowed, const char *field,
                          struct soma_error *err);

// FIELD_OUT_OF_RANGE.
enum soma_code check_range(int64_t value, int64_t min, int64_t max, const char *field,
                           struct soma_error *err);

// check_range from -1; -1 means 0, and 0 the fallback.
enum soma_code check_none_or_default(int64_t value, int64_t max, int64_t fallback,
                                     const char *field, int64_t *ret_value, struct soma_error *err);

// check_range from 0, then fallback in place of 0.
enum soma_code check_or_default(int64_t value, int64_t max, int64_t fallback, const char *field,
                                int64_t *ret_value, struct soma_error *err);

#endif
