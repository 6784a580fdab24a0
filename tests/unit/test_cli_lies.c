// The program soma, asked of a server that says what no honest one does.
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <soma/soma.h>
#include <soma/v1/jobs.pb-c.h>
#include <soma/v1/vectors.pb-c.h>

#include "fake_server.h"

enum {
    TEXT_SIZE = 8192
};

struct scene {
    struct fake_server *server;
    char directory[64];   // where files are written
    char text[TEXT_SIZE]; // what the program said, on both streams
    // What the server says: its thread reads it, while soma runs.
    pthread_mutex_t lock;
    uint32_t dimension;       // of a collection
    size_t record_count;      // in its one page
    size_t numbers_of_record; // in that page
    bool has_more;            // after that page, which is never got
    double percent;           // of a job's progress
    const char *piece;        // of an artifact of 100 bytes; what follows is empty
};

static void answer_collection(const struct scene *scene, struct fake_answer *answer)
{
    Pb__GetCollectionResponse *reply =
        fake_message(answer, &pb__get_collection_response__descriptor);
    reply->collection = fake_message(answer, &pb__collection__descriptor);
    reply->collection->name = "docs";
    reply->collection->uid = "0123456789abcdef";
    reply->collection->dimension = scene->dimension;
    reply->collection->record_count = (int64_t)scene->record_count;
    answer->message = &reply->base;
}

static void answer_scan(const struct scene *scene, const struct fake_request *request,
                        struct fake_answer *answer)
{
    Pb__ScanRecordsRequest *sent =
        fake_unpack(request, answer, &pb__scan_records_request__descriptor);
    if (sent->cursor && sent->cursor[0]) {
        answer->code = SOMA_NOT_FOUND;
        answer->reason = "COLLECTION_NOT_FOUND";
        return;
    }
    Pb__ScanRecordsResponse *reply = fake_message(answer, &pb__scan_records_response__descriptor);
    reply->n_records = scene->record_count;
    reply->records = arena_calloc(answer->arena, scene->record_count, sizeof(void *));
    for (size_t i = 0; i < scene->record_count; i++) {
        reply->records[i] = fake_message(answer, &pb__record__descriptor);
        reply->records[i]->id = "id";
    }
    reply->n_embeddings = scene->record_count * scene->numbers_of_record;
    reply->embeddings = arena_calloc(answer->arena, reply->n_embeddings, sizeof(float));
    reply->next_cursor = scene->has_more ? "more" : "";
    answer->message = &reply->base;
}

static void answer_job(const struct scene *scene, struct fake_answer *answer)
{
    Pb__GetJobResponse *reply = fake_message(answer, &pb__get_job_response__descriptor);
    reply->job = fake_message(answer, &pb__job__descriptor);
    reply->job->id = "JOB";
    reply->job->status = fake_message(answer, &pb__job_status__descriptor);
    reply->job->status->state = PB__JOB_STATE__JOB_STATE_RUNNING;
    reply->job->status->progress = fake_message(answer, &pb__job_progress__descriptor);
    reply->job->status->progress->percent = scene->percent;
    answer->message = &reply->base;
}

static void answer_artifacts(struct fake_answer *answer)
{
    Pb__ListJobArtifactsResponse *reply =
        fake_message(answer, &pb__list_job_artifacts_response__descriptor);
    reply->n_artifacts = 1;
    reply->artifacts = arena_calloc(answer->arena, 1, sizeof(void *));
    reply->artifacts[0] = fake_message(answer, &pb__job_artifact__descriptor);
    reply->artifacts[0]->path = "model.bin";
    reply->artifacts[0]->size_bytes = 100;
    reply->attempt = 1;
    reply->end = true;
    answer->message = &reply->base;
}

static void answer_piece(const struct scene *scene, const struct fake_request *request,
                         struct fake_answer *answer)
{
    Pb__ReadJobArtifactRequest *sent =
        fake_unpack(request, answer, &pb__read_job_artifact_request__descriptor);
    Pb__ReadJobArtifactResponse *reply =
        fake_message(answer, &pb__read_job_artifact_response__descriptor);
    reply->data.len = sent->offset == 0 ? strlen(scene->piece) : 0;
    reply->data.data = (uint8_t *)(uintptr_t)scene->piece;
    reply->size_bytes = 100;
    answer->message = &reply->base;
}

static void script(void *user, const struct fake_request *request, struct fake_answer *answer)
{
    struct scene *scene = user;
    pthread_mutex_lock(&scene->lock);
    if (strstr(request->method, "/GetCollection"))
        answer_collection(scene, answer);
    else if (strstr(request->method, "/ScanRecords"))
        answer_scan(scene, request, answer);
    else if (strstr(request->method, "/GetJob"))
        answer_job(scene, answer);
    else if (strstr(request->method, "/ListJobArtifacts"))
        answer_artifacts(answer);
    else if (strstr(request->method, "/ReadJobArtifact"))
        answer_piece(scene, request, answer);
    else
        answer->code = SOMA_UNIMPLEMENTED;
    pthread_mutex_unlock(&scene->lock);
}

static int open_scene(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    pthread_mutex_init(&scene->lock, NULL);
    scene->server = fake_server_open(script, scene);
    snprintf(scene->directory, sizeof scene->directory, "/tmp/soma-lies-XXXXXX");
    assert_non_null(mkdtemp(scene->directory));
    *state = scene;
    return 0;
}

// Fails where a file is left: nothing that comes from here is ever whole.
static int close_scene(void **state)
{
    struct scene *scene = *state;
    fake_server_close(scene->server);
    pthread_mutex_destroy(&scene->lock);
    assert_int_equal(rmdir(scene->directory), 0);
    free(scene);
    return 0;
}

// The scene changes hands, between this thread and the server's.
static void hand_over(struct scene *scene)
{
    pthread_mutex_lock(&scene->lock);
    pthread_mutex_unlock(&scene->lock);
}

// Runs soma in the directory; its exit status.
static int run(struct scene *scene, const char *arguments)
{
    char command[1024];
    int length = snprintf(command, sizeof command,
                          "cd %s && XDG_CONFIG_HOME=%s SOMA_SERVER=%s exec %s %s 2>&1 </dev/null",
                          scene->directory, scene->directory, fake_server_url(scene->server),
                          SOMA_PROGRAM, arguments);
    assert_true(length > 0 && (size_t)length < sizeof command);
    hand_over(scene);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    size_t got = fread(scene->text, 1, TEXT_SIZE - 1, output);
    scene->text[got] = '\0';
    int status = pclose(output);
    hand_over(scene);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void assert_says(const struct scene *scene, const char *part)
{
    if (!strstr(scene->text, part))
        fail_msg("'%s' does not hold '%s'", scene->text, part);
}

static void embeddings_of_another_length_are_not_exported(void **state)
{
    struct scene *scene = *state;
    static const char *const files[] = {"docs.npy", "docs.fvecs", "docs.jsonl", "-"};
    static const size_t lengths[] = {0, 1, 4096};
    scene->dimension = 1024;
    scene->record_count = 3;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        for (size_t j = 0; j < sizeof lengths / sizeof lengths[0]; j++) {
            char arguments[64], said[96];
            scene->numbers_of_record = lengths[j];
            snprintf(arguments, sizeof arguments, "export docs %s", files[i]);
            assert_int_equal(run(scene, arguments), 1);
            snprintf(said, sizeof said, "of %zu numbers, but the collection's dimension is 1024",
                     lengths[j]);
            assert_says(scene, said);
        }
    }
}

static void write_file(const struct scene *scene, const char *name, const char *text)
{
    char path[96];
    snprintf(path, sizeof path, "%s/%s", scene->directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

// Takes the file away.
static void assert_file_is(const struct scene *scene, const char *name, const char *text)
{
    char path[96], there[64] = "";
    snprintf(path, sizeof path, "%s/%s", scene->directory, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    there[fread(there, 1, sizeof there - 1, file)] = '\0';
    fclose(file);
    assert_int_equal(unlink(path), 0);
    assert_string_equal(there, text);
}

static void what_comes_to_no_end_replaces_neither_vectors_nor_ids(void **state)
{
    struct scene *scene = *state;
    scene->dimension = 4;
    scene->numbers_of_record = 4;
    scene->record_count = 3;
    scene->has_more = true;
    write_file(scene, "docs.npy", "old vectors");
    write_file(scene, "names", "old ids");
    assert_int_equal(run(scene, "export docs docs.npy --ids names"), 3);
    assert_file_is(scene, "docs.npy", "old vectors");
    assert_file_is(scene, "names", "old ids");
}

static void an_artifact_that_ends_too_early_is_no_success(void **state)
{
    struct scene *scene = *state;
    scene->piece = "";
    assert_int_equal(run(scene, "artifacts JOB"), 1);
    assert_says(scene, "cannot fetch model.bin: the server sent 0 of its 100 bytes and no more");
    scene->piece = "some bytes";
    assert_int_equal(run(scene, "artifacts JOB"), 1);
    assert_says(scene, "cannot fetch model.bin: the server sent 10 of its 100 bytes and no more");
}

static void progress_is_a_percent_or_none(void **state)
{
    struct scene *scene = *state;
    static const struct {
        double percent;
        const char *json;
    } rows[] = {
        {NAN, "\"progress\":null"},       {-1e300, "\"progress\":null"},
        {-INFINITY, "\"progress\":null"}, {0, "\"percent\":0.0"},
        {99.5, "\"percent\":99.5"},       {1e300, "\"percent\":100.0"},
        {INFINITY, "\"percent\":100.0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        scene->percent = rows[i].percent;
        assert_int_equal(run(scene, "-o jsonl show JOB"), 0);
        assert_says(scene, rows[i].json);
    }
    assert_int_equal(run(scene, "show JOB"), 0);
    assert_says(scene, "100%");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(embeddings_of_another_length_are_not_exported, open_scene,
                                        close_scene),
        cmocka_unit_test_setup_teardown(what_comes_to_no_end_replaces_neither_vectors_nor_ids,
                                        open_scene, close_scene),
        cmocka_unit_test_setup_teardown(an_artifact_that_ends_too_early_is_no_success, open_scene,
                                        close_scene),
        cmocka_unit_test_setup_teardown(progress_is_a_percent_or_none, open_scene, close_scene),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
