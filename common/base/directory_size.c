#include "base/directory_size.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum {
    BLOCK_BYTES = 512, // of st_blocks
    LEVELS_OPEN = 32,
    LEVELS_FIRST = 16
};

// A directory on the way down. The upper ones stay open. Of those below them only the last is: the
// others are opened again by "..", which must be the same directory, and read on from where they
// were left.
struct level {
    DIR *directory; // owned; NULL: closed meanwhile
    long position;
    dev_t device;
    ino_t inode;
};

struct walk {
    struct level *levels; // owned
    size_t count;
    size_t size;
    struct directory_size *sum;
};

static bool is_same(const struct level *level, int fd)
{
    struct stat info;
    return fstat(fd, &info) == 0 && info.st_dev == level->device && info.st_ino == level->inode;
}

static bool make_room(struct walk *walk)
{
    if (walk->count < walk->size)
        return true;
    size_t size = walk->size ? walk->size * 2 : LEVELS_FIRST;
    struct level *levels = realloc(walk->levels, size * sizeof *levels);
    if (!levels)
        return false;
    walk->levels = levels;
    walk->size = size;
    return true;
}

// Takes fd.
static bool enter(struct walk *walk, int fd, const struct stat *info)
{
    DIR *directory = make_room(walk) ? fdopendir(fd) : NULL;
    if (!directory) {
        fd_close_at_exit(&fd);
        return false;
    }
    walk->levels[walk->count++] =
        (struct level){.directory = directory, .device = info->st_dev, .inode = info->st_ino};
    return true;
}

static void descend(struct walk *walk, const char *name)
{
    struct level *above = &walk->levels[walk->count - 1];
    struct stat info;
    if (walk->count > DIRECTORY_DEPTH_MAX) {
        walk->sum->is_too_deep = true;
        return;
    }
    int fd = openat(dirfd(above->directory), name,
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    // Another file system is somebody else's.
    if (fd < 0 || fstat(fd, &info) || info.st_dev != above->device) {
        fd_close_at_exit(&fd);
        return;
    }
    if (!enter(walk, fd, &info) || walk->count <= LEVELS_OPEN + 1)
        return;
    above = &walk->levels[walk->count - 2];
    above->position = telldir(above->directory);
    closedir(above->directory);
    above->directory = NULL;
}

// Where a directory was moved away there is no way back: the walk goes on at one that is open.
static void ascend(struct walk *walk)
{
    DIR *left = walk->levels[--walk->count].directory;
    struct level *level = walk->count ? &walk->levels[walk->count - 1] : NULL;
    if (level && !level->directory) {
        int fd = openat(dirfd(left), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        level->directory = fd >= 0 && is_same(level, fd) ? fdopendir(fd) : NULL;
        if (level->directory)
            seekdir(level->directory, level->position);
        else
            fd_close_at_exit(&fd);
    }
    closedir(left);
    while (walk->count && !walk->levels[walk->count - 1].directory)
        walk->count--;
}

static void count_entry(struct walk *walk, DIR *directory, const char *name)
{
    struct stat info;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return;
    walk->sum->entries++;
    if (fstatat(dirfd(directory), name, &info, AT_SYMLINK_NOFOLLOW))
        return;
    walk->sum->disk_bytes += (int64_t)info.st_blocks * BLOCK_BYTES;
    if (S_ISREG(info.st_mode))
        walk->sum->file_bytes += info.st_size;
    if (S_ISDIR(info.st_mode))
        descend(walk, name);
}

void directory_measure(int directory_fd, int64_t entries_max, struct directory_size *ret_size)
{
    struct walk walk = {.sum = ret_size};
    struct stat info;
    int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info))
        fd_close_at_exit(&fd);
    else
        enter(&walk, fd, &info);
    while (walk.count && ret_size->entries < entries_max) {
        DIR *directory = walk.levels[walk.count - 1].directory;
        const struct dirent *entry = readdir(directory);
        if (entry)
            count_entry(&walk, directory, entry->d_name);
        else
            ascend(&walk);
    }
    while (walk.count) {
        DIR *directory = walk.levels[--walk.count].directory;
        if (directory)
            closedir(directory);
    }
    free(walk.levels);
}
