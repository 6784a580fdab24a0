// Parts of one piece of work, done by the thread that has it and by threads that have nothing else
// to do. Nobody is waited for who has not begun; who helps goes away, after the part that it has in
// hand, when other work waits.
#ifndef VECTORS_SPREAD_H
#define VECTORS_SPREAD_H

#include <stdbool.h>
#include <stddef.h>

// Who helps; given by somad.
struct spread {
    void *context;
    // Runs run(argument) on a thread that is idle. False, and nothing was done, where there is
    // none.
    bool (*try_run)(void *context, void (*run)(void *argument), void *argument);
    bool (*is_quiet)(void *context); // no other work waits
    unsigned helpers;                // to ask for at most; 0: there are none
};

// work(context, part) once for each part below count, at the same time from several threads.
// Returns when all are done. spread may be NULL, and outlives all.
void spread_run(const struct spread *spread, size_t count, void (*work)(void *context, size_t part),
                void *context);

#endif
