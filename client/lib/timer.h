// The client's timer thread: calls that wait for something, each with the time when it has waited
// enough.
#ifndef LIB_TIMER_H
#define LIB_TIMER_H

#include "lib/client.h"

enum soma_code timer_start(struct soma_client *client, struct soma_error *err);
// Every call must have ended.
void timer_stop(struct soma_client *client);

// All below with the client's lock held.

// Room for one more call than there are; false without memory.
bool timer_reserve(struct soma_client *client);
void timer_add(struct soma_client *client, struct soma_call *call, struct mono_time due);
void timer_remove(struct soma_client *client, struct soma_call *call);

#endif
