// JobService: queues, requests and results.
#include <soma/v1/jobs.pb-c.h>

#include "lib/packing.h"
#include "lib/reading.h"

void queue_list_pack(const struct soma_queue_list_request *request, struct packing *packing)
{
    Pb__ListQueuesRequest *message = packing->message;
    message->page_size = request->page_size;
    message->cursor = pack_text_or_none(request->cursor);
}

void queue_get_pack(const struct soma_queue_request *request, struct packing *packing)
{
    Pb__GetQueueRequest *message = packing->message;
    message->queue = pack_text(packing, "queue", request->queue);
}

// In a oneof with one member the field's number is the case.
#define PACK_IF_GIVEN(field, given, CASE)                                                    \
    if (given) {                                                                             \
        message->field = *(given);                                                           \
        message->field##_presence_case = PB__UPDATE_QUEUE_REQUEST__##CASE##_PRESENCE_##CASE; \
    }

void queue_update_pack(const struct soma_queue_update_request *request, struct packing *packing)
{
    Pb__UpdateQueueRequest *message = packing->message;
    message->queue = pack_text(packing, "queue", request->queue);
    PACK_IF_GIVEN(paused, request->is_paused, PAUSED)
    PACK_IF_GIVEN(max_running, request->max_running, MAX_RUNNING)
    PACK_IF_GIVEN(keep_ms, request->keep_ms, KEEP_MS)
    PACK_IF_GIVEN(keep_jobs, request->keep_jobs, KEEP_JOBS)
    PACK_IF_GIVEN(keep_bytes, request->keep_bytes, KEEP_BYTES)
}

// --- results

static void read_queue(struct reading *reading, const Pb__Queue *message, struct soma_queue *queue)
{
    if (!message || !message->settings) {
        read_invalid(reading, "lacks the queue");
        return;
    }
    *queue = (struct soma_queue){
        .name = message->name,
        .is_paused = message->settings->paused,
        .max_running = message->settings->max_running,
        .keep_ms = message->settings->keep_ms,
        .keep_jobs = message->settings->keep_jobs,
        .keep_bytes = message->settings->keep_bytes,
        .queued_jobs = message->queued_jobs,
        .running_jobs = message->running_jobs,
        .finished_jobs = message->finished_jobs,
        .output_bytes = message->output_bytes,
    };
}

void queue_list_read(struct reading *reading, struct soma_queue_list *result)
{
    const Pb__ListQueuesResponse *message = reading->replies->message;
    struct soma_queue *queues = read_array(reading, message->n_queues, sizeof *queues);
    for (size_t i = 0; queues && i < message->n_queues; i++)
        read_queue(reading, message->queues[i], &queues[i]);
    result->queues = queues;
    result->queue_count = message->n_queues;
    result->next_cursor = read_text_or_null(message->next_cursor);
}

void queue_get_read(struct reading *reading, struct soma_queue *result)
{
    const Pb__GetQueueResponse *message = reading->replies->message;
    read_queue(reading, message->queue, result);
}

void queue_update_read(struct reading *reading, struct soma_queue *result)
{
    const Pb__UpdateQueueResponse *message = reading->replies->message;
    read_queue(reading, message->queue, result);
}
