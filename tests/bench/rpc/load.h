// What the load programs share: latencies of the finished requests, and the line that reports them.
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    LATENCIES_MAX = 4 * 1024 * 1024
};

static inline int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// A number of the command line between 0 and max, 0 for everything else.
static inline double number_of(const char *text, double max)
{
    char *end;
    double number = strtod(text, &end);
    return *text && !*end && number > 0 && number <= max ? number : 0;
}

static inline int compare_latencies(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

// One JSON line: requests per second, median and 99th percentile in microseconds. Sorts the
// latencies.
static inline void report(uint32_t *latencies_ns, size_t count, double seconds)
{
    size_t kept = count < LATENCIES_MAX ? count : LATENCIES_MAX;
    if (kept == 0) {
        printf("{\"rate\": 0, \"p50_us\": 0, \"p99_us\": 0}\n");
        return;
    }
    qsort(latencies_ns, kept, sizeof *latencies_ns, compare_latencies);
    uint32_t p50 = latencies_ns[kept / 2], p99 = latencies_ns[kept * 99 / 100];
    printf("{\"rate\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n", (double)count / seconds,
           (double)p50 / 1e3, (double)p99 / 1e3);
}

#ifdef __cplusplus
}
#endif

#endif
