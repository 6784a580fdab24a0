// The scene of the tests of libsoma's core: a fake server that does with its first requests what a
// table says, a client, and what the server saw.
#ifndef CLIENT_SCENE_H
#define CLIENT_SCENE_H

#include <soma/soma.h>

#include "fake_server.h"

enum {
    SEEN_MAX = 64
};

struct scene {
    struct fake_server *server;
    struct soma_client *client;
    enum fake_action actions[SEEN_MAX]; // by number of request
    int codes[SEEN_MAX];
    const char *reason;
    uint32_t retry_after_ms;
    const void *raw;
    size_t raw_length;
    uint8_t ids[SEEN_MAX][SOMA_REQUEST_ID_BYTES];
    size_t id_lengths[SEEN_MAX];
    int32_t timeouts[SEEN_MAX];
};

// For cmocka_unit_test_setup_teardown. max_in_flight is 1.
int client_scene_open(void **state);
int client_scene_close(void **state);

// Fails the test where what comes back is not what was sent.
enum soma_code scene_ping(struct scene *scene, const struct soma_call_options *options,
                          struct soma_error *err);

#endif
