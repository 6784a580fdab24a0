#include "runner/inputs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"

enum {
    DIRECTORY_MODE = 0700,
    FILE_MODE = 0600,
    PROGRAM_MODE = 0700,
    COPY_BYTES = 1 << 30
};

static int give_to_user(int fd, const struct order *order)
{
    if (order->uid >= 0 && fchown(fd, (uid_t)order->uid, (gid_t)order->gid))
        return errno;
    return 0;
}

// Goes down into the path's directories, which are made where they are missing. ret_fd is the
// caller's to close, ret_name the file's own name. 0, or an errno.
static int open_parent(int work_fd, const struct order *order, const char *path, int *ret_fd,
                       const char **ret_name)
{
    char room[PATH_BYTES_MAX + 1];
    strncpy(room, path, sizeof room - 1);
    room[sizeof room - 1] = '\0';
    int fd = fcntl(work_fd, F_DUPFD_CLOEXEC, 0);
    char *name = room;
    for (char *slash; fd >= 0 && (slash = strchr(name, '/')) != NULL; name = slash + 1) {
        *slash = '\0';
        bool is_made = mkdirat(fd, name, DIRECTORY_MODE) == 0;
        int next = is_made || errno == EEXIST
                       ? openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
                       : -1;
        int errnum = next < 0 ? errno : is_made ? give_to_user(next, order) : 0;
        close(fd);
        fd = next;
        if (errnum) {
            fd_close_at_exit(&fd);
            return errnum;
        }
    }
    if (fd < 0)
        return errno;
    *ret_fd = fd;
    *ret_name = path + (name - room);
    return 0;
}

// An upload lies in the job's directory, beside those of its attempts.
static int copy_upload(const struct attempt_dir *dir, const char *id, int to_fd)
{
    FD_CLEANUP int files_fd =
        openat(dir->fd, "../files", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (files_fd < 0)
        return errno;
    FD_CLEANUP int from_fd = openat(files_fd, id, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (from_fd < 0)
        return errno;
    ssize_t sent;
    while ((sent = sendfile(to_fd, from_fd, NULL, COPY_BYTES)) != 0) {
        if (sent < 0 && errno != EINTR)
            return errno;
    }
    return 0;
}

static int place(const struct attempt_dir *dir, const struct order *order,
                 const struct order_input *input)
{
    FD_CLEANUP int parent_fd = -1;
    const char *name = input->path;
    int errnum = open_parent(dir->work_fd, order, input->path, &parent_fd, &name);
    if (errnum)
        return errnum;
    FD_CLEANUP int fd =
        openat(parent_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (fd < 0)
        return errno;
    errnum = input->upload_id ? copy_upload(dir, input->upload_id, fd)
                              : fd_write_all(fd, input->bytes, input->length);
    if (!errnum && fchmod(fd, input->is_executable ? PROGRAM_MODE : FILE_MODE))
        errnum = errno;
    return errnum ? errnum : give_to_user(fd, order);
}

enum soma_code inputs_place(const struct attempt_dir *dir, const struct order *order,
                            struct soma_error *err)
{
    for (size_t i = 0; i < order->input_count; i++) {
        int errnum = place(dir, order, &order->inputs[i]);
        if (errnum)
            return error_set_errno(err, errnum, "cannot put the file '%.100s' in its place",
                                   order->inputs[i].path);
    }
    return SOMA_OK;
}
