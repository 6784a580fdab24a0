#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/collections.h"
#include "store/jobs.h"
#include "store/offline.h"
#include "upkeep/manifest.h"
#include "upkeep/upkeep.h"
#include "vectors/check.h"

enum {
    PAGE = 500,
    PAGE_BYTES = 64 << 20,
    SAMPLE = 20, // rows of each collection that recall is measured with
    CHECK_MAX_MS = 3600000,
    READERS = 4
};

static const size_t MEMORY_BYTES = (size_t)4 << 30;

struct looking {
    const char *data_directory;
    struct store *store;
    struct arena arena;
    int jobs_fd;
    int64_t found;
};

__attribute__((format(printf, 2, 3))) static void tell(struct looking *looking, const char *format,
                                                       ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    looking->found++;
}

static void tell_text(void *user, const char *text)
{
    tell(user, "database: %s", text);
}

// --- jobs

static void look_at_stream(struct looking *looking, const struct job *job, const char *name,
                           int64_t kept_bytes)
{
    char path[64];
    struct stat info;
    snprintf(path, sizeof path, "%s/%" PRIu32 "/%s", job->id, job->status.attempt, name);
    int64_t size = fstatat(looking->jobs_fd, path, &info, AT_SYMLINK_NOFOLLOW) ? 0 : info.st_size;
    if (size < kept_bytes)
        tell(looking, "job %s: %" PRId64 " of the %" PRId64 " bytes of its %s are there", job->id,
             size, kept_bytes, name);
}

static enum soma_code look_at_page(struct looking *looking, int64_t *before, bool *ret_more,
                                   struct soma_error *err)
{
    static const struct job_filter final = {.states = JOB_STATES_FINAL};
    struct job_list list = {0};
    struct store_txn *txn;
    enum soma_code code = store_read_begin(looking->store, &txn, err);
    if (code != SOMA_OK)
        return code;
    code = job_store_list(txn, &final, *before, PAGE, &looking->arena, &list, err);
    store_read_end(txn);
    for (size_t i = 0; i < list.count && code == SOMA_OK; i++) {
        const struct job *job = &list.rows[i]->job;
        look_at_stream(looking, job, "stdout", job->status.stdout_size.kept_bytes);
        look_at_stream(looking, job, "stderr", job->status.stderr_size.kept_bytes);
    }
    *before = list.after;
    *ret_more = list.more;
    arena_reset(&looking->arena, PAGE_BYTES);
    return code;
}

static enum soma_code look_at_directory(struct looking *looking, const char *name,
                                        struct soma_error *err)
{
    struct job_row row;
    struct store_txn *txn;
    struct soma_error lookup = {0};
    enum soma_code code = store_read_begin(looking->store, &txn, err);
    if (code != SOMA_OK)
        return code;
    code = job_store_get(txn, name, false, &looking->arena, &row, &lookup);
    store_read_end(txn);
    arena_reset(&looking->arena, PAGE_BYTES);
    if (code != SOMA_NOT_FOUND) {
        *err = lookup;
        return code;
    }
    tell(looking, "jobs/%s is the directory of no job; a start of the server removes it", name);
    return SOMA_OK;
}

static enum soma_code look_at_directories(struct looking *looking, struct soma_error *err)
{
    int fd = dup(looking->jobs_fd);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (!directory)
        return error_set_errno(err, errno, "cannot read the directories of jobs");
    enum soma_code code = SOMA_OK;
    const struct dirent *entry;
    while (code == SOMA_OK && (entry = readdir(directory)) != NULL) {
        if (id_is_valid(entry->d_name))
            code = look_at_directory(looking, entry->d_name, err);
    }
    closedir(directory);
    return code;
}

static enum soma_code look_at_jobs(struct looking *looking, struct soma_error *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%.*s/" JOBS_NAME, PATH_MAX - 16, looking->data_directory);
    looking->jobs_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (looking->jobs_fd < 0)
        return errno == ENOENT ? SOMA_OK : error_set_errno(err, errno, "cannot open %s", path);
    enum soma_code code = SOMA_OK;
    int64_t before = 0;
    for (bool more = true; more && code == SOMA_OK;)
        code = look_at_page(looking, &before, &more, err);
    return code == SOMA_OK ? look_at_directories(looking, err) : code;
}

// --- collections

static enum soma_code look_at_collection(struct looking *looking, struct vectors *vectors,
                                         const char *name, struct soma_error *err)
{
    struct check_report report;
    const struct check_request request = {
        .collection = name, .sample = SAMPLE, .deadline = clock_deadline_after(CHECK_MAX_MS)};
    enum soma_code code =
        collection_check(looking->store, vectors, &request, &looking->arena, &report, err);
    if (code == SOMA_RESOURCE_EXHAUSTED || code == SOMA_DATA_LOSS) {
        tell(looking, "collection %s: %s", name, err->text);
        return SOMA_OK;
    }
    for (size_t i = 0; code == SOMA_OK && i < report.finding_count; i++) {
        const struct check_finding *finding = &report.findings[i];
        tell(looking, "collection %s: %s: %" PRId64 " (%s%s)", name, finding->text, finding->count,
             finding->id_count ? "the first: " : "", finding->id_count ? finding->ids[0] : "");
    }
    arena_reset(&looking->arena, PAGE_BYTES);
    return code;
}

static enum soma_code next_collection(struct looking *looking,
                                      char name[static FULL_NAME_BYTES_MAX + 1], bool *ret_found,
                                      struct soma_error *err)
{
    struct store_txn *txn;
    struct collection_row row;
    size_t count = 0;
    enum soma_code code = store_read_begin(looking->store, &txn, err);
    if (code != SOMA_OK)
        return code;
    struct name_range range;
    name_range_init(&range, NULL, name);
    code = collections_list(txn, &range, 1, &looking->arena, &row, &count, err);
    store_read_end(txn);
    *ret_found = code == SOMA_OK && count > 0;
    if (*ret_found)
        snprintf(name, FULL_NAME_BYTES_MAX + 1, "%s", row.name);
    return code;
}

static enum soma_code look_at_collections(struct looking *looking, struct soma_error *err)
{
    char directory[PATH_MAX], name[FULL_NAME_BYTES_MAX + 1] = "";
    snprintf(directory, sizeof directory, "%.*s/index", PATH_MAX - 16, looking->data_directory);
    const struct vectors_options options = {.budget_bytes = MEMORY_BYTES, .directory = directory};
    struct vectors *vectors;
    enum soma_code code = vectors_open(looking->store, &options, &vectors, err);
    if (code != SOMA_OK)
        return code;
    bool found = true;
    while (code == SOMA_OK && found) {
        code = next_collection(looking, name, &found, err);
        if (code == SOMA_OK && found)
            code = look_at_collection(looking, vectors, name, err);
    }
    vectors_close(vectors);
    return code;
}

enum soma_code upkeep_check(const char *data_directory, int64_t *ret_found, struct soma_error *err)
{
    struct looking looking = {.data_directory = data_directory, .jobs_fd = -1};
    bool is_older = false;
    enum soma_code code = store_examine(data_directory, tell_text, &looking, &is_older, err);
    // To open it would be to change it.
    if (code == SOMA_OK && is_older && looking.found == 0)
        code = error_set(err, REASON_CONFIG_INVALID, NULL,
                         "the file soma.db is sound, and of an older schema: what is in it can be "
                         "checked once this server was started on it");
    // What is broken below is broken above.
    if (code == SOMA_OK && looking.found == 0)
        code = store_open(data_directory, READERS, &looking.store, err);
    if (code == SOMA_OK && looking.store) {
        arena_init(&looking.arena, PAGE_BYTES);
        code = look_at_jobs(&looking, err);
        if (code == SOMA_OK)
            code = look_at_collections(&looking, err);
        arena_fini(&looking.arena);
    }
    fd_close_at_exit(&looking.jobs_fd);
    store_close(looking.store);
    *ret_found = looking.found;
    return code;
}
