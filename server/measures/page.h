// A page of samples in the text format of Prometheus (exposition format 0.0.4).
//
// Samples are added in any order and written by metric, in the order of the table. What finds no
// memory is left out, and the page says so when it is written.
#ifndef MEASURES_PAGE_H
#define MEASURES_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"
#include "measures/measures.h"

struct page_sample {
    enum measure metric;
    size_t order;       // in which it was added
    const char *suffix; // of the metric's name
    const char *labels; // "" or "{…}"
    double value;
};

struct page {
    struct arena arena;          // of the labels
    struct page_sample *samples; // owned
    size_t count;
    size_t room;
    bool is_short; // of memory
};

void page_init(struct page *page);
void page_fini(struct page *page);

// A sample, with a value for each label of the metric's row, in their order; text is escaped here.
void page_add(struct page *page, enum measure metric, double value, ...);

// A histogram that was recorded by measure_observe. No labels.
void page_add_histogram(struct page *page, enum measure metric);

// Counts and times of a method's calls, where there were any.
void page_add_calls(struct page *page, unsigned method, const char *name);

// False: something is missing, or out has failed.
bool page_write(struct page *page, FILE *out);

#endif
