#include "services/gate.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/tokens.h"

static const char *const access_words[JOB_ACCESS_COUNT] = {
    [JOB_ACCESS_OFF] = "off", [JOB_ACCESS_JOBS] = "jobs", [JOB_ACCESS_FULL] = "full"};

// What each method needs: a scope of a token, an access of a job's. What is not here nobody may
// call but the owner of a socket; a test holds the table to the descriptors.
static const struct method_rule {
    const char *path;
    enum scope scope;
    enum job_access access; // OFF: no job may
} method_rules[] = {
    {"soma.v1.ServerService/Ping", SCOPE_ALL, JOB_ACCESS_JOBS},
    {"soma.v1.ServerService/GetServerInfo", SCOPE_ALL, JOB_ACCESS_JOBS},
    {"soma.v1.ServerService/GetStats", SCOPE_READ, JOB_ACCESS_OFF},
    {"soma.v1.ServerService/CheckServer", SCOPE_ADMIN, JOB_ACCESS_OFF},
    {"soma.v1.ServerService/CreateToken", SCOPE_ADMIN, JOB_ACCESS_OFF},
    {"soma.v1.ServerService/ListTokens", SCOPE_ADMIN, JOB_ACCESS_OFF},
    {"soma.v1.ServerService/RevokeToken", SCOPE_ADMIN, JOB_ACCESS_OFF},
    {"soma.v1.JobService/SubmitJob", SCOPE_SUBMIT, JOB_ACCESS_JOBS},
    {"soma.v1.JobService/UploadJobFile", SCOPE_SUBMIT, JOB_ACCESS_JOBS},
    {"soma.v1.JobService/GetJob", SCOPE_READ, JOB_ACCESS_JOBS},
    {"soma.v1.JobService/ListJobs", SCOPE_READ, JOB_ACCESS_JOBS},
    {"soma.v1.JobService/WaitJob", SCOPE_READ, JOB_ACCESS_JOBS},
    {"soma.v1.JobService/ReadJobOutput", SCOPE_READ, JOB_ACCESS_JOBS},
    {"soma.v1.JobService/ReadJobLog", SCOPE_READ, JOB_ACCESS_JOBS},
    {"soma.v1.JobService/WriteJobInput", SCOPE_SUBMIT, JOB_ACCESS_JOBS},
    {"soma.v1.JobService/ListJobArtifacts", SCOPE_READ, JOB_ACCESS_JOBS},
    {"soma.v1.JobService/ReadJobArtifact", SCOPE_READ, JOB_ACCESS_JOBS},
    {"soma.v1.JobService/WatchJobs", SCOPE_READ, JOB_ACCESS_JOBS},
    {"soma.v1.JobService/CancelJob", SCOPE_SUBMIT, JOB_ACCESS_JOBS},
    {"soma.v1.JobService/RetryJob", SCOPE_SUBMIT, JOB_ACCESS_JOBS},
    {"soma.v1.JobService/DeleteJob", SCOPE_SUBMIT, JOB_ACCESS_JOBS},
    {"soma.v1.JobService/PruneJobs", SCOPE_ADMIN, JOB_ACCESS_OFF},
    {"soma.v1.JobService/ReportProgress", SCOPE_SUBMIT, JOB_ACCESS_JOBS},
    {"soma.v1.JobService/ListQueues", SCOPE_READ, JOB_ACCESS_OFF},
    {"soma.v1.JobService/GetQueue", SCOPE_READ, JOB_ACCESS_OFF},
    {"soma.v1.JobService/UpdateQueue", SCOPE_ADMIN, JOB_ACCESS_OFF},
    {"soma.v1.VectorService/CreateCollection", SCOPE_WRITE_VECTORS, JOB_ACCESS_FULL},
    {"soma.v1.VectorService/GetCollection", SCOPE_READ, JOB_ACCESS_FULL},
    {"soma.v1.VectorService/ListCollections", SCOPE_READ, JOB_ACCESS_FULL},
    {"soma.v1.VectorService/UpdateCollection", SCOPE_WRITE_VECTORS, JOB_ACCESS_FULL},
    {"soma.v1.VectorService/SetAlias", SCOPE_WRITE_VECTORS, JOB_ACCESS_FULL},
    {"soma.v1.VectorService/RemoveAlias", SCOPE_WRITE_VECTORS, JOB_ACCESS_FULL},
    {"soma.v1.VectorService/CloneCollection", SCOPE_WRITE_VECTORS, JOB_ACCESS_FULL},
    {"soma.v1.VectorService/DeleteCollection", SCOPE_WRITE_VECTORS, JOB_ACCESS_FULL},
    {"soma.v1.VectorService/ClearCollection", SCOPE_WRITE_VECTORS, JOB_ACCESS_FULL},
    {"soma.v1.VectorService/CheckCollection", SCOPE_READ, JOB_ACCESS_FULL},
    {"soma.v1.VectorService/ReadSnapshot", SCOPE_READ, JOB_ACCESS_FULL},
    {"soma.v1.VectorService/RestoreSnapshot", SCOPE_WRITE_VECTORS, JOB_ACCESS_FULL},
    {"soma.v1.VectorService/UpsertRecords", SCOPE_WRITE_VECTORS, JOB_ACCESS_FULL},
    {"soma.v1.VectorService/InsertRecords", SCOPE_WRITE_VECTORS, JOB_ACCESS_FULL},
    {"soma.v1.VectorService/UpdateRecords", SCOPE_WRITE_VECTORS, JOB_ACCESS_FULL},
    {"soma.v1.VectorService/GetRecords", SCOPE_READ, JOB_ACCESS_FULL},
    {"soma.v1.VectorService/DeleteRecords", SCOPE_WRITE_VECTORS, JOB_ACCESS_FULL},
    {"soma.v1.VectorService/CountRecords", SCOPE_READ, JOB_ACCESS_FULL},
    {"soma.v1.VectorService/QueryRecords", SCOPE_READ, JOB_ACCESS_FULL},
    {"soma.v1.VectorService/FacetRecords", SCOPE_READ, JOB_ACCESS_FULL},
    {"soma.v1.VectorService/ScanRecords", SCOPE_READ, JOB_ACCESS_FULL},
};

enum soma_code job_access_from(const char *word, enum job_access *ret_access,
                               struct soma_error *err)
{
    for (int i = 0; i < JOB_ACCESS_COUNT; i++) {
        if (strcmp(word, access_words[i]) == 0) {
            *ret_access = (enum job_access)i;
            return SOMA_OK;
        }
    }
    return error_set(err, REASON_CONFIG_INVALID, "job-access",
                     "job-access '%.60s' is none of full, jobs and off", word);
}

static const struct method_rule *rule_of(const char *method)
{
    for (size_t i = 0; i < sizeof method_rules / sizeof method_rules[0]; i++) {
        if (strcmp(method, method_rules[i].path) == 0)
            return &method_rules[i];
    }
    return NULL;
}

// --- tokens that were made

struct touch {
    struct write_op op;
    struct access_token token;
};

static enum soma_code apply_touch(struct write_op *op, struct store_txn *txn,
                                  struct soma_error *err)
{
    return token_store_touch(txn, &((struct touch *)op)->token, err);
}

static void finish_touch(struct write_op *op, const struct soma_error *err)
{
    if (err)
        log_warning("TOKEN-USE-NOT-WRITTEN", "token %s: %s", ((struct touch *)op)->token.name,
                    err->text);
    free(op);
}

// Once a minute for a token that is in use.
static void note_use(struct writer *writer, const struct access_token *token)
{
    struct touch *touch = calloc(1, sizeof *touch);
    if (!touch)
        return;
    touch->op = (struct write_op){.apply = apply_touch, .finish = finish_touch};
    touch->token = *token;
    writer_submit(writer, &touch->op);
}

// What the token would have to be made with, as 'soma token create --scope' calls it.
static const char *scope_wanted(const struct method_rule *rule)
{
    switch (rule ? rule->scope : SCOPE_ADMIN) {
    case SCOPE_READ:
        return "read";
    case SCOPE_SUBMIT:
        return "submit";
    case SCOPE_WRITE_VECTORS:
        return "write-vectors";
    default:
        return "admin";
    }
}

static enum soma_code admit_holder(const struct gate *gate, const char *method, const char *secret,
                                   struct rpc_caller *ret_caller, struct soma_error *err)
{
    struct access_token token;
    bool is_news = false;
    enum soma_code code = tokens_find(gate->tokens, secret, &token, &is_news, err);
    if (code != SOMA_OK)
        return code;
    if (is_news)
        note_use(gate->writer, &token);
    const struct method_rule *rule = rule_of(method);
    uint32_t scopes = token.scopes & SCOPE_ADMIN ? (uint32_t)SCOPE_ALL : token.scopes;
    bool may = rule && (scopes & (uint32_t)rule->scope);
    ret_caller->withheld = SCOPE_ALL & ~scopes;
    memcpy(ret_caller->space, token.space, sizeof token.space);
    return may ? SOMA_OK
               : error_set(err, REASON_METHOD_NOT_ALLOWED, "method",
                           "the scopes of token '%s' do not hold %.100s, which wants %s",
                           token.name, method, scope_wanted(rule));
}

// --- tokens of jobs

static enum soma_code admit_job(const struct gate *gate, const char *method, const char *token,
                                struct rpc_caller *ret_caller, struct soma_error *err)
{
    if (!token_check(gate->key, token, ret_caller->job_id, &ret_caller->attempt))
        return error_set(err, REASON_TOKEN_INVALID, "token",
                         "the token was not given by this server");
    if (!engine_follows(gate->engine, ret_caller->job_id, ret_caller->attempt,
                        &ret_caller->withheld, ret_caller->space))
        return error_set(err, REASON_TOKEN_INVALID, "token", "attempt %u of job %s has ended",
                         ret_caller->attempt, ret_caller->job_id);
    const struct method_rule *rule = rule_of(method);
    if (!rule || rule->access == JOB_ACCESS_OFF || rule->access > gate->access)
        return error_set(err, REASON_METHOD_NOT_ALLOWED, "method", "jobs may not call %.100s",
                         method);
    // Its own jobs it reaches whatever its submitter held, everybody's collections only so far.
    bool is_everybodys = rule->access == JOB_ACCESS_FULL;
    if (is_everybodys && (ret_caller->withheld & (uint32_t)rule->scope))
        return error_set(err, REASON_METHOD_NOT_ALLOWED, "method",
                         "who submitted job %s could not call %.100s, so it cannot",
                         ret_caller->job_id, method);
    return SOMA_OK;
}

enum soma_code gate_admit(void *user, const char *method, const char *token,
                          struct rpc_caller *ret_caller, struct soma_error *err)
{
    const struct gate *gate = user;
    if (!token[0])
        return error_set(err, REASON_TOKEN_MISSING, "token",
                         "this address asks for a token ($SOMA_TOKEN)");
    if (gate->access > JOB_ACCESS_OFF && strncmp(token, "job.", strlen("job.")) == 0)
        return admit_job(gate, method, token, ret_caller, err);
    return admit_holder(gate, method, token, ret_caller, err);
}
