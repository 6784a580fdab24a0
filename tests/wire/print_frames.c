// Prints frames that stand for all: their bytes, and what decoding them gives.
//
// tests/wire/frames.txt is what it printed when the protocol was last reviewed. What is printed as
// text went through frame_split and wire_decode; exits with 1 where encoding that again gives other
// bytes.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "message_text.h"
#include "soma/v1/jobs.pb-c.h"
#include "soma/v1/rpc.pb-c.h"
#include "soma/v1/server.pb-c.h"
#include "soma/v1/vectors.pb-c.h"
#include "wire/decode.h"
#include "wire/frame.h"

enum {
    HEX_PER_LINE = 32
};

#define BYTES(text)  ((ProtobufCBinaryData){sizeof text - 1, (uint8_t *)text})
#define COUNT(list)  (sizeof list / sizeof list[0])
#define REQUEST_ID   BYTES("0123456789abcdef")
#define SOME_TIME_MS 1700000000123
#define SOME_JOB_ID  "01hgw3xs4a5b6c7d8e9f"

static bool failed;

static void print_hex(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        printf("%02x%s", bytes[i],
               i + 1 == length || i % HEX_PER_LINE == HEX_PER_LINE - 1 ? "\n" : "");
}

// Decodes a frame, prints what is in it, and encodes it again into a frame to compare.
static bool print_decoded(const uint8_t *frame, size_t length,
                          const ProtobufCMessageDescriptor *header_type,
                          const ProtobufCMessageDescriptor *message_type, struct arena *arena)
{
    struct frame_parts parts;
    struct soma_error err = {0};
    if (frame_split(frame, length, &parts, &err) != SOMA_OK)
        return false;
    ProtobufCMessage *header =
        wire_decode(header_type, parts.header, parts.header_length, arena, &err);
    ProtobufCMessage *message =
        message_type ? wire_decode(message_type, parts.message, parts.message_length, arena, &err)
                     : NULL;
    if (!header || (message_type && !message)) {
        fprintf(stderr, "%s: %s\n", err.reason, err.text);
        return false;
    }
    message_print(header, "header");
    if (message)
        message_print(message, "message");
    uint8_t *again = arena_alloc(arena, length);
    if (!again || frame_length(header, message) != length)
        return false;
    frame_write(again, header, message);
    return memcmp(frame, again, length) == 0;
}

static void print_frame(const char *name, const ProtobufCMessage *header,
                        const ProtobufCMessage *message)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    size_t length = frame_length(header, message);
    uint8_t *frame = arena_alloc(&arena, length);
    if (!frame)
        abort();
    frame_write(frame, header, message);
    printf("== %s\n", name);
    print_hex(frame, length);
    if (!print_decoded(frame, length, header->descriptor, message ? message->descriptor : NULL,
                       &arena)) {
        fprintf(stderr, "%s does not survive decoding and encoding\n", name);
        failed = true;
    }
    putchar('\n');
    arena_fini(&arena);
}

static void print_request(const char *name, const char *method, const ProtobufCMessage *message)
{
    Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
    header.method = method;
    header.timeout_ms = 30000;
    header.request_id = REQUEST_ID;
    print_frame(name, &header.base, message);
}

static void print_reply(const char *name, const ProtobufCMessage *message)
{
    Pb__ResponseHeader header = PB__RESPONSE_HEADER__INIT;
    header.request_id = REQUEST_ID;
    print_frame(name, &header.base, message);
}

// --- headers

static void ping(void)
{
    Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
    header.method = "soma.v1.ServerService/Ping";
    Pb__PingRequest request = PB__PING_REQUEST__INIT;
    request.payload = BYTES("hi");
    print_frame("Ping, the example of docs/PROTOCOL.md", &header.base, &request.base);
    header.timeout_ms = -1;
    header.request_id = REQUEST_ID;
    header.token = "secret";
    header.client = "soma/0.1.0";
    header.trace_id = BYTES("fedcba9876543210");
    print_frame("Ping with all of its header and no payload", &header.base, NULL);
    Pb__PingResponse response = PB__PING_RESPONSE__INIT;
    response.payload = BYTES("hi");
    response.server_time_unix_ms = SOME_TIME_MS;
    print_reply("Ping answered", &response.base);
}

static void errors(void)
{
    Pb__ResponseHeader header = PB__RESPONSE_HEADER__INIT;
    header.code = PB__CODE__CODE_RESOURCE_EXHAUSTED;
    header.reason = "SERVER_BUSY";
    header.message = "4096 requests wait for a worker";
    header.retry_after_ms = 100;
    header.request_id = REQUEST_ID;
    print_frame("An error that may be retried", &header.base, NULL);
    header = (Pb__ResponseHeader)PB__RESPONSE_HEADER__INIT;
    header.code = PB__CODE__CODE_INVALID_ARGUMENT;
    header.reason = "TEXT_NOT_UTF8";
    header.message = "spec.labels[2].key: the string is not valid UTF-8";
    header.field = "spec.labels[2].key";
    print_frame("An error that names a field", &header.base, NULL);
}

// --- jobs

static void submit(void)
{
    Pb__SourceCode code = PB__SOURCE_CODE__INIT;
    code.language = "python";
    code.source = BYTES("print('\xc3\xa4')\n\0\xff");
    Pb__EnvironmentVariable variable = PB__ENVIRONMENT_VARIABLE__INIT;
    variable.name = "LEVEL";
    variable.value = "3";
    Pb__EnvironmentVariable *environment[] = {&variable};
    Pb__Label team = PB__LABEL__INIT, empty = PB__LABEL__INIT;
    team.key = "team";
    team.value = "\xc3\xa4rzte";
    empty.key = "empty";
    Pb__Label *labels[] = {&team, &empty};
    Pb__JobLimits limits = PB__JOB_LIMITS__INIT;
    limits.wall_time_ms = 604800000;
    limits.output_bytes = 10737418240;
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    spec.program_case = PB__JOB_SPEC__PROGRAM_CODE;
    spec.code = &code;
    spec.environment = environment;
    spec.n_environment = COUNT(environment);
    spec.name = "greeting";
    spec.priority = -1000;
    spec.labels = labels;
    spec.n_labels = COUNT(labels);
    spec.limits = &limits;
    spec.idempotent = true;
    Pb__SubmitJobRequest request = PB__SUBMIT_JOB_REQUEST__INIT;
    request.spec = &spec;
    print_request("SubmitJob with source code", "soma.v1.JobService/SubmitJob", &request.base);

    const char *argv[] = {"echo", "", "two words"};
    Pb__Command command = PB__COMMAND__INIT;
    command.argv = argv;
    command.n_argv = COUNT(argv);
    Pb__JobSpec plain = PB__JOB_SPEC__INIT;
    plain.program_case = PB__JOB_SPEC__PROGRAM_COMMAND;
    plain.command = &command;
    request.spec = &plain;
    print_request("SubmitJob with a command", "soma.v1.JobService/SubmitJob", &request.base);
}

static void job(void)
{
    Pb__JobProgress progress = PB__JOB_PROGRESS__INIT;
    progress.percent = 40.5;
    progress.message = "epoch 4/10";
    progress.reported_unix_ms = SOME_TIME_MS + 2000;
    Pb__OutputSize size = PB__OUTPUT_SIZE__INIT;
    size.kept_bytes = 67108864;
    size.dropped_bytes = 1;
    Pb__JobStatus status = PB__JOB_STATUS__INIT;
    status.state = PB__JOB_STATE__JOB_STATE_FAILED;
    status.reason = PB__JOB_REASON__JOB_REASON_SIGNALED;
    status.exit_code = -1;
    status.signal = 11;
    status.revision = 4242;
    status.created_unix_ms = SOME_TIME_MS;
    status.attempt = 1;
    status.progress = &progress;
    status.stdout_size = &size;
    Pb__Job answer = PB__JOB__INIT;
    answer.id = SOME_JOB_ID;
    answer.status = &status;
    Pb__WaitJobResponse response = PB__WAIT_JOB_RESPONSE__INIT;
    response.job = &answer;
    print_reply("WaitJob answered", &response.base);
}

static void output(void)
{
    Pb__OutputPosition out = PB__OUTPUT_POSITION__INIT, error = PB__OUTPUT_POSITION__INIT;
    out.stream = PB__OUTPUT_STREAM__OUTPUT_STREAM_STDOUT;
    out.offset = 4294967296;
    error.stream = PB__OUTPUT_STREAM__OUTPUT_STREAM_STDERR;
    Pb__OutputPosition *positions[] = {&out, &error};
    Pb__ReadJobOutputRequest request = PB__READ_JOB_OUTPUT_REQUEST__INIT;
    request.job_id = SOME_JOB_ID;
    request.positions = positions;
    request.n_positions = COUNT(positions);
    request.wait_ms = 60000;
    print_request("ReadJobOutput", "soma.v1.JobService/ReadJobOutput", &request.base);

    Pb__OutputChunk chunk = PB__OUTPUT_CHUNK__INIT;
    chunk.stream = PB__OUTPUT_STREAM__OUTPUT_STREAM_STDOUT;
    chunk.offset = 4294967296;
    chunk.data = BYTES("one\n\0\xff");
    chunk.end = true;
    Pb__OutputChunk *chunks[] = {&chunk};
    Pb__ReadJobOutputResponse response = PB__READ_JOB_OUTPUT_RESPONSE__INIT;
    response.chunks = chunks;
    response.n_chunks = COUNT(chunks);
    response.attempt = 2;
    print_reply("ReadJobOutput answered", &response.base);
}

static void list(void)
{
    Pb__JobState states[] = {PB__JOB_STATE__JOB_STATE_QUEUED, PB__JOB_STATE__JOB_STATE_LOST};
    Pb__JobFilter filter = PB__JOB_FILTER__INIT;
    filter.states = states;
    filter.n_states = COUNT(states);
    filter.queue = "default";
    Pb__ListJobsRequest request = PB__LIST_JOBS_REQUEST__INIT;
    request.filter = &filter;
    request.page_size = 1000;
    request.cursor = "c";
    print_request("ListJobs", "soma.v1.JobService/ListJobs", &request.base);

    const char *removed[] = {SOME_JOB_ID};
    Pb__WatchJobsResponse response = PB__WATCH_JOBS_RESPONSE__INIT;
    response.removed_ids = removed;
    response.n_removed_ids = COUNT(removed);
    response.revision = 4243;
    response.history_lost = true;
    print_reply("WatchJobs answered", &response.base);
}

// --- vectors

static void metadata_of_all_kinds(Pb__MetadataField fields[8], Pb__MetadataField *list[8])
{
    static const char *strings[] = {"a", ""};
    static int64_t ints[] = {-1, 0, 1};
    static double doubles[] = {0.5};
    static protobuf_c_boolean bools[] = {true, false};
    static Pb__StringList string_list = PB__STRING_LIST__INIT;
    static Pb__IntList int_list = PB__INT_LIST__INIT;
    static Pb__DoubleList double_list = PB__DOUBLE_LIST__INIT;
    static Pb__BoolList bool_list = PB__BOOL_LIST__INIT;
    static const char *keys[] = {"s", "i", "d", "b", "ss", "is", "ds", "bs"};
    for (int i = 0; i < 8; i++) {
        fields[i] = (Pb__MetadataField)PB__METADATA_FIELD__INIT;
        fields[i].key = keys[i];
        fields[i].value_case = (Pb__MetadataField__ValueCase)(2 + i);
        list[i] = &fields[i];
    }
    string_list.values = strings;
    string_list.n_values = COUNT(strings);
    int_list.values = ints;
    int_list.n_values = COUNT(ints);
    double_list.values = doubles;
    double_list.n_values = COUNT(doubles);
    bool_list.values = bools;
    bool_list.n_values = COUNT(bools);
    fields[0].string_value = "text";
    fields[1].int_value = INT64_MIN;
    fields[2].double_value = -0.0;
    fields[3].bool_value = false;
    fields[4].string_list = &string_list;
    fields[5].int_list = &int_list;
    fields[6].double_list = &double_list;
    fields[7].bool_list = &bool_list;
}

static void upsert(void)
{
    Pb__MetadataField fields[8], *metadata[8];
    metadata_of_all_kinds(fields, metadata);
    Pb__Record full = PB__RECORD__INIT, bare = PB__RECORD__INIT;
    full.id = "r1";
    full.document_presence_case = PB__RECORD__DOCUMENT_PRESENCE_DOCUMENT;
    full.document = "";
    full.metadata = metadata;
    full.n_metadata = COUNT(metadata);
    Pb__Record *records[] = {&full, &bare};
    float embeddings[] = {1.0f, -2.5f, 0.1f, 3.4028235e38f};
    Pb__UpsertRecordsRequest request = PB__UPSERT_RECORDS_REQUEST__INIT;
    request.collection = "docs";
    request.records = records;
    request.n_records = COUNT(records);
    request.embeddings = embeddings;
    request.n_embeddings = COUNT(embeddings);
    print_request("UpsertRecords", "soma.v1.VectorService/UpsertRecords", &request.base);

    Pb__WriteCounts counts = PB__WRITE_COUNTS__INIT;
    counts.inserted = 1;
    counts.failed = 1;
    Pb__RecordError error = PB__RECORD_ERROR__INIT;
    error.index = 1;
    error.id = "r2";
    error.code = PB__CODE__CODE_ALREADY_EXISTS;
    error.reason = "RECORD_EXISTS";
    Pb__RecordError *errors_list[] = {&error};
    Pb__InsertRecordsResponse response = PB__INSERT_RECORDS_RESPONSE__INIT;
    response.counts = &counts;
    response.errors = errors_list;
    response.n_errors = COUNT(errors_list);
    response.sequence = 17;
    print_reply("InsertRecords answered", &response.base);
}

static void query(void)
{
    float embeddings[] = {0.0f, 1.0f};
    Pb__Include include = PB__INCLUDE__INIT;
    Pb__QueryRecordsRequest request = PB__QUERY_RECORDS_REQUEST__INIT;
    request.collection = "docs";
    request.embeddings = embeddings;
    request.n_embeddings = COUNT(embeddings);
    request.k = 3;
    request.where = "{\"lang\": \"en\"}";
    request.include = &include;
    request.max_distance_presence_case =
        PB__QUERY_RECORDS_REQUEST__MAX_DISTANCE_PRESENCE_MAX_DISTANCE;
    request.max_distance = 0.0;
    print_request("QueryRecords", "soma.v1.VectorService/QueryRecords", &request.base);

    Pb__Record record = PB__RECORD__INIT;
    record.id = "r1";
    Pb__Hit hit = PB__HIT__INIT;
    hit.distance = 0.25;
    hit.score = 0.75;
    hit.record = &record;
    Pb__Hit *hits[] = {&hit};
    Pb__QueryResult result = PB__QUERY_RESULT__INIT;
    result.hits = hits;
    result.n_hits = COUNT(hits);
    result.short_reason = "FEWER_MATCHES";
    Pb__QueryResult *results[] = {&result};
    Pb__QueryRecordsResponse response = PB__QUERY_RECORDS_RESPONSE__INIT;
    response.results = results;
    response.n_results = COUNT(results);
    response.plan = "exact";
    response.sequence = 17;
    print_reply("QueryRecords answered", &response.base);
}

int main(void)
{
    static void (*const parts[])(void) = {ping, errors, submit, job, output, list, upsert, query};
    for (size_t i = 0; i < COUNT(parts); i++)
        parts[i]();
    return failed ? 1 : 0;
}
