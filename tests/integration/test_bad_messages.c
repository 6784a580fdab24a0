// Messages that protobuf-c would let through, or die of: each is refused before a handler sees it.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "somad_kit.h"

#define BYTES(text) text, sizeof text - 1

enum {
    DEPTH_BOMB_LEVELS = 30000
};

static struct somad somad;

static int start(void **state)
{
    (void)state;
    somad_prepare(&somad);
    somad_start(&somad);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    bool orderly = somad_end(&somad, SIGTERM) == 0;
    somad_remove(&somad);
    return orderly ? 0 : -1;
}

static void a_bad_message_names_its_field(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        int32_t timeout_ms;
        const char *message;
        size_t length;
        const char *reason;
        const char *field;
    } rows[] = {
        {"soma.v1.JobService/Nothing", 0, BYTES(""), "METHOD_UNKNOWN", "method"},
        {"soma.v2.JobService/GetJob", 0, BYTES(""), "METHOD_UNKNOWN", "method"},
        {"soma.v1.ServerService/Ping", -1, BYTES(""), "DEADLINE_PAST", "timeout_ms"},
        {"soma.v1.ServerService/Ping", 86400001, BYTES(""), "FIELD_OUT_OF_RANGE", "timeout_ms"},
        {"soma.v1.JobService/GetJob", 0, BYTES("\x0a\x7fx"), "MESSAGE_MALFORMED", "job_id"},
        {"soma.v1.JobService/GetJob", 0, BYTES("\x08\x01"), "MESSAGE_MALFORMED", "job_id"},
        {"soma.v1.JobService/GetJob", 0, BYTES("\x0b\x0c"), "MESSAGE_MALFORMED", "job_id"},
        {"soma.v1.JobService/GetJob", 0, BYTES("\x0a\x02\xff\xff"), "TEXT_NOT_UTF8", "job_id"},
        {"soma.v1.JobService/GetJob", 0, BYTES("\x0a\x03x\0y"), "TEXT_HAS_NUL", "job_id"},
        {"soma.v1.JobService/SubmitJob", 0, BYTES("\x0a\x06\x4a\x04\x12\x02\xed\xa0"),
         "TEXT_NOT_UTF8", "spec.labels[0].value"},
        {"soma.v1.JobService/ListJobs", 0, BYTES("\x0a\x02\x08\x63"), "ENUM_UNKNOWN",
         "filter.states[0]"},
        {"soma.v1.VectorService/CreateCollection", 0, BYTES("\x18\x09"), "ENUM_UNKNOWN", "metric"},
        {"soma.v1.VectorService/UpsertRecords", 0, BYTES("\x1a\x03\0\0\0"), "MESSAGE_MALFORMED",
         "embeddings[0]"},
    };
    struct peer peer;
    peer_open(&peer, somad.ipc);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct answer answer;
        assert_true(peer_call(&peer, rows[i].method, rows[i].timeout_ms, rows[i].message,
                              rows[i].length, &answer));
        assert_string_equal(answer.header->reason, rows[i].reason);
        assert_string_equal(answer.header->field, rows[i].field);
        answer_free(&answer);
    }
    assert_true(peer_pings(&peer));
    peer_close(&peer);
}

static void unknown_fields_of_a_newer_client_are_ignored(void **state)
{
    (void)state;
    struct peer peer;
    struct answer answer;
    peer_open(&peer, somad.ipc);
    assert_true(peer_call(&peer, "soma.v1.ServerService/Ping", 0,
                          BYTES("\xfa\x3f\x03new\x0a\x02hi\xf8\x3f\x07"), &answer));
    assert_int_equal(answer.header->code, PB__CODE__CODE_OK);
    assert_memory_equal(answer.message, "\x0a\x02hi", 4);
    answer_free(&answer);
    peer_close(&peer);
}

// Sends count times the bytes as one message and gives the reason.
static void expect_for_repeated(struct peer *peer, const char *method, const char *bytes,
                                size_t length, size_t count, const char *reason)
{
    char *all = malloc(length * count);
    assert_non_null(all);
    for (size_t i = 0; i < count; i++)
        memcpy(all + i * length, bytes, length);
    struct answer answer;
    assert_true(peer_call(peer, method, 0, all, length * count, &answer));
    assert_string_equal(answer.header->reason, reason);
    answer_free(&answer);
    free(all);
}

static void a_message_that_swells_in_memory_is_refused(void **state)
{
    (void)state;
    struct peer peer;
    peer_open(&peer, somad.ipc);
    // Empty sub-messages, unknown fields, and one sub-message given again and again.
    expect_for_repeated(&peer, "soma.v1.VectorService/UpsertRecords", BYTES("\x12\x00"), 1 << 19,
                        "MESSAGE_TOO_LARGE");
    expect_for_repeated(&peer, "soma.v1.JobService/ReadJobOutput", BYTES("\x1a\x00"), 1 << 19,
                        "MESSAGE_TOO_LARGE");
    expect_for_repeated(&peer, "soma.v1.JobService/ListJobs", BYTES("\x78\x00"), 1 << 19,
                        "MESSAGE_TOO_LARGE");
    expect_for_repeated(&peer, "soma.v1.JobService/SubmitJob", BYTES("\x0a\x02\x4a\x00"), 1 << 18,
                        "MESSAGE_MALFORMED");
    assert_true(peer_pings(&peer));
    peer_close(&peer);
}

static void deep_nesting_does_not_reach_the_stack(void **state)
{
    (void)state;
    // Each level is a field 1 with a length of four bytes; the deepest is empty.
    static uint8_t bomb[DEPTH_BOMB_LEVELS * 5];
    for (size_t i = 0; i < DEPTH_BOMB_LEVELS; i++) {
        uint32_t inside = (uint32_t)(sizeof bomb - 5 * (i + 1));
        uint8_t *at = bomb + 5 * i;
        at[0] = 0x0a;
        for (int k = 0; k < 3; k++)
            at[1 + k] = (uint8_t)(0x80 | inside >> (7 * k));
        at[4] = (uint8_t)(inside >> 21 & 0x7f);
    }
    struct peer peer;
    struct answer answer;
    peer_open(&peer, somad.ipc);
    assert_true(peer_call(&peer, "soma.v1.JobService/SubmitJob", 0, bomb, sizeof bomb, &answer));
    assert_int_equal(answer.header->code, PB__CODE__CODE_INVALID_ARGUMENT);
    answer_free(&answer);
    assert_true(peer_pings(&peer));
    peer_close(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_message_names_its_field),
        cmocka_unit_test(unknown_fields_of_a_newer_client_are_ignored),
        cmocka_unit_test(a_message_that_swells_in_memory_is_refused),
        cmocka_unit_test(deep_nesting_does_not_reach_the_stack),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
