// rpc/visitors.h and access/rate.h: what bounds connections, and what bounds how often.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "access/rate.h"
#include "rpc/visitors.h"
#include "wire/limits.h"

static const struct visitor_key user = {1, 1000}, other = {1, 1001}, host = {2, 1000};

static void one_peer_does_not_take_all_connections(void **state)
{
    (void)state;
    struct visitors *visitors = visitors_new(LIMIT_CONNECTIONS, LIMIT_CONNECTIONS_PER_PEER);
    uint32_t pipe = 1;
    assert_non_null(visitors);
    while (pipe <= LIMIT_CONNECTIONS_PER_PEER)
        assert_null(visitors_enter(visitors, pipe++, user));
    assert_string_equal(visitors_enter(visitors, pipe, user), "connections_per_peer");
    // One that was refused goes too, and takes nobody's place away.
    visitors_leave(visitors, pipe);
    assert_string_equal(visitors_enter(visitors, pipe, user), "connections_per_peer");
    assert_null(visitors_enter(visitors, pipe++, other));
    assert_null(visitors_enter(visitors, pipe++, host));
    visitors_leave(visitors, 7);
    assert_null(visitors_enter(visitors, pipe++, user));
    assert_string_equal(visitors_enter(visitors, pipe, user), "connections_per_peer");
    visitors_free(visitors);
}

static void an_address_is_one_peer_however_it_is_written(void **state)
{
    (void)state;
    static const uint8_t first[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1},
                         second[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 2},
                         home[16] = {0x20, 1, 0xd, 0xb8, [7] = 7, [15] = 1},
                         same_home[16] = {0x20, 1, 0xd, 0xb8, [7] = 7, [8] = 9, [15] = 2},
                         loopback[16] = {[15] = 1};
    uint32_t number;
    memcpy(&number, first + 12, sizeof number);
    assert_int_equal(visitor_of_ipv6(first).kind, VISITOR_IPV4);
    assert_int_equal(visitor_of_ipv6(first).number, number);
    assert_int_not_equal(visitor_of_ipv6(second).number, number);
    assert_int_equal(visitor_of_ipv6(home).kind, VISITOR_IPV6);
    assert_int_equal(visitor_of_ipv6(home).number, visitor_of_ipv6(same_home).number);
    assert_int_equal(visitor_of_ipv6(loopback).kind, VISITOR_IPV6);
}

static void all_together_leave_descriptors_for_the_rest(void **state)
{
    (void)state;
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 1000;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    struct visitors *visitors = visitors_new(LIMIT_CONNECTIONS, LIMIT_CONNECTIONS_PER_PEER);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_non_null(visitors);
    size_t max = visitors_max(visitors);
    assert_in_range(max, 64, 900);
    for (uint32_t pipe = 1; pipe <= max; pipe++)
        assert_null(visitors_enter(visitors, pipe, (struct visitor_key){2, pipe}));
    assert_string_equal(visitors_enter(visitors, 9000, user), "connections");
    for (uint32_t pipe = 1; pipe <= max; pipe++)
        visitors_leave(visitors, pipe);
    assert_null(visitors_enter(visitors, 9000, user));
    visitors_free(visitors);
}

static void a_name_has_its_rate_and_a_second_of_it_at_once(void **state)
{
    (void)state;
    struct rate *rate = calloc(1, sizeof *rate);
    int64_t now_us = 5000000;
    uint32_t wait_ms = 0;
    assert_non_null(rate);
    assert_true(rate_allows(rate, "a", now_us, &wait_ms)); // without bound
    rate->per_second = 10;
    for (int i = 0; i < 10; i++)
        assert_true(rate_allows(rate, "a", now_us, &wait_ms));
    assert_false(rate_allows(rate, "a", now_us, &wait_ms));
    assert_in_range(wait_ms, 100, 101);
    assert_true(rate_allows(rate, "b", now_us, &wait_ms));
    // Who waits as told is let through, once.
    now_us += (int64_t)wait_ms * 1000;
    assert_true(rate_allows(rate, "a", now_us, &wait_ms));
    assert_false(rate_allows(rate, "a", now_us, &wait_ms));
    // After a quiet time no more than a second of it.
    now_us += 60000000;
    for (int i = 0; i < 10; i++)
        assert_true(rate_allows(rate, "a", now_us, &wait_ms));
    assert_false(rate_allows(rate, "a", now_us, &wait_ms));
    free(rate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_peer_does_not_take_all_connections),
        cmocka_unit_test(an_address_is_one_peer_however_it_is_written),
        cmocka_unit_test(all_together_leave_descriptors_for_the_rest),
        cmocka_unit_test(a_name_has_its_rate_and_a_second_of_it_at_once),
    };
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
