// Pages over HTTP/1.1 for what watches the server: exact paths, GET and HEAD, nothing from the
// disk.
//
// nng's own server, the one that carries ws://. A listener of the RPC on the same address shares
// its port.
#ifndef RPC_HTTP_H
#define RPC_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "rpc/workers.h"

struct http_server;

enum {
    HTTP_OK = 200,
    HTTP_UNAVAILABLE = 503,
    HTTP_ADDRESS_SIZE = 128
};

struct http_answer {
    int status;
    char *text; // the answerer's malloc, freed by the caller; NULL: none, and the status is 503
    size_t length;
};

struct http_page {
    const char *path; // "/metrics"
    const char *content_type;
    // It may touch the disk, so a worker answers; otherwise the thread that received it does.
    bool is_slow;
    void (*answer)(void *user, struct http_answer *ret_answer);
};

// address is HOST:PORT, port 0: any. Pages end with one whose path is NULL; they, user and workers
// are borrowed. CONFIG_INVALID with field "http".
enum soma_code http_open(const char *address, const struct http_page *pages, void *user,
                         struct workers *workers, struct http_server **ret_server,
                         struct soma_error *err);

// HOST:PORT with the port that it got.
const char *http_address(const struct http_server *server);

// Ends connections, once their answers are made; after workers_stop. Takes NULL.
void http_close(struct http_server *server);

#endif
