#include "jobs/attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/crash_point.h"
#include "base/directory_size.h"
#include "base/fields.h"
#include "base/file.h"
#include "jobs/outcome.h"
#include "jobs/uploads.h"

enum {
    PASS_THROUGH_MODE = 0711,
    PRIVATE_MODE = 0600,
    RECORD_BYTES_MAX = 4096,
    ENTRIES_MAX = 20000, // of one job that are measured
};

enum soma_code attempt_root_open(struct attempt_root *root, const char *data_directory,
                                 struct soma_error *err)
{
    struct attempt_root opened = {.fd = -1};
    char resolved[PATH_MAX];
    if (!realpath(data_directory, resolved))
        return error_set_errno(err, errno, "cannot find the data directory %s", data_directory);
    // Room is left for the id, the attempt and a file name.
    if (snprintf(opened.path, sizeof opened.path - 128, "%s/jobs", resolved) >=
        (int)sizeof opened.path - 128)
        return error_set_errno(err, ENAMETOOLONG, "the data directory is too deep");
    if (mkdir(opened.path, PASS_THROUGH_MODE) && errno != EEXIST)
        return error_set_errno(err, errno, "cannot make %s", opened.path);
    if (chmod(opened.path, PASS_THROUGH_MODE))
        return error_set_errno(err, errno, "cannot set the mode of %s", opened.path);
    opened.fd = open(opened.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened.fd < 0)
        return error_set_errno(err, errno, "cannot open %s", opened.path);
    *root = opened;
    return SOMA_OK;
}

void attempt_root_close(struct attempt_root *root)
{
    if (root->fd >= 0)
        close(root->fd);
    root->fd = -1;
}

static void relative_path(const char *id, uint32_t attempt, char *ret_path, size_t size)
{
    snprintf(ret_path, size, "%s/%" PRIu32, id, attempt);
}

void attempt_path(const struct attempt_root *root, const char *id, uint32_t attempt, char *ret_path)
{
    snprintf(ret_path, PATH_MAX, "%.*s/%s/%" PRIu32, PATH_MAX - 128, root->path, id, attempt);
}

int attempt_open(const struct attempt_root *root, const char *id, uint32_t attempt)
{
    char path[64];
    relative_path(id, attempt, path, sizeof path);
    return openat(root->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

// --- before the start

static enum soma_code make_directory(const struct attempt_root *root, const char *path,
                                     struct soma_error *err)
{
    if (mkdirat(root->fd, path, PASS_THROUGH_MODE) && errno != EEXIST)
        return error_set_errno(err, errno, "cannot make the directory jobs/%s", path);
    // The umask takes nothing from it: a job of another user must pass. One that is there may be of
    // a server that was killed before it came to this.
    if (fchmodat(root->fd, path, PASS_THROUGH_MODE, 0))
        return error_set_errno(err, errno, "cannot set the mode of jobs/%s", path);
    return SOMA_OK;
}

static enum soma_code put_order(int directory_fd, const struct fields_writer *order,
                                struct soma_error *err)
{
    int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
    FD_CLEANUP int fd = openat(directory_fd, "order.new", flags, PRIVATE_MODE);
    int errnum = fd < 0 ? errno : fd_write_all(fd, order->bytes, order->length);
    crash_point(CRASH_ORDER_WRITTEN);
    if (!errnum && renameat(directory_fd, "order.new", directory_fd, "order"))
        errnum = errno;
    if (errnum)
        return error_set_errno(err, errnum, "cannot write the order");
    return SOMA_OK;
}

static enum soma_code make_and_put(const struct attempt_root *root, const struct job *job,
                                   const struct fields_writer *order, struct soma_error *err)
{
    char path[64];
    relative_path(job->id, job->status.attempt, path, sizeof path);
    enum soma_code code = make_directory(root, job->id, err);
    if (code == SOMA_OK)
        code = make_directory(root, path, err);
    if (code != SOMA_OK)
        return code;
    FD_CLEANUP int fd = attempt_open(root, job->id, job->status.attempt);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot open jobs/%s", path);
    code = uploads_move(root, job, err);
    if (code != SOMA_OK)
        return code;
    if (job->spec.file_count > 0)
        crash_point(CRASH_FILES_MOVED);
    return put_order(fd, order, err);
}

enum soma_code attempt_prepare(const struct attempt_root *root,
                               const struct order_settings *settings, const struct job *job,
                               struct soma_error *err)
{
    char path[PATH_MAX], home[PATH_MAX + 8];
    attempt_path(root, job->id, job->status.attempt, path);
    snprintf(home, sizeof home, "%s/work", path);
    struct fields_writer order;
    fields_writer_init(&order, ORDER_BYTES_MAX);
    enum soma_code code = order_write(&order, settings, job, job->status.attempt, home, err);
    if (code == SOMA_OK)
        code = make_and_put(root, job, &order, err);
    fields_writer_fini(&order);
    return code;
}

// --- afterwards

static int64_t size_of(int directory_fd, const char *name)
{
    struct stat info;
    if (fstatat(directory_fd, name, &info, AT_SYMLINK_NOFOLLOW) || !S_ISREG(info.st_mode))
        return 0;
    return info.st_size;
}

static void state_lost(int directory_fd, const char *why, struct job_outcome *outcome)
{
    outcome_state(outcome, JOB_REASON_LOST, "%s", why);
    outcome->stdout_size.kept_bytes = size_of(directory_fd, "stdout");
    outcome->stderr_size.kept_bytes = size_of(directory_fd, "stderr");
}

// The record is synced before the program is let go, so a torn one is none.
static enum soma_code read_record(int directory_fd, bool *ret_there, struct soma_error *err)
{
    char *bytes;
    size_t length;
    enum soma_code code =
        file_read_all(directory_fd, "lock", RECORD_BYTES_MAX, &bytes, &length, NULL, err);
    if (code != SOMA_OK)
        return code;
    struct fields_reader reader;
    *ret_there = fields_open(&reader, bytes, length, NULL) == SOMA_OK;
    free(bytes);
    return SOMA_OK;
}

// NOT_FOUND, without err, where there is none; DATA_LOSS where it does not parse.
static enum soma_code read_status(int directory_fd, struct job_outcome *ret_outcome,
                                  struct soma_error *err)
{
    char *bytes;
    size_t length;
    bool missing;
    enum soma_code code =
        file_read_all(directory_fd, "status", STATUS_BYTES_MAX, &bytes, &length, &missing, err);
    if (code != SOMA_OK)
        return code;
    if (missing)
        return SOMA_NOT_FOUND;
    code = outcome_read(bytes, length, ret_outcome, err);
    free(bytes);
    return code;
}

// With the lock in our hands nobody else writes here.
static enum soma_code examine_locked(int directory_fd, enum attempt_fate *ret_fate,
                                     struct job_outcome *ret_outcome, struct soma_error *err)
{
    enum soma_code code = read_status(directory_fd, ret_outcome, err);
    if (code == SOMA_OK) {
        *ret_fate = ATTEMPT_ENDED;
        return SOMA_OK;
    }
    if (code != SOMA_NOT_FOUND && code != SOMA_DATA_LOSS)
        return code;
    bool is_damaged = code == SOMA_DATA_LOSS;
    bool has_record;
    code = read_record(directory_fd, &has_record, err);
    if (code != SOMA_OK)
        return code;
    if (has_record || is_damaged) {
        *ret_fate = ATTEMPT_GONE;
        state_lost(directory_fd,
                   is_damaged ? "the supervisor's status is damaged"
                              : "the supervisor vanished without a status; whether the program did "
                                "its work is unknown",
                   ret_outcome);
        return SOMA_OK;
    }
    if (unlinkat(directory_fd, "order", 0) && errno != ENOENT)
        return error_set_errno(err, errno, "cannot remove the order");
    *ret_fate = ATTEMPT_NEVER_RAN;
    return SOMA_OK;
}

enum soma_code attempt_examine(const struct attempt_root *root, const char *id, uint32_t attempt,
                               enum attempt_fate *ret_fate, struct job_outcome *ret_outcome,
                               struct soma_error *err)
{
    FD_CLEANUP int directory_fd = attempt_open(root, id, attempt);
    if (directory_fd < 0 && errno == ENOENT) {
        *ret_fate = ATTEMPT_NEVER_RAN;
        return SOMA_OK;
    }
    if (directory_fd < 0)
        return error_set_errno(err, errno, "cannot open the attempt of job %s", id);
    int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
    FD_CLEANUP int lock_fd = openat(directory_fd, "lock", flags, PRIVATE_MODE);
    if (lock_fd < 0)
        return error_set_errno(err, errno, "cannot open the lock of job %s", id);
    if (flock(lock_fd, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK)
            return error_set_errno(err, errno, "cannot try the lock of job %s", id);
        *ret_fate = ATTEMPT_RUNS;
        return SOMA_OK;
    }
    return examine_locked(directory_fd, ret_fate, ret_outcome, err);
}

enum soma_code attempt_read_status(const struct attempt_root *root, const char *id,
                                   uint32_t attempt, struct job_outcome *ret_outcome)
{
    FD_CLEANUP int directory_fd = attempt_open(root, id, attempt);
    return directory_fd < 0 ? SOMA_NOT_FOUND : read_status(directory_fd, ret_outcome, NULL);
}

int attempt_connect(const struct attempt_root *root, const char *id, uint32_t attempt)
{
    FD_CLEANUP int directory_fd = attempt_open(root, id, attempt);
    if (directory_fd < 0)
        return -1;
    // A socket's path holds 107 bytes; by the descriptor it is short wherever the data lies.
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/control", directory_fd);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address)) {
        int errnum = errno;
        close(fd);
        errno = errnum;
        return -1;
    }
    return fd;
}

int64_t attempt_measure(const struct attempt_root *root, const char *id, int64_t *entries_left)
{
    FD_CLEANUP int fd = openat(root->fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return 0;
    struct directory_size size = {0};
    directory_measure(fd, *entries_left < ENTRIES_MAX ? *entries_left : ENTRIES_MAX, &size);
    *entries_left -= size.entries;
    return size.file_bytes;
}
