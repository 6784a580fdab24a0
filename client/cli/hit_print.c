#include "cli/hit_print.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/error.h"
#include "cli/list_out.h"
#include "cli/metadata.h"
#include "cli/units.h"

// --- for people

static const struct table_column hit_columns[] = {
    {"QUERY", 0, true}, {"RANK", 0, true},       {"ID", 40, false},        {"DISTANCE", 0, true},
    {"SCORE", 0, true}, {"DOCUMENT", 48, false}, {"METADATA", 200, false},
};

static bool add_hit(struct table *table, size_t query, size_t rank, const struct soma_hit *hit)
{
    char query_text[UNITS_TEXT_SIZE], rank_text[UNITS_TEXT_SIZE], distance[UNITS_TEXT_SIZE] = "-",
                                                                  score[UNITS_TEXT_SIZE];
    char *metadata = metadata_line(&hit->record);
    snprintf(query_text, sizeof query_text, "%zu", query + 1);
    snprintf(rank_text, sizeof rank_text, "%zu", rank + 1);
    if (!isnan(hit->distance))
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

// Why an answer has fewer hits than were asked for.
static void print_short(size_t query, const struct soma_query_result *result, bool is_one)
{
    static const struct {
        const char *reason, *text;
    } rows[] = {
        {"FEWER_MATCHES", "all that match are here"},
        {"MAX_DISTANCE", "--max-distance left out others"},
        {"MIN_SCORE", "--min-score left out others"},
        {"GROUP_DEPTH", "as many hits as may be looked at held no more groups"},
    };
    char number[32] = "";
    if (!result->short_reason)
        return;
    const char *text = result->short_reason;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].reason, text) == 0)
            text = rows[i].text;
    }
    if (!is_one)
        snprintf(number, sizeof number, "query %zu: ", query + 1);
    print_fact("fewer", "%s%s", number, text);
}

static void print_explain(const struct soma_query_results *results)
{
    const struct soma_query_explain *explain = results->explain;
    if (!explain)
        return;
    printf("\n");
    print_fact("plan", "%s", results->plan);
    print_fact("records", "%" PRId64, explain->records);
    if (explain->matches >= 0)
        print_fact("matches", "%" PRId64 " (estimated %" PRId64 ")%s%s", explain->matches,
                   explain->estimated_matches, explain->filter_source ? " by " : "",
                   explain->filter_source ? explain->filter_source : "");
    if (explain->text_matches >= 0)
        print_fact("text", "%" PRId64 " records with a word", explain->text_matches);
    print_fact("candidates", "%" PRId64 " for each query, in %u rounds", explain->candidates,
               explain->rounds);
    print_fact("took",
               "open %" PRId64 " us, filter %" PRId64 " us, vectors %" PRId64 " us, text %" PRId64
               " us, rank %" PRId64 " us, read %" PRId64 " us",
               explain->open_us, explain->filter_us, explain->vector_us, explain->text_us,
               explain->rank_us, explain->read_us);
}

static int print_table(const struct cli *cli, const struct soma_query_results *results,
                       const struct hit_view *view)
{
    struct table table;
    int status = STATUS_OK;
    table_init(&table, hit_columns + view->is_one, 7 - (size_t)view->is_one);
    for (size_t q = 0; q < results->result_count && status == STATUS_OK; q++) {
        const struct soma_query_result *result = &results->results[q];
        for (size_t i = 0; i < result->hit_count && status == STATUS_OK; i++) {
            if (cli->quiet)
                puts(result->hits[i].record.id);
            else if (!add_hit(&table, view->queries_before + q, i, &result->hits[i]))
                status = report_out_of_memory(cli);
        }
    }
    if (!cli->quiet)
        table_print(&table, cli);
    table_fini(&table);
    if (!cli->quiet)
        print_explain(results);
    for (size_t q = 0; results->explain && !cli->quiet && q < results->result_count; q++)
        print_short(view->queries_before + q, &results->results[q], view->is_one);
    return status;
}

// --- as JSON

static void hit_to_json(struct json_out *out, const struct soma_hit *hit,
                        const struct hit_view *view)
{
    out_begin(out, '{');
    out_key(out, "distance");
    out_double(out, hit->distance);
    out_key(out, "score");
    out_double(out, hit->score);
    if (view->has_texts) {
        out_int_at(out, "vector_rank", hit->vector_rank);
        out_int_at(out, "text_rank", hit->text_rank);
        out_key(out, "text_score");
        out_double(out, hit->text_score);
    }
    if (hit->group) {
        out_key(out, "group");
        metadata_to_json(out, hit->group, 1);
    }
    record_to_json(out, &hit->record, hit->embedding, view->dimension, view->include);
    out_end(out, '}');
}

static void result_to_json(struct json_out *out, const struct soma_query_result *result,
                           const struct hit_view *view)
{
    out_text_at(out, "short_reason", result->short_reason);
    out_key(out, "hits");
    out_begin(out, '[');
    for (size_t i = 0; i < result->hit_count; i++)
        hit_to_json(out, &result->hits[i], view);
    out_end(out, ']');
}

static void explain_to_json(struct json_out *out, const struct soma_query_explain *explain)
{
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {
        {"records", explain->records},       {"estimated_matches", explain->estimated_matches},
        {"matches", explain->matches},       {"text_matches", explain->text_matches},
        {"candidates", explain->candidates}, {"rounds", explain->rounds},
        {"open_us", explain->open_us},       {"filter_us", explain->filter_us},
        {"vector_us", explain->vector_us},   {"text_us", explain->text_us},
        {"rank_us", explain->rank_us},       {"read_us", explain->read_us},
    };
    out_key(out, "explain");
    out_begin(out, '{');
    out_text_at(out, "filter_source", explain->filter_source);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        out_int_at(out, numbers[i].key, numbers[i].value);
    out_end(out, '}');
}

// One object with everything.
static void print_object(const struct cli *cli, const struct soma_query_results *results,
                         const struct hit_view *view)
{
    struct json_out out;
    value_begin(&out, cli);
    out_begin(&out, '{');
    out_text_at(&out, "plan", results->plan);
    out_int_at(&out, "sequence", results->sequence);
    if (results->explain)
        explain_to_json(&out, results->explain);
    out_key(&out, "results");
    out_begin(&out, '[');
    for (size_t q = 0; q < results->result_count; q++) {
        out_begin(&out, '{');
        result_to_json(&out, &results->results[q], view);
        out_end(&out, '}');
    }
    out_end(&out, ']');
    out_end(&out, '}');
    value_end(&out);
}

static void print_lines(const struct soma_query_results *results, const struct hit_view *view)
{
    struct json_out out;
    out_init(&out, stdout, false);
    for (size_t q = 0; q < results->result_count; q++) {
        out_begin(&out, '{');
        out_int_at(&out, "query", (int64_t)(view->queries_before + q));
        result_to_json(&out, &results->results[q], view);
        if (results->explain)
            explain_to_json(&out, results->explain);
        out_end(&out, '}');
        out_line(&out);
    }
}

int hits_print(const struct cli *cli, const struct soma_query_results *results,
               const struct hit_view *view)
{
    if (cli->format == FORMAT_TABLE)
        return print_table(cli, results, view);
    if (cli->format == FORMAT_JSON)
        print_object(cli, results, view);
    else
        print_lines(results, view);
    return STATUS_OK;
}
