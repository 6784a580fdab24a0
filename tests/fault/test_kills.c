// Server, spawner, runners and programs are killed at random points under load; afterwards all that
// was acknowledged is compared with what there is.
//
//     test_kills [--as-user] [--points N] [--soak] [--seed N] [--sandboxed]
//
// With --sandboxed the jobs stand in the sandbox that this machine allows. There they cannot reach
// the ledger, a file that the server knows nothing of, so what it would tell is not compared.
#include <dirent.h>
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
#include "ledger.h"
#include "load.h"
#include "somad_kit.h"
#include "victims.h"

enum {
    POINTS = 20,
    SOAK_POINTS = 200,
    PAUSE_MAX_US = 150000,
    QUIET_MS = 30000,
    OUTPUT_MAX = 1 << 16
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
    bool listed[LOAD_JOBS_MAX];
    unsigned lost;
    unsigned signaled;
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

static void check_same_as_told(const struct load_job *job, const struct soma_job *now)
{
    assert_string_equal(job->id, now->id);
    assert_true(soma_job_state_is_final(now->state));
    assert_true(job->final_seen);
    assert_int_equal(job->state, now->state);
    assert_int_equal(job->reason, now->reason);
    assert_int_equal(job->seen_exit_code, now->exit_code);
    assert_int_equal(job->attempt, now->attempt);
    assert_int_equal(job->finished_ms, now->finished_ms);
}

// An end that nobody asked for has a kill as its cause.
static void check_end(const struct load_job *job, const struct soma_job *now)
{
    switch (now->reason) {
    case SOMA_JOB_REASON_EXITED:
        assert_int_equal(now->exit_code, job->exit_code);
        assert_int_equal(now->state, job->exit_code == 0 ? SOMA_JOB_SUCCEEDED : SOMA_JOB_FAILED);
        return;
    case SOMA_JOB_REASON_CANCELLED:
        assert_true(job->cancel_asked);
        return;
    case SOMA_JOB_REASON_SIGNALED:
        assert_int_equal(now->signal_number, SIGKILL);
        scene.signaled++;
        return;
    case SOMA_JOB_REASON_LOST:
    case SOMA_JOB_REASON_START_FAILED:
        scene.lost++;
        return;
    default:
        fail_msg("job %s: %s: %s", now->id, soma_job_reason_name(now->reason), now->message);
    }
}

static void check_page(const struct soma_job_list *page)
{
    for (size_t i = 0; i < page->job_count; i++) {
        const struct soma_job *now = &page->jobs[i];
        unsigned number = load_number(now->spec.name);
        assert_true(number < scene.load.count);
        // One submit, however often it was sent, made one job.
        assert_false(scene.listed[number]);
        scene.listed[number] = true;
        const struct load_job *job = &scene.load.jobs[number];
        check_same_as_told(job, now);
        check_end(job, now);
        if (!job->idempotent)
            assert_true(now->attempt <= 1);
    }
}

static void what_was_acknowledged_is_what_there_is(void **state)
{
    (void)state;
    struct soma_job_list_request request = SOMA_JOB_LIST_REQUEST_INIT;
    char cursor[512] = "";
    request.page_size = 1000;
    do {
        struct soma_job_list *page;
        struct soma_error err;
        request.cursor = cursor[0] ? cursor : NULL;
        if (soma_job_list(scene.load.client, &request, NULL, &page, &err) != SOMA_OK)
            fail_msg("%s", err.text);
        check_page(page);
        snprintf(cursor, sizeof cursor, "%s", page->next_cursor ? page->next_cursor : "");
        soma_free(page);
    } while (cursor[0]);
    for (unsigned i = 0; i < scene.load.count; i++)
        assert_true(scene.listed[i] || !scene.load.jobs[i].id[0]);
}

static void only_those_are_lost_whose_runner_was_killed(void **state)
{
    (void)state;
    print_message("%u lost, %u signaled\n", scene.lost, scene.signaled);
    assert_true(scene.lost <= scene.runner_kills);
    assert_true(scene.signaled <= scene.program_kills);
}

static void no_attempt_ran_twice_and_whoever_ended_well_ran(void **state)
{
    (void)state;
    if (scene.is_sandboxed)
        skip();
    struct ledger ledger;
    ledger_read(&ledger, scene.ledger);
    if (ledger_twice(&ledger))
        fail_msg("ran twice: %s", ledger_twice(&ledger));
    for (unsigned i = 0; i < scene.load.count; i++) {
        const struct load_job *job = &scene.load.jobs[i];
        char line[64];
        snprintf(line, sizeof line, "%s %u", job->id, job->attempt);
        if (job->state == SOMA_JOB_SUCCEEDED && !ledger_has(&ledger, line))
            fail_msg("succeeded without running: %s", line);
    }
    ledger_free(&ledger);
}

static size_t read_stream(const struct load_job *job, enum soma_stream stream, char *ret_text)
{
    struct soma_job_read_request request = SOMA_JOB_READ_REQUEST_INIT;
    struct soma_job_output *output;
    struct soma_error err;
    request.job_id = job->id;
    request.stdout_offset = stream == SOMA_STDOUT ? 0 : -1;
    request.stderr_offset = stream == SOMA_STDERR ? 0 : -1;
    if (soma_job_read(scene.load.client, &request, NULL, &output, &err) != SOMA_OK)
        fail_msg("output of %s: %s", job->id, err.text);
    const struct soma_job_chunk *chunk =
        stream == SOMA_STDOUT ? &output->stdout_chunk : &output->stderr_chunk;
    size_t length = chunk->length;
    assert_true(chunk->end && length < OUTPUT_MAX);
    memcpy(ret_text, chunk->data, length);
    soma_free(output);
    return length;
}

// Of a program that ended by itself every byte; of one that was ended a beginning of them.
static void check_stream(const struct load_job *job, enum soma_stream stream, unsigned lines)
{
    static char expected[OUTPUT_MAX], found[OUTPUT_MAX];
    char *at = expected;
    for (unsigned i = 1; i <= lines; i++)
        at += sprintf(at, "%u\n", i);
    size_t length = read_stream(job, stream, found);
    size_t whole = (size_t)(at - expected);
    bool is_short = length < whole && job->reason == SOMA_JOB_REASON_EXITED;
    if (is_short || length > whole || memcmp(expected, found, length) != 0)
        fail_msg("job %s, %s: %zu bytes of %zu", job->id, soma_job_reason_name(job->reason), length,
                 whole);
}

static void the_output_of_all_is_complete(void **state)
{
    (void)state;
    for (unsigned i = 0; i < scene.load.count; i++) {
        const struct load_job *job = &scene.load.jobs[i];
        if (job->attempt == 0)
            continue;
        check_stream(job, SOMA_STDOUT, job->out_lines);
        check_stream(job, SOMA_STDERR, job->err_lines);
    }
}

static void no_process_is_left(void **state)
{
    (void)state;
    struct mono_time deadline = clock_deadline_after(QUIET_MS);
    int left;
    while ((left = victims_left(scene.jobs_directory, scene.cookie)) > 0) {
        if (clock_left_ms(deadline) == 0)
            fail_msg("%d processes are left", left);
        pause_us(10000);
    }
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

static bool is_empty_directory(const char *path)
{
    DIR *directory = opendir(path);
    assert_non_null(directory);
    int count = 0;
    while (readdir(directory))
        count++;
    closedir(directory);
    return count == 2;
}

static void no_directory_outlives_its_job(void **state)
{
    (void)state;
    bool more = true;
    while (more) {
        struct soma_job_prune_request request = SOMA_JOB_PRUNE_REQUEST_INIT;
        struct soma_job_removed *removed;
        struct soma_error err;
        if (soma_job_prune(scene.load.client, &request, NULL, &removed, &err) != SOMA_OK)
            fail_msg("%s", err.text);
        more = removed->more;
        soma_free(removed);
    }
    struct mono_time deadline = clock_deadline_after(QUIET_MS);
    while (!is_empty_directory(scene.jobs_directory)) {
        assert_true(clock_left_ms(deadline) > 0);
        pause_us(10000);
    }
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
        cmocka_unit_test(no_process_is_left),
        cmocka_unit_test(no_descriptor_is_left_open),
        cmocka_unit_test(no_directory_outlives_its_job),
    };
    read_arguments(argc, argv);
    setenv("SOMA_SANDBOX", scene.is_sandboxed ? "best_effort" : "off", 1);
    somad_kit_open(argc, argv);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
