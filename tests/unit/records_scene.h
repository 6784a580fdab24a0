// One collection "c" of dimension 2 with records that have a number and a group: for tests of
// queries and selections.
#ifndef TESTS_UNIT_RECORDS_SCENE_H
#define TESTS_UNIT_RECORDS_SCENE_H

#include "vectors_scene.h"

extern struct vectors_scene scene;
extern struct arena arena; // the test's own

// cmocka's set-up and tear-down.
int open_scene(void **state);
int close_scene(void **state);

// Record x of the collection at (x, 0) with a document, or none, an int "n" and, unless it is NULL,
// a string "g".
void put(const char *collection, const char *id, float x, const char *document, int64_t n,
         const char *g);

#endif
