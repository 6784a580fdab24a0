// collection alias, unalias and clone.
#include <stdio.h>

#include "cli/collection_print.h"
#include "cli/commands.h"
#include "cli/error.h"

static int run_alias(struct cli *cli, const struct options *options)
{
    struct soma_collection_alias_request request = SOMA_COLLECTION_ALIAS_REQUEST_INIT;
    struct soma_collection *collection;
    struct soma_error err;
    int status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    request.collection = options->operands[0];
    request.alias = options->operands[1];
    if (soma_collection_alias(cli->client, &request, NULL, &collection, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot call %s %s", request.collection, request.alias);
    collection_show(cli, collection);
    soma_free(collection);
    return STATUS_OK;
}

static int run_unalias(struct cli *cli, const struct options *options)
{
    struct soma_collection_unalias_request request = SOMA_COLLECTION_UNALIAS_REQUEST_INIT;
    struct soma_collection_unaliased *removed;
    struct soma_error err;
    int status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    request.alias = options->operands[0];
    if (soma_collection_unalias(cli->client, &request, NULL, &removed, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot remove alias %s", request.alias);
    soma_free(removed);
    return STATUS_OK;
}

static int run_clone(struct cli *cli, const struct options *options)
{
    struct soma_collection_clone_request request = SOMA_COLLECTION_CLONE_REQUEST_INIT;
    struct soma_collection *collection;
    struct soma_error err;
    int status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    request.collection = options->operands[0];
    request.new_name = options->operands[1];
    if (soma_collection_clone(cli->client, &request, NULL, &collection, &err) != SOMA_OK)
        return report_error(cli, &err, "cannot clone %s", request.collection);
    collection_show(cli, collection);
    soma_free(collection);
    return STATUS_OK;
}

const struct command collection_name_commands[] = {
    {
        .name = "collection alias",
        .synopsis = "COLLECTION ALIAS",
        .summary = "Give a collection another name, or turn that name to it",
        .details =
            "What the alias stood for before changes in one step: a search by it sees the one "
            "collection or the\nother.\n",
        .examples = "soma collection alias docs-2024 docs\n",
        .operands_min = 2,
        .operands_max = 2,
        .run = run_alias,
    },
    {
        .name = "collection unalias",
        .synopsis = "ALIAS",
        .summary = "Take an alias away; its collection stays",
        .examples = "soma collection unalias docs\n",
        .operands_min = 1,
        .operands_max = 1,
        .run = run_unalias,
    },
    {
        .name = "collection clone",
        .synopsis = "COLLECTION NAME",
        .summary = "Copy a collection with all of its records",
        .details =
            "In one step, so what is written meanwhile waits, and no more than 200 000 records. "
            "Larger ones: 'soma\ncollection snapshot' and 'soma collection restore'.\n",
        .examples = "soma collection clone docs docs-copy\n",
        .operands_min = 2,
        .operands_max = 2,
        .run = run_clone,
    },
    {0},
};
