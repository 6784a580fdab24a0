#include "cli/commands.h"

#include <string.h>

const struct command_group command_groups[] = {
    {"Run code", job_run_commands, "jobs"},
    {"See jobs", job_show_commands, "jobs"},
    {"Watch jobs", job_watch_commands, "jobs"},
    {"Files of jobs", job_artifact_commands, "jobs"},
    {"Direct jobs", job_control_commands, "jobs"},
    {"Queues", queue_commands, "queues"},
    {"Tokens", token_commands, "tokens"},
    {"Collections", collection_commands, "collections"},
    {"Names and copies of collections", collection_name_commands, "collections"},
    {"Check collections", collection_check_commands, "collections"},
    {"Save collections", snapshot_commands, "collections"},
    {"Write records", record_write_commands, "records"},
    {"Import files", record_import_commands, "records"},
    {"Export files", record_export_commands, "records"},
    {"Search records", record_search_commands, "records"},
    {"Read and delete records", record_read_commands, "records"},
    {"The server", server_commands, "server"},
    {"Watch the server", top_commands, "server"},
    {"Check the server", server_check_commands, "server"},
    {"Which server", context_commands, "context"},
    {"For shells", completion_commands, NULL},
    {NULL, NULL, NULL},
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
