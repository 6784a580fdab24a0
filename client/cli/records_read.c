// get, scan and delete.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/error.h"
#include "cli/list_out.h"
#include "cli/record_print.h"
#include "cli/values.h"

// --- get

static int run_get(struct cli *cli, const struct options *options)
{
    struct soma_records_get_request request = SOMA_RECORDS_GET_REQUEST_INIT;
    struct soma_include include;
    struct soma_records *records;
    struct soma_error err;
    struct record_printer printer;
    int status = value_include(cli, options, &include);
    if (status == STATUS_OK)
        status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    request.collection = options->operands[0];
    request.ids = options->operands + 1;
    request.id_count = options->operand_count - 1;
    request.include = &include;
    if (soma_records_get(cli->client, &request, NULL, &records, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot get records of %s", request.collection);
    record_printer_init(&printer, cli, &include);
    status = record_printer_add(&printer, records);
    record_printer_fini(&printer, status);
    for (size_t i = 0; i < records->missing_count; i++)
        status = report_failure(cli, STATUS_NOT_FOUND, NULL, "cannot get record %s: %s has none",
                                records->missing_ids[i], request.collection);
    soma_free(records);
    return status;
}

// --- scan

static int run_scan(struct cli *cli, const struct options *options)
{
    struct soma_records_scan_request request = SOMA_RECORDS_SCAN_REQUEST_INIT;
    struct soma_include include;
    struct soma_records *records = NULL, *next = NULL;
    struct soma_error err;
    struct record_printer printer;
    int64_t left = INT64_MAX;
    int status = value_include(cli, options, &include);
    if (status == STATUS_OK)
        status = value_integer(cli, options, "limit", 1, INT64_MAX, &left);
    if (status == STATUS_OK)
        status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    request.collection = options->operands[0];
    request.where = options_value(options, "where");
    request.where_document = options_value(options, "where-document");
    request.order_by = options_value(options, "order-by");
    request.descending = options_has(options, "descending");
    request.include = &include;
    record_printer_init(&printer, cli, &include);
    do {
        request.cursor = records ? records->next_cursor : NULL;
        request.page_size = left < 1000 ? (uint32_t)left : 1000;
        if (soma_records_scan(cli->client, &request, NULL, &next, &err) != SOMA_OK) {
            status = report_error(cli, &err, "cannot scan %s", request.collection);
            break;
        }
        soma_free(records);
        records = next;
        left -= (int64_t)records->record_count;
        status = record_printer_add(&printer, records);
    } while (status == STATUS_OK && records->next_cursor && left > 0);
    record_printer_fini(&printer, status);
    soma_free(records);
    return status;
}

// --- delete

static void print_deleted(const struct cli *cli, const struct soma_records_deleted *deleted,
                          bool dry_run)
{
    struct json_out out;
    if (cli->format == FORMAT_TABLE) {
        if (!cli->quiet)
            printf("%s %" PRId64 " records%s", dry_run ? "would delete" : "deleted",
                   dry_run ? deleted->matched : deleted->deleted, deleted->missing ? "" : "\n");
        if (!cli->quiet && deleted->missing)
            printf(", %" PRId64 " ids named none\n", deleted->missing);
        return;
    }
    value_begin(&out, cli);
    out_begin(&out, '{');
    out_int_at(&out, "matched", deleted->matched);
    out_int_at(&out, "deleted", deleted->deleted);
    out_int_at(&out, "missing", deleted->missing);
    out_bool_at(&out, "dry_run", dry_run);
    out_end(&out, '}');
    value_end(&out);
}

static int run_delete(struct cli *cli, const struct options *options)
{
    struct soma_records_delete_request request = SOMA_RECORDS_DELETE_REQUEST_INIT;
    struct soma_records_deleted *deleted;
    struct soma_error err;
    request.collection = options->operands[0];
    request.ids = options->operands + 1;
    request.id_count = options->operand_count - 1;
    request.where = options_value(options, "where");
    request.dry_run = options_has(options, "dry-run");
    if (!request.id_count && !request.where)
        return report_usage(cli, "name ids, or give --where; 'soma collection clear' removes all",
                            "delete: nothing says which records");
    if (request.id_count && request.where)
        return report_usage(cli, NULL, "delete: ids and --where exclude each other");
    int status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    if (soma_records_delete(cli->client, &request, NULL, &deleted, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot delete records of %s", request.collection);
    print_deleted(cli, deleted, request.dry_run);
    soma_free(deleted);
    return STATUS_OK;
}

// --- the rows

static const struct option get_options[] = {INCLUDE_OPTION, {0}};

static const struct option scan_options[] = {
    WHERE_OPTION,
    WHERE_DOCUMENT_OPTION,
    {"order-by", 0, "KEY", "by the values of a metadata key; records without it last", false},
    {"descending", 0, NULL, "from the last to the first", false},
    {"limit", 'n', "N", "at most N records", false},
    INCLUDE_OPTION,
    {0},
};

static const struct option delete_options[] = {
    WHERE_OPTION,
    {"dry-run", 'n', NULL, "only count", false},
    {0},
};

const struct command record_read_commands[] = {
    {
        .name = "get",
        .synopsis = "[OPTIONS] COLLECTION ID…",
        .summary = "Print records by their ids",
        .examples = "soma get docs a1 a2\n"
                    "soma -o json get docs a1 --include embedding\n",
        .options = get_options,
        .operands_min = 2,
        .operands_max = ANY_NUMBER,
        .run = run_get,
    },
    {
        .name = "scan",
        .synopsis = "[OPTIONS] COLLECTION",
        .summary = "Print all records, or those that match, by id or by a metadata key",
        .examples = "soma scan docs --where '{\"lang\": \"en\"}' --order-by year --descending\n"
                    "soma -o jsonl scan docs --include document,metadata,embedding > docs.jsonl\n",
        .options = scan_options,
        .operands_min = 1,
        .operands_max = 1,
        .run = run_scan,
    },
    {
        .name = "delete",
        .synopsis = "[OPTIONS] COLLECTION [ID…]",
        .summary = "Delete records by their ids or by a filter",
        .examples = "soma delete docs a1 a2\n"
                    "soma delete docs --where '{\"year\": {\"$lt\": 2000}}' --dry-run\n",
        .options = delete_options,
        .operands_min = 1,
        .operands_max = ANY_NUMBER,
        .run = run_delete,
    },
    {0},
};
