// A sweep of dead nodes beside a writer that compacts rows.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "vectors/index.h"
#include "vectors/index/graph.h"

enum {
    ROWS = 1000,
    FEW = 50,
    DIM = 8,
    STEP = 500
};

struct sweeper {
    struct graph *graph;
    struct row_set *set; // the sweep's own, as the indexer has one
    int64_t floor;
    atomic_int thread;
};

static struct rows *rows_with_graph(void)
{
    struct index_settings settings = {.quantization = QUANTIZATION_INT8};
    index_settings_complete(&settings);
    struct rows *rows = rows_new(DIM, false, 0);
    assert_non_null(rows);
    rows_set_graph(rows, graph_new(&settings, false, DIM));
    assert_non_null(rows->graph);
    return rows;
}

static void put_all(struct rows *rows)
{
    for (int64_t num = 1; num <= ROWS; num++) {
        float vector[DIM];
        char id[24];
        for (int64_t at = 0; at < DIM; at++)
            vector[at] = (float)(num * (at + 7) % 101);
        snprintf(id, sizeof id, "%lld", (long long)num);
        assert_true(rows_put(rows, num, id, vector, 1));
    }
    struct row_set *set = rows_take_set(rows);
    while (graph_catch_up(rows->graph, set, 1, STEP))
        ;
    row_set_release(set);
}

static void *begin_sweep(void *argument)
{
    struct sweeper *sweeper = argument;
    atomic_store(&sweeper->thread, (int)gettid());
    graph_sweep(sweeper->graph, sweeper->floor, STEP);
    row_set_release(sweeper->set);
    return NULL;
}

// Until the thread waits for a lock.
static void expect_sleep(const struct sweeper *sweeper)
{
    char path[64], state = 0;
    struct mono_time deadline = clock_deadline_after(20000);
    while (state != 'S' && clock_left_ms(deadline) > 0) {
        snprintf(path, sizeof path, "/proc/self/task/%d/stat", atomic_load(&sweeper->thread));
        FILE *file = fopen(path, "r");
        if (file && fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
            state = 0;
        if (file)
            fclose(file);
    }
    assert_int_equal(state, 'S');
}

static void rows_that_go_while_a_sweep_begins_wait_for_the_next(void **state)
{
    (void)state;
    pthread_t thread;
    struct rows *rows = rows_with_graph();
    struct sweeper sweeper = {.graph = rows->graph, .floor = 2};
    put_all(rows);
    for (int64_t num = 1; num <= FEW; num++)
        rows_kill(rows, num, 2);
    sweeper.set = rows_take_set(rows);
    graph_work_begin(rows->graph);
    assert_int_equal(pthread_create(&thread, NULL, begin_sweep, &sweeper), 0);
    expect_sleep(&sweeper);
    rows_kill_all(rows, 3);
    rows_compact(rows, 3);
    graph_work_end(rows->graph);
    pthread_join(thread, NULL);
    assert_int_equal(rows->graph->doomed_count, FEW);
    while (graph_sweep(rows->graph, 3, STEP) || graph_dead_count(rows->graph, 3))
        ;
    assert_int_equal(atomic_load(&rows->graph->live_count), 0);
    rows_free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_that_go_while_a_sweep_begins_wait_for_the_next),
    };
    return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
