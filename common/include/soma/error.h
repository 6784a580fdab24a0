// What went wrong, end to end: the same codes on the wire, in the server and in the library.
//
// Part of the public headers; <soma/soma.h> includes it.
#ifndef SOMA_ERROR_H
#define SOMA_ERROR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// gRPC's codes with gRPC's numbers.
enum soma_code {
    SOMA_OK = 0,
    SOMA_CANCELLED = 1,
    SOMA_UNKNOWN = 2,
    // Can never be right, whatever the state.
    SOMA_INVALID_ARGUMENT = 3,
    // The outcome of a write is unknown: ask again with the same request id.
    SOMA_DEADLINE_EXCEEDED = 4,
    SOMA_NOT_FOUND = 5,
    SOMA_ALREADY_EXISTS = 6,
    SOMA_PERMISSION_DENIED = 7,
    // A limit or a full disk; nothing was changed.
    SOMA_RESOURCE_EXHAUSTED = 8,
    // Depends on the state of the thing that was named.
    SOMA_FAILED_PRECONDITION = 9,
    SOMA_ABORTED = 10,
    SOMA_OUT_OF_RANGE = 11,
    SOMA_UNIMPLEMENTED = 12,
    SOMA_INTERNAL = 13,
    // Nothing was changed; ask again.
    SOMA_UNAVAILABLE = 14,
    SOMA_DATA_LOSS = 15,
    SOMA_UNAUTHENTICATED = 16,
};

enum {
    SOMA_REASON_SIZE = 40,
    SOMA_FIELD_SIZE = 128,
    SOMA_TEXT_SIZE = 320,
};

// The caller's memory; every function that fills one takes NULL too. Untouched on success. All
// texts end in NUL and are cut to size, never allocated.
struct soma_error {
    enum soma_code code;
    // How long to wait before trying again, milliseconds; 0: no advice.
    uint32_t retry_after_ms;
    // Stable and machine-readable, "JOB_NOT_FOUND".
    char reason[SOMA_REASON_SIZE];
    // Path of the request field at fault, "spec.queue"; empty where no single field is.
    char field[SOMA_FIELD_SIZE];
    // One line for people. Never compare it.
    char text[SOMA_TEXT_SIZE];
};

#ifdef __cplusplus
}
#endif

#endif
