#include "indexer_scene.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const size_t BUDGET = 256 << 20;

void scene_start(struct scene *scene)
{
    assert_int_equal(
        vectors_open(scene->base.scratch.store, &scene->options, &scene->base.vectors, NULL),
        SOMA_OK);
}

void scene_init(struct scene *scene)
{
    scratch_open(&scene->base.scratch);
    arena_init(&scene->base.arena, 512 << 20);
    snprintf(scene->index, sizeof scene->index, "%s/index", scene->base.scratch.directory);
    scene->options = (struct vectors_options){
        .budget_bytes = BUDGET, .indexers = 2, .directory = scene->index, .flat_rows = FLAT_ROWS};
    scene_start(scene);
    scene_create(&scene->base, "c", DIM, METRIC_L2);
    snprintf(scene->file, sizeof scene->file, "%s/%s.idx", scene->index,
             scene_get(&scene->base, "c").uid);
}

void scene_restart(struct scene *scene)
{
    vectors_close(scene->base.vectors);
    scene_start(scene);
}

// Row i of generation g, everywhere the same.
void vector_of(size_t i, int generation, float ret_vector[DIM])
{
    uint64_t state = (i + 1) * 0x9e3779b97f4a7c15u + (uint64_t)generation * 0xbf58476d1ce4e5b9u;
    for (int skipped = 0; skipped < 4; skipped++)
        scene_random(&state, 2);
    for (size_t at = 0; at < DIM; at++)
        ret_vector[at] = (float)scene_random(&state, 1000) / 1000.0f;
}

// Each row is of one part, by the metadata "part".
static const int64_t parts[PARTS] = {0, 1, 2, 3};
#define FIELD(n)                                                                  \
    {                                                                             \
        .key = "part", .type = METADATA_INT, .count = 1, .values.ints = &parts[n] \
    }
static const struct metadata_field fields[PARTS] = {FIELD(0), FIELD(1), FIELD(2), FIELD(3)};

void put(struct scene *scene, size_t first, size_t count, int generation)
{
    struct record_input *inputs = calloc(count, sizeof *inputs);
    float *vectors = malloc(count * DIM * sizeof *vectors);
    char(*ids)[24] = malloc(count * sizeof *ids);
    for (size_t i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[i], "r%zu", first + i);
        inputs[i].id = ids[i];
        inputs[i].fields = &fields[(first + i) % PARTS];
        inputs[i].field_count = 1;
        vector_of(first + i, generation, vectors + i * DIM);
    }
    assert_int_equal(
        scene_write(&scene->base, WRITE_UPSERT, "c", inputs, count, vectors, NULL, NULL), SOMA_OK);
    free(inputs);
    free(vectors);
    free(ids);
}

void delete (struct scene *scene, size_t first, size_t count, size_t step)
{
    char(*ids)[24] = malloc(count * sizeof *ids);
    const char **names = malloc(count * sizeof *names);
    size_t used = 0;
    for (size_t i = first; i < first + count; i += step, used++) {
        snprintf(ids[used], sizeof ids[used], "r%zu", i);
        names[used] = ids[used];
    }
    struct delete_request request = {.collection = "c", .ids = names, .count = used};
    assert_int_equal(scene_delete(&scene->base, &request, NULL, NULL), SOMA_OK);
    free(names);
    free(ids);
}

void ask_where(struct scene *scene, size_t row, int generation, bool is_exact, const char *where,
               struct answer *ret_answer)
{
    float vector[DIM];
    const struct filter *filter = NULL;
    vector_of(row, generation, vector);
    arena_init(&ret_answer->arena, 16 << 20);
    if (where)
        assert_int_equal(filter_compile(where, &ret_answer->arena, &filter, NULL), SOMA_OK);
    const struct query_request request = {.collection = "c",
                                          .embeddings = vector,
                                          .number_count = DIM,
                                          .k = K,
                                          .max_distance = INFINITY,
                                          .is_exact = is_exact,
                                          .filter = filter,
                                          .ef = 60,
                                          .deadline = MONO_NEVER};
    assert_int_equal(query_answer_open(scene->base.scratch.store, scene->base.vectors, &request,
                                       &ret_answer->arena, &ret_answer->answer, NULL),
                     SOMA_OK);
}

void ask(struct scene *scene, size_t row, int generation, bool is_exact, struct answer *ret_answer)
{
    ask_where(scene, row, generation, is_exact, NULL, ret_answer);
}

void answer_close(struct answer *answer)
{
    query_answer_close(&answer->answer);
    arena_fini(&answer->arena);
}

// Every row is found by its own vector, and the answers are those of exact search.
void check_answers(struct scene *scene, const char *plan, size_t step, int generation)
{
    size_t same = 0, all = 0;
    for (size_t row = 0; row < ROWS; row += step) {
        struct answer fast, exact;
        ask(scene, row, generation, false, &fast);
        ask(scene, row, generation, true, &exact);
        if (plan)
            assert_string_equal(fast.answer.plan, plan);
        const struct query_result *a = &fast.answer.results[0], *b = &exact.answer.results[0];
        assert_int_equal(a->count, b->count);
        for (uint32_t i = 0; i < a->count; i++, all++)
            same += a->hits[i].num == b->hits[i].num;
        answer_close(&fast);
        answer_close(&exact);
    }
    if ((double)same < 0.97 * (double)all)
        fail_msg("%zu of %zu are found", same, all);
}

struct index_state state_of(struct scene *scene)
{
    struct index_state state;
    vectors_index_state(scene->base.vectors, scene_get(&scene->base, "c").uid, &state);
    return state;
}

bool is_settled(struct scene *scene)
{
    struct index_state state = state_of(scene);
    return strcmp(state.kind, "hnsw") == 0 && !state.rows_waiting && state.rows_indexed;
}

bool has_file(struct scene *scene)
{
    return is_settled(scene) &&
           state_of(scene).file_sequence == scene_get(&scene->base, "c").sequence;
}

bool is_swept(struct scene *scene)
{
    return is_settled(scene) && state_of(scene).rows_indexed <= ROWS / 2 + ROWS / 20;
}

const struct collection *collection_of(struct scene *scene)
{
    return collection_find(scene->base.vectors, scene_get(&scene->base, "c").uid);
}

// An indexer has looked for what it may take out since the latest write.
bool has_tried_to_sweep(struct scene *scene)
{
    struct vectors *vectors = scene->base.vectors;
    const struct collection *collection = collection_of(scene);
    pthread_mutex_lock(&vectors->lock);
    bool has_tried = collection->swept_floor && !collection->is_sweeping && !collection->is_taken &&
                     collection->swept_floor == collection_floor(collection);
    pthread_mutex_unlock(&vectors->lock);
    return has_tried;
}

void wait_until(struct scene *scene, bool (*is_so)(struct scene *))
{
    for (int waited = 0; !is_so(scene); waited++) {
        assert_true(waited < WAIT_MS);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

void load(struct scene *scene)
{
    struct answer answer;
    ask(scene, 0, 0, false, &answer);
    answer_close(&answer);
}

void scene_fini(struct scene *scene)
{
    scene_close(&scene->base);
}
