// The log of a job: both streams in the order in which they came, from any place on.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "job_kit.h"

#define STDOUT PB__OUTPUT_STREAM__OUTPUT_STREAM_STDOUT
#define STDERR PB__OUTPUT_STREAM__OUTPUT_STREAM_STDERR

enum {
    TEXT_MAX = 1 << 20,
    WAIT_MS = 2000
};

static int start(void **state)
{
    (void)state;
    job_kit_start();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    job_kit_stop();
    return 0;
}

// What a reader has got: standard error in capitals, so that one text shows the order.
static struct {
    char text[TEXT_MAX];
    size_t length;
    Pb__LogPosition position;
    bool has_position;
    bool end;
    int64_t first_time_ms, last_time_ms;
    size_t piece_count;
} got;

static Pb__ReadJobLogRequest question(const char *id)
{
    Pb__ReadJobLogRequest request = PB__READ_JOB_LOG_REQUEST__INIT;
    memset(&got, 0, sizeof got);
    pb__log_position__init(&got.position);
    request.job_id = id;
    request.wait_ms = WAIT_MS;
    return request;
}

static void add_piece(const Pb__LogPiece *piece)
{
    assert_true(got.length + piece->data.len < TEXT_MAX);
    for (size_t i = 0; i < piece->data.len; i++) {
        char c = (char)piece->data.data[i];
        bool raise = piece->stream == STDERR && c >= 'a' && c <= 'z';
        got.text[got.length++] = raise ? (char)(c - 'a' + 'A') : c;
    }
    got.text[got.length] = '\0';
    got.first_time_ms = got.first_time_ms ? got.first_time_ms : piece->time_unix_ms;
    assert_true(piece->time_unix_ms == 0 || piece->time_unix_ms >= got.last_time_ms);
    got.last_time_ms = piece->time_unix_ms;
    got.piece_count++;
}

static void ask_once(Pb__ReadJobLogRequest *request)
{
    request->position = got.has_position ? &got.position : NULL;
    const Pb__ReadJobLogResponse *response =
        job_ask("ReadJobLog", &request->base, &pb__read_job_log_response__descriptor);
    for (size_t i = 0; i < response->n_pieces; i++)
        add_piece(response->pieces[i]);
    got.position = *response->position;
    got.has_position = response->attempt > 0;
    got.end = response->end;
}

static const char *read_to_end(Pb__ReadJobLogRequest *request)
{
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
    while (!got.end) {
        ask_once(request);
        assert_true(clock_left_ms(deadline) > 0);
    }
    return got.text;
}

static const char *read_all(const char *id)
{
    Pb__ReadJobLogRequest request = question(id);
    return read_to_end(&request);
}

// The job waits for the file.
static void let_go(const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "%s/" JOB_KIT_SHARED "/%s", somad.directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
}

// Lines that come one after the other, far enough apart to have an order.
static const char slow_lines[] = "p() { sleep 0.03; }; echo a1; p; echo b1 >&2; p; echo a2; p; "
                                 "echo b2 >&2; p; echo a3; echo a4; p; printf b3 >&2";

static void both_streams_come_in_the_order_in_which_they_were_written(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    job_run(slow_lines, id);
    assert_string_equal(read_all(id), "a1\nB1\na2\nB2\na3\na4\nB3");
    const Pb__JobStatus *status = job_wait_final(id)->status;
    assert_true(got.first_time_ms >= status->started_unix_ms - 1000);
    assert_true(got.last_time_ms > got.first_time_ms);
    assert_true(got.last_time_ms <= status->finished_unix_ms + 1000);
    // Again when it is over, in the smallest pieces.
    Pb__ReadJobLogRequest request = question(id);
    request.max_bytes = 1;
    assert_string_equal(read_to_end(&request), "a1\nB1\na2\nB2\na3\na4\nB3");
    assert_int_equal(got.piece_count, 20);
}

static void one_stream_alone_can_be_read(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    job_run(slow_lines, id);
    Pb__OutputStream stream = STDERR;
    Pb__ReadJobLogRequest request = question(id);
    request.streams = &stream;
    request.n_streams = 1;
    assert_string_equal(read_to_end(&request), "B1\nB2\nB3");
}

static void the_tail_begins_so_many_lines_before_the_end(void **state)
{
    (void)state;
    static const struct {
        int64_t lines;
        const char *text;
    } rows[] = {
        {1, "B3"},
        {2, "a4\nB3"},
        {4, "B2\na3\na4\nB3"},
        {6, "B1\na2\nB2\na3\na4\nB3"},
        {7, "a1\nB1\na2\nB2\na3\na4\nB3"},
        {100000, "a1\nB1\na2\nB2\na3\na4\nB3"},
        {-1, ""},
    };
    char id[JOB_ID_SIZE];
    job_run(slow_lines, id);
    job_wait_final(id);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Pb__ReadJobLogRequest request = question(id);
        request.tail_lines = rows[i].lines;
        assert_string_equal(read_to_end(&request), rows[i].text);
    }
    Pb__OutputStream stream = STDOUT;
    Pb__ReadJobLogRequest request = question(id);
    request.streams = &stream;
    request.n_streams = 1;
    request.tail_lines = 2;
    assert_string_equal(read_to_end(&request), "a3\na4\n");
}

static void a_time_leaves_out_what_came_before_it(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    job_run(slow_lines, id);
    read_all(id);
    int64_t last_ms = got.last_time_ms;
    Pb__ReadJobLogRequest request = question(id);
    request.since_unix_ms = last_ms;
    assert_string_equal(read_to_end(&request), "B3");
    request = question(id);
    request.since_unix_ms = last_ms + 1;
    assert_string_equal(read_to_end(&request), "");
    request = question(id);
    request.since_unix_ms = 1;
    request.tail_lines = 3;
    assert_string_equal(read_to_end(&request), "a3\na4\nB3");
}

static void the_end_of_a_running_job_is_followed_from_where_it_was(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE], script[400];
    snprintf(script, sizeof script,
             "echo one; echo two; printf thr; while [ ! -e %s/" JOB_KIT_SHARED
             "/go ]; do sleep 0.02; done; "
             "echo ee; echo err >&2",
             somad.directory);
    job_run(script, id);
    job_wait_output(id, "thr");
    Pb__ReadJobLogRequest tail = question(id);
    tail.tail_lines = 2;
    ask_once(&tail);
    while (strcmp(got.text, "two\nthr") != 0) {
        assert_false(got.end);
        ask_once(&tail);
    }
    let_go("go");
    const char *text = read_to_end(&tail);
    // The two streams' last words came together.
    assert_true(strcmp(text, "two\nthree\nERR\n") == 0 || strcmp(text, "two\nthrERR\nee\n") == 0);
}

static void only_what_comes_is_read_from_the_end_on(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE], script[400];
    snprintf(script, sizeof script,
             "echo before; while [ ! -e %s/" JOB_KIT_SHARED
             "/new ]; do sleep 0.02; done; echo after",
             somad.directory);
    job_run(script, id);
    job_wait_output(id, "before");
    Pb__ReadJobLogRequest request = question(id);
    request.tail_lines = -1;
    // Parked until there is an attempt, and answered at once with a position.
    while (!got.has_position || got.position.stdout_offset == 0)
        ask_once(&request);
    let_go("new");
    assert_string_equal(read_to_end(&request), "after\n");
}

static void the_log_of_a_running_job_outlives_the_server(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE], script[400];
    snprintf(script, sizeof script,
             "echo a; sleep 0.05; echo b >&2; while [ ! -e %s/" JOB_KIT_SHARED
             "/on ]; do sleep 0.02; done; echo c; "
             "sleep 0.05; echo d >&2",
             somad.directory);
    job_run(script, id);
    job_wait_output(id, "a");
    Pb__ReadJobLogRequest request = question(id);
    while (strcmp(got.text, "a\nB\n") != 0)
        ask_once(&request);
    job_kit_kill_server();
    let_go("on");
    job_kit_restart_server();
    assert_string_equal(read_to_end(&request), "a\nB\nc\nD\n");
}

static void a_damaged_log_costs_the_order_alone(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE], path[200];
    job_run(slow_lines, id);
    job_wait_final(id);
    snprintf(path, sizeof path, "%s/data/jobs/%s/1/log", somad.directory, id);
    // The header, two records, and half of one.
    assert_int_equal(truncate(path, 16 + 2 * 8 + 4), 0);
    assert_string_equal(read_all(id), "a1\nB1\na2\na3\na4\nB2\nB3");
    Pb__ReadJobLogRequest request = question(id);
    request.tail_lines = 3;
    assert_string_equal(read_to_end(&request), "a4\nB2\nB3");
    assert_int_equal(truncate(path, 3), 0);
    assert_string_equal(read_all(id), "a1\na2\na3\na4\nB1\nB2\nB3");
    assert_int_equal(unlink(path), 0);
    assert_string_equal(read_all(id), "a1\na2\na3\na4\nB1\nB2\nB3");
    // More records than output, as after a power failure.
    job_run(slow_lines, id);
    job_wait_final(id);
    snprintf(path, sizeof path, "%s/data/jobs/%s/1/stdout", somad.directory, id);
    assert_int_equal(truncate(path, 4), 0);
    assert_string_equal(read_all(id), "a1\nB1\naB2\nB3");
}

static void head_and_tail_of_a_flood_are_kept(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    Pb__JobLimits limits = PB__JOB_LIMITS__INIT;
    Pb__JobSpec *spec = job_script("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done");
    limits.output_bytes = 60;
    limits.output_tail_bytes = 20;
    spec->limits = &limits;
    job_submit(spec, id);
    const Pb__JobStatus *status = job_wait_final(id)->status;
    assert_int_equal(status->stdout_size->kept_bytes, 60);
    assert_int_equal(status->stdout_size->dropped_bytes,
                     10 * 7 + 90 * 8 + 900 * 9 + 1000 * 10 - 60);
    char *output = job_output(id, 0, STDOUT, 0);
    assert_string_equal(output,
                        "line 0\nline 1\nline 2\nline 3\nline 4\nline line 1998\nline 1999\n");
    free(output);
    assert_string_equal(read_all(id),
                        "line 0\nline 1\nline 2\nline 3\nline 4\nline line 1998\nline 1999\n");
}

static void output_that_fits_is_whole_with_a_tail_too(void **state)
{
    (void)state;
    static const struct {
        int64_t output_bytes, tail_bytes;
        const char *kept;
        int64_t dropped;
    } rows[] = {
        {100, 20, "abcdefghij", 0}, {10, 4, "abcdefghij", 0}, {9, 9, "bcdefghij", 1},
        {9, 4, "abcdeghij", 1},     {4, 0, "abcd", 6},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char id[JOB_ID_SIZE];
        Pb__JobLimits limits = PB__JOB_LIMITS__INIT;
        Pb__JobSpec *spec = job_script("for c in a b c d e f g h i j; do printf $c; done");
        limits.output_bytes = rows[i].output_bytes;
        limits.output_tail_bytes = rows[i].tail_bytes;
        spec->limits = &limits;
        job_submit(spec, id);
        assert_int_equal(job_wait_final(id)->status->stdout_size->dropped_bytes, rows[i].dropped);
        assert_string_equal(read_all(id), rows[i].kept);
    }
}

static void bad_questions_have_their_reasons(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    job_run("echo x", id);
    job_wait_final(id);
    Pb__LogPosition position = PB__LOG_POSITION__INIT;
    Pb__ReadJobLogRequest request = question(id);
    request.position = &position;
    position.record = 2;
    assert_string_equal(job_refused(NULL, "ReadJobLog", &request.base), "OFFSET_PAST_END");
    position.record = 0;
    position.stdout_offset = 3;
    assert_string_equal(job_refused(NULL, "ReadJobLog", &request.base), "OFFSET_PAST_END");
    position.stdout_offset = -1;
    assert_string_equal(job_refused(NULL, "ReadJobLog", &request.base), "FIELD_OUT_OF_RANGE");
    request.position = NULL;
    request.tail_lines = -2;
    assert_string_equal(job_refused(NULL, "ReadJobLog", &request.base), "FIELD_OUT_OF_RANGE");
    request.tail_lines = 100001;
    assert_string_equal(job_refused(NULL, "ReadJobLog", &request.base), "FIELD_OUT_OF_RANGE");
    request.tail_lines = 0;
    request.attempt = 2;
    assert_string_equal(job_refused(NULL, "ReadJobLog", &request.base), "ATTEMPT_NOT_FOUND");
    // A position that cannot be right, but is not past the end, reads something or nothing.
    request.attempt = 0;
    request.position = &position;
    position = (Pb__LogPosition)PB__LOG_POSITION__INIT;
    position.taken_bytes = 1 << 30;
    assert_string_equal(job_refused(NULL, "ReadJobLog", &request.base), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_streams_come_in_the_order_in_which_they_were_written),
        cmocka_unit_test(one_stream_alone_can_be_read),
        cmocka_unit_test(the_tail_begins_so_many_lines_before_the_end),
        cmocka_unit_test(a_time_leaves_out_what_came_before_it),
        cmocka_unit_test(the_end_of_a_running_job_is_followed_from_where_it_was),
        cmocka_unit_test(only_what_comes_is_read_from_the_end_on),
        cmocka_unit_test(the_log_of_a_running_job_outlives_the_server),
        cmocka_unit_test(a_damaged_log_costs_the_order_alone),
        cmocka_unit_test(head_and_tail_of_a_flood_are_kept),
        cmocka_unit_test(output_that_fits_is_whole_with_a_tail_too),
        cmocka_unit_test(bad_questions_have_their_reasons),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
