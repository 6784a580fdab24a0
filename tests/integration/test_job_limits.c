// soma-runner: each limit ends a job, or holds it, and the reason says which one it was.
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "runner_kit.h"

static struct attempt *limited(const char *script, const char *key, int64_t value)
{
    struct attempt *attempt = attempt_new();
    attempt_order_script(attempt, script);
    attempt_limit(attempt, key, value);
    return attempt;
}

static void run_out_of(struct attempt *attempt, const char *reason)
{
    attempt_run(attempt);
    assert_true(attempt_text_is(attempt, "reason", reason));
    assert_int_equal(attempt_processes(attempt), 0);
}

#define HOG                                                                    \
    "python3 -I -S -c \"import time\nhog = bytearray()\nfor i in range(40):\n" \
    "    hog.extend(b'x' * 10000000); time.sleep(0.02)\ntime.sleep(1000)\""

static void memory_is_limited(void **state)
{
    (void)state;
    struct attempt *attempt = limited(HOG " & wait", "memory_bytes", 67108864);
    run_out_of(attempt, "memory_limit");
    assert_true(attempt_text_has(attempt, "message", "the memory limit was passed"));
    assert_true(attempt_number(attempt, "peak_bytes") > 67108864);
    assert_true(attempt_text_has(attempt, "isolation", "+memory looked at"));
    attempt_free(attempt);
}

// A program with many shares of the same pages uses them once.
static void shared_memory_counts_once(void **state)
{
    (void)state;
    struct attempt *attempt = limited(
        "python3 -I -S -c \"import os, time\nhog = b'x' * 60000000\nfor i in range(5):\n"
        "    if os.fork() == 0: time.sleep(0.7); os._exit(0)\nfor i in range(5): os.wait()\"",
        "memory_bytes", 150000000);
    attempt_run(attempt);
    assert_true(attempt_text_is(attempt, "reason", "exited"));
    assert_int_equal(attempt_number(attempt, "exit_code"), 0);
    attempt_free(attempt);
}

static void a_plain_kill_is_no_memory_limit(void **state)
{
    (void)state;
    struct attempt *attempt = limited("kill -9 $$", "memory_bytes", 67108864);
    run_out_of(attempt, "signaled");
    assert_int_equal(attempt_number(attempt, "signal"), SIGKILL);
    attempt_free(attempt);
}

// Where this process may make cgroups: the folder, otherwise NULL.
static const char *find_cgroup(void)
{
    static char path[PATH_MAX];
    char line[1024];
    bool is_made = false;
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && !is_made && fgets(line, sizeof line, file)) {
        const char *at = strstr(line, ":memory:/");
        line[strcspn(line, "\n")] = '\0';
        if (!at)
            continue;
        snprintf(path, sizeof path, "/sys/fs/cgroup/memory%s/soma-test.%d", at + 8, (int)getpid());
        is_made = mkdir(path, 0755) == 0;
    }
    if (file)
        fclose(file);
    return is_made ? path : NULL;
}

static void the_kernel_holds_the_memory_limit_in_a_cgroup(void **state)
{
    (void)state;
    const char *path = find_cgroup();
    if (!path) {
        printf("# no cgroups here: memory is polled, as memory_is_limited has seen\n");
        return;
    }
    struct attempt *attempt = attempt_new();
    attempt_order_script(attempt, "exec " HOG);
    attempt_limit(attempt, "memory_bytes", 67108864);
    fields_put_text(&attempt->order, "cgroup1_memory", path);
    run_out_of(attempt, "memory_limit");
    assert_true(attempt_text_has(attempt, "message", "the kernel killed the program"));
    assert_true(attempt_text_has(attempt, "isolation", "+memory a cgroup"));
    attempt_free(attempt);
    // The attempt's own is gone, or this one could not go.
    assert_int_equal(rmdir(path), 0);
}

static void cpu_time_of_the_whole_tree_is_limited(void **state)
{
    (void)state;
    struct attempt *attempt =
        limited("for i in 1 2 3; do (while :; do :; done) & done; wait", "cpu_time_ms", 600);
    run_out_of(attempt, "cpu_limit");
    assert_true(attempt_number(attempt, "user_ms") + attempt_number(attempt, "system_ms") >= 550);
    attempt_free(attempt);
}

// Children that burn so many hundredths of a second, one after the other.
#define BURN(count, hundredths)                                             \
    "import os, signal, sys, time\n"                                        \
    "if len(sys.argv) > 1: signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n" \
    "for i in range(" count "):\n"                                          \
    "    if os.fork() == 0:\n"                                              \
    "        while time.process_time() < 0." hundredths ": pass\n"          \
    "        os._exit(0)\n"                                                 \
    "    try: os.wait()\n"                                                  \
    "    except ChildProcessError: pass\n"

static void children_that_nobody_waits_for_count_as_well(void **state)
{
    (void)state;
    struct attempt *attempt =
        limited("exec python3 -I -S -c '" BURN("60", "30") "' deaf", "cpu_time_ms", 1500);
    run_out_of(attempt, "cpu_limit");
    assert_true(attempt_number(attempt, "user_ms") + attempt_number(attempt, "system_ms") >= 1400);
    attempt_free(attempt);
}

static void children_that_are_waited_for_count_once(void **state)
{
    (void)state;
    struct attempt *attempt =
        limited("exec python3 -I -S -c '" BURN("30", "05") "'", "cpu_time_ms", 4000);
    attempt_run(attempt);
    assert_true(attempt_text_is(attempt, "reason", "exited"));
    assert_in_range(attempt_number(attempt, "user_ms") + attempt_number(attempt, "system_ms"), 1200,
                    3500);
    attempt_free(attempt);
}

static void the_work_directory_is_limited(void **state)
{
    (void)state;
    // Deeper than a path can be long.
    struct attempt *attempt =
        limited("d=0123456789012345678901234567890123456789; i=0; "
                "while [ $i -lt 120 ]; do mkdir $d && cd $d; i=$((i+1)); done; "
                "head -c 8000000 /dev/zero > fill; sleep 1000",
                "disk_bytes", 4000000);
    run_out_of(attempt, "disk_limit");
    assert_true(attempt_number(attempt, "disk_bytes") > 4000000);
    attempt_free(attempt);
}

static void more_output_than_allowed_may_end_a_job(void **state)
{
    (void)state;
    struct attempt *attempt = limited("yes; sleep 1000", "output_bytes", 100000);
    attempt_limit(attempt, "output_end", 1);
    run_out_of(attempt, "output_limit");
    assert_int_equal(attempt_number(attempt, "stdout_kept"), 100000);
    attempt_free(attempt);
}

// In the plain form; the others differ only in what stands around the job.
static void ten_gigabytes_of_output_are_counted(void **state)
{
    (void)state;
    int64_t bytes = INT64_C(100) << 20;
    if (kit_is_root() && strcmp(kit_sandbox(), "off") == 0)
        bytes = INT64_C(10) << 30;
    char script[64];
    snprintf(script, sizeof script, "head -c %lld /dev/zero", (long long)bytes);
    struct attempt *attempt = limited(script, "output_bytes", 1000000);
    run_out_of(attempt, "exited");
    assert_int_equal(attempt_number(attempt, "exit_code"), 0);
    assert_int_equal(attempt_number(attempt, "stdout_kept"), 1000000);
    assert_int_equal(attempt_number(attempt, "stdout_dropped"), bytes - 1000000);
    attempt_free(attempt);
}

#define BOMB                                                                               \
    "exec python3 -I -S -c \"import os, signal, time\nsignal.signal(15, signal.SIG_IGN)\n" \
    "while True:\n    try: os.fork()\n    except OSError: time.sleep(0.01)\""

static void a_fork_bomb_is_held_and_ended(void **state)
{
    (void)state;
    struct attempt *attempt = limited(BOMB, "processes", 30);
    attempt_limit(attempt, "wall_time_ms", 1000);
    attempt_limit(attempt, "kill_grace_ms", 200);
    run_out_of(attempt, "wall_timeout");
    // Outside of namespaces the limit lies above what this user's other processes are.
    bool is_alone = strcmp(kit_sandbox(), "namespaces") == 0;
    assert_in_range(attempt_number(attempt, "killed_count"), 5, is_alone ? 31 : 500);
    attempt_free(attempt);
}

static void files_and_descriptors_are_limited(void **state)
{
    (void)state;
    struct attempt *attempt = limited("ulimit -n; ulimit -Hn; trap '' XFSZ; "
                                      "head -c 300000 /dev/zero > file; wc -c < file",
                                      "open_files", 77);
    attempt_limit(attempt, "max_file_bytes", 100000);
    attempt_run(attempt);
    assert_true(attempt_file_is(attempt, "stdout", "77\n77\n100000\n"));
    attempt_free(attempt);
}

static void tmp_is_limited_in_namespaces(void **state)
{
    (void)state;
    struct attempt *attempt = limited(
        "head -c 3000000 /dev/zero > /tmp/fill; head -c 3000000 /dev/zero > /dev/shm/fill; "
        // A sanitizer's runtime has some pages of its own there.
        "for file in /tmp/fill /dev/shm/fill; do "
        "size=$(wc -c < $file); [ $size -gt 500000 ] && [ $size -le 1048576 ] && echo held; done",
        "tmp_bytes", 1048576);
    attempt_run(attempt);
    if (attempt_text_has(attempt, "isolation", "+namespaces"))
        assert_true(attempt_file_is(attempt, "stdout", "held\nheld\n"));
    attempt_free(attempt);
}

static void what_was_used_is_told(void **state)
{
    (void)state;
    struct attempt *attempt = attempt_new();
    attempt_order_script(attempt,
                         "head -c 1000000 /dev/zero > file; (i=0; while [ $i -lt 200000 ]; do "
                         "i=$((i+1)); done) & wait");
    attempt_run(attempt);
    assert_int_equal(attempt_number(attempt, "exit_code"), 0);
    assert_true(attempt_number(attempt, "disk_bytes") >= 1000000);
    assert_true(attempt_number(attempt, "user_ms") > 0);
    assert_true(attempt_number(attempt, "peak_bytes") > 0);
    attempt_free(attempt);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_limited),
        cmocka_unit_test(shared_memory_counts_once),
        cmocka_unit_test(a_plain_kill_is_no_memory_limit),
        cmocka_unit_test(the_kernel_holds_the_memory_limit_in_a_cgroup),
        cmocka_unit_test(cpu_time_of_the_whole_tree_is_limited),
        cmocka_unit_test(children_that_nobody_waits_for_count_as_well),
        cmocka_unit_test(children_that_are_waited_for_count_once),
        cmocka_unit_test(the_work_directory_is_limited),
        cmocka_unit_test(more_output_than_allowed_may_end_a_job),
        cmocka_unit_test(ten_gigabytes_of_output_are_counted),
        cmocka_unit_test(a_fork_bomb_is_held_and_ended),
        cmocka_unit_test(files_and_descriptors_are_limited),
        cmocka_unit_test(tmp_is_limited_in_namespaces),
        cmocka_unit_test(what_was_used_is_told),
    };
    kit_open(argc, argv);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kit_close();
    return failed;
}
