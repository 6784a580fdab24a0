// Filling a struct soma_error. A reason carries its code (reasons.def), so the two can never
// disagree.
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stddef.h>

#include "soma/error.h"

enum reason {
#define REASON(name, code, meaning) REASON_##name,
#include "base/reasons.def"
#undef REASON
    REASON_COUNT
};

struct reason_row {
    const char *name;    // "JOB_NOT_FOUND", what travels
    enum soma_code code; // the one code it goes with
    const char *meaning; // for docs/PROTOCOL.md
};

// All reasons, indexed by enum reason.
extern const struct reason_row reason_table[REASON_COUNT];

// Fills err, which may be NULL, and returns the reason's code. field may be NULL.
enum soma_code error_set(struct soma_error *err, enum reason reason, const char *field,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));

// error_set(REASON_IO_ERROR) with the text of an errno behind the formatted one; ENOSPC and EDQUOT
// become DISK_FULL, ENOMEM becomes OUT_OF_MEMORY.
enum soma_code error_set_errno(struct soma_error *err, int errnum, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// error_set(REASON_OUT_OF_MEMORY).
enum soma_code error_set_no_memory(struct soma_error *err);

// Puts "prefix." before the field of an error that was made by a part, "prefix" alone where the
// part named none, and joins without a dot before '['.
void error_prefix_field(struct soma_error *err, const char *prefix);

// "NOT_FOUND" for SOMA_NOT_FOUND; "CODE_77" never: an unknown number is "UNKNOWN".
const char *code_name(enum soma_code code);

// The code for a number from the wire; an unknown one is SOMA_UNKNOWN.
enum soma_code code_from_number(int number);

#endif
