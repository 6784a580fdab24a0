// The spawner: `soma-runner --spawner FD`. One thread, no state; forks a runner for each request of
// the server (spawner.h) without an exec, which is what makes a start cheap: no dynamic linking, no
// C start-up, and a parent whose memory is small.
//
// When the server closes the socket, or is no more, the spawner says "stays" and goes on as long as
// it has runners: whatever one of them leaves behind when it is killed is killed by the spawner
// (brood.h).
#ifndef RUNNER_ZYGOTE_H
#define RUNNER_ZYGOTE_H

#define ZYGOTE_READY "ready" // its first word to the server
#define ZYGOTE_STAYS "stays" // its last, where it has runners

// Serves the socket until the server closes it and no runner is left. Returns an exit status: the
// spawner's, or, in each forked child, the runner's.
int zygote_run(int socket_fd);

#endif
