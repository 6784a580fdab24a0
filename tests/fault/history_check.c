#include "history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// --- the collection: its states, one for each sequence

struct states {
    struct event **writes; // by sequence, without a gap
    size_t count;
    int64_t base; // the sequence before the first
};

static int compare_sequences(const void *a, const void *b)
{
    const struct event *left = *(struct event *const *)a, *right = *(struct event *const *)b;
    return left->sequence < right->sequence ? -1 : left->sequence > right->sequence;
}

static bool is_write(const struct event *event)
{
    return event->kind == EVENT_UPSERT || (event->kind == EVENT_DELETE && event->count > 0);
}

static bool is_of_collection(const struct event *event)
{
    return event->kind <= EVENT_READ;
}

static void collect_writes(struct history *history, struct states *states)
{
    states->writes = calloc((size_t)CLIENTS * CLIENT_EVENTS, sizeof *states->writes);
    if (!states->writes)
        abort();
    states->base = history->base_sequence;
    for (unsigned i = 0; i < CLIENTS; i++) {
        for (unsigned k = 0; k < history->clients[i].event_count; k++) {
            if (is_write(&history->clients[i].events[k]))
                states->writes[states->count++] = &history->clients[i].events[k];
        }
    }
    qsort(states->writes, states->count, sizeof(struct event *), compare_sequences);
}

// Each write made one state; one that was acknowledged before another began comes before it.
static void check_writes(struct history *history, const struct states *states)
{
    int64_t latest_begin = 0;
    for (size_t i = 0; i < states->count; i++) {
        const struct event *write = states->writes[i];
        const int64_t next = states->base + 1 + (int64_t)i;
        if (write->sequence != next)
            history_fail(history, "a write has sequence %lld where %lld comes next",
                         (long long)write->sequence, (long long)next);
        if (write->end < latest_begin)
            history_fail(history, "the write at sequence %lld was over before an earlier one began",
                         (long long)write->sequence);
        latest_begin = write->begin > latest_begin ? write->begin : latest_begin;
    }
}

static int64_t apply(uint32_t state[RECORDS], const struct event *write)
{
    int64_t there = 0;
    for (unsigned i = 0; i < RECORDS; i++) {
        if (!(write->records >> i & 1))
            continue;
        there += state[i] != 0;
        state[i] = write->kind == EVENT_UPSERT ? write->value : 0;
    }
    return there;
}

// Reads, and deletes that found nothing, sorted as the writes are.
static size_t collect_reads(struct history *history, struct event ***ret_reads)
{
    struct event **reads = calloc((size_t)CLIENTS * CLIENT_EVENTS, sizeof *reads);
    size_t count = 0;
    if (!reads)
        abort();
    for (unsigned i = 0; i < CLIENTS; i++) {
        for (unsigned k = 0; k < history->clients[i].event_count; k++) {
            struct event *event = &history->clients[i].events[k];
            if (is_of_collection(event) && !is_write(event))
                reads[count++] = event;
        }
    }
    qsort(reads, count, sizeof *reads, compare_sequences);
    *ret_reads = reads;
    return count;
}

static void check_read(struct history *history, const struct event *read,
                       const uint32_t state[RECORDS])
{
    for (unsigned i = 0; i < RECORDS; i++) {
        bool is_right = read->kind == EVENT_READ ? read->seen[i] == state[i]
                                                 : !(read->records >> i & 1) || !state[i];
        if (!is_right)
            history_fail(history, "at sequence %lld record %u is %u, and %u was seen",
                         (long long)read->sequence, i, state[i],
                         read->kind == EVENT_READ ? read->seen[i] : 0);
    }
}

// The newest write that was acknowledged before the tick, and the newest that had begun.
static void check_time(struct history *history, const struct states *states,
                       const struct event *read)
{
    // Writes near the read's own suffice: those far away differ by more than all clients overlap.
    size_t place = (size_t)(read->sequence - states->base);
    for (size_t i = place; i < states->count && i < place + (size_t)2 * CLIENTS; i++) {
        if (states->writes[i]->end < read->begin)
            history_fail(history, "a read at sequence %lld misses %lld, acknowledged before it",
                         (long long)read->sequence, (long long)states->writes[i]->sequence);
    }
    if (place > 0 && states->writes[place - 1]->begin > read->end)
        history_fail(history, "a read saw sequence %lld before it was written",
                     (long long)read->sequence);
}

void history_check_records(struct history *history)
{
    struct states states = {0};
    struct event **reads;
    size_t next = 0, read_count = collect_reads(history, &reads);
    collect_writes(history, &states);
    check_writes(history, &states);
    for (size_t i = 0; i <= states.count && !history->failure[0]; i++) {
        int64_t sequence = states.base + (int64_t)i;
        if (i > 0) {
            int64_t there = apply(history->base, states.writes[i - 1]);
            if (states.writes[i - 1]->kind == EVENT_DELETE && states.writes[i - 1]->count != there)
                history_fail(history, "a delete at sequence %lld says %lld, and %lld were there",
                             (long long)sequence, (long long)states.writes[i - 1]->count,
                             (long long)there);
        }
        for (; next < read_count && reads[next]->sequence == sequence; next++) {
            check_read(history, reads[next], history->base);
            check_time(history, &states, reads[next]);
        }
    }
    if (next < read_count && !history->failure[0])
        history_fail(history, "a read at sequence %lld, which nobody wrote",
                     (long long)reads[next]->sequence);
    history->base_sequence = states.base + (int64_t)states.count;
    free(states.writes);
    free(reads);
}

// --- jobs

static bool is_final(enum soma_job_state state)
{
    return soma_job_state_is_final(state);
}

static int compare_revisions(const void *a, const void *b)
{
    const struct event *left = a, *right = b;
    if (left->job != right->job)
        return left->job < right->job ? -1 : 1;
    return left->revision < right->revision ? -1 : left->revision > right->revision;
}

static void tell_job(struct history *history, const struct event *event, const char *what)
{
    history_fail(history, "job %u, revision %lld, %s, attempt %u: %s", event->job,
                 (long long)event->revision, soma_job_state_name(event->state), event->attempt,
                 what);
}

// Two looks at a job, one after the other by revision.
static void check_pair(struct history *history, const struct event *before,
                       const struct event *after, unsigned *ret_retries)
{
    if (before->revision == after->revision &&
        (before->state != after->state || before->attempt != after->attempt))
        tell_job(history, after, "another state at the same revision");
    // An attempt that never let its program go is counted again.
    uint32_t taken_back = after->state == SOMA_JOB_QUEUED;
    if (after->attempt + taken_back < before->attempt)
        tell_job(history, after, "attempts went back");
    if (is_final(before->state) && !is_final(after->state))
        *ret_retries += 1;
    if (is_final(before->state) && is_final(after->state) && before->revision != after->revision &&
        before->attempt == after->attempt && before->state != after->state &&
        after->state != SOMA_JOB_CANCELLED)
        tell_job(history, after, "another end of the same attempt");
}

// All looks, by job and revision. Whoever begins after somebody saw a revision sees none before it.
static void check_looks(struct history *history, const struct event *looks, size_t count,
                        unsigned *ret_left_final)
{
    int64_t older_begin = 0, same_begin = 0; // the latest begin of a look at an older revision
    for (size_t i = 0; i < count; i++) {
        const struct event *look = &looks[i], *before = i > 0 ? &looks[i - 1] : NULL;
        bool is_first = !before || before->job != look->job;
        if (is_first || before->revision != look->revision) {
            older_begin = is_first ? 0 : same_begin > older_begin ? same_begin : older_begin;
            same_begin = 0;
        }
        if (look->end < older_begin)
            tell_job(history, look, "an older revision was seen after it");
        same_begin = look->begin > same_begin ? look->begin : same_begin;
        if (!is_first)
            check_pair(history, before, look, &ret_left_final[look->job]);
    }
}

struct job_doings {
    unsigned retries; // that were not refused
    unsigned cancels;
};

static void check_end(struct history *history, const struct event *told,
                      const struct job_doings *doings, unsigned left_final,
                      const struct ledger *ledger, const char *id)
{
    char line[64];
    if (!is_final(told->state))
        tell_job(history, told, "not final when all was quiet");
    if (told->state == SOMA_JOB_LOST || told->state == SOMA_JOB_TIMED_OUT)
        tell_job(history, told, "an end that has no cause");
    if (told->state == SOMA_JOB_CANCELLED && doings->cancels == 0)
        tell_job(history, told, "nobody cancelled it");
    if (told->attempt > 1 + doings->retries || left_final > doings->retries)
        tell_job(history, told, "more attempts than somebody asked for");
    if (told->reason != SOMA_JOB_REASON_EXITED)
        return;
    snprintf(line, sizeof line, "%s %u", id, told->attempt);
    if (!ledger_has(ledger, line))
        tell_job(history, told, "ended by itself, and never ran");
}

static size_t collect_looks(struct history *history, const struct final_job *jobs, size_t count,
                            struct event **ret_looks, struct job_doings *doings)
{
    struct event *looks = calloc((size_t)CLIENTS * CLIENT_EVENTS + count, sizeof *looks);
    size_t total = 0;
    if (!looks)
        abort();
    for (unsigned i = 0; i < CLIENTS; i++) {
        for (unsigned k = 0; k < history->clients[i].event_count; k++) {
            const struct event *event = &history->clients[i].events[k];
            if (is_of_collection(event))
                continue;
            doings[event->job].cancels += event->kind == EVENT_CANCEL;
            doings[event->job].retries += event->kind == EVENT_RETRY && !event->is_refused;
            if (!event->is_refused)
                looks[total++] = *event;
        }
    }
    for (size_t i = 0; i < count; i++)
        looks[total++] = jobs[i].told;
    qsort(looks, total, sizeof *looks, compare_revisions);
    *ret_looks = looks;
    return total;
}

// Each submit that was acknowledged is one job, and no other job is there.
static void check_names(struct history *history, const struct final_job *jobs, size_t count)
{
    size_t acknowledged = 0;
    bool *seen = calloc((size_t)CLIENTS * CLIENT_JOBS, sizeof *seen);
    if (!seen)
        abort();
    for (size_t i = 0; i < count; i++) {
        uint32_t job = jobs[i].told.job;
        if (job >= CLIENTS * CLIENT_JOBS || seen[job])
            history_fail(history, "job %s, %s, was submitted twice or by nobody", jobs[i].id,
                         jobs[i].name);
        else
            seen[job] = true;
        if (job < CLIENTS * CLIENT_JOBS &&
            strcmp(history->clients[job / CLIENT_JOBS].ids[job % CLIENT_JOBS], jobs[i].id) != 0)
            history_fail(history, "job %s has another id than its submit was told", jobs[i].name);
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        acknowledged += atomic_load(&history->clients[i].job_count);
    if (acknowledged != count)
        history_fail(history, "%zu submits were acknowledged, %zu jobs are there", acknowledged,
                     count);
    free(seen);
}

void history_check_jobs(struct history *history, const struct final_job *jobs, size_t count,
                        const struct ledger *ledger)
{
    struct job_doings *doings = calloc((size_t)CLIENTS * CLIENT_JOBS, sizeof *doings);
    struct event *looks;
    unsigned *left_final = calloc((size_t)CLIENTS * CLIENT_JOBS, sizeof *left_final);
    if (!doings || !left_final)
        abort();
    check_names(history, jobs, count);
    if (history->failure[0])
        count = 0;
    size_t total = collect_looks(history, jobs, count, &looks, doings);
    check_looks(history, looks, total, left_final);
    const char *twice = ledger_twice(ledger);
    if (twice)
        history_fail(history, "started twice under one attempt: %s", twice);
    for (size_t i = 0; i < count; i++)
        check_end(history, &jobs[i].told, &doings[jobs[i].told.job], left_final[jobs[i].told.job],
                  ledger, jobs[i].id);
    free(doings);
    free(left_final);
    free(looks);
}
