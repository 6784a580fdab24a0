// jobs_load parked: what waits cost while nothing happens.
#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "jobs_load.h"

enum {
    WAITS_EACH = 1000, // of one client, below the server's cap for one peer
    CLIENTS_MAX = 20,
    WAIT_MS = 60000
};

// Nanoseconds on a processor, of all threads.
static double cpu_ns(const char *pid)
{
    char path[512];
    snprintf(path, sizeof path, "/proc/%s/task", pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        die("no such server", NULL);
    struct dirent *entry;
    double sum = 0;
    while ((entry = readdir(tasks)) != NULL) {
        double on_cpu;
        snprintf(path, sizeof path, "/proc/%s/task/%s/schedstat", pid, entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (file && fscanf(file, "%lf", &on_cpu) == 1)
            sum += on_cpu;
        if (file)
            fclose(file);
    }
    closedir(tasks);
    return sum;
}

static int64_t parked(struct soma_client *client)
{
    struct soma_empty_request empty = SOMA_EMPTY_REQUEST_INIT;
    struct soma_server_stats *stats;
    int64_t count = 0;
    if (soma_server_stats(client, &empty, NULL, &stats, NULL) != SOMA_OK)
        return 0;
    for (size_t i = 0; i < stats->stat_count; i++) {
        if (strcmp(stats->stats[i].name, "rpc_parked") == 0)
            count = stats->stats[i].value;
    }
    soma_free(stats);
    return count;
}

static void ended(void *user, struct soma_job *job, const struct soma_error *err)
{
    (void)user;
    (void)err;
    soma_free(job);
}

static void park(struct soma_client *client, const char *id, int count)
{
    struct soma_job_wait_request request = SOMA_JOB_WAIT_REQUEST_INIT;
    struct soma_error err;
    request.job_id = id;
    request.wait_ms = WAIT_MS;
    for (int i = 0; i < count; i++) {
        if (soma_job_wait_async(client, &request, NULL, ended, NULL, NULL, &err) != SOMA_OK)
            die("wait", &err);
    }
}

void measure_parked(const char *url, char **arguments)
{
    static const char *const words[] = {"/bin/true", NULL};
    struct soma_client *clients[CLIENTS_MAX];
    int count = (int)number_of(arguments[0], (double)WAITS_EACH * CLIENTS_MAX);
    double seconds = number_of(arguments[1], 30);
    char id[32];
    struct soma_client *first = open_client(url);
    submit_command(first, words, 0, 4102444800000, id);
    int client_count = 0;
    for (int left = count; left > 0; left -= WAITS_EACH) {
        clients[client_count] = open_client(url);
        park(clients[client_count++], id, left < WAITS_EACH ? left : WAITS_EACH);
    }
    int64_t deadline = now_ns() + 20000000000;
    while (parked(first) < count) {
        if (now_ns() > deadline)
            die("not all are parked", NULL);
        usleep(10000);
    }
    sleep(1);
    double before = cpu_ns(arguments[2]);
    int64_t begun = now_ns();
    usleep((useconds_t)(seconds * 1e6));
    double share = (cpu_ns(arguments[2]) - before) / (double)(now_ns() - begun);
    printf("{\"parked\": %lld, \"cpu_percent\": %.4f}\n", (long long)parked(first), share * 100);
    fflush(stdout);
    _exit(0);
}
