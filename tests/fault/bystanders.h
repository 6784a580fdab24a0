// Beside a load of jobs: a client that writes rows of a collection with a graph, and one that
// uploads files and submits jobs with them into a queue of their own.
#ifndef TESTS_BYSTANDERS_H
#define TESTS_BYSTANDERS_H

#include <stdbool.h>

#include <soma/soma.h>

#define BYSTANDERS_QUEUE "files"

// On a running server; the client is borrowed until bystanders_stop.
void bystanders_start(struct soma_client *client);
// Whether a call failed, which none may; bystanders_stop says why.
bool bystanders_have_failed(void);
// The server must run.
void bystanders_stop(void);
// What was acknowledged is there, and nothing that was never written; each batch is whole; the
// index agrees with the database; each job with a file has read that file.
void bystanders_check(void);

#endif
