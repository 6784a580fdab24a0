#include "cli/job_files.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/error.h"

enum {
    // The server's own limits, so that no walk goes on for ever: of files, and of what goes with
    // the specification.
    FILES_MAX = 2000,
    INLINE_BYTES = 1 << 20,
    INLINE_FILE_BYTES = 64 << 10,
    PIECE_BYTES = 1 << 20,
};

struct sending {
    struct cli *cli;
    struct pool *pool;
    struct soma_job_file *files;
    size_t count;
    size_t inline_bytes;
    char *piece; // PIECE_BYTES
};

static int cannot_read(const struct sending *sending, const char *path, int errnum)
{
    return report_failure(sending->cli, STATUS_FAILED, NULL, "cannot read %s: %s", path,
                          strerror(errnum));
}

// A whole piece, less only at the end of the file. Below 0: errno.
static ssize_t read_piece(int fd, char *piece)
{
    size_t length = 0;
    while (length < PIECE_BYTES) {
        ssize_t got = read(fd, piece + length, PIECE_BYTES - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

// The file's first piece, length bytes, is read already.
static int upload(struct sending *sending, int fd, const char *path, ssize_t length,
                  struct soma_job_file *file)
{
    struct soma_job_upload_request request = SOMA_JOB_UPLOAD_REQUEST_INIT;
    for (; !request.end; length = request.end ? 0 : read_piece(fd, sending->piece)) {
        if (length < 0)
            return cannot_read(sending, path, errno);
        struct soma_job_upload *uploaded;
        struct soma_error err;
        request.data = sending->piece;
        request.length = (size_t)length;
        request.end = length < PIECE_BYTES;
        if (soma_job_upload(sending->cli->client, &request, NULL, &uploaded, &err) != SOMA_OK)
            return report_error(sending->cli, &err, "cannot upload %s", path);
        if (!request.upload_id)
            request.upload_id = file->upload_id =
                pool_text(sending->pool, uploaded->upload_id, strlen(uploaded->upload_id));
        request.offset += length;
        soma_free(uploaded);
        if (!file->upload_id)
            return report_out_of_memory(sending->cli);
    }
    file->size_bytes = request.offset;
    return STATUS_OK;
}

static int send_bytes(struct sending *sending, int fd, const char *path, struct soma_job_file *file)
{
    ssize_t length = read_piece(fd, sending->piece);
    if (length < 0)
        return cannot_read(sending, path, errno);
    size_t room = INLINE_BYTES - sending->inline_bytes;
    if (length > INLINE_FILE_BYTES || (size_t)length > room)
        return upload(sending, fd, path, length, file);
    file->content = pool_text(sending->pool, sending->piece, (size_t)length);
    file->content_length = (size_t)length;
    sending->inline_bytes += (size_t)length;
    return file->content ? STATUS_OK : report_out_of_memory(sending->cli);
}

static int send_file(struct sending *sending, const char *path, const struct stat *info,
                     const char *name)
{
    if (sending->count == FILES_MAX)
        return report_usage(sending->cli, "pack them into an archive",
                            "option --file: more than %d files", FILES_MAX);
    struct soma_job_file *file = &sending->files[sending->count++];
    file->path = pool_text(sending->pool, name, strlen(name));
    if (!file->path)
        return report_out_of_memory(sending->cli);
    file->executable = (info->st_mode & S_IXUSR) != 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cannot_read(sending, path, errno);
    int status = send_bytes(sending, fd, path, file);
    close(fd);
    return status;
}

// What the walk has found: below_length bytes of its path are the root's.
static int send_entry(struct sending *sending, const FTSENT *entry, size_t root_length,
                      const char *name)
{
    char full[2048];
    const char *below = entry->fts_path + root_length;
    below += *below == '/';
    bool is_top = strcmp(name, ".") == 0;
    int length = snprintf(full, sizeof full, "%s%s%s", is_top ? "" : name,
                          *below && !is_top ? "/" : "", below);
    switch (entry->fts_info) {
    case FTS_F:
        if (length >= (int)sizeof full)
            return cannot_read(sending, entry->fts_path, ENAMETOOLONG);
        return send_file(sending, entry->fts_accpath, entry->fts_statp, full);
    case FTS_D:
    case FTS_DP:
        return STATUS_OK;
    case FTS_ERR:
    case FTS_DNR:
    case FTS_NS:
        return cannot_read(sending, entry->fts_path, entry->fts_errno);
    default:
        notice(sending->cli, "%s is left out: it is no regular file", entry->fts_path);
        return STATUS_OK;
    }
}

static int send_tree(struct sending *sending, char *path, const char *name)
{
    char *const roots[] = {path, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    if (!walk)
        return cannot_read(sending, path, errno);
    int status = STATUS_OK;
    FTSENT *entry;
    while (status == STATUS_OK && (entry = fts_read(walk)))
        status = send_entry(sending, entry, strlen(path), name);
    fts_close(walk);
    return status;
}

// PATH[:NAME]; the name is otherwise the path's last part.
static int send_option(struct sending *sending, const char *text)
{
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : strlen(text);
    while (length > 1 && text[length - 1] == '/')
        length--;
    char *path = pool_text(sending->pool, text, length);
    if (!path)
        return report_out_of_memory(sending->cli);
    const char *slash = strrchr(path, '/');
    const char *name = colon ? colon + 1 : slash && slash[1] ? slash + 1 : path;
    if (length == 0 || !*name)
        return report_usage(sending->cli, NULL,
                            "option --file: '%s' is not of the form PATH[:NAME]", text);
    return send_tree(sending, path, name);
}

int job_files_send(struct cli *cli, const struct options *options, struct pool *pool,
                   struct soma_job_spec *spec)
{
    if (!options_has(options, "file"))
        return STATUS_OK;
    struct sending sending = {
        .cli = cli,
        .pool = pool,
        .files = pool_array(pool, FILES_MAX, sizeof *sending.files),
        .piece = pool_alloc(pool, PIECE_BYTES),
    };
    if (!sending.files || !sending.piece)
        return report_out_of_memory(cli);
    size_t place = 0;
    const char *text;
    int status = STATUS_OK;
    while (status == STATUS_OK && (text = options_next(options, "file", &place)))
        status = send_option(&sending, text);
    spec->files = sending.files;
    spec->file_count = sending.count;
    return status;
}
