#include "runner/log_index.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"

enum {
    FILE_MODE = 0600,
    TOGETHER_MS = 10
};

// A full disk: what comes from here on has no order. The file stays as it is.
static void give_up(struct log_index *index)
{
    log_index_end(index);
    index->directory_fd = -1;
}

void log_index_begin(struct log_index *index, int directory_fd)
{
    *index = (struct log_index){.directory_fd = directory_fd,
                                .fd = -1,
                                .base_unix_ms = clock_wall_now().ms,
                                .last_time = clock_mono_now()};
}

static void make_file(struct log_index *index)
{
    int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
    char header[LOG_HEADER_BYTES];
    index->fd = openat(index->directory_fd, "log", flags, FILE_MODE);
    log_header_write(header, index->base_unix_ms);
    if (index->fd < 0 || pwrite(index->fd, header, sizeof header, 0) != sizeof header)
        give_up(index);
}

static void put_last(struct log_index *index)
{
    char bytes[LOG_RECORD_BYTES];
    int64_t at = LOG_HEADER_BYTES + (index->count - 1) * LOG_RECORD_BYTES;
    log_record_write(bytes, &index->last);
    if (pwrite(index->fd, bytes, sizeof bytes, at) != sizeof bytes)
        give_up(index);
}

void log_index_note(struct log_index *index, bool is_stderr, int64_t length)
{
    if (index->fd < 0 && index->directory_fd >= 0 && length > 0)
        make_file(index);
    if (index->fd < 0 || length <= 0)
        return;
    int64_t since_ms = clock_mono_now().ms - index->last_time.ms;
    bool goes_with_last = index->count > 0 && index->last.is_stderr == is_stderr &&
                          since_ms < TOGETHER_MS && length <= LOG_LENGTH_MAX - index->last.length;
    if (goes_with_last) {
        index->last.length += (uint32_t)length;
        put_last(index);
        return;
    }
    if (index->count >= LOG_RECORDS_MAX)
        return;
    index->last = (struct log_record){
        .delta_ms = since_ms < UINT32_MAX ? (uint32_t)since_ms : UINT32_MAX,
        .length = (uint32_t)length,
        .is_stderr = is_stderr,
    };
    index->last_time.ms += since_ms;
    index->count++;
    put_last(index);
}

void log_index_end(struct log_index *index)
{
    fd_close_at_exit(&index->fd);
    index->fd = -1;
}
