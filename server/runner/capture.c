#include "runner/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

enum {
    FILE_MODE = 0600,
    CHUNK_BYTES = 262144,
    WIDE_BYTES = 65536,        // read at once: the program writes faster than it is read
    WIDE_PIPE_BYTES = 1048576, // what any user may have for a few pipes, pipe(7)
    PIPE_BYTES_MAX = 16777216,
    WRITE_BACK_BYTES = 8388608 // are on their way to the disk before the next so many come
};

// One for both streams: they are read in turn, by one thread.
static char chunk[CHUNK_BYTES];

// Most programs say nothing on one of the two: a file that nobody needs is not made.
static void open_file(struct capture *capture)
{
    int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
    const char *name = capture->is_stderr ? "stderr" : "stdout";
    capture->file_fd = openat(capture->directory_fd, name, flags, FILE_MODE);
    if (capture->file_fd < 0)
        capture->write_errnum = errno;
}

// How many of the bytes are in the file. After the first failure nothing more is kept: the file
// stays a prefix of the stream.
static int64_t keep(struct capture *capture, const char *bytes, int64_t length)
{
    int64_t done = 0;
    if (capture->file_fd < 0 && length > 0 && !capture->write_errnum)
        open_file(capture);
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

void capture_keep_tail(struct capture *capture, int64_t size)
{
    capture->tail = size > 0 ? malloc((size_t)size) : NULL;
    capture->tail_size = capture->tail ? size : 0;
}

// Into the ring; what it pushes out, and what does not fit at all, is dropped.
static void hold_back(struct capture *capture, const char *bytes, int64_t length)
{
    if (length > capture->tail_size) {
        capture->dropped_bytes += length - capture->tail_size;
        bytes += length - capture->tail_size;
        length = capture->tail_size;
    }
    int64_t room = capture->tail_size - capture->tail_bytes;
    if (length > room)
        capture->dropped_bytes += length - room;
    capture->tail_bytes += length < room ? length : room;
    int64_t first = capture->tail_size - capture->tail_at;
    first = length < first ? length : first;
    if (length == 0)
        return;
    memcpy(capture->tail + capture->tail_at, bytes, (size_t)first);
    memcpy(capture->tail, bytes + first, (size_t)(length - first));
    capture->tail_at = (capture->tail_at + length) % capture->tail_size;
}

// So that the sync at the end finds little left to do.
static void write_back(const struct capture *capture, int64_t from)
{
    int64_t begin = from / WRITE_BACK_BYTES * WRITE_BACK_BYTES;
    int64_t end = capture->kept_bytes / WRITE_BACK_BYTES * WRITE_BACK_BYTES;
    if (end > begin)
        sync_file_range(capture->file_fd, begin, end - begin, SYNC_FILE_RANGE_WRITE);
}

static void keep_and_note(struct capture *capture, const char *bytes, int64_t length)
{
    int64_t kept = keep(capture, bytes, length);
    capture->kept_bytes += kept;
    write_back(capture, capture->kept_bytes - kept);
    capture->dropped_bytes += length - kept;
    if (capture->log)
        log_index_note(capture->log, capture->is_stderr, kept);
}

// The oldest byte stands where the next one would go, once the ring is full.
static void put_tail(struct capture *capture)
{
    int64_t begin = capture->tail_bytes < capture->tail_size ? 0 : capture->tail_at;
    if (capture->tail_bytes > 0) {
        keep_and_note(capture, capture->tail + begin, capture->tail_bytes - begin);
        keep_and_note(capture, capture->tail, begin);
    }
    free(capture->tail);
    capture->tail = NULL;
    capture->tail_bytes = capture->tail_size = 0;
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
    int64_t fits = got < room ? got : room;
    keep_and_note(capture, chunk, fits);
    hold_back(capture, chunk + fits, got - fits);
    return true;
}

static void empty_pipe(struct capture *capture)
{
    int held = fcntl(capture->pipe_fd, F_GETPIPE_SZ);
    int64_t most = held > 0 && held < PIPE_BYTES_MAX ? held : PIPE_BYTES_MAX;
    int64_t before = capture->kept_bytes + capture->dropped_bytes;
    while (capture->kept_bytes + capture->dropped_bytes - before < most && capture_read(capture))
        continue;
    if (capture->pipe_fd >= 0)
        end_stream(capture);
}

void capture_finish(struct capture *capture)
{
    if (capture->pipe_fd >= 0)
        empty_pipe(capture);
    put_tail(capture);
}

void capture_close(struct capture *capture)
{
    if (capture->file_fd >= 0 && fsync(capture->file_fd) && !capture->write_errnum)
        capture->write_errnum = errno;
    fd_close_at_exit(&capture->file_fd);
    capture->file_fd = -1;
}
