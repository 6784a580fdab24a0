// soma.v1.JobService.
#ifndef SERVICES_JOB_SERVICE_H
#define SERVICES_JOB_SERVICE_H

#include "jobs/engine.h"
#include "jobs/janitor.h"
#include "rpc/parking.h"
#include "store/writer.h"

struct job_service;

// All borrowed for as long as the service lives.
struct job_service_config {
    struct store *store;
    struct writer *writer;
    struct workers *workers;
    struct parking *parking;
    struct engine *engine;
    struct janitor *janitor;
    const struct attempt_root *root;
    const struct languages *languages;
    const struct sandbox_settings *sandbox;
    struct job_room room;
    int64_t submits_per_second; // in one namespace; past it RATE_LIMIT. 0: no bound
};

enum soma_code job_service_new(const struct job_service_config *config,
                               struct job_service **ret_service, struct soma_error *err);
void job_service_free(struct job_service *service);

// For the dispatcher.
ProtobufCService *job_service_base(struct job_service *service);

#endif
