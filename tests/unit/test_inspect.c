// server/inspection: what a look at jobs takes, whatever they are.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "inspection/inspect.h"
#include "queue_scene.h"

enum {
    LARGE_JOBS = 350 // their specifications alone are more than a step may hold
};

static void count(void *user, const char *what, const char *text)
{
    (void)what, (void)text;
    ++*(int *)user;
}

// Ended, and each says of both of its streams that they were kept.
static enum soma_code apply_large_jobs(void *context, struct store_txn *txn, struct soma_error *err)
{
    (void)context;
    static const struct job_outcome outcome = {
        .reason = JOB_REASON_EXITED, .stdout_size = {1, 0}, .stderr_size = {1, 0}};
    enum soma_code code = SOMA_OK;
    for (int i = 0; i < LARGE_JOBS && code == SOMA_OK; i++) {
        struct submit submit = {.spec = queue_large_spec()};
        code = queue_apply_submit(&submit, txn, err);
        struct step claim = {.id = submit.id, .claims = true};
        struct step end = {.id = submit.id, .outcome = &outcome};
        if (code == SOMA_OK)
            code = queue_apply_change(&claim, txn, err);
        if (code == SOMA_OK)
            code = queue_apply_change(&end, txn, err);
    }
    return code;
}

static void any_number_of_jobs_is_looked_at_however_large(void **state)
{
    (void)state;
    struct arena arena;
    int found = 0;
    arena_init(&arena, INSPECT_ARENA_BYTES);
    assert_int_equal(scratch_write(&queue_scratch, apply_large_jobs, NULL, NULL), SOMA_OK);
    const struct inspection inspection = {
        .store = queue_scratch.store,
        .jobs_path = queue_scratch.directory, // no job has a directory there
        .arena = &arena,
        .deadline = MONO_NEVER,
        .is_live = true,
        .found = count,
        .user = &found,
    };
    char step[INSPECT_STEP_SIZE] = INSPECT_FIRST_JOBS;
    while (strncmp(step, "jobs ", 5) == 0) {
        struct soma_error err = {0};
        if (inspect_step(&inspection, step, step, &err) != SOMA_OK)
            fail_msg("%s", err.text);
    }
    assert_int_equal(found, 2 * LARGE_JOBS);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_number_of_jobs_is_looked_at_however_large, queue_set_up,
                                        queue_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
