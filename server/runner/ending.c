#include "runner/ending.h"

enum {
    KILL_WAIT_FIRST_MS = 10,
    KILL_WAIT_MAX_MS = 250
};

void ending_init(struct ending *ending, struct mono_time wall_deadline)
{
    *ending = (struct ending){.phase = PHASE_RUNS, .deadline = wall_deadline};
}

static enum end_action begin_killing(struct ending *ending)
{
    ending->phase = PHASE_KILLING;
    ending->kill_wait_ms = KILL_WAIT_FIRST_MS;
    ending->deadline = clock_deadline_after(KILL_WAIT_FIRST_MS);
    ending->give_up = clock_deadline_after(ENDING_GIVE_UP_MS);
    return ACTION_KILL;
}

static enum end_action kill_again(struct ending *ending)
{
    if (clock_left_ms(ending->give_up) == 0) {
        ending->phase = PHASE_OVER;
        ending->deadline = MONO_NEVER;
        return ACTION_NONE;
    }
    ending->kill_wait_ms *= 2;
    if (ending->kill_wait_ms > KILL_WAIT_MAX_MS)
        ending->kill_wait_ms = KILL_WAIT_MAX_MS;
    ending->deadline = clock_deadline_after(ending->kill_wait_ms);
    return ACTION_KILL;
}

static void shorten(struct ending *ending, int64_t grace_ms)
{
    struct mono_time sooner = clock_deadline_after(grace_ms);
    if (sooner.ms < ending->deadline.ms)
        ending->deadline = sooner;
}

enum end_action ending_ask(struct ending *ending, enum end_cause cause, int64_t grace_ms)
{
    if (ending->phase == PHASE_KILLING || ending->phase == PHASE_OVER)
        return ACTION_NONE;
    if (ending->cause == CAUSE_NONE)
        ending->cause = cause;
    if (grace_ms <= 0)
        return begin_killing(ending);
    if (ending->phase != PHASE_RUNS) {
        shorten(ending, grace_ms);
        return ACTION_NONE;
    }
    ending->phase = PHASE_TERMINATING;
    ending->deadline = clock_deadline_after(grace_ms);
    return ACTION_TERMINATE;
}

void ending_note_tree(struct ending *ending, bool main_ended, bool is_empty)
{
    if (main_ended && ending->cause == CAUSE_NONE)
        ending->cause = CAUSE_MAIN_ENDED;
    if (is_empty) {
        ending->phase = PHASE_OVER;
        ending->deadline = MONO_NEVER;
    } else if (main_ended && ending->phase == PHASE_RUNS) {
        ending->phase = PHASE_LEFT_BEHIND;
        ending->deadline = clock_deadline_after(ENDING_LEFT_BEHIND_MS);
    }
}

enum end_action ending_check_deadline(struct ending *ending, int64_t grace_ms)
{
    if (clock_left_ms(ending->deadline) > 0)
        return ACTION_NONE;
    switch (ending->phase) {
    case PHASE_RUNS:
        return ending_ask(ending, CAUSE_WALL_TIME, grace_ms);
    case PHASE_LEFT_BEHIND:
    case PHASE_TERMINATING:
        return begin_killing(ending);
    case PHASE_KILLING:
        return kill_again(ending);
    case PHASE_OVER:
        break;
    }
    return ACTION_NONE;
}
