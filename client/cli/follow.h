// Stays with one job: hands its output on as it comes, shows how far it is, and answers Ctrl-C,
// over lost connections and restarts of the server.
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include "cli/cli.h"

enum on_interrupt {
    ON_INTERRUPT_CANCEL,
    ON_INTERRUPT_DETACH,
};

struct follow_request {
    const char *job_id;
    // 0: the latest, and those that come after it.
    uint32_t attempt;
    // Where to begin in the first attempt, as in soma_job_log_request.
    int64_t tail_lines;
    int64_t since_ms;
    // 0: both.
    enum soma_stream stream;
    // Of a single stream: its first bytes, which are left out.
    int64_t skip_bytes;
    // Before each line.
    bool with_times;
    // Our standard input is the job's, which is interactive.
    bool sends_input;
    // Show a bar, or a line now and then, and what becomes of the server.
    bool shows_progress;
    // From interrupts_open; -1: signals do what they do by default.
    int interrupt_fd;
    enum on_interrupt on_interrupt;
    // The server has answered before: when it is away now, it is waited for.
    bool was_reached;
};

enum follow_end {
    // The job is final, and all of its output was written.
    FOLLOW_DONE,
    // The user has left; the job goes on.
    FOLLOW_LEFT,
    // Nobody reads the output any more.
    FOLLOW_UNREAD,
    // Reported; *ret_status.
    FOLLOW_FAILED,
};

// How many of the piece's bytes stand before the offset.
size_t follow_skip(const struct soma_job_log_piece *piece, int64_t offset);

// *ret_job is the job as last seen (soma_free), NULL where it was never seen. Closes the client
// when calls are still in flight.
enum follow_end follow_job(struct cli *cli, const struct follow_request *request,
                           struct soma_job **ret_job, int *ret_status);

#endif
