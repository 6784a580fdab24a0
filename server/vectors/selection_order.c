// Records in the order of a metadata key: the first so many behind a place, in one sweep. A bounded
// heap, the last of those kept on top.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "store/records.h"
#include "vectors/metadata_order.h"
#include "vectors/selection.h"

enum {
    ROWS_BETWEEN_CLOCKS = 4096
};

struct ordering {
    const struct selection *selection;
    const struct order_request *request;
    struct order_place *places; // room for one more than are wanted
    size_t count, room;
    struct order_place scratch;
    size_t seen;
    bool is_late;
};

// Negative: a comes before b.
static int compare(const struct order_request *request, const struct order_place *a,
                   const struct order_place *b)
{
    bool a_none = a->value.type == METADATA_REMOVE, b_none = b->value.type == METADATA_REMOVE;
    int direction = request->is_descending ? -1 : 1;
    if (a_none != b_none)
        return a_none - b_none;
    int sign = a_none ? 0 : metadata_sort(&a->value, &b->value) * direction;
    if (sign)
        return sign;
    int by_id = strcmp(a->id, b->id);
    return *request->key || direction > 0 ? by_id : -by_id;
}

// A place's value points into the place, so places are copied by this alone.
static void place_copy(struct order_place *to, const struct order_place *from)
{
    *to = *from;
    if (to->value.type == METADATA_STRING)
        to->value.text = to->text;
}

static void place_swap(struct order_place *a, struct order_place *b)
{
    struct order_place held;
    place_copy(&held, a);
    place_copy(a, b);
    place_copy(b, &held);
}

static void sift_up(struct ordering *ordering, size_t at)
{
    struct order_place *places = ordering->places;
    while (at && compare(ordering->request, &places[(at - 1) / 2], &places[at]) < 0) {
        place_swap(&places[(at - 1) / 2], &places[at]);
        at = (at - 1) / 2;
    }
}

static void sift_down(struct ordering *ordering, size_t count, size_t at)
{
    struct order_place *places = ordering->places;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < count && compare(ordering->request, &places[child], &places[child + 1]) < 0)
            child++;
        if (child >= count || compare(ordering->request, &places[at], &places[child]) >= 0)
            return;
        place_swap(&places[at], &places[child]);
        at = child;
    }
}

static void place_set_value(struct order_place *place, struct metadata_value value)
{
    place->value = metadata_canonical(value);
    if (value.type != METADATA_STRING)
        return;
    size_t length = value.text_length < ORDER_TEXT_BYTES ? value.text_length : ORDER_TEXT_BYTES;
    memcpy(place->text, value.text, length);
    place->value.text = place->text;
    place->value.text_length = length;
}

static bool visit(void *context, const struct record_row *row)
{
    struct ordering *ordering = context;
    const struct order_request *request = ordering->request;
    struct order_place *place = &ordering->scratch;
    if (++ordering->seen % ROWS_BETWEEN_CLOCKS == 0)
        ordering->is_late = clock_left_ms(request->deadline) == 0;
    if (!selection_has(ordering->selection, row->num))
        return !ordering->is_late;
    struct metadata_item item;
    struct metadata_value value;
    place->num = row->num;
    place->value.type = METADATA_REMOVE;
    snprintf(place->id, sizeof place->id, "%s", row->id);
    if (*request->key && metadata_find(row->metadata, request->key, strlen(request->key), &item) &&
        !metadata_type_is_list(item.type) && metadata_value_next(&item, &value))
        place_set_value(place, value);
    if (request->after && compare(request, place, request->after) <= 0)
        return !ordering->is_late;
    if (ordering->count < ordering->room) {
        place_copy(&ordering->places[ordering->count], place);
        sift_up(ordering, ordering->count++);
    } else if (compare(request, place, &ordering->places[0]) < 0) {
        place_copy(&ordering->places[0], place);
        sift_down(ordering, ordering->count, 0);
    }
    return !ordering->is_late;
}

enum soma_code selection_order(const struct selection *selection,
                               const struct order_request *request, struct order_place *ret_places,
                               size_t *ret_count, bool *ret_has_more, struct soma_error *err)
{
    struct ordering ordering = {
        .selection = selection, .request = request, .room = request->count + 1};
    ordering.places = malloc(ordering.room * sizeof *ordering.places);
    if (!ordering.places)
        return error_set_no_memory(err);
    enum soma_code code =
        records_scan_metadata(selection->txn, selection->row.partition, visit, &ordering, err);
    if (!code && ordering.is_late)
        code = error_set(err, REASON_DEADLINE_EXCEEDED, NULL,
                         "the deadline passed while records were put in order");
    for (size_t left = ordering.count; left > 1; left--) {
        place_swap(&ordering.places[0], &ordering.places[left - 1]);
        sift_down(&ordering, left - 1, 0);
    }
    *ret_has_more = ordering.count == ordering.room;
    *ret_count = ordering.count - *ret_has_more;
    for (size_t i = 0; i < *ret_count && !code; i++)
        place_copy(&ret_places[i], &ordering.places[i]);
    free(ordering.places);
    return code;
}

// --- cursors: a letter for the type, the value, a colon, the id

void order_place_print(const struct order_place *place, char ret_text[ORDER_CURSOR_BYTES])
{
    char value[2 * ORDER_TEXT_BYTES + 1] = "";
    char type = '-';
    if (place->value.type == METADATA_STRING) {
        type = 's';
        text_from_bytes(value, place->text, place->value.text_length);
    } else if (place->value.type == METADATA_INT) {
        type = 'i';
        snprintf(value, sizeof value, "%" PRId64, place->value.integer);
    } else if (place->value.type == METADATA_DOUBLE) {
        type = 'd';
        snprintf(value, sizeof value, "%a", place->value.real);
    } else if (place->value.type == METADATA_BOOL) {
        type = 'b';
        snprintf(value, sizeof value, "%d", place->value.truth);
    }
    snprintf(ret_text, ORDER_CURSOR_BYTES, "%c%s:%s", type, value, place->id);
}

static bool parse_bytes(const char *text, size_t length, struct order_place *place)
{
    if (length % 2 || length / 2 > ORDER_TEXT_BYTES)
        return false;
    for (size_t i = 0; i < length / 2; i++) {
        char digits[3] = {text[2 * i], text[2 * i + 1], '\0'};
        if (!text_is_of(digits, "0-9a-f"))
            return false;
        place->text[i] = (char)strtoul(digits, NULL, 16);
    }
    place->value = (struct metadata_value){
        .type = METADATA_STRING, .text = place->text, .text_length = length / 2};
    return true;
}

static bool parse_value(char type, const char *text, size_t length, struct order_place *place)
{
    char number[64], *end;
    if (type == 's')
        return parse_bytes(text, length, place);
    if (length >= sizeof number)
        return false;
    memcpy(number, text, length);
    number[length] = '\0';
    if (type == '-')
        return length == 0;
    if (type == 'i') {
        place->value.type = METADATA_INT;
        return text_to_int64(number, INT64_MIN, INT64_MAX, &place->value.integer);
    }
    if (type == 'b') {
        place->value = (struct metadata_value){.type = METADATA_BOOL, .truth = number[0] == '1'};
        return length == 1 && text_is_of(number, "01");
    }
    place->value = (struct metadata_value){.type = METADATA_DOUBLE, .real = strtod(number, &end)};
    return type == 'd' && length && !*end && __builtin_isfinite(place->value.real);
}

bool order_place_parse(const char *text, struct order_place *ret_place)
{
    struct order_place *place = ret_place;
    const char *colon = strchr(text, ':');
    *place = (struct order_place){.num = 0};
    if (!colon || colon == text || !colon[1] || strlen(colon + 1) > LIMIT_RECORD_ID_BYTES)
        return false;
    snprintf(place->id, sizeof place->id, "%s", colon + 1);
    return parse_value(text[0], text + 1, (size_t)(colon - text) - 1, place);
}
