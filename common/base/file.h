// Files that are whole or not there.
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

// Closes *fd if it is not negative; for __attribute__((cleanup)).
void fd_close_at_exit(int *fd);
#define FD_CLEANUP __attribute__((cleanup(fd_close_at_exit)))

// Opens /dev/null in the place of each closed standard descriptor, so that no file of ours becomes
// one; the first thing that a program does.
void fd_fill_standard(void);

// All of length bytes, over short writes and EINTR. 0, or an errno.
int fd_write_all(int fd, const void *bytes, size_t length);

// Writes name in the directory so that after a crash it holds either what it held or all of the new
// bytes: beside it, fsync, rename, fsync of the directory.
enum soma_code file_write_atomic(int directory_fd, const char *name, const void *bytes,
                                 size_t length, mode_t mode, struct soma_error *err);

// Room on the disk for a file that is to be written later, also when the disk is full by then:
// "NAME.new", empty, with blocks of its own. A descriptor, which file_write_reserved takes; -1: the
// file system cannot promise anything.
int file_reserve(int directory_fd, const char *name, size_t size, mode_t mode);

// As file_write_atomic, into what file_reserve gave. Not synced where is_synced is false: then a
// machine that goes down may leave nothing, or zeros, but never bytes of another file.
enum soma_code file_write_reserved(int directory_fd, const char *name, int reserved_fd,
                                   const void *bytes, size_t length, bool is_synced,
                                   struct soma_error *err);

// The whole file as a heap string with a NUL behind its end, which the caller frees; ret_length may
// be NULL. A file larger than max_bytes is an error. *ret_missing is set, and nothing else, when
// there is no such file and ret_missing is given.
enum soma_code file_read_all(int directory_fd, const char *name, size_t max_bytes, char **ret_bytes,
                             size_t *ret_length, bool *ret_missing, struct soma_error *err);

// Makes path and what is missing above it.
enum soma_code directory_make_all(const char *path, mode_t mode, struct soma_error *err);

// Removes what lies below the directory, at any depth, and then itself, without following links.
// Missing is success; what cannot be removed keeps nothing else. ret_bytes, which may be NULL, gets
// the bytes of the regular files.
enum soma_code directory_remove_all(int parent_fd, const char *name, long long *ret_bytes,
                                    struct soma_error *err);

#endif
