#include "jobs/uploads.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash_point.h"
#include "base/file.h"
#include "base/log.h"
#include "base/namespaces.h"
#include "store/job_uploads.h"
#include "wire/limit_reached.h"
#include "wire/limits.h"

enum {
    FILE_MODE = 0600,
    DIRECTORY_MODE = 0700,
    PATH_SIZE = 2 * ID_SIZE + NAMESPACE_SIZE + 32,
    KEEP_S = 86400,
};

static const char part_suffix[] = ".part";

// Another namespace's is another path, so that its upload is not found. The default one's are
// without a mark.
static void make_path(const char *id, const char *suffix, const char *space,
                      char ret_path[PATH_SIZE])
{
    snprintf(ret_path, PATH_SIZE, "uploads/%s%s%s%s", id, suffix, space[0] ? "@" : "", space);
}

static void part_path(const char *id, const char *space, char ret_path[PATH_SIZE])
{
    make_path(id, part_suffix, space, ret_path);
}

static void whole_path(const char *id, const char *space, char ret_path[PATH_SIZE])
{
    make_path(id, "", space, ret_path);
}

bool uploads_find(const struct attempt_root *root, const char *space, const char *id,
                  int64_t *ret_size_bytes)
{
    char path[PATH_SIZE];
    struct stat info;
    if (!id_is_valid(id))
        return false;
    whole_path(id, space, path);
    if (fstatat(root->fd, path, &info, AT_SYMLINK_NOFOLLOW) || !S_ISREG(info.st_mode))
        return false;
    *ret_size_bytes = info.st_size;
    return true;
}

// --- pieces

static int open_directory(const struct attempt_root *root)
{
    return openat(root->fd, "uploads", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static enum soma_code check_count(const struct attempt_root *root, struct soma_error *err)
{
    bool is_there = mkdirat(root->fd, "uploads", DIRECTORY_MODE) == 0 || errno == EEXIST;
    int fd = is_there ? open_directory(root) : -1;
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (!directory) {
        enum soma_code code = error_set_errno(err, errno, "cannot open the uploads");
        fd_close_at_exit(&fd);
        return code;
    }
    size_t count = 0;
    while (readdir(directory))
        count++;
    closedir(directory);
    // "." and ".." are entries too.
    if (count < LIMIT_JOB_UPLOADS + 2)
        return SOMA_OK;
    return limit_reached(err, REASON_UPLOAD_LIMIT, NULL, "job_uploads", LIMIT_JOB_UPLOADS);
}

static enum soma_code begin(const struct attempt_root *root, const char *space, char id[ID_SIZE],
                            int *ret_fd, struct soma_error *err)
{
    char path[PATH_SIZE];
    enum soma_code code = check_count(root, err);
    if (code != SOMA_OK)
        return code;
    id_make(id);
    part_path(id, space, path);
    *ret_fd = openat(root->fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    return *ret_fd >= 0 ? SOMA_OK : error_set_errno(err, errno, "cannot make the upload");
}

static enum soma_code sync_directory(const struct attempt_root *root, struct soma_error *err)
{
    FD_CLEANUP int fd = open_directory(root);
    if (fd < 0 || fsync(fd))
        return error_set_errno(err, errno, "cannot sync the uploads");
    return SOMA_OK;
}

// There is no unfinished upload of that id. Whoever finished it may not have synced it yet.
static enum soma_code not_open(const struct attempt_root *root, const struct upload_piece *piece,
                               struct soma_error *err)
{
    int64_t size_bytes;
    if (!uploads_find(root, piece->space, piece->id, &size_bytes))
        return error_set(err, REASON_UPLOAD_NOT_FOUND, "upload_id", "there is no such upload");
    bool is_same_end = piece->end && piece->offset + (int64_t)piece->length == size_bytes;
    if (is_same_end)
        return sync_directory(root, err);
    return error_set(err, REASON_UPLOAD_FINISHED, "upload_id", "the upload has ended at %lld",
                     (long long)size_bytes);
}

static enum soma_code finish(const struct attempt_root *root, const struct upload_piece *piece,
                             const char *id, int fd, int64_t end, struct soma_error *err)
{
    char part[PATH_SIZE], whole[PATH_SIZE];
    part_path(id, piece->space, part);
    whole_path(id, piece->space, whole);
    if (ftruncate(fd, end) || fsync(fd))
        return error_set_errno(err, errno, "cannot write the upload");
    crash_point(CRASH_UPLOAD_SYNCED);
    if (renameat(root->fd, part, root->fd, whole))
        // The same piece came twice, while the first was being synced.
        return errno == ENOENT ? not_open(root, piece, err)
                               : error_set_errno(err, errno, "cannot finish the upload");
    crash_point(CRASH_UPLOAD_PLACED);
    return sync_directory(root, err);
}

static int write_at(int fd, const struct upload_piece *piece)
{
    size_t done = 0;
    while (done < piece->length) {
        ssize_t written = pwrite(fd, (const char *)piece->bytes + done, piece->length - done,
                                 piece->offset + (int64_t)done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? errno : EIO;
        done += (size_t)written;
    }
    return 0;
}

static enum soma_code put(const struct attempt_root *root, const char *id, int fd,
                          const struct upload_piece *piece, int64_t *ret_size_bytes,
                          struct soma_error *err)
{
    struct stat info;
    if (fstat(fd, &info))
        return error_set_errno(err, errno, "cannot look at the upload");
    if (piece->offset > info.st_size)
        return error_set(err, REASON_OFFSET_PAST_END, "offset",
                         "offset %lld is past the upload's end at %lld", (long long)piece->offset,
                         (long long)info.st_size);
    int errnum = write_at(fd, piece);
    if (errnum)
        return error_set_errno(err, errnum, "cannot write the upload");
    int64_t end = piece->offset + (int64_t)piece->length;
    *ret_size_bytes = piece->end || end > info.st_size ? end : info.st_size;
    return piece->end ? finish(root, piece, id, fd, end, err) : SOMA_OK;
}

enum soma_code uploads_write(const struct attempt_root *root, const struct upload_piece *piece,
                             char ret_id[ID_SIZE], int64_t *ret_size_bytes, struct soma_error *err)
{
    FD_CLEANUP int fd = -1;
    char path[PATH_SIZE];
    if (!piece->id[0]) {
        enum soma_code code = begin(root, piece->space, ret_id, &fd, err);
        return code == SOMA_OK ? put(root, ret_id, fd, piece, ret_size_bytes, err) : code;
    }
    if (!id_is_valid(piece->id))
        return error_set(err, REASON_UPLOAD_NOT_FOUND, "upload_id", "there is no such upload");
    snprintf(ret_id, ID_SIZE, "%s", piece->id);
    part_path(piece->id, piece->space, path);
    fd = openat(root->fd, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno != ENOENT)
        return error_set_errno(err, errno, "cannot open the upload");
    if (fd >= 0)
        return put(root, piece->id, fd, piece, ret_size_bytes, err);
    *ret_size_bytes = piece->offset + (int64_t)piece->length;
    return not_open(root, piece, err);
}

// --- the job takes them

static enum soma_code move_one(const struct attempt_root *root, const struct job *job,
                               const char *id, struct soma_error *err)
{
    char from[PATH_SIZE], to[PATH_SIZE], space[NAMESPACE_SIZE];
    namespace_of(job->spec.queue, space);
    whole_path(id, space, from);
    snprintf(to, sizeof to, "%s/files/%s", job->id, id);
    if (renameat(root->fd, from, root->fd, to) == 0)
        return SOMA_OK;
    if (errno == ENOENT && faccessat(root->fd, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return SOMA_OK;
    return error_set_errno(err, errno, "cannot find the uploaded file %s", id);
}

enum soma_code uploads_move(const struct attempt_root *root, const struct job *job,
                            struct soma_error *err)
{
    char path[PATH_SIZE];
    bool is_made = false;
    for (size_t i = 0; i < job->spec.file_count; i++) {
        const char *id = job->spec.files[i].upload_id;
        if (!id)
            continue;
        snprintf(path, sizeof path, "%s/files", job->id);
        if (!is_made && mkdirat(root->fd, path, DIRECTORY_MODE) && errno != EEXIST)
            return error_set_errno(err, errno, "cannot make the directory jobs/%s", path);
        is_made = true;
        enum soma_code code = move_one(root, job, id, err);
        if (code != SOMA_OK)
            return code;
    }
    return SOMA_OK;
}

// --- those that nobody took

struct expiry {
    struct write_op op;
    const struct attempt_root *root;
    const char *space;
    const char *id;
};

// Made unfinished again, which nobody can take; the next sweep removes it.
static enum soma_code apply_expiry(struct write_op *op, struct store_txn *txn,
                                   struct soma_error *err)
{
    const struct expiry *expiry = (const struct expiry *)op;
    char part[PATH_SIZE], whole[PATH_SIZE];
    bool is_taken = false;
    enum soma_code code = job_uploads_find(txn, expiry->id, &is_taken, err);
    if (code != SOMA_OK || is_taken)
        return code;
    part_path(expiry->id, expiry->space, part);
    whole_path(expiry->id, expiry->space, whole);
    if (renameat(expiry->root->fd, whole, expiry->root->fd, part) && errno != ENOENT)
        return error_set_errno(err, errno, "cannot remove the upload");
    return SOMA_OK;
}

static void sweep_one(const struct attempt_root *root, struct writer *writer, const char *name)
{
    char id[ID_SIZE], path[PATH_SIZE], whole[PATH_SIZE], part[PATH_SIZE];
    snprintf(id, sizeof id, "%s", name);
    if (!id_is_valid(id))
        return;
    const char *mark = strchr(name, '@'), *space = mark ? mark + 1 : "";
    snprintf(path, sizeof path, "uploads/%s", name);
    whole_path(id, space, whole);
    part_path(id, space, part);
    bool is_part = strcmp(path, part) == 0;
    struct stat info;
    if (!is_part && strcmp(path, whole) != 0)
        return;
    if (fstatat(root->fd, path, &info, AT_SYMLINK_NOFOLLOW) ||
        info.st_mtim.tv_sec > clock_wall_now().ms / 1000 - KEEP_S)
        return;
    if (is_part) {
        if (unlinkat(root->fd, path, 0) == 0)
            log_info("UPLOAD-REMOVED", "upload %s: nobody wrote to it for a day", id);
        return;
    }
    struct expiry expiry = {.op = {.apply = apply_expiry}, .root = root, .space = space, .id = id};
    struct soma_error err;
    if (writer_run(writer, &expiry.op, &err) != SOMA_OK)
        log_warning("UPLOAD-LEFT", "cannot remove upload %s: %s", id, err.text);
}

void uploads_sweep(const struct attempt_root *root, struct writer *writer)
{
    int fd = open_directory(root);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (!directory) {
        fd_close_at_exit(&fd);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL)
        sweep_one(root, writer, entry->d_name);
    closedir(directory);
}
