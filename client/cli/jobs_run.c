// run and submit.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/display.h"
#include "cli/error.h"
#include "cli/follow.h"
#include "cli/interrupt.h"
#include "cli/job_files.h"
#include "cli/job_print.h"
#include "cli/job_spec.h"
#include "cli/list_out.h"
#include "cli/terminal.h"
#include "cli/units.h"

// spec and what pool holds of it are the caller's to use until pool_empty.
static int submit(struct cli *cli, const struct options *options, struct pool *pool,
                  struct soma_job_spec *spec, struct soma_job **ret_job)
{
    struct soma_error err;
    int status = job_spec_read(cli, options, pool, spec);
    if (status == STATUS_OK)
        status = cli_connect(cli);
    if (status == STATUS_OK)
        status = job_files_send(cli, options, pool, spec);
    if (status == STATUS_OK && soma_job_submit(cli->client, spec, NULL, ret_job, &err) != SOMA_OK) {
        const char *option = job_spec_option(err.field);
        status = report_error(cli, &err, "cannot submit the job%s%s", option ? ": option --" : "",
                              option ? option : "");
    }
    return status;
}

// What a dedupe key led to.
static void say_existing(const struct cli *cli, const struct soma_job *job)
{
    if (job->is_existing)
        notice(cli, "job %s is queued or running under this key already%s", job->id,
               job->differs ? ", submitted with other options" : "");
}

static int print_submitted(const struct cli *cli, const struct soma_job *job,
                           const struct soma_job_spec *spec)
{
    struct json_out out;
    // The answer is the state alone.
    struct soma_job shown = *job;
    if (!job->is_existing)
        shown.spec = *spec;
    say_existing(cli, job);
    if (cli->format == FORMAT_TABLE) {
        // For a script, id=$(soma submit …) is the id.
        bool is_bare = cli->quiet || job->is_existing || !isatty(STDOUT_FILENO);
        printf("%s%s\n", is_bare ? "" : "submitted job ", job->id);
        return STATUS_OK;
    }
    value_begin(&out, cli);
    job_to_json(&out, &shown, false);
    value_end(&out);
    return STATUS_OK;
}

// What the job itself would have said about its end, had it run in this terminal.
static void say_end(const struct cli *cli, const struct soma_job *job)
{
    char outcome[400], clean[600], age[UNITS_TEXT_SIZE];
    bool color = terminal_has_color(cli, STDERR_FILENO);
    int64_t dropped = job->stdout_size.dropped_bytes + job->stderr_size.dropped_bytes;
    job_outcome(job, outcome, sizeof outcome);
    // A second clause: something of it was not kept, or was still running.
    bool is_plain = job->reason == SOMA_JOB_REASON_EXITED && !strpbrk(outcome, ":;");
    if (dropped)
        notice(cli, "%lld bytes of output were over the limit and dropped (--output-limit)",
               (long long)dropped);
    if (cli->quiet || (is_plain && !terminal_is_smart(STDERR_FILENO)))
        return;
    display_clean(outcome, 0, clean, sizeof clean);
    fprintf(stderr, "soma: job %s %s%s%s (%s)\n", job->id,
            color ? paint_begin(job_state_paint(job->state)) : "", clean, color ? paint_end() : "",
            format_age(age, job->started_ms ? job->finished_ms - job->started_ms : 0));
}

static int follow_submitted(struct cli *cli, const char *job_id, int interrupt_fd,
                            enum on_interrupt on_interrupt, bool sends_input)
{
    struct follow_request request = {
        .job_id = job_id,
        // A bar below what somebody types would be in the way.
        .shows_progress = !sends_input,
        .sends_input = sends_input,
        .interrupt_fd = interrupt_fd,
        .on_interrupt = on_interrupt,
        .was_reached = true,
    };
    struct soma_job *job = NULL;
    int status;
    switch (follow_job(cli, &request, &job, &status)) {
    case FOLLOW_DONE:
        say_end(cli, job);
        status = soma_job_exit_status(job);
        break;
    case FOLLOW_UNREAD:
        status = STATUS_PIPE;
        break;
    case FOLLOW_LEFT:
    case FOLLOW_FAILED:
        break;
    }
    soma_free(job);
    return status;
}

static int read_on_interrupt(const struct cli *cli, const struct options *options,
                             enum on_interrupt *ret_choice)
{
    const char *text = options_value(options, "on-interrupt");
    *ret_choice = ON_INTERRUPT_CANCEL;
    if (!text || strcmp(text, "cancel") == 0)
        return STATUS_OK;
    *ret_choice = ON_INTERRUPT_DETACH;
    if (strcmp(text, "detach") == 0)
        return STATUS_OK;
    return report_usage(cli, NULL, "option --on-interrupt: '%s' is none of cancel, detach", text);
}

static int run_attached(struct cli *cli, const struct options *options)
{
    enum on_interrupt on_interrupt;
    struct soma_job *job = NULL;
    struct soma_job_spec spec;
    struct pool pool = {0};
    int status = read_on_interrupt(cli, options, &on_interrupt);
    if (status != STATUS_OK)
        return status;
    signal(SIGPIPE, SIG_IGN);
    int interrupt_fd = interrupts_open();
    if (interrupt_fd < 0)
        return report_failure(cli, STATUS_FAILED, NULL, "cannot catch signals: %s",
                              strerror(errno));
    // While the job is being submitted one Ctrl-C waits for its id; nobody has to wait for long.
    interrupts_end_at(2);
    status = submit(cli, options, &pool, &spec, &job);
    pool_empty(&pool);
    if (status == STATUS_OK) {
        // The third one leaves in good order, if it still can.
        interrupts_end_at(4);
        notice(cli, "job %s", job->id);
        say_existing(cli, job);
        status = follow_submitted(cli, job->id, interrupt_fd, on_interrupt,
                                  options_has(options, "interactive"));
    }
    soma_free(job);
    return status;
}

static int run_only_submit(struct cli *cli, const struct options *options)
{
    struct soma_job *job = NULL;
    struct soma_job_spec spec;
    struct pool pool = {0};
    int status = submit(cli, options, &pool, &spec, &job);
    if (status == STATUS_OK)
        status = print_submitted(cli, job, &spec);
    pool_empty(&pool);
    soma_free(job);
    return status;
}

// run and submit are one command, but for which of the two it does unless it is told.
static int run_either(struct cli *cli, const struct options *options, bool stays)
{
    bool goes = options_has(options, "async") || options_has(options, "detach");
    if (goes && options_has(options, "sync"))
        return report_usage(cli, NULL, "--sync and --async exclude each other");
    stays = (stays && !goes) || options_has(options, "sync");
    return stays ? run_attached(cli, options) : run_only_submit(cli, options);
}

static int run_run(struct cli *cli, const struct options *options)
{
    return run_either(cli, options, true);
}

static int run_submit(struct cli *cli, const struct options *options)
{
    return run_either(cli, options, false);
}

#define STAY_OPTIONS                                                                 \
    {"async", 0, NULL, "only submit, whichever of the two commands it is", false},   \
        {"sync", 0, NULL, "stay with the job, whichever of the two it is", false},   \
    {                                                                                \
        "on-interrupt", 0, "WHAT", "first Ctrl-C: cancel (default) or detach", false \
    }

static const struct option run_options[] = {
    {"detach", 'd', NULL, "only submit, as 'soma submit' does", false},
    STAY_OPTIONS,
    JOB_SPEC_OPTIONS,
    {0},
};

static const struct option submit_options[] = {
    STAY_OPTIONS,
    JOB_SPEC_OPTIONS,
    {0},
};

static const char submit_details[] =
    "The program is a FILE (- is stdin) or -c CODE for an interpreter, or a COMMAND after --, "
    "which "
    "is\nstarted without a shell. ARGs that begin with a dash stand after -- too.\n";

const struct command job_run_commands[] = {
    {
        .name = "run",
        .synopsis = "[OPTIONS] FILE [ARG…] | -c CODE [ARG…] | -- COMMAND [ARG…]",
        .summary = "Run a program as a job and stay with it",
        .examples = "soma run train.py\n"
                    "soma run train.py -- --epochs 10\n"
                    "soma run --language sh -c 'echo hello'\n"
                    "soma run --time-limit 10m --on-interrupt=detach -F src -- make -C src\n",
        .details =
            "The program is a FILE (- is stdin) or -c CODE for an interpreter, or a COMMAND "
            "after --, which is\nstarted without a shell. ARGs that begin with a dash stand "
            "after -- too.\n\n"
            "The job's output is this command's output, and its exit code this command's "
            "exit code. The job\nbelongs to the server: it runs on when this command or its "
            "terminal goes away; 'soma logs -f ID'\nattaches again. The first Ctrl-C cancels "
            "it, a second one kills it, a third one leaves it alone.\n",
        .options = run_options,
        .operands_max = ANY_NUMBER,
        .run = run_run,
        .speaks_for_job = true,
    },
    {
        .name = "submit",
        .synopsis = "[OPTIONS] FILE [ARG…] | -c CODE [ARG…] | -- COMMAND [ARG…]",
        .summary = "Submit a program as a job and print its id",
        .examples = "id=$(soma submit --language python job.py)\n"
                    "soma submit --name nightly --queue batch --priority 5 -l team=a job.py\n"
                    "soma submit --delay 10m --keep 30d -F data -A b.tgz -- tar czf b.tgz data\n"
                    "soma submit --retries 3 --backoff 10s,2,5m --dedupe sync sync.sh\n"
                    "soma submit --after $id --after-policy run report.sh\n",
        .details = submit_details,
        .options = submit_options,
        .operands_max = ANY_NUMBER,
        .run = run_submit,
    },
    {0},
};
