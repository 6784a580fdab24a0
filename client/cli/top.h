// soma top: what it asks for (top.c), and how a terminal shows it (top_screen.c, the one file that
// knows ncurses).
#ifndef CLI_TOP_H
#define CLI_TOP_H

#include "cli/cli.h"

// Of all jobs, records and calls; a second's worth is the difference of two looks.
struct top_figures {
    int64_t at_ms; // of now_ms; 0: there was no look
    int64_t running, queued, finished, failed;
    int64_t records;
    int64_t memory_bytes;
    int64_t calls, errors;
    int64_t connections;
};

// The latest answers; owned by top.c, NULL where there is none yet.
struct top_view {
    const char *server; // its address
    const struct soma_server_info *info;
    const struct soma_queue_list *queues;
    const struct soma_job_list *jobs; // those that run
    const struct soma_collection_list *collections;
    struct top_figures now, before;
    // Why the server does not answer; "": it does.
    char trouble[SOMA_TEXT_SIZE];
};

// Takes the terminal over; false: it cannot. Ended by screen_close, which gives it back as it was.
bool screen_open(void);
void screen_close(void);

void screen_draw(const struct top_view *view);

// Waits so long at most for a key; false: the user wants to leave. Drawn anew where the terminal
// has another size.
bool screen_wait(const struct top_view *view, int64_t ms);

#endif
