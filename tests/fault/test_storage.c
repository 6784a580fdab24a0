// The file system under SQLite fails at every step of every change: an operation that fails once or
// for good, a full disk, half a write, a power cut. Afterwards what was acknowledged is there, and
// what was not is there whole or not at all; counts, indexes and files agree; and the next change
// goes well.
//
//     test_storage [--soak] [--seed N]
//
// The short form looks at some steps, the soak at all but of the longest changes.
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "fault_vfs.h"
#include "storage_acts.h"
#include "storage_dump.h"
#include "store/connection.h"
#include "store/migrate.h"
#include "store/offline.h"
#include "vectors/check.h"

enum {
    DENSE = 24, // steps after which fewer are looked at
    DENSE_SOAK = 400,
    CUTS = 1, // choices of what survives beside what was synced
    CUTS_SOAK = 5,
    STEPS_MAX = 1000000
};

static const size_t BUDGET_BYTES = 64 << 20;

struct fault {
    const char *name;
    enum fault_kind kind;
    bool goes_on;
};

static const struct fault faults[] = {
    {"an I/O error", FAULT_IO_ERROR, false}, {"I/O errors", FAULT_IO_ERROR, true},
    {"no room", FAULT_FULL, false},          {"no room any more", FAULT_FULL, true},
    {"half a write", FAULT_SHORT, false},    {"a power cut", FAULT_CUT, true},
};

static struct {
    char directory[64];
    struct house house;
    struct dice dice;
    uint64_t seed;
    bool is_soak;
    const char *what; // for messages: the change, the fault
    const char *fault;
    unsigned step;
    unsigned tries;
} scene;

static int64_t fixed_wall(void)
{
    return ACT_NOW_MS;
}

static int64_t real_mono(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#define fail_try(format, ...)                                                               \
    fail_msg("%s, %s at step %u (seed %llu): " format, scene.what, scene.fault, scene.step, \
             (unsigned long long)scene.seed, __VA_ARGS__)

// --- directories of the scene: base, run, survivor

static const char *path_of(const char *name, const char *file)
{
    static char paths[2][PATH_MAX];
    static unsigned turn;
    char *path = paths[turn++ % 2];
    snprintf(path, PATH_MAX, "%s/%s%s%s", scene.directory, name, file ? "/" : "", file ? file : "");
    return path;
}

static void empty(const char *name)
{
    directory_remove_all(AT_FDCWD, path_of(name, NULL), NULL, NULL);
    assert_int_equal(mkdir(path_of(name, NULL), 0700), 0);
}

static void copy(const char *from, const char *to)
{
    empty(to);
    FD_CLEANUP int in = open(path_of(from, "soma.db"), O_RDONLY | O_CLOEXEC);
    FD_CLEANUP int out = open(path_of(to, "soma.db"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ssize_t got;
    while ((got = sendfile(out, in, NULL, 1 << 20)) > 0)
        continue;
    assert_int_equal(got, 0);
}

static enum soma_code open_house(const char *name, struct soma_error *err)
{
    const struct vectors_options options = {.budget_bytes = BUDGET_BYTES};
    struct house *house = &scene.house;
    *house = (struct house){0};
    enum soma_code code = store_open(path_of(name, NULL), 2, &house->store, err);
    if (code == SOMA_OK)
        code = writer_start(house->store, 64, &house->writer, err);
    return code ? code : vectors_open(house->store, &options, &house->vectors, err);
}

static void close_house(void)
{
    vectors_close(scene.house.vectors);
    writer_free(scene.house.writer);
    store_close(scene.house.store);
    scene.house = (struct house){0};
}

static void must_open(const char *name)
{
    struct soma_error err = {0};
    if (open_house(name, &err) != SOMA_OK)
        fail_try("cannot be opened: %s", err.text);
}

static enum soma_code nothing(struct write_op *op, struct store_txn *txn, struct soma_error *err)
{
    (void)op, (void)txn, (void)err;
    return SOMA_OK;
}

// Until the writer has done what it does after a commit.
static void settle(void)
{
    struct write_op op = {.apply = nothing};
    writer_run(scene.house.writer, &op, NULL);
}

// --- what there is

static char *dump(void)
{
    struct soma_error err = {0};
    char *text = storage_dump(scene.house.store, &err);
    if (!text)
        fail_try("cannot be read: %s", err.text);
    return text;
}

static void tell(void *user, const char *text)
{
    *(int *)user += 1;
    print_error("found: %s\n", text);
}

static void check_files(const char *name)
{
    struct soma_error err = {0};
    int found = 0;
    bool is_older;
    if (store_examine(path_of(name, NULL), tell, &found, &is_older, &err) != SOMA_OK)
        fail_try("cannot be examined: %s", err.text);
    if (found > 0)
        fail_try("%d things are wrong", found);
}

// Memory against database; loads the collection where it is not.
static void check_memory(void)
{
    struct soma_error err = {0};
    struct check_report report;
    struct arena arena;
    const struct check_request request = {
        .collection = "docs", .sample = 2, .deadline = MONO_NEVER};
    arena_init(&arena, 64 << 20);
    enum soma_code code =
        collection_check(scene.house.store, scene.house.vectors, &request, &arena, &report, &err);
    if (code != SOMA_OK && code != SOMA_NOT_FOUND)
        fail_try("cannot be checked: %s", err.text);
    if (code == SOMA_OK && report.finding_count > 0)
        fail_try("memory: %s", report.findings[0].text);
    arena_fini(&arena);
}

// Says whether what there is is the state after the change; before it is the only other way.
static bool is_after(const char *before, const char *after, bool is_acknowledged)
{
    char *now = dump();
    bool is_done = strcmp(now, after) == 0;
    if (!is_done && strcmp(now, before) != 0)
        fail_try("neither whole nor absent: %s", storage_difference(now, after));
    if (!is_done && is_acknowledged)
        fail_try("acknowledged, and not there: %s", storage_difference(now, after));
    free(now);
    return is_done;
}

static void check_survivors(const char *before, const char *after, bool is_acknowledged)
{
    char names[CUTS_SOAK + 1][24];
    unsigned count = 1 + (scene.is_soak ? CUTS_SOAK : CUTS);
    for (unsigned i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "survivor%u", i);
        empty(names[i]);
        fault_vfs_survivors(path_of(names[i], NULL), i ? SURVIVES_SOME : SURVIVES_SYNCED,
                            &scene.dice);
    }
    fault_vfs_forget();
    for (unsigned i = 0; i < count; i++) {
        must_open(names[i]);
        is_after(before, after, is_acknowledged);
        check_memory();
        close_house();
        check_files(names[i]);
        fault_vfs_forget();
    }
}

// --- one change, one fault

// After a failure that was not the end: the change goes well now, and lasts.
static void check_healed(const struct act *act, const char *before, const char *after,
                         bool is_acknowledged)
{
    struct soma_error err = {0};
    bool is_done = is_after(before, after, is_acknowledged);
    check_memory();
    if (!is_done && act && act_run(&scene.house, act, &err) != SOMA_OK)
        fail_try("does not heal: %s", err.text);
    is_after(before, after, act || is_acknowledged);
    check_memory();
    close_house();
    check_files("run");
    must_open("run");
    is_after(before, after, act || is_acknowledged);
    close_house();
    fault_vfs_forget();
}

// False: the change is over before that step.
static bool try_change(const struct act *act, const struct fault *fault, const char *before,
                       const char *after)
{
    struct soma_error err = {0};
    copy("base", "run");
    must_open("run");
    check_memory();
    fault_vfs_arm(fault->kind, scene.step, fault->goes_on);
    bool is_acknowledged = act_run(&scene.house, act, &err) == SOMA_OK;
    settle();
    bool has_struck = fault_vfs_disarm();
    if (!has_struck && !is_acknowledged)
        fail_try("fails without a fault: %s", err.text);
    if (!is_acknowledged && strcmp(err.reason, "IO_ERROR") != 0 &&
        strcmp(err.reason, "DISK_FULL") != 0)
        fail_try("wrong error: %s %s", err.reason, err.text);
    if (fault->kind != FAULT_CUT) {
        check_healed(act, before, after, is_acknowledged);
        return has_struck;
    }
    fault_vfs_cut();
    close_house();
    check_survivors(before, after, is_acknowledged);
    return has_struck;
}

// The soak takes every step of most changes, the short form any of them.
static unsigned next_step(unsigned step)
{
    if (scene.is_soak)
        return step + 1 + (step < DENSE_SOAK ? 0 : step / 32);
    unsigned stride = step < DENSE ? 16 : 3 * step;
    return step + 1 + dice_below(&scene.dice, stride);
}

// The state of base, and what a change makes of it where nothing fails.
static char *state_after(const struct act *act)
{
    struct soma_error err = {0};
    copy("base", "run");
    must_open("run");
    if (act && act_run(&scene.house, act, &err) != SOMA_OK)
        fail_try("%s", err.text);
    char *text = dump();
    close_house();
    check_files("run");
    fault_vfs_forget();
    return text;
}

static void whatever_fails_a_change_is_whole_or_absent_and_kept_once_acknowledged(void **state)
{
    (void)state;
    for (const struct act *act = storage_acts; act->name; act++) {
        scene.what = act->name;
        scene.fault = "nothing";
        char *before = state_after(NULL), *after = state_after(act);
        for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
            scene.fault = faults[i].name;
            scene.step = 1;
            while (scene.step < STEPS_MAX && try_change(act, &faults[i], before, after)) {
                scene.step = next_step(scene.step);
                scene.tries++;
            }
            assert_true(scene.step > 1);
        }
        free(before);
        free(after);
    }
    print_message("%u faults, seed %llu\n", scene.tries, (unsigned long long)scene.seed);
}

// --- a stop, which moves the log into the file

static bool try_stop(const struct act *act, const struct fault *fault, const char *after)
{
    copy("base", "run");
    must_open("run");
    assert_int_equal(act_run(&scene.house, act, NULL), SOMA_OK);
    fault_vfs_arm(fault->kind, scene.step, fault->goes_on);
    close_house();
    bool has_struck = fault_vfs_disarm();
    if (fault->kind == FAULT_CUT) {
        fault_vfs_cut();
        check_survivors(after, after, true);
        return has_struck;
    }
    must_open("run");
    check_healed(NULL, after, after, true);
    return has_struck;
}

static void a_stop_that_fails_loses_nothing(void **state)
{
    (void)state;
    const struct act *act = &storage_acts[0];
    scene.what = "stop";
    char *after = state_after(act);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        scene.fault = faults[i].name;
        scene.step = 1;
        while (try_stop(act, &faults[i], after))
            scene.step = next_step(scene.step);
    }
    free(after);
}

// --- a start, which brings an older database to today's schema

static void make_old(void)
{
    struct migration old[64] = {{0}};
    struct store_txn *txn;
    size_t count = 0;
    for (const struct migration *at = migration_table; at->sql; at++) {
        if (at->version == 1)
            old[count++] = *at;
    }
    empty("old");
    close(open(path_of("old", "soma.db"), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    const char *path = path_of("old", "soma.db");
    assert_int_equal(connection_open(path, CONNECTION_WRITER, &txn, NULL), SOMA_OK);
    assert_int_equal(migrate(txn, path, old, NULL), SOMA_OK);
    assert_int_equal(txn_exec(txn, "INSERT INTO document VALUES (7, 'kept')", NULL), SOMA_OK);
    connection_close(txn);
    fault_vfs_forget();
}

static char *state_of_old(void)
{
    copy("old", "run");
    must_open("run");
    char *text = dump();
    close_house();
    fault_vfs_forget();
    return text;
}

// Reads of a database that is only half opened say nothing; it is opened again.
static bool try_start(const struct fault *fault, const char *after)
{
    copy("old", "run");
    fault_vfs_arm(fault->kind, scene.step, fault->goes_on);
    open_house("run", NULL);
    bool has_struck = fault_vfs_disarm();
    if (fault->kind == FAULT_CUT) {
        fault_vfs_cut();
        close_house();
        check_survivors(after, after, true);
        return has_struck;
    }
    close_house();
    must_open("run");
    check_healed(NULL, after, after, true);
    return has_struck;
}

static void a_start_and_a_migration_that_fail_can_be_done_again(void **state)
{
    (void)state;
    scene.what = "start";
    make_old();
    char *after = state_of_old();
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        scene.fault = faults[i].name;
        scene.step = 1;
        while (try_start(&faults[i], after))
            scene.step = next_step(scene.step);
    }
    free(after);
}

// ---

static int set_up(void **state)
{
    (void)state;
    static const struct clock_source source = {fixed_wall, real_mono};
    const char *base = getenv("TMPDIR");
    log_set_level(LOG_LEVEL_ERROR);
    clock_use(&source);
    fault_vfs_install();
    dice_init(&scene.dice, scene.seed, 1);
    snprintf(scene.directory, sizeof scene.directory, "%s/soma-storage-XXXXXX",
             base && strlen(base) < 40 ? base : "/tmp");
    assert_non_null(mkdtemp(scene.directory));
    scene.what = "foundations";
    scene.fault = "nothing";
    empty("base");
    must_open("base");
    for (const struct act *act = storage_foundations; act->name; act++) {
        struct soma_error err = {0};
        if (act_run(&scene.house, act, &err) != SOMA_OK)
            fail_msg("%s: %s", act->name, err.text);
    }
    close_house();
    fault_vfs_forget();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    clock_use(NULL);
    return directory_remove_all(AT_FDCWD, scene.directory, NULL, NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_fails_a_change_is_whole_or_absent_and_kept_once_acknowledged),
        cmocka_unit_test(a_stop_that_fails_loses_nothing),
        cmocka_unit_test(a_start_and_a_migration_that_fail_can_be_done_again),
    };
    scene.seed = (uint64_t)time(NULL);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--soak") == 0)
            scene.is_soak = true;
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            scene.seed = strtoull(argv[++i], NULL, 10);
    }
    return cmocka_run_group_tests_name("storage", tests, set_up, tear_down);
}
