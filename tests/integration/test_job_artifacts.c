// Files that jobs leave, with the real server, the real runner and real, also hostile, programs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "job_kit.h"

enum {
    PATTERNS_MAX = 4
};

static int start(void **state)
{
    (void)state;
    job_kit_start();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    job_kit_stop();
    return 0;
}

// Runs the script to its end; NULL ends the patterns.
static const Pb__JobStatus *leave(const char *script, const char *const patterns[PATTERNS_MAX],
                                  Pb__JobLimits *limits, char ret_id[JOB_ID_SIZE])
{
    Pb__JobSpec *spec = job_script(script);
    spec->artifacts = (const char **)(uintptr_t)patterns;
    while (spec->n_artifacts < PATTERNS_MAX && patterns[spec->n_artifacts])
        spec->n_artifacts++;
    spec->limits = limits;
    job_submit(spec, ret_id);
    return job_wait_final(ret_id)->status;
}

static const Pb__ListJobArtifactsResponse *list(const char *id, uint32_t attempt)
{
    Pb__ListJobArtifactsRequest request = PB__LIST_JOB_ARTIFACTS_REQUEST__INIT;
    request.job_id = id;
    request.attempt = attempt;
    return job_ask("ListJobArtifacts", &request.base, &pb__list_job_artifacts_response__descriptor);
}

// The paths, each with a line break behind it.
static void assert_listed(const char *id, const char *expected)
{
    const Pb__ListJobArtifactsResponse *response = list(id, 0);
    char text[4096] = "";
    for (size_t i = 0; i < response->n_artifacts; i++)
        strcat(strcat(text, response->artifacts[i]->path), "\n");
    assert_true(response->end);
    assert_string_equal(text, expected);
}

static void assert_content(const char *id, const char *path, const char *expected)
{
    Pb__ReadJobArtifactRequest request = PB__READ_JOB_ARTIFACT_REQUEST__INIT;
    char text[256] = "";
    request.job_id = id;
    request.path = path;
    request.max_bytes = 3;
    for (;;) {
        const Pb__ReadJobArtifactResponse *response =
            job_ask("ReadJobArtifact", &request.base, &pb__read_job_artifact_response__descriptor);
        assert_int_equal(response->size_bytes, strlen(expected));
        if (response->data.len == 0)
            break;
        assert_true(request.offset + (int64_t)response->data.len < (int64_t)sizeof text);
        memcpy(text + request.offset, response->data.data, response->data.len);
        request.offset += (int64_t)response->data.len;
    }
    assert_string_equal(text, expected);
}

static void files_that_match_are_kept_and_others_are_not(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    const char *const patterns[PATTERNS_MAX] = {"out", "*.txt", "**/deep?"};
    const Pb__JobStatus *status =
        leave("mkdir -p out/sub a/b; echo one >out/sub/one; echo two >two.txt; echo x >x; "
              "echo deep >a/b/deep1; echo no >a/b/deep12; chmod +x two.txt; rm -f out/../gone",
              patterns, NULL, id);
    assert_int_equal(status->state, PB__JOB_STATE__JOB_STATE_SUCCEEDED);
    assert_int_equal(status->artifacts->file_count, 3);
    assert_int_equal(status->artifacts->total_bytes, 13);
    assert_int_equal(status->artifacts->left_out_count, 0);
    assert_listed(id, "a/b/deep1\nout/sub/one\ntwo.txt\n");
    assert_true(list(id, 1)->artifacts[2]->executable);
    assert_false(list(id, 1)->artifacts[1]->executable);
    assert_content(id, "out/sub/one", "one\n");
    assert_content(id, "a/b/deep1", "deep\n");
}

static void a_job_that_fails_is_cancelled_or_times_out_keeps_its_files_too(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    const char *const patterns[PATTERNS_MAX] = {"f"};
    assert_int_equal(leave("echo 1 >f; exit 3", patterns, NULL, id)->state,
                     PB__JOB_STATE__JOB_STATE_FAILED);
    assert_content(id, "f", "1\n");
    Pb__JobLimits limits = PB__JOB_LIMITS__INIT;
    limits.wall_time_ms = 300;
    assert_int_equal(leave("echo 2 >f; sleep 1000", patterns, &limits, id)->state,
                     PB__JOB_STATE__JOB_STATE_TIMED_OUT);
    assert_content(id, "f", "2\n");
    Pb__JobSpec *spec = job_script("echo 3 >f; echo begun; sleep 1000");
    spec->artifacts = (const char **)(uintptr_t)patterns;
    spec->n_artifacts = 1;
    job_submit(spec, id);
    job_wait_output(id, "begun");
    assert_false(list(id, 0)->end);
    assert_int_equal(list(id, 0)->n_artifacts, 0);
    job_cancel(id, "", true);
    assert_int_equal(job_wait_final(id)->status->state, PB__JOB_STATE__JOB_STATE_CANCELLED);
    assert_content(id, "f", "3\n");
}

static void no_link_leads_out_of_the_work_directory(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    const char *const patterns[PATTERNS_MAX] = {"*"};
    const Pb__JobStatus *status =
        leave("ln -s /etc/passwd link; ln -s / root; ln -s .. up; mkfifo pipe; "
              "mkdir d; ln -s ../../order d/order; echo fine >d/fine",
              patterns, NULL, id);
    assert_int_equal(status->state, PB__JOB_STATE__JOB_STATE_SUCCEEDED);
    assert_listed(id, "d/fine\n");
    assert_int_equal(job_get(id)->status->artifacts->left_out_count, 5);
    assert_non_null(strstr(job_get(id)->status->message, "5 artifacts were left out"));
}

// What has two names is copied: the other name may be somewhere else, and stays as it was.
static void a_file_with_other_names_is_copied(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE], path[200];
    struct stat info;
    const char *const patterns[PATTERNS_MAX] = {"kept"};
    leave("echo twice >other; ln other kept; chmod 600 other", patterns, NULL, id);
    assert_content(id, "kept", "twice\n");
    snprintf(path, sizeof path, "%s/data/jobs/%s/1/work/other", somad.directory, id);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_nlink, 2);
    snprintf(path, sizeof path, "%s/data/jobs/%s/1/artifacts/0", somad.directory, id);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_nlink, 1);
    assert_int_equal(info.st_uid, geteuid());
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void names_that_are_no_text_are_left_out(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    const char *const patterns[PATTERNS_MAX] = {"*"};
    leave("echo 1 >\"$(printf 'a\\033[2J')\"; echo 2 >\"$(printf 'b\\nc')\"; "
          "echo 3 >\"$(printf '\\377')\"; echo 4 >fine",
          patterns, NULL, id);
    assert_listed(id, "fine\n");
    assert_int_equal(job_get(id)->status->artifacts->left_out_count, 3);
}

static void what_is_over_the_limits_is_left_out(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    const char *const patterns[PATTERNS_MAX] = {"*"};
    Pb__JobLimits limits = PB__JOB_LIMITS__INIT;
    limits.artifact_bytes = 1000;
    leave("truncate -s 1T huge; head -c 600 /dev/zero >a; mkdir d; head -c 401 /dev/zero >d/b",
          patterns, &limits, id);
    const Pb__JobStatus *status = job_get(id)->status;
    assert_int_equal(status->artifacts->file_count, 1);
    assert_int_equal(status->artifacts->left_out_count, 2);
    const char *const all[PATTERNS_MAX] = {"n*"};
    leave("i=0; while [ $i -lt 1005 ]; do : >n$i; i=$((i+1)); done", all, NULL, id);
    status = job_get(id)->status;
    assert_int_equal(status->artifacts->file_count, 1000);
    assert_int_equal(status->artifacts->left_out_count, 5);
    assert_int_equal(list(id, 0)->n_artifacts, 1000);
}

static void a_directory_that_gives_nothing_away_is_copied_from(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    const char *const patterns[PATTERNS_MAX] = {"d"};
    leave("mkdir d; echo x >d/f; chmod 500 d", patterns, NULL, id);
    assert_listed(id, "d/f\n");
    assert_content(id, "d/f", "x\n");
}

static void each_attempt_has_its_own(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    const char *const patterns[PATTERNS_MAX] = {"f*"};
    leave("echo $SOMA_ATTEMPT >f$SOMA_ATTEMPT", patterns, NULL, id);
    Pb__RetryJobRequest request = PB__RETRY_JOB_REQUEST__INIT;
    request.job_id = id;
    job_ask("RetryJob", &request.base, &pb__retry_job_response__descriptor);
    job_wait_final(id);
    assert_listed(id, "f2\n");
    assert_string_equal(list(id, 1)->artifacts[0]->path, "f1");
}

static void bad_questions_have_their_reasons(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE];
    const char *const patterns[PATTERNS_MAX] = {"f"};
    leave("echo x >f", patterns, NULL, id);
    Pb__ReadJobArtifactRequest request = PB__READ_JOB_ARTIFACT_REQUEST__INIT;
    request.job_id = id;
    static const char *const paths[] = {"../status", "/etc/passwd", "0", "index", "f/", "F"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        request.path = paths[i];
        assert_string_equal(job_refused(NULL, "ReadJobArtifact", &request.base),
                            "ARTIFACT_NOT_FOUND");
    }
    request.path = "f";
    request.offset = 3;
    assert_string_equal(job_refused(NULL, "ReadJobArtifact", &request.base), "OFFSET_PAST_END");
    request.offset = -1;
    assert_string_equal(job_refused(NULL, "ReadJobArtifact", &request.base), "FIELD_OUT_OF_RANGE");
    request.offset = 0;
    request.attempt = 2;
    assert_string_equal(job_refused(NULL, "ReadJobArtifact", &request.base), "ATTEMPT_NOT_FOUND");
    Pb__SubmitJobRequest submit = PB__SUBMIT_JOB_REQUEST__INIT;
    static const char *bad[] = {"../*"};
    submit.spec = job_script("true");
    submit.spec->artifacts = bad;
    submit.spec->n_artifacts = 1;
    assert_string_equal(job_refused(NULL, "SubmitJob", &submit.base), "FIELD_INVALID");
}

static void removal_takes_them_along_and_counts_their_bytes(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE], path[200];
    const char *const patterns[PATTERNS_MAX] = {"f"};
    leave("head -c 70000 /dev/zero >f", patterns, NULL, id);
    Pb__DeleteJobRequest request = PB__DELETE_JOB_REQUEST__INIT;
    request.job_id = id;
    const Pb__DeleteJobResponse *response =
        job_ask("DeleteJob", &request.base, &pb__delete_job_response__descriptor);
    assert_true(response->freed_bytes >= 70000);
    snprintf(path, sizeof path, "%s/data/jobs/%s", somad.directory, id);
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS);
    while (access(path, F_OK) == 0)
        assert_true(clock_left_ms(deadline) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_that_match_are_kept_and_others_are_not),
        cmocka_unit_test(a_job_that_fails_is_cancelled_or_times_out_keeps_its_files_too),
        cmocka_unit_test(no_link_leads_out_of_the_work_directory),
        cmocka_unit_test(a_file_with_other_names_is_copied),
        cmocka_unit_test(names_that_are_no_text_are_left_out),
        cmocka_unit_test(what_is_over_the_limits_is_left_out),
        cmocka_unit_test(a_directory_that_gives_nothing_away_is_copied_from),
        cmocka_unit_test(each_attempt_has_its_own),
        cmocka_unit_test(bad_questions_have_their_reasons),
        cmocka_unit_test(removal_takes_them_along_and_counts_their_bytes),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
