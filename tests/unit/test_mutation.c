// server/services/mutation: a request delivered twice acts once. Above it stands a transport that
// keeps the reply instead of sending it.
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "rpc/call_private.h"
#include "services/mutation.h"
#include "soma/v1/jobs.pb-c.h"
#include "store_scratch.h"
#include "wire/frame.h"
#include "wire/limits.h"

enum {
    DEADLINE_S = 30
};

static struct scratch scratch;

struct test_call {
    struct rpc_call call; // first: the transport gets it back by this
    uint8_t *reply;
    size_t reply_length;
    sem_t answered;
    int applied;
    int committed;
    enum reason refuse_with; // REASON_COUNT: apply succeeds
    const char *cursor;      // replies with it
};

uint8_t *transport_reply(struct rpc_call *call, size_t length)
{
    struct test_call *test = (struct test_call *)call;
    test->reply = malloc(length);
    test->reply_length = length;
    return test->reply;
}

void transport_send(struct rpc_call *call)
{
    sem_post(&((struct test_call *)call)->answered);
}

void transport_abandon(struct rpc_call *call)
{
    transport_send(call);
}

static enum soma_code apply(struct mutation *mutation, struct store_txn *txn,
                            const ProtobufCMessage **ret_reply, struct soma_error *err)
{
    (void)txn;
    struct test_call *test = mutation->service;
    test->applied++;
    if (test->refuse_with != REASON_COUNT)
        return error_set(err, test->refuse_with, "field", "refused");
    if (test->cursor) {
        Pb__ListJobsResponse *list = arena_alloc(rpc_call_arena(mutation->call), sizeof *list);
        assert_non_null(list);
        pb__list_jobs_response__init(list);
        list->next_cursor = (char *)test->cursor;
        *ret_reply = &list->base;
        return SOMA_OK;
    }
    Pb__DeleteJobResponse *reply = arena_alloc(rpc_call_arena(mutation->call), sizeof *reply);
    assert_non_null(reply);
    pb__delete_job_response__init(reply);
    reply->freed_bytes = *(const int64_t *)mutation->value;
    *ret_reply = &reply->base;
    return SOMA_OK;
}

static void committed(struct mutation *mutation)
{
    struct test_call *test = mutation->service;
    test->committed++;
}

static void call_open(struct test_call *test, const char *id, const char *message)
{
    *test = (struct test_call){.refuse_with = REASON_COUNT};
    sem_init(&test->answered, 0, 0);
    arena_init(&test->call.arena, 1 << 16);
    test->call.method = "soma.v1.JobService/DeleteJob";
    test->call.message = (const uint8_t *)message;
    test->call.message_length = strlen(message);
    test->call.deadline = MONO_NEVER;
    test->call.has_request_id = id != NULL;
    if (id)
        memcpy(test->call.request_id, id, REQUEST_ID_BYTES);
}

static void call_run(struct test_call *test, int64_t value)
{
    mutation_submit(scratch.writer, &test->call, apply, committed, test, &value);
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += DEADLINE_S;
    assert_int_equal(sem_timedwait(&test->answered, &deadline), 0);
}

// The reply's code; its message's number in *ret_freed where that is OK.
static Pb__Code reply_of(const struct test_call *test, int64_t *ret_freed)
{
    struct frame_parts frame;
    assert_int_equal(frame_split(test->reply, test->reply_length, &frame, NULL), SOMA_OK);
    Pb__ResponseHeader *header =
        pb__response_header__unpack(NULL, frame.header_length, frame.header);
    assert_non_null(header);
    Pb__Code code = header->code;
    pb__response_header__free_unpacked(header, NULL);
    if (code != PB__CODE__CODE_OK)
        return code;
    Pb__DeleteJobResponse *message =
        pb__delete_job_response__unpack(NULL, frame.message_length, frame.message);
    assert_non_null(message);
    *ret_freed = message->freed_bytes;
    pb__delete_job_response__free_unpacked(message, NULL);
    return code;
}

static void call_close(struct test_call *test)
{
    free(test->reply);
    arena_fini(&test->call.arena);
}

static int set_up(void **state)
{
    (void)state;
    scratch_open(&scratch);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_close(&scratch);
    return 0;
}

static const char ID[] = "0123456789abcdef";

static void a_second_delivery_gets_the_first_reply_and_does_nothing(void **state)
{
    (void)state;
    struct test_call first, second;
    int64_t freed = 0;
    call_open(&first, ID, "message");
    call_run(&first, 7);
    assert_int_equal(reply_of(&first, &freed), PB__CODE__CODE_OK);
    assert_int_equal(freed, 7);
    assert_int_equal(first.committed, 1);
    scratch_reopen(&scratch); // also after a restart
    call_open(&second, ID, "message");
    call_run(&second, 8);
    assert_int_equal(reply_of(&second, &freed), PB__CODE__CODE_OK);
    assert_int_equal(freed, 7);
    assert_int_equal(second.applied, 0);
    assert_int_equal(second.committed, 0);
    call_close(&first);
    call_close(&second);
}

static void an_empty_reply_is_kept_too(void **state)
{
    (void)state;
    for (int delivery = 0; delivery < 2; delivery++) {
        struct test_call call;
        int64_t freed = -1;
        call_open(&call, ID, "message");
        call_run(&call, 0); // proto3: a message of zeros packs into nothing
        assert_int_equal(reply_of(&call, &freed), PB__CODE__CODE_OK);
        assert_int_equal(freed, 0);
        assert_int_equal(call.applied, 1 - delivery);
        call_close(&call);
    }
}

static void an_id_for_another_request_is_refused(void **state)
{
    (void)state;
    struct test_call first, second;
    int64_t freed = 0;
    call_open(&first, ID, "message");
    call_run(&first, 7);
    call_open(&second, ID, "another message");
    call_run(&second, 8);
    assert_int_equal(reply_of(&second, &freed), PB__CODE__CODE_INVALID_ARGUMENT);
    assert_int_equal(second.applied, 0);
    call_close(&first);
    call_close(&second);
}

static void a_refused_request_may_be_tried_again(void **state)
{
    (void)state;
    struct test_call first, second;
    int64_t freed = 0;
    call_open(&first, ID, "message");
    first.refuse_with = REASON_JOB_NOT_FINAL;
    call_run(&first, 7);
    assert_int_equal(reply_of(&first, &freed), PB__CODE__CODE_FAILED_PRECONDITION);
    assert_int_equal(first.committed, 0);
    call_open(&second, ID, "message");
    call_run(&second, 8);
    assert_int_equal(reply_of(&second, &freed), PB__CODE__CODE_OK);
    assert_int_equal(freed, 8);
    call_close(&first);
    call_close(&second);
}

static void what_cannot_be_answered_is_not_done(void **state)
{
    (void)state;
    enum {
        LENGTH = LIMIT_FRAME_BYTES
    };
    static char cursor[LENGTH + 1];
    memset(cursor, 'c', LENGTH);
    static const char *const ids[] = {NULL, ID};
    for (size_t i = 0; i < 2; i++) {
        struct test_call call;
        int64_t freed;
        call_open(&call, ids[i], "m");
        call.cursor = cursor;
        call_run(&call, 0);
        assert_int_equal(reply_of(&call, &freed), PB__CODE__CODE_RESOURCE_EXHAUSTED);
        assert_int_equal(call.applied, 1);
        assert_int_equal(call.committed, 0);
        call_close(&call);
    }
}

static void without_an_id_every_delivery_acts(void **state)
{
    (void)state;
    for (int delivery = 0; delivery < 2; delivery++) {
        struct test_call call;
        int64_t freed = 0;
        call_open(&call, NULL, "message");
        call_run(&call, 5 + delivery);
        assert_int_equal(reply_of(&call, &freed), PB__CODE__CODE_OK);
        assert_int_equal(freed, 5 + delivery);
        assert_int_equal(call.committed, 1);
        call_close(&call);
    }
}

static void a_call_past_its_deadline_changes_nothing(void **state)
{
    (void)state;
    struct test_call call;
    int64_t freed = 0;
    call_open(&call, ID, "message");
    call.call.deadline = (struct mono_time){1};
    call_run(&call, 7);
    assert_int_equal(reply_of(&call, &freed), PB__CODE__CODE_DEADLINE_EXCEEDED);
    assert_int_equal(call.applied, 0);
    call_close(&call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_second_delivery_gets_the_first_reply_and_does_nothing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_reply_is_kept_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_id_for_another_request_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refused_request_may_be_tried_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_answered_is_not_done, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_an_id_every_delivery_acts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_call_past_its_deadline_changes_nothing, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
