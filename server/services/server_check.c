// CheckServer: on a worker.
#include "inspection/inspect.h"
#include "services/server_service_private.h"

enum {
    FINDINGS_MAX = 1000,
    BUSY_RETRY_MS = 1000
};

struct findings {
    struct arena *arena;
    Pb__ServerFinding **rows; // room for FINDINGS_MAX
    size_t count;             // kept
    int64_t found;            // in all
    bool has_no_memory;
};

static void take(void *user, const char *what, const char *text)
{
    struct findings *findings = user;
    if (findings->found++ >= FINDINGS_MAX)
        return;
    Pb__ServerFinding *row = findings->rows[findings->count];
    pb__server_finding__init(row);
    row->what = arena_string(findings->arena, what);
    row->message = arena_string(findings->arena, text);
    findings->has_no_memory = findings->has_no_memory || !row->what || !row->message;
    findings->count += !findings->has_no_memory;
}

static enum soma_code look(const struct server_service *service, struct rpc_call *call,
                           const char *step, struct findings *findings,
                           char ret_next[INSPECT_STEP_SIZE], struct soma_error *err)
{
    struct arena arena;
    arena_init(&arena, INSPECT_ARENA_BYTES);
    const struct inspection inspection = {
        .store = service->facts->store,
        .vectors = service->facts->vectors,
        .jobs_path = service->facts->jobs_path,
        .space = rpc_call_is_owner(call) ? NULL : rpc_call_space(call),
        .arena = &arena,
        .deadline = rpc_call_deadline(call),
        .is_live = true,
        .found = take,
        .user = findings,
    };
    enum soma_code code = inspect_step(&inspection, step[0] ? step : INSPECT_FIRST, ret_next, err);
    arena_fini(&arena);
    return code == SOMA_OK && findings->has_no_memory ? error_set_no_memory(err) : code;
}

static void check(struct rpc_call *call, const ProtobufCMessage *message, void *user)
{
    struct server_service *service = user;
    const Pb__CheckServerRequest *request = (const Pb__CheckServerRequest *)message;
    Pb__CheckServerResponse response = PB__CHECK_SERVER_RESPONSE__INIT;
    struct soma_error err = {0};
    struct arena *arena = rpc_call_arena(call);
    struct findings findings = {
        .arena = arena,
        .rows = server_new_messages(arena, FINDINGS_MAX, sizeof(Pb__ServerFinding))};
    char next[INSPECT_STEP_SIZE];
    enum soma_code code = findings.rows ? look(service, call, request->step, &findings, next, &err)
                                        : error_set_no_memory(&err);
    atomic_store(&service->is_checking, false);
    if (code != SOMA_OK) {
        rpc_call_fail(call, &err);
        return;
    }
    response.findings = findings.rows;
    response.n_findings = findings.count;
    response.finding_count = findings.found;
    response.next_step = next;
    rpc_call_reply(call, &response.base);
}

// On a worker, so that it is let go whatever becomes of the call.
static void check_alone(struct rpc_call *call, const ProtobufCMessage *message, void *user)
{
    struct server_service *service = user;
    struct soma_error err = {0};
    if (!atomic_exchange(&service->is_checking, true)) {
        check(call, message, user);
        return;
    }
    error_set(&err, REASON_SERVER_BUSY, NULL, "another check is going on");
    err.retry_after_ms = BUSY_RETRY_MS;
    rpc_call_fail(call, &err);
}

SERVER_HANDLER(check_server, CheckServer)
{
    (void)closure;
    struct server_service *service = (struct server_service *)base;
    workers_run(service->facts->workers, call, &request->base, check_alone, service);
}
