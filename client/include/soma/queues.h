// Queues: how their jobs are started, how long they stay. Include <soma/soma.h>.
#ifndef SOMA_QUEUES_H
#define SOMA_QUEUES_H

#include <soma/client.h>

#ifdef __cplusplus
extern "C" {
#endif

// A queue is there while it has jobs or settings. A bound of 0 is none.
struct soma_queue {
    const char *name;
    // Nothing is started; what runs goes on.
    bool is_paused;
    // Jobs of the queue that run at once.
    uint32_t max_running;
    // Finished jobs go, those that ended first before others: past this time since their end, past
    // this number, past these bytes of kept output. Their own keep_ms holds too.
    int64_t keep_ms;
    int64_t keep_jobs;
    int64_t keep_bytes;
    // Its jobs now.
    int64_t queued_jobs;
    int64_t running_jobs;
    int64_t finished_jobs;
    // Kept output of the finished ones.
    int64_t output_bytes;
};

struct soma_queue_list_request {
    size_t struct_size;
    // 0: 100. At most 1 000.
    uint32_t page_size;
    // NULL: from the first.
    const char *cursor;
};
#define SOMA_QUEUE_LIST_REQUEST_INIT SOMA_INIT(struct soma_queue_list_request)

struct soma_queue_list {
    const struct soma_queue *queues; // by name
    size_t queue_count;
    // NULL: this was the last page.
    const char *next_cursor;
};
SOMA_METHOD(queue_list, soma_queue_list_request, soma_queue_list);

struct soma_queue_request {
    size_t struct_size;
    const char *queue;
};
#define SOMA_QUEUE_REQUEST_INIT SOMA_INIT(struct soma_queue_request)
// SOMA_NOT_FOUND where it has neither jobs nor settings.
SOMA_METHOD(queue_get, soma_queue_request, soma_queue);

// What is NULL stays as it is.
struct soma_queue_update_request {
    size_t struct_size;
    const char *queue;
    const bool *is_paused;
    const uint32_t *max_running;
    const int64_t *keep_ms;
    const int64_t *keep_jobs;
    const int64_t *keep_bytes;
};
#define SOMA_QUEUE_UPDATE_REQUEST_INIT SOMA_INIT(struct soma_queue_update_request)
// The queue as it is then, the counts those of before.
SOMA_METHOD(queue_update, soma_queue_update_request, soma_queue);

#ifdef __cplusplus
}
#endif

#endif
