// Opening an index's file: checked whole, then mapped.
#include <string.h>
#include <unistd.h>

#include "store/records.h"
#include "vectors/chunk.h"
#include "vectors/index/hnsw_file.h"
#include "vectors/index/numbers.h"

// --- checking

static const struct file_head *head_of(const struct file_map *map)
{
    return (const struct file_head *)(const void *)map->bytes;
}

static const void *section_of(const struct file_map *map, enum file_section section)
{
    return map->bytes + head_of(map)->places[section].offset;
}

static bool is_subject(const struct file_head *head, const struct file_subject *subject)
{
    return strncmp(head->uid, subject->uid, sizeof head->uid) == 0 &&
           head->partition == subject->partition && head->dim == subject->dim &&
           head->metric == (uint32_t)subject->metric &&
           head->quantization == (uint32_t)subject->settings.quantization &&
           head->m == subject->settings.m &&
           head->ef_construction == subject->settings.ef_construction;
}

// Sections lie one behind the other, without a gap, to the end of the file.
static bool sections_are_whole(const struct file_map *map)
{
    const struct file_head *head = head_of(map);
    uint64_t at = FILE_ALIGNMENT;
    for (int i = 0; i < SECTION_COUNT; i++) {
        const struct file_place *place = &head->places[i];
        if (place->offset != at || place->bytes > map->length - at)
            return false;
        uint64_t padded = (place->bytes + FILE_ALIGNMENT - 1) / FILE_ALIGNMENT * FILE_ALIGNMENT;
        if (padded > map->length - at || file_checksum(map->bytes + at, padded) != place->checksum)
            return false;
        at += padded;
    }
    return at == map->length;
}

static bool head_is_padded(const struct file_map *map)
{
    for (size_t i = sizeof(struct file_head); i < FILE_ALIGNMENT; i++) {
        if (map->bytes[i])
            return false;
    }
    return true;
}

// A checksum that is right means that we wrote it; sizes are looked at all the same.
static bool sizes_fit(const struct file_head *head, const struct graph *graph)
{
    const uint64_t nodes = head->node_count, rows = head->row_count, m = head->m;
    const uint64_t wanted[SECTION_COUNT] = {
        [SECTION_CODES] = nodes * graph->format.stride,
        [SECTION_LINKS] = nodes * m * LINKS_PER_M * sizeof(uint32_t),
        [SECTION_UPPERS] = head->upper_count * m * sizeof(uint32_t),
        [SECTION_UPPER_AT] = nodes * sizeof(uint32_t),
        [SECTION_LEVELS] = nodes,
        [SECTION_NUMS] = rows * sizeof(int64_t),
        [SECTION_NODES] = rows * sizeof(uint32_t),
        [SECTION_ID_ENDS] = rows * sizeof(uint64_t),
        [SECTION_IDS] = head->places[SECTION_IDS].bytes,
        [SECTION_VECTORS] = rows * head->dim * sizeof(float)};
    for (int i = 0; i < SECTION_COUNT; i++) {
        if (head->places[i].bytes != wanted[i])
            return false;
    }
    return nodes <= graph->max_nodes && (head->entry < nodes || !nodes);
}

static const char *what_is_wrong(const struct file_map *map, const struct file_subject *subject)
{
    const struct file_head *head = head_of(map);
    if (map->length < FILE_ALIGNMENT || memcmp(head->magic, "SOMAIDX", sizeof head->magic) != 0)
        return "it is no index";
    if (head->version != FILE_VERSION)
        return "it is of another version";
    if (head->checksum != file_checksum(head, offsetof(struct file_head, checksum)) ||
        head->file_bytes != map->length || !head_is_padded(map) || !sections_are_whole(map))
        return "it is damaged";
    return is_subject(head, subject) ? NULL : "it is of another collection or setting";
}

// --- mapping

static bool map_graph(struct graph *graph, const struct file_map *map)
{
    const struct file_head *head = head_of(map);
    struct region *const regions[] = {
        [SECTION_CODES] = &graph->codes,   [SECTION_LINKS] = &graph->links,
        [SECTION_UPPERS] = &graph->uppers, [SECTION_UPPER_AT] = &graph->upper_at,
        [SECTION_LEVELS] = &graph->levels,
    };
    for (int i = SECTION_CODES; i <= SECTION_LEVELS; i++) {
        const struct file_place *place = &head->places[i];
        if (!region_map(regions[i], map->fd, place->offset, place->bytes))
            return false;
        atomic_fetch_add(&graph->bytes, regions[i]->committed);
    }
    if (!graph_region_grow(graph, &graph->states, head->node_count) ||
        !graph_region_grow(graph, &graph->rows, head->node_count) ||
        !graph_region_grow(graph, &graph->places, head->node_count))
        return false;
    memset(graph->states.base, NODE_LIVE, head->node_count);
    graph->upper_count = head->upper_count;
    atomic_store(&graph->count, head->node_count);
    atomic_store(&graph->live_count, head->node_count);
    atomic_store(&graph->entry, head->node_count ? head->entry : NO_NODE);
    return true;
}

static bool upper_links_are_inside(const struct graph *graph)
{
    const uint32_t *upper_at = (const uint32_t *)(const void *)graph->upper_at.base;
    for (uint32_t node = 0; node < atomic_load(&graph->count); node++) {
        if (upper_at[node] + (uint64_t)graph_level(graph, node) > graph->upper_count)
            return false;
    }
    return true;
}

// False: there is one that is not the partition's.
static bool expect_numbers(struct graph *graph, int64_t partition, const int64_t *nums,
                           size_t count)
{
    int64_t first = INT64_MAX, last = 0;
    for (size_t i = 0; i < count; i++) {
        if (nums[i] >> PARTITION_SHIFT != partition)
            return false;
        first = nums[i] < first ? nums[i] : first;
        last = nums[i] > last ? nums[i] : last;
    }
    if (count)
        numbers_expect(graph, first, last);
    return true;
}

static bool map_rows(struct rows *rows, struct graph *graph, struct file_map *map)
{
    const struct file_head *head = head_of(map);
    const uint32_t *nodes = section_of(map, SECTION_NODES);
    const struct mapped_rows mapped = {.map = map,
                                       .count = head->row_count,
                                       .sequence = head->sequence,
                                       .nums = section_of(map, SECTION_NUMS),
                                       .id_ends = section_of(map, SECTION_ID_ENDS),
                                       .ids = section_of(map, SECTION_IDS),
                                       .id_bytes = head->places[SECTION_IDS].bytes,
                                       .vectors = section_of(map, SECTION_VECTORS)};
    if (!expect_numbers(graph, head->partition, mapped.nums, mapped.count) ||
        !rows_adopt(rows, &mapped))
        return false;
    struct row *_Atomic *graph_rows = (struct row * _Atomic *)(void *)graph->rows.base;
    uint32_t at = 0;
    for (uint32_t i = 0; i < rows->set->count; i++) {
        struct row_chunk *chunk = rows->set->chunks[i];
        for (uint32_t row = 0; row < chunk->count; row++, at++) {
            if (nodes[at] < head->node_count)
                atomic_store_explicit(&graph_rows[nodes[at]], &chunk->rows[row],
                                      memory_order_relaxed);
            else if (nodes[at] != ROW_UNFIT)
                continue; // waits
            chunk_set_node(chunk, row, nodes[at]);
            chunk_settle(chunk);
            if (nodes[at] != ROW_UNFIT)
                numbers_note(graph, &chunk->rows[row], nodes[at]);
        }
    }
    return true;
}

static struct rows *rows_of(struct file_map *map, const struct file_subject *subject)
{
    struct rows *rows = rows_new(subject->dim, subject->metric == METRIC_COSINE, 0);
    struct graph *graph =
        graph_new(&subject->settings, subject->metric == METRIC_DOT, subject->dim);
    if (rows)
        rows->directory = subject->directory;
    if (rows && graph && sizes_fit(head_of(map), graph) && map_graph(graph, map) &&
        upper_links_are_inside(graph) && map_rows(rows, graph, map)) {
        rows_set_graph(rows, graph);
        return rows;
    }
    rows_free(rows);
    graph_release(graph);
    return NULL;
}

struct rows *index_file_open(const char *path, const struct file_subject *subject,
                             int64_t *ret_sequence, const char **ret_why)
{
    struct rows *rows = NULL;
    bool is_there = access(path, F_OK) == 0;
    struct file_map *map = file_map_open(path);
    *ret_why = map ? what_is_wrong(map, subject) : is_there ? "it cannot be read" : "";
    if (map && !*ret_why) {
        *ret_sequence = head_of(map)->sequence;
        rows = rows_of(map, subject);
        *ret_why = rows ? "" : "it does not fit together, or into memory";
    }
    if (!rows && is_there)
        unlink(path);
    file_map_release(map);
    return rows;
}
