#include "rpc/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "wire/limits.h"

static struct load *load;

static int set_up(void **state)
{
    (void)state;
    load = load_new();
    return load ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    load_free(load);
    return 0;
}

static void expect_busy(uint32_t peer, size_t bytes)
{
    struct soma_error err = {0};
    assert_int_equal(load_enter(load, peer, bytes, &err), SOMA_RESOURCE_EXHAUSTED);
    assert_string_equal(err.reason, "SERVER_BUSY");
    assert_true(err.retry_after_ms > 0);
}

static void one_peer_has_so_many_requests_and_another_is_not_touched(void **state)
{
    (void)state;
    for (int i = 0; i < LIMIT_REQUESTS_PER_PEER; i++)
        assert_int_equal(load_enter(load, 7, 10, NULL), SOMA_OK);
    expect_busy(7, 10);
    // Of the same bucket, too.
    assert_int_equal(load_enter(load, 7 + 1024, 10, NULL), SOMA_OK);
    assert_int_equal(load_enter(load, 8, 10, NULL), SOMA_OK);
    load_leave(load, 7, 10);
    assert_int_equal(load_enter(load, 7, 10, NULL), SOMA_OK);
    expect_busy(7, 10);
    // What was refused was not counted.
    for (int i = 0; i < LIMIT_REQUESTS_PER_PEER; i++)
        load_leave(load, 7, 10);
    for (int i = 0; i < LIMIT_REQUESTS_PER_PEER; i++)
        assert_int_equal(load_enter(load, 7, 10, NULL), SOMA_OK);
}

static void all_frames_together_have_so_many_bytes(void **state)
{
    (void)state;
    const size_t frame = LIMIT_FRAME_BYTES;
    uint32_t count = LIMIT_FRAMES_IN_HAND_BYTES / LIMIT_FRAME_BYTES;
    for (uint32_t peer = 0; peer < count; peer++)
        assert_int_equal(load_enter(load, peer, frame, NULL), SOMA_OK);
    expect_busy(count, 1);
    load_leave(load, 0, frame);
    assert_int_equal(load_enter(load, count, frame, NULL), SOMA_OK);
    expect_busy(0, 1);
    // Nothing is left of those that have gone.
    for (uint32_t peer = 1; peer <= count; peer++)
        load_leave(load, peer, frame);
    assert_int_equal(load_enter(load, 1, (size_t)LIMIT_FRAMES_IN_HAND_BYTES, NULL), SOMA_OK);
}

static void a_frame_that_is_alone_is_taken(void **state)
{
    (void)state;
    assert_int_equal(load_enter(load, 1, (size_t)LIMIT_FRAMES_IN_HAND_BYTES + 1, NULL), SOMA_OK);
    expect_busy(2, 0);
}

static void peers_come_and_go(void **state)
{
    (void)state;
    for (uint32_t peer = 0; peer < 100000; peer++) {
        assert_int_equal(load_enter(load, peer, 1, NULL), SOMA_OK);
        if (peer >= 3000)
            load_leave(load, peer - 3000, 1);
    }
    for (uint32_t peer = 97000; peer < 100000; peer++)
        load_leave(load, peer, 1);
    assert_int_equal(load_enter(load, 5, (size_t)LIMIT_FRAMES_IN_HAND_BYTES, NULL), SOMA_OK);
}

// Whoever has nothing in hand now.
static size_t take_idle(uint32_t *ret_peers)
{
    return load_take_idle(load, 0, ret_peers, 4);
}

static void who_asks_nothing_is_idle_and_who_waits_is_not(void **state)
{
    (void)state;
    uint32_t idle[4];
    for (uint32_t peer = 1; peer <= 4; peer++)
        assert_true(load_arrive(load, peer));
    // 1 has a request in hand, 2 had one, 3 has gone, 4 has never asked.
    assert_int_equal(load_enter(load, 1, 10, NULL), SOMA_OK);
    assert_int_equal(load_enter(load, 2, 10, NULL), SOMA_OK);
    load_leave(load, 2, 10);
    load_depart(load, 3);
    assert_int_equal(load_take_idle(load, 60000, idle, 4), 0);
    assert_int_equal(take_idle(idle), 2);
    assert_int_equal(idle[0], 2);
    assert_int_equal(idle[1], 4);
    // They are told of once.
    assert_int_equal(take_idle(idle), 0);
    load_leave(load, 1, 10);
    assert_int_equal(take_idle(idle), 1);
    assert_int_equal(idle[0], 1);
}

static void what_an_idle_connection_asks_while_it_is_closed_is_not_done(void **state)
{
    (void)state;
    uint32_t idle[4];
    assert_true(load_arrive(load, 1));
    assert_int_equal(take_idle(idle), 1);
    expect_busy(1, 1);
    load_depart(load, 1);
    // The number may come again.
    assert_true(load_arrive(load, 1));
    assert_int_equal(load_enter(load, 1, 10, NULL), SOMA_OK);
    load_leave(load, 1, 10);
    load_depart(load, 1);
}

static void who_goes_with_requests_in_hand_is_counted_until_they_are_answered(void **state)
{
    (void)state;
    uint32_t idle[4];
    assert_true(load_arrive(load, 1));
    for (int i = 0; i < LIMIT_REQUESTS_PER_PEER; i++)
        assert_int_equal(load_enter(load, 1, 10, NULL), SOMA_OK);
    load_depart(load, 1);
    expect_busy(1, 10);
    for (int i = 0; i < LIMIT_REQUESTS_PER_PEER; i++)
        load_leave(load, 1, 10);
    assert_int_equal(take_idle(idle), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_peer_has_so_many_requests_and_another_is_not_touched),
        TEST(all_frames_together_have_so_many_bytes),
        TEST(a_frame_that_is_alone_is_taken),
        TEST(peers_come_and_go),
        TEST(who_asks_nothing_is_idle_and_who_waits_is_not),
        TEST(what_an_idle_connection_asks_while_it_is_closed_is_not_done),
        TEST(who_goes_with_requests_in_hand_is_counted_until_they_are_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
