// What a submit and a claim cost the writer when many jobs wait: the server's own operations on a
// database of their own, without the network and without programs.
//
//     queue_depth DIRECTORY JOBS QUEUES ROUNDS|fill
//
// JOBS jobs are queued in QUEUES queues, of which every second one is paused and holds the better
// priorities. Then rounds of 64 submits in one transaction, as 64 clients make them, and of 64
// claims, 16 a transaction, as the engine makes them. One JSON line: microseconds of the thread's
// own processor time for each, the median of the rounds. fill: only that, for a server on the same
// directory; the jobs are not before the year 2100.
#include <stdbool.h>
#include <string.h>

#include "base/id.h"
#include "base/log.h"
#include "jobs/changes.h"
#include "jobs/submit.h"
#include "load.h"
#include "store/connection.h"
#include "store/job_ready.h"
#include "store/queues.h"
#include "store/requests.h"

enum {
    GROUP = 64,
    CLAIM = 16,
    FILL = 1000, // submits of a transaction while the queues are filled
    ROUNDS_MAX = 1000,
    ARENA_BYTES = 1 << 20,
};

static const int64_t NOT_BEFORE_MS = 4102444800000; // 2100-01-01

static struct store *store;
static struct store_txn *txn;
static int64_t submitted;
static int queue_count;
static struct wall_time not_before;

static void must(enum soma_code code, const struct soma_error *err)
{
    if (code == SOMA_OK)
        return;
    fprintf(stderr, "queue_depth: %s\n", err->text);
    exit(1);
}

static int64_t processor_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// The writer's part of one SubmitJob: a part of the transaction, the job, the kept reply.
static void submit(int number, struct arena *arena)
{
    static const char *const argv[] = {"/bin/true"};
    struct soma_error err;
    char queue[32], id[ID_SIZE];
    uint8_t request_id[REQUEST_STORE_ID_BYTES], print[REQUEST_STORE_FINGERPRINT_BYTES] = {0};
    static const char reply[60];
    submitted++;
    snprintf(queue, sizeof queue, "queue-%d", number);
    struct job_spec spec = {
        .argv = argv,
        .argc = 1,
        .name = "benchmark",
        .queue = queue,
        .priority = number % 2 ? 10 : 0,
        .limits = {1, 1, 1},
        .not_before = not_before,
        .keep_ms = 1,
    };
    id_make(id);
    request_id_make(request_id);
    struct job_new new = {
        .id = id, .spec = &spec, .now = clock_wall_now(), .room = {.unfinished_max = INT64_MAX}};
    struct submit_result result;
    const void *stored;
    size_t length;
    must(spec_encode(&spec, arena, &new.bytes, &err), &err);
    txn_bare_begin(txn);
    must(request_store_find(txn, request_id, print, arena, &stored, &length, &err), &err);
    must(job_submit(txn, &new, arena, &result, &err), &err);
    must(request_store_insert(txn, request_id, print, reply, sizeof reply, new.now, &err), &err);
    txn_bare_keep(txn);
    arena_reset(arena, ARENA_BYTES);
}

// To every queue, or to those that are not paused.
static void submit_group(int count, int step, struct arena *arena)
{
    struct soma_error err;
    must(txn_begin(txn, CONNECTION_WRITER, &err), &err);
    for (int i = 0; i < count; i++)
        submit((int)(submitted * step % queue_count), arena);
    must(txn_commit(txn, &err), &err);
    txn_checkpoint(txn, false);
}

static void claim_group(struct arena *arena)
{
    struct soma_error err;
    struct wall_time due;
    must(txn_begin(txn, CONNECTION_WRITER, &err), &err);
    must(job_ready_wake(txn, clock_wall_now(), 1000, &err), &err);
    for (int i = 0; i < CLAIM; i++) {
        int64_t num;
        struct job_row row;
        must(job_ready_first(txn, &num, &err), &err);
        must(job_store_get_num(txn, num, true, arena, &row, &err), &err);
        must(job_row_complete(&row, arena, &err), &err);
        must(job_claim(txn, &row, &err), &err);
        arena_reset(arena, ARENA_BYTES);
    }
    must(job_ready_next(txn, &due, &err), &err);
    must(txn_commit(txn, &err), &err);
    txn_checkpoint(txn, false);
}

static void pause_every_second(void)
{
    struct soma_error err;
    must(txn_begin(txn, CONNECTION_WRITER, &err), &err);
    for (int i = 1; i < queue_count; i += 2) {
        char name[32];
        snprintf(name, sizeof name, "queue-%d", i);
        must(queue_store_set(txn, name, &(struct queue_settings){.paused = true}, &err), &err);
    }
    must(txn_commit(txn, &err), &err);
}

static double median_us(int64_t *round_ns, int count, int per_round)
{
    for (int i = 1; i < count; i++) {
        int64_t value = round_ns[i];
        int at = i;
        for (; at > 0 && round_ns[at - 1] > value; at--)
            round_ns[at] = round_ns[at - 1];
        round_ns[at] = value;
    }
    return (double)round_ns[count / 2] / per_round / 1000;
}

static void measure(int rounds, struct arena *arena, double *ret_submit_us, double *ret_claim_us)
{
    static int64_t submits[ROUNDS_MAX], claims[ROUNDS_MAX];
    for (int round = 0; round < rounds; round++) {
        int64_t begun = processor_ns();
        submit_group(GROUP, 2, arena);
        int64_t between = processor_ns();
        for (int i = 0; i < GROUP / CLAIM; i++)
            claim_group(arena);
        submits[round] = between - begun;
        claims[round] = processor_ns() - between;
    }
    *ret_submit_us = median_us(submits, rounds, GROUP);
    *ret_claim_us = median_us(claims, rounds, GROUP);
}

static void fill(int64_t jobs, struct arena *arena)
{
    while (submitted < jobs) {
        int64_t left = jobs - submitted;
        submit_group(left < FILL ? (int)left : FILL, 1, arena);
    }
}

int main(int argc, char **argv)
{
    bool only_fills = argc == 5 && strcmp(argv[4], "fill") == 0;
    int64_t jobs = argc == 5 ? (int64_t)number_of(argv[2], 1e8) : 0;
    int rounds = argc == 5 && !only_fills ? (int)number_of(argv[4], ROUNDS_MAX) : only_fills;
    queue_count = argc == 5 ? (int)number_of(argv[3], 10000) : 0;
    if (jobs < 1 || queue_count < 1 || rounds < 1) {
        fprintf(stderr, "usage: queue_depth DIRECTORY JOBS QUEUES ROUNDS|fill\n");
        return 2;
    }
    struct soma_error err;
    struct arena arena;
    log_set_level(LOG_LEVEL_ERROR);
    arena_init(&arena, ARENA_BYTES);
    must(store_open(argv[1], 1, &store, &err), &err);
    txn = store_writing(store);
    not_before.ms = only_fills ? NOT_BEFORE_MS : 0;
    if (!only_fills)
        pause_every_second();
    fill(jobs, &arena);
    double submit_us = 0, claim_us = 0;
    if (!only_fills)
        measure(rounds, &arena, &submit_us, &claim_us);
    printf("{\"submit_us\": %.2f, \"claim_us\": %.2f}\n", submit_us, claim_us);
    store_close(store);
    arena_fini(&arena);
    return 0;
}
