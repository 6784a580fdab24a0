// Clients and calls: what every other part of libsoma stands on. Include <soma/soma.h>.
#ifndef SOMA_CLIENT_H
#define SOMA_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <soma/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SOMA_API __attribute__((visibility("default")))
#else
#define SOMA_API
#endif

// The initial value of a struct that begins with struct_size: all other fields are 0.
#if defined(__cplusplus)
#define SOMA_INIT(type) \
    {                   \
        sizeof(type)    \
    }
#else
#define SOMA_INIT(type)             \
    {                               \
        .struct_size = sizeof(type) \
    }
#endif

// --- clients -------------------------------------------------------------------------

struct soma_client;

struct soma_client_options {
    size_t struct_size;
    // "ipc:///run/soma/somad.sock", "tcp://127.0.0.1:7766", "tls+tcp://soma.example:7766",
    // "ws://…", "wss://…". NULL: $SOMA_SERVER, or the address that a server of this user listens on
    // by default; where none does, that of the machine's own server, ipc:///run/soma/somad.sock, if
    // this user may connect to it.
    const char *server;
    // Sent with each request; NULL: $SOMA_TOKEN, or none.
    const char *token;
    // Program and version for the server's log, "ingest/1.2"; NULL: "libsoma/VERSION". At most 64
    // bytes.
    const char *program;
    // For calls that give none. 0: 30 000. Below 0: no deadline but the server's.
    int64_t timeout_ms;
    // Requests in flight at once; more wait their turn. 0: 32. At most 1 024. Small calls, large
    // ones and long polls (wait_ms above 0) are counted apart; of long polls there may be 1 024.
    uint32_t max_in_flight;
    // How long a call waits for a server that this client has not reached yet, before
    // SERVER_UNREACHABLE. 0: 2 000. Below 0: as long as the call's timeout.
    int64_t connect_timeout_ms;
    // Where the calls work: which jobs, queues and collections there are. NULL: $SOMA_NAMESPACE, or
    // that of the token; where none is asked for, "default". At most 63 characters of
    // [A-Za-z0-9._-], a letter or digit first.
    const char *namespace_name;
    // Of addresses over TLS (tls+tcp, wss), PEM files. Who has to have signed the certificate of
    // the server, which has to name the address's host among its DNS names. NULL: $SOMA_CA_FILE, or
    // those that this machine trusts (/etc/ssl/certs/ca-certificates.crt).
    const char *ca_file;
    // This client's own certificate and its key, for servers that ask for one. NULL:
    // $SOMA_CERTIFICATE_FILE and $SOMA_KEY_FILE, or none.
    const char *certificate_file;
    const char *key_file;
};
#define SOMA_CLIENT_OPTIONS_INIT SOMA_INIT(struct soma_client_options)

// Does not wait for the server: the first call does. options may be NULL.
SOMA_API enum soma_code soma_client_open(const struct soma_client_options *options,
                                         struct soma_client **ret_client, struct soma_error *err);

// Calls that are still in flight end with SOMA_CANCELLED; their callbacks have returned when this
// returns. Not from a callback. Takes NULL.
SOMA_API void soma_client_close(struct soma_client *client);

// The address in use; lives as long as the client.
SOMA_API const char *soma_client_server(const struct soma_client *client);

// "0.1.0", of the library.
SOMA_API const char *soma_version(void);

// Gives back what any function here gave. Takes NULL.
SOMA_API void soma_free(void *result);

// --- calls ---------------------------------------------------------------------------

enum {
    SOMA_REQUEST_ID_BYTES = 16
};

struct soma_call_options {
    size_t struct_size;
    // Everything, retries included, milliseconds. 0: the client's. Below 0: already past,
    // SOMA_DEADLINE_EXCEEDED without a request.
    int64_t timeout_ms;
    // Attempts at most. 0: as many as the timeout allows. 1: no retry.
    uint32_t max_attempts;
    // First wait between attempts, doubled each time up to retry_max_ms, each shortened at random
    // by up to half. 0: 20 and 2 000.
    uint32_t retry_first_ms;
    uint32_t retry_max_ms;
    // SOMA_REQUEST_ID_BYTES bytes that name this change for ever, for callers that retry across
    // their own restarts. NULL: the library makes one for each call.
    const uint8_t *request_id;
};
#define SOMA_CALL_OPTIONS_INIT SOMA_INIT(struct soma_call_options)

// A call on its way.
struct soma_call;

// Gives the call up: its callback is called with SOMA_CANCELLED, unless it is already on its way.
// What the server did is unknown. The pointer is dead when the callback has returned.
SOMA_API void soma_call_cancel(struct soma_call *call);

// Every method below has two functions. The first waits:
//
//     enum soma_code soma_NAME(client, request, options, &result, err)
//
// and the second calls done, once, from a thread of the library, which must neither be kept for
// long nor wait for another call; result is done's to free, and NULL when err is not, except where
// a method says otherwise. ret_call may be NULL. When the function itself fails (a bad argument, no
// memory) done is never called. The waiting form sets *result to NULL on failure, with the same
// exceptions; ret_result may be NULL.
//
//     enum soma_code soma_NAME_async(client, request, options, done, user, &call, err)
//
// options and err may be NULL everywhere.
#define SOMA_METHOD(NAME, REQUEST, RESULT)                                                         \
    SOMA_API enum soma_code soma_##NAME(struct soma_client *client, const struct REQUEST *request, \
                                        const struct soma_call_options *options,                   \
                                        struct RESULT **ret_result, struct soma_error *err);       \
    typedef void soma_##NAME##_done(void *user, struct RESULT *result,                             \
                                    const struct soma_error *err);                                 \
    SOMA_API enum soma_code soma_##NAME##_async(                                                   \
        struct soma_client *client, const struct REQUEST *request,                                 \
        const struct soma_call_options *options, soma_##NAME##_done *done, void *user,             \
        struct soma_call **ret_call, struct soma_error *err)

#ifdef __cplusplus
}
#endif

#endif
