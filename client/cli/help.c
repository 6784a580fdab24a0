#include "cli/help.h"

#include <string.h>

#include "cli/error.h"

const struct option global_options[] = {
#define SETTING(id, name, value, field, variable, kind, otherwise, summary) \
    {name, 0, value, summary "; also $" variable, false},
#define SECRET(id, name, field, variable, otherwise, summary)
#include "cli/settings.def"
#undef SETTING
#undef SECRET
    {"context", 0, "CONTEXT", "a named server, see 'soma help context add'; also $SOMA_CONTEXT",
     false},
    {"output", 'o', "FORMAT", "table, json or jsonl (one JSON value a line)", false},
    {"quiet", 'q', NULL, "print no more than needed: ids, and no progress", false},
    {"timeout", 0, "DURATION", "how long to wait for the server (30s); wait: for the jobs", false},
    {"color", 0, "WHEN", "auto, always or never", false},
    {"version", 0, NULL, "print the version", false},
    {"help", 'h', NULL, "explain the command", false},
    {0},
};

enum {
    LINE_COLUMNS = 80,
    OPTION_COLUMNS = 29,
    STATUS_COLUMNS = 7,
    SUMMARY_COLUMNS = 22
};

static size_t columns_of(const char *text, size_t length)
{
    size_t columns = 0;
    for (size_t i = 0; i < length; i++)
        columns += ((unsigned char)text[i] & 0xc0) != 0x80;
    return columns;
}

// The words of text in lines of 80 columns; an empty line parts paragraphs. The first line has so
// many columns already; those after it begin with so many spaces.
static void print_wrapped(FILE *file, const char *text, size_t used, size_t indent)
{
    bool is_first = true;
    for (size_t gap; text[gap = strspn(text, " \n")];) {
        if (!is_first && strncmp(text, "\n\n", 2) == 0) {
            fprintf(file, "\n\n%*s", (int)indent, "");
            used = indent;
            is_first = true;
        }
        text += gap;
        size_t length = strcspn(text, " \n"), columns = columns_of(text, length);
        if (!is_first && used + 1 + columns > LINE_COLUMNS) {
            fprintf(file, "\n%*s", (int)indent, "");
            used = indent;
        } else if (!is_first) {
            fputc(' ', file);
            used++;
        }
        fprintf(file, "%.*s", (int)length, text);
        used += columns;
        text += length;
        is_first = false;
    }
    fputc('\n', file);
}

// What stands on the left, and from that column on its explanation; below it where there is no
// room.
static void print_explained(FILE *file, const char *left, const char *text, size_t column)
{
    size_t used = columns_of(left, strlen(left));
    fputs(left, file);
    if (used >= column)
        fputc('\n', file);
    fprintf(file, "%*s", (int)(used < column ? column - used : column), "");
    print_wrapped(file, text, column, column);
}

static void print_exit_codes(FILE *file)
{
    for (const struct status_row *row = status_table; row->meaning; row++) {
        char left[16];
        snprintf(left, sizeof left, "%5d", row->status);
        print_explained(file, left, row->meaning, STATUS_COLUMNS);
    }
    fprintf(file, "\nrun and wait exit with the job's own exit code. So, with them, SOMA's own\n"
                  "failures are 125, and only a wrong command line is 2.\n");
}

static void print_environment(FILE *file)
{
    for (size_t i = 0; i < SETTING_COUNT; i++)
        fprintf(file, "  %-15s %s\n", setting_table[i].variable, setting_table[i].summary);
    fputs("  SOMA_CONTEXT    a context, where neither --context nor a server is named\n"
          "  XDG_CONFIG_HOME where contexts are kept, in soma/contexts ($HOME/.config)\n"
          "  SOMA_PROGRESS   in a job: where 'soma progress' writes to\n"
          "  NO_COLOR        not empty: no colours\n"
          "  TERM            \"dumb\" or not set: no progress bar and no colours\n",
          file);
}

const struct topic help_topics[] = {
    {"exit-codes", "what the program exits with", print_exit_codes, NULL},
    {"environment", "variables that are read", print_environment, NULL},
    {"units", "durations, sizes and times", NULL,
     "  durations  500ms, 90s, 10m, 24h, 7d, 1h30m; a bare number is seconds\n"
     "  sizes      64K, 64M, 1G, 2T, by 1024; a bare number is bytes\n"
     "  times      RFC 3339, 2025-03-01T09:30:00Z or 2025-03-01T11:30:00+02:00\n"},
    {"records", "how records are written in files", NULL,
     "  One record is one line of JSON:\n\n"
     "    {\"id\": \"a\", \"embedding\": [0.1, 2], \"document\": \"text\", "
     "\"metadata\": {\"n\": 1}}\n\n"
     "  id         text; where it is missing, upsert and insert make it of the content\n"
     "  embedding  as many numbers as the collection has; update may leave it out\n"
     "  document   text; may be missing\n"
     "  metadata   texts, integers, real numbers, true and false, and lists of one of\n"
     "             these; in an update null removes the key\n\n"
     "  Empty lines are skipped. 'soma -o jsonl scan' writes the same form.\n"},
    {"filters", "how --where is written", NULL,
     "  A filter is one JSON object about the records' metadata:\n\n"
     "    {\"lang\": \"en\"}                          equal\n"
     "    {\"year\": {\"$gte\": 2020, \"$lt\": 2024}}   $eq $ne $gt $gte $lt $lte\n"
     "    {\"lang\": {\"$in\": [\"en\", \"de\"]}}         $in $nin\n"
     "    {\"tags\": {\"$contains\": \"new\"}}          a list that holds the value\n"
     "    {\"$or\": [{\"lang\": \"en\"}, {\"year\": 2024}]}   $and $or $not\n\n"
     "  --where-document is one about their documents:\n\n"
     "    {\"$contains\": \"text\"}                 $not_contains; byte for byte\n"
     "    {\"$regex\": \"^v[0-9]+\"}                $not_regex; PCRE2\n"
     "    {\"$or\": [{\"$contains\": \"a\"}, …]}      $and\n"},
    {"reference", "every command, in Markdown", help_print_reference, NULL},
    {"man", "the manual page, soma(1); help man jobs: soma-jobs(1)", help_print_man, NULL},
    {0},
};

void help_print_topic(FILE *file, const struct topic *topic)
{
    if (topic->print)
        topic->print(file);
    else
        fputs(topic->text, file);
}

static void print_options(FILE *file, const struct option *options)
{
    for (const struct option *o = options; o && o->name; o++) {
        char left[64], text[256], letter[8] = "    ";
        if (o->letter)
            snprintf(letter, sizeof letter, "-%c, ", o->letter);
        snprintf(left, sizeof left, "  %s--%s%s%s", letter, o->name, o->value ? " " : "",
                 o->value ? o->value : "");
        snprintf(text, sizeof text, "%s%s", o->summary, o->repeats ? " (may repeat)" : "");
        print_explained(file, left, text, OPTION_COLUMNS);
    }
}

static void print_summary(FILE *file, const struct command *command)
{
    char left[64];
    snprintf(left, sizeof left, "  %s", command->name);
    print_explained(file, left, command->summary, SUMMARY_COLUMNS);
}

void help_overview(FILE *file)
{
    fprintf(file, "soma runs code as durable jobs and keeps vectors, on a SOMA server.\n\n"
                  "Usage: soma [OPTIONS] COMMAND …\n");
    for (const struct command_group *group = command_groups; group->title; group++) {
        if (group->commands->is_hidden)
            continue;
        const char *example = group->commands->examples;
        int length = (int)strcspn(example, "\n");
        bool fits = strlen(group->title) + 3 + (size_t)length <= LINE_COLUMNS;
        fprintf(file, "\n%s:%s  %.*s\n", group->title, fits ? "" : "\n", length, example);
        for (const struct command *c = group->commands; c->name; c++)
            print_summary(file, c);
    }
    fprintf(file, "\nOptions, before or after the command\n");
    print_options(file, global_options);
    fprintf(file, "\nMore: soma help COMMAND, and soma help with\n");
    for (const struct topic *topic = help_topics; topic->name; topic++)
        fprintf(file, "%s %s", topic > help_topics ? " |" : " ", topic->name);
    fprintf(file, "\n");
}

static void print_indented(FILE *file, const char *lines)
{
    for (const char *at = lines; *at;) {
        size_t length = strcspn(at, "\n");
        fprintf(file, "  %.*s\n", (int)length, at);
        at += length + (at[length] == '\n');
    }
}

void help_command(FILE *file, const struct command *command)
{
    char title[256];
    snprintf(title, sizeof title, "soma %s: %s", command->name, command->summary);
    print_wrapped(file, title, 0, 0);
    fprintf(file, "\nExamples\n");
    print_indented(file, command->examples);
    fprintf(file, "\nUsage: soma %s%s%s\n", command->name, *command->synopsis ? " " : "",
            command->synopsis);
    if (command->details) {
        fputc('\n', file);
        print_wrapped(file, command->details, 0, 0);
    }
    if (command->options && command->options->name) {
        fprintf(file, "\nOptions\n");
        print_options(file, command->options);
    }
    fprintf(file, "\nOptions of every command\n");
    print_options(file, global_options);
}

// Whether name is mistyped, or only the beginning of what was meant.
static bool may_mean(const char *name, const char *meant)
{
    size_t length = strlen(name);
    return (length >= 3 && strncmp(meant, name, length) == 0) || words_are_near(name, meant);
}

// What others call it.
static const struct {
    const char *word;
    const char *command;
} other_words[] = {
    {"attach", "logs"},
    {"collection delete", "collection rm"},
    {"collection list", "collection ls"},
    {"collection rename", "collection edit"},
    {"exec", "run"},
    {"inspect", "show"},
    {"jobs", "ps"},
    {"kill", "cancel"},
    {"list", "ps"},
    {"ls", "ps"},
    {"output", "logs"},
    {"queue list", "queue ls"},
    {"remove", "rm"},
    {"rerun", "retry"},
    {"search", "query"},
    {"start", "submit"},
    {"status", "show"},
    {"stop", "cancel"},
    {"tail", "logs"},
    {"token list", "token ls"},
    {"token rm", "token revoke"},
};

const char *help_nearest(const char *name)
{
    for (size_t i = 0; i < sizeof other_words / sizeof other_words[0]; i++) {
        if (strcmp(name, other_words[i].word) == 0)
            return other_words[i].command;
    }
    for (const struct command_group *group = command_groups; group->title; group++) {
        for (const struct command *c = group->commands; c->name; c++) {
            if (!c->is_hidden && may_mean(name, c->name))
                return c->name;
        }
    }
    for (const struct topic *topic = help_topics; topic->name; topic++) {
        if (may_mean(name, topic->name))
            return topic->name;
    }
    return NULL;
}

bool help_knows_group(const char *name)
{
    size_t length = strlen(name);
    for (const struct command_group *group = command_groups; group->title; group++) {
        for (const struct command *c = group->commands; c->name; c++) {
            if (strncmp(c->name, name, length) == 0 && c->name[length] == ' ')
                return true;
        }
    }
    return false;
}

static void print_examples(FILE *file, const struct command *command)
{
    print_indented(file, command->examples);
}

// What print makes of each command whose first word is name.
static void for_each_of(const char *name, FILE *file,
                        void (*print)(FILE *file, const struct command *command))
{
    size_t length = strlen(name);
    for (const struct command_group *group = command_groups; group->title; group++) {
        for (const struct command *c = group->commands; c->name; c++) {
            if (strncmp(c->name, name, length) == 0 && c->name[length] == ' ')
                print(file, c);
        }
    }
}

static void print_group(FILE *file, const char *name)
{
    fprintf(file, "Examples\n");
    for_each_of(name, file, print_examples);
    fprintf(file, "\nCommands\n");
    for_each_of(name, file, print_summary);
}

static const struct topic *topic_find(const char *name)
{
    for (const struct topic *topic = help_topics; topic->name; topic++) {
        if (strcmp(topic->name, name) == 0)
            return topic;
    }
    return NULL;
}

int run_help(struct cli *cli, const struct options *options)
{
    char name[64];
    if (options->operand_count == 0) {
        help_overview(stdout);
        return STATUS_OK;
    }
    const char *second = options->operand_count > 1 ? options->operands[1] : NULL;
    if (second && strcmp(options->operands[0], "man") == 0)
        return help_man(cli, second);
    snprintf(name, sizeof name, "%s%s%s", options->operands[0], second ? " " : "",
             second ? second : "");
    const struct command *command = command_find(name);
    if (command) {
        help_command(stdout, command);
        return STATUS_OK;
    }
    const struct topic *topic = topic_find(name);
    if (topic) {
        help_print_topic(stdout, topic);
        return STATUS_OK;
    }
    if (help_knows_group(name)) {
        print_group(stdout, name);
        return STATUS_OK;
    }
    const char *near = help_nearest(name);
    char hint[128];
    snprintf(hint, sizeof hint, "did you mean 'soma help %s'?", near ? near : "");
    return report_usage(cli, near ? hint : "'soma help' lists everything",
                        "help: there is no command or topic '%s'", name);
}
