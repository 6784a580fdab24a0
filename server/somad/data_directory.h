// The data directory: made where it is missing, and owned by one server at a time.
//
// Others may walk through it (0711), as jobs of another user have their work directories below it,
// but neither list it nor read what SOMA keeps.
#ifndef SOMAD_DATA_DIRECTORY_H
#define SOMAD_DATA_DIRECTORY_H

#include <limits.h>

#include "base/error.h"

struct data_directory {
    char path[PATH_MAX]; // absolute, without links
    int lock_fd;         // somad.lock, which holds the owner's pid; -1: not open
};

// DATA_DIRECTORY_IN_USE with the pid of the other server.
enum soma_code data_directory_open(const char *path, struct data_directory *ret_directory,
                                   struct soma_error *err);
void data_directory_close(struct data_directory *directory);

#endif
