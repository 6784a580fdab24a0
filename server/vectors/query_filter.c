#include "vectors/query_filter.h"

#include <stdlib.h>
#include <string.h>

#include "store/records.h"
#include "store/texts.h"

enum {
    ROWS_BETWEEN_CLOCKS = 4096,
    DOCUMENTS_BETWEEN_CLOCKS = 256,
    // So much a filter's bits may take in any case: those of 512 million numbers of records.
    BITS_BYTES_MIN = 64 << 20,
    BITMAP_BYTES_MIN = 1 << 20 // the same of bitmaps, which stay
};

// One bit for each number that was ever given, however many of them there are now.
static size_t bits_bytes(const struct collection_row *row)
{
    return (size_t)row->last_record / 8 + 1;
}

static bool bits_fit(const struct filter_search *search, size_t least)
{
    size_t bytes = bits_bytes(search->row);
    return bytes <= least || bytes <= vectors_spare_bytes(search->vectors) / 2;
}

// --- every record

struct matching {
    const struct filter *filter;
    struct mono_time deadline;
    struct num_set set;
    size_t seen;
    bool is_late;
};

static bool match(void *context, const struct record_row *row)
{
    struct matching *matching = context;
    uint64_t bit = (uint64_t)(row->num - matching->set.first);
    if (bit < matching->set.size &&
        (!matching->filter || filter_matches(matching->filter, row->metadata))) {
        matching->set.words[bit / 64] |= (uint64_t)1 << bit % 64;
        matching->set.count++;
    }
    if (++matching->seen % ROWS_BETWEEN_CLOCKS == 0)
        matching->is_late = clock_left_ms(matching->deadline) == 0;
    return !matching->is_late;
}

static int64_t first_num(const struct collection_row *row)
{
    return (row->partition << PARTITION_SHIFT) + 1;
}

static enum soma_code scan(const struct filter_search *search, struct filter_matches *ret_matches,
                           struct soma_error *err)
{
    struct matching matching = {.filter = search->filter, .deadline = search->deadline};
    if (!bits_fit(search, BITS_BYTES_MIN))
        return error_set(err, REASON_MEMORY_BUDGET, "collection",
                         "numbers of records were given up to %lld, and a filter needs a bit for"
                         " each: import the collection's records into a new one",
                         (long long)search->row->last_record);
    matching.set.first = first_num(search->row);
    matching.set.size = (size_t)search->row->last_record;
    matching.set.words = calloc(matching.set.size / 64 + 1, sizeof *matching.set.words);
    if (!matching.set.words)
        return error_set_no_memory(err);
    enum soma_code code =
        records_scan_metadata(search->txn, search->row->partition, match, &matching, err);
    if (!code && matching.is_late)
        code = error_set(err, REASON_DEADLINE_EXCEEDED, NULL,
                         "the deadline passed while the filter was applied");
    if (code)
        free(matching.set.words);
    else
        *ret_matches = (struct filter_matches){.set = matching.set,
                                               .estimate = (uint64_t)search->row->record_count};
    return code;
}

// --- bitmaps

// Bitmaps may take half of what is left of the budget: the other half is for records to come.
static enum soma_code find(const struct filter_search *search, enum filter_answer *ret_answer,
                           struct filter_matches *ret_matches, struct soma_error *err)
{
    struct filter_index *index = collection_reader_filters(search->reader);
    const struct collection_row *row = search->row;
    enum filter_answer answer =
        filter_index_find(index, search->filter, row->sequence, first_num(row), ret_matches);
    if (answer == FILTER_KEYS_MISSING) {
        size_t max_bytes = filter_index_bytes(index) + vectors_spare_bytes(search->vectors) / 2;
        enum soma_code code = filter_index_build(index, search->filter, search->txn, row->partition,
                                                 row->sequence, max_bytes, search->deadline, err);
        if (code)
            return code;
        answer =
            filter_index_find(index, search->filter, row->sequence, first_num(row), ret_matches);
    }
    *ret_answer = answer;
    return SOMA_OK;
}

// --- documents

struct looking {
    const struct filter_search *search;
    struct num_set set;
    uint64_t *kept; // the new set's words
    size_t seen;
    enum soma_code code;
    struct soma_error *err;
};

static bool look_at(void *context, int64_t num, const char *text, size_t length)
{
    struct looking *looking = context;
    if (!num_set_has(&looking->set, num))
        return true;
    bool matches = false;
    if (++looking->seen % DOCUMENTS_BETWEEN_CLOCKS == 0 &&
        clock_left_ms(looking->search->deadline) == 0) {
        looking->code = error_set(looking->err, REASON_DEADLINE_EXCEEDED, NULL,
                                  "the deadline passed while documents were looked through");
        return false;
    }
    looking->code = document_filter_matches(looking->search->documents, text, length,
                                            looking->search->deadline, &matches, looking->err);
    uint64_t bit = (uint64_t)(num - looking->set.first);
    uint64_t mask = (uint64_t)1 << bit % 64;
    looking->kept[bit / 64] = (looking->kept[bit / 64] & ~mask) | (matches ? mask : 0);
    return !looking->code;
}

// Documents of records that are in the set already, run by run where they are few.
static enum soma_code look_at_all(struct looking *looking, struct soma_error *err)
{
    const struct num_set *set = &looking->set;
    enum soma_code code = SOMA_OK;
    for (size_t word = 0; word < set->size / 64 + (set->size % 64 != 0) && !code; word++) {
        size_t last = word;
        if (!set->words[word])
            continue;
        while ((last + 1) * 64 < set->size && set->words[last + 1])
            last++;
        if (clock_left_ms(looking->search->deadline) == 0)
            return error_set(err, REASON_DEADLINE_EXCEEDED, NULL,
                             "the deadline passed while documents were looked through");
        code = texts_scan(looking->search->txn, set->first + (int64_t)word * 64 - 1,
                          set->first + (int64_t)last * 64 + 63, look_at, looking, err);
        if (!code)
            code = looking->code;
        word = last;
    }
    return code;
}

// What the document of none says holds for records without one.
static enum soma_code keep_documents(const struct filter_search *search,
                                     struct filter_matches *matches, struct soma_error *err)
{
    bool without = false;
    enum soma_code code =
        document_filter_matches(search->documents, NULL, 0, search->deadline, &without, err);
    if (code)
        return code;
    struct num_set *set = &matches->set;
    size_t word_count = set->size / 64 + 1;
    struct looking looking = {.search = search, .set = *set, .err = err};
    looking.kept = calloc(word_count, sizeof *looking.kept);
    if (!looking.kept)
        return error_set_no_memory(err);
    if (without)
        memcpy(looking.kept, set->words, (set->size + 63) / 64 * sizeof *looking.kept);
    code = look_at_all(&looking, err);
    free(set->words);
    set->words = looking.kept;
    set->count = 0;
    for (size_t i = 0; i < word_count; i++)
        set->count += (size_t)__builtin_popcountll(set->words[i]);
    return code;
}

enum soma_code filter_search_run(const struct filter_search *search,
                                 struct filter_matches *ret_matches, const char **ret_source,
                                 struct soma_error *err)
{
    enum filter_answer answer = FILTER_UNANSWERED;
    enum soma_code code = SOMA_OK;
    if (search->filter && search->reader && search->row->last_record <= UINT32_MAX &&
        bits_fit(search, BITMAP_BYTES_MIN))
        code = find(search, &answer, ret_matches, err);
    if (!code && answer != FILTER_ANSWERED)
        code = scan(search, ret_matches, err);
    if (!code && search->documents)
        code = keep_documents(search, ret_matches, err);
    if (code)
        filter_matches_fini(ret_matches);
    else
        *ret_source = answer == FILTER_ANSWERED ? "bitmaps" : "scan";
    return code;
}
