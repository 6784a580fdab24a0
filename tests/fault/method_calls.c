#include "method_calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    ID_SIZE = 32,
    DIM = 4,
    RECORDS = 8,
    LATER_MS = 1000000000
};

static struct soma_client *client;
static char queued_id[ID_SIZE], final_id[ID_SIZE], running_id[ID_SIZE], ended_id[ID_SIZE];
static struct soma_snapshot_page *page;
static float vectors[RECORDS * DIM];
static const bool on = true;
static const enum soma_scope scopes[] = {SOMA_SCOPE_READ};
static const struct soma_pair labels[] = {{"colour", "red"}, {"size", "large"}};
static const struct soma_include all = {true, true, true};
static const char *const some_ids[] = {"a", "b", "nobody"};
static const char *const words[] = {"true"};
static const struct soma_metadata_field fields[] = {
    {.key = "colour", .type = SOMA_VALUE_STRING, .value.string = "red"},
    {.key = "size", .type = SOMA_VALUE_INT, .value.integer = 3}};
static const struct soma_record records[RECORDS] = {{"a", "some words", fields, 2},
                                                    {"b", "other words", fields, 2},
                                                    {"c", NULL, fields, 1},
                                                    {"d", "more words", fields, 2},
                                                    {"e", "no", NULL, 0},
                                                    {"f", "words", fields, 2},
                                                    {"g", "the last but one", 0, 0},
                                                    {"h", "the last", fields, 1}};
static const char secret[] =
    "soma_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

// CALL(method, struct of its request, struct of its result, its fields…)
#define CALL(METHOD, REQUEST, RESULT, ...)                                            \
    static enum soma_code run_##METHOD(const struct soma_call_options *options,       \
                                       struct soma_error *err)                        \
    {                                                                                 \
        const struct REQUEST request = {.struct_size = sizeof request, __VA_ARGS__};  \
        struct RESULT *result = NULL;                                                 \
        enum soma_code code = soma_##METHOD(client, &request, options, &result, err); \
        soma_free(result);                                                            \
        return code;                                                                  \
    }

CALL(server_ping, soma_ping_request, soma_ping, .payload = "ping", .payload_length = 4)
CALL(server_info, soma_empty_request, soma_server_info, )
CALL(server_stats, soma_empty_request, soma_server_stats, )
CALL(server_check, soma_server_check_request, soma_server_check, )
CALL(token_create, soma_token_create_request, soma_token, .name = "ci", .secret = secret,
     .scopes = scopes, .scope_count = 1)
CALL(token_list, soma_empty_request, soma_token_list, )
CALL(token_revoke, soma_token_request, soma_token, .name = "ci")

CALL(job_submit, soma_job_spec, soma_job, .language = "sh", .source = "exit 0", .source_length = 6,
     .labels = labels, .label_count = 2, .queue = "night", .stdin_bytes = "input",
     .stdin_length = 5, .delay_ms = LATER_MS)
CALL(job_upload, soma_job_upload_request, soma_job_upload, .data = "piece", .length = 5,
     .end = true)
CALL(job_get, soma_job_request, soma_job, .job_id = ended_id)
CALL(job_list, soma_job_list_request, soma_job_list, .page_size = 100)
CALL(job_wait, soma_job_wait_request, soma_job, .job_id = running_id, .wait_ms = 5)
CALL(job_read, soma_job_read_request, soma_job_output, .job_id = ended_id)
CALL(job_log, soma_job_log_request, soma_job_log, .job_id = ended_id)
CALL(job_input, soma_job_input_request, soma_job_input, .job_id = running_id, .data = "line\n",
     .length = 5)
CALL(job_artifacts, soma_job_artifacts_request, soma_job_artifacts, .job_id = ended_id)
CALL(job_artifact_read, soma_job_artifact_read_request, soma_job_artifact_piece, .job_id = ended_id,
     .path = "left")
CALL(job_watch, soma_job_watch_request, soma_job_changes, .page_size = 100)
CALL(job_cancel, soma_job_cancel_request, soma_job, .job_id = queued_id, .note = "why not")
CALL(job_retry, soma_job_request, soma_job, .job_id = final_id)
CALL(job_delete, soma_job_request, soma_job_removed, .job_id = final_id)
CALL(job_prune, soma_job_prune_request, soma_job_removed, .max_jobs = 1,
     .filter = {.queue = "pruned"})
CALL(job_report, soma_job_report_request, soma_job_reported, .job_id = running_id, .percent = 50,
     .message = "half")
CALL(queue_list, soma_queue_list_request, soma_queue_list, )
CALL(queue_get, soma_queue_request, soma_queue, .queue = "default")
CALL(queue_update, soma_queue_update_request, soma_queue, .queue = "night", .is_paused = &on)

CALL(collection_create, soma_collection_create_request, soma_collection, .name = "new",
     .dimension = DIM, .metric = SOMA_METRIC_L2, .metadata = fields, .metadata_count = 2)
CALL(collection_get, soma_collection_request, soma_collection, .collection = "c")
CALL(collection_list, soma_collection_list_request, soma_collection_list, )
CALL(collection_update, soma_collection_update_request, soma_collection, .collection = "c",
     .metadata = fields, .metadata_count = 1)
CALL(collection_delete, soma_collection_request, soma_records_deleted, .collection = "new")
CALL(collection_clear, soma_collection_request, soma_records_deleted, .collection = "c")
CALL(collection_alias, soma_collection_alias_request, soma_collection, .alias = "other",
     .collection = "c")
CALL(collection_unalias, soma_collection_unalias_request, soma_collection_unaliased,
     .alias = "other")
CALL(collection_clone, soma_collection_clone_request, soma_collection, .collection = "c",
     .new_name = "new")
CALL(snapshot_read, soma_snapshot_read_request, soma_snapshot_page, .collection = "c",
     .since_sequence = 0)
CALL(snapshot_restore, soma_snapshot_restore_request, soma_snapshot_restored, .bytes = page->bytes,
     .length = page->length, .finish_name = "new")
CALL(collection_check, soma_collection_check_request, soma_collection_check, .collection = "c")

CALL(records_upsert, soma_records_write_request, soma_records_written, .collection = "c",
     .records = records, .record_count = RECORDS, .embeddings = vectors, .dimension = DIM)
CALL(records_insert, soma_records_write_request, soma_records_written, .collection = "c",
     .records = records, .record_count = RECORDS, .embeddings = vectors, .dimension = DIM)
CALL(records_update, soma_records_write_request, soma_records_written, .collection = "c",
     .records = records, .record_count = 2, .embeddings = vectors + DIM, .dimension = DIM)
CALL(records_get, soma_records_get_request, soma_records, .collection = "c", .ids = some_ids,
     .id_count = 3, .include = &all)
CALL(records_scan, soma_records_scan_request, soma_records, .collection = "c",
     .where = "{\"colour\": \"red\"}", .order_by = "size", .include = &all)
CALL(records_delete, soma_records_delete_request, soma_records_deleted, .collection = "c",
     .where = "{\"size\": {\"$gt\": 2}}")
CALL(records_count, soma_records_count_request, soma_records_count, .collection = "c",
     .where = "{\"colour\": {\"$in\": [\"red\", \"blue\"]}}")
CALL(records_facet, soma_records_facet_request, soma_records_facets, .collection = "c",
     .key = "colour")
CALL(records_query, soma_records_query_request, soma_query_results, .collection = "c",
     .embeddings = vectors, .query_count = 1, .dimension = DIM, .k = 3, .texts = &words[0],
     .where = "{\"colour\": \"red\"}", .include = &all)

// --- what has to be there

static void must(enum soma_code code, const struct soma_error *err)
{
    if (code != SOMA_OK)
        fail_msg("%s %s", err->reason, err->text);
}

static void submit(const struct soma_job_spec *spec, char *ret_id)
{
    struct soma_error err = {0};
    struct soma_job *job = NULL;
    must(soma_job_submit(client, spec, NULL, &job, &err), &err);
    snprintf(ret_id, ID_SIZE, "%s", job->id);
    soma_free(job);
}

static void a_queued_job(void)
{
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    spec.arguments = words;
    spec.argument_count = 1;
    spec.delay_ms = LATER_MS;
    submit(&spec, queued_id);
}

static void cancel(const char *queue, char *ret_id)
{
    struct soma_error err = {0};
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    struct soma_job_cancel_request request = SOMA_JOB_CANCEL_REQUEST_INIT;
    spec.arguments = words;
    spec.argument_count = 1;
    spec.delay_ms = LATER_MS;
    spec.queue = queue;
    submit(&spec, ret_id);
    request.job_id = ret_id;
    must(soma_job_cancel(client, &request, NULL, NULL, &err), &err);
}

static void a_final_job(void)
{
    cancel("default", final_id);
}

static void a_job_to_prune(void)
{
    char id[ID_SIZE];
    cancel("pruned", id);
}

static void no_token(void)
{
    struct soma_error err = {0};
    run_token_revoke(NULL, &err);
}

static void a_token(void)
{
    struct soma_error err = {0};
    no_token();
    must(run_token_create(NULL, &err), &err);
}

static void no_new_collection(void)
{
    struct soma_error err = {0};
    run_collection_delete(NULL, &err);
}

static void a_new_collection(void)
{
    struct soma_error err = {0};
    no_new_collection();
    must(run_collection_create(NULL, &err), &err);
}

static void an_empty_collection(void)
{
    struct soma_error err = {0};
    must(run_collection_clear(NULL, &err), &err);
}

static void all_records(void)
{
    struct soma_error err = {0};
    must(run_records_upsert(NULL, &err), &err);
}

static void an_alias(void)
{
    struct soma_error err = {0};
    must(run_collection_alias(NULL, &err), &err);
}

static void wait_for_end(const char *id)
{
    struct soma_error err = {0};
    struct soma_job_follow_request request = SOMA_JOB_FOLLOW_REQUEST_INIT;
    request.job_id = id;
    must(soma_job_follow(client, &request, NULL, NULL, &err), &err);
}

static void wait_for_start(const char *id)
{
    struct soma_error err = {0};
    struct soma_job_wait_request request = SOMA_JOB_WAIT_REQUEST_INIT;
    enum soma_job_state state = SOMA_JOB_QUEUED;
    request.job_id = id;
    request.wait_ms = 1000;
    while (state == SOMA_JOB_QUEUED) {
        struct soma_job *job = NULL;
        must(soma_job_wait(client, &request, NULL, &job, &err), &err);
        state = job->state;
        request.after_revision = job->revision;
        soma_free(job);
    }
    assert_int_equal(state, SOMA_JOB_RUNNING);
}

static void make_jobs(void)
{
    static const char *const patterns[] = {"left"};
    static const char source[] = "echo out; echo err >&2; echo kept >left";
    static const char *const cat[] = {"cat"};
    struct soma_job_spec ends = SOMA_JOB_SPEC_INIT, runs = SOMA_JOB_SPEC_INIT;
    ends.language = "sh";
    ends.source = source;
    ends.source_length = sizeof source - 1;
    ends.artifacts = patterns;
    ends.artifact_count = 1;
    submit(&ends, ended_id);
    runs.arguments = cat;
    runs.argument_count = 1;
    runs.interactive = true;
    submit(&runs, running_id);
    wait_for_end(ended_id);
    wait_for_start(running_id);
}

void method_calls_open(struct soma_client *borrowed)
{
    const struct soma_collection_create_request request = {
        .struct_size = sizeof request, .name = "c", .dimension = DIM, .metric = SOMA_METRIC_L2};
    const struct soma_snapshot_read_request snapshot = {
        .struct_size = sizeof snapshot, .collection = "c", .since_sequence = 0};
    struct soma_error err = {0};
    client = borrowed;
    for (size_t i = 0; i < RECORDS * DIM; i++)
        vectors[i] = (float)(i % 7);
    make_jobs();
    must(soma_collection_create(client, &request, NULL, NULL, &err), &err);
    all_records();
    must(soma_snapshot_read(client, &snapshot, NULL, &page, &err), &err);
}

void method_calls_use(struct soma_client *borrowed)
{
    client = borrowed;
}

void method_calls_close(void)
{
    struct soma_job_cancel_request request = SOMA_JOB_CANCEL_REQUEST_INIT;
    struct soma_job *job;
    request.job_id = running_id;
    request.force = true;
    assert_int_equal(soma_job_cancel(client, &request, NULL, &job, NULL), SOMA_OK);
    soma_free(job);
    wait_for_end(running_id);
    soma_free(page);
}

#define ROW(METHOD, PREPARE)           \
    {                                  \
#METHOD, PREPARE, run_##METHOD \
    }

const struct method_call method_calls[] = {
    ROW(server_ping, NULL),
    ROW(server_info, NULL),
    ROW(server_stats, NULL),
    ROW(server_check, NULL),
    ROW(token_create, no_token),
    ROW(token_list, NULL),
    ROW(token_revoke, a_token),
    ROW(job_submit, NULL),
    ROW(job_upload, NULL),
    ROW(job_get, NULL),
    ROW(job_list, NULL),
    ROW(job_wait, NULL),
    ROW(job_read, NULL),
    ROW(job_log, NULL),
    ROW(job_input, NULL),
    ROW(job_artifacts, NULL),
    ROW(job_artifact_read, NULL),
    ROW(job_watch, NULL),
    ROW(job_cancel, a_queued_job),
    ROW(job_retry, a_final_job),
    ROW(job_delete, a_final_job),
    ROW(job_prune, a_job_to_prune),
    ROW(job_report, NULL),
    ROW(queue_list, NULL),
    ROW(queue_get, NULL),
    ROW(queue_update, NULL),
    ROW(collection_create, no_new_collection),
    ROW(collection_get, NULL),
    ROW(collection_list, NULL),
    ROW(collection_update, NULL),
    ROW(collection_delete, a_new_collection),
    ROW(collection_clear, all_records),
    ROW(collection_alias, NULL),
    ROW(collection_unalias, an_alias),
    ROW(collection_clone, no_new_collection),
    ROW(snapshot_read, all_records),
    ROW(snapshot_restore, no_new_collection),
    ROW(collection_check, NULL),
    ROW(records_upsert, an_empty_collection),
    ROW(records_insert, an_empty_collection),
    ROW(records_update, all_records),
    ROW(records_get, NULL),
    ROW(records_scan, NULL),
    ROW(records_delete, all_records),
    ROW(records_count, NULL),
    ROW(records_facet, NULL),
    ROW(records_query, all_records),
};

const size_t method_call_count = sizeof method_calls / sizeof method_calls[0];
