#include "somad/jobs_room.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "somad/enforcement.h"

enum {
    RETENTION_PERIOD_MS = 10000,
    RUNNING_MIN = 4,
    USER_BUFFER = 16384,
};

static const struct {
    const char *name;
    const char *line;
} default_languages[] = {
    {"python", "python3 -u"}, {"sh", "sh"}, {"bash", "bash"}, {"node", "node"}, {"perl", "perl"},
};

// --- what is found before the start

// "NAME=COMMAND" of the configuration; the command, or NULL where this is about another language.
static const char *command_of(const char *item, const char *name)
{
    size_t length = strlen(name);
    return strncmp(item, name, length) == 0 && item[length] == '=' ? item + length + 1 : NULL;
}

static enum soma_code add_language(struct jobs_room *room, const char *name, const char *line,
                                   struct soma_error *err)
{
    bool offered = false;
    enum soma_code code =
        languages_add(&room->languages, name, line, room->config->job_path, &offered, err);
    if (code == SOMA_OK && !offered)
        log_debug("LANGUAGE-MISSING", "language %s is not offered: '%s' is not installed", name,
                  line);
    return code;
}

static enum soma_code add_default_languages(struct jobs_room *room, struct soma_error *err)
{
    const struct config_list *items = &room->config->language;
    enum soma_code code = SOMA_OK;
    for (size_t i = 0; i < sizeof default_languages / sizeof default_languages[0]; i++) {
        bool is_replaced = false;
        for (size_t j = 0; j < items->count; j++)
            is_replaced |= command_of(items->items[j], default_languages[i].name) != NULL;
        if (code == SOMA_OK && !is_replaced)
            code = add_language(room, default_languages[i].name, default_languages[i].line, err);
    }
    return code;
}

static enum soma_code add_languages(struct jobs_room *room, struct soma_error *err)
{
    const struct config_list *items = &room->config->language;
    enum soma_code code = add_default_languages(room, err);
    for (size_t i = 0; i < items->count && code == SOMA_OK; i++) {
        const char *equals = strchr(items->items[i], '=');
        char name[LANGUAGE_NAME_BYTES + 2];
        if (!equals)
            return error_set(err, REASON_CONFIG_INVALID, "language",
                             "language '%.60s' is no NAME=COMMAND", items->items[i]);
        snprintf(name, sizeof name, "%.*s", (int)(equals - items->items[i]), items->items[i]);
        if (equals[1])
            code = add_language(room, name, equals + 1, err);
    }
    return code;
}

static enum soma_code take_ids(struct jobs_room *room, uid_t uid, gid_t gid, struct soma_error *err)
{
    if (uid == 0)
        return error_set(err, REASON_CONFIG_INVALID, "job-user",
                         "job-user: jobs never run as root");
    room->order.changes_user = true;
    room->order.uid = uid;
    room->order.gid = gid;
    return SOMA_OK;
}

static enum soma_code find_user(struct jobs_room *room, struct soma_error *err)
{
    if (geteuid() != 0)
        return SOMA_OK;
    const char *name = room->config->job_user;
    char buffer[USER_BUFFER];
    struct passwd entry, *found = NULL;
    int64_t uid;
    if (text_to_int64(name, 0, UINT32_MAX - 1, &uid)) {
        if (getpwuid_r((uid_t)uid, &entry, buffer, sizeof buffer, &found) == 0 && found)
            return take_ids(room, entry.pw_uid, entry.pw_gid, err);
        return take_ids(room, (uid_t)uid, (gid_t)uid, err);
    }
    if (getpwnam_r(name, &entry, buffer, sizeof buffer, &found) || !found)
        return error_set(err, REASON_CONFIG_INVALID, "job-user",
                         "job-user: there is no user '%.60s'", name);
    return take_ids(room, entry.pw_uid, entry.pw_gid, err);
}

// As configured, or beside this program, or where it is installed to, seen from this program.
static enum soma_code find_runner(struct jobs_room *room, struct soma_error *err)
{
    char *path = room->runner_path;
    if (room->config->runner) {
        snprintf(path, PATH_MAX, "%s", room->config->runner);
    } else {
        char self[PATH_MAX - sizeof "/" SOMA_RUNNER_FROM_HERE];
        ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
        self[length > 0 ? length : 0] = '\0';
        char *slash = strrchr(self, '/');
        if (slash)
            *slash = '\0';
        snprintf(path, PATH_MAX, "%s/soma-runner", self);
        if (access(path, X_OK))
            snprintf(path, PATH_MAX, "%s/" SOMA_RUNNER_FROM_HERE, self);
    }
    if (access(path, X_OK))
        return error_set(err, REASON_CONFIG_INVALID, "runner", "cannot run %.200s: %s", path,
                         strerror(errno));
    return SOMA_OK;
}

enum soma_code jobs_room_prepare(struct jobs_room *room, const struct config *config,
                                 struct soma_error *err)
{
    room->config = config;
    room->spawner = SPAWNER_INIT;
    room->root.fd = room->door.fd = -1;
    languages_init(&room->languages);
    enum soma_code code = add_languages(room, err);
    if (code == SOMA_OK)
        code = find_user(room, err);
    if (code == SOMA_OK)
        code = find_runner(room, err);
    return code == SOMA_OK ? spawner_start(&room->spawner, room->runner_path, err) : code;
}

// --- start and stop

static void on_change(void *user, int64_t num)
{
    parking_publish(user, num);
}

static unsigned running_max(const struct config *config)
{
    if (config->max_running > 0)
        return (unsigned)config->max_running;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors * 2 > RUNNING_MIN ? (unsigned)processors * 2 : RUNNING_MIN;
}

static enum soma_code start_janitor(struct jobs_room *room, struct store *store,
                                    struct writer *writer, struct soma_error *err)
{
    const struct janitor_config config = {
        .store = store,
        .writer = writer,
        .root = &room->root,
        .output_bytes_max = room->config->max_kept,
        .period_ms = RETENTION_PERIOD_MS,
        .on_change = on_change,
        .user = room->parking,
    };
    return janitor_start(&config, &room->janitor, err);
}

// How jobs reach the server.
static enum soma_code open_door(struct jobs_room *room, const char *data_directory,
                                struct soma_error *err)
{
    enum soma_code code = job_access_from(room->config->job_access, &room->access, err);
    if (code == SOMA_OK && room->access > JOB_ACCESS_OFF)
        code = token_key_open(data_directory, &room->token_key, err);
    if (code == SOMA_OK && room->access > JOB_ACCESS_OFF)
        code = door_open(&room->door, data_directory, err);
    room->order.token_key = &room->token_key;
    room->order.door = room->door.path[0] ? room->door.path : NULL;
    return code;
}

static enum soma_code prepare_sandbox(struct jobs_room *room, const char *data_directory,
                                      struct soma_error *err)
{
    room->order.languages = &room->languages;
    room->order.path = room->config->job_path;
    room->order.sandbox = &room->sandbox;
    enum soma_code code = sandbox_configure(room->config, data_directory, &room->sandbox, err);
    if (code != SOMA_OK)
        return code;
    sandbox_probe(room->runner_path, &room->root, &room->order, &room->sandbox, room->layers);
    if (room->sandbox.policy == SANDBOX_POLICY_REQUIRED && !room->sandbox.is_complete)
        log_warning("SANDBOX-MISSING", "jobs will be refused, for a sandbox is required: %s",
                    room->sandbox.why);
    return SOMA_OK;
}

static enum soma_code start_engine(struct jobs_room *room, struct store *store,
                                   struct writer *writer, struct soma_error *err)
{
    const struct engine_config config = {
        .store = store,
        .writer = writer,
        .spawner = room->spawner,
        .runner_path = room->runner_path,
        .root = &room->root,
        .order = room->order,
        .running_max = running_max(room->config),
        .on_change = on_change,
        .user = room->parking,
    };
    room->spawner = SPAWNER_INIT;
    return engine_start(&config, &room->engine, err);
}

enum soma_code jobs_room_start(struct jobs_room *room, const char *data_directory,
                               struct store *store, struct writer *writer, struct workers *workers,
                               struct parking *parking, struct soma_error *err)
{
    room->parking = parking;
    enum soma_code code = attempt_root_open(&room->root, data_directory, err);
    if (code == SOMA_OK)
        code = prepare_sandbox(room, data_directory, err);
    if (code == SOMA_OK)
        code = open_door(room, data_directory, err);
    if (code == SOMA_OK)
        code = start_engine(room, store, writer, err);
    if (code == SOMA_OK)
        code = start_janitor(room, store, writer, err);
    if (code != SOMA_OK)
        return code;
    const struct job_service_config config = {
        .store = store,
        .writer = writer,
        .workers = workers,
        .parking = parking,
        .engine = room->engine,
        .janitor = room->janitor,
        .root = &room->root,
        .languages = &room->languages,
        .sandbox = &room->sandbox,
        .room = {.unfinished_max = room->config->max_unfinished,
                 .queued_max = room->config->max_namespace_queued},
        .submits_per_second = room->config->max_submits,
    };
    return job_service_new(&config, &room->service, err);
}

void jobs_room_tell(struct jobs_room *room, struct server_facts *facts)
{
    for (size_t i = 0; i < room->languages.count; i++) {
        const struct language *language = &room->languages.rows[i];
        size_t used = 0;
        for (size_t j = 0; j < language->word_count && used < sizeof room->interpreters[i]; j++)
            used +=
                (size_t)snprintf(room->interpreters[i] + used, sizeof room->interpreters[i] - used,
                                 "%s%s", j ? " " : "", language->words[j]);
        room->facts[i] = (struct server_language){language->name, room->interpreters[i]};
    }
    facts->languages = room->facts;
    facts->language_count = room->languages.count;
    facts->sandbox = sandbox_policy_name(room->sandbox.policy);
    facts->job_network = room->sandbox.allows_network;
    enforcement_tell(room->layers, facts);
}

void jobs_room_stop(struct jobs_room *room)
{
    engine_stop(room->engine);
    janitor_stop(room->janitor);
}

void jobs_room_fini(struct jobs_room *room)
{
    job_service_free(room->service);
    engine_free(room->engine);
    janitor_free(room->janitor);
    spawner_stop(&room->spawner);
    door_close(&room->door);
    attempt_root_close(&room->root);
    languages_fini(&room->languages);
}
