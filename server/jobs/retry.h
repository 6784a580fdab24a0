// How long a job waits between two attempts.
#ifndef JOBS_RETRY_H
#define JOBS_RETRY_H

#include "jobs/job.h"

// After tries attempts, at least 1: backoff_ms, then each time factor_milli thousandths of it,
// never more than backoff_max_ms. Up to a quarter is taken off by chance (0: nothing, UINT32_MAX:
// all of it), so that jobs that failed together do not come back together. 0 where backoff_ms is 0.
int64_t retry_wait_ms(const struct job_retry *retry, uint32_t tries, uint32_t chance);

#endif
