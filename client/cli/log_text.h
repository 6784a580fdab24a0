// A job's log as it is printed: with the time before each line where that is asked for.
#ifndef CLI_LOG_TEXT_H
#define CLI_LOG_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <soma/soma.h>

struct log_text {
    bool with_times;
    // Of each stream; the next byte goes on with a line.
    bool in_line[2];
    // What was made last.
    char *buffer;
};

// The piece without its first skip bytes, as it is to be written; lives until the next call. False:
// out of memory.
bool log_text_make(struct log_text *text, const struct soma_job_log_piece *piece, size_t skip,
                   const char **ret_data, size_t *ret_length);
void log_text_fini(struct log_text *text);

#endif
