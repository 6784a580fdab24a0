#include "jobs/retention.h"

#include "store/queues.h"

enum {
    STEP_JOBS = 64,
    STEP_BYTES = 16 << 20,
};

static const char *const texts[RETENTION_RULE_COUNT] = {
    [RETENTION_EXPIRED] = "its keep time is over",
    [RETENTION_TOTAL_SIZE] = "the output of all finished jobs is over its bound",
    [RETENTION_QUEUE_AGE] = "its queue keeps finished jobs no longer",
    [RETENTION_QUEUE_JOBS] = "its queue keeps no more finished jobs",
    [RETENTION_QUEUE_SIZE] = "its queue keeps no more output",
};

const char *retention_rule_text(enum retention_rule rule)
{
    return texts[rule];
}

// How much is too much: the first of the listed jobs go until one of these is used up.
struct excess {
    int64_t jobs;
    int64_t bytes;
};

static enum soma_code choose_of_all(struct retention_step *step, struct store_txn *txn,
                                    struct excess *ret_excess, struct soma_error *err)
{
    struct wall_time now = clock_wall_now();
    struct job_totals totals;
    *ret_excess = (struct excess){INT64_MAX, INT64_MAX};
    if (step->rule == RETENTION_EXPIRED)
        return job_store_expired(txn, now, STEP_JOBS, &step->arena, &step->list, err);
    enum soma_code code = job_store_totals(txn, &totals, err);
    if (code != SOMA_OK || step->output_bytes_max == 0)
        return code;
    ret_excess->bytes = totals.output_bytes - step->output_bytes_max;
    if (ret_excess->bytes <= 0)
        return SOMA_OK;
    return job_store_ended(txn, &(struct job_filter){0}, now, STEP_JOBS, &step->arena, &step->list,
                           err);
}

// What is over the queue's bound; nothing where it has none. *ret_before: only jobs that ended by
// then.
static struct excess excess_of(const struct queue *queue, enum retention_rule rule,
                               struct wall_time *ret_before)
{
    const struct queue_settings *settings = &queue->settings;
    struct excess excess = {0, 0};
    int64_t finished = 0;
    for (int state = JOB_RUNNING + 1; state < JOB_STATE_COUNT; state++)
        finished += queue->count_of[state];
    *ret_before = clock_wall_now();
    if (rule == RETENTION_QUEUE_AGE && settings->keep_ms > 0) {
        ret_before->ms -= settings->keep_ms;
        excess = (struct excess){INT64_MAX, INT64_MAX};
    } else if (rule == RETENTION_QUEUE_JOBS && settings->keep_jobs > 0) {
        excess = (struct excess){finished - settings->keep_jobs, INT64_MAX};
    } else if (rule == RETENTION_QUEUE_SIZE && settings->keep_bytes > 0) {
        excess = (struct excess){INT64_MAX, queue->output_bytes - settings->keep_bytes};
    }
    return excess;
}

static enum soma_code choose_of_queue(struct retention_step *step, struct store_txn *txn,
                                      struct excess *ret_excess, struct soma_error *err)
{
    struct queue queue;
    struct wall_time before;
    enum soma_code code = queue_store_peek(txn, step->queue, &queue, err);
    if (code != SOMA_OK)
        return code;
    *ret_excess = excess_of(&queue, step->rule, &before);
    if (ret_excess->jobs <= 0 || ret_excess->bytes <= 0)
        return SOMA_OK;
    return job_store_ended_of_queue(txn, step->queue, before, STEP_JOBS, &step->arena, &step->list,
                                    err);
}

static enum soma_code apply(struct write_op *op, struct store_txn *txn, struct soma_error *err)
{
    struct retention_step *step = (struct retention_step *)op;
    struct excess excess = {0, 0};
    step->list = (struct job_list){0};
    enum soma_code code = step->rule < RETENTION_QUEUE_AGE
                              ? choose_of_all(step, txn, &excess, err)
                              : choose_of_queue(step, txn, &excess, err);
    size_t removed = 0;
    while (code == SOMA_OK && removed < step->list.count && excess.jobs > 0 && excess.bytes > 0) {
        const struct job *job = &step->list.rows[removed++]->job;
        excess.jobs--;
        excess.bytes -= job_kept_bytes(&job->status);
        code = job_store_delete(txn, job->num, clock_wall_now(), err);
    }
    step->list.count = removed;
    return code;
}

enum soma_code retention_step_run(struct retention_step *step, struct writer *writer,
                                  struct soma_error *err)
{
    step->op = (struct write_op){.apply = apply, .makes_room = true};
    arena_init(&step->arena, STEP_BYTES);
    return writer_run(writer, &step->op, err);
}

void retention_step_fini(struct retention_step *step)
{
    arena_fini(&step->arena);
}
