// A list as the user asked for it: a table by the command itself, one JSON array, or JSON lines.
// And what became of it: whether stdout took it all is known at the end of the program, which says
// it.
#ifndef CLI_LIST_OUT_H
#define CLI_LIST_OUT_H

#include "cli/cli.h"
#include "cli/json_out.h"

// For json and jsonl; each item is one value written to out and ended by list_item_end.
void list_begin(struct json_out *out, const struct cli *cli);
void list_item_end(struct json_out *out, const struct cli *cli);
// A list that is empty because of a failure (status) prints nothing.
void list_end(struct json_out *out, const struct cli *cli, int status);

// One value alone: begin, write it, end.
void value_begin(struct json_out *out, const struct cli *cli);
void value_end(struct json_out *out);

// "name   text" for people, the text made fit for a terminal. Empty texts are left out.
__attribute__((format(printf, 2, 3))) void print_fact(const char *name, const char *format, ...);

// Lets what is printed be seen now.
void output_flush(void);
// A write to stdout has failed just now, with errno.
void output_note_failure(void);
// errno of the first failure; 0: all of it is written.
int output_failure(void);

#endif
