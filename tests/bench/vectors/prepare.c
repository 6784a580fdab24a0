// Makes of a data set what the contestants read: prepare BASE QUERIES TRUTH METRIC ROWS OUT.
// Vectors are .npy (uint8, float16, float32) or .fvecs; TRUTH is .npy of int32, or "-". ROWS 0:
// all. Into OUT go: shape (rows, queries, dimension, metric), base and queries (float32, of length
// 1 where the metric is cosine), truth (int32, the ten nearest of each query; of the first 200
// where it had to be found here), truth.100 and truth.10 (of the first 200 queries, among the rows
// whose number is 3 modulo that).
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    K = 10,
    FOUND_HERE = 200
};

struct matrix {
    size_t rows, dim;
    float *numbers;
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "prepare: %s: %s\n", what, why);
    exit(1);
}

static void *allocate(size_t bytes)
{
    void *memory = malloc(bytes ? bytes : 1);
    if (!memory)
        fail("memory", "there is none");
    return memory;
}

static void *read_whole(const char *path, size_t *ret_bytes)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        fail(path, "cannot be read");
    *ret_bytes = (size_t)ftell(file);
    rewind(file);
    char *bytes = allocate(*ret_bytes + 1);
    if (fread(bytes, 1, *ret_bytes, file) != *ret_bytes)
        fail(path, "cannot be read");
    bytes[*ret_bytes] = 0;
    fclose(file);
    return bytes;
}

static float from_half(const unsigned char *bytes)
{
    unsigned half = bytes[0] | (unsigned)bytes[1] << 8;
    float fraction = (float)(half & 0x3ff), sign = half & 0x8000 ? -1.0f : 1.0f;
    int exponent = (int)(half >> 10 & 31);
    return exponent ? sign * ldexpf(1024 + fraction, exponent - 25) : sign * ldexpf(fraction, -24);
}

// Where the items of a .npy begin; its type is two letters.
static const unsigned char *npy_items(const char *path, char *bytes, size_t length, char *ret_type,
                                      struct matrix *ret)
{
    size_t head = (unsigned char)bytes[8] | (size_t)(unsigned char)bytes[9] << 8;
    const char *type = strstr(bytes + 10, "'descr': '"), *shape = strstr(bytes + 10, "'shape': (");
    char *end;
    if (length < 10 + head || !type || !shape)
        fail(path, "is no .npy of version 1");
    ret->rows = strtoul(shape + 10, &end, 10);
    ret->dim = strtoul(end + 1, NULL, 10);
    memcpy(ret_type, type + 11, 2);
    ret_type[2] = 0;
    if (length < 10 + head + ret->rows * ret->dim * (size_t)(ret_type[1] - '0'))
        fail(path, "is too short");
    return (const unsigned char *)bytes + 10 + head;
}

static void read_npy(const char *path, char *bytes, size_t length, struct matrix *ret)
{
    char type[3];
    const unsigned char *items = npy_items(path, bytes, length, type, ret);
    size_t count = ret->rows * ret->dim;
    ret->numbers = allocate(count * sizeof *ret->numbers);
    if (strcmp(type, "f4") == 0)
        memcpy(ret->numbers, items, count * sizeof *ret->numbers);
    else if (strcmp(type, "f2") != 0 && strcmp(type, "u1") != 0)
        fail(path, "has numbers of another type");
    for (size_t i = 0; i < count && type[0] != 'f'; i++)
        ret->numbers[i] = items[i];
    for (size_t i = 0; i < count && strcmp(type, "f2") == 0; i++)
        ret->numbers[i] = from_half(items + 2 * i);
}

// Rows of a dimension, int32, and so many float32.
static void read_fvecs(const char *path, const char *bytes, size_t length, struct matrix *ret)
{
    int32_t dim = 0;
    if (length >= sizeof dim)
        memcpy(&dim, bytes, sizeof dim);
    size_t row_bytes = sizeof dim + (size_t)dim * sizeof(float);
    if (dim < 1 || length % row_bytes)
        fail(path, "is no .fvecs");
    *ret = (struct matrix){.rows = length / row_bytes, .dim = (size_t)dim};
    ret->numbers = allocate(length);
    for (size_t r = 0; r < ret->rows; r++)
        memcpy(ret->numbers + r * ret->dim, bytes + r * row_bytes + sizeof dim,
               ret->dim * sizeof(float));
}

static struct matrix read_vectors(const char *path, int is_normalised)
{
    struct matrix matrix;
    size_t length;
    char *bytes = read_whole(path, &length);
    if (length > 10 && memcmp(bytes, "\x93NUMPY", 6) == 0)
        read_npy(path, bytes, length, &matrix);
    else
        read_fvecs(path, bytes, length, &matrix);
    free(bytes);
    for (size_t r = 0; is_normalised && r < matrix.rows; r++) {
        float *row = matrix.numbers + r * matrix.dim;
        double norm = 0;
        for (size_t i = 0; i < matrix.dim; i++)
            norm += (double)row[i] * (double)row[i];
        for (size_t i = 0; i < matrix.dim && norm > 0; i++)
            row[i] = (float)((double)row[i] / sqrt(norm));
    }
    return matrix;
}

static void write_file(const char *directory, const char *name, const void *bytes, size_t length)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, length, file) != length || fclose(file) != 0)
        fail(path, "cannot be written");
}

static float distance_of(const float *a, const float *b, size_t dim)
{
    float sum = 0;
    for (size_t i = 0; i < dim; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

// The nearest rows of first, first + step, …, by looking at all of them.
static void find(const struct matrix *base, const float *query, size_t first, size_t step,
                 int32_t *ret_labels)
{
    float nearest[K];
    size_t held = 0;
    for (size_t r = first; r < base->rows; r += step) {
        float distance = distance_of(query, base->numbers + r * base->dim, base->dim);
        if (held == K && distance >= nearest[K - 1])
            continue;
        size_t at = held < K ? held++ : K - 1;
        for (; at && distance < nearest[at - 1]; at--) {
            nearest[at] = nearest[at - 1];
            ret_labels[at] = ret_labels[at - 1];
        }
        nearest[at] = distance;
        ret_labels[at] = (int32_t)r;
    }
}

static void write_found(const char *directory, const char *name, const struct matrix *base,
                        const struct matrix *queries, size_t first, size_t step)
{
    static int32_t labels[FOUND_HERE * K];
    size_t count = queries->rows < FOUND_HERE ? queries->rows : FOUND_HERE;
    memset(labels, 0xff, sizeof labels);
    for (size_t q = 0; q < count; q++)
        find(base, queries->numbers + q * queries->dim, first, step, labels + q * K);
    write_file(directory, name, labels, count * K * sizeof *labels);
}

int main(int argc, char **argv)
{
    char shape[128];
    if (argc != 7)
        fail(argv[0], "BASE QUERIES TRUTH METRIC ROWS OUT");
    int is_cosine = strcmp(argv[4], "cosine") == 0;
    size_t rows = strtoul(argv[5], NULL, 10);
    const char *out = argv[6];
    struct matrix base = read_vectors(argv[1], is_cosine);
    struct matrix queries = read_vectors(argv[2], is_cosine);
    int is_cut = rows && rows < base.rows;
    if (base.dim != queries.dim)
        fail(argv[2], "has another dimension");
    base.rows = is_cut ? rows : base.rows;
    queries.rows = queries.rows < 1000 ? queries.rows : 1000;
    int length = snprintf(shape, sizeof shape, "%zu %zu %zu %s\n", base.rows, queries.rows,
                          base.dim, argv[4]);
    write_file(out, "shape", shape, (size_t)length + 1);
    write_file(out, "base", base.numbers, base.rows * base.dim * sizeof(float));
    write_file(out, "queries", queries.numbers, queries.rows * queries.dim * sizeof(float));
    write_found(out, "truth.100", &base, &queries, 3, 100);
    write_found(out, "truth.10", &base, &queries, 3, 10);
    if (is_cut || strcmp(argv[3], "-") == 0) {
        write_found(out, "truth", &base, &queries, 0, 1);
        return 0;
    }
    struct matrix truth;
    char type[3];
    size_t bytes;
    char *file = read_whole(argv[3], &bytes);
    const unsigned char *items = npy_items(argv[3], file, bytes, type, &truth);
    if (strcmp(type, "i4") != 0 || truth.dim != K || truth.rows < queries.rows)
        fail(argv[3], "is no truth");
    write_file(out, "truth", items, queries.rows * K * sizeof(int32_t));
    return 0;
}
