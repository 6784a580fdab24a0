// How metadata values compare, everywhere: in filters, in their bitmaps and in sorted scans.
#ifndef VECTORS_METADATA_ORDER_H
#define VECTORS_METADATA_ORDER_H

#include "vectors/metadata.h"

enum order {
    ORDER_LESS,
    ORDER_EQUAL,
    ORDER_GREATER,
    ORDER_NONE // values that are not ordered, and not equal
};

// An int and a double compare by value, without rounding; strings by their bytes; booleans only as
// equal or not; values of other different types not at all.
enum order metadata_compare(const struct metadata_value *a, const struct metadata_value *b);

// The one form of all values that are equal to this one: a double that is a whole number within
// int64's range becomes that int. Borrows the text.
struct metadata_value metadata_canonical(struct metadata_value value);

// For sorting canonical values: numbers, then strings, then booleans (false first). 0 only where
// metadata_compare says equal.
int metadata_sort(const struct metadata_value *a, const struct metadata_value *b);

#endif
