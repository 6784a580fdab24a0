// Metadata as JSON, both ways.
#ifndef CLI_METADATA_H
#define CLI_METADATA_H

#include <jansson.h>

#include <soma/soma.h>

#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/pool.h"

enum {
    PROBLEM_TEXT_SIZE = 256
};

// What is wrong with a value, for a message that also says where it stands.
struct problem {
    // "metadata.tags"; cut to size.
    char field[128];
    char text[PROBLEM_TEXT_SIZE];
};

__attribute__((format(printf, 3, 4))) void problem_set(struct problem *problem, const char *field,
                                                       const char *format, ...);

// A JSON object as fields. Integers stay integers; a list of integers and real numbers becomes one
// of real numbers; null removes a key and is refused unless allow_null. All memory is the pool's.
bool metadata_from_json(const json_t *object, bool allow_null, struct pool *pool,
                        const struct soma_metadata_field **ret_fields, size_t *ret_count,
                        struct problem *ret_problem);

// The value alone, without its key.
void metadata_value_to_json(struct json_out *out, const struct soma_metadata_field *field);

void metadata_to_json(struct json_out *out, const struct soma_metadata_field *fields, size_t count);

// The option --metadata.
int value_metadata(const struct cli *cli, const struct options *options, bool allow_null,
                   struct pool *pool, const struct soma_metadata_field **ret_fields,
                   size_t *ret_count);

#endif
