// A collection with indexers and files behind it: for tests of what they do.
#ifndef TESTS_UNIT_INDEXER_SCENE_H
#define TESTS_UNIT_INDEXER_SCENE_H

#include "vectors/collection_private.h"
#include "vectors_scene.h"

enum {
    DIM = 16,
    ROWS = 1200,
    FLAT_ROWS = 200,
    K = 5,
    PARTS = 4,
    WAIT_MS = 240000 // indexers have a low priority, and the machine may be busy
};

struct scene {
    struct vectors_scene base;
    char index[128]; // folder of the files
    char file[256];  // of the collection "c"
    struct vectors_options options;
};

// A store with the empty collection "c" of METRIC_L2, two indexers, and a graph from FLAT_ROWS on.
void scene_init(struct scene *scene);
// With the options as they are now, after vectors_close.
void scene_start(struct scene *scene);
void scene_restart(struct scene *scene);
void scene_fini(struct scene *scene);
// Row i of generation g, everywhere the same.
void vector_of(size_t i, int generation, float ret_vector[DIM]);
// Rows first to first + count - 1 of that generation, with their part as metadata; one write.
void put(struct scene *scene, size_t first, size_t count, int generation);
// Every so manyth of them.
void delete (struct scene *scene, size_t first, size_t count, size_t step);

struct answer {
    struct query_answer answer;
    struct arena arena;
};

void ask_where(struct scene *scene, size_t row, int generation, bool is_exact, const char *where,
               struct answer *ret_answer);
void ask(struct scene *scene, size_t row, int generation, bool is_exact, struct answer *ret_answer);
void answer_close(struct answer *answer);
// Every row is found by its own vector, and the answers are those of exact search.
void check_answers(struct scene *scene, const char *plan, size_t step, int generation);
struct index_state state_of(struct scene *scene);
bool is_settled(struct scene *scene);
bool has_file(struct scene *scene);
bool is_swept(struct scene *scene);
// An indexer has looked for what it may take out since the latest write.
bool has_tried_to_sweep(struct scene *scene);
const struct collection *collection_of(struct scene *scene);
// Fails where it takes too long.
void wait_until(struct scene *scene, bool (*is_so)(struct scene *));
// Into memory, by a query.
void load(struct scene *scene);

#endif
