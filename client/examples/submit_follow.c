// Submits a shell command as a job and stays with it: follow 'COMMAND'. The output appears as the
// program writes it, and the exit status is the job's. Killed and started anew with the id that it
// prints, follow --job ID, it goes on with the same job: the job is the server's.
#include <soma/soma.h>
#include <stdio.h>
#include <string.h>

static int fail(const char *what, const struct soma_error *err)
{
    fprintf(stderr, "%s: %s (%s %s)\n", what, err->text, err->reason, err->field);
    return 125;
}

static bool show(void *user, enum soma_stream stream, int64_t offset, const void *data,
                 size_t length)
{
    (void)user;
    (void)offset; // where a follow that broke off would begin again
    fwrite(data, 1, length, stream == SOMA_STDERR ? stderr : stdout);
    return fflush(stdout) == 0;
}

static int follow(struct soma_client *client, const char *id)
{
    struct soma_job_follow_request request = SOMA_JOB_FOLLOW_REQUEST_INIT;
    request.job_id = id;
    request.on_output = show;
    struct soma_job *job;
    struct soma_error err;
    if (soma_job_follow(client, &request, NULL, &job, &err) != SOMA_OK)
        return fail("follow", &err);
    int status = soma_job_exit_status(job);
    fprintf(stderr, "%s: %s after %lld ms\n", job->id, soma_job_state_name(job->state),
            (long long)job->wall_used_ms);
    soma_free(job);
    return status;
}

static int submit_and_follow(struct soma_client *client, const char *command)
{
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    spec.language = "sh";
    spec.source = command;
    spec.source_length = strlen(command);
    spec.wall_time_ms = 10 * 60 * 1000;
    struct soma_job *job;
    struct soma_error err;
    if (soma_job_submit(client, &spec, NULL, &job, &err) != SOMA_OK)
        return fail("submit", &err);
    fprintf(stderr, "%s\n", job->id);
    int status = follow(client, job->id);
    soma_free(job);
    return status;
}

int main(int argc, char **argv)
{
    bool attach = argc == 3 && strcmp(argv[1], "--job") == 0;
    if (argc != 2 && !attach) {
        fprintf(stderr, "usage: %s 'COMMAND' | --job ID\n", argv[0]);
        return 2;
    }
    struct soma_client *client;
    struct soma_error err;
    if (soma_client_open(NULL, &client, &err) != SOMA_OK)
        return fail("open", &err);
    int status = attach ? follow(client, argv[2]) : submit_and_follow(client, argv[1]);
    soma_client_close(client);
    return status;
}
