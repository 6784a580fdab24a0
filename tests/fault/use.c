#include "use.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum {
    WARM_DIM = 4096,
    WARM_BATCH = 256,  // 4 MiB
    WARM_BATCHES = 12, // three times the writer's cache
    WARM_THREADS = 16, // more than a small machine's readers, each of which has a cache
    WARM_READS = 12    // of each
};

static int64_t count_descriptors(pid_t pid)
{
    char path[64];
    int64_t count = 0;
    snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static void read_line(const char *line, const char *key, int64_t *ret_value)
{
    size_t length = strlen(key);
    if (strncmp(line, key, length) == 0)
        *ret_value = strtoll(line + length, NULL, 10);
}

struct use use_of(pid_t pid)
{
    struct use use = {.descriptors = count_descriptors(pid)};
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        read_line(line, "VmRSS:", &use.resident_kib);
        read_line(line, "Threads:", &use.threads);
    }
    fclose(file);
    return use;
}

void use_check(const struct use *warm, const struct use *now)
{
    if (now->resident_kib > warm->resident_kib + USE_MORE_KIB)
        fail_msg("%lld KiB of memory, %lld when warm", (long long)now->resident_kib,
                 (long long)warm->resident_kib);
    if (now->descriptors > warm->descriptors + USE_MORE_DESCRIPTORS)
        fail_msg("%lld descriptors, %lld when warm", (long long)now->descriptors,
                 (long long)warm->descriptors);
    if (now->threads > warm->threads + USE_MORE_THREADS)
        fail_msg("%lld threads, %lld when warm", (long long)now->threads, (long long)warm->threads);
}

static void must(enum soma_code code, const struct soma_error *err)
{
    if (code != SOMA_OK)
        fail_msg("%s %s", err->reason, err->text);
}

static void write_batch(struct soma_client *client, unsigned batch)
{
    static char ids[WARM_BATCH][16];
    static struct soma_record records[WARM_BATCH];
    static float vectors[WARM_BATCH * WARM_DIM];
    struct soma_error err;
    const struct soma_records_write_request request = {.struct_size = sizeof request,
                                                       .collection = "warm",
                                                       .records = records,
                                                       .record_count = WARM_BATCH,
                                                       .embeddings = vectors,
                                                       .dimension = WARM_DIM};
    for (unsigned i = 0; i < WARM_BATCH; i++) {
        snprintf(ids[i], sizeof ids[i], "%u-%u", batch, i);
        records[i].id = ids[i];
        vectors[(size_t)i * WARM_DIM] = (float)(batch + i);
    }
    must(soma_records_upsert(client, &request, NULL, NULL, &err), &err);
}

static void *read_warm(void *client)
{
    static const struct soma_include include = {.embedding = true};
    const struct soma_records_scan_request scan = {.struct_size = sizeof scan,
                                                   .collection = "warm",
                                                   .page_size = WARM_BATCH,
                                                   .include = &include};
    for (unsigned i = 0; i < WARM_READS; i++) {
        struct soma_records *records = NULL;
        soma_records_scan(client, &scan, NULL, &records, NULL);
        soma_free(records);
    }
    return NULL;
}

void use_warm_up(struct soma_client *client)
{
    struct soma_error err;
    pthread_t threads[WARM_THREADS];
    const struct soma_collection_create_request create = {.struct_size = sizeof create,
                                                          .name = "warm",
                                                          .dimension = WARM_DIM,
                                                          .metric = SOMA_METRIC_L2};
    const struct soma_collection_request delete = {.struct_size = sizeof delete,
                                                   .collection = "warm"};
    must(soma_collection_create(client, &create, NULL, NULL, &err), &err);
    for (unsigned i = 0; i < WARM_BATCHES; i++)
        write_batch(client, i);
    for (unsigned i = 0; i < WARM_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_warm, client), 0);
    for (unsigned i = 0; i < WARM_THREADS; i++)
        pthread_join(threads[i], NULL);
    must(soma_collection_delete(client, &delete, NULL, NULL, &err), &err);
}
