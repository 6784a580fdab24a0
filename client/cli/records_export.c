// export: the records of a collection, or those that match, into a file.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/error.h"
#include "cli/list_out.h"
#include "cli/part_file.h"
#include "cli/record_print.h"
#include "cli/vector_file.h"
#include "cli/work_bar.h"

enum {
    EXPORT_PAGE = 1000
};

struct exporting {
    struct cli *cli;
    const char *collection;
    struct part_file to;  // its path NULL: stdout
    struct part_file ids; // its path NULL: not wanted
    FILE *file;           // of to, or stdout
    bool has_vectors;
    enum vector_format format;
    struct soma_collection *found; // owned; NULL: not yet
    uint32_t dimension;            // of it
    int64_t written, total;
    struct work_bar bar;
};

static void show_progress(struct exporting *exporting)
{
    double percent =
        exporting->total > 0 ? 100.0 * (double)exporting->written / (double)exporting->total : -1;
    work_bar_show(&exporting->bar, percent, exporting->written);
}

static int file_failed(const struct exporting *exporting, const struct part_file *part)
{
    if (!part->path) {
        output_note_failure();
        return STATUS_FAILED;
    }
    return report_failure(exporting->cli, STATUS_FAILED, NULL, "cannot write %s: %s", part->path,
                          strerror(errno));
}

// --- records

static bool write_line(const struct exporting *exporting, const struct soma_record *record,
                       const float *embedding)
{
    const struct soma_include include = {.document = true, .metadata = true, .embedding = true};
    struct json_out out;
    out_init(&out, exporting->file, false);
    out_begin(&out, '{');
    record_to_json(&out, record, embedding, exporting->dimension, &include);
    out_end(&out, '}');
    out_line(&out);
    return !ferror(exporting->file);
}

// One on a line is how 'import --ids' reads them: a line end within one would move all behind it to
// other rows.
static int write_id(const struct exporting *exporting, const char *id)
{
    if (strpbrk(id, "\r\n"))
        return report_failure(
            exporting->cli, STATUS_FAILED, "export it without --ids, or as JSON lines",
            "cannot export the ids of %s: '%s' holds a line end", exporting->collection, id);
    if (fputs(id, exporting->ids.file) < 0 || putc('\n', exporting->ids.file) < 0)
        return file_failed(exporting, &exporting->ids);
    return STATUS_OK;
}

// Little-endian machines only, as .npy's '<f4' and .fvecs are.
static bool write_vector(const struct exporting *exporting, const float *embedding)
{
    int32_t length = (int32_t)exporting->dimension;
    if (exporting->format == VECTOR_FVECS &&
        fwrite(&length, sizeof length, 1, exporting->file) != 1)
        return false;
    return fwrite(embedding, sizeof *embedding, exporting->dimension, exporting->file) ==
           exporting->dimension;
}

// The library holds a page to one dimension; that it is the collection's is only the server's word.
static int check_page(struct exporting *exporting, const struct soma_records *page)
{
    bool is_fit = page->embeddings && page->dimension == exporting->dimension;
    if (page->record_count == 0 || is_fit)
        return STATUS_OK;
    work_bar_erase(&exporting->bar);
    return report_failure(exporting->cli, STATUS_FAILED, NULL,
                          "cannot export %s: the server sent records with embeddings of %" PRIu32
                          " numbers, but the collection's dimension is %" PRIu32,
                          exporting->collection, page->embeddings ? page->dimension : 0,
                          exporting->dimension);
}

static int write_page(struct exporting *exporting, const struct soma_records *page)
{
    for (size_t i = 0; i < page->record_count; i++) {
        const float *embedding = page->embeddings + i * page->dimension;
        int status = exporting->ids.path ? write_id(exporting, page->records[i].id) : STATUS_OK;
        if (status != STATUS_OK)
            return status;
        bool is_written = exporting->has_vectors
                              ? write_vector(exporting, embedding)
                              : write_line(exporting, &page->records[i], embedding);
        if (!is_written)
            return file_failed(exporting, &exporting->to);
        exporting->written++;
    }
    show_progress(exporting);
    return STATUS_OK;
}

static int write_all(struct exporting *exporting, const struct options *options)
{
    struct soma_records_scan_request request = SOMA_RECORDS_SCAN_REQUEST_INIT;
    const struct soma_include include = {.document = !exporting->has_vectors,
                                         .metadata = !exporting->has_vectors,
                                         .embedding = true};
    struct soma_records *page = NULL, *next = NULL;
    struct soma_error err;
    int status = STATUS_OK;
    // By what never means another collection: a name may be given to one between two pages.
    request.collection = exporting->found->uid;
    request.where = options_value(options, "where");
    request.where_document = options_value(options, "where-document");
    request.include = &include;
    request.page_size = EXPORT_PAGE;
    do {
        request.cursor = page ? page->next_cursor : NULL;
        if (soma_records_scan(exporting->cli->client, &request, NULL, &next, &err) != SOMA_OK) {
            work_bar_erase(&exporting->bar);
            status = report_error(exporting->cli, &err, "cannot export %s", exporting->collection);
            break;
        }
        soma_free(page);
        page = next;
        status = check_page(exporting, page);
        if (status == STATUS_OK)
            status = write_page(exporting, page);
    } while (status == STATUS_OK && page->next_cursor);
    soma_free(page);
    return status;
}

// --- before and after

static int find_collection(struct exporting *exporting)
{
    struct soma_collection_request request = SOMA_COLLECTION_REQUEST_INIT;
    struct soma_error err;
    request.collection = exporting->collection;
    if (soma_collection_get(exporting->cli->client, &request, NULL, &exporting->found, &err) !=
        SOMA_OK)
        return report_error(exporting->cli, &err, "cannot export %s", exporting->collection);
    exporting->dimension = exporting->found->dimension;
    exporting->total = exporting->found->record_count;
    return STATUS_OK;
}

static int open_files(struct exporting *exporting, const char *path, const char *ids_path)
{
    if (path && !part_file_open(&exporting->to, path))
        return file_failed(exporting, &exporting->to);
    exporting->file = path ? exporting->to.file : stdout;
    if (ids_path && !part_file_open(&exporting->ids, ids_path))
        return file_failed(exporting, &exporting->ids);
    // How many rows there are is known at the end.
    if (exporting->has_vectors && exporting->format == VECTOR_NPY &&
        !npy_write_head(exporting->file, 0, exporting->dimension))
        return file_failed(exporting, &exporting->to);
    return STATUS_OK;
}

// Ids beside the vectors of another export would be taken for theirs. So the old ones go before the
// vectors appear, and the new ones appear after them: between the two there are none.
static int let_appear(struct exporting *exporting)
{
    struct part_file *to = &exporting->to, *ids = &exporting->ids;
    if (!part_file_close(to))
        return file_failed(exporting, to);
    if (ids->path && (!part_file_close(ids) || !part_file_clear(ids)))
        return file_failed(exporting, ids);
    if (!part_file_appear(to))
        return file_failed(exporting, to);
    if (ids->path && !part_file_appear(ids))
        return file_failed(exporting, ids);
    return STATUS_OK;
}

static int finish_files(struct exporting *exporting)
{
    bool is_written = true;
    if (exporting->has_vectors && exporting->format == VECTOR_NPY)
        is_written = fseeko(exporting->file, 0, SEEK_SET) == 0 &&
                     npy_write_head(exporting->file, exporting->written, exporting->dimension);
    if (!is_written || fflush(exporting->file) != 0)
        return file_failed(exporting, &exporting->to);
    return exporting->to.path ? let_appear(exporting) : STATUS_OK;
}

static int run_export(struct cli *cli, const struct options *options)
{
    struct exporting exporting = {.cli = cli, .collection = options->operands[0]};
    const char *path = NULL, *ids_path = options_value(options, "ids");
    if (options->operand_count > 1 && strcmp(options->operands[1], "-") != 0)
        path = options->operands[1];
    exporting.has_vectors = path && vector_format_of(path, &exporting.format);
    if (ids_path && !exporting.has_vectors)
        return report_usage(cli, NULL, "export: --ids goes with a .npy or .fvecs file");
    int status = cli_connect(cli);
    if (status == STATUS_OK)
        status = find_collection(&exporting);
    work_bar_init(&exporting.bar, cli, "exporting", "records");
    if (status == STATUS_OK)
        status = open_files(&exporting, path, ids_path);
    if (status == STATUS_OK)
        status = write_all(&exporting, options);
    work_bar_erase(&exporting.bar);
    if (status == STATUS_OK)
        status = finish_files(&exporting);
    if (status == STATUS_OK)
        work_bar_finish(&exporting.bar, exporting.written);
    if (status == STATUS_OK && path)
        notice(cli, "exported %" PRId64 " records to %s", exporting.written, path);
    part_file_fini(&exporting.to);
    part_file_fini(&exporting.ids);
    soma_free(exporting.found);
    return status;
}

static const struct option export_options[] = {
    WHERE_OPTION,
    WHERE_DOCUMENT_OPTION,
    {"ids", 0, "FILE", "with vectors: the rows' ids, one on a line", false},
    {0},
};

const struct command record_export_commands[] = {
    {
        .name = "export",
        .synopsis = "[OPTIONS] COLLECTION [FILE]",
        .summary = "Write the records of a collection to a file",
        .details = "By FILE's ending: .npy or .fvecs holds the vectors alone, by id; any other, or "
                   "none (stdout), whole\nrecords as JSON lines, which 'soma import' reads. The "
                   "file appears when it is complete, that of\n--ids after it. What is written to "
                   "the collection meanwhile is in it or not.\n",
        .examples = "soma export docs docs.jsonl\n"
                    "soma export docs vectors.npy --ids names.txt --where '{\"lang\": \"en\"}'\n",
        .options = export_options,
        .operands_min = 1,
        .operands_max = 2,
        .run = run_export,
    },
    {0},
};
