// The server is killed at random points while rows are written and deleted, graphs are built and
// swept, and index files are written; afterwards every acknowledged record is found, and nothing
// else.
//
//     test_index_kills [--as-user] [--points N] [--soak] [--seed N]
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "dice.h"
#include "soma/soma.h"
#include "somad_kit.h"

enum {
    POINTS = 6,
    SOAK_POINTS = 200,
    PAUSE_MAX_US = 400000,
    DIM = 8,
    ROWS = 6000, // enough for a graph
    BATCH = 250,
    CHECKED_EVERY = 41,
    MISSED_MAX_SHARE = 25, // of the rows that are looked for one at most
    ID_SIZE_MAX = 16,
    PATIENCE_MS = 120000
};

static struct {
    struct somad somad;
    struct soma_client *client;
    struct dice dice;
    uint64_t seed;
    unsigned points;
    atomic_bool is_over;
    atomic_uint writes;
    int generations[ROWS]; // as acknowledged; 0: not there
    int highest[ROWS];
    unsigned looked, missed; // for rows through the graph
    double lowest_recall;
} scene = {.points = POINTS, .seed = 1, .lowest_recall = 1};

static void vector_of(size_t row, int generation, float *ret_vector)
{
    struct dice dice;
    dice_init(&dice, row + 1, (uint64_t)generation);
    for (size_t i = 0; i < DIM; i++)
        ret_vector[i] = (float)dice_below(&dice, 1 << 20) / (1 << 20);
}

static void id_of(size_t row, char ret_id[ID_SIZE_MAX])
{
    snprintf(ret_id, ID_SIZE_MAX, "r%zu", row);
}

// --- writing, until it is over; the client asks again until the server is back

static struct soma_call_options patience(void)
{
    struct soma_call_options options = SOMA_CALL_OPTIONS_INIT;
    options.timeout_ms = PATIENCE_MS;
    return options;
}

static void upsert(size_t first)
{
    static char ids[BATCH][ID_SIZE_MAX];
    static struct soma_record records[BATCH];
    static float vectors[BATCH * DIM];
    struct soma_records_write_request request = SOMA_RECORDS_WRITE_REQUEST_INIT;
    struct soma_call_options options = patience();
    struct soma_records_written *written;
    struct soma_error err;
    for (size_t i = 0; i < BATCH; i++) {
        size_t row = first + i;
        id_of(row, ids[i]);
        records[i].id = ids[i];
        vector_of(row, ++scene.highest[row], vectors + i * DIM);
    }
    request.collection = "c";
    request.records = records;
    request.record_count = BATCH;
    request.embeddings = vectors;
    request.dimension = DIM;
    if (soma_records_upsert(scene.client, &request, &options, &written, &err) != SOMA_OK)
        fail_msg("upsert: %s", err.text);
    soma_free(written);
    for (size_t i = 0; i < BATCH; i++)
        scene.generations[first + i] = scene.highest[first + i];
}

static void delete_some(size_t first)
{
    static char ids[BATCH][ID_SIZE_MAX];
    static const char *names[BATCH];
    struct soma_records_delete_request request = SOMA_RECORDS_DELETE_REQUEST_INIT;
    struct soma_call_options options = patience();
    struct soma_records_deleted *deleted;
    struct soma_error err;
    for (size_t i = 0; i < BATCH; i++) {
        id_of(first + i, ids[i]);
        names[i] = ids[i];
    }
    request.collection = "c";
    request.ids = names;
    request.id_count = BATCH;
    if (soma_records_delete(scene.client, &request, &options, &deleted, &err) != SOMA_OK)
        fail_msg("delete: %s", err.text);
    soma_free(deleted);
    for (size_t i = 0; i < BATCH; i++)
        scene.generations[first + i] = 0;
}

static const char *query(size_t row, int generation, bool is_exact, struct soma_query_results **ret)
{
    float vector[DIM];
    struct soma_records_query_request request = SOMA_RECORDS_QUERY_REQUEST_INIT;
    struct soma_call_options options = patience();
    struct soma_error err;
    vector_of(row, generation, vector);
    request.collection = "c";
    request.embeddings = vector;
    request.query_count = 1;
    request.dimension = DIM;
    request.k = 1;
    request.exact = is_exact;
    if (soma_records_query(scene.client, &request, &options, ret, &err) != SOMA_OK)
        fail_msg("query: %s", err.text);
    return (*ret)->results[0].hit_count ? (*ret)->results[0].hits[0].record.id : "";
}

static void *write_on(void *unused)
{
    struct dice dice;
    (void)unused;
    dice_init(&dice, scene.seed, 2);
    while (!atomic_load(&scene.is_over)) {
        size_t first = dice_below(&dice, ROWS / BATCH) * BATCH;
        struct soma_query_results *results;
        if (dice_below(&dice, 4))
            upsert(first);
        else
            delete_some(first);
        query(first, 1, false, &results); // loads the collection again after a kill
        soma_free(results);
        atomic_fetch_add(&scene.writes, 1);
    }
    return NULL;
}

// --- what there is afterwards

// Is the row the nearest to its own vector, and was it not before? A walk through a graph may miss
// one, but finds nothing that is not there; exactly, all are found.
static bool is_found(size_t row, bool is_exact)
{
    char id[ID_SIZE_MAX];
    struct soma_query_results *results;
    bool is_due = scene.generations[row] != 0;
    id_of(row, id);
    const char *found = query(row, scene.highest[row], is_exact, &results);
    bool is_there = strcmp(found, id) == 0 && results->results[0].hits[0].distance == 0;
    if (is_there > is_due || (is_exact && is_there != is_due))
        fail_msg("row %zu, generation %d of %d, plan %s: found %s", row, scene.generations[row],
                 scene.highest[row], results->plan, found);
    soma_free(results);
    return is_there == is_due;
}

static void check_rows(void)
{
    unsigned looked = 0, missed = 0;
    for (size_t row = 0; row < ROWS; row += CHECKED_EVERY, looked++) {
        missed += !is_found(row, false);
        is_found(row, true);
    }
    scene.missed += missed;
    scene.looked += looked;
    if (missed * MISSED_MAX_SHARE > looked)
        fail_msg("the graph missed %u rows of %u", missed, looked);
}

// The server's own comparison of all that is in memory with all that is stored.
static void check_index(void)
{
    struct soma_collection_check_request request = SOMA_COLLECTION_CHECK_REQUEST_INIT;
    struct soma_call_options options = patience();
    struct soma_collection_check *check;
    request.collection = "c";
    assert_int_equal(soma_collection_check(scene.client, &request, &options, &check, NULL),
                     SOMA_OK);
    for (size_t i = 0; i < check->finding_count; i++)
        print_message("%s: %s\n", check->findings[i].kind, check->findings[i].message);
    assert_int_equal(check->finding_count, 0);
    if (check->recall < scene.lowest_recall)
        scene.lowest_recall = check->recall;
    soma_free(check);
}

static void check_all(void)
{
    struct soma_records_count_request request = SOMA_RECORDS_COUNT_REQUEST_INIT;
    struct soma_call_options options = patience();
    struct soma_records_count *count;
    int64_t expected = 0;
    for (size_t row = 0; row < ROWS; row++)
        expected += scene.generations[row] != 0;
    request.collection = "c";
    assert_int_equal(soma_records_count(scene.client, &request, &options, &count, NULL), SOMA_OK);
    assert_int_equal(count->count, expected);
    soma_free(count);
    check_rows();
    check_index();
}

static void create(void)
{
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    struct soma_collection_create_request request = SOMA_COLLECTION_CREATE_REQUEST_INIT;
    struct soma_collection *collection;
    options.server = scene.somad.ipc;
    assert_int_equal(soma_client_open(&options, &scene.client, NULL), SOMA_OK);
    request.name = "c";
    request.dimension = DIM;
    request.metric = SOMA_METRIC_L2;
    assert_int_equal(soma_collection_create(scene.client, &request, NULL, &collection, NULL),
                     SOMA_OK);
    soma_free(collection);
    for (size_t first = 0; first < ROWS; first += BATCH)
        upsert(first);
}

static void kills_lose_no_acknowledged_record_and_leave_no_wrong_index(void **state)
{
    pthread_t writer;
    (void)state;
    dice_init(&scene.dice, scene.seed, 1);
    somad_prepare(&scene.somad);
    somad_start(&scene.somad);
    create();
    assert_int_equal(pthread_create(&writer, NULL, write_on, NULL), 0);
    for (unsigned point = 0; point < scene.points; point++) {
        long pause_us = (long)dice_below(&scene.dice, PAUSE_MAX_US);
        nanosleep(&(struct timespec){0, pause_us * 1000}, NULL);
        somad_end(&scene.somad, SIGKILL);
        somad_start(&scene.somad);
        if (point % 10 == 9 || point + 1 == scene.points) { // look, then go on
            atomic_store(&scene.is_over, true);
            pthread_join(writer, NULL);
            check_all();
            somad_end(&scene.somad, SIGKILL);
            somad_start(&scene.somad);
            check_all();
            atomic_store(&scene.is_over, false);
            assert_int_equal(pthread_create(&writer, NULL, write_on, NULL), 0);
        }
    }
    atomic_store(&scene.is_over, true);
    pthread_join(writer, NULL);
    print_message("%u kills, %u writes, seed %llu; rows that the graph missed: %u of %u; lowest"
                  " recall %.4f\n",
                  scene.points, atomic_load(&scene.writes), (unsigned long long)scene.seed,
                  scene.missed, scene.looked, scene.lowest_recall);
    soma_client_close(scene.client);
    somad_remove(&scene.somad);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kills_lose_no_acknowledged_record_and_leave_no_wrong_index),
    };
    somad_kit_open(argc, argv);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--soak") == 0)
            scene.points = SOAK_POINTS;
        else if (strcmp(argv[i], "--points") == 0 && i + 1 < argc)
            scene.points = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            scene.seed = strtoull(argv[++i], NULL, 10);
    }
    return cmocka_run_group_tests_name("index kills", tests, NULL, NULL);
}
