#include "store/texts_score.h"

#include <string.h>

enum {
    PHRASES_MAX = 64
};

static const double SATURATION = 1.2, LENGTH_WEIGHT = 0.75; // k1 and b

fts5_api *texts_fts5(sqlite3 *db)
{
    fts5_api *api = NULL;
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(db, "SELECT fts5(?1)", -1, &stmt, NULL) == SQLITE_OK) {
        sqlite3_bind_pointer(stmt, 1, (void *)&api, "fts5_api_ptr", NULL);
        sqlite3_step(stmt);
    }
    sqlite3_finalize(stmt);
    return api;
}

// The average number of words in a document, found once for a search.
static int average_length(const Fts5ExtensionApi *api, Fts5Context *fts, double *ret_average)
{
    double *kept = api->xGetAuxdata(fts, 0);
    sqlite3_int64 rows = 0, words = 0;
    if (kept) {
        *ret_average = *kept;
        return SQLITE_OK;
    }
    int rc = api->xRowCount(fts, &rows);
    if (rc == SQLITE_OK)
        rc = api->xColumnTotalSize(fts, 0, &words);
    if (rc != SQLITE_OK)
        return rc;
    kept = sqlite3_malloc(sizeof *kept);
    if (!kept)
        return SQLITE_NOMEM;
    *kept = rows > 0 && words > 0 ? (double)words / (double)rows : 1;
    *ret_average = *kept;
    return api->xSetAuxdata(fts, kept, sqlite3_free);
}

static int count_hits(const Fts5ExtensionApi *api, Fts5Context *fts, int phrase_count,
                      double *ret_counts)
{
    int hit_count = 0;
    int rc = api->xInstCount(fts, &hit_count);
    for (int i = 0; rc == SQLITE_OK && i < hit_count; i++) {
        int phrase, column, offset;
        rc = api->xInst(fts, i, &phrase, &column, &offset);
        if (rc == SQLITE_OK && phrase >= 0 && phrase < phrase_count)
            ret_counts[phrase]++;
    }
    return rc;
}

// The argument: double[phrases], how much each phrase weighs.
static void score(const Fts5ExtensionApi *api, Fts5Context *fts, sqlite3_context *result,
                  int value_count, sqlite3_value **values)
{
    double weights[PHRASES_MAX], counts[PHRASES_MAX] = {0}, average = 1, sum = 0;
    int phrase_count = api->xPhraseCount(fts), length = 0;
    if (value_count != 1 || phrase_count > PHRASES_MAX ||
        sqlite3_value_bytes(values[0]) != phrase_count * (int)sizeof(double)) {
        sqlite3_result_error(result, "soma_bm25 wants a weight for each phrase", -1);
        return;
    }
    if (phrase_count)
        memcpy(weights, sqlite3_value_blob(values[0]), (size_t)phrase_count * sizeof(double));
    int rc = average_length(api, fts, &average);
    if (rc == SQLITE_OK)
        rc = count_hits(api, fts, phrase_count, counts);
    if (rc == SQLITE_OK)
        rc = api->xColumnSize(fts, 0, &length);
    if (rc != SQLITE_OK) {
        sqlite3_result_error_code(result, rc);
        return;
    }
    double norm = SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * (double)length / average);
    for (int i = 0; i < phrase_count; i++)
        sum += weights[i] * counts[i] * (SATURATION + 1) / (counts[i] + norm);
    sqlite3_result_double(result, sum);
}

int texts_score_register(sqlite3 *db)
{
    fts5_api *api = texts_fts5(db);
    return api ? api->xCreateFunction(api, "soma_bm25", NULL, score, NULL) : SQLITE_ERROR;
}
