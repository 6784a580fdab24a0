// This project's server, through libsoma over a unix socket: what a program gets.
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <soma/soma.h>

#include "peer.h"

extern char **environ;

enum {
    ROWS_A_CALL = 4096,
    CALLS_MAX = 64
};

struct peer {
    const struct peer_settings *settings;
    pid_t server;
    char url[256], data[256];
    struct soma_client *client;

    struct soma_records_query_request request; // of the search in hand, as the two below
    const float *queries;
    int32_t *labels; // [count][K]

    pthread_mutex_t lock; // guards what follows
    pthread_cond_t changed;
    size_t next, count; // queries not yet asked begin at next
    size_t in_flight;
};

// A call on its way.
struct asked {
    struct peer *peer;
    size_t first, count; // of the search's queries
};

const char *const peer_name = "soma_rpc";
static const char *const COLLECTION = "bench";

static void fail(const struct soma_error *err)
{
    fprintf(stderr, "soma_rpc: %s\n", err->text);
    _exit(1);
}

static void start_server(struct peer *peer)
{
    const char *program = getenv("SOMA_BENCH_SOMAD"), *scratch = getenv("SOMA_BENCH_SCRATCH");
    const char *arguments[] = {program,   "--data",      peer->data, "--listen",
                               peer->url, "--log-level", "error",    NULL};
    snprintf(peer->url, sizeof peer->url, "ipc://%s/somad.%d", scratch, (int)getpid());
    snprintf(peer->data, sizeof peer->data, "%s/somad.%d.data", scratch, (int)getpid());
    if (!program || posix_spawn(&peer->server, program, NULL, NULL, (char **)(uintptr_t)arguments,
                                environ) != 0) {
        fprintf(stderr, "soma_rpc: %s does not start\n", program ? program : "SOMA_BENCH_SOMAD");
        exit(1);
    }
}

struct peer *peer_new(const struct peer_settings *settings)
{
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    struct soma_error err;
    struct peer *peer = calloc(1, sizeof *peer);
    peer->settings = settings;
    pthread_mutex_init(&peer->lock, NULL);
    pthread_cond_init(&peer->changed, NULL);
    start_server(peer);
    options.server = peer->url;
    options.max_in_flight = CALLS_MAX;
    if (soma_client_open(&options, &peer->client, &err))
        fail(&err);
    struct soma_ping_request ping = SOMA_PING_REQUEST_INIT; // until it listens
    struct soma_ping *pong;
    if (soma_server_ping(peer->client, &ping, NULL, &pong, &err))
        fail(&err);
    soma_free(pong);
    return peer;
}

void peer_free(struct peer *peer)
{
    soma_client_close(peer->client);
    kill(peer->server, SIGTERM);
    waitpid(peer->server, NULL, 0);
    free(peer);
}

static void create(struct peer *peer)
{
    struct soma_collection_create_request request = SOMA_COLLECTION_CREATE_REQUEST_INIT;
    struct soma_collection *collection;
    struct soma_error err;
    request.name = COLLECTION;
    request.dimension = (uint32_t)peer->settings->dim;
    request.metric = peer->settings->is_cosine ? SOMA_METRIC_COSINE : SOMA_METRIC_L2;
    request.index.m = peer->settings->m;
    request.index.ef_construction = peer->settings->ef_construction;
    request.exist_ok = true;
    if (soma_collection_create(peer->client, &request, NULL, &collection, &err))
        fail(&err);
    soma_free(collection);
}

static void upsert(struct peer *peer, const float *rows, size_t count, size_t first_label)
{
    static struct soma_record records[ROWS_A_CALL];
    static struct soma_metadata_field fields[ROWS_A_CALL][2];
    static char ids[ROWS_A_CALL][24];
    struct soma_records_write_request request = SOMA_RECORDS_WRITE_REQUEST_INIT;
    struct soma_records_written *written;
    struct soma_error err;
    for (size_t i = 0; i < count; i++) {
        size_t label = first_label + i;
        snprintf(ids[i], sizeof ids[i], "%zu", label);
        fields[i][0] = (struct soma_metadata_field){
            .key = "label", .type = SOMA_VALUE_INT, .value.integer = (int64_t)label % 100};
        fields[i][1] = (struct soma_metadata_field){
            .key = "tens", .type = SOMA_VALUE_INT, .value.integer = (int64_t)label % 10};
        records[i] = (struct soma_record){.id = ids[i], .metadata = fields[i], .metadata_count = 2};
    }
    request.collection = COLLECTION;
    request.records = records;
    request.record_count = count;
    request.embeddings = rows;
    request.dimension = (uint32_t)peer->settings->dim;
    if (soma_records_upsert(peer->client, &request, NULL, &written, &err))
        fail(&err);
    soma_free(written);
}

// The first query brings a collection into memory, and from then on it is indexed as it is written.
static void query_once(struct peer *peer)
{
    struct soma_records_query_request request = SOMA_RECORDS_QUERY_REQUEST_INIT;
    float *query = calloc(peer->settings->dim, sizeof *query);
    struct soma_error err;
    query[0] = 1;
    request.collection = COLLECTION;
    request.embeddings = query;
    request.query_count = 1;
    request.dimension = (uint32_t)peer->settings->dim;
    if (soma_records_query(peer->client, &request, NULL, NULL, &err))
        fail(&err);
    free(query);
}

// Until no row has to be compared by every query.
static void wait_for_index(struct peer *peer)
{
    enum {
        FLAT_ROWS = 4096 // fewer have no index
    };
    struct soma_collection_request request = SOMA_COLLECTION_REQUEST_INIT;
    request.collection = COLLECTION;
    for (bool is_indexed = false; !is_indexed;) {
        struct soma_collection *collection;
        struct soma_error err;
        if (soma_collection_get(peer->client, &request, NULL, &collection, &err))
            fail(&err);
        is_indexed = collection->record_count < FLAT_ROWS ||
                     collection->rows_indexed >= collection->record_count;
        soma_free(collection);
        if (!is_indexed)
            nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
}

void peer_add(struct peer *peer, const float *rows, size_t count, size_t first_label)
{
    create(peer);
    query_once(peer);
    for (size_t i = 0; i < count; i += ROWS_A_CALL)
        upsert(peer, rows + i * peer->settings->dim,
               count - i < ROWS_A_CALL ? count - i : ROWS_A_CALL, first_label + i);
    wait_for_index(peer);
}

static void ask_next(struct peer *peer);

// A call that is answered makes room for the next.
static void done(void *user, struct soma_query_results *results, const struct soma_error *err)
{
    struct asked *asked = user;
    struct peer *peer = asked->peer;
    if (err)
        fail(err);
    for (size_t i = 0; i < results->result_count; i++) {
        const struct soma_query_result *result = &results->results[i];
        for (size_t n = 0; n < result->hit_count; n++)
            peer->labels[(asked->first + i) * K + n] =
                (int32_t)strtol(result->hits[n].record.id, NULL, 10);
    }
    soma_free(results);
    free(asked);
    ask_next(peer);
    pthread_mutex_lock(&peer->lock);
    if (--peer->in_flight == 0)
        pthread_cond_signal(&peer->changed);
    pthread_mutex_unlock(&peer->lock);
}

static void ask_next(struct peer *peer)
{
    struct soma_records_query_request request = peer->request;
    struct soma_error err;
    pthread_mutex_lock(&peer->lock);
    size_t first = peer->next, left = peer->count - first;
    size_t count = left < peer->settings->queries_a_call ? left : peer->settings->queries_a_call;
    peer->next += count;
    peer->in_flight += count > 0;
    pthread_mutex_unlock(&peer->lock);
    if (!count)
        return;
    struct asked *asked = malloc(sizeof *asked);
    *asked = (struct asked){peer, first, count};
    request.embeddings = peer->queries + first * peer->settings->dim;
    request.query_count = count;
    if (soma_records_query_async(peer->client, &request, NULL, done, asked, NULL, &err))
        fail(&err);
}

bool peer_search(struct peer *peer, const float *queries, size_t count, size_t ef,
                 const struct peer_filter *filter, int32_t *ret_labels)
{
    static const struct soma_include nothing;
    peer->request = (struct soma_records_query_request)SOMA_RECORDS_QUERY_REQUEST_INIT;
    peer->request.collection = COLLECTION;
    peer->request.dimension = (uint32_t)peer->settings->dim;
    peer->request.ef = (uint32_t)ef;
    peer->request.include = &nothing;
    if (filter)
        peer->request.where = filter->modulus == 100 ? "{\"label\": 3}" : "{\"tens\": 3}";
    peer->queries = queries;
    peer->labels = ret_labels;
    peer->next = 0;
    peer->count = count;
    for (size_t i = 0; i < peer->settings->calls_in_flight; i++)
        ask_next(peer);
    pthread_mutex_lock(&peer->lock);
    while (peer->in_flight > 0)
        pthread_cond_wait(&peer->changed, &peer->lock);
    pthread_mutex_unlock(&peer->lock);
    return true;
}

bool peer_save(struct peer *peer, const char *path)
{
    (void)peer, (void)path;
    return true; // the server keeps it
}

bool peer_load(struct peer *peer, const char *path)
{
    (void)peer, (void)path;
    return true;
}

size_t peer_code_bytes(const struct peer *peer)
{
    (void)peer;
    return 0;
}

pid_t peer_server(const struct peer *peer)
{
    return peer->server;
}
