// Clients submit, cancel, retry, upsert, delete and query through a bad network while the server is
// killed and started again; then a model explains every answer (history.h), or there is a defect.
//
//     test_history [--as-user] [--seed N] [--rounds N] [--ops N] [--seconds N] [--calm] [--soak]
//
// One seed plays the same calls. --seconds N goes on for so long, an hour with --soak, and says
// once a round what the server takes of memory, descriptors and threads, which must not grow
// (use.h); with --calm nobody kills it.
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <soma/soma.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/text.h"
#include "history.h"
#include "ledger.h"
#include "proxy.h"
#include "somad_kit.h"
#include "use.h"
#include "victims.h"

enum {
    ROUNDS = 3,
    OPS = 150, // of each client in a round
    SOAK_SECONDS = 3600,
    PAUSE_MS = 900,
    QUIET_MS = 60000,
    PAGE = 1000
};

static struct {
    struct somad somad;
    struct proxy *proxy;
    struct history history;
    struct soma_client *direct; // past the proxy
    struct dice dice;
    unsigned rounds, seconds;
    bool is_calm;
    char server[KIT_URL_SIZE], ledger[KIT_PATH_SIZE + 16];
    unsigned kills, events, jobs;
    struct use warm; // after the first rounds
} scene = {.rounds = ROUNDS, .history.ops = OPS};

static void pause_ms(uint32_t ms)
{
    nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

static void must(enum soma_code code, const struct soma_error *err)
{
    if (code != SOMA_OK)
        fail_msg("%s %s (seed %llu, round %u)", err->reason, err->text,
                 (unsigned long long)scene.history.seed, scene.history.round);
}

// Jobs of another user write to it too.
static void empty_ledger(void)
{
    FD_CLEANUP int fd = open(scene.ledger, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && fchmod(fd, 0666) == 0);
}

static struct soma_client *open_client(const char *url)
{
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    struct soma_client *client = NULL;
    options.server = url;
    options.connect_timeout_ms = -1;
    assert_int_equal(soma_client_open(&options, &client, NULL), SOMA_OK);
    return client;
}

static int set_up(void **state)
{
    (void)state;
    char from[KIT_PATH_SIZE + 16], to[KIT_PATH_SIZE + 16];
    struct soma_collection_create_request request = SOMA_COLLECTION_CREATE_REQUEST_INIT;
    struct soma_error err;
    dice_init(&scene.dice, scene.history.seed, 1);
    // The ledger lies outside of every job's walls.
    setenv("SOMA_SANDBOX", "off", 1);
    somad_prepare(&scene.somad);
    assert_int_equal(chmod(scene.somad.directory, 0711), 0);
    somad_start(&scene.somad);
    snprintf(from, sizeof from, "%s/proxy", scene.somad.directory);
    snprintf(to, sizeof to, "%s/socket", scene.somad.directory);
    snprintf(scene.server, sizeof scene.server, "ipc://%s", from);
    snprintf(scene.ledger, sizeof scene.ledger, "%s/ledger", scene.somad.directory);
    empty_ledger();
    scene.proxy = proxy_start(from, to, scene.history.seed);
    assert_non_null(scene.proxy);
    scene.history.server = scene.server;
    scene.history.ledger = scene.ledger;
    history_open(&scene.history);
    scene.direct = open_client(scene.somad.ipc);
    request.name = "c";
    request.dimension = 2;
    request.metric = SOMA_METRIC_L2;
    must(soma_collection_create(scene.direct, &request, NULL, NULL, &err), &err);
    if (scene.seconds > 0 && scene.is_calm)
        use_warm_up(scene.direct);
    return 0;
}

// --- a round

static void kill_server(void)
{
    // Every fifth goes in peace.
    somad_end(&scene.somad, dice_below(&scene.dice, 5) ? SIGKILL : SIGTERM);
    pause_ms(dice_below(&scene.dice, PAUSE_MS / 4));
    somad_start(&scene.somad);
    scene.kills++;
}

static void play_round(void)
{
    proxy_set_quiet(scene.proxy, false);
    history_start(&scene.history);
    while (!history_is_over(&scene.history)) {
        pause_ms(1 + dice_below(&scene.dice, PAUSE_MS));
        if (!scene.is_calm && !history_is_over(&scene.history))
            kill_server();
    }
    history_wait(&scene.history);
    proxy_set_quiet(scene.proxy, true);
    for (unsigned i = 0; i < CLIENTS; i++)
        scene.events += scene.history.clients[i].event_count;
}

static void wait_until_quiet(void)
{
    static const enum soma_job_state unfinished[] = {SOMA_JOB_QUEUED, SOMA_JOB_RUNNING};
    struct mono_time deadline = clock_deadline_after(QUIET_MS);
    struct soma_job_list_request request = SOMA_JOB_LIST_REQUEST_INIT;
    size_t count = 1;
    request.filter.states = unfinished;
    request.filter.state_count = 2;
    request.page_size = 1;
    while (count > 0) {
        struct soma_error err;
        struct soma_job_list *list = NULL;
        must(soma_job_list(scene.direct, &request, NULL, &list, &err), &err);
        count = list->job_count;
        soma_free(list);
        if (clock_left_ms(deadline) == 0)
            fail_msg("jobs do not end");
        pause_ms(5);
    }
}

static void take_final(const struct soma_job *job, struct final_job *ret_job)
{
    int64_t number = -1;
    snprintf(ret_job->id, sizeof ret_job->id, "%s", job->id);
    snprintf(ret_job->name, sizeof ret_job->name, "%s", job->spec.name);
    if (strncmp(job->spec.name, "job-", 4) != 0 ||
        !text_to_int64(job->spec.name + 4, 0, (int64_t)CLIENTS * CLIENT_JOBS - 1, &number))
        fail_msg("a job %s that nobody submitted", job->spec.name);
    ret_job->told = (struct event){.kind = EVENT_GET,
                                   .begin = INT64_MAX,
                                   .end = INT64_MAX,
                                   .job = (uint32_t)number,
                                   .revision = job->revision,
                                   .state = job->state,
                                   .reason = job->reason,
                                   .attempt = job->attempt};
}

static size_t list_jobs(struct final_job **ret_jobs)
{
    struct soma_job_list_request request = SOMA_JOB_LIST_REQUEST_INIT;
    char cursor[512] = "";
    size_t count = 0;
    struct final_job *jobs = calloc((size_t)CLIENTS * CLIENT_JOBS + PAGE, sizeof *jobs);
    assert_non_null(jobs);
    request.page_size = PAGE;
    do {
        struct soma_error err;
        struct soma_job_list *page = NULL;
        request.cursor = cursor[0] ? cursor : NULL;
        must(soma_job_list(scene.direct, &request, NULL, &page, &err), &err);
        for (size_t i = 0; i < page->job_count && count < (size_t)CLIENTS * CLIENT_JOBS; i++)
            take_final(&page->jobs[i], &jobs[count++]);
        snprintf(cursor, sizeof cursor, "%s", page->next_cursor ? page->next_cursor : "");
        soma_free(page);
    } while (cursor[0]);
    *ret_jobs = jobs;
    return count;
}

static unsigned count_directories(void)
{
    char path[KIT_PATH_SIZE + 16];
    unsigned count = 0;
    const struct dirent *entry;
    snprintf(path, sizeof path, "%s/data/jobs", scene.somad.directory);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL)
        count += id_is_valid(entry->d_name);
    closedir(directory);
    return count;
}

// The next round begins without a job, and without a file of one.
static void remove_jobs(void)
{
    struct soma_job_prune_request request = SOMA_JOB_PRUNE_REQUEST_INIT;
    bool more = true;
    while (more) {
        struct soma_error err;
        struct soma_job_removed *removed = NULL;
        must(soma_job_prune(scene.direct, &request, NULL, &removed, &err), &err);
        more = removed->more;
        soma_free(removed);
    }
    empty_ledger();
    struct mono_time deadline = clock_deadline_after(QUIET_MS);
    while (count_directories() > 0) {
        assert_true(clock_left_ms(deadline) > 0);
        pause_ms(5);
    }
}

static void check_index(void)
{
    struct soma_collection_check_request request = SOMA_COLLECTION_CHECK_REQUEST_INIT;
    struct soma_collection_check *check = NULL;
    struct soma_error err;
    request.collection = "c";
    must(soma_collection_check(scene.direct, &request, NULL, &check, &err), &err);
    if (check->finding_count > 0)
        history_fail(&scene.history, "the index: %s", check->findings[0].message);
    soma_free(check);
}

static void check_round(void)
{
    struct final_job *jobs;
    struct ledger ledger;
    wait_until_quiet();
    size_t count = list_jobs(&jobs);
    ledger_read(&ledger, scene.ledger);
    history_check_records(&scene.history);
    history_check_jobs(&scene.history, jobs, count, &ledger);
    check_index();
    if (scene.history.failure[0])
        fail_msg("%s (seed %llu, round %u)", scene.history.failure,
                 (unsigned long long)scene.history.seed, scene.history.round);
    scene.jobs += (unsigned)count;
    ledger_free(&ledger);
    free(jobs);
    remove_jobs();
}

// --- what the server takes

static void say_use(const struct use *now)
{
    print_message(
        "round %u: %u events, %u jobs, %u kills, %lld KiB, %lld descriptors, %lld threads\n",
        scene.history.round, scene.events, scene.jobs, scene.kills, (long long)now->resident_kib,
        (long long)now->descriptors, (long long)now->threads);
}

// A server that is not killed is warm after an eighth of the time, and not before the second round.
static void check_use(struct mono_time end)
{
    struct use now = use_of(scene.somad.pid);
    bool is_late = clock_left_ms(end) < (int64_t)scene.seconds * 1000 / 8 * 7;
    if (scene.seconds > 0)
        say_use(&now);
    if (!scene.is_calm)
        return; // it has just been started
    if (scene.warm.threads > 0)
        use_check(&scene.warm, &now);
    else if (scene.history.round > 0 && is_late)
        scene.warm = now;
}

static void every_answer_is_explained_and_nothing_acknowledged_is_lost(void **state)
{
    (void)state;
    struct mono_time end = clock_deadline_after((int64_t)scene.seconds * 1000);
    print_message("seed %llu\n", (unsigned long long)scene.history.seed);
    for (scene.history.round = 0;
         scene.seconds > 0 ? clock_left_ms(end) > 0 : scene.history.round < scene.rounds;
         scene.history.round++) {
        play_round();
        check_round();
        check_use(end);
    }
    print_message("%u events, %u jobs, %u kills\n", scene.events, scene.jobs, scene.kills);
}

static void no_process_is_left(void **state)
{
    (void)state;
    char jobs[KIT_PATH_SIZE + 16], variable[KIT_PATH_SIZE + 32];
    struct mono_time deadline = clock_deadline_after(QUIET_MS);
    snprintf(jobs, sizeof jobs, "%s/data/jobs", scene.somad.directory);
    snprintf(variable, sizeof variable, "LEDGER=%s", scene.ledger);
    while (victims_left(jobs, variable) > 0) {
        assert_true(clock_left_ms(deadline) > 0);
        pause_ms(5);
    }
}

// Whoever checks takes the directory's lock.
static void the_data_is_sound_and_unlocked_afterwards(void **state)
{
    (void)state;
    char data[KIT_PATH_SIZE + 16];
    struct proxy_counts counts;
    soma_client_close(scene.direct);
    history_close(&scene.history);
    proxy_stop(scene.proxy, &counts);
    print_message("%u connections, %u cut, %u half closed, %u delayed, %u hung\n",
                  counts.connections, counts.cuts, counts.half_closes, counts.delays, counts.hangs);
    assert_int_equal(somad_end(&scene.somad, SIGTERM), 0);
    snprintf(data, sizeof data, "%s/data", scene.somad.directory);
    const char *const arguments[] = {"--data", data, "--check", NULL};
    assert_int_equal(somad_refused(&scene.somad, arguments), 0);
}

static int tear_down(void **state)
{
    (void)state;
    somad_remove(&scene.somad);
    return 0;
}

// The number behind an option; 0 leaves it to the caller.
static unsigned number_of(const char *text)
{
    return text ? (unsigned)strtoul(text, NULL, 10) : 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_is_explained_and_nothing_acknowledged_is_lost),
        cmocka_unit_test(no_process_is_left),
        cmocka_unit_test(the_data_is_sound_and_unlocked_afterwards),
    };
    somad_kit_open(argc, argv);
    scene.history.seed = (uint64_t)time(NULL);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--soak") == 0 && scene.seconds == 0)
            scene.seconds = SOAK_SECONDS;
        else if (strcmp(argv[i], "--calm") == 0)
            scene.is_calm = true;
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            scene.history.seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--rounds") == 0)
            scene.rounds = number_of(argv[++i]);
        else if (strcmp(argv[i], "--ops") == 0)
            scene.history.ops = number_of(argv[++i]);
        else if (strcmp(argv[i], "--seconds") == 0)
            scene.seconds = number_of(argv[++i]);
    }
    return cmocka_run_group_tests_name("history", tests, set_up, tear_down);
}
