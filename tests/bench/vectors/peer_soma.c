// This project's engine, in the process: rows, their graph, and the search that the server does.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "peer.h"
#include "vectors/index.h"
#include "vectors/index/graph.h"
#include "vectors/index/hnsw_file.h"

struct peer {
    struct peer_settings settings;
    struct rows *rows;
    struct graph *graph;
    int64_t sequence;
};

const char *const peer_name = "soma";

static enum quantization quantization_wanted(void)
{
    const char *text = getenv("SOMA_BENCH_QUANTIZATION");
    return text ? (enum quantization)atoi(text) : QUANTIZATION_INT8;
}

struct peer *peer_new(const struct peer_settings *settings)
{
    struct peer *peer = calloc(1, sizeof *peer);
    struct index_settings wanted = {.quantization = quantization_wanted(),
                                    .m = settings->m,
                                    .ef_construction = settings->ef_construction};
    index_settings_complete(&wanted);
    peer->settings = *settings;
    peer->rows = rows_new((uint32_t)settings->dim, settings->is_cosine, settings->max_rows);
    peer->graph = graph_new(&wanted, false, (uint32_t)settings->dim);
    rows_set_graph(peer->rows, peer->graph);
    return peer;
}

void peer_free(struct peer *peer)
{
    rows_free(peer->rows);
    free(peer);
}

static void catch_up(struct peer *peer)
{
    struct row_set *set = rows_take_set(peer->rows);
    graph_catch_up(peer->graph, set, peer->sequence, UINT32_MAX);
    row_set_release(set);
}

void peer_add(struct peer *peer, const float *rows, size_t count, size_t first_label)
{
    peer->sequence++;
    for (size_t i = 0; i < count; i++) {
        char id[24];
        snprintf(id, sizeof id, "%zu", first_label + i);
        rows_put(peer->rows, (int64_t)(first_label + i) + 1, id, rows + i * peer->settings.dim,
                 peer->sequence);
    }
    catch_up(peer);
}

// As the server does it: the dead are swept out when they are a tenth.
void peer_update(struct peer *peer, const float *row, size_t label)
{
    static size_t dead;
    peer_add(peer, row, 1, label);
    rows_compact(peer->rows, peer->sequence);
    if (++dead < atomic_load(&peer->graph->live_count) / 10)
        return;
    dead = 0;
    struct row_set *set = rows_take_set(peer->rows);
    while (graph_sweep(peer->graph, peer->sequence, UINT32_MAX))
        ;
    row_set_release(set);
}

static void search(struct peer *peer, const struct num_set *only, const float *query, size_t k,
                   size_t ef, int32_t *ret_labels)
{
    struct hit hits[128];
    struct topk topk = {
        .hits = hits, .k = (uint32_t)k, .wanted = (uint32_t)k, .max_distance = INFINITY};
    struct index_view view;
    struct index_report report;
    struct index_search wanted = {.metric = peer->settings.is_cosine ? METRIC_COSINE : METRIC_L2,
                                  .dim = (uint32_t)peer->settings.dim,
                                  .queries = query,
                                  .query_count = 1,
                                  .sequence = peer->sequence,
                                  .only = only,
                                  .ef = (uint32_t)ef,
                                  .deadline = MONO_NEVER};
    view.rows = rows_take(peer->rows, &view.graph);
    index_search(&view, &wanted, &topk, &report, NULL);
    topk_sort(&topk);
    for (uint32_t i = 0; i < topk.count; i++)
        ret_labels[i] = (int32_t)(hits[i].num - 1);
    row_set_release(view.rows);
    graph_release(view.graph);
}

void peer_search(struct peer *peer, const float *query, size_t k, size_t ef, int32_t *ret_labels)
{
    search(peer, NULL, query, k, ef, ret_labels);
}

// The set is made once for all queries that share it, as a query of the server does.
bool peer_search_only(struct peer *peer, const float *query, size_t k, size_t ef,
                      const uint8_t *only, int32_t *ret_labels)
{
    static const uint8_t *made_from;
    static struct num_set set;
    if (made_from != only) {
        set = (struct num_set){.first = 1, .size = peer->settings.max_rows};
        set.words = calloc(set.size / 64 + 1, sizeof *set.words);
        for (size_t i = 0; i < set.size; i++) {
            set.words[i / 64] |= (uint64_t)only[i] << i % 64;
            set.count += only[i];
        }
        made_from = only;
    }
    search(peer, &set, query, k, ef, ret_labels);
    return true;
}

static struct file_subject subject_of(const struct peer *peer)
{
    return (struct file_subject){.uid = "bench",
                                 .metric = peer->settings.is_cosine ? METRIC_COSINE : METRIC_L2,
                                 .dim = (uint32_t)peer->settings.dim,
                                 .settings = peer->graph->settings};
}

bool peer_save(struct peer *peer, const char *path)
{
    struct soma_error err;
    struct file_subject subject = subject_of(peer);
    struct row_set *set = rows_take_set(peer->rows);
    enum soma_code code = index_file_write(path, &subject, peer->sequence, set, peer->graph, &err);
    row_set_release(set);
    if (code)
        fprintf(stderr, "%s\n", err.text);
    return !code;
}

bool peer_load(struct peer *peer, const char *path)
{
    const char *why;
    struct file_subject subject = subject_of(peer);
    struct rows *rows = index_file_open(path, &subject, &peer->sequence, &why);
    if (!rows)
        return false;
    rows_free(peer->rows);
    peer->rows = rows;
    peer->graph = rows->graph;
    return true;
}

size_t peer_code_bytes(const struct peer *peer)
{
    return peer->graph->format.stride;
}
