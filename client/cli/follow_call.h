// The calls that a follow has in flight, and how their answers come back to its one thread.
#ifndef CLI_FOLLOW_CALL_H
#define CLI_FOLLOW_CALL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <soma/soma.h>

// Where answers arrive. The library's threads write here, under the lock, and wake the loop.
struct mailbox {
    pthread_mutex_t lock;
    // eventfd.
    int wake_fd;
};

// False: errno.
bool mailbox_init(struct mailbox *mailbox);
void mailbox_fini(struct mailbox *mailbox);
// Empties the wake_fd.
void mailbox_clear(struct mailbox *mailbox);

struct follow_call {
    struct mailbox *mailbox;
    // The loop's: a request was sent and its answer not taken.
    bool in_flight;
    int64_t sent_ms;
    // The loop's: not to be sent before; 0: at once.
    int64_t due_ms;
    uint32_t failures;
    // Under the lock until taken.
    bool is_answered;
    void *result;
    struct soma_error err;
};

// Each sends one request, without retries of the library. False: *ret_err says why not.
bool follow_call_read(struct follow_call *call, struct soma_client *client,
                      const struct soma_job_log_request *request, struct soma_error *ret_err);
bool follow_call_wait(struct follow_call *call, struct soma_client *client,
                      const struct soma_job_wait_request *request, struct soma_error *ret_err);
bool follow_call_input(struct follow_call *call, struct soma_client *client,
                       const struct soma_job_input_request *request, struct soma_error *ret_err);
bool follow_call_cancel(struct follow_call *call, struct soma_client *client,
                        const struct soma_job_cancel_request *request, struct soma_error *ret_err);

// False: no answer yet. *ret_result is the caller's to free; NULL: the call failed, with *ret_err.
bool follow_call_take(struct follow_call *call, void **ret_result, struct soma_error *ret_err);

// Sets when to try again after a failure: soon at first, then each second.
void follow_call_back_off(struct follow_call *call, int64_t now);

// After the client was closed.
void follow_call_fini(struct follow_call *call);

#endif
