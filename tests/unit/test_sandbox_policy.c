// What a job gets of a sandbox: the server's policy, the job's wish, the machine's reach.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "jobs/sandbox.h"

static struct sandbox_settings machine(enum sandbox_policy policy, enum sandbox_reach reach,
                                       bool is_complete)
{
    struct sandbox_settings settings = {
        .policy = policy, .reach = reach, .is_complete = is_complete};
    snprintf(settings.why, sizeof settings.why, "bubblewrap (bwrap) is not installed");
    return settings;
}

static void a_required_sandbox_that_cannot_be_is_refused(void **state)
{
    (void)state;
    static const struct {
        enum sandbox_policy policy;
        enum job_sandbox wish;
        bool is_complete;
        bool is_taken;
        const char *who;
    } rows[] = {
        {SANDBOX_POLICY_REQUIRED, JOB_SANDBOX_DEFAULT, true, true, NULL},
        {SANDBOX_POLICY_REQUIRED, JOB_SANDBOX_DEFAULT, false, false, "the server requires"},
        // A job can only tighten.
        {SANDBOX_POLICY_REQUIRED, JOB_SANDBOX_BEST_EFFORT, false, false, "the server requires"},
        {SANDBOX_POLICY_BEST_EFFORT, JOB_SANDBOX_REQUIRED, false, false, "the job requires"},
        {SANDBOX_POLICY_OFF, JOB_SANDBOX_REQUIRED, false, false, "the job requires"},
        {SANDBOX_POLICY_OFF, JOB_SANDBOX_REQUIRED, true, true, NULL},
        {SANDBOX_POLICY_BEST_EFFORT, JOB_SANDBOX_DEFAULT, false, true, NULL},
        {SANDBOX_POLICY_OFF, JOB_SANDBOX_BEST_EFFORT, false, true, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sandbox_settings settings =
            machine(rows[i].policy, SANDBOX_REACH_CONFINED, rows[i].is_complete);
        struct job_spec spec = {.sandbox = rows[i].wish};
        struct soma_error err = {0};
        enum soma_code code = sandbox_check(&settings, &spec, &err);
        assert_int_equal(code, rows[i].is_taken ? SOMA_OK : SOMA_FAILED_PRECONDITION);
        if (rows[i].is_taken)
            continue;
        assert_string_equal(err.reason, "SANDBOX_UNAVAILABLE");
        assert_string_equal(err.field, "spec.sandbox");
        assert_non_null(strstr(err.text, rows[i].who));
        assert_non_null(strstr(err.text, "bwrap"));
    }
}

static void the_network_needs_the_job_and_the_server(void **state)
{
    (void)state;
    for (int allows = 0; allows < 2; allows++) {
        for (int asks = 0; asks < 2; asks++) {
            struct sandbox_settings settings =
                machine(SANDBOX_POLICY_BEST_EFFORT, SANDBOX_REACH_NAMESPACES, true);
            settings.allows_network = allows;
            struct job_spec spec = {.network = asks};
            struct soma_error err = {0};
            enum soma_code code = sandbox_check(&settings, &spec, &err);
            assert_int_equal(code, asks && !allows ? SOMA_FAILED_PRECONDITION : SOMA_OK);
            if (code)
                assert_string_equal(err.reason, "NETWORK_NOT_ALLOWED");
        }
    }
}

// The order's value of the key, "" where it has none.
static void write_and_find(const struct sandbox_settings *settings, const struct job_spec *spec,
                           const char *key, char ret_value[64])
{
    struct fields_writer writer;
    struct fields_reader reader;
    struct field field;
    fields_writer_init(&writer, 65536);
    sandbox_write(&writer, settings, spec);
    assert_int_equal(fields_finish(&writer, NULL), SOMA_OK);
    assert_int_equal(fields_open(&reader, writer.bytes, writer.length, NULL), SOMA_OK);
    ret_value[0] = '\0';
    while (fields_next(&reader, &field)) {
        if (field_is(&field, key))
            snprintf(ret_value, 64, "%.*s", (int)field.length, field.bytes);
    }
    fields_writer_fini(&writer);
}

static void the_order_asks_for_what_the_policy_says(void **state)
{
    (void)state;
    static const struct {
        enum sandbox_policy policy;
        enum job_sandbox wish;
        enum sandbox_reach reach;
        const char *word, *required, *processes;
    } rows[] = {
        {SANDBOX_POLICY_OFF, JOB_SANDBOX_DEFAULT, SANDBOX_REACH_NAMESPACES, "off", "0", ""},
        {SANDBOX_POLICY_OFF, JOB_SANDBOX_BEST_EFFORT, SANDBOX_REACH_NAMESPACES, "namespaces", "0",
         "1024"},
        {SANDBOX_POLICY_BEST_EFFORT, JOB_SANDBOX_DEFAULT, SANDBOX_REACH_CONFINED, "confined", "0",
         ""},
        // A job that was taken while the machine still could: its start will fail and say why.
        {SANDBOX_POLICY_BEST_EFFORT, JOB_SANDBOX_REQUIRED, SANDBOX_REACH_OFF, "namespaces", "1",
         "1024"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sandbox_settings settings = machine(rows[i].policy, rows[i].reach, false);
        struct job_spec spec = {.sandbox = rows[i].wish};
        char value[64];
        write_and_find(&settings, &spec, "sandbox", value);
        assert_string_equal(value, rows[i].word);
        write_and_find(&settings, &spec, "sandbox_required", value);
        assert_string_equal(value, rows[i].required);
        write_and_find(&settings, &spec, "processes", value);
        assert_string_equal(value, rows[i].processes);
        write_and_find(&settings, &spec, "network", value);
        assert_string_equal(value, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_required_sandbox_that_cannot_be_is_refused),
        cmocka_unit_test(the_network_needs_the_job_and_the_server),
        cmocka_unit_test(the_order_asks_for_what_the_policy_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
