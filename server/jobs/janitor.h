// The janitor: a thread that takes away what is over. Finished jobs past their keep time, past what
// their queue keeps or past the total size go, rows first; directories of removed jobs go after the
// commit; what a crash left between the two is swept up at the start. Replies that were kept for
// repeated requests go after a day.
#ifndef JOBS_JANITOR_H
#define JOBS_JANITOR_H

#include "jobs/attempt.h"
#include "store/writer.h"

struct janitor;

struct janitor_config {
    struct store *store;
    struct writer *writer;
    const struct attempt_root *root; // borrowed
    int64_t output_bytes_max;        // kept output of all finished jobs; 0: no bound
    int64_t period_ms;               // between two looks at the retention
    // A job was removed. Must not block.
    void (*on_change)(void *user, int64_t num);
    void *user;
};

enum soma_code janitor_start(const struct janitor_config *config, struct janitor **ret_janitor,
                             struct soma_error *err);
// Ends the thread, within one step's time; before writer_stop. Takes NULL.
void janitor_stop(struct janitor *janitor);

// After writer_stop, whose last operations may still name garbage. Takes NULL.
void janitor_free(struct janitor *janitor);

// What is to be kept has changed: look soon. Any thread, never blocks.
void janitor_look(struct janitor *janitor);

// The job's row is gone: its directory may go. Any thread, never blocks; what does not fit is left
// to the next sweep.
void janitor_remove(struct janitor *janitor, const char *id);

#endif
