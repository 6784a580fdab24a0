// Indexes' files: graphs come back from them, and nothing that is wrong with one leads astray.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "indexer_scene.h"
#include "vectors/index_files.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dead_of_a_file_leave_the_graph),
        cmocka_unit_test(a_file_brings_the_graph_back),
        cmocka_unit_test(a_collection_that_was_cleared_is_like_a_new_one),
        cmocka_unit_test(answers_do_not_wait_for_a_rebuild),
        cmocka_unit_test(what_was_written_since_is_replayed),
        cmocka_unit_test(no_damage_to_a_file_leads_to_a_wrong_answer),
        cmocka_unit_test(files_that_belong_to_nothing_are_removed),
        cmocka_unit_test(two_do_not_write_one_file),
    };
    return cmocka_run_group_tests_name("index_files", tests, NULL, NULL);
}
