// The file `boot` of the data directory: under which start of the machine the attempts lie that
// were claimed and have not ended (docs/adr/0007). Engine thread, or before it.
#ifndef JOBS_LAST_BOOT_H
#define JOBS_LAST_BOOT_H

#include "jobs/attempt.h"

// Whether the machine was started anew since last_boot_note: what an attempt's directory does not
// show may have been lost with it. False where that cannot be known, or nothing was noted yet.
bool last_boot_is_over(const struct attempt_root *root);

// All attempts of earlier starts are settled. Durable. A failure is logged: the next start then
// trusts directories less than it could.
void last_boot_note(const struct attempt_root *root);

#endif
