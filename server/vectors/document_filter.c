#include "vectors/document_filter.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vectors/document_regex.h"
#include "wire/limits.h"

enum document_test {
    DOCUMENT_ALL, // of the children
    DOCUMENT_ANY,
    DOCUMENT_CONTAINS,
    DOCUMENT_REGEX
};

// As in filter_nodes.h: a tree in preorder.
struct document_node {
    enum document_test test;
    bool is_negated;
    size_t end; // the node behind this one's subtree
    char *text; // to be contained
    size_t text_length;
    struct document_regex *regex;
};

struct document_filter {
    struct document_node *nodes; // room for LIMIT_FILTER_NODES
    size_t count;
};

static const struct {
    const char *name;
    enum document_test test;
    bool is_negated;
} operators[] = {
    {"$contains", DOCUMENT_CONTAINS, false}, {"$not_contains", DOCUMENT_CONTAINS, true},
    {"$regex", DOCUMENT_REGEX, false},       {"$not_regex", DOCUMENT_REGEX, true},
    {"$and", DOCUMENT_ALL, false},           {"$or", DOCUMENT_ANY, false},
};

static enum soma_code invalid(const char *path, const char *text, struct soma_error *err)
{
    return error_set(err, REASON_FILTER_INVALID, "where_document", "%s: %s", path, text);
}

static enum soma_code past_limit(const char *path, const char *text, int most,
                                 struct soma_error *err)
{
    return error_set(err, REASON_FILTER_INVALID, "where_document", "%s: %s; %d at most", path, text,
                     most);
}

static enum soma_code node_add(struct document_filter *filter, enum document_test test,
                               const char *path, struct document_node **ret_node,
                               struct soma_error *err)
{
    if (filter->count == LIMIT_FILTER_NODES)
        return past_limit(path, "the filter has too many conditions", LIMIT_FILTER_NODES, err);
    *ret_node = &filter->nodes[filter->count++];
    **ret_node = (struct document_node){.test = test, .end = filter->count};
    return SOMA_OK;
}

static enum soma_code compile_text(struct document_node *node, const json_t *json, const char *path,
                                   struct soma_error *err)
{
    if (!json_is_string(json) || !json_string_length(json))
        return invalid(path, "a text that is not empty is needed here", err);
    const char *text = json_string_value(json);
    size_t length = json_string_length(json);
    if (node->test == DOCUMENT_REGEX)
        return document_regex_new(text, length, path, &node->regex, err);
    node->text = malloc(length + 1);
    if (!node->text)
        return error_set_no_memory(err);
    memcpy(node->text, text, length + 1);
    node->text_length = length;
    return SOMA_OK;
}

static enum soma_code compile_object(struct document_filter *filter, json_t *json, const char *path,
                                     unsigned depth, struct soma_error *err);

static enum soma_code compile_branches(struct document_filter *filter, const json_t *list,
                                       const char *path, unsigned depth, struct soma_error *err)
{
    if (!json_is_array(list) || !json_array_size(list))
        return invalid(path, "a list of at least one filter is needed here", err);
    for (size_t i = 0; i < json_array_size(list); i++) {
        char part[96];
        snprintf(part, sizeof part, "%.60s[%zu]", path, i);
        enum soma_code code = compile_object(filter, json_array_get(list, i), part, depth + 1, err);
        if (code)
            return code;
    }
    return SOMA_OK;
}

static enum soma_code compile_key(struct document_filter *filter, const char *key, json_t *json,
                                  const char *path, unsigned depth, struct soma_error *err)
{
    size_t at = 0, count = sizeof operators / sizeof operators[0];
    while (at < count && strcmp(operators[at].name, key) != 0)
        at++;
    if (at == count)
        return invalid(path,
                       "no such operator; there are $contains $not_contains $regex $not_regex"
                       " $and $or",
                       err);
    struct document_node *node = NULL;
    enum soma_code code = node_add(filter, operators[at].test, path, &node, err);
    if (code)
        return code;
    node->is_negated = operators[at].is_negated;
    if (node->test == DOCUMENT_CONTAINS || node->test == DOCUMENT_REGEX)
        return compile_text(node, json, path, err);
    code = compile_branches(filter, json, path, depth, err);
    node->end = filter->count;
    return code;
}

// Recursion is bounded by LIMIT_FILTER_DEPTH.
static enum soma_code compile_object(struct document_filter *filter, json_t *json, const char *path,
                                     unsigned depth, struct soma_error *err)
{
    struct document_node *node = NULL;
    if (!json_is_object(json) || !json_object_size(json))
        return invalid(path, "an object with at least one condition is needed here", err);
    if (depth > LIMIT_FILTER_DEPTH)
        return past_limit(path, "filters are nested too deeply", LIMIT_FILTER_DEPTH, err);
    enum soma_code code = node_add(filter, DOCUMENT_ALL, path, &node, err);
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value)
    {
        char part[96];
        snprintf(part, sizeof part, "%.60s.%.30s", path, key);
        if (!code)
            code = compile_key(filter, key, value, part, depth, err);
    }
    if (!code)
        node->end = filter->count;
    return code;
}

static enum soma_code parse(const char *text, json_t **ret_json, struct soma_error *err)
{
    json_error_t problem;
    if (strlen(text) > LIMIT_FILTER_BYTES)
        return error_set(err, REASON_FIELD_TOO_LONG, "where_document",
                         "a filter of %zu bytes; %d at most", strlen(text), LIMIT_FILTER_BYTES);
    *ret_json = json_loads(text, JSON_REJECT_DUPLICATES, &problem);
    if (*ret_json)
        return SOMA_OK;
    if (json_error_code(&problem) == json_error_out_of_memory)
        return error_set_no_memory(err);
    return error_set(err, REASON_FILTER_INVALID, "where_document",
                     "line %d, column %d (byte %d): %s", problem.line, problem.column,
                     problem.position, problem.text);
}

enum soma_code document_filter_new(const char *text, struct document_filter **ret_filter,
                                   struct soma_error *err)
{
    json_t *json = NULL;
    enum soma_code code = parse(text, &json, err);
    if (code)
        return code;
    struct document_filter *filter = calloc(1, sizeof *filter);
    if (filter)
        filter->nodes = calloc(LIMIT_FILTER_NODES, sizeof *filter->nodes);
    if (!filter || !filter->nodes)
        code = error_set_no_memory(err);
    else
        code = compile_object(filter, json, "$", 0, err);
    json_decref(json);
    if (code)
        document_filter_free(filter);
    else
        *ret_filter = filter;
    return code;
}

void document_filter_free(struct document_filter *filter)
{
    if (!filter)
        return;
    for (size_t i = 0; filter->nodes && i < filter->count; i++) {
        free(filter->nodes[i].text);
        document_regex_free(filter->nodes[i].regex);
    }
    free(filter->nodes);
    free(filter);
}

// --- matching

struct document {
    const char *text; // NULL: there is none
    size_t length;
    struct mono_time deadline;
    struct soma_error *err;
    enum soma_code code; // the first failure
};

static bool node_passes(const struct document_filter *filter, size_t at, struct document *document)
{
    const struct document_node *node = &filter->nodes[at];
    bool passes = node->test == DOCUMENT_ALL;
    if (node->test == DOCUMENT_CONTAINS) {
        passes = document->text &&
                 memmem(document->text, document->length, node->text, node->text_length) != NULL;
    } else if (node->test == DOCUMENT_REGEX) {
        if (document->text)
            document->code = document_regex_matches(node->regex, document->text, document->length,
                                                    document->deadline, &passes, document->err);
    } else {
        bool is_all = passes;
        for (size_t child = at + 1; child < node->end && passes == is_all && !document->code;
             child = filter->nodes[child].end)
            passes = node_passes(filter, child, document);
    }
    return passes != node->is_negated;
}

enum soma_code document_filter_matches(struct document_filter *filter, const char *document,
                                       size_t length, struct mono_time deadline, bool *ret_matches,
                                       struct soma_error *err)
{
    struct document looked_at = {document, length, deadline, err, SOMA_OK};
    bool matches = node_passes(filter, 0, &looked_at);
    if (!looked_at.code)
        *ret_matches = matches;
    return looked_at.code;
}
