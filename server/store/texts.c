#include "store/texts.h"

#include <math.h>
#include <string.h>

#include "store/records.h"
#include "store/texts_score.h"

enum {
    STEPS_BETWEEN_CLOCKS = 20000 // of SQLite's machine
};

static const char SQL_COMPARE[] = "SELECT text = ?2 FROM document WHERE num = ?1";
static const char SQL_PUT[] = "INSERT OR REPLACE INTO document VALUES (?1, ?2)";
static const char SQL_INDEX[] = "INSERT INTO document_text (rowid, text) VALUES (?1, ?2)";
// FTS5 takes a text out by being told what it was.
static const char SQL_UNINDEX[] =
    "INSERT INTO document_text (document_text, rowid, text)"
    " SELECT 'delete', num, text FROM document WHERE num > ?1 AND num <= ?2";
static const char SQL_DELETE[] = "DELETE FROM document WHERE num > ?1 AND num <= ?2";
static const char SQL_SCAN[] =
    "SELECT num, text FROM document WHERE num > ?1 AND num <= ?2 ORDER BY num";
static const char SQL_COUNT[] =
    "SELECT count(*) FROM document_text WHERE document_text MATCH ?1 AND rowid > ?2 AND rowid < ?3";
static const char SQL_SEARCH[] =
    "SELECT rowid, soma_bm25(document_text, ?4) FROM document_text"
    " WHERE document_text MATCH ?1 AND rowid > ?2 AND rowid < ?3 ORDER BY rowid";

// --- writing

static enum soma_code run_range(struct store_txn *txn, const char *sql, int64_t after, int64_t last,
                                struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, sql);
    query_bind_int(&query, 1, after);
    query_bind_int(&query, 2, last);
    return query_run(&query, err);
}

static enum soma_code run_text(struct store_txn *txn, const char *sql, int64_t num,
                               const char *text, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, sql);
    query_bind_int(&query, 1, num);
    query_bind_text(&query, 2, text);
    return query_run(&query, err);
}

static enum soma_code compare(struct store_txn *txn, int64_t num, const char *text,
                              bool *ret_is_there, bool *ret_is_same, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_COMPARE);
    query_bind_int(&query, 1, num);
    query_bind_text(&query, 2, text);
    enum soma_code code = query_next(&query, ret_is_there, err);
    *ret_is_same = !code && *ret_is_there && query_int(&query, 0);
    return code;
}

enum soma_code texts_put(struct store_txn *txn, int64_t num, const char *text,
                         struct soma_error *err)
{
    bool is_there = false, is_same;
    enum soma_code code = compare(txn, num, text, &is_there, &is_same, err);
    if (code || is_same)
        return code;
    if (is_there)
        code = run_range(txn, SQL_UNINDEX, num - 1, num, err);
    if (!code)
        code = run_text(txn, SQL_PUT, num, text, err);
    if (!code)
        code = run_text(txn, SQL_INDEX, num, text, err);
    return code;
}

enum soma_code texts_delete(struct store_txn *txn, int64_t after, int64_t last,
                            struct soma_error *err)
{
    enum soma_code code = run_range(txn, SQL_UNINDEX, after, last, err);
    return code ? code : run_range(txn, SQL_DELETE, after, last, err);
}

// --- reading

enum soma_code texts_scan(struct store_txn *txn, int64_t after, int64_t last, document_visit *visit,
                          void *context, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_SCAN);
    query_bind_int(&query, 1, after);
    query_bind_int(&query, 2, last);
    for (;;) {
        bool found;
        enum soma_code code = query_next(&query, &found, err);
        if (code || !found)
            return code;
        size_t length;
        const char *text = query_peek_blob(&query, 1, &length);
        if (!visit(context, query_int(&query, 0), text ? text : "", length))
            return SOMA_OK;
    }
}

// --- words

struct splitting {
    struct arena *arena;
    const char **words; // room for max
    size_t count, max;
    bool no_memory;
};

static int take_word(void *context, int flags, const char *word, int length, int start, int end)
{
    struct splitting *splitting = context;
    (void)flags;
    (void)start;
    (void)end;
    for (size_t i = 0; i < splitting->count; i++) {
        if (strncmp(splitting->words[i], word, (size_t)length) == 0 && !splitting->words[i][length])
            return SQLITE_OK;
    }
    if (splitting->count == splitting->max)
        return SQLITE_DONE;
    char *copy = arena_copy(splitting->arena, word, (size_t)length);
    splitting->no_memory = !copy;
    if (!copy)
        return SQLITE_NOMEM;
    splitting->words[splitting->count++] = copy;
    return SQLITE_OK;
}

enum soma_code texts_split(struct store_txn *txn, const char *text, size_t max, struct arena *arena,
                           const char ***ret_words, size_t *ret_count, struct soma_error *err)
{
    static const char *arguments[] = {"remove_diacritics", "2"}; // as the table was made
    struct splitting splitting = {.arena = arena, .max = max};
    fts5_api *api = texts_fts5(txn->db);
    fts5_tokenizer tokenizer;
    Fts5Tokenizer *instance = NULL;
    void *context = NULL;
    splitting.words = arena_alloc(arena, max * sizeof *splitting.words);
    if (!splitting.words)
        return error_set_no_memory(err);
    int rc = api ? api->xFindTokenizer(api, "unicode61", &context, &tokenizer) : SQLITE_ERROR;
    if (rc == SQLITE_OK)
        rc = tokenizer.xCreate(context, arguments, 2, &instance);
    if (rc != SQLITE_OK)
        return sqlite_error(NULL, rc, err);
    rc = tokenizer.xTokenize(instance, &splitting, FTS5_TOKENIZE_QUERY, text, (int)strlen(text),
                             take_word);
    tokenizer.xDelete(instance);
    if (splitting.no_memory)
        return error_set_no_memory(err);
    if (rc != SQLITE_OK && rc != SQLITE_DONE)
        return sqlite_error(NULL, rc, err);
    *ret_words = splitting.words;
    *ret_count = splitting.count;
    return SOMA_OK;
}

// --- search

struct searching {
    int64_t after, before; // numbers
    const char *const *words;
    size_t count;
    double *weights; // of each word
    char *query;     // in FTS5's language
};

// "one" OR "two": quoted, and words hold no quotes.
static bool make_query(struct searching *searching, struct arena *arena)
{
    size_t bytes = 1;
    for (size_t i = 0; i < searching->count; i++)
        bytes += strlen(searching->words[i]) + sizeof "\"\" OR ";
    searching->query = arena_alloc(arena, bytes);
    searching->weights = arena_alloc(arena, searching->count * sizeof *searching->weights);
    if (!searching->query || !searching->weights)
        return false;
    char *at = searching->query;
    for (size_t i = 0; i < searching->count; i++) {
        at = stpcpy(at, i ? " OR \"" : "\"");
        at = stpcpy(at, searching->words[i]);
        at = stpcpy(at, "\"");
    }
    return true;
}

static void bind_range(struct query *query, const struct searching *searching, const char *match)
{
    query_bind_text(query, 1, match);
    query_bind_int(query, 2, searching->after);
    query_bind_int(query, 3, searching->before);
}

// How much a word weighs: the rarer in the partition, the more.
static enum soma_code weigh(struct store_txn *txn, const struct searching *searching, size_t i,
                            int64_t record_count, struct arena *arena, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_COUNT);
    char *quoted = arena_printf(arena, "\"%s\"", searching->words[i]);
    if (!quoted)
        return error_set_no_memory(err);
    bind_range(&query, searching, quoted);
    bool found;
    enum soma_code code = query_next(&query, &found, err);
    if (code)
        return code;
    double holding = (double)query_int(&query, 0), all = (double)record_count;
    if (all < holding)
        all = holding;
    searching->weights[i] = log(1 + (all - holding + 0.5) / (holding + 0.5));
    return SOMA_OK;
}

static enum soma_code visit_found(struct store_txn *txn, const struct searching *searching,
                                  text_visit *visit, void *context, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_SEARCH);
    bind_range(&query, searching, searching->query);
    query_bind_blob(&query, 4, searching->weights, searching->count * sizeof *searching->weights);
    for (;;) {
        bool found;
        enum soma_code code = query_next(&query, &found, err);
        if (code || !found || !visit(context, query_int(&query, 0), query_double(&query, 1)))
            return code;
    }
}

static int is_late(void *deadline)
{
    return clock_left_ms(*(struct mono_time *)deadline) == 0;
}

enum soma_code texts_search(struct store_txn *txn, int64_t partition, int64_t record_count,
                            const char *const *words, size_t word_count, struct mono_time deadline,
                            struct arena *arena, text_visit *visit, void *context,
                            struct soma_error *err)
{
    struct searching searching = {.after = partition << PARTITION_SHIFT,
                                  .before = (partition + 1) << PARTITION_SHIFT,
                                  .words = words,
                                  .count = word_count};
    if (!make_query(&searching, arena))
        return error_set_no_memory(err);
    enum soma_code code = SOMA_OK;
    sqlite3_progress_handler(txn->db, STEPS_BETWEEN_CLOCKS, is_late, &deadline);
    for (size_t i = 0; i < word_count && !code; i++)
        code = weigh(txn, &searching, i, record_count, arena, err);
    if (!code)
        code = visit_found(txn, &searching, visit, context, err);
    sqlite3_progress_handler(txn->db, 0, NULL, NULL);
    return code;
}
