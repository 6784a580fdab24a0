// The loop of a runner: from the moment that the program may run to the moment that its tree is
// gone.
#ifndef RUNNER_SUPERVISE_H
#define RUNNER_SUPERVISE_H

#include <stdbool.h>

#include "runner/artifacts.h"
#include "runner/attempt_dir.h"
#include "runner/capture.h"
#include "runner/ending.h"
#include "runner/feed.h"
#include "runner/link.h"
#include "runner/program.h"
#include "runner/progress.h"
#include "runner/tree.h"

// Everything that one attempt is, in its runner.
struct supervision {
    struct attempt_dir dir;
    struct order order; // its numbers
    struct cgroups cgroups;
    struct meter meter;
    char isolation[ISOLATION_TEXT_SIZE]; // "" until the program runs
    struct program program;
    struct tree tree;
    struct ending ending;
    struct capture out;
    struct capture err;
    struct log_index log;
    struct feed feed;
    struct progress progress;
    struct links links;
    struct artifact_wish artifact_wish; // owned
    struct artifacts artifacts;
    int signal_fd;
    int timer_fd;                   // CLOCK_BOOTTIME
    struct mono_time timer_armed;   // what timer_fd is set to
    struct mono_time output_since;  // the last time that sizes were announced
    struct mono_time reported_last; // and progress
    struct mono_time start_news; // when the start is announced; MONO_NEVER: it was, or is not yet
    bool output_changed;         // since then
    bool progress_changed;
    bool feed_changed;
    int shutdown_signal; // that the runner got; 0: none
    char cancel_note[LINK_NOTE_MAX + 1];
    struct wall_time started; // when the program was let go
    struct mono_time started_mono, ended_mono;
    // The program could not be started: why, and the exit code that says so.
    bool start_failed;
    int start_exit_code;
    struct soma_error start_error;
};

// Runs until the tree is gone or cannot be killed. The program was let go before.
void supervise(struct supervision *supervision);

#endif
