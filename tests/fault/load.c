#include "load.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "dice.h"

enum {
    SCRIPT_SIZE = 512,
    LINES_MAX = 2000
};

struct client {
    struct load *load;
    struct dice dice;
};

void load_name(unsigned number, char ret_name[16])
{
    snprintf(ret_name, 16, "job-%u", number);
}

unsigned load_number(const char *name)
{
    int64_t number;
    bool is_ours = name && strncmp(name, "job-", 4) == 0 &&
                   text_to_int64(name + 4, 0, LOAD_JOBS_MAX - 1, &number);
    return is_ours ? (unsigned)number : LOAD_JOBS_MAX;
}

__attribute__((format(printf, 2, 3))) static void note_failure(struct load *load,
                                                               const char *format, ...)
{
    pthread_mutex_lock(&load->lock);
    if (!load->failure[0]) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(load->failure, sizeof load->failure, format, arguments);
        va_end(arguments);
    }
    load->stopping = true;
    pthread_mutex_unlock(&load->lock);
}

// The place of the next job; NULL: it is over.
static struct load_job *begin_job(struct load *load)
{
    pthread_mutex_lock(&load->lock);
    bool over = load->stopping || load->count == LOAD_JOBS_MAX;
    struct load_job *job = over ? NULL : &load->jobs[load->count++];
    pthread_mutex_unlock(&load->lock);
    return job;
}

static void pause_ms(uint32_t ms)
{
    nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

static void choose(struct client *client, struct load_job *job, char script[SCRIPT_SIZE])
{
    static const char *const daemons[] = {"",
                                          "",
                                          "",
                                          "",
                                          "setsid sh -c 'trap \"\" TERM; exec sleep 1000' & ",
                                          "(sleep 1000 & sleep 1000) & "};
    struct dice *dice = &client->dice;
    job->out_lines = dice_below(dice, LINES_MAX);
    job->err_lines = dice_below(dice, 20);
    job->exit_code = dice_below(dice, 4) == 0 ? (int)dice_below(dice, 120) : 0;
    job->idempotent = dice_below(dice, 4) == 0;
    uint32_t sleep_ms = dice_below(dice, 6) == 0 ? dice_below(dice, 400) : 0;
    snprintf(script, SCRIPT_SIZE,
             "echo $SOMA_JOB_ID $SOMA_ATTEMPT >>$LEDGER; %sseq 1 %u; seq 1 %u >&2; "
             "sleep %u.%03u; exit %d",
             daemons[dice_below(dice, sizeof daemons / sizeof daemons[0])], job->out_lines,
             job->err_lines, sleep_ms / 1000, sleep_ms % 1000, job->exit_code);
}

static struct soma_call_options patient(void)
{
    struct soma_call_options options = SOMA_CALL_OPTIONS_INIT;
    options.timeout_ms = LOAD_PATIENCE_MS;
    options.retry_max_ms = 50;
    return options;
}

static bool submit(struct client *client, struct load_job *job)
{
    struct load *load = client->load;
    char script[SCRIPT_SIZE], name[16], cookie_name[64];
    choose(client, job, script);
    load_name((unsigned)(job - load->jobs), name);
    const char *value = strchr(load->cookie, '=') + 1;
    snprintf(cookie_name, sizeof cookie_name, "%.*s", (int)(value - load->cookie - 1),
             load->cookie);
    const struct soma_pair environment[] = {{"LEDGER", load->ledger}, {cookie_name, value}};
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    const char *const words[] = {"sh", "-c", script};
    spec.arguments = words;
    spec.argument_count = 3;
    spec.environment = environment;
    spec.environment_count = 2;
    spec.name = name;
    spec.idempotent = job->idempotent;
    spec.kill_grace_ms = 100;
    struct soma_call_options options = patient();
    struct soma_job *result;
    struct soma_error err;
    if (soma_job_submit(load->client, &spec, &options, &result, &err) != SOMA_OK) {
        note_failure(load, "submit of %s: %s %s", name, err.reason, err.text);
        return false;
    }
    snprintf(job->id, sizeof job->id, "%s", result->id);
    soma_free(result);
    return true;
}

static void cancel(struct client *client, struct load_job *job)
{
    struct soma_job_cancel_request request = SOMA_JOB_CANCEL_REQUEST_INIT;
    struct soma_call_options options = patient();
    struct soma_error err;
    job->cancel_asked = true;
    request.job_id = job->id;
    request.note = "chance";
    request.force = dice_below(&client->dice, 2) == 0;
    if (soma_job_cancel(client->load->client, &request, &options, NULL, &err) != SOMA_OK)
        note_failure(client->load, "cancel of %s: %s %s", job->id, err.reason, err.text);
}

static void wait_for_end(struct client *client, struct load_job *job)
{
    struct soma_job_follow_request request = SOMA_JOB_FOLLOW_REQUEST_INIT;
    struct soma_call_options options = patient();
    struct soma_error err;
    struct soma_job *result;
    request.job_id = job->id;
    if (soma_job_follow(client->load->client, &request, &options, &result, &err) != SOMA_OK) {
        note_failure(client->load, "wait for %s: %s %s", job->id, err.reason, err.text);
        return;
    }
    job->final_seen = true;
    job->state = result->state;
    job->reason = result->reason;
    job->seen_exit_code = result->exit_code;
    job->attempt = result->attempt;
    job->finished_ms = result->finished_ms;
    soma_free(result);
}

static void *client_main(void *argument)
{
    struct client *client = argument;
    struct load_job *job;
    while ((job = begin_job(client->load)) != NULL) {
        if (!submit(client, job))
            break;
        if (dice_below(&client->dice, 8) == 0) {
            pause_ms(dice_below(&client->dice, 30));
            cancel(client, job);
        }
        wait_for_end(client, job);
    }
    free(client);
    return NULL;
}

void load_start(struct load *load)
{
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    options.server = load->server;
    options.connect_timeout_ms = -1;
    pthread_mutex_init(&load->lock, NULL);
    load->jobs = calloc(LOAD_JOBS_MAX, sizeof *load->jobs);
    if (!load->jobs || soma_client_open(&options, &load->client, NULL) != SOMA_OK)
        abort();
    for (unsigned i = 0; i < LOAD_CLIENTS; i++) {
        struct client *client = calloc(1, sizeof *client);
        if (!client)
            abort();
        client->load = load;
        dice_init(&client->dice, load->seed, i + 1);
        if (pthread_create(&load->threads[i], NULL, client_main, client))
            abort();
    }
}

void load_stop(struct load *load)
{
    pthread_mutex_lock(&load->lock);
    load->stopping = true;
    pthread_mutex_unlock(&load->lock);
    for (unsigned i = 0; i < LOAD_CLIENTS; i++)
        pthread_join(load->threads[i], NULL);
}

void load_free(struct load *load)
{
    soma_client_close(load->client);
    pthread_mutex_destroy(&load->lock);
    free(load->jobs);
}
