#include "cli/vector_file.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    NPY_MAGIC_BYTES = 6,
    NPY_PREFIX_BYTES = 8, // magic and version
    NPY_HEAD_MAX = 65536,
    NPY_ROWS_MAX_LOG = 40,
    NPY_WRITTEN_HEAD = 128
};

static const char npy_magic[NPY_MAGIC_BYTES] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};

static const struct {
    const char *name;
    enum vector_element element;
    size_t bytes;
} elements[] = {
    {"<f2", VECTOR_F2, 2},
    {"<f4", VECTOR_F4, 4},
    {"<f8", VECTOR_F8, 8},
    {"|u1", VECTOR_U1, 1},
};

static bool wrong(struct vector_file *vectors, const char *text)
{
    problem_set(&vectors->problem, "", "%s", text);
    return false;
}

bool vector_format_of(const char *path, enum vector_format *ret_format)
{
    const char *dot = strrchr(path, '.');
    if (!dot || (strcmp(dot, ".npy") != 0 && strcmp(dot, ".fvecs") != 0))
        return false;
    *ret_format = strcmp(dot, ".npy") == 0 ? VECTOR_NPY : VECTOR_FVECS;
    return true;
}

// --- the head of a .npy file: a Python dictionary with three keys

struct head {
    const char *at;
    bool has_descr, has_order, has_shape;
    char descr[16]; // as it stands there
    enum vector_element element;
    bool is_fortran;
    int64_t shape[2];
    size_t shape_count;
};

static void skip_space(struct head *head)
{
    while (*head->at == ' ' || *head->at == '\n' || *head->at == '\t')
        head->at++;
}

static bool take(struct head *head, char wanted)
{
    skip_space(head);
    if (*head->at != wanted)
        return false;
    head->at++;
    return true;
}

// A short text in quotes.
static bool take_text(struct head *head, char *ret_text, size_t size)
{
    skip_space(head);
    char quote = *head->at;
    if (quote != '\'' && quote != '"')
        return false;
    const char *start = head->at + 1, *end = strchr(start, quote);
    if (!end || (size_t)(end - start) >= size)
        return false;
    memcpy(ret_text, start, (size_t)(end - start));
    ret_text[end - start] = '\0';
    head->at = end + 1;
    return true;
}

static bool take_word(struct head *head, const char *word)
{
    skip_space(head);
    size_t length = strlen(word);
    if (strncmp(head->at, word, length) != 0)
        return false;
    head->at += length;
    return true;
}

// (3, 4) or (3,)
static bool take_shape(struct head *head)
{
    if (!take(head, '('))
        return false;
    while (!take(head, ')')) {
        skip_space(head);
        if (!isdigit((unsigned char)*head->at) || head->shape_count == 2)
            return false;
        char *end;
        errno = 0;
        long long size = strtoll(head->at, &end, 10);
        if (errno || size < 0 || size > INT64_C(1) << NPY_ROWS_MAX_LOG)
            return false;
        head->shape[head->shape_count++] = size;
        head->at = end;
        if (!take(head, ',') && *head->at != ')')
            return false;
    }
    head->has_shape = true;
    return true;
}

static bool take_value(struct head *head, const char *key)
{
    if (strcmp(key, "shape") == 0)
        return !head->has_shape && take_shape(head);
    if (strcmp(key, "fortran_order") == 0) {
        head->has_order = true;
        head->is_fortran = take_word(head, "True");
        return head->is_fortran || take_word(head, "False");
    }
    if (strcmp(key, "descr") != 0 || !take_text(head, head->descr, sizeof head->descr))
        return false;
    for (size_t i = 0; i < sizeof elements / sizeof elements[0] && !head->has_descr; i++) {
        head->has_descr = strcmp(elements[i].name, head->descr) == 0;
        head->element = elements[i].element;
    }
    return head->has_descr;
}

static bool take_dictionary(struct head *head)
{
    char key[16];
    if (!take(head, '{'))
        return false;
    while (!take(head, '}')) {
        if (!take_text(head, key, sizeof key) || !take(head, ':') || !take_value(head, key))
            return false;
        skip_space(head);
        if (!take(head, ',') && *head->at != '}')
            return false;
    }
    return head->has_descr && head->has_order && head->has_shape;
}

static bool read_head_text(struct vector_file *vectors, char *text)
{
    unsigned char prefix[NPY_PREFIX_BYTES], length_bytes[4] = {0};
    if (fread(prefix, 1, sizeof prefix, vectors->file) != sizeof prefix ||
        memcmp(prefix, npy_magic, sizeof npy_magic) != 0)
        return wrong(vectors, "is no .npy file");
    unsigned version = prefix[6];
    if (version < 1 || version > 3)
        return wrong(vectors, "is of an unknown version of .npy");
    size_t length_size = version == 1 ? 2 : 4;
    if (fread(length_bytes, 1, length_size, vectors->file) != length_size)
        return wrong(vectors, "ends in its head");
    uint32_t length;
    memcpy(&length, length_bytes, sizeof length);
    length = le32toh(length);
    if (length >= NPY_HEAD_MAX)
        return wrong(vectors, "has a head that is too long");
    if (fread(text, 1, length, vectors->file) != length)
        return wrong(vectors, "ends in its head");
    text[length] = '\0';
    return true;
}

static bool begin_npy(struct vector_file *vectors)
{
    char text[NPY_HEAD_MAX];
    struct head head = {.at = text};
    if (!read_head_text(vectors, text))
        return false;
    bool is_understood = take_dictionary(&head);
    if (head.descr[0] && !head.has_descr) {
        problem_set(&vectors->problem, "",
                    "holds '%s', and only '<f4', '<f2', '<f8' and '|u1' can be read: numpy's "
                    "astype('<f4') makes it so",
                    head.descr);
        return false;
    }
    if (!is_understood)
        return wrong(vectors, "has a head that is not understood");
    if (head.is_fortran)
        return wrong(vectors, "is in Fortran order; numpy.ascontiguousarray puts it in C order");
    if (head.shape_count != 2)
        return wrong(vectors, "has not two dimensions, rows and numbers");
    if (head.shape[1] < 1 || head.shape[1] > VECTOR_DIMENSION_MAX)
        return wrong(vectors, "has rows of no or too many numbers");
    vectors->element = head.element;
    vectors->row_count = head.shape[0];
    vectors->dimension = (uint32_t)head.shape[1];
    return true;
}

bool npy_write_head(FILE *file, int64_t rows, uint32_t dimension)
{
    char head[NPY_WRITTEN_HEAD];
    size_t text_length = sizeof head - NPY_PREFIX_BYTES - 2;
    memset(head, ' ', sizeof head);
    memcpy(head, npy_magic, sizeof npy_magic);
    head[6] = 1;
    head[7] = 0;
    head[8] = (char)(text_length & 0xff);
    head[9] = (char)(text_length >> 8);
    int length = snprintf(head + 10, text_length,
                          "{'descr': '<f4', 'fortran_order': False, 'shape': (%" PRId64 ", %u), }",
                          rows, dimension);
    head[10 + length] = ' ';
    head[sizeof head - 1] = '\n';
    return fwrite(head, 1, sizeof head, file) == sizeof head;
}

// --- rows

static size_t element_bytes(const struct vector_file *vectors)
{
    for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++) {
        if (elements[i].element == vectors->element)
            return elements[i].bytes;
    }
    return 0;
}

static size_t row_bytes(const struct vector_file *vectors)
{
    return vectors->dimension * element_bytes(vectors) +
           (vectors->format == VECTOR_FVECS ? sizeof(int32_t) : 0);
}

// The first row's length is every row's.
static bool begin_fvecs(struct vector_file *vectors)
{
    uint32_t dimension;
    if (fread(&dimension, sizeof dimension, 1, vectors->file) != 1)
        return wrong(vectors, "holds no vector");
    vectors->dimension = le32toh(dimension);
    vectors->element = VECTOR_F4;
    if (vectors->dimension < 1 || vectors->dimension > VECTOR_DIMENSION_MAX)
        return wrong(vectors, "is no .fvecs file, or has rows of too many numbers");
    return true;
}

bool vector_file_begin(struct vector_file *vectors, FILE *file, enum vector_format format)
{
    *vectors = (struct vector_file){.file = file, .format = format, .row_count = -1};
    if (!(format == VECTOR_NPY ? begin_npy(vectors) : begin_fvecs(vectors)))
        return false;
    vectors->bytes = malloc(row_bytes(vectors));
    return vectors->bytes || wrong(vectors, "out of memory");
}

void vector_file_fini(struct vector_file *vectors)
{
    free(vectors->bytes);
    vectors->bytes = NULL;
}

// IEEE 754 binary16.
static float half_to_float(uint16_t half)
{
    int exponent = half >> 10 & 0x1f;
    float fraction = (float)(half & 0x3ff);
    float value;
    if (exponent == 0)
        value = ldexpf(fraction, -24);
    else if (exponent == 31)
        value = half & 0x3ff ? NAN : INFINITY;
    else
        value = ldexpf(fraction + 1024, exponent - 25);
    return half & 0x8000 ? -value : value;
}

static float convert(enum vector_element element, const unsigned char *bytes)
{
    uint16_t half;
    uint32_t single;
    uint64_t twice;
    float number;
    double large;
    switch (element) {
    case VECTOR_F2:
        memcpy(&half, bytes, sizeof half);
        return half_to_float(le16toh(half));
    case VECTOR_F4:
        memcpy(&single, bytes, sizeof single);
        single = le32toh(single);
        memcpy(&number, &single, sizeof number);
        return number;
    case VECTOR_F8:
        memcpy(&twice, bytes, sizeof twice);
        twice = le64toh(twice);
        memcpy(&large, &twice, sizeof large);
        return (float)large;
    case VECTOR_U1:
        return (float)*bytes;
    }
    return 0;
}

// The row's bytes into the buffer. The first length of an .fvecs file was read with its head.
static enum vector_read read_bytes(struct vector_file *vectors)
{
    size_t wanted = row_bytes(vectors), had = 0;
    if (vectors->format == VECTOR_NPY && vectors->row == vectors->row_count)
        return VECTOR_END;
    if (vectors->format == VECTOR_FVECS && vectors->row == 0) {
        uint32_t dimension = htole32(vectors->dimension);
        memcpy(vectors->bytes, &dimension, sizeof dimension);
        had = sizeof dimension;
    }
    size_t got = fread(vectors->bytes + had, 1, wanted - had, vectors->file);
    if (got == 0 && had == 0 && feof(vectors->file) && vectors->format == VECTOR_FVECS)
        return VECTOR_END;
    if (got == wanted - had)
        return VECTOR_READ;
    if (ferror(vectors->file))
        problem_set(&vectors->problem, "", "cannot be read: %s", strerror(errno));
    else
        problem_set(&vectors->problem, "", "ends in row %" PRId64, vectors->row);
    return VECTOR_WRONG;
}

enum vector_read vector_file_read(struct vector_file *vectors, float *ret_numbers)
{
    enum vector_read read = read_bytes(vectors);
    if (read != VECTOR_READ)
        return read;
    const unsigned char *bytes = vectors->bytes;
    if (vectors->format == VECTOR_FVECS) {
        uint32_t dimension;
        memcpy(&dimension, bytes, sizeof dimension);
        bytes += sizeof dimension;
        if (le32toh(dimension) != vectors->dimension) {
            problem_set(&vectors->problem, "", "row %" PRId64 " has another length", vectors->row);
            return VECTOR_WRONG;
        }
    }
    for (uint32_t i = 0; i < vectors->dimension; i++)
        ret_numbers[i] = convert(vectors->element, bytes + i * element_bytes(vectors));
    vectors->row++;
    return VECTOR_READ;
}

bool vector_file_skip(struct vector_file *vectors, int64_t rows)
{
    for (int64_t i = 0; i < rows; i++) {
        if (read_bytes(vectors) != VECTOR_READ)
            return false;
        vectors->row++;
    }
    return true;
}
