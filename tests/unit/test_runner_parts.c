// soma-runner's parts: progress lines, the ladder of an ending, capture, packets, orders.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fields.h"
#include "base/file.h"
#include "config/config.h"
#include "runner/capture.h"
#include "runner/cgroup.h"
#include "runner/ending.h"
#include "runner/link.h"
#include "runner/order.h"
#include "runner/packet.h"
#include "runner/progress.h"
#include "runner/sandbox.h"

// --- progress

static bool feed(struct progress *progress, const char *text)
{
    return progress_feed(progress, text, strlen(text));
}

static void progress_lines_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        double percent;
        const char *text;
    } rows[] = {
        {"40 epoch 4/10\n", 40, "epoch 4/10"},
        {"0\n", 0, ""},
        {"100\n", 100, ""},
        {"12.5%\n", 12.5, ""},
        {"  7   spaced\r\n", 7, "spaced"},
        {"99.999 \xc3\xa9t\xc3\xa9\n", 99.999, "\xc3\xa9t\xc3\xa9"},
        {"1 tab\tbell\a\n", 1, "tab bell"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct progress progress = {0};
        assert_true(feed(&progress, rows[i].line));
        assert_true(progress.is_known);
        assert_float_equal(progress.percent, rows[i].percent, 1e-9);
        assert_string_equal(progress.text, rows[i].text);
    }
}

static void junk_is_no_progress(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",         "\n",       "fast\n", "101\n",
        "-1\n",     "inf\n",    "nan\n",  "0x10\n",
        "1e1\n",    "1.2.3\n",  ".\n",    "50percent\n",
        "5 \xff\n", "5 \xc3\n", "40",     "1234567890123456789012345\n"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct progress progress = {0};
        assert_false(feed(&progress, lines[i]));
        assert_false(progress.is_known);
    }
    struct progress progress = {0};
    assert_false(progress_feed(&progress, "5 a\0b\n", 6));
}

static void progress_may_come_in_pieces_and_too_long(void **state)
{
    (void)state;
    struct progress progress = {0};
    assert_false(feed(&progress, "4"));
    assert_false(feed(&progress, "2 ha"));
    assert_true(feed(&progress, "lf\n43"));
    assert_float_equal(progress.percent, 42, 0);
    assert_string_equal(progress.text, "half");
    assert_true(feed(&progress, " more\n"));
    assert_float_equal(progress.percent, 43, 0);
    // 2 bytes a character; both the line's room and the text's end in the middle of one.
    feed(&progress, "44 ");
    for (int i = 0; i < 1000; i++)
        assert_false(feed(&progress, "\xc3\xa9"));
    assert_true(feed(&progress, "\n"));
    assert_float_equal(progress.percent, 44, 0);
    assert_int_equal(strlen(progress.text), PROGRESS_TEXT_MAX - 1);
    char text[PROGRESS_FORMAT_SIZE];
    progress_format(&progress, text);
    assert_memory_equal(text, "44 \xc3\xa9", 5);
    assert_true(feed(&progress, "45\n"));
    progress_format(&progress, text);
    assert_string_equal(text, "45");
}

// --- the ending

static int64_t now_ms;

static int64_t fake_now(void)
{
    return now_ms;
}

static struct ending begin(int64_t wall_time_ms)
{
    static const struct clock_source source = {fake_now, fake_now};
    clock_use(&source);
    now_ms = 1000;
    struct ending ending;
    ending_init(&ending, clock_deadline_after(wall_time_ms));
    return ending;
}

static int stop_fake_clock(void **state)
{
    (void)state;
    clock_use(NULL);
    return 0;
}

static void the_ladder_is_asked_then_killed(void **state)
{
    (void)state;
    struct ending ending = begin(5000);
    assert_int_equal(ending_check_deadline(&ending, 300), ACTION_NONE);
    now_ms += 5000;
    assert_int_equal(ending_check_deadline(&ending, 300), ACTION_TERMINATE);
    assert_int_equal(ending.cause, CAUSE_WALL_TIME);
    now_ms += 299;
    assert_int_equal(ending_check_deadline(&ending, 300), ACTION_NONE);
    now_ms += 1;
    assert_int_equal(ending_check_deadline(&ending, 300), ACTION_KILL);
    // Again and again, at most a minute.
    int rounds = 0;
    for (int64_t begun = now_ms; ending.phase != PHASE_OVER; rounds++) {
        assert_true(now_ms <= begun + ENDING_GIVE_UP_MS + 250);
        now_ms = ending.deadline.ms;
        ending_check_deadline(&ending, 300);
    }
    assert_true(rounds > 200);
    assert_int_equal(ending.cause, CAUSE_WALL_TIME);
}

static void the_first_cause_stays_and_a_later_one_only_shortens(void **state)
{
    (void)state;
    struct ending ending = begin(5000);
    assert_int_equal(ending_ask(&ending, CAUSE_CANCEL, 1000), ACTION_TERMINATE);
    assert_int_equal(ending_ask(&ending, CAUSE_SHUTDOWN, 9000), ACTION_NONE);
    assert_int_equal(ending.deadline.ms, now_ms + 1000);
    assert_int_equal(ending_ask(&ending, CAUSE_SHUTDOWN, 500), ACTION_NONE);
    assert_int_equal(ending.deadline.ms, now_ms + 500);
    assert_int_equal(ending_ask(&ending, CAUSE_CANCEL, 0), ACTION_KILL);
    assert_int_equal(ending_ask(&ending, CAUSE_CANCEL, 0), ACTION_NONE);
    ending_note_tree(&ending, true, false);
    assert_int_equal(ending.phase, PHASE_KILLING);
    ending_note_tree(&ending, true, true);
    assert_int_equal(ending.phase, PHASE_OVER);
    assert_int_equal(ending.cause, CAUSE_CANCEL);
}

static void what_is_left_behind_has_half_a_second(void **state)
{
    (void)state;
    struct ending ending = begin(5000);
    ending_note_tree(&ending, false, false);
    assert_int_equal(ending.phase, PHASE_RUNS);
    ending_note_tree(&ending, true, false);
    assert_int_equal(ending.phase, PHASE_LEFT_BEHIND);
    assert_int_equal(ending_ask(&ending, CAUSE_CANCEL, 1000), ACTION_NONE);
    assert_int_equal(ending.deadline.ms, now_ms + ENDING_LEFT_BEHIND_MS);
    ending_note_tree(&ending, true, false); // does not begin anew
    now_ms += ENDING_LEFT_BEHIND_MS;
    assert_int_equal(ending_check_deadline(&ending, 1000), ACTION_KILL);
    assert_int_equal(ending.cause, CAUSE_MAIN_ENDED);
}

// --- capture

static int synced_fd = -1;

int __real_fsync(int fd);
int __wrap_fsync(int fd);

int __wrap_fsync(int fd)
{
    synced_fd = fd;
    return __real_fsync(fd);
}

static void a_capture_is_exact_at_its_cap(void **state)
{
    (void)state;
    for (int64_t cap = 0; cap <= 10; cap++) {
        int pair[2];
        char path[] = "/tmp/soma-capture-XXXXXX";
        assert_non_null(mkdtemp(path));
        int directory_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(pipe2(pair, O_CLOEXEC | O_NONBLOCK), 0);
        struct capture capture = {
            .pipe_fd = pair[0], .directory_fd = directory_fd, .file_fd = -1, .cap_bytes = cap};
        assert_false(capture_read(&capture));
        assert_int_not_equal(faccessat(directory_fd, "stdout", F_OK, 0), 0);
        assert_int_equal(write(pair[1], "abcd", 4), 4);
        assert_true(capture_read(&capture));
        assert_int_equal(write(pair[1], "efg", 3), 3);
        close(pair[1]);
        capture_finish(&capture);
        synced_fd = -1;
        int written_fd = capture.file_fd;
        capture_close(&capture);
        assert_int_equal(synced_fd, written_fd);
        assert_int_equal(capture.write_errnum, 0);
        int64_t kept = cap < 7 ? cap : 7;
        assert_int_equal(capture.kept_bytes, kept);
        assert_int_equal(capture.dropped_bytes, 7 - kept);
        assert_int_equal(capture.pipe_fd, -1);
        char bytes[16] = "";
        int file_fd = openat(directory_fd, "stdout", O_RDONLY | O_CLOEXEC);
        assert_int_equal(file_fd >= 0, kept > 0);
        assert_true(kept == 0 || pread(file_fd, bytes, sizeof bytes, 0) == kept);
        assert_memory_equal(bytes, "abcdefg", (size_t)kept);
        close(file_fd);
        close(directory_fd);
        assert_int_equal(directory_remove_all(AT_FDCWD, path, NULL, NULL), SOMA_OK);
    }
}

static void a_file_that_cannot_be_written_keeps_a_prefix(void **state)
{
    (void)state;
    int pair[2];
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pipe2(pair, O_CLOEXEC | O_NONBLOCK), 0);
    struct capture capture = {.pipe_fd = pair[0], .file_fd = full, .cap_bytes = 100};
    assert_int_equal(write(pair[1], "abcd", 4), 4);
    assert_true(capture_read(&capture));
    assert_int_equal(capture.write_errnum, ENOSPC);
    assert_int_equal(capture.kept_bytes, 0);
    assert_int_equal(capture.dropped_bytes, 4);
    close(pair[1]);
    capture_finish(&capture);
    capture_close(&capture);
}

// --- the sandbox's arguments

static const char *resolver; // what /etc/resolv.conf leads to

char *__wrap_realpath(const char *path, char *ret_path);

char *__wrap_realpath(const char *path, char *ret_path)
{
    assert_string_equal(path, "/etc/resolv.conf");
    assert_null(ret_path);
    return strdup(resolver);
}

// How often the two words stand one behind the other.
static int count_pairs(const struct order *order, const char *first, const char *second)
{
    struct sandbox_args args;
    int count = 0;
    assert_true(sandbox_args_make(order, "/var/lib/soma/jobs/1/1", &args));
    for (const char **word = args.words; word[0] && word[1]; word++)
        count += strcmp(word[0], first) == 0 && strcmp(word[1], second) == 0;
    free(args.words);
    free(args.texts);
    return count;
}

static void names_are_looked_up_where_the_resolver_leads_with_the_network_only(void **state)
{
    (void)state;
    static const char stub[] = "/run/systemd/resolve/stub-resolv.conf";
    struct order order = {.network = 1};
    resolver = stub;
    assert_int_equal(count_pairs(&order, "--ro-bind-try", stub), 1);
    assert_int_equal(count_pairs(&order, stub, stub), 1);
    order.network = 0;
    assert_int_equal(count_pairs(&order, stub, stub), 0);
    order.network = 1;
    resolver = "/usr/share/resolv.conf";
    assert_int_equal(count_pairs(&order, resolver, resolver), 0);
    resolver = "/etc/resolv.conf";
    assert_int_equal(count_pairs(&order, resolver, resolver), 0);
}

// --- cgroups

static void a_cgroup_tells_the_processor_time(void **state)
{
    (void)state;
    static const char text[] = "usage_usec 5999000\nuser_usec 4000999\nsystem_usec 1998001\n";
    struct cgroups cgroups = {0};
    int64_t user_ms = 1, system_ms = 2;
    cgroups_cpu_ms(&cgroups, &user_ms, &system_ms);
    assert_int_equal(user_ms, 1);
    strcpy(cgroups.paths[CGROUP_UNIFIED], "/tmp/soma-cgroup-XXXXXX");
    assert_non_null(mkdtemp(cgroups.paths[CGROUP_UNIFIED]));
    int fd = open(cgroups.paths[CGROUP_UNIFIED], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(file_write_atomic(fd, "cpu.stat", text, strlen(text), 0600, NULL), SOMA_OK);
    cgroups_cpu_ms(&cgroups, &user_ms, &system_ms);
    assert_int_equal(user_ms, 4000);
    assert_int_equal(system_ms, 1998);
    close(fd);
    assert_int_equal(directory_remove_all(AT_FDCWD, cgroups.paths[CGROUP_UNIFIED], NULL, NULL),
                     SOMA_OK);
}

// Where a test may make a cgroup of its own; false: nowhere.
static bool find_cgroup(char *ret_path, size_t size)
{
    char line[1024];
    bool is_found = false;
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && !is_found && fgets(line, sizeof line, file)) {
        const char *at = strstr(line, ":memory:/");
        line[strcspn(line, "\n")] = '\0';
        if (at)
            snprintf(ret_path, size, "/sys/fs/cgroup/memory%s/soma-test.%d", at + 8, (int)getpid());
        is_found = at && mkdir(ret_path, 0755) == 0;
    }
    if (file)
        fclose(file);
    return is_found;
}

static void a_cgroup_that_was_swept_away_is_made_again(void **state)
{
    (void)state;
    struct cgroups cgroups = {0};
    const struct order order = {.memory_bytes = 1 << 30};
    char *path = cgroups.paths[CGROUP_1_MEMORY];
    if (!find_cgroup(path, sizeof cgroups.paths[0])) {
        printf("# no cgroups here\n");
        return;
    }
    assert_int_equal(rmdir(path), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(cgroups_enter(&cgroups, &order));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    cgroups_end(&cgroups);
    assert_int_equal(access(path, F_OK), -1);
}

// --- packets and links

static void numbers_of_packets_are_whole_words(void **state)
{
    (void)state;
    const char *at = "12 -5 x";
    int64_t value;
    assert_true(packet_take_int(&at, &value));
    assert_int_equal(value, 12);
    assert_true(packet_take_int(&at, &value));
    assert_int_equal(value, -5);
    assert_false(packet_take_int(&at, &value));
    assert_string_equal(at, "x");
    at = "123456789012345678901234567890";
    assert_false(packet_take_int(&at, &value));
    at = "";
    assert_false(packet_take_int(&at, &value));
}

static void only_a_whole_cancel_is_one(void **state)
{
    (void)state;
    static const char *const others[] = {"cancel", "cancel ", "cancel x y", "cancel -1 y",
                                         "cancelled 1"};
    int pair[2];
    struct link_cancel cancel;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    struct link link = {.fd = pair[0]};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(packet_send(pair[1], others[i], strlen(others[i]), -1, 0), 0);
        assert_false(link_receive(&link, &cancel));
    }
    assert_int_equal(packet_send(pair[1], "cancel 99999999999", 18, -1, 0), 0);
    assert_true(link_receive(&link, &cancel));
    assert_int_equal(cancel.grace_ms, 600000);
    assert_string_equal(cancel.note, "");
    char text[600] = "cancel 5 ";
    for (int i = 0; i < 200; i++)
        strcat(text, "\xc3\xa9");
    assert_int_equal(packet_send(pair[1], text, strlen(text), -1, 0), 0);
    assert_true(link_receive(&link, &cancel));
    assert_int_equal(strlen(cancel.note), LINK_NOTE_MAX - 1);
    close(pair[1]);
    assert_false(link_receive(&link, &cancel));
    assert_int_equal(link.fd, -1);
}

static void a_descriptor_that_nobody_wants_is_closed(void **state)
{
    (void)state;
    int pair[2], pipes[2], got;
    char text[PACKET_SIZE], byte;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(packet_send(pair[1], "a", 1, pipes[1], 0), 0);
    assert_int_equal(packet_send(pair[1], "bcdef", 5, pipes[1], 0), 0);
    assert_int_equal(packet_send(pair[1], "g", 1, pipes[1], 0), 0);
    close(pipes[1]);
    assert_int_equal(packet_receive(pair[0], text, sizeof text, NULL, 0), 1);
    assert_int_equal(packet_receive(pair[0], text, 3, &got, 0), -1);
    assert_int_equal(errno, EMSGSIZE);
    assert_int_equal(packet_receive(pair[0], text, sizeof text, &got, 0), 1);
    assert_int_equal(read(pipes[0], &byte, 1), -1);
    close(got);
    // Now every writer is gone.
    assert_int_equal(read(pipes[0], &byte, 1), 0);
    close(pipes[0]);
    close(pair[0]);
    close(pair[1]);
}

// --- orders

// With so many paths to read; the caller frees it where it can be read.
static enum soma_code read_paths(size_t count, struct order *ret_order)
{
    struct fields_writer writer;
    struct soma_error err;
    fields_writer_init(&writer, ORDER_BYTES_MAX);
    fields_put_int(&writer, "version", 1);
    fields_put_text(&writer, "job_id", "00000000000000000001");
    fields_put_text(&writer, "argv", "true");
    fields_put_int(&writer, "wall_time_ms", 1000);
    fields_put_int(&writer, "output_bytes", 1000);
    for (size_t i = 0; i < count; i++)
        fields_put_text(&writer, "read_path", "/nowhere");
    assert_int_equal(fields_finish(&writer, &err), SOMA_OK);
    FD_CLEANUP int fd = memfd_create("order", MFD_CLOEXEC);
    assert_int_equal(fd_write_all(fd, writer.bytes, writer.length), 0);
    fields_writer_fini(&writer);
    return order_read_open(fd, ret_order, &err);
}

static void an_order_has_room_for_all_configured_paths_and_the_door(void **state)
{
    (void)state;
    struct order order;
    struct sandbox_args args;
    assert_int_equal(read_paths(CONFIG_LIST_MAX + 1, &order), SOMA_OK);
    assert_int_equal(order.read_paths.count, CONFIG_LIST_MAX + 1);
    assert_true(sandbox_args_make(&order, "/data/jobs/00000000000000000001/1", &args));
    free(args.words);
    free(args.texts);
    order_fini(&order);
    assert_int_equal(read_paths(CONFIG_LIST_MAX + 2, &order), SOMA_DATA_LOSS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(progress_lines_are_understood),
        cmocka_unit_test(junk_is_no_progress),
        cmocka_unit_test(progress_may_come_in_pieces_and_too_long),
        cmocka_unit_test_teardown(the_ladder_is_asked_then_killed, stop_fake_clock),
        cmocka_unit_test_teardown(the_first_cause_stays_and_a_later_one_only_shortens,
                                  stop_fake_clock),
        cmocka_unit_test_teardown(what_is_left_behind_has_half_a_second, stop_fake_clock),
        cmocka_unit_test(a_capture_is_exact_at_its_cap),
        cmocka_unit_test(a_file_that_cannot_be_written_keeps_a_prefix),
        cmocka_unit_test(names_are_looked_up_where_the_resolver_leads_with_the_network_only),
        cmocka_unit_test(a_cgroup_tells_the_processor_time),
        cmocka_unit_test(a_cgroup_that_was_swept_away_is_made_again),
        cmocka_unit_test(numbers_of_packets_are_whole_words),
        cmocka_unit_test(only_a_whole_cancel_is_one),
        cmocka_unit_test(a_descriptor_that_nobody_wants_is_closed),
        cmocka_unit_test(an_order_has_room_for_all_configured_paths_and_the_door),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
