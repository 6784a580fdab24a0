// The file `log` of an attempt: in which order output came, and when. Written by the runner beside
// the output files, read by the server, also while it grows and after a crash.
//
// A header, then records. A header is log_magic and the time that the first record counts from
// (Unix milliseconds). A record is the milliseconds since the record before, and the number of
// bytes that came, with the top bit set where it was standard error. All numbers are little-endian.
// The bytes themselves are in the output files before their record is written. The last record may
// still grow. Half a record at the end is none. What the records do not cover came after all that
// they do.
#ifndef RUNNER_LOG_FORMAT_H
#define RUNNER_LOG_FORMAT_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    LOG_HEADER_BYTES = 16,
    LOG_RECORD_BYTES = 8,
    LOG_RECORDS_MAX = 1 << 20, // later output has no order but its streams'
    LOG_LENGTH_MAX = INT32_MAX
};

static const char log_magic[8] = {'S', 'O', 'M', 'A', 'L', 'O', 'G', '1'};

struct log_record {
    uint32_t delta_ms;
    uint32_t length;
    bool is_stderr;
};

static inline void log_header_write(char bytes[LOG_HEADER_BYTES], int64_t base_unix_ms)
{
    uint64_t base = htole64((uint64_t)base_unix_ms);
    memcpy(bytes, log_magic, sizeof log_magic);
    memcpy(bytes + 8, &base, sizeof base);
}

static inline bool log_header_read(const char bytes[LOG_HEADER_BYTES], int64_t *ret_base_unix_ms)
{
    uint64_t base;
    memcpy(&base, bytes + 8, sizeof base);
    *ret_base_unix_ms = (int64_t)le64toh(base);
    return memcmp(bytes, log_magic, sizeof log_magic) == 0;
}

static inline void log_record_write(char bytes[LOG_RECORD_BYTES], const struct log_record *record)
{
    uint32_t delta = htole32(record->delta_ms);
    uint32_t length = htole32(record->length | (record->is_stderr ? UINT32_C(1) << 31 : 0));
    memcpy(bytes, &delta, sizeof delta);
    memcpy(bytes + 4, &length, sizeof length);
}

static inline struct log_record log_record_read(const char bytes[LOG_RECORD_BYTES])
{
    uint32_t delta, length;
    memcpy(&delta, bytes, sizeof delta);
    memcpy(&length, bytes + 4, sizeof length);
    delta = le32toh(delta);
    length = le32toh(length);
    return (struct log_record){delta, length & INT32_MAX, length >> 31 != 0};
}

#endif
