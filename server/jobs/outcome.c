#include "jobs/outcome.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fields.h"
#include "base/text.h"

enum value_kind {
    VALUE_INT32,
    VALUE_INT64,
};

static const struct {
    const char *key;
    enum value_kind kind;
    bool is_resource;
    size_t offset;
} numbers[] = {
    {"exit_code", VALUE_INT32, false, offsetof(struct job_outcome, exit_code)},
    {"signal", VALUE_INT32, false, offsetof(struct job_outcome, signal)},
    {"started_unix_ms", VALUE_INT64, false, offsetof(struct job_outcome, started)},
    {"finished_unix_ms", VALUE_INT64, false, offsetof(struct job_outcome, finished)},
    {"wall_ms", VALUE_INT64, true, offsetof(struct job_outcome, resources.wall_time_ms)},
    {"user_ms", VALUE_INT64, true, offsetof(struct job_outcome, resources.user_time_ms)},
    {"system_ms", VALUE_INT64, true, offsetof(struct job_outcome, resources.system_time_ms)},
    {"peak_bytes", VALUE_INT64, true, offsetof(struct job_outcome, resources.peak_memory_bytes)},
    {"disk_bytes", VALUE_INT64, true, offsetof(struct job_outcome, resources.disk_bytes)},
    {"asked_count", VALUE_INT64, false, offsetof(struct job_outcome, asked_count)},
    {"killed_count", VALUE_INT64, false, offsetof(struct job_outcome, killed_count)},
    {"stdout_kept", VALUE_INT64, false, offsetof(struct job_outcome, stdout_size.kept_bytes)},
    {"stdout_dropped", VALUE_INT64, false, offsetof(struct job_outcome, stdout_size.dropped_bytes)},
    {"stderr_kept", VALUE_INT64, false, offsetof(struct job_outcome, stderr_size.kept_bytes)},
    {"stderr_dropped", VALUE_INT64, false, offsetof(struct job_outcome, stderr_size.dropped_bytes)},
    {"artifact_count", VALUE_INT64, false, offsetof(struct job_outcome, artifacts.file_count)},
    {"artifact_bytes", VALUE_INT64, false, offsetof(struct job_outcome, artifacts.total_bytes)},
    {"artifact_left_out", VALUE_INT64, false,
     offsetof(struct job_outcome, artifacts.left_out_count)},
};

static const struct {
    const char *word;
    enum job_reason reason;
} reasons[] = {
    {"exited", JOB_REASON_EXITED},
    {"signaled", JOB_REASON_SIGNALED},
    {"wall_timeout", JOB_REASON_WALL_TIMEOUT},
    {"cancelled", JOB_REASON_CANCELLED},
    {"start_failed", JOB_REASON_START_FAILED},
    {"cpu_limit", JOB_REASON_CPU_LIMIT},
    {"memory_limit", JOB_REASON_MEMORY_LIMIT},
    {"disk_limit", JOB_REASON_DISK_LIMIT},
    {"output_limit", JOB_REASON_OUTPUT_LIMIT},
};

static bool read_reason(struct job_outcome *outcome, const struct field *field)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (strlen(reasons[i].word) == field->length &&
            memcmp(reasons[i].word, field->bytes, field->length) == 0) {
            outcome->reason = reasons[i].reason;
            return true;
        }
    }
    return false;
}

static bool read_number(struct job_outcome *outcome, const struct field *field)
{
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (!field_is(field, numbers[i].key))
            continue;
        int64_t value;
        if (!field_to_int(field, &value) || value < 0)
            return false;
        char *at = (char *)outcome + numbers[i].offset;
        if (numbers[i].kind == VALUE_INT64)
            memcpy(at, &value, sizeof value);
        else if (value <= INT32_MAX)
            *(int32_t *)at = (int32_t)value;
        outcome->has_resources |= numbers[i].is_resource;
        return true;
    }
    return true; // of a newer version
}

bool progress_read(const char *bytes, size_t length, double *ret_percent, char *ret_message)
{
    char number[32];
    const char *space = memchr(bytes, ' ', length);
    size_t digits = space ? (size_t)(space - bytes) : length;
    if (digits == 0 || digits >= sizeof number)
        return false;
    memcpy(number, bytes, digits);
    number[digits] = '\0';
    char *end;
    double percent = strtod(number, &end);
    if (*end || !(percent >= 0 && percent <= 100))
        return false;
    *ret_percent = percent;
    const char *text = space ? space + 1 : bytes + length;
    outcome_clean_text(ret_message, JOB_NOTE_BYTES + 1, text, (size_t)(bytes + length - text));
    return true;
}

void isolation_take(char ret_text[JOB_ISOLATION_BYTES + 1], const char *bytes, size_t length)
{
    // Only whole lines of what a runner says; text that is none is left out.
    size_t used = 0;
    while (length > 0 && used < JOB_ISOLATION_BYTES) {
        const char *end = memchr(bytes, '\n', length);
        size_t line = end ? (size_t)(end - bytes) + 1 : length;
        bool is_fine = end && (bytes[0] == '+' || bytes[0] == '-') && text_is_utf8(bytes, line) &&
                       memchr(bytes, ' ', line) && used + line <= JOB_ISOLATION_BYTES;
        if (is_fine) {
            memcpy(ret_text + used, bytes, line);
            used += line;
        }
        bytes += line;
        length -= line;
    }
    ret_text[used] = '\0';
}

enum soma_code outcome_read(const char *bytes, size_t length, struct job_outcome *ret_outcome,
                            struct soma_error *err)
{
    struct fields_reader reader;
    enum soma_code code = fields_open(&reader, bytes, length, err);
    if (code != SOMA_OK)
        return code;
    struct job_outcome outcome = {0};
    struct field field;
    while (fields_next(&reader, &field)) {
        bool fine = true;
        if (field_is(&field, "reason"))
            fine = read_reason(&outcome, &field);
        else if (field_is(&field, "message"))
            outcome_clean_text(outcome.message, sizeof outcome.message, field.bytes, field.length);
        else if (field_is(&field, "isolation"))
            isolation_take(outcome.isolation, field.bytes, field.length);
        else if (field_is(&field, "progress"))
            outcome.has_progress = progress_read(
                field.bytes, field.length, &outcome.progress_percent, outcome.progress_message);
        else
            fine = read_number(&outcome, &field);
        if (!fine)
            return error_set(err, REASON_DATA_DAMAGED, NULL, "the status has a bad field %s",
                             field.key);
    }
    if (outcome.reason == JOB_REASON_NONE)
        return error_set(err, REASON_DATA_DAMAGED, NULL, "the status says no reason");
    *ret_outcome = outcome;
    return SOMA_OK;
}

void outcome_state(struct job_outcome *outcome, enum job_reason reason, const char *format, ...)
{
    char text[JOB_MESSAGE_BYTES + 1];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    *outcome = (struct job_outcome){.reason = reason};
    outcome_clean_text(outcome->message, sizeof outcome->message, text, strlen(text));
}

// Bytes of the valid UTF-8 character at the start; 0: there is none.
static size_t character_length(const char *bytes, size_t length)
{
    for (size_t size = 1; size <= 4 && size <= length; size++) {
        if (text_is_utf8(bytes, size))
            return size;
    }
    return 0;
}

void outcome_clean_text(char *ret_text, size_t size, const char *bytes, size_t length)
{
    size_t used = 0;
    for (size_t at = 0; at < length;) {
        size_t step = character_length(bytes + at, length - at);
        if (used + (step > 0 ? step : 1) >= size)
            break;
        if (step > 1) {
            memcpy(ret_text + used, bytes + at, step);
            used += step;
        } else {
            unsigned char byte = (unsigned char)bytes[at];
            ret_text[used++] = step == 0 ? '?' : byte < 0x20 || byte == 0x7f ? ' ' : (char)byte;
        }
        at += step > 0 ? step : 1;
    }
    ret_text[used] = '\0';
}
