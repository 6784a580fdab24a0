#include "runner/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"

// The kernel's interface, as far as this program uses it (Documentation/userspace-api/landlock).
#define ACCESS_EXECUTE         (UINT64_C(1) << 0)
#define ACCESS_WRITE_FILE      (UINT64_C(1) << 1)
#define ACCESS_READ_FILE       (UINT64_C(1) << 2)
#define ACCESS_READ_DIR        (UINT64_C(1) << 3)
#define ACCESS_ALL_OF_ABI_1    ((UINT64_C(1) << 13) - 1)
#define ACCESS_REFER           (UINT64_C(1) << 13)
#define ACCESS_TRUNCATE        (UINT64_C(1) << 14)
#define ACCESS_IOCTL_DEVICE    (UINT64_C(1) << 15)
#define NETWORK_BIND_TCP       (UINT64_C(1) << 0)
#define NETWORK_CONNECT_TCP    (UINT64_C(1) << 1)
#define SCOPE_ABSTRACT_SOCKETS (UINT64_C(1) << 0)
#define SCOPE_SIGNALS          (UINT64_C(1) << 1)

enum {
    CREATE_RULESET_VERSION = 1,
    RULE_PATH_BENEATH = 1
};

struct ruleset {
    uint64_t files;
    uint64_t network; // version 4
    uint64_t scopes;  // version 6
};

struct path_rule {
    uint64_t access;
    int32_t fd;
} __attribute__((packed));

int landlock_find_abi(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    return version > 0 ? (int)version : 0;
}

static uint64_t files_of(int abi)
{
    uint64_t access = ACCESS_ALL_OF_ABI_1;
    if (abi >= 2)
        access |= ACCESS_REFER;
    if (abi >= 3)
        access |= ACCESS_TRUNCATE;
    if (abi >= 5)
        access |= ACCESS_IOCTL_DEVICE;
    return access;
}

static uint64_t access_of(enum landlock_access access, uint64_t handled, bool is_directory)
{
    const uint64_t of_files = ACCESS_EXECUTE | ACCESS_WRITE_FILE | ACCESS_READ_FILE |
                              ACCESS_TRUNCATE | ACCESS_IOCTL_DEVICE;
    uint64_t wanted = handled;
    if (access == LANDLOCK_READ)
        wanted = ACCESS_EXECUTE | ACCESS_READ_FILE | ACCESS_READ_DIR;
    else if (access == LANDLOCK_LIST)
        wanted = ACCESS_READ_DIR;
    else if (access == LANDLOCK_FILE)
        wanted = ACCESS_READ_FILE | ACCESS_WRITE_FILE | ACCESS_READ_DIR | ACCESS_TRUNCATE |
                 ACCESS_IOCTL_DEVICE;
    return wanted & handled & (is_directory ? ~UINT64_C(0) : of_files);
}

static int add_path(int ruleset_fd, const struct landlock_path *path, uint64_t handled)
{
    FD_CLEANUP int fd = open(path->path, O_PATH | O_CLOEXEC);
    struct stat info;
    if (fd < 0 || fstat(fd, &info))
        return 0;
    const struct path_rule rule = {access_of(path->access, handled, S_ISDIR(info.st_mode)), fd};
    return syscall(SYS_landlock_add_rule, ruleset_fd, RULE_PATH_BENEATH, &rule, 0) ? errno : 0;
}

int landlock_restrict(int abi, const struct landlock_path *paths, size_t count,
                      bool without_network)
{
    struct ruleset ruleset = {.files = files_of(abi)};
    size_t size = sizeof ruleset.files;
    if (abi >= 4) {
        ruleset.network = without_network ? NETWORK_BIND_TCP | NETWORK_CONNECT_TCP : 0;
        size += sizeof ruleset.network;
    }
    if (abi >= 6) {
        ruleset.scopes = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS;
        size += sizeof ruleset.scopes;
    }
    FD_CLEANUP int fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);
    if (fd < 0)
        return errno;
    for (size_t i = 0; i < count; i++) {
        int errnum = add_path(fd, &paths[i], ruleset.files);
        if (errnum)
            return errnum;
    }
    return syscall(SYS_landlock_restrict_self, fd, 0) ? errno : 0;
}
