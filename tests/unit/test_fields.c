// common/base/fields: files of keys and bytes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/fields.h"

static void what_was_put_comes_back_in_order(void **state)
{
    (void)state;
    struct fields_writer writer;
    fields_writer_init(&writer, 1 << 20);
    fields_put(&writer, "bytes", "a\0b\nend 0\n\n", 11);
    fields_put_int(&writer, "number", INT64_MIN);
    fields_put_text(&writer, "empty", "");
    assert_int_equal(fields_finish(&writer, NULL), SOMA_OK);

    struct fields_reader reader;
    struct field field;
    int64_t number;
    assert_int_equal(fields_open(&reader, writer.bytes, writer.length, NULL), SOMA_OK);
    assert_true(fields_next(&reader, &field));
    assert_string_equal(field.key, "bytes");
    assert_int_equal(field.length, 11);
    assert_memory_equal(field.bytes, "a\0b\nend 0\n\n", 11);
    assert_false(field_to_int(&field, &number));
    assert_true(fields_next(&reader, &field));
    assert_true(field_is(&field, "number"));
    assert_true(field_to_int(&field, &number));
    assert_int_equal(number, INT64_MIN);
    assert_true(fields_next(&reader, &field));
    assert_int_equal(field.length, 0);
    assert_false(fields_next(&reader, &field));
    fields_writer_fini(&writer);
}

static void every_torn_or_longer_file_is_refused(void **state)
{
    (void)state;
    struct fields_writer writer;
    fields_writer_init(&writer, 1 << 20);
    fields_put_text(&writer, "key", "some value");
    fields_put_int(&writer, "number", 42);
    assert_int_equal(fields_finish(&writer, NULL), SOMA_OK);
    struct fields_reader reader;
    struct soma_error err;
    for (size_t length = 0; length < writer.length; length++)
        assert_int_equal(fields_open(&reader, writer.bytes, length, &err), SOMA_DATA_LOSS);
    fields_put_text(&writer, "more", "x");
    assert_int_equal(fields_open(&reader, writer.bytes, writer.length, &err), SOMA_DATA_LOSS);
    fields_writer_fini(&writer);
}

static void malformed_heads_are_refused(void **state)
{
    (void)state;
    static const char *const files[] = {
        "key\nend 0\n\n",
        "key +3\nabc\nend 0\n\n",
        "key -1\n\nend 0\n\n",
        "KEY 0\n\nend 0\n\n",
        "key 99999999999999999999\nx\nend 0\n\n",
        "key 999999999999999999\nx\nend 0\n\n",
        " 0\n\nend 0\n\n",
        "a_key_that_is_far_longer_than_thirty_two_bytes 0\n\nend 0\n\n",
        "key 3\nabcdend 0\n\n",
    };
    struct fields_reader reader;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        assert_int_equal(fields_open(&reader, files[i], strlen(files[i]), NULL), SOMA_DATA_LOSS);
}

static void a_writer_stops_at_its_maximum(void **state)
{
    (void)state;
    struct fields_writer writer;
    struct soma_error err;
    fields_writer_init(&writer, 40);
    fields_put_text(&writer, "key", "0123456789012345678901234567890123456789");
    assert_int_equal(fields_finish(&writer, &err), SOMA_RESOURCE_EXHAUSTED);
    assert_true(writer.length <= 40);
    fields_writer_fini(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_comes_back_in_order),
        cmocka_unit_test(every_torn_or_longer_file_is_refused),
        cmocka_unit_test(malformed_heads_are_refused),
        cmocka_unit_test(a_writer_stops_at_its_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
