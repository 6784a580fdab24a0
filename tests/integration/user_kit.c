#include "user_kit.h"

#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

enum {
    PROGRAM_BYTES_MAX = 1 << 28
};

bool user_is_wanted(int argc, char **argv)
{
    bool is_said = false;
    for (int i = 1; i < argc; i++)
        is_said |= strcmp(argv[i], "--as-user") == 0;
    return is_said && geteuid() == 0;
}

void user_copy_program(const char *from, const char *to)
{
    char *bytes;
    size_t length;
    struct soma_error err;
    if (file_read_all(AT_FDCWD, from, PROGRAM_BYTES_MAX, &bytes, &length, NULL, &err))
        fail_msg("%s", err.text);
    FD_CLEANUP int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, bytes, length), 0);
    free(bytes);
}

void user_become(const char *directory)
{
    gid_t gid = KIT_UID;
    assert_int_equal(chown(directory, KIT_UID, KIT_UID), 0);
    assert_int_equal(setgroups(1, &gid), 0);
    assert_int_equal(setresgid(gid, gid, gid), 0);
    assert_int_equal(setresuid(KIT_UID, KIT_UID, KIT_UID), 0);
    // As if it had always been that user: its files in /proc are its own.
    assert_int_equal(prctl(PR_SET_DUMPABLE, 1), 0);
}
