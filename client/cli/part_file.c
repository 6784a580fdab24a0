#include "cli/part_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// False: out of memory, or no such path.
static bool find_target(struct part_file *part, bool is_there)
{
    part->target = is_there ? realpath(part->path, NULL) : strdup(part->path);
    if (part->target && asprintf(&part->part_path, "%s.part", part->target) < 0)
        part->part_path = NULL;
    return part->part_path;
}

bool part_file_open(struct part_file *part, const char *path)
{
    struct stat info;
    *part = (struct part_file){.path = path};
    bool is_there = stat(path, &info) == 0;
    bool is_straight = is_there && !S_ISREG(info.st_mode);
    if (!is_straight && !find_target(part, is_there))
        return false;
    part->file = fopen(is_straight ? path : part->part_path, "we");
    if (part->file)
        return true;
    // It is somebody else's, or not there.
    int failure = errno;
    free(part->part_path);
    part->part_path = NULL;
    errno = failure;
    return false;
}

bool part_file_close(struct part_file *part)
{
    FILE *file = part->file;
    part->file = NULL;
    return fclose(file) == 0;
}

bool part_file_clear(const struct part_file *part)
{
    return !part->part_path || unlink(part->target) == 0 || errno == ENOENT;
}

bool part_file_appear(struct part_file *part)
{
    if (part->part_path && rename(part->part_path, part->target) != 0)
        return false;
    free(part->part_path);
    part->part_path = NULL;
    return true;
}

void part_file_fini(struct part_file *part)
{
    if (part->file)
        fclose(part->file);
    if (part->part_path)
        unlink(part->part_path);
    free(part->part_path);
    free(part->target);
    *part = (struct part_file){0};
}
