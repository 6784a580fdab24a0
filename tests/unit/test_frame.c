// common/wire/frame: where header and message lie, and what is no frame.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "soma/v1/rpc.pb-c.h"
#include "soma/v1/server.pb-c.h"
#include "wire/frame.h"
#include "wire/limits.h"

static void what_was_written_is_split_at_the_same_places(void **state)
{
    (void)state;
    Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
    header.method = "soma.v1.ServerService/Ping";
    Pb__PingRequest ping = PB__PING_REQUEST__INIT;
    ping.payload = (ProtobufCBinaryData){5, (uint8_t *)"hello"};
    uint8_t frame[128], same[128];
    size_t length = frame_length(&header.base, &ping.base);
    assert_true(length <= sizeof frame);
    frame_write(frame, &header.base, &ping.base);

    struct frame_parts parts;
    assert_int_equal(frame_split(frame, length, &parts, NULL), SOMA_OK);
    assert_int_equal(parts.header_length, 28);
    assert_int_equal(parts.message_length, 7);
    assert_ptr_equal(parts.message + parts.message_length, frame + length);
    assert_memory_equal(parts.message + 2, "hello", 5);

    assert_int_equal(frame_length_packed(&header.base, parts.message_length), length);
    frame_write_packed(same, &header.base, parts.message, parts.message_length);
    assert_memory_equal(same, frame, length);
}

static void a_reply_without_a_message_is_a_frame(void **state)
{
    (void)state;
    Pb__ResponseHeader header = PB__RESPONSE_HEADER__INIT;
    uint8_t frame[FRAME_PREFIX_BYTES];
    assert_int_equal(frame_length(&header.base, NULL), sizeof frame);
    frame_write(frame, &header.base, NULL);
    assert_memory_equal(frame, "\1\0\0\0\0", sizeof frame);
    struct frame_parts parts;
    assert_int_equal(frame_split(frame, sizeof frame, &parts, NULL), SOMA_OK);
    assert_int_equal(parts.header_length + parts.message_length, 0);
}

static void what_is_no_frame_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        const char *reason;
    } rows[] = {
        {"", 0, "FRAME_MALFORMED"},
        {"\1\0\0\0", 4, "FRAME_MALFORMED"},
        {"\0\0\0\0\0", 5, "FRAME_VERSION"},
        {"\2\0\0\0\0", 5, "FRAME_VERSION"},
        {"\1\2\0\0\0x", 6, "FRAME_MALFORMED"},
        {"\1\377\377\377\377x", 6, "MESSAGE_TOO_LARGE"},
        {"\1\1\20\0\0x", 6, "MESSAGE_TOO_LARGE"},
        {"\1\0\20\0\0x", 6, "FRAME_MALFORMED"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct frame_parts parts;
        struct soma_error err;
        assert_int_not_equal(
            frame_split((const uint8_t *)rows[i].bytes, rows[i].length, &parts, &err), SOMA_OK);
        assert_string_equal(err.reason, rows[i].reason);
    }
}

static void a_frame_past_the_limit_is_refused(void **state)
{
    (void)state;
    size_t limit = (size_t)LIMIT_FRAME_BYTES;
    uint8_t *frame = calloc(1, limit + 1);
    assert_non_null(frame);
    frame[0] = FRAME_VERSION;
    struct frame_parts parts;
    struct soma_error err;
    assert_int_equal(frame_split(frame, limit, &parts, &err), SOMA_OK);
    assert_int_equal(frame_split(frame, limit + 1, &parts, &err), SOMA_RESOURCE_EXHAUSTED);
    assert_string_equal(err.reason, "MESSAGE_TOO_LARGE");
    free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_split_at_the_same_places),
        cmocka_unit_test(a_reply_without_a_message_is_a_frame),
        cmocka_unit_test(what_is_no_frame_is_refused),
        cmocka_unit_test(a_frame_past_the_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
