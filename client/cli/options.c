#include "cli/options.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// One walk over the words of a command line.
struct parser {
    struct options *options;
    const struct option *const *tables;
    size_t table_count;
    char *const *words;
    size_t word_count;
    size_t at;
    struct options_error *err;
};

bool options_init(struct options *options, size_t room)
{
    *options = (struct options){0};
    // One word can hold several short flags; their letters are bounded by the word's length, and
    // options_add makes room for them.
    options->operands = calloc(room + 1, sizeof *options->operands);
    options->given = calloc(room + 1, sizeof *options->given);
    if (options->operands && options->given)
        return true;
    options_fini(options);
    return false;
}

void options_fini(struct options *options)
{
    free(options->operands);
    free(options->given);
    *options = (struct options){0};
}

static bool options_add(struct parser *parser, const struct option *option, const char *value)
{
    struct options *options = parser->options;
    size_t bytes = (options->given_count + parser->word_count + 2) * sizeof *options->given;
    struct option_given *given = realloc(options->given, bytes);
    if (!given) {
        snprintf(parser->err->text, sizeof parser->err->text, "out of memory");
        return false;
    }
    options->given = given;
    options->given[options->given_count++] = (struct option_given){option, value};
    return true;
}

static const struct option *option_by_name(const struct parser *parser, const char *name,
                                           size_t length)
{
    for (size_t t = 0; t < parser->table_count; t++) {
        for (const struct option *o = parser->tables[t]; o && o->name; o++) {
            if (strlen(o->name) == length && memcmp(o->name, name, length) == 0)
                return o;
        }
    }
    return NULL;
}

static const struct option *option_by_letter(const struct parser *parser, char letter)
{
    for (size_t t = 0; t < parser->table_count; t++) {
        for (const struct option *o = parser->tables[t]; o && o->name; o++) {
            if (o->letter == letter)
                return o;
        }
    }
    return NULL;
}

// The number of letters to change, add, drop or swap with their neighbour (Damerau's distance in
// its restricted form), for words of at most 31 letters.
static size_t word_distance(const char *a, const char *b)
{
    size_t rows[3][32];
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > 31 || b_length > 31)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                rows[(i - 2) % 3][j - 2] + 1 < best)
                best = rows[(i - 2) % 3][j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[a_length % 3][b_length];
}

bool words_are_near(const char *a, const char *b)
{
    size_t length = strlen(b);
    return word_distance(a, b) <= (length <= 4 ? 1 : length <= 7 ? 2 : 3) && length > 1;
}

static void unknown_long(struct parser *parser, const char *name, size_t length)
{
    struct options_error *err = parser->err;
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)(length < 60 ? length : 60), name);
    snprintf(err->text, sizeof err->text, "unknown option --%s", word);
    for (size_t t = 0; t < parser->table_count; t++) {
        for (const struct option *o = parser->tables[t]; o && o->name; o++) {
            if (words_are_near(word, o->name)) {
                snprintf(err->hint, sizeof err->hint, "did you mean --%s?", o->name);
                return;
            }
        }
    }
}

static bool parse_long(struct parser *parser, const char *word)
{
    struct options_error *err = parser->err;
    const char *name = word + 2;
    size_t length = strcspn(name, "=");
    const struct option *option = option_by_name(parser, name, length);
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    if (!option) {
        unknown_long(parser, name, length);
        return false;
    }
    if (!option->value && value) {
        snprintf(err->text, sizeof err->text, "option --%s takes no value", option->name);
        return false;
    }
    if (option->value && !value) {
        if (parser->at >= parser->word_count) {
            snprintf(err->text, sizeof err->text, "option --%s needs a value, %s", option->name,
                     option->value);
            return false;
        }
        value = parser->words[parser->at++];
    }
    return options_add(parser, option, value ? value : "");
}

static bool parse_short(struct parser *parser, const char *word)
{
    struct options_error *err = parser->err;
    for (const char *letter = word + 1; *letter; letter++) {
        const struct option *option = option_by_letter(parser, *letter);
        if (!option) {
            snprintf(err->text, sizeof err->text, "unknown option -%.1s", letter);
            return false;
        }
        if (!option->value) {
            if (!options_add(parser, option, ""))
                return false;
            continue;
        }
        if (letter[1])
            return options_add(parser, option, letter + 1);
        if (parser->at >= parser->word_count) {
            snprintf(err->text, sizeof err->text, "option -%c needs a value, %s", *letter,
                     option->value);
            return false;
        }
        return options_add(parser, option, parser->words[parser->at++]);
    }
    return true;
}

bool options_parse(struct options *options, const struct option *const *tables, size_t table_count,
                   char *const *words, size_t word_count, bool stop_at_operand, size_t *ret_used,
                   struct options_error *err)
{
    struct parser parser = {options, tables, table_count, words, word_count, 0, err};
    *err = (struct options_error){0};
    while (parser.at < word_count) {
        const char *word = words[parser.at];
        bool is_option = word[0] == '-' && word[1] && !options->has_dashes;
        if (!is_option && stop_at_operand)
            break;
        parser.at++;
        if (!is_option) {
            options->operands[options->operand_count++] = word;
            if (!options->has_dashes)
                options->before_dashes = options->operand_count;
        } else if (strcmp(word, "--") == 0) {
            options->has_dashes = true;
        } else if (!(word[1] == '-' ? parse_long(&parser, word) : parse_short(&parser, word))) {
            return false;
        }
    }
    *ret_used = parser.at;
    return true;
}

const char *options_value(const struct options *options, const char *name)
{
    for (size_t i = options->given_count; i-- > 0;) {
        if (strcmp(options->given[i].option->name, name) == 0)
            return options->given[i].value;
    }
    return NULL;
}

bool options_has(const struct options *options, const char *name)
{
    return options_value(options, name) != NULL;
}

const char *options_next(const struct options *options, const char *name, size_t *place)
{
    while (*place < options->given_count) {
        const struct option_given *given = &options->given[(*place)++];
        if (strcmp(given->option->name, name) == 0)
            return given->value;
    }
    return NULL;
}

size_t options_count(const struct options *options, const char *name)
{
    size_t count = 0, place = 0;
    while (options_next(options, name, &place))
        count++;
    return count;
}
