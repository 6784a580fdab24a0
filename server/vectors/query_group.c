// Hits by the value of a metadata key: the best groups, and of each the best hits.
#include <string.h>

#include "store/records.h"
#include "vectors/query_private.h"

struct group {
    struct metadata_item value;
    uint32_t count;
};

struct grouping {
    struct query *query;
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

// The hit's place: the group's number, or the number of groups where it belongs to none.
static enum soma_code place(struct grouping *grouping, struct query_hit *hit, uint32_t *ret_group,
                            struct soma_error *err)
{
    const struct query *query = grouping->query;
    const char *key = query->request->group_by;
    struct record_row row;
    enum soma_code code =
        records_read(query->answer->txn, hit->num, (struct record_parts){.metadata = true},
                     query->answer->row.dimension, query->arena, &row, err);
    *ret_group = grouping->room;
    if (code || !metadata_find(row.metadata, key, strlen(key), &hit->group))
        return code;
    struct group *group = find_group(grouping, &hit->group);
    if (!group && grouping->count < grouping->room) {
        group = &grouping->groups[grouping->count++];
        *group = (struct group){.value = hit->group};
    }
    if (!group || group->count == query->request->group_size)
        return SOMA_OK;
    group->count++;
    *ret_group = (uint32_t)(group - grouping->groups);
    return SOMA_OK;
}

// Hits of the groups behind the offset, group after group, each in the order of the hits.
static bool put_in_order(const struct grouping *grouping, const uint32_t *groups,
                         struct query_result *result)
{
    struct query_hit *ordered =
        arena_alloc(grouping->query->arena, result->count * sizeof *ordered);
    uint32_t *starts = arena_calloc(grouping->query->arena, grouping->count + 1, sizeof *starts);
    uint32_t offset = grouping->query->request->offset, total = 0;
    if (!ordered || !starts)
        return false;
    for (uint32_t i = offset; i < grouping->count; i++) {
        starts[i] = total;
        total += grouping->groups[i].count;
    }
    for (uint32_t n = 0; n < result->count; n++) {
        if (groups[n] < grouping->count && groups[n] >= offset)
            ordered[starts[groups[n]]++] = result->hits[n];
    }
    result->hits = ordered;
    result->count = total;
    return true;
}

enum soma_code query_group(struct query *query, struct query_result *result, uint32_t *ret_groups,
                           bool *ret_are_full, struct soma_error *err)
{
    const struct query_request *request = query->request;
    struct grouping grouping = {.query = query, .room = request->k + request->offset};
    grouping.groups = arena_alloc(query->arena, grouping.room * sizeof *grouping.groups);
    uint32_t *groups = arena_alloc(query->arena, result->count * sizeof *groups);
    if (!grouping.groups || !groups)
        return error_set_no_memory(err);
    for (uint32_t n = 0; n < result->count; n++) {
        enum soma_code code = place(&grouping, &result->hits[n], &groups[n], err);
        if (code)
            return code;
    }
    bool are_full = grouping.count == grouping.room;
    for (uint32_t i = 0; i < grouping.count && are_full; i++)
        are_full = grouping.groups[i].count == request->group_size;
    if (!put_in_order(&grouping, groups, result))
        return error_set_no_memory(err);
    *ret_are_full = are_full;
    *ret_groups = grouping.count > request->offset ? grouping.count - request->offset : 0;
    return SOMA_OK;
}
