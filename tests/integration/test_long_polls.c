// Long polls against the real server: caps, news, peers that vanish, the end of the server.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "soma/v1/jobs.pb-c.h"
#include "soma/v1/server.pb-c.h"
#include "somad_kit.h"
#include "wire/decode.h"
#include "wire/frame.h"
#include "wire/limits.h"

enum {
    OVER_THE_CAP = 40,
    POLLS = LIMIT_PARKED_PER_PEER + OVER_THE_CAP
};

static struct somad somad;

static int start(void **state)
{
    (void)state;
    somad_prepare(&somad);
    somad_start(&somad);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    somad_remove(&somad);
    return 0;
}

// --- many polls of one connection

struct poll {
    nng_ctx context;
    nng_aio *aio;
    bool sent;
    atomic_int *ok;     // replies with code OK
    atomic_int *broken; // anything else
};

struct polls {
    struct peer peer;
    struct poll all[POLLS];
    atomic_int ok;
    atomic_int broken;
};

static bool is_ok(nng_msg *message)
{
    struct frame_parts parts;
    if (frame_split(nng_msg_body(message), nng_msg_len(message), &parts, NULL) != SOMA_OK)
        return false;
    // A header with code OK does not begin with field 1.
    return parts.header_length == 0 || parts.header[0] != 0x08;
}

static void step(void *argument)
{
    struct poll *poll = argument;
    if (nng_aio_result(poll->aio) != 0) {
        atomic_fetch_add(poll->broken, 1);
        return;
    }
    if (!poll->sent) {
        poll->sent = true;
        nng_ctx_recv(poll->context, poll->aio);
        return;
    }
    nng_msg *message = nng_aio_get_msg(poll->aio);
    atomic_fetch_add(is_ok(message) ? poll->ok : poll->broken, 1);
    nng_msg_free(message);
}

static nng_msg *watch_request(int64_t since)
{
    Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
    header.method = "soma.v1.JobService/WatchJobs";
    Pb__WatchJobsRequest request = PB__WATCH_JOBS_REQUEST__INIT;
    request.since_revision = since;
    request.wait_ms = (uint32_t)LIMIT_WAIT_MS;
    nng_msg *message;
    size_t length = frame_length(&header.base, &request.base);
    assert_int_equal(nng_msg_alloc(&message, length), 0);
    frame_write(nng_msg_body(message), &header.base, &request.base);
    return message;
}

static struct polls *polls_open(int64_t since, int count)
{
    struct polls *polls = calloc(1, sizeof *polls);
    assert_non_null(polls);
    peer_open(&polls->peer, somad.ipc);
    for (int i = 0; i < count; i++) {
        struct poll *poll = &polls->all[i];
        poll->ok = &polls->ok;
        poll->broken = &polls->broken;
        assert_int_equal(nng_ctx_open(&poll->context, polls->peer.socket), 0);
        assert_int_equal(nng_aio_alloc(&poll->aio, step, poll), 0);
        nng_aio_set_timeout(poll->aio, 2 * KIT_PATIENCE_MS);
        nng_aio_set_msg(poll->aio, watch_request(since));
        nng_ctx_send(poll->context, poll->aio);
    }
    return polls;
}

static void polls_close(struct polls *polls)
{
    for (int i = 0; i < POLLS && polls->all[i].aio; i++)
        nng_aio_stop(polls->all[i].aio);
    for (int i = 0; i < POLLS && polls->all[i].aio; i++) {
        nng_ctx_close(polls->all[i].context);
        nng_aio_free(polls->all[i].aio);
    }
    peer_close(&polls->peer);
    free(polls);
}

static void await(atomic_int *count, int wanted)
{
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
    while (atomic_load(count) < wanted) {
        if (clock_left_ms(deadline) == 0)
            fail_msg("%d of %d came", atomic_load(count), wanted);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

// --- the server's side

static int64_t stat_of(struct peer *peer, const char *name)
{
    struct answer answer;
    int64_t value = -1;
    assert_true(peer_call(peer, "soma.v1.ServerService/GetStats", 0, "", 0, &answer));
    const Pb__GetStatsResponse *stats = (const Pb__GetStatsResponse *)wire_decode(
        &pb__get_stats_response__descriptor, answer.message, answer.message_length, &answer.arena,
        NULL);
    assert_non_null(stats);
    for (size_t i = 0; i < stats->n_stats; i++) {
        if (strcmp(stats->stats[i]->name, name) == 0)
            value = stats->stats[i]->value;
    }
    answer_free(&answer);
    return value;
}

static void await_stat(struct peer *peer, const char *name, int64_t wanted)
{
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
    int64_t value;
    while ((value = stat_of(peer, name)) != wanted) {
        if (clock_left_ms(deadline) == 0)
            fail_msg("%s is %lld", name, (long long)value);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
}

// Submits a job that is not to run for a long time; a change that all watchers hear of.
static void submit(struct peer *peer)
{
    const char *argv[] = {"true"};
    Pb__Command command = PB__COMMAND__INIT;
    command.argv = argv;
    command.n_argv = 1;
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    spec.program_case = PB__JOB_SPEC__PROGRAM_COMMAND;
    spec.command = &command;
    spec.not_before_unix_ms = clock_wall_now().ms + 3600000;
    Pb__SubmitJobRequest request = PB__SUBMIT_JOB_REQUEST__INIT;
    request.spec = &spec;
    uint8_t bytes[256];
    size_t length = pb__submit_job_request__pack(&request, bytes);
    struct answer answer;
    assert_true(peer_call(peer, "soma.v1.JobService/SubmitJob", 0, bytes, length, &answer));
    assert_string_equal(answer.header->message, "");
    answer_free(&answer);
}

// A first job, so that since_revision 1 has something to wait for.
static void prepare_watching(struct peer *peer)
{
    peer_open(peer, somad.tcp);
    submit(peer);
}

static void past_the_cap_a_poll_is_answered_at_once_and_news_answer_the_rest(void **state)
{
    (void)state;
    struct peer peer;
    prepare_watching(&peer);
    struct polls *polls = polls_open(1, POLLS);
    await(&polls->ok, OVER_THE_CAP);
    await_stat(&peer, "rpc_parked", LIMIT_PARKED_PER_PEER);
    assert_int_equal(atomic_load(&polls->ok), OVER_THE_CAP);
    // Other callers notice nothing.
    assert_true(peer_pings(&peer));
    submit(&peer);
    await(&polls->ok, POLLS);
    await_stat(&peer, "rpc_parked", 0);
    assert_int_equal(atomic_load(&polls->broken), 0);
    polls_close(polls);
    peer_close(&peer);
    assert_int_equal(somad_end(&somad, SIGTERM), 0);
}

static void a_vanished_peer_frees_what_it_parked(void **state)
{
    (void)state;
    struct peer peer;
    prepare_watching(&peer);
    struct polls *polls = polls_open(1, 500);
    await_stat(&peer, "rpc_parked", 500);
    polls_close(polls);
    await_stat(&peer, "rpc_parked", 0);
    await_stat(&peer, "rpc_connections", 1);
    peer_close(&peer);
    assert_int_equal(somad_end(&somad, SIGTERM), 0);
}

static void a_stopping_server_answers_what_is_parked(void **state)
{
    (void)state;
    struct peer peer;
    prepare_watching(&peer);
    struct polls *polls = polls_open(1, 500);
    await_stat(&peer, "rpc_parked", 500);
    assert_int_equal(somad_end(&somad, SIGTERM), 0);
    await(&polls->ok, 500);
    assert_int_equal(atomic_load(&polls->broken), 0);
    polls_close(polls);
    peer_close(&peer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(past_the_cap_a_poll_is_answered_at_once_and_news_answer_the_rest),
        TEST(a_vanished_peer_frees_what_it_parked),
        TEST(a_stopping_server_answers_what_is_parked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
