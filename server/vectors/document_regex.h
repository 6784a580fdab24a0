// A regular expression that cannot run away: bounded in steps, depth and memory at each place where
// a match may begin, and in time over all of them.
#ifndef VECTORS_DOCUMENT_REGEX_H
#define VECTORS_DOCUMENT_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/error.h"

struct document_regex;

// The caller frees. path: where in the filter it stands, for messages.
enum soma_code document_regex_new(const char *pattern, size_t length, const char *path,
                                  struct document_regex **ret_regex, struct soma_error *err);
// Takes NULL.
void document_regex_free(struct document_regex *regex);

// text is UTF-8. FILTER_TOO_COSTLY, DEADLINE_EXCEEDED, OUT_OF_MEMORY.
enum soma_code document_regex_matches(struct document_regex *regex, const char *text, size_t length,
                                      struct mono_time deadline, bool *ret_matches,
                                      struct soma_error *err);

#endif
