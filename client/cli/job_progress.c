#include "cli/job_progress.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/display.h"
#include "cli/error.h"
#include "cli/list_out.h"
#include "cli/units.h"

// "40", "40.5" and "40%".
static bool parse_percent(const char *text, double *ret_percent)
{
    char number[32];
    size_t length = strlen(text);
    if (length && text[length - 1] == '%')
        length--;
    if (length == 0 || length >= sizeof number)
        return false;
    memcpy(number, text, length);
    number[length] = '\0';
    return parse_number(number, ret_percent) && *ret_percent >= 0 && *ret_percent <= 100;
}

// $SOMA_PROGRESS names a file or the number of a file descriptor.
static int open_progress(const char *where)
{
    int64_t fd;
    if (parse_integer(where, 0, INT_MAX, &fd))
        return dup((int)fd);
    // A pipe that nobody reads is an error, not a wait.
    return open(where, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_APPEND);
}

bool job_progress_write(double percent, const char *message)
{
    char number[UNITS_TEXT_SIZE], clean[1024], line[1100];
    const char *where = getenv("SOMA_PROGRESS");
    display_clean(message, 0, clean, sizeof clean);
    int length = snprintf(line, sizeof line, "%s%s%s\n", format_double(number, percent),
                          *clean ? " " : "", clean);
    int fd = where ? open_progress(where) : -1;
    // One write of less than PIPE_BUF bytes stays whole among those of other processes.
    ssize_t written = fd < 0 ? -1 : write(fd, line, (size_t)length);
    int failure = errno;
    if (fd >= 0)
        close(fd);
    errno = failure;
    return written == length;
}

static int write_line(const struct cli *cli, double percent, const char *message)
{
    const char *where = getenv("SOMA_PROGRESS");
    if (!where || !*where)
        return report_usage(cli, "name the job with --job ID",
                            "progress: this is not inside a job ($SOMA_PROGRESS is not set)");
    if (job_progress_write(percent, message))
        return STATUS_OK;
    return report_failure(cli, STATUS_FAILED, NULL, "cannot report progress to %s: %s", where,
                          strerror(errno));
}

static int report_to_server(struct cli *cli, const char *job_id, double percent,
                            const char *message)
{
    struct soma_job_report_request request = SOMA_JOB_REPORT_REQUEST_INIT;
    struct soma_job_reported *reported;
    struct soma_error err;
    struct json_out out;
    int status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    request.job_id = job_id;
    request.percent = percent;
    request.message = message;
    if (soma_job_report(cli->client, &request, NULL, &reported, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot report the progress of job %s", job_id);
    if (cli->format != FORMAT_TABLE) {
        value_begin(&out, cli);
        out_begin(&out, '{');
        out_bool_at(&out, "cancel_requested", reported->cancel_requested);
        out_end(&out, '}');
        value_end(&out);
    } else if (reported->cancel_requested) {
        notice(cli, "somebody asked for this job's end");
    }
    soma_free(reported);
    return STATUS_OK;
}

int run_progress(struct cli *cli, const struct options *options)
{
    const char *job_id = options_value(options, "job");
    const char *message = options->operand_count > 1 ? options->operands[1] : "";
    double percent;
    if (!parse_percent(options->operands[0], &percent))
        return report_usage(cli, NULL, "progress: '%s' is no number from 0 to 100",
                            options->operands[0]);
    return job_id ? report_to_server(cli, job_id, percent, message)
                  : write_line(cli, percent, message);
}

const struct option job_progress_options[] = {
    {"job", 'j', "ID", "report through the server, for this job", false},
    {0},
};
