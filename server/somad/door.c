#include "somad/door.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "jobs/order.h"

enum {
    PASS_THROUGH_MODE = 0711,
    SOCKET_PATH_MAX = sizeof((struct sockaddr_un *)0)->sun_path - 1
};

enum soma_code door_open(struct door *door, const char *data_directory, struct soma_error *err)
{
    struct door opened = {.fd = -1};
    int length = snprintf(opened.path, sizeof opened.path, "%s/door", data_directory);
    if (length + (int)strlen("/" DOOR_SOCKET) > SOCKET_PATH_MAX) {
        log_warning("JOBS-DOOR-TOO-DEEP",
                    "jobs get no $SOMA_SERVER: %s is too deep for the path of a socket",
                    data_directory);
        *door = (struct door){.fd = -1};
        return SOMA_OK;
    }
    enum soma_code code = directory_make_all(opened.path, PASS_THROUGH_MODE, err);
    if (code != SOMA_OK)
        return code;
    opened.fd = open(opened.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (opened.fd < 0 || fchmod(opened.fd, PASS_THROUGH_MODE)) {
        code = error_set_errno(err, errno, "cannot open %s", opened.path);
        door_close(&opened);
        return code;
    }
    snprintf(opened.url, sizeof opened.url, "ipc:///proc/self/fd/%d/" DOOR_SOCKET, opened.fd);
    *door = opened;
    return SOMA_OK;
}

enum soma_code door_give_to(const struct door *door, uid_t uid, gid_t gid, struct soma_error *err)
{
    if (fchownat(door->fd, DOOR_SOCKET, uid, gid, AT_SYMLINK_NOFOLLOW))
        return error_set_errno(err, errno, "cannot give %s/" DOOR_SOCKET " to the jobs' user",
                               door->path);
    return SOMA_OK;
}

void door_close(struct door *door)
{
    if (door->fd >= 0)
        close(door->fd);
    door->fd = -1;
}
