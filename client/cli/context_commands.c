// context …, config show
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/error.h"
#include "cli/list_out.h"
#include "cli/settings.h"
#include "cli/table.h"
#include "cli/units.h"

// What people may see of a value.
static const char *shown(enum setting setting, const char *value)
{
    return value && setting_table[setting].kind == SETTING_SECRET ? "(kept secret)" : value;
}

static int load(struct cli *cli)
{
    return contexts_load(cli, &cli->settings.contexts);
}

static int find(struct cli *cli, const char *name, struct context **ret_context)
{
    *ret_context = contexts_find(&cli->settings.contexts, name);
    return *ret_context ? STATUS_OK
                        : report_failure(cli, STATUS_NOT_FOUND,
                                         "'soma context ls' lists those that there are",
                                         "there is no context '%s'", name);
}

// --- add

static int check_name(const struct cli *cli, const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    static const char all[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (strlen(name) <= CONTEXT_NAME_BYTES && name[0] && strchr(letters, name[0]) &&
        strspn(name, all) == strlen(name))
        return STATUS_OK;
    return report_usage(cli, NULL,
                        "'%s' is no name of a context: at most %d of A-Z a-z 0-9 . _ -, a letter "
                        "or digit first",
                        name, CONTEXT_NAME_BYTES);
}

static int set(struct cli *cli, struct context *context, enum setting setting, const char *value)
{
    const char *fault = context_value_fault(value);
    if (fault)
        return report_usage(cli, NULL, "%s cannot be kept in a context: %s",
                            setting_table[setting].name, fault);
    return context_set(context, setting, value) ? STATUS_OK : report_out_of_memory(cli);
}

static int set_path(struct cli *cli, struct context *context, enum setting setting,
                    const char *value)
{
    char *whole = realpath(value, NULL);
    if (!whole)
        return report_failure(cli, STATUS_USAGE, NULL, "option --%s: %s: %s",
                              setting_table[setting].name, value, strerror(errno));
    int status = set(cli, context, setting, whole);
    free(whole);
    return status;
}

static int set_token(struct cli *cli, struct context *context)
{
    char token[TOKEN_SIZE];
    if (!fgets(token, sizeof token, stdin))
        return report_usage(cli, NULL, "there is no token on stdin");
    token[strcspn(token, " \r\n")] = '\0';
    return set(cli, context, SETTING_TOKEN, token);
}

static int fill(struct cli *cli, const struct options *options, struct context *context)
{
    int status = STATUS_OK;
    for (int i = 0; i < SETTING_COUNT && status == STATUS_OK; i++) {
        const struct setting_row *row = &setting_table[i];
        const char *value = row->kind == SETTING_SECRET ? NULL : options_value(options, row->name);
        if (!value)
            continue;
        if (i == SETTING_TOKEN_FILE && strcmp(value, "-") == 0)
            status = set_token(cli, context);
        else if (row->kind == SETTING_PATH)
            status = set_path(cli, context, (enum setting)i, value);
        else
            status = set(cli, context, (enum setting)i, value);
    }
    return status;
}

static int run_add(struct cli *cli, const struct options *options)
{
    const char *name = options->operands[0];
    struct contexts *contexts = &cli->settings.contexts;
    int status = check_name(cli, name);
    if (status == STATUS_OK && !options_has(options, "server"))
        status = report_usage(cli, "soma context add NAME --server URL", "--server is missing");
    if (status == STATUS_OK)
        status = load(cli);
    if (status != STATUS_OK)
        return status;
    struct context *context = contexts_find(contexts, name);
    if (context && !options_has(options, "replace"))
        return report_failure(cli, STATUS_CONFLICT, "with --replace it is made anew",
                              "context '%s' exists", name);
    bool was_used = context && strcmp(contexts->used, name) == 0;
    if (context)
        contexts_remove(contexts, context);
    context = contexts_add(contexts, name);
    if (!context)
        return report_failure(cli, STATUS_LIMIT, NULL, "there are %d contexts already",
                              CONTEXTS_MAX);
    if (was_used || options_has(options, "use"))
        snprintf(contexts->used, sizeof contexts->used, "%s", name);
    status = fill(cli, options, context);
    return status == STATUS_OK ? contexts_save(cli, contexts) : status;
}

// --- ls, show

static void context_to_json(struct json_out *out, const struct contexts *contexts,
                            const struct context *context)
{
    out_begin(out, '{');
    out_text_at(out, "name", context->name);
    out_bool_at(out, "in_use", strcmp(contexts->used, context->name) == 0);
    for (int i = 0; i < SETTING_COUNT; i++)
        out_text_at(out, setting_table[i].name, shown((enum setting)i, context->values[i]));
    out_end(out, '}');
}

static const struct table_column context_columns[] = {
    {"", 1, false},          {"CONTEXT", 0, false}, {"SERVER", 0, false},
    {"NAMESPACE", 0, false}, {"TOKEN", 0, false},
};

static int print_table(const struct cli *cli, const struct contexts *contexts)
{
    struct table table;
    bool added = true;
    table_init(&table, context_columns, sizeof context_columns / sizeof context_columns[0]);
    for (size_t i = 0; i < contexts->count && added; i++) {
        const struct context *context = &contexts->list[i];
        const char *space = context->values[SETTING_NAMESPACE];
        const char *server = context->values[SETTING_SERVER];
        bool has_token = context->values[SETTING_TOKEN] || context->values[SETTING_TOKEN_FILE];
        added = table_add(&table, strcmp(contexts->used, context->name) == 0 ? "*" : "") &&
                table_add(&table, context->name) && table_add(&table, server ? server : "-") &&
                table_add(&table, space ? space : "-") &&
                table_add(&table, has_token ? "yes" : "-");
    }
    if (added)
        table_print(&table, cli);
    table_fini(&table);
    return added ? STATUS_OK : report_out_of_memory(cli);
}

static int run_ls(struct cli *cli, const struct options *options)
{
    const struct contexts *contexts = &cli->settings.contexts;
    struct json_out out;
    (void)options;
    int status = load(cli);
    if (status != STATUS_OK)
        return status;
    if (cli->format == FORMAT_TABLE && !cli->quiet)
        return print_table(cli, contexts);
    if (cli->format != FORMAT_TABLE)
        list_begin(&out, cli);
    for (size_t i = 0; i < contexts->count; i++) {
        if (cli->format == FORMAT_TABLE) {
            puts(contexts->list[i].name);
            continue;
        }
        context_to_json(&out, contexts, &contexts->list[i]);
        list_item_end(&out, cli);
    }
    if (cli->format != FORMAT_TABLE)
        list_end(&out, cli, STATUS_OK);
    return STATUS_OK;
}

static int run_show(struct cli *cli, const struct options *options)
{
    struct contexts *contexts = &cli->settings.contexts;
    struct context *context = NULL;
    struct json_out out;
    int status = load(cli);
    const char *name = options->operand_count ? options->operands[0] : contexts->used;
    if (status == STATUS_OK && !name[0])
        status = report_failure(cli, STATUS_NOT_FOUND, "'soma context use NAME' chooses one",
                                "no context is in use");
    if (status == STATUS_OK)
        status = find(cli, name, &context);
    if (status != STATUS_OK || !context)
        return status;
    if (cli->format != FORMAT_TABLE) {
        value_begin(&out, cli);
        context_to_json(&out, contexts, context);
        value_end(&out);
        return STATUS_OK;
    }
    print_fact("name", "%s", context->name);
    for (int i = 0; i < SETTING_COUNT; i++) {
        if (context->values[i])
            print_fact(setting_table[i].name, "%s", shown((enum setting)i, context->values[i]));
    }
    return STATUS_OK;
}

// --- use, rm

static int run_use(struct cli *cli, const struct options *options)
{
    struct contexts *contexts = &cli->settings.contexts;
    struct context *context;
    bool is_none = options_has(options, "none");
    if (is_none == (options->operand_count == 1))
        return report_usage(cli, "usage: soma context use NAME, or --none",
                            "context use: one name, or --none");
    int status = load(cli);
    if (status == STATUS_OK && !is_none)
        status = find(cli, options->operands[0], &context);
    if (status != STATUS_OK)
        return status;
    snprintf(contexts->used, sizeof contexts->used, "%s", is_none ? "" : options->operands[0]);
    return contexts_save(cli, contexts);
}

static int run_rm(struct cli *cli, const struct options *options)
{
    struct context *context;
    int status = load(cli);
    for (size_t i = 0; i < options->operand_count && status == STATUS_OK; i++) {
        status = find(cli, options->operands[i], &context);
        if (status == STATUS_OK)
            contexts_remove(&cli->settings.contexts, context);
    }
    return status == STATUS_OK ? contexts_save(cli, &cli->settings.contexts) : status;
}

// --- config show

// A setting as it holds, with the context among them.
struct fact {
    const char *name, *value, *origin;
};

static void print_facts(const struct cli *cli, const struct fact *facts, size_t count,
                        bool with_origin)
{
    struct json_out out;
    if (cli->format == FORMAT_TABLE) {
        for (size_t i = 0; i < count; i++)
            print_fact(facts[i].name, with_origin ? "%s (%s)" : "%s", facts[i].value,
                       facts[i].origin);
        return;
    }
    value_begin(&out, cli);
    out_begin(&out, '{');
    for (size_t i = 0; i < count; i++) {
        out_key(&out, facts[i].name);
        if (!with_origin) {
            out_text(&out, facts[i].value);
            continue;
        }
        out_begin(&out, '{');
        out_text_at(&out, "value", facts[i].value);
        out_text_at(&out, "origin", facts[i].origin);
        out_end(&out, '}');
    }
    out_end(&out, '}');
    value_end(&out);
}

static const char *context_origin(const struct cli *cli)
{
    if (options_has(cli->options, "context"))
        return "option --context";
    const char *variable = getenv("SOMA_CONTEXT");
    return !cli->settings.context  ? "default"
           : variable && *variable ? "environment, SOMA_CONTEXT"
                                   : "soma context use";
}

static int run_config_show(struct cli *cli, const struct options *options)
{
    struct fact facts[SETTING_COUNT + 2];
    char origins[SETTING_COUNT][ORIGIN_SIZE], timeout[UNITS_TEXT_SIZE];
    int status = cli_connect(cli); // which asks the server nothing
    if (status != STATUS_OK)
        return status;
    const struct settings *settings = &cli->settings;
    facts[0] = (struct fact){"context", settings->context ? settings->context->name : "none",
                             context_origin(cli)};
    for (int i = 0; i < SETTING_COUNT; i++) {
        const char *value = shown((enum setting)i, settings->of[i].value);
        if (!value)
            value =
                i == SETTING_SERVER ? soma_client_server(cli->client) : setting_table[i].otherwise;
        facts[i + 1] = (struct fact){setting_table[i].name, value,
                                     settings_origin(settings, (enum setting)i, origins[i])};
    }
    facts[SETTING_COUNT + 1] = (struct fact){
        "timeout", cli->timeout_ms ? format_duration(timeout, cli->timeout_ms) : "30s",
        cli->timeout_ms ? "option --timeout" : "default"};
    print_facts(cli, facts, SETTING_COUNT + 2, options_has(options, "origin"));
    return STATUS_OK;
}

// --- the rows

static const struct option add_options[] = {
    {"use", 0, NULL, "use it from now on", false},
    {"replace", 0, NULL, "where there is one of this name, make it anew", false},
    {0},
};

static const struct option use_options[] = {
    {"none", 0, NULL, "use none any more", false},
    {0},
};

static const struct option config_options[] = {
    {"origin", 0, NULL, "say where each comes from", false},
    {0},
};

const struct command context_commands[] = {
    {
        .name = "context add",
        .synopsis = "NAME --server URL [OPTIONS]",
        .summary = "Give a server a name, with what it takes to call it",
        .examples =
            "soma context add here --server ipc:///run/soma/somad.sock --use\n"
            "soma context add prod --server tcp://127.0.0.1:7766 --token-file ~/prod.token\n"
            "pass ci | soma context add ci --server tcp://127.0.0.1:7766 --token-file -\n",
        .details =
            "--server, --namespace, --token-file and the like are kept, for --context NAME, "
            "$SOMA_CONTEXT or\n'soma context use'. With --token-file - the token itself is read "
            "from stdin and kept. The file is\n$XDG_CONFIG_HOME/soma/contexts, mode 0600.\n\n"
            "What holds: an option; --context; the environment; $SOMA_CONTEXT or the context in "
            "use; the default.\nWhere --server or $SOMA_SERVER says which server, a context that "
            "is only in use is left aside whole; with\n--context the environment is, and that "
            "context's token where --server names another server. No token\ngoes to another "
            "server than its own.\n",
        .options = add_options,
        .operands_min = 1,
        .operands_max = 1,
        .run = run_add,
    },
    {
        .name = "context ls",
        .synopsis = "",
        .summary = "List contexts; * is the one in use",
        .examples = "soma context ls\n",
        .run = run_ls,
    },
    {
        .name = "context use",
        .synopsis = "CONTEXT",
        .summary = "Use a context wherever nothing else is said",
        .examples = "soma context use prod\n"
                    "soma context use --none\n",
        .options = use_options,
        .operands_max = 1,
        .run = run_use,
    },
    {
        .name = "context show",
        .synopsis = "[CONTEXT]",
        .summary = "Show a context, or the one in use; tokens stay secret",
        .examples = "soma context show prod\n",
        .operands_max = 1,
        .run = run_show,
    },
    {
        .name = "context rm",
        .synopsis = "CONTEXT…",
        .summary = "Remove contexts",
        .examples = "soma context rm prod\n",
        .operands_min = 1,
        .operands_max = ANY_NUMBER,
        .run = run_rm,
    },
    {
        .name = "config show",
        .synopsis = "[--origin]",
        .summary = "Show which server would be asked, how, and why so",
        .examples = "soma config show --origin\n"
                    "soma -o json --context prod config show\n",
        .details = "It asks no server. That of the server's own keys is 'somad --print-config'.\n",
        .options = config_options,
        .run = run_config_show,
    },
    {0},
};
