// The server kills itself at each point of base/crash_points.def in turn, while clients submit
// jobs, upload files and write rows; afterwards all that was acknowledged is compared with what
// there is. The programs that look after a data directory are killed at theirs.
//
//     test_points [--as-user] [--rounds N] [--soak] [--seed N]
//
// A round kills once at each point, at one of its first passings; the seed says at which.
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/file.h"
#include "base/id.h"
#include "base/text.h"
#include "bystanders.h"
#include "crash_faults.h"
#include "dice.h"
#include "load_check.h"
#include "somad_kit.h"

enum {
    SOAK_ROUNDS = 50,
    PASSINGS = 6,     // the last one is among so many
    POINT_MS = 180000 // an index file is written by a thread of the lowest priority
};

static const struct {
    const char *name, *text;
} points[] = {
#define CRASH_POINT(NAME, TEXT) {#NAME, TEXT},
#include "base/crash_points.def"
#undef CRASH_POINT
};

static struct {
    struct somad somad;
    struct load load;
    struct load_check check;
    struct dice dice;
    struct crash_faults *faults;
    uint64_t seed;
    unsigned rounds;
    bool is_through; // all points, without a failure
    char jobs_directory[KIT_PATH_SIZE + 16];
    char ledger[KIT_PATH_SIZE + 16];
    char data[KIT_PATH_SIZE + 16];
    char cookie[64];
} scene = {.rounds = 1};

static void pause_ms(uint32_t ms)
{
    nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

static void arm(enum crash_point point, int passing)
{
    atomic_store(&scene.faults->countdown, 0);
    atomic_store(&scene.faults->point, (int)point);
    atomic_store(&scene.faults->countdown, passing);
}

// --- the server's points

// A finished job goes from time to time, for REMOVAL_COMMITTED: of the queue that is not compared.
static void remove_one(void)
{
    struct soma_job_prune_request request = SOMA_JOB_PRUNE_REQUEST_INIT;
    struct soma_job_removed *removed = NULL;
    struct soma_call_options once = SOMA_CALL_OPTIONS_INIT;
    once.max_attempts = 1;
    once.timeout_ms = 200;
    request.filter.queue = "pruned";
    soma_job_prune(scene.load.client, &request, &once, &removed, NULL);
    soma_free(removed);
}

static void submit_to_remove(void)
{
    static const char *const words[] = {"true"};
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    struct soma_call_options once = SOMA_CALL_OPTIONS_INIT;
    once.max_attempts = 1;
    once.timeout_ms = 200;
    spec.arguments = words;
    spec.argument_count = 1;
    spec.queue = "pruned";
    soma_job_submit(scene.load.client, &spec, &once, NULL, NULL);
}

// What it does beside the load until the server is dead.
static void wait_until_killed(enum crash_point point)
{
    struct mono_time deadline = clock_deadline_after(POINT_MS);
    while (!somad_is_dead(&scene.somad)) {
        if (bystanders_have_failed())
            bystanders_stop();
        if (clock_left_ms(deadline) == 0)
            fail_msg("nobody came by %s: %s", points[point].name, points[point].text);
        if (point == CRASH_REMOVAL_COMMITTED) {
            submit_to_remove();
            remove_one();
        }
        pause_ms(5);
    }
}

static void kill_at(enum crash_point point)
{
    bool is_of_stop = point == CRASH_STOP_BEGUN || point == CRASH_STOP_DRAINED;
    arm(point, is_of_stop ? 1 : 1 + (int)dice_below(&scene.dice, PASSINGS));
    if (is_of_stop)
        assert_int_equal(kill(scene.somad.pid, SIGTERM), 0);
    wait_until_killed(point);
    assert_int_equal(somad_wait(&scene.somad), 128 + SIGKILL);
    somad_start(&scene.somad);
}

static void killed_at_each_point_the_server_serves_every_client_to_the_end(void **state)
{
    (void)state;
    load_start(&scene.load);
    bystanders_start(scene.load.client);
    for (unsigned round = 0; round < scene.rounds; round++) {
        for (enum crash_point point = 0; point < CRASH_BACKUP_COPIED; point++)
            kill_at(point);
    }
    arm(CRASH_POINTS, 0);
    load_stop(&scene.load);
    bystanders_stop();
    print_message("%u jobs, %u kills\n", scene.load.count, scene.rounds * CRASH_BACKUP_COPIED);
    assert_string_equal(scene.load.failure, "");
    scene.is_through = true;
}

static void what_was_acknowledged_is_what_there_is(void **state)
{
    (void)state;
    assert_true(scene.is_through);
    scene.check.load = &scene.load;
    load_check_jobs(&scene.check);
    // No runner and no program was killed.
    assert_int_equal(scene.check.lost, 0);
    assert_int_equal(scene.check.signaled, 0);
    load_check_ledger(&scene.load);
    load_check_output(&scene.load);
    bystanders_check();
}

// --- the points of backup and restore

// Runs somad with "--data DATA OPTION FILE"; gives its exit status.
static int run(const char *data, const char *option, const char *file)
{
    const char *const arguments[] = {"--data", data, option, file, NULL};
    return somad_refused(&scene.somad, arguments);
}

static const char *path_of(const char *name)
{
    static char paths[4][KIT_PATH_SIZE + 32];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", scene.somad.directory, name);
    return path;
}

static void a_backup_cut_short_is_refused_and_the_next_one_is_whole(void **state)
{
    (void)state;
    assert_true(scene.is_through);
    for (enum crash_point point = CRASH_BACKUP_COPIED; point <= CRASH_BACKUP_HALF; point++) {
        arm(point, 1);
        assert_int_equal(run(scene.data, "--backup", path_of("cut")), 128 + SIGKILL);
        assert_int_equal(access(path_of("cut"), F_OK), -1);
        assert_int_not_equal(run(path_of("none"), "--restore", path_of("cut.partial")), 0);
        assert_int_equal(access(path_of("none"), F_OK), -1);
    }
    assert_int_equal(run(scene.data, "--backup", path_of("cut")), 0);
    assert_int_equal(access(path_of("cut.partial"), F_OK), -1);
    assert_int_equal(rename(path_of("cut"), path_of("whole")), 0);
}

static void a_restore_cut_short_is_no_data_directory_and_can_be_begun_anew(void **state)
{
    (void)state;
    assert_true(scene.is_through);
    for (enum crash_point point = CRASH_RESTORE_UNPACKED; point <= CRASH_RESTORE_PLACED; point++) {
        arm(point, 1);
        assert_int_equal(run(path_of("restored"), "--restore", path_of("whole")), 128 + SIGKILL);
        assert_int_equal(access(path_of("restored/soma.db"), F_OK), -1);
        assert_int_equal(run(path_of("restored"), "--restore", path_of("whole")), 0);
        const char *const check[] = {"--data", path_of("restored"), "--check", NULL};
        assert_int_equal(somad_refused(&scene.somad, check), 0);
        directory_remove_all(AT_FDCWD, path_of("restored"), NULL, NULL);
    }
}

static void no_process_and_no_directory_is_left(void **state)
{
    (void)state;
    assert_true(scene.is_through);
    load_check_nothing_is_left(&scene.load, scene.jobs_directory);
}

// Whoever checks takes the directory's lock.
static void the_data_is_sound_and_unlocked_afterwards(void **state)
{
    (void)state;
    const char *const arguments[] = {"--data", scene.data, "--check", NULL};
    load_free(&scene.load);
    assert_int_equal(somad_end(&scene.somad, SIGTERM), 0);
    assert_int_equal(somad_refused(&scene.somad, arguments), 0);
}

// --- the scene

static void share_page(void)
{
    FD_CLEANUP int fd = open(path_of("faults"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, sizeof *scene.faults), 0);
    void *page = mmap(NULL, sizeof *scene.faults, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    scene.faults = page;
    setenv(CRASH_FAULTS_VARIABLE, path_of("faults"), 1);
}

static int set_up(void **state)
{
    (void)state;
    char id[ID_SIZE];
    print_message("seed %" PRIu64 ": --seed %" PRIu64 " makes the same choices\n", scene.seed,
                  scene.seed);
    dice_init(&scene.dice, scene.seed, 0);
    somad_prepare(&scene.somad);
    share_page();
    assert_int_equal(chmod(scene.somad.directory, 0711), 0);
    snprintf(scene.data, sizeof scene.data, "%s/data", scene.somad.directory);
    snprintf(scene.jobs_directory, sizeof scene.jobs_directory, "%s/data/jobs",
             scene.somad.directory);
    snprintf(scene.ledger, sizeof scene.ledger, "%s/ledger", scene.somad.directory);
    FD_CLEANUP int fd = open(scene.ledger, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0666), 0);
    id_make(id);
    snprintf(scene.cookie, sizeof scene.cookie, "POINTS_TEST=%s", id);
    somad_start(&scene.somad);
    scene.load.server = scene.somad.ipc;
    scene.load.ledger = scene.ledger;
    scene.load.cookie = scene.cookie;
    scene.load.seed = scene.seed;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    somad_remove(&scene.somad);
    munmap(scene.faults, sizeof *scene.faults);
    return 0;
}

static void read_arguments(int argc, char **argv)
{
    int64_t number;
    random_bytes(&scene.seed, sizeof scene.seed);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--soak") == 0)
            scene.rounds = SOAK_ROUNDS;
        if (i + 1 < argc && text_to_int64(argv[i + 1], 0, INT64_MAX, &number)) {
            if (strcmp(argv[i], "--rounds") == 0)
                scene.rounds = (unsigned)number;
            if (strcmp(argv[i], "--seed") == 0)
                scene.seed = (uint64_t)number;
        }
    }
    scene.seed &= INT64_MAX;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_each_point_the_server_serves_every_client_to_the_end),
        cmocka_unit_test(what_was_acknowledged_is_what_there_is),
        cmocka_unit_test(a_backup_cut_short_is_refused_and_the_next_one_is_whole),
        cmocka_unit_test(a_restore_cut_short_is_no_data_directory_and_can_be_begun_anew),
        cmocka_unit_test(no_process_and_no_directory_is_left),
        cmocka_unit_test(the_data_is_sound_and_unlocked_afterwards),
    };
    read_arguments(argc, argv);
    setenv("SOMA_SANDBOX", "off", 1);
    setenv("SOMA_MAX_RUNNING", "12", 1);
    somad_kit_open(argc, argv);
    return cmocka_run_group_tests_name("points", tests, set_up, tear_down);
}
