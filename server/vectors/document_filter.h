// Filters on documents: JSON in the `where_document` language that Chroma's users know.
//
//     {"$contains": "text"}   {"$not_contains": "text"}   byte for byte, case counts
//     {"$regex": "^a.*z"}     {"$not_regex": "…"}          a part of the document matches (PCRE2,
//     UTF-8)
//     {"$and": [{…}, {…}]}    {"$or": [{…}, {…}]}
// Several of them in one object: all must hold. A record without a document contains and matches
// nothing, so the two negations are true of it.
#ifndef VECTORS_DOCUMENT_FILTER_H
#define VECTORS_DOCUMENT_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/error.h"

struct document_filter;

// The caller frees. FILTER_INVALID, FIELD_TOO_LONG; the error's field is "where_document".
enum soma_code document_filter_new(const char *text, struct document_filter **ret_filter,
                                   struct soma_error *err);
// Takes NULL.
void document_filter_free(struct document_filter *filter);

// document NULL: there is none. A regular expression that takes more steps, depth or memory on one
// place of the document than is allowed is FILTER_TOO_COSTLY; DEADLINE_EXCEEDED. One thread at a
// time.
enum soma_code document_filter_matches(struct document_filter *filter, const char *document,
                                       size_t length, struct mono_time deadline, bool *ret_matches,
                                       struct soma_error *err);

#endif
