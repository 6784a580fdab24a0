// What fault tests share: the real server on a scratch directory, and a client of libsoma that asks
// once and says what came.
#ifndef TESTS_FAULT_KIT_H
#define TESTS_FAULT_KIT_H

#include <limits.h>
#include <soma/soma.h>

#include "somad_kit.h"

enum {
    FAULT_ID_SIZE = 32
};

extern struct somad fault_somad;
extern struct soma_client *fault_client;

// A scratch directory and a client; no server yet.
void fault_open(void);
void fault_start_server(void);
// Whoever still runs is killed.
void fault_close(void);

// The path of a file in the scratch directory; static memory, of the last call.
const char *fault_path(const char *name);
// Makes that file, for which scripts wait with FAULT_UNTIL.
void fault_let_go(const char *name);
#define FAULT_UNTIL "until [ -e %s ]; do sleep 0.02; done"

// Submits a script for sh; the reason why it was refused, "" where it was not.
const char *fault_try_submit(const char *script, int64_t not_before_ms, char *ret_id);
void fault_submit(const char *script, char *ret_id);
// Freed by the caller.
struct soma_job *fault_get(const char *id);
enum soma_job_state fault_state(const char *id);
struct soma_job *fault_wait_final(const char *id);
// Waits until standard output holds so many bytes.
void fault_wait_output(const char *id, int64_t bytes);

// A number of GetStats; one that there is not fails the test.
int64_t fault_stat(const char *name);

// A loop's body that waits: fails the test when the condition has not come about in time.
void fault_pause(int64_t *deadline_ms, const char *what);

#endif
