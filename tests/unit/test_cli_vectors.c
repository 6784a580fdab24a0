// client/cli/vector_file: .npy and .fvecs files, whole ones, strange ones and damaged ones.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/vector_file.h"

struct bytes {
    unsigned char data[8192];
    size_t length;
};

static void add(struct bytes *bytes, const void *data, size_t length)
{
    assert_true(bytes->length + length <= sizeof bytes->data);
    memcpy(bytes->data + bytes->length, data, length);
    bytes->length += length;
}

static void npy_begin(struct bytes *bytes, int version, const char *head)
{
    size_t length = strlen(head);
    unsigned char prefix[12] = {0x93, 'N', 'U', 'M', 'P', 'Y', (unsigned char)version, 0};
    prefix[8] = (unsigned char)length;
    prefix[9] = (unsigned char)(length >> 8);
    bytes->length = 0;
    add(bytes, prefix, version == 1 ? 10 : 12);
    add(bytes, head, length);
}

// Opens the bytes; false, with the problem's text, where they are refused.
static bool begin(struct vector_file *vectors, const struct bytes *bytes, enum vector_format format)
{
    FILE *file = fmemopen((void *)(uintptr_t)bytes->data, bytes->length, "rb");
    assert_non_null(file);
    bool is_open = vector_file_begin(vectors, file, format);
    if (!is_open) {
        vector_file_fini(vectors);
        fclose(file);
    }
    return is_open;
}

static void end(struct vector_file *vectors)
{
    vector_file_fini(vectors);
    fclose(vectors->file);
}

static void numbers_of_every_type_come_out_as_floats(void **state)
{
    (void)state;
    static const uint16_t halves[] = {0x3c00, 0xc000, 0x3555, 0x0001, 0x7bff, 0x8000};
    static const float singles[] = {1, -2, 0.333251953125f, 0x1p-24f, 65504, -0.0f};
    static const double doubles[] = {1, -2, 0.333251953125, 0x1p-24, 65504, -0.0};
    static const uint8_t small[] = {0, 1, 2, 127, 128, 255};
    static const struct {
        const char *descr;
        const void *data;
        size_t bytes;
    } types[] = {
        {"<f2", halves, 12}, {"<f4", singles, 24}, {"<f8", doubles, 48}, {"|u1", small, 6}};
    for (int version = 1; version <= 3; version++) {
        for (size_t t = 0; t < 4; t++) {
            struct bytes bytes;
            struct vector_file vectors;
            char head[128];
            float row[3];
            snprintf(head, sizeof head,
                     "{'descr': '%s', 'fortran_order': False, 'shape': (2, 3), }\n",
                     types[t].descr);
            npy_begin(&bytes, version, head);
            add(&bytes, types[t].data, types[t].bytes);
            assert_true(begin(&vectors, &bytes, VECTOR_NPY));
            assert_int_equal(vectors.dimension, 3);
            assert_int_equal(vectors.row_count, 2);
            for (size_t i = 0; i < 6; i++) {
                if (i % 3 == 0)
                    assert_int_equal(vector_file_read(&vectors, row), VECTOR_READ);
                float wanted = t == 3 ? (float)small[i] : singles[i];
                assert_true(row[i % 3] == wanted && !signbit(row[i % 3]) == !signbit(wanted));
            }
            assert_int_equal(vector_file_read(&vectors, row), VECTOR_END);
            end(&vectors);
        }
    }
}

static void infinities_and_numbers_too_large_stay_visible(void **state)
{
    (void)state;
    static const double doubles[] = {1e300, NAN};
    struct bytes bytes;
    struct vector_file vectors;
    float row[2];
    npy_begin(&bytes, 1, "{\"shape\": (1, 2), \"descr\": \"<f8\", \"fortran_order\": False}");
    add(&bytes, doubles, sizeof doubles);
    assert_true(begin(&vectors, &bytes, VECTOR_NPY));
    assert_int_equal(vector_file_read(&vectors, row), VECTOR_READ);
    assert_true(isinf(row[0]) && isnan(row[1]));
    end(&vectors);
}

static void what_is_no_matrix_of_numbers_is_refused(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "",
        "{}",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)",
        "{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3)}",
        "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (2, 3)}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3)}",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3)}",
        "{'descr': '<f4', 'fortran_order': None, 'shape': (2, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': ()}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 0)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4097)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'shape': (2, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'more': 1}",
        "{'descr': '<f4' 'fortran_order': False, 'shape': (2, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}",
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct bytes bytes;
        struct vector_file vectors;
        npy_begin(&bytes, 1, heads[i]);
        if (begin(&vectors, &bytes, VECTOR_NPY))
            fail_msg("taken: %s", heads[i]);
        assert_true(vectors.problem.text[0]);
    }
}

// Every cut and a great many changed bytes: refused, or read to an end.
static void read_out(const struct bytes *bytes, enum vector_format format)
{
    struct vector_file vectors;
    static float row[VECTOR_DIMENSION_MAX];
    if (!bytes->length || !begin(&vectors, bytes, format))
        return;
    enum vector_read read = VECTOR_READ;
    for (int i = 0; i < 10000 && read == VECTOR_READ; i++)
        read = vector_file_read(&vectors, row);
    assert_int_not_equal(read, VECTOR_READ);
    end(&vectors);
}

static void damaged_files_come_to_an_end(void **state)
{
    (void)state;
    struct bytes npy, fvecs = {.length = 0};
    float numbers[12] = {1, 2, 3};
    uint64_t random = 7;
    npy_begin(&npy, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3), }          \n");
    add(&npy, numbers, sizeof numbers);
    for (int i = 0; i < 4; i++) {
        int32_t length = 3;
        add(&fvecs, &length, sizeof length);
        add(&fvecs, numbers + 3 * i, 3 * sizeof *numbers);
    }
    for (int f = 0; f < 2; f++) {
        const struct bytes *whole = f ? &fvecs : &npy;
        for (size_t cut = 0; cut < whole->length; cut++) {
            struct bytes part = *whole;
            part.length = cut;
            read_out(&part, f ? VECTOR_FVECS : VECTOR_NPY);
        }
        for (int i = 0; i < 20000; i++) {
            struct bytes changed = *whole;
            for (int n = 0; n < 1 + i % 3; n++) {
                random = random * 6364136223846793005u + 1442695040888963407u;
                changed.data[(random >> 33) % changed.length] = (unsigned char)(random >> 20);
            }
            read_out(&changed, f ? VECTOR_FVECS : VECTOR_NPY);
        }
    }
}

static void a_file_that_ends_too_early_says_in_which_row(void **state)
{
    (void)state;
    struct bytes bytes;
    struct vector_file vectors;
    float row[3] = {1, 2, 3};
    npy_begin(&bytes, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 3), }\n");
    add(&bytes, row, sizeof row);
    assert_true(begin(&vectors, &bytes, VECTOR_NPY));
    assert_int_equal(vector_file_read(&vectors, row), VECTOR_READ);
    assert_int_equal(vector_file_read(&vectors, row), VECTOR_WRONG);
    assert_string_equal(vectors.problem.text, "ends in row 1");
    end(&vectors);
}

static void rows_of_fvecs_have_one_length(void **state)
{
    (void)state;
    struct bytes bytes = {.length = 0};
    struct vector_file vectors;
    float row[2] = {1, 2};
    for (int32_t length = 2; length < 4; length++) {
        add(&bytes, &length, sizeof length);
        add(&bytes, row, sizeof row);
    }
    assert_true(begin(&vectors, &bytes, VECTOR_FVECS));
    assert_int_equal(vectors.dimension, 2);
    assert_int_equal(vector_file_read(&vectors, row), VECTOR_READ);
    assert_true(row[0] == 1 && row[1] == 2);
    assert_int_equal(vector_file_read(&vectors, row), VECTOR_WRONG);
    end(&vectors);
}

static void rows_can_be_passed_over(void **state)
{
    (void)state;
    struct bytes bytes;
    struct vector_file vectors;
    uint8_t small[5] = {1, 2, 3, 4, 5};
    float number;
    npy_begin(&bytes, 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (5, 1), }\n");
    add(&bytes, small, sizeof small);
    assert_true(begin(&vectors, &bytes, VECTOR_NPY));
    assert_true(vector_file_skip(&vectors, 3));
    assert_int_equal(vector_file_read(&vectors, &number), VECTOR_READ);
    assert_true(number == 4);
    assert_false(vector_file_skip(&vectors, 2));
    end(&vectors);
}

static void a_head_that_is_written_is_read(void **state)
{
    (void)state;
    struct bytes bytes = {.length = 0};
    struct vector_file vectors;
    FILE *file = fmemopen(bytes.data, sizeof bytes.data, "wb");
    assert_non_null(file);
    assert_true(npy_write_head(file, 123456789012, 4096));
    assert_int_equal(ftell(file) % 64, 0);
    bytes.length = (size_t)ftell(file);
    fclose(file);
    assert_true(begin(&vectors, &bytes, VECTOR_NPY));
    assert_int_equal(vectors.row_count, 123456789012);
    assert_int_equal(vectors.dimension, 4096);
    end(&vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_every_type_come_out_as_floats),
        cmocka_unit_test(infinities_and_numbers_too_large_stay_visible),
        cmocka_unit_test(what_is_no_matrix_of_numbers_is_refused),
        cmocka_unit_test(damaged_files_come_to_an_end),
        cmocka_unit_test(a_file_that_ends_too_early_says_in_which_row),
        cmocka_unit_test(rows_of_fvecs_have_one_length),
        cmocka_unit_test(rows_can_be_passed_over),
        cmocka_unit_test(a_head_that_is_written_is_read),
    };
    return cmocka_run_group_tests_name("cli vectors", tests, NULL, NULL);
}
