#include "base/boot.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

bool boot_id_read(char ret_id[BOOT_ID_SIZE])
{
    FD_CLEANUP int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, ret_id, BOOT_ID_SIZE - 1);
    ret_id[length > 0 ? length : 0] = '\0';
    ret_id[strcspn(ret_id, "\n")] = '\0';
    return ret_id[0] != '\0';
}
