// Writing records: what changes nothing writes nothing, what is refused changes nothing, and what
// was acknowledged survives.
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "vectors_scene.h"
#include "wire/limits.h"

enum {
    DIM = 4,
    COUNT = 100,
    BUDGET = 16 << 20
};

static struct vectors_scene scene;

static int set_up(void **state)
{
    (void)state;
    scene_open(&scene, BUDGET);
    scene_create(&scene, "c", DIM, METRIC_COSINE);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scene_close(&scene);
    return 0;
}

// COUNT records "0", "1", … with a document and one tag.
struct sample {
    char ids[COUNT][16];
    int64_t tags[COUNT];
    struct metadata_field fields[COUNT];
    struct record_input inputs[COUNT];
    float embeddings[COUNT * DIM];
};

static void fill(struct sample *sample)
{
    uint64_t random = 3;
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(sample->ids[i], sizeof sample->ids[i], "%zu", i);
        sample->tags[i] = (int64_t)i;
        sample->fields[i] =
            (struct metadata_field){"tag", METADATA_INT, 1, {.ints = &sample->tags[i]}};
        sample->inputs[i] = (struct record_input){sample->ids[i], "text", &sample->fields[i], 1};
        for (size_t j = 0; j < DIM; j++)
            sample->embeddings[i * DIM + j] = (float)scene_random(&random, 1000) + 1;
    }
}

static struct write_result upsert(const struct sample *sample, size_t count)
{
    struct write_result result;
    struct soma_error err;
    if (scene_write(&scene, WRITE_UPSERT, "c", sample->inputs, count, sample->embeddings, &result,
                    &err))
        fail_msg("%s: %s", err.field, err.text);
    return result;
}

static long long database_bytes_written(void)
{
    // The log only grows while nobody checkpoints, and the scratch store is far below that.
    char path[128];
    struct stat info;
    snprintf(path, sizeof path, "%s/soma.db-wal", scene.scratch.directory);
    assert_int_equal(stat(path, &info), 0);
    return info.st_size;
}

static struct record_row read_record(const char *id)
{
    struct store_txn *txn;
    struct collection_row row;
    struct record_row record = {0};
    int64_t num;
    uint8_t hash[RECORD_HASH_BYTES];
    bool found;
    assert_int_equal(
        collection_snapshot(scene.scratch.store, "c", 0, &scene.arena, &txn, &row, NULL), SOMA_OK);
    assert_int_equal(records_find(txn, row.partition, id, &num, hash, &found, NULL), SOMA_OK);
    if (found)
        assert_int_equal(records_read(txn, num, (struct record_parts){true, true, true}, DIM,
                                      &scene.arena, &record, NULL),
                         SOMA_OK);
    store_read_end(txn);
    return record;
}

// Of all that the log holds: any page that is written, anywhere in it, changes it.
static uint64_t log_hash(void)
{
    char path[128];
    uint64_t hash = 14695981039346656037u;
    snprintf(path, sizeof path, "%s/soma.db-wal", scene.scratch.directory);
    FILE *file = fopen(path, "rbe");
    assert_non_null(file);
    for (int c = getc(file); c != EOF; c = getc(file))
        hash = (hash ^ (unsigned)c) * 1099511628211u;
    fclose(file);
    return hash;
}

static void ten_thousand_the_same_again_write_no_page(void **state)
{
    (void)state;
    static char ids[LIMIT_BATCH_RECORDS][16];
    static struct record_input inputs[LIMIT_BATCH_RECORDS];
    static float embeddings[LIMIT_BATCH_RECORDS * DIM];
    struct write_result result;
    for (size_t i = 0; i < LIMIT_BATCH_RECORDS; i++) {
        snprintf(ids[i], sizeof ids[i], "%zu", i);
        inputs[i] = (struct record_input){.id = ids[i], .document = "some text"};
        for (size_t j = 0; j < DIM; j++)
            embeddings[i * DIM + j] = (float)(i + j + 1);
    }
    for (int round = 0; round < 3; round++) {
        uint64_t before = round ? log_hash() : 0;
        assert_int_equal(scene_write(&scene, WRITE_UPSERT, "c", inputs, LIMIT_BATCH_RECORDS,
                                     embeddings, &result, NULL),
                         SOMA_OK);
        assert_int_equal(round ? result.unchanged : result.inserted, LIMIT_BATCH_RECORDS);
        assert_true(!round || log_hash() == before);
    }
    inputs[77].document = "another text";
    uint64_t before = log_hash();
    assert_int_equal(scene_write(&scene, WRITE_UPSERT, "c", inputs, LIMIT_BATCH_RECORDS, embeddings,
                                 &result, NULL),
                     SOMA_OK);
    assert_int_equal(result.updated, 1);
    assert_true(log_hash() != before);
}

static void the_same_again_is_unchanged_and_writes_no_page(void **state)
{
    (void)state;
    static struct sample sample;
    fill(&sample);
    assert_int_equal(upsert(&sample, COUNT).inserted, COUNT);
    long long bytes = database_bytes_written();
    struct write_result again = upsert(&sample, COUNT);
    assert_int_equal(again.unchanged, COUNT);
    assert_int_equal(again.inserted + again.updated, 0);
    assert_int_equal(again.changes.sequence, 1);
    assert_true(database_bytes_written() == bytes);
    sample.tags[7]++;
    again = upsert(&sample, COUNT);
    assert_int_equal(again.updated, 1);
    assert_int_equal(again.unchanged, COUNT - 1);
    assert_int_equal(again.changes.count, 0); // the embedding is the same
    assert_true(database_bytes_written() > bytes);
}

static void every_part_of_the_content_counts(void **state)
{
    (void)state;
    static struct sample sample;
    fill(&sample);
    upsert(&sample, 1);
    sample.inputs[0].document = NULL;
    assert_int_equal(upsert(&sample, 1).updated, 1);
    assert_null(read_record("0").document);
    sample.inputs[0].document = ""; // is not "none"
    assert_int_equal(upsert(&sample, 1).updated, 1);
    assert_string_equal(read_record("0").document, "");
    sample.inputs[0].field_count = 0;
    assert_int_equal(upsert(&sample, 1).updated, 1);
    assert_int_equal(read_record("0").metadata.length, 0);
    sample.embeddings[0] = 0;
    assert_int_equal(upsert(&sample, 1).updated, 1);
    sample.embeddings[0] = -0.0f; // other bits
    assert_int_equal(upsert(&sample, 1).updated, 1);
    assert_memory_equal(read_record("0").embedding, sample.embeddings, DIM * sizeof(float));
    assert_int_equal(upsert(&sample, 1).unchanged, 1);
}

static void of_equal_ids_in_a_batch_the_last_counts(void **state)
{
    (void)state;
    static struct sample sample;
    fill(&sample);
    for (size_t i = 0; i < 10; i++)
        sample.inputs[i].id = i % 2 ? "odd" : "even";
    struct write_result result = upsert(&sample, 10);
    assert_int_equal(result.inserted, 2);
    assert_int_equal(result.skipped, 8);
    assert_memory_equal(read_record("odd").embedding, sample.embeddings + 9 * DIM,
                        DIM * sizeof(float));
    assert_int_equal(scene_get(&scene, "c").record_count, 2);
}

static void a_record_without_id_gets_one_from_its_content(void **state)
{
    (void)state;
    static struct sample sample;
    fill(&sample);
    for (size_t i = 0; i < 3; i++)
        sample.inputs[i].id = "";
    memcpy(sample.embeddings + 2 * DIM, sample.embeddings, DIM * sizeof(float));
    sample.tags[2] = sample.tags[0]; // 2 has the content of 0
    struct write_result result = upsert(&sample, 3);
    assert_int_equal(result.inserted, 2);
    assert_int_equal(result.skipped, 1);
    assert_int_equal(strlen(result.changes.changes[0].id), 32);
    assert_int_equal(upsert(&sample, 3).unchanged, 2);
}

static void expect_refused(const struct sample *sample, enum write_mode mode, const char *reason,
                           const char *field)
{
    struct soma_error err = {0};
    struct collection_row before = scene_get(&scene, "c");
    assert_int_equal(
        scene_write(&scene, mode, "c", sample->inputs, 3, sample->embeddings, NULL, &err),
        SOMA_INVALID_ARGUMENT);
    assert_string_equal(err.reason, reason);
    assert_string_equal(err.field, field);
    struct collection_row after = scene_get(&scene, "c");
    assert_int_equal(after.sequence, before.sequence);
    assert_int_equal(after.record_count, before.record_count);
    assert_null(read_record("0").id);
}

static void what_is_invalid_refuses_the_whole_batch(void **state)
{
    (void)state;
    static struct sample sample;
    static char long_id[LIMIT_RECORD_ID_BYTES + 2];
    memset(long_id, 'x', sizeof long_id - 1);
    fill(&sample);
    sample.embeddings[2 * DIM + 1] = NAN;
    expect_refused(&sample, WRITE_UPSERT, "EMBEDDING_NOT_FINITE", "embeddings[2]");
    sample.embeddings[2 * DIM + 1] = -INFINITY;
    expect_refused(&sample, WRITE_INSERT, "EMBEDDING_NOT_FINITE", "embeddings[2]");
    memset(sample.embeddings + 2 * DIM, 0, DIM * sizeof(float));
    expect_refused(&sample, WRITE_UPSERT, "EMBEDDING_ZERO", "embeddings[2]");
    fill(&sample);
    sample.inputs[1].id = long_id;
    expect_refused(&sample, WRITE_UPSERT, "FIELD_TOO_LONG", "records[1].id");
    sample.inputs[1].id = "";
    expect_refused(&sample, WRITE_UPDATE, "FIELD_REQUIRED", "records[1].id");
    fill(&sample);
    sample.fields[2].key = "$tag";
    expect_refused(&sample, WRITE_UPSERT, "FIELD_INVALID", "records[2].metadata[0].key");
}

static void an_update_merges_and_keeps_what_is_absent(void **state)
{
    (void)state;
    static struct sample sample;
    fill(&sample);
    upsert(&sample, 2);
    const char *colour = "red";
    struct metadata_field patch[] = {{"colour", METADATA_STRING, 1, {.strings = &colour}},
                                     {"tag", METADATA_REMOVE, 0, {.ints = NULL}}};
    struct record_input updates[] = {{"0", NULL, patch, 2}, {"gone", "x", NULL, 0}};
    struct write_result result;
    assert_int_equal(scene_write(&scene, WRITE_UPDATE, "c", updates, 2, NULL, &result, NULL),
                     SOMA_OK);
    assert_int_equal(result.updated, 1);
    assert_int_equal(result.failure_count, 1);
    assert_int_equal(result.failures[0].index, 1);
    assert_string_equal(result.failures[0].reason, "RECORD_NOT_FOUND");
    struct record_row record = read_record("0");
    struct metadata_item item;
    assert_string_equal(record.document, "text");
    assert_memory_equal(record.embedding, sample.embeddings, DIM * sizeof(float));
    assert_true(metadata_find(record.metadata, "colour", 6, &item));
    assert_false(metadata_find(record.metadata, "tag", 3, &item));
    assert_int_equal(scene_write(&scene, WRITE_UPDATE, "c", updates, 1, NULL, &result, NULL),
                     SOMA_OK);
    assert_int_equal(result.unchanged, 1);
}

// Of what an update replaces only metadata is kept until the batch is written.
static void an_update_of_large_records_takes_little_memory(void **state)
{
    (void)state;
    enum {
        MANY = 40,
        DOCUMENT_BYTES = 400000
    };
    static struct sample sample;
    char *document = malloc(DOCUMENT_BYTES);
    assert_non_null(document);
    for (size_t at = 0; at < DOCUMENT_BYTES; at++)
        document[at] = at % 8 == 7 ? ' ' : 'x';
    document[DOCUMENT_BYTES - 1] = '\0';
    fill(&sample);
    for (size_t i = 0; i < MANY; i++)
        sample.inputs[i].document = document;
    upsert(&sample, MANY);
    for (size_t i = 0; i < MANY; i++) {
        sample.tags[i] += 1000;
        sample.inputs[i].document = NULL;
    }
    arena_reset(&scene.arena, 0);
    struct write_result result;
    assert_int_equal(
        scene_write(&scene, WRITE_UPDATE, "c", sample.inputs, MANY, NULL, &result, NULL), SOMA_OK);
    assert_int_equal(result.updated, MANY);
    assert_int_equal(result.changes.metadata_count, MANY);
    assert_in_range(scene.arena.held, 0, MANY * DOCUMENT_BYTES / 4);
    assert_string_equal(read_record("7").document, document);
    free(document);
}

static void an_insert_reports_what_exists_and_writes_the_rest(void **state)
{
    (void)state;
    static struct sample sample;
    fill(&sample);
    upsert(&sample, 2);
    struct write_result result;
    assert_int_equal(
        scene_write(&scene, WRITE_INSERT, "c", sample.inputs, 4, sample.embeddings, &result, NULL),
        SOMA_OK);
    assert_int_equal(result.inserted, 2);
    assert_int_equal(result.failure_count, 2);
    assert_int_equal(result.failures[1].index, 1);
    assert_int_equal(result.failures[1].code, SOMA_ALREADY_EXISTS);
    assert_string_equal(result.failures[1].reason, "RECORD_EXISTS");
}

static void clearing_and_removing_are_purged_in_steps(void **state)
{
    (void)state;
    static struct sample sample;
    fill(&sample);
    upsert(&sample, COUNT);
    scene_clear(&scene, "c");
    assert_int_equal(scene_get(&scene, "c").record_count, 0);
    assert_null(read_record("0").id);
    assert_int_equal(upsert(&sample, 10).inserted, 10);
    assert_in_range(scene_purge(&scene, 9), COUNT / 9, COUNT / 9 + 3);
    assert_non_null(read_record("3").id); // of the new life
    scene_remove(&scene, "c");
    struct store_txn *txn;
    struct collection_row row;
    assert_int_equal(
        collection_snapshot(scene.scratch.store, "c", 0, &scene.arena, &txn, &row, NULL),
        SOMA_NOT_FOUND);
    scene_create(&scene, "c", DIM, METRIC_L2);
    assert_null(read_record("3").id);
    scene_purge(&scene, 1000);
}

static void past_the_memory_budget_a_write_is_refused_with_the_number(void **state)
{
    (void)state;
    struct vectors_scene small;
    static struct sample sample;
    fill(&sample);
    scene_open(&small, 4096);
    scene_create(&small, "c", DIM, METRIC_L2);
    struct soma_error err;
    assert_int_equal(
        scene_write(&small, WRITE_UPSERT, "c", sample.inputs, COUNT, sample.embeddings, NULL, &err),
        SOMA_RESOURCE_EXHAUSTED);
    assert_string_equal(err.reason, "MEMORY_BUDGET");
    assert_non_null(strstr(err.text, "4096"));
    assert_int_equal(scene_get(&small, "c").record_count, 0);
    assert_int_equal(
        scene_write(&small, WRITE_UPSERT, "c", sample.inputs, 3, sample.embeddings, NULL, NULL),
        SOMA_OK);
    scene_close(&small);
}

// The child writes one record after the other, and says so through the pipe, until it is killed.
static void write_until_killed(const char *directory, int pipe_fd)
{
    static struct sample sample;
    fill(&sample);
    struct vectors_scene own = {0};
    snprintf(own.scratch.directory, sizeof own.scratch.directory, "%s", directory);
    arena_init(&own.arena, 64 << 20);
    const struct vectors_options options = {.budget_bytes = BUDGET, .indexers = 1};
    if (store_open(directory, 2, &own.scratch.store, NULL) ||
        writer_start(own.scratch.store, 64, &own.scratch.writer, NULL) ||
        vectors_open(own.scratch.store, &options, &own.vectors, NULL))
        _exit(1);
    scene_create(&own, "c", DIM, METRIC_COSINE);
    for (uint32_t i = 0;; i++) {
        snprintf(sample.ids[0], sizeof sample.ids[0], "%u", i);
        if (scene_write(&own, WRITE_UPSERT, "c", sample.inputs, 1, sample.embeddings, NULL, NULL) ||
            write(pipe_fd, &i, sizeof i) != sizeof i)
            _exit(1);
    }
}

static void sigkill_loses_no_acknowledged_record(void **state)
{
    (void)state;
    struct vectors_scene killed = {0};
    scratch_open(&killed.scratch);
    writer_free(killed.scratch.writer);
    store_close(killed.scratch.store);
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        write_until_killed(killed.scratch.directory, pipe_fds[1]);
    close(pipe_fds[1]);
    uint32_t acknowledged = 0, last = 0;
    while (acknowledged < 50 && read(pipe_fds[0], &last, sizeof last) == sizeof last)
        acknowledged++;
    kill(child, SIGKILL);
    while (read(pipe_fds[0], &last, sizeof last) == sizeof last)
        acknowledged++;
    waitpid(child, NULL, 0);
    close(pipe_fds[0]);
    assert_int_equal(acknowledged, last + 1);
    assert_true(acknowledged >= 50);
    assert_int_equal(store_open(killed.scratch.directory, 2, &killed.scratch.store, NULL), SOMA_OK);
    assert_int_equal(writer_start(killed.scratch.store, 64, &killed.scratch.writer, NULL), SOMA_OK);
    arena_init(&killed.arena, 64 << 20);
    assert_in_range(scene_get(&killed, "c").record_count, acknowledged, acknowledged + 1);
    struct vectors_scene other = scene;
    scene = killed;
    for (uint32_t i = 0; i < acknowledged; i++) {
        char id[16];
        snprintf(id, sizeof id, "%u", i);
        assert_non_null(read_record(id).embedding);
    }
    killed = scene;
    scene = other;
    scene_close(&killed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ten_thousand_the_same_again_write_no_page, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_same_again_is_unchanged_and_writes_no_page, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(every_part_of_the_content_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_equal_ids_in_a_batch_the_last_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_record_without_id_gets_one_from_its_content, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_invalid_refuses_the_whole_batch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_update_merges_and_keeps_what_is_absent, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_update_of_large_records_takes_little_memory, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_insert_reports_what_exists_and_writes_the_rest, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(clearing_and_removing_are_purged_in_steps, set_up,
                                        tear_down),
        cmocka_unit_test(past_the_memory_budget_a_write_is_refused_with_the_number),
        cmocka_unit_test(sigkill_loses_no_acknowledged_record),
    };
    return cmocka_run_group_tests_name("records", tests, NULL, NULL);
}
