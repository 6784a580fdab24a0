// What the server measures of itself. measures.def is the one table; any room of the server
// records.
//
// Recording is a few relaxed additions and never a lock: calls are recorded in one of several
// shards, chosen by the thread, so that threads do not share a line of the cache. What is only
// looked up when somebody asks (queues, memory) is not recorded here but gathered
// (somad/exporter.h).
#ifndef MEASURES_MEASURES_H
#define MEASURES_MEASURES_H

#include <stdint.h>

enum measure {
#define MEASURE(id, type, name, labels, help) MEASURE_##id,
#include "measures/measures.def"
#undef MEASURE
    MEASURE_COUNT
};

enum measure_type {
    MEASURE_TYPE_COUNTER,
    MEASURE_TYPE_GAUGE,
    MEASURE_TYPE_TIMES, // a histogram in seconds, recorded in microseconds
    MEASURE_TYPE_SIZES, // a histogram of counts
};

struct measure_row {
    enum measure_type type;
    const char *name;
    const char *labels; // names between ','; "": none
    const char *help;
};

extern const struct measure_row measure_table[MEASURE_COUNT];

// "counter", "gauge" or "histogram".
const char *measure_type_name(enum measure_type type);

enum {
    MEASURE_SERIES = 8,       // of a counter that has several
    MEASURE_METHODS = 129,    // of the RPC; 0 is for calls of no method
    MEASURE_CODES = 17,       // of enum soma_code
    MEASURE_BUCKETS_MAX = 17, // the last one without a bound
};

// Of a counter; series below MEASURE_SERIES tells those of one name apart.
void measure_add(enum measure metric, unsigned series, int64_t amount);
int64_t measure_value(enum measure metric, unsigned series);

// Into a histogram: microseconds, or a count.
void measure_observe(enum measure metric, int64_t value);

// A call was answered with the code after so many microseconds; below 0: they say nothing.
void measure_call(unsigned method, unsigned code, int64_t us);

// --- to be shown

struct measure_histogram {
    int64_t count_of[MEASURE_BUCKETS_MAX]; // not cumulated
    int64_t sum;                           // of what was observed
};

// The upper bounds of the buckets, ascending, but that of the last, which has none.
const int64_t *measure_bounds(enum measure_type type, unsigned *ret_count);

void measure_histogram_read(enum measure metric, struct measure_histogram *ret_histogram);
// Calls of a method by code, and how long they took.
void measure_calls_read(unsigned method, int64_t ret_count_of[MEASURE_CODES],
                        struct measure_histogram *ret_histogram);

#endif
