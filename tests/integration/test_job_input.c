// Interactive jobs: input that comes while they run, each byte once.
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

enum {
    WAIT_MS = 2000,
    STARTS = 40,
    PIECE = 262144,
    WAITING = 1 << 20
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

static Pb__WriteJobInputRequest piece_of(const char *id, int64_t offset, const char *bytes,
                                         size_t length, bool end)
{
    Pb__WriteJobInputRequest request = PB__WRITE_JOB_INPUT_REQUEST__INIT;
    request.job_id = id;
    request.offset = offset;
    request.data.data = (uint8_t *)(uintptr_t)bytes;
    request.data.len = length;
    request.end = end;
    request.wait_ms = WAIT_MS;
    return request;
}

// The input's size afterwards.
static int64_t put(const char *id, int64_t offset, const char *text, bool end)
{
    Pb__WriteJobInputRequest request = piece_of(id, offset, text, strlen(text), end);
    const Pb__WriteJobInputResponse *response =
        job_ask("WriteJobInput", &request.base, &pb__write_job_input_response__descriptor);
    return response->size_bytes;
}

static const char *refused(const char *id, int64_t offset, const char *text, bool end)
{
    Pb__WriteJobInputRequest request = piece_of(id, offset, text, strlen(text), end);
    return job_refused(NULL, "WriteJobInput", &request.base);
}

static void submit_interactive(const char *script, char ret_id[JOB_ID_SIZE])
{
    Pb__JobSpec *spec = job_script(script);
    spec->interactive = true;
    job_submit(spec, ret_id);
}

static void assert_output(const char *id, const char *text)
{
    char *output = job_output(id, 0, STDOUT, 0);
    assert_string_equal(output, text);
    free(output);
}

static void a_program_is_talked_with(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    submit_interactive("while read -r line; do echo \"got $line\"; done; echo end", id);
    assert_int_equal(put(id, 0, "one\n", false), 4);
    job_wait_output(id, "got one\n");
    assert_int_equal(put(id, 4, "two\n", false), 8);
    job_wait_output(id, "got two\n");
    assert_int_equal(put(id, 8, "", true), 8);
    assert_int_equal(job_wait_final(id)->status->state, PB__JOB_STATE__JOB_STATE_SUCCEEDED);
    assert_output(id, "got one\ngot two\nend\n");
    assert_string_equal(refused(id, 8, "x", false), "JOB_NOT_RUNNING");
}

static void a_piece_that_comes_twice_is_taken_once(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    submit_interactive("cat", id);
    assert_int_equal(put(id, 0, "abc", false), 3);
    assert_int_equal(put(id, 0, "abc", false), 3);
    assert_int_equal(put(id, 1, "bcdef", false), 6);
    assert_string_equal(refused(id, 7, "x", false), "OFFSET_PAST_END");
    assert_int_equal(put(id, 6, "g", true), 7);
    // The end may be over before this is asked.
    const char *again = refused(id, 6, "g", true);
    assert_true(strcmp(again, "") == 0 || strcmp(again, "JOB_NOT_RUNNING") == 0);
    job_wait_final(id);
    assert_output(id, "abcdefg");
}

static void nothing_is_taken_after_the_end(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    submit_interactive("cat; sleep 1000", id);
    assert_int_equal(put(id, 0, "x", true), 1);
    assert_string_equal(refused(id, 1, "y", false), "INPUT_ENDED");
    assert_int_equal(put(id, 0, "x", true), 1);
    job_wait_output(id, "x");
    job_cancel(id, "", true);
    job_wait_final(id);
    assert_output(id, "x");
}

static void only_so_much_waits_for_the_program(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE], script[300];
    static char bytes[PIECE];
    memset(bytes, 'x', sizeof bytes);
    snprintf(script, sizeof script,
             "while [ ! -e %s/" JOB_KIT_SHARED "/read ]; do sleep 0.02; done; wc -c",
             somad.directory);
    submit_interactive(script, id);
    int64_t size = 0;
    // Until nothing more is taken, and then no more than waits and what the pipe holds.
    for (int64_t before = -1; size > before;) {
        before = size;
        Pb__WriteJobInputRequest request = piece_of(id, size, bytes, sizeof bytes, false);
        request.wait_ms = 300;
        const Pb__WriteJobInputResponse *response =
            job_ask("WriteJobInput", &request.base, &pb__write_job_input_response__descriptor);
        size = response->attempt ? response->size_bytes : size;
        before = response->attempt ? before : -1;
    }
    assert_true(size >= WAITING && size <= WAITING + (1 << 20));
    snprintf(script, sizeof script, "%s/" JOB_KIT_SHARED "/read", somad.directory);
    fclose(fopen(script, "w"));
    // It reads: now there is room.
    int64_t wanted = size + 3 * WAITING;
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
    while (size < wanted) {
        size_t length = wanted - size < PIECE ? (size_t)(wanted - size) : PIECE;
        Pb__WriteJobInputRequest request =
            piece_of(id, size, bytes, length, size + (int64_t)length == wanted);
        const Pb__WriteJobInputResponse *response =
            job_ask("WriteJobInput", &request.base, &pb__write_job_input_response__descriptor);
        size = response->size_bytes;
        assert_true(clock_left_ms(deadline) > 0);
    }
    job_wait_final(id);
    char *output = job_output(id, 0, STDOUT, 0);
    assert_int_equal(strtoll(output, NULL, 10), wanted);
    free(output);
}

static void what_was_acknowledged_outlives_the_server(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    submit_interactive("cat", id);
    assert_int_equal(put(id, 0, "before ", false), 7);
    job_kit_kill_server();
    job_kit_restart_server();
    assert_int_equal(put(id, 0, "before after", true), 12);
    assert_int_equal(job_wait_final(id)->status->state, PB__JOB_STATE__JOB_STATE_SUCCEEDED);
    assert_output(id, "before after");
}

static void a_program_that_reads_no_more_is_told_of(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    submit_interactive("exec <&-; echo closed; sleep 1000", id);
    job_wait_output(id, "closed");
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
    bool closed = false;
    for (int64_t size = 0; !closed;) {
        Pb__WriteJobInputRequest request = piece_of(id, size, "x", 1, false);
        const Pb__WriteJobInputResponse *response =
            job_ask("WriteJobInput", &request.base, &pb__write_job_input_response__descriptor);
        closed = response->closed;
        size = response->size_bytes;
        assert_true(clock_left_ms(deadline) > 0);
    }
    job_cancel(id, "", true);
    job_wait_final(id);
}

static void input_waits_for_the_start(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    Pb__JobSpec *spec = job_script("cat");
    spec->interactive = true;
    spec->not_before_unix_ms = clock_wall_now().ms + 700;
    job_submit(spec, id);
    assert_int_equal(put(id, 0, "early", true), 5);
    job_wait_final(id);
    assert_output(id, "early");
}

// As between a claim and the making of the attempt's directory, where a poll is answered at once.
static void what_nobody_took_names_no_attempt(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE], there[2 * KIT_PATH_SIZE], away[2 * KIT_PATH_SIZE];
    submit_interactive("echo begun; cat", id);
    job_wait_output(id, "begun");
    snprintf(there, sizeof there, "%s/data/jobs/%s/1", somad.directory, id);
    snprintf(away, sizeof away, "%s/data/jobs/%s/away", somad.directory, id);
    assert_int_equal(rename(there, away), 0);
    Pb__WriteJobInputRequest request = piece_of(id, 0, "", 0, true);
    request.wait_ms = 0;
    const Pb__WriteJobInputResponse *response =
        job_ask("WriteJobInput", &request.base, &pb__write_job_input_response__descriptor);
    assert_int_equal(response->attempt, 0);
    assert_int_equal(response->size_bytes, 0);
    assert_int_equal(rename(away, there), 0);
    assert_int_equal(put(id, 0, "", true), 0);
    assert_int_equal(job_wait_final(id)->status->state, PB__JOB_STATE__JOB_STATE_SUCCEEDED);
}

// The directory is there a moment before anybody follows the job.
static void input_that_comes_with_the_start_reaches_the_program(void **state)
{
    (void)state;
    for (int i = 0; i < STARTS; i++) {
        char id[JOB_ID_SIZE];
        Pb__JobSpec *spec = job_script("cat");
        spec->interactive = true;
        job_submit(spec, id);
        assert_int_equal(put(id, 0, "at once", true), 7);
        job_wait_final(id);
        assert_output(id, "at once");
    }
}

static void bad_questions_have_their_reasons(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    job_run("sleep 1000", id);
    assert_string_equal(refused(id, 0, "x", false), "JOB_NOT_INTERACTIVE");
    job_cancel(id, "", true);
    assert_string_equal(refused("00000000000000000000", 0, "x", false), "JOB_NOT_FOUND");
    assert_string_equal(refused(id, -1, "x", false), "FIELD_OUT_OF_RANGE");
    assert_string_equal(refused(id, (INT64_C(1) << 30) + 1, "x", false), "FIELD_OUT_OF_RANGE");
    Pb__JobSpec *spec = job_script("cat");
    spec->interactive = true;
    spec->stdin.data = (uint8_t *)"x";
    spec->stdin.len = 1;
    Pb__SubmitJobRequest request = PB__SUBMIT_JOB_REQUEST__INIT;
    request.spec = spec;
    assert_string_equal(job_refused(NULL, "SubmitJob", &request.base), "FIELD_INVALID");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_is_talked_with),
        cmocka_unit_test(a_piece_that_comes_twice_is_taken_once),
        cmocka_unit_test(nothing_is_taken_after_the_end),
        cmocka_unit_test(only_so_much_waits_for_the_program),
        cmocka_unit_test(what_was_acknowledged_outlives_the_server),
        cmocka_unit_test(a_program_that_reads_no_more_is_told_of),
        cmocka_unit_test(input_waits_for_the_start),
        cmocka_unit_test(what_nobody_took_names_no_attempt),
        cmocka_unit_test(input_that_comes_with_the_start_reaches_the_program),
        cmocka_unit_test(bad_questions_have_their_reasons),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
