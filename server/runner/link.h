// The runner's connections to servers: the one that it was born with, and those that come to
// `control` after a server was started again. docs/ARCHITECTURE.md, "Links", has the messages.
//
// Every message to a server says how things are now, so none is queued: a link only remembers which
// kinds it is owed, and gets the newest of each when it can take it. A server that does not read
// costs nothing and holds nothing up.
#ifndef RUNNER_LINK_H
#define RUNNER_LINK_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runner/capture.h"
#include "runner/feed.h"
#include "runner/isolation.h"
#include "runner/meter.h"
#include "runner/progress.h"

enum {
    LINK_COUNT_MAX = 9, // the first one and 8 more
    LINK_NOTE_MAX = 255 // bytes of a cancel's note
};

enum link_news {
    NEWS_STARTED = 1,
    NEWS_OUTPUT = 2,
    NEWS_PROGRESS = 4,
    NEWS_ISOLATION = 8,
    NEWS_USE = 16,
    NEWS_FED = 32
};

struct link {
    int fd;        // owned, non-blocking; -1: free place
    unsigned owed; // bits of enum link_news
};

struct links {
    struct link at[LINK_COUNT_MAX];
    unsigned known; // news that there are: what a new link is owed
    // Borrowed; how things are now.
    const struct capture *out;
    const struct capture *err;
    const struct feed *feed;
    const struct progress *progress;
    const char *isolation;
    const struct meter_use *use;
};

// What a server wants.
enum link_wish {
    WISH_NONE,
    WISH_CANCEL,
    WISH_FEED // there is more input
};

struct link_cancel {
    int64_t grace_ms;
    char note[LINK_NOTE_MAX + 1]; // one line of UTF-8
};

// first_fd: -1 for none; taken over. What is borrowed is the caller's to fill in.
void links_init(struct links *links, int first_fd);

// Takes a waiting connection of the listening socket; closes it at once where all places are taken.
void links_accept(struct links *links, int control_fd);

// Whether there is any, as far as was looked.
bool links_are_open(const struct links *links);

// Whether a server holds the other end of one of them: what it has not read yet, it will.
bool links_are_followed(const struct links *links);

// There is news of this kind: every link is owed it, and gets it now if it can take it.
void links_announce(struct links *links, enum link_news news);

// Sends what the link is owed, as far as it can take it.
void link_flush(struct links *links, struct link *link);

// Takes the link's next message; closes the link at its end. WISH_CANCEL: ret_cancel is filled.
enum link_wish link_receive(struct link *link, struct link_cancel *ret_cancel);

#endif
