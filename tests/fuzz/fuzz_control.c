// Whoever connects to a runner's control socket, and what a runner says of its job to the server:
// the input is packets, each behind its length in two bytes.
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "fuzz.h"
#include "jobs/outcome.h"
#include "runner/link.h"
#include "wire/limits.h"

static void check_note(const struct link_cancel *cancel)
{
    MUST(cancel->grace_ms >= 0 && cancel->grace_ms <= LIMIT_JOB_KILL_GRACE_MS);
    MUST(text_is_utf8(cancel->note, strlen(cancel->note)) && !strchr(cancel->note, '\n'));
}

static void take_at_server(const uint8_t *bytes, size_t length)
{
    char isolation[JOB_ISOLATION_BYTES + 1], message[JOB_NOTE_BYTES + 1];
    double percent;
    isolation_take(isolation, (const char *)bytes, length);
    MUST(text_is_utf8(isolation, strlen(isolation)));
    if (progress_read((const char *)bytes, length, &percent, message)) {
        MUST(percent >= 0 && percent <= 100);
        MUST(text_is_utf8(message, strlen(message)));
    }
}

static void take_at_runner(const uint8_t *bytes, size_t length)
{
    int pair[2];
    struct link_cancel cancel;
    MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    struct link link = {.fd = pair[0]};
    MUST(send(pair[1], bytes, length, MSG_NOSIGNAL) == (ssize_t)length);
    close(pair[1]);
    if (link_receive(&link, &cancel) == WISH_CANCEL)
        check_note(&cancel);
    link_receive(&link, &cancel); // its end
    if (link.fd >= 0)
        close(link.fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    while (length > 2) {
        size_t packet = (size_t)bytes[0] << 8 | bytes[1];
        packet = packet < length - 2 ? packet : length - 2;
        take_at_runner(bytes + 2, packet);
        take_at_server(bytes + 2, packet);
        bytes += 2 + packet;
        length -= 2 + packet;
    }
    return 0;
}
