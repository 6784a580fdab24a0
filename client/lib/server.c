// ServerService.
#include <soma/v1/server.pb-c.h>

#include "lib/packing.h"
#include "lib/reading.h"

void server_ping_pack(const struct soma_ping_request *request, struct packing *packing)
{
    Pb__PingRequest *message = packing->message;
    message->payload = pack_bytes(packing, "payload", request->payload, request->payload_length);
}

void server_ping_read(struct reading *reading, struct soma_ping *result)
{
    const Pb__PingResponse *message = reading->replies->message;
    result->payload = message->payload.data;
    result->payload_length = message->payload.len;
    result->server_time_ms = message->server_time_unix_ms;
}

void server_info_pack(const struct soma_empty_request *request, struct packing *packing)
{
    (void)request;
    (void)packing;
}

static void read_limits(struct reading *reading, const Pb__GetServerInfoResponse *message,
                        struct soma_server_info *result)
{
    struct soma_named_value *limits = read_array(reading, message->n_limits, sizeof *limits);
    for (size_t i = 0; limits && i < message->n_limits; i++)
        limits[i] = (struct soma_named_value){message->limits[i]->name, message->limits[i]->value};
    result->limits = limits;
    result->limit_count = message->n_limits;
}

static void read_enforcement(struct reading *reading, const Pb__GetServerInfoResponse *message,
                             struct soma_server_info *result)
{
    struct soma_enforcement *rows = read_array(reading, message->n_enforcement, sizeof *rows);
    for (size_t i = 0; rows && i < message->n_enforcement; i++) {
        const Pb__Enforcement *from = message->enforcement[i];
        rows[i] = (struct soma_enforcement){from->name, from->enforced, from->detail};
    }
    result->enforcement = rows;
    result->enforcement_count = message->n_enforcement;
}

static void read_languages(struct reading *reading, const Pb__GetServerInfoResponse *message,
                           struct soma_server_info *result)
{
    struct soma_language *rows = read_array(reading, message->n_languages, sizeof *rows);
    for (size_t i = 0; rows && i < message->n_languages; i++) {
        const Pb__Language *from = message->languages[i];
        rows[i] = (struct soma_language){from->name, from->interpreter};
    }
    result->languages = rows;
    result->language_count = message->n_languages;
}

void server_info_read(struct reading *reading, struct soma_server_info *result)
{
    const Pb__GetServerInfoResponse *message = reading->replies->message;
    result->version = message->version;
    result->frame_version = message->frame_version;
    result->boot_id = message->boot_id;
    result->started_ms = message->started_unix_ms;
    result->pid = message->pid;
    result->kernels = message->kernels;
    result->sandbox = message->sandbox;
    result->job_network = message->job_network;
    result->listeners = message->listeners;
    result->listener_count = message->n_listeners;
    result->libraries = message->libraries;
    result->library_count = message->n_libraries;
    read_limits(reading, message, result);
    read_enforcement(reading, message, result);
    read_languages(reading, message, result);
}

void server_stats_pack(const struct soma_empty_request *request, struct packing *packing)
{
    (void)request;
    (void)packing;
}

void server_stats_read(struct reading *reading, struct soma_server_stats *result)
{
    const Pb__GetStatsResponse *message = reading->replies->message;
    struct soma_named_value *stats = read_array(reading, message->n_stats, sizeof *stats);
    for (size_t i = 0; stats && i < message->n_stats; i++)
        stats[i] = (struct soma_named_value){message->stats[i]->name, message->stats[i]->value};
    result->stats = stats;
    result->stat_count = message->n_stats;
}

void server_check_pack(const struct soma_server_check_request *request, struct packing *packing)
{
    Pb__CheckServerRequest *message = packing->message;
    message->step = pack_text_or_none(request->step);
    (void)packing;
}

void server_check_read(struct reading *reading, struct soma_server_check *result)
{
    const Pb__CheckServerResponse *message = reading->replies->message;
    struct soma_server_finding *rows = read_array(reading, message->n_findings, sizeof *rows);
    for (size_t i = 0; rows && i < message->n_findings; i++)
        rows[i] =
            (struct soma_server_finding){message->findings[i]->what, message->findings[i]->message};
    result->findings = rows;
    result->finding_count = message->n_findings;
    result->found = message->finding_count;
    result->next_step = read_text_or_null(message->next_step);
}
