// upsert, insert and update.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/error.h"
#include "cli/list_out.h"
#include "cli/record_source.h"
#include "cli/work_bar.h"

typedef enum soma_code write_call(struct soma_client *, const struct soma_records_write_request *,
                                  const struct soma_call_options *, struct soma_records_written **,
                                  struct soma_error *);

enum {
    // A broken file shows itself in the first few messages.
    ERRORS_SHOWN_MAX = 100,
};

struct writing {
    struct cli *cli;
    const char *collection;
    const char *verb;
    write_call *call;
    struct record_source source;
    struct record_piece piece;
    // Sums over all pieces; only the counts are used.
    struct soma_records_written totals;
    int64_t errors_shown;
    struct work_bar bar;
    // Of all files; 0: unknown.
    int64_t bytes_total;
    int64_t bytes_before;
};

static int64_t count_done(const struct writing *writing)
{
    const struct soma_records_written *totals = &writing->totals;
    return totals->inserted + totals->updated + totals->unchanged + totals->skipped +
           totals->failed;
}

static void show_progress(struct writing *writing)
{
    int64_t at = ftello(writing->source.file);
    double percent = -1;
    if (writing->bytes_total > 0 && at >= 0)
        percent = 100.0 * (double)(writing->bytes_before + at) / (double)writing->bytes_total;
    work_bar_show(&writing->bar, percent, count_done(writing));
}

// --- the server's answers

static void take_counts(struct writing *writing, const struct soma_records_written *written)
{
    writing->totals.inserted += written->inserted;
    writing->totals.updated += written->updated;
    writing->totals.unchanged += written->unchanged;
    writing->totals.skipped += written->skipped;
    writing->totals.failed += written->failed;
    for (size_t i = 0; i < written->error_count; i++) {
        const struct soma_record_error *error = &written->errors[i];
        struct soma_error err = {.code = error->code};
        if (++writing->errors_shown > ERRORS_SHOWN_MAX ||
            error->index >= writing->piece.record_count)
            continue;
        snprintf(err.reason, sizeof err.reason, "%s", error->reason ? error->reason : "");
        snprintf(err.text, sizeof err.text, "%s", error->message ? error->message : "");
        work_bar_erase(&writing->bar);
        report_error(writing->cli, &err, "%s:%zu: cannot %s record %s", writing->source.name,
                     writing->piece.line_numbers[error->index], writing->verb,
                     error->id ? error->id : "");
    }
    if (writing->errors_shown == ERRORS_SHOWN_MAX + 1)
        notice(writing->cli, "more records failed; only the first %d are named", ERRORS_SHOWN_MAX);
}

static int piece_failed(struct writing *writing, struct soma_error *err)
{
    size_t index;
    work_bar_erase(&writing->bar);
    if (record_piece_find(&writing->piece, err, &index))
        return report_error(writing->cli, err, "%s:%zu: cannot %s", writing->source.name,
                            writing->piece.line_numbers[index], writing->verb);
    return report_error(writing->cli, err, "cannot %s %s into %s", writing->verb,
                        writing->source.name, writing->collection);
}

static int send_piece(struct writing *writing)
{
    struct soma_records_write_request request = SOMA_RECORDS_WRITE_REQUEST_INIT;
    struct soma_records_written *written = NULL;
    struct soma_error err;
    const struct record_piece *piece = &writing->piece;
    int status = STATUS_OK;
    if (piece->record_count) {
        request.collection = writing->collection;
        request.records = piece->records;
        request.record_count = piece->record_count;
        request.embeddings = piece->has_embeddings ? piece->embeddings : NULL;
        request.dimension = piece->has_embeddings ? writing->source.dimension : 0;
        if (writing->call(writing->cli->client, &request, NULL, &written, &err) != SOMA_OK)
            status = piece_failed(writing, &err);
        if (written)
            take_counts(writing, written);
        soma_free(written);
    }
    record_piece_empty(&writing->piece);
    show_progress(writing);
    return status;
}

// --- the files

static int line_failed(struct writing *writing)
{
    const struct problem *problem = &writing->source.problem;
    work_bar_erase(&writing->bar);
    return report_failure(writing->cli, STATUS_USAGE, "'soma help records' shows the form",
                          "%s:%zu: %s%s%s", writing->source.name, writing->source.line_number,
                          problem->field, problem->field[0] ? ": " : "", problem->text);
}

static int write_stream(struct writing *writing)
{
    int status = STATUS_OK;
    while (status == STATUS_OK) {
        switch (record_source_read(&writing->source, &writing->piece)) {
        case RECORD_READ:
            if (record_piece_is_full(&writing->piece))
                status = send_piece(writing);
            break;
        case RECORD_NEXT_PIECE:
            status = send_piece(writing);
            break;
        case RECORD_END:
            return send_piece(writing);
        case RECORD_WRONG:
            status = line_failed(writing);
            break;
        }
    }
    return status;
}

static int write_file(struct writing *writing, const char *path)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct stat about;
    writing->source.file = is_stdin ? stdin : fopen(path, "re");
    writing->source.name = is_stdin ? "stdin" : path;
    writing->source.line_number = 0;
    writing->source.is_held = false;
    if (!writing->source.file)
        return report_failure(writing->cli, STATUS_FAILED, NULL, "cannot read %s: %s", path,
                              strerror(errno));
    int status = write_stream(writing);
    if (fstat(fileno(writing->source.file), &about) == 0 && S_ISREG(about.st_mode))
        writing->bytes_before += about.st_size;
    if (!is_stdin)
        fclose(writing->source.file);
    return status;
}

// Bytes of all files; 0 where one is not a regular file.
static int64_t count_bytes(const struct options *options)
{
    int64_t total = 0;
    for (size_t i = 1; i < options->operand_count; i++) {
        struct stat about;
        if (stat(options->operands[i], &about) != 0 || !S_ISREG(about.st_mode))
            return 0;
        total += about.st_size;
    }
    return total;
}

static int find_dimension(struct writing *writing)
{
    struct soma_collection_request request = SOMA_COLLECTION_REQUEST_INIT;
    struct soma_collection *collection;
    struct soma_error err;
    request.collection = writing->collection;
    if (soma_collection_get(writing->cli->client, &request, NULL, &collection, &err) != SOMA_OK)
        return report_error(writing->cli, &err, "cannot %s into %s", writing->verb,
                            writing->collection);
    writing->source.dimension = collection->dimension;
    soma_free(collection);
    return STATUS_OK;
}

static void print_totals(const struct writing *writing)
{
    const struct soma_records_written *totals = &writing->totals;
    struct json_out out;
    if (writing->cli->format == FORMAT_TABLE) {
        if (!writing->cli->quiet)
            printf("inserted %" PRId64 ", updated %" PRId64 ", unchanged %" PRId64
                   ", skipped %" PRId64 ", failed %" PRId64 "\n",
                   totals->inserted, totals->updated, totals->unchanged, totals->skipped,
                   totals->failed);
        return;
    }
    value_begin(&out, writing->cli);
    out_begin(&out, '{');
    out_int_at(&out, "inserted", totals->inserted);
    out_int_at(&out, "updated", totals->updated);
    out_int_at(&out, "unchanged", totals->unchanged);
    out_int_at(&out, "skipped", totals->skipped);
    out_int_at(&out, "failed", totals->failed);
    out_end(&out, '}');
    value_end(&out);
}

static int write_records(struct cli *cli, const struct options *options, write_call *call,
                         const char *verb)
{
    struct writing writing = {
        .cli = cli,
        .collection = options->operands[0],
        .verb = verb,
        .call = call,
        .source.is_update = call == soma_records_update,
        .bytes_total = count_bytes(options),
    };
    int status = cli_connect(cli);
    if (status == STATUS_OK)
        status = find_dimension(&writing);
    if (status != STATUS_OK)
        return status;
    work_bar_init(&writing.bar, cli, verb, "records");
    for (size_t i = 1; i < options->operand_count && status == STATUS_OK; i++)
        status = write_file(&writing, options->operands[i]);
    if (status == STATUS_OK)
        work_bar_finish(&writing.bar, count_done(&writing));
    work_bar_erase(&writing.bar);
    record_piece_empty(&writing.piece);
    record_source_fini(&writing.source);
    // What went before a failure is there; the totals say how much that was.
    if (status == STATUS_OK || count_done(&writing))
        print_totals(&writing);
    return status == STATUS_OK && writing.totals.failed ? STATUS_FAILED : status;
}

static int run_upsert(struct cli *cli, const struct options *options)
{
    return write_records(cli, options, soma_records_upsert, "upsert");
}

static int run_insert(struct cli *cli, const struct options *options)
{
    return write_records(cli, options, soma_records_insert, "insert");
}

static int run_update(struct cli *cli, const struct options *options)
{
    return write_records(cli, options, soma_records_update, "update");
}

static const char write_details[] =
    "FILE holds records as JSON lines, - is stdin; see 'soma help records'. Records go in pieces, "
    "each\nwritten whole or not at all. At a wrong line it stops: what went before stays written, "
    "and "
    "doing it\nall again does no harm.\n";

const struct command record_write_commands[] = {
    {
        .name = "upsert",
        .synopsis = "COLLECTION FILE…",
        .summary = "Write records, replacing those with the same ids",
        .examples = "soma upsert docs records.jsonl\n"
                    "embed *.md | soma -o json upsert docs -\n",
        .details = write_details,
        .operands_min = 2,
        .operands_max = ANY_NUMBER,
        .run = run_upsert,
    },
    {
        .name = "insert",
        .synopsis = "COLLECTION FILE…",
        .summary = "Write records whose ids are new; the others fail",
        .examples = "soma insert docs records.jsonl\n",
        .details = write_details,
        .operands_min = 2,
        .operands_max = ANY_NUMBER,
        .run = run_insert,
    },
    {
        .name = "update",
        .synopsis = "COLLECTION FILE…",
        .summary = "Merge into records that exist; the others fail",
        .examples =
            "echo '{\"id\": \"a1\", \"metadata\": {\"seen\": true}}' | soma update docs -\n",
        .details = write_details,
        .operands_min = 2,
        .operands_max = ANY_NUMBER,
        .run = run_update,
    },
    {0},
};
