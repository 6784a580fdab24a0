#include "vectors/filter.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "vectors/filter_nodes.h"
#include "wire/limits.h"

enum {
    PATH_SIZE = 160
};

struct compiler {
    struct arena *arena;
    struct soma_error *err;
    struct filter_node *nodes; // room for LIMIT_FILTER_NODES
    size_t node_count;
    size_t value_count;   // values and nodes together are bounded
    char path[PATH_SIZE]; // where in the JSON we are; cut when it is too long
    size_t path_length;
};

struct operator_row {
    const char *name;
    enum filter_test test;
    bool is_negated;
    bool takes_list;
    bool takes_bool;
};

static const struct operator_row operators[] = {
    {"$eq", FILTER_IN, false, false, true},
    {"$ne", FILTER_IN, true, false, true},
    {"$gt", FILTER_GREATER, false, false, false},
    {"$gte", FILTER_GREATER_OR_EQUAL, false, false, false},
    {"$lt", FILTER_LESS, false, false, false},
    {"$lte", FILTER_LESS_OR_EQUAL, false, false, false},
    {"$in", FILTER_IN, false, true, true},
    {"$nin", FILTER_IN, true, true, true},
    {"$contains", FILTER_CONTAINS, false, false, true},
    {"$not_contains", FILTER_CONTAINS, true, false, true},
};

static const struct operator_row *operator_find(const char *name)
{
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (strcmp(operators[i].name, name) == 0)
            return &operators[i];
    }
    return NULL;
}

static enum soma_code invalid(struct compiler *compiler, const char *text)
{
    return error_set(compiler->err, REASON_FILTER_INVALID, "where", "%s: %s", compiler->path, text);
}

static enum soma_code past_limit(struct compiler *compiler, const char *text, int most)
{
    return error_set(compiler->err, REASON_FILTER_INVALID, "where", "%s: %s; %d at most",
                     compiler->path, text, most);
}

// Both append to the path and return its length before, for path_cut.
static size_t path_add_key(struct compiler *compiler, const char *key)
{
    size_t before = compiler->path_length;
    size_t room = PATH_SIZE - before;
    int length = snprintf(compiler->path + before, room, ".%s", key);
    compiler->path_length += (size_t)length < room ? (size_t)length : room - 1;
    return before;
}

static size_t path_add_index(struct compiler *compiler, size_t index)
{
    size_t before = compiler->path_length;
    size_t room = PATH_SIZE - before;
    int length = snprintf(compiler->path + before, room, "[%zu]", index);
    compiler->path_length += (size_t)length < room ? (size_t)length : room - 1;
    return before;
}

static void path_cut(struct compiler *compiler, size_t length)
{
    compiler->path_length = length;
    compiler->path[length] = '\0';
}

static enum soma_code count_up(struct compiler *compiler, size_t *count)
{
    if (compiler->node_count + compiler->value_count >= LIMIT_FILTER_NODES)
        return past_limit(compiler, "too many conditions and values", LIMIT_FILTER_NODES);
    (*count)++;
    return SOMA_OK;
}

static enum soma_code node_add(struct compiler *compiler, enum filter_test test, bool is_negated,
                               struct filter_node **ret_node)
{
    enum soma_code code = count_up(compiler, &compiler->node_count);
    if (code)
        return code;
    *ret_node = &compiler->nodes[compiler->node_count - 1];
    **ret_node =
        (struct filter_node){.test = test, .is_negated = is_negated, .end = compiler->node_count};
    return SOMA_OK;
}

static enum soma_code convert_value(struct compiler *compiler, const json_t *json,
                                    const struct operator_row *op, struct metadata_value *ret_value)
{
    enum soma_code code = count_up(compiler, &compiler->value_count);
    if (code)
        return code;
    if (json_is_boolean(json) && !op->takes_bool)
        return invalid(compiler, "booleans have no order");
    if (json_is_string(json)) {
        size_t length = json_string_length(json);
        char *copy = arena_copy(compiler->arena, json_string_value(json), length);
        if (!copy)
            return error_set_no_memory(compiler->err);
        *ret_value =
            (struct metadata_value){.type = METADATA_STRING, .text = copy, .text_length = length};
    } else if (json_is_integer(json)) {
        *ret_value =
            (struct metadata_value){.type = METADATA_INT, .integer = json_integer_value(json)};
    } else if (json_is_real(json)) {
        *ret_value =
            (struct metadata_value){.type = METADATA_DOUBLE, .real = json_real_value(json)};
    } else if (json_is_boolean(json)) {
        *ret_value = (struct metadata_value){.type = METADATA_BOOL, .truth = json_is_true(json)};
    } else {
        return invalid(compiler, "a string, number or boolean is needed here");
    }
    return SOMA_OK;
}

static enum soma_code convert_list(struct compiler *compiler, const json_t *list,
                                   const struct operator_row *op, struct metadata_value *values)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        size_t length = path_add_index(compiler, i);
        enum soma_code code = convert_value(compiler, json_array_get(list, i), op, &values[i]);
        if (code)
            return code;
        path_cut(compiler, length);
    }
    return SOMA_OK;
}

// One operator on one key.
static enum soma_code compile_test(struct compiler *compiler, const char *key,
                                   const struct operator_row *op, const json_t *json)
{
    if (op->takes_list && (!json_is_array(json) || !json_array_size(json)))
        return invalid(compiler, "a list of at least one value is needed here");
    size_t count = op->takes_list ? json_array_size(json) : 1;
    struct filter_node *node;
    enum soma_code code = node_add(compiler, op->test, op->is_negated, &node);
    if (code)
        return code;
    if (count > LIMIT_FILTER_NODES)
        return past_limit(compiler, "too many conditions and values", LIMIT_FILTER_NODES);
    struct metadata_value *values = arena_alloc(compiler->arena, count * sizeof *values);
    node->key = arena_string(compiler->arena, key);
    node->key_length = strlen(key);
    if (!values || !node->key)
        return error_set_no_memory(compiler->err);
    node->values = values;
    node->value_count = count;
    return op->takes_list ? convert_list(compiler, json, op, values)
                          : convert_value(compiler, json, op, values);
}

// {"$gte": 1, "$lt": 5}
static enum soma_code compile_operators(struct compiler *compiler, const char *key, json_t *object)
{
    if (!json_object_size(object))
        return invalid(compiler, "an operator is needed here");
    const char *name;
    json_t *json;
    json_object_foreach(object, name, json)
    {
        size_t length = path_add_key(compiler, name);
        const struct operator_row *op = operator_find(name);
        if (!op)
            return invalid(compiler, "no such operator; there are $eq $ne $gt $gte $lt $lte $in "
                                     "$nin $contains $not_contains");
        enum soma_code code = compile_test(compiler, key, op, json);
        if (code)
            return code;
        path_cut(compiler, length);
    }
    return SOMA_OK;
}

static enum soma_code compile_object(struct compiler *compiler, json_t *json, unsigned depth,
                                     bool is_negated);

// $and, $or: a list of filters.
static enum soma_code compile_branches(struct compiler *compiler, enum filter_test test,
                                       json_t *list, unsigned depth)
{
    if (!json_is_array(list) || !json_array_size(list))
        return invalid(compiler, "a list of at least one filter is needed here");
    struct filter_node *node;
    enum soma_code code = node_add(compiler, test, false, &node);
    if (code)
        return code;
    for (size_t i = 0; i < json_array_size(list); i++) {
        size_t length = path_add_index(compiler, i);
        code = compile_object(compiler, json_array_get(list, i), depth + 1, false);
        if (code)
            return code;
        path_cut(compiler, length);
    }
    node->end = compiler->node_count;
    return SOMA_OK;
}

static enum soma_code compile_key(struct compiler *compiler, const char *key, json_t *json,
                                  unsigned depth)
{
    if (strcmp(key, "$and") == 0)
        return compile_branches(compiler, FILTER_ALL, json, depth);
    if (strcmp(key, "$or") == 0)
        return compile_branches(compiler, FILTER_ANY, json, depth);
    if (strcmp(key, "$not") == 0)
        return compile_object(compiler, json, depth + 1, true);
    if (key[0] == '$')
        return invalid(compiler, "a metadata key, $and, $or or $not is needed here");
    if (!key[0] || strlen(key) > LIMIT_METADATA_KEY_BYTES)
        return past_limit(compiler, "a metadata key is empty or too long",
                          LIMIT_METADATA_KEY_BYTES);
    if (json_is_object(json))
        return compile_operators(compiler, key, json);
    return compile_test(compiler, key, &operators[0], json);
}

// Recursion is bounded by LIMIT_FILTER_DEPTH.
static enum soma_code compile_object(struct compiler *compiler, json_t *json, unsigned depth,
                                     bool is_negated)
{
    if (!json_is_object(json) || !json_object_size(json))
        return invalid(compiler, "an object with at least one condition is needed here");
    if (depth > LIMIT_FILTER_DEPTH)
        return past_limit(compiler, "filters are nested too deeply", LIMIT_FILTER_DEPTH);
    struct filter_node *node;
    enum soma_code code = node_add(compiler, FILTER_ALL, is_negated, &node);
    if (code)
        return code;
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value)
    {
        size_t length = path_add_key(compiler, key);
        code = compile_key(compiler, key, value, depth);
        if (code)
            return code;
        path_cut(compiler, length);
    }
    node->end = compiler->node_count;
    return SOMA_OK;
}

static enum soma_code parse(const char *text, size_t length, json_t **ret_json,
                            struct soma_error *err)
{
    json_error_t problem;
    *ret_json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &problem);
    if (*ret_json)
        return SOMA_OK;
    if (json_error_code(&problem) == json_error_out_of_memory)
        return error_set_no_memory(err);
    return error_set(err, REASON_FILTER_INVALID, "where", "line %d, column %d (byte %d): %s",
                     problem.line, problem.column, problem.position, problem.text);
}

enum soma_code filter_compile(const char *text, struct arena *arena,
                              const struct filter **ret_filter, struct soma_error *err)
{
    size_t length = strlen(text);
    if (length > LIMIT_FILTER_BYTES)
        return error_set(err, REASON_FIELD_TOO_LONG, "where", "a filter of %zu bytes; %d at most",
                         length, LIMIT_FILTER_BYTES);
    json_t *json;
    enum soma_code code = parse(text, length, &json, err);
    if (code)
        return code;
    struct compiler compiler = {.arena = arena, .err = err, .path = "$", .path_length = 1};
    compiler.nodes = arena_alloc(arena, LIMIT_FILTER_NODES * sizeof *compiler.nodes);
    struct filter *filter = arena_alloc(arena, sizeof *filter);
    if (!compiler.nodes || !filter)
        code = error_set_no_memory(err);
    else
        code = compile_object(&compiler, json, 0, false);
    json_decref(json);
    if (code)
        return code;
    *filter = (struct filter){compiler.nodes, compiler.node_count};
    *ret_filter = filter;
    return SOMA_OK;
}
