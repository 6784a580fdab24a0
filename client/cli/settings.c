#include "cli/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/error.h"

const struct setting_row setting_table[SETTING_COUNT] = {
#define SETTING(id, name, value, field, variable, kind, otherwise, summary) \
    [SETTING_##id] = {                                                      \
        name, offsetof(struct soma_client_options, field), variable, kind, otherwise, summary},
#define SECRET(id, name, field, variable, otherwise, summary)                 \
    [SETTING_##id] = {name,      offsetof(struct soma_client_options, field), \
                      variable,  SETTING_SECRET,                              \
                      otherwise, summary},
#include "cli/settings.def"
#undef SETTING
#undef SECRET
};

static const char *from_environment(const char *variable)
{
    const char *value = getenv(variable);
    return value && value[0] ? value : NULL;
}

static void take(struct settings *settings, size_t i, const char *value, enum origin origin)
{
    if (!value || settings->of[i].origin >= origin)
        return;
    settings->of[i].value = value;
    settings->of[i].origin = origin;
}

// Whether --server names another server than the context's, whose token is then not for it.
static bool is_elsewhere(const struct settings *settings)
{
    const char *server = settings->of[SETTING_SERVER].value;
    const char *own = settings->context->values[SETTING_SERVER];
    return server && (!own || strcmp(server, own) != 0);
}

static int take_context(struct cli *cli, const char *name, enum origin origin)
{
    struct settings *settings = &cli->settings;
    settings->context = contexts_find(&settings->contexts, name);
    if (!settings->context)
        return report_failure(cli, STATUS_NOT_FOUND, "'soma context ls' lists those that there are",
                              "there is no context '%s'", name);
    bool leaves_token = is_elsewhere(settings);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (!leaves_token || (i != SETTING_TOKEN && i != SETTING_TOKEN_FILE))
            take(settings, i, settings->context->values[i], origin);
    }
    return STATUS_OK;
}

static int find_context(struct cli *cli)
{
    struct settings *settings = &cli->settings;
    const char *named = options_value(cli->options, "context");
    const char *variable = from_environment("SOMA_CONTEXT");
    // Somebody else's server.
    if (!named && settings->of[SETTING_SERVER].value)
        return STATUS_OK;
    int status = contexts_load(cli, &settings->contexts);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; named && i < SETTING_COUNT; i++) {
        // What the environment has is about another server.
        if (settings->of[i].origin == ORIGIN_ENVIRONMENT) {
            settings->of[i].value = NULL;
            settings->of[i].origin = ORIGIN_DEFAULT;
        }
    }
    if (named)
        return take_context(cli, named, ORIGIN_NAMED_CONTEXT);
    const char *name = variable ? variable : settings->contexts.used;
    return name[0] ? take_context(cli, name, ORIGIN_CONTEXT) : STATUS_OK;
}

// The token file's token, unless a token itself comes from at least as near.
static int read_token(struct cli *cli)
{
    struct settings *settings = &cli->settings;
    const char *path = settings->of[SETTING_TOKEN_FILE].value;
    enum origin origin = settings->of[SETTING_TOKEN_FILE].origin;
    if (!path || origin <= settings->of[SETTING_TOKEN].origin)
        return STATUS_OK;
    FILE *file = fopen(path, "re");
    bool is_read = file && fgets(settings->token, sizeof settings->token, file);
    int errnum = file && !ferror(file) ? 0 : errno;
    if (file)
        fclose(file);
    settings->token[strcspn(settings->token, " \r\n")] = '\0';
    if (!is_read || !settings->token[0])
        return report_failure(cli, STATUS_USAGE, NULL, "cannot read a token from %s: %s", path,
                              errnum ? strerror(errnum) : "its first line is empty");
    settings->of[SETTING_TOKEN].value = settings->token;
    settings->of[SETTING_TOKEN].origin = origin;
    return STATUS_OK;
}

int settings_resolve(struct cli *cli)
{
    struct settings *settings = &cli->settings;
    settings_fini(settings);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting_row *row = &setting_table[i];
        if (row->kind != SETTING_SECRET)
            take(settings, i, options_value(cli->options, row->name), ORIGIN_OPTION);
        take(settings, i, from_environment(row->variable), ORIGIN_ENVIRONMENT);
    }
    int status = find_context(cli);
    return status == STATUS_OK ? read_token(cli) : status;
}

void settings_fini(struct settings *settings)
{
    contexts_fini(&settings->contexts);
    *settings = (struct settings){0};
}

void settings_apply(const struct settings *settings, struct soma_client_options *options)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *value = settings->of[i].value;
        // The environment was asked already: the library is not to ask it again where --context
        // leaves it aside. Without a server it finds one.
        if (i != SETTING_TOKEN_FILE && (value || i != SETTING_SERVER))
            *(const char **)((char *)options + setting_table[i].offset) = value ? value : "";
    }
}

const char *settings_origin(const struct settings *settings, enum setting setting, char *text)
{
    const struct setting_row *row = &setting_table[setting];
    switch (settings->of[setting].origin) {
    case ORIGIN_DEFAULT:
        snprintf(text, ORIGIN_SIZE, "default");
        break;
    case ORIGIN_CONTEXT:
    case ORIGIN_NAMED_CONTEXT:
        snprintf(text, ORIGIN_SIZE, "context %s", settings->context ? settings->context->name : "");
        break;
    case ORIGIN_ENVIRONMENT:
        snprintf(text, ORIGIN_SIZE, "environment, %s", row->variable);
        break;
    case ORIGIN_OPTION:
        snprintf(text, ORIGIN_SIZE, "option --%s", row->name);
        break;
    }
    return text;
}
