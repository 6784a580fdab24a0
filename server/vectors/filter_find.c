// A filter's answer from bitmaps: set operations on one bit a record.
#include <stdlib.h>
#include <string.h>

#include "vectors/filter_index_private.h"

struct finding {
    const struct filter_index *index;
    const struct filter *filter;
    size_t word_count;
};

void filter_matches_fini(struct filter_matches *matches)
{
    free(matches->set.words);
    *matches = (struct filter_matches){0};
}

static enum filter_answer check_keys(const struct filter_index *index, const struct filter *filter)
{
    for (size_t i = 0; i < filter->node_count; i++) {
        const struct filter_node *node = &filter->nodes[i];
        if (!node->key)
            continue;
        const struct key_index *key = key_index_find(index, node->key, node->key_length);
        if (!key)
            return index->key_count < FILTER_INDEX_KEYS ? FILTER_KEYS_MISSING : FILTER_UNANSWERED;
        if (key->is_refused)
            return FILTER_UNANSWERED;
    }
    return index->has_present ? FILTER_ANSWERED : FILTER_KEYS_MISSING;
}

static void negate(const struct finding *finding, uint64_t *bits)
{
    for (size_t i = 0; i < finding->word_count; i++)
        bits[i] = ~bits[i] & finding->index->present.words[i];
}

// Recursion is bounded by LIMIT_FILTER_DEPTH. False: out of memory.
static bool evaluate(const struct finding *finding, size_t at, uint64_t *ret_bits)
{
    const struct filter_node *node = &finding->filter->nodes[at];
    size_t bytes = finding->word_count * sizeof *ret_bits;
    if (node->key) {
        const struct key_index *key = key_index_find(finding->index, node->key, node->key_length);
        memset(ret_bits, 0, bytes);
        filter_values_collect(&key->values, node, ret_bits);
    } else {
        size_t child = at + 1;
        if (!evaluate(finding, child, ret_bits))
            return false;
        child = finding->filter->nodes[child].end;
        uint64_t *more = child < node->end ? malloc(bytes + 1) : NULL;
        bool is_done = child == node->end || more;
        for (; is_done && child < node->end; child = finding->filter->nodes[child].end) {
            is_done = evaluate(finding, child, more);
            for (size_t i = 0; is_done && i < finding->word_count; i++)
                ret_bits[i] =
                    node->test == FILTER_ALL ? ret_bits[i] & more[i] : ret_bits[i] | more[i];
        }
        free(more);
        if (!is_done)
            return false;
    }
    if (node->is_negated)
        negate(finding, ret_bits);
    return true;
}

static uint64_t estimate(const struct finding *finding, size_t at, uint64_t total)
{
    const struct filter_node *node = &finding->filter->nodes[at];
    uint64_t sum;
    if (node->key) {
        const struct key_index *key = key_index_find(finding->index, node->key, node->key_length);
        sum = filter_values_estimate(&key->values, node);
    } else {
        sum = node->test == FILTER_ALL ? total : 0;
        for (size_t child = at + 1; child < node->end; child = finding->filter->nodes[child].end) {
            uint64_t one = estimate(finding, child, total);
            if (node->test == FILTER_ANY)
                sum += one;
            else if (one < sum)
                sum = one;
        }
    }
    if (sum > total)
        sum = total;
    return node->is_negated ? total - sum : sum;
}

static size_t count_bits(const uint64_t *words, size_t word_count)
{
    size_t count = 0;
    for (size_t i = 0; i < word_count; i++)
        count += (size_t)__builtin_popcountll(words[i]);
    return count;
}

// Takes the newest state's answer back to the reader's: newest change first, so that of a record's
// changes the oldest has the last word.
static void undo(const struct finding *finding, int64_t sequence, uint64_t *bits)
{
    struct bit_field field = {bits, finding->word_count};
    for (const struct log_block *block = finding->index->newest;
         block && block->sequence > sequence; block = block->older) {
        for (size_t i = 0; i < block->count; i++) {
            const struct metadata_change *change = &block->changes[i];
            uint32_t record = record_of(change->num);
            if (record / 64 < field.word_count)
                bit_field_put(&field, record,
                              change->was_there && filter_matches(finding->filter, change->before));
        }
    }
}

enum filter_answer filter_index_find(struct filter_index *index, const struct filter *filter,
                                     int64_t sequence, int64_t first,
                                     struct filter_matches *ret_matches)
{
    pthread_rwlock_rdlock(&index->lock);
    enum filter_answer answer =
        index->base <= sequence ? check_keys(index, filter) : FILTER_UNANSWERED;
    struct finding finding = {index, filter, index->present.word_count};
    uint64_t *bits = NULL;
    if (answer == FILTER_ANSWERED) {
        bits = malloc(finding.word_count * sizeof *bits + 1);
        if (!bits || !evaluate(&finding, 0, bits))
            answer = FILTER_UNANSWERED;
    }
    if (answer == FILTER_ANSWERED) {
        undo(&finding, sequence, bits);
        ret_matches->set = (struct num_set){.first = first,
                                            .size = finding.word_count * 64,
                                            .words = bits,
                                            .count = count_bits(bits, finding.word_count)};
        ret_matches->estimate =
            estimate(&finding, 0, count_bits(index->present.words, finding.word_count));
    } else {
        free(bits);
    }
    pthread_rwlock_unlock(&index->lock);
    return answer;
}
