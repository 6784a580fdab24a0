#include "queue_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/path.h"
#include "jobs/settle.h"
#include "store/job_ready.h"
#include "wire/limits.h"

struct scratch queue_scratch;
int64_t queue_now_ms;
static struct arena status_arena;
static int id_count;

static int64_t fake_wall(void)
{
    return queue_now_ms;
}

static int64_t fake_mono(void)
{
    return 1;
}

int queue_set_up(void **state)
{
    (void)state;
    static const struct clock_source source = {fake_wall, fake_mono};
    log_set_level(LOG_LEVEL_ERROR);
    clock_use(&source);
    queue_now_ms = START_MS;
    id_count = 0;
    scratch_open(&queue_scratch);
    return 0;
}

int queue_tear_down(void **state)
{
    (void)state;
    scratch_close(&queue_scratch);
    clock_use(NULL);
    arena_fini(&status_arena);
    return 0;
}

// --- what the tests do; jobs are known by their ids

enum soma_code queue_apply_submit(void *context, struct store_txn *txn, struct soma_error *err)
{
    struct submit *submit = context;
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    char id[ID_SIZE];
    snprintf(id, sizeof id, "j%019d", ++id_count);
    if (!submit->spec.queue)
        submit->spec.queue = "default";
    struct job_new new = {
        .id = id,
        .spec = &submit->spec,
        .now = clock_wall_now(),
        .room = {.unfinished_max = 1000},
        .dedupe_print = submit->print,
    };
    struct submit_result result;
    enum soma_code code = spec_encode(&submit->spec, &arena, &new.bytes, err);
    if (code == SOMA_OK)
        code = job_submit(txn, &new, &arena, &result, err);
    if (code == SOMA_OK) {
        snprintf(submit->id, sizeof submit->id, "%s", result.row.job.id);
        submit->is_existing = result.is_existing;
        submit->is_same = result.is_same;
    }
    arena_fini(&arena);
    return code;
}

void queue_submit_it(struct submit *submit)
{
    assert_int_equal(scratch_write(&queue_scratch, queue_apply_submit, submit, NULL), SOMA_OK);
}

void queue_submit_plain(struct submit *submit)
{
    *submit = (struct submit){0};
    queue_submit_it(submit);
}

void queue_submit_after(struct submit *submit, const char *const *after, size_t count,
                        enum job_after_policy policy)
{
    *submit = (struct submit){
        .spec = {.after = after, .after_count = count, .after_policy = (int32_t)policy}};
    queue_submit_it(submit);
}

struct job_spec queue_large_spec(void)
{
    enum {
        WORD_BYTES = LIMIT_JOB_ARGUMENT_BYTES / LIMIT_JOB_ARGUMENTS
    };
    static char word[WORD_BYTES + 1], pattern[PATH_BYTES_MAX + 1];
    static const char *words[LIMIT_JOB_ARGUMENTS], *patterns[LIMIT_JOB_ARTIFACT_PATTERNS];
    memset(word, 'w', WORD_BYTES);
    memset(pattern, 'p', PATH_BYTES_MAX);
    for (size_t i = 0; i < LIMIT_JOB_ARGUMENTS; i++)
        words[i] = word;
    for (size_t i = 0; i < LIMIT_JOB_ARTIFACT_PATTERNS; i++)
        patterns[i] = pattern;
    return (struct job_spec){.argv = words,
                             .argc = LIMIT_JOB_ARGUMENTS,
                             .artifacts = patterns,
                             .artifact_count = LIMIT_JOB_ARTIFACT_PATTERNS};
}

static enum soma_code change(const struct step *step, struct store_txn *txn, struct arena *arena,
                             struct soma_error *err)
{
    struct job_row row;
    bool was_final;
    enum soma_code code = job_store_get(txn, step->id, false, arena, &row, err);
    if (code == SOMA_OK)
        code = job_row_complete(&row, arena, err);
    if (code != SOMA_OK)
        return code;
    if (step->outcome)
        return job_end(txn, &row, step->outcome, err);
    if (step->claims)
        return job_claim(txn, &row, err);
    if (step->gives_back)
        return job_give_back(txn, &row, err);
    if (step->cancels)
        return job_cancel(txn, &row, "", false, arena, &was_final, err);
    static const struct job_room room = {.unfinished_max = 1000};
    return step->retries ? job_retry(txn, &row, &room, err) : SOMA_OK;
}

enum soma_code queue_apply_change(void *context, struct store_txn *txn, struct soma_error *err)
{
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    enum soma_code code = change(context, txn, &arena, err);
    arena_fini(&arena);
    return code;
}

void queue_end_as(const char *id, enum job_reason reason, int exit_code)
{
    struct job_outcome outcome = {.reason = reason, .exit_code = exit_code};
    struct step step = {.id = id, .outcome = &outcome};
    assert_int_equal(scratch_write(&queue_scratch, queue_apply_change, &step, NULL), SOMA_OK);
}

void queue_cancel(const char *id)
{
    struct step step = {.id = id, .cancels = true};
    assert_int_equal(scratch_write(&queue_scratch, queue_apply_change, &step, NULL), SOMA_OK);
}

enum soma_code queue_retry(const char *id, struct soma_error *err)
{
    struct step step = {.id = id, .retries = true};
    return scratch_write(&queue_scratch, queue_apply_change, &step, err);
}

// What the engine's claim does, for one place.
static enum soma_code apply_claim(void *context, struct store_txn *txn, struct soma_error *err)
{
    struct step *step = context;
    int64_t changed[4], num = 0;
    struct settle_step settle = {.nums = changed, .max = 4};
    struct arena arena;
    struct job_row row;
    arena_init(&arena, ARENA_BYTES);
    do {
        settle.count = 0;
        assert_int_equal(settle_some(txn, &settle, err), SOMA_OK);
    } while (settle.count == settle.max);
    assert_int_equal(job_ready_wake(txn, clock_wall_now(), 100, err), SOMA_OK);
    assert_int_equal(job_ready_first(txn, &num, err), SOMA_OK);
    if (num > 0) {
        assert_int_equal(job_store_get_num(txn, num, true, &arena, &row, err), SOMA_OK);
        assert_int_equal(job_claim(txn, &row, err), SOMA_OK);
        snprintf(step->claimed, sizeof step->claimed, "%s", row.job.id);
    }
    assert_int_equal(job_ready_next(txn, &step->due, err), SOMA_OK);
    arena_fini(&arena);
    return SOMA_OK;
}

void queue_claims(const char *id)
{
    struct step step = {0};
    assert_int_equal(scratch_write(&queue_scratch, apply_claim, &step, NULL), SOMA_OK);
    assert_string_equal(step.claimed, id);
}

void queue_claims_nothing_until(int64_t due_ms)
{
    struct step step = {0};
    assert_int_equal(scratch_write(&queue_scratch, apply_claim, &step, NULL), SOMA_OK);
    assert_string_equal(step.claimed, "");
    assert_int_equal(step.due.ms, due_ms);
}

static enum soma_code apply_settle(void *context, struct store_txn *txn, struct soma_error *err)
{
    int64_t changed[4];
    struct settle_step settle = {.nums = changed, .max = *(const size_t *)context};
    return settle_some(txn, &settle, err);
}

void queue_settles(size_t max)
{
    assert_int_equal(scratch_write(&queue_scratch, apply_settle, &max, NULL), SOMA_OK);
}

// Lives until the next call.
struct job_status queue_status_of(const char *id)
{
    struct store_txn *txn;
    struct job_row row;
    arena_fini(&status_arena);
    arena_init(&status_arena, ARENA_BYTES);
    assert_int_equal(store_read_begin(queue_scratch.store, &txn, NULL), SOMA_OK);
    assert_int_equal(job_store_get(txn, id, false, &status_arena, &row, NULL), SOMA_OK);
    store_read_end(txn);
    return row.job.status;
}

void queue_assert_ended(const char *id, enum job_state state, enum job_reason reason)
{
    struct job_status status = queue_status_of(id);
    assert_int_equal(status.state, state);
    assert_int_equal(status.reason, reason);
    assert_int_equal(status.wait, JOB_WAIT_NONE);
    assert_int_equal(status.finished.ms, queue_now_ms);
}
