// What the parts of a follow share: follow.c moves it on, follow_show.c tells the user.
#ifndef CLI_FOLLOW_PRIVATE_H
#define CLI_FOLLOW_PRIVATE_H

#include "cli/bar.h"
#include "cli/follow.h"
#include "cli/follow_call.h"
#include "cli/follow_input.h"
#include "cli/log_text.h"

enum {
    // Between drawings of the bar, and between lines where there is none.
    BAR_MS = 125,
    LINE_MS = 10 * 1000,
};

// One output stream of the job on its way to ours.
struct stream {
    int fd;
    bool is_terminal;
};

struct follow {
    struct cli *cli;
    const struct follow_request *request;
    struct mailbox mailbox;
    struct follow_call read, wait, cancel;
    struct follow_input input;
    struct stream streams[2];
    // What was read and is not written yet; NULL: nothing.
    struct soma_job_log *log;
    size_t next_piece;
    struct log_text text;
    // What is left of the piece before, and where it goes.
    struct stream *stream;
    const char *data;
    size_t length;
    // Where to read on in the attempt, unless at its beginning.
    struct soma_job_log_position position;
    bool has_position;
    bool has_read_all;
    // An attempt after the first one is read from its beginning.
    bool is_later_attempt;
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
