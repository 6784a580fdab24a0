#include "somad/exporter.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "measures/page.h"
#include "rpc/counters.h"
#include "store/queues.h"

enum {
    NAMES_MAX = 1000,  // queues, and collections, that are shown one by one
    ROWS_AT_ONCE = 50, // of collections in memory
};

// --- gathering

// What GetStats says under a name is a sample here.
static const struct {
    const char *stat;
    enum measure metric;
} samples_of_stats[] = {
    {"rpc_parked", MEASURE_RPC_PARKED},       {"writer_failed_groups", MEASURE_COMMIT_FAILED},
    {"jobs_output_bytes", MEASURE_JOB_BYTES}, {"vectors_memory_bytes", MEASURE_VECTORS_MEMORY},
    {"collections", MEASURE_COLLECTIONS},     {"records", MEASURE_RECORDS},
};

static void add_stat(struct page *page, const struct server_stat *stat)
{
    static const char jobs[] = "jobs_";
    for (size_t i = 0; i < sizeof samples_of_stats / sizeof samples_of_stats[0]; i++) {
        if (strcmp(stat->name, samples_of_stats[i].stat) == 0)
            page_add(page, samples_of_stats[i].metric, (double)stat->value);
    }
    for (int state = JOB_QUEUED; state < JOB_STATE_COUNT; state++) {
        if (strncmp(stat->name, jobs, strlen(jobs)) == 0 &&
            strcmp(stat->name + strlen(jobs), job_state_name((enum job_state)state)) == 0)
            page_add(page, MEASURE_JOBS, (double)stat->value,
                     job_state_name((enum job_state)state));
    }
}

static void gather_stats(const struct exporter *exporter, struct page *page)
{
    struct server_stat stats[SERVER_STATS_MAX];
    size_t count = stats_gather((void *)exporter->sources, stats);
    for (size_t i = 0; i < count; i++)
        add_stat(page, &stats[i]);
}

static void gather_calls(const struct exporter *exporter, struct page *page)
{
    const char *name = "";
    for (unsigned number = 0; name; number++) {
        page_add_calls(page, number, name);
        name = dispatcher_method(exporter->dispatcher, number + 1);
    }
    page_add(page, MEASURE_RPC_CONNECTIONS, (double)counter_value(COUNTER_CONNECTIONS));
    page_add(page, MEASURE_RPC_IN_HAND, (double)counter_value(COUNTER_CALLS));
    page_add(page, MEASURE_RPC_SLOW, (double)measure_value(MEASURE_RPC_SLOW, 0));
}

static void gather_recorded(const struct exporter *exporter, struct page *page)
{
    (void)exporter;
    for (int metric = 0; metric < MEASURE_COUNT; metric++) {
        bool is_histogram = measure_table[metric].type == MEASURE_TYPE_TIMES ||
                            measure_table[metric].type == MEASURE_TYPE_SIZES;
        if (is_histogram && !measure_table[metric].labels[0])
            page_add_histogram(page, (enum measure)metric);
    }
    for (unsigned state = 1; state < JOB_STATE_COUNT; state++)
        page_add(page, MEASURE_JOB_ENTERED, (double)measure_value(MEASURE_JOB_ENTERED, state),
                 job_state_name((enum job_state)state));
    static const char *const sources[COLLECTION_SOURCES] = {
        [COLLECTION_FROM_MEMORY] = "memory",
        [COLLECTION_FROM_FILE] = "file",
        [COLLECTION_FROM_DATABASE] = "database",
    };
    for (unsigned from = 0; from < COLLECTION_SOURCES; from++)
        page_add(page, MEASURE_CACHE_READS, (double)measure_value(MEASURE_CACHE_READS, from),
                 sources[from]);
    page_add(page, MEASURE_CACHE_DROPS, (double)measure_value(MEASURE_CACHE_DROPS, 0));
}

static void gather_queues(const struct exporter *exporter, struct page *page)
{
    struct store_txn *txn;
    struct queue_list list = {0};
    struct name_range range;
    name_range_init(&range, NULL, "");
    if (store_read_begin(exporter->sources->store, &txn, NULL) != SOMA_OK)
        return;
    if (queue_store_list(txn, &range, NAMES_MAX, &page->arena, &list, NULL) != SOMA_OK)
        list.count = 0;
    store_read_end(txn);
    for (size_t i = 0; i < list.count; i++) {
        const struct queue *queue = &list.rows[i];
        page_add(page, MEASURE_QUEUE_PAUSED, queue->settings.paused, queue->name);
        for (int state = JOB_QUEUED; state <= JOB_RUNNING; state++)
            page_add(page, MEASURE_QUEUE_JOBS, (double)queue->count_of[state], queue->name,
                     job_state_name((enum job_state)state));
    }
}

static void add_collection(const struct exporter *exporter, struct page *page,
                           const struct collection_row *row)
{
    struct index_state index;
    int64_t memory = vectors_memory_bytes(exporter->sources->vectors, row->uid);
    page_add(page, MEASURE_COLLECTION_RECORDS, (double)row->record_count, row->name);
    page_add(page, MEASURE_COLLECTION_MEMORY, (double)memory, row->name);
    vectors_index_state(exporter->sources->vectors, row->uid, &index);
    page_add(page, MEASURE_INDEX_ROWS, (double)index.rows_indexed, row->name);
    page_add(page, MEASURE_INDEX_WAITING, (double)index.rows_waiting, row->name);
}

static void gather_collections(const struct exporter *exporter, struct page *page)
{
    struct store_txn *txn;
    struct collection_row *rows = calloc(ROWS_AT_ONCE, sizeof *rows);
    struct name_range range;
    name_range_init(&range, NULL, "");
    if (!rows || store_read_begin(exporter->sources->store, &txn, NULL) != SOMA_OK) {
        free(rows);
        return;
    }
    size_t count = ROWS_AT_ONCE;
    for (size_t seen = 0; count == ROWS_AT_ONCE && seen < NAMES_MAX; seen += count) {
        if (collections_list(txn, &range, ROWS_AT_ONCE, &page->arena, rows, &count, NULL) !=
            SOMA_OK)
            break;
        for (size_t i = 0; i < count; i++)
            add_collection(exporter, page, &rows[i]);
        if (count > 0)
            name_range_init(&range, NULL, rows[count - 1].name);
    }
    store_read_end(txn);
    free(rows);
    page_add(page, MEASURE_VECTORS_BUDGET, (double)exporter->config->memory_budget);
}

static void gather_files(const struct exporter *exporter, struct page *page)
{
    static const struct {
        const char *name, *label;
    } files[] = {{"soma.db", "main"}, {"soma.db-wal", "wal"}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[PATH_MAX];
        struct stat info;
        snprintf(path, sizeof path, "%s/%s", exporter->data, files[i].name);
        if (stat(path, &info) == 0)
            page_add(page, MEASURE_DATABASE_BYTES, (double)info.st_size, files[i].label);
    }
}

// But for the one that counts.
static long count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    long count = -3; // ".", "..", its own
    if (!directory)
        return 0;
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

// The second number of statm, in pages.
static double resident_bytes(void)
{
    char text[128] = "";
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (!fgets(text, sizeof text, file))
        text[0] = '\0';
    fclose(file);
    const char *space = strchr(text, ' ');
    return space ? (double)strtol(space, NULL, 10) * (double)sysconf(_SC_PAGESIZE) : 0;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void gather_process(const struct exporter *exporter, struct page *page)
{
    struct rusage use;
    struct rlimit limit;
    page_add(page, MEASURE_BUILD_INFO, 1, SOMA_VERSION);
    page_add(page, MEASURE_UP_SINCE, (double)exporter->started_unix_ms / 1000);
    if (getrusage(RUSAGE_SELF, &use) == 0)
        page_add(page, MEASURE_CPU, seconds_of(use.ru_utime) + seconds_of(use.ru_stime));
    page_add(page, MEASURE_RESIDENT, resident_bytes());
    page_add(page, MEASURE_OPEN_FDS, (double)count_descriptors());
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        page_add(page, MEASURE_MAX_FDS, (double)limit.rlim_cur);
}

// --- pages

static void answer_text(struct http_answer *answer, int status, const char *text)
{
    answer->status = status;
    answer->text = strdup(text);
    answer->length = strlen(text);
}

static void answer_metrics(void *user, struct http_answer *ret_answer)
{
    static void (*const gatherers[])(const struct exporter *, struct page *) = {
        gather_process, gather_calls, gather_stats,       gather_recorded,
        gather_queues,  gather_files, gather_collections,
    };
    struct page page;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out)
        return;
    page_init(&page);
    for (size_t i = 0; i < sizeof gatherers / sizeof gatherers[0]; i++)
        gatherers[i](user, &page);
    bool is_whole = page_write(&page, out);
    page_fini(&page);
    if (fclose(out) != 0 || !is_whole) {
        free(text);
        return;
    }
    *ret_answer = (struct http_answer){HTTP_OK, text, length};
}

static void answer_healthz(void *user, struct http_answer *ret_answer)
{
    (void)user;
    answer_text(ret_answer, HTTP_OK, "ok\n");
}

static void answer_readyz(void *user, struct http_answer *ret_answer)
{
    static const char *const texts[] = {[EXPORTER_STARTING] = "starting\n",
                                        [EXPORTER_READY] = "ready\n",
                                        [EXPORTER_STOPPING] = "stopping\n"};
    int state = atomic_load(&((struct exporter *)user)->state);
    answer_text(ret_answer, state == EXPORTER_READY ? HTTP_OK : HTTP_UNAVAILABLE, texts[state]);
}

static const struct http_page pages[] = {
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", true, answer_metrics},
    {"/healthz", "text/plain; charset=utf-8", false, answer_healthz},
    {"/readyz", "text/plain; charset=utf-8", false, answer_readyz},
    {NULL, NULL, false, NULL},
};

enum soma_code exporter_open(struct exporter *exporter, struct workers *workers,
                             struct soma_error *err)
{
    if (!exporter->config->http || !exporter->config->http[0])
        return SOMA_OK;
    enum soma_code code =
        http_open(exporter->config->http, pages, exporter, workers, &exporter->http, err);
    if (code == SOMA_OK)
        log_info("HTTP-READY", "metrics and health on http://%s", http_address(exporter->http));
    return code;
}

void exporter_set_state(struct exporter *exporter, enum exporter_state state)
{
    atomic_store(&exporter->state, (int)state);
}

void exporter_close(struct exporter *exporter)
{
    http_close(exporter->http);
    exporter->http = NULL;
}
