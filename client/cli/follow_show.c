#include "cli/follow_private.h"

#include <stdarg.h>
#include <stdio.h>

#include "cli/error.h"
#include "cli/job_print.h"
#include "cli/terminal.h"
#include "cli/units.h"

void follow_say(struct follow *follow, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    bar_erase(&follow->bar);
    if (follow->bar.mid_line && follow->bar.enabled) {
        fputc('\n', stderr);
        follow->bar.mid_line = false;
    }
    notice(follow->cli, "%s", text);
}

static const char *label(const struct follow *follow)
{
    if (follow->is_lost)
        return "waiting for the server";
    if (follow->cancel_wanted)
        return "cancelling";
    return follow->job ? soma_job_state_name(follow->job->state) : "queued";
}

static struct bar_view view_of(const struct follow *follow)
{
    const struct soma_job *job = follow->job;
    struct bar_view view = {.label = label(follow), .percent = -1, .left_ms = -1};
    int64_t now = wall_ms(), begun = job && job->started_ms ? job->started_ms : 0;
    view.elapsed_ms = begun ? now - begun : now_ms() - follow->begun_ms;
    view.frame = follow->frame;
    if (job && job->progress.percent >= 0 && !follow->cancel_wanted && !follow->is_lost) {
        view.percent = job->progress.percent;
        view.message = job->progress.message;
        view.left_ms = bar_left_ms(view.percent, job->progress.reported_ms - begun,
                                   now - job->progress.reported_ms);
    }
    return view;
}

static void say_progress(struct follow *follow)
{
    const struct soma_job *job = follow->job;
    struct bar_view view = view_of(follow);
    char clock[UNITS_TEXT_SIZE];
    format_clock(clock, view.elapsed_ms);
    if (view.percent >= 0)
        follow_say(follow, "job %s: %d%% after %s  %s", follow->request->job_id, (int)view.percent,
                   clock, job->progress.message ? job->progress.message : "");
    else
        follow_say(follow, "job %s: %s for %s", follow->request->job_id, view.label, clock);
}

bool follow_job_is_final(const struct follow *follow)
{
    return follow->job && soma_job_state_is_final(follow->job->state);
}

void follow_show_progress(struct follow *follow, bool is_writing)
{
    int64_t now = now_ms();
    if (!follow->request->shows_progress || follow_job_is_final(follow))
        return;
    if (follow->bar.enabled &&
        (now >= follow->next_bar_ms || (!follow->bar.drawn && !is_writing))) {
        struct bar_view view = view_of(follow);
        bar_draw(&follow->bar, &view);
    }
    if (follow->bar.enabled && now >= follow->next_bar_ms) {
        follow->frame++;
        follow->next_bar_ms = now + BAR_MS;
    }
    if (!follow->bar.enabled && now >= follow->next_line_ms) {
        say_progress(follow);
        follow->next_line_ms = now + LINE_MS;
    }
}
