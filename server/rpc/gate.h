// Who calls, where the listener asks. A listener that asks has its calls admitted one by one before
// their method is looked for; on the others the owner of the socket calls, who may do everything.
#ifndef RPC_GATE_H
#define RPC_GATE_H

#include <stdint.h>

#include "base/error.h"
#include "base/id.h"
#include "base/namespaces.h"

// Who was admitted.
struct rpc_caller {
    char job_id[ID_SIZE]; // the job that calls; "": the holder of a token does
    uint32_t attempt;     // of the job
    uint32_t withheld;    // bits of enum scope that it has not; a job has what its submitter had
    char space[NAMESPACE_SIZE]; // where it works
};

struct rpc_gate {
    // Whether whoever holds the token may call the method; fills ret_caller. UNAUTHENTICATED or
    // PERMISSION_DENIED. Any thread; must not block.
    enum soma_code (*admit)(void *user, const char *method, const char *token,
                            struct rpc_caller *ret_caller, struct soma_error *err);
    void *user;
};

#endif
