// What filter_compile makes and filter_matches walks: the tree as an array in preorder.
#ifndef VECTORS_FILTER_NODES_H
#define VECTORS_FILTER_NODES_H

#include "vectors/filter.h"

enum filter_test {
    FILTER_ALL,      // of the children
    FILTER_ANY,      // of the children
    FILTER_IN,       // the field equals one of the values
    FILTER_CONTAINS, // the field is a list that holds the value
    FILTER_LESS,
    FILTER_LESS_OR_EQUAL,
    FILTER_GREATER,
    FILTER_GREATER_OR_EQUAL
};

struct filter_node {
    enum filter_test test;
    bool is_negated;
    size_t end; // the node behind this one's subtree; the first child is the next node
    const char *key;
    size_t key_length;
    const struct metadata_value *values;
    size_t value_count;
};

struct filter {
    const struct filter_node *nodes; // [0] is the root
    size_t node_count;
};

// Of a test on fields that are no lists.
bool filter_value_passes(const struct metadata_value *value, const struct filter_node *node);

#endif
