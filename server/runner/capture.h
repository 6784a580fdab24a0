// One output stream of the job: from its pipe into its file, up to a cap. What comes after the cap
// is read and counted, so that the job never waits for its own output.
//
// Where the order asks for it, the last bytes of what would be dropped wait in memory, and are kept
// at the end: the file then is the stream's head and its tail.
#ifndef RUNNER_CAPTURE_H
#define RUNNER_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "runner/log_index.h"

struct capture {
    int pipe_fd;           // non-blocking; owned; -1 after the end of the stream
    int directory_fd;      // borrowed: where the file is made with its first byte
    int file_fd;           // owned; -1: not made yet
    struct log_index *log; // both streams'; NULL: none
    bool is_stderr;
    int64_t cap_bytes;     // without the tail
    int64_t kept_bytes;    // the file's length
    int64_t dropped_bytes; // past the cap, or after the file could not be written
    char *tail;            // owned ring of the latest bytes past the cap; NULL: none is kept
    int64_t tail_size;
    int64_t tail_bytes; // in it
    int64_t tail_at;    // where the next byte goes
    bool is_wide;       // the pipe was enlarged, or that was tried
    int write_errnum;   // why nothing is kept any more; 0: nothing is wrong
};

// Keeps the last size bytes of what goes past the cap, if there is memory for them.
void capture_keep_tail(struct capture *capture, int64_t size);

// Takes one chunk (at most 256 KiB) from the pipe. False: the pipe is empty or its stream at the
// end.
bool capture_read(struct capture *capture);

// Takes all that is in the pipe, but no more than a pipe holds: somebody outside of the job may
// still write. Then puts the tail behind what is kept, and closes the pipe.
void capture_finish(struct capture *capture);

// Syncs the file and closes it: an end that is told has its output on disk. Takes the disk's time.
void capture_close(struct capture *capture);

#endif
