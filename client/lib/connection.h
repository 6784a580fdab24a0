// One connection to the server: a REQ socket that dials until it gets through, and the requests on
// it. The one header behind which nng is.
//
// An exchange is one request and its reply. Exchanges are kept and used again: taken, filled,
// started, ended once by done (on a thread of nng's), given back. REQ's own re-sending is off; what
// is sent again, and when, is decided above.
#ifndef LIB_CONNECTION_H
#define LIB_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "tls/tls.h"

struct connection;
struct exchange;

enum exchange_end {
    EXCHANGE_REPLIED,
    EXCHANGE_UNSENT,    // not sent within send_ms: nothing happened
    EXCHANGE_LOST,      // sent, and the connection ended
    EXCHANGE_TIMED_OUT, // sent, and no reply by its time
    EXCHANGE_CANCELLED,
    EXCHANGE_NO_MEMORY, // not sent
};

// reply is borrowed until it returns. The exchange may be given back or started again from here.
typedef void exchange_done(void *user, enum exchange_end end, const uint8_t *reply, size_t length);

// Dials in the background. An address that can never be right is FIELD_INVALID "server"; the files
// are read for one over TLS.
enum soma_code connection_open(const char *url, const struct tls_files *files, exchange_done *done,
                               struct connection **ret, struct soma_error *err);

// Every exchange must have ended. Takes NULL.
void connection_close(struct connection *connection);

// Whether the server can be reached now, and whether it ever could.
bool connection_is_up(const struct connection *connection);
bool connection_was_up(const struct connection *connection);

// An idle exchange, or NULL without memory.
struct exchange *connection_take(struct connection *connection);
void connection_give(struct connection *connection, struct exchange *exchange);

// Room for a request of that length, to be filled before the start; NULL without memory.
uint8_t *exchange_fill(struct exchange *exchange, size_t length);

// False, and done is not called, where it was cancelled before. send_ms bounds how long it waits
// for a connection.
bool exchange_start(struct exchange *exchange, void *user, int32_t send_ms,
                    struct mono_time reply_by);

// From any thread, as long as the exchange is not given back.
void exchange_cancel(struct exchange *exchange);

#endif
