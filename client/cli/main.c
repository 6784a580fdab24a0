// soma: the command line of SOMA. cli/commands.h has the commands, cli/help.c the options of all.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/error.h"
#include "cli/help.h"
#include "cli/list_out.h"
#include "cli/units.h"

int cli_connect(struct cli *cli)
{
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    struct soma_error err;
    int status = settings_resolve(cli);
    if (status != STATUS_OK)
        return status;
    settings_apply(&cli->settings, &options);
    options.program = "soma/" SOMA_VERSION;
    options.timeout_ms = cli->timeout_ms;
    if (soma_client_open(&options, &cli->client, &err) == SOMA_OK)
        return STATUS_OK;
    return report_error(cli, &err, "cannot use the server%s%s", options.server ? " " : "",
                        options.server ? options.server : "");
}

void cli_disconnect(struct cli *cli)
{
    soma_client_close(cli->client);
    cli->client = NULL;
}

static int bad_choice(const struct cli *cli, const char *option, const char *value,
                      const char *choices)
{
    return report_usage(cli, NULL, "option --%s: '%s' is none of %s", option, value, choices);
}

static int read_global_options(struct cli *cli, const struct options *options)
{
    static const char *const formats[] = {"table", "json", "jsonl"};
    static const char *const colors[] = {"auto", "always", "never"};
    const char *format = options_value(options, "output");
    const char *color = options_value(options, "color");
    const char *timeout = options_value(options, "timeout");
    for (size_t i = 0; format; i++) {
        if (i == sizeof formats / sizeof formats[0])
            return bad_choice(cli, "output", format, "table, json, jsonl");
        if (strcmp(format, formats[i]) == 0) {
            cli->format = (enum format)i;
            break;
        }
    }
    for (size_t i = 0; color; i++) {
        if (i == sizeof colors / sizeof colors[0])
            return bad_choice(cli, "color", color, "auto, always, never");
        if (strcmp(color, colors[i]) == 0) {
            cli->color = (int)i;
            break;
        }
    }
    if (timeout && (!parse_duration(timeout, &cli->timeout_ms) || cli->timeout_ms == 0))
        return report_usage(cli, "write 500ms, 90s, 10m or 2h",
                            "option --timeout: '%s' is no duration", timeout);
    cli->options = options;
    cli->quiet = options_has(options, "quiet");
    return STATUS_OK;
}

static int unknown_command(const struct cli *cli, char *const *words, size_t count)
{
    char hint[128], name[64];
    bool is_group = help_knows_group(words[0]);
    snprintf(name, sizeof name, "%s%s%s", words[0], is_group && count > 1 ? " " : "",
             is_group && count > 1 ? words[1] : "");
    const char *near = is_group && count == 1 ? NULL : help_nearest(name);
    if (is_group && !near) {
        snprintf(hint, sizeof hint, "'soma help %s' lists its commands", words[0]);
        return report_usage(cli, hint, "%s: which command?", name);
    }
    snprintf(hint, sizeof hint, "did you mean 'soma %s'?", near ? near : "");
    return report_usage(cli, near ? hint : "'soma help' lists all commands", "unknown command '%s'",
                        name);
}

// The command that words begin with, of one word or two; NULL: none.
static const struct command *find_command(char *const *words, size_t count, size_t *ret_used)
{
    char two[64];
    if (count > 1) {
        snprintf(two, sizeof two, "%s %s", words[0], words[1]);
        const struct command *command = command_find(two);
        if (command) {
            *ret_used = 2;
            return command;
        }
    }
    *ret_used = 1;
    return command_find(words[0]);
}

static int check_operands(const struct cli *cli, const struct command *command,
                          const struct options *options)
{
    char hint[256];
    snprintf(hint, sizeof hint, "usage: soma %s%s%s", command->name, *command->synopsis ? " " : "",
             command->synopsis);
    if (options->operand_count < command->operands_min)
        return report_usage(cli, hint, "%s: an argument is missing", command->name);
    if (options->operand_count > command->operands_max)
        return report_usage(cli, hint, "%s: '%s' is one argument too many", command->name,
                            options->operands[command->operands_max]);
    return STATUS_OK;
}

static int print_version(void)
{
    printf("soma " SOMA_VERSION " (libsoma %s)\n", soma_version());
    return STATUS_OK;
}

static int run_command(struct cli *cli, const struct command *command, struct options *options,
                       char *const *words, size_t word_count)
{
    const struct option *const tables[] = {command->options, global_options};
    struct options_error err;
    size_t used;
    bool parsed = options_parse(options, tables, 2, words, word_count, false, &used, &err);
    // What was read before the mistake may say how mistakes are to be shown.
    int status = read_global_options(cli, options);
    if (!parsed) {
        char hint[64];
        snprintf(hint, sizeof hint, "'soma help %s' explains it", command->name);
        return report_usage(cli, err.hint[0] ? err.hint : hint, "%s: %s", command->name, err.text);
    }
    if (status == STATUS_OK && options_has(options, "version"))
        return print_version();
    if (status == STATUS_OK && options_has(options, "help")) {
        help_command(stdout, command);
        return STATUS_OK;
    }
    if (status == STATUS_OK)
        status = check_operands(cli, command, options);
    if (status != STATUS_OK)
        return status;
    cli->speaks_for_job = command->speaks_for_job;
    status = command->run(cli, options);
    cli_disconnect(cli);
    return status;
}

static int run_words(struct cli *cli, struct options *options, char *const *words,
                     size_t word_count)
{
    const struct option *const tables[] = {global_options};
    struct options_error err;
    size_t used, name_words;
    bool parsed = options_parse(options, tables, 1, words, word_count, true, &used, &err);
    int status = read_global_options(cli, options);
    if (!parsed)
        return report_usage(cli, err.hint[0] ? err.hint : "'soma help' lists all options", "%s",
                            err.text);
    if (status != STATUS_OK)
        return status;
    if (options_has(options, "version"))
        return print_version();
    if (used == word_count) {
        bool asked = options_has(options, "help");
        help_overview(asked ? stdout : stderr);
        return asked ? STATUS_OK : STATUS_USAGE;
    }
    const struct command *command = find_command(words + used, word_count - used, &name_words);
    if (!command)
        return unknown_command(cli, words + used, word_count - used);
    return run_command(cli, command, options, words + used + name_words,
                       word_count - used - name_words);
}

// The end of stdout: what could not be written is a failure, unless nobody reads any more.
static int finish_output(const struct cli *cli, int status)
{
    int failure = output_failure();
    if (!failure)
        return status;
    if (failure == EPIPE)
        return STATUS_PIPE;
    return report_failure(cli, STATUS_FAILED, NULL, "cannot write to stdout: %s",
                          strerror(failure));
}

// What we open must not become a standard descriptor that the caller closed.
static void fill_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            return;
    }
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    struct options options;
    fill_standard_descriptors();
    // Whoever closes our output ends us quietly; only 'soma run' has more to do then.
    signal(SIGPIPE, SIG_DFL);
    if (!options_init(&options, (size_t)argc))
        return report_out_of_memory(&cli);
    int status = run_words(&cli, &options, argv + 1, argc > 0 ? (size_t)argc - 1 : 0);
    status = finish_output(&cli, status);
    settings_fini(&cli.settings);
    options_fini(&options);
    return status;
}
