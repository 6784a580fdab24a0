// How records are shown.
#ifndef CLI_RECORD_PRINT_H
#define CLI_RECORD_PRINT_H

#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/table.h"

// Rows of option tables that several commands have.
#define WHERE_OPTION                                                                    \
    {                                                                                   \
        "where", 'w', "JSON", "only records that match; see 'soma help filters'", false \
    }
#define WHERE_DOCUMENT_OPTION                                                                     \
    {                                                                                             \
        "where-document", 0, "JSON", "only documents that match, '{\"$contains\": \"x\"}'", false \
    }
#define INCLUDE_OPTION                                                               \
    {                                                                                \
        "include", 0, "LIST", "document, metadata, embedding (the first two)", false \
    }

// The option --include: what answers carry beside ids. All false: nothing else.
int value_include(const struct cli *cli, const struct options *options,
                  struct soma_include *ret_include);

// Members of a record, into an object that has begun: id and what include names. embedding may be
// NULL.
void record_to_json(struct json_out *out, const struct soma_record *record, const float *embedding,
                    uint32_t dimension, const struct soma_include *include);

// Records one after the other, as a table or as JSON.
struct record_printer {
    const struct cli *cli;
    struct soma_include include;
    struct table table;
    struct json_out out;
};

void record_printer_init(struct record_printer *printer, const struct cli *cli,
                         const struct soma_include *include);
int record_printer_add(struct record_printer *printer, const struct soma_records *records);
// status: of the whole command.
void record_printer_fini(struct record_printer *printer, int status);

// Metadata on one line, on the heap; NULL: out of memory.
char *metadata_line(const struct soma_record *record);

#endif
