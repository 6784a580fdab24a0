#include "runner/isolation.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    ABI_NETWORK = 4,
    ABI_SIGNALS = 6
};

struct text {
    char *bytes;
    size_t used;
};

__attribute__((format(printf, 4, 5))) static void put(struct text *text, bool enforced,
                                                      const char *name, const char *format, ...)
{
    char detail[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    size_t room = ISOLATION_TEXT_SIZE - text->used;
    int length =
        snprintf(text->bytes + text->used, room, "%c%s %s\n", enforced ? '+' : '-', name, detail);
    // Only whole lines.
    if ((size_t)length < room)
        text->used += (size_t)length;
    else
        text->bytes[text->used] = '\0';
}

static void put_walls(struct text *text, const struct order *order,
                      const struct start_layers *layers)
{
    bool is_nested = order->sandbox == SANDBOX_NAMESPACES, is_off = order->sandbox == SANDBOX_OFF;
    const char *off = order->sandbox_why[0] ? order->sandbox_why : "the sandbox is off";
    put(text, is_nested, "namespaces", "%s",
        is_nested ? "bubblewrap: files, processes, IPC, host name" : off);
    if (is_off)
        put(text, false, "landlock", "%s", off);
    else if (layers->landlock_abi)
        put(text, true, "landlock", "version %d", layers->landlock_abi);
    else
        put(text, false, "landlock", "%s", strerror(layers->landlock_errnum));
    bool has_filter = !is_off && !layers->seccomp_errnum;
    if (has_filter)
        put(text, true, "seccomp", "a filter of system calls");
    else
        put(text, false, "seccomp", "%s", is_off ? off : strerror(layers->seccomp_errnum));
    if (is_nested)
        put(text, true, "filesystem", "a root of its own: system folders read-only, work, /tmp");
    else if (layers->landlock_abi)
        put(text, true, "filesystem",
            "Landlock: system folders read-only, work; what lies elsewhere can be seen, not read");
    else
        put(text, false, "filesystem", "a job sees what its user may see");
    if (order->network)
        put(text, false, "network", "open: the job asked for it and the server allows it");
    else if (is_nested)
        put(text, true, "network", "none: a network namespace and seccomp");
    else if (has_filter)
        put(text, true, "network", "none: seccomp refuses sockets");
    else if (layers->landlock_abi >= ABI_NETWORK)
        put(text, false, "network", "Landlock refuses TCP; UDP is open");
    else
        put(text, false, "network", "a job has the machine's network");
}

static void put_supervision(struct text *text, const struct order *order,
                            const struct start_layers *layers)
{
    bool is_nested = order->sandbox == SANDBOX_NAMESPACES;
    put(text, true, "tree_kill", "%s",
        is_nested ? "a pid namespace: the kernel ends all with its init"
                  : "subreapers: every descendant is found and killed");
    bool is_other_user = order->uid >= 0;
    if (is_nested)
        put(text, true, "signals", "a pid namespace: a job reaches its own processes alone");
    else if (layers->landlock_abi >= ABI_SIGNALS)
        put(text, true, "signals", "Landlock: a job reaches its own processes alone");
    else if (is_other_user)
        put(text, true, "signals", "another user: a job cannot reach its runner");
    else
        put(text, false, "signals", "a job can end its own runner, which is of the same user");
    put(text, is_other_user, "user", "%s",
        is_other_user ? "another than the server's" : "the server's own");
    put(text, true, "privileges", "no_new_privs: set-user-id programs gain nothing");
    put(text, true, "environment", "made anew; no descriptors are inherited");
}

static void put_limits(struct text *text, const struct order *order, const struct cgroups *cgroups)
{
    put(text, true, "wall_time", "TERM, grace, KILL");
    put(text, true, "output", "%s",
        order->output_end ? "past the cap the job is ended" : "past the cap it is dropped");
    if (order->memory_bytes && cgroups->holds_memory)
        put(text, true, "memory", "a cgroup");
    else if (order->memory_bytes)
        put(text, true, "memory", "looked at ten times a second: short peaks pass");
    else
        put(text, false, "memory", "no limit was asked for");
    if (order->cpu_time_ms)
        put(text, true, "cpu_time", "counted for the whole tree");
    else
        put(text, false, "cpu_time", "no limit was asked for");
    if (!order->processes)
        put(text, false, "processes", "no limit was asked for");
    else if (cgroups->holds_processes)
        put(text, true, "processes", "a cgroup");
    else if (order->sandbox == SANDBOX_NAMESPACES)
        put(text, true, "processes", "counted in its user namespace");
    else
        put(text, true, "processes", "above what the user had at the start, all jobs together");
    put(text, true, "files", "rlimits of each process: open descriptors, size of a file");
    if (order->sandbox == SANDBOX_NAMESPACES)
        put(text, true, "tmp", "/tmp of its own, with a size");
    else
        put(text, false, "tmp", "no /tmp of its own without namespaces");
    if (order->disk_bytes)
        put(text, true, "disk",
            "the work directory is looked at again and again: short peaks pass");
    else
        put(text, false, "disk", "no limit was asked for");
}

void isolation_describe(const struct order *order, const struct start_layers *layers,
                        const struct cgroups *cgroups, char ret_text[ISOLATION_TEXT_SIZE])
{
    struct text text = {.bytes = ret_text};
    ret_text[0] = '\0';
    put_walls(&text, order, layers);
    put_supervision(&text, order, layers);
    put_limits(&text, order, cgroups);
}
