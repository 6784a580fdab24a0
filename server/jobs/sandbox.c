#include "jobs/sandbox.h"

#include "wire/limits.h"

const char *const sandbox_cgroup_keys[SANDBOX_CGROUPS] = {"cgroup2", "cgroup1_memory",
                                                          "cgroup1_pids"};

static const char *const policy_names[] = {[SANDBOX_POLICY_OFF] = "off",
                                           [SANDBOX_POLICY_BEST_EFFORT] = "best_effort",
                                           [SANDBOX_POLICY_REQUIRED] = "required"};

static const char *const reach_words[] = {[SANDBOX_REACH_OFF] = "off",
                                          [SANDBOX_REACH_CONFINED] = "confined",
                                          [SANDBOX_REACH_NAMESPACES] = "namespaces"};

const char *sandbox_policy_name(enum sandbox_policy policy)
{
    return policy_names[policy];
}

// The stricter one of the server's and the job's.
static enum sandbox_policy policy_of(const struct sandbox_settings *settings,
                                     const struct job_spec *spec)
{
    static const enum sandbox_policy wishes[] = {
        [JOB_SANDBOX_DEFAULT] = SANDBOX_POLICY_OFF,
        [JOB_SANDBOX_REQUIRED] = SANDBOX_POLICY_REQUIRED,
        [JOB_SANDBOX_BEST_EFFORT] = SANDBOX_POLICY_BEST_EFFORT,
    };
    enum sandbox_policy wish = wishes[spec->sandbox];
    return wish > settings->policy ? wish : settings->policy;
}

enum soma_code sandbox_check(const struct sandbox_settings *settings, const struct job_spec *spec,
                             struct soma_error *err)
{
    if (spec->network && !settings->allows_network)
        return error_set(err, REASON_NETWORK_NOT_ALLOWED, "spec.network",
                         "this server gives jobs no network; its operator can: job-network = on");
    if (policy_of(settings, spec) != SANDBOX_POLICY_REQUIRED || settings->is_complete)
        return SOMA_OK;
    return error_set(err, REASON_SANDBOX_UNAVAILABLE, "spec.sandbox",
                     "%s requires a sandbox, and this machine has none: %s",
                     settings->policy == SANDBOX_POLICY_REQUIRED ? "the server" : "the job",
                     settings->why);
}

static void put_limits(struct fields_writer *writer, enum sandbox_reach reach,
                       const struct job_limits *limits)
{
    bool is_nested = reach == SANDBOX_REACH_NAMESPACES;
    int64_t processes = limits->processes;
    if (!processes && is_nested)
        processes = LIMIT_JOB_DEFAULT_PROCESSES;
    const struct {
        const char *key;
        int64_t value;
    } rows[] = {
        {"processes", processes},
        {"cpu_time_ms", limits->cpu_time_ms},
        {"memory_bytes", limits->memory_bytes},
        {"disk_bytes", limits->disk_bytes},
        {"max_file_bytes", limits->file_bytes},
        {"open_files", limits->open_files},
        {"tmp_bytes", limits->tmp_bytes ? limits->tmp_bytes : LIMIT_JOB_DEFAULT_TMP_BYTES},
        {"output_end", limits->end_at_output_limit},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].value)
            fields_put_int(writer, rows[i].key, rows[i].value);
    }
}

enum sandbox_reach sandbox_reach_of(const struct sandbox_settings *settings,
                                    const struct job_spec *spec)
{
    enum sandbox_policy policy = policy_of(settings, spec);
    if (policy == SANDBOX_POLICY_REQUIRED && !settings->is_complete)
        return SANDBOX_REACH_NAMESPACES;
    return policy == SANDBOX_POLICY_OFF ? SANDBOX_REACH_OFF : settings->reach;
}

void sandbox_write(struct fields_writer *writer, const struct sandbox_settings *settings,
                   const struct job_spec *spec)
{
    enum sandbox_policy policy = policy_of(settings, spec);
    enum sandbox_reach reach = sandbox_reach_of(settings, spec);
    fields_put_text(writer, "sandbox", reach_words[reach]);
    fields_put_int(writer, "sandbox_required", policy == SANDBOX_POLICY_REQUIRED);
    if (policy != SANDBOX_POLICY_OFF && settings->why[0])
        fields_put_text(writer, "sandbox_why", settings->why);
    fields_put_text(writer, "bwrap", settings->bwrap[0] ? settings->bwrap : "/usr/bin/bwrap");
    if (spec->network && settings->allows_network)
        fields_put_int(writer, "network", 1);
    for (size_t i = 0; i < settings->read_path_count; i++)
        fields_put_text(writer, "read_path", settings->read_paths[i]);
    for (int i = 0; i < SANDBOX_CGROUPS; i++) {
        if (settings->cgroups[i][0])
            fields_put_text(writer, sandbox_cgroup_keys[i], settings->cgroups[i]);
    }
    put_limits(writer, reach, &spec->limits);
}
