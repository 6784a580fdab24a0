// The groups of commands; each file of a group ends with its rows, and the last row
// has no name.
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/cli.h"

// jobs_run.c: run, submit
extern const struct command job_run_commands[];
// jobs_show.c: ps, show, logs
extern const struct command job_show_commands[];
// jobs_watch.c: watch
extern const struct command job_watch_commands[];
// top.c: top
extern const struct command top_commands[];
// jobs_artifacts.c: artifacts
extern const struct command job_artifact_commands[];
// jobs_control.c: wait, cancel, retry, rm, prune, progress
extern const struct command job_control_commands[];
// queues.c: queue …
extern const struct command queue_commands[];
// tokens.c: token …
extern const struct command token_commands[];
// collections.c: collection …
extern const struct command collection_commands[];
// collections_names.c: collection alias, unalias, clone
extern const struct command collection_name_commands[];
// collections_check.c: collection check
extern const struct command collection_check_commands[];
// snapshots.c: collection snapshot, restore
extern const struct command snapshot_commands[];
// records_write.c: upsert, insert, update
extern const struct command record_write_commands[];
// records_import.c: import
extern const struct command record_import_commands[];
// records_export.c: export
extern const struct command record_export_commands[];
// records_search.c: query, count, facet
extern const struct command record_search_commands[];
// records_read.c: get, scan, delete
extern const struct command record_read_commands[];
// completion.c: complete
extern const struct command completion_commands[];
// context_commands.c: context …, config show
extern const struct command context_commands[];
// server_check.c: check
extern const struct command server_check_commands[];
// server.c: ping, info, stats, help
extern const struct command server_commands[];

#endif
