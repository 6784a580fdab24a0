// Random records and filters, and a reader's view of a collection that stays open: for the tests of
// filters.
#ifndef TESTS_UNIT_FILTER_SCENE_H
#define TESTS_UNIT_FILTER_SCENE_H

#include "vectors/query_filter.h"
#include "vectors_scene.h"

enum {
    FILTER_SCENE_IDS = 150,
    FILTER_TEXT_SIZE = 4096
};

// A batch to the collection "c" of dimension 2 that inserts and replaces, or merges, or deletes;
// now and then all is cleared.
void random_write(struct vectors_scene *scene, uint64_t *random);

struct text {
    char bytes[FILTER_TEXT_SIZE];
    size_t length;
};
void text_put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_put_filter(struct text *text, uint64_t *random, unsigned depth);

struct view {
    struct vectors_scene *scene;
    struct arena arena;
    struct collection_reader reader;
    struct store_txn *txn;
    struct collection_row row;
};
bool view_open(struct view *view, struct vectors_scene *scene, const char *uid);
void view_close(struct view *view);

// By bitmaps and by looking at each record: the same set. False: they differ.
bool view_agrees(struct view *view, const char *where, bool *ret_bitmaps);

#endif
