#include "jobs/last_boot.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/boot.h"
#include "base/file.h"
#include "base/log.h"

enum {
    FILE_MODE = 0600
};

static const char file_name[] = "boot";

static int open_data_directory(const struct attempt_root *root)
{
    return openat(root->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

bool last_boot_is_over(const struct attempt_root *root)
{
    char now[BOOT_ID_SIZE], *noted;
    bool is_missing = false;
    FD_CLEANUP int fd = open_data_directory(root);
    if (fd < 0 || !boot_id_read(now) ||
        file_read_all(fd, file_name, BOOT_ID_SIZE, &noted, NULL, &is_missing, NULL) != SOMA_OK)
        return false;
    bool is_over = !is_missing && strcmp(noted, now) != 0;
    if (!is_missing)
        free(noted);
    return is_over;
}

void last_boot_note(const struct attempt_root *root)
{
    char now[BOOT_ID_SIZE];
    struct soma_error err;
    FD_CLEANUP int fd = open_data_directory(root);
    if (fd >= 0 && boot_id_read(now) &&
        file_write_atomic(fd, file_name, now, strlen(now), FILE_MODE, &err) != SOMA_OK)
        log_warning("JOB-BOOT-NOT-NOTED", "%s", err.text);
}
