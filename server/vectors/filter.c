#include "vectors/filter.h"

#include <string.h>

#include "vectors/filter_nodes.h"

enum order {
    ORDER_LESS,
    ORDER_EQUAL,
    ORDER_GREATER,
    ORDER_NONE // values that are not ordered, and not equal
};

static enum order order_of(int sign)
{
    return sign < 0 ? ORDER_LESS : sign > 0 ? ORDER_GREATER : ORDER_EQUAL;
}

// Exact: a double holds not every int64, so the double is split into a whole part and the rest.
static enum order compare_int_with_double(int64_t integer, double real)
{
    const double limit = 9223372036854775808.0; // 2^63
    if (real >= limit)
        return ORDER_LESS;
    if (real < -limit)
        return ORDER_GREATER;
    int64_t whole = (int64_t)real;
    if (integer != whole)
        return integer < whole ? ORDER_LESS : ORDER_GREATER;
    double rest = real - (double)whole;
    return order_of((rest < 0) - (rest > 0));
}

static enum order compare_texts(const struct metadata_value *a, const struct metadata_value *b)
{
    size_t shorter = a->text_length < b->text_length ? a->text_length : b->text_length;
    int sign = memcmp(a->text, b->text, shorter);
    if (!sign)
        sign = (a->text_length > b->text_length) - (a->text_length < b->text_length);
    return order_of(sign);
}

static enum order compare_numbers(const struct metadata_value *a, const struct metadata_value *b)
{
    if (a->type == METADATA_INT && b->type == METADATA_INT)
        return order_of((a->integer > b->integer) - (a->integer < b->integer));
    if (a->type == METADATA_INT)
        return compare_int_with_double(a->integer, b->real);
    if (b->type == METADATA_INT) {
        enum order order = compare_int_with_double(b->integer, a->real);
        return order == ORDER_EQUAL ? order : order == ORDER_LESS ? ORDER_GREATER : ORDER_LESS;
    }
    return order_of((a->real > b->real) - (a->real < b->real));
}

static bool is_number(const struct metadata_value *value)
{
    return value->type == METADATA_INT || value->type == METADATA_DOUBLE;
}

static enum order compare(const struct metadata_value *a, const struct metadata_value *b)
{
    if (is_number(a) && is_number(b))
        return compare_numbers(a, b);
    if (a->type != b->type)
        return ORDER_NONE;
    if (a->type == METADATA_STRING)
        return compare_texts(a, b);
    return a->truth == b->truth ? ORDER_EQUAL : ORDER_NONE;
}

static bool is_one_of(const struct metadata_value *value, const struct filter_node *node)
{
    for (size_t i = 0; i < node->value_count; i++) {
        if (compare(value, &node->values[i]) == ORDER_EQUAL)
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

static bool value_passes(const struct metadata_value *value, const struct filter_node *node)
{
    if (node->test == FILTER_IN)
        return is_one_of(value, node);
    enum order order = compare(value, &node->values[0]);
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
           value_passes(&value, node);
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
