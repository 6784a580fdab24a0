// server/jobs: pieces of an upload that come at the same time.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "jobs/uploads.h"

static struct {
    char directory[64];
    struct attempt_root root;
    // Written once more by whoever syncs next.
    const struct upload_piece *again;
    enum soma_code code;
} scratch;

static enum soma_code write_piece(const struct upload_piece *piece, char ret_id[ID_SIZE])
{
    int64_t size_bytes;
    struct soma_error err = {0};
    return uploads_write(&scratch.root, piece, ret_id, &size_bytes, &err);
}

// Called in place of fsync, see CMakeLists.txt.
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    const struct upload_piece *piece = scratch.again;
    char id[ID_SIZE];
    scratch.again = NULL;
    if (piece)
        scratch.code = write_piece(piece, id);
    return __real_fsync(fd);
}

static int set_up(void **state)
{
    (void)state;
    struct soma_error err;
    strcpy(scratch.directory, "/tmp/soma-uploads-XXXXXX");
    assert_non_null(mkdtemp(scratch.directory));
    assert_int_equal(attempt_root_open(&scratch.root, scratch.directory, &err), SOMA_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    attempt_root_close(&scratch.root);
    return directory_remove_all(AT_FDCWD, scratch.directory, NULL, NULL) == SOMA_OK ? 0 : -1;
}

static void a_last_piece_may_come_again_while_the_first_is_being_synced(void **state)
{
    (void)state;
    char id[ID_SIZE];
    int64_t size_bytes;
    const struct upload_piece first = {.id = "", .space = "", .bytes = "ab", .length = 2};
    assert_int_equal(write_piece(&first, id), SOMA_OK);
    const struct upload_piece end = {
        .id = id, .space = "", .offset = 2, .bytes = "cde", .length = 3, .end = true};
    char same[ID_SIZE];
    scratch.again = &end;
    scratch.code = SOMA_UNKNOWN;
    assert_int_equal(write_piece(&end, same), SOMA_OK);
    assert_int_equal(scratch.code, SOMA_OK);
    scratch.again = NULL;
    assert_true(uploads_find(&scratch.root, "", id, &size_bytes));
    assert_int_equal(size_bytes, 5);
    // And once it is whole.
    assert_int_equal(write_piece(&end, same), SOMA_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_last_piece_may_come_again_while_the_first_is_being_synced,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
