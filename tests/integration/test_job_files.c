// Files that go into jobs, with the real server, the real runner and real programs.
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "job_kit.h"

#define STDOUT PB__OUTPUT_STREAM__OUTPUT_STREAM_STDOUT

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

static void assert_output(const char *id, const char *text)
{
    char *output = job_output(id, 0, STDOUT, 0);
    assert_string_equal(output, text);
    free(output);
}

static Pb__UploadJobFileRequest piece_of(const char *upload_id, int64_t offset, const char *text,
                                         bool end)
{
    Pb__UploadJobFileRequest request = PB__UPLOAD_JOB_FILE_REQUEST__INIT;
    request.upload_id = upload_id;
    request.offset = offset;
    request.data.data = (uint8_t *)(uintptr_t)text;
    request.data.len = strlen(text);
    request.end = end;
    return request;
}

// The upload's size afterwards; ret_id may be upload_id.
static int64_t upload(const char *upload_id, int64_t offset, const char *text, bool end,
                      char ret_id[JOB_ID_SIZE])
{
    Pb__UploadJobFileRequest request = piece_of(upload_id, offset, text, end);
    const Pb__UploadJobFileResponse *response =
        job_ask("UploadJobFile", &request.base, &pb__upload_job_file_response__descriptor);
    snprintf(ret_id, JOB_ID_SIZE, "%s", response->upload_id);
    return response->size_bytes;
}

static const char *upload_refused(const char *upload_id, int64_t offset, const char *text, bool end)
{
    Pb__UploadJobFileRequest request = piece_of(upload_id, offset, text, end);
    return job_refused(NULL, "UploadJobFile", &request.base);
}

// A specification with one file, which lives until the next call.
static Pb__JobSpec *with_file(const char *script, const char *path, const char *upload_id,
                              int64_t size_bytes)
{
    static Pb__JobFile file, *files[] = {&file};
    Pb__JobSpec *spec = job_script(script);
    pb__job_file__init(&file);
    file.path = path;
    file.upload_id = upload_id;
    file.size_bytes = size_bytes;
    spec->files = files;
    spec->n_files = 1;
    return spec;
}

static const char *submit_refused(Pb__JobSpec *spec)
{
    Pb__SubmitJobRequest request = PB__SUBMIT_JOB_REQUEST__INIT;
    request.spec = spec;
    return job_refused(NULL, "SubmitJob", &request.base);
}

static void a_job_finds_its_files_in_its_work_directory(void **state)
{
    (void)state;
    char upload_id[JOB_ID_SIZE], id[JOB_ID_SIZE];
    upload("", 0, "from far", false, upload_id);
    assert_int_equal(upload(upload_id, 8, " away", true, upload_id), 13);
    Pb__JobFile files[3], *pointers[] = {&files[0], &files[1], &files[2]};
    for (int i = 0; i < 3; i++)
        pb__job_file__init(&files[i]);
    files[0].path = "deep/er/data";
    files[0].content.data = (uint8_t *)"one\0two";
    files[0].content.len = 7;
    files[1].path = "tool";
    files[1].content.data = (uint8_t *)"#!/bin/sh\necho tool\n";
    files[1].content.len = 20;
    files[1].executable = true;
    files[2].path = "deep/up";
    files[2].upload_id = upload_id;
    files[2].size_bytes = 13;
    Pb__JobSpec *spec =
        job_script("tr '\\0' - <deep/er/data; ./tool; cat deep/up; echo more >>deep/up"
                   "; test ! -x deep/up; rm -r deep && echo .");
    spec->files = pointers;
    spec->n_files = 3;
    job_submit(spec, id);
    assert_int_equal(job_wait_final(id)->status->state, PB__JOB_STATE__JOB_STATE_SUCCEEDED);
    assert_output(id, "one-twotool\nfrom far away.\n");
    const Pb__Job *job = job_get(id);
    assert_int_equal(job->spec->n_files, 3);
    assert_int_equal(job->spec->files[0]->size_bytes, 7);
    assert_int_equal(job->spec->files[0]->content.len, 0);
    assert_string_equal(job->spec->files[2]->upload_id, upload_id);
}

static void each_attempt_gets_its_files_anew(void **state)
{
    (void)state;
    char upload_id[JOB_ID_SIZE], id[JOB_ID_SIZE];
    upload("", 0, "fresh\n", true, upload_id);
    job_submit(with_file("cat f && rm f", "f", upload_id, 6), id);
    job_wait_final(id);
    Pb__RetryJobRequest request = PB__RETRY_JOB_REQUEST__INIT;
    request.job_id = id;
    job_ask("RetryJob", &request.base, &pb__retry_job_response__descriptor);
    assert_int_equal(job_wait_final(id)->status->state, PB__JOB_STATE__JOB_STATE_SUCCEEDED);
    assert_int_equal(job_get(id)->status->attempt, 2);
    assert_output(id, "fresh\n");
}

static void pieces_may_come_twice_but_not_beyond_the_end(void **state)
{
    (void)state;
    char id[JOB_ID_SIZE], upload_id[JOB_ID_SIZE];
    upload("", 0, "abc", false, upload_id);
    assert_string_equal(upload_refused(upload_id, 4, "x", false), "OFFSET_PAST_END");
    assert_int_equal(upload(upload_id, 3, "def", false, upload_id), 6);
    assert_int_equal(upload(upload_id, 3, "def", false, upload_id), 6);
    assert_int_equal(upload(upload_id, 0, "abc", false, upload_id), 6);
    assert_int_equal(upload(upload_id, 6, "", true, upload_id), 6);
    assert_int_equal(upload(upload_id, 6, "", true, upload_id), 6);
    assert_string_equal(upload_refused(upload_id, 6, "x", false), "UPLOAD_FINISHED");
    assert_string_equal(upload_refused(upload_id, 5, "", true), "UPLOAD_FINISHED");
    job_submit(with_file("cat f", "f", upload_id, 6), id);
    job_wait_final(id);
    assert_output(id, "abcdef");
}

static void an_upload_is_taken_once_and_only_when_it_is_whole(void **state)
{
    (void)state;
    char upload_id[JOB_ID_SIZE], id[JOB_ID_SIZE];
    upload("", 0, "abc", false, upload_id);
    Pb__JobSpec *spec = with_file("cat f", "f", upload_id, 3);
    assert_string_equal(submit_refused(spec), "UPLOAD_NOT_FOUND");
    upload(upload_id, 3, "", true, upload_id);
    spec->files[0]->size_bytes = 4;
    assert_string_equal(submit_refused(spec), "UPLOAD_NOT_FOUND");
    spec->files[0]->size_bytes = 3;
    // Queued for ever: the upload is taken, its file not yet moved.
    spec->not_before_unix_ms = 4102444800000;
    job_submit(spec, id);
    assert_string_equal(submit_refused(spec), "UPLOAD_NOT_FOUND");
    job_cancel(id, "", false);
}

static void an_upload_is_not_there_for_another_namespace(void **state)
{
    (void)state;
    // The last one looks like an upload that goes on.
    static const char *const spaces[] = {"", "a", "b.part"};
    enum {
        COUNT = sizeof spaces / sizeof spaces[0]
    };
    char open_id[JOB_ID_SIZE], whole_id[JOB_ID_SIZE], id[JOB_ID_SIZE];
    for (size_t i = 0; i < COUNT; i++) {
        job_kit_enter(spaces[i]);
        upload("", 0, "mine", false, open_id);
        upload("", 0, "ours", true, whole_id);
        for (size_t j = 0; j < COUNT; j++) {
            if (j == i)
                continue;
            job_kit_enter(spaces[j]);
            assert_string_equal(upload_refused(open_id, 0, "evil", false), "UPLOAD_NOT_FOUND");
            assert_string_equal(upload_refused(open_id, 4, "", true), "UPLOAD_NOT_FOUND");
            assert_string_equal(upload_refused(whole_id, 4, "", true), "UPLOAD_NOT_FOUND");
            assert_string_equal(submit_refused(with_file("cat f", "f", whole_id, 4)),
                                "UPLOAD_NOT_FOUND");
        }
        job_kit_enter(spaces[i]);
        job_submit(with_file("cat f", "f", whole_id, 4), id);
        assert_int_equal(job_wait_final(id)->status->state, PB__JOB_STATE__JOB_STATE_SUCCEEDED);
        assert_output(id, "ours");
        assert_int_equal(upload(open_id, 4, "", true, open_id), 4);
    }
    job_kit_enter("");
}

static void hostile_upload_ids_and_ranges_are_refused(void **state)
{
    (void)state;
    static const char *const ids[] = {"../../somad.lock", "..", "00000000000000000000",
                                      "00000000000000000000.part", "x"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        assert_string_equal(upload_refused(ids[i], 0, "x", false), "UPLOAD_NOT_FOUND");
        assert_string_equal(submit_refused(with_file("cat f", "f", ids[i], 0)), "UPLOAD_NOT_FOUND");
    }
    assert_string_equal(upload_refused("", 1, "x", false), "FIELD_OUT_OF_RANGE");
    assert_string_equal(upload_refused("x", -1, "x", false), "FIELD_OUT_OF_RANGE");
    assert_string_equal(upload_refused("x", INT64_MAX, "x", false), "FIELD_OUT_OF_RANGE");
    char *large = malloc((1 << 20) + 2);
    memset(large, 'x', (1 << 20) + 1);
    large[(1 << 20) + 1] = '\0';
    assert_string_equal(upload_refused("", 0, large, false), "FIELD_TOO_LONG");
    free(large);
}

static void the_files_of_a_queued_job_outlive_the_server(void **state)
{
    (void)state;
    char upload_id[JOB_ID_SIZE], id[JOB_ID_SIZE], part_id[JOB_ID_SIZE];
    upload("", 0, "kept\n", true, upload_id);
    upload("", 0, "half", false, part_id);
    Pb__JobSpec *spec = with_file("cat f", "f", upload_id, 5);
    spec->not_before_unix_ms = clock_wall_now().ms + 1500;
    job_submit(spec, id);
    job_kit_kill_server();
    job_kit_restart_server();
    assert_int_equal(upload(part_id, 4, " more", false, part_id), 9);
    assert_int_equal(job_wait_final(id)->status->state, PB__JOB_STATE__JOB_STATE_SUCCEEDED);
    assert_output(id, "kept\n");
}

static void age(const char *name, int64_t seconds)
{
    char path[160];
    snprintf(path, sizeof path, "%s/data/jobs/uploads/%s", somad.directory, name);
    struct timespec times[2] = {{.tv_sec = time(NULL) - seconds}, {.tv_sec = time(NULL) - seconds}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool is_there(const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "%s/data/jobs/uploads/%s", somad.directory, name);
    return access(path, F_OK) == 0;
}

static void an_upload_that_nobody_takes_is_removed_after_a_day(void **state)
{
    (void)state;
    char old[JOB_ID_SIZE], taken[JOB_ID_SIZE], fresh[JOB_ID_SIZE], id[JOB_ID_SIZE];
    char elsewhere[JOB_ID_SIZE], whole_there[JOB_ID_SIZE + 8], part_there[JOB_ID_SIZE + 8];
    upload("", 0, "old", true, old);
    job_kit_enter("a");
    upload("", 0, "old too", true, elsewhere);
    job_kit_enter("");
    snprintf(whole_there, sizeof whole_there, "%s@a", elsewhere);
    snprintf(part_there, sizeof part_there, "%s.part@a", elsewhere);
    assert_true(is_there(whole_there));
    upload("", 0, "taken", true, taken);
    upload("", 0, "fresh", true, fresh);
    Pb__JobSpec *spec = with_file("cat f", "f", taken, 5);
    spec->not_before_unix_ms = 4102444800000;
    job_submit(spec, id);
    job_kit_kill_server();
    age(old, 86400 + 100);
    age(whole_there, 86400 + 100);
    age(taken, 86400 + 100);
    job_kit_restart_server();
    struct mono_time deadline = clock_deadline_after(KIT_PATIENCE_MS * 2);
    char part[JOB_ID_SIZE + 8];
    snprintf(part, sizeof part, "%s.part", old);
    while (is_there(old) || is_there(part) || is_there(whole_there) || is_there(part_there)) {
        assert_true(clock_left_ms(deadline) > 0);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    assert_true(is_there(fresh));
    assert_true(is_there(taken));
    job_cancel(id, "", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_finds_its_files_in_its_work_directory),
        cmocka_unit_test(each_attempt_gets_its_files_anew),
        cmocka_unit_test(pieces_may_come_twice_but_not_beyond_the_end),
        cmocka_unit_test(an_upload_is_taken_once_and_only_when_it_is_whole),
        cmocka_unit_test(an_upload_is_not_there_for_another_namespace),
        cmocka_unit_test(hostile_upload_ids_and_ranges_are_refused),
        cmocka_unit_test(the_files_of_a_queued_job_outlive_the_server),
        cmocka_unit_test(an_upload_that_nobody_takes_is_removed_after_a_day),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
