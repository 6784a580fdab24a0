// libsoma: run code as durable jobs, keep vectors, on a SOMA server.
//
//     struct soma_client *client;
//     struct soma_error err;
//     if (soma_client_open(NULL, &client, &err) != SOMA_OK)
//         return report(&err);
//     struct soma_job_spec spec = SOMA_JOB_SPEC_INIT;
//     spec.language = "python";
//     spec.source = "print('hello')";
//     spec.source_length = strlen(spec.source);
//     struct soma_job *job;
//     if (soma_job_submit(client, &spec, NULL, &job, &err) == SOMA_OK)
//         printf("%s\n", job->id);
//     soma_free(job);
//     soma_client_close(client);
//
// Threads: a client may be used by any number of threads at once. A result belongs to the caller
// alone.
//
// Memory: what a function takes is read before it returns and stays the caller's, in the
// asynchronous form too. What it gives is one allocation that soma_free gives back, whatever hangs
// below it; NULL is fine there.
//
// Structs that the caller fills begin with struct_size and are initialised with their _INIT macro,
// so that programs go on working when fields are added. All other fields may be left 0 (NULL),
// which means "the default" unless said otherwise.
//
// Texts are UTF-8 that ends in NUL. Times are milliseconds since 1970-01-01 UTC, 0: not yet. Limits
// of sizes and counts are the server's; soma_server_info shows them, and what breaks one is
// SOMA_INVALID_ARGUMENT with the field's name.
//
// Retries: a call that surely changed nothing (SOMA_UNAVAILABLE, SOMA_RESOURCE_EXHAUSTED with a
// retry_after_ms) is tried again until the call's timeout, waiting longer each time; a call whose
// reply was lost is sent again with the same request id, which the server carries out once.
// soma_call_options changes both. A server that this client has reached before is waited for until
// the timeout; one that it never reached is given up sooner
// (soma_client_options.connect_timeout_ms).
#ifndef SOMA_SOMA_H
#define SOMA_SOMA_H

#include <soma/client.h>
#include <soma/collections.h>
#include <soma/job_files.h>
#include <soma/jobs.h>
#include <soma/queues.h>
#include <soma/records.h>
#include <soma/server.h>
#include <soma/tokens.h>

#endif
