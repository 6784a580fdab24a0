// import: a file of records or vectors into a collection, in pieces, past bad rows, and on from
// where it stopped.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/error.h"
#include "cli/import_state.h"
#include "cli/list_out.h"
#include "cli/record_print.h"
#include "cli/work_bar.h"

struct importing {
    struct cli *cli;
    const char *collection;
    struct import_source source;
    struct record_piece piece;
    struct import_state state; // counts so far, of runs before this one too
    FILE *rejects;             // opened by the first bad row
    char *rejects_path;        // on the heap
    struct work_bar bar;
    int64_t bytes_total;
    int64_t rows_before; // of runs before this one
};

static int64_t rows_done(const struct importing *importing)
{
    const struct import_counts *counts = &importing->state.counts;
    return counts->inserted + counts->updated + counts->unchanged + counts->skipped +
           counts->rejected;
}

static void show_progress(struct importing *importing)
{
    work_bar_show(&importing->bar,
                  import_source_percent(&importing->source, importing->bytes_total),
                  rows_done(importing));
}

// --- bad rows

static int open_rejects(struct importing *importing)
{
    if (importing->rejects)
        return STATUS_OK;
    // A run that goes on from another one adds to its rejects.
    importing->rejects = fopen(importing->rejects_path, importing->rows_before ? "ae" : "we");
    return importing->rejects
               ? STATUS_OK
               : report_failure(importing->cli, STATUS_FAILED, NULL, "cannot write %s: %s",
                                importing->rejects_path, strerror(errno));
}

// One line for a bad row; record NULL: its text is the line.
static int reject(struct importing *importing, int64_t row, const char *field, const char *reason,
                  const struct soma_record *record)
{
    struct json_out out;
    const struct soma_include include = {.document = true, .metadata = true};
    int status = open_rejects(importing);
    if (status != STATUS_OK)
        return status;
    out_init(&out, importing->rejects, false);
    out_begin(&out, '{');
    out_int_at(&out, "row", row);
    out_text_at(&out, "field", *field ? field : NULL);
    out_text_at(&out, "reason", reason);
    if (record) {
        out_key(&out, "record");
        out_begin(&out, '{');
        record_to_json(&out, record, NULL, 0, &include);
        out_end(&out, '}');
    } else if (!importing->source.has_vectors) {
        out_text_at(&out, "line", importing->source.lines.line);
    }
    out_end(&out, '}');
    out_line(&out);
    importing->state.counts.rejected++;
    if (fflush(importing->rejects) == 0)
        return STATUS_OK;
    return report_failure(importing->cli, STATUS_FAILED, NULL, "cannot write %s: %s",
                          importing->rejects_path, strerror(errno));
}

static int reject_row_read(struct importing *importing)
{
    struct import_source *source = &importing->source;
    if (!source->has_vectors && source->lines.line)
        source->lines.line[source->lines.line_length] = '\0';
    return reject(importing, source->row, source->problem.field, source->problem.text, NULL);
}

// --- pieces

static void take_counts(struct importing *importing, const struct soma_records_written *written)
{
    struct import_counts *counts = &importing->state.counts;
    counts->inserted += written->inserted;
    counts->updated += written->updated;
    counts->unchanged += written->unchanged;
    counts->skipped += written->skipped;
}

// The server refuses a piece for one record: that one goes to the rejects, and what was not written
// before it again.
static int refused(struct importing *importing, struct soma_error *err, size_t done)
{
    struct record_piece *piece = &importing->piece;
    uint32_t dimension = importing->source.lines.dimension;
    size_t index;
    if (err->code != SOMA_INVALID_ARGUMENT || !record_piece_find(piece, err, &index) ||
        index < done) {
        work_bar_erase(&importing->bar);
        return report_error(importing->cli, err, "cannot import %s into %s", importing->source.name,
                            importing->collection);
    }
    int status = reject(importing, (int64_t)piece->line_numbers[index], err->field, err->text,
                        &piece->records[index]);
    record_piece_remove(piece, index, 1, dimension);
    record_piece_remove(piece, 0, done, dimension);
    return status;
}

// Until the piece is written but for its bad records.
static int send_records(struct importing *importing)
{
    struct soma_records_write_request request = SOMA_RECORDS_WRITE_REQUEST_INIT;
    struct record_piece *piece = &importing->piece;
    int status = STATUS_OK;
    request.collection = importing->collection;
    request.dimension = importing->source.lines.dimension;
    while (piece->record_count && status == STATUS_OK) {
        struct soma_records_written *written = NULL;
        struct soma_error err;
        int64_t before = rows_done(importing);
        request.records = piece->records;
        request.record_count = piece->record_count;
        request.embeddings = piece->embeddings;
        enum soma_code code =
            soma_records_upsert(importing->cli->client, &request, NULL, &written, &err);
        if (written)
            take_counts(importing, written);
        soma_free(written);
        if (code == SOMA_OK)
            break;
        status = refused(importing, &err, (size_t)(rows_done(importing) - before));
    }
    return status;
}

static int send_piece(struct importing *importing)
{
    int status = send_records(importing);
    record_piece_empty(&importing->piece);
    if (status == STATUS_OK) {
        importing->state.position = import_source_tell(&importing->source);
        import_state_save(&importing->state);
    }
    show_progress(importing);
    return status;
}

static int source_failed(struct importing *importing)
{
    const struct problem *problem = &importing->source.problem;
    work_bar_erase(&importing->bar);
    return report_failure(importing->cli, STATUS_USAGE, "'soma help import' says what can be read",
                          "%s: %s%s%s", importing->source.name, problem->field,
                          problem->field[0] ? ": " : "", problem->text);
}

static int import_rows(struct importing *importing)
{
    int status = STATUS_OK;
    while (status == STATUS_OK) {
        switch (import_source_read(&importing->source, &importing->piece)) {
        case IMPORT_ROW:
            if (record_piece_is_full(&importing->piece))
                status = send_piece(importing);
            break;
        case IMPORT_BAD_ROW:
            status = reject_row_read(importing);
            break;
        case IMPORT_END:
            return send_piece(importing);
        case IMPORT_WRONG:
            // What was read before it is good.
            status = send_piece(importing);
            return status == STATUS_OK ? source_failed(importing) : status;
        }
    }
    return status;
}

// --- before and after

static int prepare(struct importing *importing, const struct options *options)
{
    struct soma_collection_request request = SOMA_COLLECTION_REQUEST_INIT;
    struct soma_collection *collection;
    struct soma_error err;
    struct stat about;
    const char *path = options->operands[1], *rejects = options_value(options, "rejects");
    const char *ids = options_value(options, "ids");
    request.collection = importing->collection;
    if (soma_collection_get(importing->cli->client, &request, NULL, &collection, &err) != SOMA_OK)
        return report_error(importing->cli, &err, "cannot import into %s", importing->collection);
    import_state_init(&importing->state, collection->uid, path, ids);
    bool is_open = import_source_open(&importing->source, path, ids, collection->dimension);
    soma_free(collection);
    if (!is_open)
        return source_failed(importing);
    if (stat(path, &about) == 0 && S_ISREG(about.st_mode))
        importing->bytes_total = about.st_size;
    if (asprintf(&importing->rejects_path, "%s%s", rejects ? rejects : importing->source.name,
                 rejects ? "" : ".rejects") < 0) {
        importing->rejects_path = NULL;
        return report_out_of_memory(importing->cli);
    }
    return STATUS_OK;
}

static int go_on(struct importing *importing, bool anew)
{
    if (anew || !import_state_load(&importing->state))
        return STATUS_OK;
    importing->rows_before = rows_done(importing);
    work_bar_go_on(&importing->bar, importing->rows_before);
    if (!import_source_seek(&importing->source, importing->state.position))
        return source_failed(importing);
    notice(importing->cli, "going on after row %" PRId64 "; --restart begins anew",
           importing->state.position.rows);
    return STATUS_OK;
}

static void print_counts(const struct importing *importing)
{
    const struct import_counts *counts = &importing->state.counts;
    struct json_out out;
    if (importing->cli->format == FORMAT_TABLE) {
        if (!importing->cli->quiet)
            printf("inserted %" PRId64 ", updated %" PRId64 ", unchanged %" PRId64
                   ", skipped %" PRId64 ", rejected %" PRId64 "\n",
                   counts->inserted, counts->updated, counts->unchanged, counts->skipped,
                   counts->rejected);
        return;
    }
    value_begin(&out, importing->cli);
    out_begin(&out, '{');
    out_int_at(&out, "inserted", counts->inserted);
    out_int_at(&out, "updated", counts->updated);
    out_int_at(&out, "unchanged", counts->unchanged);
    out_int_at(&out, "skipped", counts->skipped);
    out_int_at(&out, "rejected", counts->rejected);
    out_end(&out, '}');
    value_end(&out);
}

static int finish(struct importing *importing, int status)
{
    int64_t rejected = importing->state.counts.rejected;
    work_bar_erase(&importing->bar);
    if (status == STATUS_OK) {
        import_state_remove(&importing->state);
        work_bar_finish(&importing->bar, rows_done(importing));
    }
    if (status == STATUS_OK || rows_done(importing))
        print_counts(importing);
    if (rejected)
        notice(importing->cli, "%" PRId64 " bad row%s, with the reason%s, in %s", rejected,
               rejected == 1 ? "" : "s", rejected == 1 ? "" : "s", importing->rejects_path);
    if (importing->rejects)
        fclose(importing->rejects);
    free(importing->rejects_path);
    record_piece_empty(&importing->piece);
    import_source_close(&importing->source);
    return status == STATUS_OK && rejected ? STATUS_FAILED : status;
}

static int run_import(struct cli *cli, const struct options *options)
{
    struct importing importing = {.cli = cli, .collection = options->operands[0]};
    int status = cli_connect(cli);
    if (status != STATUS_OK)
        return status;
    work_bar_init(&importing.bar, cli, "importing", "rows");
    status = prepare(&importing, options);
    if (status == STATUS_OK)
        status = go_on(&importing, options_has(options, "restart"));
    if (status == STATUS_OK)
        status = import_rows(&importing);
    return finish(&importing, status);
}

static const struct option import_options[] = {
    {"ids", 0, "FILE", "ids of the rows of a .npy or .fvecs file, one on a line", false},
    {"rejects", 0, "FILE", "where bad rows go (FILE.rejects)", false},
    {"restart", 0, NULL, "from the first row, also where an import stopped before", false},
    {0},
};

const struct command record_import_commands[] = {
    {
        .name = "import",
        .synopsis = "[OPTIONS] COLLECTION FILE",
        .summary = "Bring a file of records or vectors into a collection",
        .details =
            "FILE holds records as JSON lines ('soma help records'; - is stdin), or vectors: .npy "
            "(two\ndimensions of float16, float32, float64 or uint8) or .fvecs. A row of vectors "
            "has its number from\n0 as id, or a line of --ids. Records with the same ids are "
            "replaced. Bad rows are written to another\nfile as JSON lines with their reasons, and "
            "the exit status is 1. An import that was interrupted goes\non where it stopped when "
            "the same command is given again.\n"
            "As a job of the server, which then shows how far it is and can be cancelled: 'soma "
            "submit -F FILE -- soma\nimport COLLECTION FILE', where the server has the program "
            "soma.\n",
        .examples = "soma import docs vectors.npy --ids names.txt\n"
                    "zcat records.jsonl.gz | soma import docs -\n",
        .options = import_options,
        .operands_min = 2,
        .operands_max = 2,
        .run = run_import,
    },
    {0},
};
