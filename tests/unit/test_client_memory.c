// libsoma when memory runs out: every allocation of the calling thread on a call's way out fails
// once. Each is an error, nothing is leaked, and the next call is as good as new.
//
// The connection is there before: nng 1.5.2 does not bear a failing allocation while it makes a
// socket.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <soma/soma.h>

#include "client_scene.h"

enum {
    ROUNDS_MAX = 2000
};

static _Thread_local int countdown; // the allocation that fails; 0: none does
static _Thread_local bool failed;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

static bool fails_now(void)
{
    if (countdown == 0 || --countdown > 0)
        return false;
    failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __real_calloc(count, size);
}

// The script's reply holds no job, so SOMA_INTERNAL is what success is here.
static enum soma_code submit(struct soma_client *client)
{
    static const struct soma_pair labels[] = {{"colour", "red"}, {"size", "large"}};
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    struct soma_job *job;
    spec.language = "sh";
    spec.source = "true";
    spec.source_length = 4;
    spec.labels = labels;
    spec.label_count = 2;
    enum soma_code code = soma_job_submit(client, &spec, NULL, &job, NULL);
    soma_free(job);
    return code;
}

static void every_failing_allocation_is_told(void **state)
{
    const struct scene *scene = *state;
    int round = 0;
    assert_int_equal(submit(scene->client), SOMA_INTERNAL);
    do {
        failed = false;
        countdown = ++round;
        enum soma_code code = submit(scene->client);
        countdown = 0;
        assert_int_equal(code, failed ? SOMA_RESOURCE_EXHAUSTED : SOMA_INTERNAL);
    } while (failed && round < ROUNDS_MAX);
    // It went through all of them, and there were some.
    assert_false(failed);
    assert_in_range(round, 5, ROUNDS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_failing_allocation_is_told, client_scene_open,
                                        client_scene_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
