#include "cli/follow_call.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "cli/terminal.h"

enum {
    // For an answer, beyond what a long poll waits for.
    ANSWER_MS = 2000,
    BACK_OFF_FIRST_MS = 100,
    BACK_OFF_MAX_MS = 1000,
};

bool mailbox_init(struct mailbox *mailbox)
{
    pthread_mutex_init(&mailbox->lock, NULL);
    mailbox->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return mailbox->wake_fd >= 0;
}

void mailbox_fini(struct mailbox *mailbox)
{
    if (mailbox->wake_fd >= 0)
        close(mailbox->wake_fd);
    pthread_mutex_destroy(&mailbox->lock);
}

void mailbox_clear(struct mailbox *mailbox)
{
    uint64_t value;
    ssize_t got = read(mailbox->wake_fd, &value, sizeof value);
    (void)got;
}

// On a thread of the library.
static void deliver(struct follow_call *call, void *result, const struct soma_error *err)
{
    uint64_t one = 1;
    pthread_mutex_lock(&call->mailbox->lock);
    call->result = result;
    if (err)
        call->err = *err;
    call->is_answered = true;
    ssize_t written = write(call->mailbox->wake_fd, &one, sizeof one);
    (void)written;
    pthread_mutex_unlock(&call->mailbox->lock);
}

static void on_job(void *user, struct soma_job *job, const struct soma_error *err)
{
    deliver(user, job, err);
}

static void on_log(void *user, struct soma_job_log *log, const struct soma_error *err)
{
    deliver(user, log, err);
}

static void on_input(void *user, struct soma_job_input *input, const struct soma_error *err)
{
    deliver(user, input, err);
}

static const struct soma_call_options once = {
    .struct_size = sizeof(struct soma_call_options),
    .timeout_ms = ANSWER_MS,
    .max_attempts = 1,
};

static bool sent(struct follow_call *call, enum soma_code code)
{
    call->in_flight = code == SOMA_OK;
    call->sent_ms = now_ms();
    return call->in_flight;
}

bool follow_call_read(struct follow_call *call, struct soma_client *client,
                      const struct soma_job_log_request *request, struct soma_error *ret_err)
{
    return sent(call, soma_job_log_async(client, request, &once, on_log, call, NULL, ret_err));
}

bool follow_call_wait(struct follow_call *call, struct soma_client *client,
                      const struct soma_job_wait_request *request, struct soma_error *ret_err)
{
    return sent(call, soma_job_wait_async(client, request, &once, on_job, call, NULL, ret_err));
}

bool follow_call_input(struct follow_call *call, struct soma_client *client,
                       const struct soma_job_input_request *request, struct soma_error *ret_err)
{
    return sent(call, soma_job_input_async(client, request, &once, on_input, call, NULL, ret_err));
}

bool follow_call_cancel(struct follow_call *call, struct soma_client *client,
                        const struct soma_job_cancel_request *request, struct soma_error *ret_err)
{
    return sent(call, soma_job_cancel_async(client, request, &once, on_job, call, NULL, ret_err));
}

bool follow_call_take(struct follow_call *call, void **ret_result, struct soma_error *ret_err)
{
    bool taken = false;
    pthread_mutex_lock(&call->mailbox->lock);
    if (call->in_flight && call->is_answered) {
        *ret_result = call->result;
        if (!call->result)
            *ret_err = call->err;
        call->result = NULL;
        call->is_answered = false;
        taken = true;
    }
    pthread_mutex_unlock(&call->mailbox->lock);
    if (taken)
        call->in_flight = false;
    return taken;
}

void follow_call_back_off(struct follow_call *call, int64_t now)
{
    int64_t wait_ms = BACK_OFF_FIRST_MS << (call->failures < 4 ? call->failures : 4);
    call->failures++;
    call->due_ms = now + (wait_ms < BACK_OFF_MAX_MS ? wait_ms : BACK_OFF_MAX_MS);
}

void follow_call_fini(struct follow_call *call)
{
    soma_free(call->result);
    call->result = NULL;
}
