// hnswlib of Debian (0.6.2).
#include <hnswlib/hnswlib.h>

#include <memory>

#include "peer.h"

struct peer {
    peer_settings settings;
    std::unique_ptr<hnswlib::SpaceInterface<float>> space;
    std::unique_ptr<hnswlib::HierarchicalNSW<float>> index;
};

const char *const peer_name = "hnswlib";

peer *peer_new(const peer_settings *settings)
{
    peer *made = new peer{*settings, nullptr, nullptr};
    if (settings->is_cosine)
        made->space.reset(new hnswlib::InnerProductSpace(settings->dim));
    else
        made->space.reset(new hnswlib::L2Space(settings->dim));
    made->index.reset(new hnswlib::HierarchicalNSW<float>(
        made->space.get(), settings->max_rows, settings->m, settings->ef_construction));
    return made;
}

void peer_free(peer *peer)
{
    delete peer;
}

void peer_add(peer *peer, const float *rows, size_t count, size_t first_label)
{
    for (size_t i = 0; i < count; i++)
        peer->index->addPoint(rows + i * peer->settings.dim, first_label + i);
}

void peer_update(peer *peer, const float *row, size_t label)
{
    peer->index->addPoint(row, label);
}

static void take(std::priority_queue<std::pair<float, hnswlib::labeltype>> found,
                 int32_t *ret_labels)
{
    for (size_t i = found.size(); i-- > 0; found.pop())
        ret_labels[i] = static_cast<int32_t>(found.top().second);
}

void peer_search(peer *peer, const float *query, size_t k, size_t ef, int32_t *ret_labels)
{
    peer->index->setEf(ef);
    take(peer->index->searchKnn(query, k), ret_labels);
}

// Filters came with 0.7.
bool peer_search_only(peer *, const float *, size_t, size_t, const uint8_t *, int32_t *)
{
    return false;
}

bool peer_save(peer *peer, const char *path)
{
    peer->index->saveIndex(path);
    return true;
}

bool peer_load(peer *peer, const char *path)
{
    peer->index->loadIndex(path, peer->space.get(), peer->settings.max_rows);
    return true;
}

size_t peer_code_bytes(const peer *)
{
    return 0;
}
