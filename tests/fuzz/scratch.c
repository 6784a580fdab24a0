#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "fuzz.h"

enum {
    OPEN_MAX_DESCRIPTORS = 8
};

static const char *directory;

static int remove_one(const char *path, const struct stat *about, int type, struct FTW *where)
{
    (void)about, (void)type, (void)where;
    return remove(path);
}

static void remove_all(void)
{
    nftw(directory, remove_one, OPEN_MAX_DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}

// In memory where that is possible: on a disk, a target that reads files waits for it most of its
// time.
static const char *make_directory(void)
{
    static char in_memory[] = "/dev/shm/soma-fuzz.XXXXXX", on_disk[] = "/tmp/soma-fuzz.XXXXXX";
    const char *made = mkdtemp(in_memory);
    return made ? made : mkdtemp(on_disk);
}

const char *fuzz_directory(void)
{
    if (!directory) {
        directory = make_directory();
        MUST(directory);
        atexit(remove_all);
    }
    return directory;
}

void fuzz_write(const char *path, const uint8_t *bytes, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MUST(fd >= 0);
    MUST(write(fd, bytes, length) == (ssize_t)length);
    close(fd);
}
