// server/store/tokens.h: tokens by namespace and name, and those of an older database.
#include "store/tokens.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "store/migrate.h"
#include "store_scratch.h"

static struct scratch scratch;
static struct access_token list[LIMIT_TOKENS];

static int set_up(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    scratch_open(&scratch);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_close(&scratch);
    return 0;
}

static enum soma_code insert(void *context, struct store_txn *txn, struct soma_error *err)
{
    return token_store_insert(txn, context, err);
}

static enum soma_code revoke(void *context, struct store_txn *txn, struct soma_error *err)
{
    const struct access_token *token = context;
    return token_store_remove(txn, token->space, token->name, err);
}

static enum soma_code touch(void *context, struct store_txn *txn, struct soma_error *err)
{
    return token_store_touch(txn, context, err);
}

static struct access_token token_of(const char *space, const char *name, const char *secret)
{
    struct access_token token = {.scopes = SCOPE_READ, .created = {7}};
    snprintf(token.space, sizeof token.space, "%s", space);
    snprintf(token.name, sizeof token.name, "%s", name);
    token_hash(secret, token.hash);
    return token;
}

// The reason why it was refused; "" where it was not.
static const char *attempt(scratch_fn *fn, struct access_token token)
{
    static struct soma_error err;
    return scratch_write(&scratch, fn, &token, &err) == SOMA_OK ? "" : err.reason;
}

static size_t count_all(void)
{
    struct store_txn *txn;
    size_t count = 0;
    assert_int_equal(store_read_begin(scratch.store, &txn, NULL), SOMA_OK);
    assert_int_equal(token_store_list(txn, list, &count, NULL), SOMA_OK);
    store_read_end(txn);
    return count;
}

static void a_name_is_taken_in_its_namespace_alone(void **state)
{
    (void)state;
    assert_string_equal(attempt(insert, token_of("", "ci", "one")), "");
    assert_string_equal(attempt(insert, token_of("", "ci", "two")), "TOKEN_EXISTS");
    assert_string_equal(attempt(insert, token_of("team", "ci", "three")), "");
    assert_string_equal(attempt(insert, token_of("other", "laptop", "three")), "TOKEN_EXISTS");
    assert_string_equal(attempt(revoke, token_of("other", "ci", "")), "TOKEN_NOT_FOUND");
    struct access_token used = token_of("team", "ci", "three");
    used.last_used.ms = 60000;
    assert_string_equal(attempt(touch, used), "");
    assert_int_equal(count_all(), 2);
    assert_string_equal(list[0].space, "");
    assert_int_equal(list[0].last_used.ms, 0);
    assert_string_equal(list[1].space, "team");
    assert_int_equal(list[1].last_used.ms, 60000);
    assert_string_equal(attempt(revoke, token_of("", "ci", "")), "");
    assert_int_equal(count_all(), 1);
    assert_string_equal(list[0].space, "team");
}

static void there_are_so_many_and_no_more(void **state)
{
    (void)state;
    char name[32];
    for (int i = 0; i < LIMIT_TOKENS; i++) {
        snprintf(name, sizeof name, "t%d", i);
        assert_string_equal(attempt(insert, token_of(i % 2 ? "a" : "b", name, name)), "");
    }
    assert_string_equal(attempt(insert, token_of("c", "one-more", "one-more")), "TOKEN_LIMIT");
    assert_string_equal(attempt(revoke, token_of("a", "t1", "")), "");
    assert_string_equal(attempt(insert, token_of("c", "one-more", "one-more")), "");
}

static void run_on(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
}

static void a_database_of_version_4_keeps_its_tokens(void **state)
{
    (void)state;
    char path[128];
    sqlite3 *db;
    writer_free(scratch.writer);
    store_close(scratch.store);
    snprintf(path, sizeof path, "%s/soma.db", scratch.directory);
    assert_int_equal(remove(path), 0);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    for (const struct migration *row = migration_table; row->sql; row++) {
        if (row->version <= 4)
            run_on(db, row->sql);
    }
    run_on(db, "PRAGMA user_version = 4; PRAGMA application_id = 0x534f4d41;"
               "INSERT INTO token VALUES ('ci', zeroblob(32), 3, 10, 20, 30, 'team')");
    sqlite3_close(db);
    assert_int_equal(store_open(scratch.directory, 1, &scratch.store, NULL), SOMA_OK);
    assert_int_equal(writer_start(scratch.store, 64, &scratch.writer, NULL), SOMA_OK);
    assert_int_equal(count_all(), 1);
    assert_string_equal(list[0].space, "team");
    assert_string_equal(list[0].name, "ci");
    assert_int_equal(list[0].scopes, 3);
    assert_int_equal(list[0].created.ms, 10);
    assert_int_equal(list[0].expires.ms, 20);
    assert_int_equal(list[0].last_used.ms, 30);
    assert_string_equal(attempt(insert, token_of("", "ci", "one")), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_is_taken_in_its_namespace_alone),
        TEST(there_are_so_many_and_no_more),
        TEST(a_database_of_version_4_keeps_its_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
