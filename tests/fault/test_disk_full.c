// A data directory that is full: what was acknowledged stays, what cannot be kept is refused or
// counted, and all heals when there is room again. The directory is a small tmpfs that only this
// test sees.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "fault_kit.h"

enum {
    FILLERS_MAX = 1000
};

static bool can_mount;

// --- a mount namespace of our own

static bool write_file(const char *path, const char *text)
{
    FD_CLEANUP int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && fd_write_all(fd, text, strlen(text)) == 0;
}

// An ordinary user needs a user namespace for it, where they are still themselves.
static bool leave_mounts(void)
{
    char uids[64], gids[64];
    bool is_root = geteuid() == 0;
    snprintf(uids, sizeof uids, "%d %d 1", (int)geteuid(), (int)geteuid());
    snprintf(gids, sizeof gids, "%d %d 1", (int)getegid(), (int)getegid());
    if (unshare(is_root ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS))
        return false;
    if (!is_root &&
        !(write_file("/proc/self/setgroups", "deny") && write_file("/proc/self/uid_map", uids) &&
          write_file("/proc/self/gid_map", gids)))
        return false;
    return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static void open_on(const char *options)
{
    fault_open();
    assert_int_equal(mkdir(fault_path("data"), 0711), 0);
    assert_int_equal(mount("small", fault_path("data"), "tmpfs", 0, options), 0);
    fault_start_server();
}

static int close_all(void **state)
{
    (void)state;
    if (!can_mount)
        return 0;
    if (fault_somad.pid > 0)
        somad_end(&fault_somad, SIGKILL);
    umount2(fault_path("data"), MNT_DETACH);
    fault_close();
    return 0;
}

static int open_with_few_bytes(void **state)
{
    (void)state;
    if (can_mount)
        open_on("mode=0711,size=12m");
    return 0;
}

static int open_with_few_files(void **state)
{
    (void)state;
    if (can_mount)
        open_on("mode=0711,size=100m,nr_inodes=200");
    return 0;
}

#define SKIP_WITHOUT_MOUNT() \
    do {                     \
        if (!can_mount)      \
            skip();          \
    } while (0)

// --- few bytes

static void fill_with_bytes(void)
{
    static const char block[65536];
    FD_CLEANUP int fd = open(fault_path("data/ballast"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    size_t length = sizeof block;
    while (length > 0) {
        ssize_t written = write(fd, block, length);
        assert_true(written > 0 || errno == ENOSPC);
        length = written > 0 ? length : length / 2;
    }
}

static void submit_until_refused(unsigned *ret_taken, char ids[][FAULT_ID_SIZE], unsigned max)
{
    *ret_taken = 0;
    for (;;) {
        const char *reason = fault_try_submit("exit 0", 4102444800000, ids[*ret_taken]);
        if (strcmp(reason, "DISK_FULL") == 0)
            return;
        assert_string_equal(reason, "");
        assert_true(++*ret_taken < max);
    }
}

static void wait_until_dropped(const char *id)
{
    int64_t deadline_ms = 0, dropped = 0;
    while (dropped == 0) {
        struct soma_job *job = fault_get(id);
        dropped = job->stdout_size.dropped_bytes;
        soma_free(job);
        fault_pause(&deadline_ms, "output without a place");
    }
}

static void a_full_disk_refuses_writes_loses_nothing_and_heals(void **state)
{
    (void)state;
    SKIP_WITHOUT_MOUNT();
    static char ids[2000][FAULT_ID_SIZE];
    char script[PATH_MAX + 200], id[FAULT_ID_SIZE];
    snprintf(script, sizeof script, "echo begun; " FAULT_UNTIL "; seq 1 200000; exit 3",
             fault_path("go"));
    fault_submit(script, id);
    fault_wait_output(id, 6);
    fill_with_bytes();
    unsigned taken;
    submit_until_refused(&taken, ids, 2000);
    // Reads go on, and so does the job, whose output has no place any more.
    assert_int_equal(fault_state(id), SOMA_JOB_RUNNING);
    fault_let_go("go");
    wait_until_dropped(id);
    assert_string_equal(fault_try_submit("exit 0", 0, ids[taken]), "DISK_FULL");
    assert_int_equal(unlink(fault_path("data/ballast")), 0);
    struct soma_job *job = fault_wait_final(id);
    assert_int_equal(job->reason, SOMA_JOB_REASON_EXITED);
    assert_int_equal(job->exit_code, 3);
    assert_int_equal(job->stdout_size.kept_bytes + job->stdout_size.dropped_bytes, 6 + 1288895);
    assert_non_null(strstr(job->message, "stdout could not be kept whole"));
    soma_free(job);
    // It heals without a restart, and after one all is there.
    fault_submit("exit 7", id);
    job = fault_wait_final(id);
    assert_int_equal(job->exit_code, 7);
    soma_free(job);
    somad_end(&fault_somad, SIGKILL);
    fault_start_server();
    for (unsigned i = 0; i < taken; i++)
        assert_int_equal(fault_state(ids[i]), SOMA_JOB_QUEUED);
}

// --- few files

static unsigned fill_with_files(void)
{
    for (unsigned i = 0; i < FILLERS_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "data/filler-%u", i);
        FD_CLEANUP int fd = open(fault_path(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0)
            return i;
    }
    fail_msg("the file system holds more than %d files", FILLERS_MAX);
    return 0;
}

static void a_start_is_put_off_while_the_machine_is_short(void **state)
{
    (void)state;
    SKIP_WITHOUT_MOUNT();
    char id[FAULT_ID_SIZE];
    // The database has all of its files.
    fault_submit("exit 0", id);
    soma_free(fault_wait_final(id));
    unsigned count = fill_with_files();
    fault_submit("echo $SOMA_ATTEMPT", id);
    int64_t deadline_ms = 0;
    while (!somad_said(&fault_somad, "stderr", "JOB-START-DELAYED"))
        fault_pause(&deadline_ms, "a delayed start");
    assert_false(soma_job_state_is_final(fault_state(id)));
    for (unsigned i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "data/filler-%u", i);
        assert_int_equal(unlink(fault_path(name)), 0);
    }
    struct soma_job *job = fault_wait_final(id);
    assert_int_equal(job->state, SOMA_JOB_SUCCEEDED);
    assert_int_equal(job->attempt, 1);
    soma_free(job);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_full_disk_refuses_writes_loses_nothing_and_heals,
                                        open_with_few_bytes, close_all),
        cmocka_unit_test_setup_teardown(a_start_is_put_off_while_the_machine_is_short,
                                        open_with_few_files, close_all),
    };
    somad_kit_open(argc, argv);
    can_mount = leave_mounts();
    if (!can_mount)
        print_message("this machine lets us have no mounts of our own\n");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
