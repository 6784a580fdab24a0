// The waiting form of a call.
#include <pthread.h>

#include "lib/call.h"

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool is_ended;
    void *result;
    enum soma_code code;
    struct soma_error *err; // the caller's, may be NULL
};

static void deliver(void (*done)(void), void *user, void *result, const struct soma_error *err)
{
    struct waiter *waiter = user;
    (void)done;
    pthread_mutex_lock(&waiter->lock);
    waiter->result = result;
    waiter->code = err ? err->code : SOMA_OK;
    if (err && waiter->err)
        *waiter->err = *err;
    waiter->is_ended = true;
    pthread_cond_signal(&waiter->ended);
    pthread_mutex_unlock(&waiter->lock);
}

enum soma_code call_wait(struct soma_client *client, const struct method *method,
                         const void *request, const struct soma_call_options *options,
                         void **ret_result, struct soma_error *err)
{
    struct waiter waiter = {
        .lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER, .err = err};
    struct call_order order = {
        .client = client,
        .method = method,
        .request = request,
        .options = options,
        .waits = true,
        .deliver = deliver,
        .user = &waiter,
    };
    enum soma_code code = call_start(&order, NULL, err);
    if (code != SOMA_OK)
        return code;
    // The core ends every call by its deadline.
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.is_ended)
        pthread_cond_wait(&waiter.ended, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    pthread_cond_destroy(&waiter.ended);
    pthread_mutex_destroy(&waiter.lock);
    *ret_result = waiter.result;
    return waiter.code;
}
