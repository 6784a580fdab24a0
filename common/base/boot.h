// Which start of the machine this is. What was written and not synced is there as long as the
// machine stays up, whatever becomes of its processes.
#ifndef BASE_BOOT_H
#define BASE_BOOT_H

#include <stdbool.h>

enum {
    BOOT_ID_SIZE = 64
};

// The kernel's random name of this start, without a line end. False, with "": it does not say.
bool boot_id_read(char ret_id[BOOT_ID_SIZE]);

#endif
