// soma-runner: how a program is started, what it may see, what is kept of its output.
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "runner_kit.h"

// Runs the script to its end.
static struct attempt *run_script(const char *script)
{
    struct attempt *attempt = attempt_new();
    attempt_order_script(attempt, script);
    attempt_run(attempt);
    return attempt;
}

static void the_exit_code_is_told(void **state)
{
    (void)state;
    struct attempt *attempt = run_script("exit 3");
    assert_true(attempt_text_is(attempt, "reason", "exited"));
    assert_int_equal(attempt_number(attempt, "exit_code"), 3);
    assert_int_equal(attempt_number(attempt, "signal"), 0);
    assert_true(attempt_number(attempt, "started_unix_ms") > 0);
    assert_true(attempt_number(attempt, "finished_unix_ms") >=
                attempt_number(attempt, "started_unix_ms"));
    assert_true(attempt_number(attempt, "peak_bytes") > 0);
    // Few files stay, and none that nobody needed is made.
    assert_false(attempt_has(attempt, "control"));
    assert_false(attempt_has(attempt, "stdout"));
    assert_false(attempt_has(attempt, "stderr"));
    assert_false(attempt_has(attempt, "log"));
    attempt_free(attempt);
}

static void a_signal_is_told(void **state)
{
    (void)state;
    struct attempt *attempt = run_script("kill -9 $$");
    assert_true(attempt_text_is(attempt, "reason", "signaled"));
    assert_int_equal(attempt_number(attempt, "signal"), 9);
    assert_int_equal(attempt_number(attempt, "killed_count"), 0);
    assert_true(attempt_text_has(attempt, "message", "SIGKILL"));
    attempt_free(attempt);
}

static struct attempt *run_word(const char *word)
{
    struct attempt *attempt = attempt_new();
    attempt_order(attempt, (const char *const[]){word, NULL});
    if (word[0] == '/')
        fields_put_text(&attempt->order, "read_path", word);
    attempt_run(attempt);
    assert_true(attempt_text_is(attempt, "reason", "start_failed"));
    assert_true(attempt_text_has(attempt, "message", word));
    assert_true(attempt_file_size(attempt, "lock") > 0);
    return attempt;
}

static void what_cannot_be_executed_is_126_or_127(void **state)
{
    (void)state;
    struct attempt *attempt = run_word("no-such-program-anywhere");
    assert_int_equal(attempt_number(attempt, "exit_code"), 127);
    attempt_free(attempt);
    attempt = run_word("/etc/passwd/none");
    assert_int_equal(attempt_number(attempt, "exit_code"), 127);
    attempt_free(attempt);
    attempt = run_word("/etc/passwd");
    assert_int_equal(attempt_number(attempt, "exit_code"), 126);
    attempt_free(attempt);
}

// A shell would try to run it line by line.
static void a_file_of_no_known_format_is_not_handed_to_a_shell(void **state)
{
    (void)state;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s.garbage", kit_runner());
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    assert_int_equal(fd_write_all(fd, "echo ran\n", 9), 0);
    close(fd);
    struct attempt *attempt = run_word(path);
    assert_int_equal(attempt_number(attempt, "exit_code"), 126);
    attempt_free(attempt);
}

static void standard_input_arrives_whole(void **state)
{
    (void)state;
    enum {
        LENGTH = 1048576
    };
    char *bytes = malloc(LENGTH);
    assert_non_null(bytes);
    for (int i = 0; i < LENGTH; i++)
        bytes[i] = (char)(i % 251);
    struct attempt *attempt = attempt_new();
    attempt_order(attempt, (const char *const[]){"cat", NULL});
    fields_put(&attempt->order, "stdin", bytes, LENGTH);
    attempt_run(attempt);
    char *output = attempt_read(attempt, "stdout");
    assert_int_equal(attempt_file_size(attempt, "stdout"), LENGTH);
    assert_memory_equal(output, bytes, LENGTH);
    free(output);
    free(bytes);
    attempt_free(attempt);
}

static void without_input_there_is_an_end_of_file(void **state)
{
    (void)state;
    struct attempt *attempt = run_script("wc -c");
    assert_true(attempt_file_is(attempt, "stdout", "0\n"));
    attempt_free(attempt);
}

static void both_streams_are_kept_whole_and_apart(void **state)
{
    (void)state;
    struct attempt *attempt = run_script("for i in $(seq 20000); do echo out $i; done & "
                                         "for i in $(seq 20000); do echo err $i >&2; done; wait");
    char *out = attempt_read(attempt, "stdout");
    char *err = attempt_read(attempt, "stderr");
    assert_null(strstr(out, "err"));
    assert_null(strstr(err, "out"));
    assert_non_null(strstr(out, "out 20000\n"));
    assert_non_null(strstr(err, "err 20000\n"));
    assert_int_equal(strlen(out), strlen(err));
    assert_int_equal(attempt_number(attempt, "stdout_kept"), strlen(out));
    free(out);
    free(err);
    attempt_free(attempt);
}

static void output_past_the_cap_is_read_and_counted(void **state)
{
    (void)state;
    struct attempt *attempt = attempt_new();
    attempt_order_script(attempt, "head -c 100000000 /dev/zero; head -c 65537 /dev/zero >&2");
    attempt_limit(attempt, "output_bytes", 33554431);
    attempt_run(attempt);
    assert_int_equal(attempt_number(attempt, "exit_code"), 0);
    assert_int_equal(attempt_number(attempt, "stdout_kept"), 33554431);
    assert_int_equal(attempt_number(attempt, "stdout_dropped"), 100000000 - 33554431);
    assert_int_equal(attempt_file_size(attempt, "stdout"), 33554431);
    assert_int_equal(attempt_number(attempt, "stderr_kept"), 65537);
    assert_int_equal(attempt_number(attempt, "stderr_dropped"), 0);
    attempt_free(attempt);
}

// The limit on the runner's files stands for a full disk.
static void a_disk_that_takes_no_more_ends_nothing(void **state)
{
    (void)state;
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){100000, before.rlim_max};
    struct attempt *attempt = attempt_new();
    attempt_order_script(attempt, "head -c 300000 /dev/zero; exit 4");
    attempt_write(attempt);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    attempt_start(attempt);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(attempt_wait(attempt), 0);
    assert_int_equal(attempt_number(attempt, "exit_code"), 4);
    assert_int_equal(attempt_number(attempt, "stdout_kept"), 100000);
    assert_int_equal(attempt_number(attempt, "stdout_dropped"), 200000);
    assert_true(attempt_text_has(attempt, "message", "stdout could not be kept whole"));
    attempt_free(attempt);
}

static void the_environment_is_what_was_ordered(void **state)
{
    (void)state;
    setenv("SOMA_SECRET", "of the server", 1);
    struct attempt *attempt = attempt_new();
    attempt_order(attempt, (const char *const[]){"env", NULL});
    fields_put_text(&attempt->order, "env", "GREETING=good = morning");
    attempt_run(attempt);
    char expected[2 * PATH_MAX];
    snprintf(expected, sizeof expected,
             "PATH=/usr/bin:/bin\n%s\nGREETING=good = morning\nSOMA_PROGRESS=%s/progress\n",
             attempt->cookie, attempt->path);
    assert_true(attempt_file_is(attempt, "stdout", expected));
    unsetenv("SOMA_SECRET");
    attempt_free(attempt);
}

// Descriptors, signal dispositions and masks of whoever starts the runner.
static void nothing_is_inherited(void **state)
{
    (void)state;
    int leak = dup2(STDERR_FILENO, 77);
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &before);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    struct attempt *attempt = attempt_new();
    attempt_order_script(attempt, "ls /proc/self/fd; "
                                  "grep -E '^Sig(Blk|Ign)' /proc/self/status; "
                                  "cat /proc/self/limits | grep 'core file'; exit 5");
    attempt_start(attempt);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(leak);
    assert_int_equal(attempt_wait(attempt), 0);
    assert_int_equal(attempt_number(attempt, "exit_code"), 5);
    char *output = attempt_read(attempt, "stdout");
    // 3 is the directory that ls reads.
    assert_non_null(
        strstr(output, "0\n1\n2\n3\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000"));
    assert_non_null(strstr(output, "Max core file size        0                    0 "));
    free(output);
    attempt_free(attempt);
}

static void a_program_has_no_privileges_and_gets_none(void **state)
{
    (void)state;
    gid_t servers_group = 4242;
    if (kit_is_root())
        assert_int_equal(setgroups(1, &servers_group), 0);
    struct attempt *attempt = run_script("id -u; id -G; grep -E '^(NoNewPrivs|CapEff)' "
                                         "/proc/self/status; echo again > /dev/stdout");
    assert_true(attempt_file_is(
        attempt, "stdout", "12345\n12345\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\nagain\n"));
    attempt_free(attempt);
}

static void a_job_is_never_run_as_root(void **state)
{
    (void)state;
    for (int names_user = 0; names_user < 2; names_user++) {
        struct attempt *attempt = attempt_new();
        struct fields_writer order;
        fields_writer_init(&order, 4096);
        fields_put_int(&order, "version", 1);
        fields_put_text(&order, "argv", "id");
        fields_put_int(&order, "wall_time_ms", 1000);
        fields_put_int(&order, "output_bytes", 1000);
        if (names_user) {
            fields_put_int(&order, "uid", 0);
            fields_put_int(&order, "gid", 0);
        }
        fields_writer_fini(&attempt->order);
        attempt->order = order;
        attempt_run(attempt);
        // An ordinary user's runner runs it as that user, but cannot change to another.
        bool runs = !kit_is_root() && !names_user;
        assert_true(attempt_text_is(attempt, "reason", runs ? "exited" : "start_failed"));
        if (!runs)
            assert_true(attempt_text_has(attempt, "message", "root"));
        attempt_free(attempt);
    }
}

static void the_source_lies_in_the_work_directory(void **state)
{
    (void)state;
    struct attempt *attempt = attempt_new();
    attempt_order(attempt, (const char *const[]){"sh", "main.sh", "word", NULL});
    fields_put_text(&attempt->order, "file_name", "main.sh");
    fields_put_text(&attempt->order, "file_bytes", "pwd; echo $1; umask; echo made > result\n");
    attempt_run(attempt);
    char expected[PATH_MAX + 64];
    snprintf(expected, sizeof expected, "%s/work\nword\n0077\n", attempt->path);
    assert_true(attempt_file_is(attempt, "stdout", expected));
    assert_true(attempt_file_is(attempt, "work/result", "made\n"));
    attempt_free(attempt);
}

// As if a runner had ended before its program began, and another job of its user had come by.
static void files_are_put_into_no_work_directory_that_was_left(void **state)
{
    (void)state;
    struct attempt *attempt = attempt_new();
    attempt_order(attempt, (const char *const[]){"sh", "main.sh", NULL});
    fields_put_text(&attempt->order, "file_name", "main.sh");
    fields_put_text(&attempt->order, "file_bytes", "ls\n");
    assert_int_equal(file_write_atomic(attempt->fd, "other", "kept", 4, 0600, NULL), SOMA_OK);
    assert_int_equal(mkdirat(attempt->fd, "work", 0700), 0);
    assert_int_equal(linkat(attempt->fd, "other", attempt->fd, "work/main.sh", 0), 0);
    attempt_run(attempt);
    assert_true(attempt_file_is(attempt, "stdout", "main.sh\n"));
    assert_true(attempt_file_is(attempt, "other", "kept"));
    attempt_free(attempt);
}

static void an_order_that_makes_no_sense_fails_the_start(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        const char *says;
    } rows[] = {
        {"version 1\n1\nargv 2\nid\nwall_time_ms 1\n9\noutput_bytes 1\n9\n", "torn"},
        {"argv 2\nid\nwall_time_ms 1\n9\noutput_bytes 1\n9\nend 0\n\n", "version"},
        {"version 1\n2\nargv 2\nid\nwall_time_ms 1\n9\noutput_bytes 1\n9\nend 0\n\n", "version"},
        {"version 1\n1\nwall_time_ms 1\n9\noutput_bytes 1\n9\nend 0\n\n", "argv"},
        {"version 1\n1\nargv 0\n\nwall_time_ms 1\n9\noutput_bytes 1\n9\nend 0\n\n", "argv"},
        {"version 1\n1\nargv 2\nid\nwall_time_ms 1\n0\noutput_bytes 1\n9\nend 0\n\n", "wall_time"},
        {"version 1\n1\nargv 2\nid\noutput_bytes 1\n9\nend 0\n\n", "wall_time_ms is missing"},
        {"version 1\n1\nargv 2\nid\nenv 1\nx\nwall_time_ms 1\n9\noutput_bytes 1\n9\nend 0\n\n",
         "env"},
        {"version 1\n1\nargv 2\nid\nfile_name 4\n../x\nwall_time_ms 1\n9\noutput_bytes 1\n9\n"
         "end 0\n\n",
         "file_name"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct attempt *attempt = attempt_new();
        struct soma_error err;
        assert_int_equal(file_write_atomic(attempt->fd, "order", rows[i].bytes,
                                           strlen(rows[i].bytes), 0600, &err),
                         SOMA_OK);
        attempt_run(attempt);
        assert_true(attempt_text_is(attempt, "reason", "start_failed"));
        assert_int_equal(attempt_number(attempt, "exit_code"), 125);
        assert_true(attempt_text_has(attempt, "message", rows[i].says));
        assert_true(attempt_file_size(attempt, "lock") > 0);
        attempt_free(attempt);
    }
}

static int start_again(struct attempt *attempt)
{
    attempt_start(attempt);
    return attempt_wait(attempt);
}

static void an_attempt_is_started_once(void **state)
{
    (void)state;
    struct attempt *attempt = attempt_new();
    attempt_order_script(attempt, "echo ran; exec sleep 1000");
    attempt_limit(attempt, "wall_time_ms", 1500);
    attempt_start(attempt);
    attempt_wait_for_text(attempt, "stdout", "ran");
    pid_t first = attempt->pid;
    assert_int_equal(start_again(attempt), 3);
    attempt->pid = first;
    assert_int_equal(attempt_wait(attempt), 0);
    int64_t finished = attempt_number(attempt, "finished_unix_ms");
    assert_int_equal(start_again(attempt), 3);
    assert_int_equal(unlinkat(attempt->fd, "status", 0), 0);
    assert_int_equal(start_again(attempt), 3);
    assert_true(finished > 0);
    assert_true(attempt_file_is(attempt, "stdout", "ran\n"));
    attempt_free(attempt);
}

static void without_an_order_nothing_is_done(void **state)
{
    (void)state;
    struct attempt *attempt = attempt_new();
    attempt_order_script(attempt, "echo ran");
    attempt_write(attempt);
    // What a server does that queues the attempt again.
    assert_int_equal(renameat(attempt->fd, "order", attempt->fd, "taken-back"), 0);
    attempt->pid = fork();
    if (attempt->pid == 0) {
        execl(kit_runner(), "soma-runner", "--attempt", attempt->path, (char *)NULL);
        _exit(99);
    }
    assert_int_equal(attempt_wait(attempt), 3);
    assert_false(attempt_has(attempt, "status"));
    assert_int_equal(attempt_file_size(attempt, "lock"), 0);
    // And a lock that somebody holds for a moment.
    assert_int_equal(renameat(attempt->fd, "taken-back", attempt->fd, "order"), 0);
    int lock_fd = openat(attempt->fd, "lock", O_RDWR | O_CLOEXEC);
    assert_int_equal(flock(lock_fd, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(start_again(attempt), 3);
    close(lock_fd);
    assert_int_equal(start_again(attempt), 0);
    assert_true(attempt_file_is(attempt, "stdout", "ran\n"));
    attempt_free(attempt);
}

static void the_last_progress_stands_in_the_status(void **state)
{
    (void)state;
    struct attempt *attempt = run_script("echo 10 first > $SOMA_PROGRESS; echo junk > "
                                         "$SOMA_PROGRESS; echo '99.5% last one' > $SOMA_PROGRESS");
    assert_true(attempt_text_is(attempt, "progress", "99.5 last one"));
    attempt_free(attempt);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exit_code_is_told),
        cmocka_unit_test(a_signal_is_told),
        cmocka_unit_test(what_cannot_be_executed_is_126_or_127),
        cmocka_unit_test(a_file_of_no_known_format_is_not_handed_to_a_shell),
        cmocka_unit_test(standard_input_arrives_whole),
        cmocka_unit_test(without_input_there_is_an_end_of_file),
        cmocka_unit_test(both_streams_are_kept_whole_and_apart),
        cmocka_unit_test(output_past_the_cap_is_read_and_counted),
        cmocka_unit_test(a_disk_that_takes_no_more_ends_nothing),
        cmocka_unit_test(the_environment_is_what_was_ordered),
        cmocka_unit_test(nothing_is_inherited),
        cmocka_unit_test(a_program_has_no_privileges_and_gets_none),
        cmocka_unit_test(a_job_is_never_run_as_root),
        cmocka_unit_test(the_source_lies_in_the_work_directory),
        cmocka_unit_test(files_are_put_into_no_work_directory_that_was_left),
        cmocka_unit_test(an_order_that_makes_no_sense_fails_the_start),
        cmocka_unit_test(an_attempt_is_started_once),
        cmocka_unit_test(without_an_order_nothing_is_done),
        cmocka_unit_test(the_last_progress_stands_in_the_status),
    };
    kit_open(argc, argv);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kit_close();
    return failed;
}
