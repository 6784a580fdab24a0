#include "rpc/connections.h"

#include <arpa/inet.h>
#include <nng/nng.h>
#include <nng/transport/ipc/ipc.h>
#include <nng/transport/ws/websocket.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "rpc/call_private.h"
#include "rpc/counters.h"
#include "rpc/refusals.h"
#include "wire/limits.h"

enum {
    REFUSAL_SAID_MS = 10000, // a line in the log at most so often
    CLOSED_AT_ONCE = 256
};

// Whether a web page made the connection. Any page that a user looks at can reach a loopback
// address, and browsers say which one it was; nothing else sends that header.
static bool is_from_a_page(nng_pipe pipe)
{
    char *headers;
    if (nng_pipe_get_string(pipe, NNG_OPT_WS_REQUEST_HEADERS, &headers) != 0)
        return false;
    bool found = strncasecmp(headers, "Origin:", 7) == 0 || strcasestr(headers, "\nOrigin:");
    nng_strfree(headers);
    return found;
}

static struct visitor_key key_of(nng_pipe pipe)
{
    nng_sockaddr address;
    uint64_t user;
    if (nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_UID, &user) == 0)
        return (struct visitor_key){VISITOR_USER, user};
    if (nng_pipe_get_addr(pipe, NNG_OPT_REMADDR, &address) != 0)
        return (struct visitor_key){VISITOR_UNKNOWN, 0};
    if (address.s_family == NNG_AF_INET)
        return (struct visitor_key){VISITOR_IPV4, address.s_in.sa_addr};
    if (address.s_family == NNG_AF_INET6)
        return visitor_of_ipv6(address.s_in6.sa_addr);
    return (struct visitor_key){VISITOR_UNKNOWN, 0};
}

static bool is_over_limit(struct connections *connections, nng_pipe pipe)
{
    uint32_t id = (uint32_t)nng_pipe_id(pipe);
    const char *limit =
        visitors_enter(dispatcher_visitors(connections->dispatcher), id, key_of(pipe));
    if (!limit && load_arrive(dispatcher_load(connections->dispatcher), id))
        return false;
    int64_t now_ms = clock_mono_now().ms, said_ms = atomic_load(&connections->refusal_said_ms);
    counter_add(COUNTER_REFUSED_CONNECTIONS, 1);
    if ((said_ms == 0 || now_ms - said_ms >= REFUSAL_SAID_MS) &&
        atomic_compare_exchange_strong(&connections->refusal_said_ms, &said_ms, now_ms))
        log_warning("CONNECTION-REFUSED", "the limit %s is reached; %lld were refused so far",
                    limit ? limit : "memory",
                    (long long)counter_value(COUNTER_REFUSED_CONNECTIONS));
    return true;
}

// nng tells of the end of every pipe that it announced before, also of one refused here.
static void pipe_event(nng_pipe pipe, nng_pipe_ev event, void *argument)
{
    struct connections *connections = argument;
    uint32_t id = (uint32_t)nng_pipe_id(pipe);
    if (event == NNG_PIPE_EV_ADD_PRE) {
        counter_add(COUNTER_CONNECTIONS, 1);
        if (is_from_a_page(pipe) || is_over_limit(connections, pipe))
            nng_pipe_close(pipe);
        return;
    }
    counter_add(COUNTER_CONNECTIONS, -1);
    visitors_leave(dispatcher_visitors(connections->dispatcher), id);
    load_depart(dispatcher_load(connections->dispatcher), id);
    parking_drop_peer(connections->parking, id);
}

int connections_watch(struct connections *connections, uint32_t socket)
{
    const nng_socket id = {socket};
    int result = nng_pipe_notify(id, NNG_PIPE_EV_ADD_PRE, pipe_event, connections);
    return result ? result : nng_pipe_notify(id, NNG_PIPE_EV_REM_POST, pipe_event, connections);
}

void connections_close_idle(struct dispatcher *dispatcher, int64_t idle_ms)
{
    uint32_t ids[CLOSED_AT_ONCE];
    size_t all = 0, count;
    do {
        count = load_take_idle(dispatcher_load(dispatcher), idle_ms, ids, CLOSED_AT_ONCE);
        for (size_t i = 0; i < count; i++)
            nng_pipe_close((nng_pipe){ids[i]});
        all += count;
    } while (count == CLOSED_AT_ONCE);
    counter_add(COUNTER_IDLE_CONNECTIONS, (int64_t)all);
    if (all > 0)
        log_info("CONNECTIONS-IDLE", "%zu were closed: they had asked nothing for %lld ms", all,
                 (long long)idle_ms);
    refusals_tell();
}

// --- what calls ask for

void transport_peer(const struct rpc_call *call, char ret_text[PEER_TEXT_SIZE])
{
    const nng_pipe pipe = {call->peer};
    nng_sockaddr address;
    uint64_t user, process;
    char host[INET6_ADDRSTRLEN] = "";
    snprintf(ret_text, PEER_TEXT_SIZE, "an unknown peer");
    if (nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_UID, &user) == 0) {
        if (nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_PID, &process) != 0)
            process = 0;
        snprintf(ret_text, PEER_TEXT_SIZE, "uid %llu pid %llu", (unsigned long long)user,
                 (unsigned long long)process);
        return;
    }
    if (nng_pipe_get_addr(pipe, NNG_OPT_REMADDR, &address) != 0)
        return;
    if (address.s_family == NNG_AF_INET &&
        inet_ntop(AF_INET, &address.s_in.sa_addr, host, sizeof host))
        snprintf(ret_text, PEER_TEXT_SIZE, "%s:%u", host, ntohs(address.s_in.sa_port));
    if (address.s_family == NNG_AF_INET6 &&
        inet_ntop(AF_INET6, address.s_in6.sa_addr, host, sizeof host))
        snprintf(ret_text, PEER_TEXT_SIZE, "[%s]:%u", host, ntohs(address.s_in6.sa_port));
}
