// Where a first reader of a log begins: from a time on, or so many lines before the end.
#include <stdlib.h>
#include <string.h>

#include "jobs/output_log_private.h"

enum {
    BLOCK_BYTES = 65536,
    TAIL_BYTES_MAX = 16 << 20, // looked at for the last lines; a longer tail begins there
};

static struct log_position beginning(const struct log_files *files)
{
    return (struct log_position){.time_ms = files->base_ms};
}

static struct log_position find_since(const struct log_files *files, int64_t since_ms)
{
    struct log_position position = beginning(files);
    while (position.record < files->count) {
        const struct log_record record = log_files_record(files, position.record);
        if (position.time_ms + record.delta_ms >= since_ms)
            break;
        log_position_pass(&position, files, &record);
    }
    return position;
}

// Past all records, with what they do not cover still to come.
static struct log_position past_records(const struct log_files *files)
{
    return find_since(files, INT64_MAX);
}

// --- so many lines before the end

struct search {
    const struct log_files *files;
    const struct log_question *question;
    char *block;
    int64_t lines_left; // line ends that still belong to the tail
    int64_t bytes_left;
    bool has_seen_any; // the very last byte was looked at
};

// Looks through a piece of a stream, backwards. True: the tail begins at *ret_at, which is in it.
static bool search_piece(struct search *search, int stream, int64_t begin, int64_t end,
                         int64_t *ret_at)
{
    while (end > begin && search->question->wanted[stream]) {
        int64_t length = end - begin < BLOCK_BYTES ? end - begin : BLOCK_BYTES;
        *ret_at = end;
        if (search->bytes_left < length ||
            log_files_read(search->files, stream, end - length, search->block, (size_t)length))
            return true;
        search->bytes_left -= length;
        for (int64_t i = length - 1; i >= 0; i--) {
            bool is_last = !search->has_seen_any;
            search->has_seen_any = true;
            if (search->block[i] != '\n' || is_last || --search->lines_left > 0)
                continue;
            *ret_at = end - length + i + 1;
            return true;
        }
        end -= length;
    }
    return false;
}

// What no record covers, standard error last.
static bool search_rest(struct search *search, struct log_position *position)
{
    const int64_t *sizes = search->files->sizes;
    const int64_t from[2] = {position->offsets[0], position->offsets[1]};
    int64_t at;
    if (search_piece(search, 1, from[1], sizes[1], &at)) {
        position->offsets[0] = sizes[0];
        position->offsets[1] = at;
        return true;
    }
    if (search_piece(search, 0, from[0], sizes[0], &at)) {
        position->offsets[0] = at;
        return true;
    }
    return false;
}

// Back from position, past all records, as far as first.
static bool search_records(struct search *search, int64_t first, struct log_position *position)
{
    while (position->record > first) {
        const struct log_record record = log_files_record(search->files, position->record - 1);
        int64_t end = position->offsets[record.is_stderr], at;
        int64_t begin = end > record.length ? end - record.length : 0;
        position->record--;
        position->time_ms -= record.delta_ms;
        position->offsets[record.is_stderr] = begin;
        if (search_piece(search, record.is_stderr, begin, end, &at)) {
            position->taken = at - begin;
            position->offsets[record.is_stderr] = at;
            return true;
        }
    }
    return false;
}

static enum soma_code find_tail(const struct log_files *files, const struct log_question *question,
                                struct log_position *position, struct soma_error *err)
{
    struct search search = {
        .files = files,
        .question = question,
        .block = malloc(BLOCK_BYTES),
        .lines_left = question->tail_lines,
        .bytes_left = TAIL_BYTES_MAX,
    };
    if (!search.block)
        return error_set_no_memory(err);
    struct log_position found = past_records(files);
    bool has_rest = question->is_over || !files->covers_all;
    if ((has_rest && search_rest(&search, &found)) ||
        search_records(&search, position->record, &found))
        *position = found;
    free(search.block);
    return SOMA_OK;
}

// Only what comes: the last record may grow, and what it has now is passed over.
static struct log_position end_of(const struct log_files *files)
{
    struct log_position position = beginning(files);
    while (position.record + 1 < files->count) {
        const struct log_record record = log_files_record(files, position.record);
        log_position_pass(&position, files, &record);
    }
    if (position.record < files->count) {
        const struct log_record last = log_files_record(files, position.record);
        struct log_position past = position;
        log_position_pass(&past, files, &last);
        position.taken = last.length;
        position.offsets[last.is_stderr] = past.offsets[last.is_stderr];
    }
    return position;
}

enum soma_code output_log_begin(const struct log_files *files, const struct log_question *question,
                                struct log_position *ret_position, struct soma_error *err)
{
    if (question->tail_lines < 0) {
        *ret_position = end_of(files);
        // What no record will cover has been there, too.
        for (int i = 0; i < 2 && (question->is_over || !files->covers_all); i++)
            ret_position->offsets[i] = files->sizes[i];
        return SOMA_OK;
    }
    *ret_position = find_since(files, question->since_ms);
    return question->tail_lines > 0 ? find_tail(files, question, ret_position, err) : SOMA_OK;
}
