#include "vectors/filter.h"

#include <string.h>

#include "vectors/filter_nodes.h"
#include "vectors/metadata_order.h"

static bool is_one_of(const struct metadata_value *value, const struct filter_node *node)
{
    for (size_t i = 0; i < node->value_count; i++) {
        if (metadata_compare(value, &node->values[i]) == ORDER_EQUAL)
            return true;
    }
    return false;
}

static bool list_contains(struct metadata_item item, const struct filter_node *node)
{
    struct metadata_value value;
    while (metadata_value_next(&item, &value)) {
        if (is_one_of(&value, node))
            return true;
    }
    return false;
}

bool filter_value_passes(const struct metadata_value *value, const struct filter_node *node)
{
    if (node->test == FILTER_IN)
        return is_one_of(value, node);
    enum order order = metadata_compare(value, &node->values[0]);
    switch (node->test) {
    case FILTER_LESS:
        return order == ORDER_LESS;
    case FILTER_LESS_OR_EQUAL:
        return order == ORDER_LESS || order == ORDER_EQUAL;
    case FILTER_GREATER:
        return order == ORDER_GREATER;
    case FILTER_GREATER_OR_EQUAL:
        return order == ORDER_GREATER || order == ORDER_EQUAL;
    case FILTER_ALL:
    case FILTER_ANY:
    case FILTER_IN:
    case FILTER_CONTAINS:
        break;
    }
    return false;
}

static bool field_passes(const struct filter_node *node, struct metadata metadata)
{
    struct metadata_item item;
    if (!metadata_find(metadata, node->key, node->key_length, &item))
        return false;
    if (metadata_type_is_list(item.type))
        return node->test == FILTER_CONTAINS && list_contains(item, node);
    struct metadata_value value;
    return node->test != FILTER_CONTAINS && metadata_value_next(&item, &value) &&
           filter_value_passes(&value, node);
}

// Recursion is bounded by LIMIT_FILTER_DEPTH.
static bool node_passes(const struct filter *filter, size_t at, struct metadata metadata)
{
    const struct filter_node *node = &filter->nodes[at];
    if (node->test != FILTER_ALL && node->test != FILTER_ANY)
        return field_passes(node, metadata) != node->is_negated;
    bool is_all = node->test == FILTER_ALL;
    bool passes = is_all;
    for (size_t child = at + 1; child < node->end && passes == is_all;
         child = filter->nodes[child].end)
        passes = node_passes(filter, child, metadata);
    return passes != node->is_negated;
}

bool filter_matches(const struct filter *filter, struct metadata metadata)
{
    return node_passes(filter, 0, metadata);
}
