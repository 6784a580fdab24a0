// hnswlib: Debian's 0.6.2, or with HAS_FILTER a later one whose searches take a filter.
#include <hnswlib/hnswlib.h>

#include <memory>

#include "peer.h"

struct peer {
    const peer_settings *settings;
    std::unique_ptr<hnswlib::SpaceInterface<float>> space;
    std::unique_ptr<hnswlib::HierarchicalNSW<float>> index;
};

#ifdef HAS_FILTER
const char *const peer_name = "hnswlib_filter";
#else
const char *const peer_name = "hnswlib";
#endif

peer *peer_new(const peer_settings *settings)
{
    peer *made = new peer{settings, nullptr, nullptr};
    if (settings->is_cosine)
        made->space.reset(new hnswlib::InnerProductSpace(settings->dim));
    else
        made->space.reset(new hnswlib::L2Space(settings->dim));
    made->index.reset(new hnswlib::HierarchicalNSW<float>(made->space.get(), settings->max_rows,
                                                          settings->m, settings->ef_construction));
    return made;
}

void peer_free(peer *peer)
{
    delete peer;
}

void peer_add(peer *peer, const float *rows, size_t count, size_t first_label)
{
    for (size_t i = 0; i < count; i++)
        peer->index->addPoint(rows + i * peer->settings->dim, first_label + i);
}

static void take(std::priority_queue<std::pair<float, hnswlib::labeltype>> found,
                 int32_t *ret_labels)
{
    for (size_t i = found.size(); i-- > 0; found.pop())
        ret_labels[i] = static_cast<int32_t>(found.top().second);
}

#ifdef HAS_FILTER
struct only : hnswlib::BaseFilterFunctor {
    const uint8_t *bytes;

    explicit only(const uint8_t *bytes) : bytes(bytes)
    {
    }

    bool operator()(hnswlib::labeltype label) override
    {
        return bytes[label];
    }
};
#endif

bool peer_search(peer *peer, const float *queries, size_t count, size_t ef,
                 const peer_filter *filter, int32_t *ret_labels)
{
    peer->index->setEf(ef);
    for (size_t i = 0; i < count; i++) {
        const float *query = queries + i * peer->settings->dim;
        if (!filter) {
            take(peer->index->searchKnn(query, K), ret_labels + i * K);
            continue;
        }
#ifdef HAS_FILTER
        only wanted(filter->only);
        take(peer->index->searchKnn(query, K, &wanted), ret_labels + i * K);
#else
        return false;
#endif
    }
    return true;
}

bool peer_save(peer *peer, const char *path)
{
    peer->index->saveIndex(path);
    return true;
}

bool peer_load(peer *peer, const char *path)
{
    peer->index->loadIndex(path, peer->space.get(), peer->settings->max_rows);
    return true;
}

size_t peer_code_bytes(const peer *)
{
    return 0;
}

pid_t peer_server(const peer *)
{
    return 0;
}
