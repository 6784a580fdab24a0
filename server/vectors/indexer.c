#include "vectors/indexer.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "vectors/index/graph.h"
#include "vectors/index_files.h"

enum {
    INSERTS_A_STEP = 32,
    SWEPT_A_STEP = 1024, // nodes
    DEAD_MIN = 32,       // rows that make a sweep worth its while: so many,
    DEAD_ONE_IN = 10,    // and this part of the graph
    NICE = 10,
    RETRY_MS = 10, // while searches hold swept nodes
    RATE_MS = 500
};

void indexer_make_graph(const struct collection *collection, struct rows *rows)
{
    if (rows->graph || rows_living_count(rows) < collection->settings.flat_rows)
        return;
    struct graph *graph =
        graph_new(&collection->settings, collection->metric == METRIC_DOT, rows->dim);
    if (graph)
        rows_set_graph(rows, graph);
    else
        log_warning("VECTORS-NO-INDEX", "collection %s is searched without an index: no memory",
                    collection->uid);
}

void indexer_note(struct vectors *vectors, struct collection *collection, size_t killed)
{
    collection->killed += killed;
    collection->has_waiting = true;
    collection->has_graph = collection->rows->graph != NULL;
    pthread_cond_signal(&vectors->work);
}

// --- what there is to do; lock held

// Where readers held the last sweep back, the next one waits until the first of them is gone.
static bool wants_sweep(const struct collection *collection)
{
    return collection->is_sweeping || (collection->killed >= DEAD_MIN &&
                                       collection->killed * DEAD_ONE_IN >= collection->node_count &&
                                       collection_floor(collection) > collection->swept_floor);
}

void indexer_note_reader_gone(struct vectors *vectors, const struct collection *collection)
{
    if (collection->has_graph && wants_sweep(collection))
        pthread_cond_signal(&vectors->work);
}

static bool parked_is_due(const struct collection *collection)
{
    return clock_mono_now().ms >= collection->parked_until_ms;
}

enum work {
    WORK_NONE,
    WORK_INSERT,
    WORK_SWEEP,
    WORK_FILE
};

// A sweep is one thread's, and nobody inserts meanwhile: what is repaired stays repaired. So is the
// writing of a file.
static enum work work_of(const struct vectors *vectors, const struct collection *collection)
{
    if (collection->state != COLLECTION_LOADED || !collection->has_graph || collection->is_taken)
        return WORK_NONE;
    if (collection->has_parked ? parked_is_due(collection) : wants_sweep(collection))
        return collection->indexer_count ? WORK_NONE : WORK_SWEEP;
    if (index_file_is_due(vectors, collection))
        return collection->indexer_count ? WORK_NONE : WORK_FILE;
    return collection->has_waiting ? WORK_INSERT : WORK_NONE;
}

// Goes round, so that every collection has its turn. *ret_has_parked: something is to be retried.
static struct collection *next_with_work(struct vectors *vectors, enum work *ret_work,
                                         bool *ret_has_parked)
{
    for (size_t i = 0; i < COLLECTION_SLOTS; i++) {
        size_t slot = (vectors->work_slot + i) % COLLECTION_SLOTS;
        for (struct collection *at = vectors->slots[slot]; at; at = at->next) {
            *ret_work = work_of(vectors, at);
            if (*ret_work) {
                vectors->work_slot = slot + 1;
                return at;
            }
            *ret_has_parked |= at->has_parked;
        }
    }
    return NULL;
}

// --- doing it; without the lock

struct step {
    struct collection *collection;
    struct row_set *set;
    struct graph *graph;
    int64_t floor;
    int64_t partition;
    int64_t sequence; // published, when it began
    size_t changed;
    size_t killed;
    uint32_t inserted;
    bool is_swept; // to the end
    size_t left;   // then: nodes of dead rows, which somebody sees or which died meanwhile
    bool is_saved;
};

static void insert(struct step *step)
{
    step->inserted = graph_catch_up(step->graph, step->set, step->floor, INSERTS_A_STEP);
}

static void sweep(struct step *step)
{
    step->is_swept = !graph_sweep(step->graph, step->floor, SWEPT_A_STEP);
    if (step->is_swept)
        step->left = graph_dead_count(step->graph, INT64_MAX - 1);
}

static void save(struct vectors *vectors, struct step *step)
{
    step->is_saved = index_file_save(vectors, step->collection, step->partition, step->sequence,
                                     step->set, step->graph);
}

// --- before and after

static void measure_rate(struct collection *collection, uint32_t inserted)
{
    int64_t now_ms = clock_mono_now().ms;
    if (!collection->rate_rows)
        collection->rate_since_ms = now_ms;
    collection->rate_rows += inserted;
    int64_t passed_ms = now_ms - collection->rate_since_ms;
    if (passed_ms < RATE_MS)
        return;
    collection->rows_per_second = (double)collection->rate_rows * 1e3 / (double)passed_ms;
    collection->rate_rows = 0;
}

static void note_insert(struct collection *collection, const struct step *step)
{
    measure_rate(collection, step->inserted);
    if (step->inserted < INSERTS_A_STEP && step->sequence == collection->published) {
        collection->has_waiting = false;
        collection->rows_per_second = 0;
        collection->rate_rows = 0;
    }
}

static void note_sweep(struct collection *collection, const struct step *step)
{
    collection->has_parked = step->graph->is_parked;
    collection->parked_until_ms = clock_mono_now().ms + RETRY_MS;
    collection->is_sweeping = !step->is_swept;
    if (step->is_swept)
        collection->killed = step->left + collection->killed - step->killed;
}

// What changed meanwhile waits for the next file, and so does everything where it could not be
// written: not again at once.
static void note_file(struct vectors *vectors, struct collection *collection,
                      const struct step *step)
{
    collection->changed -= step->changed;
    if (step->is_saved)
        collection->file_sequence = step->sequence;
    if (collection->is_deleted)
        index_file_remove(vectors, collection->uid);
}

static void run_step(struct vectors *vectors, struct collection *collection, enum work work)
{
    struct step step = {.collection = collection,
                        .floor = collection_floor(collection),
                        .partition = collection->partition,
                        .sequence = collection->published,
                        .changed = collection->changed,
                        .killed = collection->killed};
    if (work == WORK_SWEEP && !collection->is_sweeping)
        collection->swept_floor = step.floor;
    collection->user_count++;
    collection->indexer_count++;
    collection->is_taken = work != WORK_INSERT;
    step.set = rows_take(collection->rows, &step.graph);
    pthread_mutex_unlock(&vectors->lock);
    if (work == WORK_SWEEP)
        sweep(&step);
    else if (work == WORK_FILE)
        save(vectors, &step);
    else
        insert(&step);
    pthread_mutex_lock(&vectors->lock);
    collection->node_count = atomic_load(&step.graph->live_count);
    if (work == WORK_SWEEP)
        note_sweep(collection, &step);
    else if (work == WORK_FILE)
        note_file(vectors, collection, &step);
    else
        note_insert(collection, &step);
    collection->is_taken = false;
    collection->indexer_count--;
    pthread_mutex_unlock(&vectors->lock);
    row_set_release(step.set);
    graph_release(step.graph);
    pthread_mutex_lock(&vectors->lock);
    collection_let_go(vectors, collection);
    vectors_make_room(vectors, 0);
}

static void *run(void *context)
{
    struct vectors *vectors = context;
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    pthread_mutex_lock(&vectors->lock);
    while (!vectors->is_stopping) {
        enum work work;
        bool has_parked = false;
        struct collection *collection = next_with_work(vectors, &work, &has_parked);
        if (collection)
            run_step(vectors, collection, work);
        else if (has_parked)
            vectors_wait_on(vectors, &vectors->work, RETRY_MS);
        else
            pthread_cond_wait(&vectors->work, &vectors->lock);
    }
    pthread_mutex_unlock(&vectors->lock);
    return NULL;
}

enum soma_code indexer_start(struct vectors *vectors, unsigned threads, struct soma_error *err)
{
    vectors->indexers = calloc(threads, sizeof *vectors->indexers);
    if (!vectors->indexers)
        return error_set_no_memory(err);
    for (unsigned i = 0; i < threads; i++) {
        if (pthread_create(&vectors->indexers[i], NULL, run, vectors) != 0) {
            indexer_stop(vectors);
            return error_set_no_memory(err);
        }
        vectors->indexer_count++;
    }
    return SOMA_OK;
}

void indexer_stop(struct vectors *vectors)
{
    pthread_mutex_lock(&vectors->lock);
    vectors->is_stopping = true;
    pthread_cond_broadcast(&vectors->work);
    pthread_mutex_unlock(&vectors->lock);
    for (unsigned i = 0; i < vectors->indexer_count; i++)
        pthread_join(vectors->indexers[i], NULL);
    free(vectors->indexers);
    vectors->indexers = NULL;
    vectors->indexer_count = 0;
}
