// Bad company for a server: connections as a table below has them, kept up until standard input
// ends. Says "ready" when they stand.
//
//     crowd_peers KIND SOCKET_PATH PORT
//
// ipc and TCP take turns. One thread, which waits for nothing but the time.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    PEERS_MAX = 10000,
    PAYLOAD = 16384,
    PING_MAX = PAYLOAD + 64,
    BYTES_AT_ONCE = 64 // of a request that comes slowly
};

struct peer {
    int fd;
    size_t at; // bytes of the ping that were sent
};

struct company {
    struct sockaddr_un ipc;
    struct sockaddr_in tcp;
    struct peer peers[PEERS_MAX];
    char ping[PING_MAX];
    size_t ping_length;
    int next;
};

static const char hello[] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};

static int dial(const struct company *company, int number)
{
    bool is_ipc = number % 2 == 0;
    int fd = socket(is_ipc ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr *address =
        is_ipc ? (const struct sockaddr *)&company->ipc : (const struct sockaddr *)&company->tcp;
    socklen_t size = is_ipc ? sizeof company->ipc : sizeof company->tcp;
    if (fd < 0 || connect(fd, address, size)) {
        perror("crowd_peers: connect");
        exit(1);
    }
    return fd;
}

static ssize_t put(int fd, const char *bytes, size_t length)
{
    return send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// A ping as ipc carries it, and one byte later as tcp does.
static void make_ping(struct company *company)
{
    static const char method[] = "\x0a\x1asoma.v1.ServerService/Ping";
    size_t frame = 5 + sizeof method - 1 + 4 + PAYLOAD;
    char *at = company->ping;
    *at++ = 1;
    for (int shift = 56; shift >= 0; shift -= 8)
        *at++ = (char)((uint64_t)(frame + 4) >> shift);
    memcpy(at, "\x80\0\0\1\1\x1c\0\0\0", 9); // request id; version, header length
    memcpy(at + 9, method, sizeof method - 1);
    at += 9 + sizeof method - 1;
    *at++ = 0x0a;
    *at++ = (char)(0x80 | (PAYLOAD & 0x7f));
    *at++ = (char)(0x80 | (PAYLOAD >> 7 & 0x7f));
    *at++ = (char)(PAYLOAD >> 14);
    company->ping_length = (size_t)(at - company->ping) + PAYLOAD;
}

// --- what each kind does, once for each of its turns

static void open_one(struct company *company, int number, bool says_hello)
{
    company->peers[number] = (struct peer){.fd = dial(company, number)};
    if (says_hello)
        put(company->peers[number].fd, hello, sizeof hello);
}

static void open_silent(struct company *company, int number)
{
    open_one(company, number, false);
}

static void open_greeting(struct company *company, int number)
{
    open_one(company, number, true);
}

static void open_nothing(struct company *company, int number)
{
    company->peers[number].fd = -1;
}

static bool is_closed(int fd)
{
    char greeting[sizeof hello];
    ssize_t got;
    do
        got = recv(fd, greeting, sizeof greeting, MSG_DONTWAIT);
    while (got > 0);
    return got == 0 || errno != EAGAIN;
}

static void stay(struct company *company, int number)
{
    (void)company, (void)number;
}

// One whose handshake was given up comes again.
static void come_again(struct company *company, int number)
{
    int fd = company->peers[number].fd;
    if (is_closed(fd)) {
        close(fd);
        open_silent(company, number);
    }
}

static void send_some(struct company *company, int number, size_t most)
{
    struct peer *peer = &company->peers[number];
    const char *ping = company->ping + number % 2;
    size_t length = company->ping_length - (size_t)(number % 2);
    size_t left = length - peer->at;
    ssize_t sent = put(peer->fd, ping + peer->at, left < most ? left : most);
    if (sent > 0)
        peer->at = (peer->at + (size_t)sent) % length;
    if (sent < 0 && errno != EAGAIN) {
        close(peer->fd);
        open_greeting(company, number);
    }
}

static void send_slowly(struct company *company, int number)
{
    char reply[4096];
    while (recv(company->peers[number].fd, reply, sizeof reply, MSG_DONTWAIT) > 0)
        continue;
    send_some(company, number, BYTES_AT_ONCE);
}

static void send_and_never_read(struct company *company, int number)
{
    send_some(company, number, PING_MAX);
}

static void visit(struct company *company, int number)
{
    int fd = dial(company, number);
    put(fd, hello, sizeof hello);
    close(fd);
}

static const struct kind {
    const char *name;
    int count;
    int turns_a_second; // of all of them together
    void (*open)(struct company *company, int number);
    void (*turn)(struct company *company, int number);
} kinds[] = {
    {"idle", 10000, 0, open_greeting, stay},
    {"silent", 1000, 1000, open_silent, come_again},
    {"slow", 200, 1000, open_greeting, send_slowly},
    {"deaf", 200, 1000, open_greeting, send_and_never_read},
    {"visits", 2, 1000, open_nothing, visit},
};

// --- the time

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

// Whether standard input has ended by then.
static bool is_over(int64_t until_us)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    int64_t left_us = until_us - now_us();
    if (left_us < 0)
        left_us = 0;
    // To the microsecond: rounded down to milliseconds this would spin on a processor.
    struct timespec left = {.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};
    return ppoll(&input, 1, &left, NULL) > 0;
}

// Late turns are made up for, but no more than a tenth of a second's.
static void keep_up(struct company *company, const struct kind *kind)
{
    int64_t step_us = kind->turns_a_second ? 1000000 / kind->turns_a_second : 1000000;
    int64_t next_us = now_us();
    while (!is_over(next_us)) {
        int64_t now = now_us();
        if (next_us < now - 100000)
            next_us = now - 100000;
        for (; next_us <= now; next_us += step_us) {
            kind->turn(company, company->next);
            company->next = (company->next + 1) % kind->count;
        }
    }
}

int main(int argc, char **argv)
{
    static struct company company = {.ipc.sun_family = AF_UNIX, .tcp.sin_family = AF_INET};
    const struct kind *kind = NULL;
    struct rlimit limit;
    for (size_t i = 0; argc == 4 && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, argv[1]) == 0)
            kind = &kinds[i];
    }
    if (!kind || strlen(argv[2]) >= sizeof company.ipc.sun_path) {
        fprintf(stderr, "usage: crowd_peers idle|silent|slow|deaf|visits SOCKET_PATH PORT\n");
        return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    strcpy(company.ipc.sun_path, argv[2]);
    company.tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    company.tcp.sin_port = htons((uint16_t)strtoul(argv[3], NULL, 10));
    make_ping(&company);
    for (int i = 0; i < kind->count; i++)
        kind->open(&company, i);
    puts("ready");
    fflush(stdout);
    keep_up(&company, kind);
    return 0;
}
