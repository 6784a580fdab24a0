#include "runner/sandbox.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    WORDS_MAX = 1024,
    TEXTS_SIZE = 64 * 1024,
    ROW_WORDS = 6,
    LEVELS_TO_DATA = 3, // DATA/jobs/ID/ATTEMPT
    TMP_DEFAULT_BYTES = 268435456
};

#define RESOLVER "/etc/resolv.conf"

// Read-only, where they are there. A link (/bin on today's systems) stays a link.
static const char *const system_paths[] = {
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/etc/alternatives",
    "/etc/bash.bashrc",
    "/etc/ca-certificates",
    "/etc/fonts",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/java",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/perl",
    "/etc/pki",
    "/etc/profile",
    "/etc/protocols",
    RESOLVER,
    "/etc/services",
    "/etc/ssl",
    "/etc/timezone",
    "/sys/devices/system/cpu",
};

enum {
    SYSTEM_PATH_COUNT = sizeof system_paths / sizeof system_paths[0]
};

enum when {
    ALWAYS,
    WITHOUT_NETWORK
};

// Words that stand for something.
#define TMP_BYTES "@tmp-bytes"
#define WORK      "@work"
#define PROGRESS  "@progress"

struct arg_row {
    enum when when;
    const char *words[ROW_WORDS];
};

static const struct arg_row rows_before[] = {
    {ALWAYS, {"--unshare-user"}},
    {ALWAYS, {"--unshare-pid"}},
    {ALWAYS, {"--unshare-ipc"}},
    {ALWAYS, {"--unshare-uts"}},
    {ALWAYS, {"--unshare-cgroup-try"}},
    {WITHOUT_NETWORK, {"--unshare-net"}},
    {ALWAYS, {"--die-with-parent"}},
    {ALWAYS, {"--as-pid-1"}},
    {ALWAYS, {"--hostname", "soma"}},
    {ALWAYS, {"--proc", "/proc"}},
    {ALWAYS, {"--dev", "/dev"}},
    {ALWAYS, {"--perms", "1777", "--size", TMP_BYTES, "--tmpfs", "/dev/shm"}},
    {ALWAYS, {"--remount-ro", "/dev"}},
    {ALWAYS, {"--perms", "1777", "--size", TMP_BYTES, "--tmpfs", "/tmp"}},
    {ALWAYS, {"--symlink", "/tmp", "/var/tmp"}},
    {ALWAYS, {"--dir", "/run"}},
    {ALWAYS, {"--ro-bind", "/etc", "/etc"}},
};

static const struct arg_row rows_after[] = {
    {ALWAYS, {"--bind", WORK, WORK}},
    {ALWAYS, {"--bind", PROGRESS, PROGRESS}},
    // The root is bubblewrap's own tmpfs, without a size.
    {ALWAYS, {"--remount-ro", "/"}},
    {ALWAYS, {"--chdir", WORK}},
};

// --- what is shown

static bool is_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    return strncmp(path, folder, length) == 0 &&
           (path[length] == '/' || path[length] == '\0' || length == 1);
}

size_t sandbox_visible_paths(const struct order *order, const char *attempt_path,
                             const char *ret_paths[SANDBOX_PATHS_MAX])
{
    char data[PATH_MAX];
    snprintf(data, sizeof data, "%s", attempt_path);
    for (int i = 0; i < LEVELS_TO_DATA; i++) {
        char *slash = strrchr(data, '/');
        if (slash && slash != data)
            *slash = '\0';
    }
    size_t count = 0;
    for (size_t at = 0; at < SYSTEM_PATH_COUNT + order->read_paths.count; at++) {
        const char *path = at < SYSTEM_PATH_COUNT ? system_paths[at]
                                                  : order->read_paths.list[at - SYSTEM_PATH_COUNT];
        if (!is_below(data, path))
            ret_paths[count++] = path;
    }
    return count;
}

// --- the argument list

struct builder {
    const struct order *order;
    const char *attempt_path;
    struct sandbox_args *args;
    size_t count;
    size_t used;
    bool is_full;
};

static void put(struct builder *builder, const char *word)
{
    if (builder->count == WORDS_MAX - 1)
        builder->is_full = true;
    else
        builder->args->words[builder->count++] = word;
}

__attribute__((format(printf, 2, 3))) static void put_made(struct builder *builder,
                                                           const char *format, ...)
{
    char *at = builder->args->texts + builder->used;
    size_t room = TEXTS_SIZE - builder->used;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(at, room, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= room) {
        builder->is_full = true;
        return;
    }
    builder->used += (size_t)length + 1;
    put(builder, at);
}

static void put_word(struct builder *builder, const char *word)
{
    int64_t tmp_bytes = builder->order->tmp_bytes;
    if (strcmp(word, TMP_BYTES) == 0)
        put_made(builder, "%" PRId64, tmp_bytes ? tmp_bytes : (int64_t)TMP_DEFAULT_BYTES);
    else if (strcmp(word, WORK) == 0)
        put_made(builder, "%s/work", builder->attempt_path);
    else if (strcmp(word, PROGRESS) == 0)
        put_made(builder, "%s/progress", builder->attempt_path);
    else
        put(builder, word);
}

static void put_rows(struct builder *builder, const struct arg_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].when == WITHOUT_NETWORK && builder->order->network)
            continue;
        for (int j = 0; j < ROW_WORDS && rows[i].words[j]; j++)
            put_word(builder, rows[i].words[j]);
    }
}

static void put_visible(struct builder *builder, const char *path)
{
    struct stat info;
    // Each mount costs bubblewrap a walk through all of them: /etc is one, and Landlock looks after
    // the rest of it.
    if (is_below(path, "/etc") || lstat(path, &info))
        return;
    char target[PATH_MAX];
    ssize_t length = S_ISLNK(info.st_mode) ? readlink(path, target, sizeof target - 1) : -1;
    // A link to something that is shown as well.
    if (length > 0 && strncmp(target, "usr/", 4) == 0) {
        put(builder, "--symlink");
        put_made(builder, "%.*s", (int)length, target);
    } else {
        put(builder, "--ro-bind-try");
        put(builder, path);
    }
    put(builder, path);
}

// Of /etc the one file that is often a link out of it, into /run: systemd-resolved's. Landlock
// follows the link by itself.
static void put_resolver(struct builder *builder, const char *const *paths, size_t count)
{
    char *real = builder->order->network ? realpath(RESOLVER, NULL) : NULL;
    bool is_shown = !real || is_below(real, "/etc");
    for (size_t i = 0; i < count && !is_shown; i++)
        is_shown = is_below(real, paths[i]);
    if (!is_shown) {
        put(builder, "--ro-bind-try");
        put_made(builder, "%s", real);
        put_made(builder, "%s", real);
    }
    free(real);
}

static void put_binds(struct builder *builder)
{
    for (size_t i = 0; i < builder->order->binds.count; i++) {
        put(builder, "--bind-try");
        put(builder, builder->order->binds.list[i]);
        put(builder, builder->order->binds.list[i]);
    }
}

static void put_program(struct builder *builder)
{
    put(builder, "--");
    put_made(builder, "/proc/self/fd/%d", SANDBOX_PROGRAM_FD);
    put(builder, "--init");
    put(builder, builder->attempt_path);
}

bool sandbox_args_make(const struct order *order, const char *attempt_path,
                       struct sandbox_args *ret_args)
{
    *ret_args = (struct sandbox_args){.words = calloc(WORDS_MAX, sizeof *ret_args->words),
                                      .texts = malloc(TEXTS_SIZE)};
    struct builder builder = {.order = order, .attempt_path = attempt_path, .args = ret_args};
    if (!ret_args->words || !ret_args->texts)
        return false;
    put(&builder, "bwrap");
    put_rows(&builder, rows_before, sizeof rows_before / sizeof rows_before[0]);
    const char *paths[SANDBOX_PATHS_MAX];
    size_t count = sandbox_visible_paths(order, attempt_path, paths);
    for (size_t i = 0; i < count; i++)
        put_visible(&builder, paths[i]);
    put_resolver(&builder, paths, count);
    put_binds(&builder);
    put_rows(&builder, rows_after, sizeof rows_after / sizeof rows_after[0]);
    put_program(&builder);
    return !builder.is_full;
}
