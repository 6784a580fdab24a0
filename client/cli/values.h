// Values of options, checked. Each function leaves its result alone where the option was not
// given, and returns exit status 0 or that of what it reported.
#ifndef CLI_VALUES_H
#define CLI_VALUES_H

#include "cli/cli.h"
#include "cli/pool.h"

int value_integer(const struct cli *cli, const struct options *options, const char *name,
                  int64_t min, int64_t max, int64_t *ret_value);
int value_number(const struct cli *cli, const struct options *options, const char *name,
                 double *ret_value);
int value_duration(const struct cli *cli, const struct options *options, const char *name,
                   int64_t *ret_ms);
int value_size(const struct cli *cli, const struct options *options, const char *name,
               int64_t *ret_bytes);
int value_time(const struct cli *cli, const struct options *options, const char *name,
               int64_t *ret_unix_ms);

// KEY=VALUE, any number of times. Memory of the pool.
int value_pairs(const struct cli *cli, const struct options *options, const char *name,
                struct pool *pool, const struct soma_pair **ret_pairs, size_t *ret_count);

// Any number of times. Memory of the pool.
int value_texts(const struct cli *cli, const struct options *options, const char *name,
                struct pool *pool, const char *const **ret_texts, size_t *ret_count);

// The options --state, --queue and --label as a filter. Memory of the pool.
int value_filter(const struct cli *cli, const struct options *options, struct pool *pool,
                 struct soma_job_filter *ret_filter);

// Words of a list "a,b", each one of names; a bit of ret_set for each.
int value_set(const struct cli *cli, const struct options *options, const char *name,
              const char *const *names, size_t name_count, unsigned *ret_set);

// A file whole, "-" is stdin; at most max_bytes, and hint (or NULL) tells where more goes. Memory
// of the pool; a NUL follows the bytes.
int read_file(const struct cli *cli, const char *path, size_t max_bytes, const char *hint,
              struct pool *pool, const char **ret_bytes, size_t *ret_length);

#endif
