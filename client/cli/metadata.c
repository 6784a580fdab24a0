#include "cli/metadata.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/error.h"

void problem_set(struct problem *problem, const char *field, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    snprintf(problem->field, sizeof problem->field, "%s", field);
    vsnprintf(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
}

// --- from JSON

// What kind of value it is; NONE for null and for what metadata cannot hold.
static enum soma_value_type scalar_type(const json_t *value)
{
    if (json_is_string(value))
        return SOMA_VALUE_STRING;
    if (json_is_integer(value))
        return SOMA_VALUE_INT;
    if (json_is_real(value))
        return SOMA_VALUE_DOUBLE;
    return json_is_boolean(value) ? SOMA_VALUE_BOOL : SOMA_VALUE_NONE;
}

// The one type of all members; NONE: they differ, or one is no scalar. An empty list is one of
// texts.
static enum soma_value_type list_type(const json_t *list)
{
    enum soma_value_type type =
        json_array_size(list) ? scalar_type(json_array_get(list, 0)) : SOMA_VALUE_STRING;
    for (size_t i = 1; i < json_array_size(list); i++) {
        enum soma_value_type other = scalar_type(json_array_get(list, i));
        bool are_numbers = (type == SOMA_VALUE_INT || type == SOMA_VALUE_DOUBLE) &&
                           (other == SOMA_VALUE_INT || other == SOMA_VALUE_DOUBLE);
        if (other != type && are_numbers)
            type = SOMA_VALUE_DOUBLE;
        else if (other != type)
            return SOMA_VALUE_NONE;
    }
    return type;
}

static bool copy_strings(const json_t *list, struct pool *pool, struct soma_metadata_field *field)
{
    const char **strings = pool_array(pool, field->list_count, sizeof *strings);
    for (size_t i = 0; strings && i < field->list_count; i++) {
        const json_t *value = json_array_get(list, i);
        strings[i] = pool_text(pool, json_string_value(value), json_string_length(value));
        if (!strings[i])
            return false;
    }
    field->type = SOMA_VALUE_STRING_LIST;
    field->value.strings = strings;
    return strings;
}

static bool copy_integers(const json_t *list, struct pool *pool, struct soma_metadata_field *field)
{
    int64_t *integers = pool_array(pool, field->list_count, sizeof *integers);
    for (size_t i = 0; integers && i < field->list_count; i++)
        integers[i] = json_integer_value(json_array_get(list, i));
    field->type = SOMA_VALUE_INT_LIST;
    field->value.integers = integers;
    return integers;
}

static bool copy_numbers(const json_t *list, struct pool *pool, struct soma_metadata_field *field)
{
    double *numbers = pool_array(pool, field->list_count, sizeof *numbers);
    for (size_t i = 0; numbers && i < field->list_count; i++)
        numbers[i] = json_number_value(json_array_get(list, i));
    field->type = SOMA_VALUE_DOUBLE_LIST;
    field->value.numbers = numbers;
    return numbers;
}

static bool copy_booleans(const json_t *list, struct pool *pool, struct soma_metadata_field *field)
{
    bool *booleans = pool_array(pool, field->list_count, sizeof *booleans);
    for (size_t i = 0; booleans && i < field->list_count; i++)
        booleans[i] = json_is_true(json_array_get(list, i));
    field->type = SOMA_VALUE_BOOL_LIST;
    field->value.booleans = booleans;
    return booleans;
}

static bool copy_list(const json_t *list, struct pool *pool, struct soma_metadata_field *field,
                      struct problem *problem)
{
    bool copied = false;
    field->list_count = json_array_size(list);
    switch (list_type(list)) {
    case SOMA_VALUE_STRING:
        copied = copy_strings(list, pool, field);
        break;
    case SOMA_VALUE_INT:
        copied = copy_integers(list, pool, field);
        break;
    case SOMA_VALUE_DOUBLE:
        copied = copy_numbers(list, pool, field);
        break;
    case SOMA_VALUE_BOOL:
        copied = copy_booleans(list, pool, field);
        break;
    case SOMA_VALUE_NONE:
    case SOMA_VALUE_STRING_LIST:
    case SOMA_VALUE_INT_LIST:
    case SOMA_VALUE_DOUBLE_LIST:
    case SOMA_VALUE_BOOL_LIST:
        snprintf(problem->text, sizeof problem->text,
                 "a list holds texts, numbers or booleans, and only one kind of them");
        return false;
    }
    if (!copied)
        snprintf(problem->text, sizeof problem->text, "out of memory");
    return copied;
}

static bool copy_value(const json_t *value, bool allow_null, struct pool *pool,
                       struct soma_metadata_field *field, struct problem *problem)
{
    if (json_is_array(value))
        return copy_list(value, pool, field, problem);
    field->type = scalar_type(value);
    if (json_is_string(value))
        field->value.string = pool_text(pool, json_string_value(value), json_string_length(value));
    else if (json_is_integer(value))
        field->value.integer = json_integer_value(value);
    else if (json_is_real(value))
        field->value.number = json_real_value(value);
    else if (json_is_boolean(value))
        field->value.boolean = json_is_true(value);
    else if (!json_is_null(value) || !allow_null) {
        snprintf(problem->text, sizeof problem->text,
                 json_is_null(value) ? "null removes a key, which only update and edit can"
                                     : "an object cannot stand here; texts, numbers, booleans and "
                                       "lists of them can");
        return false;
    }
    if (json_is_string(value) && !field->value.string) {
        snprintf(problem->text, sizeof problem->text, "out of memory");
        return false;
    }
    return true;
}

bool metadata_from_json(const json_t *object, bool allow_null, struct pool *pool,
                        const struct soma_metadata_field **ret_fields, size_t *ret_count,
                        struct problem *ret_problem)
{
    struct soma_metadata_field *fields;
    size_t count = 0;
    const char *key;
    json_t *value;
    if (!json_is_object(object)) {
        problem_set(ret_problem, "metadata", "is no object");
        return false;
    }
    fields = pool_array(pool, json_object_size(object), sizeof *fields);
    if (!fields) {
        problem_set(ret_problem, "metadata", "out of memory");
        return false;
    }
    // jansson's iterators do not change the object, but take it without const.
    json_object_foreach((json_t *)object, key, value)
    {
        snprintf(ret_problem->field, sizeof ret_problem->field, "metadata.%s", key);
        fields[count].key = pool_text(pool, key, strlen(key));
        if (!fields[count].key)
            snprintf(ret_problem->text, sizeof ret_problem->text, "out of memory");
        if (!fields[count].key || !copy_value(value, allow_null, pool, &fields[count], ret_problem))
            return false;
        count++;
    }
    *ret_fields = fields;
    *ret_count = count;
    return true;
}

// --- to JSON

static void list_to_json(struct json_out *out, const struct soma_metadata_field *field)
{
    out_begin_flat(out, '[');
    for (size_t i = 0; i < field->list_count; i++) {
        if (field->type == SOMA_VALUE_STRING_LIST)
            out_text(out, field->value.strings[i]);
        else if (field->type == SOMA_VALUE_INT_LIST)
            out_int(out, field->value.integers[i]);
        else if (field->type == SOMA_VALUE_DOUBLE_LIST)
            out_double(out, field->value.numbers[i]);
        else
            out_bool(out, field->value.booleans[i]);
    }
    out_end(out, ']');
}

void metadata_value_to_json(struct json_out *out, const struct soma_metadata_field *field)
{
    switch (field->type) {
    case SOMA_VALUE_NONE:
        out_null(out);
        return;
    case SOMA_VALUE_STRING:
        out_text(out, field->value.string);
        return;
    case SOMA_VALUE_INT:
        out_int(out, field->value.integer);
        return;
    case SOMA_VALUE_DOUBLE:
        out_double(out, field->value.number);
        return;
    case SOMA_VALUE_BOOL:
        out_bool(out, field->value.boolean);
        return;
    case SOMA_VALUE_STRING_LIST:
    case SOMA_VALUE_INT_LIST:
    case SOMA_VALUE_DOUBLE_LIST:
    case SOMA_VALUE_BOOL_LIST:
        list_to_json(out, field);
        return;
    }
    out_null(out);
}

void metadata_to_json(struct json_out *out, const struct soma_metadata_field *fields, size_t count)
{
    out_begin(out, '{');
    for (size_t i = 0; i < count; i++) {
        out_key(out, fields[i].key);
        metadata_value_to_json(out, &fields[i]);
    }
    out_end(out, '}');
}

// --- the option

int value_metadata(const struct cli *cli, const struct options *options, bool allow_null,
                   struct pool *pool, const struct soma_metadata_field **ret_fields,
                   size_t *ret_count)
{
    const char *text = options_value(options, "metadata");
    struct problem problem = {0};
    json_error_t error;
    if (!text)
        return STATUS_OK;
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!object)
        return report_usage(cli, NULL, "option --metadata: at character %d: %s", error.column,
                            error.text);
    bool taken = metadata_from_json(object, allow_null, pool, ret_fields, ret_count, &problem);
    json_decref(object);
    if (!taken)
        return report_usage(cli, NULL, "option --metadata: %s: %s", problem.field, problem.text);
    return STATUS_OK;
}
