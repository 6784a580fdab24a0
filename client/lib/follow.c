// soma_job_follow: two long polls side by side, one for the job and one for its output, whose
// replies the calling thread hands to the caller's functions, in order.
//
// Each poll carries its cursor (revision, offsets), so a lost reply loses nothing; the calls
// themselves go on over restarts of the server.
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "lib/call.h"
#include "lib/packing.h"
#include "wire/limits.h"

enum {
    // A poll that comes back at once without news is not asked again at once: a server with too
    // many parked answers so.
    PROMPT_MS = 100,
    PAUSE_FIRST_MS = 50,
    PAUSE_MAX_MS = 1000,
    // A poll's call may take this much longer than the follow, whose own deadline then tells.
    SLACK_MS = 1000,
    CHUNK_BYTES = 262144
};

struct poll {
    struct follow *follow;
    struct soma_call *call; // while it runs
    bool runs;
    bool has_ended; // its outcome waits to be taken
    void *result;   // owned
    struct soma_error error;
    struct mono_time begun;
    struct mono_time not_before; // of the next one
    int64_t pause_ms;
};

struct follow {
    struct soma_client *client;
    const struct soma_job_follow_request *request;
    const struct soma_call_options *options; // NULL, or with the timeout taken out
    struct mono_time deadline;
    pthread_mutex_t lock; // guards the polls' runs, has_ended, result and error
    pthread_cond_t ended;
    struct poll job_poll;
    struct poll output_poll;
    struct soma_job *job; // the latest; owned
    uint32_t attempt;     // whose output is read; 0: none known yet
    int64_t offsets[2];   // below 0: not read
    bool is_at_end[2];
};

static void deliver(void (*done)(void), void *user, void *result, const struct soma_error *err)
{
    struct poll *poll = user;
    struct follow *follow = poll->follow;
    (void)done;
    pthread_mutex_lock(&follow->lock);
    poll->result = result;
    poll->error = err ? *err : (struct soma_error){0};
    poll->runs = false;
    poll->has_ended = true;
    pthread_cond_signal(&follow->ended);
    pthread_mutex_unlock(&follow->lock);
}

static enum soma_code poll_start(struct poll *poll, enum method_id method, const void *request,
                                 struct soma_error *err)
{
    struct follow *follow = poll->follow;
    struct mono_time deadline = follow->deadline;
    if (deadline.ms < INT64_MAX - SLACK_MS)
        deadline.ms += SLACK_MS;
    struct call_order order = {
        .client = follow->client,
        .method = &method_table[method],
        .request = request,
        .options = follow->options,
        .deadline = &deadline,
        .deliver = deliver,
        .user = poll,
    };
    poll->begun = clock_mono_now();
    poll->runs = true; // nobody else looks at it before the start
    enum soma_code code = call_start(&order, &poll->call, err);
    if (code != SOMA_OK)
        poll->runs = false;
    return code;
}

static void poll_rest(struct poll *poll, bool has_news)
{
    bool was_prompt = clock_mono_now().ms - poll->begun.ms < PROMPT_MS;
    if (has_news || !was_prompt) {
        poll->pause_ms = 0;
        poll->not_before = (struct mono_time){0};
        return;
    }
    poll->pause_ms = poll->pause_ms ? poll->pause_ms * 2 : PAUSE_FIRST_MS;
    if (poll->pause_ms > PAUSE_MAX_MS)
        poll->pause_ms = PAUSE_MAX_MS;
    poll->not_before = clock_deadline_after(poll->pause_ms);
}

static bool is_final(const struct follow *follow)
{
    return follow->job && soma_job_state_is_final(follow->job->state);
}

static bool reads_output(const struct follow *follow)
{
    return follow->offsets[0] >= 0 || follow->offsets[1] >= 0;
}

// Whether the attempt that is read has nothing more.
static bool is_drained(const struct follow *follow)
{
    for (int i = 0; i < 2; i++) {
        if (follow->offsets[i] >= 0 && !follow->is_at_end[i])
            return false;
    }
    return true;
}

static bool is_done(const struct follow *follow)
{
    if (!is_final(follow))
        return false;
    if (!reads_output(follow) || follow->job->attempt == 0)
        return true;
    return is_drained(follow) && follow->attempt >= follow->job->attempt;
}

static void begin_attempt(struct follow *follow, uint32_t attempt, bool is_at_end)
{
    follow->attempt = attempt;
    for (int i = 0; i < 2; i++) {
        if (follow->offsets[i] >= 0)
            follow->offsets[i] = 0;
        follow->is_at_end[i] = is_at_end;
    }
}

// The job runs again, and all of the attempt before was handed over. One by one: some may have
// begun and ended since it was looked at.
static void take_next_attempt(struct follow *follow)
{
    if (!follow->job || follow->attempt == 0 || follow->job->attempt <= follow->attempt ||
        !is_drained(follow))
        return;
    begin_attempt(follow, follow->attempt + 1, false);
}

// Its supervisor was gone before the program began, and the server took the attempt back: it never
// was. Of the attempt before there is nothing to hand over; the next one will have the same number.
static bool attempt_is_undone(struct follow *follow, const struct soma_error *why)
{
    if (follow->attempt == 0 || strcmp(why->reason, "ATTEMPT_NOT_FOUND") != 0)
        return false;
    begin_attempt(follow, follow->attempt - 1, follow->attempt > 1);
    poll_rest(&follow->output_poll, false);
    return true;
}

static uint32_t wait_time(const struct follow *follow)
{
    int64_t left = clock_left_ms(follow->deadline);
    return left < LIMIT_WAIT_MS ? (uint32_t)left : LIMIT_WAIT_MS;
}

static enum soma_code ask_for_job(struct follow *follow, struct soma_error *err)
{
    struct soma_job_wait_request request = SOMA_JOB_WAIT_REQUEST_INIT;
    request.job_id = follow->request->job_id;
    if (follow->job) {
        request.after_revision = follow->job->revision;
        request.wait_ms = wait_time(follow);
    }
    return poll_start(&follow->job_poll, METHOD_ID_job_wait, &request, err);
}

static enum soma_code ask_for_output(struct follow *follow, struct soma_error *err)
{
    struct soma_job_read_request request = SOMA_JOB_READ_REQUEST_INIT;
    request.job_id = follow->request->job_id;
    request.attempt = follow->attempt;
    request.stdout_offset = follow->is_at_end[0] ? -1 : follow->offsets[0];
    request.stderr_offset = follow->is_at_end[1] ? -1 : follow->offsets[1];
    request.max_bytes = CHUNK_BYTES;
    request.wait_ms = wait_time(follow);
    return poll_start(&follow->output_poll, METHOD_ID_job_read, &request, err);
}

static bool may_ask(struct poll *poll)
{
    pthread_mutex_lock(&poll->follow->lock);
    bool is_idle = !poll->runs && !poll->has_ended;
    pthread_mutex_unlock(&poll->follow->lock);
    return is_idle && clock_left_ms(poll->not_before) == 0;
}

static enum soma_code ask(struct follow *follow, struct soma_error *err)
{
    enum soma_code code = SOMA_OK;
    if (may_ask(&follow->job_poll) && !is_final(follow))
        code = ask_for_job(follow, err);
    bool wanted = reads_output(follow) && !is_drained(follow);
    if (code == SOMA_OK && may_ask(&follow->output_poll) && wanted)
        code = ask_for_output(follow, err);
    return code;
}

static enum soma_code stopped(struct soma_error *err)
{
    return error_set(err, REASON_CALL_CANCELLED, NULL, "the caller stopped following");
}

static enum soma_code take_job(struct follow *follow, struct soma_job *job, struct soma_error *err)
{
    bool has_news = !follow->job || job->revision != follow->job->revision;
    soma_free(follow->job);
    follow->job = job;
    poll_rest(&follow->job_poll, has_news);
    if (has_news && follow->request->on_change &&
        !follow->request->on_change(follow->request->user, job))
        return stopped(err);
    return SOMA_OK;
}

static enum soma_code hand_over(struct follow *follow, int stream,
                                const struct soma_job_chunk *chunk, struct soma_error *err)
{
    int64_t offset = follow->offsets[stream];
    if (chunk->offset != offset)
        return error_set(err, REASON_REPLY_INVALID, NULL,
                         "the reply has output from another place");
    follow->offsets[stream] = offset + (int64_t)chunk->length;
    follow->is_at_end[stream] = chunk->end;
    if (chunk->length == 0)
        return SOMA_OK;
    enum soma_stream name = stream == 0 ? SOMA_STDOUT : SOMA_STDERR;
    bool go_on =
        follow->request->on_output(follow->request->user, name, offset, chunk->data, chunk->length);
    return go_on ? SOMA_OK : stopped(err);
}

static enum soma_code take_output(struct follow *follow, const struct soma_job_output *output,
                                  struct soma_error *err)
{
    const struct soma_job_chunk *chunks[] = {&output->stdout_chunk, &output->stderr_chunk};
    enum soma_code code = SOMA_OK;
    bool has_news = false;
    // The end of a job that had no attempt is not the end of one: it may be queued again by now.
    for (int i = 0; i < 2 && code == SOMA_OK && output->attempt > 0; i++) {
        if (!chunks[i]->data)
            continue;
        has_news = has_news || chunks[i]->length > 0 || chunks[i]->end;
        code = hand_over(follow, i, chunks[i], err);
    }
    if (follow->attempt == 0)
        follow->attempt = output->attempt;
    poll_rest(&follow->output_poll, has_news);
    return code;
}

// How long until a poll that rests may be asked again; with the lock held.
static int64_t rest_time(const struct follow *follow)
{
    const struct poll *polls[] = {&follow->job_poll, &follow->output_poll};
    int64_t wait_ms = LIMIT_WAIT_MS;
    for (int i = 0; i < 2; i++) {
        int64_t rest = clock_left_ms(polls[i]->not_before);
        if (!polls[i]->runs && rest > 0 && rest < wait_ms)
            wait_ms = rest;
    }
    return wait_ms;
}

// Waits until a poll has ended, or one that rests may be asked again.
static void wait_for_polls(struct follow *follow)
{
    pthread_mutex_lock(&follow->lock);
    int64_t wait_ms = rest_time(follow);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + wait_ms % 1000 * 1000000;
    until.tv_sec += wait_ms / 1000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    while (!follow->job_poll.has_ended && !follow->output_poll.has_ended) {
        if (pthread_cond_timedwait(&follow->ended, &follow->lock, &until) != 0)
            break;
    }
    pthread_mutex_unlock(&follow->lock);
}

// True where the poll has ended; what it gave is the caller's.
static bool poll_take(struct poll *poll, void **ret_result, struct soma_error *ret_error)
{
    pthread_mutex_lock(&poll->follow->lock);
    bool has_ended = poll->has_ended;
    poll->has_ended = false;
    *ret_result = poll->result;
    poll->result = NULL;
    *ret_error = poll->error;
    pthread_mutex_unlock(&poll->follow->lock);
    return has_ended;
}

static enum soma_code take(struct follow *follow, struct soma_error *err)
{
    void *result;
    struct soma_error why;
    // Output first: what the job's end follows on stays before it.
    if (poll_take(&follow->output_poll, &result, &why)) {
        enum soma_code code = why.code;
        if (code == SOMA_OK)
            code = take_output(follow, result, &why);
        else if (attempt_is_undone(follow, &why))
            code = SOMA_OK;
        soma_free(result);
        if (code != SOMA_OK && err)
            *err = why;
        if (code != SOMA_OK)
            return code;
    }
    if (!poll_take(&follow->job_poll, &result, &why))
        return SOMA_OK;
    if (why.code == SOMA_OK)
        return take_job(follow, result, err);
    if (err)
        *err = why;
    return why.code;
}

static enum soma_code run(struct follow *follow, struct soma_error *err)
{
    while (!is_done(follow)) {
        take_next_attempt(follow);
        if (clock_left_ms(follow->deadline) == 0)
            return error_set(err, REASON_DEADLINE_EXCEEDED, NULL, "the job is not final yet");
        enum soma_code code = ask(follow, err);
        if (code != SOMA_OK)
            return code;
        wait_for_polls(follow);
        code = take(follow, err);
        if (code != SOMA_OK)
            return code;
    }
    return SOMA_OK;
}

// Ends what still runs.
static void finish(struct follow *follow)
{
    struct poll *polls[] = {&follow->job_poll, &follow->output_poll};
    pthread_mutex_lock(&follow->lock);
    for (int i = 0; i < 2; i++) {
        if (polls[i]->runs)
            soma_call_cancel(polls[i]->call);
        while (polls[i]->runs)
            pthread_cond_wait(&follow->ended, &follow->lock);
        soma_free(polls[i]->result);
    }
    pthread_mutex_unlock(&follow->lock);
    pthread_cond_destroy(&follow->ended);
    pthread_mutex_destroy(&follow->lock);
}

static void init(struct follow *follow, const struct soma_job_follow_request *request)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&follow->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&follow->lock, NULL);
    follow->request = request;
    follow->offsets[0] = request->on_output ? request->stdout_offset : -1;
    follow->offsets[1] = request->on_output ? request->stderr_offset : -1;
    follow->job_poll.follow = follow;
    follow->output_poll.follow = follow;
}

static enum soma_code check(struct soma_client *client, const struct soma_call_options *options,
                            struct soma_error *err)
{
    if (!client)
        return error_set(err, REASON_FIELD_REQUIRED, "client", "it is NULL");
    if (options && options->timeout_ms < 0)
        return error_set(err, REASON_DEADLINE_PAST, NULL, "the deadline is already past");
    return SOMA_OK;
}

enum soma_code soma_job_follow(struct soma_client *client,
                               const struct soma_job_follow_request *request,
                               const struct soma_call_options *options,
                               struct soma_job **ret_result, struct soma_error *err)
{
    if (ret_result)
        *ret_result = NULL;
    struct soma_job_follow_request request_room;
    struct soma_call_options options_room;
    const void *known_request = NULL, *known_options = NULL;
    enum soma_code code =
        struct_take(request, sizeof *request, NULL, &request_room, &known_request, err);
    if (code == SOMA_OK && options)
        code = struct_take(options, sizeof *options, "options", &options_room, &known_options, err);
    options = known_options;
    if (code == SOMA_OK)
        code = check(client, options, err);
    if (code != SOMA_OK)
        return code;
    struct follow follow = {.client = client, .options = options, .deadline = MONO_NEVER};
    if (options && options->timeout_ms > 0)
        follow.deadline = clock_deadline_after(options->timeout_ms);
    init(&follow, known_request);
    code = run(&follow, err);
    finish(&follow);
    if (code == SOMA_OK && ret_result)
        *ret_result = follow.job;
    else
        soma_free(follow.job);
    return code;
}
