// faiss of Debian (1.7.3, compiled there for any x86-64, so without AVX): HNSW over float32, or
// with FAISS_IVF inverted lists of codes of 8 bits, of which the width of a search is how many are
// looked through.
#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexScalarQuantizer.h>
#include <faiss/impl/IDSelector.h>
#include <faiss/index_io.h>
#include <omp.h>

#include <cmath>
#include <memory>
#include <vector>

#include "peer.h"

struct peer {
    const peer_settings *settings;
    std::unique_ptr<faiss::Index> coarse;
    std::unique_ptr<faiss::Index> index;
};

static faiss::MetricType metric_of(const peer_settings *settings)
{
    return settings->is_cosine ? faiss::METRIC_INNER_PRODUCT : faiss::METRIC_L2;
}

#ifdef FAISS_IVF
const char *const peer_name = "faiss_ivf";

enum {
    SAMPLES_PER_LIST = 64 // rows that a list's centre is learnt from
};

static void make(peer *peer)
{
    const peer_settings *settings = peer->settings;
    auto lists = static_cast<size_t>(2 * std::sqrt(static_cast<double>(settings->max_rows)));
    peer->coarse.reset(
        new faiss::IndexFlat(static_cast<faiss::Index::idx_t>(settings->dim), metric_of(settings)));
    auto *index =
        new faiss::IndexIVFScalarQuantizer(peer->coarse.get(), settings->dim, lists,
                                           faiss::ScalarQuantizer::QT_8bit, metric_of(settings));
    index->cp.max_points_per_centroid = SAMPLES_PER_LIST;
    index->cp.niter = 10;
    peer->index.reset(index);
}

using parameters = faiss::SearchParametersIVF;

static void set_width(parameters *how, size_t ef)
{
    how->nprobe = ef;
}

size_t peer_code_bytes(const peer *peer)
{
    return peer->settings->dim;
}
#else
const char *const peer_name = "faiss_hnsw";

static void make(peer *peer)
{
    auto *index =
        new faiss::IndexHNSWFlat(static_cast<int>(peer->settings->dim),
                                 static_cast<int>(peer->settings->m), metric_of(peer->settings));
    index->hnsw.efConstruction = static_cast<int>(peer->settings->ef_construction);
    peer->index.reset(index);
}

using parameters = faiss::SearchParametersHNSW;

static void set_width(parameters *how, size_t ef)
{
    how->efSearch = static_cast<int>(ef);
}

size_t peer_code_bytes(const peer *)
{
    return 0;
}
#endif

peer *peer_new(const peer_settings *settings)
{
    omp_set_num_threads(1);
    peer *made = new peer{settings, nullptr, nullptr};
    make(made);
    return made;
}

void peer_free(peer *peer)
{
    delete peer;
}

void peer_add(peer *peer, const float *rows, size_t count, size_t)
{
    auto rows_count = static_cast<faiss::Index::idx_t>(count);
    if (!peer->index->is_trained)
        peer->index->train(rows_count, rows);
    peer->index->add(rows_count, rows);
}

struct only : faiss::IDSelector {
    const uint8_t *bytes;

    explicit only(const uint8_t *bytes) : bytes(bytes)
    {
    }

    bool is_member(faiss::Index::idx_t id) const override
    {
        return bytes[id];
    }
};

bool peer_search(peer *peer, const float *queries, size_t count, size_t ef,
                 const peer_filter *filter, int32_t *ret_labels)
{
    float distances[K];
    faiss::Index::idx_t labels[K];
    parameters how;
    only wanted(filter ? filter->only : nullptr);
    set_width(&how, ef);
    how.sel = filter ? &wanted : nullptr;
    for (size_t i = 0; i < count; i++) {
        peer->index->search(1, queries + i * peer->settings->dim, K, distances, labels, &how);
        for (size_t n = 0; n < K; n++)
            ret_labels[i * K + n] = static_cast<int32_t>(labels[n]);
    }
    return true;
}

bool peer_save(peer *peer, const char *path)
{
    faiss::write_index(peer->index.get(), path);
    return true;
}

bool peer_load(peer *peer, const char *path)
{
    peer->index.reset(faiss::read_index(path));
    return true;
}

pid_t peer_server(const peer *)
{
    return 0;
}
