// server/jobs: the engine takes up what the database calls running. Beside it stands a spawner that
// spawns nothing.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "jobs/engine.h"
#include "queue_scene.h"

enum {
    PATIENCE_MS = 60000, // it only waits where something is slow, as memcheck is
    LARGE_JOBS = 200
};

static struct {
    struct attempt_root root;
    struct engine *engine;
    atomic_int errnum; // why attempts cannot be prepared; 0: they can
    atomic_int refused_count;
} scene;

// Called in place of attempt_prepare, see CMakeLists.txt.
enum soma_code __real_attempt_prepare(const struct attempt_root *root,
                                      const struct order_settings *settings, const struct job *job,
                                      struct soma_error *err);
enum soma_code __wrap_attempt_prepare(const struct attempt_root *root,
                                      const struct order_settings *settings, const struct job *job,
                                      struct soma_error *err);
enum soma_code __wrap_attempt_prepare(const struct attempt_root *root,
                                      const struct order_settings *settings, const struct job *job,
                                      struct soma_error *err)
{
    int errnum = atomic_load(&scene.errnum);
    if (!errnum)
        return __real_attempt_prepare(root, settings, job, err);
    atomic_fetch_add(&scene.refused_count, 1);
    return error_set_errno(err, errnum, "cannot make a file");
}

// As long as the server has its end of the socket. What it is sent waits there, links included.
static struct spawner start_idle_spawner(void)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct pollfd set = {.fd = pair[1], .events = POLLRDHUP};
        close(pair[0]);
        while (poll(&set, 1, -1) < 1)
            continue;
        // Nobody is to look for lost memory here: what other threads had when it forked is.
        raise(SIGKILL);
    }
    close(pair[1]);
    return (struct spawner){.fd = pair[0], .pid = pid};
}

static int set_up(void **state)
{
    queue_set_up(state);
    // The engine waits in real time.
    clock_use(NULL);
    atomic_store(&scene.errnum, 0);
    atomic_store(&scene.refused_count, 0);
    assert_int_equal(attempt_root_open(&scene.root, queue_scratch.directory, NULL), SOMA_OK);
    return 0;
}

static int tear_down(void **state)
{
    engine_stop(scene.engine);
    scratch_reopen(&queue_scratch);
    engine_free(scene.engine);
    scene.engine = NULL;
    attempt_root_close(&scene.root);
    return queue_tear_down(state);
}

static void on_change(void *user, int64_t num)
{
    (void)user, (void)num;
}

static void start_engine(void)
{
    const struct engine_config config = {
        .store = queue_scratch.store,
        .writer = queue_scratch.writer,
        .spawner = start_idle_spawner(),
        .runner_path = "/bin/false",
        .root = &scene.root,
        .order = {.path = "/bin"},
        .running_max = 1,
        .on_change = on_change,
    };
    struct soma_error err = {0};
    if (engine_start(&config, &scene.engine, &err) != SOMA_OK)
        fail_msg("%s", err.text);
}

static int64_t count_of(enum job_state state)
{
    struct store_txn *txn;
    struct job_totals totals;
    assert_int_equal(store_read_begin(queue_scratch.store, &txn, NULL), SOMA_OK);
    assert_int_equal(job_store_totals(txn, &totals, NULL), SOMA_OK);
    store_read_end(txn);
    return totals.count_of[state];
}

static void wait_until_none_runs(void)
{
    struct mono_time deadline = clock_deadline_after(PATIENCE_MS);
    while (count_of(JOB_RUNNING) > 0) {
        assert_true(clock_left_ms(deadline) > 0);
        poll(NULL, 0, 1);
    }
}

static enum soma_code apply_large_jobs(void *context, struct store_txn *txn, struct soma_error *err)
{
    (void)context;
    enum soma_code code = SOMA_OK;
    for (int i = 0; i < LARGE_JOBS && code == SOMA_OK; i++) {
        struct submit submit = {.spec = queue_large_spec()};
        code = queue_apply_submit(&submit, txn, err);
        struct step claim = {.id = submit.id, .claims = true};
        if (code == SOMA_OK)
            code = queue_apply_change(&claim, txn, err);
    }
    return code;
}

static void any_number_of_running_jobs_is_taken_up_however_large(void **state)
{
    (void)state;
    assert_int_equal(scratch_write(&queue_scratch, apply_large_jobs, NULL, NULL), SOMA_OK);
    assert_int_equal(count_of(JOB_RUNNING), LARGE_JOBS);
    start_engine();
    // None has a directory, so none ever ran.
    wait_until_none_runs();
    assert_int_equal(count_of(JOB_QUEUED), LARGE_JOBS);
}

static const char an_id[] = "0000000000000000000a";

// Running, and not to be read any more.
static enum soma_code apply_damaged_job(void *context, struct store_txn *txn,
                                        struct soma_error *err)
{
    (void)context;
    static const struct job_spec spec = {.queue = "default"};
    const struct job_new new = {.id = an_id,
                                .spec = &spec,
                                .bytes = {.head = "damaged", .head_length = 7},
                                .now = clock_wall_now(),
                                .room = {.unfinished_max = 10}};
    struct job_row row;
    enum soma_code code = job_store_insert(txn, &new, &row, err);
    return code == SOMA_OK ? job_claim(txn, &row, err) : code;
}

static void put_file(const char *name, const char *text)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%s/1/%s", scene.root.path, an_id, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

static void make_attempt(void)
{
    char path[64];
    assert_int_equal(mkdirat(scene.root.fd, an_id, 0711), 0);
    snprintf(path, sizeof path, "%s/1", an_id);
    assert_int_equal(mkdirat(scene.root.fd, path, 0711), 0);
    put_file("lock", "pid 3\n123\nend 0\n\n");
}

static void a_running_job_that_cannot_be_read_any_more_ends_as_its_directory_says(void **state)
{
    (void)state;
    static const struct {
        const char *status;
        enum job_state state;
        enum job_reason reason;
    } rows[] = {{NULL, JOB_LOST, JOB_REASON_LOST},
                {"reason 6\nexited\nend 0\n\n", JOB_SUCCEEDED, JOB_REASON_EXITED}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (i > 0) {
            tear_down(state);
            set_up(state);
        }
        assert_int_equal(scratch_write(&queue_scratch, apply_damaged_job, NULL, NULL), SOMA_OK);
        make_attempt();
        if (rows[i].status)
            put_file("status", rows[i].status);
        start_engine();
        wait_until_none_runs();
        assert_int_equal(queue_status_of(an_id).state, rows[i].state);
        assert_int_equal(queue_status_of(an_id).reason, rows[i].reason);
    }
}

static void wait_for_order(const char *id)
{
    char path[64];
    struct mono_time deadline = clock_deadline_after(PATIENCE_MS);
    snprintf(path, sizeof path, "%s/1/order", id);
    while (faccessat(scene.root.fd, path, F_OK, 0)) {
        assert_true(clock_left_ms(deadline) > 0);
        poll(NULL, 0, 1);
    }
}

static void a_job_waits_while_the_machine_is_short_of_something(void **state)
{
    (void)state;
    static const int errnums[] = {EMFILE, ENFILE};
    static const char *const argv[] = {"true"};
    struct submit submit = {.spec = {.argv = argv, .argc = 1}};
    struct mono_time deadline = clock_deadline_after(PATIENCE_MS);
    start_engine();
    atomic_store(&scene.errnum, errnums[0]);
    engine_begin_claims(scene.engine);
    queue_submit_it(&submit);
    // Ahead of the commit and behind it, and a second later anew.
    for (size_t i = 0; i < sizeof errnums / sizeof errnums[0]; i++) {
        atomic_store(&scene.errnum, errnums[i]);
        int before = atomic_load(&scene.refused_count);
        engine_wake(scene.engine);
        while (atomic_load(&scene.refused_count) < before + 2) {
            assert_true(clock_left_ms(deadline) > 0);
            poll(NULL, 0, 1);
        }
    }
    atomic_store(&scene.errnum, 0);
    wait_for_order(submit.id);
    // Made ahead of the commit.
    while (queue_status_of(submit.id).state == JOB_QUEUED) {
        assert_true(clock_left_ms(deadline) > 0);
        poll(NULL, 0, 1);
    }
    assert_int_equal(queue_status_of(submit.id).state, JOB_RUNNING);
    assert_int_equal(queue_status_of(submit.id).attempt, 1);
}

static enum soma_code apply_claims(void *context, struct store_txn *txn, struct soma_error *err)
{
    const struct submit *submits = context;
    enum soma_code code = SOMA_OK;
    for (int i = 0; i < 2 && code == SOMA_OK; i++) {
        struct step claim = {.id = submits[i].id, .claims = true};
        code = queue_apply_change(&claim, txn, err);
    }
    return code;
}

static void only_a_job_that_is_queued_again_is_said_to_be(void **state)
{
    (void)state;
    struct submit submits[2] = {0};
    char said[4096] = "";
    queue_submit_it(&submits[0]);
    queue_submit_it(&submits[1]);
    assert_int_equal(scratch_write(&queue_scratch, apply_claims, submits, NULL), SOMA_OK);
    queue_cancel(submits[0].id);
    int stderr_fd = dup(STDERR_FILENO), said_fd = memfd_create("said", MFD_CLOEXEC);
    assert_true(stderr_fd >= 0 && said_fd >= 0);
    dup2(said_fd, STDERR_FILENO);
    log_set_level(LOG_LEVEL_INFO);
    start_engine();
    wait_until_none_runs();
    engine_stop(scene.engine); // what the writer has answered is said by now
    dup2(stderr_fd, STDERR_FILENO);
    assert_true(pread(said_fd, said, sizeof said - 1, 0) > 0);
    close(stderr_fd);
    close(said_fd);
    assert_int_equal(queue_status_of(submits[0].id).state, JOB_CANCELLED);
    const char *line = strstr(said, "JOB-QUEUED-AGAIN");
    assert_non_null(line);
    assert_null(strstr(line + 1, "JOB-QUEUED-AGAIN"));
    *strchrnul(line, '\n') = '\0';
    assert_non_null(strstr(line, submits[1].id));
}

#define ENGINE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(any_number_of_running_jobs_is_taken_up_however_large),
        ENGINE_TEST(a_running_job_that_cannot_be_read_any_more_ends_as_its_directory_says),
        ENGINE_TEST(a_job_waits_while_the_machine_is_short_of_something),
        ENGINE_TEST(only_a_job_that_is_queued_again_is_said_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
