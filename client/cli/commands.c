#include "cli/commands.h"

#include <string.h>

const struct command_group command_groups[] = {
    {"Run code", job_run_commands},
    {"See jobs", job_show_commands},
    {"Watch jobs", job_watch_commands},
    {"Watch the server", top_commands},
    {"Files of jobs", job_artifact_commands},
    {"Direct jobs", job_control_commands},
    {"Queues", queue_commands},
    {"Tokens", token_commands},
    {"Collections", collection_commands},
    {"Names and copies of collections", collection_name_commands},
    {"Check collections", collection_check_commands},
    {"Save collections", snapshot_commands},
    {"Write records", record_write_commands},
    {"Import files", record_import_commands},
    {"Export files", record_export_commands},
    {"Search records", record_search_commands},
    {"Read and delete records", record_read_commands},
    {"The server", server_commands},
    {"Which server", context_commands},
    {"For shells", completion_commands},
    {NULL, NULL},
};

const struct command *command_find(const char *name)
{
    for (const struct command_group *group = command_groups; group->title; group++) {
        for (const struct command *command = group->commands; command->name; command++) {
            if (strcmp(command->name, name) == 0)
                return command;
        }
    }
    return NULL;
}
