// The data directory: made where it is missing, and owned by one server at a time.
//
// Others may walk through it (0711), as jobs of another user have their work directories below it,
// but neither list it nor read what SOMA keeps.
#ifndef SOMAD_DATA_DIRECTORY_H
#define SOMAD_DATA_DIRECTORY_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct data_directory {
    char path[PATH_MAX]; // absolute, without links
    int lock_fd;         // somad.lock, which holds the owner's pid; -1: not open
};

// DATA_DIRECTORY_IN_USE with the pid of the other server.
enum soma_code data_directory_open(const char *path, struct data_directory *ret_directory,
                                   struct soma_error *err);
void data_directory_close(struct data_directory *directory);

// Whether the user may walk down to the directory, as jobs of that user have to. Otherwise the
// first directory that is closed to them is in ret_closed.
bool data_directory_is_open_to(const struct data_directory *directory, uid_t uid, gid_t gid,
                               char ret_closed[PATH_MAX]);

#endif
