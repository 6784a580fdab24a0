// collection check.
#include <inttypes.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/error.h"
#include "cli/list_out.h"
#include "cli/table.h"
#include "cli/units.h"
#include "cli/values.h"

static void finding_to_json(struct json_out *out, const struct soma_check_finding *finding)
{
    out_begin(out, '{');
    out_text_at(out, "kind", finding->kind);
    out_text_at(out, "message", finding->message);
    out_int_at(out, "count", finding->count);
    out_key(out, "ids");
    out_begin_flat(out, '[');
    for (size_t i = 0; i < finding->id_count; i++)
        out_text(out, finding->ids[i]);
    out_end(out, ']');
    out_end(out, '}');
}

static void print_json(const struct cli *cli, const char *name,
                       const struct soma_collection_check *check)
{
    struct json_out out;
    value_begin(&out, cli);
    out_begin(&out, '{');
    out_text_at(&out, "collection", name);
    out_bool_at(&out, "agrees", check->finding_count == 0);
    out_int_at(&out, "sequence", check->sequence);
    out_int_at(&out, "records", check->records);
    out_int_at(&out, "rows", check->rows);
    out_int_at(&out, "rows_indexed", check->rows_indexed);
    out_text_at(&out, "index_kind", check->index_kind);
    out_int_at(&out, "sampled", check->sampled);
    out_key(&out, "recall");
    out_double(&out, check->recall);
    out_key(&out, "recall_min");
    out_double(&out, check->recall_min);
    out_key(&out, "findings");
    out_begin(&out, '[');
    for (size_t i = 0; i < check->finding_count; i++)
        finding_to_json(&out, &check->findings[i]);
    out_end(&out, ']');
    out_end(&out, '}');
    value_end(&out);
}

static const struct table_column finding_columns[] = {
    {"FINDING", 0, false},
    {"COUNT", 0, true},
    {"FOR EXAMPLE", 40, false},
    {"WHAT", 0, false},
};

static int print_findings(const struct cli *cli, const struct soma_collection_check *check)
{
    char count[UNITS_TEXT_SIZE];
    struct table table;
    bool has_memory = true;
    table_init(&table, finding_columns, sizeof finding_columns / sizeof finding_columns[0]);
    for (size_t i = 0; i < check->finding_count && has_memory; i++) {
        const struct soma_check_finding *finding = &check->findings[i];
        snprintf(count, sizeof count, "%" PRId64, finding->count);
        has_memory = table_add(&table, finding->kind) && table_add(&table, count) &&
                     table_add(&table, finding->id_count ? finding->ids[0] : "") &&
                     table_add(&table, finding->message);
    }
    if (has_memory)
        table_print(&table, cli);
    table_fini(&table);
    return has_memory ? STATUS_FAILED : report_out_of_memory(cli);
}

static int print_check(const struct cli *cli, const char *name,
                       const struct soma_collection_check *check)
{
    int status = check->finding_count ? STATUS_FAILED : STATUS_OK;
    if (cli->format != FORMAT_TABLE) {
        print_json(cli, name, check);
        return status;
    }
    if (!cli->quiet) {
        print_fact("records", "%" PRId64 " at sequence %" PRId64, check->records, check->sequence);
        print_fact("in memory", "%" PRId64 ", %" PRId64 " of them in the graph", check->rows,
                   check->rows_indexed);
        print_fact("recall@10", "%.4f of %" PRIu32 " rows, worst %.1f, %s", check->recall,
                   check->sampled, check->recall_min, check->index_kind);
        print_fact("findings", "%s", check->finding_count ? "see below" : "none");
    }
    return check->finding_count ? print_findings(cli, check) : status;
}

static int run_check(struct cli *cli, const struct options *options)
{
    struct soma_collection_check_request request = SOMA_COLLECTION_CHECK_REQUEST_INIT;
    struct soma_collection_check *check;
    struct soma_error err;
    int64_t sample = 0;
    int status = value_integer(cli, options, "sample", 1, UINT32_MAX, &sample);
    if (status == STATUS_OK)
        status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    request.collection = options->operands[0];
    request.sample = (uint32_t)sample;
    if (soma_collection_check(cli->client, &request, NULL, &check, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot check collection %s", request.collection);
    status = print_check(cli, request.collection, check);
    soma_free(check);
    return status;
}

static const struct option check_options[] = {
    {"sample", 0, "N", "rows to measure recall with, at most 1000 (100)", false},
    {0},
};

const struct command collection_check_commands[] = {
    {
        .name = "collection check",
        .synopsis = "[OPTIONS] NAME",
        .summary = "Compare a collection's index with its records, and measure recall",
        .details =
            "Every record must be in memory and in the graph, or wait for it, with the numbers and "
            "the "
            "content that were\nwritten; nothing else may be there. Recall is how many of the "
            "ten nearest of a sample of rows a query finds.\nExits with 1 where anything "
            "disagrees. Reads every record: large collections want a longer --timeout.\n",
        .examples = "soma collection check docs\n"
                    "soma -o json --timeout 10m collection check docs --sample 1000 | jq .recall\n",
        .options = check_options,
        .operands_min = 1,
        .operands_max = 1,
        .run = run_check,
    },
    {0},
};
