// Who may call what, of those who come to a listener that asks: jobs by their own tokens, everybody
// else by those that CreateToken made.
#ifndef SERVICES_GATE_H
#define SERVICES_GATE_H

#include "access/tokens.h"
#include "jobs/engine.h"
#include "rpc/gate.h"
#include "store/writer.h"

// What jobs reach; rising.
enum job_access {
    JOB_ACCESS_OFF,  // no token, no address
    JOB_ACCESS_JOBS, // itself, and the jobs that it submits
    JOB_ACCESS_FULL, // and every collection
    JOB_ACCESS_COUNT
};

// The configuration's word for it; CONFIG_INVALID.
enum soma_code job_access_from(const char *word, enum job_access *ret_access,
                               struct soma_error *err);

struct gate {
    // Of jobs.
    const struct token_key *key;
    struct engine *engine;
    enum job_access access;
    // Of others.
    struct tokens *tokens;
    struct writer *writer; // hears when one was used
};

// struct rpc_gate.admit, with a struct gate. TOKEN_MISSING; TOKEN_INVALID where it is forged, was
// revoked or its attempt has ended; TOKEN_EXPIRED; METHOD_NOT_ALLOWED.
enum soma_code gate_admit(void *gate, const char *method, const char *token,
                          struct rpc_caller *ret_caller, struct soma_error *err);

#endif
