// Graphs that grow behind the writer, die with their rows, and come back from their files.
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "vectors/collection_private.h"
#include "vectors/index_files.h"
#include "vectors_scene.h"

enum {
    DIM = 16,
    ROWS = 1200,
    FLAT_ROWS = 200,
    K = 5,
    PARTS = 4,
    WAIT_MS = 240000 // indexers have a low priority, and the machine may be busy
};

static const size_t BUDGET = 256 << 20;

struct scene {
    struct vectors_scene base;
    char index[128]; // folder of the files
    char file[256];  // of the collection "c"
    struct vectors_options options;
};

static void scene_start(struct scene *scene)
{
    assert_int_equal(
        vectors_open(scene->base.scratch.store, &scene->options, &scene->base.vectors, NULL),
        SOMA_OK);
}

static void scene_init(struct scene *scene)
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

static void scene_restart(struct scene *scene)
{
    vectors_close(scene->base.vectors);
    scene_start(scene);
}

// Row i of generation g, everywhere the same.
static void vector_of(size_t i, int generation, float ret_vector[DIM])
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

static void put(struct scene *scene, size_t first, size_t count, int generation)
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

static void delete (struct scene *scene, size_t first, size_t count, size_t step)
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

struct answer {
    struct query_answer answer;
    struct arena arena;
};

static void ask_where(struct scene *scene, size_t row, int generation, bool is_exact,
                      const char *where, struct answer *ret_answer)
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

static void ask(struct scene *scene, size_t row, int generation, bool is_exact,
                struct answer *ret_answer)
{
    ask_where(scene, row, generation, is_exact, NULL, ret_answer);
}

static void answer_close(struct answer *answer)
{
    query_answer_close(&answer->answer);
    arena_fini(&answer->arena);
}

// Every row is found by its own vector, and the answers are those of exact search.
static void check_answers(struct scene *scene, const char *plan, size_t step, int generation)
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

static struct index_state state_of(struct scene *scene)
{
    struct index_state state;
    vectors_index_state(scene->base.vectors, scene_get(&scene->base, "c").uid, &state);
    return state;
}

static bool is_settled(struct scene *scene)
{
    struct index_state state = state_of(scene);
    return strcmp(state.kind, "hnsw") == 0 && !state.rows_waiting && state.rows_indexed;
}

static bool has_file(struct scene *scene)
{
    return is_settled(scene) &&
           state_of(scene).file_sequence == scene_get(&scene->base, "c").sequence;
}

static void wait_until(struct scene *scene, bool (*is_so)(struct scene *))
{
    for (int waited = 0; !is_so(scene); waited++) {
        assert_true(waited < WAIT_MS);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void load(struct scene *scene)
{
    struct answer answer;
    ask(scene, 0, 0, false, &answer);
    answer_close(&answer);
}

static void scene_fini(struct scene *scene)
{
    scene_close(&scene->base);
}

// --- tests

static void a_graph_grows_behind_the_writer(void **unused)
{
    (void)unused;
    struct scene scene;
    scene_init(&scene);
    put(&scene, 0, FLAT_ROWS / 2, 0);
    load(&scene);
    assert_string_equal(state_of(&scene).kind, "exact");
    for (size_t first = FLAT_ROWS / 2; first < ROWS; first += 100) {
        put(&scene, first, 100, 0);
        struct answer answer; // visible at once, indexed or not
        ask(&scene, first + 50, 0, false, &answer);
        assert_true(answer.answer.results[0].hits[0].distance == 0);
        answer_close(&answer);
    }
    wait_until(&scene, is_settled);
    check_answers(&scene, "hnsw", 7, 0);
    scene_fini(&scene);
}

static bool is_swept(struct scene *scene)
{
    return is_settled(scene) && state_of(scene).rows_indexed <= ROWS / 2 + ROWS / 20;
}

static void deleted_rows_leave_the_graph(void **unused)
{
    (void)unused;
    struct scene scene;
    scene_init(&scene);
    put(&scene, 0, ROWS, 0);
    load(&scene);
    wait_until(&scene, is_settled);
    int64_t bytes = vectors_memory_bytes(scene.base.vectors, scene_get(&scene.base, "c").uid);
    delete (&scene, 0, ROWS, 2);
    wait_until(&scene, is_swept);
    check_answers(&scene, NULL, 7, 0);
    put(&scene, 0, ROWS, 0);
    wait_until(&scene, is_settled);
    check_answers(&scene, NULL, 7, 0);
    assert_true(vectors_memory_bytes(scene.base.vectors, scene_get(&scene.base, "c").uid) <
                bytes + bytes / 4);
    scene_clear(&scene.base, "c");
    put(&scene, 0, ROWS, 1);
    check_answers(&scene, NULL, 97, 1);
    wait_until(&scene, is_settled);
    check_answers(&scene, NULL, 7, 1);
    scene_fini(&scene);
}

static const struct collection *collection_of(struct scene *scene)
{
    return collection_find(scene->base.vectors, scene_get(&scene->base, "c").uid);
}

// An indexer has looked for what it may take out since the latest write.
static bool has_tried_to_sweep(struct scene *scene)
{
    struct vectors *vectors = scene->base.vectors;
    const struct collection *collection = collection_of(scene);
    pthread_mutex_lock(&vectors->lock);
    bool has_tried = collection->swept_floor && !collection->is_sweeping && !collection->is_taken &&
                     collection->swept_floor == collection_floor(collection);
    pthread_mutex_unlock(&vectors->lock);
    return has_tried;
}

static void what_a_reader_held_back_leaves_the_graph_with_it(void **unused)
{
    (void)unused;
    struct scene scene;
    struct answer answer;
    scene_init(&scene);
    put(&scene, 0, ROWS, 0);
    load(&scene);
    wait_until(&scene, is_settled);
    ask(&scene, 5, 0, false, &answer);
    delete (&scene, 0, ROWS, 2);
    wait_until(&scene, has_tried_to_sweep);
    assert_int_equal(state_of(&scene).rows_indexed, ROWS);
    answer_close(&answer);
    wait_until(&scene, is_swept);
    scene_fini(&scene);
}

static bool is_filed_with_the_dead(struct scene *scene)
{
    return has_file(scene) && has_tried_to_sweep(scene);
}

static void the_dead_of_a_file_leave_the_graph(void **unused)
{
    (void)unused;
    struct scene scene;
    struct answer answer;
    scene_init(&scene);
    put(&scene, 0, ROWS, 0);
    load(&scene);
    wait_until(&scene, is_settled);
    ask(&scene, 5, 0, false, &answer);
    delete (&scene, 0, ROWS, 2);
    wait_until(&scene, is_filed_with_the_dead);
    answer_close(&answer); // as the indexers stop, or just before
    scene_restart(&scene);
    load(&scene);
    wait_until(&scene, is_swept);
    scene_fini(&scene);
}

static void a_file_brings_the_graph_back(void **unused)
{
    (void)unused;
    struct scene scene;
    scene_init(&scene);
    put(&scene, 0, ROWS, 0);
    load(&scene);
    wait_until(&scene, has_file);
    check_answers(&scene, "hnsw", 7, 0);
    scene_restart(&scene);
    load(&scene);
    struct index_state state = state_of(&scene);
    assert_int_equal(state.rows_indexed, ROWS);
    assert_int_equal(state.rows_waiting, 0);
    check_answers(&scene, "hnsw", 7, 0);
    wait_until(&scene, is_settled);
    assert_int_equal(state_of(&scene).rows_indexed, ROWS); // and none of them twice
    scene_fini(&scene);
}

static void check_file_after_clear(struct scene *scene, bool has_reader)
{
    struct answer reader, filtered;
    scene_init(scene);
    put(scene, 0, ROWS, 0);
    load(scene);
    wait_until(scene, has_file);
    if (has_reader)
        ask(scene, 0, 0, false, &reader);
    scene_clear(&scene->base, "c");
    assert_int_not_equal(access(scene->file, F_OK), 0);
    put(scene, 0, ROWS, 1);
    if (!has_reader)
        load(scene);
    wait_until(scene, has_file);
    if (has_reader)
        answer_close(&reader);
    ask_where(scene, 3, 1, false, "{\"part\": 3}", &filtered);
    assert_non_null(strstr(filtered.answer.plan, "codes"));
    assert_true(filtered.answer.results[0].hits[0].distance == 0);
    answer_close(&filtered);
    scene->options.indexers = 0;
    scene_restart(scene);
    load(scene);
    assert_in_range(state_of(scene).rows_indexed, ROWS, 2 * ROWS); // those of before with them
    assert_int_equal(state_of(scene).rows_waiting, 0);
    check_answers(scene, "hnsw", 97, 1);
    scene_fini(scene);
}

// The records lie elsewhere afterwards: the file says where, and the table of their numbers holds
// them, once the readers of before are gone.
static void a_collection_that_was_cleared_is_like_a_new_one(void **unused)
{
    (void)unused;
    struct scene scene;
    check_file_after_clear(&scene, false);
    check_file_after_clear(&scene, true);
}

// Nobody rebuilds at first, so that answers cannot have waited for it; then they are asked for
// while it goes on.
static void answers_do_not_wait_for_a_rebuild(void **unused)
{
    (void)unused;
    struct scene scene;
    scene_init(&scene);
    put(&scene, 0, ROWS, 0);
    load(&scene);
    wait_until(&scene, has_file);
    assert_int_equal(unlink(scene.file), 0);
    scene.options.indexers = 0;
    scene_restart(&scene);
    check_answers(&scene, NULL, 97, 0);
    assert_int_equal(state_of(&scene).rows_indexed, 0);
    assert_int_equal(state_of(&scene).rows_waiting, ROWS);
    scene.options.indexers = 2;
    scene_restart(&scene);
    for (size_t row = 0; !is_settled(&scene); row = (row + 31) % ROWS) {
        struct answer answer;
        ask(&scene, row, 0, false, &answer);
        assert_true(answer.answer.results[0].hits[0].distance == 0);
        answer_close(&answer);
    }
    check_answers(&scene, "hnsw", 7, 0);
    scene_fini(&scene);
}

static void what_was_written_since_is_replayed(void **unused)
{
    (void)unused;
    struct scene scene;
    scene_init(&scene);
    put(&scene, 0, ROWS, 0);
    load(&scene);
    wait_until(&scene, has_file);
    scene.options.directory = NULL; // writes no other file
    scene_restart(&scene);
    put(&scene, 0, 100, 1);      // others
    delete (&scene, 500, 50, 1); // gone
    put(&scene, ROWS, 30, 0);    // new
    put(&scene, 700, 20, 0);     // the same
    scene.options.directory = scene.index;
    scene.options.indexers = 0;
    scene_restart(&scene);
    load(&scene);
    struct index_state state = state_of(&scene);
    assert_int_equal(state.rows_waiting, 130);
    check_answers(&scene, "hnsw", 7, 0);
    check_answers(&scene, "hnsw", 7, 1);
    scene_fini(&scene);
}

static char *read_file(const char *path, size_t *ret_length)
{
    struct stat stat = {0};
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &stat) == 0);
    char *bytes = malloc((size_t)stat.st_size);
    assert_int_equal(read(fd, bytes, (size_t)stat.st_size), stat.st_size);
    close(fd);
    *ret_length = (size_t)stat.st_size;
    return bytes;
}

static void write_file(const char *path, const char *bytes, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), (ssize_t)length);
    close(fd);
}

// The damaged file is thrown away, and everything is found all the same.
static void check_damaged(struct scene *scene)
{
    scene_restart(scene);
    load(scene);
    assert_int_not_equal(access(scene->file, F_OK), 0);
    check_answers(scene, NULL, 397, 0);
}

static void no_damage_to_a_file_leads_to_a_wrong_answer(void **unused)
{
    (void)unused;
    struct scene scene;
    size_t length;
    uint64_t state = 9;
    scene_init(&scene);
    put(&scene, 0, FLAT_ROWS + 100, 0);
    load(&scene);
    wait_until(&scene, has_file);
    vectors_close(scene.base.vectors);
    char *bytes = read_file(scene.file, &length);
    scene.options.indexers = 0; // writes no other file
    scene_start(&scene);
    for (int i = 0; i < 60; i++) { // each part of the head, then anywhere
        size_t at = i < 20 ? (size_t)i * 23 : scene_random(&state, (uint32_t)length);
        char was = bytes[at];
        bytes[at] = (char)(was ^ 1 << scene_random(&state, 8));
        write_file(scene.file, bytes, length);
        bytes[at] = was;
        check_damaged(&scene);
    }
    for (int i = 0; i < 20; i++) {
        size_t cut = i < 3 ? (size_t)i : scene_random(&state, (uint32_t)length);
        write_file(scene.file, bytes, cut);
        check_damaged(&scene);
    }
    write_file(scene.file, bytes, length); // and whole it is good
    scene_restart(&scene);
    load(&scene);
    assert_int_equal(state_of(&scene).rows_indexed, FLAT_ROWS + 100);
    free(bytes);
    scene_fini(&scene);
}

static void files_that_belong_to_nothing_are_removed(void **unused)
{
    (void)unused;
    struct scene scene;
    char stray[256];
    scene_init(&scene);
    snprintf(stray, sizeof stray, "%s/c1234567890123456789.idx", scene.index);
    write_file(stray, "x", 1);
    scene_restart(&scene);
    assert_int_not_equal(access(stray, F_OK), 0);
    put(&scene, 0, ROWS, 0);
    load(&scene);
    wait_until(&scene, has_file);
    assert_int_equal(access(scene.file, F_OK), 0);
    scene_remove(&scene.base, "c");
    assert_int_not_equal(access(scene.file, F_OK), 0);
    scene_fini(&scene);
}

// One left the table while a thread writes its file: the next of that name writes none until then,
// and a removal of the collection reaches it.
static void two_do_not_write_one_file(void **unused)
{
    (void)unused;
    struct scene scene;
    scene_init(&scene);
    scene.options.indexers = 0;
    scene_restart(&scene);
    put(&scene, 0, ROWS, 0);
    load(&scene);
    struct vectors *vectors = scene.base.vectors;
    struct collection_row row = scene_get(&scene.base, "c");
    pthread_mutex_lock(&vectors->lock);
    struct collection *before = collection_find(vectors, row.uid);
    before->user_count++;
    before->indexer_count++;
    before->is_taken = true;
    collection_remove(vectors, before);
    pthread_mutex_unlock(&vectors->lock);
    load(&scene);
    struct collection *after = collection_find(vectors, row.uid);
    assert_ptr_not_equal(before, after);
    after->has_waiting = false; // as if all were in the graph
    assert_true(after->changed && !index_file_is_due(vectors, after));
    scene_remove(&scene.base, "c");
    assert_true(before->is_deleted);
    pthread_mutex_lock(&vectors->lock);
    before->is_taken = false;
    collection_let_go(vectors, before);
    assert_null(vectors->leaving);
    pthread_mutex_unlock(&vectors->lock);
    scene_fini(&scene);
}

// A loading sizes the first chunk for all that come; from then on they are as large as what lives.
static void updates_after_a_loading_come_in_few_chunks(void **unused)
{
    (void)unused;
    struct scene scene;
    scene_init(&scene);
    scene.options.indexers = 0;
    scene.options.flat_rows = ROWS * 2;
    put(&scene, 0, ROWS, 0);
    scene_restart(&scene);
    load(&scene);
    for (size_t first = 0; first < ROWS; first += 100)
        put(&scene, first, 100, 1);
    assert_in_range(collection_of(&scene)->rows->set->count, 1, 8);
    check_answers(&scene, "exact", 97, 1);
    scene_fini(&scene);
}

// --- the budget

static enum soma_code put_long_ids(struct scene *scene, size_t first, size_t count,
                                   size_t id_length, struct soma_error *err)
{
    char ids[64][512];
    struct record_input inputs[64] = {0};
    float vectors[64 * DIM];
    for (size_t i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[i], "%0*zu", (int)(id_length % sizeof ids[i]), first + i);
        inputs[i].id = ids[i];
        vector_of(first + i, 0, vectors + i * DIM);
    }
    return scene_write(&scene->base, WRITE_UPSERT, "c", inputs, count, vectors, NULL, err);
}

// As many rows as fit with short ids do not fit with long ones, and the refusal says so.
static void ids_count_in_the_budget(void **unused)
{
    (void)unused;
    for (size_t id_length = 8; id_length <= 508; id_length += 500) {
        struct scene scene;
        struct soma_error err = {0};
        scene_init(&scene);
        scene.options.budget_bytes = 160 << 10;
        scene.options.flat_rows = 100000;
        scene_restart(&scene);
        enum soma_code code = SOMA_OK;
        for (size_t first = 0; first < 640 && !code; first += 64) {
            code = put_long_ids(&scene, first, 64, id_length, &err);
            if (!code)
                load(&scene);
        }
        assert_int_equal(code, id_length < 100 ? SOMA_OK : SOMA_RESOURCE_EXHAUSTED);
        if (code)
            assert_string_equal(err.reason, "MEMORY_BUDGET");
        scene_fini(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_graph_grows_behind_the_writer),
        cmocka_unit_test(deleted_rows_leave_the_graph),
        cmocka_unit_test(what_a_reader_held_back_leaves_the_graph_with_it),
        cmocka_unit_test(the_dead_of_a_file_leave_the_graph),
        cmocka_unit_test(a_file_brings_the_graph_back),
        cmocka_unit_test(a_collection_that_was_cleared_is_like_a_new_one),
        cmocka_unit_test(answers_do_not_wait_for_a_rebuild),
        cmocka_unit_test(what_was_written_since_is_replayed),
        cmocka_unit_test(no_damage_to_a_file_leads_to_a_wrong_answer),
        cmocka_unit_test(files_that_belong_to_nothing_are_removed),
        cmocka_unit_test(two_do_not_write_one_file),
        cmocka_unit_test(updates_after_a_loading_come_in_few_chunks),
        cmocka_unit_test(ids_count_in_the_budget),
    };
    return cmocka_run_group_tests_name("indexer", tests, NULL, NULL);
}
