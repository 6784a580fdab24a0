// server/jobs: directories of attempts, and what is read from them; orders, outcomes, languages.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "jobs/attempt.h"
#include "jobs/outcome.h"
#include "jobs/output.h"

static const char id[] = "00000000000000000001";

static struct {
    char directory[64];
    struct attempt_root root;
    int fd; // of attempt 1
} scratch;

static int make_attempt(void **state)
{
    (void)state;
    struct soma_error err;
    strcpy(scratch.directory, "/tmp/soma-attempts-XXXXXX");
    assert_non_null(mkdtemp(scratch.directory));
    assert_int_equal(attempt_root_open(&scratch.root, scratch.directory, &err), SOMA_OK);
    assert_int_equal(mkdirat(scratch.root.fd, id, 0711), 0);
    char path[64];
    snprintf(path, sizeof path, "%s/1", id);
    assert_int_equal(mkdirat(scratch.root.fd, path, 0711), 0);
    scratch.fd = attempt_open(&scratch.root, id, 1);
    assert_true(scratch.fd >= 0);
    return 0;
}

static int remove_attempt(void **state)
{
    (void)state;
    close(scratch.fd);
    attempt_root_close(&scratch.root);
    return directory_remove_all(AT_FDCWD, scratch.directory, NULL, NULL) == SOMA_OK ? 0 : -1;
}

static void put_file(const char *name, const void *bytes, size_t length)
{
    int fd = openat(scratch.fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, bytes, length), 0);
    close(fd);
}

static void put_text(const char *name, const char *text)
{
    put_file(name, text, strlen(text));
}

static const char a_record[] = "pid 3\n123\nend 0\n\n";
static const char a_status[] =
    "version 1\n1\nreason 6\nexited\nexit_code 1\n3\nmessage 2\nok\nwall_ms 2\n17\n"
    "stdout_kept 2\n12\nstderr_dropped 1\n5\nprogress 13\n99.5 all done\nnews 1\n?\nend 0\n\n";

static enum attempt_fate examine(struct job_outcome *ret_outcome)
{
    enum attempt_fate fate = (enum attempt_fate)99;
    struct soma_error err;
    memset(ret_outcome, 0, sizeof *ret_outcome);
    assert_int_equal(attempt_examine(&scratch.root, id, 1, &fate, ret_outcome, &err), SOMA_OK);
    return fate;
}

// --- the four cases of recovery

static void without_a_record_the_program_never_ran(void **state)
{
    (void)state;
    struct job_outcome outcome;
    put_text("order", "x");
    assert_int_equal(examine(&outcome), ATTEMPT_NEVER_RAN);
    // And never will: the permission is taken back.
    assert_int_equal(faccessat(scratch.fd, "order", F_OK, 0), -1);
}

static void a_torn_record_is_none(void **state)
{
    (void)state;
    struct job_outcome outcome;
    put_file("lock", a_record, sizeof a_record - 3);
    assert_int_equal(examine(&outcome), ATTEMPT_NEVER_RAN);
}

static void a_missing_directory_never_ran(void **state)
{
    (void)state;
    enum attempt_fate fate;
    struct job_outcome outcome;
    assert_int_equal(attempt_examine(&scratch.root, id, 2, &fate, &outcome, NULL), SOMA_OK);
    assert_int_equal(fate, ATTEMPT_NEVER_RAN);
}

static void a_held_lock_is_a_running_attempt_whatever_else_is_there(void **state)
{
    (void)state;
    struct job_outcome outcome;
    put_text("lock", a_record);
    put_text("status", a_status);
    int fd = openat(scratch.fd, "lock", O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(examine(&outcome), ATTEMPT_RUNS);
    close(fd);
    assert_int_equal(examine(&outcome), ATTEMPT_ENDED);
}

static void a_status_is_the_end(void **state)
{
    (void)state;
    struct job_outcome outcome;
    put_text("lock", a_record);
    put_text("status", a_status);
    assert_int_equal(examine(&outcome), ATTEMPT_ENDED);
    assert_int_equal(outcome.reason, JOB_REASON_EXITED);
    assert_int_equal(outcome.exit_code, 3);
    assert_string_equal(outcome.message, "ok");
    assert_true(outcome.has_resources);
    assert_int_equal(outcome.resources.wall_time_ms, 17);
    assert_int_equal(outcome.stdout_size.kept_bytes, 12);
    assert_int_equal(outcome.stderr_size.dropped_bytes, 5);
    assert_true(outcome.has_progress);
    assert_true(outcome.progress_percent > 99.4 && outcome.progress_percent < 99.6);
    assert_string_equal(outcome.progress_message, "all done");
}

static void a_record_without_a_status_is_lost_with_the_output_that_is_there(void **state)
{
    (void)state;
    struct job_outcome outcome;
    put_text("lock", a_record);
    put_text("stdout", "seven b");
    assert_int_equal(examine(&outcome), ATTEMPT_GONE);
    assert_int_equal(outcome.reason, JOB_REASON_LOST);
    assert_int_equal(outcome.stdout_size.kept_bytes, 7);
    assert_true(outcome.message[0] != '\0');
}

static void a_damaged_status_is_lost(void **state)
{
    (void)state;
    struct job_outcome outcome;
    put_text("lock", a_record);
    put_file("status", a_status, sizeof a_status - 4);
    assert_int_equal(examine(&outcome), ATTEMPT_GONE);
    put_text("status", "reason 3\nfoo\nend 0\n\n");
    assert_int_equal(examine(&outcome), ATTEMPT_GONE);
}

// --- orders

static const struct job_variable own_path[] = {{"PATH", "/own"}, {"A", "b=c"}};

static char *prepare(struct job *job, const struct languages *languages, enum soma_code expected)
{
    struct order_settings settings = {
        .languages = languages, .path = "/bin", .changes_user = true, .uid = 7, .gid = 8};
    memcpy(job->id, id, sizeof id);
    job->status.attempt = 1;
    struct soma_error err;
    assert_int_equal(attempt_prepare(&scratch.root, &settings, job, &err), expected);
    char *order = NULL;
    if (expected == SOMA_OK)
        assert_int_equal(file_read_all(scratch.fd, "order", 1 << 20, &order, NULL, NULL, &err),
                         SOMA_OK);
    return order;
}

static void an_order_says_all_and_the_callers_environment_wins(void **state)
{
    (void)state;
    const char *argv[] = {"/bin/echo", "a b"};
    struct languages languages;
    languages_init(&languages);
    struct job job = {.spec = {.argv = argv,
                               .argc = 2,
                               .environment = own_path,
                               .environment_count = 2,
                               .limits = {.wall_time_ms = 11, .output_bytes = 12}}};
    char *order = prepare(&job, &languages, SOMA_OK);
    assert_non_null(strstr(order, "argv 9\n/bin/echo\nargv 3\na b\n"));
    assert_non_null(strstr(order, "env 9\nPATH=/own\n"));
    assert_null(strstr(order, "PATH=/bin"));
    assert_non_null(strstr(order, "env 5\nA=b=c\n"));
    assert_non_null(strstr(order, "SOMA_JOB_ID=00000000000000000001\n"));
    assert_non_null(strstr(order, "/1/work\n"));
    assert_non_null(strstr(order, "wall_time_ms 2\n11\n"));
    assert_non_null(strstr(order, "uid 1\n7\ngid 1\n8\n"));
    free(order);
}

// A server may be killed between making a directory and opening it to the job's user.
static void directories_that_are_there_are_opened_to_the_jobs_user(void **state)
{
    (void)state;
    const char *argv[] = {"/bin/true"};
    struct languages languages;
    languages_init(&languages);
    struct job job = {.spec = {.argv = argv, .argc = 1}};
    assert_int_equal(fchmodat(scratch.root.fd, id, 0700, 0), 0);
    assert_int_equal(fchmod(scratch.fd, 0700), 0);
    free(prepare(&job, &languages, SOMA_OK));
    struct stat of_job, of_attempt;
    assert_int_equal(fstatat(scratch.root.fd, id, &of_job, 0), 0);
    assert_int_equal(fstat(scratch.fd, &of_attempt), 0);
    assert_int_equal(of_job.st_mode & 0777, 0711);
    assert_int_equal(of_attempt.st_mode & 0777, 0711);
}

static void source_goes_to_its_languages_interpreter(void **state)
{
    (void)state;
    const char *argv[] = {"-v"};
    struct languages languages;
    languages_init(&languages);
    bool offered;
    assert_int_equal(languages_add(&languages, "sh", "sh -e", "/nowhere:/bin", &offered, NULL),
                     SOMA_OK);
    assert_true(offered);
    struct job job = {.spec = {.language = "sh",
                               .argv = argv,
                               .argc = 1,
                               .source = (const uint8_t *)"exit 0",
                               .source_length = 6}};
    char *order = prepare(&job, &languages, SOMA_OK);
    assert_non_null(strstr(order, "argv 2\nsh\nargv 2\n-e\nargv 7\nmain.sh\nfile_name 7\nmain.sh\n"
                                  "file_bytes 6\nexit 0\nargv 2\n-v\n"));
    free(order);
    job.spec.language = "gone";
    prepare(&job, &languages, SOMA_INVALID_ARGUMENT);
    languages_fini(&languages);
}

static void only_installed_interpreters_are_offered(void **state)
{
    (void)state;
    struct languages languages;
    languages_init(&languages);
    bool offered = true;
    struct soma_error err;
    assert_int_equal(languages_add(&languages, "x", "no-such-program -u", "/bin", &offered, &err),
                     SOMA_OK);
    assert_false(offered);
    assert_null(languages_find(&languages, "x"));
    assert_int_equal(languages_add(&languages, "Bad Name", "sh", "/bin", NULL, &err),
                     SOMA_INVALID_ARGUMENT);
    assert_int_equal(languages_add(&languages, "sh", "  ", "/bin", NULL, &err),
                     SOMA_INVALID_ARGUMENT);
    assert_int_equal(languages_add(&languages, "sh", "/bin/sh", "", &offered, &err), SOMA_OK);
    assert_true(offered);
    assert_int_equal(languages_add(&languages, "sh", "/bin/sh", "", NULL, &err),
                     SOMA_INVALID_ARGUMENT);
    languages_fini(&languages);
}

// --- texts and output

static void a_runners_text_becomes_one_clean_line(void **state)
{
    (void)state;
    char text[12];
    outcome_clean_text(text, sizeof text,
                       "a\nb\x1b\xff"
                       "c",
                       6);
    assert_string_equal(text, "a b ?c");
    outcome_clean_text(text, sizeof text, "0123456789\xc3\xa4", 12);
    assert_string_equal(text, "0123456789");
    outcome_clean_text(text, sizeof text, "012345678\xc3\xa4z", 12);
    assert_string_equal(text, "012345678\xc3\xa4");
}

static void progress_is_a_percentage_or_nothing(void **state)
{
    (void)state;
    double percent = -1;
    char message[JOB_NOTE_BYTES + 1];
    static const char *const bad[] = {"", "x", "101 a", "-1", "nan a", "5x a", " 5"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(progress_read(bad[i], strlen(bad[i]), &percent, message));
    assert_true(progress_read("100", 3, &percent, message));
    assert_true(percent > 99.9);
    assert_string_equal(message, "");
    assert_true(progress_read("40 epoch 4/10", 13, &percent, message));
    assert_string_equal(message, "epoch 4/10");
}

static void output_is_read_by_offset_within_bounds(void **state)
{
    (void)state;
    put_text("stdout", "0123456789");
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct output_piece piece;
    assert_int_equal(output_read(&scratch.root, id, 1, false, 3, 4, &arena, &piece, NULL), SOMA_OK);
    assert_int_equal(piece.length, 4);
    assert_memory_equal(piece.bytes, "3456", 4);
    assert_int_equal(piece.size, 10);
    assert_int_equal(output_read(&scratch.root, id, 1, false, 11, 4, &arena, &piece, NULL),
                     SOMA_OK);
    assert_int_equal(piece.length, 0);
    assert_int_equal(piece.size, 10);
    assert_int_equal(output_read(&scratch.root, id, 1, true, 0, 4, &arena, &piece, NULL), SOMA_OK);
    assert_int_equal(piece.size, 0);
    arena_fini(&arena);
}

#define ATTEMPT_TEST(name) cmocka_unit_test_setup_teardown(name, make_attempt, remove_attempt)

static void a_job_is_measured_as_far_as_there_is_time(void **state)
{
    (void)state;
    int64_t entries = 100;
    put_file("stdout", "12345", 5);
    put_file("stderr", "123", 3);
    assert_int_equal(symlinkat("/etc", scratch.fd, "link"), 0);
    assert_int_equal(attempt_measure(&scratch.root, id, &entries), 8);
    assert_int_equal(entries, 100 - 4);
    entries = 1; // the attempt's directory
    assert_int_equal(attempt_measure(&scratch.root, id, &entries), 0);
    assert_int_equal(entries, 0);
    assert_int_equal(attempt_measure(&scratch.root, id, &entries), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ATTEMPT_TEST(without_a_record_the_program_never_ran),
        ATTEMPT_TEST(a_torn_record_is_none),
        ATTEMPT_TEST(a_missing_directory_never_ran),
        ATTEMPT_TEST(a_job_is_measured_as_far_as_there_is_time),
        ATTEMPT_TEST(a_held_lock_is_a_running_attempt_whatever_else_is_there),
        ATTEMPT_TEST(a_status_is_the_end),
        ATTEMPT_TEST(a_record_without_a_status_is_lost_with_the_output_that_is_there),
        ATTEMPT_TEST(a_damaged_status_is_lost),
        ATTEMPT_TEST(an_order_says_all_and_the_callers_environment_wins),
        ATTEMPT_TEST(directories_that_are_there_are_opened_to_the_jobs_user),
        ATTEMPT_TEST(source_goes_to_its_languages_interpreter),
        ATTEMPT_TEST(only_installed_interpreters_are_offered),
        ATTEMPT_TEST(a_runners_text_becomes_one_clean_line),
        ATTEMPT_TEST(progress_is_a_percentage_or_nothing),
        ATTEMPT_TEST(output_is_read_by_offset_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
