// Documents, and full text over those of a partition: words, and which documents hold them how
// well.
//
// Words are what SQLite's tokenizer unicode61 makes of a text: runs of letters and digits, case and
// diacritics folded. No text is ever read as a query language.
#ifndef STORE_TEXTS_H
#define STORE_TEXTS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "store/store.h"

// On the writer's transaction. A text that stands there already costs no write.
enum soma_code texts_put(struct store_txn *txn, int64_t num, const char *text,
                         struct soma_error *err);
// Those with after < num <= last.
enum soma_code texts_delete(struct store_txn *txn, int64_t after, int64_t last,
                            struct soma_error *err);

// One document; the text lives until the function returns. False ends the scan.
typedef bool document_visit(void *context, int64_t num, const char *text, size_t length);

// Those with after < num <= last, in the order of their numbers.
enum soma_code texts_scan(struct store_txn *txn, int64_t after, int64_t last, document_visit *visit,
                          void *context, struct soma_error *err);

// The different words of a text in the order of their coming, up to max, in the arena.
enum soma_code texts_split(struct store_txn *txn, const char *text, size_t max, struct arena *arena,
                           const char ***ret_words, size_t *ret_count, struct soma_error *err);

// num is a record's; score is more than 0, larger is better. False ends the search.
typedef bool text_visit(void *context, int64_t num, double score);

// Documents of the partition that hold at least one of the words (at least one is given), as
// texts_split left them, in the order of their numbers. Scores are BM25 (Robertson and Zaragoza,
// "The Probabilistic Relevance Framework", 2009) with k1 = 1.2 and b = 0.75; how rare a word is
// counts within the partition, of record_count records, a document's length against the average of
// all that the server keeps.
enum soma_code texts_search(struct store_txn *txn, int64_t partition, int64_t record_count,
                            const char *const *words, size_t word_count, struct mono_time deadline,
                            struct arena *arena, text_visit *visit, void *context,
                            struct soma_error *err);

#endif
