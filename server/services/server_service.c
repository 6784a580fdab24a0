#include "services/server_service.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/text.h"
#include "rpc/call.h"
#include "rpc/counters.h"
#include "services/server_service_private.h"
#include "wire/frame.h"
#include "wire/limits.h"

void *server_new_messages(struct arena *arena, size_t count, size_t size)
{
    void **pointers = arena_calloc(arena, count + 1, sizeof *pointers);
    char *messages = arena_calloc(arena, count + 1, size);
    if (!pointers || !messages)
        return NULL;
    for (size_t i = 0; i < count; i++)
        pointers[i] = messages + i * size;
    return pointers;
}

void server_no_memory(struct rpc_call *call)
{
    struct soma_error err = {0};
    error_set_no_memory(&err);
    rpc_call_fail(call, &err);
}

SERVER_HANDLER(ping, Ping)
{
    (void)base;
    if (request->payload.len > (size_t)LIMIT_PING_BYTES) {
        struct soma_error err = {0};
        error_set(&err, REASON_FIELD_TOO_LONG, "payload", "a payload of %zu bytes, at most %lld",
                  request->payload.len, (long long)LIMIT_PING_BYTES);
        rpc_call_fail(call, &err);
        return;
    }
    Pb__PingResponse response = PB__PING_RESPONSE__INIT;
    response.payload = request->payload;
    response.server_time_unix_ms = clock_wall_now().ms;
    closure(&response, call);
}

static const struct server_stat *own_limit(const struct server_facts *facts, const char *name)
{
    for (size_t i = 0; i < facts->limit_count; i++) {
        if (strcmp(facts->limits[i].name, name) == 0)
            return &facts->limits[i];
    }
    return NULL;
}

static void put_limit(Pb__Limit *message, const char *name, int64_t value)
{
    pb__limit__init(message);
    message->name = name;
    message->value = value;
}

static bool put_limits(struct arena *arena, const struct server_facts *facts,
                       Pb__GetServerInfoResponse *response)
{
    size_t fixed = 0, count = 0;
    while (limit_table[fixed].name)
        fixed++;
    response->limits = server_new_messages(arena, fixed + facts->limit_count, sizeof(Pb__Limit));
    if (!response->limits)
        return false;
    for (size_t i = 0; i < fixed; i++) {
        if (!own_limit(facts, limit_table[i].name))
            put_limit(response->limits[count++], limit_table[i].name, limit_table[i].value);
    }
    for (size_t i = 0; i < facts->limit_count; i++)
        put_limit(response->limits[count++], facts->limits[i].name, facts->limits[i].value);
    response->n_limits = count;
    return true;
}

static bool put_enforcement(struct arena *arena, const struct server_facts *facts,
                            Pb__GetServerInfoResponse *response)
{
    size_t count = facts->enforcement_count;
    response->enforcement = server_new_messages(arena, count, sizeof(Pb__Enforcement));
    for (size_t i = 0; response->enforcement && i < count; i++) {
        pb__enforcement__init(response->enforcement[i]);
        response->enforcement[i]->name = facts->enforcement[i].name;
        response->enforcement[i]->enforced = facts->enforcement[i].enforced;
        response->enforcement[i]->detail = facts->enforcement[i].detail;
    }
    response->n_enforcement = count;
    return response->enforcement != NULL;
}

static bool put_languages(struct arena *arena, const struct server_facts *facts,
                          Pb__GetServerInfoResponse *response)
{
    size_t count = facts->language_count;
    response->languages = server_new_messages(arena, count, sizeof(Pb__Language));
    for (size_t i = 0; response->languages && i < count; i++) {
        pb__language__init(response->languages[i]);
        response->languages[i]->name = facts->languages[i].name;
        response->languages[i]->interpreter = facts->languages[i].interpreter;
    }
    response->n_languages = count;
    return response->languages != NULL;
}

SERVER_HANDLER(get_server_info, GetServerInfo)
{
    (void)request;
    const struct server_service *service = (const struct server_service *)base;
    const struct server_facts *facts = service->facts;
    struct arena *arena = rpc_call_arena(call);
    Pb__GetServerInfoResponse response = PB__GET_SERVER_INFO_RESPONSE__INIT;
    response.version = SOMA_VERSION;
    response.frame_version = FRAME_VERSION;
    response.boot_id = service->boot_id;
    response.started_unix_ms = facts->started_unix_ms;
    response.pid = (uint32_t)getpid();
    response.kernels = facts->kernels;
    response.sandbox = facts->sandbox;
    response.job_network = facts->job_network;
    response.listeners = (const char **)facts->listeners;
    response.n_listeners = facts->listener_count;
    response.libraries = (const char **)facts->libraries;
    response.n_libraries = facts->library_count;
    if (put_limits(arena, facts, &response) && put_enforcement(arena, facts, &response) &&
        put_languages(arena, facts, &response))
        closure(&response, call);
    else
        server_no_memory(call);
}

static void put_stat(Pb__Stat *stat, const char *name, int64_t value)
{
    pb__stat__init(stat);
    stat->name = name;
    stat->value = value;
}

static void answer_stats(struct rpc_call *call, const ProtobufCMessage *request, void *user)
{
    (void)request;
    const struct server_facts *facts = ((const struct server_service *)user)->facts;
    struct server_stat stats[SERVER_STATS_MAX];
    size_t count = facts->stats ? facts->stats(facts->stats_source, stats) : 0;
    Pb__GetStatsResponse response = PB__GET_STATS_RESPONSE__INIT;
    response.n_stats = COUNTER_COUNT + count;
    response.stats = server_new_messages(rpc_call_arena(call), response.n_stats, sizeof(Pb__Stat));
    if (!response.stats) {
        server_no_memory(call);
        return;
    }
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        put_stat(response.stats[i], counter_names[i], counter_value((enum counter)i));
    for (size_t i = 0; i < count; i++)
        put_stat(response.stats[COUNTER_COUNT + i], stats[i].name, stats[i].value);
    rpc_call_reply(call, &response.base);
}

SERVER_HANDLER(get_stats, GetStats)
{
    (void)closure;
    struct server_service *service = (struct server_service *)base;
    workers_run(service->facts->workers, call, &request->base, answer_stats, service);
}

enum soma_code server_service_new(const struct server_facts *facts,
                                  struct server_service **ret_service, struct soma_error *err)
{
    struct server_service *service = calloc(1, sizeof *service);
    if (!service)
        return error_set_no_memory(err);
    uint8_t id[BOOT_ID_BYTES];
    random_bytes(id, sizeof id);
    text_from_bytes(service->boot_id, id, sizeof id);
    service->base = (Pb__ServerService_Service)PB__SERVER_SERVICE__INIT(server_);
    service->facts = facts;
    *ret_service = service;
    return SOMA_OK;
}

void server_service_free(struct server_service *service)
{
    free(service);
}

ProtobufCService *server_service_base(struct server_service *service)
{
    return &service->base.base;
}
