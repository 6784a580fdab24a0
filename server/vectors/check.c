#include "vectors/check.h"

#include <stdlib.h>
#include <string.h>

#include "store/whole_records.h"
#include "vectors/check_private.h"
#include "vectors/index/graph.h"
#include "vectors/write.h"

enum {
    WINDOW = 1 << 20,    // record numbers that are compared in one pass over memory
    DEADLINE_EVERY = 256 // records
};

static const struct {
    const char *name, *text;
} kinds[CHECK_KINDS] = {
    [CHECK_ROW_MISSING] = {"ROW_MISSING", "records that queries cannot find: memory lacks them"},
    [CHECK_ROW_EXTRA] = {"ROW_EXTRA", "rows in memory of records that are not there"},
    [CHECK_ROW_DIFFERS] = {"ROW_DIFFERS", "rows whose id or numbers are not the record's"},
    [CHECK_NODE_MISSING] = {"NODE_MISSING", "rows whose place in the graph is not theirs"},
    [CHECK_CODE_DIFFERS] = {"CODE_DIFFERS", "rows whose code in the graph is of other numbers"},
    [CHECK_ANSWER_DELETED] = {"ANSWER_DELETED", "answers that are no records"},
    [CHECK_EMBEDDING_DAMAGED] = {"EMBEDDING_DAMAGED",
                                 "records whose embedding is missing or has another length"},
    [CHECK_CONTENT_DAMAGED] = {"CONTENT_DAMAGED", "records that are not what was written"},
    [CHECK_EMBEDDING_EXTRA] = {"EMBEDDING_EXTRA", "embeddings without a record"},
    [CHECK_TEXT_DIFFERS] = {"TEXT_DIFFERS", "documents more or less than full text knows"},
    [CHECK_COUNT_DIFFERS] = {"COUNT_DIFFERS", "records more or less than the collection counts"},
};

void check_note(struct check *check, enum check_kind kind, int64_t count, const char *id)
{
    struct check_finding *found = &check->found[kind];
    found->count += count;
    const char *copy =
        id && found->id_count < CHECK_EXAMPLES ? arena_string(check->arena, id) : NULL;
    if (copy)
        found->ids[found->id_count++] = copy;
}

// --- memory against the database, a window of record numbers at a time

struct window {
    struct check *check;
    int64_t after;           // numbers are above it
    int64_t length;          // of numbers
    const struct row **rows; // [length]: living rows by number; NULL: none, or it was met
    float *vector;           // [dim]
    uint8_t *code;           // a row's, as it should be; NULL: there is no graph
    int64_t records;
    bool is_late;
};

typedef void row_visit(struct window *window, const struct row *row);

static void for_each_row(struct window *window, row_visit *visit)
{
    const struct row_set *set = window->check->reader.view.rows;
    int64_t sequence = window->check->row.sequence;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct row_chunk *chunk = set->chunks[i];
        uint32_t count = chunk ? atomic_load_explicit(&chunk->count, memory_order_acquire) : 0;
        for (uint32_t at = 0; at < count; at++) {
            if (row_is_alive(&chunk->rows[at], sequence))
                visit(window, &chunk->rows[at]);
        }
    }
}

static void count_row(struct window *window, const struct row *row)
{
    struct check *check = window->check;
    int64_t place = row->num - (check->row.partition << PARTITION_SHIFT);
    check->report.rows++;
    if (place < 1 || place > check->row.last_record)
        check_note(check, CHECK_ROW_EXTRA, 1, row->id);
}

static void take_row(struct window *window, const struct row *row)
{
    int64_t place = row->num - window->after - 1;
    if (place < 0 || place >= window->length)
        return;
    if (window->rows[place])
        check_note(window->check, CHECK_ROW_EXTRA, 1, row->id);
    window->rows[place] = row;
}

static void check_content(struct window *window, const struct whole_record *record)
{
    const struct record_row *row = &record->row;
    const struct write_record content = {
        .document = row->document, .metadata = row->metadata, .embedding = window->vector};
    uint8_t hash[RECORD_HASH_BYTES];
    record_hash(&content, window->check->row.dimension, hash);
    if (!record->hash || memcmp(hash, record->hash, sizeof hash) != 0)
        check_note(window->check, CHECK_CONTENT_DAMAGED, 1, row->id);
}

// The reader keeps the row's node where it is: nodes are swept when nobody can see their row.
static void check_node(struct window *window, const struct row *row)
{
    struct check *check = window->check;
    const struct graph *graph = check->reader.view.graph;
    uint32_t node = atomic_load_explicit(&row->node, memory_order_acquire);
    if (!graph || node == ROW_WAITING || node == ROW_UNFIT)
        return;
    bool is_node = node < atomic_load(&graph->count) && graph_is_live(graph, node);
    const struct row *owner = is_node ? graph_row(graph, node) : NULL;
    if (!owner || owner->num != row->num) {
        check_note(check, CHECK_NODE_MISSING, 1, row->id);
        return;
    }
    check->report.rows_indexed++;
    code_encode(&graph->format, row->vector, window->code);
    if (memcmp(window->code, graph_code(graph, node), graph->format.stride) != 0)
        check_note(check, CHECK_CODE_DIFFERS, 1, row->id);
}

static void compare_row(struct window *window, const struct row *row,
                        const struct record_row *record)
{
    const struct collection_row *collection = &window->check->row;
    if (collection->metric == METRIC_COSINE)
        kernel_normalise(window->vector, collection->dimension, window->vector);
    if (strcmp(row->id, record->id) != 0 ||
        memcmp(row->vector, window->vector, collection->dimension * sizeof(float)) != 0)
        check_note(window->check, CHECK_ROW_DIFFERS, 1, record->id);
    check_node(window, row);
}

static bool compare_record(void *context, const struct whole_record *record)
{
    struct window *window = context;
    struct check *check = window->check;
    const struct row **at = &window->rows[record->row.num - window->after - 1], *row = *at;
    *at = NULL;
    window->is_late =
        window->records++ % DEADLINE_EVERY == 0 && clock_left_ms(check->request->deadline) == 0;
    if (window->is_late)
        return false;
    if (!row)
        check_note(check, CHECK_ROW_MISSING, 1, record->row.id);
    if (!record->row.embedding) {
        check_note(check, CHECK_EMBEDDING_DAMAGED, 1, record->row.id);
        return true;
    }
    memcpy(window->vector, record->row.embedding, check->row.dimension * sizeof(float));
    check_content(window, record);
    if (row)
        compare_row(window, row, &record->row);
    return true;
}

static enum soma_code compare_window(struct window *window, struct soma_error *err)
{
    struct check *check = window->check;
    memset(window->rows, 0, (size_t)window->length * sizeof *window->rows);
    for_each_row(window, take_row);
    enum soma_code code =
        whole_records_scan(check->txn, window->after, window->after + window->length,
                           check->row.dimension, compare_record, window, err);
    if (!code && window->is_late)
        code = error_set(err, REASON_DEADLINE_EXCEEDED, NULL,
                         "the deadline passed after %lld of %lld records were compared",
                         (long long)window->records, (long long)check->row.record_count);
    for (int64_t i = 0; i < window->length && !code; i++) {
        if (window->rows[i])
            check_note(check, CHECK_ROW_EXTRA, 1, window->rows[i]->id);
    }
    return code;
}

static enum soma_code compare_windows(struct window *window, struct soma_error *err)
{
    const struct collection_row *row = &window->check->row;
    enum soma_code code = SOMA_OK;
    for_each_row(window, count_row);
    for (int64_t done = 0; done < row->last_record && !code; done += window->length) {
        window->after = (row->partition << PARTITION_SHIFT) + done;
        code = compare_window(window, err);
    }
    window->check->report.records = window->records;
    return code;
}

static enum soma_code compare_all(struct check *check, struct soma_error *err)
{
    const struct graph *graph = check->reader.view.graph;
    int64_t last = check->row.last_record, length = last < WINDOW ? last + 1 : WINDOW;
    struct window window = {.check = check,
                            .length = length,
                            .rows = malloc((size_t)length * sizeof *window.rows),
                            .vector = malloc(check->row.dimension * sizeof(float)),
                            .code = graph ? calloc(1, graph->format.stride) : NULL};
    bool has_memory = window.rows && window.vector && (!graph || window.code);
    enum soma_code code = has_memory ? compare_windows(&window, err) : error_set_no_memory(err);
    free(window.rows);
    free(window.vector);
    free(window.code);
    return code;
}

// --- what counts say

static enum soma_code compare_counts(struct check *check, struct soma_error *err)
{
    struct whole_counts counts;
    enum soma_code code = whole_records_count(check->txn, check->row.partition, &counts, err);
    if (code)
        return code;
    // With numbers that the collection has never given.
    check_note(check, CHECK_ROW_MISSING, counts.records - check->report.records, NULL);
    check->report.records = counts.records;
    check_note(check, CHECK_EMBEDDING_EXTRA, counts.embeddings, NULL);
    check_note(check, CHECK_TEXT_DIFFERS, llabs(counts.documents - counts.texts), NULL);
    check_note(check, CHECK_COUNT_DIFFERS, llabs(check->row.record_count - counts.records), NULL);
    return SOMA_OK;
}

static void report_findings(struct check *check)
{
    struct check_report *report = &check->report;
    for (size_t i = 0; i < CHECK_KINDS; i++) {
        if (!check->found[i].count)
            continue;
        check->found[i].kind = kinds[i].name;
        check->found[i].text = kinds[i].text;
        report->findings[report->finding_count++] = check->found[i];
    }
    report->sequence = check->row.sequence;
}

// --- together

// Reads at the state of the check's transaction.
static enum soma_code compare(struct check *check, struct store *store, struct soma_error *err)
{
    char uid[ID_SIZE];
    memcpy(uid, check->row.uid, sizeof uid);
    enum soma_code code = store_read_begin(store, &check->txn, err);
    if (code)
        return code;
    code = collections_get(check->txn, uid, check->arena, &check->row, err);
    if (!code)
        code =
            collection_read_at(&check->reader, check->row.sequence, check->request->deadline, err);
    if (!code)
        code = compare_all(check, err);
    if (!code)
        code = compare_counts(check, err);
    if (!code)
        code = check_recall(check, err);
    store_read_end(check->txn);
    return code;
}

enum soma_code collection_check(struct store *store, struct vectors *vectors,
                                const struct check_request *request, struct arena *arena,
                                struct check_report *ret_report, struct soma_error *err)
{
    struct check check = {.request = request, .arena = arena};
    struct store_txn *txn;
    enum soma_code code = store_read_begin(store, &txn, err);
    if (code)
        return code;
    code = collections_find(txn, request->collection, arena, &check.row, err);
    store_read_end(txn);
    if (!code)
        code = collection_read_begin(vectors, check.row.uid, request->deadline, &check.reader, err);
    if (code)
        return code;
    code = compare(&check, store, err);
    collection_read_end(&check.reader);
    if (code)
        return code;
    report_findings(&check);
    *ret_report = check.report;
    return SOMA_OK;
}
