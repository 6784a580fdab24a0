// The runner's signals. A server that ignores SIGCHLD would otherwise pass that on through fork and
// exec, and the runner would never learn how its program ended.
#ifndef RUNNER_SIGNALS_H
#define RUNNER_SIGNALS_H

// All dispositions at their defaults, nothing blocked: the first thing that the program does.
void signals_reset(void);

// What signals_open changed is undone, for a child.
void signals_restore(void);

// SIGPIPE and SIGXFSZ ignored (they become errors of write), SIGCHLD and the
// signals that ask for the runner's end blocked and readable from the returned descriptor
// (non-blocking, close-on-exec). -1: errno.
int signals_open(void);

// The next signal's number; 0: none is waiting.
int signals_read(int signal_fd);

#endif
