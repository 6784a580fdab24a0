// One output stream of the job: from its pipe into its file, up to a cap. What comes after the cap
// is read and counted, so that the job never waits for its own output.
#ifndef RUNNER_CAPTURE_H
#define RUNNER_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

struct capture {
    int pipe_fd; // non-blocking; owned; -1 after the end of the stream
    int file_fd; // owned by the attempt's directory
    int64_t cap_bytes;
    int64_t kept_bytes;    // the file's length
    int64_t dropped_bytes; // past the cap, or after the file could not be written
    bool is_wide;          // the pipe was enlarged, or that was tried
    int write_errnum;      // why nothing is kept any more; 0: nothing is wrong
};

// Takes one chunk (at most 256 KiB) from the pipe. False: the pipe is empty or its stream at the
// end.
bool capture_read(struct capture *capture);

// Takes all that is in the pipe, but no more than a pipe holds: somebody outside of the job may
// still write. Then closes the pipe.
void capture_finish(struct capture *capture);

#endif
