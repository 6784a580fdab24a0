// Collections on a scratch store, written as the server writes them: prepared, applied by the
// writer thread, then published to memory. One writing thread; readers as many as one likes.
#ifndef TESTS_UNIT_VECTORS_SCENE_H
#define TESTS_UNIT_VECTORS_SCENE_H

#include "store_scratch.h"
#include "vectors/query.h"
#include "vectors/write.h"

struct vectors_scene {
    struct scratch scratch;
    struct vectors *vectors;
    struct arena arena; // the writing thread's, reset by each write
};

void scene_open(struct vectors_scene *scene, size_t budget_bytes);
void scene_close(struct vectors_scene *scene);

void scene_create(struct vectors_scene *scene, const char *name, uint32_t dim, enum metric metric);
struct collection_row scene_get(struct vectors_scene *scene, const char *name);

// The result lives until the next write.
enum soma_code scene_write(struct vectors_scene *scene, enum write_mode mode, const char *name,
                           const struct record_input *inputs, size_t count, const float *embeddings,
                           struct write_result *ret_result, struct soma_error *err);
enum soma_code scene_delete(struct vectors_scene *scene, const struct delete_request *request,
                            struct delete_result *ret_result, struct soma_error *err);
void scene_clear(struct vectors_scene *scene, const char *name);
void scene_remove(struct vectors_scene *scene, const char *name);
// Until nothing of cleared and removed collections is left; the number of steps it took.
size_t scene_purge(struct vectors_scene *scene, int64_t step);

// Pseudo-random, the same in every run.
uint32_t scene_random(uint64_t *state, uint32_t below);

#endif
