#include "cli/values.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/error.h"
#include "cli/units.h"

int value_integer(const struct cli *cli, const struct options *options, const char *name,
                  int64_t min, int64_t max, int64_t *ret_value)
{
    const char *text = options_value(options, name);
    if (!text || parse_integer(text, min, max, ret_value))
        return STATUS_OK;
    return report_usage(cli, NULL,
                        "option --%s: '%s' is no whole number from %" PRId64 " to %" PRId64, name,
                        text, min, max);
}

int value_number(const struct cli *cli, const struct options *options, const char *name,
                 double *ret_value)
{
    const char *text = options_value(options, name);
    if (!text || parse_number(text, ret_value))
        return STATUS_OK;
    return report_usage(cli, NULL, "option --%s: '%s' is no number", name, text);
}

int value_duration(const struct cli *cli, const struct options *options, const char *name,
                   int64_t *ret_ms)
{
    const char *text = options_value(options, name);
    if (!text || parse_duration(text, ret_ms))
        return STATUS_OK;
    return report_usage(cli, "write 500ms, 90s, 10m, 24h or 7d", "option --%s: '%s' is no duration",
                        name, text);
}

int value_size(const struct cli *cli, const struct options *options, const char *name,
               int64_t *ret_bytes)
{
    const char *text = options_value(options, name);
    if (!text || parse_size(text, ret_bytes))
        return STATUS_OK;
    return report_usage(cli, "write 64K, 64M or 1G", "option --%s: '%s' is no size", name, text);
}

int value_time(const struct cli *cli, const struct options *options, const char *name,
               int64_t *ret_unix_ms)
{
    const char *text = options_value(options, name);
    if (!text || parse_time(text, ret_unix_ms))
        return STATUS_OK;
    return report_usage(cli, "write it as 2025-03-01T09:30:00Z", "option --%s: '%s' is no time",
                        name, text);
}

int value_pairs(const struct cli *cli, const struct options *options, const char *name,
                struct pool *pool, const struct soma_pair **ret_pairs, size_t *ret_count)
{
    size_t count = options_count(options, name), place = 0, at = 0;
    struct soma_pair *pairs = pool_array(pool, count, sizeof *pairs);
    const char *text;
    if (!pairs)
        return report_out_of_memory(cli);
    while ((text = options_next(options, name, &place))) {
        const char *equals = strchr(text, '=');
        if (!equals || equals == text)
            return report_usage(cli, NULL, "option --%s: '%s' is not of the form KEY=VALUE", name,
                                text);
        pairs[at].key = pool_text(pool, text, (size_t)(equals - text));
        pairs[at].value = equals + 1;
        if (!pairs[at++].key)
            return report_out_of_memory(cli);
    }
    *ret_pairs = pairs;
    *ret_count = count;
    return STATUS_OK;
}

int value_texts(const struct cli *cli, const struct options *options, const char *name,
                struct pool *pool, const char *const **ret_texts, size_t *ret_count)
{
    size_t count = options_count(options, name), place = 0;
    const char **texts = pool_array(pool, count, sizeof *texts);
    if (!texts)
        return report_out_of_memory(cli);
    for (size_t i = 0; i < count; i++)
        texts[i] = options_next(options, name, &place);
    *ret_texts = texts;
    *ret_count = count;
    return STATUS_OK;
}

// The states of all --state options, each a name or names with commas.
static int value_states(const struct cli *cli, const struct options *options, struct pool *pool,
                        struct soma_job_filter *filter)
{
    size_t place = 0, room = 0;
    const char *text;
    while ((text = options_next(options, "state", &place)))
        room += strlen(text) + 1;
    enum soma_job_state *states = pool_array(pool, room, sizeof *states);
    if (!states)
        return report_out_of_memory(cli);
    place = 0;
    while ((text = options_next(options, "state", &place))) {
        for (const char *at = text;; at++) {
            char word[32];
            size_t length = strcspn(at, ",");
            snprintf(word, sizeof word, "%.*s", (int)(length < 31 ? length : 31), at);
            if (!soma_job_state_from_name(word, &states[filter->state_count]))
                return report_usage(
                    cli, "states: queued running succeeded failed cancelled timed_out lost",
                    "option --state: '%s' is no state", word);
            filter->state_count++;
            at += length;
            if (!*at)
                break;
        }
    }
    filter->states = states;
    return STATUS_OK;
}

int value_filter(const struct cli *cli, const struct options *options, struct pool *pool,
                 struct soma_job_filter *ret_filter)
{
    struct soma_job_filter filter = {.queue = options_value(options, "queue"),
                                     .parent_id = options_value(options, "parent")};
    int status = value_states(cli, options, pool, &filter);
    if (status == STATUS_OK)
        status = value_pairs(cli, options, "label", pool, &filter.labels, &filter.label_count);
    if (status == STATUS_OK)
        *ret_filter = filter;
    return status;
}

static int unknown_name(const struct cli *cli, const char *option, const char *word, size_t length,
                        const char *const *names, size_t name_count)
{
    char hint[160];
    int used = snprintf(hint, sizeof hint, "write one or more of ");
    for (size_t i = 0; i < name_count && (size_t)used < sizeof hint; i++)
        used += snprintf(hint + used, sizeof hint - (size_t)used, "%s%s", i ? "," : "", names[i]);
    return report_usage(cli, hint, "option --%s: '%.*s' is not known", option, (int)length, word);
}

int value_set(const struct cli *cli, const struct options *options, const char *name,
              const char *const *names, size_t name_count, unsigned *ret_set)
{
    const char *text = options_value(options, name);
    unsigned set = 0;
    for (const char *at = text; at && *at;) {
        size_t length = strcspn(at, ","), i = 0;
        while (i < name_count && (strlen(names[i]) != length || memcmp(names[i], at, length) != 0))
            i++;
        if (i == name_count)
            return unknown_name(cli, name, at, length, names, name_count);
        set |= 1u << i;
        at += length + (at[length] == ',');
    }
    if (text)
        *ret_set = set;
    return STATUS_OK;
}

static int read_all(const struct cli *cli, int fd, const char *name, size_t max_bytes,
                    const char *hint, struct pool *pool, const char **ret_bytes, size_t *ret_length)
{
    size_t length = 0, room = 64 * 1024;
    char *bytes = pool_alloc(pool, room + 1);
    while (bytes) {
        ssize_t count = read(fd, bytes + length, room - length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return report_failure(cli, STATUS_FAILED, NULL, "cannot read %s: %s", name,
                                  strerror(errno));
        if (count == 0) {
            *ret_bytes = bytes;
            *ret_length = length;
            return STATUS_OK;
        }
        length += (size_t)count;
        if (length > max_bytes)
            return report_failure(cli, STATUS_USAGE, hint, "cannot take %s: more than %zu bytes",
                                  name, max_bytes);
        if (length == room) {
            char *larger = pool_alloc(pool, room * 2 + 1);
            if (larger)
                memcpy(larger, bytes, length);
            bytes = larger;
            room *= 2;
        }
    }
    return report_out_of_memory(cli);
}

int read_file(const struct cli *cli, const char *path, size_t max_bytes, const char *hint,
              struct pool *pool, const char **ret_bytes, size_t *ret_length)
{
    if (strcmp(path, "-") == 0)
        return read_all(cli, STDIN_FILENO, "stdin", max_bytes, hint, pool, ret_bytes, ret_length);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return report_failure(cli, STATUS_FAILED, NULL, "cannot read %s: %s", path,
                              strerror(errno));
    int status = read_all(cli, fd, path, max_bytes, hint, pool, ret_bytes, ret_length);
    close(fd);
    return status;
}
