// Work that is spread over threads which have nothing else to do.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rpc/workers.h"
#include "vectors/spread.h"

enum {
    WORKERS = 4,
    PARTS = 1000,
    QUEUE_MAX = 64
};

struct scene {
    atomic_uint times[PARTS];
    pthread_t first;       // who began part 0
    atomic_uint strangers; // parts that another thread did
    struct workers *workers;
};

static bool try_run(void *workers, void (*run)(void *argument), void *argument)
{
    return workers_try_idle(workers, run, argument);
}

static bool is_quiet(void *workers)
{
    return workers_are_quiet(workers);
}

static void count_part(void *context, size_t part)
{
    struct scene *scene = context;
    atomic_fetch_add(&scene->times[part], 1);
    if (!pthread_equal(pthread_self(), scene->first))
        atomic_fetch_add(&scene->strangers, 1);
}

static void check_each_once(struct scene *scene, unsigned times)
{
    for (size_t i = 0; i < PARTS; i++)
        assert_int_equal(atomic_load(&scene->times[i]), times);
}

static void every_part_is_done_once_by_whoever_is_idle(void **state)
{
    static struct scene scene;
    (void)state;
    assert_int_equal(workers_start(WORKERS, QUEUE_MAX, &scene.workers, NULL), SOMA_OK);
    const struct spread spread = {scene.workers, try_run, is_quiet, WORKERS - 1};
    scene.first = pthread_self();
    // A helper is there once a worker waits for work.
    for (unsigned round = 1; !atomic_load(&scene.strangers); round++) {
        spread_run(&spread, PARTS, count_part, &scene);
        check_each_once(&scene, round);
        assert_true(round < 100000);
    }
    workers_free(scene.workers);
}

static bool nobody(void *context, void (*run)(void *argument), void *argument)
{
    (void)context, (void)run, (void)argument;
    return false;
}

static void without_helpers_the_caller_does_all(void **state)
{
    static struct scene scene;
    const struct spread busy = {.try_run = nobody, .helpers = WORKERS};
    (void)state;
    scene.first = pthread_self();
    spread_run(NULL, PARTS, count_part, &scene);
    spread_run(&busy, PARTS, count_part, &scene);
    check_each_once(&scene, 2);
    assert_int_equal(atomic_load(&scene.strangers), 0);
}

// Helpers that come when all is done find nothing, and nothing is left of the work.
static void (*late_run)(void *argument);
static void *late_argument;

static bool keep_for_later(void *context, void (*run)(void *argument), void *argument)
{
    (void)context;
    late_run = run;
    late_argument = argument;
    return true;
}

static void a_helper_that_comes_late_does_nothing(void **state)
{
    static struct scene scene;
    const struct spread spread = {.try_run = keep_for_later, .helpers = 1};
    (void)state;
    scene.first = pthread_self();
    spread_run(&spread, PARTS, count_part, &scene);
    late_run(late_argument);
    check_each_once(&scene, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_is_done_once_by_whoever_is_idle),
        cmocka_unit_test(without_helpers_the_caller_does_all),
        cmocka_unit_test(a_helper_that_comes_late_does_nothing),
    };
    return cmocka_run_group_tests_name("spread", tests, NULL, NULL);
}
