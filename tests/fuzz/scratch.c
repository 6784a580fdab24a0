#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "fuzz.h"

enum {
    OPEN_MAX_DESCRIPTORS = 8
};

static char directory[] = "/tmp/soma-fuzz.XXXXXX";

static int remove_one(const char *path, const struct stat *about, int type, struct FTW *where)
{
    (void)about, (void)type, (void)where;
    return remove(path);
}

static void remove_all(void)
{
    nftw(directory, remove_one, OPEN_MAX_DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_directory(void)
{
    static bool is_made;
    if (!is_made) {
        MUST(mkdtemp(directory));
        atexit(remove_all);
        is_made = true;
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
