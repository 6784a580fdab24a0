#include "runner/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"

enum {
    CHUNK_BYTES = 65536,
    CHUNKS_AT_ONCE = 8 // between two looks at everything else
};

void feed_init(struct feed *feed, int directory_fd, int pipe_fd)
{
    *feed = (struct feed){.directory_fd = directory_fd, .pipe_fd = pipe_fd, .file_fd = -1};
}

void feed_fini(struct feed *feed)
{
    fd_close_at_exit(&feed->pipe_fd);
    fd_close_at_exit(&feed->file_fd);
    feed->pipe_fd = feed->file_fd = -1;
    feed->has_more = false;
}

void feed_close(struct feed *feed)
{
    feed_fini(feed);
    feed->is_closed = true;
}

// The end was there before the last look at the file found nothing: then nothing can follow.
static bool has_ended(const struct feed *feed)
{
    return faccessat(feed->directory_fd, "input.end", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

// Bytes that the pipe took; 0: there are none, or it is full (has_more); below 0: it is over.
static int64_t feed_chunk(struct feed *feed)
{
    static char chunk[CHUNK_BYTES];
    ssize_t got =
        feed->file_fd < 0 ? 0 : pread(feed->file_fd, chunk, sizeof chunk, feed->fed_bytes);
    if (got <= 0) {
        feed->has_more = false;
        return 0;
    }
    ssize_t written = write(feed->pipe_fd, chunk, (size_t)got);
    if (written < 0 && errno != EAGAIN && errno != EINTR)
        return -1;
    feed->has_more = written < got;
    if (written > 0)
        feed->fed_bytes += written;
    return written > 0 ? written : 0;
}

bool feed_go_on(struct feed *feed)
{
    if (feed->pipe_fd < 0)
        return false;
    if (feed->file_fd < 0)
        feed->file_fd = openat(feed->directory_fd, "input", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool ends = has_ended(feed);
    int64_t before = feed->fed_bytes, fed = 1;
    for (int i = 0; i < CHUNKS_AT_ONCE && fed > 0; i++)
        fed = feed_chunk(feed);
    // The turns are used up: the pipe takes more, and poll says so at once.
    if (fed > 0)
        feed->has_more = true;
    bool is_all = fed == 0 && !feed->has_more && ends;
    if (fed < 0 || is_all)
        feed_close(feed);
    return feed->fed_bytes > before || feed->is_closed;
}
