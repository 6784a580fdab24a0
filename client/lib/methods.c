// The rows of methods.def, and for each the pair of public functions.
#include "lib/method.h"

#include <soma/v1/jobs.pb-c.h>
#include <soma/v1/server.pb-c.h>
#include <soma/v1/vectors.pb-c.h>

#include "lib/call.h"

// A row's functions with the types taken off.
#define METHOD(NAME, REQUEST, RESULT, SERVICE, METHOD_NAME, message, flags, resume) \
    static void NAME##_pack_any(const void *request, struct packing *packing)       \
    {                                                                               \
        NAME##_pack(request, packing);                                              \
    }                                                                               \
    static void NAME##_read_any(struct reading *reading, void *result)              \
    {                                                                               \
        NAME##_read(reading, result);                                               \
    }                                                                               \
    static void NAME##_deliver(void (*done)(void), void *user, void *result,        \
                               const struct soma_error *err)                        \
    {                                                                               \
        ((soma_##NAME##_done *)done)(user, result, err);                            \
    }
#include "lib/methods.def"
#undef METHOD

const struct method method_table[METHOD_COUNT] = {
#define METHOD(NAME, REQUEST, RESULT, SERVICE, METHOD_NAME, message, flags, resume) \
    [METHOD_ID_##NAME] = {"soma.v1." #SERVICE "/" #METHOD_NAME,                     \
                          &pb__##message##_request__descriptor,                     \
                          &pb__##message##_response__descriptor,                    \
                          flags,                                                    \
                          sizeof(struct REQUEST),                                   \
                          sizeof(struct RESULT),                                    \
                          NAME##_pack_any,                                          \
                          NAME##_read_any,                                          \
                          resume,                                                   \
                          NAME##_deliver},
#include "lib/methods.def"
#undef METHOD
};

#define METHOD(NAME, REQUEST, RESULT, SERVICE, METHOD_NAME, message, flags, resume)               \
    enum soma_code soma_##NAME(struct soma_client *client, const struct REQUEST *request,         \
                               const struct soma_call_options *options,                           \
                               struct RESULT **ret_result, struct soma_error *err)                \
    {                                                                                             \
        void *result = NULL;                                                                      \
        enum soma_code code =                                                                     \
            call_wait(client, &method_table[METHOD_ID_##NAME], request, options, &result, err);   \
        if (ret_result)                                                                           \
            *ret_result = result;                                                                 \
        else                                                                                      \
            soma_free(result);                                                                    \
        return code;                                                                              \
    }                                                                                             \
    enum soma_code soma_##NAME##_async(struct soma_client *client, const struct REQUEST *request, \
                                       const struct soma_call_options *options,                   \
                                       soma_##NAME##_done *done, void *user,                      \
                                       struct soma_call **ret_call, struct soma_error *err)       \
    {                                                                                             \
        struct call_order order = {                                                               \
            .client = client,                                                                     \
            .method = &method_table[METHOD_ID_##NAME],                                            \
            .request = request,                                                                   \
            .options = options,                                                                   \
            .done = (void (*)(void))done,                                                         \
            .user = user,                                                                         \
        };                                                                                        \
        return call_start(&order, ret_call, err);                                                 \
    }
#include "lib/methods.def"
#undef METHOD
