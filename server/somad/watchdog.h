// Says to the service manager that the server is alive, as often as that wants to hear it.
//
// Alive means: the writer has ended a group since the last look, which asked for one. A writer that
// hangs in the disk stops all that matters, and so does the notice.
#ifndef SOMAD_WATCHDOG_H
#define SOMAD_WATCHDOG_H

#include <stdatomic.h>
#include <stdint.h>

#include "store/writer.h"

struct watchdog {
    struct write_op probe; // first: its operation leads back to the watchdog
    struct writer *writer; // borrowed
    int64_t period_ms;     // between two looks; 0: nobody wants to hear
    long long groups;      // of the writer at the last look
    atomic_bool is_asked;  // the probe is with the writer
};

// Whether and how often comes from the environment (sd_watchdog_enabled(3)).
void watchdog_init(struct watchdog *watchdog, struct writer *writer);

// To be called every period_ms, while the writer runs. The watchdog must outlive the writer.
void watchdog_look(struct watchdog *watchdog);

#endif
