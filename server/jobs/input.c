#include "jobs/input.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "wire/limit_reached.h"
#include "wire/limits.h"

enum {
    FILE_MODE = 0600,
    BUSY_MS = 10,
};

// Who holds the lock is the only one that appends. *ret_fd is the caller's to close, whatever the
// code.
static enum soma_code open_locked(int directory_fd, int *ret_fd, struct soma_error *err)
{
    *ret_fd = openat(directory_fd, "input", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (*ret_fd < 0)
        return error_set_errno(err, errno, "cannot open the input");
    if (flock(*ret_fd, LOCK_EX | LOCK_NB) == 0)
        return SOMA_OK;
    if (errno != EWOULDBLOCK)
        return error_set_errno(err, errno, "cannot lock the input");
    enum soma_code code =
        error_set(err, REASON_SERVER_BUSY, NULL, "somebody else writes to this input");
    if (err)
        err->retry_after_ms = BUSY_MS;
    return code;
}

static bool has_ended(int directory_fd)
{
    return faccessat(directory_fd, "input.end", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int write_at(int fd, const char *bytes, int64_t length, int64_t offset)
{
    while (length > 0) {
        ssize_t written = pwrite(fd, bytes, (size_t)length, offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? errno : EIO;
        bytes += written;
        offset += written;
        length -= written;
    }
    return 0;
}

static enum soma_code check(const struct input_piece *piece, int64_t size, bool has_ended,
                            struct soma_error *err)
{
    int64_t end = piece->offset + (int64_t)piece->length;
    if (piece->offset > size)
        return error_set(err, REASON_OFFSET_PAST_END, "offset",
                         "offset %lld is past the input's end at %lld", (long long)piece->offset,
                         (long long)size);
    if (has_ended && end > size)
        return error_set(err, REASON_INPUT_ENDED, "data", "the input has ended at %lld",
                         (long long)size);
    if (end > LIMIT_JOB_INPUT_BYTES)
        return limit_reached(err, REASON_INPUT_TOO_LONG, "data", "job_input_bytes",
                             LIMIT_JOB_INPUT_BYTES);
    return SOMA_OK;
}

static enum soma_code make_end(int directory_fd, struct soma_error *err)
{
    FD_CLEANUP int fd =
        openat(directory_fd, "input.end", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    return fd < 0 ? error_set_errno(err, errno, "cannot end the input") : SOMA_OK;
}

static enum soma_code append(int directory_fd, int fd, const struct input_piece *piece,
                             struct input_taken *taken, struct soma_error *err)
{
    int64_t size = taken->size_bytes, end = piece->offset + (int64_t)piece->length;
    int64_t room = piece->fed_bytes + LIMIT_JOB_INPUT_WAITING_BYTES - size;
    int64_t length = end - size < room ? end - size : room;
    if (length > 0) {
        int errnum =
            write_at(fd, (const char *)piece->bytes + (size - piece->offset), length, size);
        if (errnum)
            return error_set_errno(err, errnum, "cannot write the input");
        taken->size_bytes += length;
        taken->has_changed = true;
    }
    bool ends = piece->end && !taken->has_ended && taken->size_bytes == end;
    if (!ends)
        return SOMA_OK;
    taken->has_ended = taken->has_changed = true;
    return make_end(directory_fd, err);
}

enum soma_code input_write(const struct attempt_root *root, const char *id, uint32_t attempt,
                           const struct input_piece *piece, struct input_taken *ret_taken,
                           struct soma_error *err)
{
    FD_CLEANUP int directory_fd = attempt_open(root, id, attempt);
    if (directory_fd < 0)
        return errno == ENOENT ? error_set(err, REASON_ATTEMPT_NOT_FOUND, "attempt",
                                           "the attempt has not begun")
                               : error_set_errno(err, errno, "cannot open the attempt");
    FD_CLEANUP int fd = -1;
    struct stat info;
    enum soma_code code = open_locked(directory_fd, &fd, err);
    if (code != SOMA_OK)
        return code;
    if (fstat(fd, &info))
        return error_set_errno(err, errno, "cannot look at the input");
    struct input_taken taken = {.size_bytes = info.st_size, .has_ended = has_ended(directory_fd)};
    code = check(piece, taken.size_bytes, taken.has_ended, err);
    if (code == SOMA_OK)
        code = append(directory_fd, fd, piece, &taken, err);
    if (code == SOMA_OK)
        *ret_taken = taken;
    return code;
}
