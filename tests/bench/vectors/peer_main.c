// One contestant as a program: PEER DIRECTORY. The directory is prepare's. Orders on standard
// input, one a line, each answered by a line of numbers; a speed is one per second of processor
// time and one per second of the clock:
//     build M EF             adds all rows → speed, resident bytes, bytes of a code
//     calls QUERIES CALLS    queries in a call, calls in flight, where there are calls → 1
//     search EF SECONDS      queries again and again → recall@10, speed
//     only N EF SECONDS      the same among the rows whose label is 3 modulo N
//     update COUNT           replaces rows one by one → speed
//     save FILE              → 1, or 0 where there is no such thing
//     load FILE              opens, and answers one query → seconds
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "peer.h"

enum {
    CHECKED_MAX = 1024, // queries of a set at most
    PIECE_MIN = 32,     // queries between two looks at the clock: first so many, then more
    PIECE_MAX = 1024,
    SLOW_SECONDS = 5 // after which those that were asked have to do for recall
};

struct bench {
    const float *base, *queries;
    size_t base_count, query_count;
    const char *directory;
    struct peer_settings settings;
    struct peer *peer;
    int32_t labels[CHECKED_MAX * K];
};

struct moment {
    double processor, wall;
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double server_seconds(pid_t server)
{
    char path[64], line[1024] = "";
    unsigned long long user = 0, kernel = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)server);
    FILE *file = fopen(path, "r");
    if (file && fgets(line, sizeof line, file) && strrchr(line, ')'))
        sscanf(strrchr(line, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
               &user, &kernel);
    if (file)
        fclose(file);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static struct moment now(const struct bench *bench)
{
    pid_t server = bench->peer ? peer_server(bench->peer) : 0;
    return (struct moment){seconds_of(CLOCK_PROCESS_CPUTIME_ID) +
                               (server ? server_seconds(server) : 0),
                           seconds_of(CLOCK_MONOTONIC)};
}

static void print_speed(const struct bench *bench, double count, struct moment began)
{
    struct moment ended = now(bench);
    double processor = ended.processor - began.processor;
    printf("%.1f %.1f", count / (processor > 0.001 ? processor : 0.001),
           count / (ended.wall - began.wall));
}

// The file, mapped for good.
static const void *map_file(const struct bench *bench, const char *name, size_t *ret_bytes)
{
    char path[1024];
    struct stat stat;
    snprintf(path, sizeof path, "%s/%s", bench->directory, name);
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &stat) != 0)
        fail(path, "cannot be read");
    void *bytes = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (bytes == MAP_FAILED)
        fail(path, "cannot be mapped");
    *ret_bytes = (size_t)stat.st_size;
    close(fd);
    return bytes;
}

// Without the files that are mapped, so without the data.
static size_t resident_bytes(pid_t server)
{
    char path[64], line[256];
    size_t kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)(server ? server : getpid()));
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtoul(line + 8, NULL, 10);
    }
    if (file)
        fclose(file);
    return kib * 1024;
}

static void build(struct bench *bench, uint32_t m, uint32_t ef)
{
    bench->settings.m = m;
    bench->settings.ef_construction = ef;
    size_t before = resident_bytes(0);
    struct moment began = now(bench);
    bench->peer = peer_new(&bench->settings);
    pid_t server = peer_server(bench->peer);
    if (server)
        before = resident_bytes(server);
    peer_add(bench->peer, bench->base, bench->base_count, 0);
    print_speed(bench, (double)bench->base_count, began);
    printf(" %zu %zu\n", resident_bytes(server) - before, peer_code_bytes(bench->peer));
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

// Each query once for recall, then all over again until the time is over.
static void search(struct bench *bench, const struct peer_filter *filter, size_t ef, double seconds)
{
    char name[32] = "truth";
    size_t bytes, done = 0, found = 0;
    if (filter)
        snprintf(name, sizeof name, "truth.%zu", filter->modulus);
    const int32_t *truth = map_file(bench, name, &bytes);
    size_t checked = bytes / (K * sizeof *truth);
    size_t count = checked, piece = PIECE_MIN;
    struct moment began = now(bench);
    bool has_filter = true;
    for (double passed = 0; has_filter && (done < checked || passed < seconds);
         passed = seconds_of(CLOCK_MONOTONIC) - began.wall) {
        if (passed > SLOW_SECONDS && done < checked)
            checked = done;
        size_t at = done % count, some = count - at < piece ? count - at : piece;
        memset(bench->labels, 0xff, some * K * sizeof *bench->labels);
        has_filter = peer_search(bench->peer, bench->queries + at * bench->settings.dim, some, ef,
                                 filter, bench->labels);
        for (size_t i = 0; i < some && done + i < checked; i++)
            found += found_of(truth + (at + i) * K, bench->labels + i * K);
        done += some;
        piece = piece < PIECE_MAX ? piece * 2 : piece;
    }
    printf("%.4f ", (double)found / (double)(checked * K));
    print_speed(bench, has_filter ? (double)done : 0, began);
    printf("\n");
    munmap((void *)truth, bytes);
}

static void search_only(struct bench *bench, size_t modulus, size_t ef, double seconds)
{
    uint8_t *only = calloc(bench->base_count, 1);
    for (size_t i = 3; i < bench->base_count; i += modulus)
        only[i] = 1;
    search(bench, &(struct peer_filter){modulus, only}, ef, seconds);
    free(only);
}

// Each row becomes another one, and then itself again, so that the set stays what it was.
static void update(struct bench *bench, size_t count)
{
    struct moment began = now(bench);
    for (size_t i = 0; i < count; i++) {
        size_t label = i / 2 * 7919 % bench->base_count;
        size_t other = i % 2 ? label : (label + bench->base_count / 2) % bench->base_count;
        peer_add(bench->peer, bench->base + other * bench->settings.dim, 1, label);
    }
    print_speed(bench, (double)count, began);
    printf("\n");
}

static void load(struct bench *bench, const char *path)
{
    int32_t labels[K];
    if (bench->peer)
        peer_free(bench->peer);
    double began = seconds_of(CLOCK_MONOTONIC);
    bench->peer = peer_new(&bench->settings);
    bool is_loaded = peer_load(bench->peer, path);
    peer_search(bench->peer, bench->queries, 1, 64, NULL, labels);
    printf("%.4f\n", is_loaded ? seconds_of(CLOCK_MONOTONIC) - began : -1.0);
}

static void obey(struct bench *bench, char *line)
{
    char path[1024];
    unsigned a, b;
    double seconds;
    if (sscanf(line, "build %u %u", &a, &b) == 2) {
        build(bench, a, b);
    } else if (sscanf(line, "calls %u %u", &a, &b) == 2) {
        bench->settings.queries_a_call = a;
        bench->settings.calls_in_flight = b;
        printf("1\n");
    } else if (sscanf(line, "search %u %lf", &a, &seconds) == 2) {
        search(bench, NULL, a, seconds);
    } else if (sscanf(line, "only %u %u %lf", &a, &b, &seconds) == 3) {
        search_only(bench, a, b, seconds);
    } else if (sscanf(line, "update %u", &a) == 1) {
        update(bench, a);
    } else if (sscanf(line, "load %1023s", path) == 1) {
        load(bench, path);
    } else if (sscanf(line, "save %1023s", path) == 1) {
        printf("%d\n", peer_save(bench->peer, path));
    } else {
        fail(line, "is no order");
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    char line[2048], metric[16];
    size_t bytes;
    if (argc != 2)
        fail(argv[0], "DIRECTORY");
    bench.directory = argv[1];
    bench.settings = (struct peer_settings){
        .m = 16, .ef_construction = 200, .queries_a_call = 1, .calls_in_flight = 1};
    const char *shape = map_file(&bench, "shape", &bytes);
    if (sscanf(shape, "%zu %zu %zu %15s", &bench.base_count, &bench.query_count,
               &bench.settings.dim, metric) != 4)
        fail("shape", "is none");
    bench.settings.is_cosine = strcmp(metric, "cosine") == 0;
    bench.settings.max_rows = bench.base_count;
    bench.base = map_file(&bench, "base", &bytes);
    bench.queries = map_file(&bench, "queries", &bytes);
    printf("%s %zu %zu\n", peer_name, bench.base_count, bench.settings.dim);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin))
        obey(&bench, line);
    if (bench.peer)
        peer_free(bench.peer);
    return 0;
}
