#include "lib/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "lib/attempt.h"
#include "lib/packing.h"
#include "lib/timer.h"
#include "wire/limits.h"

enum {
    IN_FLIGHT_DEFAULT = 32,
    IN_FLIGHT_MAX = 1024,
    CONNECT_TIMEOUT_MS = 2000,
    TOKEN_BYTES_MAX = 512,
    PROGRAM_BYTES_MAX = 64,
    NAMESPACE_BYTES_MAX = 63,
    ADDRESS_SIZE = 512,
    PATH_BYTES_MAX = 4095
};

const char *soma_version(void)
{
    return SOMA_VERSION;
}

const char *soma_client_server(const struct soma_client *client)
{
    return client ? client->server : NULL;
}

// A copy of what is given, or of the environment's, or of otherwise.
static enum soma_code take_text(char **ret, const char *field, const char *given,
                                const char *environment, const char *otherwise, size_t max_bytes,
                                struct soma_error *err)
{
    const char *text = given;
    if (!text && environment)
        text = getenv(environment);
    if (!text || !text[0])
        text = given ? given : otherwise;
    if (strlen(text) > max_bytes)
        return error_set(err, REASON_FIELD_TOO_LONG, field, "more than %zu bytes", max_bytes);
    *ret = strdup(text);
    return *ret ? SOMA_OK : error_set_no_memory(err);
}

static enum soma_code take_texts(struct soma_client *client,
                                 const struct soma_client_options *options, struct soma_error *err)
{
    char address[ADDRESS_SIZE];
    if (!address_find_server(address, sizeof address))
        address[0] = '\0';
    enum soma_code code = take_text(&client->server, "server", options->server, "SOMA_SERVER",
                                    address, ADDRESS_SIZE, err);
    if (code == SOMA_OK)
        code = take_text(&client->token, "token", options->token, "SOMA_TOKEN", "", TOKEN_BYTES_MAX,
                         err);
    if (code == SOMA_OK)
        code = take_text(&client->space, "namespace_name", options->namespace_name,
                         "SOMA_NAMESPACE", "", NAMESPACE_BYTES_MAX, err);
    if (code == SOMA_OK)
        code = take_text(&client->program, "program", options->program, NULL,
                         "libsoma/" SOMA_VERSION, PROGRAM_BYTES_MAX, err);
    if (code == SOMA_OK && !client->server[0])
        code = error_set(err, REASON_FIELD_REQUIRED, "server",
                         "no address is given, and neither $SOMA_SERVER, $XDG_RUNTIME_DIR nor "
                         "$HOME says one");
    return code;
}

static enum soma_code take_files(struct soma_client *client,
                                 const struct soma_client_options *options, struct soma_error *err)
{
    enum soma_code code = take_text(&client->ca_file, "ca_file", options->ca_file, "SOMA_CA_FILE",
                                    "", PATH_BYTES_MAX, err);
    if (code == SOMA_OK)
        code = take_text(&client->certificate_file, "certificate_file", options->certificate_file,
                         "SOMA_CERTIFICATE_FILE", "", PATH_BYTES_MAX, err);
    if (code == SOMA_OK)
        code = take_text(&client->key_file, "key_file", options->key_file, "SOMA_KEY_FILE", "",
                         PATH_BYTES_MAX, err);
    return code;
}

static enum soma_code open_connection(struct soma_client *client, int number,
                                      struct soma_error *err)
{
    const struct tls_files files = {
        .ca = client->ca_file, .certificate = client->certificate_file, .key = client->key_file};
    return connection_open(client->server, &files, attempt_done, &client->connections[number], err);
}

static enum soma_code take_numbers(struct soma_client *client,
                                   const struct soma_client_options *options,
                                   struct soma_error *err)
{
    if (options->max_in_flight > IN_FLIGHT_MAX)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, "max_in_flight", "more than %d",
                         IN_FLIGHT_MAX);
    client->timeout_ms = options->timeout_ms ? options->timeout_ms : LIMIT_DEFAULT_TIMEOUT_MS;
    client->connect_timeout_ms = options->connect_timeout_ms;
    if (client->connect_timeout_ms == 0)
        client->connect_timeout_ms = CONNECT_TIMEOUT_MS;
    if (client->connect_timeout_ms < 0)
        client->connect_timeout_ms = INT64_MAX;
    uint32_t limit = options->max_in_flight ? options->max_in_flight : IN_FLIGHT_DEFAULT;
    for (int i = 0; i < LANE_COUNT; i++)
        client->lanes[i].limit = i < LANE_POLLS ? limit : LIMIT_PARKED_PER_PEER;
    return SOMA_OK;
}

static void init_locks(struct soma_client *client)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&client->lock, NULL);
    pthread_cond_init(&client->timer_wake, &monotonic);
    pthread_cond_init(&client->ended, NULL);
    pthread_condattr_destroy(&monotonic);
}

static enum soma_code start(struct soma_client *client, const struct soma_client_options *options,
                            struct soma_error *err)
{
    static const struct soma_client_options defaults = SOMA_CLIENT_OPTIONS_INIT;
    struct soma_client_options room;
    const void *known = &defaults;
    enum soma_code code = SOMA_OK;
    if (options)
        code = struct_take(options, sizeof *options, "options", &room, &known, err);
    options = known;
    if (code == SOMA_OK)
        code = take_texts(client, options, err);
    if (code == SOMA_OK)
        code = take_numbers(client, options, err);
    if (code == SOMA_OK)
        code = take_files(client, options, err);
    if (code == SOMA_OK)
        code = open_connection(client, CONNECTION_SMALL, err);
    return code == SOMA_OK ? timer_start(client, err) : code;
}

enum soma_code soma_client_open(const struct soma_client_options *options,
                                struct soma_client **ret_client, struct soma_error *err)
{
    if (!ret_client)
        return error_set(err, REASON_FIELD_REQUIRED, "ret_client", "it is NULL");
    *ret_client = NULL;
    struct soma_client *client = calloc(1, sizeof *client);
    if (!client)
        return error_set_no_memory(err);
    init_locks(client);
    enum soma_code code = start(client, options, err);
    if (code != SOMA_OK) {
        soma_client_close(client);
        return code;
    }
    *ret_client = client;
    return SOMA_OK;
}

enum soma_code client_connection(struct soma_client *client, int number, struct connection **ret,
                                 struct soma_error *err)
{
    enum soma_code code = SOMA_OK;
    pthread_mutex_lock(&client->lock);
    if (!client->connections[number])
        code = open_connection(client, number, err);
    if (code == SOMA_OK)
        *ret = client->connections[number];
    pthread_mutex_unlock(&client->lock);
    return code;
}

void soma_client_close(struct soma_client *client)
{
    if (!client)
        return;
    pthread_mutex_lock(&client->lock);
    client->closing = true;
    calls_give_up(client);
    while (client->call_count > 0)
        pthread_cond_wait(&client->ended, &client->lock);
    pthread_mutex_unlock(&client->lock);
    timer_stop(client);
    for (int i = 0; i < CONNECTION_COUNT; i++)
        connection_close(client->connections[i]);
    pthread_cond_destroy(&client->ended);
    pthread_cond_destroy(&client->timer_wake);
    pthread_mutex_destroy(&client->lock);
    free(client->server);
    free(client->token);
    free(client->space);
    free(client->program);
    free(client->ca_file);
    free(client->certificate_file);
    free(client->key_file);
    free(client);
}
