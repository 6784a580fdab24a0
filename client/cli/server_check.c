// check.
#include <inttypes.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/display.h"
#include "cli/error.h"
#include "cli/list_out.h"
#include "cli/values.h"

enum {
    STEP_SIZE = 512,
    // A step reads much; --timeout says otherwise.
    STEP_TIMEOUT_MS = 600000
};

// What all steps said.
struct checking {
    struct cli *cli;
    struct json_out out;
    int64_t found;
    bool has_begun;
};

// With the first answer, so that a server that gives none leaves nothing.
static void begin_output(struct checking *checking)
{
    if (checking->has_begun || checking->cli->format == FORMAT_TABLE)
        return;
    checking->has_begun = true;
    value_begin(&checking->out, checking->cli);
    out_begin(&checking->out, '{');
    out_key(&checking->out, "findings");
    out_begin(&checking->out, '[');
}

static void end_output(struct checking *checking, bool is_whole)
{
    if (checking->cli->format == FORMAT_TABLE) {
        if (is_whole && !checking->cli->quiet && checking->found == 0)
            printf("the server's data is sound\n");
        return;
    }
    if (!checking->has_begun)
        return;
    out_end(&checking->out, ']');
    if (is_whole) {
        out_int_at(&checking->out, "found", checking->found);
        out_bool_at(&checking->out, "sound", checking->found == 0);
    }
    out_end(&checking->out, '}');
    value_end(&checking->out);
}

static void tell_finding(struct checking *checking, const struct soma_server_finding *finding)
{
    if (checking->cli->format == FORMAT_TABLE) {
        char text[2048], clean[3072];
        snprintf(text, sizeof text, "%s: %s", finding->what, finding->message);
        display_clean(text, 0, clean, sizeof clean);
        puts(clean);
        return;
    }
    out_begin(&checking->out, '{');
    out_text_at(&checking->out, "what", finding->what);
    out_text_at(&checking->out, "message", finding->message);
    out_end(&checking->out, '}');
}

// step is replaced by the next one.
static enum soma_code check_step(struct checking *checking, char step[STEP_SIZE],
                                 struct soma_error *err)
{
    struct soma_server_check_request request = SOMA_SERVER_CHECK_REQUEST_INIT;
    struct soma_call_options options = SOMA_CALL_OPTIONS_INIT;
    struct soma_server_check *check;
    request.step = step[0] ? step : NULL;
    options.timeout_ms = checking->cli->timeout_ms ? checking->cli->timeout_ms : STEP_TIMEOUT_MS;
    enum soma_code code = soma_server_check(checking->cli->client, &request, &options, &check, err);
    if (code != SOMA_OK)
        return code;
    begin_output(checking);
    for (size_t i = 0; i < check->finding_count; i++)
        tell_finding(checking, &check->findings[i]);
    checking->found += check->found;
    snprintf(step, STEP_SIZE, "%s", check->next_step ? check->next_step : "");
    soma_free(check);
    return SOMA_OK;
}

static int run_check(struct cli *cli, const struct options *options)
{
    struct checking checking = {.cli = cli};
    struct soma_error err;
    char step[STEP_SIZE] = "";
    enum soma_code code;
    int status = cli_connect(cli);
    (void)options;
    if (status != STATUS_OK)
        return status;
    do
        code = check_step(&checking, step, &err);
    while (code == SOMA_OK && step[0]);
    end_output(&checking, code == SOMA_OK);
    if (code != SOMA_OK)
        return report_error(cli, &err, "cannot check the server");
    return checking.found ? STATUS_FAILED : STATUS_OK;
}

const struct command server_check_commands[] = {
    {
        .name = "check",
        .synopsis = "",
        .summary = "Look whether what the server keeps is sound, while it runs",
        .details =
            "Reads the whole database and compares what it holds twice, looks for the output that "
            "jobs say they kept,\nfor directories of no job, and compares each collection in "
            "memory with its records. Names what is wrong\nand changes nothing. Exits with 1 where "
            "anything is. With a token: the jobs and collections of its namespace alone, for which "
            "it "
            "has to be one of scope admin.\n--timeout is that of each step (10m).\n",
        .examples = "soma check\n"
                    "soma -o json check | jq .findings\n",
        .run = run_check,
    },
    {0},
};
