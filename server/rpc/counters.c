#include "rpc/counters.h"

#include <stdatomic.h>

const char *const counter_names[COUNTER_COUNT] = {
#define X(NAME, text) text,
    COUNTER_TABLE(X)
#undef X
};

static atomic_llong values[COUNTER_COUNT];

void counter_add(enum counter counter, int64_t amount)
{
    atomic_fetch_add_explicit(&values[counter], amount, memory_order_relaxed);
}

int64_t counter_value(enum counter counter)
{
    return atomic_load_explicit(&values[counter], memory_order_relaxed);
}
