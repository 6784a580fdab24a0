// One call of each method of soma.h that does something: what has to be there before, and the call.
#ifndef TESTS_METHOD_CALLS_H
#define TESTS_METHOD_CALLS_H

#include <stddef.h>

#include <soma/soma.h>

struct method_call {
    const char *name; // in soma.h, without its prefix
    // Makes what the call needs, anew; NULL: method_calls_open did.
    void (*prepare)(void);
    enum soma_code (*run)(const struct soma_call_options *options, struct soma_error *err);
};

extern const struct method_call method_calls[];
extern const size_t method_call_count;

// On a server that is empty; the client is borrowed until method_calls_close.
void method_calls_open(struct soma_client *client);
// The calls are made by another client from now on.
void method_calls_use(struct soma_client *client);
void method_calls_close(void);

#endif
