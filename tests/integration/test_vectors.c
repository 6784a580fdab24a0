// VectorService of the real somad, message by message: what is refused with which reason and field,
// replies that stop short of a frame, sequences, and a restart.
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "soma/v1/vectors.pb-c.h"
#include "somad_kit.h"
#include "wire/limits.h"

static struct somad somad;
static struct peer peer;

static int start(void **state)
{
    (void)state;
    somad_prepare(&somad);
    somad_start(&somad);
    peer_open(&peer, somad.ipc);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    peer_close(&peer);
    bool orderly = somad_end(&somad, SIGTERM) == 0;
    somad_remove(&somad);
    return orderly ? 0 : -1;
}

// Sends the request; the answer may be an error.
static void ask(const char *method, const ProtobufCMessage *request, struct answer *ret_answer)
{
    char path[128];
    size_t length = protobuf_c_message_get_packed_size(request);
    uint8_t *bytes = malloc(length + 1);
    assert_non_null(bytes);
    protobuf_c_message_pack(request, bytes);
    snprintf(path, sizeof path, "soma.v1.VectorService/%s", method);
    assert_true(peer_call(&peer, path, 0, bytes, length, ret_answer));
    free(bytes);
}

// The response of a call that must go well; kept until answer_free.
static ProtobufCMessage *call(const char *method, const ProtobufCMessage *request,
                              const ProtobufCMessageDescriptor *type, struct answer *ret_answer)
{
    ask(method, request, ret_answer);
    if (ret_answer->header->code)
        fail_msg("%s: %s %s: %s", method, ret_answer->header->reason, ret_answer->header->field,
                 ret_answer->header->message);
    ret_answer->arena.budget += 256 << 20;
    ProtobufCMessage *message = protobuf_c_message_unpack(
        type, &ret_answer->arena.protobuf, ret_answer->message_length, ret_answer->message);
    assert_non_null(message);
    return message;
}

static void refuse(const char *method, const ProtobufCMessage *request, const char *reason,
                   const char *field)
{
    struct answer answer;
    ask(method, request, &answer);
    if (strcmp(answer.header->reason, reason) != 0 || strcmp(answer.header->field, field) != 0)
        fail_msg("%s: %s %s (%s) for %s %s", method, answer.header->reason, answer.header->field,
                 answer.header->message, reason, field);
    answer_free(&answer);
}

static void create(const char *name, uint32_t dim, Pb__Metric metric)
{
    Pb__CreateCollectionRequest request = PB__CREATE_COLLECTION_REQUEST__INIT;
    struct answer answer;
    request.name = name;
    request.dimension = dim;
    request.metric = metric;
    call("CreateCollection", &request.base, &pb__create_collection_response__descriptor, &answer);
    answer_free(&answer);
}

// Upserts count records "PREFIX0000", … each with this document and the embedding (i + 1, 1).
static int64_t upsert(const char *collection, const char *prefix, size_t count,
                      const char *document)
{
    Pb__UpsertRecordsRequest request = PB__UPSERT_RECORDS_REQUEST__INIT;
    struct answer answer;
    Pb__Record *records = calloc(count, sizeof *records);
    Pb__Record **pointers = calloc(count, sizeof *pointers);
    char(*ids)[16] = calloc(count, sizeof *ids);
    float *embeddings = calloc(count, 2 * sizeof *embeddings);
    assert_true(records && pointers && ids && embeddings);
    for (size_t i = 0; i < count; i++) {
        pb__record__init(&records[i]);
        snprintf(ids[i], sizeof ids[i], "%s%04u", prefix, (unsigned)i);
        records[i].id = ids[i];
        records[i].document_presence_case = PB__RECORD__DOCUMENT_PRESENCE_DOCUMENT;
        records[i].document = document;
        pointers[i] = &records[i];
        embeddings[2 * i] = (float)(i + 1);
        embeddings[2 * i + 1] = 1;
    }
    request.collection = collection;
    request.records = pointers;
    request.n_records = count;
    request.embeddings = embeddings;
    request.n_embeddings = 2 * count;
    const Pb__UpsertRecordsResponse *response = (const Pb__UpsertRecordsResponse *)call(
        "UpsertRecords", &request.base, &pb__upsert_records_response__descriptor, &answer);
    int64_t sequence = response->sequence;
    assert_int_equal(response->counts->inserted, count);
    answer_free(&answer);
    free(records);
    free(pointers);
    free(ids);
    free(embeddings);
    return sequence;
}

static void collections_refuse_what_is_not_allowed(void **state)
{
    (void)state;
    Pb__CreateCollectionRequest request = PB__CREATE_COLLECTION_REQUEST__INIT;
    static char long_name[257];
    memset(long_name, 'n', 256);
    request.dimension = 2;
    refuse("CreateCollection", &request.base, "FIELD_REQUIRED", "name");
    request.name = "a b";
    refuse("CreateCollection", &request.base, "FIELD_INVALID", "name");
    request.name = ".hidden";
    refuse("CreateCollection", &request.base, "FIELD_INVALID", "name");
    request.name = long_name;
    refuse("CreateCollection", &request.base, "FIELD_TOO_LONG", "name");
    request.name = "taken";
    request.dimension = 0;
    refuse("CreateCollection", &request.base, "FIELD_OUT_OF_RANGE", "dimension");
    request.dimension = LIMIT_DIMENSION + 1;
    refuse("CreateCollection", &request.base, "FIELD_OUT_OF_RANGE", "dimension");
    create("taken", 2, PB__METRIC__METRIC_L2);
    request.dimension = 2;
    refuse("CreateCollection", &request.base, "COLLECTION_EXISTS", "name");
    request.exist_ok = true; // the metric is cosine by default, and differs
    refuse("CreateCollection", &request.base, "COLLECTION_DIFFERS", "name");
    request.metric = PB__METRIC__METRIC_L2;
    struct answer answer;
    const Pb__CreateCollectionResponse *response = (const Pb__CreateCollectionResponse *)call(
        "CreateCollection", &request.base, &pb__create_collection_response__descriptor, &answer);
    assert_false(response->created);
    assert_string_equal(response->collection->name, "taken");
    answer_free(&answer);
    Pb__UpdateCollectionRequest rename = PB__UPDATE_COLLECTION_REQUEST__INIT;
    create("other", 2, PB__METRIC__METRIC_L2);
    rename.collection = "other";
    rename.new_name = "taken";
    refuse("UpdateCollection", &rename.base, "COLLECTION_EXISTS", "new_name");
    rename.collection = "none";
    refuse("UpdateCollection", &rename.base, "COLLECTION_NOT_FOUND", "collection");
}

static void writes_refuse_what_is_not_allowed(void **state)
{
    (void)state;
    float embeddings[3] = {1, 2, 3};
    Pb__Record record = PB__RECORD__INIT;
    Pb__Record *records[] = {&record};
    Pb__UpsertRecordsRequest request = PB__UPSERT_RECORDS_REQUEST__INIT;
    create("writes", 2, PB__METRIC__METRIC_COSINE);
    request.records = records;
    request.n_records = 1;
    request.embeddings = embeddings;
    request.n_embeddings = 2;
    refuse("UpsertRecords", &request.base, "FIELD_REQUIRED", "collection");
    request.collection = "nowhere";
    refuse("UpsertRecords", &request.base, "COLLECTION_NOT_FOUND", "collection");
    request.collection = "writes";
    request.n_embeddings = 3;
    refuse("UpsertRecords", &request.base, "DIMENSION_MISMATCH", "embeddings");
    request.n_embeddings = 0;
    refuse("UpsertRecords", &request.base, "DIMENSION_MISMATCH", "embeddings");
    request.n_embeddings = 2;
    embeddings[1] = NAN;
    refuse("UpsertRecords", &request.base, "EMBEDDING_NOT_FINITE", "embeddings[0]");
    embeddings[0] = embeddings[1] = -0.0f;
    refuse("UpsertRecords", &request.base, "EMBEDDING_ZERO", "embeddings[0]");
    Pb__DeleteRecordsRequest delete = PB__DELETE_RECORDS_REQUEST__INIT;
    const char *ids[] = {"x", ""};
    delete.collection = "writes";
    refuse("DeleteRecords", &delete.base, "EMPTY_SELECTOR", "");
    delete.ids = ids;
    delete.n_ids = 2;
    refuse("DeleteRecords", &delete.base, "FIELD_REQUIRED", "ids[1]");
    delete.n_ids = 1;
    delete.where = "{\"a\": 1}";
    refuse("DeleteRecords", &delete.base, "FIELD_INVALID", "where");
    delete.n_ids = 0;
    delete.where = "{}"; // would be everything
    refuse("DeleteRecords", &delete.base, "FILTER_INVALID", "where");
    Pb__CountRecordsRequest count = PB__COUNT_RECORDS_REQUEST__INIT;
    struct answer answer;
    count.collection = "writes";
    const Pb__CountRecordsResponse *response = (const Pb__CountRecordsResponse *)call(
        "CountRecords", &count.base, &pb__count_records_response__descriptor, &answer);
    assert_int_equal(response->count, 0);
    assert_int_equal(response->sequence, 0);
    answer_free(&answer);
}

static void queries_refuse_what_is_not_allowed(void **state)
{
    (void)state;
    static float embeddings[2 * (LIMIT_QUERY_BATCH + 1)];
    Pb__QueryRecordsRequest request = PB__QUERY_RECORDS_REQUEST__INIT;
    create("queries", 2, PB__METRIC__METRIC_COSINE);
    for (size_t i = 0; i < sizeof embeddings / sizeof embeddings[0]; i++)
        embeddings[i] = 1;
    request.collection = "queries";
    request.embeddings = embeddings;
    refuse("QueryRecords", &request.base, "FIELD_REQUIRED", "embeddings");
    request.n_embeddings = 3;
    refuse("QueryRecords", &request.base, "DIMENSION_MISMATCH", "embeddings");
    request.n_embeddings = 2 * (LIMIT_QUERY_BATCH + 1);
    refuse("QueryRecords", &request.base, "FIELD_OUT_OF_RANGE", "embeddings");
    request.n_embeddings = 2;
    request.k = LIMIT_QUERY_K + 1;
    refuse("QueryRecords", &request.base, "FIELD_OUT_OF_RANGE", "k");
    request.n_embeddings = 2 * LIMIT_QUERY_BATCH;
    request.k = LIMIT_QUERY_HITS / LIMIT_QUERY_BATCH + 1;
    refuse("QueryRecords", &request.base, "FIELD_OUT_OF_RANGE", "k");
    request.k = 1;
    request.n_embeddings = 2;
    request.where = "{\"a\": ";
    refuse("QueryRecords", &request.base, "FILTER_INVALID", "where");
    request.where = "";
    request.min_sequence = 1;
    refuse("QueryRecords", &request.base, "SEQUENCE_AHEAD", "min_sequence");
    request.min_sequence = -1;
    refuse("QueryRecords", &request.base, "FIELD_OUT_OF_RANGE", "min_sequence");
    request.min_sequence = 0;
    embeddings[0] = embeddings[1] = 0;
    refuse("QueryRecords", &request.base, "EMBEDDING_ZERO", "embeddings[0]");
    embeddings[1] = INFINITY;
    refuse("QueryRecords", &request.base, "EMBEDDING_NOT_FINITE", "embeddings[0]");
    Pb__ScanRecordsRequest scan = PB__SCAN_RECORDS_REQUEST__INIT;
    scan.collection = "queries";
    scan.page_size = LIMIT_BATCH_RECORDS + 1;
    refuse("ScanRecords", &scan.base, "FIELD_OUT_OF_RANGE", "page_size");
    Pb__GetRecordsRequest get = PB__GET_RECORDS_REQUEST__INIT;
    get.collection = "queries";
    refuse("GetRecords", &get.base, "FIELD_REQUIRED", "ids");
    Pb__ReadSnapshotRequest snapshot = PB__READ_SNAPSHOT_REQUEST__INIT;
    snapshot.collection = "queries";
    snapshot.since_sequence = 1;
    refuse("ReadSnapshot", &snapshot.base, "SEQUENCE_AHEAD", "since_sequence");
    snapshot.since_sequence = -1;
    refuse("ReadSnapshot", &snapshot.base, "FIELD_OUT_OF_RANGE", "since_sequence");
}

// Embeddings are checked for the metric: all zeros have a distance, but no direction.
static void pages_of_a_restore_are_of_one_metric(void **state)
{
    (void)state;
    Pb__Collection collection = PB__COLLECTION__INIT;
    Pb__SnapshotPage page = PB__SNAPSHOT_PAGE__INIT;
    Pb__RestoreSnapshotRequest request = PB__RESTORE_SNAPSHOT_REQUEST__INIT;
    struct answer answer;
    char uid[32];
    collection.dimension = 2;
    collection.metric = PB__METRIC__METRIC_COSINE;
    page.collection = &collection;
    request.page = &page;
    const Pb__RestoreSnapshotResponse *begun = (const Pb__RestoreSnapshotResponse *)call(
        "RestoreSnapshot", &request.base, &pb__restore_snapshot_response__descriptor, &answer);
    snprintf(uid, sizeof uid, "%s", begun->uid);
    answer_free(&answer);
    float zeros[2] = {0};
    int64_t place = 1;
    Pb__Record record = PB__RECORD__INIT, *records[] = {&record};
    record.id = "a";
    page.records = records;
    page.places = &place;
    page.embeddings = zeros;
    page.n_records = page.n_places = 1;
    page.n_embeddings = 2;
    request.uid = uid;
    refuse("RestoreSnapshot", &request.base, "EMBEDDING_ZERO", "page.embeddings[0]");
    collection.metric = PB__METRIC__METRIC_L2;
    refuse("RestoreSnapshot", &request.base, "DIMENSION_MISMATCH", "page.collection");
}

static void replies_stop_short_of_a_frame(void **state)
{
    (void)state;
    static char document[500001];
    memset(document, 'd', sizeof document - 1);
    create("large", 2, PB__METRIC__METRIC_L2);
    upsert("large", "a", 10, document);
    upsert("large", "b", 10, document);
    // Get: as many as fit, and where to go on.
    char ids[20][16];
    const char *pointers[20];
    for (int i = 0; i < 20; i++) {
        snprintf(ids[i], sizeof ids[i], "%c%04d", i < 10 ? 'a' : 'b', i % 10);
        pointers[i] = ids[i];
    }
    Pb__GetRecordsRequest get = PB__GET_RECORDS_REQUEST__INIT;
    struct answer answer;
    get.collection = "large";
    get.ids = pointers;
    get.n_ids = 20;
    const Pb__GetRecordsResponse *got = (const Pb__GetRecordsResponse *)call(
        "GetRecords", &get.base, &pb__get_records_response__descriptor, &answer);
    assert_int_equal(got->n_records, 16);
    assert_int_equal(got->next_index, 16);
    answer_free(&answer);
    // Scan: shorter pages.
    Pb__ScanRecordsRequest scan = PB__SCAN_RECORDS_REQUEST__INIT;
    char cursor[32] = "";
    size_t seen = 0, pages = 0;
    scan.collection = "large";
    do {
        scan.cursor = cursor;
        const Pb__ScanRecordsResponse *page = (const Pb__ScanRecordsResponse *)call(
            "ScanRecords", &scan.base, &pb__scan_records_response__descriptor, &answer);
        for (size_t i = 0; i < page->n_records; i++)
            assert_string_equal(page->records[i]->id, ids[seen++]);
        snprintf(cursor, sizeof cursor, "%s", page->next_cursor);
        answer_free(&answer);
        pages++;
    } while (*cursor && pages < 20);
    assert_int_equal(seen, 20);
    assert_int_equal(pages, 10);
    // Query: cannot be cut, so it says what to do.
    float query[2] = {0, 0};
    Pb__QueryRecordsRequest request = PB__QUERY_RECORDS_REQUEST__INIT;
    request.collection = "large";
    request.embeddings = query;
    request.n_embeddings = 2;
    request.k = 20;
    refuse("QueryRecords", &request.base, "MESSAGE_TOO_LARGE", "k");
    Pb__Include nothing = PB__INCLUDE__INIT;
    request.include = &nothing;
    const Pb__QueryRecordsResponse *found = (const Pb__QueryRecordsResponse *)call(
        "QueryRecords", &request.base, &pb__query_records_response__descriptor, &answer);
    assert_int_equal(found->results[0]->n_hits, 20);
    assert_string_equal(found->results[0]->short_reason, "");
    assert_string_equal(found->results[0]->hits[0]->record->id, "a0000");
    assert_string_equal(found->results[0]->hits[1]->record->id, "b0000"); // the same distance
    answer_free(&answer);
}

static void max_distance_and_embeddings_come_back_as_asked(void **state)
{
    (void)state;
    float query[4] = {1, 1, 3, 1};
    Pb__QueryRecordsRequest request = PB__QUERY_RECORDS_REQUEST__INIT;
    Pb__Include include = PB__INCLUDE__INIT;
    struct answer answer;
    create("near", 2, PB__METRIC__METRIC_L2);
    int64_t sequence = upsert("near", "n", 5, "x");
    include.embedding = true;
    request.collection = "near";
    request.embeddings = query;
    request.n_embeddings = 4;
    request.k = 3;
    request.include = &include;
    request.max_distance_presence_case =
        PB__QUERY_RECORDS_REQUEST__MAX_DISTANCE_PRESENCE_MAX_DISTANCE;
    request.max_distance = 1;
    request.min_sequence = sequence;
    const Pb__QueryRecordsResponse *found = (const Pb__QueryRecordsResponse *)call(
        "QueryRecords", &request.base, &pb__query_records_response__descriptor, &answer);
    assert_string_equal(found->plan, "exact");
    assert_int_equal(found->n_results, 2);
    assert_int_equal(found->results[0]->n_hits, 2);
    assert_string_equal(found->results[0]->short_reason, "MAX_DISTANCE");
    assert_int_equal(found->results[1]->n_hits, 3);
    assert_string_equal(found->results[1]->hits[1]->record->id, "n0001");
    assert_true(found->results[1]->hits[1]->distance == 1);
    assert_true(found->results[1]->hits[1]->score == 0.5);
    assert_int_equal(found->results[1]->n_embeddings, 6);
    assert_true(found->results[1]->embeddings[2] == 2);
    assert_int_equal(found->results[1]->hits[0]->record->document_presence_case,
                     PB__RECORD__DOCUMENT_PRESENCE__NOT_SET);
    answer_free(&answer);
}

static void a_killed_server_comes_back_with_its_records(void **state)
{
    (void)state;
    create("kept", 2, PB__METRIC__METRIC_DOT);
    int64_t sequence = upsert("kept", "k", 100, "x");
    peer_close(&peer);
    assert_int_equal(somad_end(&somad, SIGKILL), 128 + SIGKILL);
    somad_start(&somad);
    peer_open(&peer, somad.ipc);
    float query[2] = {1, 0};
    Pb__QueryRecordsRequest request = PB__QUERY_RECORDS_REQUEST__INIT;
    struct answer answer;
    request.collection = "kept";
    request.embeddings = query;
    request.n_embeddings = 2;
    request.k = 1;
    request.min_sequence = sequence;
    const Pb__QueryRecordsResponse *found = (const Pb__QueryRecordsResponse *)call(
        "QueryRecords", &request.base, &pb__query_records_response__descriptor, &answer);
    assert_string_equal(found->results[0]->hits[0]->record->id, "k0099");
    assert_true(found->results[0]->hits[0]->score == 100);
    answer_free(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(collections_refuse_what_is_not_allowed),
        cmocka_unit_test(writes_refuse_what_is_not_allowed),
        cmocka_unit_test(queries_refuse_what_is_not_allowed),
        cmocka_unit_test(pages_of_a_restore_are_of_one_metric),
        cmocka_unit_test(replies_stop_short_of_a_frame),
        cmocka_unit_test(max_distance_and_embeddings_come_back_as_asked),
        cmocka_unit_test(a_killed_server_comes_back_with_its_records),
    };
    return cmocka_run_group_tests_name("vectors", tests, start, stop);
}
