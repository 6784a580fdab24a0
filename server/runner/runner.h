// The supervisor of one attempt: takes its directory, starts the program that `order` asks for,
// keeps its output, ends its whole tree when asked or when its time is over, writes `status`, and
// ends. Needs no server after its start: servers come and go on its links.
//
// What its status says of the end: the first cause wins. SIGTERM (INT, HUP, QUIT) to the runner is
// the end of the machine or an operator's doing, not the user's cancel: the tree is ended as in a
// cancel, the reason is "signaled" with that signal.
#ifndef RUNNER_RUNNER_H
#define RUNNER_RUNNER_H

enum runner_exit {
    RUNNER_DONE = 0,      // `status` is written, whatever it says
    RUNNER_ERROR = 1,     // the directory cannot be used, or `status` not be written
    RUNNER_BAD_USAGE = 2, //
    RUNNER_REFUSED = 3    // another runner has or had the attempt, or its order was taken back
};

// Takes link_fd over (-1: none), and this process: its session, signals, descriptors, children.
enum runner_exit runner_run(const char *attempt_dir, int link_fd);

#endif
