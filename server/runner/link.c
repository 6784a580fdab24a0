#include "runner/link.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "runner/packet.h"
#include "wire/limits.h"

enum {
    MESSAGE_SIZE = ISOLATION_TEXT_SIZE + 128
};

static const enum link_news all_news[] = {NEWS_STARTED,  NEWS_ISOLATION, NEWS_OUTPUT,
                                          NEWS_PROGRESS, NEWS_USE,       NEWS_FED};

static void close_link(struct link *link)
{
    close(link->fd);
    *link = (struct link){.fd = -1};
}

void links_init(struct links *links, int first_fd)
{
    *links = (struct links){0};
    for (int i = 0; i < LINK_COUNT_MAX; i++)
        links->at[i].fd = -1;
    links->at[0].fd = first_fd;
    if (first_fd >= 0)
        fcntl(first_fd, F_SETFL, O_NONBLOCK);
}

static struct link *find_free(struct links *links)
{
    for (int i = 0; i < LINK_COUNT_MAX; i++) {
        if (links->at[i].fd < 0)
            return &links->at[i];
    }
    return NULL;
}

void links_accept(struct links *links, int control_fd)
{
    int fd = accept4(control_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    struct link *link = find_free(links);
    if (!link) {
        close(fd);
        return;
    }
    *link = (struct link){.fd = fd, .owed = links->known};
    link_flush(links, link);
}

bool links_are_open(const struct links *links)
{
    for (int i = 0; i < LINK_COUNT_MAX; i++) {
        if (links->at[i].fd >= 0)
            return true;
    }
    return false;
}

bool links_are_followed(const struct links *links)
{
    struct pollfd set[LINK_COUNT_MAX];
    for (int i = 0; i < LINK_COUNT_MAX; i++)
        set[i] = (struct pollfd){.fd = links->at[i].fd};
    if (poll(set, LINK_COUNT_MAX, 0) < 0)
        return false;
    for (int i = 0; i < LINK_COUNT_MAX; i++) {
        if (set[i].fd >= 0 && !(set[i].revents & (POLLHUP | POLLERR)))
            return true;
    }
    return false;
}

void links_announce(struct links *links, enum link_news news)
{
    links->known |= news;
    for (int i = 0; i < LINK_COUNT_MAX; i++) {
        if (links->at[i].fd < 0)
            continue;
        links->at[i].owed |= news;
        link_flush(links, &links->at[i]);
    }
}

static int format_message(const struct links *links, enum link_news news, char text[MESSAGE_SIZE])
{
    char progress[PROGRESS_FORMAT_SIZE];
    switch (news) {
    case NEWS_STARTED:
        return snprintf(text, MESSAGE_SIZE, "started %d", (int)getpid());
    case NEWS_OUTPUT:
        return snprintf(text, MESSAGE_SIZE, "output %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64,
                        links->out->kept_bytes, links->out->dropped_bytes, links->err->kept_bytes,
                        links->err->dropped_bytes);
    case NEWS_FED:
        return snprintf(text, MESSAGE_SIZE, "fed %" PRId64 " %d", links->feed->fed_bytes,
                        links->feed->is_closed);
    case NEWS_PROGRESS:
        progress_format(links->progress, progress);
        return snprintf(text, MESSAGE_SIZE, "progress %s", progress);
    case NEWS_ISOLATION:
        return snprintf(text, MESSAGE_SIZE, "isolation %s", links->isolation);
    case NEWS_USE:
        return snprintf(text, MESSAGE_SIZE,
                        "use %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64,
                        links->use->user_ms, links->use->system_ms, links->use->memory_bytes,
                        links->use->peak_memory_bytes, links->use->processes,
                        links->use->disk_bytes);
    }
    return 0;
}

void link_flush(struct links *links, struct link *link)
{
    for (size_t i = 0; i < sizeof all_news / sizeof all_news[0]; i++) {
        if (!(link->owed & all_news[i]))
            continue;
        char text[MESSAGE_SIZE];
        int length = format_message(links, all_news[i], text);
        int errnum = packet_send(link->fd, text, (size_t)length, -1, MSG_DONTWAIT);
        if (errnum == EAGAIN || errnum == ENOBUFS || errnum == ENOMEM)
            return;
        if (errnum) {
            close_link(link);
            return;
        }
        link->owed &= ~(unsigned)all_news[i];
    }
}

// One line, whatever came: the note ends up in a message for people.
static void set_note(char note[LINK_NOTE_MAX + 1], const char *text)
{
    size_t length = strnlen(text, LINK_NOTE_MAX);
    while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    if (!text_is_utf8(text, length))
        length = 0;
    for (size_t i = 0; i < length; i++)
        note[i] = (unsigned char)text[i] < ' ' ? ' ' : text[i];
    note[length] = '\0';
}

static bool parse_cancel(const char *text, struct link_cancel *ret_cancel)
{
    if (strncmp(text, "cancel ", 7) != 0)
        return false;
    const char *at = text + 7;
    int64_t grace_ms;
    if (!packet_take_int(&at, &grace_ms) || grace_ms < 0)
        return false;
    ret_cancel->grace_ms = grace_ms < LIMIT_JOB_KILL_GRACE_MS ? grace_ms : LIMIT_JOB_KILL_GRACE_MS;
    set_note(ret_cancel->note, at);
    return true;
}

enum link_wish link_receive(struct link *link, struct link_cancel *ret_cancel)
{
    char text[PACKET_SIZE];
    ssize_t length = packet_receive(link->fd, text, sizeof text, NULL, MSG_DONTWAIT);
    if (length > 0 && strcmp(text, "feed") == 0)
        return WISH_FEED;
    if (length > 0)
        return parse_cancel(text, ret_cancel) ? WISH_CANCEL : WISH_NONE;
    bool is_alive = length < 0 && (errno == EAGAIN || errno == EMSGSIZE);
    if (!is_alive)
        close_link(link);
    return WISH_NONE;
}
