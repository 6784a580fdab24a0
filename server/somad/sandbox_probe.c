#include "somad/sandbox_probe.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "somad/cgroup_base.h"

enum {
    PROBE_MAX_MS = 10000
};

static const char probe_id[] = "probe";

// --- the configuration

static enum soma_code find_policy(const struct config *config, enum sandbox_policy *ret_policy,
                                  struct soma_error *err)
{
    for (int policy = SANDBOX_POLICY_OFF; policy <= SANDBOX_POLICY_REQUIRED; policy++) {
        if (strcmp(config->sandbox, sandbox_policy_name((enum sandbox_policy)policy)) == 0) {
            *ret_policy = (enum sandbox_policy)policy;
            return SOMA_OK;
        }
    }
    if (strcmp(config->sandbox, "auto") != 0)
        return error_set(err, REASON_CONFIG_INVALID, "sandbox",
                         "sandbox '%.60s' is none of auto, required, best_effort, off",
                         config->sandbox);
    *ret_policy = SANDBOX_POLICY_BEST_EFFORT;
    for (size_t i = 0; i < config->listen.count; i++) {
        const char *url = config->listen.items[i];
        if (strncmp(url, "ipc:", 4) != 0 && strncmp(url, "inproc:", 7) != 0)
            *ret_policy = SANDBOX_POLICY_REQUIRED;
    }
    return SOMA_OK;
}

static void find_bubblewrap(const struct config *config, struct sandbox_settings *settings)
{
    static const char *const places[] = {"/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"};
    if (config->bwrap && strcmp(config->bwrap, "none") == 0) {
        snprintf(settings->why, sizeof settings->why, "bubblewrap is configured away");
        return;
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0] && !config->bwrap; i++) {
        if (access(places[i], X_OK) == 0 && !settings->bwrap[0])
            snprintf(settings->bwrap, sizeof settings->bwrap, "%s", places[i]);
    }
    if (config->bwrap)
        snprintf(settings->bwrap, sizeof settings->bwrap, "%s", config->bwrap);
    if (!settings->bwrap[0])
        snprintf(settings->why, sizeof settings->why, "bubblewrap (bwrap) is not installed");
}

static enum soma_code check_read_path(const char *path, const char *data, struct soma_error *err)
{
    size_t length = strlen(path);
    if (path[0] != '/')
        return error_set(err, REASON_CONFIG_INVALID, "read-path",
                         "read-path '%.200s' is no absolute path", path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    bool holds_data = length == 1 || (strncmp(data, path, length) == 0 &&
                                      (data[length] == '/' || data[length] == '\0'));
    return holds_data
               ? error_set(err, REASON_CONFIG_INVALID, "read-path",
                           "read-path '%.200s' holds the server's data, which no job may see", path)
               : SOMA_OK;
}

enum soma_code sandbox_configure(const struct config *config, const char *data_directory,
                                 struct sandbox_settings *ret_settings, struct soma_error *err)
{
    struct sandbox_settings *settings = ret_settings;
    enum soma_code code = find_policy(config, &settings->policy, err);
    if (code != SOMA_OK)
        return code;
    settings->allows_network = strcmp(config->job_network, "on") == 0;
    if (!settings->allows_network && strcmp(config->job_network, "off") != 0)
        return error_set(err, REASON_CONFIG_INVALID, "job-network", "'%.60s' is neither on nor off",
                         config->job_network);
    settings->read_paths = (const char *const *)config->read_path.items;
    settings->read_path_count = config->read_path.count;
    for (size_t i = 0; i < config->read_path.count && code == SOMA_OK; i++)
        code = check_read_path(config->read_path.items[i], data_directory, err);
    find_bubblewrap(config, settings);
    return code;
}

// --- trying

static bool run_to_end(const char *runner_path, const char *attempt_path)
{
    char option[] = "--attempt", name[] = "soma-runner", path[PATH_MAX];
    snprintf(path, sizeof path, "%s", attempt_path);
    char *const words[] = {name, option, path, NULL};
    char *const no_environment[] = {NULL};
    pid_t pid;
    if (posix_spawn(&pid, runner_path, NULL, NULL, words, no_environment))
        return false;
    FD_CLEANUP int pidfd = pidfd_open(pid, 0);
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    int ready;
    do
        ready = pidfd < 0 ? 0 : poll(&ended, 1, PROBE_MAX_MS);
    while (ready < 0 && errno == EINTR);
    if (ready <= 0)
        kill(pid, SIGKILL);
    int wait_status = -1;
    while (waitpid(pid, &wait_status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
}

// Fills outcome; false, with why in its message, where the attempt did not succeed.
static bool try_one(const char *runner_path, const struct attempt_root *root,
                    const struct order_settings *order, struct job_outcome *ret_outcome)
{
    static const char *const words[] = {"/bin/sh", "-c", ":"};
    const struct job job = {
        .id = "probe",
        // Whatever the policy: jobs may ask for more.
        .spec = {.argv = words,
                 .argc = 3,
                 .sandbox = JOB_SANDBOX_BEST_EFFORT,
                 .limits = {.wall_time_ms = PROBE_MAX_MS / 2,
                            .kill_grace_ms = 1,
                            .cpu_time_ms = PROBE_MAX_MS,
                            .memory_bytes = INT64_C(1) << 30,
                            .processes = 16,
                            .disk_bytes = INT64_C(1) << 30}},
        .status = {.attempt = 1},
    };
    char path[PATH_MAX];
    struct soma_error err;
    *ret_outcome = (struct job_outcome){0};
    attempt_path(root, probe_id, 1, path);
    directory_remove_all(root->fd, probe_id, NULL, NULL);
    enum soma_code code = attempt_prepare(root, order, &job, &err);
    if (code == SOMA_OK && !run_to_end(runner_path, path))
        snprintf(ret_outcome->message, sizeof ret_outcome->message, "the supervisor failed");
    else if (code == SOMA_OK)
        code = attempt_read_status(root, probe_id, 1, ret_outcome);
    if (code != SOMA_OK)
        snprintf(ret_outcome->message, sizeof ret_outcome->message, "no attempt could be made");
    directory_remove_all(root->fd, probe_id, NULL, NULL);
    return code == SOMA_OK && ret_outcome->reason == JOB_REASON_EXITED &&
           ret_outcome->exit_code == 0;
}

static bool has_layer(const char *text, const char *layer)
{
    char line[64];
    size_t length = (size_t)snprintf(line, sizeof line, "+%s ", layer);
    for (const char *at = text; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
        if (strncmp(at, line, length) == 0)
            return true;
    }
    return false;
}

static bool is_complete(const char *text)
{
    static const char *const needed[] = {"filesystem", "network", "signals", "seccomp"};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (!has_layer(text, needed[i]))
            return false;
    }
    return true;
}

static void take_result(struct sandbox_settings *settings, const struct job_outcome *outcome,
                        char ret_text[PROBE_TEXT_SIZE])
{
    settings->is_complete = is_complete(outcome->isolation);
    if (!settings->is_complete && !settings->why[0])
        snprintf(settings->why, sizeof settings->why,
                 "a layer is missing ('soma info' lists them)");
    if (settings->is_complete && settings->reach == SANDBOX_REACH_NAMESPACES)
        settings->why[0] = '\0';
    snprintf(ret_text, PROBE_TEXT_SIZE, "%s", outcome->isolation);
}

void sandbox_probe(const char *runner_path, const struct attempt_root *root,
                   const struct order_settings *order, struct sandbox_settings *settings,
                   char ret_text[PROBE_TEXT_SIZE])
{
    struct job_outcome outcome;
    cgroup_base_find(root, settings->cgroups);
    bool has_bwrap = settings->bwrap[0] != '\0';
    for (int reach = has_bwrap ? SANDBOX_REACH_NAMESPACES : SANDBOX_REACH_CONFINED;
         reach >= SANDBOX_REACH_OFF; reach--) {
        settings->reach = (enum sandbox_reach)reach;
        // So that sandbox_write asks for what is tried here, and not for more.
        settings->is_complete = true;
        if (try_one(runner_path, root, order, &outcome)) {
            take_result(settings, &outcome, ret_text);
            return;
        }
        log_info("SANDBOX-REFUSED", "%s: %s",
                 reach == SANDBOX_REACH_NAMESPACES ? "namespaces" : "attempt", outcome.message);
        if (!settings->why[0])
            snprintf(settings->why, sizeof settings->why, "%.150s", outcome.message);
    }
    settings->reach = SANDBOX_REACH_OFF;
    settings->is_complete = false;
    ret_text[0] = '\0';
}
