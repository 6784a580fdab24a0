// The server as a whole: all rooms, started and stopped in the one right order.
#ifndef SOMAD_SERVER_H
#define SOMAD_SERVER_H

#include "config/config.h"

struct server;

// Everything up to listening. config is borrowed until server_stop.
enum soma_code server_start(const struct config *config, struct server **ret_server,
                            struct soma_error *err);

// The addresses it listens on, separated by spaces; lives as long as the server.
const char *server_addresses(const struct server *server);

// SIGHUP: reads the certificates again, and says what came of it.
void server_reload(struct server *server);

// What is done from time to time: closes idle connections, tells the service manager that all is
// well, if it is. To be called again after as many milliseconds as it gives.
int64_t server_look(struct server *server);

// Drains and closes: refuses what comes, answers what waits, commits, lets go of running jobs.
// Takes NULL and a half-started server.
void server_stop(struct server *server);

#endif
