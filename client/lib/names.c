// Names of states, reasons and metrics; what a job's end means as an exit status.
#include <signal.h>
#include <string.h>

#include <soma/soma.h>

enum {
    EXIT_TIMED_OUT = 124, // as timeout(1) says it
    EXIT_UNKNOWN = 125,
    EXIT_SIGNAL_BASE = 128
};

static const char *const state_names[] = {
    [SOMA_JOB_QUEUED] = "queued",       [SOMA_JOB_RUNNING] = "running",
    [SOMA_JOB_SUCCEEDED] = "succeeded", [SOMA_JOB_FAILED] = "failed",
    [SOMA_JOB_CANCELLED] = "cancelled", [SOMA_JOB_TIMED_OUT] = "timed_out",
    [SOMA_JOB_LOST] = "lost",
};

static const char *const reason_names[] = {
    [SOMA_JOB_REASON_NONE] = "none",
    [SOMA_JOB_REASON_EXITED] = "exited",
    [SOMA_JOB_REASON_SIGNALED] = "signaled",
    [SOMA_JOB_REASON_WALL_TIMEOUT] = "wall_timeout",
    [SOMA_JOB_REASON_CANCELLED] = "cancelled",
    [SOMA_JOB_REASON_LOST] = "lost",
    [SOMA_JOB_REASON_START_FAILED] = "start_failed",
    [SOMA_JOB_REASON_CPU_LIMIT] = "cpu_limit",
    [SOMA_JOB_REASON_MEMORY_LIMIT] = "memory_limit",
    [SOMA_JOB_REASON_DISK_LIMIT] = "disk_limit",
    [SOMA_JOB_REASON_OUTPUT_LIMIT] = "output_limit",
    [SOMA_JOB_REASON_EXPIRED] = "expired",
    [SOMA_JOB_REASON_DEPENDENCY] = "dependency",
};

static const char *const wait_names[] = {
    [SOMA_JOB_WAIT_NONE] = "none",
    [SOMA_JOB_WAIT_PLACE] = "place",
    [SOMA_JOB_WAIT_TIME] = "time",
    [SOMA_JOB_WAIT_BACKOFF] = "backoff",
    [SOMA_JOB_WAIT_AFTER] = "after",
    [SOMA_JOB_WAIT_QUEUE_PAUSED] = "queue_paused",
    [SOMA_JOB_WAIT_QUEUE_LIMIT] = "queue_limit",
};

static const char *const policy_names[] = {
    [SOMA_AFTER_CANCEL] = "cancel",
    [SOMA_AFTER_FAIL] = "fail",
    [SOMA_AFTER_RUN] = "run",
};

static const char *const quantization_names[] = {
    [SOMA_QUANTIZATION_NONE] = "none",
    [SOMA_QUANTIZATION_BF16] = "bf16",
    [SOMA_QUANTIZATION_INT8] = "int8",
    [SOMA_QUANTIZATION_INT4] = "int4",
};

static const char *const rerank_names[] = {
    [SOMA_RERANK_MEMORY] = "memory",
    [SOMA_RERANK_DISK] = "disk",
};

static const char *const metric_names[] = {
    [SOMA_METRIC_COSINE] = "cosine",
    [SOMA_METRIC_L2] = "l2",
    [SOMA_METRIC_DOT] = "dot",
};

static const char *const scope_names[] = {
    [SOMA_SCOPE_READ] = "read",
    [SOMA_SCOPE_SUBMIT] = "submit",
    [SOMA_SCOPE_WRITE_VECTORS] = "write-vectors",
    [SOMA_SCOPE_ADMIN] = "admin",
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *name_of(const char *const *names, size_t count, unsigned number)
{
    return number < count && names[number] ? names[number] : "unknown";
}

// 0 where no number has the name; no list here has a name at 0 that is looked for.
static unsigned number_of(const char *const *names, size_t count, const char *name)
{
    for (unsigned i = 1; name && i < count; i++) {
        if (names[i] && strcmp(names[i], name) == 0)
            return i;
    }
    return 0;
}

const char *soma_job_state_name(enum soma_job_state state)
{
    return name_of(state_names, COUNT(state_names), (unsigned)state);
}

bool soma_job_state_from_name(const char *name, enum soma_job_state *ret_state)
{
    unsigned number = number_of(state_names, COUNT(state_names), name);
    if (number)
        *ret_state = (enum soma_job_state)number;
    return number != 0;
}

bool soma_job_state_is_final(enum soma_job_state state)
{
    return state >= SOMA_JOB_SUCCEEDED && state <= SOMA_JOB_LOST;
}

const char *soma_scope_name(enum soma_scope scope)
{
    return name_of(scope_names, COUNT(scope_names), (unsigned)scope);
}

const char *soma_job_reason_name(enum soma_job_reason reason)
{
    return name_of(reason_names, COUNT(reason_names), (unsigned)reason);
}

bool soma_job_reason_from_name(const char *name, enum soma_job_reason *ret_reason)
{
    unsigned number = number_of(reason_names, COUNT(reason_names), name);
    if (number)
        *ret_reason = (enum soma_job_reason)number;
    return number != 0;
}

const char *soma_job_wait_name(enum soma_job_wait wait)
{
    return name_of(wait_names, COUNT(wait_names), (unsigned)wait);
}

const char *soma_after_policy_name(enum soma_after_policy policy)
{
    return name_of(policy_names, COUNT(policy_names), (unsigned)policy);
}

bool soma_after_policy_from_name(const char *name, enum soma_after_policy *ret_policy)
{
    unsigned number = number_of(policy_names, COUNT(policy_names), name);
    if (number)
        *ret_policy = (enum soma_after_policy)number;
    return number != 0;
}

const char *soma_quantization_name(enum soma_quantization quantization)
{
    return name_of(quantization_names, COUNT(quantization_names), (unsigned)quantization);
}

bool soma_quantization_from_name(const char *name, enum soma_quantization *ret_quantization)
{
    unsigned number = number_of(quantization_names, COUNT(quantization_names), name);
    if (number)
        *ret_quantization = (enum soma_quantization)number;
    return number != 0;
}

const char *soma_rerank_name(enum soma_rerank rerank)
{
    return name_of(rerank_names, COUNT(rerank_names), (unsigned)rerank);
}

bool soma_rerank_from_name(const char *name, enum soma_rerank *ret_rerank)
{
    unsigned number = number_of(rerank_names, COUNT(rerank_names), name);
    if (number)
        *ret_rerank = (enum soma_rerank)number;
    return number != 0;
}

const char *soma_metric_name(enum soma_metric metric)
{
    return name_of(metric_names, COUNT(metric_names), (unsigned)metric);
}

bool soma_metric_from_name(const char *name, enum soma_metric *ret_metric)
{
    unsigned number = number_of(metric_names, COUNT(metric_names), name);
    if (number)
        *ret_metric = (enum soma_metric)number;
    return number != 0;
}

// As the kernel's own limits would have ended it.
static int signal_of_limit(enum soma_job_reason reason)
{
    switch (reason) {
    case SOMA_JOB_REASON_MEMORY_LIMIT:
        return SIGKILL;
    case SOMA_JOB_REASON_CPU_LIMIT:
        return SIGXCPU;
    case SOMA_JOB_REASON_DISK_LIMIT:
    case SOMA_JOB_REASON_OUTPUT_LIMIT:
        return SIGXFSZ;
    default:
        return 0;
    }
}

static int status_of_failure(const struct soma_job *job)
{
    if (signal_of_limit(job->reason))
        return EXIT_SIGNAL_BASE + signal_of_limit(job->reason);
    if (job->reason == SOMA_JOB_REASON_SIGNALED)
        return EXIT_SIGNAL_BASE + job->signal_number;
    if (job->exit_code >= 0 && job->exit_code <= 255)
        return job->exit_code;
    return EXIT_UNKNOWN;
}

int soma_job_exit_status(const struct soma_job *job)
{
    switch (job->state) {
    case SOMA_JOB_QUEUED:
    case SOMA_JOB_RUNNING:
        return -1;
    case SOMA_JOB_SUCCEEDED:
        return 0;
    case SOMA_JOB_FAILED:
        return status_of_failure(job);
    case SOMA_JOB_CANCELLED:
        return EXIT_SIGNAL_BASE + SIGTERM;
    case SOMA_JOB_TIMED_OUT:
        return EXIT_TIMED_OUT;
    case SOMA_JOB_LOST:
        return EXIT_UNKNOWN;
    }
    return EXIT_UNKNOWN;
}
