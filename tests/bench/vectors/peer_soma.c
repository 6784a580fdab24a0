// This project's engine, in the process: rows, their graph, and the search that the server does.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "peer.h"
#include "vectors/index.h"
#include "vectors/index/graph.h"
#include "vectors/index/hnsw_file.h"

struct peer {
    const struct peer_settings *settings;
    struct rows *rows;
    struct graph *graph;
    int64_t sequence;
    size_t updates; // since the dead were swept out
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
    peer->settings = settings;
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

// As the server does it: the dead are swept out when they are a tenth.
static void tidy(struct peer *peer, size_t count)
{
    rows_compact(peer->rows, peer->sequence);
    peer->updates += count;
    if (peer->updates < atomic_load(&peer->graph->live_count) / 10)
        return;
    peer->updates = 0;
    struct row_set *set = rows_take_set(peer->rows);
    while (graph_sweep(peer->graph, peer->sequence, UINT32_MAX))
        ;
    row_set_release(set);
}

void peer_add(struct peer *peer, const float *rows, size_t count, size_t first_label)
{
    size_t killed = peer->rows->killed_count;
    peer->sequence++;
    for (size_t i = 0; i < count; i++) {
        char id[24];
        snprintf(id, sizeof id, "%zu", first_label + i);
        rows_put(peer->rows, (int64_t)(first_label + i) + 1, id, rows + i * peer->settings->dim,
                 peer->sequence);
    }
    catch_up(peer);
    if (peer->rows->killed_count > killed)
        tidy(peer, peer->rows->killed_count - killed);
}

static void search(struct peer *peer, const struct num_set *only, const float *query, size_t ef,
                   int32_t *ret_labels)
{
    struct hit hits[K];
    struct topk topk = {.hits = hits, .k = K, .wanted = K, .max_distance = INFINITY};
    struct index_view view;
    struct index_report report;
    struct index_search wanted = {.metric = peer->settings->is_cosine ? METRIC_COSINE : METRIC_L2,
                                  .dim = (uint32_t)peer->settings->dim,
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

// A query of the server makes the set once for all its vectors; here all queries share it, and the
// RPC's figures show what making it costs.
static const struct num_set *set_of(const struct peer *peer, const struct peer_filter *filter)
{
    static size_t made_for;
    static struct num_set set;
    if (made_for == filter->modulus)
        return &set;
    free(set.words);
    set = (struct num_set){.first = 1, .size = peer->settings->max_rows};
    set.words = calloc(set.size / 64 + 1, sizeof *set.words);
    for (size_t i = 0; i < set.size; i++) {
        set.words[i / 64] |= (uint64_t)filter->only[i] << i % 64;
        set.count += filter->only[i];
    }
    made_for = filter->modulus;
    return &set;
}

bool peer_search(struct peer *peer, const float *queries, size_t count, size_t ef,
                 const struct peer_filter *filter, int32_t *ret_labels)
{
    const struct num_set *only = filter ? set_of(peer, filter) : NULL;
    for (size_t i = 0; i < count; i++)
        search(peer, only, queries + i * peer->settings->dim, ef, ret_labels + i * K);
    return true;
}

static struct file_subject subject_of(const struct peer *peer)
{
    return (struct file_subject){.uid = "bench",
                                 .metric = peer->settings->is_cosine ? METRIC_COSINE : METRIC_L2,
                                 .dim = (uint32_t)peer->settings->dim,
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

pid_t peer_server(const struct peer *peer)
{
    (void)peer;
    return 0;
}
