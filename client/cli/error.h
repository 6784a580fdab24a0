// How failures are said, and what the program exits with.
//
// Every function here prints one failure to stderr ("soma: WHAT: WHY" and a hint, or one JSON
// object with -o json) and returns the exit status that belongs to it.
#ifndef CLI_ERROR_H
#define CLI_ERROR_H

#include "cli/cli.h"

// 'soma help exit-codes' explains them.
enum exit_status {
    STATUS_OK = 0,
    STATUS_FAILED = 1,
    STATUS_USAGE = 2,
    STATUS_NOT_FOUND = 3,
    STATUS_DENIED = 4,
    STATUS_UNREACHABLE = 5,
    STATUS_CONFLICT = 6,
    STATUS_LIMIT = 7,
    STATUS_STILL_RUNNING = 8,
    STATUS_SOMA_FAILED = 125,
    STATUS_INTERRUPTED = 130,
    STATUS_PIPE = 141,
};

struct status_row {
    int status;
    const char *meaning;
};

// All of them, for people; ends with a row without a meaning.
extern const struct status_row status_table[];

// What the library said. what is formatted: "cannot show job X".
__attribute__((format(printf, 3, 4))) int
report_error(const struct cli *cli, const struct soma_error *err, const char *what, ...);

// A command line or an input that cannot be right; "WHAT: WHY" is formatted; hint may be NULL.
__attribute__((format(printf, 3, 4))) int report_usage(const struct cli *cli, const char *hint,
                                                       const char *format, ...);

// Something else that failed here.
__attribute__((format(printf, 4, 5))) int report_failure(const struct cli *cli, int status,
                                                         const char *hint, const char *format, ...);
int report_out_of_memory(const struct cli *cli);

// What is worth knowing and no failure, on one line without control characters; not with --quiet.
__attribute__((format(printf, 2, 3))) void notice(const struct cli *cli, const char *format, ...);

// The server is away or busy: the same may succeed later.
bool error_is_passing(const struct soma_error *err);

// "NOT_FOUND"; "UNKNOWN" for a code without a name.
const char *error_code_name(enum soma_code code);

#endif
