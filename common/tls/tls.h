// What both sides make of certificate files for nng: server/rpc/listener.c and
// client/lib/connection.c use it. TLS is there where the build found a Mbed TLS that its nng works
// with (SOMA_TLS in common/nng/); TLS 1.2, from both sides.
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include <stdbool.h>

#include "base/error.h"

// nng's; nng_tls_config.
struct nng_tls_config;

// PEM files. Of a client, "" or NULL is none; a server has a certificate and its key.
struct tls_files {
    const char *ca;          // who has to have signed the peer's certificate
    const char *certificate; // our own, with those between it and the authority behind it
    const char *key;         // of that
};

bool tls_is_built(void);

// Whether the address is one over TLS: tls+tcp or wss.
bool tls_is_address(const char *url);

// For a listener. Without a ca no client is asked for a certificate, with one each must have one.
// CONFIG_INVALID with what is wrong with which file; field is that of the key of the configuration.
enum soma_code tls_server_new(const struct tls_files *files, struct nng_tls_config **ret_config,
                              struct soma_error *err);

// For a dialer of the address, whose host the server's certificate must name. Without a ca those
// that the machine trusts. FIELD_INVALID with the field of struct soma_client_options.
enum soma_code tls_client_new(const struct tls_files *files, const char *url,
                              struct nng_tls_config **ret_config, struct soma_error *err);

// Gives it back; nng holds it as long as it uses it. Takes NULL.
void tls_free(struct nng_tls_config *config);

#endif
