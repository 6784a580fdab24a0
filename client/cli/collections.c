// collection create, ls, show, edit, clear and rm.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/collection_print.h"
#include "cli/commands.h"
#include "cli/error.h"
#include "cli/list_out.h"
#include "cli/metadata.h"
#include "cli/table.h"
#include "cli/units.h"
#include "cli/values.h"

// --- how collections are shown

static void index_to_json(struct json_out *out, const struct soma_collection *collection)
{
    const struct soma_index_settings *index = &collection->index;
    out_text_at(out, "index_kind", collection->index_kind);
    out_key(out, "index");
    out_begin(out, '{');
    out_text_at(out, "quantization", soma_quantization_name(index->quantization));
    out_int_at(out, "m", index->m);
    out_int_at(out, "ef_construction", index->ef_construction);
    out_int_at(out, "ef_search", index->ef_search);
    out_text_at(out, "rerank", soma_rerank_name(index->rerank));
    out_int_at(out, "rows_indexed", collection->rows_indexed);
    out_int_at(out, "rows_waiting", collection->rows_waiting);
    out_int_at(out, "rows_per_second", (int64_t)collection->rows_per_second);
    out_int_at(out, "bytes", collection->index_bytes);
    out_int_at(out, "file_sequence", collection->index_file_sequence);
    out_end(out, '}');
}

static void collection_to_json(struct json_out *out, const struct soma_collection *collection)
{
    out_begin(out, '{');
    out_text_at(out, "name", collection->name);
    out_text_at(out, "uid", collection->uid);
    out_int_at(out, "dimension", collection->dimension);
    out_text_at(out, "metric", soma_metric_name(collection->metric));
    out_int_at(out, "record_count", collection->record_count);
    out_int_at(out, "sequence", collection->sequence);
    out_int_at(out, "memory_bytes", collection->memory_bytes);
    index_to_json(out, collection);
    out_int_at(out, "created_unix_ms", collection->created_ms);
    out_key(out, "aliases");
    out_begin(out, '[');
    for (size_t i = 0; i < collection->alias_count; i++)
        out_text(out, collection->aliases[i]);
    out_end(out, ']');
    out_key(out, "metadata");
    metadata_to_json(out, collection->metadata, collection->metadata_count);
    out_end(out, '}');
}

static void print_metadata(const struct soma_collection *collection)
{
    struct json_out out;
    if (!collection->metadata_count)
        return;
    printf("%-12s ", "metadata");
    out_init(&out, stdout, false);
    metadata_to_json(&out, collection->metadata, collection->metadata_count);
    putchar('\n');
}

// "hnsw, int8, m 16, ef 200 and 64", and below what it holds.
static void print_index(const struct soma_collection *collection)
{
    char text[UNITS_TEXT_SIZE];
    const struct soma_index_settings *index = &collection->index;
    print_fact("index",
               "%s, %s, m %" PRIu32 ", ef %" PRIu32 " building and %" PRIu32 " searching%s",
               collection->index_kind ? collection->index_kind : "",
               soma_quantization_name(index->quantization), index->m, index->ef_construction,
               index->ef_search, index->rerank == SOMA_RERANK_DISK ? ", embeddings on disk" : "");
    if (!collection->index_bytes)
        return;
    print_fact("indexed", "%" PRId64 " rows, %s", collection->rows_indexed,
               format_size(text, collection->index_bytes));
    if (collection->rows_waiting)
        print_fact("waiting", "%" PRId64 " rows, %.0f indexed a second", collection->rows_waiting,
                   collection->rows_per_second);
    if (collection->index_file_sequence)
        print_fact("index file", "sequence %" PRId64, collection->index_file_sequence);
}

static void print_collection(const struct soma_collection *collection)
{
    char text[UNITS_TEXT_SIZE];
    print_fact("name", "%s", collection->name);
    print_fact("uid", "%s", collection->uid);
    for (size_t i = 0; i < collection->alias_count; i++)
        print_fact("alias", "%s", collection->aliases[i]);
    print_fact("dimension", "%" PRIu32, collection->dimension);
    print_fact("metric", "%s", soma_metric_name(collection->metric));
    print_fact("records", "%" PRId64, collection->record_count);
    print_fact("sequence", "%" PRId64, collection->sequence);
    print_fact("memory", "%s", format_size(text, collection->memory_bytes));
    print_index(collection);
    print_fact("created", "%s", format_time(text, collection->created_ms));
    print_metadata(collection);
}

void collection_show(const struct cli *cli, const struct soma_collection *collection)
{
    struct json_out out;
    if (cli->format == FORMAT_TABLE) {
        print_collection(collection);
        return;
    }
    value_begin(&out, cli);
    collection_to_json(&out, collection);
    value_end(&out);
}

// --- create, show, edit

static int read_index(struct cli *cli, const struct options *options,
                      struct soma_index_settings *index)
{
    const char *name = options_value(options, "quantization");
    const char *rerank = options_value(options, "rerank");
    int64_t m = 0, ef_construction = 0, ef_search = 0;
    if (name && !soma_quantization_from_name(name, &index->quantization))
        return report_usage(cli, NULL,
                            "option --quantization: '%s' is none of none, bf16, int8, int4", name);
    if (rerank && !soma_rerank_from_name(rerank, &index->rerank))
        return report_usage(cli, NULL, "option --rerank: '%s' is none of memory, disk", rerank);
    int status = value_integer(cli, options, "m", 1, UINT32_MAX, &m);
    if (status == STATUS_OK)
        status = value_integer(cli, options, "ef-construction", 1, UINT32_MAX, &ef_construction);
    if (status == STATUS_OK)
        status = value_integer(cli, options, "ef-search", 1, UINT32_MAX, &ef_search);
    index->m = (uint32_t)m;
    index->ef_construction = (uint32_t)ef_construction;
    index->ef_search = (uint32_t)ef_search;
    return status;
}

static int run_create(struct cli *cli, const struct options *options)
{
    struct soma_collection_create_request request = SOMA_COLLECTION_CREATE_REQUEST_INIT;
    struct soma_collection *collection;
    struct soma_error err;
    struct pool pool = {0};
    int64_t dimension = 0;
    const char *metric = options_value(options, "metric");
    request.name = options->operands[0];
    request.exist_ok = options_has(options, "exist-ok");
    if (!options_has(options, "dim"))
        return report_usage(cli, "give --dim N, the numbers in an embedding",
                            "collection create: the dimension is missing");
    if (metric && !soma_metric_from_name(metric, &request.metric))
        return report_usage(cli, NULL, "option --metric: '%s' is none of cosine, l2, dot", metric);
    int status = value_integer(cli, options, "dim", 1, UINT32_MAX, &dimension);
    request.dimension = (uint32_t)dimension;
    if (status == STATUS_OK)
        status = read_index(cli, options, &request.index);
    if (status == STATUS_OK)
        status =
            value_metadata(cli, options, false, &pool, &request.metadata, &request.metadata_count);
    if (status == STATUS_OK)
        status = cli_connect(cli);
    if (status == STATUS_OK) {
        if (soma_collection_create(cli->client, &request, NULL, &collection, &err) == SOMA_OK) {
            if (cli->format != FORMAT_TABLE)
                collection_show(cli, collection);
            else if (!cli->quiet)
                printf("collection %s, %" PRIu32 " numbers, %s\n", collection->name,
                       collection->dimension, soma_metric_name(collection->metric));
            soma_free(collection);
        } else {
            status = report_error(cli, &err, "cannot create collection %s", request.name);
        }
    }
    pool_empty(&pool);
    return status;
}

static int run_show(struct cli *cli, const struct options *options)
{
    struct soma_collection_request request = SOMA_COLLECTION_REQUEST_INIT;
    struct soma_collection *collection;
    struct soma_error err;
    int status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    request.collection = options->operands[0];
    if (soma_collection_get(cli->client, &request, NULL, &collection, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot show collection %s", request.collection);
    collection_show(cli, collection);
    soma_free(collection);
    return STATUS_OK;
}

static int run_edit(struct cli *cli, const struct options *options)
{
    struct soma_collection_update_request request = SOMA_COLLECTION_UPDATE_REQUEST_INIT;
    struct soma_collection *collection;
    struct soma_error err;
    struct pool pool = {0};
    request.collection = options->operands[0];
    request.new_name = options_value(options, "name");
    if (!request.new_name && !options_has(options, "metadata"))
        return report_usage(cli, "give --name NEW or --metadata JSON",
                            "collection edit: there is nothing to change");
    int status =
        value_metadata(cli, options, true, &pool, &request.metadata, &request.metadata_count);
    if (status == STATUS_OK)
        status = cli_connect(cli);
    if (status == STATUS_OK &&
        soma_collection_update(cli->client, &request, NULL, &collection, &err) != SOMA_OK)
        status = report_error(cli, &err, "cannot edit collection %s", request.collection);
    else if (status == STATUS_OK) {
        if (!cli->quiet)
            collection_show(cli, collection);
        soma_free(collection);
    }
    pool_empty(&pool);
    return status;
}

// --- ls

static const struct table_column ls_columns[] = {
    {"NAME", 40, false},  {"DIM", 0, true},    {"METRIC", 0, false},
    {"RECORDS", 0, true}, {"MEMORY", 0, true},
};

static bool add_collection(struct table *table, const struct soma_collection *collection)
{
    char dimension[UNITS_TEXT_SIZE], records[UNITS_TEXT_SIZE], memory[UNITS_TEXT_SIZE];
    snprintf(dimension, sizeof dimension, "%" PRIu32, collection->dimension);
    snprintf(records, sizeof records, "%" PRId64, collection->record_count);
    return table_add(table, collection->name) && table_add(table, dimension) &&
           table_add(table, soma_metric_name(collection->metric)) && table_add(table, records) &&
           table_add(table, format_size(memory, collection->memory_bytes));
}

static int print_collections(const struct cli *cli, struct table *table, struct json_out *out,
                             const struct soma_collection_list *list)
{
    for (size_t i = 0; i < list->collection_count; i++) {
        const struct soma_collection *collection = &list->collections[i];
        if (cli->quiet) {
            puts(collection->name);
        } else if (cli->format == FORMAT_TABLE) {
            if (!add_collection(table, collection))
                return report_out_of_memory(cli);
        } else {
            collection_to_json(out, collection);
            list_item_end(out, cli);
        }
    }
    if (cli->format == FORMAT_TABLE && !cli->quiet)
        table_print(table, cli);
    return STATUS_OK;
}

static int run_ls(struct cli *cli, const struct options *options)
{
    struct soma_collection_list_request request = SOMA_COLLECTION_LIST_REQUEST_INIT;
    struct soma_collection_list *list = NULL, *next = NULL;
    struct soma_error err;
    struct table table;
    struct json_out out;
    bool is_json = cli->format != FORMAT_TABLE && !cli->quiet;
    int status = cli_connect(cli);
    (void)options;
    if (status != STATUS_OK)
        return status;
    table_init(&table, ls_columns, sizeof ls_columns / sizeof ls_columns[0]);
    if (is_json)
        list_begin(&out, cli);
    do {
        request.cursor = list ? list->next_cursor : NULL;
        if (soma_collection_list(cli->client, &request, NULL, &next, &err) != SOMA_OK) {
            status = report_error(cli, &err, "cannot list collections");
            break;
        }
        soma_free(list);
        list = next;
        status = print_collections(cli, &table, &out, list);
    } while (status == STATUS_OK && list->next_cursor);
    if (is_json)
        list_end(&out, cli, status);
    soma_free(list);
    table_fini(&table);
    return status;
}

// --- clear, rm

typedef enum soma_code collection_call(struct soma_client *, const struct soma_collection_request *,
                                       const struct soma_call_options *,
                                       struct soma_records_deleted **, struct soma_error *);

static void print_removed(const struct cli *cli, const char *name, const char *done,
                          int64_t deleted)
{
    struct json_out out;
    if (cli->format == FORMAT_TABLE) {
        if (cli->quiet)
            puts(name);
        else
            printf("%s %s, %" PRId64 " records\n", done, name, deleted);
        return;
    }
    value_begin(&out, cli);
    out_begin(&out, '{');
    out_text_at(&out, "collection", name);
    out_int_at(&out, "deleted", deleted);
    out_end(&out, '}');
    value_end(&out);
}

static int for_each_collection(struct cli *cli, const struct options *options,
                               collection_call *call, const char *verb, const char *done)
{
    int first_failure = STATUS_OK, status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < options->operand_count; i++) {
        struct soma_collection_request request = SOMA_COLLECTION_REQUEST_INIT;
        struct soma_records_deleted *deleted;
        struct soma_error err;
        request.collection = options->operands[i];
        if (call(cli->client, &request, NULL, &deleted, &err) != SOMA_OK) {
            status = report_error(cli, &err, "cannot %s collection %s", verb, request.collection);
            first_failure = first_failure ? first_failure : status;
            continue;
        }
        print_removed(cli, request.collection, done, deleted->deleted);
        soma_free(deleted);
    }
    return first_failure;
}

static int run_clear(struct cli *cli, const struct options *options)
{
    return for_each_collection(cli, options, soma_collection_clear, "clear", "cleared");
}

static int run_rm(struct cli *cli, const struct options *options)
{
    return for_each_collection(cli, options, soma_collection_delete, "remove", "removed");
}

// --- the rows

static const struct option create_options[] = {
    {"dim", 0, "N", "numbers in an embedding (required)", false},
    {"metric", 0, "NAME", "cosine (default), l2 or dot", false},
    {"metadata", 0, "JSON", "metadata of the collection, an object", false},
    {"quantization", 0, "NAME", "codes of the index: int8 (default), none, bf16 or int4", false},
    {"rerank", 0, "WHERE", "keep embeddings in memory (default), or on disk", false},
    {"m", 0, "N", "links of a row in the index (16)", false},
    {"ef-construction", 0, "N", "candidates that are looked at for them (200)", false},
    {"ef-search", 0, "N", "candidates of a query that does not say (64)", false},
    {"exist-ok", 0, NULL, "an equal collection that exists is no error", false},
    {0},
};

static const struct option edit_options[] = {
    {"name", 0, "NEW", "rename it", false},
    {"metadata", 0, "JSON", "merged by key; null removes a key", false},
    {0},
};

const struct command collection_commands[] = {
    {
        .name = "collection create",
        .synopsis = "--dim N [OPTIONS] NAME",
        .summary = "Make a collection",
        .examples = "soma collection create docs --dim 384 --metric cosine\n"
                    "soma collection create photos --dim 784 --metric l2 --quantization bf16\n",
        .options = create_options,
        .operands_min = 1,
        .operands_max = 1,
        .run = run_create,
    },
    {
        .name = "collection ls",
        .synopsis = "",
        .summary = "List collections",
        .examples = "soma collection ls\n",
        .run = run_ls,
    },
    {
        .name = "collection show",
        .synopsis = "NAME",
        .summary = "Show everything about a collection",
        .examples = "soma collection show docs\n"
                    "soma -o json collection show docs | jq .record_count\n",
        .operands_min = 1,
        .operands_max = 1,
        .run = run_show,
    },
    {
        .name = "collection edit",
        .synopsis = "[OPTIONS] NAME",
        .summary = "Rename a collection or change its metadata",
        .examples = "soma collection edit docs --name documents\n"
                    "soma collection edit docs --metadata '{\"model\": \"e5\", \"old\": null}'\n",
        .options = edit_options,
        .operands_min = 1,
        .operands_max = 1,
        .run = run_edit,
    },
    {
        .name = "collection clear",
        .synopsis = "NAME…",
        .summary = "Remove all records of collections",
        .examples = "soma collection clear docs\n",
        .operands_min = 1,
        .operands_max = ANY_NUMBER,
        .run = run_clear,
    },
    {
        .name = "collection rm",
        .synopsis = "NAME…",
        .summary = "Remove collections with all of their records",
        .examples = "soma collection rm docs\n",
        .operands_min = 1,
        .operands_max = ANY_NUMBER,
        .run = run_rm,
    },
    {0},
};
