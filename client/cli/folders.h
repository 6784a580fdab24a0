// Folders of the user for what the command line keeps (the XDG base directory specification).
#ifndef CLI_FOLDERS_H
#define CLI_FOLDERS_H

#include <stdbool.h>
#include <stddef.h>

// The path of soma/NAME in the folder that the variable names, else below $HOME in otherwise. False
// where neither says one, or it does not fit into size bytes.
bool folder_path(const char *variable, const char *otherwise, const char *name, char *ret_path,
                 size_t size);

// The folders that lead to the path, mode 0700. No error: what comes after fails where this did.
void folders_make(const char *path);

#endif
