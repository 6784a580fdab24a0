// From a frame to a method: reads the header, finds the method by the services' descriptors,
// decodes the message, calls the handler. Knows no method by name: the descriptors that protoc-c
// generates are the table.
#ifndef RPC_DISPATCH_H
#define RPC_DISPATCH_H

#include <protobuf-c/protobuf-c.h>

#include "rpc/call.h"
#include "rpc/load.h"
#include "rpc/visitors.h"

struct dispatcher;

struct dispatcher_options {
    struct rpc_gate gate; // asked about calls of listeners that ask who calls
    size_t max_connections;
    size_t max_peer_connections;
};

// services live as long as the dispatcher.
enum soma_code dispatcher_new(ProtobufCService *const *services, size_t count,
                              const struct dispatcher_options *options,
                              struct dispatcher **ret_dispatcher, struct soma_error *err);
void dispatcher_free(struct dispatcher *dispatcher);

// The path of the method that metrics have under this number, counted from 1; NULL past the last.
const char *dispatcher_method(const struct dispatcher *dispatcher, unsigned number);

// From now on every call is failed with SERVER_STOPPING; waits for the threads that are inside
// dispatch.
void dispatcher_stop(struct dispatcher *dispatcher);

// What is in hand; the dispatcher's, for listeners to count in.
struct load *dispatcher_load(struct dispatcher *dispatcher);
// Who is connected, at any of its listeners.
struct visitors *dispatcher_visitors(struct dispatcher *dispatcher);

// Answers the call, or hands it to its handler, which does. The call has its frame.
void dispatch(struct dispatcher *dispatcher, struct rpc_call *call);

#endif
