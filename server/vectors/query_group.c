// Hits by the value of a metadata key: the best groups, and of each the best hits.
#include <string.h>

#include "store/records.h"
#include "vectors/query_private.h"

struct group {
    struct metadata_item value;
    uint32_t count;
};

enum {
    RECORD_BYTES_MAX = 4 << 20, // one record's metadata
    HITS_BETWEEN_CLOCKS = 256
};

struct grouping {
    struct query *query;
    struct arena record;  // the one in hand
    struct group *groups; // best first: a group is as good as its best hit
    uint32_t count, room;
};

static bool values_are_equal(const struct metadata_item *a, const struct metadata_item *b)
{
    return a->type == b->type && a->value_bytes == b->value_bytes &&
           memcmp(a->values, b->values, a->value_bytes) == 0;
}

static struct group *find_group(const struct grouping *grouping, const struct metadata_item *value)
{
    for (uint32_t i = 0; i < grouping->count; i++) {
        if (values_are_equal(&grouping->groups[i].value, value))
            return &grouping->groups[i];
    }
    return NULL;
}

// NULL: there is no room for the value, or no memory, which *ret_no_memory says.
static struct group *add_group(struct grouping *grouping, struct metadata_item value,
                               bool *ret_no_memory)
{
    const struct query *query = grouping->query;
    if (grouping->count == grouping->room)
        return NULL;
    value.key = query->request->group_by;
    value.values = (const uint8_t *)arena_copy(query->arena, value.values, value.value_bytes);
    *ret_no_memory = !value.values;
    if (!value.values)
        return NULL;
    struct group *group = &grouping->groups[grouping->count++];
    *group = (struct group){.value = value};
    return group;
}

// The hit's place: the group's number, or the number of groups where it belongs to none.
static enum soma_code place(struct grouping *grouping, struct query_hit *hit, uint32_t *ret_group,
                            struct soma_error *err)
{
    const struct query *query = grouping->query;
    const char *key = query->request->group_by;
    struct record_row row;
    struct metadata_item value;
    bool no_memory = false;
    arena_reset(&grouping->record, RECORD_BYTES_MAX);
    enum soma_code code =
        records_read(query->answer->txn, hit->num, (struct record_parts){.metadata = true},
                     query->answer->row.dimension, &grouping->record, &row, err);
    *ret_group = grouping->room;
    if (code || !metadata_find(row.metadata, key, strlen(key), &value))
        return code;
    struct group *group = find_group(grouping, &value);
    if (!group)
        group = add_group(grouping, value, &no_memory);
    if (no_memory)
        return error_set_no_memory(err);
    if (!group || group->count == query->request->group_size)
        return SOMA_OK;
    hit->group = group->value;
    group->count++;
    *ret_group = (uint32_t)(group - grouping->groups);
    return SOMA_OK;
}

// Hits of the groups behind the offset, group after group, each in the order of the hits.
static bool put_in_order(const struct grouping *grouping, const uint32_t *groups,
                         struct query_result *result)
{
    uint32_t *starts = arena_calloc(grouping->query->round, grouping->count + 1, sizeof *starts);
    uint32_t offset = grouping->query->request->offset, total = 0;
    if (!starts)
        return false;
    for (uint32_t i = offset; i < grouping->count; i++) {
        starts[i] = total;
        total += grouping->groups[i].count;
    }
    struct query_hit *ordered = arena_alloc(grouping->query->arena, total * sizeof *ordered);
    if (!ordered)
        return false;
    for (uint32_t n = 0; n < result->count; n++) {
        if (groups[n] < grouping->count && groups[n] >= offset)
            ordered[starts[groups[n]]++] = result->hits[n];
    }
    result->hits = ordered;
    result->count = total;
    return true;
}

static enum soma_code place_all(struct grouping *grouping, const struct query_result *result,
                                uint32_t *groups, struct soma_error *err)
{
    struct mono_time deadline = grouping->query->request->deadline;
    enum soma_code code = SOMA_OK;
    arena_init(&grouping->record, RECORD_BYTES_MAX);
    for (uint32_t n = 0; n < result->count && !code; n++) {
        if ((n + 1) % HITS_BETWEEN_CLOCKS == 0 && clock_left_ms(deadline) == 0)
            code = error_set(err, REASON_DEADLINE_EXCEEDED, NULL,
                             "the deadline passed while hits were grouped");
        else
            code = place(grouping, &result->hits[n], &groups[n], err);
    }
    arena_fini(&grouping->record);
    return code;
}

enum soma_code query_group(struct query *query, struct query_result *result, uint32_t *ret_groups,
                           bool *ret_are_full, struct soma_error *err)
{
    const struct query_request *request = query->request;
    struct grouping grouping = {.query = query, .room = request->k + request->offset};
    grouping.groups = arena_alloc(query->round, grouping.room * sizeof *grouping.groups);
    uint32_t *groups = arena_alloc(query->round, result->count * sizeof *groups);
    if (!grouping.groups || !groups)
        return error_set_no_memory(err);
    enum soma_code code = place_all(&grouping, result, groups, err);
    if (code)
        return code;
    bool are_full = grouping.count == grouping.room;
    for (uint32_t i = 0; i < grouping.count && are_full; i++)
        are_full = grouping.groups[i].count == request->group_size;
    if (!put_in_order(&grouping, groups, result))
        return error_set_no_memory(err);
    *ret_are_full = are_full;
    *ret_groups = grouping.count > request->offset ? grouping.count - request->offset : 0;
    return SOMA_OK;
}
