#include "cli/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/display.h"
#include "cli/json_out.h"
#include "cli/list_out.h"

const struct status_row status_table[] = {
    {STATUS_OK, "done"},
    {STATUS_FAILED, "failed; for upsert, insert and update: some records were not written"},
    {STATUS_USAGE, "the command line, or a value in it or in a file, can never be right"},
    {STATUS_NOT_FOUND, "no such job, collection or record"},
    {STATUS_DENIED, "not allowed, or the token is missing"},
    {STATUS_UNREACHABLE, "no server, or no answer in time"},
    {STATUS_CONFLICT, "exists already, or is not in a state that allows it"},
    {STATUS_LIMIT, "a limit, a full disk, or too much work waiting"},
    {STATUS_STILL_RUNNING, "wait: --timeout was over before the job"},
    {124, "run, wait: the job's time limit was over, or its time to be started"},
    {STATUS_SOMA_FAILED, "run, wait: SOMA itself failed, or cannot tell how the job ended (lost)"},
    {126, "run, wait: the program is not executable"},
    {127, "run, wait: the program was not found"},
    {STATUS_INTERRUPTED, "interrupted (Ctrl-C); run, logs: detached, the job goes on"},
    {STATUS_PIPE, "whoever read the output went away"},
    {137, "run, wait: the job's memory limit; 152: its CPU time; 153: its output or disk"},
    {143, "run, wait: the job was cancelled; 128 + n: it was ended by signal n"},
    {0, NULL},
};

struct code_row {
    const char *name;
    int status;
};

static const struct code_row code_table[] = {
    [SOMA_OK] = {"OK", STATUS_OK},
    [SOMA_CANCELLED] = {"CANCELLED", STATUS_FAILED},
    [SOMA_UNKNOWN] = {"UNKNOWN", STATUS_UNREACHABLE},
    [SOMA_INVALID_ARGUMENT] = {"INVALID_ARGUMENT", STATUS_USAGE},
    [SOMA_DEADLINE_EXCEEDED] = {"DEADLINE_EXCEEDED", STATUS_UNREACHABLE},
    [SOMA_NOT_FOUND] = {"NOT_FOUND", STATUS_NOT_FOUND},
    [SOMA_ALREADY_EXISTS] = {"ALREADY_EXISTS", STATUS_CONFLICT},
    [SOMA_PERMISSION_DENIED] = {"PERMISSION_DENIED", STATUS_DENIED},
    [SOMA_RESOURCE_EXHAUSTED] = {"RESOURCE_EXHAUSTED", STATUS_LIMIT},
    [SOMA_FAILED_PRECONDITION] = {"FAILED_PRECONDITION", STATUS_CONFLICT},
    [SOMA_ABORTED] = {"ABORTED", STATUS_CONFLICT},
    [SOMA_OUT_OF_RANGE] = {"OUT_OF_RANGE", STATUS_USAGE},
    [SOMA_UNIMPLEMENTED] = {"UNIMPLEMENTED", STATUS_FAILED},
    [SOMA_INTERNAL] = {"INTERNAL", STATUS_FAILED},
    [SOMA_UNAVAILABLE] = {"UNAVAILABLE", STATUS_UNREACHABLE},
    [SOMA_DATA_LOSS] = {"DATA_LOSS", STATUS_FAILED},
    [SOMA_UNAUTHENTICATED] = {"UNAUTHENTICATED", STATUS_DENIED},
};

struct hint_row {
    const char *reason;
    const char *hint;
};

static const struct hint_row hint_table[] = {
    {"SERVER_UNREACHABLE", "is somad running? start it with 'somad', or name another server with "
                           "--server URL or $SOMA_SERVER"},
    {"TOKEN_MISSING",
     "whoever may use the server's ipc socket makes one: 'soma token create'; then "
     "$SOMA_TOKEN or --token-file"},
    {"TOKEN_INVALID",
     "'soma token ls' over ipc lists those that there are; one is shown whole only "
     "when it is made"},
    {"TOKEN_EXPIRED", "'soma token create' over ipc makes a new one"},
    {"TOKEN_NOT_FOUND", "'soma token ls' lists those that there are"},
    {"TOKEN_EXISTS", "'soma token revoke NAME' frees the name"},
    {"NAMESPACE_NOT_ALLOWED", "leave --namespace out: the token works in its own"},
    {"SANDBOX_UNAVAILABLE", "'soma info' says what this server can enforce, and why not more"},
    {"NETWORK_NOT_ALLOWED", "the server's key job-network allows it"},
    {"SERVER_BUSY", "try again in a moment"},
    {"SERVER_STOPPING", "try again when the server is back"},
    {"CONNECTION_LOST", "the server may have done it; look before you do it again"},
    {"DEADLINE_EXCEEDED", "--timeout DURATION gives the server longer"},
    {"DISK_FULL", "make room on the server's disk; 'soma prune' removes finished jobs"},
    {"JOB_NOT_FOUND", "'soma ps --all' lists every job that the server has"},
    {"ATTEMPT_NOT_FOUND", "'soma show ID' says how many attempts there were"},
    {"JOB_NOT_FINAL", "'soma cancel ID' ends the job, 'soma wait ID' waits for its end"},
    {"JOB_NOT_RUNNING", "'soma show ID' says in what state it is"},
    {"LANGUAGE_UNKNOWN", "'soma info' lists this server's languages"},
    {"NAMESPACE_FULL", "wait until jobs have finished, or cancel some"},
    {"RATE_LIMIT", "fewer submits in a second"},
    {"QUEUE_NOT_FOUND", "'soma queue ls' lists those that there are"},
    {"ARTIFACT_NOT_FOUND", "'soma artifacts --list ID' lists those that there are"},
    {"QUEUE_FULL", "wait until jobs have finished, or cancel some"},
    {"OFFSET_PAST_END", "'soma show ID' says how much output there is"},
    {"COLLECTION_NOT_FOUND", "'soma collection ls' lists all; 'soma collection create NAME --dim "
                             "N' makes one"},
    {"COLLECTION_EXISTS", "'soma collection show NAME' says what it is; 'soma collection create "
                          "--exist-ok' takes an equal one as it is"},
    {"ALIAS_NOT_FOUND", "'soma collection ls' lists collections, 'soma collection show NAME' a "
                        "collection's aliases"},
    {"CLONE_TOO_LARGE", "'soma collection snapshot' and 'restore' copy a collection of any size"},
    {"COLLECTION_DIFFERS", "'soma collection show NAME' says what it is"},
    {"DIMENSION_MISMATCH", "'soma collection show NAME' says its dimension"},
    {"EMBEDDING_ZERO", "a collection with the metric l2 or dot takes such embeddings"},
    {"RECORD_EXISTS", "'soma upsert' replaces records that exist"},
    {"FILTER_TOO_COSTLY", "a simpler pattern, or $contains"},
    {"EMPTY_SELECTOR", "name ids, or give --where; 'soma collection clear' removes everything"},
    {"FILTER_INVALID", "'soma help filters' shows how filters are written"},
    {"MEMORY_BUDGET", "remove collections, or give the server more memory"},
    {"REQUEST_ID_REUSED", "this is a defect in soma; please report it"},
};

const char *error_code_name(enum soma_code code)
{
    if ((unsigned)code < sizeof code_table / sizeof code_table[0])
        return code_table[code].name;
    return "UNKNOWN";
}

bool error_is_passing(const struct soma_error *err)
{
    switch (err->code) {
    case SOMA_UNAVAILABLE:
    case SOMA_UNKNOWN:
    case SOMA_DEADLINE_EXCEEDED:
    case SOMA_RESOURCE_EXHAUSTED:
        return true;
    case SOMA_OK:
    case SOMA_CANCELLED:
    case SOMA_INVALID_ARGUMENT:
    case SOMA_NOT_FOUND:
    case SOMA_ALREADY_EXISTS:
    case SOMA_PERMISSION_DENIED:
    case SOMA_FAILED_PRECONDITION:
    case SOMA_ABORTED:
    case SOMA_OUT_OF_RANGE:
    case SOMA_UNIMPLEMENTED:
    case SOMA_INTERNAL:
    case SOMA_DATA_LOSS:
    case SOMA_UNAUTHENTICATED:
        return false;
    }
    return false;
}

static int code_status(enum soma_code code)
{
    if ((unsigned)code < sizeof code_table / sizeof code_table[0])
        return code_table[code].status;
    return STATUS_FAILED;
}

static const char *hint_for(const char *reason)
{
    for (size_t i = 0; i < sizeof hint_table / sizeof hint_table[0]; i++) {
        if (strcmp(hint_table[i].reason, reason) == 0)
            return hint_table[i].hint;
    }
    return NULL;
}

// One failure, whole. err may be NULL.
static void print_failure(const struct cli *cli, int status, const char *what,
                          const struct soma_error *err, const char *hint)
{
    // Most of what the server says about a field begins with its name; an option is named already.
    bool names_field = err && err->field[0] &&
                       (err->code == SOMA_INVALID_ARGUMENT || err->code == SOMA_OUT_OF_RANGE) &&
                       strncmp(err->text, err->field, strlen(err->field)) != 0 &&
                       !strstr(what, ": option --");
    output_flush();
    if (cli->format == FORMAT_TABLE) {
        char line[1024], clean[1536];
        snprintf(line, sizeof line, "%s%s%s%s%s", what, err ? ": " : "",
                 names_field ? err->field : "", names_field ? ": " : "", err ? err->text : "");
        display_clean(line, 0, clean, sizeof clean);
        fprintf(stderr, "soma: %s\n", clean);
        if (hint)
            fprintf(stderr, "hint: %s\n", hint);
        return;
    }
    struct json_out out;
    out_init(&out, stderr, false);
    out_begin(&out, '{');
    out_text_at(&out, "error", what);
    out_text_at(&out, "message", err ? err->text : what);
    out_text_at(&out, "code", err ? error_code_name(err->code) : NULL);
    out_text_at(&out, "reason", err ? err->reason : NULL);
    out_text_at(&out, "field", err && err->field[0] ? err->field : NULL);
    out_text_at(&out, "hint", hint);
    out_int_at(&out, "exit_status", status);
    out_end(&out, '}');
    out_line(&out);
}

int report_error(const struct cli *cli, const struct soma_error *err, const char *what, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, what);
    vsnprintf(text, sizeof text, what, arguments);
    va_end(arguments);
    int status = cli->speaks_for_job ? STATUS_SOMA_FAILED : code_status(err->code);
    print_failure(cli, status, text, err, hint_for(err->reason));
    return status;
}

int report_usage(const struct cli *cli, const char *hint, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    print_failure(cli, STATUS_USAGE, text, NULL, hint);
    return STATUS_USAGE;
}

int report_failure(const struct cli *cli, int status, const char *hint, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (cli->speaks_for_job && status != STATUS_STILL_RUNNING)
        status = STATUS_SOMA_FAILED;
    print_failure(cli, status, text, NULL, hint);
    return status;
}

int report_out_of_memory(const struct cli *cli)
{
    return report_failure(cli, STATUS_FAILED, NULL, "out of memory");
}

void notice(const struct cli *cli, const char *format, ...)
{
    // Much of it is the server's or a job's: messages, ids, progress.
    char text[4096], clean[6144];
    va_list arguments;
    if (cli->quiet)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    display_clean(text, 0, clean, sizeof clean);
    fprintf(stderr, "soma: %s\n", clean);
}
