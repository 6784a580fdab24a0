// complete: what may stand in the place of a command line's last word. Shells ask it; one candidate
// a line, with a tab and a description behind it where there is one.
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/display.h"
#include "cli/error.h"
#include "cli/help.h"

enum {
    JOBS_MAX = 200,
    NAMES_MAX = 500,
    TEXT_SIZE = 1024,
    TIMEOUT_MS = 1000 // who types does not wait
};

struct completion {
    struct cli *cli;
    const char *start; // of the last word
};

// Names are their makers' text, and a line end in one would be a candidate that somebody else made
// up: a word that is not shown as it is is nobody's to complete.
static void offer(const struct completion *completion, const char *word, const char *description)
{
    char shown[TEXT_SIZE], clean[TEXT_SIZE] = "";
    display_clean(word, 0, shown, sizeof shown);
    if (strncmp(word, completion->start, strlen(completion->start)) != 0 ||
        strcmp(word, shown) != 0)
        return;
    if (description)
        display_clean(description, 0, clean, sizeof clean);
    printf("%s%s%s\n", word, description ? "\t" : "", clean);
}

// --- what the server has

static void offer_jobs(const struct completion *completion)
{
    struct soma_job_list_request request = SOMA_JOB_LIST_REQUEST_INIT;
    struct soma_job_list *list;
    request.page_size = JOBS_MAX;
    if (soma_job_list(completion->cli->client, &request, NULL, &list, NULL) != SOMA_OK)
        return;
    for (size_t i = 0; i < list->job_count; i++) {
        const struct soma_job *job = &list->jobs[i];
        char text[128];
        snprintf(text, sizeof text, "%s %.60s", soma_job_state_name(job->state),
                 job->spec.name ? job->spec.name : "");
        offer(completion, job->id, text);
    }
    soma_free(list);
}

static void offer_collections(const struct completion *completion)
{
    struct soma_collection_list_request request = SOMA_COLLECTION_LIST_REQUEST_INIT;
    struct soma_collection_list *list;
    request.page_size = NAMES_MAX;
    if (soma_collection_list(completion->cli->client, &request, NULL, &list, NULL) != SOMA_OK)
        return;
    for (size_t i = 0; i < list->collection_count; i++)
        offer(completion, list->collections[i].name, NULL);
    soma_free(list);
}

static void offer_queues(const struct completion *completion)
{
    struct soma_queue_list_request request = SOMA_QUEUE_LIST_REQUEST_INIT;
    struct soma_queue_list *list;
    request.page_size = NAMES_MAX;
    if (soma_queue_list(completion->cli->client, &request, NULL, &list, NULL) != SOMA_OK)
        return;
    for (size_t i = 0; i < list->queue_count; i++)
        offer(completion, list->queues[i].name, NULL);
    soma_free(list);
}

static void offer_tokens(const struct completion *completion)
{
    struct soma_empty_request request = SOMA_EMPTY_REQUEST_INIT;
    struct soma_token_list *list;
    if (soma_token_list(completion->cli->client, &request, NULL, &list, NULL) != SOMA_OK)
        return;
    for (size_t i = 0; i < list->token_count; i++)
        offer(completion, list->tokens[i].name, NULL);
    soma_free(list);
}

static void offer_contexts(const struct completion *completion)
{
    struct contexts *contexts = &completion->cli->settings.contexts;
    if (contexts_load(completion->cli, contexts) != STATUS_OK)
        return;
    for (size_t i = 0; i < contexts->count; i++)
        offer(completion, contexts->list[i].name, contexts->list[i].values[SETTING_SERVER]);
}

// The word of a synopsis, or of an option's value, that names something of the server. Where a
// record's id stands, no job's is meant.
static const struct {
    const char *word;
    const char *group; // the command's name begins with it; "": any
    bool asks_server;
    void (*offer)(const struct completion *completion);
} sources[] = {
    {"ID", "", true, offer_jobs},
    {"JOB", "", true, offer_jobs},
    {"COLLECTION", "", true, offer_collections},
    {"NAME", "collection ", true, offer_collections},
    {"QUEUE", "", true, offer_queues},
    {"CONTEXT", "", false, offer_contexts},
    {"TOKEN", "", true, offer_tokens},
};

static void offer_from(const struct completion *completion, const struct command *command,
                       const char *word, size_t length)
{
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        bool is_it = strlen(sources[i].word) == length &&
                     memcmp(sources[i].word, word, length) == 0 &&
                     strncmp(command->name, sources[i].group, strlen(sources[i].group)) == 0;
        if (!is_it)
            continue;
        completion->cli->timeout_ms = TIMEOUT_MS;
        if (!sources[i].asks_server || cli_connect(completion->cli) == STATUS_OK)
            sources[i].offer(completion);
        return;
    }
}

// --- what the tables have

static void offer_options(const struct completion *completion, const struct option *options)
{
    for (const struct option *o = options; o && o->name; o++) {
        char word[64];
        snprintf(word, sizeof word, "--%s", o->name);
        offer(completion, word, o->summary);
    }
}

// The first words of all commands, each once, or what may follow the first word of two. Commands
// with one first word stand together in the table.
static void offer_commands(const struct completion *completion, const char *first)
{
    char last[64] = "";
    size_t skipped = first ? strlen(first) + 1 : 0;
    for (const struct command_group *group = command_groups; group->title; group++) {
        for (const struct command *c = group->commands; c->name; c++) {
            bool has_first = !first || (strncmp(c->name, first, skipped - 1) == 0 &&
                                        c->name[skipped - 1] == ' ');
            if (c->is_hidden || !has_first)
                continue;
            char word[64];
            const char *rest = c->name + skipped;
            snprintf(word, sizeof word, "%.*s", (int)strcspn(rest, " "), rest);
            if (strcmp(word, last) != 0)
                offer(completion, word, strchr(rest, ' ') ? group->title : c->summary);
            memcpy(last, word, sizeof last);
        }
    }
}

static const struct option *option_of(const struct command *command, const char *word)
{
    const struct option *const tables[] = {command->options, global_options};
    if (word[0] != '-')
        return NULL;
    for (size_t t = 0; t < 2; t++) {
        for (const struct option *o = tables[t]; o && o->name; o++) {
            bool is_long = word[1] == '-' && strcmp(word + 2, o->name) == 0;
            bool is_short = o->letter && word[1] == o->letter && word[2] == '\0';
            if (is_long || is_short)
                return o;
        }
    }
    return NULL;
}

// The synopsis' first operand, without what stands around it; *ret_length 0: it has none.
static const char *first_operand(const struct command *command, size_t *ret_length)
{
    static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *at = command->synopsis;
    bool is_value = false; // of an option that stands in the synopsis
    *ret_length = 0;
    while (*at) {
        size_t length = strcspn(at, " ");
        const char *word = at + strspn(at, "[");
        size_t capital_length = strspn(word, capitals);
        bool is_option = word[0] == '-';
        bool is_options = capital_length == strlen("OPTIONS") && memcmp(word, "OPTIONS", 7) == 0;
        if (!is_option && !is_value && !is_options && capital_length > 0) {
            *ret_length = capital_length;
            return word;
        }
        is_value = is_option && at[length - 1] != ']';
        at += length + (at[length] == ' ');
    }
    return at;
}

static void offer_for(const struct completion *completion, const struct command *command,
                      char *const *words, size_t count)
{
    size_t length, operands = 0;
    const struct option *open = NULL; // waits for its value
    for (size_t i = 0; i < count; i++) {
        const struct option *option = open ? NULL : option_of(command, words[i]);
        operands += !open && words[i][0] != '-';
        open = option && option->value ? option : NULL;
    }
    if (open) {
        offer_from(completion, command, open->value, strlen(open->value));
        return;
    }
    if (completion->start[0] == '-') {
        offer_options(completion, command->options);
        offer_options(completion, global_options);
        return;
    }
    const char *word = first_operand(command, &length);
    bool repeats = strncmp(word + length, "…", strlen("…")) == 0;
    if (operands == 0 || repeats)
        offer_from(completion, command, word, length);
}

// The words before the last one that make the command's name.
static const struct command *find(char *const *words, size_t count, size_t *ret_used)
{
    char name[128];
    for (size_t used = count < 2 ? count : 2; used > 0; used--) {
        snprintf(name, sizeof name, "%s%s%s", words[0], used > 1 ? " " : "",
                 used > 1 ? words[1] : "");
        const struct command *command = command_find(name);
        *ret_used = used;
        if (command)
            return command;
    }
    return NULL;
}

static int run_complete(struct cli *cli, const struct options *options)
{
    size_t count = options->operand_count, used;
    char *const *words = (char *const *)options->operands;
    if (count == 0)
        return STATUS_OK;
    struct completion completion = {.cli = cli, .start = words[count - 1]};
    // Nobody reads what could not be asked.
    cli->quiet = true;
    const struct command *command = find(words, count - 1, &used);
    if (command)
        offer_for(&completion, command, words + used, count - 1 - used);
    else if (count == 1 && completion.start[0] == '-')
        offer_options(&completion, global_options);
    else if (count <= 2)
        offer_commands(&completion, count == 2 ? words[0] : NULL);
    return STATUS_OK;
}

const struct command completion_commands[] = {
    {
        .name = "complete",
        .synopsis = "-- WORD…",
        .summary = "Say what may stand in the place of the last word, for shells",
        .examples = "soma complete -- logs ''\n",
        .operands_max = ANY_NUMBER,
        .run = run_complete,
        .is_hidden = true,
    },
    {0},
};
