// The bare peer: an nng REP socket that sends back what it gets, as lean as nng allows.
//
//     nng_echo URL        prints "ready URL" when it listens, ends when its standard input does
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>

enum {
    CONTEXT_COUNT = 64
};

struct slot {
    nng_ctx context;
    nng_aio *aio;
    enum {
        RECEIVING,
        SENDING
    } state;
};

static void step(void *argument)
{
    struct slot *slot = argument;
    if (nng_aio_result(slot->aio) != 0)
        return;
    if (slot->state == RECEIVING) {
        slot->state = SENDING;
        nng_aio_set_msg(slot->aio, nng_aio_get_msg(slot->aio));
        nng_ctx_send(slot->context, slot->aio);
        return;
    }
    slot->state = RECEIVING;
    nng_ctx_recv(slot->context, slot->aio);
}

static void must(int result, const char *what)
{
    if (result == 0)
        return;
    fprintf(stderr, "nng_echo: %s: %s\n", what, nng_strerror(result));
    exit(1);
}

int main(int argc, char **argv)
{
    static struct slot slots[CONTEXT_COUNT];
    nng_socket socket;
    if (argc != 2)
        return 2;
    must(nng_rep0_open(&socket), "open");
    for (int i = 0; i < CONTEXT_COUNT; i++) {
        must(nng_ctx_open(&slots[i].context, socket), "context");
        must(nng_aio_alloc(&slots[i].aio, step, &slots[i]), "aio");
        slots[i].state = RECEIVING;
        nng_ctx_recv(slots[i].context, slots[i].aio);
    }
    must(nng_listen(socket, argv[1], NULL, 0), "listen");
    printf("ready %s\n", argv[1]);
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    _exit(0);
}
