// common/base: errors, arena, clocks, text, files, ids.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/directory_size.h"
#include "base/error.h"
#include "base/file.h"
#include "base/id.h"
#include "base/text.h"

enum {
    ORDINARY_UID = 12345,
    DEPTH = 3000
};

static void a_reason_brings_its_code(void **state)
{
    (void)state;
    struct soma_error err;
    assert_int_equal(error_set(&err, REASON_JOB_NOT_FOUND, "job_id", "no job %s", "x"),
                     SOMA_NOT_FOUND);
    assert_string_equal(err.reason, "JOB_NOT_FOUND");
    assert_string_equal(err.field, "job_id");
    assert_string_equal(err.text, "no job x");
    assert_int_equal(error_set(NULL, REASON_DISK_FULL, NULL, "x"), SOMA_RESOURCE_EXHAUSTED);
}

static void a_field_is_prefixed_as_a_path(void **state)
{
    (void)state;
    struct soma_error err;
    error_set(&err, REASON_FIELD_INVALID, "id", "x");
    error_prefix_field(&err, "records[3]");
    assert_string_equal(err.field, "records[3].id");
    error_set(&err, REASON_FIELD_INVALID, "[7]", "x");
    error_prefix_field(&err, "embeddings");
    assert_string_equal(err.field, "embeddings[7]");
    error_set(&err, REASON_FIELD_INVALID, NULL, "x");
    error_prefix_field(&err, "spec");
    assert_string_equal(err.field, "spec");
}

static void every_reason_name_fits_and_fails(void **state)
{
    (void)state;
    for (int i = 0; i < REASON_COUNT; i++) {
        assert_true(strlen(reason_table[i].name) < SOMA_REASON_SIZE);
        assert_int_not_equal(reason_table[i].code, SOMA_OK);
        assert_string_not_equal(code_name(reason_table[i].code), "OK");
    }
}

static void the_arena_stops_at_its_budget(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 10000);
    assert_non_null(arena_alloc(&arena, 5000));
    assert_null(arena_alloc(&arena, 6000));
    assert_true(arena.budget_hit);
    assert_true(arena.held <= 10000);
    arena_reset(&arena, 8192);
    assert_false(arena.budget_hit);
    assert_non_null(arena_alloc(&arena, 4900));
    assert_null(arena_calloc(&arena, SIZE_MAX / 2, 4));
    arena_fini(&arena);
}

static void arena_memory_is_aligned_and_kept_apart(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    char *pieces[200];
    for (int i = 0; i < 200; i++) {
        pieces[i] = arena_printf(&arena, "piece %d", i);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
    }
    for (int i = 0; i < 200; i++)
        assert_int_equal(strtol(pieces[i] + 6, NULL, 10), i);
    arena_fini(&arena);
}

static void utf8_is_checked_as_rfc_3629_says(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        bool valid;
    } rows[] = {
        {"plain", true},
        {"\xc3\xa4", true},
        {"\xe2\x82\xac", true},
        {"\xf0\x9f\x98\x80", true},
        {"\xc0\x80", false},
        {"\xed\xa0\x80", false},
        {"\xf4\x90\x80\x80", false},
        {"\xe2\x82", false},
        {"\xff", false},
        {"\x80", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(text_is_utf8(rows[i].bytes, strlen(rows[i].bytes)), rows[i].valid);
    char text[24];
    for (size_t i = 0; i + 2 <= sizeof text; i++) {
        memset(text, 'a', sizeof text);
        assert_true(text_is_utf8(text, i));
        text[i] = '\xc3';
        text[i + 1] = '\xa4';
        assert_true(text_is_utf8(text, sizeof text));
        assert_false(text_is_utf8(text, i + 1));
        text[i] = '\x80';
        assert_false(text_is_utf8(text, sizeof text));
    }
}

static void numbers_are_whole_and_in_range(void **state)
{
    (void)state;
    int64_t value = 7;
    assert_true(text_to_int64("-12", -20, 0, &value));
    assert_int_equal(value, -12);
    assert_false(text_to_int64("", 0, 9, &value));
    assert_false(text_to_int64(" 1", 0, 9, &value));
    assert_false(text_to_int64("1x", 0, 9, &value));
    assert_false(text_to_int64("10", 0, 9, &value));
    assert_false(text_to_int64("99999999999999999999", 0, INT64_MAX, &value));
    assert_int_equal(value, -12);
    assert_true(text_is_of("a-Z.9", "a-zA-Z0-9._-"));
    assert_false(text_is_of("a b", "a-zA-Z0-9._-"));
}

static void what_comes_from_outside_is_one_word_of_a_line(void **state)
{
    char text[] = "a b\t=\x01\x7f\xc3\xa9~!/1.0";
    (void)state;
    text_make_word(text);
    assert_string_equal(text, "a_b______~!/1.0");
}

static void ids_have_their_form_and_sort_by_time(void **state)
{
    (void)state;
    char first[ID_SIZE], second[ID_SIZE];
    id_make(first);
    int64_t begun = clock_wall_now().ms;
    while (clock_wall_now().ms == begun)
        continue;
    id_make(second);
    assert_true(id_is_valid(first));
    assert_true(strcmp(first, second) < 0);
    assert_false(id_is_valid("../../etc/passwd/xxx"));
    assert_false(id_is_valid(""));
}

static void deadlines_saturate(void **state)
{
    (void)state;
    assert_int_equal(clock_deadline_after(INT64_MAX).ms, INT64_MAX);
    assert_int_equal(clock_left_ms((struct mono_time){0}), 0);
}

static void a_file_is_replaced_whole_and_a_tree_removed(void **state)
{
    (void)state;
    char path[] = "/tmp/soma-base-XXXXXX";
    assert_non_null(mkdtemp(path));
    int directory = open(path, O_RDONLY | O_DIRECTORY);
    struct soma_error err;
    assert_int_equal(file_write_atomic(directory, "f", "one", 3, 0600, &err), SOMA_OK);
    assert_int_equal(file_write_atomic(directory, "f", "three", 5, 0600, &err), SOMA_OK);
    char *bytes;
    size_t length;
    bool missing;
    assert_int_equal(file_read_all(directory, "f", 5, &bytes, &length, &missing, &err), SOMA_OK);
    assert_string_equal(bytes, "three");
    free(bytes);
    assert_int_equal(file_read_all(directory, "f", 4, &bytes, &length, &missing, &err),
                     SOMA_DATA_LOSS);
    assert_int_equal(file_read_all(directory, "g", 4, &bytes, &length, &missing, &err), SOMA_OK);
    assert_true(missing);
    assert_int_equal(faccessat(directory, "f.new", F_OK, 0), -1);

    char deep[64];
    snprintf(deep, sizeof deep, "%s/a/b", path);
    assert_int_equal(directory_make_all(deep, 0700, &err), SOMA_OK);
    assert_int_equal(symlink("/etc", strcat(deep, "/link")), 0);
    long long freed = 0;
    assert_int_equal(directory_remove_all(AT_FDCWD, path, &freed, &err), SOMA_OK);
    assert_int_equal(freed, 5);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access("/etc/passwd", F_OK), 0);
    close(directory);
}

// Directories within each other, too deep for a path, with a file in the last.
static void make_deep(const char *path, int depth)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < depth; i++) {
        assert_int_equal(mkdirat(fd, "d", 0700), 0);
        int next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        close(fd);
        fd = next;
    }
    int file_fd = openat(fd, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(fd_write_all(file_fd, "four", 4), 0);
    close(file_fd);
    close(fd);
}

static void a_tree_is_removed_however_deep_with_few_descriptors(void **state)
{
    (void)state;
    char path[] = "/tmp/soma-base-XXXXXX";
    assert_non_null(mkdtemp(path));
    make_deep(path, DEPTH);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit few = {100, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    struct soma_error err;
    long long freed = 0;
    assert_int_equal(directory_remove_all(AT_FDCWD, path, &freed, &err), SOMA_OK);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(freed, 4);
    assert_int_equal(access(path, F_OK), -1);
}

// With links that lead around, which are not followed.
static void a_tree_is_measured_however_deep_with_few_descriptors(void **state)
{
    (void)state;
    char path[] = "/tmp/soma-base-XXXXXX";
    assert_non_null(mkdtemp(path));
    make_deep(path, DEPTH / 10);
    // Siblings of a level that is opened again on the way up.
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 100; i++) {
        char name[16];
        for (int j = 0; j < 20; j++) {
            snprintf(name, sizeof name, "%d", j);
            assert_int_equal(symlinkat("..", fd, name), 0);
        }
        int file_fd = openat(fd, "g", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(ftruncate(file_fd, 10), 0);
        close(file_fd);
        int next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(fd);
        fd = next;
    }
    close(fd);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit few = {60, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    struct directory_size size = {0};
    directory_measure(fd, INT64_MAX, &size);
    assert_int_equal(size.entries, DEPTH / 10 + 1 + 100 * 21);
    assert_int_equal(size.file_bytes, 4 + 100 * 10);
    assert_false(size.is_too_deep);
    size = (struct directory_size){0};
    directory_measure(fd, 50, &size);
    assert_int_equal(size.entries, 50);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    close(fd);
    assert_int_equal(directory_remove_all(AT_FDCWD, path, NULL, NULL), SOMA_OK);
}

static void error_texts_are_utf8_whatever_they_quote(void **state)
{
    (void)state;
    struct soma_error err;
    error_set(&err, REASON_FIELD_INVALID, "a\xff", "no '%s'", "caf\xc3");
    assert_string_equal(err.field, "a?");
    assert_string_equal(err.text, "no 'caf?'");
    error_set_errno(&err, ENOENT, "cannot open \x80");
    assert_true(text_is_utf8(err.text, strlen(err.text)));
    // Cut in the middle of a character, at whichever of its bytes.
    char text[4 * SOMA_TEXT_SIZE];
    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xe2\x82\xac", 4);
        error_set(&err, REASON_FIELD_INVALID, NULL, "%s", text);
        assert_true(text_is_utf8(err.text, strlen(err.text)));
        assert_true(strlen(err.text) > SOMA_TEXT_SIZE - 8);
    }
}

// As an ordinary user: to root nothing is closed.
static int remove_what_is_closed(const char *path)
{
    struct soma_error err;
    char inner[128];
    snprintf(inner, sizeof inner, "%s/closed/inner", path);
    if (geteuid() == 0 && setresuid(ORDINARY_UID, ORDINARY_UID, ORDINARY_UID))
        return 1;
    if (directory_make_all(inner, 0700, &err))
        return 2;
    if (chmod(inner, 0500) || (inner[strlen(path) + 7] = '\0', chmod(inner, 0)))
        return 3;
    return directory_remove_all(AT_FDCWD, inner, NULL, &err) ? 4 : access(inner, F_OK) ? 0 : 5;
}

static int exit_status_of(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_directory_that_its_owner_closed_is_removed(void **state)
{
    (void)state;
    char path[] = "/tmp/soma-base-XXXXXX";
    assert_non_null(mkdtemp(path));
    assert_int_equal(chmod(path, 0777), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(remove_what_is_closed(path));
    assert_int_equal(exit_status_of(pid), 0);
    assert_int_equal(rmdir(path), 0);
}

// Somebody who puts a link in the place of what was just looked at.
static struct {
    const char *name; // NULL: nobody
    const char *target;
} swap;

int __wrap_fstatat64(int directory_fd, const char *name, struct stat *ret_info, int flags);
int __real_fstatat64(int directory_fd, const char *name, struct stat *ret_info, int flags);

int __wrap_fstatat64(int directory_fd, const char *name, struct stat *ret_info, int flags)
{
    int result = __real_fstatat64(directory_fd, name, ret_info, flags);
    if (swap.name && strcmp(name, swap.name) == 0) {
        assert_int_equal(unlinkat(directory_fd, name, AT_REMOVEDIR), 0);
        assert_int_equal(symlinkat(swap.target, directory_fd, name), 0);
        swap.name = NULL;
    }
    return result;
}

static void a_link_in_the_place_of_a_closed_directory_opens_nothing(void **state)
{
    (void)state;
    char path[] = "/tmp/soma-base-XXXXXX", target[] = "/tmp/soma-base-XXXXXX", inner[64];
    struct stat info;
    assert_non_null(mkdtemp(path));
    assert_non_null(mkdtemp(target));
    assert_int_equal(chmod(target, 0500), 0);
    snprintf(inner, sizeof inner, "%s/closed", path);
    assert_int_equal(mkdir(inner, 0), 0);
    swap.name = "closed";
    swap.target = target;
    assert_int_not_equal(directory_remove_all(AT_FDCWD, path, NULL, NULL), SOMA_OK);
    assert_null(swap.name);
    assert_int_equal(stat(target, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0500);
    assert_int_equal(directory_remove_all(AT_FDCWD, path, NULL, NULL), SOMA_OK);
    assert_int_equal(rmdir(target), 0);
}

static void no_file_of_ours_becomes_a_standard_descriptor(void **state)
{
    (void)state;
    for (unsigned closed = 1; closed < 8; closed++) {
        pid_t pid = fork();
        if (pid == 0) {
            for (int fd = 0; fd < 3; fd++) {
                if (closed & 1u << fd)
                    close(fd);
            }
            fd_fill_standard();
            int fd = open("/dev/null", O_RDONLY);
            _exit(fd > 2 && fcntl(0, F_GETFD) >= 0 && fcntl(1, F_GETFD) >= 0 &&
                          fcntl(2, F_GETFD) >= 0
                      ? 0
                      : 1);
        }
        assert_int_equal(exit_status_of(pid), 0);
    }
}

static int64_t seven_o_clock(void)
{
    return 0x0102030405f6;
}

static void request_ids_begin_with_the_time_and_differ(void **state)
{
    (void)state;
    static const struct clock_source source = {seven_o_clock, seven_o_clock};
    static const uint8_t time[6] = {1, 2, 3, 4, 5, 0xf6};
    uint8_t first[REQUEST_ID_SIZE], second[REQUEST_ID_SIZE];
    clock_use(&source);
    request_id_make(first);
    request_id_make(second);
    clock_use(NULL);
    assert_memory_equal(first, time, sizeof time);
    assert_memory_equal(second, time, sizeof time);
    assert_memory_not_equal(first, second, sizeof first);
}

static void what_is_reserved_in_an_arena_is_given_whatever_its_budget(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 5000);
    assert_true(arena_reserve(&arena, 3000));
    assert_non_null(arena_alloc(&arena, 1000));
    assert_non_null(arena_alloc(&arena, 1900));
    assert_false(arena_reserve(&arena, 3000));
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_ids_begin_with_the_time_and_differ),
        cmocka_unit_test(what_is_reserved_in_an_arena_is_given_whatever_its_budget),
        cmocka_unit_test(a_reason_brings_its_code),
        cmocka_unit_test(a_field_is_prefixed_as_a_path),
        cmocka_unit_test(every_reason_name_fits_and_fails),
        cmocka_unit_test(the_arena_stops_at_its_budget),
        cmocka_unit_test(arena_memory_is_aligned_and_kept_apart),
        cmocka_unit_test(utf8_is_checked_as_rfc_3629_says),
        cmocka_unit_test(numbers_are_whole_and_in_range),
        cmocka_unit_test(what_comes_from_outside_is_one_word_of_a_line),
        cmocka_unit_test(ids_have_their_form_and_sort_by_time),
        cmocka_unit_test(deadlines_saturate),
        cmocka_unit_test(a_file_is_replaced_whole_and_a_tree_removed),
        cmocka_unit_test(a_tree_is_removed_however_deep_with_few_descriptors),
        cmocka_unit_test(a_tree_is_measured_however_deep_with_few_descriptors),
        cmocka_unit_test(error_texts_are_utf8_whatever_they_quote),
        cmocka_unit_test(a_directory_that_its_owner_closed_is_removed),
        cmocka_unit_test(a_link_in_the_place_of_a_closed_directory_opens_nothing),
        cmocka_unit_test(no_file_of_ours_becomes_a_standard_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
