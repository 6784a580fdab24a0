#include "storage_acts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/changes.h"
#include "jobs/submit.h"
#include "store/aliases.h"
#include "store/job_ready.h"
#include "store/queues.h"
#include "store/requests.h"
#include "store/tokens.h"
#include "vectors/write.h"

enum {
    DIM = 4,
    RECORDS = 12, // of a batch
    TEXT_BYTES = 5000,
    BULK = 700 // records of more than a page: the log is moved into the file
};

// Jobs of the foundations, by what they are when an act begins.
#define ID_QUEUED  "aaaaaaaaaaaaaaaaaaaq"
#define ID_RUNNING "aaaaaaaaaaaaaaaaaaar"
#define ID_FINAL   "aaaaaaaaaaaaaaaaaaaf"
#define ID_AFTER   "aaaaaaaaaaaaaaaaaaaa"

// --- jobs

static enum soma_code submit(struct store_txn *txn, struct job_spec *spec, const char *id,
                             struct arena *arena, struct soma_error *err)
{
    static const uint8_t print[DEDUPE_PRINT_BYTES] = {1};
    struct job_new new = {.id = id,
                          .spec = spec,
                          .now = {ACT_NOW_MS},
                          .room = {.unfinished_max = 1000},
                          .dedupe_print = print};
    struct submit_result result;
    enum soma_code code = spec_encode(spec, arena, &new.bytes, err);
    return code ? code : job_submit(txn, &new, arena, &result, err);
}

static struct job_spec plain(int32_t priority)
{
    return (struct job_spec){.queue = "default", .priority = priority, .keep_ms = 1};
}

static enum soma_code submit_queued(const struct house *house, struct store_txn *txn,
                                    struct arena *arena, struct act_news *news,
                                    struct soma_error *err)
{
    (void)house, (void)news;
    struct job_spec spec = plain(1);
    return submit(txn, &spec, ID_QUEUED, arena, err);
}

static enum soma_code submit_running(const struct house *house, struct store_txn *txn,
                                     struct arena *arena, struct act_news *news,
                                     struct soma_error *err)
{
    (void)house, (void)news;
    struct job_spec spec = plain(9);
    spec.retry.max_attempts = 3;
    spec.retry.reasons = 1 << JOB_REASON_EXITED;
    return submit(txn, &spec, ID_RUNNING, arena, err);
}

static enum soma_code submit_final(const struct house *house, struct store_txn *txn,
                                   struct arena *arena, struct act_news *news,
                                   struct soma_error *err)
{
    (void)house, (void)news;
    struct job_spec spec = plain(10);
    return submit(txn, &spec, ID_FINAL, arena, err);
}

static enum soma_code submit_after(const struct house *house, struct store_txn *txn,
                                   struct arena *arena, struct act_news *news,
                                   struct soma_error *err)
{
    (void)house, (void)news;
    static const char *const after[] = {ID_RUNNING};
    struct job_spec spec = plain(0);
    spec.after = after;
    spec.after_count = 1;
    spec.after_policy = JOB_AFTER_CANCEL;
    return submit(txn, &spec, ID_AFTER, arena, err);
}

static enum soma_code submit_with_all(const struct house *house, struct store_txn *txn,
                                      struct arena *arena, struct act_news *news,
                                      struct soma_error *err)
{
    (void)house, (void)news;
    static const struct job_label labels[] = {{"colour", "red"}, {"size", "large"}};
    static const uint8_t request_id[REQUEST_STORE_ID_BYTES] = {7};
    static uint8_t source[20000];
    struct job_spec spec = plain(0);
    spec.queue = "night"; // a new one
    spec.language = "sh";
    spec.source = memset(source, 's', sizeof source);
    spec.source_length = sizeof source;
    spec.labels = labels;
    spec.label_count = 2;
    spec.dedupe_key = "once";
    enum soma_code code = submit(txn, &spec, "bbbbbbbbbbbbbbbbbbbb", arena, err);
    return code ? code
                : request_store_insert(txn, request_id, request_id, "reply", 5,
                                       (struct wall_time){ACT_NOW_MS}, err);
}

static enum soma_code claim(const struct house *house, struct store_txn *txn, struct arena *arena,
                            struct act_news *news, struct soma_error *err)
{
    (void)house, (void)news;
    struct job_row row;
    int64_t num = 0;
    enum soma_code code = job_ready_wake(txn, (struct wall_time){ACT_NOW_MS}, 100, err);
    code = code ? code : job_ready_first(txn, &num, err);
    code = code ? code : job_store_get_num(txn, num, true, arena, &row, err);
    code = code ? code : job_row_complete(&row, arena, err);
    return code ? code : job_claim(txn, &row, err);
}

static enum soma_code get(struct store_txn *txn, const char *id, struct arena *arena,
                          struct job_row *ret_row, struct soma_error *err)
{
    enum soma_code code = job_store_get(txn, id, true, arena, ret_row, err);
    return code ? code : job_row_complete(ret_row, arena, err);
}

static enum soma_code end(struct store_txn *txn, const char *id, int exit_code, struct arena *arena,
                          struct soma_error *err)
{
    struct job_row row;
    struct job_outcome outcome = {.reason = JOB_REASON_EXITED,
                                  .exit_code = exit_code,
                                  .message = "the end",
                                  .isolation = "+pids own",
                                  .stdout_size = {100, 1}};
    enum soma_code code = get(txn, id, arena, &row, err);
    return code ? code : job_end(txn, &row, &outcome, err);
}

static enum soma_code end_final(const struct house *house, struct store_txn *txn,
                                struct arena *arena, struct act_news *news, struct soma_error *err)
{
    (void)house, (void)news;
    return end(txn, ID_FINAL, 0, arena, err);
}

static enum soma_code end_well(const struct house *house, struct store_txn *txn,
                               struct arena *arena, struct act_news *news, struct soma_error *err)
{
    (void)house, (void)news;
    return end(txn, ID_RUNNING, 0, arena, err);
}

static enum soma_code end_to_be_tried_again(const struct house *house, struct store_txn *txn,
                                            struct arena *arena, struct act_news *news,
                                            struct soma_error *err)
{
    (void)house, (void)news;
    return end(txn, ID_RUNNING, 1, arena, err);
}

// The end of one job and the claim of the next, as the writer takes them together.
static enum soma_code end_and_claim(const struct house *house, struct store_txn *txn,
                                    struct arena *arena, struct act_news *news,
                                    struct soma_error *err)
{
    enum soma_code code = end_well(house, txn, arena, news, err);
    return code ? code : claim(house, txn, arena, news, err);
}

static enum soma_code cancel(struct store_txn *txn, const char *id, struct arena *arena,
                             struct soma_error *err)
{
    struct job_row row;
    bool was_final;
    enum soma_code code = get(txn, id, arena, &row, err);
    return code ? code : job_cancel(txn, &row, "why not", false, arena, &was_final, err);
}

static enum soma_code cancel_queued(const struct house *house, struct store_txn *txn,
                                    struct arena *arena, struct act_news *news,
                                    struct soma_error *err)
{
    (void)house, (void)news;
    return cancel(txn, ID_QUEUED, arena, err);
}

static enum soma_code cancel_running(const struct house *house, struct store_txn *txn,
                                     struct arena *arena, struct act_news *news,
                                     struct soma_error *err)
{
    (void)house, (void)news;
    return cancel(txn, ID_RUNNING, arena, err);
}

static enum soma_code retry_final(const struct house *house, struct store_txn *txn,
                                  struct arena *arena, struct act_news *news,
                                  struct soma_error *err)
{
    (void)house, (void)news;
    struct job_row row;
    enum soma_code code = get(txn, ID_FINAL, arena, &row, err);
    static const struct job_room room = {.unfinished_max = 1000};
    return code ? code : job_retry(txn, &row, &room, err);
}

static enum soma_code delete_final(const struct house *house, struct store_txn *txn,
                                   struct arena *arena, struct act_news *news,
                                   struct soma_error *err)
{
    (void)house, (void)news;
    struct job_row row;
    enum soma_code code = get(txn, ID_FINAL, arena, &row, err);
    return code ? code : job_store_delete(txn, row.job.num, (struct wall_time){ACT_NOW_MS}, err);
}

static enum soma_code set_queue(const struct house *house, struct store_txn *txn,
                                struct arena *arena, struct act_news *news, struct soma_error *err)
{
    (void)house, (void)arena, (void)news;
    const struct queue_settings settings = {.paused = true, .max_running = 3};
    return queue_store_set(txn, "default", &settings, err);
}

static enum soma_code make_token(const struct house *house, struct store_txn *txn,
                                 struct arena *arena, struct act_news *news, struct soma_error *err)
{
    (void)house, (void)arena, (void)news;
    const struct access_token token = {.name = "ci", .hash = {1}, .created = {ACT_NOW_MS}};
    return token_store_insert(txn, &token, err);
}

// --- collections

static enum soma_code create(struct store_txn *txn, const char *name, struct soma_error *err)
{
    struct collection_row row = {
        .dimension = DIM, .metric = METRIC_L2, .created_unix_ms = ACT_NOW_MS};
    index_settings_complete(&row.index);
    snprintf(row.name, sizeof row.name, "%s", name);
    return collections_insert(txn, &row, err);
}

static enum soma_code create_first(const struct house *house, struct store_txn *txn,
                                   struct arena *arena, struct act_news *news,
                                   struct soma_error *err)
{
    (void)house, (void)arena, (void)news;
    return create(txn, "docs", err);
}

static enum soma_code create_another(const struct house *house, struct store_txn *txn,
                                     struct arena *arena, struct act_news *news,
                                     struct soma_error *err)
{
    (void)house, (void)arena, (void)news;
    return create(txn, "more", err);
}

struct batch {
    unsigned first, count;
    float value;
    const char *document;
};

static enum soma_code upsert(const struct house *house, struct store_txn *txn, struct arena *arena,
                             const struct batch *wanted, struct act_news *ret_news,
                             struct soma_error *err)
{
    struct record_input *inputs = arena_alloc(arena, wanted->count * sizeof *inputs);
    float *embeddings = arena_alloc(arena, wanted->count * DIM * sizeof *embeddings);
    char(*ids)[16] = arena_alloc(arena, wanted->count * sizeof *ids);
    if (!inputs || !embeddings || !ids)
        abort();
    static const char *const tag = "red";
    const struct metadata_field field = {
        .key = "colour", .type = METADATA_STRING, .count = 1, .values.strings = &tag};
    for (unsigned i = 0; i < wanted->count; i++) {
        snprintf(ids[i], sizeof ids[i], "r%u", wanted->first + i);
        inputs[i] = (struct record_input){ids[i], wanted->document, &field, 1};
        for (unsigned d = 0; d < DIM; d++)
            embeddings[i * DIM + d] = wanted->value + (float)(i + d);
    }
    struct write_batch batch = {
        .mode = WRITE_UPSERT, .collection = "docs", .dim = DIM, .metric = METRIC_L2};
    struct write_result result;
    enum soma_code code = write_prepare(&batch, inputs, wanted->count, embeddings, arena, err);
    if (!code)
        code = write_apply(house->vectors, txn, &batch, arena, &result, err);
    if (!code)
        *ret_news = (struct act_news){result.changes, result.has_changed, false};
    return code;
}

static enum soma_code upsert_first(const struct house *house, struct store_txn *txn,
                                   struct arena *arena, struct act_news *news,
                                   struct soma_error *err)
{
    return upsert(house, txn, arena, &(struct batch){0, RECORDS, 1, "some words"}, news, err);
}

// New ones, and others that were there.
static enum soma_code upsert_second(const struct house *house, struct store_txn *txn,
                                    struct arena *arena, struct act_news *news,
                                    struct soma_error *err)
{
    const struct batch batch = {RECORDS / 2, RECORDS, 2, "other words"};
    return upsert(house, txn, arena, &batch, news, err);
}

static enum soma_code upsert_bulk(const struct house *house, struct store_txn *txn,
                                  struct arena *arena, struct act_news *news,
                                  struct soma_error *err)
{
    static char text[TEXT_BYTES];
    memset(text, 'x', sizeof text - 1);
    return upsert(house, txn, arena, &(struct batch){0, BULK, 3, text}, news, err);
}

static enum soma_code delete_some(const struct house *house, struct store_txn *txn,
                                  struct arena *arena, struct act_news *ret_news,
                                  struct soma_error *err)
{
    (void)house;
    static const char *const ids[] = {"r1", "r3", "r5", "nobody"};
    const struct delete_request request = {.collection = "docs", .ids = ids, .count = 4};
    struct delete_result result;
    enum soma_code code = write_delete(txn, &request, arena, &result, err);
    if (!code)
        *ret_news = (struct act_news){result.changes, result.has_changed, false};
    return code;
}

static enum soma_code clear(const struct house *house, struct store_txn *txn, struct arena *arena,
                            struct act_news *ret_news, struct soma_error *err)
{
    (void)house;
    struct collection_row row;
    enum soma_code code = collections_find(txn, "docs", arena, &row, err);
    row.sequence++;
    code = code ? code : collections_clear(txn, &row, err);
    code = code ? code : collections_save_counters(txn, &row, err);
    if (code)
        return code;
    *ret_news = (struct act_news){
        .has_changed = true, .changes = {.dim = DIM, .sequence = row.sequence, .is_clear = true}};
    memcpy(ret_news->changes.uid, row.uid, sizeof row.uid);
    return SOMA_OK;
}

static enum soma_code drop(const struct house *house, struct store_txn *txn, struct arena *arena,
                           struct act_news *ret_news, struct soma_error *err)
{
    (void)house;
    struct collection_row row;
    enum soma_code code = collections_find(txn, "docs", arena, &row, err);
    code = code ? code : aliases_remove_all(txn, row.uid, err);
    code = code ? code : collections_delete(txn, &row, err);
    *ret_news = (struct act_news){.is_dropped = true};
    memcpy(ret_news->changes.uid, row.uid, sizeof row.uid);
    return code;
}

static enum soma_code alias(const struct house *house, struct store_txn *txn, struct arena *arena,
                            struct act_news *news, struct soma_error *err)
{
    (void)house, (void)news;
    struct collection_row row;
    enum soma_code code = collections_find(txn, "docs", arena, &row, err);
    return code ? code : aliases_set(txn, "papers", row.uid, err);
}

// Of a partition that a foundation left behind.
static enum soma_code purge(const struct house *house, struct store_txn *txn, struct arena *arena,
                            struct act_news *news, struct soma_error *err)
{
    (void)house, (void)arena, (void)news;
    bool is_done;
    return collections_purge(txn, 1000, &is_done, err);
}

const struct act storage_foundations[] = {
    {"a job that ends", submit_final},
    {"its claim", claim},
    {"its end", end_final},
    {"a job that runs", submit_running},
    {"its claim", claim},
    {"a job that waits for a place", submit_queued},
    {"a job that waits for another", submit_after},
    {"a collection", create_first},
    {"its first records", upsert_first},
    {"none of them", clear},
    {"its records", upsert_first},
    {NULL, NULL},
};

const struct act storage_acts[] = {
    {"submit", submit_with_all},
    {"claim", claim},
    {"end", end_well},
    {"end and claim", end_and_claim},
    {"end to be tried again", end_to_be_tried_again},
    {"cancel of a queued job", cancel_queued},
    {"cancel of a running job", cancel_running},
    {"retry", retry_final},
    {"delete of a job", delete_final},
    {"queue", set_queue},
    {"token", make_token},
    {"create of a collection", create_another},
    {"upsert", upsert_second},
    {"bulk upsert", upsert_bulk},
    {"delete of records", delete_some},
    {"clear", clear},
    {"drop of a collection", drop},
    {"alias", alias},
    {"purge", purge},
    {NULL, NULL},
};

// --- as one write

struct running {
    struct write_op op;
    const struct house *house;
    const struct act *act;
    struct arena arena;
    struct act_news news;
};

static enum soma_code apply(struct write_op *op, struct store_txn *txn, struct soma_error *err)
{
    struct running *running = (struct running *)op;
    return running->act->apply(running->house, txn, &running->arena, &running->news, err);
}

enum soma_code act_run(const struct house *house, const struct act *act, struct soma_error *err)
{
    struct running running = {.op = {.apply = apply}, .house = house, .act = act};
    arena_init(&running.arena, ACT_ARENA_BYTES);
    enum soma_code code = writer_run(house->writer, &running.op, err);
    if (!code && running.news.has_changed)
        vectors_publish(house->vectors, &running.news.changes);
    if (!code && running.news.is_dropped)
        vectors_drop(house->vectors, running.news.changes.uid);
    arena_fini(&running.arena);
    return code;
}
