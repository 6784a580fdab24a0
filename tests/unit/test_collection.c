// server/vectors: collections against a model that does everything the simple way, snapshots, and
// what overwriting costs.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vectors_scene.h"

enum {
    IDS = 60,
    DIM_MAX = 17,
    BATCH_MAX = 12,
    BUDGET = 64 << 20
};

// --- the model

struct model_record {
    bool exists;
    float vector[DIM_MAX];
    int64_t tag;
    char document[8];
};

struct model {
    uint32_t dim;
    enum metric metric;
    int64_t sequence;
    struct model_record records[IDS];
};

static void id_of(size_t i, char ret_id[16])
{
    // Not in the order of their numbers.
    snprintf(ret_id, 16, "r%03zu", i * 37 % 101);
}

static double model_distance(const struct model *model, const float *query, const float *row)
{
    double dot = 0, squared = 0, query_norm = 0, row_norm = 0;
    for (uint32_t i = 0; i < model->dim; i++) {
        double q = (double)query[i], x = (double)row[i];
        dot += q * x;
        squared += (q - x) * (q - x);
        query_norm += q * q;
        row_norm += x * x;
    }
    if (model->metric == METRIC_L2)
        return squared;
    return model->metric == METRIC_DOT ? 1 - dot : 1 - dot / sqrt(query_norm * row_norm);
}

struct model_hit {
    double distance;
    char id[16];
};

static int compare_hits(const void *a, const void *b)
{
    const struct model_hit *left = a, *right = b;
    if (left->distance != right->distance)
        return left->distance < right->distance ? -1 : 1;
    return strcmp(left->id, right->id);
}

// Sorted; tag_min: only records whose tag is at least that.
static size_t model_query(const struct model *model, const float *query, int64_t tag_min,
                          struct model_hit ret_hits[IDS])
{
    size_t count = 0;
    for (size_t i = 0; i < IDS; i++) {
        if (!model->records[i].exists || model->records[i].tag < tag_min)
            continue;
        ret_hits[count].distance = model_distance(model, query, model->records[i].vector);
        id_of(i, ret_hits[count++].id);
    }
    qsort(ret_hits, count, sizeof *ret_hits, compare_hits);
    return count;
}

// Small whole numbers: sums are exact, and ties are many. Never all zero.
static void random_vector(uint64_t *random, uint32_t dim, float *ret_vector)
{
    for (uint32_t i = 0; i < dim; i++)
        ret_vector[i] = (float)scene_random(random, 5) - 2;
    ret_vector[0] = (float)scene_random(random, 3) + 1;
}

// --- checking

// Cosine works on normalised copies, so near ties may change places: then only distances count.
static void check_hits(const struct model *model, const struct query_result *got,
                       const struct model_hit *wanted, size_t wanted_count)
{
    assert_int_equal(got->count, wanted_count);
    for (uint32_t i = 0; i < got->count; i++) {
        if (fabs(got->hits[i].distance - wanted[i].distance) > 1e-5)
            fail_msg("hit %u: %g for %g", i, got->hits[i].distance, wanted[i].distance);
        if (model->metric != METRIC_COSINE)
            assert_string_equal(got->hits[i].id, wanted[i].id);
    }
}

static void check_query(struct vectors_scene *scene, const struct model *model, uint64_t *random)
{
    float queries[3 * DIM_MAX];
    size_t count = 1 + scene_random(random, 3);
    for (size_t i = 0; i < count; i++)
        random_vector(random, model->dim, queries + i * model->dim);
    int64_t tag_min = (int64_t)scene_random(random, 12) - 6;
    uint32_t k = 1 + scene_random(random, IDS + 5);
    struct arena arena;
    arena_init(&arena, 16 << 20);
    char where[64];
    snprintf(where, sizeof where, "{\"tag\": {\"$gte\": %lld}}", (long long)tag_min);
    struct query_request request = {.collection = "c",
                                    .embeddings = queries,
                                    .number_count = count * model->dim,
                                    .k = k,
                                    .max_distance = INFINITY,
                                    .min_score = -INFINITY,
                                    .min_sequence = model->sequence,
                                    .deadline = MONO_NEVER};
    if (tag_min >= 0)
        assert_int_equal(filter_compile(where, &arena, &request.filter, NULL), SOMA_OK);
    struct query_answer answer;
    struct soma_error err;
    if (query_answer_open(scene->scratch.store, scene->vectors, &request, &arena, &answer, &err))
        fail_msg("%s", err.text);
    assert_int_equal(answer.row.sequence, model->sequence);
    for (size_t i = 0; i < count; i++) {
        struct model_hit wanted[IDS];
        size_t matches = model_query(model, queries + i * model->dim, tag_min, wanted);
        check_hits(model, &answer.results[i], wanted, matches < k ? matches : k);
        assert_string_equal(answer.results[i].short_reason, matches < k ? "FEWER_MATCHES" : "");
    }
    query_answer_close(&answer);
    arena_fini(&arena);
}

// --- doing the same to both

struct batch {
    size_t count;
    size_t which[BATCH_MAX];
    char ids[BATCH_MAX][16];
    int64_t tags[BATCH_MAX];
    char documents[BATCH_MAX][8];
    struct metadata_field fields[BATCH_MAX];
    struct record_input inputs[BATCH_MAX];
    float vectors[BATCH_MAX * DIM_MAX];
};

static void random_batch(const struct model *model, uint64_t *random, struct batch *batch)
{
    batch->count = 1 + scene_random(random, BATCH_MAX);
    for (size_t i = 0; i < batch->count; i++) {
        batch->which[i] = scene_random(random, IDS);
        id_of(batch->which[i], batch->ids[i]);
        batch->tags[i] = scene_random(random, 6);
        snprintf(batch->documents[i], sizeof batch->documents[i], "%u", scene_random(random, 3));
        batch->fields[i] =
            (struct metadata_field){"tag", METADATA_INT, 1, {.ints = &batch->tags[i]}};
        batch->inputs[i] =
            (struct record_input){batch->ids[i], batch->documents[i], &batch->fields[i], 1};
        random_vector(random, model->dim, batch->vectors + i * model->dim);
    }
}

static bool is_repeated_later(const struct batch *batch, size_t i)
{
    for (size_t later = i + 1; later < batch->count; later++) {
        if (batch->which[later] == batch->which[i])
            return true;
    }
    return false;
}

static bool is_same_vector(const struct model *model, const float *a, const float *b)
{
    uint32_t at = 0;
    while (at < model->dim && a[at] == b[at]) // there is no -0.0 and no NaN
        at++;
    return at == model->dim;
}

// What the counts must be, and the model after it.
static struct write_result model_write(struct model *model, enum write_mode mode,
                                       const struct batch *batch, bool has_vectors)
{
    struct write_result wanted = {0};
    for (size_t i = 0; i < batch->count; i++) {
        struct model_record *record = &model->records[batch->which[i]];
        if (is_repeated_later(batch, i)) {
            wanted.skipped++;
            continue;
        }
        if ((mode == WRITE_INSERT && record->exists) || (mode == WRITE_UPDATE && !record->exists)) {
            wanted.failure_count++;
            continue;
        }
        struct model_record now = *record;
        now.exists = true;
        now.tag = batch->tags[i];
        memcpy(now.document, batch->documents[i], sizeof now.document);
        if (has_vectors)
            memcpy(now.vector, batch->vectors + i * model->dim, model->dim * sizeof(float));
        bool is_same = record->exists && now.tag == record->tag &&
                       strcmp(now.document, record->document) == 0 &&
                       is_same_vector(model, now.vector, record->vector);
        wanted.inserted += !record->exists;
        wanted.unchanged += is_same;
        wanted.updated += record->exists && !is_same;
        *record = now;
    }
    model->sequence += wanted.inserted || wanted.updated;
    return wanted;
}

static void do_write(struct vectors_scene *scene, struct model *model, uint64_t *random)
{
    struct batch batch;
    random_batch(model, random, &batch);
    enum write_mode mode = (enum write_mode)scene_random(random, 3);
    bool has_vectors = mode != WRITE_UPDATE || scene_random(random, 2);
    struct write_result got;
    struct soma_error err;
    if (scene_write(scene, mode, "c", batch.inputs, batch.count, has_vectors ? batch.vectors : NULL,
                    &got, &err))
        fail_msg("%s", err.text);
    struct write_result wanted = model_write(model, mode, &batch, has_vectors);
    assert_int_equal(got.inserted, wanted.inserted);
    assert_int_equal(got.updated, wanted.updated);
    assert_int_equal(got.unchanged, wanted.unchanged);
    assert_int_equal(got.skipped, wanted.skipped);
    assert_int_equal(got.failure_count, wanted.failure_count);
    assert_int_equal(got.changes.sequence, model->sequence);
}

static void do_delete(struct vectors_scene *scene, struct model *model, uint64_t *random)
{
    char ids[3][16];
    const char *pointers[3] = {ids[0], ids[1], ids[2]};
    struct delete_request request = {.collection = "c", .ids = pointers, .count = 3};
    struct delete_result got;
    int64_t matched = 0;
    bool by_filter = scene_random(random, 4) == 0;
    for (size_t i = 0; i < 3 && !by_filter; i++) {
        size_t which = scene_random(random, IDS);
        id_of(which, ids[i]);
        matched += model->records[which].exists;
        model->records[which].exists = false;
    }
    for (size_t i = 0; i < IDS && by_filter; i++) {
        bool matches = model->records[i].exists && model->records[i].tag == 5;
        matched += matches;
        model->records[i].exists = model->records[i].exists && !matches;
    }
    arena_reset(&scene->arena, 1 << 20);
    if (by_filter) {
        request.count = 0;
        assert_int_equal(filter_compile("{\"tag\": 5}", &scene->arena, &request.filter, NULL),
                         SOMA_OK);
    }
    assert_int_equal(scene_delete(scene, &request, &got, NULL), SOMA_OK);
    assert_int_equal(got.matched, matched);
    assert_int_equal(got.deleted, matched);
    model->sequence += matched > 0;
    assert_int_equal(got.changes.sequence, model->sequence);
}

static void do_clear(struct vectors_scene *scene, struct model *model)
{
    scene_clear(scene, "c");
    for (size_t i = 0; i < IDS; i++)
        model->records[i].exists = false;
    model->sequence++;
}

static void run_against_model(uint32_t dim, enum metric metric, uint64_t seed, int steps)
{
    struct vectors_scene scene;
    struct model model = {.dim = dim, .metric = metric};
    uint64_t random = seed;
    scene_open(&scene, BUDGET);
    scene_create(&scene, "c", dim, metric);
    for (int i = 0; i < steps; i++) {
        uint32_t what = scene_random(&random, 100);
        if (what < 45)
            do_write(&scene, &model, &random);
        else if (what < 60)
            do_delete(&scene, &model, &random);
        else if (what == 60)
            do_clear(&scene, &model);
        else if (what < 64) // memory can go at any time
            vectors_drop(scene.vectors, scene_get(&scene, "c").uid);
        else
            check_query(&scene, &model, &random);
        arena_reset(&scene.arena, 1 << 20);
    }
    scene_purge(&scene, 7);
    check_query(&scene, &model, &random);
    scene_close(&scene);
}

static void random_writes_and_queries_agree_with_the_model(void **state)
{
    (void)state;
    static const uint32_t dims[] = {1, 3, 17};
    for (uint64_t i = 0; i < 9; i++)
        run_against_model(dims[i % 3], (enum metric)(METRIC_COSINE + i / 3), 1000 + i, 160);
}

// --- snapshots

static void a_reader_keeps_seeing_its_sequence(void **state)
{
    (void)state;
    struct vectors_scene scene;
    struct model model = {.dim = 3, .metric = METRIC_L2};
    uint64_t random = 7;
    scene_open(&scene, BUDGET);
    scene_create(&scene, "c", 3, METRIC_L2);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 10; i++)
            do_write(&scene, &model, &random);
        struct collection_reader reader;
        struct collection_row row = scene_get(&scene, "c");
        assert_int_equal(collection_read_begin(scene.vectors, row.uid, MONO_NEVER, &reader, NULL),
                         SOMA_OK);
        struct model then = model;
        for (int i = 0; i < 25; i++)
            do_write(&scene, &model, &random);
        do_clear(&scene, &model);
        assert_int_equal(collection_read_at(&reader, then.sequence, MONO_NEVER, NULL), SOMA_OK);
        float query[3];
        random_vector(&random, 3, query);
        struct hit hits[IDS];
        struct topk topk = {.hits = hits, .k = IDS, .wanted = IDS, .max_distance = INFINITY};
        struct index_search search = {.metric = METRIC_L2,
                                      .dim = 3,
                                      .queries = query,
                                      .query_count = 1,
                                      .sequence = then.sequence,
                                      .deadline = MONO_NEVER};
        assert_int_equal(exact_search(reader.view.rows, &search, false, &topk, NULL, NULL),
                         SOMA_OK);
        topk_sort(&topk);
        struct model_hit wanted[IDS];
        struct query_hit found[IDS];
        struct query_result result = {.hits = found, .count = topk.count};
        for (uint32_t i = 0; i < topk.count; i++)
            found[i] = (struct query_hit){.distance = hits[i].distance, .id = hits[i].id};
        check_hits(&then, &result, wanted, model_query(&then, query, INT64_MIN, wanted));
        collection_read_end(&reader);
    }
    scene_close(&scene);
}

static void overwriting_does_not_grow_memory(void **state)
{
    (void)state;
    struct vectors_scene scene;
    struct model model = {.dim = 17, .metric = METRIC_L2};
    uint64_t random = 11;
    scene_open(&scene, BUDGET);
    scene_create(&scene, "c", 17, METRIC_L2);
    check_query(&scene, &model, &random);
    int64_t most = 0;
    for (int i = 0; i < 2000; i++) {
        do_write(&scene, &model, &random);
        arena_reset(&scene.arena, 1 << 20);
        int64_t bytes = vectors_memory_bytes_all(scene.vectors);
        most = bytes > most ? bytes : most;
    }
    // 60 living rows of about 200 bytes; 13,000 were written.
    assert_in_range(most, 1, 128 << 10);
    check_query(&scene, &model, &random);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_writes_and_queries_agree_with_the_model),
        cmocka_unit_test(a_reader_keeps_seeing_its_sequence),
        cmocka_unit_test(overwriting_does_not_grow_memory),
    };
    return cmocka_run_group_tests_name("collection", tests, NULL, NULL);
}
