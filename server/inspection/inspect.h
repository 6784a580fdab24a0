// Whether what a server keeps is sound, looked at in bounded steps: the database's file and what it
// holds twice; the output that each job says it kept; directories of no job; each collection in
// memory against its records. Changes nothing. Offline (somad --check) and beside a server that
// runs (CheckServer) alike.
#ifndef INSPECTION_INSPECT_H
#define INSPECTION_INSPECT_H

#include "base/clock.h"
#include "base/namespaces.h"
#include "vectors/collection.h"

enum {
    INSPECT_STEP_SIZE = FULL_NAME_BYTES_MAX + 32,
    INSPECT_ARENA_BYTES = 64 << 20
};

// Where no step has been named yet; "" is the end.
#define INSPECT_FIRST "database"
// Behind the database.
#define INSPECT_FIRST_JOBS "jobs 0"

struct inspection {
    struct store *store;
    struct vectors *vectors;
    const char *jobs_path; // of the directory; where it is not there, there are no jobs' files
    const char *space;     // NULL: everything; else the jobs and collections of a namespace
    struct arena *arena;   // INSPECT_ARENA_BYTES, reset by each step
    struct mono_time deadline;
    bool is_live; // jobs come and go meanwhile
    // Hears of each thing that is wrong: "job 01…", "collection docs", and what it is.
    void (*found)(void *user, const char *what, const char *text);
    void *user;
};

// Looks at one part, and names the next one in ret_next ("": none follows). An error is one of
// looking, and says nothing of the data. FIELD_INVALID with field "step": there is no such one.
enum soma_code inspect_step(const struct inspection *inspection, const char *step,
                            char ret_next[INSPECT_STEP_SIZE], struct soma_error *err);

#endif
