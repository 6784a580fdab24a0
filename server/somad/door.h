// The address that jobs get as $SOMA_SERVER: a socket in a directory of its own, which sandboxes
// show, so that another socket of a server that was started again is seen in them too.
#ifndef SOMAD_DOOR_H
#define SOMAD_DOOR_H

#include <limits.h>
#include <sys/types.h>

#include "base/error.h"

struct door {
    char path[PATH_MAX]; // of the directory; "" where jobs get no address
    char url[64];        // to listen on; short, however deep the directory lies
    int fd;              // of the directory; owned; -1 where it is closed
};

// Makes DATA/door. Where its socket's path would be too long for clients, it says so in the log and
// path is "".
enum soma_code door_open(struct door *door, const char *data_directory, struct soma_error *err);

// The socket is there: whoever jobs run as may connect, and nobody else.
enum soma_code door_give_to(const struct door *door, uid_t uid, gid_t gid, struct soma_error *err);

// After the listener. Harmless on a closed one.
void door_close(struct door *door);

#endif
