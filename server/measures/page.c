#include "measures/page.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum {
    PAGE_BYTES_MAX = 32 << 20, // of labels
    LABELS_BYTES_MAX = 2048,
    FIRST_ROOM = 512,
    MICROSECONDS = 1000000,
};

void page_init(struct page *page)
{
    *page = (struct page){0};
    arena_init(&page->arena, PAGE_BYTES_MAX);
}

void page_fini(struct page *page)
{
    arena_fini(&page->arena);
    free(page->samples);
}

static bool make_room(struct page *page)
{
    if (page->count < page->room)
        return true;
    size_t room = page->room ? 2 * page->room : FIRST_ROOM;
    struct page_sample *samples = realloc(page->samples, room * sizeof *samples);
    if (!samples)
        return false;
    page->samples = samples;
    page->room = room;
    return true;
}

static void put(struct page *page, enum measure metric, const char *suffix, const char *labels,
                double value)
{
    if (!labels || !make_room(page)) {
        page->is_short = true;
        return;
    }
    page->samples[page->count] = (struct page_sample){
        .metric = metric, .order = page->count, .suffix = suffix, .labels = labels, .value = value};
    page->count++;
}

// One label, 'name="value"'; the number of bytes that it has, or would have.
static size_t write_label(char *text, size_t size, const char *name, size_t name_length,
                          const char *value)
{
    size_t used = (size_t)snprintf(text, size, "%.*s=\"", (int)name_length, name);
    for (; *value && used + 4 < size; value++) {
        if (*value == '\\' || *value == '"' || *value == '\n')
            text[used++] = '\\';
        text[used++] = *value;
        if (*value == '\n')
            text[used - 1] = 'n';
    }
    return used + (size_t)snprintf(text + used, used < size ? size - used : 0, "\"");
}

void page_add(struct page *page, enum measure metric, double value, ...)
{
    char text[LABELS_BYTES_MAX];
    size_t used = 0;
    va_list values;
    va_start(values, value);
    for (const char *name = measure_table[metric].labels; *name;) {
        size_t length = strcspn(name, ",");
        used += (size_t)snprintf(text + used, sizeof text - used, "%s", used ? "," : "{");
        used += write_label(text + used, sizeof text - used, name, length,
                            va_arg(values, const char *));
        name += length + (name[length] == ',');
    }
    va_end(values);
    text[used] = '\0';
    put(page, metric, "", used ? arena_printf(&page->arena, "%s}", text) : "", value);
}

// labels: "" or 'name="value",', before that of the bucket.
static void put_histogram(struct page *page, enum measure metric, const char *inner,
                          const struct measure_histogram *histogram)
{
    unsigned count;
    enum measure_type type = measure_table[metric].type;
    const int64_t *bounds = measure_bounds(type, &count);
    double unit = type == MEASURE_TYPE_TIMES ? MICROSECONDS : 1;
    int64_t so_far = 0;
    struct arena *arena = &page->arena;
    for (unsigned i = 0; i <= count; i++) {
        so_far += histogram->count_of[i];
        const char *labels =
            i < count ? arena_printf(arena, "{%sle=\"%g\"}", inner, (double)bounds[i] / unit)
                      : arena_printf(arena, "{%sle=\"+Inf\"}", inner);
        put(page, metric, "_bucket", labels, (double)so_far);
    }
    int length = (int)strlen(inner);
    const char *labels = length ? arena_printf(arena, "{%.*s}", length - 1, inner) : "";
    put(page, metric, "_sum", labels, (double)histogram->sum / unit);
    put(page, metric, "_count", labels, (double)so_far);
}

void page_add_histogram(struct page *page, enum measure metric)
{
    struct measure_histogram histogram;
    measure_histogram_read(metric, &histogram);
    put_histogram(page, metric, "", &histogram);
}

void page_add_calls(struct page *page, unsigned method, const char *name)
{
    int64_t count_of[MEASURE_CODES];
    struct measure_histogram histogram;
    bool is_called = false;
    measure_calls_read(method, count_of, &histogram);
    for (int code = 0; code < MEASURE_CODES; code++) {
        if (count_of[code] == 0)
            continue;
        is_called = true;
        page_add(page, MEASURE_RPC_CALLS, (double)count_of[code], name,
                 code_name((enum soma_code)code));
    }
    const char *inner = is_called ? arena_printf(&page->arena, "method=\"%s\",", name) : NULL;
    if (inner)
        put_histogram(page, MEASURE_RPC_TIMES, inner, &histogram);
}

static int by_metric(const void *a, const void *b)
{
    const struct page_sample *one = a, *other = b;
    if (one->metric != other->metric)
        return one->metric < other->metric ? -1 : 1;
    return one->order < other->order ? -1 : 1;
}

bool page_write(struct page *page, FILE *out)
{
    qsort(page->samples, page->count, sizeof *page->samples, by_metric);
    for (size_t i = 0; i < page->count; i++) {
        const struct page_sample *sample = &page->samples[i];
        const struct measure_row *row = &measure_table[sample->metric];
        if (i == 0 || sample->metric != page->samples[i - 1].metric)
            fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
                    measure_type_name(row->type));
        fprintf(out, "%s%s%s %.15g\n", row->name, sample->suffix, sample->labels, sample->value);
    }
    return !page->is_short && !ferror(out);
}
