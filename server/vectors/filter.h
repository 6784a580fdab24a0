// Filters on metadata: JSON in the `where` language that Chroma's users know.
//
//     {"lang": "en"}                         equal
//     {"year": {"$gte": 1999, "$lt": 2005}}  several operators on one key: all of them
//     {"lang": "en", "year": 1999}           several keys: all of them
//     {"$or": [{…}, {…}]}   {"$and": [{…}, {…}]}   {"$not": {…}}
// Operators: $eq $ne $gt $gte $lt $lte $in $nin $contains $not_contains. Values are strings,
// numbers and booleans. An int and a double compare by value, without rounding; values of other
// different types are not equal and not ordered; strings are ordered by their bytes, booleans not
// at all. $eq, $in and the orders look at fields that are no lists, $contains at lists: is the
// value one of them. $ne, $nin and $not_contains are true exactly where $eq, $in and $contains are
// not: also where the key is missing.
#ifndef VECTORS_FILTER_H
#define VECTORS_FILTER_H

#include "vectors/metadata.h"

struct filter;

// A compiled filter in the arena, which borrows nothing. FILTER_INVALID with line, column and byte
// for text that is no JSON, and with a path like $.$and[1].year.$gt for what is no filter;
// FIELD_TOO_LONG past LIMIT_FILTER_BYTES. The error's field is "where".
enum soma_code filter_compile(const char *text, struct arena *arena,
                              const struct filter **ret_filter, struct soma_error *err);

// Reads the encoded bytes in place; allocates nothing.
bool filter_matches(const struct filter *filter, struct metadata metadata);

#endif
