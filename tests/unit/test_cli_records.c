// client/cli/record_source: records from JSON lines, and what is wrong with them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/record_source.h"

struct reading {
    struct record_source source;
    struct record_piece piece;
    FILE *file;
};

static void reading_open(struct reading *reading, const char *text, size_t length, bool is_update)
{
    *reading = (struct reading){0};
    reading->file = fmemopen((void *)text, length, "r");
    assert_non_null(reading->file);
    reading->source = (struct record_source){
        .file = reading->file, .name = "test", .dimension = 2, .is_update = is_update};
}

static void reading_close(struct reading *reading)
{
    record_source_fini(&reading->source);
    record_piece_empty(&reading->piece);
    fclose(reading->file);
}

static void a_record_keeps_the_types_of_its_metadata(void **state)
{
    static const char text[] =
        "\n{\"id\": \"a\", \"embedding\": [1, -0.5], \"document\": \"d\", \"metadata\": "
        "{\"s\": \"x\", \"i\": 3, \"r\": 3.0, \"b\": true, \"l\": [1, 2], \"m\": [1, 2.5], "
        "\"t\": [\"u\"], \"e\": []}}\r\n  \n{\"embedding\":[0,1]}";
    struct reading reading;
    (void)state;
    reading_open(&reading, text, sizeof text - 1, false);
    assert_int_equal(record_source_read(&reading.source, &reading.piece), RECORD_READ);
    assert_int_equal(record_source_read(&reading.source, &reading.piece), RECORD_READ);
    assert_int_equal(record_source_read(&reading.source, &reading.piece), RECORD_END);
    const struct soma_record *record = &reading.piece.records[0];
    const struct soma_metadata_field *fields = record->metadata;
    assert_string_equal(record->id, "a");
    assert_string_equal(record->document, "d");
    assert_int_equal(record->metadata_count, 8);
    assert_int_equal(fields[0].type, SOMA_VALUE_STRING);
    assert_int_equal(fields[1].type, SOMA_VALUE_INT);
    assert_int_equal(fields[1].value.integer, 3);
    assert_int_equal(fields[2].type, SOMA_VALUE_DOUBLE);
    assert_int_equal(fields[3].type, SOMA_VALUE_BOOL);
    assert_int_equal(fields[4].type, SOMA_VALUE_INT_LIST);
    assert_int_equal(fields[4].list_count, 2);
    assert_int_equal(fields[5].type, SOMA_VALUE_DOUBLE_LIST);
    assert_true(fields[5].value.numbers[0] == 1.0);
    assert_int_equal(fields[6].type, SOMA_VALUE_STRING_LIST);
    assert_int_equal(fields[7].list_count, 0);
    assert_true(reading.piece.embeddings[1] == -0.5F);
    assert_true(reading.piece.embeddings[3] == 1.0F);
    assert_null(reading.piece.records[1].id);
    assert_int_equal(reading.piece.line_numbers[0], 2);
    assert_int_equal(reading.piece.line_numbers[1], 4);
    reading_close(&reading);
}

struct wrong_row {
    const char *line;
    const char *field;
    bool is_update;
};

static void what_is_wrong_is_named_by_field(void **state)
{
    static const struct wrong_row rows[] = {
        {"{\"id\": \"a\"}", "embedding", false},
        {"{\"id\": 1, \"embedding\": [1, 2]}", "id", false},
        {"{\"id\": \"\", \"embedding\": [1, 2]}", "id", false},
        {"{\"embedding\": [1]}", "embedding", false},
        {"{\"embedding\": 5}", "embedding", false},
        {"{\"embedding\": [1, \"x\"]}", "embedding[1]", false},
        {"{\"embedding\": [1, 1e39]}", "embedding[1]", false},
        {"{\"embedding\": [1, 2], \"document\": 3}", "document", false},
        {"{\"embedding\": [1, 2], \"vector\": 3}", "vector", false},
        {"{\"embedding\": [1, 2], \"metadata\": []}", "metadata", false},
        {"{\"embedding\": [1, 2], \"metadata\": {\"k\": {}}}", "metadata.k", false},
        {"{\"embedding\": [1, 2], \"metadata\": {\"k\": null}}", "metadata.k", false},
        {"{\"embedding\": [1, 2], \"metadata\": {\"k\": [1, \"x\"]}}", "metadata.k", false},
        {"{\"embedding\": [1, 2], \"metadata\": {\"k\": [[1]]}}", "metadata.k", false},
        {"{\"metadata\": {}}", "id", true},
        {"{\"embedding\": [1, NaN]}", "character ", false},
        {"[1, 2]", "", false},
        {"{\"a", "character ", false},
        {"{\"id\": \"a\\u0000b\", \"embedding\": [1, 2]}", "character ", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reading reading;
        reading_open(&reading, rows[i].line, strlen(rows[i].line), rows[i].is_update);
        assert_int_equal(record_source_read(&reading.source, &reading.piece), RECORD_WRONG);
        // The place within a line that is no JSON is the parser's to count.
        size_t compared =
            strcmp(rows[i].field, "character ") == 0 ? strlen(rows[i].field) : SIZE_MAX;
        assert_int_equal(strncmp(reading.source.problem.field, rows[i].field, compared), 0);
        assert_true(strlen(reading.source.problem.text) > 0);
        assert_int_equal(reading.piece.record_count, 0);
        reading_close(&reading);
    }
}

static void a_line_may_be_long_but_not_endless(void **state)
{
    size_t length = 2 * (size_t)RECORD_LINE_BYTES_MAX + 64 * 1024;
    char *text = malloc(length);
    struct reading reading;
    (void)state;
    assert_non_null(text);
    memset(text, ' ', length);
    reading_open(&reading, text, length, false);
    assert_int_equal(record_source_read(&reading.source, &reading.piece), RECORD_WRONG);
    assert_non_null(strstr(reading.source.problem.text, "longer than"));
    reading_close(&reading);
    free(text);
}

static void records_with_and_without_embedding_go_apart(void **state)
{
    static const char text[] = "{\"id\":\"a\",\"metadata\":{\"k\":null}}\n"
                               "{\"id\":\"b\",\"embedding\":[1,2]}\n";
    struct reading reading;
    (void)state;
    reading_open(&reading, text, sizeof text - 1, true);
    assert_int_equal(record_source_read(&reading.source, &reading.piece), RECORD_READ);
    assert_int_equal(reading.piece.records[0].metadata[0].type, SOMA_VALUE_NONE);
    assert_int_equal(record_source_read(&reading.source, &reading.piece), RECORD_NEXT_PIECE);
    record_piece_empty(&reading.piece);
    assert_int_equal(record_source_read(&reading.source, &reading.piece), RECORD_READ);
    assert_string_equal(reading.piece.records[0].id, "b");
    assert_true(reading.piece.has_embeddings);
    assert_int_equal(record_source_read(&reading.source, &reading.piece), RECORD_END);
    reading_close(&reading);
}

static void a_piece_is_full_by_count_and_by_bytes(void **state)
{
    struct record_piece piece = {.record_count = PIECE_RECORDS_MAX};
    (void)state;
    assert_true(record_piece_is_full(&piece));
    piece.record_count = 1;
    assert_false(record_piece_is_full(&piece));
    piece.pool.bytes = PIECE_BYTES_MAX;
    assert_true(record_piece_is_full(&piece));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_keeps_the_types_of_its_metadata),
        cmocka_unit_test(what_is_wrong_is_named_by_field),
        cmocka_unit_test(a_line_may_be_long_but_not_endless),
        cmocka_unit_test(records_with_and_without_embedding_go_apart),
        cmocka_unit_test(a_piece_is_full_by_count_and_by_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
