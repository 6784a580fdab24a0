#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/id.h"

// What lies deeper is first moved up: as many descriptors are open at a time, and calls nested.
enum {
    REMOVE_DEPTH_MAX = 64
};

void fd_close_at_exit(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

void fd_fill_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        // The lowest free descriptor is this one, as those below it are open by then.
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            return;
    }
}

int fd_write_all(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t written = write(fd, at, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        at += written;
        length -= (size_t)written;
    }
    return 0;
}

static int write_and_sync(int directory_fd, const char *name, const void *bytes, size_t length,
                          mode_t mode)
{
    int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
    FD_CLEANUP int fd = openat(directory_fd, name, flags, mode);
    if (fd < 0)
        return errno;
    int errnum = fd_write_all(fd, bytes, length);
    if (errnum)
        return errnum;
    return fsync(fd) ? errno : 0;
}

enum soma_code file_write_atomic(int directory_fd, const char *name, const void *bytes,
                                 size_t length, mode_t mode, struct soma_error *err)
{
    char beside[NAME_MAX + 1];
    if (snprintf(beside, sizeof beside, "%s.new", name) >= (int)sizeof beside)
        return error_set_errno(err, ENAMETOOLONG, "cannot write %s", name);
    int errnum = write_and_sync(directory_fd, beside, bytes, length, mode);
    if (!errnum && renameat(directory_fd, beside, directory_fd, name))
        errnum = errno;
    if (errnum) {
        unlinkat(directory_fd, beside, 0);
        return error_set_errno(err, errnum, "cannot write %s", name);
    }
    if (fsync(directory_fd))
        return error_set_errno(err, errno, "cannot sync the directory of %s", name);
    return SOMA_OK;
}

int file_reserve(int directory_fd, const char *name, size_t size, mode_t mode)
{
    char beside[NAME_MAX + 1];
    if (snprintf(beside, sizeof beside, "%s.new", name) >= (int)sizeof beside)
        return -1;
    int fd =
        openat(directory_fd, beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd >= 0 && fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size)) {
        close(fd);
        unlinkat(directory_fd, beside, 0);
        return -1;
    }
    return fd;
}

enum soma_code file_write_reserved(int directory_fd, const char *name, int reserved_fd,
                                   const void *bytes, size_t length, bool is_synced,
                                   struct soma_error *err)
{
    char beside[NAME_MAX + 1];
    snprintf(beside, sizeof beside, "%s.new", name);
    int errnum = lseek(reserved_fd, 0, SEEK_SET) < 0 ? errno : 0;
    if (!errnum)
        errnum = fd_write_all(reserved_fd, bytes, length);
    // The blocks behind the end stay the file's: to give them back costs more than they do.
    if (!errnum &&
        ((is_synced && fsync(reserved_fd)) || renameat(directory_fd, beside, directory_fd, name) ||
         (is_synced && fsync(directory_fd))))
        errnum = errno;
    return errnum ? error_set_errno(err, errnum, "cannot write %s", name) : SOMA_OK;
}

static int read_all(int fd, char *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = read(fd, bytes + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            return EIO;
        done += (size_t)got;
    }
    return 0;
}

enum soma_code file_read_all(int directory_fd, const char *name, size_t max_bytes, char **ret_bytes,
                             size_t *ret_length, bool *ret_missing, struct soma_error *err)
{
    if (ret_missing)
        *ret_missing = false;
    FD_CLEANUP int fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT && ret_missing) {
        *ret_missing = true;
        return SOMA_OK;
    }
    struct stat info;
    if (fd < 0 || fstat(fd, &info))
        return error_set_errno(err, errno, "cannot open %s", name);
    if (!S_ISREG(info.st_mode) || (uintmax_t)info.st_size > max_bytes)
        return error_set(err, REASON_DATA_DAMAGED, NULL, "%s is no file of at most %zu bytes", name,
                         max_bytes);
    size_t length = (size_t)info.st_size;
    char *bytes = malloc(length + 1);
    if (!bytes)
        return error_set_no_memory(err);
    int errnum = read_all(fd, bytes, length);
    if (errnum) {
        free(bytes);
        return error_set_errno(err, errnum, "cannot read %s", name);
    }
    bytes[length] = '\0';
    *ret_bytes = bytes;
    if (ret_length)
        *ret_length = length;
    return SOMA_OK;
}

enum soma_code directory_make_all(const char *path, mode_t mode, struct soma_error *err)
{
    char partial[PATH_MAX];
    size_t length = strlen(path);
    if (length == 0)
        return error_set_errno(err, ENOENT, "cannot make a directory without a name");
    if (length >= sizeof partial)
        return error_set_errno(err, ENAMETOOLONG, "cannot make directory '%s'", path);
    memcpy(partial, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (partial[i] != '/' && partial[i] != '\0')
            continue;
        char end = partial[i];
        partial[i] = '\0';
        if (mkdir(partial, mode) && errno != EEXIST)
            return error_set_errno(err, errno, "cannot make directory %s", partial);
        partial[i] = end;
    }
    return SOMA_OK;
}

// --- removal

struct removal {
    int top_fd;     // of what is removed
    bool has_moved; // something from below into it
    int errnum;     // the first; whatever else can be removed is
    long long bytes;
};

static void remove_tree(struct removal *removal, int parent_fd, const char *name, int depth);

static void note_error(struct removal *removal, int errnum)
{
    if (!removal->errnum && errnum != ENOENT)
        removal->errnum = errnum;
}

static void remove_entries(struct removal *removal, DIR *directory, int depth)
{
    struct dirent *entry;
    while ((errno = 0, entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove_tree(removal, dirfd(directory), entry->d_name, depth + 1);
    }
    note_error(removal, errno);
}

static void move_up(struct removal *removal, int parent_fd, const char *name)
{
    char id[ID_SIZE];
    id_make(id);
    if (renameat(parent_fd, name, removal->top_fd, id))
        note_error(removal, errno);
    else
        removal->has_moved = true;
}

// Its owner may have closed it to itself. Not by its name, where somebody may have put a link
// meanwhile to what is to be opened; and on a descriptor that needs no right but to be found
// (fchmod takes none such).
static int open_up(int parent_fd, const char *name)
{
    FD_CLEANUP int fd = openat(parent_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return fd < 0 || chmod(path, S_IRWXU) ? errno : 0;
}

static void remove_directory(struct removal *removal, int parent_fd, const char *name, int depth)
{
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (!directory) {
        note_error(removal, errno);
        fd_close_at_exit(&fd);
        return;
    }
    if (depth == 0)
        removal->top_fd = fd;
    remove_entries(removal, directory, depth);
    while (depth == 0 && removal->has_moved) {
        removal->has_moved = false;
        rewinddir(directory);
        remove_entries(removal, directory, depth);
    }
    closedir(directory);
    if (unlinkat(parent_fd, name, AT_REMOVEDIR))
        note_error(removal, errno);
}

static void remove_tree(struct removal *removal, int parent_fd, const char *name, int depth)
{
    struct stat info;
    if (fstatat(parent_fd, name, &info, AT_SYMLINK_NOFOLLOW)) {
        note_error(removal, errno);
    } else if (S_ISDIR(info.st_mode)) {
        int errnum = (info.st_mode & S_IRWXU) != S_IRWXU ? open_up(parent_fd, name) : 0;
        if (errnum)
            note_error(removal, errnum);
        else if (depth > REMOVE_DEPTH_MAX)
            move_up(removal, parent_fd, name);
        else
            remove_directory(removal, parent_fd, name, depth);
    } else if (unlinkat(parent_fd, name, 0)) {
        note_error(removal, errno);
    } else if (S_ISREG(info.st_mode)) {
        removal->bytes += info.st_size;
    }
}

enum soma_code directory_remove_all(int parent_fd, const char *name, long long *ret_bytes,
                                    struct soma_error *err)
{
    struct removal removal = {.top_fd = -1};
    remove_tree(&removal, parent_fd, name, 0);
    if (removal.errnum)
        return error_set_errno(err, removal.errnum, "cannot remove %s", name);
    if (ret_bytes)
        *ret_bytes = removal.bytes;
    return SOMA_OK;
}
