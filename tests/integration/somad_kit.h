// The real somad on a scratch directory, and a raw peer that sends it any bytes.
//
// Whatever does not come about within KIT_PATIENCE_MS fails the test.
#ifndef TESTS_SOMAD_KIT_H
#define TESTS_SOMAD_KIT_H

#include <nng/nng.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "soma/v1/rpc.pb-c.h"

enum {
    KIT_PATIENCE_MS = 20000,
    KIT_URL_SIZE = 256,
    KIT_PATH_SIZE = 64
};

struct somad {
    pid_t pid;
    char directory[KIT_PATH_SIZE]; // scratch: "data", "stderr", the socket; removed by somad_remove
    char ipc[KIT_URL_SIZE];        // the addresses that it said it listens on
    char tcp[KIT_URL_SIZE];
    char ws[KIT_URL_SIZE];
};

// To be called by main before the tests where the arguments may hold --as-user: the test and all
// that it starts become an ordinary user.
void somad_kit_open(int argc, char **argv);

// Servers that are started from now on run jobs with this program; NULL: with SOMA_RUNNER again.
void somad_kit_use_runner(const char *path);

// A fresh scratch directory, no server yet.
void somad_prepare(struct somad *somad);
// Starts a server on the directory and waits until it says that it is ready.
void somad_start(struct somad *somad);
// Starts a server with other arguments (a NULL-terminated list without argv[0]) and waits for its
// end; gives its exit status, and what it said on stderr in the file "refused".
int somad_refused(const struct somad *somad, const char *const *arguments);
// Sends the signal and waits for the end; gives the exit status, or 128 + signal.
int somad_end(struct somad *somad, int signal);
// Whether the server has ended by itself, for somad_wait to say how.
bool somad_is_dead(const struct somad *somad);
// Waits for its end; gives the exit status, or 128 + signal.
int somad_wait(struct somad *somad);
// Kills the server if it runs, and removes the directory.
void somad_remove(struct somad *somad);

// Whether the file in the scratch directory holds the text.
bool somad_said(const struct somad *somad, const char *file, const char *text);

// --- a peer

struct peer {
    nng_socket socket;
};

void peer_open(struct peer *peer, const char *url);
void peer_close(struct peer *peer);

struct answer {
    struct arena arena; // all below is in it
    const Pb__ResponseHeader *header;
    const uint8_t *message;
    size_t message_length;
};

// Sends the bytes and waits for the reply. False where none came, because the connection was lost.
bool peer_ask(struct peer *peer, const void *frame, size_t length, struct answer *ret_answer);
// The same for a method and a packed message.
bool peer_call(struct peer *peer, const char *method, int32_t timeout_ms, const void *message,
               size_t length, struct answer *ret_answer);
// Whether a ping comes back.
bool peer_pings(struct peer *peer);
void answer_free(struct answer *answer);

#endif
