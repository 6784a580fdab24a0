#include "cli/units.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}, {"d", 24 * 3600 * 1000},
};

static const struct unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"K", INT64_C(1) << 10},
    {"KB", INT64_C(1) << 10},
    {"KiB", INT64_C(1) << 10},
    {"M", INT64_C(1) << 20},
    {"MB", INT64_C(1) << 20},
    {"MiB", INT64_C(1) << 20},
    {"G", INT64_C(1) << 30},
    {"GB", INT64_C(1) << 30},
    {"GiB", INT64_C(1) << 30},
    {"T", INT64_C(1) << 40},
    {"TB", INT64_C(1) << 40},
    {"TiB", INT64_C(1) << 40},
};

#define COUNT_OF(table) (sizeof(table) / sizeof *(table))

// The factor of the unit that text begins with, as letters up to the next digit or the end; 0:
// there is none.
static int64_t unit_factor(const struct unit *units, size_t count, const char *text,
                           size_t *ret_length)
{
    size_t length = 0;
    while (isalpha((unsigned char)text[length]))
        length++;
    for (size_t i = 0; i < count; i++) {
        if (strlen(units[i].name) == length && strncasecmp(units[i].name, text, length) == 0) {
            *ret_length = length;
            return units[i].factor;
        }
    }
    return 0;
}

// A decimal number such as "12" or "1.5" at the start of text, in units of 1/1000.
static bool parse_thousandths(const char *text, int64_t *ret_value, size_t *ret_length)
{
    int64_t value = 0;
    size_t at = 0;
    for (; isdigit((unsigned char)text[at]); at++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text[at] - '0', &value))
            return false;
    }
    if (at == 0 || __builtin_mul_overflow(value, 1000, &value))
        return false;
    if (text[at] == '.') {
        int64_t worth = 100;
        size_t point = at++;
        for (; isdigit((unsigned char)text[at]); at++, worth /= 10) {
            if (__builtin_add_overflow(value, worth * (text[at] - '0'), &value))
                return false;
        }
        if (at == point + 1)
            return false;
    }
    *ret_value = value;
    *ret_length = at;
    return true;
}

// One number with its unit; its size in whole units of 1, rounded down.
static bool parse_part(const struct unit *units, size_t count, const char *text, int64_t *ret_value,
                       size_t *ret_length)
{
    int64_t thousandths, factor;
    size_t digits, letters;
    if (!parse_thousandths(text, &thousandths, &digits))
        return false;
    factor = unit_factor(units, count, text + digits, &letters);
    if (factor == 0)
        return false;
    int64_t whole = thousandths / 1000, rest = thousandths % 1000;
    if (__builtin_mul_overflow(whole, factor, &whole) ||
        __builtin_add_overflow(whole, rest * (factor / 1000) + rest * (factor % 1000) / 1000,
                               &whole))
        return false;
    *ret_value = whole;
    *ret_length = digits + letters;
    return true;
}

bool parse_duration(const char *text, int64_t *ret_ms)
{
    int64_t total = 0, thousandths;
    size_t length;
    if (parse_thousandths(text, &thousandths, &length) && text[length] == '\0') {
        *ret_ms = thousandths;
        return true;
    }
    for (const char *at = text; *at || at == text; at += length) {
        int64_t part;
        if (!parse_part(duration_units, COUNT_OF(duration_units), at, &part, &length) ||
            __builtin_add_overflow(total, part, &total))
            return false;
    }
    *ret_ms = total;
    return true;
}

bool parse_size(const char *text, int64_t *ret_bytes)
{
    int64_t bytes;
    size_t length;
    if (!parse_part(size_units, COUNT_OF(size_units), text, &bytes, &length) || text[length])
        return false;
    *ret_bytes = bytes;
    return true;
}

// The number in so many digits, which are known to be digits.
static int digits_value(const char *digits, size_t count)
{
    int value = 0;
    for (size_t i = 0; i < count; i++)
        value = value * 10 + (digits[i] - '0');
    return value;
}

static bool digits_fit(const char *text, const char *pattern)
{
    for (; *pattern; text++, pattern++) {
        if (*pattern == '0' ? !isdigit((unsigned char)*text)
                            : toupper((unsigned char)*text) != *pattern)
            return false;
    }
    return true;
}

// "Z" or "+hh:mm" as seconds east of Greenwich.
static bool parse_zone(const char *text, long *ret_seconds)
{
    if ((*text == 'Z' || *text == 'z') && !text[1]) {
        *ret_seconds = 0;
        return true;
    }
    if ((*text != '+' && *text != '-') || !digits_fit(text + 1, "00:00") || text[6])
        return false;
    int hours = digits_value(text + 1, 2), minutes = digits_value(text + 4, 2);
    if (hours > 23 || minutes > 59)
        return false;
    *ret_seconds = (*text == '-' ? -1 : 1) * (hours * 3600L + minutes * 60L);
    return true;
}

bool parse_time(const char *text, int64_t *ret_unix_ms)
{
    struct tm tm = {0};
    if (!digits_fit(text, "0000-00-00T00:00:00"))
        return false;
    tm.tm_year = digits_value(text, 4) - 1900;
    tm.tm_mon = digits_value(text + 5, 2) - 1;
    tm.tm_mday = digits_value(text + 8, 2);
    tm.tm_hour = digits_value(text + 11, 2);
    tm.tm_min = digits_value(text + 14, 2);
    tm.tm_sec = digits_value(text + 17, 2);
    struct tm asked = tm;
    time_t seconds = timegm(&tm);
    // timegm turns the 31st of April into the 1st of May; that is no date.
    if (tm.tm_mon != asked.tm_mon || tm.tm_mday != asked.tm_mday || tm.tm_hour != asked.tm_hour ||
        tm.tm_min != asked.tm_min || tm.tm_sec != asked.tm_sec)
        return false;
    int64_t ms = 0;
    const char *rest = text + 19;
    if (*rest == '.') {
        int64_t worth = 100;
        const char *point = rest++;
        for (; isdigit((unsigned char)*rest); rest++, worth /= 10)
            ms += worth * (*rest - '0');
        if (rest == point + 1)
            return false;
    }
    long zone;
    if (!parse_zone(rest, &zone))
        return false;
    *ret_unix_ms = ((int64_t)seconds - zone) * 1000 + ms;
    return true;
}

bool parse_integer(const char *text, int64_t min, int64_t max, int64_t *ret_value)
{
    const char *digits = text + (*text == '-');
    if (!isdigit((unsigned char)*digits))
        return false;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || *end || value < min || value > max)
        return false;
    *ret_value = value;
    return true;
}

bool parse_number(const char *text, double *ret_value)
{
    if (!*text || strspn(text, "0123456789+-.eE") != strlen(text))
        return false;
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value))
        return false;
    *ret_value = value;
    return true;
}

const char *format_age(char text[UNITS_TEXT_SIZE], int64_t ms)
{
    if (ms < 0)
        ms = 0;
    int64_t seconds = ms / 1000;
    if (ms < 10 * 1000)
        snprintf(text, UNITS_TEXT_SIZE, "%d.%ds", (int)seconds, (int)(ms % 1000 / 100));
    else if (seconds < 120)
        snprintf(text, UNITS_TEXT_SIZE, "%ds", (int)seconds);
    else if (seconds < 120 * 60)
        snprintf(text, UNITS_TEXT_SIZE, "%dm", (int)(seconds / 60));
    else if (seconds < 48 * 3600)
        snprintf(text, UNITS_TEXT_SIZE, "%dh", (int)(seconds / 3600));
    else
        snprintf(text, UNITS_TEXT_SIZE, "%lldd", (long long)(seconds / 86400));
    return text;
}

const char *format_duration(char text[UNITS_TEXT_SIZE], int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t used = (size_t)snprintf(text, UNITS_TEXT_SIZE, "%s", ms > 0 ? "" : "0s");
    // One day is 24 hours to most people.
    for (size_t i = ms<2 * units[0].ms; ms> 0 && i < sizeof units / sizeof units[0]; i++) {
        if (ms >= units[i].ms && used < UNITS_TEXT_SIZE)
            used += (size_t)snprintf(text + used, UNITS_TEXT_SIZE - used, "%lld%s",
                                     (long long)(ms / units[i].ms), units[i].name);
        ms %= units[i].ms;
    }
    return text;
}

const char *format_clock(char text[UNITS_TEXT_SIZE], int64_t ms)
{
    long long seconds = ms < 0 ? 0 : ms / 1000;
    if (seconds < 3600)
        snprintf(text, UNITS_TEXT_SIZE, "%lld:%02lld", seconds / 60, seconds % 60);
    else
        snprintf(text, UNITS_TEXT_SIZE, "%lld:%02lld:%02lld", seconds / 3600, seconds / 60 % 60,
                 seconds % 60);
    return text;
}

const char *format_size(char text[UNITS_TEXT_SIZE], int64_t bytes)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1023.95 && unit + 1 < COUNT_OF(names)) {
        value /= 1024;
        unit++;
    }
    snprintf(text, UNITS_TEXT_SIZE, unit ? "%.1f %s" : "%.0f %s", value, names[unit]);
    return text;
}

const char *format_time(char text[UNITS_TEXT_SIZE], int64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm;
    if (unix_ms <= 0 || !gmtime_r(&seconds, &tm)) {
        snprintf(text, UNITS_TEXT_SIZE, "-");
        return text;
    }
    size_t length = strftime(text, UNITS_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + length, UNITS_TEXT_SIZE - length, ".%03dZ", (int)(unix_ms % 1000));
    return text;
}

const char *format_double(char text[UNITS_TEXT_SIZE], double value)
{
    snprintf(text, UNITS_TEXT_SIZE, "null");
    for (int digits = 15; isfinite(value) && digits <= 17; digits++) {
        snprintf(text, UNITS_TEXT_SIZE, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return text;
}

const char *format_float(char text[UNITS_TEXT_SIZE], float value)
{
    snprintf(text, UNITS_TEXT_SIZE, "null");
    for (int digits = 6; isfinite(value) && digits <= 9; digits++) {
        snprintf(text, UNITS_TEXT_SIZE, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    return text;
}
