// What became of jobs in the open transaction, for the log: one line for each change of a state,
// and only once it is committed. For the files of this folder alone.
//
// Parts of a transaction are undone alone, and their notes with them, as job_counters.h has it.
#ifndef STORE_JOB_NOTES_H
#define STORE_JOB_NOTES_H

#include "jobs/queue.h"
#include "store/store.h"

enum {
    NOTE_REQUEST_BYTES = 16
};

struct job_note {
    char id[ID_SIZE];
    char queue[NAMESPACE_SIZE + QUEUE_NAME_BYTES + 1]; // full name
    uint8_t from, to;                                  // of enum job_state; from 0: it is new
    uint8_t reason;                                    // of enum job_reason
    bool has_request;                                  // of whoever asked for it
    uint32_t attempt;
    int32_t exit_code;
    int32_t signal;
    uint8_t request[NOTE_REQUEST_BYTES];
};

struct job_notes {
    struct job_note *notes; // owned
    size_t count;
    size_t room;
    size_t count_before_part;
    const uint8_t *request; // of the operation that is applied; borrowed. NULL: nobody asked
};

// The job has the status now, and had this state before. Where there is no memory for it, it is
// left out. notes may be NULL: a connection that writes nothing.
void job_notes_add(struct job_notes *notes, const struct job *job, unsigned from);

// --- for connection.c; notes may be NULL

void job_notes_free(struct job_notes *notes);
void job_notes_part_begin(struct job_notes *notes);
void job_notes_part_undo(struct job_notes *notes);
// Logs and counts them.
void job_notes_committed(struct job_notes *notes);
void job_notes_rolled_back(struct job_notes *notes);

#endif
