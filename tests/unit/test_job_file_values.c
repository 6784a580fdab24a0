// services/job_file_values: every bad file or artifact of a SubmitJob gets its reason and field.
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
    Pb__JobLimits limits;
    Pb__JobFile files[LIMIT_JOB_FILES + 1];
    Pb__JobFile *file_pointers[LIMIT_JOB_FILES + 1];
    struct languages languages;
    struct arena arena;
} made;

static char long_text[2000]; // "xxx…"
static char file_names[LIMIT_JOB_FILES + 1][16];
static const char *patterns[LIMIT_JOB_ARTIFACT_PATTERNS + 1];

static const char *text_of_length(size_t length)
{
    return long_text + sizeof long_text - 1 - length;
}

static void make_good(void)
{
    pb__job_spec__init(&made.spec);
    pb__source_code__init(&made.code);
    pb__job_limits__init(&made.limits);
    for (size_t i = 0; i <= LIMIT_JOB_FILES; i++) {
        pb__job_file__init(&made.files[i]);
        snprintf(file_names[i], sizeof file_names[i], "d%zu/f", i);
        made.files[i].path = file_names[i];
        made.file_pointers[i] = &made.files[i];
    }
    made.spec.files = made.file_pointers;
    made.spec.n_files = 2;
    for (size_t i = 0; i <= LIMIT_JOB_ARTIFACT_PATTERNS; i++)
        patterns[i] = "*.txt";
    made.spec.artifacts = patterns;
    made.spec.n_artifacts = 1;
    made.spec.limits = &made.limits;
    made.code.language = "sh";
    made.code.source.data = (uint8_t *)long_text;
    made.code.source.len = 3;
    made.spec.program_case = PB__JOB_SPEC__PROGRAM_CODE;
    made.spec.code = &made.code;
}

static void many_files(void)
{
    made.spec.n_files = LIMIT_JOB_FILES + 1;
}
static void unnamed_file(void)
{
    made.files[1].path = "";
}
static void file_above(void)
{
    made.files[1].path = "a/../../b";
}
static void absolute_file(void)
{
    made.files[1].path = "/etc/passwd";
}
static void control_file(void)
{
    made.files[1].path = "a\033[2J";
}
static void long_file(void)
{
    made.files[1].path = text_of_length(1025);
}
static void twice_file(void)
{
    made.files[1].path = "d0/f";
}
static void file_in_the_place_of_a_directory(void)
{
    made.files[1].path = "d0";
}
static void file_in_the_place_of_the_program(void)
{
    made.files[1].path = "main.sh";
}
static void large_content(void)
{
    made.files[0].content.len = LIMIT_JOB_FILES_INLINE_BYTES / 2 + 1;
    made.files[1].content.len = LIMIT_JOB_FILES_INLINE_BYTES / 2;
}
static void content_and_upload(void)
{
    made.files[1].content.len = 1;
    made.files[1].upload_id = "x";
}
static void large_upload(void)
{
    made.files[1].upload_id = "x";
    made.files[1].size_bytes = LIMIT_JOB_FILE_BYTES + 1;
}

static void many_patterns(void)
{
    made.spec.artifacts = patterns;
    made.spec.n_artifacts = LIMIT_JOB_ARTIFACT_PATTERNS + 1;
}
static void pattern_above(void)
{
    patterns[1] = "../*";
    made.spec.artifacts = patterns;
    made.spec.n_artifacts = 2;
}
static void large_artifacts(void)
{
    made.limits.artifact_bytes = LIMIT_JOB_ARTIFACT_BYTES + 1;
}

static const struct {
    void (*spoil)(void);
    const char *reason;
    const char *field;
} bad_inputs[] = {
    {many_patterns, "FIELD_TOO_LONG", "spec.artifacts"},
    {pattern_above, "FIELD_INVALID", "spec.artifacts[1]"},
    {large_artifacts, "FIELD_OUT_OF_RANGE", "spec.limits.artifact_bytes"},
    {many_files, "FIELD_TOO_LONG", "spec.files"},
    {unnamed_file, "FIELD_REQUIRED", "spec.files[1].path"},
    {file_above, "FIELD_INVALID", "spec.files[1].path"},
    {absolute_file, "FIELD_INVALID", "spec.files[1].path"},
    {control_file, "FIELD_INVALID", "spec.files[1].path"},
    {long_file, "FIELD_TOO_LONG", "spec.files[1].path"},
    {twice_file, "DUPLICATE_KEY", "spec.files[1].path"},
    {file_in_the_place_of_a_directory, "DUPLICATE_KEY", "spec.files[0].path"},
    {file_in_the_place_of_the_program, "DUPLICATE_KEY", "spec.files[1].path"},
    {large_content, "FIELD_TOO_LONG", "spec.files"},
    {content_and_upload, "FIELD_INVALID", "spec.files[1].upload_id"},
    {large_upload, "FIELD_OUT_OF_RANGE", "spec.files[1].size_bytes"},
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
}

static void the_largest_values_are_allowed(void **state)
{
    (void)state;
    struct job_spec spec;
    make_good();
    made.spec.n_files = LIMIT_JOB_FILES;
    made.spec.n_artifacts = LIMIT_JOB_ARTIFACT_PATTERNS;
    made.files[0].content.len = LIMIT_JOB_FILES_INLINE_BYTES;
    made.files[1].upload_id = "some";
    made.files[1].size_bytes = LIMIT_JOB_FILE_BYTES;
    made.limits.artifact_bytes = LIMIT_JOB_ARTIFACT_BYTES;
    assert_int_equal(convert(&spec, NULL), SOMA_OK);
    assert_int_equal(spec.file_count, LIMIT_JOB_FILES);
    assert_int_equal(spec.files[0].size_bytes, LIMIT_JOB_FILES_INLINE_BYTES);
    assert_null(spec.files[0].upload_id);
    assert_string_equal(spec.files[1].upload_id, "some");
    assert_int_equal(spec.artifact_count, LIMIT_JOB_ARTIFACT_PATTERNS);
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
        cmocka_unit_test(the_largest_values_are_allowed),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}
