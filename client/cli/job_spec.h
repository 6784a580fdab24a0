// What run and submit are told, as the library's specification of a job.
#ifndef CLI_JOB_SPEC_H
#define CLI_JOB_SPEC_H

#include "cli/cli.h"
#include "cli/job_schedule.h"
#include "cli/pool.h"

// Fills ret_spec from the options and operands of run and submit. Its memory is the pool's and
// argv's.
int job_spec_read(const struct cli *cli, const struct options *options, struct pool *pool,
                  struct soma_job_spec *ret_spec);

// The option, without dashes, that the server's name of a field comes from; NULL: none.
const char *job_spec_option(const char *field);

// The options that job_spec_read knows, as rows of an option table.
#define JOB_SPEC_OPTIONS                                                                          \
    {"language", 0, "NAME", "interpreter; otherwise by the file's ending; python for -c", false}, \
        {"code", 'c', "CODE", "the program itself", false},                                       \
        {"name", 0, "TEXT", "for people; otherwise the file's name", false},                      \
        {"queue", 0, "NAME", "queue (default)", false},                                           \
        {"priority", 0, "N", "-1000 to 1000, larger first (0)", false},                           \
        {"label", 'l', "KEY=VALUE", "label", true},                                               \
        {"env", 'e', "KEY=VALUE", "environment variable of the job", true},                       \
        {"file", 'F', "PATH[:NAME]", "file or directory for the work directory", true},           \
        {"artifact", 'A', "PATTERN", "files of the work directory to keep at the end", true},     \
        {"artifact-limit", 0, "SIZE", "of all artifacts (1G)", false},                            \
        {"detached", 0, NULL, "in a job: not to be cancelled with it", false},                    \
        {"interactive", 'i', NULL, "this standard input, as it comes, is the job's", false},      \
        {"stdin", 0, "FILE", "the job's standard input; - is this one", false},                   \
        {"time-limit", 0, "DURATION", "wall time of an attempt (24h)", false},                    \
        {"output-limit", 0, "SIZE", "kept of each output stream (64M)", false},                   \
        {"end-at-output-limit", 0, NULL, "end the job there, instead of dropping the rest",       \
         false},                                                                                  \
        {"cpu-time", 0, "DURATION", "CPU time of the whole tree (no limit)", false},              \
        {"memory", 0, "SIZE", "memory of the whole tree (no limit)", false},                      \
        {"processes", 0, "N", "processes and threads at once (1024 in namespaces)", false},       \
        {"disk", 0, "SIZE", "of the work directory (no limit)", false},                           \
        {"file-size", 0, "SIZE", "of each file (no limit)", false},                               \
        {"open-files", 0, "N", "descriptors of a process (1024)", false},                         \
        {"tmp-size", 0, "SIZE", "of the job's own /tmp, in namespaces (256M)", false},            \
        {"network", 0, NULL, "let the job use the network, where the server allows it", false},   \
        {"sandbox", 0, "POLICY", "required or best-effort; otherwise the server's", false},       \
        {"output-tail", 0, "SIZE", "of that, kept of the end; the middle is dropped (0)", false}, \
        {"grace", 0, "DURATION", "between TERM and KILL (5s)", false}, JOB_SCHEDULE_OPTIONS,      \
        {"keep", 0, "DURATION", "how long the finished job is kept (7d)", false},                 \
    {                                                                                             \
        "idempotent", 0, NULL, "running it twice does no harm: a lost attempt is repeated", false \
    }

#endif
