#include "vectors/index_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "vectors/index/hnsw_file.h"

enum {
    CHANGED_ONE_IN = 8, // of the rows: so many changes make a new file worth its while
    ARENA_BYTES = 4 << 20
};

#define SUFFIX ".idx"

// False: files are not kept, or the path is too long.
static bool path_of(const struct vectors *vectors, const char *uid, char ret_path[PATH_MAX])
{
    int length = snprintf(ret_path, PATH_MAX, "%s/%s" SUFFIX, vectors->directory, uid);
    return vectors->directory[0] && length < PATH_MAX - 8;
}

// --- what is left over

static bool is_collections_file(struct store_txn *txn, const char *name)
{
    char uid[ID_SIZE];
    struct arena arena;
    struct collection_row row;
    size_t length = strlen(name), suffix = strlen(SUFFIX);
    if (length < suffix || length - suffix >= sizeof uid ||
        strcmp(name + length - suffix, SUFFIX) != 0)
        return false;
    snprintf(uid, sizeof uid, "%.*s", (int)(length - suffix), name);
    arena_init(&arena, ARENA_BYTES);
    enum soma_code code = collections_get(txn, uid, &arena, &row, NULL);
    arena_fini(&arena);
    return code != SOMA_NOT_FOUND;
}

static void remove_left_over(const struct vectors *vectors, DIR *directory, struct store_txn *txn)
{
    const struct dirent *entry;
    while ((entry = readdir(directory))) {
        if (entry->d_name[0] != '.' && !is_collections_file(txn, entry->d_name) &&
            unlinkat(dirfd(directory), entry->d_name, 0) != 0)
            log_warning("VECTORS-INDEX", "%s/%s stays: %s", vectors->directory, entry->d_name,
                        strerror(errno));
    }
}

enum soma_code index_files_tidy(struct vectors *vectors, struct soma_error *err)
{
    struct store_txn *txn;
    if (mkdir(vectors->directory, 0700) != 0 && errno != EEXIST)
        return error_set(err, REASON_INTERNAL, NULL, "%s: %s", vectors->directory, strerror(errno));
    DIR *directory = opendir(vectors->directory);
    if (!directory)
        return error_set(err, REASON_INTERNAL, NULL, "%s: %s", vectors->directory, strerror(errno));
    enum soma_code code = store_read_begin(vectors->store, &txn, err);
    if (!code) {
        remove_left_over(vectors, directory, txn);
        store_read_end(txn);
    }
    closedir(directory);
    return code;
}

// --- one collection's

static struct file_subject subject_of(const struct vectors *vectors,
                                      const struct collection *collection, int64_t partition,
                                      uint32_t dim)
{
    struct file_subject subject = {.partition = partition,
                                   .metric = collection->metric,
                                   .dim = dim,
                                   .settings = collection->settings,
                                   .directory = vectors_directory(vectors, &collection->settings)};
    memcpy(subject.uid, collection->uid, sizeof subject.uid);
    return subject;
}

struct rows *index_file_load(struct vectors *vectors, const struct collection *collection,
                             const struct collection_row *row, int64_t *ret_sequence)
{
    char path[PATH_MAX];
    const char *why;
    struct file_subject subject = subject_of(vectors, collection, row->partition, row->dimension);
    if (!path_of(vectors, collection->uid, path))
        return NULL;
    struct rows *rows = index_file_open(path, &subject, ret_sequence, &why);
    if (*why)
        log_warning("VECTORS-INDEX", "%s is thrown away: %s", path, why);
    if (!rows || *ret_sequence <= row->sequence)
        return rows;
    log_warning("VECTORS-INDEX", "%s is thrown away: the database is older", path);
    rows_free(rows);
    unlink(path);
    return NULL;
}

bool index_file_is_due(const struct vectors *vectors, const struct collection *collection)
{
    return vectors->directory[0] && !collection->has_waiting && collection->changed &&
           collection->changed * CHANGED_ONE_IN >= collection->node_count &&
           !collection_is_leaving_file(vectors, collection->uid);
}

bool index_file_save(struct vectors *vectors, const struct collection *collection,
                     int64_t partition, int64_t sequence, const struct row_set *set,
                     struct graph *graph)
{
    char path[PATH_MAX];
    struct soma_error err;
    struct file_subject subject = subject_of(vectors, collection, partition, graph->format.dim);
    if (!path_of(vectors, collection->uid, path))
        return false;
    if (index_file_write(path, &subject, sequence, set, graph, &err) == SOMA_OK)
        return true;
    log_warning("VECTORS-INDEX", "an index is not kept: %s", err.text);
    return false;
}

void index_file_remove(struct vectors *vectors, const char *uid)
{
    char path[PATH_MAX];
    if (path_of(vectors, uid, path) && unlink(path) != 0 && errno != ENOENT)
        log_warning("VECTORS-INDEX", "%s stays: %s", path, strerror(errno));
}
