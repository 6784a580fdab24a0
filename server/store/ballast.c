#include "store/ballast.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

void ballast_open(struct ballast *ballast, const char *directory)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/soma.ballast", directory);
    *ballast = (struct ballast){
        .fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
    ballast_take(ballast);
}

void ballast_close(struct ballast *ballast)
{
    if (ballast->fd >= 0)
        close(ballast->fd);
    ballast->fd = -1;
}

void ballast_take(struct ballast *ballast)
{
    struct statvfs disk;
    if (ballast->is_held || ballast->fd < 0 || fstatvfs(ballast->fd, &disk))
        return;
    if ((double)disk.f_bavail * (double)disk.f_frsize < (double)BALLAST_BYTES * BALLAST_SHARE)
        return;
    ballast->is_held = fallocate(ballast->fd, 0, 0, BALLAST_BYTES) == 0;
}

bool ballast_drop(struct ballast *ballast)
{
    bool was_held = ballast->is_held;
    ballast->is_held = false;
    return was_held && ftruncate(ballast->fd, 0) == 0;
}
