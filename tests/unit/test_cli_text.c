// client/cli: units, options, display, tables of words.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "cli/display.h"
#include "cli/error.h"
#include "cli/json_out.h"
#include "cli/options.h"
#include "cli/units.h"

struct number_row {
    const char *text;
    // Below 0: refused.
    int64_t value;
};

static void durations_are_read_whole_or_not_at_all(void **state)
{
    static const struct number_row rows[] = {
        {"500ms", 500},
        {"90s", 90000},
        {"10m", 600000},
        {"24h", 86400000},
        {"7d", 604800000},
        {"1h30m", 5400000},
        {"1.5s", 1500},
        {"30", 30000},
        {"0", 0},
        {"", -1},
        {"s", -1},
        {"10 m", -1},
        {"-5s", -1},
        {"5x", -1},
        {"1.s", -1},
        {"5s!", -1},
        {"99999999999999999999d", -1},
        {"9223372036854775807d", -1},
        {"9223372036854775.807", INT64_MAX},
        {"9223372036854775.808", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ms = -1;
        assert_int_equal(parse_duration(rows[i].text, &ms), rows[i].value >= 0);
        assert_int_equal(ms, rows[i].value);
    }
}

static void durations_are_written_as_they_are_read(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        {0, "0s"},         {500, "500ms"},     {5000, "5s"},        {90500, "1m30s500ms"},
        {3600000, "1h"},   {9000000, "2h30m"}, {86400000, "24h"},   {129600000, "36h"},
        {172800000, "2d"}, {604800000, "7d"},  {176400000, "2d1h"},
    };
    char text[UNITS_TEXT_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ms = -1;
        assert_string_equal(format_duration(text, rows[i].ms), rows[i].text);
        assert_true(parse_duration(text, &ms));
        assert_int_equal(ms, rows[i].ms);
    }
}

static void sizes_count_by_1024(void **state)
{
    static const struct number_row rows[] = {
        {"0", 0},
        {"1000", 1000},
        {"64K", 65536},
        {"64M", 67108864},
        {"64MiB", 67108864},
        {"64mb", 67108864},
        {"1G", 1073741824},
        {"1.5K", 1536},
        {"2T", INT64_C(2) << 40},
        {"", -1},
        {"M", -1},
        {"1X", -1},
        {"-1K", -1},
        {"99999999999T", -1},
        {"1K1K", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t bytes = -1;
        assert_int_equal(parse_size(rows[i].text, &bytes), rows[i].value >= 0);
        assert_int_equal(bytes, rows[i].value);
    }
}

static void times_are_rfc_3339(void **state)
{
    static const struct number_row rows[] = {
        {"1970-01-01T00:00:01Z", 1000},
        {"2025-03-01T09:30:00Z", 1740821400000},
        {"2025-03-01T11:30:00+02:00", 1740821400000},
        {"2025-03-01T09:30:00.25Z", 1740821400250},
        {"2025-03-01t09:30:00z", 1740821400000},
        {"2025-03-01T09:30:00", -1},
        {"2025-03-01", -1},
        {"2025-02-30T00:00:00Z", -1},
        {"2025-13-01T00:00:00Z", -1},
        {"2025-01-01T25:00:00Z", -1},
        {"2025-03-01T09:30:00.Z", -1},
        {"2025-03-01T09:30:00+2:00", -1},
        {"2025-03-01T09:30:00+02:00x", -1},
        {"tomorrow", -1},
        {"", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ms = -1;
        assert_int_equal(parse_time(rows[i].text, &ms), rows[i].value >= 0);
        assert_int_equal(ms, rows[i].value);
    }
}

static void numbers_are_written_as_short_as_they_read_back(void **state)
{
    char text[UNITS_TEXT_SIZE];
    (void)state;
    assert_string_equal(format_double(text, 0.1), "0.1");
    assert_string_equal(format_double(text, 1.0 / 3), "0.3333333333333333");
    assert_string_equal(format_float(text, 0.1F), "0.1");
    assert_true(strtof(format_float(text, 1.0F / 3), NULL) == 1.0F / 3);
    assert_string_equal(format_double(text, (double)INFINITY), "null");
    double value;
    assert_false(parse_number("nan", &value));
    assert_false(parse_number("inf", &value));
    assert_false(parse_number("0x10", &value));
    assert_false(parse_number("1e999", &value));
    assert_true(parse_number("-1.5e3", &value));
}

static void ages_clocks_and_sizes_fit_people(void **state)
{
    char text[UNITS_TEXT_SIZE];
    (void)state;
    assert_string_equal(format_age(text, 420), "0.4s");
    assert_string_equal(format_age(text, 42000), "42s");
    assert_string_equal(format_age(text, 3600000), "60m");
    assert_string_equal(format_age(text, 86400000), "24h");
    assert_string_equal(format_age(text, INT64_C(9) * 86400000), "9d");
    assert_string_equal(format_clock(text, 7000), "0:07");
    assert_string_equal(format_clock(text, 3723000), "1:02:03");
    assert_string_equal(format_size(text, 512), "512 B");
    assert_string_equal(format_size(text, 1572864), "1.5 MiB");
    assert_string_equal(format_time(text, 1740821400250), "2025-03-01T09:30:00.250Z");
    assert_string_equal(format_time(text, 0), "-");
}

// --- options

static const struct option test_options[] = {
    {"queue", 'Q', "NAME", "", false},
    {"label", 'l', "K=V", "", true},
    {"all", 'a', NULL, "", false},
    {0},
};
static const struct option more_options[] = {{"quiet", 'q', NULL, "", false}, {0}};

static bool parse(struct options *options, struct options_error *err, int count, ...)
{
    char *words[16];
    size_t used;
    const struct option *const tables[] = {test_options, more_options};
    va_list arguments;
    va_start(arguments, count);
    for (int i = 0; i < count; i++)
        words[i] = va_arg(arguments, char *);
    va_end(arguments);
    assert_true(options_init(options, (size_t)count));
    return options_parse(options, tables, 2, words, (size_t)count, false, &used, err);
}

static void options_stand_in_every_form_and_place(void **state)
{
    struct options options;
    struct options_error err;
    (void)state;
    assert_true(parse(&options, &err, 10, "one", "--queue=a=b", "-aq", "-lx=1", "--label", "y=2",
                      "-", "--", "-z", "--all"));
    assert_string_equal(options_value(&options, "queue"), "a=b");
    assert_true(options_has(&options, "all"));
    assert_true(options_has(&options, "quiet"));
    assert_int_equal(options_count(&options, "label"), 2);
    assert_int_equal(options.operand_count, 4);
    assert_int_equal(options.before_dashes, 2);
    assert_string_equal(options.operands[1], "-");
    assert_string_equal(options.operands[3], "--all");
    options_fini(&options);
}

static void the_last_value_counts(void **state)
{
    struct options options;
    struct options_error err;
    (void)state;
    assert_true(parse(&options, &err, 4, "-Qa", "-Q", "b", "--queue=c"));
    assert_string_equal(options_value(&options, "queue"), "c");
    options_fini(&options);
}

static void wrong_options_are_named(void **state)
{
    struct options options;
    struct options_error err;
    (void)state;
    assert_false(parse(&options, &err, 1, "--quuee=x"));
    assert_string_equal(err.text, "unknown option --quuee");
    assert_string_equal(err.hint, "did you mean --queue?");
    options_fini(&options);
    assert_false(parse(&options, &err, 1, "--all=yes"));
    assert_string_equal(err.text, "option --all takes no value");
    options_fini(&options);
    assert_false(parse(&options, &err, 1, "--queue"));
    assert_string_equal(err.text, "option --queue needs a value, NAME");
    options_fini(&options);
    assert_false(parse(&options, &err, 1, "-aQ"));
    assert_string_equal(err.text, "option -Q needs a value, NAME");
    options_fini(&options);
    assert_false(parse(&options, &err, 1, "-ax"));
    assert_string_equal(err.text, "unknown option -x");
    options_fini(&options);
}

static void many_short_flags_in_one_word_have_room(void **state)
{
    struct options options;
    struct options_error err;
    (void)state;
    assert_true(
        parse(&options, &err, 1, "-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    assert_int_equal(options_count(&options, "all"), 54);
    options_fini(&options);
}

static void words_are_near_when_a_slip_parts_them(void **state)
{
    (void)state;
    assert_true(words_are_near("sumbit", "submit"));
    assert_true(words_are_near("colection ls", "collection ls"));
    assert_true(words_are_near("p", "ps"));
    assert_false(words_are_near("frobnicate", "submit"));
    assert_false(words_are_near("a", "b"));
}

// --- display

static void shown_text_has_no_control_characters(void **state)
{
    char clean[64];
    (void)state;
    assert_int_equal(display_clean("a\x1b[31mb\x07\n\xc2\x9b", 0, clean, sizeof clean), 10);
    assert_string_equal(clean, "a?[31mb? ?");
    display_clean("x\xff\xc0\x80y", 0, clean, sizeof clean);
    assert_string_equal(clean, "x???y");
    display_clean("a\xe2\x80\xae"
                  "b",
                  0, clean, sizeof clean);
    assert_string_equal(clean, "a?b");
}

static void notices_have_no_control_characters(void **state)
{
    const struct cli cli = {0};
    char said[128] = "";
    FILE *file = tmpfile();
    (void)state;
    assert_non_null(file);
    fflush(stderr);
    int kept = dup(STDERR_FILENO);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    notice(&cli, "job %s: %s", "a\x1b]0;b\x07",
           "c\n\xc2\x9b"
           "1m");
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    said[fread(said, 1, sizeof said - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(said, "soma: job a?]0;b?: c ?1m\n");
}

static void shown_text_is_cut_by_columns(void **state)
{
    char clean[64];
    (void)state;
    assert_int_equal(display_clean("abcdef", 4, clean, sizeof clean), 4);
    assert_string_equal(clean, "abc\xe2\x80\xa6");
    assert_int_equal(display_clean("abcd", 4, clean, sizeof clean), 4);
    assert_string_equal(clean, "abcd");
    // Two columns each.
    assert_int_equal(display_width("\xe6\x97\xa5\xe6\x9c\xac"), 4);
    assert_true(display_clean("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 4, clean, sizeof clean) <= 4);
    display_clean("0123456789", 0, clean, 8);
    assert_true(strlen(clean) < 8);
}

// --- JSON

static char *json_of(void (*write)(struct json_out *), bool pretty)
{
    char *text = NULL;
    size_t size;
    struct json_out out;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    out_init(&out, file, pretty);
    write(&out);
    fclose(file);
    return text;
}

static void write_sample(struct json_out *out)
{
    out_begin(out, '{');
    out_text_at(out, "a", "q\"\\\n\x01\xff");
    out_key(out, "b");
    out_begin_flat(out, '[');
    out_int(out, -1);
    out_double(out, 2);
    out_null(out);
    out_end(out, ']');
    out_key(out, "c");
    out_begin(out, '{');
    out_end(out, '}');
    out_bool_at(out, "d", true);
    out_end(out, '}');
    out_line(out);
}

static void json_is_written_compact_and_indented(void **state)
{
    (void)state;
    char *text = json_of(write_sample, false);
    assert_string_equal(
        text,
        "{\"a\":\"q\\\"\\\\\\n\\u0001\xef\xbf\xbd\",\"b\":[-1,2.0,null],\"c\":{},\"d\":true}\n");
    free(text);
    text = json_of(write_sample, true);
    assert_string_equal(text, "{\n  \"a\": \"q\\\"\\\\\\n\\u0001\xef\xbf\xbd\",\n"
                              "  \"b\": [-1, 2.0, null],\n  \"c\": {},\n  \"d\": true\n}\n");
    free(text);
}

static void write_controls(struct json_out *out)
{
    out_text(out, "\x1b\x7f\xc2\x80\xc2\x85\xc2\x9f\xc2\xa0\xc3\x80");
}

static void json_has_control_characters_escaped(void **state)
{
    (void)state;
    char *text = json_of(write_controls, false);
    assert_string_equal(text, "\"\\u001b\\u007f\\u0080\\u0085\\u009f\xc2\xa0\xc3\x80\"");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_are_read_whole_or_not_at_all),
        cmocka_unit_test(durations_are_written_as_they_are_read),
        cmocka_unit_test(sizes_count_by_1024),
        cmocka_unit_test(times_are_rfc_3339),
        cmocka_unit_test(numbers_are_written_as_short_as_they_read_back),
        cmocka_unit_test(ages_clocks_and_sizes_fit_people),
        cmocka_unit_test(options_stand_in_every_form_and_place),
        cmocka_unit_test(the_last_value_counts),
        cmocka_unit_test(wrong_options_are_named),
        cmocka_unit_test(many_short_flags_in_one_word_have_room),
        cmocka_unit_test(words_are_near_when_a_slip_parts_them),
        cmocka_unit_test(shown_text_has_no_control_characters),
        cmocka_unit_test(notices_have_no_control_characters),
        cmocka_unit_test(shown_text_is_cut_by_columns),
        cmocka_unit_test(json_is_written_compact_and_indented),
        cmocka_unit_test(json_has_control_characters_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
