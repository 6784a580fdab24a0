// collection snapshot and restore.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/error.h"
#include "cli/list_out.h"
#include "cli/snapshot_file.h"
#include "cli/work_bar.h"

enum {
    ROUNDS_MAX = 100
};

struct copying {
    struct cli *cli;
    const char *label;
    const char *path; // NULL: stdout or stdin
    struct snapshot_file snapshot;
    FILE *file;
    int64_t records, total; // so far; of the collection, 0: not known
    struct work_bar bar;
};

static void copying_init(struct copying *copying, struct cli *cli, const char *label,
                         const char *path)
{
    *copying =
        (struct copying){.cli = cli, .label = label, .path = strcmp(path, "-") == 0 ? NULL : path};
    work_bar_init(&copying->bar, cli, label, "records");
}

static void show_progress(struct copying *copying)
{
    double percent =
        copying->total > 0 ? 100.0 * (double)copying->records / (double)copying->total : -1;
    work_bar_show(&copying->bar, percent, copying->records);
}

static int file_failed(struct copying *copying, const char *verb, const char *path)
{
    work_bar_erase(&copying->bar);
    return report_failure(copying->cli, STATUS_FAILED, NULL, "cannot %s %s: %s", verb, path,
                          strerror(errno));
}

static int write_failed(struct copying *copying, const char *path)
{
    if (copying->path)
        return file_failed(copying, "write", path);
    output_note_failure();
    return STATUS_FAILED;
}

// --- snapshot

static void print_done(struct copying *copying, const char *name, int64_t records, int64_t sequence)
{
    struct json_out out;
    work_bar_finish(&copying->bar, records);
    // stdout may hold the snapshot itself.
    if (copying->cli->format == FORMAT_TABLE || copying->file == stdout) {
        notice(copying->cli, "%s: %" PRId64 " records %s", name, records, copying->label);
        return;
    }
    value_begin(&out, copying->cli);
    out_begin(&out, '{');
    out_text_at(&out, "collection", name);
    out_int_at(&out, "record_count", records);
    out_int_at(&out, "sequence", sequence);
    out_end(&out, '}');
    value_end(&out);
}

// Rounds of pages until one page holds all that changed since the round before it began.
static int take_pages(struct copying *copying, const char *name)
{
    struct soma_snapshot_read_request request = SOMA_SNAPSHOT_READ_REQUEST_INIT;
    struct soma_snapshot_page *page = NULL, *next = NULL;
    struct soma_error err;
    int64_t round_sequence = 0;
    int status = STATUS_OK;
    for (int round = 0; round < ROUNDS_MAX && status == STATUS_OK;) {
        request.collection = page ? page->collection_uid : name;
        if (soma_snapshot_read(copying->cli->client, &request, NULL, &next, &err) != SOMA_OK) {
            work_bar_erase(&copying->bar);
            status = report_error(copying->cli, &err, "cannot take a snapshot of %s", name);
            break;
        }
        soma_free(page);
        page = next;
        bool is_first = !request.after_place;
        if (!snapshot_write_page(&copying->snapshot, page->bytes, page->length))
            status = write_failed(copying, copying->path);
        copying->records += (int64_t)page->page_records;
        copying->total = page->record_count;
        show_progress(copying);
        if (status != STATUS_OK || (page->is_last && is_first))
            break;
        round_sequence = is_first ? page->sequence : round_sequence;
        round += page->is_last;
        request.after_place = page->is_last ? 0 : page->last_place;
        request.since_sequence = page->is_last ? round_sequence : request.since_sequence;
        if (round == ROUNDS_MAX)
            status = report_failure(copying->cli, STATUS_CONFLICT, "try again when less is written",
                                    "cannot take a snapshot of %s: it is written to faster than it"
                                    " is read",
                                    name);
    }
    work_bar_erase(&copying->bar);
    if (status == STATUS_OK && !snapshot_write_end(&copying->snapshot))
        status = write_failed(copying, copying->path);
    else if (status == STATUS_OK && page)
        print_done(copying, name, page->record_count, page->sequence);
    soma_free(page);
    return status;
}

static int take_to_file(struct copying *copying, const char *name, const char *part)
{
    copying->file = copying->path ? fopen(part, "wxe") : stdout;
    if (!copying->file)
        return file_failed(copying, "write", part);
    int status = snapshot_write_begin(&copying->snapshot, copying->file)
                     ? take_pages(copying, name)
                     : write_failed(copying, part);
    if (!copying->path)
        return status;
    bool is_synced = fsync(fileno(copying->file)) == 0;
    is_synced = fclose(copying->file) == 0 && is_synced;
    if (status == STATUS_OK && (!is_synced || rename(part, copying->path) != 0))
        status = file_failed(copying, "write", copying->path);
    if (status != STATUS_OK)
        unlink(part);
    return status;
}

static int run_snapshot(struct cli *cli, const struct options *options)
{
    struct copying copying;
    char *part = NULL;
    int status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    copying_init(&copying, cli, "saved", options->operands[1]);
    if (asprintf(&part, "%s.part-%d", options->operands[1], (int)getpid()) < 0)
        return report_out_of_memory(cli);
    status = take_to_file(&copying, options->operands[0], part);
    free(part);
    return status;
}

// --- restore

static int read_failed(struct copying *copying, enum snapshot_read read)
{
    const char *name = copying->path ? copying->path : "stdin";
    work_bar_erase(&copying->bar);
    if (read == SNAPSHOT_FAILED)
        return file_failed(copying, "read", name);
    return report_failure(copying->cli, STATUS_USAGE, "'soma collection snapshot' writes snapshots",
                          read == SNAPSHOT_NONE ? "%s: is no snapshot, or of a later version"
                                                : "%s: is torn or was changed; nothing is restored",
                          name);
}

// Sends a page, the last one with the collection's name, until all of it is done.
static int send_page(struct copying *copying, const char *bytes, size_t length, const char *name,
                     char **uid)
{
    struct soma_snapshot_restore_request request = SOMA_SNAPSHOT_RESTORE_REQUEST_INIT;
    struct soma_snapshot_restored *restored;
    struct soma_error err;
    request.bytes = bytes;
    request.length = length;
    request.finish_name = name;
    for (bool is_done = false; !is_done;) {
        request.uid = *uid;
        if (soma_snapshot_restore(copying->cli->client, &request, NULL, &restored, &err) !=
            SOMA_OK) {
            work_bar_erase(&copying->bar);
            return report_error(copying->cli, &err, "cannot restore from %s",
                                copying->path ? copying->path : "stdin");
        }
        is_done = !name || restored->is_finished;
        copying->records = restored->record_count;
        *uid = *uid ? *uid : strdup(restored->uid);
        soma_free(restored);
        if (!*uid)
            return report_out_of_memory(copying->cli);
    }
    show_progress(copying);
    return STATUS_OK;
}

// The page before the end waits until the end has shown that all before it is whole.
static int send_pages(struct copying *copying, const char *name, char **uid)
{
    char *held = NULL;
    size_t held_length = 0, length = 0;
    const void *bytes = NULL;
    int status = STATUS_OK;
    enum snapshot_read read = snapshot_read_begin(&copying->snapshot, copying->file);
    while (read == SNAPSHOT_PAGE && status == STATUS_OK) {
        read = snapshot_read_page(&copying->snapshot, &bytes, &length);
        bool is_next = read == SNAPSHOT_PAGE, is_end = read == SNAPSHOT_END;
        if (held && (is_next || is_end))
            status = send_page(copying, held, held_length, is_end ? name : NULL, uid);
        if (!is_next || status != STATUS_OK)
            break;
        free(held);
        held = malloc(length);
        if (!held)
            status = report_out_of_memory(copying->cli);
        else
            memcpy(held, bytes, length);
        held_length = length;
    }
    if (status == STATUS_OK && (read != SNAPSHOT_END || !held))
        status = read_failed(copying, read == SNAPSHOT_END ? SNAPSHOT_DAMAGED : read);
    free(held);
    return status;
}

static void give_up(struct copying *copying, const char *uid)
{
    struct soma_collection_request request = SOMA_COLLECTION_REQUEST_INIT;
    struct soma_records_deleted *deleted;
    request.collection = uid;
    if (soma_collection_delete(copying->cli->client, &request, NULL, &deleted, NULL) == SOMA_OK)
        soma_free(deleted);
}

// Better said before the whole file has travelled.
static int check_name_is_free(struct cli *cli, const char *name)
{
    struct soma_collection_request request = SOMA_COLLECTION_REQUEST_INIT;
    struct soma_collection *collection;
    struct soma_error err;
    request.collection = name;
    enum soma_code code = soma_collection_get(cli->client, &request, NULL, &collection, &err);
    if (code == SOMA_NOT_FOUND)
        return STATUS_OK;
    if (code != SOMA_OK)
        return report_error(cli, &err, "cannot restore %s", name);
    soma_free(collection);
    return report_failure(cli, STATUS_CONFLICT, "restore it under another name",
                          "cannot restore %s: there is a collection of that name", name);
}

static int run_restore(struct cli *cli, const struct options *options)
{
    const char *name = options->operands[0];
    struct copying copying;
    char *uid = NULL;
    int status = cli_connect(cli);
    if (status == STATUS_OK)
        status = check_name_is_free(cli, name);
    if (status != STATUS_OK)
        return status;
    copying_init(&copying, cli, "restored", options->operands[1]);
    copying.file = copying.path ? fopen(copying.path, "re") : stdin;
    if (!copying.file)
        return file_failed(&copying, "read", copying.path);
    status = send_pages(&copying, name, &uid);
    work_bar_erase(&copying.bar);
    if (status == STATUS_OK)
        print_done(&copying, name, copying.records, 1);
    else if (uid)
        give_up(&copying, uid);
    snapshot_file_fini(&copying.snapshot);
    if (copying.path)
        fclose(copying.file);
    free(uid);
    return status;
}

const struct command snapshot_commands[] = {
    {
        .name = "collection snapshot",
        .synopsis = "NAME FILE",
        .summary = "Write an exact copy of a collection to a file",
        .details = "Settings, metadata and all records as they are at one moment, although others "
                   "go on writing. FILE\nappears when it is complete; - is stdout.\n",
        .examples = "soma collection snapshot docs docs.snapshot\n"
                    "soma collection snapshot docs - | zstd >docs.snapshot.zst\n",
        .operands_min = 2,
        .operands_max = 2,
        .run = run_snapshot,
    },
    {
        .name = "collection restore",
        .synopsis = "NAME FILE",
        .summary = "Make a collection from a snapshot",
        .details =
            "The collection appears when all of it is there, with the settings, metadata and "
            "records of the one\nthat the snapshot was taken of; not with its aliases. What "
            "was interrupted is never seen, and gone\nafter a day. FILE may be -, for stdin.\n",
        .examples = "soma collection restore docs docs.snapshot\n"
                    "zstd -dc docs.snapshot.zst | soma collection restore docs-copy -\n",
        .operands_min = 2,
        .operands_max = 2,
        .run = run_restore,
    },
    {0},
};
