// How often something may happen for each of many names: so many times a second, a second's worth
// of which at once. Generic cell rate algorithm (ITU-T I.371): a name costs one number, the time at
// which all that was allowed so far will have been spread evenly.
#ifndef ACCESS_RATE_H
#define ACCESS_RATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    RATE_PLACES = 1024 // a power of two; names that meet in one share its rate
};

// Zeroed memory with the rate set is one that has seen nothing.
struct rate {
    int64_t per_second; // 0: without bound
    _Atomic int64_t until_us[RATE_PLACES];
};

// Whether once more is allowed at this time (of a clock that only goes forward); otherwise how long
// to wait. Thread-safe, without a lock.
bool rate_allows(struct rate *rate, const char *name, int64_t now_us, uint32_t *ret_wait_ms);

#endif
