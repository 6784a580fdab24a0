// Load on an nng REP server from one connection: N requests in flight, each sent again as soon as
// its reply is there.
//
//     nng_load raw|ping|submit URL IN_FLIGHT SECONDS
//
// raw sends 64 bytes and takes any reply. ping and submit speak SOMA's frames: header and message
// are packed for every request, and of every reply header and message are unpacked, so the work is
// that of a gRPC stub. The jobs of submit are not before the year 2100: what is measured is making
// them durable.
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>

#include "base/arena.h"
#include "base/id.h"
#include "load.h"
#include "soma/v1/jobs.pb-c.h"
#include "soma/v1/rpc.pb-c.h"
#include "soma/v1/server.pb-c.h"
#include "wire/frame.h"

enum {
    IN_FLIGHT_MAX = 1024,
    PAYLOAD_BYTES = 64,
    ARENA_BYTES = 65536
};

struct kind {
    const char *name;
    const char *method; // NULL: no frame
    const ProtobufCMessageDescriptor *reply;
};

static const struct kind kinds[] = {
    {"raw", NULL, NULL},
    {"ping", "soma.v1.ServerService/Ping", &pb__ping_response__descriptor},
    {"submit", "soma.v1.JobService/SubmitJob", &pb__submit_job_response__descriptor},
};

struct slot {
    nng_ctx context;
    nng_aio *aio;
    enum {
        SENDING,
        RECEIVING
    } state;
    int64_t sent_ns;
    struct arena arena;
};

static const struct kind *kind;
static uint8_t payload[PAYLOAD_BYTES];
static const int64_t not_before_ms = 4102444800000; // 2100-01-01
static uint32_t *latencies;
static atomic_size_t finished;
static atomic_int running;
static atomic_bool stopping;

static void die(const char *what)
{
    fprintf(stderr, "nng_load: %s\n", what);
    _exit(1);
}

static void must(int result, const char *what)
{
    if (result == 0)
        return;
    fprintf(stderr, "nng_load: %s: %s\n", what, nng_strerror(result));
    _exit(1);
}

static nng_msg *frame(const ProtobufCMessage *message)
{
    uint8_t id[16];
    Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
    header.method = kind->method;
    header.timeout_ms = 30000;
    header.client = "bench";
    if (kind->reply == &pb__submit_job_response__descriptor) {
        request_id_make(id);
        header.request_id = (ProtobufCBinaryData){sizeof id, id};
    }
    nng_msg *result;
    must(nng_msg_alloc(&result, frame_length(&header.base, message)), "message");
    frame_write(nng_msg_body(result), &header.base, message);
    return result;
}

static nng_msg *ping_request(void)
{
    Pb__PingRequest request = PB__PING_REQUEST__INIT;
    request.payload = (ProtobufCBinaryData){sizeof payload, payload};
    return frame(&request.base);
}

static nng_msg *submit_request(void)
{
    const char *argv[] = {"/bin/true"};
    Pb__Command command = PB__COMMAND__INIT;
    command.argv = argv;
    command.n_argv = 1;
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    spec.program_case = PB__JOB_SPEC__PROGRAM_COMMAND;
    spec.command = &command;
    spec.name = "benchmark";
    spec.not_before_unix_ms = not_before_ms;
    Pb__SubmitJobRequest request = PB__SUBMIT_JOB_REQUEST__INIT;
    request.spec = &spec;
    return frame(&request.base);
}

static nng_msg *next_request(void)
{
    if (kind->reply == &pb__submit_job_response__descriptor)
        return submit_request();
    if (kind->reply)
        return ping_request();
    nng_msg *message;
    must(nng_msg_alloc(&message, sizeof payload), "message");
    memcpy(nng_msg_body(message), payload, sizeof payload);
    return message;
}

static void check_reply(struct slot *slot, nng_msg *message)
{
    if (!kind->reply)
        return;
    struct frame_parts parts;
    struct soma_error err;
    arena_reset(&slot->arena, ARENA_BYTES);
    if (frame_split(nng_msg_body(message), nng_msg_len(message), &parts, &err) != SOMA_OK)
        die(err.text);
    Pb__ResponseHeader *header =
        pb__response_header__unpack(&slot->arena.protobuf, parts.header_length, parts.header);
    if (!header || header->code != PB__CODE__CODE_OK)
        die(header ? header->message : "bad reply header");
    if (!protobuf_c_message_unpack(kind->reply, &slot->arena.protobuf, parts.message_length,
                                   parts.message))
        die("bad reply message");
}

static void send_next(struct slot *slot)
{
    slot->state = SENDING;
    slot->sent_ns = now_ns();
    nng_aio_set_msg(slot->aio, next_request());
    nng_ctx_send(slot->context, slot->aio);
}

static void step(void *argument)
{
    struct slot *slot = argument;
    must(nng_aio_result(slot->aio), slot->state == SENDING ? "send" : "receive");
    if (slot->state == SENDING) {
        slot->state = RECEIVING;
        nng_ctx_recv(slot->context, slot->aio);
        return;
    }
    nng_msg *message = nng_aio_get_msg(slot->aio);
    check_reply(slot, message);
    nng_msg_free(message);
    size_t place = atomic_fetch_add(&finished, 1);
    if (place < LATENCIES_MAX)
        latencies[place] = (uint32_t)(now_ns() - slot->sent_ns);
    if (atomic_load(&stopping))
        atomic_fetch_sub(&running, 1);
    else
        send_next(slot);
}

static void start(struct slot *slot, nng_socket socket)
{
    arena_init(&slot->arena, 1 << 20);
    must(nng_ctx_open(&slot->context, socket), "context");
    must(nng_aio_alloc(&slot->aio, step, slot), "aio");
    nng_aio_set_timeout(slot->aio, 30000);
    send_next(slot);
}

int main(int argc, char **argv)
{
    static struct slot slots[IN_FLIGHT_MAX];
    int in_flight = argc == 5 ? (int)number_of(argv[3], IN_FLIGHT_MAX) : 0;
    double seconds = argc == 5 ? number_of(argv[4], 60) : 0;
    for (size_t i = 0; argc == 5 && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, argv[1]) == 0)
            kind = &kinds[i];
    }
    if (!kind || in_flight < 1 || seconds <= 0)
        die("usage: nng_load raw|ping|submit URL IN_FLIGHT SECONDS");
    latencies = calloc(LATENCIES_MAX, sizeof *latencies);
    nng_socket socket;
    must(nng_req0_open(&socket), "open");
    must(nng_socket_set_ms(socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE), "option");
    must(nng_dial(socket, argv[2], NULL, 0), argv[2]);
    int64_t begun = now_ns();
    atomic_store(&running, in_flight);
    for (int i = 0; i < in_flight; i++)
        start(&slots[i], socket);
    usleep((useconds_t)(seconds * 1e6));
    size_t count = atomic_load(&finished);
    double passed = (double)(now_ns() - begun) / 1e9;
    atomic_store(&stopping, true);
    for (int i = 0; i < 30000 && atomic_load(&running) > 0; i++)
        usleep(1000);
    report(latencies, count, passed);
    fflush(stdout);
    _exit(atomic_load(&running) > 0);
}
