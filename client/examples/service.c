// A service that calls a service: sends itself to the server as a job, and the job searches a
// collection there, by $SOMA_SERVER and $SOMA_TOKEN that SOMA gives it: service COLLECTION ID
// prints what is like the record ID.
#include <soma/soma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(const char *what, enum soma_code code, const struct soma_error *err)
{
    if (code == SOMA_OK)
        return;
    fprintf(stderr, "%s: %s (%s %s)\n", what, err->text, err->reason, err->field);
    exit(1);
}

// The job's part.
static void search(struct soma_client *client, const char *collection, const char *id)
{
    struct soma_records_query_request query = SOMA_RECORDS_QUERY_REQUEST_INIT;
    query.collection = collection;
    query.ids = &id;
    query.query_count = 1;
    query.k = 3;
    struct soma_query_results *results;
    struct soma_error err;
    check("query", soma_records_query(client, &query, NULL, &results, &err), &err);
    for (size_t i = 0; i < results->results[0].hit_count; i++)
        printf("%s %.3f\n", results->results[0].hits[i].record.id,
               results->results[0].hits[i].distance);
    soma_free(results);
}

// Uploads this very program, in pieces, and gives the upload's id.
static struct soma_job_upload *upload_myself(struct soma_client *client)
{
    static char piece[1 << 20];
    struct soma_job_upload_request request = SOMA_JOB_UPLOAD_REQUEST_INIT;
    struct soma_job_upload *upload = NULL;
    struct soma_error err;
    FILE *file = fopen("/proc/self/exe", "rb");
    while (file && !request.end) {
        struct soma_job_upload *before = upload;
        request.upload_id = before ? before->upload_id : NULL;
        request.offset += (int64_t)request.length;
        request.data = piece;
        request.length = fread(piece, 1, sizeof piece, file);
        request.end = feof(file);
        check("upload", soma_job_upload(client, &request, NULL, &upload, &err), &err);
        soma_free(before);
    }
    return file && fclose(file) == 0 ? upload : NULL;
}

static bool print(void *user, enum soma_stream stream, int64_t offset, const void *data,
                  size_t length)
{
    (void)user;
    (void)offset;
    return fwrite(data, 1, length, stream == SOMA_STDERR ? stderr : stdout) == length;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return fprintf(stderr, "usage: %s COLLECTION ID\n", argv[0]), 2;
    struct soma_client *client;
    struct soma_error err;
    check("open", soma_client_open(NULL, &client, &err), &err);
    if (getenv("SOMA_JOB_ID")) {
        search(client, argv[1], argv[2]);
        soma_client_close(client);
        return 0;
    }
    struct soma_job_upload *upload = upload_myself(client);
    if (!upload)
        return 1;
    struct soma_job_file file = {.path = "service",
                                 .executable = true,
                                 .upload_id = upload->upload_id,
                                 .size_bytes = upload->size_bytes};
    const char *command[] = {"./service", argv[1], argv[2]};
    struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
    spec.arguments = command;
    spec.argument_count = 3;
    spec.files = &file;
    spec.file_count = 1;
    struct soma_job *job, *ended;
    check("submit", soma_job_submit(client, &spec, NULL, &job, &err), &err);
    struct soma_job_follow_request follow = SOMA_JOB_FOLLOW_REQUEST_INIT;
    follow.job_id = job->id;
    follow.on_output = print;
    check("follow", soma_job_follow(client, &follow, NULL, &ended, &err), &err);
    int status = soma_job_exit_status(ended);
    soma_free(ended), soma_free(job), soma_free(upload);
    soma_client_close(client);
    return status;
}
