// Exact answers against sqlite-vec's, an implementation that shares nothing with ours: its loadable
// extension, which ./dev test gets from npm. Where it is not, the test is skipped.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "vectors_scene.h"

enum {
    ROWS = 1200,
    DIM_MAX = 768,
    QUERIES = 16,
    K = 10,
    LABELS = 7,
    SKIPPED = 77
};

// sqlite-vec 0.1.9 leaves a name behind for each table; a leak sanitizer asks this what to pass
// over.
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libsqlite3";
}

struct oracle {
    sqlite3 *db;
    sqlite3_stmt *all, *labelled;
};

struct answer {
    int64_t row;
    double distance; // as ours
};

struct set {
    uint32_t dim;
    enum metric metric;
    float rows[ROWS * DIM_MAX];
    float queries[QUERIES * DIM_MAX];
};

// --- the oracle

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    return statement;
}

// sqlite-vec has no dot product: on vectors of length 1 it is the cosine.
static void oracle_open(struct oracle *oracle, const struct set *set)
{
    char sql[160], *why = NULL;
    assert_int_equal(sqlite3_open(":memory:", &oracle->db), SQLITE_OK);
    sqlite3_enable_load_extension(oracle->db, 1);
    if (sqlite3_load_extension(oracle->db, VEC0, NULL, &why) != SQLITE_OK)
        fail_msg("%s", why);
    snprintf(sql, sizeof sql,
             "CREATE VIRTUAL TABLE v USING vec0 (label integer, vector float[%u] "
             "distance_metric=%s)",
             set->dim, set->metric == METRIC_L2 ? "l2" : "cosine");
    assert_int_equal(sqlite3_exec(oracle->db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_stmt *put =
        prepare(oracle->db, "INSERT INTO v (rowid, label, vector) VALUES (?1, ?2, ?3)");
    for (int i = 0; i < ROWS; i++) {
        sqlite3_bind_int(put, 1, i);
        sqlite3_bind_int(put, 2, i % LABELS);
        sqlite3_bind_blob(put, 3, set->rows + (size_t)i * set->dim, (int)(set->dim * sizeof(float)),
                          SQLITE_STATIC);
        assert_int_equal(sqlite3_step(put), SQLITE_DONE);
        sqlite3_reset(put);
    }
    sqlite3_finalize(put);
    oracle->all =
        prepare(oracle->db, "SELECT rowid, distance FROM v WHERE vector MATCH ?1 AND k = ?2");
    oracle->labelled = prepare(oracle->db, "SELECT rowid, distance FROM v WHERE vector MATCH ?1"
                                           " AND k = ?2 AND label = ?3");
}

static void oracle_close(struct oracle *oracle)
{
    sqlite3_finalize(oracle->all);
    sqlite3_finalize(oracle->labelled);
    sqlite3_close(oracle->db);
}

// label -1: all. As many as there are, up to all rows.
static size_t oracle_ask(struct oracle *oracle, const struct set *set, const float *query,
                         int label, struct answer ret_answers[ROWS])
{
    sqlite3_stmt *statement = label < 0 ? oracle->all : oracle->labelled;
    size_t count = 0;
    sqlite3_bind_blob(statement, 1, query, (int)(set->dim * sizeof *query), SQLITE_STATIC);
    sqlite3_bind_int(statement, 2, ROWS);
    if (label >= 0)
        sqlite3_bind_int(statement, 3, label);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        double distance = sqlite3_column_double(statement, 1);
        ret_answers[count++] =
            (struct answer){sqlite3_column_int64(statement, 0),
                            set->metric == METRIC_L2 ? distance * distance : distance};
    }
    sqlite3_reset(statement);
    return count;
}

// --- the sets

static void fill(float *numbers, size_t count, const struct set *set, uint64_t *random)
{
    for (size_t i = 0; i < count * set->dim; i++)
        numbers[i] = ((float)scene_random(random, 20001) - 10000) / 10000;
    for (size_t i = 0; i < count && set->metric == METRIC_DOT; i++)
        assert_true(kernel_normalise(numbers + i * set->dim, set->dim, numbers + i * set->dim));
}

static struct set *set_new(uint32_t dim, enum metric metric)
{
    struct set *set = malloc(sizeof *set);
    uint64_t random = dim * 31 + (uint64_t)metric;
    assert_non_null(set);
    set->dim = dim;
    set->metric = metric;
    fill(set->rows, ROWS, set, &random);
    fill(set->queries, QUERIES, set, &random);
    return set;
}

static void put_all(struct vectors_scene *scene, const struct set *set)
{
    static struct record_input inputs[ROWS];
    static struct metadata_field fields[ROWS];
    static int64_t labels[ROWS];
    static char ids[ROWS][24];
    for (size_t i = 0; i < ROWS; i++) {
        snprintf(ids[i], sizeof ids[i], "%zu", i);
        labels[i] = (int64_t)i % LABELS;
        fields[i] = (struct metadata_field){
            .key = "label", .type = METADATA_INT, .count = 1, .values.ints = &labels[i]};
        inputs[i] = (struct record_input){.id = ids[i], .fields = &fields[i], .field_count = 1};
    }
    scene_create(scene, "c", set->dim, set->metric);
    assert_int_equal(scene_write(scene, WRITE_UPSERT, "c", inputs, ROWS, set->rows, NULL, NULL),
                     SOMA_OK);
}

// --- the comparison

static double distance_of(const struct answer *answers, size_t count, int64_t row)
{
    for (size_t i = 0; i < count; i++) {
        if (answers[i].row == row)
            return answers[i].distance;
    }
    return NAN;
}

// Each of ours is what the oracle says of it, and as near as the oracle's at its place: rounding
// may exchange what is equally far.
static void compare(const struct query_result *ours, const struct answer *theirs, size_t count)
{
    assert_int_equal(ours->count, count < K ? count : K);
    for (uint32_t i = 0; i < ours->count; i++) {
        double bound = 2e-5 * (1 + theirs[i].distance);
        double said = distance_of(theirs, count, strtoll(ours->hits[i].id, NULL, 10));
        if (!(fabs(said - ours->hits[i].distance) <= bound) ||
            !(fabs(theirs[i].distance - ours->hits[i].distance) <= bound))
            fail_msg("hit %u, row %s: %.9g; by the oracle it is at %.9g, and %.9g is due", i,
                     ours->hits[i].id, ours->hits[i].distance, said, theirs[i].distance);
    }
}

static void ask_both(struct vectors_scene *scene, struct oracle *oracle, const struct set *set,
                     int label)
{
    static struct answer theirs[ROWS];
    const struct filter *filter = NULL;
    struct query_answer ours;
    struct arena arena;
    char where[32];
    arena_init(&arena, 16 << 20);
    snprintf(where, sizeof where, "{\"label\": %d}", label);
    if (label >= 0)
        assert_int_equal(filter_compile(where, &arena, &filter, NULL), SOMA_OK);
    const struct query_request request = {.collection = "c",
                                          .embeddings = set->queries,
                                          .number_count = (size_t)QUERIES * set->dim,
                                          .k = K,
                                          .filter = filter,
                                          .max_distance = INFINITY,
                                          .min_score = -INFINITY,
                                          .group_size = 1,
                                          .is_exact = true,
                                          .deadline = MONO_NEVER};
    assert_int_equal(
        query_answer_open(scene->scratch.store, scene->vectors, &request, &arena, &ours, NULL),
        SOMA_OK);
    for (size_t i = 0; i < QUERIES; i++) {
        size_t count = oracle_ask(oracle, set, set->queries + i * set->dim, label, theirs);
        compare(&ours.results[i], theirs, count);
    }
    query_answer_close(&ours);
    arena_fini(&arena);
}

static void agree(enum metric metric)
{
    static const uint32_t dims[] = {1, 3, 17, 128, 384, DIM_MAX};
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
        struct vectors_scene scene;
        struct oracle oracle;
        struct set *set = set_new(dims[i], metric);
        scene_open(&scene, 256 << 20);
        put_all(&scene, set);
        oracle_open(&oracle, set);
        ask_both(&scene, &oracle, set, -1);
        ask_both(&scene, &oracle, set, 3);
        ask_both(&scene, &oracle, set, LABELS); // which no row has
        oracle_close(&oracle);
        scene_close(&scene);
        free(set);
    }
}

static void squared_distances_agree(void **unused)
{
    (void)unused;
    agree(METRIC_L2);
}

static void cosines_agree(void **unused)
{
    (void)unused;
    agree(METRIC_COSINE);
}

static void dot_products_of_unit_vectors_agree(void **unused)
{
    (void)unused;
    agree(METRIC_DOT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(squared_distances_agree),
        cmocka_unit_test(cosines_agree),
        cmocka_unit_test(dot_products_of_unit_vectors_agree),
    };
    if (access(VEC0, R_OK) != 0) {
        print_message("skipped: %s is not there; './dev test' gets it, where npm can be reached\n",
                      VEC0);
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
