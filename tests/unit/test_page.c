// server/measures: what is recorded, and the page that shows it.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "measures/page.h"

static char *text;
static size_t length;

static int set_up(void **state)
{
    static struct page page;
    page_init(&page);
    *state = &page;
    return 0;
}

static int tear_down(void **state)
{
    page_fini(*state);
    free(text);
    text = NULL;
    return 0;
}

static void write_page(struct page *page)
{
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    assert_true(page_write(page, out));
    fclose(out);
}

static void expect_line(const char *line)
{
    const char *found = strstr(text, line);
    if (!found || found[strlen(line)] != '\n' || (found > text && found[-1] != '\n'))
        fail_msg("no line '%s' in:\n%s", line, text);
}

static void samples_of_a_metric_stand_together_below_its_help(void **state)
{
    struct page *page = *state;
    page_add(page, MEASURE_JOBS, 3, "queued");
    page_add(page, MEASURE_RESIDENT, 1048576);
    page_add(page, MEASURE_JOBS, 1, "running");
    write_page(page);
    assert_string_equal(
        text, "# HELP process_resident_memory_bytes Resident memory of the server, without its "
              "jobs\n# TYPE process_resident_memory_bytes gauge\n"
              "process_resident_memory_bytes 1048576\n"
              "# HELP soma_jobs Jobs by state\n# TYPE soma_jobs gauge\n"
              "soma_jobs{state=\"queued\"} 3\nsoma_jobs{state=\"running\"} 1\n");
}

static void a_label_cannot_end_itself(void **state)
{
    struct page *page = *state;
    page_add(page, MEASURE_QUEUE_JOBS, 1, "a\"b\\c\nd", "queued");
    write_page(page);
    expect_line("soma_queue_jobs{queue=\"a\\\"b\\\\c\\nd\",state=\"queued\"} 1");
}

static void a_label_that_is_too_long_is_cut_and_the_line_stays_whole(void **state)
{
    struct page *page = *state;
    char name[4000];
    memset(name, '"', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    page_add(page, MEASURE_QUEUE_PAUSED, 1, name);
    write_page(page);
    assert_non_null(strstr(text, "\\\"\"} 1\n"));
}

static void a_histogram_counts_each_value_in_every_bucket_that_holds_it(void **state)
{
    struct page *page = *state;
    measure_observe(MEASURE_COMMIT_SIZE, 1);
    measure_observe(MEASURE_COMMIT_SIZE, 3);
    measure_observe(MEASURE_COMMIT_SIZE, 1000);
    page_add_histogram(page, MEASURE_COMMIT_SIZE);
    write_page(page);
    expect_line("soma_commit_operations_bucket{le=\"1\"} 1");
    expect_line("soma_commit_operations_bucket{le=\"2\"} 1");
    expect_line("soma_commit_operations_bucket{le=\"4\"} 2");
    expect_line("soma_commit_operations_bucket{le=\"256\"} 2");
    expect_line("soma_commit_operations_bucket{le=\"+Inf\"} 3");
    expect_line("soma_commit_operations_sum 1004");
    expect_line("soma_commit_operations_count 3");
}

static void *call_often(void *unused)
{
    (void)unused;
    for (int i = 0; i < 1000; i++) {
        measure_call(5, SOMA_OK, 700);
        measure_call(5, SOMA_NOT_FOUND, -1);
    }
    return NULL;
}

static void calls_of_all_threads_are_added_up(void **state)
{
    struct page *page = *state;
    pthread_t threads[12];
    for (int i = 0; i < 12; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, NULL), 0);
    for (int i = 0; i < 12; i++)
        pthread_join(threads[i], NULL);
    page_add_calls(page, 5, "S/M");
    page_add_calls(page, 6, "S/Never");
    write_page(page);
    expect_line("soma_rpc_calls_total{method=\"S/M\",code=\"OK\"} 12000");
    expect_line("soma_rpc_calls_total{method=\"S/M\",code=\"NOT_FOUND\"} 12000");
    expect_line("soma_rpc_call_seconds_bucket{method=\"S/M\",le=\"0.0005\"} 0");
    expect_line("soma_rpc_call_seconds_bucket{method=\"S/M\",le=\"0.001\"} 12000");
    expect_line("soma_rpc_call_seconds_count{method=\"S/M\"} 12000");
    expect_line("soma_rpc_call_seconds_sum{method=\"S/M\"} 8.4");
    assert_null(strstr(text, "Never"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(samples_of_a_metric_stand_together_below_its_help),
        TEST(a_label_cannot_end_itself),
        TEST(a_label_that_is_too_long_is_cut_and_the_line_stays_whole),
        TEST(a_histogram_counts_each_value_in_every_bucket_that_holds_it),
        TEST(calls_of_all_threads_are_added_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
