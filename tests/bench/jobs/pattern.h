// The bytes that flood writes and jobs_load expects: 64-bit words that count up from a number that
// is the job's own.
#ifndef BENCH_PATTERN_H
#define BENCH_PATTERN_H

#include <stddef.h>
#include <stdint.h>

enum {
    PATTERN_BLOCK = 65536
};

// Fills words with those from place on, counted in words from the stream's beginning.
static inline void pattern_fill(uint64_t *words, size_t count, uint64_t seed, uint64_t place)
{
    for (size_t i = 0; i < count; i++)
        words[i] = (seed << 40) + place + i;
}

#endif
