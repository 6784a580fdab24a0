// libsoma against the real somad, which is restarted and killed under it.
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

#include <cmocka.h>
#include <soma/soma.h>

#include "somad_kit.h"

enum {
    RESTARTS = 25,
    THREADS = 64,
    PINGS = 100,
    SUBMITTERS = 4,
    SUBMITS = 40,
    KILLS = 5,
    LINES = 3000,
    OUTPUT_BYTES_MAX = 1 << 20
};

struct scene {
    struct somad somad;
    struct soma_client *client;
};

static int open_scene(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    somad_prepare(&scene->somad);
    somad_start(&scene->somad);
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    options.server = scene->somad.ipc;
    options.connect_timeout_ms = -1;
    assert_int_equal(soma_client_open(&options, &scene->client, NULL), SOMA_OK);
    *state = scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    soma_client_close(scene->client);
    somad_remove(&scene->somad);
    free(scene);
    return 0;
}

static enum soma_code ping(struct scene *scene)
{
    struct soma_ping_request request = SOMA_PING_REQUEST_INIT;
    struct soma_error err = {0};
    enum soma_code code = soma_server_ping(scene->client, &request, NULL, NULL, &err);
    if (code != SOMA_OK)
        print_error("%s: %s\n", err.reason, err.text);
    return code;
}

static void a_client_outlives_its_servers(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < RESTARTS; i++) {
        assert_int_equal(ping(scene), SOMA_OK);
        somad_end(&scene->somad, i % 2 ? SIGKILL : SIGTERM);
        somad_start(&scene->somad);
    }
    assert_int_equal(ping(scene), SOMA_OK);
}

static void *ping_often(void *arg)
{
    uintptr_t failed = 0;
    for (int i = 0; i < PINGS; i++)
        failed += ping(arg) != SOMA_OK;
    return (void *)failed;
}

static void many_threads_share_one_client(void **state)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ping_often, *state), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

// --- changes over kills

struct submitter {
    struct scene *scene;
    pthread_t thread;
    int number;
    atomic_int done;
    char ids[SUBMITS][32];
};

static void *submit_all(void *arg)
{
    struct submitter *submitter = arg;
    const char *const arguments[] = {"true"};
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    spec.arguments = arguments;
    spec.argument_count = 1;
    spec.not_before_ms = INT64_C(4102444800000); // 2100: it stays queued
    for (int i = 0; i < SUBMITS; i++) {
        struct soma_error err = {0};
        struct soma_job *job;
        if (soma_job_submit(submitter->scene->client, &spec, NULL, &job, &err) == SOMA_OK)
            snprintf(submitter->ids[i], sizeof submitter->ids[i], "%s", job->id);
        else
            print_error("%s: %s\n", err.reason, err.text);
        soma_free(job);
        atomic_fetch_add(&submitter->done, 1);
    }
    return NULL;
}

static bool was_submitted(const struct submitter *submitters, const char *id)
{
    for (int i = 0; i < SUBMITTERS; i++) {
        for (int j = 0; j < SUBMITS; j++) {
            if (strcmp(submitters[i].ids[j], id) == 0)
                return true;
        }
    }
    return false;
}

// Exactly what was acknowledged is there: nothing is lost, and nothing happened twice.
static void check_jobs(struct scene *scene, const struct submitter *submitters)
{
    struct soma_job_list_request request = SOMA_JOB_LIST_REQUEST_INIT;
    struct soma_job_list *list;
    struct soma_error err = {0};
    request.page_size = 1000;
    assert_int_equal(soma_job_list(scene->client, &request, NULL, &list, &err), SOMA_OK);
    assert_int_equal(list->job_count, SUBMITTERS * SUBMITS);
    for (size_t i = 0; i < list->job_count; i++)
        assert_true(was_submitted(submitters, list->jobs[i].id));
    soma_free(list);
}

static void a_killed_server_does_each_change_once(void **state)
{
    static struct submitter submitters[SUBMITTERS];
    struct scene *scene = *state;
    for (int i = 0; i < SUBMITTERS; i++) {
        submitters[i].scene = scene;
        assert_int_equal(pthread_create(&submitters[i].thread, NULL, submit_all, &submitters[i]),
                         0);
    }
    for (int i = 1; i <= KILLS; i++) {
        // In the middle of what the first one has yet to do.
        while (atomic_load(&submitters[0].done) < SUBMITS * i / (KILLS + 1))
            assert_int_equal(ping(scene), SOMA_OK);
        somad_end(&scene->somad, SIGKILL);
        somad_start(&scene->somad);
    }
    for (int i = 0; i < SUBMITTERS; i++)
        pthread_join(submitters[i].thread, NULL);
    check_jobs(scene, submitters);
}

// --- closing

struct tally {
    atomic_int ended;
    atomic_int wrong;
};

static void count_ping(void *user, struct soma_ping *result, const struct soma_error *err)
{
    struct tally *tally = user;
    soma_free(result);
    if (err && err->code != SOMA_CANCELLED)
        atomic_fetch_add(&tally->wrong, 1);
    atomic_fetch_add(&tally->ended, 1);
}

static void count_changes(void *user, struct soma_job_changes *result, const struct soma_error *err)
{
    count_ping(user, NULL, err);
    soma_free(result);
}

static void closing_under_load_ends_every_call(void **state)
{
    struct scene *scene = *state;
    struct tally tally = {0};
    struct soma_ping_request ping_request = SOMA_PING_REQUEST_INIT;
    struct soma_job_watch_request watch = SOMA_JOB_WATCH_REQUEST_INIT;
    watch.wait_ms = 60000;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(
            soma_job_watch_async(scene->client, &watch, NULL, count_changes, &tally, NULL, NULL),
            SOMA_OK);
        for (int j = 0; j < 20; j++)
            assert_int_equal(soma_server_ping_async(scene->client, &ping_request, NULL, count_ping,
                                                    &tally, NULL, NULL),
                             SOMA_OK);
    }
    soma_client_close(scene->client);
    scene->client = NULL;
    assert_int_equal(atomic_load(&tally.ended), 50 * 21);
    assert_int_equal(atomic_load(&tally.wrong), 0);
}

// --- following

struct reader {
    struct scene *scene;
    char *got;
    size_t length;
    int restarts;
    bool has_gap;
};

static bool read_and_restart(void *user, enum soma_stream stream, int64_t offset, const void *data,
                             size_t length)
{
    struct reader *reader = user;
    reader->has_gap = stream != SOMA_STDOUT || offset != (int64_t)reader->length ||
                      reader->length + length > OUTPUT_BYTES_MAX;
    if (reader->has_gap)
        return false;
    memcpy(reader->got + reader->length, data, length);
    reader->length += length;
    if (reader->restarts < 3) {
        somad_end(&reader->scene->somad, reader->restarts % 2 ? SIGTERM : SIGKILL);
        somad_start(&reader->scene->somad);
        reader->restarts++;
    }
    return true;
}

static void a_follow_goes_on_over_restarts_without_a_gap(void **state)
{
    static const char source[] = "i=0\n"
                                 "while [ $i -lt 3000 ]; do\n"
                                 "  echo line $i; i=$((i+1))\n"
                                 "  [ $((i % 100)) -ne 0 ] || sleep 0.2\n"
                                 "done\nexit 7\n";
    struct reader reader = {.scene = *state, .got = calloc(1, OUTPUT_BYTES_MAX)};
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    struct soma_job_follow_request request = SOMA_JOB_FOLLOW_REQUEST_INIT;
    struct soma_job *job;
    struct soma_error err = {0};
    assert_non_null(reader.got);
    spec.language = "sh";
    spec.source = source;
    spec.source_length = strlen(source);
    assert_int_equal(soma_job_submit(reader.scene->client, &spec, NULL, &job, &err), SOMA_OK);
    request.job_id = job->id;
    request.stderr_offset = -1;
    request.user = &reader;
    request.on_output = read_and_restart;
    struct soma_job *ended = NULL;
    enum soma_code code = soma_job_follow(reader.scene->client, &request, NULL, &ended, &err);
    if (code != SOMA_OK)
        print_error("%s: %s\n", err.reason, err.text);
    assert_int_equal(code, SOMA_OK);
    assert_int_equal(soma_job_exit_status(ended), 7);
    assert_int_equal(reader.restarts, 3);
    const char *at = reader.got;
    for (int i = 0; i < LINES; i++) {
        char line[32];
        int length = snprintf(line, sizeof line, "line %d\n", i);
        assert_memory_equal(at, line, (size_t)length);
        at += length;
    }
    assert_int_equal(at - reader.got, reader.length);
    soma_free(ended);
    soma_free(job);
    free(reader.got);
}

// --- records

enum {
    RECORDS = 3000,
    DIMENSION = 384
};

struct batch {
    struct soma_record records[RECORDS];
    char ids[RECORDS][16];
    const char *id_list[RECORDS];
    float embeddings[RECORDS * DIMENSION];
};

static struct soma_records_write_request make_batch(struct batch *batch)
{
    struct soma_records_write_request request = SOMA_RECORDS_WRITE_REQUEST_INIT;
    for (size_t i = 0; i < RECORDS; i++) {
        snprintf(batch->ids[i], sizeof batch->ids[i], "r%05zu", i);
        batch->id_list[i] = batch->ids[i];
        batch->records[i].id = batch->ids[i];
        batch->records[i].document = "text";
        batch->embeddings[i * DIMENSION] = 1;
        batch->embeddings[i * DIMENSION + 1] = (float)i;
    }
    request.collection = "docs";
    request.records = batch->records;
    request.record_count = RECORDS;
    request.embeddings = batch->embeddings;
    request.dimension = DIMENSION;
    return request;
}

static void make_collection(struct scene *scene)
{
    struct soma_collection_create_request request = SOMA_COLLECTION_CREATE_REQUEST_INIT;
    struct soma_error err = {0};
    request.name = "docs";
    request.dimension = DIMENSION;
    request.metric = SOMA_METRIC_L2;
    if (soma_collection_create(scene->client, &request, NULL, NULL, &err) != SOMA_OK)
        fail_msg("%s: %s", err.reason, err.text);
}

static void check_get(struct scene *scene, struct batch *batch)
{
    struct soma_records_get_request request = SOMA_RECORDS_GET_REQUEST_INIT;
    struct soma_include include = {.embedding = true};
    struct soma_records *records;
    request.collection = "docs";
    request.ids = batch->id_list;
    request.id_count = RECORDS;
    request.include = &include;
    assert_int_equal(soma_records_get(scene->client, &request, NULL, &records, NULL), SOMA_OK);
    assert_int_equal(records->record_count, RECORDS);
    assert_int_equal(records->dimension, DIMENSION);
    assert_memory_equal(records->embeddings, batch->embeddings, sizeof batch->embeddings);
    assert_string_equal(records->records[RECORDS - 1].id, batch->ids[RECORDS - 1]);
    soma_free(records);
}

// Each record is its own nearest.
static void check_query(struct scene *scene, struct batch *batch)
{
    struct soma_records_query_request request = SOMA_RECORDS_QUERY_REQUEST_INIT;
    struct soma_query_results *results;
    struct soma_error err = {0};
    request.collection = "docs";
    request.embeddings = batch->embeddings;
    request.query_count = 300;
    request.dimension = DIMENSION;
    request.k = 2;
    if (soma_records_query(scene->client, &request, NULL, &results, &err) != SOMA_OK)
        fail_msg("%s: %s", err.reason, err.text);
    assert_int_equal(results->result_count, 300);
    for (size_t i = 0; i < 300; i++) {
        assert_int_equal(results->results[i].hit_count, 2);
        assert_string_equal(results->results[i].hits[0].record.id, batch->ids[i]);
        assert_true(results->results[i].hits[0].distance == 0);
    }
    soma_free(results);
}

static void a_large_batch_is_kept_whole_and_unchanged_the_second_time(void **state)
{
    struct scene *scene = *state;
    struct batch *batch = calloc(1, sizeof *batch);
    struct soma_records_written *written;
    struct soma_error err = {0};
    assert_non_null(batch);
    struct soma_records_write_request request = make_batch(batch);
    make_collection(scene);
    assert_int_equal(soma_records_upsert(scene->client, &request, NULL, &written, &err), SOMA_OK);
    assert_int_equal(written->inserted, RECORDS);
    soma_free(written);
    assert_int_equal(soma_records_upsert(scene->client, &request, NULL, &written, &err), SOMA_OK);
    assert_int_equal(written->unchanged, RECORDS);
    soma_free(written);
    check_get(scene, batch);
    check_query(scene, batch);
    free(batch);
}

static void a_bad_record_is_named_by_its_place_in_the_whole(void **state)
{
    struct scene *scene = *state;
    struct batch *batch = calloc(1, sizeof *batch);
    struct soma_records_written *written;
    struct soma_error err = {0};
    assert_non_null(batch);
    struct soma_records_write_request request = make_batch(batch);
    char long_id[600];
    memset(long_id, 'x', sizeof long_id);
    long_id[sizeof long_id - 1] = '\0';
    batch->records[2500].id = long_id;
    make_collection(scene);
    assert_int_equal(soma_records_upsert(scene->client, &request, NULL, &written, &err),
                     SOMA_INVALID_ARGUMENT);
    assert_string_equal(err.field, "records[2500].id");
    // Whole pieces before it are there.
    assert_non_null(written);
    assert_in_range(written->inserted, 1, 2500);
    soma_free(written);
    free(batch);
}

// A reply that was lost is asked for again, and meanwhile others have removed all that it was
// about.
static void a_repeated_write_is_answered_from_its_first_reply(void **state)
{
    struct scene *scene = *state;
    static const uint8_t request_id[SOMA_REQUEST_ID_BYTES] = "the first upsert";
    struct soma_call_options options = SOMA_CALL_OPTIONS_INIT;
    struct soma_collection_request collection = SOMA_COLLECTION_REQUEST_INIT;
    struct soma_records_written *written;
    struct batch *batch = calloc(1, sizeof *batch);
    assert_non_null(batch);
    struct soma_records_write_request request = make_batch(batch);
    request.record_count = 2;
    options.request_id = request_id;
    collection.collection = "docs";
    make_collection(scene);
    for (int i = 0; i < 2; i++) {
        struct soma_error err = {0};
        if (soma_records_upsert(scene->client, &request, &options, &written, &err) != SOMA_OK)
            fail_msg("%s: %s", err.reason, err.text);
        assert_int_equal(written->inserted, 2);
        soma_free(written);
        soma_collection_delete(scene->client, &collection, NULL, NULL, NULL);
    }
    assert_int_equal(soma_records_upsert(scene->client, &request, NULL, NULL, NULL),
                     SOMA_NOT_FOUND);
    free(batch);
}

#define SCENE(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(a_client_outlives_its_servers),
        SCENE(many_threads_share_one_client),
        SCENE(a_killed_server_does_each_change_once),
        SCENE(closing_under_load_ends_every_call),
        SCENE(a_follow_goes_on_over_restarts_without_a_gap),
        SCENE(a_large_batch_is_kept_whole_and_unchanged_the_second_time),
        SCENE(a_bad_record_is_named_by_its_place_in_the_whole),
        SCENE(a_repeated_write_is_answered_from_its_first_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
