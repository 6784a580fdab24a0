#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/fields.h"
#include "base/file.h"
#include "base/log.h"
#include "store/offline.h"
#include "upkeep/manifest.h"
#include "upkeep/upkeep.h"

enum {
    LEVEL_OF_UPLOADS = 1, // jobs / uploads
    LEVEL_OF_UPLOAD = 2,
    LEVEL_OF_WORK = 3 // jobs / ID / ATTEMPT / work
};

// Uploads first: one that leaves them meanwhile goes into its job's directory, which is there
// before the other walk begins. Twice in the archive does no harm, as it is the same file: the job
// moves one onto the other when it starts.
static const struct part {
    const char *folder;
    int level; // of the folder, counted from jobs
} walked[] = {{JOBS_NAME "/" UPLOADS_NAME, LEVEL_OF_UPLOADS}, {JOBS_NAME, 0}};

struct walk {
    struct archive *archive;
    FTS *fts;
    const struct part *part;
    size_t root_length; // of the data directory's path
};

// Nobody needs them after a restore: what a start was ordered, and what is only half there.
static const char *const left_out[] = {"order", "order.new", "status.new", "lock.new"};

static enum soma_code failed(struct archive *archive, struct soma_error *err)
{
    const char *why = archive_error_string(archive);
    return error_set(err, archive_errno(archive) == ENOSPC ? REASON_DISK_FULL : REASON_IO_ERROR,
                     NULL, "cannot write the archive: %s", why ? why : "unknown");
}

static enum soma_code put_header(struct archive *archive, const char *name, int64_t size,
                                 int64_t time_s, mode_t mode, struct soma_error *err)
{
    struct archive_entry *entry = archive_entry_new();
    if (!entry)
        return error_set_no_memory(err);
    archive_entry_set_pathname(entry, name);
    archive_entry_set_size(entry, size);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, mode & 0700);
    archive_entry_set_mtime(entry, time_s, 0);
    int result = archive_write_header(archive, entry);
    archive_entry_free(entry);
    return result == ARCHIVE_OK ? SOMA_OK : failed(archive, err);
}

static enum soma_code put_manifest(struct archive *archive, struct soma_error *err)
{
    int64_t now_ms = clock_wall_now().ms;
    struct fields_writer fields;
    fields_writer_init(&fields, MANIFEST_BYTES_MAX);
    fields_put_int(&fields, "version", MANIFEST_VERSION);
    fields_put_int(&fields, "schema", STORE_SCHEMA_VERSION);
    fields_put_text(&fields, "server", SOMA_VERSION);
    fields_put_int(&fields, "created_unix_ms", now_ms);
    enum soma_code code = fields_finish(&fields, err);
    if (code == SOMA_OK)
        code = put_header(archive, MANIFEST_NAME, (int64_t)fields.length, now_ms / 1000, 0600, err);
    if (code == SOMA_OK &&
        archive_write_data(archive, fields.bytes, fields.length) != (ssize_t)fields.length)
        code = failed(archive, err);
    fields_writer_fini(&fields);
    return code;
}

// As much as the header said: a file that grows meanwhile is cut, one that shrinks gets zeros.
static enum soma_code put_bytes(struct archive *archive, int fd, int64_t size,
                                struct soma_error *err)
{
    char block[BLOCK_BYTES];
    while (size > 0) {
        size_t wanted = size < BLOCK_BYTES ? (size_t)size : BLOCK_BYTES;
        ssize_t got = read(fd, block, wanted);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(err, errno, "cannot read what is to be saved");
        if (got == 0)
            return SOMA_OK;
        if (archive_write_data(archive, block, (size_t)got) != got)
            return failed(archive, err);
        size -= got;
    }
    return SOMA_OK;
}

// One that has gone meanwhile was somebody's to remove.
static enum soma_code put_file(struct archive *archive, const char *path, const char *name,
                               struct soma_error *err)
{
    FD_CLEANUP int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat info;
    if (fd < 0 && errno == ENOENT)
        return SOMA_OK;
    if (fd < 0 || fstat(fd, &info))
        return error_set_errno(err, errno, "cannot read %s", path);
    if (!S_ISREG(info.st_mode))
        return SOMA_OK;
    enum soma_code code = put_header(archive, name, info.st_size, info.st_mtime, info.st_mode, err);
    return code == SOMA_OK ? put_bytes(archive, fd, info.st_size, err) : code;
}

// Another backup would write the same copy of the database. Released with the descriptor.
static enum soma_code lock(const char *data_directory, int *ret_fd, struct soma_error *err)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/backup.lock", data_directory) >= (int)sizeof path)
        return error_set_errno(err, ENAMETOOLONG, "cannot back up %s", data_directory);
    *ret_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*ret_fd < 0)
        return errno == ENOENT
                   ? error_set_errno(err, errno, "there is no data directory %s", data_directory)
                   : error_set_errno(err, errno, "cannot open %s", path);
    if (flock(*ret_fd, LOCK_EX | LOCK_NB))
        return error_set(err, REASON_DATA_DIRECTORY_IN_USE, NULL,
                         "another backup of %s is being made", data_directory);
    return SOMA_OK;
}

static enum soma_code put_database(struct archive *archive, const char *data_directory,
                                   struct soma_error *err)
{
    char copy[PATH_MAX];
    if (snprintf(copy, sizeof copy, "%s/" DATABASE_NAME ".backup", data_directory) >=
        (int)sizeof copy)
        return error_set_errno(err, ENAMETOOLONG, "cannot copy the database");
    enum soma_code code = store_copy(data_directory, copy, err);
    crash_point(CRASH_BACKUP_COPIED);
    if (code == SOMA_OK)
        code = put_file(archive, copy, DATABASE_NAME, err);
    unlink(copy);
    return code;
}

static bool is_left_out(const char *name, int level)
{
    // "ID.part", "ID.part@NAMESPACE": an upload that goes on. A namespace may end as one.
    const char *mark = name + strcspn(name, ".@");
    if (level == LEVEL_OF_UPLOAD && strncmp(mark, ".part", strlen(".part")) == 0)
        return true;
    for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++) {
        if (level == LEVEL_OF_WORK && strcmp(name, left_out[i]) == 0)
            return true;
    }
    return false;
}

static bool is_passed_by(const struct walk *walk, const char *name, int level)
{
    bool is_uploads = level == LEVEL_OF_UPLOADS && strcmp(name, UPLOADS_NAME) == 0;
    return (level == LEVEL_OF_WORK && strcmp(name, "work") == 0) ||
           (is_uploads && walk->part->level < LEVEL_OF_UPLOADS);
}

// Jobs come and go meanwhile. Anything else that cannot be read would be missing.
static enum soma_code not_walked(const FTSENT *entry, struct soma_error *err)
{
    if (entry->fts_errno == ENOENT)
        return SOMA_OK;
    return error_set_errno(err, entry->fts_errno, "cannot read %.200s", entry->fts_path);
}

static enum soma_code put_entry(const struct walk *walk, FTSENT *entry, struct soma_error *err)
{
    int level = walk->part->level + entry->fts_level;
    if (entry->fts_info == FTS_D && is_passed_by(walk, entry->fts_name, level))
        fts_set(walk->fts, entry, FTS_SKIP);
    if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_NS || entry->fts_info == FTS_ERR)
        return not_walked(entry, err);
    if (entry->fts_info != FTS_F || is_left_out(entry->fts_name, level))
        return SOMA_OK;
    return put_file(walk->archive, entry->fts_path, entry->fts_path + walk->root_length + 1, err);
}

static enum soma_code put_part(struct archive *archive, const char *data_directory,
                               const struct part *part, struct soma_error *err)
{
    char root[PATH_MAX];
    snprintf(root, sizeof root, "%.*s/%s", PATH_MAX - 32, data_directory, part->folder);
    char *const roots[] = {root, NULL};
    struct walk walk = {archive, NULL, part, strlen(data_directory)};
    walk.fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    if (!walk.fts)
        return error_set_errno(err, errno, "cannot read %s", root);
    enum soma_code code = SOMA_OK;
    FTSENT *entry;
    while (code == SOMA_OK && (errno = 0, entry = fts_read(walk.fts)) != NULL)
        code = put_entry(&walk, entry, err);
    if (code == SOMA_OK && errno)
        code = error_set_errno(err, errno, "cannot read %s", root);
    fts_close(walk.fts);
    return code;
}

static enum soma_code put_jobs(struct archive *archive, const char *data_directory,
                               struct soma_error *err)
{
    enum soma_code code = SOMA_OK;
    for (size_t i = 0; code == SOMA_OK && i < sizeof walked / sizeof walked[0]; i++)
        code = put_part(archive, data_directory, &walked[i], err);
    return code;
}

static enum soma_code write_archive(int fd, const char *data_directory, struct soma_error *err)
{
    struct archive *archive = archive_write_new();
    if (!archive)
        return error_set_no_memory(err);
    enum soma_code code = SOMA_OK;
    if (archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK ||
        archive_write_open_fd(archive, fd) != ARCHIVE_OK)
        code = failed(archive, err);
    if (code == SOMA_OK)
        code = put_manifest(archive, err);
    // The database first: the files of jobs that end later do no harm.
    if (code == SOMA_OK)
        code = put_database(archive, data_directory, err);
    crash_point(CRASH_BACKUP_HALF);
    if (code == SOMA_OK)
        code = put_jobs(archive, data_directory, err);
    if (code == SOMA_OK)
        code = put_header(archive, END_NAME, 0, clock_wall_now().ms / 1000, 0600, err);
    if (code == SOMA_OK && archive_write_close(archive) != ARCHIVE_OK)
        code = failed(archive, err);
    // Or the free would end it like a whole one.
    if (code != SOMA_OK)
        archive_write_fail(archive);
    archive_write_free(archive);
    return code;
}

// As far as the directory can be read and its file system knows how.
static enum soma_code sync_directory_of(const char *file, struct soma_error *err)
{
    char path[PATH_MAX];
    const char *slash = strrchr(file, '/');
    // "/" stays.
    int length = slash ? (int)(slash - file) + (slash == file) : 0;
    snprintf(path, sizeof path, "%.*s", length, file);
    FD_CLEANUP int fd = open(length ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && fsync(fd) && errno != EINVAL)
        return error_set_errno(err, errno, "cannot sync the directory of %s", file);
    return SOMA_OK;
}

// Under its own name only when it is whole.
static enum soma_code finish(int fd, const char *partial, const char *file, struct soma_error *err)
{
    if (fsync(fd))
        return error_set_errno(err, errno, "cannot sync %s", partial);
    int result = renameat2(AT_FDCWD, partial, AT_FDCWD, file, RENAME_NOREPLACE);
    if (result && errno == EINVAL) // a file system that only knows how to replace
        result = rename(partial, file);
    return result ? error_set_errno(err, errno, "cannot make %s", file)
                  : sync_directory_of(file, err);
}

static enum soma_code write_file(const char *file, const char *data_directory,
                                 struct soma_error *err)
{
    char partial[PATH_MAX];
    if (snprintf(partial, sizeof partial, "%s.partial", file) >= (int)sizeof partial)
        return error_set_errno(err, ENAMETOOLONG, "cannot make %s", file);
    if (access(file, F_OK) == 0)
        return error_set_errno(err, EEXIST, "cannot make %s", file);
    unlink(partial); // of a backup that was cut short
    FD_CLEANUP int fd = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot make %s", partial);
    enum soma_code code = write_archive(fd, data_directory, err);
    if (code == SOMA_OK)
        code = finish(fd, partial, file, err);
    if (code != SOMA_OK)
        unlink(partial);
    return code;
}

enum soma_code upkeep_backup(const char *data_directory, const char *file, struct soma_error *err)
{
    FD_CLEANUP int lock_fd = -1;
    enum soma_code code = lock(data_directory, &lock_fd, err);
    if (code != SOMA_OK)
        return code;
    if (strcmp(file, "-") == 0)
        return write_archive(STDOUT_FILENO, data_directory, err);
    return write_file(file, data_directory, err);
}
