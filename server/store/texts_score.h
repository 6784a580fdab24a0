// The function soma_bm25(document_text, WEIGHTS) in SQL. For the files of this folder alone.
#ifndef STORE_TEXTS_SCORE_H
#define STORE_TEXTS_SCORE_H

#include "store/sqlite.h"

// Makes it known on a connection; returns SQLite's code.
int texts_score_register(sqlite3 *db);

// The connection's FTS5; NULL: it has none.
fts5_api *texts_fts5(sqlite3 *db);

#endif
