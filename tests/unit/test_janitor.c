// server/jobs: the janitor beside claims that go on, and with more to remove than it ever can.
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "base/file.h"
#include "jobs/janitor.h"
#include "queue_scene.h"

enum {
    PATIENCE_S = 20
};

static const char orphan[] = "00000000000000000001", last[] = "00000000000000000002";

static struct {
    struct attempt_root root;
    struct janitor *janitor;
    sem_t reads_ended;
    sem_t last_is_removed;
    sem_t job_is_removed;
    sem_t row_is_written;
    struct submit submit;
    atomic_bool is_endless; // what is removed is garbage again
} scene;

static bool wait_for(sem_t *semaphore)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += PATIENCE_S;
    return sem_timedwait(semaphore, &deadline) == 0;
}

// Called in place of the real ones, see CMakeLists.txt.
void __real_store_read_end(struct store_txn *txn);
void __wrap_store_read_end(struct store_txn *txn);
void __wrap_store_read_end(struct store_txn *txn)
{
    __real_store_read_end(txn);
    sem_post(&scene.reads_ended);
}

enum soma_code __real_directory_remove_all(int parent_fd, const char *name, long long *ret_bytes,
                                           struct soma_error *err);
enum soma_code __wrap_directory_remove_all(int parent_fd, const char *name, long long *ret_bytes,
                                           struct soma_error *err);
enum soma_code __wrap_directory_remove_all(int parent_fd, const char *name, long long *ret_bytes,
                                           struct soma_error *err)
{
    enum soma_code code = __real_directory_remove_all(parent_fd, name, ret_bytes, err);
    if (strcmp(name, last) == 0)
        sem_post(&scene.last_is_removed);
    if (atomic_load(&scene.is_endless))
        janitor_remove(scene.janitor, name);
    return code;
}

static void on_change(void *user, int64_t num)
{
    (void)user, (void)num;
    sem_post(&scene.job_is_removed);
}

static int set_up(void **state)
{
    queue_set_up(state);
    sem_init(&scene.reads_ended, 0, 0);
    sem_init(&scene.last_is_removed, 0, 0);
    sem_init(&scene.job_is_removed, 0, 0);
    sem_init(&scene.row_is_written, 0, 0);
    atomic_store(&scene.is_endless, false);
    scene.submit = (struct submit){0};
    assert_int_equal(attempt_root_open(&scene.root, queue_scratch.directory, NULL), SOMA_OK);
    return 0;
}

static int tear_down(void **state)
{
    janitor_stop(scene.janitor);
    atomic_store(&scene.is_endless, false);
    janitor_free(scene.janitor);
    scene.janitor = NULL;
    attempt_root_close(&scene.root);
    return queue_tear_down(state);
}

static void start_janitor(void)
{
    const struct janitor_config config = {
        .store = queue_scratch.store,
        .writer = queue_scratch.writer,
        .root = &scene.root,
        .period_ms = 1,
        .on_change = on_change,
    };
    assert_int_equal(janitor_start(&config, &scene.janitor, NULL), SOMA_OK);
}

static bool is_there(const char *id)
{
    struct stat info;
    return fstatat(scene.root.fd, id, &info, 0) == 0;
}

// As a submit that a claim follows: the directory is there before the commit.
static enum soma_code apply_start(struct write_op *op, struct store_txn *txn,
                                  struct soma_error *err)
{
    (void)op;
    enum soma_code code = queue_apply_submit(&scene.submit, txn, err);
    if (code == SOMA_OK && mkdirat(scene.root.fd, scene.submit.id, 0711))
        code = error_set(err, REASON_INTERNAL, NULL, "cannot make the directory");
    sem_post(&scene.row_is_written);
    return code == SOMA_OK && !wait_for(&scene.reads_ended)
               ? error_set(err, REASON_INTERNAL, NULL, "the sweep did not come by")
               : code;
}

static void finish_start(struct write_op *op, const struct soma_error *err)
{
    // What failed leaves a directory without a row, and the test misses it.
    (void)op, (void)err;
}

static void the_sweep_leaves_a_job_that_is_being_started(void **state)
{
    (void)state;
    static struct write_op start = {.apply = apply_start, .finish = finish_start};
    assert_int_equal(mkdirat(scene.root.fd, orphan, 0711), 0);
    writer_submit(queue_scratch.writer, &start);
    assert_true(wait_for(&scene.row_is_written));
    start_janitor();
    // It removes in the order in which it was told.
    while (is_there(orphan))
        sched_yield();
    janitor_remove(scene.janitor, last);
    assert_true(wait_for(&scene.last_is_removed));
    assert_true(is_there(scene.submit.id));
}

static void directories_that_wait_do_not_hold_up_the_retention(void **state)
{
    (void)state;
    start_janitor();
    atomic_store(&scene.is_endless, true);
    janitor_remove(scene.janitor, last);
    assert_true(wait_for(&scene.last_is_removed));
    // Kept for no time at all.
    queue_submit_it(&scene.submit);
    queue_claims(scene.submit.id);
    queue_end_as(scene.submit.id, JOB_REASON_EXITED, 0);
    assert_true(wait_for(&scene.job_is_removed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_sweep_leaves_a_job_that_is_being_started, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(directories_that_wait_do_not_hold_up_the_retention, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
