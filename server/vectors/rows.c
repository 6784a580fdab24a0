#include "vectors/rows.h"

#include <stdlib.h>
#include <string.h>

#include "vectors/chunk.h"
#include "vectors/index/numbers.h"
#include "vectors/kernels/kernels.h"

enum {
    CHUNK_BYTES = 4 << 20, // of vectors in a full-grown chunk
    CHUNK_ROWS_MIN = 8,
    CHUNK_ROWS_MAX = 1 << 16,
    MERGES_MAX = 4,     // chunks made by one compaction
    CANDIDATES_MAX = 64 // chunks merged into one
};

#define NO_CHUNK UINT32_MAX

static uint32_t chunk_rows_full(uint32_t dim)
{
    uint32_t rows = CHUNK_BYTES / (dim * (uint32_t)sizeof(float));
    return rows < CHUNK_ROWS_MIN ? CHUNK_ROWS_MIN : rows > CHUNK_ROWS_MAX ? CHUNK_ROWS_MAX : rows;
}

// Of the rows there are, as the changer knows it.
static uint32_t count_of(const struct row_chunk *chunk)
{
    return atomic_load_explicit(&chunk->count, memory_order_relaxed);
}

// --- sets

static struct row_set *set_new(uint32_t count)
{
    struct row_set *set = calloc(1, sizeof *set + count * sizeof set->chunks[0]);
    if (!set)
        return NULL;
    atomic_init(&set->refs, 1);
    set->count = count;
    return set;
}

void row_set_release(struct row_set *set)
{
    while (set && atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) == 1) {
        struct row_set *newer = set->newer;
        for (uint32_t i = 0; i < set->count; i++)
            chunk_release(set->chunks[i]);
        free(set);
        set = newer;
    }
}

struct row_set *rows_take_set(struct rows *rows)
{
    struct graph *graph;
    struct row_set *set = rows_take(rows, &graph);
    graph_release(graph);
    return set;
}

struct row_set *rows_take(struct rows *rows, struct graph **ret_graph)
{
    pthread_mutex_lock(&rows->lock);
    struct row_set *set = rows->set;
    atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    if (rows->graph)
        graph_hold(rows->graph);
    *ret_graph = rows->graph;
    pthread_mutex_unlock(&rows->lock);
    return set;
}

void rows_set_graph(struct rows *rows, struct graph *graph)
{
    pthread_mutex_lock(&rows->lock);
    struct graph *old = rows->graph;
    rows->graph = graph;
    pthread_mutex_unlock(&rows->lock);
    graph_release(old);
}

// A copy of the set with room for one chunk more than it has, unless there is an empty place.
static struct row_set *set_copy(const struct row_set *set, uint32_t *ret_free_place)
{
    uint32_t place = 0;
    while (place < set->count && set->chunks[place])
        place++;
    struct row_set *copy = set_new(place == set->count ? set->count + 1 : set->count);
    if (!copy)
        return NULL;
    for (uint32_t i = 0; i < set->count; i++) {
        copy->chunks[i] = set->chunks[i];
        if (copy->chunks[i])
            chunk_hold(copy->chunks[i]);
    }
    *ret_free_place = place;
    return copy;
}

static void set_swap(struct rows *rows, struct row_set *set)
{
    pthread_mutex_lock(&rows->lock);
    struct row_set *old = rows->set;
    rows->set = set;
    old->newer = set;
    atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&rows->lock);
    row_set_release(old);
}

// --- changing

struct rows *rows_new(uint32_t dim, bool is_normalised, size_t expected_count)
{
    struct rows *rows = calloc(1, sizeof *rows);
    if (!rows)
        return NULL;
    rows->dim = dim;
    rows->is_normalised = is_normalised;
    rows->expected_count = expected_count;
    rows->tail = NO_CHUNK;
    pthread_mutex_init(&rows->lock, NULL);
    atomic_init(&rows->bytes, sizeof *rows);
    rows->set = set_new(0);
    if (!rows->set) {
        rows_free(rows);
        return NULL;
    }
    return rows;
}

void rows_free(struct rows *rows)
{
    if (!rows)
        return;
    row_set_release(rows->set);
    graph_release(rows->graph);
    pthread_mutex_destroy(&rows->lock);
    row_map_fini(&rows->map);
    free(rows);
}

size_t rows_living_count(const struct rows *rows)
{
    return rows->map.used;
}

size_t rows_all_bytes(struct rows *rows)
{
    pthread_mutex_lock(&rows->lock);
    size_t bytes = atomic_load(&rows->bytes) + (rows->graph ? atomic_load(&rows->graph->bytes) : 0);
    pthread_mutex_unlock(&rows->lock);
    return bytes;
}

size_t row_set_waiting_count(const struct row_set *set)
{
    size_t waiting = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        struct row_chunk *chunk = set->chunks[i];
        uint32_t settled = chunk ? atomic_load(&chunk->settled) : 0;
        waiting += chunk ? atomic_load(&chunk->count) - settled : 0;
    }
    return waiting;
}

static bool tail_has_room(const struct rows *rows)
{
    if (rows->tail == NO_CHUNK)
        return false;
    const struct row_chunk *chunk = rows->set->chunks[rows->tail];
    return count_of(chunk) < chunk->capacity;
}

// As many rows as live or are expected, so that memory at most doubles.
static uint32_t next_capacity(const struct rows *rows)
{
    size_t living = rows_living_count(rows);
    size_t wanted = living > rows->expected_count ? living : rows->expected_count - living;
    uint32_t full = chunk_rows_full(rows->dim);
    if (wanted < CHUNK_ROWS_MIN)
        return CHUNK_ROWS_MIN;
    return wanted > full ? full : (uint32_t)wanted;
}

static bool tail_reserve(struct rows *rows)
{
    if (tail_has_room(rows))
        return true;
    struct row_chunk *chunk = chunk_new(next_capacity(rows), rows->dim, rows->directory);
    uint32_t place;
    struct row_set *set = chunk ? set_copy(rows->set, &place) : NULL;
    if (!set) {
        chunk_release(chunk);
        return false;
    }
    set->chunks[place] = chunk;
    set_swap(rows, set);
    rows->tail = place;
    atomic_fetch_add(&rows->bytes, chunk->bytes);
    return true;
}

static bool map_reserve(struct rows *rows)
{
    size_t size_before = rows->map.size;
    bool is_reserved = row_map_reserve(&rows->map, 1);
    atomic_fetch_add(&rows->bytes, (rows->map.size - size_before) * sizeof *rows->map.slots);
    return is_reserved;
}

static void kill_row(struct rows *rows, struct row_chunk *chunk, uint32_t row, int64_t sequence)
{
    uint32_t before = chunk->dead_count;
    chunk_kill(chunk, row, sequence);
    if (chunk->dead_count > before) {
        rows->killed_count++;
        if (rows->graph)
            numbers_forget(rows->graph, &chunk->rows[row]);
        atomic_fetch_sub(&rows->id_bytes, strlen(chunk->rows[row].id) + 1);
    }
}

static void adopt_chunk(struct rows *rows, uint32_t place)
{
    const struct row_chunk *chunk = rows->set->chunks[place];
    for (uint32_t row = 0; row < count_of(chunk); row++)
        row_map_put(&rows->map, (struct row_place){chunk->rows[row].num, place, row});
    atomic_fetch_add(&rows->bytes, chunk->bytes);
}

bool rows_adopt(struct rows *rows, const struct mapped_rows *mapped)
{
    uint32_t full = chunk_rows_full(rows->dim);
    uint32_t chunks = (uint32_t)((mapped->count + full - 1) / full);
    struct row_set *set = set_new(chunks);
    bool is_there = set && row_map_reserve(&rows->map, mapped->count);
    for (uint32_t i = 0; is_there && i < chunks; i++) {
        size_t first = (size_t)i * full, left = mapped->count - first;
        set->chunks[i] = chunk_map(mapped, first, left < full ? (uint32_t)left : full, rows->dim,
                                   rows->directory);
        is_there = set->chunks[i] != NULL;
    }
    if (!is_there) {
        row_set_release(set);
        return false;
    }
    set_swap(rows, set);
    for (uint32_t i = 0; i < chunks; i++)
        adopt_chunk(rows, i);
    atomic_fetch_add(&rows->id_bytes, mapped->id_bytes);
    atomic_fetch_add(&rows->bytes, rows->map.size * sizeof *rows->map.slots);
    return true;
}

bool rows_put(struct rows *rows, int64_t num, const char *id, const void *vector, int64_t sequence)
{
    if (!map_reserve(rows) || !tail_reserve(rows))
        return false;
    struct row_chunk *chunk = rows->set->chunks[rows->tail];
    uint32_t row = count_of(chunk);
    size_t bytes_before = chunk->bytes;
    float *to = chunk_append(chunk, rows->dim, num, id, sequence);
    if (!to)
        return false;
    memcpy(to, vector, rows->dim * sizeof *to);
    if (rows->is_normalised)
        kernel_normalise(to, rows->dim, to);
    chunk_publish(chunk);
    atomic_fetch_add(&rows->bytes, chunk->bytes - bytes_before);
    atomic_fetch_add(&rows->id_bytes, strlen(id) + 1);
    const struct row_place *before = row_map_find(&rows->map, num);
    if (before)
        kill_row(rows, rows->set->chunks[before->chunk], before->row, sequence);
    row_map_put(&rows->map, (struct row_place){num, rows->tail, row});
    return true;
}

void rows_kill(struct rows *rows, int64_t num, int64_t sequence)
{
    struct row_place *place = row_map_find(&rows->map, num);
    if (!place)
        return;
    kill_row(rows, rows->set->chunks[place->chunk], place->row, sequence);
    row_map_remove(&rows->map, place);
}

void rows_kill_all(struct rows *rows, int64_t sequence)
{
    for (uint32_t i = 0; i < rows->set->count; i++) {
        struct row_chunk *chunk = rows->set->chunks[i];
        uint32_t count = chunk ? count_of(chunk) : 0;
        for (uint32_t row = 0; row < count; row++)
            kill_row(rows, chunk, row, sequence);
    }
    row_map_clear(&rows->map);
}

// --- compaction

// Nobody can see a row of it any more.
static bool chunk_is_gone(const struct row_chunk *chunk, int64_t floor)
{
    return count_of(chunk) && chunk->dead_count == count_of(chunk) && chunk->last_dead <= floor;
}

// No row of it is about to get a place in the graph: then it may move.
static bool chunk_is_settled(const struct rows *rows, const struct row_chunk *chunk)
{
    return !rows->graph ||
           atomic_load_explicit(&chunk->settled, memory_order_acquire) == count_of(chunk);
}

// Full, and at least half of it dead.
static bool chunk_is_sparse(const struct rows *rows, uint32_t place)
{
    const struct row_chunk *chunk = rows->set->chunks[place];
    return chunk && place != rows->tail && chunk->dead_count * 2 >= count_of(chunk) &&
           chunk_is_settled(rows, chunk);
}

static bool row_is_needed(const struct row_chunk *chunk, uint32_t row, int64_t floor)
{
    return atomic_load_explicit(&chunk->rows[row].dead, memory_order_relaxed) > floor;
}

static uint32_t needed_count(const struct row_chunk *chunk, int64_t floor)
{
    uint32_t needed = 0;
    for (uint32_t row = 0; row < count_of(chunk); row++)
        needed += row_is_needed(chunk, row, floor);
    return needed;
}

static bool copy_needed(struct row_chunk *to, const struct row_chunk *from, uint32_t dim,
                        int64_t floor)
{
    for (uint32_t row = 0; row < count_of(from); row++) {
        if (!row_is_needed(from, row, floor))
            continue;
        const struct row *old = &from->rows[row];
        float *vector = chunk_append(to, dim, old->num, old->id, old->born);
        if (!vector)
            return false;
        memcpy(vector, old->vector, dim * sizeof *vector);
        int64_t dead = atomic_load_explicit(&old->dead, memory_order_relaxed);
        if (dead != INT64_MAX)
            chunk_kill(to, count_of(to), dead);
        uint32_t node = atomic_load_explicit(&old->node, memory_order_relaxed);
        chunk_set_node(to, count_of(to), node);
        if (node != ROW_WAITING)
            chunk_settle(to);
        chunk_publish(to);
        if (node != ROW_WAITING)
            atomic_store(&to->claimed, count_of(to));
    }
    return true;
}

// A chunk of what is needed of those at the places; NULL: out of memory.
static struct row_chunk *merged_new(const struct rows *rows, const uint32_t *places,
                                    size_t place_count, uint32_t needed, int64_t floor)
{
    struct row_chunk *merged = chunk_new(needed, rows->dim, rows->directory);
    for (size_t i = 0; i < place_count && merged; i++) {
        if (!copy_needed(merged, rows->set->chunks[places[i]], rows->dim, floor)) {
            chunk_release(merged);
            merged = NULL;
        }
    }
    return merged;
}

// The graph's nodes follow the rows: to where copy_needed brought them, or to nothing.
static void move_nodes(const struct rows *rows, const uint32_t *places, size_t place_count,
                       struct row_chunk *merged, int64_t floor)
{
    uint32_t copied = 0;
    for (size_t i = 0; rows->graph && i < place_count; i++) {
        struct row_chunk *chunk = rows->set->chunks[places[i]];
        for (uint32_t row = 0; row < count_of(chunk); row++) {
            bool is_needed = merged && row_is_needed(chunk, row, floor);
            graph_move(rows->graph, &chunk->rows[row], is_needed ? &merged->rows[copied++] : NULL);
        }
    }
}

// Puts one chunk, or none where no row is needed, in the place of those listed.
static bool merge(struct rows *rows, const uint32_t *places, size_t place_count, uint32_t needed,
                  int64_t floor)
{
    struct row_chunk *merged = needed ? merged_new(rows, places, place_count, needed, floor) : NULL;
    uint32_t unused;
    struct row_set *set = needed && !merged ? NULL : set_copy(rows->set, &unused);
    if (!set) {
        chunk_release(merged);
        return false;
    }
    move_nodes(rows, places, place_count, merged, floor);
    for (size_t i = 0; i < place_count; i++) {
        atomic_fetch_sub(&rows->bytes, set->chunks[places[i]]->bytes);
        chunk_release(set->chunks[places[i]]);
        set->chunks[places[i]] = NULL;
        if (places[i] == rows->tail)
            rows->tail = NO_CHUNK;
    }
    set->chunks[places[0]] = merged;
    set_swap(rows, set);
    for (uint32_t row = 0; row < needed; row++) {
        if (atomic_load_explicit(&merged->rows[row].dead, memory_order_relaxed) == INT64_MAX)
            row_map_put(&rows->map, (struct row_place){merged->rows[row].num, places[0], row});
    }
    atomic_fetch_add(&rows->bytes, merged ? merged->bytes : 0);
    return true;
}

// Two sparse chunks or more whose needed rows fit into one, or one that is not needed at all.
// Returns how many places it filled in.
static size_t merge_candidates(const struct rows *rows, int64_t floor,
                               uint32_t ret_places[CANDIDATES_MAX], uint32_t *ret_needed)
{
    size_t count = 0;
    uint32_t needed = 0;
    for (uint32_t place = 0; place < rows->set->count && count < CANDIDATES_MAX; place++) {
        const struct row_chunk *chunk = rows->set->chunks[place];
        if (chunk && chunk_is_gone(chunk, floor) && chunk_is_settled(rows, chunk)) {
            ret_places[0] = place;
            *ret_needed = 0;
            return 1;
        }
        if (!chunk_is_sparse(rows, place))
            continue;
        uint32_t more = needed_count(chunk, floor);
        if (more * 2 > count_of(chunk) || needed + more > chunk_rows_full(rows->dim))
            continue;
        needed += more;
        ret_places[count++] = place;
    }
    *ret_needed = needed;
    return count > 1 ? count : 0;
}

void rows_compact(struct rows *rows, int64_t floor)
{
    for (int i = 0; i < MERGES_MAX; i++) {
        uint32_t places[CANDIDATES_MAX], needed;
        size_t count = merge_candidates(rows, floor, places, &needed);
        if (!count || !merge(rows, places, count, needed, floor))
            return;
    }
}
