#include "runner/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
    CHUNK_BYTES = 262144,
    WIDE_BYTES = 65536,        // read at once: the program writes faster than it is read
    WIDE_PIPE_BYTES = 1048576, // what any user may have for a few pipes, pipe(7)
    PIPE_BYTES_MAX = 16777216
};

// One for both streams: they are read in turn, by one thread.
static char chunk[CHUNK_BYTES];

// How many of the bytes are in the file. After the first failure nothing more is kept: the file
// stays a prefix of the stream.
static int64_t keep(struct capture *capture, const char *bytes, int64_t length)
{
    int64_t done = 0;
    while (done < length && !capture->write_errnum) {
        ssize_t written = pwrite(capture->file_fd, bytes + done, (size_t)(length - done),
                                 capture->kept_bytes + done);
        if (written > 0)
            done += written;
        else if (written == 0 || errno != EINTR)
            capture->write_errnum = written == 0 ? EIO : errno;
    }
    return done;
}

// A program that writes much waits less for a larger pipe: a tenth of the switches between it and
// us. Only for such, as a user's pipes together have a limit; past it the pipe stays as it is.
static void widen(struct capture *capture)
{
    capture->is_wide = true;
    fcntl(capture->pipe_fd, F_SETPIPE_SZ, WIDE_PIPE_BYTES);
}

static void end_stream(struct capture *capture)
{
    close(capture->pipe_fd);
    capture->pipe_fd = -1;
}

bool capture_read(struct capture *capture)
{
    if (capture->pipe_fd < 0)
        return false;
    ssize_t got = read(capture->pipe_fd, chunk, sizeof chunk);
    if (got < 0)
        return errno == EINTR;
    if (got == 0) {
        end_stream(capture);
        return false;
    }
    if (got >= WIDE_BYTES && !capture->is_wide)
        widen(capture);
    int64_t room = capture->cap_bytes - capture->kept_bytes;
    int64_t kept = keep(capture, chunk, got < room ? got : room);
    capture->kept_bytes += kept;
    capture->dropped_bytes += got - kept;
    return true;
}

void capture_finish(struct capture *capture)
{
    if (capture->pipe_fd < 0)
        return;
    int held = fcntl(capture->pipe_fd, F_GETPIPE_SZ);
    int64_t most = held > 0 && held < PIPE_BYTES_MAX ? held : PIPE_BYTES_MAX;
    int64_t before = capture->kept_bytes + capture->dropped_bytes;
    while (capture->kept_bytes + capture->dropped_bytes - before < most && capture_read(capture))
        continue;
    if (capture->pipe_fd >= 0)
        end_stream(capture);
}
