// An address to listen on, checked before nng gets it.
//
// nng would delete a regular file that stands where an ipc socket should be, and a second server on
// the same path would break the first one's listener. So the path is looked at, and a lock file
// beside it is held, before anything connects.
#ifndef RPC_ENDPOINT_H
#define RPC_ENDPOINT_H

#include <stdbool.h>

#include "base/error.h"

enum {
    ENDPOINT_URL_SIZE = 256
};

struct endpoint {
    char url[ENDPOINT_URL_SIZE]; // as it is given to nng, later with the port that it got
    bool is_ipc;                 // a socket file, whose mode matters
    bool is_network;             // of TCP
    bool is_ws;                  // whose own frames have a limit of their own
    bool is_tls;                 // needs a certificate
    int lock_fd;                 // of "PATH.lock"; -1 where there is none
};

// Schemes ipc, tcp, ws, tls+tcp, wss and inproc; tcp and ws only on a loopback address, unless
// leaves_host: what they carry can be read on the way. Makes the folder of an ipc path (mode 0700)
// where it is missing, and locks it, unless the folder is the server's own and locked with its
// data.
enum soma_code endpoint_open(const char *url, bool is_locked_already, bool leaves_host,
                             struct endpoint *ret_endpoint, struct soma_error *err);
// Lets the lock go. Harmless on a closed one.
void endpoint_close(struct endpoint *endpoint);

#endif
