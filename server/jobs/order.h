// The order: what a runner is told to do in one attempt, a file of fields.
//
// Fields: version=1, job_id, attempt, argv (one each word), env (one each variable, NAME=VALUE; the
// complete environment but for SOMA_PROGRESS, which the runner adds), file_name and file_bytes
// (the source, written into work/), in_path, in_executable, in_bytes or in_upload (files for work/,
// again and again; an upload lies in the job's directory `files`), stdin, wall_time_ms,
// output_bytes, kill_grace_ms; uid and gid only where the runner is to change to them.
#ifndef JOBS_ORDER_H
#define JOBS_ORDER_H

#include <sys/types.h>

#include "base/fields.h"
#include "jobs/job.h"
#include "jobs/languages.h"
#include "jobs/sandbox.h"
#include "jobs/token.h"

// By which jobs call the server, in a directory of its own that sandboxes show.
#define DOOR_SOCKET "soma.sock"

enum {
    ORDER_VERSION = 1,
    ORDER_BYTES_MAX = 16 << 20,
};

// What all orders of this server have in common.
struct order_settings {
    const struct languages *languages;
    const char *path;  // the job's PATH
    bool changes_user; // the server runs as root: jobs run as uid and gid
    uid_t uid;
    gid_t gid;
    const struct sandbox_settings *sandbox; // NULL: off
    const char
        *door; // directory of the socket DOOR_SOCKET that takes jobs' tokens; NULL: there is none
    const struct token_key *token_key; // where there is a door
};

// Fills the writer, which the caller has initialised with ORDER_BYTES_MAX, for the given attempt in
// home (the absolute path of its work/ directory). LANGUAGE_UNKNOWN where the interpreter is not
// offered any more.
enum soma_code order_write(struct fields_writer *writer, const struct order_settings *settings,
                           const struct job *job, uint32_t attempt, const char *home,
                           struct soma_error *err);

#endif
