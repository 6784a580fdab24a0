// The rooms that run jobs, wired together: languages, the jobs' user, the spawner, the engine, the
// janitor, JobService.
#ifndef SOMAD_JOBS_ROOM_H
#define SOMAD_JOBS_ROOM_H

#include "config/config.h"
#include "jobs/engine.h"
#include "services/gate.h"
#include "services/job_service.h"
#include "services/server_service.h"
#include "somad/door.h"
#include "somad/sandbox_probe.h"

struct jobs_room {
    const struct config *config; // borrowed
    struct languages languages;
    struct attempt_root root;
    struct spawner spawner; // until the engine takes it
    char runner_path[PATH_MAX];
    struct order_settings order;
    struct sandbox_settings sandbox;
    char layers[PROBE_TEXT_SIZE]; // of a job with all limits
    struct parking *parking;      // borrowed
    struct janitor *janitor;
    struct engine *engine;
    struct job_service *service;
    struct door door;
    struct token_key token_key;
    enum job_access access;
    struct server_language facts[LANGUAGES_MAX];
    char interpreters[LANGUAGES_MAX][128];
};

// Before the first thread: finds the program, the user, the interpreters; starts the spawner.
enum soma_code jobs_room_prepare(struct jobs_room *room, const struct config *config,
                                 struct soma_error *err);

// Takes up the jobs that run, starts the threads, makes the service.
enum soma_code jobs_room_start(struct jobs_room *room, const char *data_directory,
                               struct store *store, struct writer *writer, struct workers *workers,
                               struct parking *parking, struct soma_error *err);

// Says which languages there are, and what stands around jobs.
void jobs_room_tell(struct jobs_room *room, struct server_facts *facts);

// Ends the threads and lets go of running jobs; before writer_stop. Then, after it, the rest. Both
// take a room that is zeroed or half-started.
void jobs_room_stop(struct jobs_room *room);
void jobs_room_fini(struct jobs_room *room);

#endif
