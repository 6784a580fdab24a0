// A server in the test's own process: a REP socket, one request at a time, answered by the test's
// script. It can do what an honest server never does.
#ifndef FAKE_SERVER_H
#define FAKE_SERVER_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

enum fake_action {
    FAKE_REPLY,
    FAKE_RAW,  // raw bytes in place of a frame
    FAKE_HOLD, // no reply, ever
    FAKE_DROP, // the connection ends
};

struct fake_request {
    size_t number; // from 0, over restarts
    const char *method;
    int32_t timeout_ms;
    const char *token;
    const uint8_t *request_id;
    size_t request_id_length;
    const uint8_t *message;
    size_t length;
};

// All of it lives as long as arena, until the answer is sent.
struct fake_answer {
    enum fake_action action;
    struct arena *arena;
    int code;
    const char *reason;
    const char *field;
    uint32_t retry_after_ms;
    const ProtobufCMessage *message; // NULL: empty
    const void *raw;
    size_t raw_length;
};

// Runs on the server's thread.
typedef void fake_script(void *user, const struct fake_request *request,
                         struct fake_answer *answer);

struct fake_server;

// Listens on a socket of its own in a scratch directory; fails the test where it cannot.
struct fake_server *fake_server_open(fake_script *script, void *user);
void fake_server_close(struct fake_server *server);

const char *fake_server_url(const struct fake_server *server);
// Goes away, and comes back.
void fake_server_stop(struct fake_server *server);
void fake_server_start(struct fake_server *server);

size_t fake_server_count(struct fake_server *server);
// Waits until that many requests have come; fails the test after 10 s.
void fake_server_await(struct fake_server *server, size_t count);

// A request's message or NULL, in the answer's arena.
void *fake_unpack(const struct fake_request *request, struct fake_answer *answer,
                  const ProtobufCMessageDescriptor *type);
// An initialised message in the answer's arena.
void *fake_message(struct fake_answer *answer, const ProtobufCMessageDescriptor *type);

#endif
