#include "services/validate.h"

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

enum soma_code check_range(int64_t value, int64_t min, int64_t max, const char *field,
                           struct soma_error *err)
{
    if (value < min || value > max)
        return error_set(err, REASON_FIELD_OUT_OF_RANGE, field,
                         "%s is %lld, allowed are %lld to %lld", field, (long long)value,
                         (long long)min, (long long)max);
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
