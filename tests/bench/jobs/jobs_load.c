// Load on somad through libsoma.
//
//     jobs_load submit URL SECONDS                   64 submits in flight of jobs that are far
//     ahead jobs_load noop URL COUNT PROGRAM               COUNT jobs from the first submit to the
//     last end jobs_load start URL SECONDS STAMP              one job after the other, until its
//     stamp jobs_load output URL BYTES FLOOD               one job that writes jobs_load many URL
//     COUNT BYTES FLOOD           COUNT jobs that write at once, every byte compared jobs_load
//     parked URL COUNT SECONDS SERVER_PID  CPU time of the server while COUNT waits are parked
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "jobs_load.h"

enum {
    POLL_US =
        10000 // what the count of ended jobs is asked for at; each answer costs the server some
};

static const int64_t far_ahead_ms = 4102444800000; // 2100-01-01

struct slot {
    struct soma_client *client;
    int64_t sent_ns;
};

static struct {
    const char *words[2];
    int64_t not_before_ms;
    atomic_long wanted; // submits that are still to be sent
    atomic_size_t finished;
    atomic_int running;
    uint32_t *latencies;
} load;

_Noreturn void die(const char *what, const struct soma_error *err)
{
    fprintf(stderr, "jobs_load: %s%s%s\n", what, err ? ": " : "", err ? err->text : "");
    _exit(1);
}

struct soma_client *open_client(const char *url)
{
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    struct soma_client *client;
    options.server = url;
    options.max_in_flight = IN_FLIGHT;
    options.timeout_ms = END_WAIT_MS;
    if (soma_client_open(&options, &client, NULL) != SOMA_OK)
        die("cannot open a client", NULL);
    return client;
}

void submit_command(struct soma_client *client, const char *const *words, int64_t output_bytes,
                    int64_t not_before_ms, char *ret_id)
{
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    struct soma_job *job;
    struct soma_error err;
    spec.arguments = words;
    while (words[spec.argument_count])
        spec.argument_count++;
    spec.output_bytes = output_bytes;
    spec.not_before_ms = not_before_ms;
    if (soma_job_submit(client, &spec, NULL, &job, &err) != SOMA_OK)
        die("submit", &err);
    snprintf(ret_id, 32, "%s", job->id);
    soma_free(job);
}

struct soma_job *wait_success(struct soma_client *client, const char *id)
{
    struct soma_job_wait_request request = SOMA_JOB_WAIT_REQUEST_INIT;
    struct soma_job *job;
    struct soma_error err;
    request.job_id = id;
    request.wait_ms = END_WAIT_MS;
    if (soma_job_wait(client, &request, NULL, &job, &err) != SOMA_OK)
        die("wait", &err);
    if (job->state != SOMA_JOB_SUCCEEDED)
        die(job->message, NULL);
    return job;
}

// --- submits, 64 in flight

static void submit_next(struct slot *slot);

static void submitted(void *user, struct soma_job *job, const struct soma_error *err)
{
    struct slot *slot = user;
    if (err)
        die("submit", err);
    soma_free(job);
    size_t place = atomic_fetch_add(&load.finished, 1);
    if (place < LATENCIES_MAX)
        load.latencies[place] = (uint32_t)(now_ns() - slot->sent_ns);
    submit_next(slot);
}

static void submit_next(struct slot *slot)
{
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    struct soma_error err;
    if (atomic_fetch_sub(&load.wanted, 1) <= 0) {
        atomic_fetch_sub(&load.running, 1);
        return;
    }
    spec.arguments = load.words;
    spec.argument_count = 1;
    spec.not_before_ms = load.not_before_ms;
    slot->sent_ns = now_ns();
    if (soma_job_submit_async(slot->client, &spec, NULL, submitted, slot, NULL, &err) != SOMA_OK)
        die("submit", &err);
}

static void begin_submits(struct soma_client *client, const char *program, long wanted)
{
    static struct slot slots[IN_FLIGHT];
    load.words[0] = program;
    load.latencies = calloc(LATENCIES_MAX, sizeof *load.latencies);
    atomic_store(&load.wanted, wanted);
    atomic_store(&load.running, IN_FLIGHT);
    for (int i = 0; i < IN_FLIGHT; i++) {
        slots[i].client = client;
        submit_next(&slots[i]);
    }
}

static void end_submits(void)
{
    while (atomic_load(&load.running) > 0)
        usleep(200);
}

static void measure_submit(const char *url, char **arguments)
{
    struct soma_client *client = open_client(url);
    double seconds = number_of(arguments[0], 60);
    load.not_before_ms = far_ahead_ms;
    int64_t begun = now_ns();
    begin_submits(client, "/bin/true", 1L << 40);
    usleep((useconds_t)(seconds * 1e6));
    size_t count = atomic_load(&load.finished);
    double passed = (double)(now_ns() - begun) / 1e9;
    atomic_store(&load.wanted, 0);
    end_submits();
    soma_client_close(client);
    report(load.latencies, count, passed);
}

// --- jobs from end to end

static int64_t stat_of(const struct soma_server_stats *stats, const char *name)
{
    for (size_t i = 0; i < stats->stat_count; i++) {
        if (strcmp(stats->stats[i].name, name) == 0)
            return stats->stats[i].value;
    }
    die(name, NULL);
}

static int64_t succeeded(struct soma_client *client)
{
    struct soma_empty_request empty = SOMA_EMPTY_REQUEST_INIT;
    struct soma_server_stats *stats;
    struct soma_error err;
    if (soma_server_stats(client, &empty, NULL, &stats, &err) != SOMA_OK)
        die("stats", &err);
    int64_t count = stat_of(stats, "jobs_succeeded");
    if (stat_of(stats, "jobs_failed") > 0)
        die("a job failed", NULL);
    soma_free(stats);
    return count;
}

static void measure_noop(const char *url, char **arguments)
{
    struct soma_client *client = open_client(url);
    long count = (long)number_of(arguments[0], 1e6);
    int64_t before = succeeded(client);
    int64_t begun = now_ns();
    begin_submits(client, arguments[1], count);
    end_submits();
    while (succeeded(client) < before + count)
        usleep(POLL_US);
    printf("{\"rate\": %.1f}\n", (double)count / ((double)(now_ns() - begun) / 1e9));
    soma_client_close(client);
}

static int64_t read_stamp(struct soma_client *client, const char *id)
{
    struct soma_job_read_request request = SOMA_JOB_READ_REQUEST_INIT;
    struct soma_job_output *output;
    struct soma_error err;
    char text[18] = "";
    request.job_id = id;
    request.stderr_offset = -1;
    if (soma_job_read(client, &request, NULL, &output, &err) != SOMA_OK)
        die("output", &err);
    if (output->stdout_chunk.length != 17)
        die("no stamp", NULL);
    memcpy(text, output->stdout_chunk.data, 17);
    soma_free(output);
    return (int64_t)strtoull(text, NULL, 16);
}

static void measure_start(const char *url, char **arguments)
{
    struct soma_client *client = open_client(url);
    const char *words[] = {arguments[1], NULL};
    int64_t begun = now_ns(), deadline = begun + (int64_t)(number_of(arguments[0], 60) * 1e9);
    size_t count = 0;
    load.latencies = calloc(LATENCIES_MAX, sizeof *load.latencies);
    while (now_ns() < deadline) {
        char id[32];
        int64_t asked = now_ns();
        submit_command(client, words, 0, 0, id);
        soma_free(wait_success(client, id));
        load.latencies[count++] = (uint32_t)(read_stamp(client, id) - asked);
    }
    soma_client_close(client);
    report(load.latencies, count, (double)(now_ns() - begun) / 1e9);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int arguments;
        void (*measure)(const char *url, char **arguments);
    } modes[] = {
        {"submit", 1, measure_submit}, {"noop", 2, measure_noop}, {"start", 2, measure_start},
        {"output", 2, measure_output}, {"many", 3, measure_many}, {"parked", 3, measure_parked},
    };
    for (size_t i = 0; argc > 3 && i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(modes[i].name, argv[1]) == 0 && argc == 3 + modes[i].arguments) {
            modes[i].measure(argv[2], argv + 3);
            return 0;
        }
    }
    die("wrong usage; the modes stand at the top of jobs_load.c", NULL);
}
