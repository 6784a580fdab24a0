#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash_point.h"
#include "base/fields.h"
#include "base/file.h"
#include "base/path.h"
#include "store/offline.h"
#include "upkeep/manifest.h"
#include "upkeep/upkeep.h"

enum {
    PASS_THROUGH_MODE = 0711,
    NAME_BYTES_MAX = 2048
};

struct restoring {
    struct archive *archive;
    const char *directory; // in the data directory
    int fd;                // of it
    int64_t version;       // its manifest's; 0 before that was read
    bool has_database;
    bool has_end;
};

static enum soma_code damaged(struct soma_error *err, const char *why)
{
    return error_set(err, REASON_DATA_DAMAGED, NULL, "this is no whole backup: %s", why);
}

static enum soma_code not_read(struct archive *archive, struct soma_error *err)
{
    const char *why = archive_error_string(archive);
    return damaged(err, why ? why : "it cannot be read");
}

static enum soma_code read_manifest(struct restoring *self, struct soma_error *err)
{
    char bytes[MANIFEST_BYTES_MAX];
    ssize_t length = archive_read_data(self->archive, bytes, sizeof bytes);
    struct fields_reader reader;
    struct field field;
    int64_t version = 0, schema = 0;
    if (length <= 0 || fields_open(&reader, bytes, (size_t)length, NULL) != SOMA_OK)
        return damaged(err, "its first entry cannot be read");
    while (fields_next(&reader, &field)) {
        if (field_is(&field, "version"))
            field_to_int(&field, &version);
        else if (field_is(&field, "schema"))
            field_to_int(&field, &schema);
    }
    if (version < MANIFEST_VERSION_FIRST || version > MANIFEST_VERSION ||
        schema > STORE_SCHEMA_VERSION)
        return error_set(
            err, REASON_SCHEMA_TOO_NEW, NULL,
            "the backup has version %lld and schema %lld, this program knows %d and %d",
            (long long)version, (long long)schema, MANIFEST_VERSION, STORE_SCHEMA_VERSION);
    self->version = version;
    return SOMA_OK;
}

static enum soma_code make_folders(const struct restoring *self, const char *name,
                                   struct soma_error *err)
{
    char folder[NAME_BYTES_MAX];
    for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - name), name);
        if (mkdirat(self->fd, folder, PASS_THROUGH_MODE) == 0) {
            if (fchmodat(self->fd, folder, PASS_THROUGH_MODE, 0))
                return error_set_errno(err, errno, "cannot set the mode of %s", folder);
        } else if (errno != EEXIST) {
            return error_set_errno(err, errno, "cannot make %s", folder);
        }
    }
    return SOMA_OK;
}

static enum soma_code write_file(const struct restoring *self, const char *name, mode_t mode,
                                 struct soma_error *err)
{
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    FD_CLEANUP int fd = openat(self->fd, name, flags, (mode & 0700) | 0600);
    if (fd < 0)
        return error_set_errno(err, errno, "cannot make %s/%s", self->directory, name);
    char block[BLOCK_BYTES];
    for (;;) {
        ssize_t length = archive_read_data(self->archive, block, sizeof block);
        if (length < 0)
            return not_read(self->archive, err);
        if (length == 0)
            return SOMA_OK;
        int errnum = fd_write_all(fd, block, (size_t)length);
        if (errnum)
            return error_set_errno(err, errnum, "cannot write %s/%s", self->directory, name);
    }
}

static enum soma_code take_entry(struct restoring *self, struct archive_entry *entry,
                                 struct soma_error *err)
{
    const char *name = archive_entry_pathname(entry);
    if (!name || strlen(name) >= NAME_BYTES_MAX || archive_entry_filetype(entry) != AE_IFREG ||
        archive_entry_hardlink(entry) || !path_is_inside(name))
        return damaged(err, "it holds what no backup holds");
    if (!self->version)
        return strcmp(name, MANIFEST_NAME) == 0 ? read_manifest(self, err)
                                                : damaged(err, "it does not begin like one");
    if (self->has_end)
        return damaged(err, "something follows its end");
    self->has_end = self->version >= MANIFEST_VERSION_WITH_END && strcmp(name, END_NAME) == 0;
    if (self->has_end)
        return SOMA_OK;
    bool is_database = strcmp(name, DATABASE_NAME) == 0;
    if (!is_database && strncmp(name, JOBS_NAME "/", strlen(JOBS_NAME "/")) != 0)
        return damaged(err, "it holds what no backup holds");
    self->has_database |= is_database;
    enum soma_code code = make_folders(self, name, err);
    return code == SOMA_OK ? write_file(self, name, archive_entry_perm(entry), err) : code;
}

static enum soma_code unpack(struct restoring *self, struct soma_error *err)
{
    struct archive_entry *entry;
    enum soma_code code = SOMA_OK;
    while (code == SOMA_OK) {
        int result = archive_read_next_header(self->archive, &entry);
        if (result == ARCHIVE_EOF)
            break;
        code = result == ARCHIVE_OK ? take_entry(self, entry, err) : not_read(self->archive, err);
    }
    if (code == SOMA_OK && !self->has_database)
        code = damaged(err, "it holds no database");
    if (code == SOMA_OK && self->version >= MANIFEST_VERSION_WITH_END && !self->has_end)
        code = damaged(err, "its end is missing");
    return code;
}

static void note_found(void *user, const char *text)
{
    char *first = user;
    if (!first[0])
        snprintf(first, SOMA_TEXT_SIZE / 2, "%s", text);
}

// The next server must not think that an attempt never began because nothing here says so.
static enum soma_code finish(const struct restoring *self, struct soma_error *err)
{
    char first[SOMA_TEXT_SIZE / 2] = "";
    static const char boot[] = "restored";
    bool is_older;
    enum soma_code code = store_examine(self->directory, note_found, first, &is_older, err);
    if (code == SOMA_OK && first[0])
        code = damaged(err, first);
    if (code == SOMA_OK)
        code = file_write_atomic(self->fd, BOOT_NAME, boot, strlen(boot), 0600, err);
    if (code == SOMA_OK && syncfs(self->fd))
        code = error_set_errno(err, errno, "cannot sync %s", self->directory);
    return code;
}

static enum soma_code restore_into(struct restoring *self, int archive_fd, struct soma_error *err)
{
    self->archive = archive_read_new();
    if (!self->archive)
        return error_set_no_memory(err);
    archive_read_support_filter_all(self->archive);
    archive_read_support_format_tar(self->archive);
    enum soma_code code = archive_read_open_fd(self->archive, archive_fd, BLOCK_BYTES) == ARCHIVE_OK
                              ? unpack(self, err)
                              : not_read(self->archive, err);
    archive_read_free(self->archive);
    return code == SOMA_OK ? finish(self, err) : code;
}

// --- the data directory

// In it, so that it may be a mount point, or its parent somebody else's.
#define RESTORING "restoring"

// Before soma.db, with which it is a data directory.
static const char *const parts[] = {JOBS_NAME, BOOT_NAME, DATABASE_NAME};

static bool is_ours(const char *name)
{
    static const char *const ignored[] = {".", "..", "lost+found", RESTORING, JOBS_NAME, BOOT_NAME};
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
        if (strcmp(name, ignored[i]) == 0)
            return true;
    }
    return false;
}

// Nothing, or what a restore left that was cut short, which goes.
static enum soma_code empty(int data_fd, const char *path, struct soma_error *err)
{
    int fd = openat(data_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (!directory)
        return error_set_errno(err, errno, "cannot read %s", path);
    bool has_others = false, was_begun = false, has_jobs = false;
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        has_others |= !is_ours(entry->d_name);
        was_begun |= strcmp(entry->d_name, RESTORING) == 0;
        has_jobs |= strcmp(entry->d_name, JOBS_NAME) == 0;
    }
    closedir(directory);
    if (has_others || (has_jobs && !was_begun))
        return error_set_errno(err, ENOTEMPTY, "%s is there already", path);
    enum soma_code code = directory_remove_all(data_fd, JOBS_NAME, NULL, err);
    if (code == SOMA_OK && unlinkat(data_fd, BOOT_NAME, 0) && errno != ENOENT)
        code = error_set_errno(err, errno, "cannot remove %s/" BOOT_NAME, path);
    // The last one, for it says whose the others are.
    return code == SOMA_OK ? directory_remove_all(data_fd, RESTORING, NULL, err) : code;
}

static enum soma_code put_in_place(int data_fd, const char *path, struct soma_error *err)
{
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char from[64];
        snprintf(from, sizeof from, RESTORING "/%s", parts[i]);
        // A backup without jobs has no such directory.
        if (renameat(data_fd, from, data_fd, parts[i]) && errno != ENOENT)
            return error_set_errno(err, errno, "cannot rename %s/%s", path, from);
        if (strcmp(parts[i], JOBS_NAME) == 0)
            crash_point(CRASH_RESTORE_PLACED);
    }
    enum soma_code code = directory_remove_all(data_fd, RESTORING, NULL, err);
    if (code == SOMA_OK && fsync(data_fd))
        code = error_set_errno(err, errno, "cannot sync %s", path);
    return code;
}

static enum soma_code restore_to(int data_fd, const char *path, int archive_fd,
                                 struct soma_error *err)
{
    char beside[PATH_MAX];
    struct restoring self = {.directory = beside, .fd = -1};
    if (snprintf(beside, sizeof beside, "%s/" RESTORING, path) >= (int)sizeof beside)
        return error_set_errno(err, ENAMETOOLONG, "cannot restore to %s", path);
    if (mkdirat(data_fd, RESTORING, PASS_THROUGH_MODE))
        return error_set_errno(err, errno, "cannot make %s", beside);
    self.fd = openat(data_fd, RESTORING, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    enum soma_code code = self.fd < 0 ? error_set_errno(err, errno, "cannot open %s", beside)
                                      : restore_into(&self, archive_fd, err);
    crash_point(CRASH_RESTORE_UNPACKED);
    if (code == SOMA_OK)
        code = put_in_place(data_fd, path, err);
    else
        directory_remove_all(data_fd, RESTORING, NULL, NULL);
    fd_close_at_exit(&self.fd);
    return code;
}

enum soma_code upkeep_restore(const char *data_directory, const char *file, struct soma_error *err)
{
    FD_CLEANUP int archive_fd =
        strcmp(file, "-") == 0 ? dup(STDIN_FILENO) : open(file, O_RDONLY | O_CLOEXEC);
    if (archive_fd < 0)
        return error_set_errno(err, errno, "cannot read %s", file);
    bool was_there = access(data_directory, F_OK) == 0;
    enum soma_code code = directory_make_all(data_directory, PASS_THROUGH_MODE, err);
    if (code != SOMA_OK)
        return code;
    FD_CLEANUP int fd = open(data_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || (!was_there && fchmod(fd, PASS_THROUGH_MODE)))
        return error_set_errno(err, errno, "cannot open %s", data_directory);
    code = empty(fd, data_directory, err);
    if (code == SOMA_OK)
        code = restore_to(fd, data_directory, archive_fd, err);
    if (code != SOMA_OK && !was_there)
        rmdir(data_directory);
    return code;
}
