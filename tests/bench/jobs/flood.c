// The job that writes: BYTES of a known pattern to standard output, in pieces of 64 KiB.
//
//     flood BYTES SEED [FILE]        into the file instead, synced at the end: the disk's own speed
//
// Says on standard error how many seconds the writing took, and, of a file, how many with the sync.
#include <fcntl.h>
#include <unistd.h>

#include "load.h"
#include "pattern.h"

int main(int argc, char **argv)
{
    static uint64_t words[PATTERN_BLOCK / sizeof(uint64_t)];
    if (argc < 3)
        return 2;
    int64_t bytes = strtoll(argv[1], NULL, 10);
    uint64_t seed = strtoull(argv[2], NULL, 10);
    int fd = argc > 3 ? open(argv[3], O_WRONLY | O_CREAT | O_TRUNC, 0600) : STDOUT_FILENO;
    int64_t begun = now_ns();
    for (int64_t done = 0; done < bytes; done += PATTERN_BLOCK) {
        pattern_fill(words, sizeof words / sizeof words[0], seed, (uint64_t)done / sizeof words[0]);
        size_t length = bytes - done < PATTERN_BLOCK ? (size_t)(bytes - done) : PATTERN_BLOCK;
        const char *at = (const char *)words;
        while (length > 0) {
            ssize_t written = write(fd, at, length);
            if (written <= 0)
                return 1;
            at += written;
            length -= (size_t)written;
        }
    }
    double written = (double)(now_ns() - begun) / 1e9;
    if (argc > 3 && fsync(fd))
        return 1;
    fprintf(stderr, "{\"seconds\": %f, \"synced\": %f}\n", written,
            (double)(now_ns() - begun) / 1e9);
    return 0;
}
