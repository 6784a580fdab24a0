// Which finished jobs go: past their keep time, past what their queue keeps, past the total size.
// One small step at a time, so that the writer is held up by none.
#ifndef JOBS_RETENTION_H
#define JOBS_RETENTION_H

#include "store/jobs.h"
#include "store/writer.h"

enum retention_rule {
    RETENTION_EXPIRED,    // the job's keep time is over
    RETENTION_TOTAL_SIZE, // the output of all finished jobs: what ended first goes
    // Of one queue, as its settings say.
    RETENTION_QUEUE_AGE,
    RETENTION_QUEUE_JOBS,
    RETENTION_QUEUE_SIZE,
    RETENTION_RULE_COUNT
};

struct retention_step {
    struct write_op op; // begins the struct
    enum retention_rule rule;
    const char *queue;        // for the rules of one queue; borrowed
    int64_t output_bytes_max; // for RETENTION_TOTAL_SIZE; 0: no bound
    struct arena arena;       // the list's
    struct job_list list;     // the jobs that went
};

// Removes some jobs that the rule no longer lets stay; step->list says which: where it is empty, or
// the code is not SOMA_OK, there is nothing left to do. retention_step_fini in any case.
enum soma_code retention_step_run(struct retention_step *step, struct writer *writer,
                                  struct soma_error *err);
void retention_step_fini(struct retention_step *step);

// Why, for the log.
const char *retention_rule_text(enum retention_rule rule);

#endif
