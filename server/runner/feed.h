// The program's standard input where it is a stream: from the attempt's file `input`, which the
// server appends to, into the program's pipe. The file `input.end` says that nothing follows.
//
// The server says that there is more; the runner says how much the program's pipe has taken, and
// the server lets only so much wait. What was acknowledged is in the file, so servers come and go.
#ifndef RUNNER_FEED_H
#define RUNNER_FEED_H

#include <stdbool.h>
#include <stdint.h>

struct feed {
    int directory_fd; // the attempt's; borrowed
    int pipe_fd;      // writing end, non-blocking; owned; -1: no stream, or over
    int file_fd;      // owned; -1: not there yet
    int64_t fed_bytes;
    bool has_more;  // the pipe was full
    bool is_closed; // the program reads no more, or has got all
};

void feed_init(struct feed *feed, int directory_fd, int pipe_fd);
void feed_fini(struct feed *feed);

// As much as there is and as the pipe takes. True: something changed.
bool feed_go_on(struct feed *feed);

// The pipe's reading ends are closed.
void feed_close(struct feed *feed);

#endif
