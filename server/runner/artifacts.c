#include "runner/artifacts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fields.h"
#include "base/file.h"
#include "base/path.h"
#include "wire/limits.h"

enum {
    DIRECTORY_MODE = 0700,
    FILE_MODE = 0600,
    NAMES_MAX = 1000000, // names that are looked at
    INDEX_BYTES_MAX = 4 << 20,
    COPY_BYTES = 1 << 30
};

struct kept {
    char *path; // owned
    int64_t size;
    unsigned number;
    bool is_executable;
};

struct collection {
    const struct artifact_wish *wish;
    struct artifacts *result;
    int to_fd; // the directory `artifacts`
    struct kept *kept;
    size_t names; // looked at
    char path[PATH_BYTES_MAX + 2];
};

// --- the wish

bool artifact_wish_take(struct artifact_wish *ret_wish, const struct order *order)
{
    size_t bytes = 0;
    for (size_t i = 0; i < order->artifact_count; i++)
        bytes += strlen(order->artifacts[i]) + 1;
    struct artifact_wish wish = {.count = order->artifact_count,
                                 .bytes_max = order->artifact_bytes};
    wish.bytes = malloc(bytes + 1);
    wish.patterns = calloc(wish.count + 1, sizeof *wish.patterns);
    if (!wish.bytes || !wish.patterns) {
        artifact_wish_fini(&wish);
        return false;
    }
    char *at = wish.bytes;
    for (size_t i = 0; i < wish.count; i++) {
        wish.patterns[i] = at;
        at = stpcpy(at, order->artifacts[i]) + 1;
    }
    *ret_wish = wish;
    return true;
}

void artifact_wish_fini(struct artifact_wish *wish)
{
    free(wish->patterns);
    free(wish->bytes);
    *wish = (struct artifact_wish){0};
}

static bool is_wished(const struct artifact_wish *wish, const char *path)
{
    for (size_t i = 0; i < wish->count; i++) {
        if (path_matches(wish->patterns[i], path))
            return true;
    }
    return false;
}

// --- one file

static bool is_over_limit(const struct collection *self, int64_t size)
{
    return self->result->count >= LIMIT_JOB_ARTIFACTS ||
           size > self->wish->bytes_max - self->result->bytes;
}

// A regular file at its place in `artifacts`, with no other name. Negative: it is none.
static int open_moved(const struct collection *self, const char *name, struct stat *ret_info)
{
    int fd = openat(self->to_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -1;
    if (fstat(fd, ret_info) || !S_ISREG(ret_info->st_mode) || ret_info->st_nlink != 1) {
        close(fd);
        return -1;
    }
    return fd;
}

static int copy_all(int from_fd, int to_fd, int64_t most)
{
    int64_t done = 0;
    while (done <= most) {
        ssize_t sent = sendfile(to_fd, from_fd, NULL, COPY_BYTES);
        if (sent == 0)
            return 0;
        if (sent < 0 && errno != EINTR)
            return errno;
        done += sent > 0 ? sent : 0;
    }
    return EFBIG;
}

static int copy_file(const struct collection *self, int from_dir_fd, const char *from,
                     const char *to)
{
    FD_CLEANUP int from_fd =
        openat(from_dir_fd, from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat info;
    if (from_fd < 0 || fstat(from_fd, &info))
        return errno;
    if (!S_ISREG(info.st_mode))
        return EINVAL;
    FD_CLEANUP int to_fd =
        openat(self->to_fd, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (to_fd < 0)
        return errno;
    return copy_all(from_fd, to_fd, self->wish->bytes_max - self->result->bytes);
}

// Out of the job's reach, synced. 0, or an errno.
static int settle(int fd)
{
    if (fchown(fd, geteuid(), getegid()) || fchmod(fd, FILE_MODE) || fdatasync(fd))
        return errno;
    return 0;
}

static void note_kept(struct collection *self, const struct stat *info, unsigned number,
                      bool is_executable)
{
    self->kept[self->result->count++] = (struct kept){
        .path = strdup(self->path),
        .size = info->st_size,
        .number = number,
        .is_executable = is_executable,
    };
    self->result->bytes += info->st_size;
}

// self->path is the file's; info what it was seen to be in its directory.
static void keep(struct collection *self, int dir_fd, const char *name, const struct stat *info)
{
    char number[16];
    struct stat moved;
    snprintf(number, sizeof number, "%lld", (long long)self->result->count);
    bool is_fine =
        S_ISREG(info->st_mode) && path_is_inside(self->path) && !is_over_limit(self, info->st_size);
    int errnum = 0;
    // Copied where it has other names, or lies in a directory that gives nothing away.
    bool is_moved =
        is_fine && info->st_nlink == 1 && renameat(dir_fd, name, self->to_fd, number) == 0;
    if (is_fine && !is_moved)
        errnum = copy_file(self, dir_fd, name, number);
    FD_CLEANUP int fd = is_fine && !errnum ? open_moved(self, number, &moved) : -1;
    is_fine = fd >= 0 && !is_over_limit(self, moved.st_size);
    if (is_fine)
        errnum = settle(fd);
    if (errnum == ENOSPC || errnum == EDQUOT || errnum == EIO)
        self->result->errnum = errnum;
    if (is_fine && !errnum) {
        note_kept(self, &moved, (unsigned)self->result->count, (info->st_mode & S_IXUSR) != 0);
        return;
    }
    unlinkat(self->to_fd, number, 0);
    self->result->left_out_count++;
}

// --- the walk

static void walk(struct collection *self, int dir_fd, size_t length, int depth);

static void walk_below(struct collection *self, int dir_fd, const char *name, size_t length,
                       int depth)
{
    int fd = depth < PATH_NAMES_MAX
                 ? openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
                 : -1;
    if (fd >= 0)
        walk(self, fd, length, depth + 1);
    else if (is_wished(self->wish, self->path))
        self->result->left_out_count++;
}

static void look_at(struct collection *self, int dir_fd, const char *name, size_t length, int depth)
{
    struct stat info;
    if (fstatat(dir_fd, name, &info, AT_SYMLINK_NOFOLLOW))
        return;
    if (S_ISDIR(info.st_mode)) {
        walk_below(self, dir_fd, name, length, depth);
    } else if (is_wished(self->wish, self->path)) {
        keep(self, dir_fd, name, &info);
    }
}

static bool may_go_on(struct collection *self)
{
    if (self->result->errnum)
        return false;
    if (++self->names <= NAMES_MAX)
        return true;
    if (self->names == NAMES_MAX + 1)
        self->result->left_out_count++;
    return false;
}

// Takes dir_fd over. self->path is the directory's, length bytes of it.
static void walk(struct collection *self, int dir_fd, size_t length, int depth)
{
    DIR *directory = fdopendir(dir_fd);
    if (!directory) {
        close(dir_fd);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (!may_go_on(self))
            break;
        int added = snprintf(self->path + length, sizeof self->path - length, "%s%s",
                             length ? "/" : "", name);
        // A longer path is none of ours: path_is_inside says so where it is cut.
        size_t full = length + (size_t)added;
        if (full < sizeof self->path)
            look_at(self, dirfd(directory), name, full, depth);
        else
            self->result->left_out_count += is_wished(self->wish, self->path);
        self->path[length] = '\0';
    }
    closedir(directory);
}

// --- the index

static int compare_kept(const void *a, const void *b)
{
    const struct kept *first = a, *second = b;
    return path_compare(first->path, second->path);
}

static enum soma_code write_index(struct collection *self, struct soma_error *err)
{
    size_t count = (size_t)self->result->count;
    struct fields_writer writer;
    fields_writer_init(&writer, INDEX_BYTES_MAX);
    fields_put_int(&writer, "version", 1);
    for (size_t i = 0; i < count; i++)
        writer.failed |= !self->kept[i].path;
    if (!writer.failed)
        qsort(self->kept, count, sizeof *self->kept, compare_kept);
    for (size_t i = 0; i < count && !writer.failed; i++) {
        fields_put_text(&writer, "path", self->kept[i].path);
        fields_put_int(&writer, "executable", self->kept[i].is_executable);
        fields_put_int(&writer, "size", self->kept[i].size);
        fields_put_int(&writer, "number", self->kept[i].number);
    }
    enum soma_code code = fields_finish(&writer, err);
    if (!code)
        code = file_write_atomic(self->to_fd, "index", writer.bytes, writer.length, FILE_MODE, err);
    fields_writer_fini(&writer);
    return code;
}

static int collect(struct collection *self, const struct attempt_dir *dir)
{
    self->kept = calloc(LIMIT_JOB_ARTIFACTS, sizeof *self->kept);
    if (!self->kept)
        return ENOMEM;
    if (mkdirat(dir->fd, "artifacts", DIRECTORY_MODE) && errno != EEXIST)
        return errno;
    self->to_fd = openat(dir->fd, "artifacts", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    int work_fd = openat(dir->work_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (self->to_fd < 0 || work_fd < 0) {
        int errnum = errno;
        fd_close_at_exit(&work_fd);
        return errnum;
    }
    walk(self, work_fd, 0, 1);
    struct soma_error err;
    if (write_index(self, &err) == SOMA_OK)
        return self->result->errnum;
    // Without an index there are none.
    self->result->left_out_count += self->result->count;
    self->result->count = self->result->bytes = 0;
    return self->result->errnum ? self->result->errnum : EIO;
}

void artifacts_collect(const struct attempt_dir *dir, const struct artifact_wish *wish,
                       struct artifacts *ret_artifacts)
{
    *ret_artifacts = (struct artifacts){0};
    if (wish->count == 0)
        return;
    struct collection self = {.wish = wish, .result = ret_artifacts, .to_fd = -1};
    ret_artifacts->errnum = collect(&self, dir);
    for (size_t i = 0; self.kept && i < LIMIT_JOB_ARTIFACTS; i++)
        free(self.kept[i].path);
    free(self.kept);
    fd_close_at_exit(&self.to_fd);
}
