#include "services/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "soma/v1/jobs.pb-c.h"
#include "soma/v1/server.pb-c.h"
#include "soma/v1/vectors.pb-c.h"

static const ProtobufCServiceDescriptor *const services[] = {
    &pb__server_service__descriptor, &pb__job_service__descriptor, &pb__vector_service__descriptor};

static struct gate gate;

static enum soma_code admit(const char *service, const char *method, const char *secret,
                            struct soma_error *err)
{
    char path[128];
    struct rpc_caller caller = {0};
    snprintf(path, sizeof path, "%s/%s", service, method);
    return gate_admit(&gate, path, secret, &caller, err);
}

// Used at this minute already, so that nothing is to be written.
static struct access_token token_of(const char *name, uint32_t scopes, const char *secret)
{
    struct access_token token = {.scopes = scopes};
    snprintf(token.name, sizeof token.name, "%s", name);
    token_hash(secret, token.hash);
    token.last_used.ms = clock_wall_now().ms / 60000 * 60000;
    return token;
}

static void put(const char *name, uint32_t scopes, const char *secret)
{
    const struct access_token token = token_of(name, scopes, secret);
    tokens_put(gate.tokens, &token);
}

static void every_method_of_the_protocol_has_its_rule(void **state)
{
    (void)state;
    struct soma_error err;
    put("boss", SCOPE_ADMIN, "admin-secret");
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        for (unsigned j = 0; j < services[i]->n_methods; j++) {
            const char *method = services[i]->methods[j].name;
            if (admit(services[i]->name, method, "admin-secret", &err) != SOMA_OK)
                fail_msg("%s: %s", method, err.text);
        }
    }
    assert_int_equal(admit("soma.v1.JobService", "Nothing", "admin-secret", &err),
                     SOMA_PERMISSION_DENIED);
}

static void a_method_needs_its_own_scope(void **state)
{
    (void)state;
    static const struct {
        const char *service, *method;
        uint32_t scope;
    } rows[] = {
        {"soma.v1.JobService", "GetJob", SCOPE_READ},
        {"soma.v1.JobService", "SubmitJob", SCOPE_SUBMIT},
        {"soma.v1.VectorService", "UpsertRecords", SCOPE_WRITE_VECTORS},
        {"soma.v1.VectorService", "QueryRecords", SCOPE_READ},
        {"soma.v1.JobService", "PruneJobs", SCOPE_ADMIN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put("some", rows[i].scope, "some-secret");
        assert_int_equal(admit(rows[i].service, rows[i].method, "some-secret", NULL), SOMA_OK);
        put("some", SCOPE_ALL & ~(rows[i].scope | SCOPE_ADMIN), "some-secret");
        assert_int_equal(admit(rows[i].service, rows[i].method, "some-secret", NULL),
                         SOMA_PERMISSION_DENIED);
    }
}

static void tokens_stand_by_name_and_go_one_by_one(void **state)
{
    (void)state;
    static struct access_token list[LIMIT_TOKENS];
    put("zebra", SCOPE_READ, "secret-z");
    put("ant", SCOPE_READ, "secret-a");
    put("mole", SCOPE_READ, "secret-m");
    tokens_remove(gate.tokens, "", "mole");
    tokens_remove(gate.tokens, "", "nobody");
    tokens_remove(gate.tokens, "team", "ant");
    size_t count = tokens_list(gate.tokens, NULL, list);
    assert_int_equal(count, 2);
    assert_string_equal(list[0].name, "ant");
    assert_string_equal(list[1].name, "zebra");
    assert_int_equal(admit("soma.v1.ServerService", "Ping", "secret-z", NULL), SOMA_OK);
    assert_int_equal(admit("soma.v1.ServerService", "Ping", "secret-m", NULL),
                     SOMA_UNAUTHENTICATED);
}

static void two_namespaces_have_tokens_of_one_name(void **state)
{
    (void)state;
    static struct access_token list[LIMIT_TOKENS];
    struct access_token other = token_of("ant", SCOPE_READ, "secret-of-team");
    put("ant", SCOPE_READ, "secret-a");
    snprintf(other.space, sizeof other.space, "team");
    tokens_put(gate.tokens, &other);
    assert_int_equal(tokens_list(gate.tokens, NULL, list), 2);
    assert_string_equal(list[1].space, "team");
    assert_int_equal(tokens_list(gate.tokens, "team", list), 1);
    tokens_remove(gate.tokens, "", "ant");
    assert_int_equal(admit("soma.v1.ServerService", "Ping", "secret-a", NULL),
                     SOMA_UNAUTHENTICATED);
    assert_int_equal(admit("soma.v1.ServerService", "Ping", "secret-of-team", NULL), SOMA_OK);
}

static int set_up(void **state)
{
    (void)state;
    gate = (struct gate){.access = JOB_ACCESS_OFF};
    return tokens_new(NULL, 0, &gate.tokens, NULL) == SOMA_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tokens_free(gate.tokens);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_method_of_the_protocol_has_its_rule),
        TEST(a_method_needs_its_own_scope),
        TEST(tokens_stand_by_name_and_go_one_by_one),
        TEST(two_namespaces_have_tokens_of_one_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
