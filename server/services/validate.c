#include "services/validate.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum soma_code check_given(const char *text, const char *field, struct soma_error *err)
{
    if (text[0] == '\0')
        return error_set(err, REASON_FIELD_REQUIRED, field, "%s is required", field);
    return SOMA_OK;
}

enum soma_code check_length(size_t length, int64_t max, const char *field, struct soma_error *err)
{
    if (length > (uint64_t)max)
        return error_set(err, REASON_FIELD_TOO_LONG, field,
                         "%s has %zu bytes or entries, at most %lld", field, length,
                         (long long)max);
    return SOMA_OK;
}

enum soma_code check_word(const char *text, int64_t max, const char *allowed, const char *field,
                          struct soma_error *err)
{
    enum soma_code code = check_length(strlen(text), max, field, err);
    if (code == SOMA_OK && !text_is_of(text, allowed))
        code = error_set(err, REASON_FIELD_INVALID, field, "%s holds a character outside of [%s]",
                         field, allowed);
    return code;
}

// "604800000 (7d)": what a field's unit, which ends its name, makes of a large number.
static const char *number_text(char room[48], int64_t value, const char *field)
{
    static const struct {
        const char *ending;
        int64_t unit;
        const char *name;
    } rows[] = {
        {"_ms", 86400000, "d"},
        {"_ms", 3600000, "h"},
        {"_ms", 60000, "m"},
        {"_ms", 1000, "s"},
        {"_bytes", INT64_C(1) << 40, "T"},
        {"_bytes", 1 << 30, "G"},
        {"_bytes", 1 << 20, "M"},
        {"_bytes", 1 << 10, "K"},
    };
    size_t length = strlen(field);
    int used = snprintf(room, 48, "%lld", (long long)value);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t ending = strlen(rows[i].ending);
        if (length > ending && strcmp(field + length - ending, rows[i].ending) == 0 &&
            value >= rows[i].unit && value % rows[i].unit == 0) {
            snprintf(room + used, 48 - (size_t)used, " (%lld%s)", (long long)(value / rows[i].unit),
                     rows[i].name);
            break;
        }
    }
    return room;
}

enum soma_code check_range(int64_t value, int64_t min, int64_t max, const char *field,
                           struct soma_error *err)
{
    char given[48], least[48], most[48];
    if (value < min || value > max)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, field, "%s is %s, allowed are %s to %s",
                         field, number_text(given, value, field), number_text(least, min, field),
                         number_text(most, max, field));
    return SOMA_OK;
}

enum soma_code check_none_or_default(int64_t value, int64_t max, int64_t fallback,
                                     const char *field, int64_t *ret_value, struct soma_error *err)
{
    enum soma_code code = check_range(value, -1, max, field, err);
    if (code == SOMA_OK)
        *ret_value = value > 0 ? value : value < 0 ? 0 : fallback;
    return code;
}

enum soma_code check_or_default(int64_t value, int64_t max, int64_t fallback, const char *field,
                                int64_t *ret_value, struct soma_error *err)
{
    enum soma_code code = check_range(value, 0, max, field, err);
    if (code == SOMA_OK)
        *ret_value = value > 0 ? value : fallback;
    return code;
}
