#include "storage_dump.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/sqlite.h"

enum {
    LINE_SHOWN = 120
};

// For each table the text of a query that gives its rows as text.
static const char SQL_TABLES[] =
    "SELECT 'SELECT ''' || m.name || ': '' || ' || "
    "group_concat('ifnull(quote(\"' || c.name || '\"), ''-'')', ' || '' '' || ') || "
    "' FROM \"' || m.name || '\" ORDER BY 1' "
    "FROM sqlite_schema AS m, pragma_table_info(m.name) AS c "
    "WHERE m.type = 'table' AND m.sql NOT LIKE 'CREATE VIRTUAL%' AND c.name <> 'uid' "
    "GROUP BY m.name ORDER BY m.name";

static enum soma_code dump_table(struct store_txn *txn, const char *sql, FILE *out,
                                 struct soma_error *err)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(txn->db, sql, -1, &stmt, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        fprintf(out, "%s\n", (const char *)sqlite3_column_text(stmt, 0));
        rc = SQLITE_OK;
    }
    if (rc != SQLITE_DONE)
        sqlite_error(txn->db, rc, err);
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? SOMA_OK : SOMA_INTERNAL;
}

static enum soma_code dump_tables(struct store_txn *txn, FILE *out, struct soma_error *err)
{
    QUERY_CLEANUP struct query query;
    query_begin(&query, txn, SQL_TABLES);
    bool row = true;
    enum soma_code code = SOMA_OK;
    while (!code && row) {
        code = query_next(&query, &row, err);
        if (!code && row)
            code = dump_table(txn, query_peek_text(&query, 0), out, err);
    }
    return code;
}

char *storage_dump(struct store *store, struct soma_error *err)
{
    struct store_txn *txn;
    if (store_read_begin(store, &txn, err) != SOMA_OK)
        return NULL;
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    if (!out)
        abort();
    enum soma_code code = dump_tables(txn, out, err);
    fclose(out);
    store_read_end(txn);
    if (code == SOMA_OK)
        return text;
    free(text);
    return NULL;
}

const char *storage_difference(const char *a, const char *b)
{
    static char text[2 * LINE_SHOWN + 16];
    size_t line = 0, i = 0;
    for (; a[i] && a[i] == b[i]; i++) {
        if (a[i] == '\n')
            line = i + 1;
    }
    snprintf(text, sizeof text, "%.*s | %.*s", LINE_SHOWN, a + line, LINE_SHOWN, b + line);
    return text;
}
