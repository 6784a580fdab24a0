#include "cli/follow.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/error.h"
#include "cli/follow_private.h"
#include "cli/interrupt.h"
#include "cli/list_out.h"
#include "cli/terminal.h"

enum {
    // Short, so that a server that has gone away is missed within seconds.
    POLL_MS = 5 * 1000,
    // A long poll that brings nothing sooner than this was not parked; the next one waits.
    POLL_QUICK_MS = 1000,
    POLL_QUICK_WAIT_MS = 200,
    // As much as a pipe takes without blocking, once poll says that it takes something (PIPE_BUF).
    PIECE_BYTES = 4096,
};

static void follow_over(struct follow *follow, enum follow_end end, int status)
{
    if (follow->is_over)
        return;
    follow->is_over = true;
    follow->end = end;
    follow->status = status;
}

// --- output

static void write_failed(struct follow *follow, const struct stream *stream)
{
    if (errno != EPIPE) {
        bar_erase(&follow->bar);
        int status = report_failure(
            follow->cli, STATUS_FAILED, "the job goes on; 'soma logs ID' has all of its output",
            "cannot write to %s: %s", stream->fd == STDOUT_FILENO ? "stdout" : "stderr",
            strerror(errno));
        follow_over(follow, FOLLOW_FAILED, status);
        return;
    }
    if (follow->request->on_interrupt == ON_INTERRUPT_CANCEL &&
        follow->request->interrupt_fd >= 0) {
        // As the program itself would end that wrote into a closed pipe.
        follow->end = FOLLOW_UNREAD;
        follow->cancel_wanted = follow->cancel_wanted ? follow->cancel_wanted : 1;
        return;
    }
    follow_over(follow, FOLLOW_UNREAD, STATUS_PIPE);
}

static void write_some(struct follow *follow)
{
    struct stream *stream = follow->stream;
    size_t length = follow->length < PIECE_BYTES ? follow->length : PIECE_BYTES;
    if (stream->is_terminal)
        bar_erase(&follow->bar);
    ssize_t written = write(stream->fd, follow->data, length);
    if (written < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (written < 0) {
        write_failed(follow, stream);
        follow->length = 0;
        return;
    }
    if (stream->is_terminal)
        bar_wrote(&follow->bar, follow->data, (size_t)written);
    follow->data += written;
    follow->length -= (size_t)written;
}

size_t follow_skip(const struct soma_job_log_piece *piece, int64_t offset)
{
    if (offset <= piece->offset)
        return 0;
    int64_t before = offset - piece->offset;
    return before < (int64_t)piece->length ? (size_t)before : piece->length;
}

static void begin_piece(struct follow *follow)
{
    const struct soma_job_log_piece *piece = &follow->log->pieces[follow->next_piece++];
    int64_t skip_bytes = follow->is_later_attempt ? 0 : follow->request->skip_bytes;
    follow->stream = &follow->streams[piece->stream == SOMA_STDERR];
    if (!log_text_make(&follow->text, piece, follow_skip(piece, skip_bytes), &follow->data,
                       &follow->length))
        follow_over(follow, FOLLOW_FAILED, report_out_of_memory(follow->cli));
}

// Whether there is something to write; frees what is written.
static bool has_output(struct follow *follow)
{
    // Nobody reads any more: the job's last words go nowhere.
    if (follow->end == FOLLOW_UNREAD)
        follow->length = 0;
    while (follow->length == 0 && follow->log) {
        if (follow->end != FOLLOW_UNREAD && follow->next_piece < follow->log->piece_count) {
            begin_piece(follow);
            continue;
        }
        soma_free(follow->log);
        follow->log = NULL;
    }
    return follow->length > 0;
}

// --- the server's answers

static void server_is_lost(struct follow *follow, const struct soma_error *err)
{
    if (!follow->is_lost)
        follow_say(follow, "the server does not answer (%s); the job goes on, trying again",
                   err->text);
    follow->is_lost = true;
}

static void call_failed(struct follow *follow, struct follow_call *call,
                        const struct soma_error *err)
{
    if (!error_is_passing(err) || !follow->was_reached) {
        bar_erase(&follow->bar);
        int status =
            report_error(follow->cli, err, "cannot follow job %s", follow->request->job_id);
        follow_over(follow, FOLLOW_FAILED, status);
        return;
    }
    server_is_lost(follow, err);
    follow_call_back_off(call, now_ms());
}

// The supervisor was gone before the program began: that attempt never was, and one of its number
// comes again. What is of the attempt before it was read already.
static bool attempt_is_undone(struct follow *follow, const struct soma_error *err)
{
    if (follow->request->attempt || strcmp(err->reason, "ATTEMPT_NOT_FOUND") != 0)
        return false;
    follow->attempt -= follow->attempt > 0;
    follow->has_position = false;
    follow->has_read_all = follow->attempt > 0;
    // What is known of the job is from before that.
    soma_free(follow->job);
    follow->job = NULL;
    follow_call_back_off(&follow->read, now_ms());
    return true;
}

static void call_succeeded(struct follow *follow, struct follow_call *call, bool has_news)
{
    int64_t now = now_ms();
    if (follow->is_lost)
        follow_say(follow, "the server is back");
    follow->is_lost = false;
    follow->was_reached = true;
    call->failures = 0;
    call->due_ms = !has_news && now - call->sent_ms < POLL_QUICK_MS ? now + POLL_QUICK_WAIT_MS : 0;
}

static void take_log(struct follow *follow, struct soma_job_log *log)
{
    bool is_begin = !follow->has_position && log->attempt > 0;
    call_succeeded(follow, &follow->read, log->piece_count > 0 || is_begin);
    follow->log = log;
    follow->next_piece = 0;
    follow->attempt = log->attempt;
    follow->position = log->position;
    // Before there is an attempt there is nothing to stand in.
    follow->has_position = log->attempt > 0;
    follow->has_read_all = log->end;
}

static void take_answers(struct follow *follow)
{
    struct soma_error err = {0};
    void *result;
    if (follow_call_take(&follow->wait, &result, &err)) {
        struct soma_job *job = result;
        if (job) {
            bool has_news = !follow->job || job->revision != follow->job->revision;
            call_succeeded(follow, &follow->wait, has_news);
            soma_free(follow->job);
            follow->job = job;
        } else {
            call_failed(follow, &follow->wait, &err);
        }
    }
    if (follow_call_take(&follow->read, &result, &err)) {
        if (result)
            take_log(follow, result);
        else if (!attempt_is_undone(follow, &err))
            call_failed(follow, &follow->read, &err);
    }
    if (!follow_input_take(&follow->input, &err))
        server_is_lost(follow, &err);
    if (follow_call_take(&follow->cancel, &result, &err)) {
        if (!result) {
            follow->cancel_sent = 0;
            call_failed(follow, &follow->cancel, &err);
        }
        soma_free(result);
    }
}

// --- requests

// The attempt was followed by another one: read that from its beginning. One by one: some may have
// begun and ended since the job was looked at.
static void next_attempt(struct follow *follow)
{
    if (follow->request->attempt || !follow->has_read_all || follow->log || !follow->job ||
        follow->job->attempt <= follow->attempt)
        return;
    follow_say(follow, "attempt %u has ended; here is attempt %u", follow->attempt,
               follow->attempt + 1);
    follow->attempt++;
    follow->has_position = follow->has_read_all = false;
    follow->is_later_attempt = true;
}

static void ask_for_log(struct follow *follow)
{
    struct soma_job_log_request request = SOMA_JOB_LOG_REQUEST_INIT;
    struct soma_error err;
    request.job_id = follow->request->job_id;
    request.attempt = follow->attempt;
    request.stream = follow->request->stream;
    request.position = follow->has_position ? &follow->position : NULL;
    if (!follow->is_later_attempt) {
        request.tail_lines = follow->request->tail_lines;
        request.since_ms = follow->request->since_ms;
    }
    request.wait_ms = POLL_MS;
    if (!follow_call_read(&follow->read, follow->cli->client, &request, &err))
        call_failed(follow, &follow->read, &err);
}

static bool is_due(const struct follow_call *call, int64_t now)
{
    return !call->in_flight && call->due_ms <= now;
}

static void send_requests(struct follow *follow)
{
    struct soma_client *client = follow->cli->client;
    const char *job_id = follow->request->job_id;
    struct soma_error err;
    int64_t now = now_ms();
    if (is_due(&follow->wait, now) && !follow_job_is_final(follow)) {
        struct soma_job_wait_request request = SOMA_JOB_WAIT_REQUEST_INIT;
        request.job_id = job_id;
        request.after_revision = follow->job ? follow->job->revision : 0;
        request.wait_ms = follow->job ? POLL_MS : 0;
        if (!follow_call_wait(&follow->wait, client, &request, &err))
            call_failed(follow, &follow->wait, &err);
    }
    if (is_due(&follow->read, now) && !follow->log && !follow->has_read_all)
        ask_for_log(follow);
    if (!follow_input_send(&follow->input, client, job_id, &err))
        call_failed(follow, &follow->input.call, &err);
    if (is_due(&follow->cancel, now) && follow->cancel_wanted > follow->cancel_sent) {
        struct soma_job_cancel_request request = SOMA_JOB_CANCEL_REQUEST_INIT;
        request.job_id = job_id;
        char asker[ASKER_SIZE], note[ASKER_SIZE + 32];
        snprintf(note, sizeof note, "interrupted in soma run, %s", asker_name(asker));
        request.note = note;
        request.force = follow->cancel_wanted > 1;
        if (follow_call_cancel(&follow->cancel, client, &request, &err))
            follow->cancel_sent = follow->cancel_wanted;
        else
            call_failed(follow, &follow->cancel, &err);
    }
}

// --- Ctrl-C

static void take_interrupts(struct follow *follow)
{
    unsigned count = interrupts_count();
    if (count == follow->interrupts_seen)
        return;
    follow->interrupts_seen = count;
    const char *job_id = follow->request->job_id;
    if (follow->request->on_interrupt == ON_INTERRUPT_DETACH) {
        follow_say(follow, "detached, the job goes on; again: soma logs -f %s", job_id);
        follow_over(follow, FOLLOW_LEFT, STATUS_INTERRUPTED);
    } else if (count == 1) {
        follow_say(follow,
                   "cancelling; Ctrl-C again kills (--on-interrupt=detach leaves it running)");
        follow->cancel_wanted = 1;
    } else if (count == 2) {
        follow_say(follow, "killing job %s", job_id);
        follow->cancel_wanted = 2;
    } else {
        follow_say(follow, "left; 'soma show %s' says what became of the job", job_id);
        follow_over(follow, FOLLOW_LEFT, STATUS_INTERRUPTED);
    }
}

// --- the loop

static bool is_done(const struct follow *follow)
{
    if (follow->log)
        return false;
    if (follow->request->attempt)
        return follow->has_read_all;
    return follow_job_is_final(follow) &&
           (follow->job->attempt == 0 ||
            (follow->has_read_all && follow->job->attempt <= follow->attempt));
}

static int next_timeout(const struct follow *follow)
{
    const struct follow_call *const calls[] = {&follow->wait, &follow->read, &follow->cancel,
                                               &follow->input.call};
    int64_t now = now_ms(), at = now + POLL_MS;
    if (follow->request->shows_progress)
        at = follow->bar.enabled ? follow->next_bar_ms : follow->next_line_ms;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        if (!calls[i]->in_flight && calls[i]->due_ms > now && calls[i]->due_ms < at)
            at = calls[i]->due_ms;
    }
    return at > now ? (int)(at - now) : 0;
}

static void follow_step(struct follow *follow)
{
    bool is_writing = has_output(follow);
    struct pollfd fds[] = {
        {.fd = follow->mailbox.wake_fd, .events = POLLIN},
        {.fd = follow->request->interrupt_fd, .events = POLLIN},
        {.fd = is_writing ? follow->stream->fd : -1, .events = POLLOUT},
        {.fd = follow_input_wants(&follow->input) ? STDIN_FILENO : -1, .events = POLLIN},
    };
    int ready = poll(fds, 4, next_timeout(follow));
    if (ready < 0 && errno != EINTR)
        follow_over(
            follow, FOLLOW_FAILED,
            report_failure(follow->cli, STATUS_FAILED, NULL, "cannot wait: %s", strerror(errno)));
    if (ready > 0 && fds[0].revents)
        mailbox_clear(&follow->mailbox);
    if (ready > 0 && fds[1].revents)
        take_interrupts(follow);
    if (ready > 0 && is_writing && fds[2].revents)
        write_some(follow);
    if (ready > 0 && fds[3].revents)
        follow_input_read(&follow->input);
    take_answers(follow);
    has_output(follow);
    next_attempt(follow);
}

static void follow_fini(struct follow *follow)
{
    struct follow_call *const calls[] = {&follow->wait, &follow->read, &follow->cancel,
                                         &follow->input.call};
    bool in_flight = false;
    bar_erase(&follow->bar);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        in_flight = in_flight || calls[i]->in_flight;
    if (in_flight)
        cli_disconnect(follow->cli);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        follow_call_fini(calls[i]);
    follow_input_fini(&follow->input);
    soma_free(follow->log);
    log_text_fini(&follow->text);
    mailbox_fini(&follow->mailbox);
}

static void follow_init(struct follow *follow)
{
    const struct follow_request *request = follow->request;
    follow->read.mailbox = follow->wait.mailbox = follow->cancel.mailbox = &follow->mailbox;
    follow->input.call.mailbox = &follow->mailbox;
    for (size_t i = 0; i < 2; i++) {
        struct stream *stream = &follow->streams[i];
        stream->fd = i == 0 ? STDOUT_FILENO : STDERR_FILENO;
        stream->is_terminal = isatty(stream->fd);
    }
    follow->attempt = request->attempt;
    follow->text.with_times = request->with_times;
    follow->was_reached = request->was_reached;
    follow->begun_ms = now_ms();
    follow->next_line_ms = follow->begun_ms + LINE_MS;
    if (request->shows_progress)
        bar_init(&follow->bar, follow->cli, STDERR_FILENO);
}

enum follow_end follow_job(struct cli *cli, const struct follow_request *request,
                           struct soma_job **ret_job, int *ret_status)
{
    struct follow follow = {.cli = cli, .request = request, .end = FOLLOW_DONE};
    if (!mailbox_init(&follow.mailbox)) {
        *ret_status = report_failure(cli, STATUS_FAILED, NULL, "cannot wait: %s", strerror(errno));
        return FOLLOW_FAILED;
    }
    follow_init(&follow);
    if (request->sends_input && !follow_input_begin(&follow.input))
        follow_over(&follow, FOLLOW_FAILED, report_out_of_memory(cli));
    output_flush();
    while (!follow.is_over && !is_done(&follow)) {
        send_requests(&follow);
        follow_show_progress(&follow, follow.length > 0);
        follow_step(&follow);
    }
    follow_fini(&follow);
    *ret_job = follow.job;
    *ret_status = follow.status;
    return follow.end;
}
