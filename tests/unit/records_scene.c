#include "records_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum {
    BUDGET = 64 << 20
};

struct vectors_scene scene;
struct arena arena;

int open_scene(void **state)
{
    (void)state;
    scene_open(&scene, BUDGET);
    arena_init(&arena, 64 << 20);
    scene_create(&scene, "c", 2, METRIC_L2);
    return 0;
}

int close_scene(void **state)
{
    (void)state;
    arena_fini(&arena);
    scene_close(&scene);
    return 0;
}

void put(const char *collection, const char *id, float x, const char *document, int64_t n,
         const char *g)
{
    const struct metadata_field fields[] = {
        {.key = "n", .type = METADATA_INT, .count = 1, .values.ints = &n},
        {.key = "g", .type = METADATA_STRING, .count = 1, .values.strings = &g}};
    const struct record_input input = {
        .id = id, .document = document, .fields = fields, .field_count = g ? 2 : 1};
    const float vector[2] = {x, 0};
    assert_int_equal(scene_write(&scene, WRITE_UPSERT, collection, &input, 1, vector, NULL, NULL),
                     SOMA_OK);
}
