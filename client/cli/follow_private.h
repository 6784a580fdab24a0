// What the parts of a follow share: follow.c moves it on, follow_show.c tells the user.
#ifndef CLI_FOLLOW_PRIVATE_H
#define CLI_FOLLOW_PRIVATE_H

#include "cli/bar.h"
#include "cli/follow.h"
#include "cli/follow_call.h"

enum {
    // Between drawings of the bar, and between lines where there is none.
    BAR_MS = 125,
    LINE_MS = 10 * 1000,
};

// One output stream of the job on its way to ours.
struct stream {
    int fd;
    bool is_wanted;
    bool is_terminal;
    // Of the next byte to ask for.
    int64_t offset;
    // What was read and is not written yet; inside follow.output.
    const char *data;
    size_t length;
    bool has_ended;
};

struct follow {
    struct cli *cli;
    const struct follow_request *request;
    struct mailbox mailbox;
    struct follow_call read, wait, cancel;
    struct stream streams[2];
    // Holds what streams have still to write; NULL: nothing.
    struct soma_job_output *output;
    // The attempt that is read; 0: none was started yet.
    uint32_t attempt;
    struct soma_job *job;
    struct bar bar;
    unsigned frame;
    int64_t begun_ms;
    int64_t next_bar_ms;
    int64_t next_line_ms;
    // The server does not answer at the moment.
    bool is_lost;
    bool was_reached;
    // 1: asked to end, 2: by force.
    unsigned cancel_wanted, cancel_sent;
    unsigned interrupts_seen;
    bool is_over;
    enum follow_end end;
    int status;
};

__attribute__((format(printf, 2, 3))) void follow_say(struct follow *follow, const char *format,
                                                      ...);
bool follow_job_is_final(const struct follow *follow);

// Draws the bar or writes a line, when it is time. is_writing: output is on its way.
void follow_show_progress(struct follow *follow, bool is_writing);

#endif
