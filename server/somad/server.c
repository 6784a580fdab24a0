#include "somad/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "rpc/connections.h"
#include "rpc/workers.h"
#include "services/gate.h"
#include "services/server_service.h"
#include "services/vector_service.h"
#include "somad/data_directory.h"
#include "somad/exporter.h"
#include "somad/jobs_room.h"
#include "somad/listeners.h"
#include "somad/stats.h"
#include "somad/watchdog.h"
#include "store/store.h"
#include "store/tokens.h"
#include "store/writer.h"
#include "vectors/kernels/kernels.h"
#include "wire/limits.h"

enum {
    LIBRARIES_MAX = 4,
    CLOSE_WAIT_MS = 1000, // for the last replies on their way
    IDLE_PERIOD_MAX_MS = 30000,
};

// Fields in the order in which they are started; stopped the other way round, but for what
// server_stop says.
struct server {
    const struct config *config; // borrowed
    struct data_directory data;
    struct store *store;
    struct writer *writer;
    struct workers *workers;
    struct parking *parking;
    struct jobs_room jobs;
    struct vectors *vectors;
    struct vector_service *vector_service;
    struct server_service *server_service;
    struct tokens *tokens;
    struct dispatcher *dispatcher;
    struct listeners listeners;
    struct gate gate;
    struct server_facts facts;
    struct stats_sources stats;
    struct exporter exporter;
    struct watchdog watchdog;
    struct mono_time watchdog_due, idle_due;
    const char *libraries[LIBRARIES_MAX];
};

static unsigned worker_count(const struct config *config)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return config->workers ? (unsigned)config->workers
                           : (unsigned)(processors > 0 ? processors : 1) + 2;
}

// One thread for each processor is at a call with many queries.
static unsigned helper_count(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors > 1 ? (unsigned)processors - 1 : 0;
}

// Queries come first, by their priority. Where there are but two processors one would be too few.
static unsigned indexer_count(const struct config *config)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (config->indexers)
        return (unsigned)config->indexers;
    return processors > 2 ? (unsigned)processors - 1 : processors == 2 ? 2 : 1;
}

// Before the first thread, as it starts a process.
static enum soma_code prepare_jobs(struct server *server, struct soma_error *err)
{
    return jobs_room_prepare(&server->jobs, server->config, err);
}

// Scripts and $SOMA_PROGRESS are named by their whole paths.
static void warn_of_closed_path(const struct server *server)
{
    const struct order_settings *order = &server->jobs.order;
    char closed[PATH_MAX];
    if (order->changes_user &&
        !data_directory_is_open_to(&server->data, order->uid, order->gid, closed))
        log_warning("JOBS-PATH-CLOSED",
                    "jobs run as %s, who may not pass through %s: 'chmod o+x' it, or keep the data "
                    "elsewhere",
                    server->config->job_user, closed);
}

static enum soma_code load_tokens(struct server *server, struct soma_error *err)
{
    struct access_token *list = calloc(LIMIT_TOKENS, sizeof *list);
    size_t count = 0;
    struct store_txn *txn;
    if (!list)
        return error_set_no_memory(err);
    enum soma_code code = store_read_begin(server->store, &txn, err);
    if (code == SOMA_OK) {
        code = token_store_list(txn, list, &count, err);
        store_read_end(txn);
    }
    if (code == SOMA_OK)
        code = tokens_new(list, count, &server->tokens, err);
    free(list);
    return code;
}

static enum soma_code open_store(struct server *server, struct soma_error *err)
{
    unsigned readers = worker_count(server->config);
    enum soma_code code = data_directory_open(server->config->data, &server->data, err);
    if (code == SOMA_OK)
        warn_of_closed_path(server);
    if (code == SOMA_OK)
        code = store_open(server->data.path, readers, &server->store, err);
    if (code == SOMA_OK)
        code = writer_start(server->store, LIMIT_WAITING_REQUESTS, &server->writer, err);
    return code == SOMA_OK ? load_tokens(server, err) : code;
}

static enum soma_code start_threads(struct server *server, struct soma_error *err)
{
    enum soma_code code =
        workers_start(worker_count(server->config), LIMIT_WAITING_REQUESTS, &server->workers, err);
    if (code == SOMA_OK)
        code = parking_start(server->workers, &server->parking, err);
    return code;
}

static enum soma_code start_jobs(struct server *server, struct soma_error *err)
{
    enum soma_code code = jobs_room_start(&server->jobs, server->data.path, server->store,
                                          server->writer, server->workers, server->parking, err);
    jobs_room_tell(&server->jobs, &server->facts);
    return code;
}

static bool try_worker(void *workers, void (*run)(void *argument), void *argument)
{
    return workers_try_idle(workers, run, argument);
}

static bool is_quiet(void *workers)
{
    return workers_are_quiet(workers);
}

static enum soma_code start_vectors(struct server *server, struct soma_error *err)
{
    char directory[PATH_MAX + sizeof "/index"];
    snprintf(directory, sizeof directory, "%s/index", server->data.path);
    const struct vectors_options options = {.budget_bytes = (size_t)server->config->memory_budget,
                                            .indexers = indexer_count(server->config),
                                            .directory = directory,
                                            .spread = {.context = server->workers,
                                                       .try_run = try_worker,
                                                       .is_quiet = is_quiet,
                                                       .helpers = helper_count()}};
    enum soma_code code = vectors_open(server->store, &options, &server->vectors, err);
    const struct vector_service_rooms rooms = {.store = server->store,
                                               .writer = server->writer,
                                               .workers = server->workers,
                                               .vectors = server->vectors};
    return code ? code : vector_service_new(&rooms, &server->vector_service, err);
}

static enum soma_code make_services(struct server *server, struct soma_error *err)
{
    server->stats =
        (struct stats_sources){server->store, server->writer, server->parking, server->vectors};
    server->facts.stats = stats_gather;
    server->facts.stats_source = &server->stats;
    server->facts.store = server->store;
    server->facts.vectors = server->vectors;
    snprintf(server->facts.jobs_path, sizeof server->facts.jobs_path, "%.*s/jobs", PATH_MAX - 8,
             server->data.path);
    server->facts.workers = server->workers;
    server->facts.writer = server->writer;
    server->facts.tokens = server->tokens;
    enum soma_code code = server_service_new(&server->facts, &server->server_service, err);
    if (code != SOMA_OK)
        return code;
    ProtobufCService *const services[] = {server_service_base(server->server_service),
                                          job_service_base(server->jobs.service),
                                          vector_service_base(server->vector_service)};
    server->gate = (struct gate){.key = &server->jobs.token_key,
                                 .engine = server->jobs.engine,
                                 .access = server->jobs.access,
                                 .tokens = server->tokens,
                                 .writer = server->writer};
    const struct dispatcher_options options = {
        .gate = {.admit = gate_admit, .user = &server->gate},
        .max_connections = (size_t)server->config->max_connections,
        .max_peer_connections = (size_t)server->config->max_peer_connections,
    };
    return dispatcher_new(services, sizeof services / sizeof services[0], &options,
                          &server->dispatcher, err);
}

static enum soma_code open_exporter(struct server *server, struct soma_error *err)
{
    rpc_call_set_slow(server->config->slow_ms);
    server->exporter.config = server->config;
    server->exporter.sources = &server->stats;
    server->exporter.dispatcher = server->dispatcher;
    server->exporter.data = server->data.path;
    server->exporter.started_unix_ms = server->facts.started_unix_ms;
    return exporter_open(&server->exporter, server->workers, err);
}

static void fill_facts(struct server *server)
{
    server->libraries[0] = listener_library();
    server->libraries[1] = store_library();
    server->facts.started_unix_ms = clock_wall_now().ms;
    server->facts.kernels = kernels_best()->name;
    server->facts.libraries = server->libraries;
    server->facts.library_count = 2;
    server->facts.listeners = server->listeners.urls;
}

static void tell_limits(struct server *server)
{
    const struct config *config = server->config;
    const struct server_stat limits[] = {
        {"connections", (int64_t)visitors_max(dispatcher_visitors(server->dispatcher))},
        {"connections_per_peer", config->max_peer_connections},
        {"idle_ms", config->idle_ms},
        {"max-unfinished", config->max_unfinished},
        {"max-namespace-queued", config->max_namespace_queued},
        {"max-submits", config->max_submits},
    };
    _Static_assert(sizeof limits <= sizeof server->facts.limits, "room for the limits");
    memcpy(server->facts.limits, limits, sizeof limits);
    server->facts.limit_count = sizeof limits / sizeof limits[0];
}

static enum soma_code listen_everywhere(struct server *server, struct soma_error *err)
{
    tell_limits(server);
    enum soma_code code = listeners_open(&server->listeners, server->config, server->dispatcher,
                                         server->parking, err);
    server->facts.listener_count = server->config->listen.count;
    if (code == SOMA_OK)
        code = listeners_open_door(&server->listeners, &server->jobs.door, &server->jobs.order,
                                   server->dispatcher, server->parking, err);
    return code;
}

// Last, so that a server that cannot start has started no job.
static enum soma_code open_for_jobs(struct server *server, struct soma_error *err)
{
    (void)err;
    watchdog_init(&server->watchdog, server->writer);
    engine_begin_claims(server->jobs.engine);
    exporter_set_state(&server->exporter, EXPORTER_READY);
    return SOMA_OK;
}

enum soma_code server_start(const struct config *config, struct server **ret_server,
                            struct soma_error *err)
{
    static enum soma_code (*const steps[])(struct server *, struct soma_error *) = {
        prepare_jobs,  open_store,    start_threads,     start_jobs,   start_vectors,
        make_services, open_exporter, listen_everywhere, open_for_jobs};
    struct server *server = calloc(1, sizeof *server);
    if (!server)
        return error_set_no_memory(err);
    server->config = config;
    server->data.lock_fd = -1;
    server->jobs.spawner = SPAWNER_INIT;
    server->jobs.root.fd = server->jobs.door.fd = -1;
    fill_facts(server);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        enum soma_code code = steps[i](server, err);
        if (code != SOMA_OK) {
            server_stop(server);
            return code;
        }
    }
    *ret_server = server;
    return SOMA_OK;
}

const char *server_addresses(const struct server *server)
{
    return server->listeners.addresses;
}

void server_reload(struct server *server)
{
    struct soma_error err = {0};
    if (listeners_reload(&server->listeners, server->config, &err) != SOMA_OK)
        log_error("CERTIFICATES-KEPT", "the old ones stay: %s", err.text);
    else
        log_info("CERTIFICATES-READ", "connections that come from now on get them");
}

// Whether the time for it has come, which then comes again after the period.
static bool is_due(struct mono_time *due, int64_t period_ms)
{
    if (clock_left_ms(*due) > 0)
        return false;
    *due = clock_deadline_after(period_ms);
    return true;
}

// An idle connection stays a tenth longer than it may.
static int64_t idle_period_ms(const struct server *server)
{
    int64_t period_ms = server->config->idle_ms / 10;
    return period_ms < IDLE_PERIOD_MAX_MS ? period_ms : IDLE_PERIOD_MAX_MS;
}

int64_t server_look(struct server *server)
{
    if (is_due(&server->idle_due, idle_period_ms(server)))
        connections_close_idle(server->dispatcher, server->config->idle_ms);
    int64_t left_ms = clock_left_ms(server->idle_due);
    if (server->watchdog.period_ms == 0)
        return left_ms + 1;
    if (is_due(&server->watchdog_due, server->watchdog.period_ms))
        watchdog_look(&server->watchdog);
    int64_t other_ms = clock_left_ms(server->watchdog_due);
    return (other_ms < left_ms ? other_ms : left_ms) + 1;
}

// Each step leaves nothing behind that the next one stops: no new calls, then no parked ones, no
// running ones, no waiting writes; then all calls are answered and the listener can go. Until it
// has gone calls arrive and are refused, some by workers and writer: memory is freed after that.
void server_stop(struct server *server)
{
    if (!server)
        return;
    exporter_set_state(&server->exporter, EXPORTER_STOPPING);
    crash_point(CRASH_STOP_BEGUN);
    if (server->dispatcher)
        dispatcher_stop(server->dispatcher);
    parking_stop(server->parking);
    workers_stop(server->workers);
    jobs_room_stop(&server->jobs);
    writer_stop(server->writer);
    listeners_close(&server->listeners, CLOSE_WAIT_MS);
    exporter_close(&server->exporter);
    dispatcher_free(server->dispatcher);
    server_service_free(server->server_service);
    jobs_room_fini(&server->jobs);
    vector_service_free(server->vector_service);
    vectors_close(server->vectors);
    parking_free(server->parking);
    tokens_free(server->tokens);
    workers_free(server->workers);
    writer_free(server->writer);
    crash_point(CRASH_STOP_DRAINED);
    store_close(server->store);
    data_directory_close(&server->data);
    free(server);
}
