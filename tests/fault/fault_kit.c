#include "fault_kit.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"

enum {
    WAIT_MS = 500
};

struct somad fault_somad;
struct soma_client *fault_client;

void fault_open(void)
{
    char url[KIT_URL_SIZE];
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    // The files that scripts wait for lie outside of every job's walls.
    setenv("SOMA_SANDBOX", "off", 1);
    somad_prepare(&fault_somad);
    // Jobs of another user pass through to their work directories.
    assert_int_equal(chmod(fault_somad.directory, 0711), 0);
    snprintf(url, sizeof url, "ipc://%s/socket", fault_somad.directory);
    options.server = url;
    options.connect_timeout_ms = -1;
    assert_int_equal(soma_client_open(&options, &fault_client, NULL), SOMA_OK);
}

void fault_start_server(void)
{
    somad_start(&fault_somad);
}

void fault_close(void)
{
    soma_client_close(fault_client);
    somad_remove(&fault_somad);
}

const char *fault_path(const char *name)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", fault_somad.directory, name);
    return path;
}

void fault_let_go(const char *name)
{
    FD_CLEANUP int fd = open(fault_path(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
}

void fault_pause(int64_t *deadline_ms, const char *what)
{
    if (*deadline_ms == 0)
        *deadline_ms = clock_mono_now().ms + 2 * KIT_PATIENCE_MS;
    if (clock_mono_now().ms > *deadline_ms)
        fail_msg("%s did not come about", what);
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

const char *fault_try_submit(const char *script, int64_t not_before_ms, char *ret_id)
{
    static struct soma_error err;
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    struct soma_call_options options = SOMA_CALL_OPTIONS_INIT;
    const char *const words[] = {"sh", "-c", script};
    struct soma_job *job;
    spec.arguments = words;
    spec.argument_count = 3;
    spec.not_before_ms = not_before_ms;
    options.max_attempts = 1;
    if (soma_job_submit(fault_client, &spec, &options, &job, &err) != SOMA_OK)
        return err.reason;
    snprintf(ret_id, FAULT_ID_SIZE, "%s", job->id);
    soma_free(job);
    return "";
}

void fault_submit(const char *script, char *ret_id)
{
    assert_string_equal(fault_try_submit(script, 0, ret_id), "");
}

struct soma_job *fault_get(const char *id)
{
    struct soma_job_request request = SOMA_JOB_REQUEST_INIT;
    struct soma_job *job;
    struct soma_error err;
    request.job_id = id;
    if (soma_job_get(fault_client, &request, NULL, &job, &err) != SOMA_OK)
        fail_msg("%s: %s", id, err.text);
    return job;
}

enum soma_job_state fault_state(const char *id)
{
    struct soma_job *job = fault_get(id);
    enum soma_job_state state = job->state;
    soma_free(job);
    return state;
}

struct soma_job *fault_wait_final(const char *id)
{
    int64_t deadline_ms = 0;
    struct soma_job_wait_request request = SOMA_JOB_WAIT_REQUEST_INIT;
    request.job_id = id;
    request.wait_ms = WAIT_MS;
    for (;;) {
        struct soma_job *job;
        struct soma_error err;
        if (soma_job_wait(fault_client, &request, NULL, &job, &err) != SOMA_OK)
            fail_msg("%s: %s", id, err.text);
        if (soma_job_state_is_final(job->state))
            return job;
        soma_free(job);
        fault_pause(&deadline_ms, "the end of a job");
    }
}

void fault_wait_output(const char *id, int64_t bytes)
{
    int64_t deadline_ms = 0, size = 0;
    while (size < bytes) {
        struct soma_job_read_request request = SOMA_JOB_READ_REQUEST_INIT;
        struct soma_job_output *output;
        struct soma_error err;
        request.job_id = id;
        request.stderr_offset = -1;
        if (soma_job_read(fault_client, &request, NULL, &output, &err) != SOMA_OK)
            fail_msg("%s: %s", id, err.text);
        size = (int64_t)output->stdout_chunk.length;
        soma_free(output);
        fault_pause(&deadline_ms, "output");
    }
}

int64_t fault_stat(const char *name)
{
    struct soma_empty_request request = SOMA_EMPTY_REQUEST_INIT;
    struct soma_server_stats *stats;
    int64_t value = -1;
    assert_int_equal(soma_server_stats(fault_client, &request, NULL, &stats, NULL), SOMA_OK);
    for (size_t i = 0; i < stats->stat_count; i++) {
        if (strcmp(stats->stats[i].name, name) == 0)
            value = stats->stats[i].value;
    }
    soma_free(stats);
    assert_true(value >= 0);
    return value;
}
