// What a job may call: the gate of the address that jobs get as $SOMA_SERVER.
#ifndef SERVICES_JOB_GATE_H
#define SERVICES_JOB_GATE_H

#include "jobs/engine.h"
#include "rpc/gate.h"

// Rising reach.
enum job_access {
    JOB_ACCESS_OFF,  // no token, no address
    JOB_ACCESS_JOBS, // itself, and the jobs that it submits
    JOB_ACCESS_FULL, // and every collection
    JOB_ACCESS_COUNT
};

// The configuration's word for it; CONFIG_INVALID.
enum soma_code job_access_from(const char *word, enum job_access *ret_access,
                               struct soma_error *err);

struct job_gate {
    const struct token_key *key;
    struct engine *engine;
    enum job_access access;
};

// struct rpc_gate.admit, with a struct job_gate. TOKEN_MISSING, TOKEN_INVALID where it is forged or
// its attempt has ended, METHOD_NOT_ALLOWED.
enum soma_code job_gate_admit(void *job_gate, const char *method, const char *token,
                              struct rpc_caller *ret_caller, struct soma_error *err);

#endif
