#include "job_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct scratch model_scratch;
struct model_job model[MODEL_MAX];
size_t model_count;
int64_t model_revision;
int64_t model_now_ms;
static uint64_t seed;

uint32_t model_pick(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

int model_set_up(void **state)
{
    (void)state;
    scratch_open(&model_scratch);
    model_count = 0;
    model_revision = 0;
    model_now_ms = 1000;
    seed = 42;
    return 0;
}

int model_tear_down(void **state)
{
    (void)state;
    scratch_close(&model_scratch);
    return 0;
}

static const char *const queues[] = {"default", "slow", "night"};
static const char *const colours[] = {"red", "green", "blue"};

// --- changes

static enum soma_code insert(void *context, struct store_txn *txn, struct soma_error *err)
{
    struct model_job *job = context;
    struct job_label labels[2] = {{"colour", job->colour}, {"size", "large"}};
    struct job_spec spec = {
        .queue = job->queue,
        .priority = job->priority,
        .not_before = {job->not_before},
        .keep_ms = job->keep,
        .labels = labels,
        .label_count = job->colour ? 2 : 0,
    };
    struct spec_bytes bytes = {"head", 4, "body", job->priority < 0 ? 4 : 0};
    if (job->priority >= 0)
        bytes.body = NULL;
    struct job_new new = {
        .id = job->id,
        .spec = &spec,
        .bytes = bytes,
        .now = {model_now_ms},
        .room = {.unfinished_max = MODEL_MAX},
    };
    struct job_row row;
    enum soma_code code = job_store_insert(txn, &new, &row, err);
    if (code != SOMA_OK)
        return code;
    job->num = row.job.num;
    job->revision = row.job.status.revision;
    assert_string_equal(row.job.id, job->id);
    return SOMA_OK;
}

void model_insert(void)
{
    if (model_count == MODEL_MAX)
        return;
    struct model_job *job = &model[model_count++];
    *job = (struct model_job){
        .state = JOB_QUEUED,
        .queue = queues[model_pick(3)],
        .colour = model_pick(2) ? colours[model_pick(3)] : NULL,
        .priority = (int32_t)model_pick(5) - 2,
        .not_before = model_pick(3) ? 0 : model_now_ms + model_pick(200),
        .keep = 50 + model_pick(100),
    };
    snprintf(job->id, sizeof job->id, "job%017zu", model_count);
    assert_int_equal(scratch_write(&model_scratch, insert, job, NULL), SOMA_OK);
    assert_int_equal(job->revision, ++model_revision);
}

// Changes the state to that of the model, through the row as the domain does it.
static enum soma_code change(void *context, struct store_txn *txn, struct soma_error *err)
{
    struct model_job *job = context;
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct job_row row;
    enum soma_code code = job_store_get(txn, job->id, false, &arena, &row, err);
    if (code == SOMA_OK) {
        bool is_early = job->state == JOB_QUEUED && job->not_before > model_now_ms;
        row.job.status.state = job->state;
        row.job.status.wait = job->state != JOB_QUEUED ? JOB_WAIT_NONE
                              : is_early               ? JOB_WAIT_TIME
                                                       : JOB_WAIT_PLACE;
        row.job.status.due.ms = job->not_before;
        row.job.status.attempt = job->attempt;
        row.job.status.message = "changed";
        row.job.status.finished.ms = job->finished;
        row.job.status.stdout_size.kept_bytes = job->kept_bytes;
        row.job.status.runner_pid = job->state == JOB_RUNNING ? 4711 : 0;
        row.job.status.has_progress = true;
        row.job.status.progress = (struct job_progress){12.5, "on the way", {model_now_ms}};
        code = job_store_update(txn, &row, err);
        job->revision = row.job.status.revision;
    }
    arena_fini(&arena);
    return code;
}

void model_change(struct model_job *job)
{
    assert_int_equal(scratch_write(&model_scratch, change, job, NULL), SOMA_OK);
    assert_int_equal(job->revision, ++model_revision);
}

static void model_finish(struct model_job *job)
{
    job->state = JOB_SUCCEEDED + model_pick(5);
    job->finished = model_now_ms;
    job->kept_bytes = model_pick(1000);
    model_change(job);
}

static void model_queue_again(struct model_job *job)
{
    job->state = JOB_QUEUED;
    job->finished = 0;
    model_change(job);
}

enum soma_code model_delete_num(void *context, struct store_txn *txn, struct soma_error *err)
{
    const struct model_job *job = context;
    return job_store_delete(txn, job->num, (struct wall_time){model_now_ms}, err);
}

void model_delete(struct model_job *job)
{
    struct soma_error err = {0};
    enum soma_code code = scratch_write(&model_scratch, model_delete_num, job, &err);
    if (job->state == JOB_QUEUED || job->state == JOB_RUNNING) {
        assert_string_equal(err.reason, "JOB_NOT_FINAL");
        return;
    }
    assert_int_equal(code, SOMA_OK);
    job->state = 0;
    job->revision = ++model_revision;
}

void model_step(void)
{
    model_now_ms += model_pick(10);
    if (model_count == 0 || model_pick(3) == 0) {
        model_insert();
        return;
    }
    struct model_job *job = &model[model_pick((uint32_t)model_count)];
    switch (job->state) {
    case JOB_QUEUED:
        job->state = JOB_RUNNING;
        job->attempt++;
        model_change(job);
        break;
    case JOB_RUNNING:
        model_pick(4) ? model_finish(job) : model_queue_again(job);
        break;
    case JOB_SUCCEEDED:
    case JOB_FAILED:
    case JOB_CANCELLED:
    case JOB_TIMED_OUT:
    case JOB_LOST:
        model_pick(2) ? model_delete(job) : model_queue_again(job);
        break;
    }
}

bool model_matches(const struct model_job *job, const struct job_filter *filter)
{
    if (job->state == 0 || (filter->states && !(filter->states >> job->state & 1)))
        return false;
    if (filter->queue && strcmp(filter->queue, job->queue) != 0)
        return false;
    for (size_t i = 0; i < filter->label_count; i++) {
        const char *value = strcmp(filter->labels[i].key, "colour") == 0 ? job->colour
                            : job->colour                                ? "large"
                                                                         : NULL;
        if (!value || strcmp(value, filter->labels[i].value) != 0)
            return false;
    }
    return true;
}

struct job_filter model_filter(struct job_label labels[2])
{
    static const uint32_t states[] = {0, 1 << JOB_QUEUED, 1 << JOB_QUEUED | 1 << JOB_RUNNING,
                                      JOB_STATES_FINAL, 1 << JOB_FAILED};
    labels[0] = (struct job_label){"colour", colours[model_pick(3)]};
    labels[1] = (struct job_label){"size", "large"};
    return (struct job_filter){
        .states = states[model_pick(5)],
        .queue = model_pick(2) ? queues[model_pick(3)] : NULL,
        .labels = labels,
        .label_count = model_pick(3),
    };
}
