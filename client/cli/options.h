// Reads a command line by tables of options.
//
// Long options as --name value or --name=value, short ones as -n value, -nvalue, and flags together
// (-qa); "--" ends the options; a lone "-" is an operand. An option's last value counts, unless
// the option repeats.
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct option {
    // Without dashes.
    const char *name;
    // 0: none.
    char letter;
    // What help calls its value; NULL: a flag.
    const char *value;
    const char *summary;
    bool repeats;
};

struct option_given {
    const struct option *option;
    const char *value;
};

// Texts are those of argv.
struct options {
    struct option_given *given;
    size_t given_count;
    const char **operands;
    size_t operand_count;
    // Operands that stood before "--"; operand_count where there was none.
    size_t before_dashes;
    bool has_dashes;
};

struct options_error {
    char text[256];
    // Empty: none.
    char hint[256];
};

// False: out of memory. room is the number of words that will be parsed at most.
bool options_init(struct options *options, size_t room);
void options_fini(struct options *options);

// Parses words by the tables (each may be NULL) and adds to options. With stop_at_operand it ends
// before the first operand. ret_used: the words that were read.
bool options_parse(struct options *options, const struct option *const *tables, size_t table_count,
                   char *const *words, size_t word_count, bool stop_at_operand, size_t *ret_used,
                   struct options_error *err);

// The last value of the option; "" for a flag; NULL where it was not given.
const char *options_value(const struct options *options, const char *name);
bool options_has(const struct options *options, const char *name);
// Values of an option that repeats: the one after *place, which begins with 0; NULL at the end.
const char *options_next(const struct options *options, const char *name, size_t *place);
size_t options_count(const struct options *options, const char *name);

// Whether a is so near to b that b may have been meant.
bool words_are_near(const char *a, const char *b);

#endif
