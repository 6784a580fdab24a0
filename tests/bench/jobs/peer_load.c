// Submits to and works for peers whose protocol is simple.
//
//     peer_load submit PEER PORT|SOCKET SECONDS       64 connections, each with one submit in
//     flight peer_load count PEER PORT COUNT DONE_FILE       COUNT jobs, until the workers have
//     noted so many ends peer_load start PEER PORT SECONDS FIFO          one job after the other,
//     until its stamp is there peer_load work PEER PORT DONE_FILE PROGRAM…     a worker: runs the
//     program for each job, notes
//                                                     one byte for each end
//
// PEER: beanstalk, gearman, or redis (a bare LPUSH, submits only).
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

enum {
    CONNECTIONS = 64,
    MESSAGE_MAX = 4096,
    STAMP_BYTES = 17
};

// gearmand's protocol document, "Binary Packet".
enum gearman {
    GEARMAN_CAN_DO = 1,
    GEARMAN_PRE_SLEEP = 4,
    GEARMAN_NOOP = 6,
    GEARMAN_JOB_CREATED = 8,
    GEARMAN_GRAB_JOB = 9,
    GEARMAN_NO_JOB = 10,
    GEARMAN_JOB_ASSIGN = 11,
    GEARMAN_WORK_COMPLETE = 13,
    GEARMAN_SUBMIT_JOB_BG = 18
};

static const char payload[] = "0123456789abcdef0123456789abcdef";

static void die(const char *what)
{
    fprintf(stderr, "peer_load: %s\n", what);
    exit(1);
}

static int connect_to(const char *where)
{
    struct sockaddr_in tcp = {.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)strtol(where, NULL, 10)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    snprintf(local.sun_path, sizeof local.sun_path, "%s", where);
    bool is_local = where[0] == '/';
    int fd = socket(is_local ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const void *address = is_local ? (const void *)&local : (const void *)&tcp;
    if (fd < 0 || connect(fd, address, is_local ? sizeof local : sizeof tcp))
        die("cannot connect");
    int one = 1;
    if (!is_local)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void send_all(int fd, const void *bytes, size_t length)
{
    if (write(fd, bytes, length) != (ssize_t)length)
        die("cannot send");
}

// --- packets of gearmand

static size_t gearman_packet(char *packet, enum gearman type, const void *data, size_t length)
{
    uint32_t words[] = {htonl((uint32_t)type), htonl((uint32_t)length)};
    memcpy(packet, "\0REQ", 4);
    memcpy(packet + 4, words, sizeof words);
    memcpy(packet + 12, data, length);
    return 12 + length;
}

static void gearman_send(int fd, enum gearman type, const void *data, size_t length)
{
    char packet[MESSAGE_MAX];
    send_all(fd, packet, gearman_packet(packet, type, data, length));
}

static enum gearman gearman_receive(int fd, char *data, size_t *ret_length)
{
    uint32_t head[3];
    if (recv(fd, head, sizeof head, MSG_WAITALL) != sizeof head)
        die("gearmand closed");
    size_t length = ntohl(head[2]);
    if (length >= MESSAGE_MAX ||
        (length > 0 && recv(fd, data, length, MSG_WAITALL) != (ssize_t)length))
        die("gearmand sent too much");
    data[length] = '\0';
    *ret_length = length;
    return (enum gearman)ntohl(head[1]);
}

// --- submits

struct peer {
    const char *name;
    size_t (*request)(char *message);
    const char *reply; // how it begins
    size_t reply_length;
    bool (*take)(int fd, char *handle); // waits for a job
    void (*finish)(int fd, const char *handle);
    void (*greet)(int fd);
};

static size_t beanstalk_request(char *message)
{
    return (size_t)snprintf(message, MESSAGE_MAX, "put 0 0 120 %zu\r\n%s\r\n", strlen(payload),
                            payload);
}

static size_t redis_request(char *message)
{
    return (size_t)snprintf(message, MESSAGE_MAX,
                            "*3\r\n$5\r\nLPUSH\r\n$4\r\nbare\r\n$%zu\r\n%s\r\n", strlen(payload),
                            payload);
}

static size_t gearman_request(char *message)
{
    static unsigned count;
    char data[MESSAGE_MAX - 16];
    // A unique key of its own: jobs of one key are merged.
    size_t length = (size_t)snprintf(data, sizeof data, "noop%c%d-%u%c%s", 0, (int)getpid(),
                                     count++, 0, payload);
    return gearman_packet(message, GEARMAN_SUBMIT_JOB_BG, data, length);
}

// --- work

static bool beanstalk_take(int fd, char *handle)
{
    char text[MESSAGE_MAX];
    unsigned long id;
    send_all(fd, "reserve\r\n", 9);
    ssize_t length = recv(fd, text, sizeof text - 1, 0);
    if (length <= 0)
        return false;
    text[length] = '\0';
    if (sscanf(text, "RESERVED %lu", &id) != 1)
        die("beanstalkd gave no job");
    // Its body may come in a second piece.
    while (!strstr(text, payload)) {
        ssize_t more = recv(fd, text + length, sizeof text - 1 - (size_t)length, 0);
        if (more <= 0)
            return false;
        length += more;
        text[length] = '\0';
    }
    snprintf(handle, 64, "%lu", id);
    return true;
}

static void beanstalk_finish(int fd, const char *handle)
{
    char text[128];
    send_all(fd, text, (size_t)snprintf(text, sizeof text, "delete %s\r\n", handle));
    if (recv(fd, text, sizeof text, 0) < 7 || memcmp(text, "DELETED", 7) != 0)
        die("beanstalkd did not delete the job");
}

static void gearman_greet(int fd)
{
    gearman_send(fd, GEARMAN_CAN_DO, "noop", 4);
}

static bool gearman_take(int fd, char *handle)
{
    char data[MESSAGE_MAX];
    size_t length;
    for (;;) {
        gearman_send(fd, GEARMAN_GRAB_JOB, "", 0);
        enum gearman type;
        do
            type = gearman_receive(fd, data, &length);
        while (type == GEARMAN_NOOP);
        if (type == GEARMAN_JOB_ASSIGN) {
            snprintf(handle, 64, "%.63s", data);
            return true;
        }
        gearman_send(fd, GEARMAN_PRE_SLEEP, "", 0);
        gearman_receive(fd, data, &length);
    }
}

static void gearman_finish(int fd, const char *handle)
{
    // The handle ends in NUL; no data follow.
    gearman_send(fd, GEARMAN_WORK_COMPLETE, handle, strlen(handle) + 1);
}

static const struct peer peers[] = {
    {"beanstalk", beanstalk_request, "INSERTED", 8, beanstalk_take, beanstalk_finish, NULL},
    {"gearman", gearman_request, "\0RES\0\0\0\10", 8, gearman_take, gearman_finish, gearman_greet},
    {"redis", redis_request, ":", 1, NULL, NULL, NULL},
};

static const struct peer *peer;

static void submit(int fd)
{
    char message[MESSAGE_MAX];
    send_all(fd, message, peer->request(message));
}

static void take_reply(int fd)
{
    char text[MESSAGE_MAX];
    ssize_t length = recv(fd, text, sizeof text, 0);
    if (length < (ssize_t)peer->reply_length || memcmp(text, peer->reply, peer->reply_length) != 0)
        die("the peer refused");
}

// Submits until the deadline, or so many.
static size_t submit_many(const char *where, int64_t deadline_ns, size_t max, uint32_t *latencies)
{
    struct pollfd set[CONNECTIONS];
    int64_t sent[CONNECTIONS];
    size_t begun = 0, finished = 0;
    int open_count = 0;
    for (int i = 0; i < CONNECTIONS; i++)
        set[i] = (struct pollfd){.fd = connect_to(where), .events = POLLIN};
    for (int i = 0; i < CONNECTIONS && begun < max; i++, begun++, open_count++) {
        sent[i] = now_ns();
        submit(set[i].fd);
    }
    while (open_count > 0) {
        if (poll(set, CONNECTIONS, 10000) <= 0)
            die("the peer does not answer");
        for (int i = 0; i < CONNECTIONS; i++) {
            if (!set[i].revents)
                continue;
            take_reply(set[i].fd);
            if (finished < LATENCIES_MAX)
                latencies[finished] = (uint32_t)(now_ns() - sent[i]);
            finished++;
            open_count--;
            if (begun == max || now_ns() >= deadline_ns)
                continue;
            begun++;
            open_count++;
            sent[i] = now_ns();
            submit(set[i].fd);
        }
    }
    for (int i = 0; i < CONNECTIONS; i++)
        close(set[i].fd);
    return finished;
}

static int64_t size_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? info.st_size : 0;
}

static void measure_submit(const char *where, char **arguments)
{
    uint32_t *latencies = calloc(LATENCIES_MAX, sizeof *latencies);
    int64_t begun = now_ns();
    size_t count = submit_many(where, begun + (int64_t)(number_of(arguments[0], 60) * 1e9),
                               SIZE_MAX, latencies);
    report(latencies, count, (double)(now_ns() - begun) / 1e9);
}

static void measure_count(const char *where, char **arguments)
{
    uint32_t *latencies = calloc(LATENCIES_MAX, sizeof *latencies);
    size_t count = (size_t)number_of(arguments[0], 1e6);
    int64_t before = size_of(arguments[1]), begun = now_ns();
    submit_many(where, INT64_MAX, count, latencies);
    while (size_of(arguments[1]) < before + (int64_t)count)
        usleep(1000);
    printf("{\"rate\": %.1f}\n", (double)count / ((double)(now_ns() - begun) / 1e9));
}

static void measure_start(const char *where, char **arguments)
{
    uint32_t *latencies = calloc(LATENCIES_MAX, sizeof *latencies);
    int64_t begun = now_ns(), deadline = begun + (int64_t)(number_of(arguments[0], 60) * 1e9);
    int connection = connect_to(where), fifo = open(arguments[1], O_RDWR);
    size_t count = 0;
    while (now_ns() < deadline) {
        char text[STAMP_BYTES + 1] = "";
        int64_t asked = now_ns();
        submit(connection);
        take_reply(connection);
        if (read(fifo, text, STAMP_BYTES) != STAMP_BYTES)
            die("no stamp");
        latencies[count++] = (uint32_t)((int64_t)strtoull(text, NULL, 16) - asked);
        usleep(2000);
    }
    report(latencies, count, (double)(now_ns() - begun) / 1e9);
}

static void work(const char *where, char **arguments)
{
    int fd = connect_to(where);
    int done = open(arguments[0], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    char handle[64];
    if (peer->greet)
        peer->greet(fd);
    while (peer->take(fd, handle)) {
        pid_t pid;
        int status;
        if (posix_spawn(&pid, arguments[1], NULL, NULL, arguments + 1, environ) ||
            waitpid(pid, &status, 0) != pid || status != 0)
            die("the program failed");
        peer->finish(fd, handle);
        if (write(done, ".", 1) != 1)
            die("cannot note the end");
    }
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 4 && i < sizeof peers / sizeof peers[0]; i++) {
        if (strcmp(peers[i].name, argv[2]) == 0)
            peer = &peers[i];
    }
    if (!peer)
        die("wrong usage; the modes stand at the top of peer_load.c");
    if (strcmp(argv[1], "submit") == 0)
        measure_submit(argv[3], argv + 4);
    else if (strcmp(argv[1], "count") == 0)
        measure_count(argv[3], argv + 4);
    else if (strcmp(argv[1], "start") == 0)
        measure_start(argv[3], argv + 4);
    else
        work(argv[3], argv + 4);
    return 0;
}
