// A file that appears when it is complete: written beside its path, as PATH.part, and then renamed.
// What is there already and no regular file (a pipe, a device) is written straight, and a link
// stays one: what it leads to is replaced.
#ifndef CLI_PART_FILE_H
#define CLI_PART_FILE_H

#include <stdbool.h>
#include <stdio.h>

struct part_file {
    const char *path; // the caller's
    char *target;     // owned: the path, without links
    char *part_path;  // owned; NULL: written straight, or nothing is left to be renamed
    FILE *file;       // NULL: closed
};

// All of them: false, errno says why.
bool part_file_open(struct part_file *part, const char *path);
// Everything is written; nothing appears yet.
bool part_file_close(struct part_file *part);
// Removes what stands at the path, so that it is not taken for what comes.
bool part_file_clear(const struct part_file *part);
// After the close.
bool part_file_appear(struct part_file *part);

// Removes what has not appeared.
void part_file_fini(struct part_file *part);

#endif
