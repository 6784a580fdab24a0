#include "load_check.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/id.h"
#include "ledger.h"
#include "victims.h"

enum {
    QUIET_MS = 120000,
    OUTPUT_MAX = 1 << 16
};

static void pause_us(uint32_t us)
{
    nanosleep(&(struct timespec){us / 1000000, (long)(us % 1000000) * 1000}, NULL);
}

static void check_same_as_told(const struct load_job *job, const struct soma_job *now)
{
    assert_string_equal(job->id, now->id);
    assert_true(soma_job_state_is_final(now->state));
    assert_true(job->final_seen);
    assert_int_equal(job->state, now->state);
    assert_int_equal(job->reason, now->reason);
    assert_int_equal(job->seen_exit_code, now->exit_code);
    assert_int_equal(job->attempt, now->attempt);
    assert_int_equal(job->finished_ms, now->finished_ms);
}

// An end that nobody asked for has a kill as its cause.
static void check_end(struct load_check *check, const struct load_job *job,
                      const struct soma_job *now)
{
    switch (now->reason) {
    case SOMA_JOB_REASON_EXITED:
        assert_int_equal(now->exit_code, job->exit_code);
        assert_int_equal(now->state, job->exit_code == 0 ? SOMA_JOB_SUCCEEDED : SOMA_JOB_FAILED);
        return;
    case SOMA_JOB_REASON_CANCELLED:
        assert_true(job->cancel_asked);
        return;
    case SOMA_JOB_REASON_SIGNALED:
        assert_int_equal(now->signal_number, SIGKILL);
        check->signaled++;
        return;
    case SOMA_JOB_REASON_LOST:
    case SOMA_JOB_REASON_START_FAILED:
        check->lost++;
        return;
    default:
        fail_msg("job %s: %s: %s", now->id, soma_job_reason_name(now->reason), now->message);
    }
}

static void check_page(struct load_check *check, const struct soma_job_list *page)
{
    for (size_t i = 0; i < page->job_count; i++) {
        const struct soma_job *now = &page->jobs[i];
        unsigned number = load_number(now->spec.name);
        assert_true(number < check->load->count);
        // One submit, however often it was sent, made one job.
        assert_false(check->listed[number]);
        check->listed[number] = true;
        const struct load_job *job = &check->load->jobs[number];
        check_same_as_told(job, now);
        check_end(check, job, now);
        if (!job->idempotent)
            assert_true(now->attempt <= 1);
    }
}

void load_check_jobs(struct load_check *check)
{
    struct soma_job_list_request request = SOMA_JOB_LIST_REQUEST_INIT;
    char cursor[512] = "";
    request.filter.queue = "default";
    request.page_size = 1000;
    do {
        struct soma_job_list *page;
        struct soma_error err;
        request.cursor = cursor[0] ? cursor : NULL;
        if (soma_job_list(check->load->client, &request, NULL, &page, &err) != SOMA_OK)
            fail_msg("%s", err.text);
        check_page(check, page);
        snprintf(cursor, sizeof cursor, "%s", page->next_cursor ? page->next_cursor : "");
        soma_free(page);
    } while (cursor[0]);
    for (unsigned i = 0; i < check->load->count; i++)
        assert_true(check->listed[i] || !check->load->jobs[i].id[0]);
}

void load_check_ledger(const struct load *load)
{
    struct ledger ledger;
    ledger_read(&ledger, load->ledger);
    if (ledger_twice(&ledger))
        fail_msg("ran twice: %s", ledger_twice(&ledger));
    for (unsigned i = 0; i < load->count; i++) {
        const struct load_job *job = &load->jobs[i];
        char line[64];
        snprintf(line, sizeof line, "%s %u", job->id, job->attempt);
        if (job->state == SOMA_JOB_SUCCEEDED && !ledger_has(&ledger, line))
            fail_msg("succeeded without running: %s", line);
    }
    ledger_free(&ledger);
}

static size_t read_stream(const struct load *load, const struct load_job *job,
                          enum soma_stream stream, char *ret_text)
{
    struct soma_job_read_request request = SOMA_JOB_READ_REQUEST_INIT;
    struct soma_job_output *output;
    struct soma_error err;
    request.job_id = job->id;
    request.stdout_offset = stream == SOMA_STDOUT ? 0 : -1;
    request.stderr_offset = stream == SOMA_STDERR ? 0 : -1;
    if (soma_job_read(load->client, &request, NULL, &output, &err) != SOMA_OK)
        fail_msg("output of %s: %s", job->id, err.text);
    const struct soma_job_chunk *chunk =
        stream == SOMA_STDOUT ? &output->stdout_chunk : &output->stderr_chunk;
    size_t length = chunk->length;
    assert_true(chunk->end && length < OUTPUT_MAX);
    memcpy(ret_text, chunk->data, length);
    soma_free(output);
    return length;
}

static void check_stream(const struct load *load, const struct load_job *job,
                         enum soma_stream stream, unsigned lines)
{
    static char expected[OUTPUT_MAX], found[OUTPUT_MAX];
    char *at = expected;
    for (unsigned i = 1; i <= lines; i++)
        at += sprintf(at, "%u\n", i);
    size_t length = read_stream(load, job, stream, found);
    size_t whole = (size_t)(at - expected);
    bool is_short = length < whole && job->reason == SOMA_JOB_REASON_EXITED;
    if (is_short || length > whole || memcmp(expected, found, length) != 0)
        fail_msg("job %s, %s: %zu bytes of %zu", job->id, soma_job_reason_name(job->reason), length,
                 whole);
}

void load_check_output(const struct load *load)
{
    for (unsigned i = 0; i < load->count; i++) {
        const struct load_job *job = &load->jobs[i];
        if (job->attempt == 0)
            continue;
        check_stream(load, job, SOMA_STDOUT, job->out_lines);
        check_stream(load, job, SOMA_STDERR, job->err_lines);
    }
}

static void wait_for_processes(const struct load *load, const char *jobs_directory)
{
    struct mono_time deadline = clock_deadline_after(QUIET_MS);
    int left;
    while ((left = victims_left(jobs_directory, load->cookie)) > 0) {
        if (clock_left_ms(deadline) == 0)
            fail_msg("%d processes are left", left);
        pause_us(10000);
    }
}

static bool has_jobs(const char *path)
{
    const struct dirent *entry;
    bool found = false;
    DIR *directory = opendir(path);
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL)
        found |= id_is_valid(entry->d_name);
    closedir(directory);
    return found;
}

void load_check_nothing_is_left(const struct load *load, const char *jobs_directory)
{
    wait_for_processes(load, jobs_directory);
    bool more = true;
    while (more) {
        struct soma_job_prune_request request = SOMA_JOB_PRUNE_REQUEST_INIT;
        struct soma_job_removed *removed;
        struct soma_error err;
        if (soma_job_prune(load->client, &request, NULL, &removed, &err) != SOMA_OK)
            fail_msg("%s", err.text);
        more = removed->more;
        soma_free(removed);
    }
    struct mono_time deadline = clock_deadline_after(QUIET_MS);
    while (has_jobs(jobs_directory)) {
        assert_true(clock_left_ms(deadline) > 0);
        pause_us(10000);
    }
}
