// Durations, sizes, times and numbers, as people write and read them.
//
// Every parser takes the whole text or nothing, and leaves its result alone when it fails.
#ifndef CLI_UNITS_H
#define CLI_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// "500ms", "90s", "10m", "24h", "7d", and such parts after each other ("1h30m"); a bare number is
// seconds. Not negative.
bool parse_duration(const char *text, int64_t *ret_ms);

// "1000", "64K", "64M", "1G", "2T", by 1 024, also "64MiB" and "64MB".
bool parse_size(const char *text, int64_t *ret_bytes);

// RFC 3339: "2025-03-01T09:30:00Z", with a fraction or an offset ("+02:00") too.
bool parse_time(const char *text, int64_t *ret_unix_ms);

bool parse_integer(const char *text, int64_t min, int64_t max, int64_t *ret_value);
// A finite decimal number.
bool parse_number(const char *text, double *ret_value);

enum {
    UNITS_TEXT_SIZE = 32
};

// "0.4s", "42s", "5m", "3h", "4d": for the age of something.
const char *format_age(char text[UNITS_TEXT_SIZE], int64_t ms);
// "500ms", "90m", "1h30m", "7d": for what was asked for; parse_duration reads the same from it.
const char *format_duration(char text[UNITS_TEXT_SIZE], int64_t ms);
// "0:07", "12:34", "1:02:03": for a clock that runs.
const char *format_clock(char text[UNITS_TEXT_SIZE], int64_t ms);
// "512 B", "1.5 MiB".
const char *format_size(char text[UNITS_TEXT_SIZE], int64_t bytes);
// RFC 3339 in UTC, to the millisecond; "-" for 0.
const char *format_time(char text[UNITS_TEXT_SIZE], int64_t unix_ms);
// The shortest form that reads back as the same value; "null" where it is not finite.
const char *format_double(char text[UNITS_TEXT_SIZE], double value);
const char *format_float(char text[UNITS_TEXT_SIZE], float value);

#endif
