// The bar of a command that moves records; inside a job ($SOMA_PROGRESS) the job's progress, too.
#ifndef CLI_WORK_BAR_H
#define CLI_WORK_BAR_H

#include "cli/bar.h"

struct work_bar {
    struct bar bar; // on stderr
    const char *label;
    const char *noun; // "rows"
    bool is_in_job;
    int64_t begun_ms, next_ms;
    int64_t begun_at; // what was done before
    unsigned frame;
};

// label: shown where no percent is known; done: what earlier runs did.
void work_bar_init(struct work_bar *work, const struct cli *cli, const char *label,
                   const char *noun);
// What earlier runs did does not count in the rate.
void work_bar_go_on(struct work_bar *work, int64_t done);
// At most eight times a second. percent below 0: not known.
void work_bar_show(struct work_bar *work, double percent, int64_t done);
// All is done.
void work_bar_finish(struct work_bar *work, int64_t done);
void work_bar_erase(struct work_bar *work);

#endif
