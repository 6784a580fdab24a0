#include "cli/work_bar.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/job_progress.h"
#include "cli/terminal.h"

enum {
    SHOW_MS = 125
};

void work_bar_init(struct work_bar *work, const struct cli *cli, const char *label,
                   const char *noun)
{
    const char *progress = getenv("SOMA_PROGRESS");
    *work = (struct work_bar){
        .label = label, .noun = noun, .is_in_job = progress && *progress, .begun_ms = now_ms()};
    bar_init(&work->bar, cli, STDERR_FILENO);
}

void work_bar_go_on(struct work_bar *work, int64_t done)
{
    work->begun_at = done;
}

void work_bar_show(struct work_bar *work, double percent, int64_t done)
{
    char message[96];
    int64_t now = now_ms(), elapsed_ms = now - work->begun_ms;
    if ((!work->bar.enabled && !work->is_in_job) || now < work->next_ms)
        return;
    snprintf(message, sizeof message, "%" PRId64 " %s, %" PRId64 " %s/s", done, work->noun,
             elapsed_ms > 0 ? (done - work->begun_at) * 1000 / elapsed_ms : 0, work->noun);
    struct bar_view view = {.label = work->label,
                            .percent = percent < 100 ? percent : 100,
                            .message = message,
                            .elapsed_ms = elapsed_ms,
                            .left_ms = percent < 0 ? -1 : bar_left_ms(percent, elapsed_ms, 0),
                            .frame = work->frame++};
    bar_draw(&work->bar, &view);
    if (work->is_in_job && percent >= 0)
        job_progress_write(view.percent, message);
    work->next_ms = now + SHOW_MS;
}

void work_bar_finish(struct work_bar *work, int64_t done)
{
    char message[64];
    work_bar_erase(work);
    snprintf(message, sizeof message, "%" PRId64 " %s", done, work->noun);
    if (work->is_in_job)
        job_progress_write(100, message);
}

void work_bar_erase(struct work_bar *work)
{
    bar_erase(&work->bar);
}
