#include "jobs/languages.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

// What a source file is called, where the name matters to the interpreter or to people.
static const struct {
    const char *language;
    const char *file_name;
} file_names[] = {
    {"python", "main.py"}, {"sh", "main.sh"},   {"bash", "main.sh"}, {"node", "main.js"},
    {"perl", "main.pl"},   {"ruby", "main.rb"}, {"lua", "main.lua"},
};

void languages_init(struct languages *languages)
{
    *languages = (struct languages){0};
}

void languages_fini(struct languages *languages)
{
    for (size_t i = 0; i < languages->count; i++) {
        free(languages->rows[i].name);
        free(languages->rows[i].line);
    }
    languages->count = 0;
}

static bool is_program(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

static bool is_in_path(const char *program, const char *path)
{
    if (!program)
        return false;
    if (strchr(program, '/'))
        return is_program(program);
    for (const char *at = path; *at;) {
        size_t length = strcspn(at, ":");
        char candidate[PATH_MAX];
        int size = snprintf(candidate, sizeof candidate, "%.*s/%s", (int)length, at, program);
        if (length > 0 && size < (int)sizeof candidate && is_program(candidate))
            return true;
        at += length + (at[length] == ':');
    }
    return false;
}

static const char *file_name_of(const char *language)
{
    for (size_t i = 0; i < sizeof file_names / sizeof file_names[0]; i++) {
        if (strcmp(file_names[i].language, language) == 0)
            return file_names[i].file_name;
    }
    return "main";
}

static enum soma_code split_line(struct language *row, struct soma_error *err)
{
    char *rest = NULL;
    for (char *word = strtok_r(row->line, " \t", &rest); word;
         word = strtok_r(NULL, " \t", &rest)) {
        if (row->word_count == LANGUAGE_WORDS_MAX)
            return error_set(err, REASON_CONFIG_INVALID, NULL,
                             "the interpreter of language %s has more than %d words", row->name,
                             LANGUAGE_WORDS_MAX);
        row->words[row->word_count++] = word;
    }
    if (row->word_count == 0)
        return error_set(err, REASON_CONFIG_INVALID, NULL, "language %s has no interpreter",
                         row->name);
    return SOMA_OK;
}

static enum soma_code check_name(const struct languages *languages, const char *name,
                                 struct soma_error *err)
{
    if (!name[0] || strlen(name) > LANGUAGE_NAME_BYTES || !text_is_of(name, "a-z0-9+._-"))
        return error_set(err, REASON_CONFIG_INVALID, NULL,
                         "'%.40s' is no language name: 1 to %d characters of [a-z0-9+._-]", name,
                         LANGUAGE_NAME_BYTES);
    if (languages_find(languages, name))
        return error_set(err, REASON_CONFIG_INVALID, NULL, "language %s is there twice", name);
    if (languages->count == LANGUAGES_MAX)
        return error_set(err, REASON_CONFIG_INVALID, NULL, "more than %d languages", LANGUAGES_MAX);
    return SOMA_OK;
}

enum soma_code languages_add(struct languages *languages, const char *name, const char *line,
                             const char *path, bool *ret_offered, struct soma_error *err)
{
    enum soma_code code = check_name(languages, name, err);
    if (code != SOMA_OK)
        return code;
    struct language row = {.name = strdup(name), .line = strdup(line)};
    if (row.name && row.line)
        code = split_line(&row, err);
    else
        code = error_set_no_memory(err);
    bool offered = code == SOMA_OK && is_in_path(row.words[0], path);
    if (offered) {
        snprintf(row.file_name, sizeof row.file_name, "%s", file_name_of(name));
        languages->rows[languages->count++] = row;
    } else {
        free(row.name);
        free(row.line);
    }
    if (code == SOMA_OK && ret_offered)
        *ret_offered = offered;
    return code;
}

const struct language *languages_find(const struct languages *languages, const char *name)
{
    for (size_t i = 0; i < languages->count; i++) {
        if (strcmp(languages->rows[i].name, name) == 0)
            return &languages->rows[i];
    }
    return NULL;
}
