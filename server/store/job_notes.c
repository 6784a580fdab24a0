#include "store/job_notes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "measures/measures.h"
#include "store/connection.h"

enum {
    FIRST_ROOM = 64,
};

static bool make_room(struct job_notes *notes)
{
    if (notes->count < notes->room)
        return true;
    size_t room = notes->room ? 2 * notes->room : FIRST_ROOM;
    struct job_note *more = realloc(notes->notes, room * sizeof *more);
    if (!more)
        return false;
    notes->notes = more;
    notes->room = room;
    return true;
}

void job_notes_add(struct job_notes *notes, const struct job *job, unsigned from)
{
    const struct job_status *status = &job->status;
    if (!notes || status->state == from || !make_room(notes))
        return;
    struct job_note *note = &notes->notes[notes->count++];
    *note = (struct job_note){
        .from = (uint8_t)from,
        .to = (uint8_t)status->state,
        .reason = (uint8_t)status->reason,
        .attempt = status->attempt,
        .exit_code = status->exit_code,
        .signal = status->signal,
        .has_request = notes->request != NULL,
    };
    memcpy(note->id, job->id, sizeof note->id);
    snprintf(note->queue, sizeof note->queue, "%s", job->spec.queue);
    if (notes->request)
        memcpy(note->request, notes->request, sizeof note->request);
}

void job_notes_free(struct job_notes *notes)
{
    if (notes)
        free(notes->notes);
    free(notes);
}

void job_notes_part_begin(struct job_notes *notes)
{
    if (notes)
        notes->count_before_part = notes->count;
}

void job_notes_part_undo(struct job_notes *notes)
{
    if (notes)
        notes->count = notes->count_before_part;
}

// "state=queued" where it is new, else "state=running from=queued", and what is known of an end.
static void log_note(const struct job_note *note)
{
    char from[32] = "", request[2 * NOTE_REQUEST_BYTES + 1] = "-", end[64] = "";
    if (note->from)
        snprintf(from, sizeof from, " from=%s", job_state_name((enum job_state)note->from));
    if (note->has_request)
        text_from_bytes(request, note->request, NOTE_REQUEST_BYTES);
    if (job_state_is_final((enum job_state)note->to))
        snprintf(end, sizeof end, " reason=%s exit=%d signal=%d",
                 job_reason_name((enum job_reason)note->reason), note->exit_code, note->signal);
    log_info("JOB-STATE", "job=%s state=%s%s attempt=%u queue=%s%s request=%s", note->id,
             job_state_name((enum job_state)note->to), from, note->attempt, note->queue, end,
             request);
    measure_add(MEASURE_JOB_ENTERED, note->to, 1);
}

void job_notes_committed(struct job_notes *notes)
{
    for (size_t i = 0; notes && i < notes->count; i++)
        log_note(&notes->notes[i]);
    job_notes_rolled_back(notes);
}

void job_notes_rolled_back(struct job_notes *notes)
{
    if (notes)
        notes->count = notes->count_before_part = 0;
}
