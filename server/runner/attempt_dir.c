#include "runner/attempt_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fields.h"
#include "base/file.h"
#include "runner/inputs.h"

enum {
    FILE_MODE = 0600,
    WORK_MODE = 0700,
    RECORD_BYTES_MAX = 4096,
    STATUS_RESERVED_BYTES = 8192,
    CONTROL_BACKLOG = 8
};

static enum soma_code cannot(struct soma_error *err, const char *what)
{
    return error_set_errno(err, errno, "cannot %s", what);
}

// --- claiming

// A record that is torn was not finished, so its program was not let go.
static bool has_record(int lock_fd)
{
    char bytes[RECORD_BYTES_MAX];
    ssize_t length = pread(lock_fd, bytes, sizeof bytes, 0);
    struct fields_reader reader;
    return length > 0 && fields_open(&reader, bytes, (size_t)length, NULL) == SOMA_OK;
}

static enum attempt_claim refuse(struct soma_error *err, const char *why)
{
    error_set(err, REASON_INTERNAL, NULL, "%s", why);
    return ATTEMPT_TAKEN;
}

static enum attempt_claim take_lock(struct attempt_dir *dir, struct soma_error *err)
{
    int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
    dir->lock_fd = openat(dir->fd, "lock", flags | O_EXCL, FILE_MODE);
    dir->is_new = dir->lock_fd >= 0;
    if (dir->lock_fd < 0 && errno == EEXIST)
        dir->lock_fd = openat(dir->fd, "lock", flags, FILE_MODE);
    if (dir->lock_fd < 0) {
        cannot(err, "open the lock");
        return ATTEMPT_BROKEN;
    }
    if (flock(dir->lock_fd, LOCK_EX | LOCK_NB))
        return refuse(err, "another runner has the lock");
    if (!dir->is_new &&
        (has_record(dir->lock_fd) || faccessat(dir->fd, "status", F_OK, AT_SYMLINK_NOFOLLOW) == 0))
        return refuse(err, "this attempt was run before");
    if (faccessat(dir->fd, "order", F_OK, AT_SYMLINK_NOFOLLOW))
        return refuse(err, "there is no order: the server took its permission back");
    return ATTEMPT_CLAIMED;
}

static enum soma_code find_path(struct attempt_dir *dir, const char *path, bool is_resolved,
                                struct soma_error *err)
{
    char link[32];
    if (is_resolved && strlen(path) < sizeof dir->path - 16) {
        strcpy(dir->path, path);
        return SOMA_OK;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", dir->fd);
    ssize_t length = readlink(link, dir->path, sizeof dir->path - 1);
    if (length < 0 || length >= (ssize_t)sizeof dir->path - 16)
        return error_set_errno(err, length < 0 ? errno : ENAMETOOLONG, "cannot find my own path");
    dir->path[length] = '\0';
    return SOMA_OK;
}

enum attempt_claim attempt_dir_claim(const char *path, bool is_resolved,
                                     struct attempt_dir *ret_dir, struct soma_error *err)
{
    struct attempt_dir *dir = ret_dir;
    *dir = (struct attempt_dir){
        .lock_fd = -1, .work_fd = -1, .progress_fd = -1, .status_fd = -1, .control_fd = -1};
    dir->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir->fd < 0) {
        error_set_errno(err, errno, "cannot open %.200s", path);
        return ATTEMPT_BROKEN;
    }
    enum attempt_claim claim =
        find_path(dir, path, is_resolved, err) ? ATTEMPT_BROKEN : take_lock(dir, err);
    if (claim != ATTEMPT_CLAIMED)
        attempt_dir_close(dir);
    return claim;
}

// --- files

static bool give_to_user(int fd, const struct order *order)
{
    return order->uid < 0 || fchown(fd, (uid_t)order->uid, (gid_t)order->gid) == 0;
}

static int make_file(int directory_fd, const char *name)
{
    return openat(directory_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                  FILE_MODE);
}

// What a runner left that ended before its program began may be the user's, and other jobs of that
// user may have put anything there.
static enum soma_code make_empty(const struct attempt_dir *dir, struct soma_error *err)
{
    if (mkdirat(dir->fd, "work", WORK_MODE) == 0)
        return SOMA_OK;
    if (errno != EEXIST)
        return cannot(err, "make the work directory");
    enum soma_code code = directory_remove_all(dir->fd, "work", NULL, err);
    if (code == SOMA_OK && mkdirat(dir->fd, "work", WORK_MODE))
        code = cannot(err, "make the work directory");
    return code;
}

static enum soma_code put_source(const struct attempt_dir *dir, const struct order *order,
                                 struct soma_error *err)
{
    if (!order->file_name)
        return SOMA_OK;
    FD_CLEANUP int fd = make_file(dir->work_fd, order->file_name);
    int errnum = fd < 0 ? errno : fd_write_all(fd, order->file_bytes, order->file_length);
    if (!errnum && !give_to_user(fd, order))
        errnum = errno;
    return errnum ? error_set_errno(err, errnum, "cannot write work/%.100s", order->file_name)
                  : SOMA_OK;
}

// The user's at last: until then nobody puts a link or a FIFO where a file is to come.
static enum soma_code make_work(struct attempt_dir *dir, const struct order *order,
                                struct soma_error *err)
{
    enum soma_code code = make_empty(dir, err);
    if (code != SOMA_OK)
        return code;
    dir->work_fd = openat(dir->fd, "work", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (dir->work_fd < 0)
        return cannot(err, "open the work directory");
    code = inputs_place(dir, order, err);
    if (code == SOMA_OK)
        code = put_source(dir, order, err);
    if (code == SOMA_OK && !give_to_user(dir->work_fd, order))
        code = cannot(err, "give away the work directory");
    return code;
}

static enum soma_code make_progress(struct attempt_dir *dir, const struct order *order,
                                    struct soma_error *err)
{
    if (!dir->is_new)
        unlinkat(dir->fd, "progress", 0);
    if (mkfifoat(dir->fd, "progress", FILE_MODE))
        return cannot(err, "make the progress FIFO");
    dir->progress_fd = openat(dir->fd, "progress", O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (dir->progress_fd < 0 || !give_to_user(dir->progress_fd, order))
        return cannot(err, "open the progress FIFO");
    return SOMA_OK;
}

// Bound through /proc: an attempt's path may be longer than the 107 bytes of a socket address.
bool attempt_dir_open_control(struct attempt_dir *dir)
{
    if (dir->control_fd >= 0)
        return true;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/control", dir->fd);
    unlinkat(dir->fd, "control", 0);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) ||
        listen(fd, CONTROL_BACKLOG)) {
        fd_close_at_exit(&fd);
        return false;
    }
    dir->control_fd = fd;
    return true;
}

enum soma_code attempt_dir_make_files(struct attempt_dir *dir, const struct order *order,
                                      struct soma_error *err)
{
    dir->status_fd = file_reserve(dir->fd, "status", STATUS_RESERVED_BYTES, FILE_MODE);
    enum soma_code code = make_work(dir, order, err);
    return code ? code : make_progress(dir, order, err);
}

// --- the record

static int write_record(struct attempt_dir *dir, const struct fields_writer *record)
{
    if (!dir->is_new && ftruncate(dir->lock_fd, 0))
        return errno;
    int errnum = fd_write_all(dir->lock_fd, record->bytes, record->length);
    // Half a record would count as one, of a runner that vanished.
    if (errnum && ftruncate(dir->lock_fd, 0))
        return errno;
    return errnum;
}

enum soma_code attempt_dir_write_record(struct attempt_dir *dir, int64_t started_unix_ms,
                                        struct soma_error *err)
{
    struct fields_writer record;
    fields_writer_init(&record, RECORD_BYTES_MAX);
    fields_put_int(&record, "version", 1);
    fields_put_int(&record, "pid", getpid());
    fields_put_int(&record, "started_unix_ms", started_unix_ms);
    enum soma_code code = fields_finish(&record, err);
    int errnum = code ? 0 : write_record(dir, &record);
    if (errnum)
        code = error_set_errno(err, errnum, "cannot write the record");
    fields_writer_fini(&record);
    return code;
}

// --- the end

// A debugger's attempt may lie where the upper levels cannot be opened.
int attempt_dir_sync(const struct attempt_dir *dir)
{
    if (fsync(dir->fd))
        return errno;
    static const char *const above[] = {"..", "../.."};
    for (size_t i = 0; i < sizeof above / sizeof above[0]; i++) {
        FD_CLEANUP int fd = openat(dir->fd, above[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0 && fsync(fd))
            return errno;
    }
    return 0;
}

void attempt_dir_remove_control(struct attempt_dir *dir)
{
    if (dir->control_fd >= 0)
        unlinkat(dir->fd, "control", 0);
}

void attempt_dir_close(struct attempt_dir *dir)
{
    // The lock last: who gets it finds everything closed.
    const int fds[] = {dir->status_fd, dir->control_fd, dir->progress_fd,
                       dir->work_fd,   dir->fd,         dir->lock_fd};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}
