// jobs_load output and many: jobs that write, and whether every byte is there.
#include <string.h>

#include "jobs_load.h"
#include "pattern.h"

enum {
    COUNT_MAX = 1000,
    READ_BYTES = 1 << 20
};

void measure_output(const char *url, char **arguments)
{
    struct soma_client *client = open_client(url);
    const char *words[] = {arguments[1], arguments[0], "1", NULL};
    int64_t bytes = (int64_t)number_of(arguments[0], 1e10);
    char id[32];
    submit_command(client, words, bytes, 0, id);
    struct soma_job *job = wait_success(client, id);
    if (job->stdout_size.kept_bytes != bytes)
        die("bytes are missing", NULL);
    printf("{\"gb_per_s\": %.4f}\n", (double)bytes / 1e6 / (double)job->wall_used_ms);
    soma_free(job);
    struct soma_job_request request = SOMA_JOB_REQUEST_INIT;
    request.job_id = id;
    soma_job_delete(client, &request, NULL, NULL, NULL);
    soma_client_close(client);
}

// Compares one chunk with the pattern; offsets are multiples of the word's size but at the end.
static void compare(const struct soma_job_chunk *chunk, uint64_t seed)
{
    static uint64_t words[READ_BYTES / sizeof(uint64_t) + 1];
    pattern_fill(words, chunk->length / sizeof words[0] + 1, seed,
                 (uint64_t)chunk->offset / sizeof words[0]);
    if (memcmp(words, chunk->data, chunk->length) != 0)
        die("bytes differ", NULL);
}

static void verify(struct soma_client *client, const char *id, uint64_t seed, int64_t bytes)
{
    struct soma_job_read_request request = SOMA_JOB_READ_REQUEST_INIT;
    request.job_id = id;
    request.stderr_offset = -1;
    request.max_bytes = READ_BYTES;
    while (request.stdout_offset < bytes) {
        struct soma_job_output *output;
        struct soma_error err;
        if (soma_job_read(client, &request, NULL, &output, &err) != SOMA_OK)
            die("output", &err);
        if (output->stdout_chunk.length == 0)
            die("bytes are missing", NULL);
        compare(&output->stdout_chunk, seed);
        request.stdout_offset += (int64_t)output->stdout_chunk.length;
        soma_free(output);
    }
}

void measure_many(const char *url, char **arguments)
{
    static char ids[COUNT_MAX][32];
    struct soma_client *client = open_client(url);
    int count = (int)number_of(arguments[0], COUNT_MAX);
    int64_t bytes = (int64_t)number_of(arguments[1], 1e9);
    int64_t begun = now_ns();
    for (int i = 0; i < count; i++) {
        char seed[16];
        snprintf(seed, sizeof seed, "%d", i);
        const char *words[] = {arguments[2], arguments[1], seed, NULL};
        submit_command(client, words, bytes, 0, ids[i]);
    }
    for (int i = 0; i < count; i++)
        soma_free(wait_success(client, ids[i]));
    double seconds = (double)(now_ns() - begun) / 1e9;
    for (int i = 0; i < count; i++)
        verify(client, ids[i], (uint64_t)i, bytes);
    printf("{\"gb_per_s\": %.4f, \"verified_bytes\": %lld}\n",
           (double)bytes * count / 1e9 / seconds, (long long)bytes * count);
    soma_client_close(client);
}
