// Typed calls of JobService over a raw peer, and conditions to wait for. What comes back lives
// until the next call.
#ifndef TESTS_JOB_KIT_H
#define TESTS_JOB_KIT_H

#include "soma/v1/jobs.pb-c.h"
#include "somad_kit.h"

enum {
    JOB_ID_SIZE = 21
};

// A folder of the scratch directory that jobs can look into, whatever stands around them.
#define JOB_KIT_SHARED "shared"

// A server with one peer; start once, stop at the end.
extern struct somad somad;
void job_kit_start(void);
void job_kit_stop(void);
// kill -9; the peer's connection comes back with the next server.
void job_kit_kill_server(void);
void job_kit_restart_server(void);

// The response, which must be OK.
const void *job_ask(const char *method, const ProtobufCMessage *request,
                    const ProtobufCMessageDescriptor *response_type);
// The same with a request id of 16 bytes, NULL: none.
const void *job_ask_as(const uint8_t *request_id, const char *method,
                       const ProtobufCMessage *request,
                       const ProtobufCMessageDescriptor *response_type);
// The reason, "" where it was OK.
const char *job_refused(const uint8_t *request_id, const char *method,
                        const ProtobufCMessage *request);

// Where the calls work from now on; "": in the default namespace.
void job_kit_enter(const char *space);

// A specification that runs the script with sh; static memory, made new by each call.
Pb__JobSpec *job_script(const char *script);
void job_submit(const Pb__JobSpec *spec, char ret_id[JOB_ID_SIZE]);
void job_submit_to(const char *queue, const char *script, char ret_id[JOB_ID_SIZE]);
void job_run(const char *script, char ret_id[JOB_ID_SIZE]);

const Pb__Job *job_get(const char *id);
// Waits for the end, however long the polls are.
const Pb__Job *job_wait_final(const char *id);
void job_wait_state(const char *id, Pb__JobState state);
void job_cancel(const char *id, const char *note, bool force);

// Fills in the queue's name and sends it.
const Pb__Queue *queue_update(Pb__UpdateQueueRequest *request, const char *queue);
void queue_pause(const char *queue, bool is_paused);
const Pb__Queue *queue_get(const char *queue);

// All that one stream holds, read in pieces of piece bytes until the end; NUL-terminated, freed by
// the caller.
char *job_output(const char *id, uint32_t attempt, Pb__OutputStream stream, uint32_t piece);
// Waits until standard output holds the text.
void job_wait_output(const char *id, const char *text);

// Processes that have the variable NAME=VALUE in their environment.
int job_processes(const char *variable);
void job_wait_processes(const char *variable, int count);

#endif
