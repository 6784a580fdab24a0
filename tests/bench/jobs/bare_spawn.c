// What this machine can do: posix_spawn and wait, nothing else.
//
//     bare_spawn rate IN_FLIGHT SECONDS PROGRAM [ARGUMENT…]
//     bare_spawn start FIFO SECONDS PROGRAM [ARGUMENT…]
//
// rate keeps IN_FLIGHT processes alive. start runs one after the other and measures the time until
// the stamp of the program (or of one that it has queued) comes out of the FIFO.
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

enum {
    IN_FLIGHT_MAX = 64,
    STAMP_BYTES = 17
};

struct process {
    pid_t pid;
    int64_t begun_ns;
};

static uint32_t *latencies;
static size_t finished;

static void die(const char *what)
{
    fprintf(stderr, "bare_spawn: %s\n", what);
    exit(1);
}

static void begin(struct process *process, char **command)
{
    process->begun_ns = now_ns();
    if (posix_spawn(&process->pid, command[0], NULL, NULL, command, environ))
        die("cannot spawn");
}

static void note(int64_t begun_ns, int64_t ended_ns)
{
    if (finished < LATENCIES_MAX)
        latencies[finished] = (uint32_t)(ended_ns - begun_ns);
    finished++;
}

static void end_one(struct process *processes, int count, char **command, int64_t deadline_ns)
{
    int status;
    pid_t pid = waitpid(-1, &status, 0);
    if (pid <= 0 || status != 0)
        die("the program failed");
    for (int i = 0; i < count; i++) {
        if (processes[i].pid != pid)
            continue;
        note(processes[i].begun_ns, now_ns());
        processes[i].pid = 0;
        if (now_ns() < deadline_ns)
            begin(&processes[i], command);
    }
}

static int alive(const struct process *processes, int count)
{
    int result = 0;
    for (int i = 0; i < count; i++)
        result += processes[i].pid > 0;
    return result;
}

static void measure_rate(int count, int64_t deadline_ns, char **command)
{
    struct process processes[IN_FLIGHT_MAX] = {0};
    for (int i = 0; i < count; i++)
        begin(&processes[i], command);
    while (alive(processes, count) > 0)
        end_one(processes, count, command, deadline_ns);
}

static void measure_start(const char *fifo, int64_t deadline_ns, char **command)
{
    int fd = open(fifo, O_RDWR);
    if (fd < 0)
        die("cannot open the FIFO");
    while (now_ns() < deadline_ns) {
        char text[STAMP_BYTES + 1] = "";
        struct process process;
        int status;
        begin(&process, command);
        if (read(fd, text, STAMP_BYTES) != STAMP_BYTES)
            die("no stamp");
        waitpid(process.pid, &status, 0);
        note(process.begun_ns, (int64_t)strtoull(text, NULL, 16));
    }
}

int main(int argc, char **argv)
{
    double seconds = argc > 4 ? number_of(argv[3], 60) : 0;
    if (seconds <= 0)
        die("usage: bare_spawn rate IN_FLIGHT|start FIFO SECONDS PROGRAM [ARGUMENT...]");
    latencies = calloc(LATENCIES_MAX, sizeof *latencies);
    int64_t begun = now_ns(), deadline = begun + (int64_t)(seconds * 1e9);
    if (strcmp(argv[1], "start") == 0)
        measure_start(argv[2], deadline, argv + 4);
    else
        measure_rate((int)number_of(argv[2], IN_FLIGHT_MAX), deadline, argv + 4);
    report(latencies, finished, (double)(now_ns() - begun) / 1e9);
    return 0;
}
