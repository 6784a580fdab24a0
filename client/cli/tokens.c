// token …
#include <stdio.h>

#include "cli/commands.h"
#include "cli/error.h"
#include "cli/list_out.h"
#include "cli/table.h"
#include "cli/units.h"
#include "cli/values.h"

enum {
    SCOPE_COUNT = 4,
    SCOPES_TEXT_SIZE = 64
};

// --- one token

static const char *scopes_text(const struct soma_token *token, char text[SCOPES_TEXT_SIZE])
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < token->scope_count && used < SCOPES_TEXT_SIZE; i++) {
        used += (size_t)snprintf(text + used, SCOPES_TEXT_SIZE - used, "%s%s", i ? "," : "",
                                 soma_scope_name(token->scopes[i]));
    }
    return text;
}

// secret: where it was just made.
static void token_to_json(struct json_out *out, const struct soma_token *token, const char *secret)
{
    out_begin(out, '{');
    out_text_at(out, "name", token->name);
    out_key(out, "scopes");
    out_begin(out, '[');
    for (size_t i = 0; i < token->scope_count; i++)
        out_text(out, soma_scope_name(token->scopes[i]));
    out_end(out, ']');
    out_text_at(out, "namespace", token->namespace_name);
    out_int_at(out, "created_unix_ms", token->created_ms);
    out_int_at(out, "expires_unix_ms", token->expires_ms);
    out_int_at(out, "last_used_unix_ms", token->last_used_ms);
    if (secret)
        out_text_at(out, "secret", secret);
    out_end(out, '}');
}

// --- create

static int read_scopes(const struct cli *cli, const struct options *options,
                       enum soma_scope scopes[SCOPE_COUNT], size_t *ret_count)
{
    static const char *const names[] = {"read", "submit", "write-vectors", "admin"};
    unsigned set = 0;
    int status = value_set(cli, options, "scope", names, SCOPE_COUNT, &set);
    if (status != STATUS_OK)
        return status;
    if (set == 0)
        return report_usage(cli, "soma help token create", "--scope says what the token opens");
    for (unsigned i = 0; i < SCOPE_COUNT; i++) {
        if (set & 1u << i)
            scopes[(*ret_count)++] = (enum soma_scope)(i + SOMA_SCOPE_READ);
    }
    return STATUS_OK;
}

// The server takes 0 for a token that never expires, which nobody means who says how long.
static int read_expiry(const struct cli *cli, const struct options *options, int64_t *ret_ms)
{
    const char *text = options_value(options, "expires");
    int status = value_duration(cli, options, "expires", ret_ms);
    if (status != STATUS_OK || !text || *ret_ms > 0)
        return status;
    return report_usage(cli, "without --expires it is good for ever",
                        "option --expires: '%s' is no time at all", text);
}

static void print_created(const struct cli *cli, const struct soma_token *token, const char *secret)
{
    struct json_out out;
    if (cli->format == FORMAT_TABLE) {
        notice(cli, "token %s, shown this once; the server keeps a hash of it", token->name);
        puts(secret);
        return;
    }
    value_begin(&out, cli);
    token_to_json(&out, token, secret);
    value_end(&out);
}

static int run_create(struct cli *cli, const struct options *options)
{
    struct soma_token_create_request request = SOMA_TOKEN_CREATE_REQUEST_INIT;
    enum soma_scope scopes[SCOPE_COUNT];
    char secret[SOMA_SECRET_SIZE];
    struct soma_token *token;
    struct soma_error err;
    int status = read_scopes(cli, options, scopes, &request.scope_count);
    if (status == STATUS_OK)
        status = read_expiry(cli, options, &request.expires_after_ms);
    if (status == STATUS_OK)
        status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    soma_secret_make(secret);
    request.name = options->operands[0];
    request.secret = secret;
    request.scopes = scopes;
    if (soma_token_create(cli->client, &request, NULL, &token, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot create token %s", request.name);
    print_created(cli, token, secret);
    soma_free(token);
    return STATUS_OK;
}

// --- ls

static const struct table_column columns[] = {
    {"TOKEN", 30, false},  {"NAMESPACE", 0, false}, {"SCOPES", 0, false},
    {"CREATED", 0, false}, {"EXPIRES", 0, false},   {"LAST USED", 0, false},
};

static bool add_time(struct table *table, int64_t unix_ms)
{
    char text[UNITS_TEXT_SIZE];
    return table_add(table, unix_ms ? format_time(text, unix_ms) : "-");
}

static bool add_token(struct table *table, const struct soma_token *token)
{
    char scopes[SCOPES_TEXT_SIZE];
    return table_add(table, token->name) && table_add(table, token->namespace_name) &&
           table_add(table, scopes_text(token, scopes)) && add_time(table, token->created_ms) &&
           add_time(table, token->expires_ms) && add_time(table, token->last_used_ms);
}

static int print_table(const struct cli *cli, const struct soma_token_list *list)
{
    struct table table;
    int status = STATUS_OK;
    table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < list->token_count && status == STATUS_OK; i++) {
        if (!add_token(&table, &list->tokens[i]))
            status = report_out_of_memory(cli);
    }
    if (status == STATUS_OK)
        table_print(&table, cli);
    table_fini(&table);
    return status;
}

static void print_json(const struct cli *cli, const struct soma_token_list *list)
{
    struct json_out out;
    list_begin(&out, cli);
    for (size_t i = 0; i < list->token_count; i++) {
        token_to_json(&out, &list->tokens[i], NULL);
        list_item_end(&out, cli);
    }
    list_end(&out, cli, STATUS_OK);
}

static int run_ls(struct cli *cli, const struct options *options)
{
    struct soma_empty_request request = SOMA_EMPTY_REQUEST_INIT;
    struct soma_token_list *list;
    struct soma_error err;
    (void)options;
    int status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    if (soma_token_list(cli->client, &request, NULL, &list, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot list tokens");
    if (cli->quiet) {
        for (size_t i = 0; i < list->token_count; i++)
            puts(list->tokens[i].name);
    } else if (cli->format == FORMAT_TABLE) {
        status = print_table(cli, list);
    } else {
        print_json(cli, list);
    }
    soma_free(list);
    return status;
}

// --- revoke

static int run_revoke(struct cli *cli, const struct options *options)
{
    int first_failure = STATUS_OK;
    int status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < options->operand_count; i++) {
        struct soma_token_request request = SOMA_TOKEN_REQUEST_INIT;
        struct soma_token *token;
        struct soma_error err;
        request.name = options->operands[i];
        if (soma_token_revoke(cli->client, &request, NULL, &token, &err) == SOMA_OK) {
            soma_free(token);
            continue;
        }
        status = report_error(cli, &err, "cannot revoke token %s", request.name);
        first_failure = first_failure ? first_failure : status;
    }
    return first_failure;
}

// --- the rows

static const struct option create_options[] = {
    {"scope", 's', "SCOPE", "read, submit, write-vectors, admin; with commas between them", false},
    {"expires", 0, "DURATION", "how long it is good (for ever)", false},
    {0},
};

const struct command token_commands[] = {
    {
        .name = "token create",
        .synopsis = "OPTIONS NAME",
        .summary = "Make a token for callers over TCP or WebSocket, and print it",
        .examples = "soma token create --scope read dashboard\n"
                    "SOMA_TOKEN=$(soma token create -q --scope submit,read --expires 30d ci)\n"
                    "soma --namespace team-a token create --scope admin team-a\n",
        .details = "read: whatever changes nothing. submit: jobs. write-vectors: collections and "
                   "records. admin: everything.\n"
                   "A token opens the namespace that --namespace names (default), and no other: "
                   "its holder sees, makes and changes jobs, queues, collections and tokens there "
                   "alone, without naming it.\n",
        .options = create_options,
        .operands_min = 1,
        .operands_max = 1,
        .run = run_create,
    },
    {
        .name = "token ls",
        .synopsis = "",
        .summary = "List tokens, and when they were last used",
        .examples = "soma token ls\n",
        .run = run_ls,
    },
    {
        .name = "token revoke",
        .synopsis = "TOKEN…",
        .summary = "Refuse the calls of tokens from now on",
        .examples = "soma token revoke ci\n"
                    "soma --namespace team-a token revoke laptop\n",
        .details = "Those of the namespace that --namespace names (default).\n",
        .operands_min = 1,
        .operands_max = ANY_NUMBER,
        .run = run_revoke,
    },
    {0},
};
