// What the holder of a token gets of another namespace: nothing, by any method, by any id or name
// of it that they may have heard of.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fault_kit.h"
#include "method_calls.h"

enum {
    NAME_SIZE = 64,
    OWN = 16 // methods that name nothing that is there
};

static struct {
    struct soma_client *theirs; // a token of "theirs", that holds everything
    struct soma_client *mine;   // a token of "mine", that holds everything
} scene;

static void must(enum soma_code code, const struct soma_error *err)
{
    if (code != SOMA_OK)
        fail_msg("%s %s", err->reason, err->text);
}

static struct soma_client *open_client(const char *server, const char *token, const char *space)
{
    struct soma_client_options options = SOMA_CLIENT_OPTIONS_INIT;
    struct soma_client *client;
    struct soma_error err;
    options.server = server;
    options.token = token;
    options.namespace_name = space;
    must(soma_client_open(&options, &client, &err), &err);
    return client;
}

static struct soma_client *client_of_token(const char *space)
{
    static const enum soma_scope admin[] = {SOMA_SCOPE_ADMIN};
    struct soma_client *owner = open_client(fault_somad.ipc, NULL, space);
    struct soma_token_create_request request = SOMA_TOKEN_CREATE_REQUEST_INIT;
    char secret[SOMA_SECRET_SIZE];
    struct soma_error err;
    soma_secret_make(secret);
    request.name = "boss";
    request.secret = secret;
    request.scopes = admin;
    request.scope_count = 1;
    must(soma_token_create(owner, &request, NULL, NULL, &err), &err);
    soma_client_close(owner);
    return open_client(fault_somad.tcp, secret, NULL);
}

// --- every method of soma.h

// Those that name nothing of another namespace, or make something: they succeed in the caller's
// own.
static bool is_about_its_own(const char *method)
{
    static const char *const names[OWN] = {
        "server_ping",  "server_info",       "server_stats",    "server_check",
        "token_create", "token_list",        "job_submit",      "job_upload",
        "job_list",     "job_watch",         "job_prune",       "queue_list",
        "queue_update", "collection_create", "collection_list", "snapshot_restore"};
    for (size_t i = 0; i < OWN; i++) {
        if (strcmp(names[i], method) == 0)
            return true;
    }
    return false;
}

// What the namespace's own holder sees of it, as numbers that move with a change.
struct picture {
    size_t jobs, cancelled_jobs, queues, collections, tokens;
    int64_t records, sequences;
};

static void look_at_jobs(struct soma_client *client, struct picture *picture)
{
    struct soma_job_list_request request = SOMA_JOB_LIST_REQUEST_INIT;
    struct soma_job_list *list;
    struct soma_error err;
    request.page_size = 1000;
    must(soma_job_list(client, &request, NULL, &list, &err), &err);
    picture->jobs = list->job_count;
    for (size_t i = 0; i < list->job_count; i++)
        picture->cancelled_jobs += list->jobs[i].state == SOMA_JOB_CANCELLED;
    soma_free(list);
}

static void look_at_collections(struct soma_client *client, struct picture *picture)
{
    struct soma_collection_list_request request = SOMA_COLLECTION_LIST_REQUEST_INIT;
    struct soma_collection_list *list;
    struct soma_error err;
    must(soma_collection_list(client, &request, NULL, &list, &err), &err);
    picture->collections = list->collection_count;
    for (size_t i = 0; i < list->collection_count; i++) {
        picture->records += list->collections[i].record_count;
        picture->sequences += list->collections[i].sequence;
    }
    soma_free(list);
}

static struct picture picture_of(struct soma_client *client)
{
    struct picture picture = {0};
    struct soma_queue_list_request queues = SOMA_QUEUE_LIST_REQUEST_INIT;
    struct soma_empty_request nothing = SOMA_EMPTY_REQUEST_INIT;
    struct soma_queue_list *queue_list;
    struct soma_token_list *token_list;
    struct soma_error err;
    look_at_jobs(client, &picture);
    look_at_collections(client, &picture);
    must(soma_queue_list(client, &queues, NULL, &queue_list, &err), &err);
    must(soma_token_list(client, &nothing, NULL, &token_list, &err), &err);
    picture.queues = queue_list->queue_count;
    picture.tokens = token_list->token_count;
    soma_free(queue_list);
    soma_free(token_list);
    return picture;
}

static enum soma_code run_as_mine(const struct method_call *call, struct soma_error *err)
{
    struct soma_call_options once = SOMA_CALL_OPTIONS_INIT;
    once.max_attempts = 1;
    method_calls_use(scene.mine);
    enum soma_code code = call->run(&once, err);
    method_calls_use(scene.theirs);
    return code;
}

static void no_method_reaches_what_is_another_namespaces(void **state)
{
    (void)state;
    size_t reaching = 0;
    for (size_t i = 0; i < method_call_count; i++) {
        const struct method_call *call = &method_calls[i];
        struct soma_error err = {0};
        if (is_about_its_own(call->name))
            continue;
        if (call->prepare)
            call->prepare();
        struct picture before = picture_of(scene.theirs);
        if (run_as_mine(call, &err) != SOMA_NOT_FOUND)
            fail_msg("%s: %s %s", call->name, err.reason, err.text);
        struct picture after = picture_of(scene.theirs);
        assert_memory_equal(&before, &after, sizeof before);
        // What they may do with it they can.
        if (call->run(NULL, &err) != SOMA_OK)
            fail_msg("%s: %s %s", call->name, err.reason, err.text);
        reaching++;
    }
    assert_int_equal(reaching + OWN, method_call_count);
}

static void what_a_method_makes_is_in_its_callers_namespace(void **state)
{
    (void)state;
    struct soma_collection_request made = SOMA_COLLECTION_REQUEST_INIT;
    struct picture before = picture_of(scene.theirs);
    made.collection = "new";
    for (size_t i = 0; i < method_call_count; i++) {
        struct soma_error err = {0};
        if (!is_about_its_own(method_calls[i].name))
            continue;
        // Two methods make it.
        soma_collection_delete(scene.mine, &made, NULL, NULL, NULL);
        if (run_as_mine(&method_calls[i], &err) != SOMA_OK)
            fail_msg("%s: %s %s", method_calls[i].name, err.reason, err.text);
    }
    struct picture after = picture_of(scene.theirs);
    assert_memory_equal(&before, &after, sizeof before);
}

static void lists_and_changes_hold_nothing_of_another_namespace(void **state)
{
    (void)state;
    struct picture mine = picture_of(scene.mine);
    // What its own calls above made.
    assert_int_equal(mine.jobs, 1);
    assert_int_equal(mine.tokens, 2);
    assert_int_equal(mine.collections, 1);
    struct soma_job_watch_request request = SOMA_JOB_WATCH_REQUEST_INIT;
    struct soma_job_changes *changes;
    struct soma_error err;
    request.page_size = 1000;
    must(soma_job_watch(scene.mine, &request, NULL, &changes, &err), &err);
    assert_int_equal(changes->job_count, 1);
    assert_int_equal(changes->removed_count, 0);
    soma_free(changes);
}

// --- ids and names that stand in other places of a request

struct theirs {
    char job[FAULT_ID_SIZE], upload[NAME_SIZE], uid[NAME_SIZE], restore[NAME_SIZE];
};

static void make_an_upload(struct theirs *theirs)
{
    struct soma_job_upload_request request = SOMA_JOB_UPLOAD_REQUEST_INIT;
    struct soma_job_upload *upload;
    struct soma_error err;
    request.data = "secret";
    request.length = 6;
    request.end = true;
    must(soma_job_upload(scene.theirs, &request, NULL, &upload, &err), &err);
    snprintf(theirs->upload, NAME_SIZE, "%s", upload->upload_id);
    soma_free(upload);
}

static void begin_a_restore(struct theirs *theirs)
{
    struct soma_snapshot_read_request read = SOMA_SNAPSHOT_READ_REQUEST_INIT;
    struct soma_snapshot_restore_request restore = SOMA_SNAPSHOT_RESTORE_REQUEST_INIT;
    struct soma_snapshot_page *page;
    struct soma_snapshot_restored *restored;
    struct soma_error err;
    read.collection = "c";
    must(soma_snapshot_read(scene.theirs, &read, NULL, &page, &err), &err);
    restore.bytes = page->bytes;
    restore.length = page->length;
    must(soma_snapshot_restore(scene.theirs, &restore, NULL, &restored, &err), &err);
    snprintf(theirs->restore, NAME_SIZE, "%s", restored->uid);
    restore.uid = theirs->restore;
    restore.finish_name = "stolen";
    assert_int_equal(soma_snapshot_restore(scene.mine, &restore, NULL, NULL, &err), SOMA_NOT_FOUND);
    soma_free(restored);
    soma_free(page);
}

static struct theirs make_theirs(void)
{
    struct theirs theirs;
    struct soma_job_list_request jobs = SOMA_JOB_LIST_REQUEST_INIT;
    struct soma_collection_request collection = SOMA_COLLECTION_REQUEST_INIT;
    struct soma_job_list *list;
    struct soma_collection *c;
    struct soma_error err;
    must(soma_job_list(scene.theirs, &jobs, NULL, &list, &err), &err);
    snprintf(theirs.job, FAULT_ID_SIZE, "%s", list->jobs[0].id);
    soma_free(list);
    collection.collection = "c";
    must(soma_collection_get(scene.theirs, &collection, NULL, &c, &err), &err);
    snprintf(theirs.uid, NAME_SIZE, "%s", c->uid);
    soma_free(c);
    make_an_upload(&theirs);
    begin_a_restore(&theirs);
    return theirs;
}

static void a_submit_takes_nothing_of_another_namespace(void **state)
{
    (void)state;
    static const char *const program[] = {"true"};
    struct theirs theirs = make_theirs();
    const char *const after[] = {theirs.job};
    struct soma_job_file file = {.path = "loot", .upload_id = theirs.upload, .size_bytes = 6};
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    struct soma_error err = {0};
    spec.arguments = program;
    spec.argument_count = 1;
    spec.after = after;
    spec.after_count = 1;
    assert_int_equal(soma_job_submit(scene.mine, &spec, NULL, NULL, &err), SOMA_NOT_FOUND);
    assert_string_equal(err.reason, "JOB_NOT_FOUND");
    spec.after_count = 0;
    spec.files = &file;
    spec.file_count = 1;
    assert_int_equal(soma_job_submit(scene.mine, &spec, NULL, NULL, &err), SOMA_NOT_FOUND);
    assert_string_equal(err.reason, "UPLOAD_NOT_FOUND");
    struct soma_job_upload_request more = SOMA_JOB_UPLOAD_REQUEST_INIT;
    more.upload_id = theirs.upload;
    more.offset = 6;
    more.data = "more";
    more.length = 4;
    assert_int_equal(soma_job_upload(scene.mine, &more, NULL, NULL, &err), SOMA_NOT_FOUND);
    must(soma_job_submit(scene.theirs, &spec, NULL, NULL, &err), &err);
}

static void filters_and_cursors_find_nothing_of_another_namespace(void **state)
{
    (void)state;
    struct theirs theirs = make_theirs();
    struct soma_job_list_request request = SOMA_JOB_LIST_REQUEST_INIT;
    struct soma_job_list *list;
    struct soma_error err = {0};
    char cursor[NAME_SIZE];
    request.filter.parent_id = theirs.job;
    if (soma_job_list(scene.mine, &request, NULL, &list, &err) == SOMA_OK)
        assert_int_equal(list->job_count, 0);
    else
        assert_int_equal(err.code, SOMA_NOT_FOUND);
    soma_free(list);
    // Where another namespace's list goes on.
    request.filter.parent_id = NULL;
    request.page_size = 1;
    must(soma_job_list(scene.theirs, &request, NULL, &list, &err), &err);
    assert_non_null(list->next_cursor);
    snprintf(cursor, sizeof cursor, "%s", list->next_cursor);
    soma_free(list);
    request.cursor = cursor;
    request.page_size = 1000;
    must(soma_job_list(scene.mine, &request, NULL, &list, &err), &err);
    for (size_t i = 0; i < list->job_count; i++)
        assert_string_not_equal(list->jobs[i].id, theirs.job);
    soma_free(list);
}

static void a_uid_or_a_full_name_opens_no_collection_of_another_namespace(void **state)
{
    (void)state;
    struct theirs theirs = make_theirs();
    const char *const names[] = {theirs.uid, theirs.restore, "theirs/c", "/c", ".", "c/"};
    struct soma_error err = {0};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct soma_collection_request one = SOMA_COLLECTION_REQUEST_INIT;
        struct soma_collection_clone_request clone = SOMA_COLLECTION_CLONE_REQUEST_INIT;
        struct soma_collection_alias_request alias = SOMA_COLLECTION_ALIAS_REQUEST_INIT;
        one.collection = clone.collection = alias.collection = names[i];
        clone.new_name = alias.alias = "loot";
        enum soma_code codes[] = {
            soma_collection_get(scene.mine, &one, NULL, NULL, &err),
            soma_collection_clear(scene.mine, &one, NULL, NULL, &err),
            soma_collection_delete(scene.mine, &one, NULL, NULL, &err),
            soma_collection_clone(scene.mine, &clone, NULL, NULL, &err),
            soma_collection_alias(scene.mine, &alias, NULL, NULL, &err),
        };
        for (size_t j = 0; j < sizeof codes / sizeof codes[0]; j++) {
            if (codes[j] != SOMA_NOT_FOUND && codes[j] != SOMA_INVALID_ARGUMENT)
                fail_msg("call %zu of '%s': %d", j, names[i], (int)codes[j]);
        }
    }
    // Their restore is still there for them.
    struct soma_collection_request one = SOMA_COLLECTION_REQUEST_INIT;
    one.collection = theirs.restore;
    assert_int_equal(soma_collection_delete(scene.theirs, &one, NULL, NULL, &err), SOMA_OK);
}

// A request id is of a namespace: the same one elsewhere is another request.
static void a_request_id_of_another_namespace_is_another_one(void **state)
{
    (void)state;
    static const char *const program[] = {"true"};
    const uint8_t id[SOMA_REQUEST_ID_BYTES] = "known to both..";
    struct soma_call_options options = SOMA_CALL_OPTIONS_INIT;
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    struct soma_job *job, *other;
    struct soma_error err = {0};
    options.request_id = id;
    spec.arguments = program;
    spec.argument_count = 1;
    must(soma_job_submit(scene.theirs, &spec, &options, &job, &err), &err);
    must(soma_job_submit(scene.mine, &spec, &options, &other, &err), &err);
    assert_string_not_equal(other->id, job->id);
    soma_free(other);
    must(soma_job_submit(scene.theirs, &spec, &options, &other, &err), &err);
    assert_string_equal(other->id, job->id);
    soma_free(other);
    soma_free(job);
}

static int open_all(void **state)
{
    (void)state;
    setenv("SOMA_INSECURE", "off", 1);
    fault_open();
    fault_start_server();
    scene.theirs = client_of_token("theirs");
    scene.mine = client_of_token("mine");
    method_calls_open(scene.theirs);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    method_calls_close();
    soma_client_close(scene.theirs);
    soma_client_close(scene.mine);
    int status = somad_end(&fault_somad, SIGTERM);
    fault_close();
    return status;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_method_reaches_what_is_another_namespaces),
        cmocka_unit_test(what_a_method_makes_is_in_its_callers_namespace),
        cmocka_unit_test(lists_and_changes_hold_nothing_of_another_namespace),
        cmocka_unit_test(a_submit_takes_nothing_of_another_namespace),
        cmocka_unit_test(filters_and_cursors_find_nothing_of_another_namespace),
        cmocka_unit_test(a_uid_or_a_full_name_opens_no_collection_of_another_namespace),
        cmocka_unit_test(a_request_id_of_another_namespace_is_another_one),
    };
    somad_kit_open(argc, argv);
    return cmocka_run_group_tests_name("strangers", tests, open_all, close_all);
}
