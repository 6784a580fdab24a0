// What the server asks of one attempt: the file `order` of its directory (base/fields.h).
//
// Fields: version (1), job_id, attempt, argv (once for each word), env (once for each NAME=VALUE;
// together the complete environment), file_name and file_bytes (a file to put into the work
// directory), stdin, wall_time_ms, output_bytes (of each stream), kill_grace_ms, uid and gid (both
// or none). Unknown fields are skipped. Required: version, argv, wall_time_ms, output_bytes.
//
// Of files for the work directory, once for each: in_path, and behind it in_executable, in_bytes or
// in_upload. Of files to keep at the end: artifact (a pattern, once for each), artifact_bytes.
// Of input: interactive (1: a stream from the file `input`). Of output: output_tail_bytes (of
// output_bytes, kept of the end).
//
// Of the sandbox: sandbox (off, confined, namespaces; off where missing), sandbox_required (1: a
// layer that this machine refuses fails the start), bwrap (bubblewrap's path, for namespaces),
// network (1: the job may use it), read_path (once for each further path that the job may read),
// bind (once for each path that it may also write to, a server's socket say).
//
// Further limits, 0 or missing for none: open_files, max_file_bytes (of each), processes (and
// threads), cpu_time_ms, memory_bytes and disk_bytes (of the tree, of the work directory),
// tmp_bytes (of /tmp in namespaces), output_end (1: more output than output_bytes ends the job).
// cgroup2, cgroup1_memory and cgroup1_pids name folders where the runner may make a cgroup,
// sandbox_why is a line for people: why the sandbox is not a better one.
#ifndef RUNNER_ORDER_H
#define RUNNER_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

enum {
    ORDER_BYTES_MAX = 16777216, // source, stdin and a full environment fit, at their limits
    ORDER_WORDS_MAX = 2048,     // argv and env, each
    ORDER_PATHS_MAX = 65,       // read_path and bind, each: a configuration's list, and the door
    ORDER_WHY_SIZE = 160
};

enum cgroup_kind {
    CGROUP_UNIFIED,  // version 2: memory and processes in one
    CGROUP_1_MEMORY, // version 1
    CGROUP_1_PIDS,
    CGROUP_KIND_COUNT
};

enum order_sandbox {
    SANDBOX_OFF,       // what supervision needs alone
    SANDBOX_CONFINED,  // Landlock and seccomp
    SANDBOX_NAMESPACES // both, and bubblewrap around them
};

// Paths, which point into the order's bytes.
struct order_paths {
    const char *list[ORDER_PATHS_MAX];
    size_t count;
};

// A file for the work directory.
struct order_input {
    const char *path;      // path_is_inside
    const char *upload_id; // its name in the job's directory `files`; NULL: it is bytes
    const char *bytes;
    size_t length;
    bool is_executable;
};

struct order {
    char *bytes; // owned: the file; the texts below point into it and end in NUL
    char **argv; // owned array, ends with NULL
    char **env;  // owned array, ends with NULL and has room for one more
    size_t argc;
    size_t envc;
    const char *job_id;    // "" where not given
    const char *file_name; // NULL: no file
    const char *file_bytes;
    size_t file_length;
    const char **artifacts; // owned array of patterns
    size_t artifact_count;
    int64_t artifact_bytes;     // kept at most
    int64_t is_interactive;     // standard input is a stream (feed.h)
    int64_t output_tail_bytes;  // of output_bytes, kept of the end
    struct order_input *inputs; // owned array
    size_t input_count;
    const char *stdin_bytes;
    size_t stdin_length; // 0: end of file at once
    int64_t attempt;
    int64_t wall_time_ms;
    int64_t output_bytes;
    int64_t kill_grace_ms;
    int64_t uid; // -1: the runner's own user
    int64_t gid;
    enum order_sandbox sandbox;
    const char *bwrap;                // NULL: not given
    char sandbox_why[ORDER_WHY_SIZE]; // why the sandbox is not a better one; "": as configured
    const char *cgroups[CGROUP_KIND_COUNT]; // folders where cgroups may be made; NULL: not there
    struct order_paths read_paths;
    struct order_paths binds;
    int64_t sandbox_required;
    int64_t network;
    int64_t open_files;
    int64_t max_file_bytes;
    int64_t processes;
    int64_t cpu_time_ms;
    int64_t memory_bytes;
    int64_t disk_bytes;
    int64_t tmp_bytes;
    int64_t output_end;
};

// DATA_DAMAGED where the file is missing, torn, or says what cannot be. On failure there is nothing
// to free.
enum soma_code order_read(int directory_fd, struct order *ret_order, struct soma_error *err);

// The same of a file that is open at its beginning; the descriptor stays the caller's.
enum soma_code order_read_open(int fd, struct order *ret_order, struct soma_error *err);

// "SOMA_PROGRESS=…" for the attempt's directory, where the order's environment sets none; room must
// live as long as the order is used.
void order_add_progress(struct order *order, const char *attempt_path, char *room, size_t size);

void order_fini(struct order *order);

// Its numbers and sandbox_why, without anything that points into its bytes.
struct order order_numbers(const struct order *order);

#endif
