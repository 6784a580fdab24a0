// Where the server listens: for its owner, on the network, for jobs. Who opens an ipc socket is
// known by the file's mode; everywhere else callers are asked for a token.
#ifndef SOMAD_LISTENERS_H
#define SOMAD_LISTENERS_H

#include "config/config.h"
#include "jobs/order.h"
#include "rpc/listener.h"
#include "somad/door.h"

enum {
    ADDRESSES_SIZE = LISTENER_URLS_MAX * 260
};

struct listeners {
    struct listener *owner;   // ipc and inproc, and with "insecure" all; NULL: none
    struct listener *network; // tcp and ws; NULL: none
    struct listener *jobs;    // the door; NULL: jobs get no address
    const char
        *urls[LISTENER_URLS_MAX];   // as the configuration has them, with the ports that they got
    char addresses[ADDRESSES_SIZE]; // of urls, with spaces between them
};

// The configuration's addresses, or none of them.
enum soma_code listeners_open(struct listeners *listeners, const struct config *config,
                              struct dispatcher *dispatcher, struct parking *parking,
                              struct soma_error *err);

// The door, where orders name one.
enum soma_code listeners_open_door(struct listeners *listeners, const struct door *door,
                                   const struct order_settings *order,
                                   struct dispatcher *dispatcher, struct parking *parking,
                                   struct soma_error *err);

// Reads the certificates of TLS addresses again; on failure the old ones stay.
enum soma_code listeners_reload(struct listeners *listeners, const struct config *config,
                                struct soma_error *err);

// Waits at most wait_ms for each one's calls in hand. Harmless on what is not open.
void listeners_close(struct listeners *listeners, int64_t wait_ms);

#endif
