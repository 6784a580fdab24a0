#include "job_kit.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "wire/decode.h"
#include "wire/frame.h"

enum {
    POLL_MS = 2000,
    OUTPUT_MAX = 8 << 20,
    ENVIRONMENT_MAX = 1 << 16
};

struct somad somad;

static struct {
    struct peer peer;
    struct answer answer;
    bool has_answer;
    const char *space; // NULL: the default namespace
} kit;

static void pause_until(struct mono_time deadline, const char *what)
{
    if (clock_left_ms(deadline) == 0)
        fail_msg("%s did not come about", what);
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

// --- the server

void job_kit_start(void)
{
    somad_prepare(&somad);
    char shared[KIT_PATH_SIZE + 16];
    snprintf(shared, sizeof shared, "%s/" JOB_KIT_SHARED, somad.directory);
    assert_int_equal(mkdir(shared, 0755), 0);
    setenv("SOMA_READ_PATH", shared, 1);
    // Jobs of another user pass through to their work directories.
    assert_int_equal(chmod(somad.directory, 0711), 0);
    somad_start(&somad);
    peer_open(&kit.peer, somad.ipc);
}

void job_kit_stop(void)
{
    if (kit.has_answer)
        answer_free(&kit.answer);
    kit.has_answer = false;
    peer_close(&kit.peer);
    // After all that was done to it, the server ends as it should.
    int status = somad_end(&somad, SIGTERM);
    somad_remove(&somad);
    assert_int_equal(status, 0);
}

void job_kit_kill_server(void)
{
    assert_int_equal(somad_end(&somad, SIGKILL), 128 + SIGKILL);
}

void job_kit_restart_server(void)
{
    somad_start(&somad);
    peer_close(&kit.peer);
    peer_open(&kit.peer, somad.ipc);
}

// --- calls

void job_kit_enter(const char *space)
{
    kit.space = space;
}

static void ask(const uint8_t *request_id, const char *method, const ProtobufCMessage *request)
{
    if (kit.has_answer)
        answer_free(&kit.answer);
    kit.has_answer = false;
    char path[64];
    snprintf(path, sizeof path, "soma.v1.JobService/%s", method);
    Pb__RequestHeader header = PB__REQUEST_HEADER__INIT;
    header.method = path;
    header.namespace_ = kit.space ? kit.space : "";
    if (request_id) {
        header.request_id.data = (uint8_t *)(uintptr_t)request_id;
        header.request_id.len = 16;
    }
    size_t length = frame_length(&header.base, request);
    uint8_t *frame = malloc(length);
    assert_non_null(frame);
    frame_write(frame, &header.base, request);
    kit.has_answer = peer_ask(&kit.peer, frame, length, &kit.answer);
    free(frame);
    assert_true(kit.has_answer);
}

const void *job_ask_as(const uint8_t *request_id, const char *method,
                       const ProtobufCMessage *request,
                       const ProtobufCMessageDescriptor *response_type)
{
    ask(request_id, method, request);
    const Pb__ResponseHeader *header = kit.answer.header;
    if (header->code != PB__CODE__CODE_OK)
        fail_msg("%s: %s (%s): %s", method, header->reason, header->field, header->message);
    struct soma_error err;
    const void *response = wire_decode(response_type, kit.answer.message, kit.answer.message_length,
                                       &kit.answer.arena, &err);
    if (!response)
        fail_msg("%s: %s", method, err.text);
    return response;
}

const void *job_ask(const char *method, const ProtobufCMessage *request,
                    const ProtobufCMessageDescriptor *response_type)
{
    return job_ask_as(NULL, method, request, response_type);
}

const char *job_refused(const uint8_t *request_id, const char *method,
                        const ProtobufCMessage *request)
{
    ask(request_id, method, request);
    return kit.answer.header->reason;
}

// --- jobs

Pb__JobSpec *job_script(const char *script)
{
    static Pb__JobSpec spec;
    static Pb__Command command;
    static const char *words[3];
    words[0] = "sh";
    words[1] = "-c";
    words[2] = script;
    pb__job_spec__init(&spec);
    pb__command__init(&command);
    command.argv = words;
    command.n_argv = 3;
    spec.program_case = PB__JOB_SPEC__PROGRAM_COMMAND;
    spec.command = &command;
    return &spec;
}

void job_submit(const Pb__JobSpec *spec, char ret_id[JOB_ID_SIZE])
{
    Pb__SubmitJobRequest request = PB__SUBMIT_JOB_REQUEST__INIT;
    request.spec = (Pb__JobSpec *)(uintptr_t)spec;
    const Pb__SubmitJobResponse *response =
        job_ask("SubmitJob", &request.base, &pb__submit_job_response__descriptor);
    assert_int_equal(strlen(response->job->id), JOB_ID_SIZE - 1);
    memcpy(ret_id, response->job->id, JOB_ID_SIZE);
}

void job_run(const char *script, char ret_id[JOB_ID_SIZE])
{
    job_submit(job_script(script), ret_id);
}

void job_submit_to(const char *queue, const char *script, char ret_id[JOB_ID_SIZE])
{
    Pb__JobSpec *spec = job_script(script);
    spec->queue = queue;
    job_submit(spec, ret_id);
}

const Pb__Job *job_get(const char *id)
{
    Pb__GetJobRequest request = PB__GET_JOB_REQUEST__INIT;
    request.job_id = id;
    const Pb__GetJobResponse *response =
        job_ask("GetJob", &request.base, &pb__get_job_response__descriptor);
    return response->job;
}

const Pb__Job *job_wait_final(const char *id)
{
    Pb__WaitJobRequest request = PB__WAIT_JOB_REQUEST__INIT;
    request.job_id = id;
    request.wait_ms = POLL_MS;
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
    for (;;) {
        const Pb__WaitJobResponse *response =
            job_ask("WaitJob", &request.base, &pb__wait_job_response__descriptor);
        if (response->job->status->state >= PB__JOB_STATE__JOB_STATE_SUCCEEDED)
            return response->job;
        if (clock_left_ms(deadline) == 0)
            fail_msg("job %s does not end", id);
    }
}

void job_wait_state(const char *id, Pb__JobState state)
{
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
    while (job_get(id)->status->state != state)
        pause_until(deadline, "the job's state");
}

void job_cancel(const char *id, const char *note, bool force)
{
    Pb__CancelJobRequest request = PB__CANCEL_JOB_REQUEST__INIT;
    request.job_id = id;
    request.note = note;
    request.force = force;
    job_ask("CancelJob", &request.base, &pb__cancel_job_response__descriptor);
}

// --- queues

const Pb__Queue *queue_update(Pb__UpdateQueueRequest *request, const char *queue)
{
    request->queue = queue;
    const Pb__UpdateQueueResponse *response =
        job_ask("UpdateQueue", &request->base, &pb__update_queue_response__descriptor);
    return response->queue;
}

void queue_pause(const char *queue, bool is_paused)
{
    Pb__UpdateQueueRequest request = PB__UPDATE_QUEUE_REQUEST__INIT;
    request.paused_presence_case = PB__UPDATE_QUEUE_REQUEST__PAUSED_PRESENCE_PAUSED;
    request.paused = is_paused;
    assert_int_equal(queue_update(&request, queue)->settings->paused, is_paused);
}

const Pb__Queue *queue_get(const char *queue)
{
    Pb__GetQueueRequest request = PB__GET_QUEUE_REQUEST__INIT;
    request.queue = queue;
    const Pb__GetQueueResponse *response =
        job_ask("GetQueue", &request.base, &pb__get_queue_response__descriptor);
    return response->queue;
}

// --- output

static const Pb__OutputChunk *read_chunk(const char *id, uint32_t attempt, Pb__OutputStream stream,
                                         int64_t offset, uint32_t piece)
{
    Pb__OutputPosition position = PB__OUTPUT_POSITION__INIT, *positions[] = {&position};
    Pb__ReadJobOutputRequest request = PB__READ_JOB_OUTPUT_REQUEST__INIT;
    position.stream = stream;
    position.offset = offset;
    request.job_id = id;
    request.attempt = attempt;
    request.positions = positions;
    request.n_positions = 1;
    request.max_bytes = piece;
    request.wait_ms = POLL_MS;
    const Pb__ReadJobOutputResponse *response =
        job_ask("ReadJobOutput", &request.base, &pb__read_job_output_response__descriptor);
    assert_int_equal(response->n_chunks, 1);
    assert_int_equal(response->chunks[0]->offset, offset);
    return response->chunks[0];
}

char *job_output(const char *id, uint32_t attempt, Pb__OutputStream stream, uint32_t piece)
{
    char *all = malloc(OUTPUT_MAX);
    assert_non_null(all);
    size_t length = 0;
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
    for (bool end = false; !end;) {
        const Pb__OutputChunk *chunk = read_chunk(id, attempt, stream, (int64_t)length, piece);
        assert_true(length + chunk->data.len < OUTPUT_MAX);
        if (chunk->data.len > 0)
            memcpy(all + length, chunk->data.data, chunk->data.len);
        length += chunk->data.len;
        end = chunk->end;
        if (clock_left_ms(deadline) == 0)
            fail_msg("the output of job %s does not end", id);
    }
    all[length] = '\0';
    return all;
}

void job_wait_output(const char *id, const char *text)
{
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
    for (;;) {
        const Pb__OutputChunk *chunk =
            read_chunk(id, 0, PB__OUTPUT_STREAM__OUTPUT_STREAM_STDOUT, 0, 0);
        if (chunk->data.len > 0 &&
            memmem(chunk->data.data, chunk->data.len, text, strlen(text)) != NULL)
            return;
        pause_until(deadline, "the output");
    }
}

// --- processes

static bool has_variable(const char *pid, const char *variable)
{
    static char bytes[ENVIRONMENT_MAX + 1];
    char path[300];
    snprintf(path, sizeof path, "/proc/%s/environ", pid);
    FD_CLEANUP int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, bytes, ENVIRONMENT_MAX);
    size_t wanted = strlen(variable) + 1;
    return length > 0 && memmem(bytes, (size_t)length, variable, wanted) != NULL;
}

int job_processes(const char *variable)
{
    DIR *directory = opendir("/proc");
    assert_non_null(directory);
    int count = 0;
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL)
        count += isdigit((unsigned char)entry->d_name[0]) && has_variable(entry->d_name, variable);
    closedir(directory);
    return count;
}

void job_wait_processes(const char *variable, int count)
{
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
    while (job_processes(variable) != count)
        pause_until(deadline, "the number of processes");
}
