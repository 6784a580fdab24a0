#include "history.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PATIENCE_MS = 120000,
    BATCH_MAX = 4,
    DIM = 2
};

__attribute__((format(printf, 2, 3))) void history_fail(struct history *history, const char *format,
                                                        ...)
{
    pthread_mutex_lock(&history->lock);
    if (!history->failure[0]) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(history->failure, sizeof history->failure, format, arguments);
        va_end(arguments);
    }
    pthread_mutex_unlock(&history->lock);
}

static struct soma_call_options patient(void)
{
    struct soma_call_options options = SOMA_CALL_OPTIONS_INIT;
    options.timeout_ms = PATIENCE_MS;
    options.retry_max_ms = 50;
    return options;
}

static struct event *begin(struct history_client *client, enum event_kind kind)
{
    struct event *event = &client->events[client->event_count++];
    *event = (struct event){.kind = kind, .begin = atomic_fetch_add(&client->history->tick, 1)};
    return event;
}

// False where the call failed, which nothing here may.
static bool end(struct history_client *client, struct event *event, enum soma_code code,
                const struct soma_error *err)
{
    event->end = atomic_fetch_add(&client->history->tick, 1);
    if (code != SOMA_OK)
        history_fail(client->history, "client %u, event %u of kind %d: %s %s", client->number,
                     client->event_count - 1, event->kind, err->reason, err->text);
    return code == SOMA_OK;
}

// --- the collection

static uint64_t some_records(struct history_client *client)
{
    uint64_t records = 0;
    for (uint32_t i = 1 + dice_below(&client->dice, BATCH_MAX); i > 0; i--)
        records |= UINT64_C(1) << dice_below(&client->dice, RECORDS);
    return records;
}

static size_t name_records(uint64_t records, char ret_names[RECORDS][8])
{
    size_t count = 0;
    for (unsigned i = 0; i < RECORDS; i++) {
        if (records >> i & 1)
            snprintf(ret_names[count++], 8, "r%u", i);
    }
    return count;
}

static void upsert(struct history_client *client)
{
    char names[RECORDS][8];
    struct soma_record records[RECORDS] = {{0}};
    float embeddings[RECORDS * DIM];
    struct soma_records_write_request request = SOMA_RECORDS_WRITE_REQUEST_INIT;
    struct soma_call_options options = patient();
    struct soma_records_written *written = NULL;
    struct soma_error err;
    uint64_t set = some_records(client);
    struct event *event = begin(client, EVENT_UPSERT);
    event->records = set;
    event->value = ++client->next_value;
    request.record_count = name_records(set, names);
    for (size_t i = 0; i < request.record_count; i++) {
        records[i].id = names[i];
        embeddings[i * DIM] = (float)event->value;
        embeddings[i * DIM + 1] = 1;
    }
    request.collection = "c";
    request.records = records;
    request.embeddings = embeddings;
    request.dimension = DIM;
    enum soma_code code =
        soma_records_upsert(client->history->library, &request, &options, &written, &err);
    if (end(client, event, code, &err))
        event->sequence = written->sequence;
    soma_free(written);
}

static void delete (struct history_client *client)
{
    char names[RECORDS][8];
    const char *ids[RECORDS];
    struct soma_records_delete_request request = SOMA_RECORDS_DELETE_REQUEST_INIT;
    struct soma_call_options options = patient();
    struct soma_records_deleted *deleted = NULL;
    struct soma_error err;
    uint64_t set = some_records(client);
    struct event *event = begin(client, EVENT_DELETE);
    event->records = set;
    request.collection = "c";
    request.id_count = name_records(set, names);
    for (size_t i = 0; i < request.id_count; i++)
        ids[i] = names[i];
    request.ids = ids;
    enum soma_code code =
        soma_records_delete(client->history->library, &request, &options, &deleted, &err);
    if (end(client, event, code, &err)) {
        event->sequence = deleted->sequence;
        event->count = deleted->deleted;
    }
    soma_free(deleted);
}

static void see(struct history_client *client, struct event *event, const char *id,
                const float *embedding)
{
    unsigned number = (unsigned)strtoul(id + 1, NULL, 10);
    if (number >= RECORDS || !embedding || event->seen[number])
        history_fail(client->history, "client %u was shown a record %s that cannot be",
                     client->number, id);
    else
        event->seen[number] = (uint32_t)embedding[0];
}

static const struct soma_include include = {.embedding = true};

static struct event *begin_read(struct history_client *client)
{
    struct event *event = begin(client, EVENT_READ);
    event->seen = calloc(RECORDS, sizeof *event->seen);
    if (!event->seen)
        abort();
    return event;
}

static void query(struct history_client *client)
{
    static const float nowhere[DIM] = {0, 0};
    struct soma_records_query_request request = SOMA_RECORDS_QUERY_REQUEST_INIT;
    struct soma_call_options options = patient();
    struct soma_query_results *results = NULL;
    struct soma_error err;
    struct event *event = begin_read(client);
    request.collection = "c";
    request.embeddings = nowhere;
    request.query_count = 1;
    request.dimension = DIM;
    request.k = RECORDS;
    request.include = &include;
    enum soma_code code =
        soma_records_query(client->history->library, &request, &options, &results, &err);
    if (end(client, event, code, &err)) {
        event->sequence = results->sequence;
        for (size_t i = 0; i < results->results[0].hit_count; i++)
            see(client, event, results->results[0].hits[i].record.id,
                results->results[0].hits[i].embedding);
    }
    soma_free(results);
}

static void scan(struct history_client *client)
{
    struct soma_records_scan_request request = SOMA_RECORDS_SCAN_REQUEST_INIT;
    struct soma_call_options options = patient();
    struct soma_records *found = NULL;
    struct soma_error err;
    struct event *event = begin_read(client);
    request.collection = "c";
    request.page_size = RECORDS;
    request.include = &include;
    enum soma_code code =
        soma_records_scan(client->history->library, &request, &options, &found, &err);
    if (end(client, event, code, &err)) {
        event->sequence = found->sequence;
        for (size_t i = 0; i < found->record_count; i++)
            see(client, event, found->records[i].id, found->embeddings + i * DIM);
    }
    soma_free(found);
}

// --- jobs

static void take_job(struct event *event, const struct soma_job *job)
{
    event->revision = job->revision;
    event->state = job->state;
    event->reason = job->reason;
    event->attempt = job->attempt;
}

static void submit(struct history_client *client)
{
    char script[128], name[32];
    uint32_t place = atomic_load(&client->job_count);
    uint32_t sleep_ms = dice_below(&client->dice, 4) ? 0 : dice_below(&client->dice, 300);
    uint32_t exit_code = dice_below(&client->dice, 5) ? 0 : 3;
    if (place == CLIENT_JOBS)
        return;
    snprintf(script, sizeof script,
             "echo $SOMA_JOB_ID $SOMA_ATTEMPT >>$LEDGER; sleep 0.%03u; exit %u", sleep_ms,
             exit_code);
    snprintf(name, sizeof name, "job-%u", client->number * CLIENT_JOBS + place);
    const struct soma_pair environment[] = {{"LEDGER", client->history->ledger}};
    const char *const words[] = {"sh", "-c", script};
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    struct soma_call_options options = patient();
    struct soma_job *job = NULL;
    struct soma_error err;
    spec.arguments = words;
    spec.argument_count = 3;
    spec.environment = environment;
    spec.environment_count = 1;
    spec.name = name;
    spec.kill_grace_ms = 100;
    struct event *event = begin(client, EVENT_SUBMIT);
    event->job = client->number * CLIENT_JOBS + place;
    enum soma_code code = soma_job_submit(client->history->library, &spec, &options, &job, &err);
    if (end(client, event, code, &err)) {
        take_job(event, job);
        snprintf(client->ids[place], JOB_ID_SIZE, "%s", job->id);
        atomic_store(&client->job_count, place + 1);
    }
    soma_free(job);
}

// A job of any client, among the latest; false: there is none yet.
static bool choose_job(struct history_client *client, uint32_t *ret_job, const char **ret_id)
{
    struct history_client *of = &client->history->clients[dice_below(&client->dice, CLIENTS)];
    uint32_t count = atomic_load(&of->job_count);
    uint32_t back = dice_below(&client->dice, 6);
    if (count == 0)
        return false;
    uint32_t place = count > back ? count - 1 - back : 0;
    *ret_job = of->number * CLIENT_JOBS + place;
    *ret_id = of->ids[place];
    return true;
}

static enum soma_code ask(struct history_client *client, enum event_kind kind, const char *id,
                          struct soma_job **ret_job, struct soma_error *err)
{
    struct soma_call_options options = patient();
    struct soma_client *library = client->history->library;
    const struct soma_job_request request = {.struct_size = sizeof request, .job_id = id};
    const struct soma_job_cancel_request cancel = {
        .struct_size = sizeof cancel, .job_id = id, .note = "chance"};
    if (kind == EVENT_CANCEL)
        return soma_job_cancel(library, &cancel, &options, ret_job, err);
    if (kind == EVENT_RETRY)
        return soma_job_retry(library, &request, &options, ret_job, err);
    return soma_job_get(library, &request, &options, ret_job, err);
}

static void ask_about_job(struct history_client *client, enum event_kind kind)
{
    uint32_t number;
    const char *id;
    struct soma_job *job = NULL;
    struct soma_error err = {0};
    if (!choose_job(client, &number, &id))
        return;
    struct event *event = begin(client, kind);
    event->job = number;
    enum soma_code code = ask(client, kind, id, &job, &err);
    event->is_refused = kind == EVENT_RETRY && strcmp(err.reason, "JOB_NOT_FINAL") == 0;
    if (end(client, event, event->is_refused ? SOMA_OK : code, &err) && job)
        take_job(event, job);
    soma_free(job);
}

static void play_one(struct history_client *client)
{
    uint32_t chance = dice_below(&client->dice, 100);
    if (chance < 26)
        upsert(client);
    else if (chance < 34)
        delete (client);
    else if (chance < 48)
        query(client);
    else if (chance < 60)
        scan(client);
    else if (chance < 70)
        submit(client);
    else if (chance < 86)
        ask_about_job(client, EVENT_GET);
    else
        ask_about_job(client, chance < 93 ? EVENT_CANCEL : EVENT_RETRY);
}

static void *client_main(void *argument)
{
    struct history_client *client = argument;
    for (unsigned i = 0; i < client->history->ops && !client->history->failure[0]; i++)
        play_one(client);
    atomic_fetch_add(&client->history->done, 1);
    return NULL;
}

bool history_is_over(struct history *history)
{
    return atomic_load(&history->done) == CLIENTS;
}

void history_open(struct history *history)
{
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    options.server = history->server;
    options.connect_timeout_ms = -1;
    pthread_mutex_init(&history->lock, NULL);
    if (soma_client_open(&options, &history->library, NULL) != SOMA_OK)
        abort();
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct history_client *client = &history->clients[i];
        client->history = history;
        client->number = i;
        client->events = calloc(CLIENT_EVENTS, sizeof *client->events);
        client->ids = calloc(CLIENT_JOBS, sizeof *client->ids);
        if (!client->events || !client->ids)
            abort();
    }
}

static void forget_events(struct history_client *client)
{
    for (unsigned i = 0; i < client->event_count; i++)
        free(client->events[i].seen);
    client->event_count = 0;
}

void history_close(struct history *history)
{
    soma_client_close(history->library);
    for (unsigned i = 0; i < CLIENTS; i++) {
        forget_events(&history->clients[i]);
        free(history->clients[i].events);
        free(history->clients[i].ids);
    }
    pthread_mutex_destroy(&history->lock);
}

void history_start(struct history *history)
{
    atomic_store(&history->done, 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct history_client *client = &history->clients[i];
        forget_events(client);
        atomic_store(&client->job_count, 0);
        dice_init(&client->dice, history->seed, ((uint64_t)history->round << 8) + i);
        // Values differ from those of all others, and are exact as floats.
        client->next_value = (i + 1) << 20;
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (pthread_create(&history->threads[i], NULL, client_main, &history->clients[i]))
            abort();
    }
}

void history_wait(struct history *history)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        pthread_join(history->threads[i], NULL);
}
