// libsoma in an event loop: calls are started, and their ends come through a pipe that epoll waits
// on beside everything else, here a clock. Submits one job for each argument, a shell command, and
// says when each ends. The thread that loops never waits for the server.
#include <fcntl.h>
#include <soma/soma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

// What a call left, as it goes through the pipe; as small as this it goes in one piece.
struct ended_call {
    struct soma_job *job;
    enum soma_code code;
};

static int ends[2];

// On a thread of the library.
static void tell_the_loop(void *user, struct soma_job *job, const struct soma_error *err)
{
    (void)user;
    struct ended_call call = {.job = job, .code = err ? err->code : SOMA_OK};
    if (write(ends[1], &call, sizeof call) != sizeof call)
        abort(); // a pipe has room for 4096 of them; more in flight want a queue
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    return 1;
}

static int submit(struct soma_client *client, const char *command)
{
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    spec.language = "sh";
    spec.source = command;
    spec.source_length = strlen(command);
    spec.name = command;
    struct soma_error err;
    return soma_job_submit_async(client, &spec, NULL, tell_the_loop, NULL, NULL, &err) == SOMA_OK
               ? 0
               : fail("submit", err.text);
}

// A submit or a poll has ended. Gives how many jobs ended with it.
static int go_on(struct soma_client *client, const struct ended_call *call)
{
    if (call->code != SOMA_OK)
        return fail("call", "failed"), 1;
    bool is_final = soma_job_state_is_final(call->job->state);
    struct soma_job_wait_request poll = SOMA_JOB_WAIT_REQUEST_INIT;
    poll.job_id = call->job->id;
    poll.wait_ms = 60000;
    if (is_final)
        printf("%s: exit status %d\n", call->job->spec.name, soma_job_exit_status(call->job));
    else if (soma_job_wait_async(client, &poll, NULL, tell_the_loop, NULL, NULL, NULL) != SOMA_OK)
        is_final = true;
    soma_free(call->job);
    return is_final ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct soma_client *client;
    struct soma_error err;
    if (soma_client_open(NULL, &client, &err) != SOMA_OK)
        return fail("open", err.text);
    int clock = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), loop = epoll_create1(EPOLL_CLOEXEC);
    if (clock < 0 || loop < 0 || pipe2(ends, O_CLOEXEC) != 0)
        return fail("loop", "no descriptors");
    timerfd_settime(clock, 0, &(struct itimerspec){{1, 0}, {1, 0}}, NULL);
    epoll_ctl(loop, EPOLL_CTL_ADD, clock, &(struct epoll_event){EPOLLIN, {.fd = clock}});
    epoll_ctl(loop, EPOLL_CTL_ADD, ends[0], &(struct epoll_event){EPOLLIN, {.fd = ends[0]}});
    int running = 0;
    for (int i = 1; i < argc && submit(client, argv[i]) == 0; i++)
        running++;
    while (running > 0) {
        struct epoll_event event;
        uint64_t ticks;
        struct ended_call call;
        if (epoll_wait(loop, &event, 1, -1) != 1)
            continue;
        if (event.data.fd == clock && read(clock, &ticks, sizeof ticks) == sizeof ticks)
            fprintf(stderr, "%d running\n", running);
        if (event.data.fd == ends[0] && read(ends[0], &call, sizeof call) == sizeof call)
            running -= go_on(client, &call);
    }
    soma_client_close(client);
    return 0;
}
