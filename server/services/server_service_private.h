// What the files of the server's own service share: one handler for each method, and small helpers.
#ifndef SERVICES_SERVER_SERVICE_PRIVATE_H
#define SERVICES_SERVER_SERVICE_PRIVATE_H

#include <stdatomic.h>

#include "rpc/call.h"
#include "services/server_service.h"
#include "soma/v1/server.pb-c.h"

enum {
    BOOT_ID_BYTES = 16
};

struct server_service {
    Pb__ServerService_Service base; // first: the dispatcher's pointer leads back here
    const struct server_facts *facts;
    atomic_bool is_checking;
    char boot_id[2 * BOOT_ID_BYTES + 1];
};

// The service's handlers, as protoc-c declares them.
#define SERVER_HANDLER(name, Method)                                                          \
    void server_##name(Pb__ServerService_Service *base, const Pb__##Method##Request *request, \
                       Pb__##Method##Response_Closure closure, void *call)

SERVER_HANDLER(ping, Ping);
SERVER_HANDLER(get_server_info, GetServerInfo);
SERVER_HANDLER(get_stats, GetStats);
SERVER_HANDLER(check_server, CheckServer);
SERVER_HANDLER(create_token, CreateToken);
SERVER_HANDLER(list_tokens, ListTokens);
SERVER_HANDLER(revoke_token, RevokeToken);

// An array of count pointers to count zeroed messages of size bytes, in the call's arena; NULL: no
// memory.
void *server_new_messages(struct arena *arena, size_t count, size_t size);

void server_no_memory(struct rpc_call *call);

#endif
