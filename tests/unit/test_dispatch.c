// server/rpc/dispatch and call: from a frame to a handler or an error, and back into a frame. The
// transport is a buffer here.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rpc/call_private.h"
#include "rpc/dispatch.h"
#include "rpc/refusals.h"
#include "soma/v1/jobs.pb-c.h"
#include "soma/v1/server.pb-c.h"
#include "wire/decode.h"
#include "wire/frame.h"
#include "wire/limits.h"

// --- a transport that keeps the reply

static uint8_t *reply;
static size_t reply_length;
static int replies_sent;
static bool no_memory;

uint8_t *transport_reply(struct rpc_call *call, size_t length)
{
    (void)call;
    free(reply);
    reply_length = length;
    reply = no_memory ? NULL : malloc(length);
    return reply;
}

void transport_send(struct rpc_call *call)
{
    (void)call;
    replies_sent++;
}

void transport_abandon(struct rpc_call *call)
{
    (void)call;
    replies_sent++;
}

// --- services whose handlers remember that they ran

static const char *handled;
static struct rpc_call *handled_call;
static size_t ping_reply_bytes;
static int64_t takes_ms; // what a handler takes, by its call's own clock

static void answer_ping(struct rpc_call *call)
{
    Pb__PingResponse response = PB__PING_RESPONSE__INIT;
    response.payload.len = ping_reply_bytes;
    response.payload.data = arena_calloc(rpc_call_arena(call), 1, ping_reply_bytes);
    assert_non_null(response.payload.data);
    rpc_call_reply(call, &response.base);
}

static void handle(ProtobufCService *service, unsigned index, const ProtobufCMessage *request,
                   ProtobufCClosure closure, void *call)
{
    (void)closure;
    assert_ptr_equal(request->descriptor, service->descriptor->methods[index].input);
    handled = service->descriptor->methods[index].name;
    handled_call = call;
    handled_call->begun_us -= takes_ms * 1000;
    answer_ping(call);
}

static ProtobufCService jobs = {&pb__job_service__descriptor, handle, NULL};
static ProtobufCService server = {&pb__server_service__descriptor, handle, NULL};

// --- a gate that one token opens

static enum soma_code admit(void *user, const char *method, const char *token,
                            struct rpc_caller *ret_caller, struct soma_error *err)
{
    assert_string_equal(method, user);
    if (strcmp(token, "open") != 0)
        return error_set(err, REASON_TOKEN_INVALID, "token", "not this one");
    *ret_caller = (struct rpc_caller){.job_id = "caller", .attempt = 3};
    return SOMA_OK;
}

static char the_only_method[] = "soma.v1.JobService/ListJobs";
static const struct dispatcher_options options = {
    .gate = {.admit = admit, .user = the_only_method},
    .max_connections = 10,
    .max_peer_connections = 10,
};

struct fixture {
    struct dispatcher *dispatcher;
    struct rpc_call call;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    ProtobufCService *const services[] = {&jobs, &server};
    assert_int_equal(dispatcher_new(services, 2, &options, &fixture.dispatcher, NULL), SOMA_OK);
    arena_init(&fixture.call.arena, 0);
    handled = NULL;
    replies_sent = 0;
    no_memory = false;
    fixture.call.must_be_admitted = false;
    ping_reply_bytes = 1;
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    dispatcher_free(fixture->dispatcher);
    arena_fini(&fixture->call.arena);
    free(reply);
    reply = NULL;
    return 0;
}

// Dispatches a frame, expects one reply, and decodes its header into the arena.
static const Pb__ResponseHeader *ask_frame(struct fixture *fixture, const void *frame,
                                           size_t length)
{
    static struct arena arena;
    arena_fini(&arena);
    arena_init(&arena, 1 << 20);
    replies_sent = 0;
    rpc_call_begin(&fixture->call, frame, length, 7);
    dispatch(fixture->dispatcher, &fixture->call);
    assert_int_equal(replies_sent, 1);
    struct frame_parts parts;
    assert_int_equal(frame_split(reply, reply_length, &parts, NULL), SOMA_OK);
    const Pb__ResponseHeader *header = (const Pb__ResponseHeader *)wire_decode(
        &pb__response_header__descriptor, parts.header, parts.header_length, &arena, NULL);
    assert_non_null(header);
    return header;
}

static const Pb__ResponseHeader *ask(struct fixture *fixture, const Pb__RequestHeader *header,
                                     const void *message, size_t length)
{
    static uint8_t frame[8192];
    size_t total = frame_length_packed(&header->base, length);
    assert_true(total <= sizeof frame);
    frame_write_packed(frame, &header->base, message, length);
    return ask_frame(fixture, frame, total);
}

static void a_good_frame_reaches_its_handler(void **state)
{
    struct fixture *fixture = *state;
    Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
    header.method = "soma.v1.ServerService/Ping";
    header.request_id = (ProtobufCBinaryData){16, (uint8_t *)"0123456789abcdef"};
    const Pb__ResponseHeader *answer = ask(fixture, &header, "", 0);
    assert_string_equal(answer->reason, "");
    assert_int_equal(answer->code, 0);
    assert_int_equal(answer->request_id.len, 16);
    assert_memory_equal(answer->request_id.data, "0123456789abcdef", 16);
    assert_string_equal(handled, "Ping");
    assert_string_equal(rpc_call_method(handled_call), header.method);
    assert_int_equal(rpc_call_peer(handled_call), 7);
    assert_true(handled_call->deadline_is_ours);
    header.method = "soma.v1.JobService/ListJobs";
    ask(fixture, &header, "", 0);
    assert_string_equal(handled, "ListJobs");
}

static void bad_headers_are_refused_before_any_handler(void **state)
{
    static const struct {
        const char *method;
        int32_t timeout_ms;
        size_t request_id_bytes;
        const char *reason;
        const char *field;
    } rows[] = {
        {"", 0, 0, "METHOD_UNKNOWN", "method"},
        {"soma.v1.ServerService/Pong", 0, 0, "METHOD_UNKNOWN", "method"},
        {"soma.v1.ServerService", 0, 0, "METHOD_UNKNOWN", "method"},
        {"soma.v1.VectorService/Ping", 0, 0, "METHOD_UNKNOWN", "method"},
        {"soma.v1.ServerService/Ping", -1, 0, "DEADLINE_PAST", "timeout_ms"},
        {"soma.v1.ServerService/Ping", INT32_MIN, 0, "DEADLINE_PAST", "timeout_ms"},
        {"soma.v1.ServerService/Ping", 86400001, 0, "FIELD_OUT_OF_RANGE", "timeout_ms"},
        {"soma.v1.ServerService/Ping", 0, 15, "FIELD_INVALID", "request_id"},
        {"soma.v1.ServerService/Ping", 0, 17, "FIELD_INVALID", "request_id"},
        {"\xff", 0, 0, "HEADER_MALFORMED", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t id[32] = {0};
        Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
        header.method = rows[i].method;
        header.timeout_ms = rows[i].timeout_ms;
        header.request_id = (ProtobufCBinaryData){rows[i].request_id_bytes, id};
        const Pb__ResponseHeader *answer = ask(*state, &header, "", 0);
        assert_string_equal(answer->reason, rows[i].reason);
        assert_string_equal(answer->field, rows[i].field);
        assert_null(handled);
    }
}

static void header_fields_have_their_limits(void **state)
{
    static const struct {
        size_t token, client, trace_id;
        const char *reason, *field;
    } rows[] = {
        {512, 64, 16, "", ""},
        {513, 64, 16, "FIELD_TOO_LONG", "token"},
        {512, 65, 16, "FIELD_TOO_LONG", "client"},
        {512, 64, 17, "FIELD_TOO_LONG", "trace_id"},
        {512, 64, 15, "FIELD_INVALID", "trace_id"},
        {0, 0, 0, "", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char token[600] = "", client[100] = "";
        uint8_t trace_id[32] = {0};
        memset(token, 't', rows[i].token);
        memset(client, 'c', rows[i].client);
        Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
        header.method = "soma.v1.ServerService/Ping";
        header.token = token;
        header.client = client;
        header.trace_id = (ProtobufCBinaryData){rows[i].trace_id, trace_id};
        handled = NULL;
        const Pb__ResponseHeader *answer = ask(*state, &header, "", 0);
        assert_string_equal(answer->reason, rows[i].reason);
        assert_string_equal(answer->field, rows[i].field);
        assert_int_equal(handled != NULL, rows[i].reason[0] == '\0');
    }
}

static void a_deadline_of_the_caller_is_not_extended(void **state)
{
    Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
    header.method = "soma.v1.ServerService/Ping";
    header.timeout_ms = 5000;
    ask(*state, &header, "", 0);
    rpc_call_extend(handled_call, MONO_NEVER);
    assert_true(clock_left_ms(rpc_call_deadline(handled_call)) <= 5000);
    header.timeout_ms = 0;
    ask(*state, &header, "", 0);
    rpc_call_extend(handled_call, clock_deadline_after(60000));
    assert_true(clock_left_ms(rpc_call_deadline(handled_call)) > 50000);
}

static void a_method_path_has_an_end(void **state)
{
    char path[2048];
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = '\0';
    Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
    header.method = path;
    assert_string_equal(ask(*state, &header, "", 0)->reason, "FIELD_TOO_LONG");
}

static void what_is_no_frame_or_message_is_answered_too(void **state)
{
    static const uint8_t junk_header[] = {1, 2, 0, 0, 0, 0xff, 0xff};
    static const uint8_t newer[] = {2, 0, 0, 0, 0};
    const Pb__ResponseHeader *answer = ask_frame(*state, "", 0);
    assert_string_equal(answer->reason, "FRAME_MALFORMED");
    assert_string_equal(ask_frame(*state, newer, sizeof newer)->reason, "FRAME_VERSION");
    assert_string_equal(ask_frame(*state, junk_header, sizeof junk_header)->reason,
                        "HEADER_MALFORMED");
    Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
    header.method = "soma.v1.JobService/SubmitJob";
    answer = ask(*state, &header, "\x0a\x03\x2a\x01\xff", 5);
    assert_string_equal(answer->reason, "TEXT_NOT_UTF8");
    assert_string_equal(answer->field, "spec.name");
    assert_null(handled);
}

static void a_stopping_server_says_so(void **state)
{
    struct fixture *fixture = *state;
    dispatcher_stop(fixture->dispatcher);
    Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
    header.method = "soma.v1.ServerService/Ping";
    const Pb__ResponseHeader *answer = ask(fixture, &header, "", 0);
    assert_string_equal(answer->reason, "SERVER_STOPPING");
    assert_int_equal(answer->code, SOMA_UNAVAILABLE);
    assert_null(handled);
}

static void a_small_request_may_have_a_reply_that_fills_a_frame(void **state)
{
    Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
    header.method = "soma.v1.ServerService/Ping";
    ping_reply_bytes = (size_t)LIMIT_FRAME_BYTES - 64;
    assert_int_equal(ask(*state, &header, "", 0)->code, SOMA_OK);
    assert_true(reply_length <= (size_t)LIMIT_FRAME_BYTES);
}

static void a_reply_past_the_frame_becomes_an_error(void **state)
{
    Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
    header.method = "soma.v1.ServerService/Ping";
    ping_reply_bytes = (size_t)LIMIT_FRAME_BYTES;
    assert_string_equal(ask(*state, &header, "", 0)->reason, "MESSAGE_TOO_LARGE");
    assert_true(reply_length < 1024);
}

static void where_the_listener_asks_only_who_is_admitted_comes_to_a_handler(void **state)
{
    struct fixture *fixture = *state;
    Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
    header.method = "soma.v1.JobService/ListJobs";
    header.token = "another";
    fixture->call.must_be_admitted = true;
    assert_string_equal(ask(fixture, &header, "", 0)->reason, "TOKEN_INVALID");
    assert_null(handled);
    header.token = "open";
    assert_string_equal(ask(fixture, &header, "", 0)->reason, "");
    assert_string_equal(handled, "ListJobs");
    assert_string_equal(rpc_call_job(handled_call)->job_id, "caller");
    assert_int_equal(rpc_call_job(handled_call)->attempt, 3);
    // Elsewhere nobody is asked.
    fixture->call.must_be_admitted = false;
    header.token = "another";
    assert_string_equal(ask(fixture, &header, "", 0)->reason, "");
    assert_null(rpc_call_job(handled_call));
}

static void without_memory_for_a_reply_the_call_still_ends(void **state)
{
    struct fixture *fixture = *state;
    no_memory = true;
    rpc_call_begin(&fixture->call, (const uint8_t *)"", 0, 7);
    dispatch(fixture->dispatcher, &fixture->call);
    assert_int_equal(replies_sent, 1);
}

// --- the log

static int stderr_before;

static void catch_log(FILE *file)
{
    stderr_before = dup(STDERR_FILENO);
    assert_true(stderr_before >= 0);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
}

// The file's next line.
static bool next_line(FILE *file, char *line, int size)
{
    return fgets(line, size, file) != NULL;
}

static void release_log(FILE *file)
{
    dup2(stderr_before, STDERR_FILENO);
    close(stderr_before);
    rewind(file);
}

static void what_a_client_calls_itself_is_one_value_of_a_line(void **state)
{
    char line[1024];
    FILE *file = tmpfile();
    Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
    header.method = "soma.v1.ServerService/Ping";
    header.client = "x job=forged bytes=1";
    assert_non_null(file);
    catch_log(file);
    rpc_call_set_slow(1000);
    takes_ms = 2000;
    ask(*state, &header, "", 0);
    takes_ms = 0;
    rpc_call_set_slow(0);
    release_log(file);
    assert_true(next_line(file, line, sizeof line));
    assert_non_null(strstr(line, " job=- client=x_job_forged_bytes_1 bytes="));
    fclose(file);
}

// However many are refused, there are some lines a second, and the rest is counted.
static void refused_calls_have_a_line_each_until_they_are_too_many(void **state)
{
    enum {
        CALLS = 5000
    };
    struct fixture *fixture = *state;
    static const char rest[] = "warning CALL-REFUSED ";
    char line[1024];
    long lines = 0, left_out = 0;
    FILE *file = tmpfile();
    Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
    header.method = the_only_method;
    header.token = "another";
    assert_non_null(file);
    fixture->call.must_be_admitted = true;
    catch_log(file);
    for (int i = 0; i < CALLS; i++)
        ask(fixture, &header, "", 0);
    refusals_tell();
    release_log(file);
    while (next_line(file, line, sizeof line)) {
        if (strncmp(line, rest, strlen(rest)) == 0)
            left_out += strtol(line + strlen(rest), NULL, 10);
        else if (strcmp(line, "info CALL-REFUSED soma.v1.JobService/ListJobs from an unknown peer: "
                              "not this one\n") == 0)
            lines++;
    }
    // Another test may have had a line of this second.
    assert_true(lines >= REFUSAL_LINES_MAX / 2);
    assert_true(left_out > 0);
    assert_int_equal(lines + left_out, CALLS);
    fclose(file);
}

static void the_fingerprint_is_of_method_and_message(void **state)
{
    uint8_t prints[4][FINGERPRINT_BYTES];
    static const struct {
        const char *method, *message;
        size_t length;
    } rows[] = {
        {"soma.v1.JobService/GetJob", "\x0a\x01x", 3},
        {"soma.v1.JobService/GetJob", "\x0a\x01y", 3},
        {"soma.v1.JobService/RetryJob", "\x0a\x01x", 3},
        {"soma.v1.JobService/GetJob", "\x0a\x01x", 3},
    };
    for (int i = 0; i < 4; i++) {
        Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
        header.method = rows[i].method;
        header.timeout_ms = i + 1;
        ask(*state, &header, rows[i].message, rows[i].length);
        rpc_call_fingerprint(handled_call, prints[i]);
    }
    assert_memory_not_equal(prints[0], prints[1], FINGERPRINT_BYTES);
    assert_memory_not_equal(prints[0], prints[2], FINGERPRINT_BYTES);
    assert_memory_equal(prints[0], prints[3], FINGERPRINT_BYTES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_good_frame_reaches_its_handler),
        TEST(bad_headers_are_refused_before_any_handler),
        TEST(header_fields_have_their_limits),
        TEST(a_deadline_of_the_caller_is_not_extended),
        TEST(a_method_path_has_an_end),
        TEST(what_is_no_frame_or_message_is_answered_too),
        TEST(a_stopping_server_says_so),
        TEST(a_small_request_may_have_a_reply_that_fills_a_frame),
        TEST(a_reply_past_the_frame_becomes_an_error),
        TEST(without_memory_for_a_reply_the_call_still_ends),
        TEST(where_the_listener_asks_only_who_is_admitted_comes_to_a_handler),
        TEST(what_a_client_calls_itself_is_one_value_of_a_line),
        TEST(refused_calls_have_a_line_each_until_they_are_too_many),
        TEST(the_fingerprint_is_of_method_and_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
