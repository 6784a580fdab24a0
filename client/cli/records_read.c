// get, query, scan, count and delete.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/error.h"
#include "cli/list_out.h"
#include "cli/query_vectors.h"
#include "cli/record_print.h"
#include "cli/units.h"
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
    record_printer_fini(&printer);
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
    record_printer_fini(&printer);
    soma_free(records);
    return status;
}

// --- query

static const struct table_column hit_columns[] = {
    {"QUERY", 0, true}, {"RANK", 0, true},       {"ID", 40, false},        {"DISTANCE", 0, true},
    {"SCORE", 0, true}, {"DOCUMENT", 48, false}, {"METADATA", 200, false},
};

static bool add_hit(struct table *table, size_t query, size_t rank, const struct soma_hit *hit)
{
    char query_text[UNITS_TEXT_SIZE], rank_text[UNITS_TEXT_SIZE], distance[UNITS_TEXT_SIZE],
        score[UNITS_TEXT_SIZE];
    char *metadata = metadata_line(&hit->record);
    snprintf(query_text, sizeof query_text, "%zu", query + 1);
    snprintf(rank_text, sizeof rank_text, "%zu", rank + 1);
    snprintf(distance, sizeof distance, "%.6g", hit->distance);
    snprintf(score, sizeof score, "%.6g", hit->score);
    // The first column stands there only when there are more queries than one.
    bool added = metadata && (table->column_count == 6 || table_add(table, query_text)) &&
                 table_add(table, rank_text) && table_add(table, hit->record.id) &&
                 table_add(table, distance) && table_add(table, score) &&
                 table_add(table, hit->record.document) &&
                 table_add(table, hit->record.metadata_count ? metadata : "");
    free(metadata);
    return added;
}

static int print_hits(const struct cli *cli, const struct soma_query_results *results)
{
    bool is_one = results->result_count == 1;
    struct table table;
    int status = STATUS_OK;
    table_init(&table, hit_columns + is_one, 7 - (size_t)is_one);
    for (size_t q = 0; q < results->result_count && status == STATUS_OK; q++) {
        const struct soma_query_result *result = &results->results[q];
        for (size_t i = 0; i < result->hit_count && status == STATUS_OK; i++) {
            if (cli->quiet)
                puts(result->hits[i].record.id);
            else if (!add_hit(&table, q, i, &result->hits[i]))
                status = report_out_of_memory(cli);
        }
    }
    if (!cli->quiet)
        table_print(&table, cli);
    table_fini(&table);
    return status;
}

static void hit_to_json(struct json_out *out, const struct soma_hit *hit, uint32_t dimension,
                        const struct soma_include *include)
{
    out_key(out, "distance");
    out_double(out, hit->distance);
    out_key(out, "score");
    out_double(out, hit->score);
    record_to_json(out, &hit->record, hit->embedding, dimension, include);
}

// One object with everything.
static void results_to_json(const struct cli *cli, const struct soma_query_results *results,
                            uint32_t dimension, const struct soma_include *include)
{
    struct json_out out;
    value_begin(&out, cli);
    out_begin(&out, '{');
    out_text_at(&out, "plan", results->plan);
    out_int_at(&out, "sequence", results->sequence);
    out_key(&out, "results");
    out_begin(&out, '[');
    for (size_t q = 0; q < results->result_count; q++) {
        const struct soma_query_result *result = &results->results[q];
        out_begin(&out, '{');
        out_text_at(&out, "short_reason", result->short_reason);
        out_key(&out, "hits");
        out_begin(&out, '[');
        for (size_t i = 0; i < result->hit_count; i++) {
            out_begin(&out, '{');
            hit_to_json(&out, &result->hits[i], dimension, include);
            out_end(&out, '}');
        }
        out_end(&out, ']');
        out_end(&out, '}');
    }
    out_end(&out, ']');
    out_end(&out, '}');
    value_end(&out);
}

// One line for each hit.
static void results_to_lines(const struct soma_query_results *results, uint32_t dimension,
                             const struct soma_include *include)
{
    struct json_out out;
    out_init(&out, stdout, false);
    for (size_t q = 0; q < results->result_count; q++) {
        for (size_t i = 0; i < results->results[q].hit_count; i++) {
            out_begin(&out, '{');
            out_int_at(&out, "query", (int64_t)q);
            out_int_at(&out, "rank", (int64_t)i + 1);
            hit_to_json(&out, &results->results[q].hits[i], dimension, include);
            out_end(&out, '}');
            out_line(&out);
        }
    }
}

static int query(struct cli *cli, const struct soma_records_query_request *request)
{
    struct soma_query_results *results;
    struct soma_error err;
    int status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    if (soma_records_query(cli->client, request, NULL, &results, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot query %s", request->collection);
    if (cli->format == FORMAT_TABLE)
        status = print_hits(cli, results);
    else if (cli->format == FORMAT_JSON)
        results_to_json(cli, results, request->dimension, request->include);
    else
        results_to_lines(results, request->dimension, request->include);
    soma_free(results);
    return status;
}

static int run_query(struct cli *cli, const struct options *options)
{
    struct soma_records_query_request request = SOMA_RECORDS_QUERY_REQUEST_INIT;
    struct soma_include include;
    struct query_vectors vectors = {0};
    double max_distance;
    int64_t k = 10;
    int status = value_integer(cli, options, "k", 1, UINT32_MAX, &k);
    if (status == STATUS_OK)
        status = value_number(cli, options, "max-distance", &max_distance);
    if (status == STATUS_OK)
        status = value_include(cli, options, &include);
    if (status == STATUS_OK)
        status = query_vectors_read(cli, options, &vectors);
    if (status != STATUS_OK)
        return status;
    request.collection = options->operands[0];
    request.embeddings = vectors.numbers;
    request.query_count = vectors.count;
    request.dimension = vectors.dimension;
    request.k = (uint32_t)k;
    request.where = options_value(options, "where");
    request.include = &include;
    request.max_distance = options_has(options, "max-distance") ? &max_distance : NULL;
    status = query(cli, &request);
    query_vectors_fini(&vectors);
    return status;
}

// --- count, delete

static void print_number(const struct cli *cli, const char *key, int64_t value)
{
    struct json_out out;
    if (cli->format == FORMAT_TABLE) {
        printf("%" PRId64 "\n", value);
        return;
    }
    value_begin(&out, cli);
    out_begin(&out, '{');
    out_int_at(&out, key, value);
    out_end(&out, '}');
    value_end(&out);
}

static int run_count(struct cli *cli, const struct options *options)
{
    struct soma_records_count_request request = SOMA_RECORDS_COUNT_REQUEST_INIT;
    struct soma_records_count *count;
    struct soma_error err;
    int status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    request.collection = options->operands[0];
    request.where = options_value(options, "where");
    if (soma_records_count(cli->client, &request, NULL, &count, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot count %s", request.collection);
    print_number(cli, "count", count->count);
    soma_free(count);
    return STATUS_OK;
}

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

#define WHERE_OPTION                                                                    \
    {                                                                                   \
        "where", 'w', "JSON", "only records that match; see 'soma help filters'", false \
    }
#define INCLUDE_OPTION                                                               \
    {                                                                                \
        "include", 0, "LIST", "document, metadata, embedding (the first two)", false \
    }

static const struct option get_options[] = {INCLUDE_OPTION, {0}};

static const struct option query_options[] = {
    {"vector", 0, "JSON", "what to look for, a list of numbers", true},
    {"vectors", 0, "FILE", "many of them, one on a line; - is stdin", false},
    {"k", 'k', "N", "hits for each vector (10)", false},
    WHERE_OPTION,
    {"max-distance", 0, "NUMBER", "leave out what is farther", false},
    INCLUDE_OPTION,
    {0},
};

static const struct option scan_options[] = {
    WHERE_OPTION,
    {"limit", 'n', "N", "at most N records", false},
    INCLUDE_OPTION,
    {0},
};

static const struct option count_options[] = {WHERE_OPTION, {0}};

static const struct option delete_options[] = {
    WHERE_OPTION,
    {"dry-run", 'n', NULL, "only count", false},
    {0},
};

const struct command record_read_commands[] = {
    {
        .name = "query",
        .synopsis = "--vector JSON [OPTIONS] COLLECTION",
        .summary = "Find the records nearest to vectors",
        .examples = "soma query docs --vector '[0.1, 0.2]' -k 10 --where '{\"lang\": \"en\"}'\n"
                    "soma -o jsonl query docs --vectors queries.jsonl --include metadata\n",
        .options = query_options,
        .operands_min = 1,
        .operands_max = 1,
        .run = run_query,
    },
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
        .summary = "Print all records, or those that match, by id",
        .examples = "soma scan docs --where '{\"lang\": \"en\"}'\n"
                    "soma -o jsonl scan docs --include document,metadata,embedding > docs.jsonl\n",
        .options = scan_options,
        .operands_min = 1,
        .operands_max = 1,
        .run = run_scan,
    },
    {
        .name = "count",
        .synopsis = "[OPTIONS] COLLECTION",
        .summary = "Count records",
        .examples = "soma count docs\n"
                    "soma count docs --where '{\"year\": {\"$gte\": 2020}}'\n",
        .options = count_options,
        .operands_min = 1,
        .operands_max = 1,
        .run = run_count,
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
