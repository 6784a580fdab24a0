// libsoma's batches: pieces, their results put together, and replies that do not fit the request.
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <soma/soma.h>
#include <soma/v1/vectors.pb-c.h>

#include "fake_server.h"

enum {
    DIMENSION = 384,
    RECORDS = 2000,
    PIECES_MAX = 64
};

struct scene {
    struct fake_server *server;
    struct soma_client *client;
    struct soma_record *records;
    float *embeddings;
    size_t pieces[PIECES_MAX]; // items in each request
    size_t numbers[PIECES_MAX];
    uint8_t request_ids[PIECES_MAX][SOMA_REQUEST_ID_BYTES];
    float first_number[PIECES_MAX];
    size_t refuse_at; // number of the request that is refused; 0: none
    size_t full_at;   // a get answers at most this many ids; 0: all
    // Lies.
    size_t extra_ids;
    size_t error_index;
    size_t embeddings_short;
    size_t extra_hits;
    size_t extra_results;
};

static void answer_upsert(struct scene *scene, const struct fake_request *request,
                          struct fake_answer *answer)
{
    Pb__UpsertRecordsRequest *sent =
        fake_unpack(request, answer, &pb__upsert_records_request__descriptor);
    Pb__UpsertRecordsResponse *reply =
        fake_message(answer, &pb__upsert_records_response__descriptor);
    scene->pieces[request->number] = sent->n_records;
    scene->numbers[request->number] = sent->n_embeddings;
    scene->first_number[request->number] = sent->n_embeddings ? sent->embeddings[0] : -1;
    memcpy(scene->request_ids[request->number], request->request_id, SOMA_REQUEST_ID_BYTES);
    reply->counts = fake_message(answer, &pb__write_counts__descriptor);
    reply->counts->inserted = (int64_t)sent->n_records - 1;
    reply->counts->failed = 1;
    reply->sequence = (int64_t)request->number + 1;
    reply->n_errors = 1;
    reply->errors = arena_calloc(answer->arena, 1, sizeof(void *));
    reply->errors[0] = fake_message(answer, &pb__record_error__descriptor);
    reply->errors[0]->index = scene->error_index ? (uint32_t)scene->error_index : 1;
    reply->errors[0]->code = SOMA_ALREADY_EXISTS;
    bool derives = false;
    for (size_t i = 0; i < sent->n_records; i++)
        derives = derives || !sent->records[i]->id[0];
    if (derives || scene->extra_ids) {
        reply->n_ids = sent->n_records + scene->extra_ids;
        reply->ids = arena_calloc(answer->arena, reply->n_ids, sizeof(void *));
        for (size_t i = 0; i < reply->n_ids; i++)
            reply->ids[i] =
                i < sent->n_records && sent->records[i]->id[0] ? sent->records[i]->id : "derived";
    }
    answer->message = &reply->base;
}

static void answer_get(struct scene *scene, const struct fake_request *request,
                       struct fake_answer *answer)
{
    Pb__GetRecordsRequest *sent =
        fake_unpack(request, answer, &pb__get_records_request__descriptor);
    Pb__GetRecordsResponse *reply = fake_message(answer, &pb__get_records_response__descriptor);
    size_t count = sent->n_ids;
    scene->pieces[request->number] = count;
    if (scene->full_at && count > scene->full_at) {
        count = scene->full_at;
        reply->next_index = (uint32_t)count;
    }
    // The first id is missing, the others are there, each with its number of characters.
    reply->n_missing_ids = 1;
    reply->missing_ids = sent->ids;
    reply->n_records = count - 1;
    reply->records = arena_calloc(answer->arena, count, sizeof(void *));
    reply->n_embeddings = (count - 1) * 2 - scene->embeddings_short;
    reply->embeddings = arena_calloc(answer->arena, count * 2, sizeof *reply->embeddings);
    for (size_t i = 1; i < count; i++) {
        reply->records[i - 1] = fake_message(answer, &pb__record__descriptor);
        reply->records[i - 1]->id = sent->ids[i];
        reply->embeddings[(i - 1) * 2] = (float)strlen(sent->ids[i]);
    }
    answer->message = &reply->base;
}

static Pb__QueryResult *one_result(const struct scene *scene, const Pb__QueryRecordsRequest *sent,
                                   struct fake_answer *answer, size_t query)
{
    Pb__QueryResult *result = fake_message(answer, &pb__query_result__descriptor);
    result->n_hits = 1 + scene->extra_hits;
    result->hits = arena_calloc(answer->arena, result->n_hits, sizeof(void *));
    for (size_t i = 0; i < result->n_hits; i++) {
        result->hits[i] = fake_message(answer, &pb__hit__descriptor);
        result->hits[i]->record = fake_message(answer, &pb__record__descriptor);
        result->hits[i]->distance = sent->embeddings[query];
    }
    return result;
}

// One hit for each query, as far as the query's only number.
static void answer_query(struct scene *scene, const struct fake_request *request,
                         struct fake_answer *answer)
{
    Pb__QueryRecordsRequest *sent =
        fake_unpack(request, answer, &pb__query_records_request__descriptor);
    Pb__QueryRecordsResponse *reply = fake_message(answer, &pb__query_records_response__descriptor);
    scene->pieces[request->number] = sent->n_embeddings;
    reply->n_results = sent->n_embeddings + scene->extra_results;
    reply->results = arena_calloc(answer->arena, reply->n_results, sizeof(void *));
    for (size_t i = 0; i < reply->n_results; i++)
        reply->results[i] = one_result(scene, sent, answer, i < sent->n_embeddings ? i : 0);
    answer->message = &reply->base;
}

static void answer_delete(struct scene *scene, const struct fake_request *request,
                          struct fake_answer *answer)
{
    Pb__DeleteRecordsRequest *sent =
        fake_unpack(request, answer, &pb__delete_records_request__descriptor);
    Pb__DeleteRecordsResponse *reply =
        fake_message(answer, &pb__delete_records_response__descriptor);
    scene->pieces[request->number] = sent->n_ids;
    reply->matched = reply->deleted = (int64_t)sent->n_ids;
    answer->message = &reply->base;
}

static void script(void *user, const struct fake_request *request, struct fake_answer *answer)
{
    struct scene *scene = user;
    if (scene->refuse_at && request->number == scene->refuse_at) {
        answer->code = SOMA_INVALID_ARGUMENT;
        answer->reason = "FIELD_TOO_LONG";
        answer->field = "records[3].id";
        return;
    }
    if (strstr(request->method, "/UpsertRecords"))
        answer_upsert(scene, request, answer);
    else if (strstr(request->method, "/GetRecords"))
        answer_get(scene, request, answer);
    else if (strstr(request->method, "/QueryRecords"))
        answer_query(scene, request, answer);
    else
        answer_delete(scene, request, answer);
}

static int open_scene(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    scene->server = fake_server_open(script, scene);
    scene->records = calloc(RECORDS, sizeof *scene->records);
    scene->embeddings = calloc(RECORDS * DIMENSION, sizeof *scene->embeddings);
    assert_non_null(scene->records);
    assert_non_null(scene->embeddings);
    for (size_t i = 0; i < RECORDS; i++) {
        scene->records[i].id = "given";
        scene->embeddings[i * DIMENSION] = (float)i;
    }
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    options.server = fake_server_url(scene->server);
    options.connect_timeout_ms = -1;
    assert_int_equal(soma_client_open(&options, &scene->client, NULL), SOMA_OK);
    *state = scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    soma_client_close(scene->client);
    fake_server_close(scene->server);
    free(scene->records);
    free(scene->embeddings);
    free(scene);
    return 0;
}

static struct soma_records_write_request whole(const struct scene *scene)
{
    struct soma_records_write_request request = SOMA_RECORDS_WRITE_REQUEST_INIT;
    request.collection = "c";
    request.records = scene->records;
    request.record_count = RECORDS;
    request.embeddings = scene->embeddings;
    request.dimension = DIMENSION;
    return request;
}

static void a_batch_goes_in_pieces_that_add_up(void **state)
{
    struct scene *scene = *state;
    struct soma_records_write_request request = whole(scene);
    struct soma_records_written *written;
    scene->records[RECORDS - 1].id = NULL;
    assert_int_equal(soma_records_upsert(scene->client, &request, NULL, &written, NULL), SOMA_OK);
    size_t count = fake_server_count(scene->server);
    size_t sum = 0;
    assert_true(count > 1);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(scene->numbers[i], scene->pieces[i] * DIMENSION);
        assert_true(scene->numbers[i] * sizeof(float) <= 1 << 20);
        assert_true(scene->first_number[i] == (float)sum);
        assert_int_equal(written->errors[i].index, sum + 1);
        if (i > 0)
            assert_memory_not_equal(scene->request_ids[0], scene->request_ids[i],
                                    SOMA_REQUEST_ID_BYTES);
        sum += scene->pieces[i];
    }
    assert_int_equal(sum, RECORDS);
    assert_int_equal(written->inserted + written->failed, RECORDS);
    assert_int_equal(written->error_count, count);
    assert_int_equal(written->sequence, count);
    // One id was derived, in the last piece; all are named.
    assert_int_equal(written->id_count, RECORDS);
    assert_string_equal(written->ids[0], "given");
    assert_string_equal(written->ids[RECORDS - 1], "derived");
    soma_free(written);
}

static void ids_that_were_all_given_are_not_repeated(void **state)
{
    struct scene *scene = *state;
    struct soma_records_write_request request = whole(scene);
    struct soma_records_written *written;
    assert_int_equal(soma_records_upsert(scene->client, &request, NULL, &written, NULL), SOMA_OK);
    assert_int_equal(written->id_count, 0);
    assert_null(written->ids);
    soma_free(written);
}

static void a_refused_piece_counts_from_the_beginning(void **state)
{
    struct scene *scene = *state;
    struct soma_records_write_request request = whole(scene);
    struct soma_records_written *written;
    struct soma_error err;
    char field[64];
    scene->refuse_at = 1;
    assert_int_equal(soma_records_upsert(scene->client, &request, NULL, &written, &err),
                     SOMA_INVALID_ARGUMENT);
    snprintf(field, sizeof field, "records[%zu].id", scene->pieces[0] + 3);
    assert_string_equal(err.field, field);
    assert_non_null(written);
    assert_int_equal(written->inserted + written->failed, scene->pieces[0]);
    assert_int_equal(fake_server_count(scene->server), 2);
    soma_free(written);
}

static void replies_that_do_not_account_for_a_batch_are_errors(void **state)
{
    struct scene *scene = *state;
    struct soma_records_write_request request = whole(scene);
    struct soma_records_written *written;
    struct soma_error err;
    request.record_count = 4;
    scene->records[0].id = NULL;
    scene->error_index = 4;
    assert_int_equal(soma_records_upsert(scene->client, &request, NULL, &written, &err),
                     SOMA_INTERNAL);
    assert_string_equal(err.reason, "REPLY_INVALID");
    assert_null(written);
    scene->error_index = 0;
    scene->extra_ids = 1;
    assert_int_equal(soma_records_upsert(scene->client, &request, NULL, &written, &err),
                     SOMA_INTERNAL);
    assert_null(written);
}

struct written_outcome {
    sem_t ended;
    struct soma_records_written *written;
};

static void note_written(void *user, struct soma_records_written *result,
                         const struct soma_error *err)
{
    struct written_outcome *outcome = user;
    outcome->written = err ? NULL : result;
    sem_post(&outcome->ended);
}

// What it takes is read before it returns: everything is overwritten while it is on its way.
static void the_asynchronous_form_keeps_nothing_of_the_callers(void **state)
{
    struct scene *scene = *state;
    struct soma_records_write_request request = whole(scene);
    struct written_outcome outcome = {0};
    struct timespec until;
    char collection[] = "c";
    sem_init(&outcome.ended, 0, 0);
    request.collection = collection;
    assert_int_equal(soma_records_upsert_async(scene->client, &request, NULL, note_written,
                                               &outcome, NULL, NULL),
                     SOMA_OK);
    collection[0] = '\0';
    memset(scene->records, 0, RECORDS * sizeof *scene->records);
    memset(scene->embeddings, 0, sizeof(float) * RECORDS * DIMENSION);
    memset(&request, 0, sizeof request);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    assert_int_equal(sem_timedwait(&outcome.ended, &until), 0);
    assert_non_null(outcome.written);
    assert_int_equal(outcome.written->inserted + outcome.written->failed, RECORDS);
    for (size_t i = 1; i < fake_server_count(scene->server); i++)
        assert_true(scene->first_number[i] > 0);
    soma_free(outcome.written);
    sem_destroy(&outcome.ended);
}

static char *ids_of(size_t count, const char ***ret_ids)
{
    char *text = malloc(count + 1);
    const char **ids = calloc(count, sizeof *ids);
    assert_non_null(text);
    assert_non_null(ids);
    memset(text, 'x', count);
    text[count] = '\0';
    // The id of place i has i % 7 + 1 characters.
    for (size_t i = 0; i < count; i++)
        ids[i] = text + count - (i % 7 + 1);
    *ret_ids = ids;
    return text;
}

static void a_get_goes_on_where_a_full_reply_stopped(void **state)
{
    struct scene *scene = *state;
    struct soma_records_get_request request = SOMA_RECORDS_GET_REQUEST_INIT;
    struct soma_records *records;
    const char **ids;
    char *text = ids_of(100, &ids);
    request.collection = "c";
    request.ids = ids;
    request.id_count = 100;
    scene->full_at = 40;
    assert_int_equal(soma_records_get(scene->client, &request, NULL, &records, NULL), SOMA_OK);
    assert_int_equal(fake_server_count(scene->server), 3);
    assert_int_equal(scene->pieces[1], 60);
    assert_int_equal(scene->pieces[2], 20);
    assert_int_equal(records->record_count, 97);
    assert_int_equal(records->missing_count, 3);
    assert_int_equal(records->dimension, 2);
    for (size_t i = 0; i < records->record_count; i++)
        assert_true(records->embeddings[i * 2] == (float)strlen(records->records[i].id));
    assert_string_equal(records->missing_ids[1], ids[40]);
    soma_free(records);
    free(ids);
    free(text);
}

static void many_ids_go_in_pieces(void **state)
{
    struct scene *scene = *state;
    struct soma_records_delete_request request = SOMA_RECORDS_DELETE_REQUEST_INIT;
    struct soma_records_deleted *deleted;
    const char **ids;
    char *text = ids_of(25000, &ids);
    request.collection = "c";
    request.ids = ids;
    request.id_count = 25000;
    assert_int_equal(soma_records_delete(scene->client, &request, NULL, &deleted, NULL), SOMA_OK);
    assert_int_equal(fake_server_count(scene->server), 3);
    assert_int_equal(deleted->deleted, 25000);
    soma_free(deleted);
    free(ids);
    free(text);
}

static void torn_embeddings_are_an_error(void **state)
{
    struct scene *scene = *state;
    struct soma_records_get_request request = SOMA_RECORDS_GET_REQUEST_INIT;
    struct soma_records *records;
    const char *ids[] = {"a", "b", "c"};
    request.collection = "c";
    request.ids = ids;
    request.id_count = 3;
    scene->embeddings_short = 1;
    assert_int_equal(soma_records_get(scene->client, &request, NULL, &records, NULL),
                     SOMA_INTERNAL);
    assert_null(records);
}

static void many_queries_go_in_pieces_and_come_back_in_order(void **state)
{
    struct scene *scene = *state;
    struct soma_records_query_request request = SOMA_RECORDS_QUERY_REQUEST_INIT;
    struct soma_query_results *results;
    float queries[600];
    for (int i = 0; i < 600; i++)
        queries[i] = (float)i;
    request.collection = "c";
    request.embeddings = queries;
    request.query_count = 600;
    request.dimension = 1;
    assert_int_equal(soma_records_query(scene->client, &request, NULL, &results, NULL), SOMA_OK);
    assert_int_equal(fake_server_count(scene->server), 3);
    assert_int_equal(results->result_count, 600);
    for (int i = 0; i < 600; i++)
        assert_true(results->results[i].hits[0].distance == i);
    soma_free(results);
}

static void more_hits_or_results_than_asked_for_are_an_error(void **state)
{
    struct scene *scene = *state;
    struct soma_records_query_request request = SOMA_RECORDS_QUERY_REQUEST_INIT;
    float query = 1;
    request.collection = "c";
    request.embeddings = &query;
    request.query_count = 1;
    request.dimension = 1;
    request.k = 1;
    assert_int_equal(soma_records_query(scene->client, &request, NULL, NULL, NULL), SOMA_OK);
    scene->extra_hits = 1;
    assert_int_equal(soma_records_query(scene->client, &request, NULL, NULL, NULL), SOMA_INTERNAL);
    scene->extra_hits = 0;
    scene->extra_results = 1;
    assert_int_equal(soma_records_query(scene->client, &request, NULL, NULL, NULL), SOMA_INTERNAL);
}

static void metadata_without_its_value_is_refused(void **state)
{
    struct scene *scene = *state;
    struct soma_records_write_request request = whole(scene);
    struct soma_metadata_field field = {.key = "k", .type = SOMA_VALUE_STRING};
    struct soma_error err;
    scene->records[2].metadata = &field;
    scene->records[2].metadata_count = 1;
    assert_int_equal(soma_records_upsert(scene->client, &request, NULL, NULL, &err),
                     SOMA_INVALID_ARGUMENT);
    assert_string_equal(err.field, "records[2].metadata[0]");
    assert_int_equal(fake_server_count(scene->server), 0);
}

#define SCENE(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(a_batch_goes_in_pieces_that_add_up),
        SCENE(ids_that_were_all_given_are_not_repeated),
        SCENE(a_refused_piece_counts_from_the_beginning),
        SCENE(replies_that_do_not_account_for_a_batch_are_errors),
        SCENE(the_asynchronous_form_keeps_nothing_of_the_callers),
        SCENE(a_get_goes_on_where_a_full_reply_stopped),
        SCENE(many_ids_go_in_pieces),
        SCENE(torn_embeddings_are_an_error),
        SCENE(many_queries_go_in_pieces_and_come_back_in_order),
        SCENE(more_hits_or_results_than_asked_for_are_an_error),
        SCENE(metadata_without_its_value_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
