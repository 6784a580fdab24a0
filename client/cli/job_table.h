// Jobs as the rows of a table, for ps and watch.
#ifndef CLI_JOB_TABLE_H
#define CLI_JOB_TABLE_H

#include "cli/table.h"

void job_table_init(struct table *table);
// False: out of memory.
bool job_table_add(struct table *table, const struct soma_job *job);

// What ps and watch can sort by.
struct job_order {
    int (*compare)(const void *a, const void *b); // of pointers to jobs; NULL: the newest first
};

// The option --sort. Exit status 0 or that of what was reported.
int job_order_read(const struct cli *cli, const struct options *options,
                   struct job_order *ret_order);
void job_order_apply(const struct job_order *order, const struct soma_job **jobs, size_t count);

#define JOB_SORT_OPTION                                                                 \
    {                                                                                   \
        "sort", 0, "KEY", "newest (default), oldest, state, name, queue or size", false \
    }

#endif
