// server/jobs: the values, the transition table, the specification's bytes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "jobs/spec_codec.h"
#include "jobs/transitions.h"
#include "wire/limits.h"

static void only_the_five_final_states_are_final(void **state)
{
    (void)state;
    for (int64_t number = -1; number < 10; number++) {
        enum job_state job_state;
        bool known = job_state_from_number(number, &job_state);
        assert_int_equal(known, number >= 1 && number <= 7);
        if (known)
            assert_int_equal(job_state_is_final(job_state), number >= 3);
    }
}

// Written out by hand, apart from the table under test: state, event, what comes of it.
static const struct {
    enum job_state from;
    enum job_event event;
    enum job_state to;
} allowed[] = {
    {JOB_QUEUED, JOB_EVENT_CLAIM, JOB_RUNNING},
    {JOB_QUEUED, JOB_EVENT_CANCEL, JOB_CANCELLED},
    {JOB_QUEUED, JOB_EVENT_FAIL, JOB_FAILED},
    {JOB_QUEUED, JOB_EVENT_EXPIRE, JOB_TIMED_OUT},
    {JOB_RUNNING, JOB_EVENT_GIVE_BACK, JOB_QUEUED},
    {JOB_RUNNING, JOB_EVENT_SUCCEED, JOB_SUCCEEDED},
    {JOB_RUNNING, JOB_EVENT_FAIL, JOB_FAILED},
    {JOB_RUNNING, JOB_EVENT_TIME_OUT, JOB_TIMED_OUT},
    {JOB_RUNNING, JOB_EVENT_CANCEL, JOB_CANCELLED},
    {JOB_RUNNING, JOB_EVENT_LOSE, JOB_LOST},
    {JOB_RUNNING, JOB_EVENT_TRY_AGAIN, JOB_QUEUED},
    {JOB_SUCCEEDED, JOB_EVENT_RETRY, JOB_QUEUED},
    {JOB_FAILED, JOB_EVENT_RETRY, JOB_QUEUED},
    {JOB_CANCELLED, JOB_EVENT_RETRY, JOB_QUEUED},
    {JOB_TIMED_OUT, JOB_EVENT_RETRY, JOB_QUEUED},
    {JOB_LOST, JOB_EVENT_RETRY, JOB_QUEUED},
};

static void only_the_listed_transitions_happen(void **state)
{
    (void)state;
    size_t happened = 0;
    for (int from = JOB_QUEUED; from <= JOB_LOST; from++) {
        for (int event = 0; event < JOB_EVENT_COUNT; event++) {
            enum job_state to;
            if (!job_transition((enum job_state)from, (enum job_event)event, &to))
                continue;
            bool listed = false;
            for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
                listed |= (int)allowed[i].from == from && (int)allowed[i].event == event &&
                          allowed[i].to == to;
            assert_true(listed);
            happened++;
        }
    }
    assert_int_equal(happened, sizeof allowed / sizeof allowed[0]);
}

static void a_final_state_is_left_only_by_a_retry(void **state)
{
    (void)state;
    for (int from = JOB_SUCCEEDED; from <= JOB_LOST; from++) {
        for (int event = 0; event < JOB_EVENT_COUNT; event++) {
            enum job_state to;
            bool happens = job_transition((enum job_state)from, (enum job_event)event, &to);
            assert_int_equal(happens, event == JOB_EVENT_RETRY);
        }
    }
}

static enum job_event event_of(enum job_reason reason, int exit_code)
{
    struct job_outcome outcome = {.reason = reason, .exit_code = exit_code};
    return job_event_of(&outcome, &(struct job_spec){0}, &(struct job_status){.attempt = 1});
}

static void the_end_of_an_attempt_decides_the_event(void **state)
{
    (void)state;
    assert_int_equal(event_of(JOB_REASON_EXITED, 0), JOB_EVENT_SUCCEED);
    assert_int_equal(event_of(JOB_REASON_EXITED, 3), JOB_EVENT_FAIL);
    assert_int_equal(event_of(JOB_REASON_SIGNALED, 0), JOB_EVENT_FAIL);
    assert_int_equal(event_of(JOB_REASON_START_FAILED, 0), JOB_EVENT_FAIL);
    assert_int_equal(event_of(JOB_REASON_WALL_TIMEOUT, 0), JOB_EVENT_TIME_OUT);
    assert_int_equal(event_of(JOB_REASON_CANCELLED, 0), JOB_EVENT_CANCEL);
    assert_int_equal(event_of(JOB_REASON_LOST, 0), JOB_EVENT_LOSE);
}

static void a_lost_idempotent_job_runs_again_within_bounds(void **state)
{
    (void)state;
    struct job_outcome lost = {.reason = JOB_REASON_LOST};
    struct job_spec spec = {.idempotent = true};
    struct job_status status = {.attempt = LIMIT_JOB_LOST_ATTEMPTS - 1};
    assert_int_equal(job_event_of(&lost, &spec, &status), JOB_EVENT_TRY_AGAIN);
    status.attempt = LIMIT_JOB_LOST_ATTEMPTS;
    assert_int_equal(job_event_of(&lost, &spec, &status), JOB_EVENT_LOSE);
    status.attempt = 1;
    status.cancel_requested.ms = 1;
    assert_int_equal(job_event_of(&lost, &spec, &status), JOB_EVENT_LOSE);
    status.cancel_requested.ms = 0;
    spec.idempotent = false;
    assert_int_equal(job_event_of(&lost, &spec, &status), JOB_EVENT_LOSE);
}

// --- the codec

static const char *const words[] = {"-x", "", "two words\nand a line", "naïve"};
static const struct job_label some_labels[] = {{"team", "a=b"}, {"k", ""}};
static const struct job_variable some_variables[] = {{"A", "1=2\n3"}, {"B_2", ""}};

static const struct job_file some_files[] = {
    {"a/b", true, (const uint8_t *)"\0\n\xff", NULL, 3},
    {"c", false, NULL, "some", 5000000000},
};

static struct job_spec full_spec(void)
{
    return (struct job_spec){
        .language = "python",
        .argv = words,
        .argc = 4,
        .name = "night run",
        .queue = "q",
        .priority = -1000,
        .not_before.ms = 1234567890123,
        .labels = some_labels,
        .label_count = 2,
        .limits = {.wall_time_ms = 5, .output_bytes = 10737418240, .kill_grace_ms = 7},
        .idempotent = true,
        .detached = true,
        .withheld = 5,
        .keep_ms = 31536000000,
        .start_by.ms = 7654321,
        .retry = {100, 1500, 2500, 604800000,
                  1 << JOB_REASON_EXITED | 1 << JOB_REASON_WALL_TIMEOUT},
        .after = &words[2],
        .after_count = 2,
        .after_policy = JOB_AFTER_RUN,
        .dedupe_key = "once a night",
        .source = (const uint8_t *)"a\0b",
        .source_length = 3,
        .stdin_bytes = (const uint8_t *)"\0\n",
        .stdin_length = 2,
        .environment = some_variables,
        .environment_count = 2,
        .files = some_files,
        .file_count = 2,
        .artifacts = words + 2,
        .artifact_count = 2,
    };
}

static void assert_texts_equal(const char *const *a, size_t a_count, const char *const *b,
                               size_t b_count)
{
    assert_int_equal(a_count, b_count);
    for (size_t i = 0; i < a_count && i < b_count; i++)
        assert_string_equal(a[i], b[i]);
}

static void assert_head_equal(const struct job_spec *a, const struct job_spec *b)
{
    assert_string_equal(a->language, b->language);
    assert_texts_equal(a->argv, a->argc, b->argv, b->argc);
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->queue, b->queue);
    assert_int_equal(a->priority, b->priority);
    assert_int_equal(a->not_before.ms, b->not_before.ms);
    assert_int_equal(a->label_count, b->label_count);
    for (size_t i = 0; i < a->label_count; i++) {
        assert_string_equal(a->labels[i].key, b->labels[i].key);
        assert_string_equal(a->labels[i].value, b->labels[i].value);
    }
    assert_memory_equal(&a->limits, &b->limits, sizeof a->limits);
    assert_int_equal(a->idempotent, b->idempotent);
    assert_int_equal(a->detached, b->detached);
    assert_int_equal(a->withheld, b->withheld);
    assert_int_equal(a->keep_ms, b->keep_ms);
    assert_texts_equal(a->artifacts, a->artifact_count, b->artifacts, b->artifact_count);
    assert_int_equal(a->start_by.ms, b->start_by.ms);
    assert_memory_equal(&a->retry, &b->retry, sizeof a->retry);
    assert_texts_equal(a->after, a->after_count, b->after, b->after_count);
    assert_int_equal(a->after_policy, b->after_policy);
    assert_string_equal(a->dedupe_key, b->dedupe_key);
}

static void a_specification_comes_back_whole(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct job_spec spec = full_spec(), back = {0};
    struct spec_bytes bytes;
    assert_int_equal(spec_encode(&spec, &arena, &bytes, NULL), SOMA_OK);
    assert_int_equal(spec_decode(&bytes, &arena, &back, NULL), SOMA_OK);
    assert_head_equal(&back, &spec);
    assert_int_equal(back.source_length, 3);
    assert_memory_equal(back.source, spec.source, 3);
    assert_int_equal(back.stdin_length, 2);
    assert_memory_equal(back.stdin_bytes, spec.stdin_bytes, 2);
    assert_int_equal(back.environment_count, 2);
    assert_string_equal(back.environment[0].name, "A");
    assert_string_equal(back.environment[0].value, "1=2\n3");
    assert_string_equal(back.environment[1].value, "");
    assert_int_equal(back.file_count, 2);
    assert_string_equal(back.files[0].path, "a/b");
    assert_true(back.files[0].executable);
    assert_int_equal(back.files[0].size_bytes, 3);
    assert_memory_equal(back.files[0].content, "\0\n\xff", 3);
    assert_null(back.files[0].upload_id);
    assert_string_equal(back.files[1].upload_id, "some");
    assert_int_equal(back.files[1].size_bytes, 5000000000);
    assert_false(back.files[1].executable);
    arena_fini(&arena);
}

static void the_head_alone_is_a_specification_without_body(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct job_spec spec = full_spec(), back = {0};
    struct spec_bytes bytes;
    assert_int_equal(spec_encode(&spec, &arena, &bytes, NULL), SOMA_OK);
    bytes.body = NULL;
    assert_int_equal(spec_decode(&bytes, &arena, &back, NULL), SOMA_OK);
    assert_head_equal(&back, &spec);
    assert_int_equal(back.source_length, 0);
    assert_int_equal(back.environment_count, 0);
    arena_fini(&arena);
}

static void a_command_without_extras_has_no_body(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct job_spec spec = {.argv = words, .argc = 1, .name = "", .queue = "default"}, back = {0};
    struct spec_bytes bytes;
    assert_int_equal(spec_encode(&spec, &arena, &bytes, NULL), SOMA_OK);
    assert_null(bytes.body);
    assert_int_equal(spec_decode(&bytes, &arena, &back, NULL), SOMA_OK);
    assert_null(back.language);
    assert_string_equal(back.name, "");
    assert_string_equal(back.argv[0], "-x");
    arena_fini(&arena);
}

static void a_specification_cut_anywhere_is_refused(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 4 << 20);
    struct job_spec spec = full_spec(), back = {0};
    struct spec_bytes bytes;
    assert_int_equal(spec_encode(&spec, &arena, &bytes, NULL), SOMA_OK);
    struct spec_bytes cut = bytes;
    for (cut.head_length = 0; cut.head_length < bytes.head_length; cut.head_length++)
        assert_int_equal(spec_decode(&cut, &arena, &back, NULL), SOMA_DATA_LOSS);
    cut = bytes;
    for (cut.body_length = 0; cut.body_length < bytes.body_length; cut.body_length++)
        assert_int_equal(spec_decode(&cut, &arena, &back, NULL), SOMA_DATA_LOSS);
    arena_fini(&arena);
}

static void a_full_arena_is_an_error(void **state)
{
    (void)state;
    struct arena arena, small;
    arena_init(&arena, 1 << 20);
    struct job_spec spec = full_spec(), back = {0};
    struct spec_bytes bytes;
    assert_int_equal(spec_encode(&spec, &arena, &bytes, NULL), SOMA_OK);
    arena_init(&small, 32);
    assert_int_equal(spec_decode(&bytes, &small, &back, NULL), SOMA_RESOURCE_EXHAUSTED);
    assert_int_equal(spec_encode(&spec, &small, &bytes, NULL), SOMA_RESOURCE_EXHAUSTED);
    arena_fini(&small);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_five_final_states_are_final),
        cmocka_unit_test(only_the_listed_transitions_happen),
        cmocka_unit_test(a_final_state_is_left_only_by_a_retry),
        cmocka_unit_test(the_end_of_an_attempt_decides_the_event),
        cmocka_unit_test(a_lost_idempotent_job_runs_again_within_bounds),
        cmocka_unit_test(a_specification_comes_back_whole),
        cmocka_unit_test(the_head_alone_is_a_specification_without_body),
        cmocka_unit_test(a_command_without_extras_has_no_body),
        cmocka_unit_test(a_specification_cut_anywhere_is_refused),
        cmocka_unit_test(a_full_arena_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
