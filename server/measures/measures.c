#include "measures/measures.h"

#include <stdatomic.h>
#include <string.h>

enum {
    SHARDS = 8, // a power of two
    TIME_BOUNDS = 16,
    SIZE_BOUNDS = 9,
};

const struct measure_row measure_table[MEASURE_COUNT] = {
#define MEASURE(id, type, name, labels, help) \
    [MEASURE_##id] = {MEASURE_TYPE_##type, name, labels, help},
#include "measures/measures.def"
#undef MEASURE
};

static const int64_t time_bounds_us[TIME_BOUNDS] = {
    100,   250,    500,    1000,   2500,    5000,    10000,   25000,
    50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000};
static const int64_t size_bounds[SIZE_BOUNDS] = {1, 2, 4, 8, 16, 32, 64, 128, 256};

struct histogram {
    atomic_llong count_of[MEASURE_BUCKETS_MAX];
    atomic_llong sum;
};

struct method {
    atomic_llong code_count[MEASURE_CODES];
    struct histogram times;
};

static struct {
    _Alignas(64) struct method methods[MEASURE_METHODS];
} shards[SHARDS];

_Static_assert((int)TIME_BOUNDS < (int)MEASURE_BUCKETS_MAX,
               "a bucket for each bound, and one more");

static struct histogram histograms[MEASURE_COUNT];
static atomic_llong counters[MEASURE_COUNT][MEASURE_SERIES];

const char *measure_type_name(enum measure_type type)
{
    static const char *const names[] = {[MEASURE_TYPE_COUNTER] = "counter",
                                        [MEASURE_TYPE_GAUGE] = "gauge",
                                        [MEASURE_TYPE_TIMES] = "histogram",
                                        [MEASURE_TYPE_SIZES] = "histogram"};
    return names[type];
}

static unsigned shard_of_thread(void)
{
    static atomic_uint threads;
    static _Thread_local unsigned shard; // counted from 1; 0: not chosen yet
    if (shard == 0)
        shard = 1 + atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % SHARDS;
    return shard - 1;
}

static void add(atomic_llong *value, int64_t amount)
{
    atomic_fetch_add_explicit(value, amount, memory_order_relaxed);
}

static int64_t read_value(const atomic_llong *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

void measure_add(enum measure metric, unsigned series, int64_t amount)
{
    add(&counters[metric][series % MEASURE_SERIES], amount);
}

int64_t measure_value(enum measure metric, unsigned series)
{
    return read_value(&counters[metric][series % MEASURE_SERIES]);
}

const int64_t *measure_bounds(enum measure_type type, unsigned *ret_count)
{
    *ret_count = type == MEASURE_TYPE_TIMES ? TIME_BOUNDS : SIZE_BOUNDS;
    return type == MEASURE_TYPE_TIMES ? time_bounds_us : size_bounds;
}

static void observe(struct histogram *histogram, enum measure_type type, int64_t value)
{
    unsigned count, bucket = 0;
    const int64_t *bounds = measure_bounds(type, &count);
    while (bucket < count && value > bounds[bucket])
        bucket++;
    add(&histogram->count_of[bucket], 1);
    add(&histogram->sum, value);
}

void measure_observe(enum measure metric, int64_t value)
{
    observe(&histograms[metric], measure_table[metric].type, value);
}

void measure_call(unsigned method, unsigned code, int64_t us)
{
    struct method *of = &shards[shard_of_thread()].methods[method % MEASURE_METHODS];
    add(&of->code_count[code % MEASURE_CODES], 1);
    if (us >= 0)
        observe(&of->times, MEASURE_TYPE_TIMES, us);
}

static void sum_up(const struct histogram *histogram, struct measure_histogram *sum)
{
    for (int i = 0; i < MEASURE_BUCKETS_MAX; i++)
        sum->count_of[i] += read_value(&histogram->count_of[i]);
    sum->sum += read_value(&histogram->sum);
}

void measure_histogram_read(enum measure metric, struct measure_histogram *ret_histogram)
{
    *ret_histogram = (struct measure_histogram){0};
    sum_up(&histograms[metric], ret_histogram);
}

void measure_calls_read(unsigned method, int64_t ret_count_of[MEASURE_CODES],
                        struct measure_histogram *ret_histogram)
{
    *ret_histogram = (struct measure_histogram){0};
    memset(ret_count_of, 0, MEASURE_CODES * sizeof *ret_count_of);
    for (int shard = 0; shard < SHARDS; shard++) {
        const struct method *of = &shards[shard].methods[method % MEASURE_METHODS];
        for (int code = 0; code < MEASURE_CODES; code++)
            ret_count_of[code] += read_value(&of->code_count[code]);
        sum_up(&of->times, ret_histogram);
    }
}
