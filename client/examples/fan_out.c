// A pool of workers: cuts a task into pieces, submits each as a job of one queue that runs two at a
// time, and gathers what they print. Here: how many primes there are below a number.
#include <soma/soma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIECES = 8
};

static const char program[] = "import sys\n"
                              "low, high = int(sys.argv[1]), int(sys.argv[2])\n"
                              "print(sum(n > 1 and all(n % d for d in range(2, int(n ** .5) + 1))\n"
                              "          for n in range(low, high)))\n";

static void check(const char *what, enum soma_code code, const struct soma_error *err)
{
    if (code == SOMA_OK)
        return;
    fprintf(stderr, "%s: %s (%s %s)\n", what, err->text, err->reason, err->field);
    exit(1);
}

static struct soma_job *submit_piece(struct soma_client *client, long low, long high)
{
    char from[24], to[24];
    snprintf(from, sizeof from, "%ld", low);
    snprintf(to, sizeof to, "%ld", high);
    const char *arguments[] = {from, to};
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    spec.language = "python";
    spec.source = program;
    spec.source_length = strlen(program);
    spec.arguments = arguments;
    spec.argument_count = 2;
    spec.queue = "primes";
    spec.idempotent = true; // one that is lost with its machine is run again
    spec.retry_attempts = 3;
    struct soma_job *job;
    struct soma_error err;
    check("submit", soma_job_submit(client, &spec, NULL, &job, &err), &err);
    return job;
}

// Waits for one worker's end and gives the number that it printed.
static long gather(struct soma_client *client, const char *id)
{
    struct soma_job_follow_request wait = SOMA_JOB_FOLLOW_REQUEST_INIT;
    wait.job_id = id;
    struct soma_job *job;
    struct soma_error err;
    check("wait", soma_job_follow(client, &wait, NULL, &job, &err), &err);
    struct soma_job_read_request read = SOMA_JOB_READ_REQUEST_INIT;
    read.job_id = id;
    struct soma_job_output *output;
    check("read", soma_job_read(client, &read, NULL, &output, &err), &err);
    char line[32] = "";
    if (job->state == SOMA_JOB_SUCCEEDED)
        snprintf(line, sizeof line, "%.*s", (int)output->stdout_chunk.length,
                 (const char *)output->stdout_chunk.data);
    else
        fprintf(stderr, "%s %s: %s\n", id, soma_job_state_name(job->state), job->message);
    soma_free(output);
    soma_free(job);
    return strtol(line, NULL, 10);
}

int main(int argc, char **argv)
{
    long below = argc > 1 ? strtol(argv[1], NULL, 10) : 10000, primes = 0;
    struct soma_client *client;
    struct soma_error err;
    check("open", soma_client_open(NULL, &client, &err), &err);
    struct soma_queue_update_request pool = SOMA_QUEUE_UPDATE_REQUEST_INIT;
    pool.queue = "primes";
    pool.max_running = &(uint32_t){2};
    check("queue", soma_queue_update(client, &pool, NULL, NULL, &err), &err);
    struct soma_job *jobs[PIECES];
    for (int i = 0; i < PIECES; i++)
        jobs[i] = submit_piece(client, below * i / PIECES, below * (i + 1) / PIECES);
    for (int i = 0; i < PIECES; i++) {
        primes += gather(client, jobs[i]->id);
        soma_free(jobs[i]);
    }
    printf("%ld primes below %ld\n", primes, below);
    soma_client_close(client);
    return 0;
}
