// services/job_values: every bad input of a SubmitJob gets its code, reason and field.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "services/job_values.h"
#include "wire/limits.h"

// A correct message that a case spoils at one place.
static struct {
    Pb__JobSpec spec;
    Pb__SourceCode code;
    Pb__Command command;
    Pb__JobLimits limits;
    Pb__EnvironmentVariable variables[LIMIT_JOB_ENVIRONMENT + 1];
    Pb__EnvironmentVariable *variable_pointers[LIMIT_JOB_ENVIRONMENT + 1];
    Pb__Label labels[LIMIT_JOB_LABELS + 1];
    Pb__Label *label_pointers[LIMIT_JOB_LABELS + 1];
    const char *words[LIMIT_JOB_ARGUMENTS + 1];
    struct languages languages;
    struct arena arena;
} made;

static char long_text[(1 << 20) + 2]; // "xxx…"
static char names[LIMIT_JOB_ENVIRONMENT + 1][8];

static const char *text_of_length(size_t length)
{
    return long_text + sizeof long_text - 1 - length;
}

static void make_good(void)
{
    pb__job_spec__init(&made.spec);
    pb__source_code__init(&made.code);
    pb__command__init(&made.command);
    pb__job_limits__init(&made.limits);
    for (size_t i = 0; i <= LIMIT_JOB_ENVIRONMENT; i++) {
        pb__environment_variable__init(&made.variables[i]);
        snprintf(names[i], sizeof names[i], "V%zu", i);
        made.variables[i].name = names[i];
        made.variable_pointers[i] = &made.variables[i];
    }
    for (size_t i = 0; i <= LIMIT_JOB_LABELS; i++) {
        pb__label__init(&made.labels[i]);
        made.labels[i].key = names[i];
        made.label_pointers[i] = &made.labels[i];
    }
    for (size_t i = 0; i <= LIMIT_JOB_ARGUMENTS; i++)
        made.words[i] = "w";
    made.spec.environment = made.variable_pointers;
    made.spec.n_environment = 2;
    made.spec.labels = made.label_pointers;
    made.spec.n_labels = 2;
    made.spec.limits = &made.limits;
    made.code.language = "sh";
    made.code.source.data = (uint8_t *)long_text;
    made.code.source.len = 3;
    made.code.args = made.words;
    made.code.n_args = 1;
    made.command.argv = made.words;
    made.command.n_argv = 1;
    made.spec.program_case = PB__JOB_SPEC__PROGRAM_CODE;
    made.spec.code = &made.code;
}

static void use_command(void)
{
    made.spec.program_case = PB__JOB_SPEC__PROGRAM_COMMAND;
    made.spec.command = &made.command;
}

// --- one function a spoilt place

static void no_program(void)
{
    made.spec.program_case = PB__JOB_SPEC__PROGRAM__NOT_SET;
}
static void no_language(void)
{
    made.code.language = "";
}
static void unknown_language(void)
{
    made.code.language = "cobol";
}
static void no_source(void)
{
    made.code.source.len = 0;
}
static void long_source(void)
{
    made.code.source.len = LIMIT_JOB_SOURCE_BYTES + 1;
}
static void many_args(void)
{
    made.code.n_args = LIMIT_JOB_ARGUMENTS + 1;
}
static void long_args(void)
{
    made.words[0] = text_of_length(LIMIT_JOB_ARGUMENT_BYTES);
}
static void no_argv(void)
{
    use_command();
    made.command.n_argv = 0;
}
static void empty_argv0(void)
{
    use_command();
    made.words[0] = "";
}
static void many_words(void)
{
    use_command();
    made.command.n_argv = LIMIT_JOB_ARGUMENTS + 1;
}
static void long_stdin(void)
{
    made.spec.stdin.len = LIMIT_JOB_STDIN_BYTES + 1;
}
static void many_variables(void)
{
    made.spec.n_environment = LIMIT_JOB_ENVIRONMENT + 1;
}
static void unnamed_variable(void)
{
    made.variables[1].name = "";
}
static void digit_variable(void)
{
    made.variables[1].name = "1A";
}
static void strange_variable(void)
{
    made.variables[1].name = "A=B";
}
static void long_variable(void)
{
    made.variables[1].name = text_of_length(129);
}
static void soma_variable(void)
{
    made.variables[1].name = "SOMA_SERVER";
}
static void long_value(void)
{
    made.variables[0].value = text_of_length(LIMIT_JOB_ENVIRONMENT_VALUE_BYTES + 1);
}
static void twice_variable(void)
{
    made.variables[1].name = made.variables[0].name;
}
static void long_name(void)
{
    made.spec.name = text_of_length(256);
}
static void strange_queue(void)
{
    made.spec.queue = "a/b";
}
static void long_queue(void)
{
    made.spec.queue = text_of_length(64);
}
static void high_priority(void)
{
    made.spec.priority = 1001;
}
static void low_priority(void)
{
    made.spec.priority = -1001;
}
static void past_not_before(void)
{
    made.spec.not_before_unix_ms = -1;
}
static void many_labels(void)
{
    made.spec.n_labels = LIMIT_JOB_LABELS + 1;
}
static void no_label_key(void)
{
    made.labels[1].key = "";
}
static void strange_label_key(void)
{
    made.labels[1].key = "a b";
}
static void long_label_key(void)
{
    made.labels[0].key = text_of_length(64);
}
static void long_label_value(void)
{
    made.labels[0].value = text_of_length(256);
}
static void twice_label(void)
{
    made.labels[1].key = made.labels[0].key;
}
static void negative_wall_time(void)
{
    made.limits.wall_time_ms = -1;
}
static void long_wall_time(void)
{
    made.limits.wall_time_ms = LIMIT_JOB_WALL_TIME_MS + 1;
}
static void large_output(void)
{
    made.limits.output_bytes = LIMIT_JOB_OUTPUT_BYTES + 1;
}
static void negative_grace(void)
{
    made.limits.kill_grace_ms = -2;
}
static void large_tail(void)
{
    made.limits.output_tail_bytes = LIMIT_JOB_OUTPUT_TAIL_BYTES + 1;
}
static void tail_above_output(void)
{
    made.limits.output_bytes = 100;
    made.limits.output_tail_bytes = 101;
}
static void long_grace(void)
{
    made.limits.kill_grace_ms = LIMIT_JOB_KILL_GRACE_MS + 1;
}
static void long_keep(void)
{
    made.spec.keep_ms = LIMIT_JOB_KEEP_MS + 1;
}
static void negative_keep(void)
{
    made.spec.keep_ms = -5;
}

static const struct {
    void (*spoil)(void);
    const char *reason;
    const char *field;
} bad_inputs[] = {
    {no_program, "FIELD_REQUIRED", "spec.program"},
    {no_language, "FIELD_REQUIRED", "spec.code.language"},
    {unknown_language, "LANGUAGE_UNKNOWN", "spec.code.language"},
    {no_source, "FIELD_REQUIRED", "spec.code.source"},
    {long_source, "FIELD_TOO_LONG", "spec.code.source"},
    {many_args, "FIELD_TOO_LONG", "spec.code.args"},
    {long_args, "FIELD_TOO_LONG", "spec.code.args"},
    {no_argv, "FIELD_REQUIRED", "spec.command.argv"},
    {empty_argv0, "FIELD_REQUIRED", "spec.command.argv[0]"},
    {many_words, "FIELD_TOO_LONG", "spec.command.argv"},
    {long_stdin, "FIELD_TOO_LONG", "spec.stdin"},
    {many_variables, "FIELD_TOO_LONG", "spec.environment"},
    {unnamed_variable, "FIELD_REQUIRED", "spec.environment[1].name"},
    {digit_variable, "FIELD_INVALID", "spec.environment[1].name"},
    {strange_variable, "FIELD_INVALID", "spec.environment[1].name"},
    {long_variable, "FIELD_TOO_LONG", "spec.environment[1].name"},
    {soma_variable, "FIELD_INVALID", "spec.environment[1].name"},
    {long_value, "FIELD_TOO_LONG", "spec.environment[0].value"},
    {twice_variable, "DUPLICATE_KEY", "spec.environment[1].name"},
    {long_name, "FIELD_TOO_LONG", "spec.name"},
    {strange_queue, "FIELD_INVALID", "spec.queue"},
    {long_queue, "FIELD_TOO_LONG", "spec.queue"},
    {high_priority, "FIELD_OUT_OF_RANGE", "spec.priority"},
    {low_priority, "FIELD_OUT_OF_RANGE", "spec.priority"},
    {past_not_before, "FIELD_OUT_OF_RANGE", "spec.not_before_unix_ms"},
    {many_labels, "FIELD_TOO_LONG", "spec.labels"},
    {no_label_key, "FIELD_REQUIRED", "spec.labels[1].key"},
    {strange_label_key, "FIELD_INVALID", "spec.labels[1].key"},
    {long_label_key, "FIELD_TOO_LONG", "spec.labels[0].key"},
    {long_label_value, "FIELD_TOO_LONG", "spec.labels[0].value"},
    {twice_label, "DUPLICATE_KEY", "spec.labels[1].key"},
    {negative_wall_time, "FIELD_OUT_OF_RANGE", "spec.limits.wall_time_ms"},
    {long_wall_time, "FIELD_OUT_OF_RANGE", "spec.limits.wall_time_ms"},
    {large_output, "FIELD_OUT_OF_RANGE", "spec.limits.output_bytes"},
    {negative_grace, "FIELD_OUT_OF_RANGE", "spec.limits.kill_grace_ms"},
    {large_tail, "FIELD_OUT_OF_RANGE", "spec.limits.output_tail_bytes"},
    {tail_above_output, "FIELD_OUT_OF_RANGE", "spec.limits.output_tail_bytes"},
    {long_grace, "FIELD_OUT_OF_RANGE", "spec.limits.kill_grace_ms"},
    {long_keep, "FIELD_OUT_OF_RANGE", "spec.keep_ms"},
    {negative_keep, "FIELD_OUT_OF_RANGE", "spec.keep_ms"},
};

static enum soma_code convert(struct job_spec *ret_spec, struct soma_error *err)
{
    return job_spec_from(&made.spec, &made.languages, &made.arena, ret_spec, err);
}

static void every_bad_input_names_its_field_and_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_inputs / sizeof bad_inputs[0]; i++) {
        struct job_spec spec;
        struct soma_error err = {0};
        make_good();
        assert_int_equal(convert(&spec, &err), SOMA_OK);
        bad_inputs[i].spoil();
        assert_int_equal(convert(&spec, &err), SOMA_INVALID_ARGUMENT);
        assert_string_equal(err.field, bad_inputs[i].field);
        assert_string_equal(err.reason, bad_inputs[i].reason);
    }
    struct job_spec spec;
    struct soma_error err;
    assert_int_equal(job_spec_from(NULL, &made.languages, &made.arena, &spec, &err),
                     SOMA_INVALID_ARGUMENT);
    assert_string_equal(err.field, "spec");
}

static void zero_means_the_documented_default(void **state)
{
    (void)state;
    struct job_spec spec;
    make_good();
    made.spec.limits = NULL;
    assert_int_equal(convert(&spec, NULL), SOMA_OK);
    assert_string_equal(spec.queue, "default");
    assert_int_equal(spec.limits.wall_time_ms, 86400000);
    assert_int_equal(spec.limits.output_bytes, 67108864);
    assert_int_equal(spec.limits.kill_grace_ms, 5000);
    assert_int_equal(spec.keep_ms, 604800000);
    assert_string_equal(spec.language, "sh");
    assert_int_equal(spec.environment_count, 2);
    assert_string_equal(spec.environment[1].name, "V1");
    assert_int_equal(spec.label_count, 2);
}

static void minus_one_means_none(void **state)
{
    (void)state;
    struct job_spec spec;
    make_good();
    made.limits.output_bytes = made.limits.kill_grace_ms = made.spec.keep_ms = -1;
    assert_int_equal(convert(&spec, NULL), SOMA_OK);
    assert_int_equal(spec.limits.output_bytes, 0);
    assert_int_equal(spec.limits.kill_grace_ms, 0);
    assert_int_equal(spec.keep_ms, 0);
}

static void the_largest_values_are_allowed(void **state)
{
    (void)state;
    struct job_spec spec;
    struct soma_error err;
    make_good();
    made.code.source.len = LIMIT_JOB_SOURCE_BYTES;
    made.code.n_args = LIMIT_JOB_ARGUMENTS;
    made.spec.n_environment = LIMIT_JOB_ENVIRONMENT;
    made.spec.n_labels = LIMIT_JOB_LABELS;
    made.spec.priority = -1000;
    made.spec.queue = text_of_length(63);
    made.limits.wall_time_ms = LIMIT_JOB_WALL_TIME_MS;
    made.limits.output_bytes = LIMIT_JOB_OUTPUT_BYTES;
    made.spec.keep_ms = LIMIT_JOB_KEEP_MS;
    assert_int_equal(convert(&spec, &err), SOMA_OK);
    assert_int_equal(spec.limits.output_bytes, LIMIT_JOB_OUTPUT_BYTES);
    assert_int_equal(spec.environment_count, LIMIT_JOB_ENVIRONMENT);
}

static void a_filter_is_checked_as_well(void **state)
{
    (void)state;
    struct job_filter filter;
    struct soma_error err;
    Pb__JobFilter message = PB__JOB_FILTER__INIT;
    assert_int_equal(job_filter_from(NULL, &made.arena, &filter, &err), SOMA_OK);
    assert_int_equal(filter.states, 0);
    Pb__JobState states[] = {PB__JOB_STATE__JOB_STATE_FAILED, PB__JOB_STATE__JOB_STATE_LOST};
    message.states = states;
    message.n_states = 2;
    assert_int_equal(job_filter_from(&message, &made.arena, &filter, &err), SOMA_OK);
    assert_int_equal(filter.states, 1u << JOB_FAILED | 1u << JOB_LOST);
    states[1] = PB__JOB_STATE__JOB_STATE_UNSPECIFIED;
    assert_int_equal(job_filter_from(&message, &made.arena, &filter, &err), SOMA_INVALID_ARGUMENT);
    assert_string_equal(err.field, "filter.states");
    message.n_states = 0;
    message.queue = "a b";
    assert_int_equal(job_filter_from(&message, &made.arena, &filter, &err), SOMA_INVALID_ARGUMENT);
    assert_string_equal(err.field, "filter.queue");
    make_good();
    message.queue = "";
    message.labels = made.label_pointers;
    message.n_labels = 17;
    assert_int_equal(job_filter_from(&message, &made.arena, &filter, &err), SOMA_INVALID_ARGUMENT);
    assert_string_equal(err.field, "filter.labels");
}

static void a_job_id_is_required_and_short(void **state)
{
    (void)state;
    struct soma_error err;
    assert_int_equal(job_id_from("", &err), SOMA_INVALID_ARGUMENT);
    assert_string_equal(err.reason, "FIELD_REQUIRED");
    assert_int_equal(job_id_from(text_of_length(21), &err), SOMA_INVALID_ARGUMENT);
    assert_string_equal(err.reason, "FIELD_TOO_LONG");
    assert_int_equal(job_id_from(text_of_length(20), &err), SOMA_OK);
}

static int prepare(void **state)
{
    (void)state;
    memset(long_text, 'x', sizeof long_text - 1);
    arena_init(&made.arena, 64 << 20);
    languages_init(&made.languages);
    return languages_add(&made.languages, "sh", "/bin/sh", "", NULL, NULL) == SOMA_OK ? 0 : -1;
}

static int clean(void **state)
{
    (void)state;
    languages_fini(&made.languages);
    arena_fini(&made.arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bad_input_names_its_field_and_reason),
        cmocka_unit_test(zero_means_the_documented_default),
        cmocka_unit_test(minus_one_means_none),
        cmocka_unit_test(the_largest_values_are_allowed),
        cmocka_unit_test(a_filter_is_checked_as_well),
        cmocka_unit_test(a_job_id_is_required_and_short),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}
