#include "config/key.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

static const char *const level_names[] = {[LOG_LEVEL_ERROR] = "error",
                                          [LOG_LEVEL_WARNING] = "warning",
                                          [LOG_LEVEL_INFO] = "info",
                                          [LOG_LEVEL_DEBUG] = "debug"};

static enum soma_code refuse(struct soma_error *err, const char *what)
{
    return error_set(err, REASON_CONFIG_INVALID, NULL, "%s", what);
}

static enum soma_code check_range(const struct key_row *row, int64_t number, struct soma_error *err)
{
    if (number >= row->min && number <= row->max)
        return SOMA_OK;
    return error_set(err, REASON_CONFIG_INVALID, NULL, "between %lld and %lld", (long long)row->min,
                     (long long)row->max);
}

static enum soma_code parse_number(const char *value, int64_t *ret_number, struct soma_error *err)
{
    if (!text_to_int64(value, INT64_MIN, INT64_MAX, ret_number))
        return refuse(err, "a whole number is needed");
    return SOMA_OK;
}

static enum soma_code parse_size(const char *value, int64_t *ret_number, struct soma_error *err)
{
    static const char units[] = "KMGT";
    char digits[24];
    size_t length = strlen(value);
    const char *unit = length > 1 ? strchr(units, value[length - 1]) : NULL;
    if (unit)
        length--;
    if (length == 0 || length >= sizeof digits)
        return refuse(err, "a number of bytes is needed, with K, M, G or T behind it if you like");
    memcpy(digits, value, length);
    digits[length] = '\0';
    int64_t factor = unit ? (int64_t)1 << (10 * (unit - units + 1)) : 1;
    if (!text_to_int64(digits, 0, INT64_MAX / factor, ret_number))
        return refuse(err, "a number of bytes is needed, with K, M, G or T behind it if you like");
    *ret_number *= factor;
    return SOMA_OK;
}

static enum soma_code parse_mode(const char *value, int64_t *ret_number, struct soma_error *err)
{
    char *end;
    errno = 0;
    long mode = strtol(value, &end, 8);
    if (!*value || *end || errno)
        return refuse(err, "an octal file mode is needed, as 0600");
    *ret_number = mode;
    return SOMA_OK;
}

static enum soma_code parse_level(const char *value, int64_t *ret_number, struct soma_error *err)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
        if (strcmp(level_names[i], value) == 0) {
            *ret_number = (int64_t)i;
            return SOMA_OK;
        }
    }
    return refuse(err, "one of error, warning, info, debug");
}

static void list_clear(struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    list->count = 0;
}

// Items between ';', without the spaces around them; empty ones are left out.
static enum soma_code parse_list(const char *value, bool first, struct config_list *list,
                                 struct soma_error *err)
{
    if (first)
        list_clear(list);
    while (*value) {
        size_t length = strcspn(value, ";");
        const char *next = value[length] ? value + length + 1 : value + length;
        while (length > 0 && *value == ' ') {
            value++;
            length--;
        }
        while (length > 0 && value[length - 1] == ' ')
            length--;
        if (length > 0) {
            if (list->count == CONFIG_LIST_MAX)
                return refuse(err, "too many items");
            char *item = strndup(value, length);
            if (!item)
                return error_set_no_memory(err);
            list->items[list->count++] = item;
        }
        value = next;
    }
    return SOMA_OK;
}

static enum soma_code parse_text(const char *value, char **text, struct soma_error *err)
{
    char *copy = strdup(value);
    if (!copy)
        return error_set_no_memory(err);
    free(*text);
    *text = copy;
    return SOMA_OK;
}

enum soma_code key_parse(const struct key_row *row, const char *value, bool first,
                         struct config *config, struct soma_error *err)
{
    static enum soma_code (*const numeric[])(const char *, int64_t *, struct soma_error *) = {
        [KEY_NUMBER] = parse_number,
        [KEY_SIZE] = parse_size,
        [KEY_MODE] = parse_mode,
        [KEY_LEVEL] = parse_level,
    };
    void *field = (char *)config + row->offset;
    if (row->kind == KEY_LIST)
        return parse_list(value, first, field, err);
    if (row->kind == KEY_TEXT)
        return parse_text(value, field, err);
    int64_t number;
    enum soma_code code = numeric[row->kind](value, &number, err);
    if (code == SOMA_OK)
        code = check_range(row, number, err);
    if (code == SOMA_OK)
        *(int64_t *)field = number;
    return code;
}

void key_print(FILE *out, const struct key_row *row, const struct config *config)
{
    const void *field = (const char *)config + row->offset;
    const struct config_list *list = field;
    const char *text = row->kind == KEY_TEXT ? *(char *const *)field : NULL;
    if (row->kind == KEY_LIST) {
        for (size_t i = 0; i < list->count; i++)
            fprintf(out, "%s%s", i ? ";" : "", list->items[i]);
    } else if (row->kind == KEY_TEXT) {
        fputs(text ? text : "", out);
    } else if (row->kind == KEY_LEVEL) {
        fputs(level_names[*(const int64_t *)field], out);
    } else {
        fprintf(out, row->kind == KEY_MODE ? "0%" PRIo64 : "%" PRId64, *(const int64_t *)field);
    }
}

void key_clear(const struct key_row *row, struct config *config)
{
    void *field = (char *)config + row->offset;
    if (row->kind == KEY_LIST)
        list_clear(field);
    if (row->kind == KEY_TEXT) {
        free(*(char **)field);
        *(char **)field = NULL;
    }
}

// Levenshtein's distance of two short texts, by the two-row method of Wagner and Fischer (1974).
static size_t distance(const char *a, const char *b)
{
    enum {
        LENGTH_MAX = 40
    };
    size_t row[LENGTH_MAX + 1];
    size_t length = strlen(b);
    if (length > LENGTH_MAX || strlen(a) > LENGTH_MAX)
        return LENGTH_MAX;
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            size_t step = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < step ? change : step;
        }
    }
    return row[length];
}

const char *key_nearest(const char *name)
{
    const char *nearest = NULL;
    size_t least = 3;
    for (const struct key_row *row = key_table; row->name; row++) {
        size_t edits = distance(name, row->name);
        if (edits < least) {
            least = edits;
            nearest = row->name;
        }
    }
    return nearest;
}
