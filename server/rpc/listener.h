// The server's socket: nng stands behind this header and nowhere else in the server.
//
// Owns the socket, its contexts and their calls. A context receives a frame, lends its call to the
// dispatcher, sends the reply, receives again. Contexts are opened as calls pile up (parked ones
// keep theirs), up to a cap; past it nng holds back the peers.
#ifndef RPC_LISTENER_H
#define RPC_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "rpc/dispatch.h"
#include "rpc/parking.h"
#include "tls/tls.h"

struct listener;

struct listener_options {
    const char *const *urls; // at least 1
    size_t url_count;
    mode_t ipc_mode;             // of socket files
    bool asks_who;               // the dispatcher's gate admits the calls, one by one
    bool leaves_host;            // tcp and ws on any address, not on loopback alone
    const struct tls_files *tls; // for TLS addresses; read when it opens
    bool is_locked_already;      // nobody else can listen there: the folder is locked with the data
};

enum {
    LISTENER_URLS_MAX = 16
};

// Listens on all of the addresses, or on none. parking hears of vanished peers; both are borrowed
// until listener_close.
enum soma_code listener_open(const struct listener_options *options, struct dispatcher *dispatcher,
                             struct parking *parking, struct listener **ret_listener,
                             struct soma_error *err);

// Reads the certificates again, for connections that come from now on; but the one that is waited
// for may still get the old. On failure nothing is changed.
enum soma_code listener_reload(struct listener *listener, const struct tls_files *files,
                               struct soma_error *err);

// The i-th address, with the port that it got; NULL past the last.
const char *listener_url(const struct listener *listener, size_t i);

// Waits at most wait_ms for the calls in hand to be answered, then closes everything, in the order
// that nng survives. Takes NULL.
void listener_close(struct listener *listener, int64_t wait_ms);

// "nng 1.5.2".
const char *listener_library(void);

#endif
