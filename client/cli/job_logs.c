#include "cli/job_logs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/error.h"
#include "cli/follow.h"
#include "cli/log_text.h"
#include "cli/terminal.h"
#include "cli/units.h"
#include "cli/values.h"

enum {
    TAIL_LINES_MAX = 100000,
};

static int write_all(const struct cli *cli, enum soma_stream stream, const char *data,
                     size_t length)
{
    int fd = stream == SOMA_STDERR ? STDERR_FILENO : STDOUT_FILENO;
    while (length > 0) {
        ssize_t written = write(fd, data, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return report_failure(cli, STATUS_FAILED, NULL, "cannot write to %s: %s",
                                  fd == STDOUT_FILENO ? "stdout" : "stderr", strerror(errno));
        data += written;
        length -= (size_t)written;
    }
    return STATUS_OK;
}

static int print_pieces(const struct cli *cli, struct log_text *text, int64_t skip_until,
                        const struct soma_job_log *log)
{
    int status = STATUS_OK;
    for (size_t i = 0; i < log->piece_count && status == STATUS_OK; i++) {
        const struct soma_job_log_piece *piece = &log->pieces[i];
        size_t skip = follow_skip(piece, skip_until);
        const char *data;
        size_t length;
        if (!log_text_make(text, piece, skip, &data, &length))
            return report_out_of_memory(cli);
        status = write_all(cli, piece->stream, data, length);
    }
    return status;
}

// What is there now, without waiting for more.
static int print_log(struct cli *cli, const struct follow_request *follow)
{
    struct soma_job_log_request request = SOMA_JOB_LOG_REQUEST_INIT;
    struct soma_job_log_position position;
    struct log_text text = {.with_times = follow->with_times};
    bool has_more = true;
    int status = STATUS_OK;
    request.job_id = follow->job_id;
    request.attempt = follow->attempt;
    request.tail_lines = follow->tail_lines;
    request.since_ms = follow->since_ms;
    request.stream = follow->stream;
    while (has_more && status == STATUS_OK) {
        struct soma_job_log *log;
        struct soma_error err;
        if (soma_job_log(cli->client, &request, NULL, &log, &err) != SOMA_OK) {
            status = report_error(cli, &err, "cannot read the output of job %s", request.job_id);
            break;
        }
        status = print_pieces(cli, &text, follow->skip_bytes, log);
        has_more = log->piece_count > 0 && !log->end;
        position = log->position;
        request.position = &position;
        request.attempt = log->attempt;
        soma_free(log);
    }
    log_text_fini(&text);
    return status;
}

static int follow_log(struct cli *cli, const struct follow_request *request)
{
    struct soma_job *job = NULL;
    int status;
    follow_job(cli, request, &job, &status);
    soma_free(job);
    return status;
}

// "10m" is so long ago; otherwise a time.
static int read_since(const struct cli *cli, const struct options *options, int64_t *ret_since_ms)
{
    const char *text = options_value(options, "since");
    int64_t ago_ms;
    if (!text || parse_time(text, ret_since_ms))
        return STATUS_OK;
    if (!parse_duration(text, &ago_ms))
        return report_usage(cli, "write 10m, 2h30m or 2025-03-01T09:30:00Z",
                            "option --since: '%s' is neither a duration nor a time", text);
    int64_t now = wall_ms();
    *ret_since_ms = ago_ms < now ? now - ago_ms : 0;
    return STATUS_OK;
}

static int read_where(const struct cli *cli, const struct options *options,
                      struct follow_request *request)
{
    int64_t attempt = 0, tail = -1;
    int status = value_integer(cli, options, "attempt", 1, UINT32_MAX, &attempt);
    if (status == STATUS_OK)
        status = value_integer(cli, options, "offset", 0, INT64_MAX, &request->skip_bytes);
    if (status == STATUS_OK)
        status = value_integer(cli, options, "tail", 0, TAIL_LINES_MAX, &tail);
    if (status == STATUS_OK)
        status = read_since(cli, options, &request->since_ms);
    request->attempt = (uint32_t)attempt;
    // The library's 0 is everything, and -1 nothing.
    request->tail_lines = tail == 0 ? -1 : tail < 0 ? 0 : tail;
    return status;
}

int run_logs(struct cli *cli, const struct options *options)
{
    struct follow_request request = {.job_id = options->operands[0], .interrupt_fd = -1};
    bool only_out = options_has(options, "stdout"), only_err = options_has(options, "stderr");
    int status = read_where(cli, options, &request);
    if (status != STATUS_OK)
        return status;
    if (cli->format != FORMAT_TABLE)
        return report_usage(cli, "-t puts the time before each line",
                            "logs prints the bytes of the job: they have no other format");
    if (only_out && only_err)
        return report_usage(cli, "without both, both are printed",
                            "--stdout and --stderr exclude each other");
    if (request.skip_bytes && !only_out && !only_err)
        return report_usage(cli, "add --stdout or --stderr", "--offset is of one stream");
    request.stream = only_out ? SOMA_STDOUT : only_err ? SOMA_STDERR : 0;
    request.with_times = options_has(options, "timestamps");
    status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    return options_has(options, "follow") ? follow_log(cli, &request) : print_log(cli, &request);
}

const struct option job_logs_options[] = {
    {"follow", 'f', NULL, "stay until the job has ended", false},
    {"tail", 0, "N", "only the last N lines; 0: only what comes", false},
    {"since", 0, "WHEN", "only what came since a time, or for so long (10m)", false},
    {"timestamps", 't', NULL, "before each line the time when it came", false},
    {"stdout", 0, NULL, "only its stdout", false},
    {"stderr", 0, NULL, "only its stderr", false},
    {"attempt", 0, "N", "of this attempt, from 1; otherwise the latest", false},
    {"offset", 0, "N", "skip the first N bytes of the stream", false},
    {0},
};
