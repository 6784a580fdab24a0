#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

const struct reason_row reason_table[REASON_COUNT] = {
#define REASON(name, code, meaning) [REASON_##name] = {#name, SOMA_##code, meaning},
#include "base/reasons.def"
#undef REASON
};

static const char *const code_names[] = {
    [SOMA_OK] = "OK",
    [SOMA_CANCELLED] = "CANCELLED",
    [SOMA_UNKNOWN] = "UNKNOWN",
    [SOMA_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
    [SOMA_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
    [SOMA_NOT_FOUND] = "NOT_FOUND",
    [SOMA_ALREADY_EXISTS] = "ALREADY_EXISTS",
    [SOMA_PERMISSION_DENIED] = "PERMISSION_DENIED",
    [SOMA_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
    [SOMA_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
    [SOMA_ABORTED] = "ABORTED",
    [SOMA_OUT_OF_RANGE] = "OUT_OF_RANGE",
    [SOMA_UNIMPLEMENTED] = "UNIMPLEMENTED",
    [SOMA_INTERNAL] = "INTERNAL",
    [SOMA_UNAVAILABLE] = "UNAVAILABLE",
    [SOMA_DATA_LOSS] = "DATA_LOSS",
    [SOMA_UNAUTHENTICATED] = "UNAUTHENTICATED",
};

enum {
    CODE_COUNT = sizeof code_names / sizeof code_names[0]
};

const char *code_name(enum soma_code code)
{
    return code_names[code_from_number((int)code)];
}

enum soma_code code_from_number(int number)
{
    if (number < 0 || number >= CODE_COUNT)
        return SOMA_UNKNOWN;
    return (enum soma_code)number;
}

static void set_head(struct soma_error *err, enum reason reason, const char *field)
{
    err->code = reason_table[reason].code;
    err->retry_after_ms = 0;
    snprintf(err->reason, sizeof err->reason, "%s", reason_table[reason].name);
    snprintf(err->field, sizeof err->field, "%s", field ? field : "");
}

enum soma_code error_set(struct soma_error *err, enum reason reason, const char *field,
                         const char *format, ...)
{
    if (!err)
        return reason_table[reason].code;
    set_head(err, reason, field);
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    text_repair(err->text);
    text_repair(err->field);
    return err->code;
}

static enum reason reason_of_errno(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
        return REASON_DISK_FULL;
    case ENOMEM:
        return REASON_OUT_OF_MEMORY;
    case EMFILE:
    case ENFILE:
        return REASON_FILES_EXHAUSTED;
    default:
        return REASON_IO_ERROR;
    }
}

enum soma_code error_set_errno(struct soma_error *err, int errnum, const char *format, ...)
{
    enum reason reason = reason_of_errno(errnum);
    if (!err)
        return reason_table[reason].code;
    set_head(err, reason, NULL);
    va_list args;
    va_start(args, format);
    int used = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    char system_text[96] = "";
    const char *text = strerror_r(errnum, system_text, sizeof system_text);
    if (used >= 0 && (size_t)used < sizeof err->text)
        snprintf(err->text + used, sizeof err->text - (size_t)used, ": %s", text);
    text_repair(err->text);
    return err->code;
}

enum soma_code error_set_no_memory(struct soma_error *err)
{
    return error_set(err, REASON_OUT_OF_MEMORY, NULL, "out of memory");
}

void error_prefix_field(struct soma_error *err, const char *prefix)
{
    if (!err)
        return;
    char joined[SOMA_FIELD_SIZE * 2];
    const char *dot = err->field[0] && err->field[0] != '[' ? "." : "";
    snprintf(joined, sizeof joined, "%s%s%s", prefix, dot, err->field);
    snprintf(err->field, sizeof err->field, "%.*s", SOMA_FIELD_SIZE - 1, joined);
}
