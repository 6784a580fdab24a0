// Server, spawner, runners and programs are killed at random points under load; afterwards all that
// was acknowledged is compared with what there is.
//
//     test_kills [--as-user] [--points N] [--soak] [--seed N] [--sandboxed]
//
// With --sandboxed the jobs stand in the sandbox that this machine allows. There they cannot reach
// the ledger, a file that the server knows nothing of, so what it would tell is not compared.
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/text.h"
#include "dice.h"
#include "load_check.h"
#include "somad_kit.h"
#include "victims.h"

enum {
    POINTS = 20,
    SOAK_POINTS = 200,
    PAUSE_MAX_US = 150000,
    QUIET_MS = 30000
};

static struct {
    struct somad somad;
    struct load load;
    struct dice dice;
    uint64_t seed;
    unsigned points;
    bool is_sandboxed;
    char jobs_directory[KIT_PATH_SIZE + 16];
    char ledger[KIT_PATH_SIZE + 16];
    char cookie[64];
    unsigned runner_kills;
    unsigned program_kills;
    struct load_check check;
} scene = {.points = POINTS};

static void pause_us(uint32_t us)
{
    nanosleep(&(struct timespec){us / 1000000, (long)(us % 1000000) * 1000}, NULL);
}

// --- the storm

static void kill_server(void)
{
    // Every fourth goes in peace.
    int number = dice_below(&scene.dice, 4) == 0 ? SIGTERM : SIGKILL;
    somad_end(&scene.somad, number);
    pause_us(dice_below(&scene.dice, PAUSE_MAX_US));
    somad_start(&scene.somad);
}

static void kill_spawner(void)
{
    pid_t pid = victim_spawner(scene.somad.pid);
    if (pid > 0)
        kill(pid, SIGKILL);
}

static void kill_runner(void)
{
    pid_t pid = victim_runner(&scene.dice, scene.jobs_directory);
    if (pid == 0 || kill(pid, SIGKILL))
        return;
    scene.runner_kills++;
    // Runner and spawner together would leave nobody to clear up.
    struct mono_time deadline = clock_deadline_after(QUIET_MS);
    while (!victim_is_dead(pid))
        assert_true(clock_left_ms(deadline) > 0);
}

static void kill_program(void)
{
    pid_t pid = victim_program(&scene.dice, scene.cookie);
    scene.program_kills += pid > 0 && kill(pid, SIGKILL) == 0;
}

static void kill_runner_and_server(void)
{
    kill_runner();
    kill_server();
}

static void whoever_is_killed_every_client_is_served_to_the_end(void **state)
{
    (void)state;
    static void (*const kills[])(void) = {kill_server,  kill_server,  kill_runner,
                                          kill_runner,  kill_program, kill_spawner,
                                          kill_program, kill_server,  kill_runner_and_server};
    load_start(&scene.load);
    for (unsigned i = 0; i < scene.points; i++) {
        pause_us(dice_below(&scene.dice, PAUSE_MAX_US));
        kills[dice_below(&scene.dice, sizeof kills / sizeof kills[0])]();
    }
    load_stop(&scene.load);
    print_message("%u jobs, %u points, %u runners and %u programs killed\n", scene.load.count,
                  scene.points, scene.runner_kills, scene.program_kills);
    assert_string_equal(scene.load.failure, "");
}

// --- afterwards

static void what_was_acknowledged_is_what_there_is(void **state)
{
    (void)state;
    scene.check.load = &scene.load;
    load_check_jobs(&scene.check);
}

static void only_those_are_lost_whose_runner_was_killed(void **state)
{
    (void)state;
    print_message("%u lost, %u signaled\n", scene.check.lost, scene.check.signaled);
    assert_true(scene.check.lost <= scene.runner_kills);
    assert_true(scene.check.signaled <= scene.program_kills);
}

static void no_attempt_ran_twice_and_whoever_ended_well_ran(void **state)
{
    (void)state;
    if (scene.is_sandboxed)
        skip();
    load_check_ledger(&scene.load);
}

static void the_output_of_all_is_complete(void **state)
{
    (void)state;
    load_check_output(&scene.load);
}

static void run_some(unsigned count)
{
    struct load_job *jobs = scene.load.jobs;
    scene.load.stopping = false;
    scene.load.count = 0;
    memset(jobs, 0, LOAD_JOBS_MAX * sizeof *jobs);
    struct soma_client *client = scene.load.client;
    for (unsigned i = 0; i < count; i++) {
        struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
        const char *const words[] = {"sh", "-c", "seq 1 100; exit 3"};
        struct soma_job *job;
        spec.arguments = words;
        spec.argument_count = 3;
        assert_int_equal(soma_job_submit(client, &spec, NULL, &job, NULL), SOMA_OK);
        struct soma_job_follow_request request = SOMA_JOB_FOLLOW_REQUEST_INIT;
        request.job_id = job->id;
        assert_int_equal(soma_job_follow(client, &request, NULL, NULL, NULL), SOMA_OK);
        soma_free(job);
    }
}

static void no_descriptor_is_left_open(void **state)
{
    (void)state;
    // What is opened once for ever is open after the first.
    run_some(10);
    struct mono_time deadline = clock_deadline_after(QUIET_MS);
    int before = victim_descriptors(scene.somad.pid);
    run_some(30);
    while (victim_descriptors(scene.somad.pid) > before) {
        assert_true(clock_left_ms(deadline) > 0);
        pause_us(10000);
    }
}

static void no_process_and_no_directory_is_left(void **state)
{
    (void)state;
    load_check_nothing_is_left(&scene.load, scene.jobs_directory);
}

// --- the scene

static int set_up(void **state)
{
    (void)state;
    char id[ID_SIZE];
    print_message("seed %" PRIu64 ": --seed %" PRIu64 " makes the same choices\n", scene.seed,
                  scene.seed);
    dice_init(&scene.dice, scene.seed, 0);
    somad_prepare(&scene.somad);
    assert_int_equal(chmod(scene.somad.directory, 0711), 0);
    snprintf(scene.jobs_directory, sizeof scene.jobs_directory, "%s/data/jobs",
             scene.somad.directory);
    snprintf(scene.ledger, sizeof scene.ledger, "%s/ledger", scene.somad.directory);
    FD_CLEANUP int fd = open(scene.ledger, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0666), 0);
    setenv("SOMA_MAX_RUNNING", "12", 1);
    id_make(id);
    snprintf(scene.cookie, sizeof scene.cookie, "KILLS_TEST=%s", id);
    somad_start(&scene.somad);
    scene.load.server = scene.somad.ipc;
    scene.load.ledger = scene.is_sandboxed ? "/dev/null" : scene.ledger;
    scene.load.cookie = scene.cookie;
    scene.load.seed = scene.seed;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    load_free(&scene.load);
    int status = somad_end(&scene.somad, SIGTERM);
    somad_remove(&scene.somad);
    return status;
}

static void read_arguments(int argc, char **argv)
{
    int64_t number;
    random_bytes(&scene.seed, sizeof scene.seed);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--soak") == 0)
            scene.points = SOAK_POINTS;
        scene.is_sandboxed |= strcmp(argv[i], "--sandboxed") == 0;
        if (i + 1 < argc && text_to_int64(argv[i + 1], 0, INT64_MAX, &number)) {
            if (strcmp(argv[i], "--points") == 0)
                scene.points = (unsigned)number;
            if (strcmp(argv[i], "--seed") == 0)
                scene.seed = (uint64_t)number;
        }
    }
    scene.seed &= INT64_MAX;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_is_killed_every_client_is_served_to_the_end),
        cmocka_unit_test(what_was_acknowledged_is_what_there_is),
        cmocka_unit_test(only_those_are_lost_whose_runner_was_killed),
        cmocka_unit_test(no_attempt_ran_twice_and_whoever_ended_well_ran),
        cmocka_unit_test(the_output_of_all_is_complete),
        cmocka_unit_test(no_descriptor_is_left_open),
        cmocka_unit_test(no_process_and_no_directory_is_left),
    };
    read_arguments(argc, argv);
    setenv("SOMA_SANDBOX", scene.is_sandboxed ? "best_effort" : "off", 1);
    somad_kit_open(argc, argv);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
