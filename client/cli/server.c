// ping, info, stats and help.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/error.h"
#include "cli/help.h"
#include "cli/list_out.h"
#include "cli/terminal.h"
#include "cli/units.h"

static double now_exact_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int run_ping(struct cli *cli, const struct options *options)
{
    struct soma_ping_request request = SOMA_PING_REQUEST_INIT;
    struct soma_ping *ping;
    struct soma_error err;
    struct json_out out;
    int status = cli_connect(cli);
    (void)options;
    if (status != STATUS_OK)
        return status;
    const char *server = soma_client_server(cli->client);
    double begun = now_exact_ms();
    if (soma_server_ping(cli->client, &request, NULL, &ping, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot ping %s", server);
    double took_ms = now_exact_ms() - begun;
    if (cli->format == FORMAT_TABLE && !cli->quiet) {
        printf("%s answered in %.2f ms\n", server, took_ms);
    } else if (cli->format != FORMAT_TABLE) {
        value_begin(&out, cli);
        out_begin(&out, '{');
        out_text_at(&out, "server", server);
        out_key(&out, "round_trip_ms");
        out_double(&out, took_ms);
        out_int_at(&out, "server_time_unix_ms", ping->server_time_ms);
        out_end(&out, '}');
        value_end(&out);
    }
    soma_free(ping);
    return STATUS_OK;
}

// --- info

static void texts_to_json(struct json_out *out, const char *key, const char *const *texts,
                          size_t count)
{
    out_key(out, key);
    out_begin(out, '[');
    for (size_t i = 0; i < count; i++)
        out_text(out, texts[i]);
    out_end(out, ']');
}

static void named_to_json(struct json_out *out, const struct soma_named_value *values, size_t count)
{
    out_begin(out, '{');
    for (size_t i = 0; i < count; i++)
        out_int_at(out, values[i].name, values[i].value);
    out_end(out, '}');
}

static void info_to_json(struct json_out *out, const struct soma_server_info *info)
{
    out_begin(out, '{');
    out_text_at(out, "version", info->version);
    out_int_at(out, "frame_version", info->frame_version);
    out_text_at(out, "boot_id", info->boot_id);
    out_int_at(out, "started_unix_ms", info->started_ms);
    out_int_at(out, "pid", info->pid);
    texts_to_json(out, "listeners", info->listeners, info->listener_count);
    out_key(out, "languages");
    out_begin(out, '{');
    for (size_t i = 0; i < info->language_count; i++)
        out_text_at(out, info->languages[i].name, info->languages[i].interpreter);
    out_end(out, '}');
    out_key(out, "enforcement");
    out_begin(out, '[');
    for (size_t i = 0; i < info->enforcement_count; i++) {
        out_begin(out, '{');
        out_text_at(out, "name", info->enforcement[i].name);
        out_bool_at(out, "enforced", info->enforcement[i].enforced);
        out_text_at(out, "detail", info->enforcement[i].detail);
        out_end(out, '}');
    }
    out_end(out, ']');
    out_text_at(out, "sandbox", info->sandbox);
    out_bool_at(out, "job_network", info->job_network);
    out_text_at(out, "kernels", info->kernels);
    texts_to_json(out, "libraries", info->libraries, info->library_count);
    out_key(out, "limits");
    named_to_json(out, info->limits, info->limit_count);
    out_end(out, '}');
}

static void print_info(const struct cli *cli, const struct soma_server_info *info)
{
    char time[UNITS_TEXT_SIZE], age[UNITS_TEXT_SIZE];
    print_fact("server", "%s", soma_client_server(cli->client));
    print_fact("version", "%s, frames of version %" PRIu32, info->version, info->frame_version);
    print_fact("started", "%s, %s ago, pid %" PRIu32, format_time(time, info->started_ms),
               format_age(age, wall_ms() - info->started_ms), info->pid);
    for (size_t i = 0; i < info->listener_count; i++)
        print_fact("listens on", "%s", info->listeners[i]);
    for (size_t i = 0; i < info->language_count; i++)
        print_fact("language", "%-8s %s", info->languages[i].name, info->languages[i].interpreter);
    print_fact("sandbox", "%s", info->sandbox ? info->sandbox : "");
    print_fact("job network", "%s", info->job_network ? "for jobs that ask for it" : "none");
    for (size_t i = 0; i < info->enforcement_count; i++) {
        const struct soma_enforcement *row = &info->enforcement[i];
        print_fact(row->enforced ? "enforced" : "NOT enforced", "%s: %s", row->name,
                   row->detail ? row->detail : "");
    }
    print_fact("kernels", "%s", info->kernels ? info->kernels : "");
    for (size_t i = 0; i < info->library_count; i++)
        print_fact("library", "%s", info->libraries[i]);
    for (size_t i = 0; i < info->limit_count; i++)
        print_fact("limit", "%-28s %" PRId64, info->limits[i].name, info->limits[i].value);
}

static int run_info(struct cli *cli, const struct options *options)
{
    struct soma_empty_request request = SOMA_EMPTY_REQUEST_INIT;
    struct soma_server_info *info;
    struct soma_error err;
    struct json_out out;
    int status = cli_connect(cli);
    (void)options;
    if (status != STATUS_OK)
        return status;
    if (soma_server_info(cli->client, &request, NULL, &info, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot get the server's information");
    if (cli->format == FORMAT_TABLE) {
        print_info(cli, info);
    } else {
        value_begin(&out, cli);
        info_to_json(&out, info);
        value_end(&out);
    }
    soma_free(info);
    return STATUS_OK;
}

// --- stats

static int run_stats(struct cli *cli, const struct options *options)
{
    struct soma_empty_request request = SOMA_EMPTY_REQUEST_INIT;
    struct soma_server_stats *stats;
    struct soma_error err;
    struct json_out out;
    int status = cli_connect(cli);
    (void)options;
    if (status != STATUS_OK)
        return status;
    if (soma_server_stats(cli->client, &request, NULL, &stats, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot get the server's statistics");
    if (cli->format == FORMAT_TABLE) {
        for (size_t i = 0; i < stats->stat_count; i++)
            printf("%-32s %" PRId64 "\n", stats->stats[i].name, stats->stats[i].value);
    } else {
        value_begin(&out, cli);
        named_to_json(&out, stats->stats, stats->stat_count);
        value_end(&out);
    }
    soma_free(stats);
    return STATUS_OK;
}

const struct command server_commands[] = {
    {
        .name = "ping",
        .synopsis = "",
        .summary = "Ask whether the server answers, and how fast",
        .examples = "soma ping\n"
                    "soma --server tcp://127.0.0.1:7766 ping\n",
        .run = run_ping,
    },
    {
        .name = "info",
        .synopsis = "",
        .summary = "Show the server's version, languages and limits, and what it enforces on jobs",
        .examples = "soma info\n"
                    "soma -o json info | jq .limits\n",
        .run = run_info,
    },
    {
        .name = "stats",
        .synopsis = "",
        .summary = "Show the server's counters",
        .examples = "soma stats\n",
        .run = run_stats,
    },
    {
        .name = "help",
        .synopsis = "[COMMAND | TOPIC]",
        .summary = "Explain a command or a topic",
        .examples = "soma help run\n"
                    "soma help exit-codes\n",
        .operands_max = 2,
        .run = run_help,
    },
    {0},
};
