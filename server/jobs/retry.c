#include "jobs/retry.h"

enum {
    THOUSAND = 1000,
    JITTER_PARTS = 4, // one of them is left to chance
};

int64_t retry_wait_ms(const struct job_retry *retry, uint32_t tries, uint32_t chance)
{
    int64_t wait_ms = retry->backoff_ms;
    // The bound keeps the product far below what an int64_t holds.
    for (uint32_t i = 1; i < tries && wait_ms < retry->backoff_max_ms; i++)
        wait_ms = wait_ms * retry->factor_milli / THOUSAND;
    if (wait_ms > retry->backoff_max_ms)
        wait_ms = retry->backoff_max_ms;
    return wait_ms - (int64_t)((double)wait_ms / JITTER_PARTS * ((double)chance / UINT32_MAX));
}
