#include "runner/signals.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int ignored[] = {SIGPIPE, SIGXFSZ};
static const int watched[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT};

void signals_reset(void)
{
    // Fails for KILL, STOP and the two that libc keeps: they cannot be changed at all.
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    signals_restore();
}

void signals_restore(void)
{
    sigset_t none;
    for (unsigned i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        signal(ignored[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int signals_open(void)
{
    for (unsigned i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        signal(ignored[i], SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    for (unsigned i = 0; i < sizeof watched / sizeof watched[0]; i++)
        sigaddset(&set, watched[i]);
    sigprocmask(SIG_SETMASK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int signals_read(int signal_fd)
{
    struct signalfd_siginfo info;
    return read(signal_fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}
