// What the program says of its own progress: lines `PERCENT[%] [TEXT]`, "40 epoch 4/10", written to
// the FIFO that $SOMA_PROGRESS names. The last valid line counts; every other one is ignored.
#ifndef RUNNER_PROGRESS_H
#define RUNNER_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

enum {
    PROGRESS_TEXT_MAX = 255,  // bytes; a longer text is cut at a character
    PROGRESS_LINE_SIZE = 512, // the rest of a longer line is dropped
    PROGRESS_FORMAT_SIZE = PROGRESS_TEXT_MAX + 32
};

// A zeroed one has heard nothing.
struct progress {
    bool is_known;
    double percent; // 0 to 100
    char text[PROGRESS_TEXT_MAX + 1];
    char line[PROGRESS_LINE_SIZE]; // what was read of the line that has no end yet
    size_t line_length;
};

// Takes bytes as they were read. True: a valid line was among them.
bool progress_feed(struct progress *progress, const char *bytes, size_t length);

// "PERCENT TEXT", or "PERCENT" where there is no text.
void progress_format(const struct progress *progress, char ret_text[PROGRESS_FORMAT_SIZE]);

#endif
