#include "jobs/output_log_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

struct log_record log_files_record(const struct log_files *files, int64_t number)
{
    if (!files->records)
        return (struct log_record){0};
    return log_record_read(files->records + (number - files->first) * LOG_RECORD_BYTES);
}

static int read_at(int fd, int64_t offset, void *ret_bytes, size_t length)
{
    size_t done = 0;
    while (done < length) {
        ssize_t got = pread(fd, (char *)ret_bytes + done, length - done, offset + (int64_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? errno : EIO;
        done += (size_t)got;
    }
    return 0;
}

int log_files_read(const struct log_files *files, int stream, int64_t offset, void *ret_bytes,
                   size_t length)
{
    return read_at(files->fds[stream], offset, ret_bytes, length);
}

// --- opening

static enum soma_code read_records(struct log_files *files, int fd, int64_t first,
                                   struct arena *arena, struct soma_error *err)
{
    struct stat info;
    char header[LOG_HEADER_BYTES];
    if (fstat(fd, &info))
        return error_set_errno(err, errno, "cannot look at the log");
    // Its header comes before any output; a log of another kind orders nothing.
    if (info.st_size < LOG_HEADER_BYTES || read_at(fd, 0, header, sizeof header) ||
        !log_header_read(header, &files->base_ms))
        return SOMA_OK;
    int64_t count = (info.st_size - LOG_HEADER_BYTES) / LOG_RECORD_BYTES;
    files->count = count < LOG_RECORDS_MAX ? count : LOG_RECORDS_MAX;
    files->first = first < files->count ? first : files->count;
    files->covers_all = files->count < LOG_RECORDS_MAX;
    size_t length = (size_t)(files->count - files->first) * LOG_RECORD_BYTES;
    char *records = arena_alloc(arena, length);
    if (!records)
        return error_set_no_memory(err);
    int errnum = read_at(fd, LOG_HEADER_BYTES + files->first * LOG_RECORD_BYTES, records, length);
    files->records = records;
    return errnum ? error_set_errno(err, errnum, "cannot read the log") : SOMA_OK;
}

// The records first: what they cover is in the output files by then.
static enum soma_code open_files(struct log_files *files, int directory_fd, int64_t first,
                                 struct arena *arena, struct soma_error *err)
{
    static const char *const names[] = {"stdout", "stderr"};
    int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW;
    FD_CLEANUP int fd = openat(directory_fd, "log", flags);
    if (fd < 0 && errno != ENOENT)
        return error_set_errno(err, errno, "cannot open the log");
    enum soma_code code = fd < 0 ? SOMA_OK : read_records(files, fd, first, arena, err);
    for (int i = 0; i < 2 && code == SOMA_OK; i++) {
        struct stat info;
        files->fds[i] = openat(directory_fd, names[i], flags);
        if (files->fds[i] < 0 && errno == ENOENT)
            continue;
        if (files->fds[i] < 0 || fstat(files->fds[i], &info))
            return error_set_errno(err, errno, "cannot open the output");
        files->sizes[i] = info.st_size;
    }
    return code;
}

// --- forward

struct walk {
    const struct log_files *files;
    const struct log_question *question;
    struct arena *arena;
    struct log_look *look;
    int64_t budget;
};

static bool is_full(const struct walk *walk)
{
    return walk->budget == 0 || walk->look->count == LOG_PIECES_MAX;
}

void log_position_pass(struct log_position *position, const struct log_files *files,
                       const struct log_record *record)
{
    int64_t left = record->length - position->taken;
    int64_t there = files->sizes[record->is_stderr] - position->offsets[record->is_stderr];
    position->offsets[record->is_stderr] += left < there ? left : there;
    position->time_ms += record->delta_ms;
    position->taken = 0;
    position->record++;
}

static enum soma_code take_piece(struct walk *walk, int stream, int64_t time_ms, int64_t length,
                                 struct soma_error *err)
{
    struct log_position *next = &walk->look->next;
    struct log_piece piece = {
        .is_stderr = stream == 1,
        .offset = next->offsets[stream],
        .time_ms = time_ms,
        .bytes = arena_alloc(walk->arena, (size_t)length),
        .length = (size_t)length,
    };
    if (!piece.bytes)
        return error_set_no_memory(err);
    int errnum = log_files_read(walk->files, stream, piece.offset, piece.bytes, piece.length);
    if (errnum)
        return error_set_errno(err, errnum, "cannot read the output");
    walk->look->pieces[walk->look->count++] = piece;
    next->offsets[stream] += length;
    walk->budget -= length;
    return SOMA_OK;
}

// One record, as far as the budget goes. *ret_more: the next one may follow.
static enum soma_code take_record(struct walk *walk, bool *ret_more, struct soma_error *err)
{
    struct log_position *next = &walk->look->next;
    const struct log_record record = log_files_record(walk->files, next->record);
    int stream = record.is_stderr;
    int64_t left = record.length > next->taken ? record.length - next->taken : 0;
    int64_t there = walk->files->sizes[stream] - next->offsets[stream];
    int64_t length = left < there ? left : there;
    *ret_more = true;
    if (walk->question->wanted[stream] && length > 0) {
        int64_t fits = length < walk->budget ? length : walk->budget;
        enum soma_code code = take_piece(walk, stream, next->time_ms + record.delta_ms, fits, err);
        if (code != SOMA_OK)
            return code;
        next->taken += fits;
        if (fits < length)
            return SOMA_OK;
    } else {
        next->offsets[stream] += length;
        next->taken += length;
    }
    // The last record may grow.
    *ret_more = next->record + 1 < walk->files->count || walk->question->is_over ||
                !walk->files->covers_all;
    if (*ret_more) {
        next->record++;
        next->taken = 0;
        next->time_ms += record.delta_ms;
    }
    return SOMA_OK;
}

// What no record covers: nothing more will order it.
static enum soma_code take_rest(struct walk *walk, struct soma_error *err)
{
    struct log_position *next = &walk->look->next;
    enum soma_code code = SOMA_OK;
    for (int i = 0; i < 2 && code == SOMA_OK && !is_full(walk); i++) {
        int64_t left = walk->files->sizes[i] - next->offsets[i];
        int64_t length = left < walk->budget ? left : walk->budget;
        if (walk->question->wanted[i] && length > 0)
            code = take_piece(walk, i, 0, length, err);
    }
    return code;
}

static enum soma_code go_forward(struct walk *walk, struct soma_error *err)
{
    struct log_position *next = &walk->look->next;
    enum soma_code code = SOMA_OK;
    bool more = true;
    while (code == SOMA_OK && more && next->record < walk->files->count && !is_full(walk))
        code = take_record(walk, &more, err);
    bool is_past_records = next->record == walk->files->count;
    if (code == SOMA_OK && is_past_records && (walk->question->is_over || !walk->files->covers_all))
        code = take_rest(walk, err);
    bool has_all = is_past_records && walk->question->is_over;
    for (int i = 0; i < 2; i++)
        has_all &= !walk->question->wanted[i] || next->offsets[i] == walk->files->sizes[i];
    walk->look->at_end = has_all;
    return code;
}

// --- the whole

static enum soma_code check_position(const struct log_files *files,
                                     const struct log_position *position, struct soma_error *err)
{
    bool is_fine = position->record <= files->count && position->taken <= LOG_LENGTH_MAX;
    for (int i = 0; i < 2; i++)
        is_fine &= position->offsets[i] <= files->sizes[i];
    if (is_fine)
        return SOMA_OK;
    return error_set(err, REASON_OFFSET_PAST_END, "position", "the position is past the output");
}

static enum soma_code look(const struct log_files *files, const struct log_question *question,
                           struct arena *arena, struct log_look *ret_look, struct soma_error *err)
{
    ret_look->next = question->position;
    enum soma_code code = check_position(files, &question->position, err);
    if (code == SOMA_OK && question->is_first)
        code = output_log_begin(files, question, &ret_look->next, err);
    if (code != SOMA_OK)
        return code;
    // Who asked before the log was begun does not know yet when that was.
    if (ret_look->next.record == 0)
        ret_look->next.time_ms = files->base_ms;
    struct walk walk = {files, question, arena, ret_look, question->max_bytes};
    return go_forward(&walk, err);
}

enum soma_code output_log_read(const struct attempt_root *root, const char *id, uint32_t attempt,
                               const struct log_question *question, struct arena *arena,
                               struct log_look *ret_look, struct soma_error *err)
{
    struct log_files files = {.fds = {-1, -1}};
    ret_look->count = 0;
    ret_look->at_end = question->is_over;
    ret_look->next = question->position;
    FD_CLEANUP int directory_fd = attempt ? attempt_open(root, id, attempt) : -1;
    if (directory_fd < 0)
        return attempt == 0 || errno == ENOENT
                   ? SOMA_OK
                   : error_set_errno(err, errno, "cannot open the attempt");
    int64_t first = question->is_first ? 0 : question->position.record;
    enum soma_code code = open_files(&files, directory_fd, first, arena, err);
    if (code == SOMA_OK)
        code = look(&files, question, arena, ret_look, err);
    fd_close_at_exit(&files.fds[0]);
    fd_close_at_exit(&files.fds[1]);
    return code;
}
