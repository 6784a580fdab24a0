#include "somad/stats.h"

#include "store/collections.h"
#include "store/jobs.h"

static const char *const job_stat_names[JOB_STATE_COUNT] = {
    [JOB_QUEUED] = "jobs_queued",       [JOB_RUNNING] = "jobs_running",
    [JOB_SUCCEEDED] = "jobs_succeeded", [JOB_FAILED] = "jobs_failed",
    [JOB_CANCELLED] = "jobs_cancelled", [JOB_TIMED_OUT] = "jobs_timed_out",
    [JOB_LOST] = "jobs_lost",
};

static size_t gather_rpc(const struct stats_sources *sources, struct server_stat *stats)
{
    stats[0] = (struct server_stat){"rpc_parked", (int64_t)parking_count(sources->parking)};
    return 1;
}

static size_t gather_writer(const struct stats_sources *sources, struct server_stat *stats)
{
    struct writer_counts counts;
    writer_count(sources->writer, &counts);
    stats[0] = (struct server_stat){"writer_groups", counts.groups};
    stats[1] = (struct server_stat){"writer_operations", counts.ops};
    stats[2] = (struct server_stat){"writer_failed_groups", counts.failed_groups};
    return 3;
}

static size_t gather_jobs(const struct stats_sources *sources, struct server_stat *stats)
{
    struct store_txn *txn;
    struct job_totals totals;
    if (store_read_begin(sources->store, &txn, NULL) != SOMA_OK)
        return 0;
    enum soma_code code = job_store_totals(txn, &totals, NULL);
    store_read_end(txn);
    if (code != SOMA_OK)
        return 0;
    size_t count = 0;
    for (int state = 0; state < JOB_STATE_COUNT; state++) {
        if (job_stat_names[state])
            stats[count++] = (struct server_stat){job_stat_names[state], totals.count_of[state]};
    }
    stats[count++] = (struct server_stat){"jobs_revision", totals.revision};
    stats[count++] = (struct server_stat){"jobs_output_bytes", totals.output_bytes};
    return count;
}

static size_t gather_vectors(const struct stats_sources *sources, struct server_stat *stats)
{
    struct store_txn *txn;
    int64_t collections, records;
    stats[0] =
        (struct server_stat){"vectors_memory_bytes", vectors_memory_bytes_all(sources->vectors)};
    if (store_read_begin(sources->store, &txn, NULL) != SOMA_OK)
        return 1;
    enum soma_code code = collections_count(txn, &collections, &records, NULL);
    store_read_end(txn);
    if (code != SOMA_OK)
        return 1;
    stats[1] = (struct server_stat){"collections", collections};
    stats[2] = (struct server_stat){"records", records};
    return 3;
}

// All together stay below SERVER_STATS_MAX.
static size_t (*const gatherers[])(const struct stats_sources *, struct server_stat *) = {
    gather_rpc, gather_writer, gather_jobs, gather_vectors};

size_t stats_gather(void *source, struct server_stat *ret_stats)
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof gatherers / sizeof gatherers[0]; i++)
        count += gatherers[i](source, ret_stats + count);
    return count;
}
