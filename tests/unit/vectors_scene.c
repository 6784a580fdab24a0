#include "vectors_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void scene_open(struct vectors_scene *scene, size_t budget_bytes)
{
    scratch_open(&scene->scratch);
    const struct vectors_options options = {.budget_bytes = budget_bytes, .indexers = 1};
    assert_int_equal(vectors_open(scene->scratch.store, &options, &scene->vectors, NULL), SOMA_OK);
    arena_init(&scene->arena, 512 << 20);
}

void scene_close(struct vectors_scene *scene)
{
    arena_fini(&scene->arena);
    vectors_close(scene->vectors);
    scratch_close(&scene->scratch);
}

static enum soma_code create(void *context, struct store_txn *txn, struct soma_error *err)
{
    return collections_insert(txn, context, err);
}

void scene_create(struct vectors_scene *scene, const char *name, uint32_t dim, enum metric metric)
{
    struct collection_row row = {.dimension = dim, .metric = (int)metric};
    index_settings_complete(&row.index);
    snprintf(row.name, sizeof row.name, "%s", name);
    assert_int_equal(scratch_write(&scene->scratch, create, &row, NULL), SOMA_OK);
}

struct collection_row scene_get(struct vectors_scene *scene, const char *name)
{
    struct store_txn *txn;
    struct collection_row row = {0};
    assert_int_equal(
        collection_snapshot(scene->scratch.store, name, 0, &scene->arena, &txn, &row, NULL),
        SOMA_OK);
    store_read_end(txn);
    return row;
}

struct writing {
    struct vectors_scene *scene;
    struct write_batch batch;
    struct write_result result;
};

static enum soma_code apply(void *context, struct store_txn *txn, struct soma_error *err)
{
    struct writing *writing = context;
    return write_apply(writing->scene->vectors, txn, &writing->batch, &writing->scene->arena,
                       &writing->result, err);
}

enum soma_code scene_write(struct vectors_scene *scene, enum write_mode mode, const char *name,
                           const struct record_input *inputs, size_t count, const float *embeddings,
                           struct write_result *ret_result, struct soma_error *err)
{
    arena_reset(&scene->arena, 1 << 20);
    struct collection_row row = scene_get(scene, name);
    struct writing writing = {.scene = scene,
                              .batch = {.mode = mode,
                                        .collection = name,
                                        .dim = row.dimension,
                                        .metric = (enum metric)row.metric}};
    enum soma_code code =
        write_prepare(&writing.batch, inputs, count, embeddings, &scene->arena, err);
    if (!code)
        code = scratch_write(&scene->scratch, apply, &writing, err);
    if (!code && writing.result.has_changed)
        vectors_publish(scene->vectors, &writing.result.changes);
    if (!code && ret_result)
        *ret_result = writing.result;
    return code;
}

struct deleting {
    struct arena *arena;
    const struct delete_request *request;
    struct delete_result result;
};

static enum soma_code apply_delete(void *context, struct store_txn *txn, struct soma_error *err)
{
    struct deleting *deleting = context;
    return write_delete(txn, deleting->request, deleting->arena, &deleting->result, err);
}

enum soma_code scene_delete(struct vectors_scene *scene, const struct delete_request *request,
                            struct delete_result *ret_result, struct soma_error *err)
{
    struct deleting deleting = {.arena = &scene->arena, .request = request};
    enum soma_code code = scratch_write(&scene->scratch, apply_delete, &deleting, err);
    if (!code && deleting.result.has_changed)
        vectors_publish(scene->vectors, &deleting.result.changes);
    if (!code && ret_result)
        *ret_result = deleting.result;
    return code;
}

static enum soma_code clear(void *context, struct store_txn *txn, struct soma_error *err)
{
    struct collection_row *row = context;
    row->sequence++;
    enum soma_code code = collections_clear(txn, row, err);
    return code ? code : collections_save_counters(txn, row, err);
}

void scene_clear(struct vectors_scene *scene, const char *name)
{
    struct collection_row row = scene_get(scene, name);
    assert_int_equal(scratch_write(&scene->scratch, clear, &row, NULL), SOMA_OK);
    struct row_changes changes = {.dim = row.dimension,
                                  .sequence = row.sequence,
                                  .is_clear = true,
                                  .partition = row.partition};
    memcpy(changes.uid, row.uid, sizeof changes.uid);
    vectors_publish(scene->vectors, &changes);
}

static enum soma_code delete_collection(void *context, struct store_txn *txn,
                                        struct soma_error *err)
{
    return collections_delete(txn, context, err);
}

void scene_remove(struct vectors_scene *scene, const char *name)
{
    struct collection_row row = scene_get(scene, name);
    assert_int_equal(scratch_write(&scene->scratch, delete_collection, &row, NULL), SOMA_OK);
    vectors_drop(scene->vectors, row.uid);
}

struct purging {
    int64_t step;
    bool is_done;
};

static enum soma_code purge(void *context, struct store_txn *txn, struct soma_error *err)
{
    struct purging *purging = context;
    return collections_purge(txn, purging->step, &purging->is_done, err);
}

size_t scene_purge(struct vectors_scene *scene, int64_t step)
{
    struct purging purging = {.step = step};
    size_t steps = 0;
    while (!purging.is_done && steps < 10000) {
        assert_int_equal(scratch_write(&scene->scratch, purge, &purging, NULL), SOMA_OK);
        steps++;
    }
    return steps;
}

uint32_t scene_random(uint64_t *state, uint32_t below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33) % below;
}
