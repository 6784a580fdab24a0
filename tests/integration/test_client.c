// libsoma against the real somad, which is restarted and killed under it.
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

#include <cmocka.h>
#include <soma/soma.h>

#include "somad_kit.h"

enum {
    RESTARTS = 25,
    THREADS = 64,
    PINGS = 100,
    SUBMITTERS = 4,
    SUBMITS = 40,
    KILLS = 5,
    LINES = 3000,
    OUTPUT_BYTES_MAX = 1 << 20
};

struct scene {
    struct somad somad;
    struct soma_client *client;
};

static int open_scene(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    somad_prepare(&scene->somad);
    somad_start(&scene->somad);
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    options.server = scene->somad.ipc;
    options.connect_timeout_ms = -1;
    assert_int_equal(soma_client_open(&options, &scene->client, NULL), SOMA_OK);
    *state = scene;
    return 0;
}

static int close_scene(void **state)
{
    struct scene *scene = *state;
    soma_client_close(scene->client);
    somad_remove(&scene->somad);
    free(scene);
    return 0;
}

static enum soma_code ping(struct scene *scene)
{
    struct soma_ping_request request = SOMA_PING_REQUEST_INIT;
    struct soma_error err = {0};
    enum soma_code code = soma_server_ping(scene->client, &request, NULL, NULL, &err);
    if (code != SOMA_OK)
        print_error("%s: %s\n", err.reason, err.text);
    return code;
}

static void a_client_outlives_its_servers(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < RESTARTS; i++) {
        assert_int_equal(ping(scene), SOMA_OK);
        somad_end(&scene->somad, i % 2 ? SIGKILL : SIGTERM);
        somad_start(&scene->somad);
    }
    assert_int_equal(ping(scene), SOMA_OK);
}

static void *ping_often(void *arg)
{
    uintptr_t failed = 0;
    for (int i = 0; i < PINGS; i++)
        failed += ping(arg) != SOMA_OK;
    return (void *)failed;
}

static void many_threads_share_one_client(void **state)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ping_often, *state), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
}

// --- changes over kills

struct submitter {
    struct scene *scene;
    pthread_t thread;
    int number;
    atomic_int done;
    char ids[SUBMITS][32];
};

static void *submit_all(void *arg)
{
    struct submitter *submitter = arg;
    const char *const arguments[] = {"true"};
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    spec.arguments = arguments;
    spec.argument_count = 1;
    spec.not_before_ms = INT64_C(4102444800000); // 2100: it stays queued
    for (int i = 0; i < SUBMITS; i++) {
        struct soma_error err = {0};
        struct soma_job *job;
        if (soma_job_submit(submitter->scene->client, &spec, NULL, &job, &err) == SOMA_OK)
            snprintf(submitter->ids[i], sizeof submitter->ids[i], "%s", job->id);
        else
            print_error("%s: %s\n", err.reason, err.text);
        soma_free(job);
        atomic_fetch_add(&submitter->done, 1);
    }
    return NULL;
}

static bool was_submitted(const struct submitter *submitters, const char *id)
{
    for (int i = 0; i < SUBMITTERS; i++) {
        for (int j = 0; j < SUBMITS; j++) {
            if (strcmp(submitters[i].ids[j], id) == 0)
                return true;
        }
    }
    return false;
}

// Exactly what was acknowledged is there: nothing is lost, and nothing happened twice.
static void check_jobs(struct scene *scene, const struct submitter *submitters)
{
    struct soma_job_list_request request = SOMA_JOB_LIST_REQUEST_INIT;
    struct soma_job_list *list;
    struct soma_error err = {0};
    request.page_size = 1000;
    assert_int_equal(soma_job_list(scene->client, &request, NULL, &list, &err), SOMA_OK);
    assert_int_equal(list->job_count, SUBMITTERS * SUBMITS);
    for (size_t i = 0; i < list->job_count; i++)
        assert_true(was_submitted(submitters, list->jobs[i].id));
    soma_free(list);
}

static void a_killed_server_does_each_change_once(void **state)
{
    static struct submitter submitters[SUBMITTERS];
    struct scene *scene = *state;
    for (int i = 0; i < SUBMITTERS; i++) {
        submitters[i].scene = scene;
        assert_int_equal(pthread_create(&submitters[i].thread, NULL, submit_all, &submitters[i]),
                         0);
    }
    for (int i = 1; i <= KILLS; i++) {
        // In the middle of what the first one has yet to do.
        while (atomic_load(&submitters[0].done) < SUBMITS * i / (KILLS + 1))
            assert_int_equal(ping(scene), SOMA_OK);
        somad_end(&scene->somad, SIGKILL);
        somad_start(&scene->somad);
    }
    for (int i = 0; i < SUBMITTERS; i++)
        pthread_join(submitters[i].thread, NULL);
    check_jobs(scene, submitters);
}

// --- closing

struct tally {
    atomic_int ended;
    atomic_int wrong;
};

static void count_ping(void *user, struct soma_ping *result, const struct soma_error *err)
{
    struct tally *tally = user;
    soma_free(result);
    if (err && err->code != SOMA_CANCELLED)
        atomic_fetch_add(&tally->wrong, 1);
    atomic_fetch_add(&tally->ended, 1);
}

static void count_changes(void *user, struct soma_job_changes *result, const struct soma_error *err)
{
    count_ping(user, NULL, err);
    soma_free(result);
}

static void closing_under_load_ends_every_call(void **state)
{
    struct scene *scene = *state;
    struct tally tally = {0};
    struct soma_ping_request ping_request = SOMA_PING_REQUEST_INIT;
    struct soma_job_watch_request watch = SOMA_JOB_WATCH_REQUEST_INIT;
    watch.wait_ms = 60000;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(
            soma_job_watch_async(scene->client, &watch, NULL, count_changes, &tally, NULL, NULL),
            SOMA_OK);
        for (int j = 0; j < 20; j++)
            assert_int_equal(soma_server_ping_async(scene->client, &ping_request, NULL, count_ping,
                                                    &tally, NULL, NULL),
                             SOMA_OK);
    }
    soma_client_close(scene->client);
    scene->client = NULL;
    assert_int_equal(atomic_load(&tally.ended), 50 * 21);
    assert_int_equal(atomic_load(&tally.wrong), 0);
}

// --- following

struct reader {
    struct scene *scene;
    char *got;
    size_t length;
    int restarts;
    bool has_gap;
};

static bool read_and_restart(void *user, enum soma_stream stream, int64_t offset, const void *data,
                             size_t length)
{
    struct reader *reader = user;
    reader->has_gap = stream != SOMA_STDOUT || offset != (int64_t)reader->length ||
                      reader->length + length > OUTPUT_BYTES_MAX;
    if (reader->has_gap)
        return false;
    memcpy(reader->got + reader->length, data, length);
    reader->length += length;
    if (reader->restarts < 3) {
        somad_end(&reader->scene->somad, reader->restarts % 2 ? SIGTERM : SIGKILL);
        somad_start(&reader->scene->somad);
        reader->restarts++;
    }
    return true;
}

static void a_follow_goes_on_over_restarts_without_a_gap(void **state)
{
    static const char source[] = "i=0\n"
                                 "while [ $i -lt 3000 ]; do\n"
                                 "  echo line $i; i=$((i+1))\n"
                                 "  [ $((i % 100)) -ne 0 ] || sleep 0.05\n"
                                 "done\nexit 7\n";
    struct reader reader = {.scene = *state, .got = calloc(1, OUTPUT_BYTES_MAX)};
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    struct soma_job_follow_request request = SOMA_JOB_FOLLOW_REQUEST_INIT;
    struct soma_job *job;
    struct soma_error err = {0};
    assert_non_null(reader.got);
    spec.language = "sh";
    spec.source = source;
    spec.source_length = strlen(source);
    assert_int_equal(soma_job_submit(reader.scene->client, &spec, NULL, &job, &err), SOMA_OK);
    request.job_id = job->id;
    request.stderr_offset = -1;
    request.user = &reader;
    request.on_output = read_and_restart;
    struct soma_job *ended = NULL;
    enum soma_code code = soma_job_follow(reader.scene->client, &request, NULL, &ended, &err);
    if (code != SOMA_OK)
        print_error("%s: %s\n", err.reason, err.text);
    assert_int_equal(code, SOMA_OK);
    assert_int_equal(soma_job_exit_status(ended), 7);
    assert_int_equal(reader.restarts, 3);
    const char *at = reader.got;
    for (int i = 0; i < LINES; i++) {
        char line[32];
        int length = snprintf(line, sizeof line, "line %d\n", i);
        assert_memory_equal(at, line, (size_t)length);
        at += length;
    }
    assert_int_equal(at - reader.got, reader.length);
    soma_free(ended);
    soma_free(job);
    free(reader.got);
}

#define SCENE(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(a_client_outlives_its_servers),
        SCENE(many_threads_share_one_client),
        SCENE(a_killed_server_does_each_change_once),
        SCENE(closing_under_load_ends_every_call),
        SCENE(a_follow_goes_on_over_restarts_without_a_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
