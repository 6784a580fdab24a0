#include "cli/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cli/error.h"

static volatile sig_atomic_t signal_count;
static volatile sig_atomic_t end_at;
static int event_fd = -1;

static void on_signal(int number)
{
    int saved = errno;
    uint64_t one = 1;
    (void)number;
    signal_count = signal_count + 1;
    if (end_at && signal_count >= end_at)
        _exit(STATUS_INTERRUPTED);
    ssize_t written = write(event_fd, &one, sizeof one);
    (void)written;
    errno = saved;
}

int interrupts_open(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event_fd < 0)
        return -1;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return event_fd;
}

void interrupts_end_at(unsigned count)
{
    end_at = (sig_atomic_t)count;
}

unsigned interrupts_count(void)
{
    uint64_t value;
    ssize_t got = read(event_fd, &value, sizeof value);
    (void)got;
    return (unsigned)signal_count;
}
