#include "bystanders.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum {
    DIM = 4,
    BATCH = 250,
    BATCHES = 20, // enough rows for a graph
    BATCHES_AT_ONCE = 4,
    FILE_JOBS_MAX = 5000,
    ID_SIZE = 32,
    PATIENCE_MS = 60000,
    PAGE = 250
};

static struct {
    struct soma_client *client;
    pthread_t threads[2];
    atomic_bool is_over, has_failed;
    // Each of its thread until it has ended.
    float tried[BATCHES], acknowledged[BATCHES]; // what all rows of a batch begin with
    char ids[FILE_JOBS_MAX][ID_SIZE];
    unsigned job_count;
    struct soma_error write_error, file_error;
} scene;

static struct soma_call_options patient(void)
{
    struct soma_call_options options = SOMA_CALL_OPTIONS_INIT;
    options.timeout_ms = PATIENCE_MS;
    options.retry_max_ms = 50;
    return options;
}

// --- rows

static enum soma_code write_batch(unsigned batch, struct soma_error *err)
{
    static char ids[BATCH][ID_SIZE];
    static struct soma_record records[BATCH];
    static float vectors[BATCH * DIM];
    const struct soma_records_write_request request = {.struct_size = sizeof request,
                                                       .collection = "rows",
                                                       .records = records,
                                                       .record_count = BATCH,
                                                       .embeddings = vectors,
                                                       .dimension = DIM};
    struct soma_call_options options = patient();
    scene.tried[batch]++;
    for (unsigned i = 0; i < BATCH; i++) {
        snprintf(ids[i], sizeof ids[i], "%u-%u", batch, i);
        records[i].id = ids[i];
        vectors[(size_t)i * DIM] = scene.tried[batch];
        vectors[(size_t)i * DIM + 1] = (float)i;
        vectors[(size_t)i * DIM + 2] = (float)batch;
    }
    enum soma_code code = soma_records_upsert(scene.client, &request, &options, NULL, err);
    if (code == SOMA_OK)
        scene.acknowledged[batch] = scene.tried[batch];
    return code;
}

// Nobody loads a collection that is not searched.
static enum soma_code search(struct soma_error *err)
{
    static const float nowhere[DIM] = {0};
    const struct soma_records_query_request request = {.struct_size = sizeof request,
                                                       .collection = "rows",
                                                       .embeddings = nowhere,
                                                       .query_count = 1,
                                                       .dimension = DIM,
                                                       .k = 3};
    struct soma_call_options options = patient();
    struct soma_query_results *results = NULL;
    enum soma_code code = soma_records_query(scene.client, &request, &options, &results, err);
    soma_free(results);
    return code;
}

// The graph's file is written when no row waits to be inserted.
static void *write_rows(void *unused)
{
    (void)unused;
    enum soma_code code = SOMA_OK;
    for (unsigned i = 0; code == SOMA_OK && !atomic_load(&scene.is_over); i++) {
        code = write_batch(i % BATCHES, &scene.write_error);
        if (code != SOMA_OK || i % BATCHES_AT_ONCE != 0)
            continue;
        code = search(&scene.write_error);
        nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    }
    if (code != SOMA_OK)
        atomic_store(&scene.has_failed, true);
    return NULL;
}

// --- files

static enum soma_code submit_with(const struct soma_job_upload *upload, struct soma_error *err)
{
    static const char *const words[] = {"cat", "given"};
    const struct soma_job_file file = {
        .path = "given", .size_bytes = upload->size_bytes, .upload_id = upload->upload_id};
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    struct soma_call_options options = patient();
    struct soma_job *job = NULL;
    spec.arguments = words;
    spec.argument_count = 2;
    spec.files = &file;
    spec.file_count = 1;
    spec.queue = BYSTANDERS_QUEUE;
    enum soma_code code = soma_job_submit(scene.client, &spec, &options, &job, err);
    if (code == SOMA_OK)
        snprintf(scene.ids[scene.job_count++], ID_SIZE, "%s", job->id);
    soma_free(job);
    return code;
}

static enum soma_code wait_for(const char *id, struct soma_error *err)
{
    struct soma_job_follow_request request = SOMA_JOB_FOLLOW_REQUEST_INIT;
    struct soma_call_options options = patient();
    request.job_id = id;
    return soma_job_follow(scene.client, &request, &options, NULL, err);
}

static void *send_files(void *unused)
{
    (void)unused;
    enum soma_code code = SOMA_OK;
    while (code == SOMA_OK && scene.job_count < FILE_JOBS_MAX && !atomic_load(&scene.is_over)) {
        char text[32];
        struct soma_call_options options = patient();
        struct soma_job_upload *upload = NULL;
        int length = snprintf(text, sizeof text, "file %u", scene.job_count);
        const struct soma_job_upload_request request = {
            .struct_size = sizeof request, .data = text, .length = (size_t)length, .end = true};
        code = soma_job_upload(scene.client, &request, &options, &upload, &scene.file_error);
        if (code == SOMA_OK)
            code = submit_with(upload, &scene.file_error);
        if (code == SOMA_OK)
            code = wait_for(scene.ids[scene.job_count - 1], &scene.file_error);
        soma_free(upload);
    }
    if (code != SOMA_OK)
        atomic_store(&scene.has_failed, true);
    return NULL;
}

void bystanders_start(struct soma_client *client)
{
    const struct soma_collection_create_request create = {
        .struct_size = sizeof create, .name = "rows", .dimension = DIM, .metric = SOMA_METRIC_L2};
    scene.client = client;
    assert_int_equal(soma_collection_create(client, &create, NULL, NULL, NULL), SOMA_OK);
    for (unsigned i = 0; i < BATCHES; i++)
        assert_int_equal(write_batch(i, NULL), SOMA_OK);
    assert_int_equal(pthread_create(&scene.threads[0], NULL, write_rows, NULL), 0);
    assert_int_equal(pthread_create(&scene.threads[1], NULL, send_files, NULL), 0);
}

bool bystanders_have_failed(void)
{
    return atomic_load(&scene.has_failed);
}

void bystanders_stop(void)
{
    atomic_store(&scene.is_over, true);
    for (size_t i = 0; i < 2; i++)
        pthread_join(scene.threads[i], NULL);
    const struct soma_error *const errors[] = {&scene.write_error, &scene.file_error};
    for (size_t i = 0; i < 2; i++) {
        if (errors[i]->code != SOMA_OK)
            fail_msg("%s %s: %s", errors[i]->reason, errors[i]->field, errors[i]->text);
    }
}

// --- afterwards

static void check_row(const char *id, const float *vector, float values[BATCHES],
                      unsigned counts[BATCHES])
{
    char *dash;
    unsigned long batch = strtoul(id, &dash, 10), number = strtoul(dash + 1, NULL, 10);
    assert_true(*dash == '-');
    assert_true(batch < BATCHES && number < BATCH);
    assert_true(vector[1] == (float)number && vector[2] == (float)batch);
    if (counts[batch]++ == 0)
        values[batch] = vector[0];
    else
        assert_true(values[batch] == vector[0]); // a batch is one write
}

static void check_rows(void)
{
    static const struct soma_include include = {.embedding = true};
    struct soma_records_scan_request request = SOMA_RECORDS_SCAN_REQUEST_INIT;
    float values[BATCHES] = {0};
    unsigned counts[BATCHES] = {0};
    char cursor[512] = "";
    request.collection = "rows";
    request.page_size = PAGE;
    request.include = &include;
    do {
        struct soma_error err;
        struct soma_records *page = NULL;
        request.cursor = cursor[0] ? cursor : NULL;
        if (soma_records_scan(scene.client, &request, NULL, &page, &err) != SOMA_OK)
            fail_msg("%s", err.text);
        for (size_t i = 0; i < page->record_count; i++)
            check_row(page->records[i].id, page->embeddings + i * DIM, values, counts);
        snprintf(cursor, sizeof cursor, "%s", page->next_cursor ? page->next_cursor : "");
        soma_free(page);
    } while (cursor[0]);
    for (unsigned i = 0; i < BATCHES; i++) {
        assert_int_equal(counts[i], BATCH);
        assert_true(values[i] >= scene.acknowledged[i] && values[i] <= scene.tried[i]);
    }
}

static void check_index(void)
{
    const struct soma_collection_check_request request = {.struct_size = sizeof request,
                                                          .collection = "rows"};
    struct soma_collection_check *check = NULL;
    struct soma_error err;
    if (soma_collection_check(scene.client, &request, NULL, &check, &err) != SOMA_OK)
        fail_msg("%s", err.text);
    if (check->finding_count > 0)
        fail_msg("the index: %s", check->findings[0].message);
    soma_free(check);
}

static void check_file_job(unsigned number)
{
    char text[32];
    struct soma_job_read_request request = SOMA_JOB_READ_REQUEST_INIT;
    struct soma_job_output *output = NULL;
    struct soma_error err;
    int length = snprintf(text, sizeof text, "file %u", number);
    request.job_id = scene.ids[number];
    request.stderr_offset = -1;
    if (soma_job_read(scene.client, &request, NULL, &output, &err) != SOMA_OK)
        fail_msg("job %s: %s", scene.ids[number], err.text);
    assert_true(output->stdout_chunk.end);
    assert_int_equal(output->stdout_chunk.length, length);
    assert_memory_equal(output->stdout_chunk.data, text, (size_t)length);
    soma_free(output);
}

void bystanders_check(void)
{
    check_rows();
    check_index();
    for (unsigned i = 0; i < scene.job_count; i++)
        check_file_job(i);
    print_message("%u jobs with files\n", scene.job_count);
}
