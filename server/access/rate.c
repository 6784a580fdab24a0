#include "access/rate.h"

enum {
    SECOND_US = 1000000
};

// FNV-1a.
static uint32_t place_of(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash % RATE_PLACES;
}

bool rate_allows(struct rate *rate, const char *name, int64_t now_us, uint32_t *ret_wait_ms)
{
    if (rate->per_second == 0)
        return true;
    _Atomic int64_t *until = &rate->until_us[place_of(name)];
    int64_t step_us = rate->per_second < SECOND_US ? SECOND_US / rate->per_second : 1;
    int64_t before = atomic_load(until), after;
    do {
        after = (before > now_us ? before : now_us) + step_us;
        if (after - now_us > SECOND_US) {
            *ret_wait_ms = (uint32_t)((after - now_us - SECOND_US) / 1000 + 1);
            return false;
        }
    } while (!atomic_compare_exchange_weak(until, &before, after));
    return true;
}
