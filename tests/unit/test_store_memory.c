// server/store when memory runs out: every allocation of SQLite fails once, on every way through an
// insert, a change, a list and a read. Nothing is half done, nothing breaks, and it heals.
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "store/jobs.h"
#include "store_scratch.h"

enum {
    ROUNDS_MAX = 5000,
    ARENA_BYTES = 1 << 20
};

static struct scratch scratch;
static sqlite3_mem_methods real;
static atomic_int countdown; // the allocation that fails; 0: none does
static atomic_bool failed;

static bool fails_now(void)
{
    if (atomic_load(&countdown) == 0 || atomic_fetch_sub(&countdown, 1) != 1)
        return false;
    atomic_store(&failed, true);
    return true;
}

static void *faulty_malloc(int size)
{
    return fails_now() ? NULL : real.xMalloc(size);
}

static void *faulty_realloc(void *memory, int size)
{
    return fails_now() ? NULL : real.xRealloc(memory, size);
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

static char next_id[ID_SIZE] = "job00000000000000000";

static enum soma_code insert_and_change(void *context, struct store_txn *txn,
                                        struct soma_error *err)
{
    (void)context;
    struct job_label label = {"colour", "red"};
    struct job_spec spec = {.queue = "default", .labels = &label, .label_count = 1};
    struct spec_bytes bytes = {"head", 4, "body", 4};
    struct job_new new = {
        .id = next_id,
        .spec = &spec,
        .bytes = bytes,
        .now = {1},
        .room = {.unfinished_max = INT64_MAX},
    };
    struct job_row row;
    enum soma_code code = job_store_insert(txn, &new, &row, err);
    if (code != SOMA_OK)
        return code;
    row.job.status.state = JOB_RUNNING;
    return job_store_update(txn, &row, err);
}

static enum soma_code list_jobs(size_t *ret_count, struct soma_error *err)
{
    struct store_txn *txn;
    enum soma_code code = store_read_begin(scratch.store, &txn, err);
    if (code != SOMA_OK)
        return code;
    struct job_label label = {"colour", "red"};
    struct job_filter filter = {.states = 1 << JOB_RUNNING, .labels = &label, .label_count = 1};
    struct job_list list;
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    code = job_store_list(txn, &filter, 0, 100, &arena, &list, err);
    if (code == SOMA_OK)
        *ret_count = list.count;
    store_read_end(txn);
    arena_fini(&arena);
    return code;
}

static void arm(int allocation)
{
    atomic_store(&failed, false);
    atomic_store(&countdown, allocation);
}

static bool disarm(void)
{
    atomic_store(&countdown, 0);
    return atomic_load(&failed);
}

static size_t count_jobs(void)
{
    size_t count = SIZE_MAX;
    assert_int_equal(list_jobs(&count, NULL), SOMA_OK);
    return count;
}

// SQLite does without some allocations, so a failed one may still end well.
static void a_write_that_lacks_memory_is_undone_whole(void **state)
{
    (void)state;
    size_t count = 0;
    bool reached_the_end = false;
    for (int i = 1; i < ROUNDS_MAX && !reached_the_end; i++) {
        if (i % 40 == 1)
            scratch_reopen(&scratch); // so that statements are prepared anew
        snprintf(next_id, sizeof next_id, "job%017d", i);
        struct soma_error err = {0};
        arm(i);
        enum soma_code code = scratch_write(&scratch, insert_and_change, NULL, &err);
        reached_the_end = !disarm();
        if (code != SOMA_OK)
            assert_string_equal(err.reason, "OUT_OF_MEMORY");
        count += code == SOMA_OK;
        assert_int_equal(count_jobs(), count < 100 ? count : 100);
    }
    assert_true(reached_the_end);
    assert_true(count >= 1);
}

static void a_read_that_lacks_memory_says_so(void **state)
{
    (void)state;
    assert_int_equal(scratch_write(&scratch, insert_and_change, NULL, NULL), SOMA_OK);
    bool reached_the_end = false;
    for (int i = 1; i < ROUNDS_MAX && !reached_the_end; i++) {
        scratch_reopen(&scratch);
        struct soma_error err = {0};
        size_t count = 0;
        arm(i);
        enum soma_code code = list_jobs(&count, &err);
        reached_the_end = !disarm();
        if (code == SOMA_OK)
            assert_int_equal(count, 1);
        else
            assert_string_equal(err.reason, "OUT_OF_MEMORY");
        assert_int_equal(count_jobs(), 1);
    }
    assert_true(reached_the_end);
}

int main(void)
{
    // Before SQLite's first use. Without its small pools every allocation comes here.
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real);
    sqlite3_mem_methods faulty = real;
    faulty.xMalloc = faulty_malloc;
    faulty.xRealloc = faulty_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &faulty);
    sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_write_that_lacks_memory_is_undone_whole, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_read_that_lacks_memory_says_so, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
