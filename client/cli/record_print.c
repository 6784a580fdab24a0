#include "cli/record_print.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/error.h"
#include "cli/list_out.h"
#include "cli/metadata.h"
#include "cli/values.h"

int value_include(const struct cli *cli, const struct options *options,
                  struct soma_include *ret_include)
{
    static const char *const names[] = {"document", "metadata", "embedding"};
    unsigned set = 3;
    int status = value_set(cli, options, "include", names, 3, &set);
    *ret_include = (struct soma_include){set & 1, set & 2, set & 4};
    return status;
}

void record_to_json(struct json_out *out, const struct soma_record *record, const float *embedding,
                    uint32_t dimension, const struct soma_include *include)
{
    out_text_at(out, "id", record->id);
    if (embedding) {
        out_key(out, "embedding");
        out_begin_flat(out, '[');
        for (uint32_t i = 0; i < dimension; i++)
            out_float(out, embedding[i]);
        out_end(out, ']');
    }
    if (include->document)
        out_text_at(out, "document", record->document);
    if (include->metadata) {
        out_key(out, "metadata");
        metadata_to_json(out, record->metadata, record->metadata_count);
    }
}

char *metadata_line(const struct soma_record *record)
{
    char *line = NULL;
    size_t size = 0;
    struct json_out out;
    FILE *file = open_memstream(&line, &size);
    if (!file)
        return NULL;
    out_init(&out, file, false);
    metadata_to_json(&out, record->metadata, record->metadata_count);
    if (fclose(file) == 0)
        return line;
    free(line);
    return NULL;
}

static const struct table_column record_columns[] = {
    {"ID", 40, false},
    {"DOCUMENT", 48, false},
    {"METADATA", 200, false},
};

void record_printer_init(struct record_printer *printer, const struct cli *cli,
                         const struct soma_include *include)
{
    *printer = (struct record_printer){.cli = cli, .include = *include};
    table_init(&printer->table, record_columns, 3);
    if (cli->format != FORMAT_TABLE)
        list_begin(&printer->out, cli);
}

static bool add_row(struct table *table, const struct soma_record *record)
{
    char *metadata = metadata_line(record);
    bool added = metadata && table_add(table, record->id) && table_add(table, record->document) &&
                 table_add(table, record->metadata_count ? metadata : "");
    free(metadata);
    return added;
}

int record_printer_add(struct record_printer *printer, const struct soma_records *records)
{
    const struct cli *cli = printer->cli;
    for (size_t i = 0; i < records->record_count; i++) {
        const struct soma_record *record = &records->records[i];
        const float *embedding =
            records->embeddings ? records->embeddings + i * records->dimension : NULL;
        if (cli->format != FORMAT_TABLE) {
            out_begin(&printer->out, '{');
            record_to_json(&printer->out, record, embedding, records->dimension, &printer->include);
            out_end(&printer->out, '}');
            list_item_end(&printer->out, cli);
        } else if (cli->quiet) {
            puts(record->id);
        } else if (!add_row(&printer->table, record)) {
            return report_out_of_memory(cli);
        }
    }
    if (cli->format == FORMAT_TABLE && !cli->quiet)
        table_print(&printer->table, cli);
    return STATUS_OK;
}

void record_printer_fini(struct record_printer *printer, int status)
{
    if (printer->cli->format != FORMAT_TABLE)
        list_end(&printer->out, printer->cli, status);
    table_fini(&printer->table);
}
