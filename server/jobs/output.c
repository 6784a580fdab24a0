#include "jobs/output.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum soma_code output_read_piece(int fd, int64_t offset, int64_t max, struct arena *arena,
                                 struct output_piece *ret_piece, struct soma_error *err)
{
    struct stat info;
    if (fstat(fd, &info))
        return error_set_errno(err, errno, "cannot look at the output");
    ret_piece->size = info.st_size;
    int64_t there = offset < info.st_size ? info.st_size - offset : 0;
    size_t wanted = (size_t)(there < max ? there : max);
    if (wanted == 0)
        return SOMA_OK;
    ret_piece->bytes = arena_alloc(arena, wanted);
    if (!ret_piece->bytes)
        return error_set_no_memory(err);
    while (ret_piece->length < wanted) {
        ssize_t got = pread(fd, ret_piece->bytes + ret_piece->length, wanted - ret_piece->length,
                            offset + (int64_t)ret_piece->length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(err, errno, "cannot read the output");
        if (got == 0)
            break;
        ret_piece->length += (size_t)got;
    }
    return SOMA_OK;
}

enum soma_code output_read(const struct attempt_root *root, const char *id, uint32_t attempt,
                           bool is_stderr, int64_t offset, int64_t max, struct arena *arena,
                           struct output_piece *ret_piece, struct soma_error *err)
{
    *ret_piece = (struct output_piece){0};
    if (attempt == 0)
        return SOMA_OK;
    FD_CLEANUP int directory_fd = attempt_open(root, id, attempt);
    if (directory_fd < 0 && errno == ENOENT)
        return SOMA_OK;
    if (directory_fd < 0)
        return error_set_errno(err, errno, "cannot open the attempt");
    int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW;
    FD_CLEANUP int fd = openat(directory_fd, is_stderr ? "stderr" : "stdout", flags);
    if (fd < 0 && errno == ENOENT)
        return SOMA_OK;
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open the output");
    return output_read_piece(fd, offset, max, arena, ret_piece, err);
}
