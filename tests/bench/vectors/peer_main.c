// One contestant as a program: PEER DIRECTORY SET METRIC [ROWS]. Orders on standard input, one a
// line, each answered by one line:
//     build M EF          adds all rows          → rows per processor second, resident bytes, bytes
//     of a code search EF SECONDS   queries again and again → recall@10, queries per processor
//     second only N EF SECONDS   the same among the rows whose label is 3 modulo N update COUNT
//     replaces rows          → updates per processor second save FILE | load FILE → seconds
// Data are .npy files of float16, float32 or uint8, row-major: SET.base, SET.query, SET.truth.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "peer.h"

enum {
    K = 10
};

struct matrix {
    size_t rows, dim;
    float *numbers;
};

struct bench {
    struct matrix base, queries;
    int32_t *truth; // [queries.rows][K]
    struct peer_settings settings;
    struct peer *peer;
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}

static double processor_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double wall_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static float from_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31;
    uint32_t fraction = half & 0x3ff;
    if (!exponent)
        return (sign ? -1.0f : 1.0f) * ldexpf((float)fraction, -24);
    uint32_t bits = sign | (exponent + 112) << 23 | fraction << 13;
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

// Reads rows × dim items of the type into memory of that many bytes each; the caller's.
static void *read_npy(const char *path, char *ret_type, size_t *ret_rows, size_t *ret_dim)
{
    char head[4096];
    FILE *file = fopen(path, "rb");
    if (!file || fread(head, 1, 10, file) != 10)
        fail(path, "cannot be read");
    size_t length = (unsigned char)head[8] | (size_t)(unsigned char)head[9] << 8;
    if (length >= sizeof head || fread(head, 1, length, file) != length)
        fail(path, "is no .npy of version 1");
    head[length] = 0;
    const char *type = strstr(head, "'descr': '"), *shape = strstr(head, "'shape': (");
    char *end;
    if (!type || !shape)
        fail(path, "is no .npy of version 1");
    *ret_rows = strtoul(shape + 10, &end, 10);
    *ret_dim = strtoul(end + 1, NULL, 10);
    memcpy(ret_type, type + 11, 2);
    ret_type[2] = 0;
    size_t bytes = *ret_rows * *ret_dim * (size_t)(ret_type[1] - '0');
    void *items = malloc(bytes);
    if (!items || fread(items, 1, bytes, file) != bytes)
        fail(path, "is too short");
    fclose(file);
    return items;
}

static void read_matrix(const char *path, bool is_normalised, struct matrix *ret)
{
    char type[3];
    void *items = read_npy(path, type, &ret->rows, &ret->dim);
    size_t count = ret->rows * ret->dim;
    ret->numbers = malloc(count * sizeof *ret->numbers);
    for (size_t i = 0; i < count; i++)
        ret->numbers[i] = strcmp(type, "u1") == 0   ? (float)((uint8_t *)items)[i]
                          : strcmp(type, "f2") == 0 ? from_half(((uint16_t *)items)[i])
                                                    : ((float *)items)[i];
    free(items);
    for (size_t r = 0; is_normalised && r < ret->rows; r++) {
        double norm = 0;
        float *row = ret->numbers + r * ret->dim;
        for (size_t i = 0; i < ret->dim; i++)
            norm += (double)row[i] * (double)row[i];
        for (size_t i = 0; i < ret->dim; i++)
            row[i] = (float)((double)row[i] / sqrt(norm));
    }
}

static size_t resident_bytes(void)
{
    char line[256];
    size_t kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "VmRSS:", 6) == 0)
            kib = strtoul(line + 6, NULL, 10);
    }
    if (file)
        fclose(file);
    return kib * 1024;
}

static void build(struct bench *bench, uint32_t m, uint32_t ef)
{
    size_t before = resident_bytes();
    double began = processor_seconds();
    bench->settings.m = m;
    bench->settings.ef_construction = ef;
    bench->peer = peer_new(&bench->settings);
    peer_add(bench->peer, bench->base.numbers, bench->base.rows, 0);
    printf("%.1f %zu %zu\n", (double)bench->base.rows / (processor_seconds() - began),
           resident_bytes() - before, peer_code_bytes(bench->peer));
}

static size_t found_of(const int32_t *truth, const int32_t *labels)
{
    size_t found = 0;
    for (size_t i = 0; i < K; i++) {
        for (size_t j = 0; j < K; j++)
            found += truth[i] == labels[j];
    }
    return found;
}

static void search(struct bench *bench, size_t ef, double seconds)
{
    size_t done = 0, found = 0, count = bench->queries.rows;
    double began = processor_seconds(), used = 0;
    while (done < count || used < seconds) {
        int32_t labels[K];
        memset(labels, 0xff, sizeof labels);
        size_t query = done % count;
        peer_search(bench->peer, bench->queries.numbers + query * bench->queries.dim, K, ef,
                    labels);
        if (done++ < count)
            found += found_of(bench->truth + query * K, labels);
        if (done % 64 == 0)
            used = processor_seconds() - began;
    }
    used = processor_seconds() - began;
    printf("%.4f %.1f\n", (double)found / (double)(count * K), (double)done / used);
}

// The nearest among the allowed, by looking at all of them.
static void find_truth(const struct bench *bench, const float *query, const uint8_t *only,
                       int32_t *ret_labels)
{
    float nearest[K];
    size_t held = 0;
    for (size_t r = 0; r < bench->base.rows; r++) {
        const float *row = bench->base.numbers + r * bench->base.dim;
        float distance = 0;
        for (size_t i = 0; only[r] && i < bench->base.dim; i++)
            distance += (query[i] - row[i]) * (query[i] - row[i]);
        if (!only[r] || (held == K && distance >= nearest[K - 1]))
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

// Of fewer rows than the set has the nearest are others.
static void cut(struct bench *bench, size_t rows)
{
    enum {
        QUERIES_MAX = 200
    };
    uint8_t *only = malloc(rows);
    memset(only, 1, rows);
    bench->base.rows = rows;
    if (bench->queries.rows > QUERIES_MAX)
        bench->queries.rows = QUERIES_MAX;
    for (size_t q = 0; q < bench->queries.rows; q++)
        find_truth(bench, bench->queries.numbers + q * bench->queries.dim, only,
                   bench->truth + q * K);
    free(only);
}

static void search_only(struct bench *bench, size_t modulus, size_t ef, double seconds)
{
    enum {
        CHECKED = 100
    };
    static uint8_t *only;
    static int32_t *truth;
    static size_t made_for;
    if (made_for != modulus) {
        only = calloc(bench->base.rows, 1);
        truth = malloc(CHECKED * K * sizeof *truth);
        for (size_t i = 3; i < bench->base.rows; i += modulus)
            only[i] = 1;
        for (size_t q = 0; q < CHECKED; q++)
            find_truth(bench, bench->queries.numbers + q * bench->queries.dim, only, truth + q * K);
        made_for = modulus;
    }
    size_t done = 0, found = 0;
    double began = processor_seconds();
    for (; done < CHECKED || processor_seconds() - began < seconds; done++) {
        int32_t labels[K];
        memset(labels, 0xff, sizeof labels);
        size_t query = done % bench->queries.rows;
        if (!peer_search_only(bench->peer, bench->queries.numbers + query * bench->queries.dim, K,
                              ef, only, labels))
            break;
        if (done < CHECKED)
            found += found_of(truth + query * K, labels);
    }
    printf("%.4f %.1f\n", (double)found / (CHECKED * K),
           (double)done / (processor_seconds() - began));
}

// Each row becomes another one, and then itself again, so that the set stays what it was.
static void update(struct bench *bench, size_t count)
{
    double began = processor_seconds();
    for (size_t i = 0; i < count; i++) {
        size_t label = i / 2 * 7919 % bench->base.rows;
        size_t other = i % 2 ? label : (label + bench->base.rows / 2) % bench->base.rows;
        peer_update(bench->peer, bench->base.numbers + other * bench->base.dim, label);
    }
    printf("%.1f\n", (double)count / (processor_seconds() - began));
}

static void load(struct bench *bench, const char *path)
{
    if (bench->peer)
        peer_free(bench->peer);
    double began = wall_seconds();
    bench->peer = peer_new(&bench->settings);
    int32_t labels[K];
    bool is_loaded = peer_load(bench->peer, path);
    peer_search(bench->peer, bench->queries.numbers, K, 64, labels);
    printf("%.4f\n", is_loaded ? wall_seconds() - began : -1.0);
}

static void obey(struct bench *bench, char *line)
{
    char path[1024];
    unsigned a, b;
    double seconds;
    if (sscanf(line, "build %u %u", &a, &b) == 2)
        build(bench, a, b);
    else if (sscanf(line, "search %u %lf", &a, &seconds) == 2)
        search(bench, a, seconds);
    else if (sscanf(line, "only %u %u %lf", &a, &b, &seconds) == 3)
        search_only(bench, a, b, seconds);
    else if (sscanf(line, "update %u", &a) == 1)
        update(bench, a);
    else if (sscanf(line, "load %1023s", path) == 1)
        load(bench, path);
    else if (sscanf(line, "save %1023s", path) == 1)
        printf("%d\n", peer_save(bench->peer, path));
    else
        fail(line, "is no order");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    char path[1024], type[3], line[2048];
    size_t rows, dim;
    if (argc < 4)
        fail(argv[0], "DIRECTORY SET l2|cosine [ROWS]");
    bench.settings.is_cosine = strcmp(argv[3], "cosine") == 0;
    snprintf(path, sizeof path, "%s/%s.base.npy", argv[1], argv[2]);
    read_matrix(path, bench.settings.is_cosine, &bench.base);
    bench.settings.m = 16;
    bench.settings.ef_construction = 200;
    snprintf(path, sizeof path, "%s/%s.query.npy", argv[1], argv[2]);
    read_matrix(path, bench.settings.is_cosine, &bench.queries);
    snprintf(path, sizeof path, "%s/%s.truth.npy", argv[1], argv[2]);
    bench.truth = read_npy(path, type, &rows, &dim);
    if (argc > 4 && strtoul(argv[4], NULL, 10) < bench.base.rows)
        cut(&bench, strtoul(argv[4], NULL, 10));
    bench.settings.dim = bench.base.dim;
    bench.settings.max_rows = bench.base.rows;
    printf("%s %zu %zu\n", peer_name, bench.base.rows, bench.base.dim);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin))
        obey(&bench, line);
    if (bench.peer)
        peer_free(bench.peer);
    return 0;
}
