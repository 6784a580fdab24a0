#include "somad/data_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static enum soma_code in_use(int fd, const char *path, struct soma_error *err)
{
    char pid[24] = "";
    ssize_t length = pread(fd, pid, sizeof pid - 1, 0);
    pid[length > 0 ? strcspn(pid, "\n") : 0] = '\0';
    return error_set(err, REASON_DATA_DIRECTORY_IN_USE, "data",
                     "the server with pid %s owns the data directory %s", pid[0] ? pid : "?", path);
}

static enum soma_code lock(struct data_directory *directory, struct soma_error *err)
{
    char name[PATH_MAX + 16];
    snprintf(name, sizeof name, "%s/somad.lock", directory->path);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open %s", name);
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        enum soma_code code = in_use(fd, directory->path, err);
        close(fd);
        return code;
    }
    if (ftruncate(fd, 0) || dprintf(fd, "%ld\n", (long)getpid()) < 0) {
        enum soma_code code = error_set_errno(err, errno, "cannot write %s", name);
        close(fd);
        return code;
    }
    directory->lock_fd = fd;
    return SOMA_OK;
}

enum soma_code data_directory_open(const char *path, struct data_directory *ret_directory,
                                   struct soma_error *err)
{
    struct data_directory directory = {.lock_fd = -1};
    mode_t mask = umask(0066);
    enum soma_code code = directory_make_all(path, 0711, err);
    umask(mask);
    if (code != SOMA_OK)
        return code;
    struct stat info;
    if (!realpath(path, directory.path) || stat(directory.path, &info))
        return error_set_errno(err, errno, "cannot find %s", path);
    if (!S_ISDIR(info.st_mode))
        return error_set_errno(err, ENOTDIR, "cannot keep data in %s", path);
    code = lock(&directory, err);
    if (code == SOMA_OK)
        *ret_directory = directory;
    return code;
}

void data_directory_close(struct data_directory *directory)
{
    if (directory->lock_fd >= 0)
        close(directory->lock_fd);
    directory->lock_fd = -1;
}

static bool may_pass(const struct stat *info, uid_t uid, gid_t gid)
{
    mode_t needed = info->st_uid == uid ? S_IXUSR : info->st_gid == gid ? S_IXGRP : S_IXOTH;
    return info->st_mode & needed;
}

bool data_directory_is_open_to(const struct data_directory *directory, uid_t uid, gid_t gid,
                               char ret_closed[PATH_MAX])
{
    size_t length = strlen(directory->path);
    for (size_t i = 1; i <= length; i++) {
        if (directory->path[i] != '/' && directory->path[i] != '\0')
            continue;
        struct stat info;
        snprintf(ret_closed, PATH_MAX, "%.*s", (int)i, directory->path);
        if (stat(ret_closed, &info) == 0 && !may_pass(&info, uid, gid))
            return false;
    }
    return true;
}
