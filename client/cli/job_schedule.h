// When a job is started, and started again: as options, for people and as JSON.
#ifndef CLI_JOB_SCHEDULE_H
#define CLI_JOB_SCHEDULE_H

#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/pool.h"

// Fills these parts of spec from the options below; its memory is the pool's and argv's.
int job_schedule_read(const struct cli *cli, const struct options *options, struct pool *pool,
                      struct soma_job_spec *spec);

// The options that job_schedule_read knows, as rows of an option table.
#define JOB_SCHEDULE_OPTIONS                                                                       \
    {"at", 0, "TIME", "start no earlier", false},                                                  \
        {"delay", 0, "DURATION", "start no earlier than this from now", false},                    \
        {"start-within", 0, "DURATION", "give it up when it has not been started by then", false}, \
        {"after", 0, "ID", "start when this job has succeeded; also ID,ID", true},                 \
        {"after-policy", 0, "WHAT", "when it has not: cancel (default), fail or run", false},      \
        {"dedupe", 0, "KEY", "take the job that is queued or running under the key", false},       \
        {"retries", 0, "N", "try a failed job again, at most N times (0)", false},                 \
        {"backoff", 0, "FIRST[,FACTOR[,MAX]]", "waits between the tries (1s,2,1h)", false},        \
    {                                                                                              \
        "retry-on", 0, "REASON", "only after such ends; also REASON,REASON", true                  \
    }

enum {
    WAIT_TEXT_SIZE = 120
};

// Why a queued job does not run, for people: "queue paused", "at 2025-…"; "" where it is not
// queued, or waits for a place.
const char *job_wait_text(const struct soma_job *job, char text[WAIT_TEXT_SIZE]);

// Lines of 'soma show'.
void job_schedule_print(const struct soma_job *job);

// Members of the job's JSON object; with_history: what only soma_job_get tells too.
void job_waits_to_json(struct json_out *out, const struct soma_job *job, bool with_history);
void job_schedule_to_json(struct json_out *out, const struct soma_job_spec *spec);

#endif
