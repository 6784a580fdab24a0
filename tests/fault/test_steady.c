// One server lives on while every method of soma.h is called again and again, rows of a graph are
// written, deleted and searched, and clients come and go: what it takes of memory, descriptors and
// threads must not grow (use.h), and in the end nothing is left of it.
//
//     test_steady [--as-user] [--seed N] [--rounds N] [--seconds N] [--soak]
//
// --seconds N goes on for so long, an hour with --soak, and says now and then what the server
// takes.
#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <soma/soma.h>

#include "base/clock.h"
#include "dice.h"
#include "method_calls.h"
#include "somad_kit.h"
#include "use.h"

enum {
    ROUNDS = 8,
    WARM_ROUNDS = 4,
    SOAK_SECONDS = 3600,
    SAY_MS = 30000,
    GUESTS = 8,
    UPLOADS = 2000, // nobody takes them, so far fewer than a server keeps
    DIM = 8,
    ROWS = 6000, // enough for a graph
    BATCH = 250,
    PAGE = 1000
};

static struct {
    struct somad somad;
    struct soma_client *client, *churner;
    pthread_t churn_thread;
    uint64_t seed;
    unsigned rounds, seconds, round;
    atomic_bool is_over;
    atomic_uint writes;
    struct soma_error churn_error; // the thread's until it has ended
    struct use warm;
} scene = {.rounds = ROUNDS};

static void must(enum soma_code code, const struct soma_error *err)
{
    if (code != SOMA_OK)
        fail_msg("round %u: %s %s (seed %llu)", scene.round, err->reason, err->text,
                 (unsigned long long)scene.seed);
}

static struct soma_client *open_client(void)
{
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    struct soma_client *client = NULL;
    options.server = scene.somad.ipc;
    assert_int_equal(soma_client_open(&options, &client, NULL), SOMA_OK);
    return client;
}

// --- rows that come and go, beside the methods

struct batch {
    char ids[BATCH][24];
    const char *names[BATCH];
    struct soma_record records[BATCH];
    float vectors[BATCH * DIM];
};

static void choose_batch(struct batch *batch, struct dice *dice)
{
    size_t first = (size_t)dice_below(dice, ROWS / BATCH) * BATCH;
    for (size_t i = 0; i < BATCH; i++) {
        snprintf(batch->ids[i], sizeof batch->ids[i], "r%zu", first + i);
        batch->names[i] = batch->ids[i];
        batch->records[i] = (struct soma_record){.id = batch->ids[i]};
    }
    for (size_t i = 0; i < (size_t)BATCH * DIM; i++)
        batch->vectors[i] = (float)dice_below(dice, 1 << 20) / (1 << 20);
}

static enum soma_code churn_once(struct batch *batch, struct dice *dice, struct soma_error *err)
{
    const struct soma_records_write_request write = {.struct_size = sizeof write,
                                                     .collection = "graph",
                                                     .records = batch->records,
                                                     .record_count = BATCH,
                                                     .embeddings = batch->vectors,
                                                     .dimension = DIM};
    const struct soma_records_delete_request delete = {.struct_size = sizeof delete,
                                                       .collection = "graph",
                                                       .ids = batch->names,
                                                       .id_count = BATCH};
    const struct soma_records_query_request query = {.struct_size = sizeof query,
                                                     .collection = "graph",
                                                     .embeddings = batch->vectors,
                                                     .query_count = 4,
                                                     .dimension = DIM,
                                                     .k = 10};
    struct soma_query_results *results = NULL;
    choose_batch(batch, dice);
    enum soma_code code = dice_below(dice, 5)
                              ? soma_records_upsert(scene.churner, &write, NULL, NULL, err)
                              : soma_records_delete(scene.churner, &delete, NULL, NULL, err);
    if (code == SOMA_OK)
        code = soma_records_query(scene.churner, &query, NULL, &results, err);
    soma_free(results);
    return code;
}

static void *churn(void *unused)
{
    (void)unused;
    static struct batch batch;
    struct dice dice;
    enum soma_code code = SOMA_OK;
    dice_init(&dice, scene.seed, 2);
    while (code == SOMA_OK && !atomic_load(&scene.is_over)) {
        code = churn_once(&batch, &dice, &scene.churn_error);
        atomic_fetch_add(&scene.writes, 1);
    }
    return NULL;
}

// --- a round

static void cancel_queued(void)
{
    static const enum soma_job_state queued[] = {SOMA_JOB_QUEUED};
    struct soma_job_list_request request = SOMA_JOB_LIST_REQUEST_INIT;
    struct soma_job_list *list = NULL;
    struct soma_error err;
    request.filter.states = queued;
    request.filter.state_count = 1;
    request.page_size = PAGE;
    must(soma_job_list(scene.client, &request, NULL, &list, &err), &err);
    for (size_t i = 0; i < list->job_count; i++) {
        const struct soma_job_cancel_request cancel = {.struct_size = sizeof cancel,
                                                       .job_id = list->jobs[i].id};
        must(soma_job_cancel(scene.client, &cancel, NULL, NULL, &err), &err);
    }
    soma_free(list);
}

// What the round has made goes, so that the next one finds an empty server.
static void clear(void)
{
    static const char *const names[] = {"c", "new"};
    const struct soma_job_prune_request prune = SOMA_JOB_PRUNE_REQUEST_INIT;
    const struct soma_token_request token = {.struct_size = sizeof token, .name = "ci"};
    struct soma_job_removed *removed = NULL;
    struct soma_error err;
    method_calls_close();
    cancel_queued();
    must(soma_job_prune(scene.client, &prune, NULL, &removed, &err), &err);
    soma_free(removed);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct soma_collection_request request = {.struct_size = sizeof request,
                                                        .collection = names[i]};
        soma_collection_delete(scene.client, &request, NULL, NULL, NULL);
    }
    soma_token_revoke(scene.client, &token, NULL, NULL, NULL);
}

static void call_all_methods(void)
{
    method_calls_open(scene.client);
    for (size_t i = 0; i < method_call_count; i++) {
        const struct method_call *call = &method_calls[i];
        struct soma_error err;
        if (strcmp(call->name, "job_upload") == 0 && scene.round >= UPLOADS)
            continue;
        if (call->prepare)
            call->prepare();
        if (call->run(NULL, &err) != SOMA_OK)
            fail_msg("%s, round %u: %s %s", call->name, scene.round, err.reason, err.text);
    }
    clear();
}

static void have_guests(void)
{
    for (unsigned i = 0; i < GUESTS; i++) {
        const struct soma_ping_request request = {.struct_size = sizeof request};
        struct soma_client *guest = open_client();
        struct soma_error err;
        must(soma_server_ping(guest, &request, NULL, NULL, &err), &err);
        soma_client_close(guest);
    }
}

static void what_large_requests_took_is_given_back(void **state)
{
    (void)state;
    struct use before = use_of(scene.somad.pid);
    use_warm_up(scene.client);
    before.resident_kib += USE_CACHES_KIB;
    struct use after = use_of(scene.somad.pid);
    use_check(&before, &after);
}

static bool is_warm(struct mono_time end)
{
    if (scene.seconds == 0)
        return scene.round + 1 >= WARM_ROUNDS;
    return clock_left_ms(end) < (int64_t)scene.seconds * 1000 / 8 * 7;
}

static void say_use(const struct use *use)
{
    print_message("round %u: %u batches of rows, %lld KiB, %lld descriptors, %lld threads\n",
                  scene.round, atomic_load(&scene.writes), (long long)use->resident_kib,
                  (long long)use->descriptors, (long long)use->threads);
}

static void what_the_server_takes_does_not_grow(void **state)
{
    (void)state;
    struct mono_time end = clock_deadline_after((int64_t)scene.seconds * 1000);
    struct mono_time say = clock_deadline_after(0);
    struct use now;
    do {
        call_all_methods();
        have_guests();
        now = use_of(scene.somad.pid);
        if (scene.warm.threads > 0)
            use_check(&scene.warm, &now);
        else if (is_warm(end))
            scene.warm = now;
        if (scene.seconds > 0 && clock_left_ms(say) == 0) {
            say_use(&now);
            say = clock_deadline_after(SAY_MS);
        }
        scene.round++;
    } while (scene.seconds > 0 ? clock_left_ms(end) > 0 : scene.round < scene.rounds);
    say_use(&now);
}

// The socket's lock file stays, unlocked: who removes it takes it from one who is about to lock it.
static bool is_known(const char *name)
{
    static const char *const known[] = {".", "..", "data", "stderr", "refused", "socket.lock"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(name, known[i]) == 0)
            return true;
    }
    return false;
}

static void check_that_no_file_is_left(void)
{
    const struct dirent *entry;
    DIR *directory = opendir(scene.somad.directory);
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        if (!is_known(entry->d_name))
            fail_msg("%s is left", entry->d_name);
    }
    closedir(directory);
}

static void the_server_ends_well_and_leaves_sound_data_and_no_socket(void **state)
{
    (void)state;
    char data[KIT_PATH_SIZE + 16];
    atomic_store(&scene.is_over, true);
    pthread_join(scene.churn_thread, NULL);
    assert_string_equal(scene.churn_error.text, "");
    soma_client_close(scene.churner);
    soma_client_close(scene.client);
    assert_int_equal(somad_end(&scene.somad, SIGTERM), 0);
    snprintf(data, sizeof data, "%s/data", scene.somad.directory);
    const char *const arguments[] = {"--data", data, "--check", NULL};
    assert_int_equal(somad_refused(&scene.somad, arguments), 0);
    check_that_no_file_is_left();
}

// --- the scene

static int set_up(void **state)
{
    (void)state;
    const struct soma_collection_create_request create = {
        .struct_size = sizeof create, .name = "graph", .dimension = DIM, .metric = SOMA_METRIC_L2};
    struct soma_error err;
    print_message("seed %llu\n", (unsigned long long)scene.seed);
    setenv("SOMA_SANDBOX", "off", 1);
    somad_prepare(&scene.somad);
    somad_start(&scene.somad);
    scene.client = open_client();
    scene.churner = open_client();
    must(soma_collection_create(scene.client, &create, NULL, NULL, &err), &err);
    assert_int_equal(pthread_create(&scene.churn_thread, NULL, churn, NULL), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    somad_remove(&scene.somad);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_large_requests_took_is_given_back),
        cmocka_unit_test(what_the_server_takes_does_not_grow),
        cmocka_unit_test(the_server_ends_well_and_leaves_sound_data_and_no_socket),
    };
    somad_kit_open(argc, argv);
    scene.seed = (uint64_t)time(NULL);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--soak") == 0 && scene.seconds == 0)
            scene.seconds = SOAK_SECONDS;
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            scene.seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc)
            scene.rounds = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            scene.seconds = (unsigned)strtoul(argv[++i], NULL, 10);
    }
    return cmocka_run_group_tests_name("steady", tests, set_up, tear_down);
}
