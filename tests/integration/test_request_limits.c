// Each limit that one request can meet, at the value that the real server says: exactly at it the
// request is not refused, one over it is, with code, reason, field and the value allowed
// (docs/PROTOCOL.md, section 9), and changes nothing.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <soma/soma.h>

#include "base/error.h"
#include "somad_kit.h"
#include "wire/frame.h"

enum {
    DIM = 2,
    ID_SIZE = 32,
    TEXT_BYTES = 2 << 20, // more than any text's limit
    MANY = 4200,          // more than any list's limit, and than any dimension's
    WORD_SIZE = 16,
    AFTER_MAX = 100
};

static struct somad somad;
static struct soma_client *client;
static struct peer peer;
static struct soma_server_info *info;
static const struct soma_call_options once = {.struct_size = sizeof once, .max_attempts = 1};

// --- what requests are made of

static char final_id[ID_SIZE], fed_id[ID_SIZE];
static const char *queued_ids[AFTER_MAX];
static const char *words[MANY];
static struct soma_pair pairs[MANY];
static struct soma_job_file files[MANY];
static struct soma_metadata_field fields[MANY];
static float ones[MANY];

static void fill_lists(void)
{
    static char texts[MANY][WORD_SIZE];
    for (int i = 0; i < MANY; i++) {
        snprintf(texts[i], WORD_SIZE, "w%d", i);
        words[i] = texts[i];
        pairs[i] = (struct soma_pair){texts[i], ""};
        files[i] = (struct soma_job_file){.path = texts[i], .content = "x", .content_length = 1};
        fields[i] = (struct soma_metadata_field){.key = texts[i], .type = SOMA_VALUE_INT};
        ones[i] = 1;
    }
}

// So many bytes, begun and ended so; static memory, of the last call.
static const char *text_within(const char *begin, int64_t n, const char *end)
{
    static char text[TEXT_BYTES];
    assert_in_range(n, strlen(begin) + strlen(end), TEXT_BYTES - 1);
    size_t length = (size_t)n - strlen(begin) - strlen(end);
    char *at = stpcpy(text, begin);
    memset(at, 'x', length);
    strcpy(at + length, end);
    return text;
}

static const char *text_of(int64_t n)
{
    return text_within("", n, "");
}

// The filter within so many others.
static const char *nested(int64_t n, const char *filter)
{
    static const char begin[] = "{\"$and\": [", end[] = "]}";
    static char text[TEXT_BYTES];
    assert_in_range(n, 0, MANY);
    char *at = text;
    for (int64_t i = 0; i < n; i++)
        at = stpcpy(at, begin);
    at = stpcpy(at, filter);
    for (int64_t i = 0; i < n; i++)
        at = stpcpy(at, end);
    return text;
}

// A list of so many parts.
static const char *list_of(const char *begin, int64_t n, const char *part, const char *end)
{
    static char text[TEXT_BYTES];
    assert_in_range(n, 1, MANY);
    char *at = stpcpy(stpcpy(text, begin), part);
    for (int64_t i = 1; i < n; i++)
        at = stpcpy(stpcpy(at, ","), part);
    strcpy(at, end);
    return text;
}

// --- calls of size n

#define QUEUE   .queue = "limits"
#define PROGRAM QUEUE, .arguments = words, .argument_count = 1
#define RECORD(...)                                                                                \
    .collection = "small", .records = &(const struct soma_record){__VA_ARGS__}, .record_count = 1, \
    .embeddings = ones, .dimension = DIM
#define FIELD(KEY, TYPE, ...)                                                                      \
    RECORD(.metadata = &(const struct soma_metadata_field){.key = KEY, .type = TYPE, __VA_ARGS__}, \
           .metadata_count = 1)
#define VECTOR .collection = "small", .embeddings = ones, .query_count = 1, .dimension = DIM

// What a raw answer says, as the library would.
static enum soma_code take_answer(struct answer *answer, struct soma_error *err)
{
    *err = (struct soma_error){.code = code_from_number((int)answer->header->code)};
    snprintf(err->reason, sizeof err->reason, "%s", answer->header->reason);
    snprintf(err->field, sizeof err->field, "%s", answer->header->field);
    snprintf(err->text, sizeof err->text, "%s", answer->header->message);
    answer_free(answer);
    return err->code;
}

static enum soma_code call_raw(const char *method, int32_t timeout_ms, struct soma_error *err)
{
    struct answer answer;
    assert_true(peer_call(&peer, method, timeout_ms, NULL, 0, &answer));
    return take_answer(&answer, err);
}

static enum soma_code send_method(int64_t n, struct soma_error *err)
{
    return call_raw(text_of(n), 0, err);
}

static enum soma_code send_timeout(int64_t n, struct soma_error *err)
{
    return call_raw("soma.v1.ServerService/Ping", (int32_t)n, err);
}

// A header that a field of a later version fills, which is passed over.
static enum soma_code send_header(int64_t n, struct soma_error *err)
{
    static uint8_t frame[FRAME_PREFIX_BYTES + TEXT_BYTES];
    Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
    struct answer answer;
    header.method = "soma.v1.ServerService/Ping";
    frame_write_packed(frame, &header.base, NULL, 0);
    size_t used = frame_length_packed(&header.base, 0), end = FRAME_PREFIX_BYTES + (size_t)n;
    // Field 100, bytes, of a length in two bytes.
    size_t length = end - used - 4;
    assert_in_range(length, 128, 16383);
    const uint8_t tag[] = {0xa2, 6, (uint8_t)(length | 128), (uint8_t)(length >> 7)};
    memcpy(frame + used, tag, sizeof tag);
    frame[1] = (uint8_t)n;
    frame[2] = (uint8_t)(n >> 8);
    assert_true(peer_ask(&peer, frame, end, &answer));
    return take_answer(&answer, err);
}

// The collection's first n - 1 aliases, and one more.
static enum soma_code give_aliases(int64_t n, struct soma_error *err)
{
    enum soma_code code = SOMA_OK;
    for (int64_t i = 0; i < n && code == SOMA_OK; i++) {
        const struct soma_collection_alias_request request = {
            .struct_size = sizeof request, .alias = words[i], .collection = "small"};
        code = soma_collection_alias(client, &request, &once, NULL, err);
    }
    return code;
}

#define PASTE(a, b)     a##b
#define CALL_NAME(line) PASTE(call_, line)
#define ROW(limit, method, request_struct, reason, field, ...)                              \
    static enum soma_code CALL_NAME(__LINE__)(int64_t n, struct soma_error * err)           \
    {                                                                                       \
        const struct request_struct request = {.struct_size = sizeof request, __VA_ARGS__}; \
        return soma_##method(client, &request, &once, NULL, err);                           \
    }
#define BUT(limit, method, request_struct, reason, field, otherwise, ...) \
    ROW(limit, method, request_struct, reason, field, __VA_ARGS__)
#define RAW(limit, function, reason, field, otherwise)
#include "request_limits.def"
#undef ROW
#undef BUT
#undef RAW

// --- the table

static const struct row {
    const char *name;
    const char *limit;
    enum soma_code (*call)(int64_t n, struct soma_error *err);
    enum reason reason;
    const char *field;
    const char *otherwise; // the reason that comes at the limit; "": it is OK
} rows[] = {
#define ROW(limit, method, request_struct, reason, field, ...) \
    {#limit ": " #method " " field, #limit, CALL_NAME(__LINE__), REASON_##reason, field, ""},
#define BUT(limit, method, request_struct, reason, field, otherwise, ...) \
    {#limit ": " #method " " field, #limit, CALL_NAME(__LINE__), REASON_##reason, field, otherwise},
#define RAW(limit, function, reason, field, otherwise) \
    {#limit ": " #function, #limit, function, REASON_##reason, field, otherwise},
#include "request_limits.def"
#undef ROW
#undef BUT
#undef RAW
};

enum {
    ROWS = sizeof rows / sizeof rows[0]
};

// What no request is too large for by itself: counts of what is there already, what a connection
// takes, times, and what is held for a job while it runs. Frames as a whole are
// integration/hostile's; more queries than query_batch the library sends in pieces,
// integration/vectors does not.
static const char *const elsewhere[] = {
    "frame_bytes", "default_timeout_ms", "connections", "connections_per_peer", "idle_ms",
    "http_connections", "frames_arriving_bytes", "handshakes", "handshake_ms", "parked_requests",
    "parked_per_peer", "requests_per_peer", "frames_in_hand_bytes", "waiting_requests", "tokens",
    "job_uploads", "job_input_waiting_bytes", "job_artifacts", "job_default_processes",
    "job_default_tmp_bytes", "job_lost_attempts", "queues", "collections", "clone_records",
    "restores", "query_batch",
    // Keys of the configuration.
    "max-unfinished", "max-namespace-queued", "max-submits"};

static const struct {
    const char *limit;
    size_t offset; // of an int64_t in struct soma_job_spec
} defaults[] = {
    {"job_default_artifact_bytes", offsetof(struct soma_job_spec, artifact_bytes)},
    {"job_default_wall_time_ms", offsetof(struct soma_job_spec, wall_time_ms)},
    {"job_default_output_bytes", offsetof(struct soma_job_spec, output_bytes)},
    {"job_default_kill_grace_ms", offsetof(struct soma_job_spec, kill_grace_ms)},
    {"job_default_keep_ms", offsetof(struct soma_job_spec, keep_ms)},
    {"job_default_backoff_ms", offsetof(struct soma_job_spec, backoff_ms)},
    {"job_default_backoff_max_ms", offsetof(struct soma_job_spec, backoff_max_ms)},
};

static int64_t value_of(const char *name)
{
    for (size_t i = 0; i < info->limit_count; i++) {
        if (strcmp(info->limits[i].name, name) == 0)
            return info->limits[i].value;
    }
    fail_msg("GetServerInfo does not say %s", name);
    return 0;
}

// --- what must not change

struct state {
    int64_t jobs, collections, records, queue_running, queue_keep_ms;
};

static void look(struct state *ret_state)
{
    const struct {
        const char *name;
        int64_t *value;
    } numbers[] = {{"jobs_revision", &ret_state->jobs},
                   {"collections", &ret_state->collections},
                   {"records", &ret_state->records}};
    const struct soma_empty_request request = SOMA_EMPTY_REQUEST_INIT;
    const struct soma_queue_request named = {.struct_size = sizeof named, QUEUE};
    struct soma_server_stats *stats;
    struct soma_queue *queue;
    assert_int_equal(soma_server_stats(client, &request, &once, &stats, NULL), SOMA_OK);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        for (size_t j = 0; j < stats->stat_count; j++) {
            if (strcmp(stats->stats[j].name, numbers[i].name) == 0)
                *numbers[i].value = stats->stats[j].value;
        }
        assert_true(*numbers[i].value > 0);
    }
    soma_free(stats);
    assert_int_equal(soma_queue_get(client, &named, &once, &queue, NULL), SOMA_OK);
    ret_state->queue_running = queue->max_running;
    ret_state->queue_keep_ms = queue->keep_ms;
    soma_free(queue);
}

// --- tests

static void refuse(const struct row *row, int64_t most)
{
    const struct reason_row *reason = &reason_table[row->reason];
    struct soma_error err = {0};
    struct state before = {0}, after = {0};
    char allowed[32];
    look(&before);
    enum soma_code code = row->call(most + 1, &err);
    look(&after);
    if (code != reason->code || err.code != code || strcmp(err.reason, reason->name) != 0 ||
        strcmp(err.field, row->field) != 0)
        fail_msg("one over: %s %s '%s' (%s) for %s '%s'", code_name(code), err.reason, err.field,
                 err.text, reason->name, row->field);
    snprintf(allowed, sizeof allowed, "%lld", (long long)most);
    if (!strstr(err.text, allowed))
        fail_msg("one over: '%s' does not say %s", err.text, allowed);
    assert_memory_equal(&before, &after, sizeof before);
}

static void a_limit_is_where_the_server_says(void **state)
{
    const struct row *row = *state;
    struct soma_error err = {0};
    int64_t most = value_of(row->limit);
    refuse(row, most);
    row->call(most, &err);
    if (strcmp(err.reason, row->otherwise) != 0)
        fail_msg("at the limit: %s '%s' (%s) for '%s'", err.reason, err.field, err.text,
                 row->otherwise);
}

static bool is_held(const char *limit)
{
    bool found = strcmp(limit, "query_words") == 0;
    for (size_t i = 0; i < ROWS && !found; i++)
        found = strcmp(rows[i].limit, limit) == 0;
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0] && !found; i++)
        found = strcmp(elsewhere[i], limit) == 0;
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0] && !found; i++)
        found = strcmp(defaults[i].limit, limit) == 0;
    return found;
}

static void every_limit_that_is_served_stands_here(void **state)
{
    (void)state;
    for (size_t i = 0; i < info->limit_count; i++) {
        if (!is_held(info->limits[i].name))
            fail_msg("%s has no row in request_limits.def", info->limits[i].name);
    }
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++)
        value_of(elsewhere[i]);
}

static void what_a_job_does_not_say_is_the_default(void **state)
{
    (void)state;
    const struct soma_job_spec spec = {.struct_size = sizeof spec, PROGRAM, .retry_attempts = 2};
    struct soma_job *submitted, *job;
    assert_int_equal(soma_job_submit(client, &spec, &once, &submitted, NULL), SOMA_OK);
    const struct soma_job_request request = {.struct_size = sizeof request,
                                             .job_id = submitted->id};
    assert_int_equal(soma_job_get(client, &request, &once, &job, NULL), SOMA_OK);
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
        int64_t value;
        memcpy(&value, (const char *)&job->spec + defaults[i].offset, sizeof value);
        if (value != value_of(defaults[i].limit))
            fail_msg("%s: %lld", defaults[i].limit, (long long)value);
    }
    soma_free(submitted);
    soma_free(job);
}

// Of a long text the first words count; no text is refused for the others.
static void words_past_the_limit_are_left_out(void **state)
{
    (void)state;
    int64_t most = value_of("query_words");
    char *text = calloc((size_t)most + 1, WORD_SIZE), *at = text;
    struct soma_record records[] = {{.id = "last", .document = words[most - 1]},
                                    {.id = "past", .document = words[most]}};
    const struct soma_records_write_request write = {.struct_size = sizeof write,
                                                     .collection = "small",
                                                     .records = records,
                                                     .record_count = 2,
                                                     .embeddings = ones,
                                                     .dimension = DIM};
    assert_non_null(text);
    for (int64_t i = 0; i <= most; i++)
        at += sprintf(at, "%s ", words[i]);
    const struct soma_records_query_request query = {.struct_size = sizeof query,
                                                     .collection = "small",
                                                     .query_count = 1,
                                                     .texts = (const char *const[]){text}};
    struct soma_query_results *found;
    assert_int_equal(soma_records_upsert(client, &write, &once, NULL, NULL), SOMA_OK);
    assert_int_equal(soma_records_query(client, &query, &once, &found, NULL), SOMA_OK);
    assert_int_equal(found->results[0].hit_count, 1);
    assert_string_equal(found->results[0].hits[0].record.id, "last");
    soma_free(found);
    free(text);
}

// --- what is there before

static void submit(bool is_interactive, char ret_id[ID_SIZE])
{
    const struct soma_job_spec spec = {
        .struct_size = sizeof spec, PROGRAM, .interactive = is_interactive};
    struct soma_job *job;
    assert_int_equal(soma_job_submit(client, &spec, &once, &job, NULL), SOMA_OK);
    snprintf(ret_id, ID_SIZE, "%s", job->id);
    soma_free(job);
}

// In a queue that starts none of them.
static void make_jobs(void)
{
    static char ids[AFTER_MAX][ID_SIZE];
    const bool on = true;
    const struct soma_queue_update_request pause = {
        .struct_size = sizeof pause, QUEUE, .is_paused = &on};
    const struct soma_job_cancel_request cancel = {.struct_size = sizeof cancel,
                                                   .job_id = final_id};
    assert_int_equal(soma_queue_update(client, &pause, &once, NULL, NULL), SOMA_OK);
    submit(false, final_id);
    submit(true, fed_id);
    assert_int_equal(soma_job_cancel(client, &cancel, &once, NULL, NULL), SOMA_OK);
    assert_in_range(value_of("job_after"), 1, AFTER_MAX - 1);
    for (int64_t i = 0; i <= value_of("job_after"); i++) {
        submit(false, ids[i]);
        queued_ids[i] = ids[i];
    }
}

static int open_all(void **state)
{
    (void)state;
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    const struct soma_empty_request nothing = SOMA_EMPTY_REQUEST_INIT;
    const struct soma_collection_create_request small = {
        .struct_size = sizeof small, .name = "small", .dimension = DIM};
    const struct soma_records_write_request write = {.struct_size = sizeof write,
                                                     RECORD(.id = "r", .document = "one")};
    fill_lists();
    somad_prepare(&somad);
    somad_start(&somad);
    peer_open(&peer, somad.ipc);
    options.server = somad.ipc;
    options.connect_timeout_ms = -1;
    assert_int_equal(soma_client_open(&options, &client, NULL), SOMA_OK);
    assert_int_equal(soma_server_info(client, &nothing, &once, &info, NULL), SOMA_OK);
    assert_int_equal(soma_collection_create(client, &small, &once, NULL, NULL), SOMA_OK);
    assert_int_equal(soma_records_upsert(client, &write, &once, NULL, NULL), SOMA_OK);
    make_jobs();
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    soma_free(info);
    soma_client_close(client);
    peer_close(&peer);
    bool orderly = somad_end(&somad, SIGTERM) == 0;
    somad_remove(&somad);
    return orderly ? 0 : -1;
}

int main(void)
{
    struct CMUnitTest tests[ROWS + 3] = {
        [ROWS] = cmocka_unit_test(every_limit_that_is_served_stands_here),
        [ROWS + 1] = cmocka_unit_test(what_a_job_does_not_say_is_the_default),
        [ROWS + 2] = cmocka_unit_test(words_past_the_limit_are_left_out),
    };
    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = a_limit_is_where_the_server_says,
                                       .initial_state = (void *)(uintptr_t)&rows[i]};
    return cmocka_run_group_tests_name("request_limits", tests, open_all, close_all);
}
