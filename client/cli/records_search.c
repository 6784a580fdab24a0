// query, count and facet.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/error.h"
#include "cli/hit_print.h"
#include "cli/list_out.h"
#include "cli/metadata.h"
#include "cli/query_vectors.h"
#include "cli/values.h"

enum {
    QUERIES_AT_ONCE = 256
};

// --- query

// What the options say; request points into it.
struct query {
    struct soma_records_query_request request;
    struct soma_include include;
    struct soma_fusion fusion;
    double max_distance, min_score;
    struct query_vectors vectors;
    const char **ids, **texts;
};

static int read_numbers(const struct cli *cli, const struct options *options, struct query *query)
{
    int64_t k = 10, offset = 0, group_size = 0, ef = 0;
    query->fusion = (struct soma_fusion){.vector_weight = 1, .text_weight = 1};
    int status = value_integer(cli, options, "k", 1, UINT32_MAX, &k);
    if (status == STATUS_OK)
        status = value_integer(cli, options, "offset", 0, UINT32_MAX, &offset);
    if (status == STATUS_OK)
        status = value_integer(cli, options, "group-size", 1, UINT32_MAX, &group_size);
    if (status == STATUS_OK)
        status = value_integer(cli, options, "ef", 1, UINT32_MAX, &ef);
    if (status == STATUS_OK)
        status = value_number(cli, options, "max-distance", &query->max_distance);
    if (status == STATUS_OK)
        status = value_number(cli, options, "min-score", &query->min_score);
    if (status == STATUS_OK)
        status = value_number(cli, options, "fusion-k", &query->fusion.k);
    if (status == STATUS_OK)
        status = value_number(cli, options, "vector-weight", &query->fusion.vector_weight);
    if (status == STATUS_OK)
        status = value_number(cli, options, "text-weight", &query->fusion.text_weight);
    query->request.k = (uint32_t)k;
    query->request.ef = (uint32_t)ef;
    query->request.offset = (uint32_t)offset;
    query->request.group_size = (uint32_t)group_size;
    return status;
}

// Values of an option that repeats, on the heap; NULL where there are none.
static int read_texts(const struct cli *cli, const struct options *options, const char *name,
                      const char ***ret_texts, size_t *ret_count)
{
    size_t count = options_count(options, name), place = 0;
    if (!count)
        return STATUS_OK;
    *ret_texts = malloc(count * sizeof **ret_texts);
    if (!*ret_texts)
        return report_out_of_memory(cli);
    for (size_t i = 0; i < count; i++)
        (*ret_texts)[i] = options_next(options, name, &place);
    *ret_count = count;
    return STATUS_OK;
}

static int check_counts(const struct cli *cli, const struct query *query, size_t id_count,
                        size_t text_count)
{
    size_t vectors = query->vectors.count + id_count;
    if (query->vectors.count && id_count)
        return report_usage(cli, NULL, "query: vectors and --like exclude each other");
    if (!vectors && !text_count)
        return report_usage(cli,
                            "give --vector '[0.1, …]', --vectors FILE, --like ID or --text TEXT",
                            "query: there is nothing to look for");
    if (vectors && text_count && vectors != text_count)
        return report_usage(cli, NULL, "query: %zu texts for %zu vectors; give one for each",
                            text_count, vectors);
    return STATUS_OK;
}

static int read_queries(const struct cli *cli, const struct options *options, struct query *query)
{
    struct soma_records_query_request *request = &query->request;
    size_t id_count = 0, text_count = 0;
    int status = query_vectors_read(cli, options, &query->vectors);
    if (status == STATUS_OK)
        status = read_texts(cli, options, "like", &query->ids, &id_count);
    if (status == STATUS_OK)
        status = read_texts(cli, options, "text", &query->texts, &text_count);
    if (status == STATUS_OK)
        status = check_counts(cli, query, id_count, text_count);
    request->embeddings = query->vectors.numbers;
    request->dimension = query->vectors.dimension;
    request->ids = query->ids;
    request->texts = query->texts;
    request->query_count = query->vectors.count ? query->vectors.count
                           : id_count           ? id_count
                                                : text_count;
    return status;
}

static void set_request(const struct options *options, struct query *query)
{
    struct soma_records_query_request *request = &query->request;
    bool has_fusion = options_has(options, "fusion-k") || options_has(options, "vector-weight") ||
                      options_has(options, "text-weight");
    request->collection = options->operands[0];
    request->where = options_value(options, "where");
    request->where_document = options_value(options, "where-document");
    request->include = &query->include;
    request->max_distance = options_has(options, "max-distance") ? &query->max_distance : NULL;
    request->min_score = options_has(options, "min-score") ? &query->min_score : NULL;
    request->fusion = has_fusion ? &query->fusion : NULL;
    request->group_by = options_value(options, "group-by");
    request->explain = options_has(options, "explain");
    request->exact = options_has(options, "exact");
}

static int ask(struct cli *cli, const struct query *query,
               const struct soma_records_query_request *request, size_t queries_before)
{
    struct soma_query_results *results;
    struct soma_error err;
    if (soma_records_query(cli->client, request, NULL, &results, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot query %s", request->collection);
    struct hit_view view = {.include = &query->include,
                            .dimension = results->dimension,
                            .has_texts = query->texts != NULL,
                            .queries_before = queries_before,
                            .is_one = query->request.query_count == 1};
    int status = hits_print(cli, results, &view);
    soma_free(results);
    return status;
}

// Lines are printed as they come, some queries at a time; other forms have everything in one.
static int send_query(struct cli *cli, const struct query *query)
{
    const struct soma_records_query_request *whole = &query->request;
    size_t step = cli->format == FORMAT_JSONL ? QUERIES_AT_ONCE : whole->query_count;
    int status = cli_connect(cli);
    for (size_t at = 0; at < whole->query_count && status == STATUS_OK; at += step) {
        struct soma_records_query_request part = *whole;
        size_t left = whole->query_count - at;
        part.query_count = left < step ? left : step;
        part.embeddings = whole->embeddings ? whole->embeddings + at * whole->dimension : NULL;
        part.ids = whole->ids ? whole->ids + at : NULL;
        part.texts = whole->texts ? whole->texts + at : NULL;
        status = ask(cli, query, &part, at);
    }
    return status;
}

static int run_query(struct cli *cli, const struct options *options)
{
    struct query query = {.request = SOMA_RECORDS_QUERY_REQUEST_INIT};
    int status = read_numbers(cli, options, &query);
    if (status == STATUS_OK)
        status = value_include(cli, options, &query.include);
    if (status == STATUS_OK)
        status = read_queries(cli, options, &query);
    set_request(options, &query);
    if (status == STATUS_OK)
        status = send_query(cli, &query);
    query_vectors_fini(&query.vectors);
    free(query.ids);
    free(query.texts);
    return status;
}

// --- count, facet

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
    request.where_document = options_value(options, "where-document");
    if (soma_records_count(cli->client, &request, NULL, &count, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot count %s", request.collection);
    print_number(cli, "count", count->count);
    soma_free(count);
    return STATUS_OK;
}

static const struct table_column facet_columns[] = {{"VALUE", 60, false}, {"RECORDS", 0, true}};

// A string as it is, anything else as JSON; the caller frees it. NULL: out of memory.
static char *value_text(const struct soma_metadata_field *field)
{
    char *text = NULL;
    size_t size = 0;
    struct json_out out;
    if (field->type == SOMA_VALUE_STRING)
        return strdup(field->value.string);
    FILE *file = open_memstream(&text, &size);
    if (!file)
        return NULL;
    out_init(&out, file, false);
    metadata_value_to_json(&out, field);
    if (fclose(file) == 0)
        return text;
    free(text);
    return NULL;
}

static int print_facets(const struct cli *cli, const struct soma_records_facets *facets)
{
    struct table table;
    bool added = true;
    table_init(&table, facet_columns, 2);
    for (size_t i = 0; i < facets->count_count && added; i++) {
        char *value = value_text(&facets->counts[i].value), count[32];
        snprintf(count, sizeof count, "%" PRId64, facets->counts[i].count);
        added = value && table_add(&table, value) && table_add(&table, count);
        free(value);
    }
    table_print(&table, cli);
    table_fini(&table);
    if (!cli->quiet)
        notice(cli,
               "%" PRId64 " different values in %" PRId64 " records, %" PRId64 " without the key",
               facets->value_count, facets->matched, facets->without);
    return added ? STATUS_OK : report_out_of_memory(cli);
}

static void facets_to_json(const struct cli *cli, const struct soma_records_facets *facets)
{
    struct json_out out;
    value_begin(&out, cli);
    out_begin(&out, '{');
    out_int_at(&out, "matched", facets->matched);
    out_int_at(&out, "without", facets->without);
    out_int_at(&out, "value_count", facets->value_count);
    out_key(&out, "counts");
    out_begin(&out, '[');
    for (size_t i = 0; i < facets->count_count; i++) {
        out_begin(&out, '{');
        out_key(&out, "value");
        metadata_value_to_json(&out, &facets->counts[i].value);
        out_int_at(&out, "count", facets->counts[i].count);
        out_end(&out, '}');
    }
    out_end(&out, ']');
    out_end(&out, '}');
    value_end(&out);
}

static int run_facet(struct cli *cli, const struct options *options)
{
    struct soma_records_facet_request request = SOMA_RECORDS_FACET_REQUEST_INIT;
    struct soma_records_facets *facets;
    struct soma_error err;
    int64_t limit = 10;
    int status = value_integer(cli, options, "limit", 1, UINT32_MAX, &limit);
    if (status == STATUS_OK)
        status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    request.collection = options->operands[0];
    request.key = options->operands[1];
    request.where = options_value(options, "where");
    request.where_document = options_value(options, "where-document");
    request.limit = (uint32_t)limit;
    if (soma_records_facet(cli->client, &request, NULL, &facets, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot count values in %s", request.collection);
    if (cli->format == FORMAT_TABLE)
        status = print_facets(cli, facets);
    else
        facets_to_json(cli, facets);
    soma_free(facets);
    return status;
}

// --- the rows

static const struct option query_options[] = {
    {"vector", 0, "JSON", "what to look for, a list of numbers", true},
    {"vectors", 0, "FILE", "many of them: .npy, .fvecs, or one on a line; - is stdin", false},
    {"like", 0, "ID", "a record, to find others that are near it", true},
    {"text", 0, "TEXT", "words to look for in documents", true},
    {"k", 'k', "N", "hits for each query; groups with --group-by (10)", false},
    {"offset", 0, "N", "leave out the first N", false},
    WHERE_OPTION,
    WHERE_DOCUMENT_OPTION,
    {"max-distance", 0, "NUMBER", "leave out what is farther", false},
    {"ef", 0, "N", "candidates that the index looks at; more find more (the collection's)", false},
    {"exact", 0, NULL, "compare with every record, without the index", false},
    {"min-score", 0, "NUMBER", "leave out what is worse", false},
    {"group-by", 0, "KEY", "hits in groups with one value of a metadata key", false},
    {"group-size", 0, "N", "hits in a group (1)", false},
    {"vector-weight", 0, "NUMBER", "of the rank by vector where texts are given too (1)", false},
    {"text-weight", 0, "NUMBER", "of the rank by text where vectors are given too (1)", false},
    {"fusion-k", 0, "NUMBER", "the larger, the less the first ranks count (60)", false},
    {"explain", 0, NULL, "what was done and how long it took", false},
    INCLUDE_OPTION,
    {0},
};

static const struct option count_options[] = {WHERE_OPTION, WHERE_DOCUMENT_OPTION, {0}};

static const struct option facet_options[] = {
    WHERE_OPTION,
    WHERE_DOCUMENT_OPTION,
    {"limit", 'n', "N", "the N most frequent values (10)", false},
    {0},
};

const struct command record_search_commands[] = {
    {
        .name = "query",
        .synopsis = "[--vector JSON] [--like ID] [--text TEXT] [OPTIONS] COLLECTION",
        .summary = "Find records by vector, by text, or by both",
        .details = "With --text alone, the best documents by their words (BM25). With a vector and "
                   "a text, "
                   "the\nranks of the two searches become one (reciprocal rank fusion). With -o "
                   "jsonl, one "
                   "line for\neach query.\n",
        .examples = "soma query docs --vector '[0.1, 0.2]' -k 10 --where '{\"lang\": \"en\"}'\n"
                    "soma query docs --text 'durable jobs'\n"
                    "soma query docs --like a1 --text 'durable jobs' --group-by author\n"
                    "soma -o jsonl query docs --vectors queries.npy -k 10 --include metadata\n",
        .options = query_options,
        .operands_min = 1,
        .operands_max = 1,
        .run = run_query,
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
        .name = "facet",
        .synopsis = "[OPTIONS] COLLECTION KEY",
        .summary = "Count records by the values of a metadata key",
        .examples = "soma facet docs lang\n"
                    "soma facet docs tags --where '{\"year\": 2024}' -n 50\n",
        .options = facet_options,
        .operands_min = 2,
        .operands_max = 2,
        .run = run_facet,
    },
    {0},
};
