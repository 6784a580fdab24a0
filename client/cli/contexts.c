#include "cli/contexts.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/error.h"
#include "cli/folders.h"
#include "cli/settings.h"

_Static_assert((int)SETTING_COUNT <= (int)CONTEXT_VALUES_MAX, "every setting has a place");

const char *context_value_fault(const char *text)
{
    if (!text[0] || strlen(text) > CONTEXT_VALUE_BYTES)
        return "it is empty or too long";
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return "it has control characters in it";
    }
    // What the reader of the file would take for something else.
    if (text[0] == ' ' || text[strlen(text) - 1] == ' ' || strstr(text, " ;") || text[0] == ';')
        return "it begins or ends with a space, or has ' ;' in it";
    return NULL;
}

bool context_set(struct context *context, size_t setting, const char *value)
{
    char *copy = value ? strdup(value) : NULL;
    if (value && !copy)
        return false;
    free(context->values[setting]);
    context->values[setting] = copy;
    return true;
}

struct context *contexts_find(const struct contexts *contexts, const char *name)
{
    for (size_t i = 0; i < contexts->count; i++) {
        if (strcmp(contexts->list[i].name, name) == 0)
            return &contexts->list[i];
    }
    return NULL;
}

struct context *contexts_add(struct contexts *contexts, const char *name)
{
    size_t at = 0;
    if (contexts->count == CONTEXTS_MAX)
        return NULL;
    if (!contexts->list)
        contexts->list = calloc(CONTEXTS_MAX, sizeof *contexts->list);
    if (!contexts->list)
        return NULL;
    while (at < contexts->count && strcmp(contexts->list[at].name, name) < 0)
        at++;
    struct context *place = &contexts->list[at];
    memmove(place + 1, place, (contexts->count - at) * sizeof *place);
    contexts->count++;
    *place = (struct context){0};
    snprintf(place->name, sizeof place->name, "%s", name);
    return place;
}

static void empty(struct context *context)
{
    for (size_t i = 0; i < CONTEXT_VALUES_MAX; i++)
        free(context->values[i]);
}

void contexts_remove(struct contexts *contexts, struct context *context)
{
    if (strcmp(contexts->used, context->name) == 0)
        contexts->used[0] = '\0';
    empty(context);
    size_t after = contexts->count - (size_t)(context - contexts->list) - 1;
    memmove(context, context + 1, after * sizeof *context);
    contexts->count--;
}

void contexts_fini(struct contexts *contexts)
{
    for (size_t i = 0; i < contexts->count; i++)
        empty(&contexts->list[i]);
    free(contexts->list);
    *contexts = (struct contexts){0};
}

// --- the file

// libinih's: 0 is an error, of which it tells the line. Keys that are not known are those of a
// newer program.
static int take_line(void *user, const char *section, const char *name, const char *value)
{
    struct contexts *contexts = user;
    if (!section[0]) {
        if (strcmp(name, "use") == 0)
            snprintf(contexts->used, sizeof contexts->used, "%s", value);
        return 1;
    }
    struct context *context = contexts_find(contexts, section);
    if (!context)
        context = contexts_add(contexts, section);
    for (size_t i = 0; context && i < SETTING_COUNT; i++) {
        if (strcmp(name, setting_table[i].name) == 0)
            return context_set(context, i, value);
    }
    return context != NULL;
}

int contexts_load(const struct cli *cli, struct contexts *ret_contexts)
{
    *ret_contexts = (struct contexts){0};
    if (!folder_path("XDG_CONFIG_HOME", ".config", "contexts", ret_contexts->path,
                     sizeof ret_contexts->path))
        return STATUS_OK;
    FILE *file = fopen(ret_contexts->path, "re");
    int errnum = errno;
    // Nothing is there, as far as this user may know: $HOME may be somebody else's.
    if (!file && access(ret_contexts->path, F_OK) != 0)
        return STATUS_OK;
    if (!file)
        return report_failure(cli, STATUS_FAILED, NULL, "cannot read %s: %s", ret_contexts->path,
                              strerror(errnum));
    int line = ini_parse_file(file, take_line, ret_contexts);
    fclose(file);
    if (line == 0)
        return STATUS_OK;
    int status = report_failure(cli, STATUS_FAILED, "'soma context add' writes it",
                                "%s:%d: no line of a context", ret_contexts->path, line);
    contexts_fini(ret_contexts);
    return status;
}

static void write_all(FILE *file, const struct contexts *contexts)
{
    fputs("# Contexts of soma; 'soma context' writes this file.\n", file);
    if (contexts->used[0])
        fprintf(file, "use = %s\n", contexts->used);
    for (size_t i = 0; i < contexts->count; i++) {
        fprintf(file, "\n[%s]\n", contexts->list[i].name);
        for (size_t j = 0; j < SETTING_COUNT; j++) {
            if (contexts->list[i].values[j])
                fprintf(file, "%s = %s\n", setting_table[j].name, contexts->list[i].values[j]);
        }
    }
}

int contexts_save(const struct cli *cli, const struct contexts *contexts)
{
    char fresh[PATH_MAX + 16];
    if (!contexts->path[0])
        return report_failure(cli, STATUS_FAILED, NULL,
                              "neither $XDG_CONFIG_HOME nor $HOME says where contexts are kept");
    folders_make(contexts->path);
    snprintf(fresh, sizeof fresh, "%s.%d", contexts->path, (int)getpid());
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file)
        write_all(file, contexts);
    bool is_whole = file && !ferror(file);
    if (file && fclose(file) != 0)
        is_whole = false;
    if (is_whole && rename(fresh, contexts->path) == 0)
        return STATUS_OK;
    int errnum = errno;
    unlink(fresh);
    return report_failure(cli, STATUS_FAILED, NULL, "cannot write %s: %s", contexts->path,
                          strerror(errnum));
}
