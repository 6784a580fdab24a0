// The program soma-runner. People rarely start it: the server does.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "runner/init.h"
#include "runner/runner.h"
#include "runner/signals.h"
#include "runner/title.h"
#include "runner/zygote.h"

static const char help[] =
    "Usage: soma-runner --attempt DIR\n"
    "       soma-runner --spawner FD\n"
    "       soma-runner --help | --version\n"
    "\n"
    "Supervises one attempt of a SOMA job. The server starts it; by hand it serves to look\n"
    "into an attempt that misbehaves.\n"
    "\n"
    "  --attempt DIR  run the attempt that DIR/order describes, in the foreground. Its output\n"
    "                 goes to DIR/stdout and DIR/stderr, its end to DIR/status. SIGTERM or\n"
    "                 Ctrl-C end the job and its whole process tree.\n"
    "  --spawner FD   serve the socket FD: fork a runner for each request, until the server\n"
    "                 closes it.\n"
    "\n"
    "Exit status: 0 DIR/status is written, whatever it says; 1 DIR cannot be used or\n"
    "DIR/status not be written; 2 wrong usage; 3 another runner has this attempt, it was run\n"
    "before, or there is no DIR/order.\n";

int main(int argc, char **argv)
{
    int64_t fd;
    signals_reset();
    if (argc == 3 && strcmp(argv[1], "--spawner") == 0 &&
        text_to_int64(argv[2], STDERR_FILENO + 1, 1 << 20, &fd)) {
        title_init(argc, argv, environ);
        return zygote_run((int)fd);
    }
    if (argc == 3 && strcmp(argv[1], "--attempt") == 0)
        return runner_run(argv[2], -1);
    if (argc == 3 && strcmp(argv[1], "--init") == 0)
        init_main(argv[2]);
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("soma-runner " SOMA_VERSION) < 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return fputs(help, stdout) < 0;
    fputs(help, stderr);
    return RUNNER_BAD_USAGE;
}
