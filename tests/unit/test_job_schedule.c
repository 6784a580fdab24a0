// server/services: when a job is started and started again, each range and default.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "services/job_messages.h"
#include "services/job_values.h"

static int64_t wall(void)
{
    return 5000;
}

static const struct clock_source source = {wall, wall};

static Pb__JobSpec message;
static Pb__RetryPolicy retry;
static struct job_spec spec;

static int set_up(void **state)
{
    (void)state;
    clock_use(&source);
    pb__job_spec__init(&message);
    pb__retry_policy__init(&retry);
    memset(&spec, 0, sizeof spec);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    clock_use(NULL);
    return 0;
}

static void take(void)
{
    struct soma_error err = {0};
    if (job_schedule_from(&message, &spec, &err) != SOMA_OK)
        fail_msg("%s", err.text);
}

static void refuses(const char *reason, const char *field)
{
    struct soma_error err = {0};
    assert_int_not_equal(job_schedule_from(&message, &spec, &err), SOMA_OK);
    assert_string_equal(err.reason, reason);
    assert_string_equal(err.field, field);
}

static void nothing_given_is_at_once_and_once(void **state)
{
    (void)state;
    take();
    assert_int_equal(spec.not_before.ms, 0);
    assert_int_equal(spec.start_by.ms, 0);
    assert_int_equal(spec.retry.max_attempts, 0);
    assert_int_equal(spec.after_count, 0);
    assert_null(spec.dedupe_key);
}

static void delays_become_times_of_the_servers_clock(void **state)
{
    (void)state;
    message.delay_ms = 10;
    message.start_within_ms = 20;
    take();
    assert_int_equal(spec.not_before.ms, 5010);
    assert_int_equal(spec.start_by.ms, 5020);
    message.not_before_unix_ms = 1;
    refuses("FIELD_INVALID", "spec.delay_ms");
    message.delay_ms = 0;
    message.start_deadline_unix_ms = 1;
    refuses("FIELD_INVALID", "spec.start_within_ms");
    message.start_within_ms = 0;
    take();
    assert_int_equal(spec.start_by.ms, 1);
}

static void times_have_ranges(void **state)
{
    (void)state;
    struct {
        int64_t *value;
        int64_t bad;
        const char *field;
    } cases[] = {
        {&message.not_before_unix_ms, -1, "spec.not_before_unix_ms"},
        {&message.delay_ms, -1, "spec.delay_ms"},
        {&message.delay_ms, 31536000001, "spec.delay_ms"},
        {&message.start_deadline_unix_ms, -1, "spec.start_deadline_unix_ms"},
        {&message.start_within_ms, 31536000001, "spec.start_within_ms"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        *cases[i].value = cases[i].bad;
        refuses("FIELD_OUT_OF_RANGE", cases[i].field);
        *cases[i].value = 0;
    }
}

static void a_retry_policy_has_defaults(void **state)
{
    (void)state;
    message.retry = &retry;
    retry.max_attempts = 3;
    take();
    assert_int_equal(spec.retry.max_attempts, 3);
    assert_int_equal(spec.retry.backoff_ms, 1000);
    assert_int_equal(spec.retry.factor_milli, 2000);
    assert_int_equal(spec.retry.backoff_max_ms, 3600000);
    assert_true(spec.retry.reasons >> JOB_REASON_EXITED & 1);
    assert_true(spec.retry.reasons >> JOB_REASON_WALL_TIMEOUT & 1);
    assert_false(spec.retry.reasons >> JOB_REASON_LOST & 1);
    assert_false(spec.retry.reasons >> JOB_REASON_CANCELLED & 1);
    retry.backoff_ms = 7200000;
    take();
    assert_int_equal(spec.retry.backoff_max_ms, 7200000);
}

static void a_retry_policy_has_ranges(void **state)
{
    (void)state;
    message.retry = &retry;
    retry.max_attempts = 101;
    refuses("FIELD_OUT_OF_RANGE", "spec.retry.max_attempts");
    retry.max_attempts = 100;
    retry.backoff_ms = 604800001;
    refuses("FIELD_OUT_OF_RANGE", "spec.retry.backoff_ms");
    retry.backoff_ms = 2000;
    retry.backoff_max_ms = 1999;
    refuses("FIELD_OUT_OF_RANGE", "spec.retry.backoff_max_ms");
    retry.backoff_max_ms = 0;
    static const double factors[] = {0.5, -1, 10.5, NAN, INFINITY};
    for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++) {
        retry.backoff_factor = factors[i];
        refuses("FIELD_OUT_OF_RANGE", "spec.retry.backoff_factor");
    }
    retry.backoff_factor = 1;
    Pb__JobReason reasons[] = {PB__JOB_REASON__JOB_REASON_EXITED,
                               PB__JOB_REASON__JOB_REASON_UNSPECIFIED};
    static const Pb__JobReason refused[] = {
        PB__JOB_REASON__JOB_REASON_UNSPECIFIED, PB__JOB_REASON__JOB_REASON_LOST,
        PB__JOB_REASON__JOB_REASON_CANCELLED, PB__JOB_REASON__JOB_REASON_EXPIRED,
        PB__JOB_REASON__JOB_REASON_DEPENDENCY};
    retry.on_reasons = reasons;
    retry.n_on_reasons = 2;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        reasons[1] = refused[i];
        refuses("FIELD_INVALID", "spec.retry.on_reasons");
    }
    retry.n_on_reasons = 1;
    take();
    assert_int_equal(spec.retry.reasons, 1 << JOB_REASON_EXITED);
}

static void jobs_to_wait_for_are_unique_and_few(void **state)
{
    (void)state;
    const char *ids[65];
    for (int i = 0; i < 65; i++)
        ids[i] = "x";
    message.after = ids;
    message.n_after = 65;
    refuses("FIELD_TOO_LONG", "spec.after");
    message.n_after = 2;
    refuses("DUPLICATE_KEY", "spec.after[1]");
    ids[1] = "";
    refuses("FIELD_REQUIRED", "spec.after[1]");
    ids[1] = "123456789012345678901";
    refuses("FIELD_TOO_LONG", "spec.after[1]");
    message.n_after = 1;
    take();
    assert_int_equal(spec.after_policy, JOB_AFTER_CANCEL);
    message.after_policy = PB__DEPENDENCY_POLICY__DEPENDENCY_POLICY_RUN;
    take();
    assert_int_equal(spec.after_policy, JOB_AFTER_RUN);
}

static void a_dedupe_key_is_bounded(void **state)
{
    (void)state;
    static char key[257];
    memset(key, 'k', 256);
    key[256] = '\0';
    message.dedupe_key = key;
    refuses("FIELD_TOO_LONG", "spec.dedupe_key");
    key[255] = '\0';
    take();
    assert_string_equal(spec.dedupe_key, key);
}

static void what_was_given_is_told_again(void **state)
{
    (void)state;
    const char *ids[] = {"one", "two"};
    Pb__JobReason reasons[] = {PB__JOB_REASON__JOB_REASON_WALL_TIMEOUT,
                               PB__JOB_REASON__JOB_REASON_EXITED};
    struct arena arena;
    arena_init(&arena, 1 << 16);
    message.retry = &retry;
    retry.max_attempts = 5;
    retry.backoff_factor = 1.5;
    retry.on_reasons = reasons;
    retry.n_on_reasons = 2;
    message.start_within_ms = 7;
    message.after = ids;
    message.n_after = 2;
    message.dedupe_key = "key";
    take();
    Pb__JobSpec told = PB__JOB_SPEC__INIT;
    assert_true(job_message_put_schedule(&told, &spec, &arena));
    assert_int_equal(told.start_deadline_unix_ms, 5007);
    assert_int_equal(told.start_within_ms, 0);
    assert_int_equal(told.retry->max_attempts, 5);
    assert_true(told.retry->backoff_factor == 1.5);
    assert_int_equal(told.retry->n_on_reasons, 2);
    assert_int_equal(told.retry->on_reasons[0], PB__JOB_REASON__JOB_REASON_EXITED);
    assert_int_equal(told.n_after, 2);
    assert_string_equal(told.after[1], "two");
    assert_string_equal(told.dedupe_key, "key");
    arena_fini(&arena);
}

#define SCHEDULE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCHEDULE_TEST(nothing_given_is_at_once_and_once),
        SCHEDULE_TEST(delays_become_times_of_the_servers_clock),
        SCHEDULE_TEST(times_have_ranges),
        SCHEDULE_TEST(a_retry_policy_has_defaults),
        SCHEDULE_TEST(a_retry_policy_has_ranges),
        SCHEDULE_TEST(jobs_to_wait_for_are_unique_and_few),
        SCHEDULE_TEST(a_dedupe_key_is_bounded),
        SCHEDULE_TEST(what_was_given_is_told_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
