#include "cli/folders.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

bool folder_path(const char *variable, const char *otherwise, const char *name, char *ret_path,
                 size_t size)
{
    const char *folder = getenv(variable), *home = getenv("HOME");
    int length = folder && *folder ? snprintf(ret_path, size, "%s/soma/%s", folder, name)
                 : home && *home ? snprintf(ret_path, size, "%s/%s/soma/%s", home, otherwise, name)
                                 : -1;
    return length >= 0 && (size_t)length < size;
}

void folders_make(const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    for (char *at = folder + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        mkdir(folder, 0700);
        *at = '/';
    }
}
