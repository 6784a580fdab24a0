// The load of `nng_load ping` through libsoma's asynchronous calls.
//
//     soma_load URL IN_FLIGHT SECONDS
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <soma/soma.h>

#include "load.h"

enum {
    IN_FLIGHT_MAX = 1024,
    PAYLOAD_BYTES = 64
};

struct slot {
    struct soma_client *client;
    int64_t sent_ns;
};

static const unsigned char payload[PAYLOAD_BYTES];
static uint32_t *latencies;
static atomic_size_t finished;
static atomic_int running;
static atomic_bool stopping;

static void send_next(struct slot *slot);

static void done(void *user, struct soma_ping *result, const struct soma_error *err)
{
    struct slot *slot = user;
    if (err) {
        fprintf(stderr, "soma_load: %s\n", err->text);
        _exit(1);
    }
    soma_free(result);
    size_t place = atomic_fetch_add(&finished, 1);
    if (place < LATENCIES_MAX)
        latencies[place] = (uint32_t)(now_ns() - slot->sent_ns);
    if (atomic_load(&stopping))
        atomic_fetch_sub(&running, 1);
    else
        send_next(slot);
}

static void send_next(struct slot *slot)
{
    struct soma_ping_request request = SOMA_PING_REQUEST_INIT;
    struct soma_error err;
    request.payload = payload;
    request.payload_length = sizeof payload;
    slot->sent_ns = now_ns();
    if (soma_server_ping_async(slot->client, &request, NULL, done, slot, NULL, &err) != SOMA_OK) {
        fprintf(stderr, "soma_load: %s\n", err.text);
        _exit(1);
    }
}

int main(int argc, char **argv)
{
    static struct slot slots[IN_FLIGHT_MAX];
    int in_flight = argc == 4 ? (int)number_of(argv[2], IN_FLIGHT_MAX) : 0;
    double seconds = argc == 4 ? number_of(argv[3], 60) : 0;
    if (in_flight < 1 || seconds <= 0) {
        fprintf(stderr, "usage: soma_load URL IN_FLIGHT SECONDS\n");
        return 2;
    }
    latencies = calloc(LATENCIES_MAX, sizeof *latencies);
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    options.server = argv[1];
    options.max_in_flight = (uint32_t)in_flight;
    struct soma_client *client;
    if (soma_client_open(&options, &client, NULL) != SOMA_OK)
        return 1;
    int64_t begun = now_ns();
    atomic_store(&running, in_flight);
    for (int i = 0; i < in_flight; i++) {
        slots[i].client = client;
        send_next(&slots[i]);
    }
    usleep((useconds_t)(seconds * 1e6));
    size_t count = atomic_load(&finished);
    double passed = (double)(now_ns() - begun) / 1e9;
    atomic_store(&stopping, true);
    for (int i = 0; i < 30000 && atomic_load(&running) > 0; i++)
        usleep(1000);
    soma_client_close(client);
    report(latencies, count, passed);
    return 0;
}
