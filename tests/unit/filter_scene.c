#include "filter_scene.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
    BATCH = 20,
    FIELDS = 5,
    LIST = 3
};

// --- random records

static const char *const keys[FIELDS] = {"a", "b", "c", "d", "e"};
static const char *const words[] = {"", "x", "xy", "y", "z\xc3\xa9", "0"};
static const int64_t ints[] = {0, -1, 1, 5, INT64_MAX, INT64_MIN, 9007199254740993};
static const double doubles[] = {
    0, -0.0, 1, 5, 5.5, 9007199254740992.0, 1e300, -9223372036854775808.0};
static const int bools[] = {0, 1};

struct random_record {
    char id[16];
    struct metadata_field fields[FIELDS];
    size_t count;
    const char *strings[FIELDS][LIST];
    int64_t numbers[FIELDS][LIST];
    double reals[FIELDS][LIST];
    int truths[FIELDS][LIST];
};

#define PICK(random, table) (table)[scene_random(random, sizeof(table) / sizeof((table)[0]))]

static void random_field(uint64_t *random, struct random_record *record, size_t i)
{
    struct metadata_field *field = &record->fields[record->count];
    field->key = keys[i];
    field->type = (enum metadata_type)(1 + scene_random(random, METADATA_BOOL_LIST));
    field->count = metadata_type_is_list(field->type) ? scene_random(random, LIST + 1) : 1;
    for (size_t n = 0; n < LIST; n++) {
        record->strings[i][n] = PICK(random, words);
        record->numbers[i][n] = PICK(random, ints);
        record->reals[i][n] = PICK(random, doubles);
        record->truths[i][n] = PICK(random, bools);
    }
    switch ((field->type - 1) % 4) {
    case 0:
        field->values.strings = record->strings[i];
        break;
    case 1:
        field->values.ints = record->numbers[i];
        break;
    case 2:
        field->values.doubles = record->reals[i];
        break;
    default:
        field->values.bools = record->truths[i];
        break;
    }
    record->count++;
}

static void random_record(uint64_t *random, struct random_record *record)
{
    record->count = 0;
    snprintf(record->id, sizeof record->id, "r%u", scene_random(random, FILTER_SCENE_IDS));
    for (size_t i = 0; i < FIELDS; i++) {
        if (scene_random(random, 3))
            random_field(random, record, i);
    }
}

// A batch that inserts and replaces, or merges, or deletes; now and then all is cleared.
void random_write(struct vectors_scene *scene, uint64_t *random)
{
    static struct random_record records[BATCH];
    struct record_input inputs[BATCH];
    const char *ids[BATCH];
    float vectors[BATCH * 2];
    size_t count = 1 + scene_random(random, BATCH);
    for (size_t i = 0; i < count; i++) {
        random_record(random, &records[i]);
        inputs[i] = (struct record_input){
            .id = records[i].id, .fields = records[i].fields, .field_count = records[i].count};
        ids[i] = records[i].id;
        vectors[2 * i] = (float)scene_random(random, 3);
        vectors[2 * i + 1] = 1;
    }
    uint32_t kind = scene_random(random, 40);
    if (kind == 0)
        scene_clear(scene, "c");
    else if (kind < 12)
        assert_int_equal(scene_delete(scene,
                                      &(struct delete_request){
                                          .collection = "c", .ids = ids, .count = count / 2 + 1},
                                      NULL, NULL),
                         SOMA_OK);
    else
        assert_int_equal(scene_write(scene, kind < 20 ? WRITE_UPDATE : WRITE_UPSERT, "c", inputs,
                                     count, kind < 20 ? NULL : vectors, NULL, NULL),
                         SOMA_OK);
}

// --- random filters

void text_put(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length =
        vsnprintf(text->bytes + text->length, FILTER_TEXT_SIZE - text->length, format, arguments);
    va_end(arguments);
    assert_in_range(length, 0, FILTER_TEXT_SIZE - text->length - 1);
    text->length += (size_t)length;
}

static void put_value(struct text *text, uint64_t *random, bool takes_bool)
{
    double real;
    switch (scene_random(random, takes_bool ? 4 : 3)) {
    case 0:
        text_put(text, "\"%s\"", PICK(random, words));
        return;
    case 1:
        text_put(text, "%lld", (long long)PICK(random, ints));
        return;
    case 2:
        real = PICK(random, doubles);
        text_put(text, "%.17g%s", real, fabs(real) < 1e17 && real == floor(real) ? ".0" : "");
        return;
    default:
        text_put(text, "%s", PICK(random, bools) ? "true" : "false");
    }
}

static void put_leaf(struct text *text, uint64_t *random)
{
    static const char *const plain[] = {"$eq", "$ne", "$contains", "$not_contains"};
    static const char *const orders[] = {"$lt", "$lte", "$gt", "$gte"};
    text_put(text, "{\"%s\": {", PICK(random, keys));
    uint32_t kind = scene_random(random, 5);
    if (kind == 0) {
        text_put(text, "\"%s\": [", scene_random(random, 2) ? "$in" : "$nin");
        for (uint32_t i = 0, count = scene_random(random, 4); i <= count; i++) {
            text_put(text, i ? ", " : "");
            put_value(text, random, true);
        }
        text_put(text, "]");
    } else if (kind < 3) {
        text_put(text, "\"%s\": ", PICK(random, orders));
        put_value(text, random, false);
    } else {
        text_put(text, "\"%s\": ", PICK(random, plain));
        put_value(text, random, true);
    }
    text_put(text, "}}");
}

void text_put_filter(struct text *text, uint64_t *random, unsigned depth)
{
    uint32_t kind = scene_random(random, depth ? 6 : 3);
    if (kind < 3) {
        put_leaf(text, random);
    } else if (kind == 3) {
        text_put(text, "{\"$not\": ");
        text_put_filter(text, random, depth - 1);
        text_put(text, "}");
    } else {
        text_put(text, "{\"%s\": [", kind == 4 ? "$and" : "$or");
        for (uint32_t i = 0, count = scene_random(random, 3); i <= count; i++) {
            text_put(text, i ? ", " : "");
            text_put_filter(text, random, depth - 1);
        }
        text_put(text, "]}");
    }
}

// --- comparing

bool view_open(struct view *view, struct vectors_scene *scene, const char *uid)
{
    view->scene = scene;
    arena_init(&view->arena, 16 << 20);
    if (collection_read_begin(scene->vectors, uid, MONO_NEVER, &view->reader, NULL) ||
        store_read_begin(scene->scratch.store, &view->txn, NULL) ||
        collections_get(view->txn, uid, &view->arena, &view->row, NULL))
        return false;
    return collection_read_at(&view->reader, view->row.sequence, MONO_NEVER, NULL) == SOMA_OK;
}

void view_close(struct view *view)
{
    store_read_end(view->txn);
    collection_read_end(&view->reader);
    arena_fini(&view->arena);
}

bool view_agrees(struct view *view, const char *where, bool *ret_bitmaps)
{
    const struct filter *filter;
    if (filter_compile(where, &view->arena, &filter, NULL))
        return false;
    struct filter_search search = {.vectors = view->scene->vectors,
                                   .reader = &view->reader,
                                   .txn = view->txn,
                                   .row = &view->row,
                                   .filter = filter,
                                   .deadline = MONO_NEVER};
    struct filter_matches found = {0}, wanted = {0};
    const char *source = "", *plain_source;
    bool is_done = filter_search_run(&search, &found, &source, NULL) == SOMA_OK;
    search.reader = NULL;
    is_done = is_done && filter_search_run(&search, &wanted, &plain_source, NULL) == SOMA_OK;
    bool same = is_done && found.set.count == wanted.set.count;
    int64_t first = wanted.set.first;
    for (int64_t num = first; same && num < first + (int64_t)wanted.set.size; num++)
        same = num_set_has(&found.set, num) == num_set_has(&wanted.set, num);
    *ret_bitmaps = strcmp(source, "bitmaps") == 0;
    filter_matches_fini(&found);
    filter_matches_fini(&wanted);
    return same;
}
