#include "inspection/inspect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "store/collections.h"
#include "store/examine.h"
#include "store/jobs.h"
#include "vectors/check.h"

enum {
    PAGE = 64,
    SAMPLE = 20, // rows of each collection that recall is measured with
    TEXT_SIZE = 512,
    // Beside a server: the removal of a job's files follows that of its row, and a copy of the row
    // that was read may be older than the files.
    LEFT_BEHIND_S = 600
};

// A job's row is read once, and once more for each stream of it that is not whole.
_Static_assert(PAGE * 3 * SPEC_HEAD_BYTES_MAX <= INSPECT_ARENA_BYTES / 4 * 3, "a page of jobs");

__attribute__((format(printf, 3, 4))) static void tell(const struct inspection *inspection,
                                                       const char *what, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    inspection->found(inspection->user, what, text);
}

// --- the database

static void tell_database(void *user, const char *text)
{
    tell(user, "database", "%s", text);
}

static enum soma_code look_at_database(const struct inspection *inspection, struct soma_error *err)
{
    struct store_txn *txn;
    enum soma_code code = store_read_begin(inspection->store, &txn, err);
    if (code != SOMA_OK)
        return code;
    code = store_examine_in(txn, inspection->deadline, tell_database, (void *)inspection, err);
    store_read_end(txn);
    return code;
}

// --- jobs

static bool job_is_there(const struct inspection *inspection, const char *id)
{
    struct store_txn *txn;
    struct job_row row;
    if (store_read_begin(inspection->store, &txn, NULL) != SOMA_OK)
        return false;
    enum soma_code code = job_store_get(txn, id, false, inspection->arena, &row, NULL);
    store_read_end(txn);
    return code == SOMA_OK;
}

static void look_at_stream(const struct inspection *inspection, int jobs_fd, const struct job *job,
                           const char *name, int64_t kept_bytes)
{
    char path[64], what[ID_SIZE + 8];
    struct stat info;
    snprintf(path, sizeof path, "%s/%" PRIu32 "/%s", job->id, job->status.attempt, name);
    int64_t size = fstatat(jobs_fd, path, &info, AT_SYMLINK_NOFOLLOW) ? 0 : info.st_size;
    if (size >= kept_bytes || (inspection->is_live && !job_is_there(inspection, job->id)))
        return;
    snprintf(what, sizeof what, "job %s", job->id);
    tell(inspection, what, "%" PRId64 " of the %" PRId64 " bytes of its %s are there", size,
         kept_bytes, name);
}

static enum soma_code list_final(const struct inspection *inspection, int64_t before,
                                 struct job_list *ret_list, struct soma_error *err)
{
    const struct job_filter final = {.states = JOB_STATES_FINAL, .space = inspection->space};
    struct store_txn *txn;
    enum soma_code code = store_read_begin(inspection->store, &txn, err);
    if (code != SOMA_OK)
        return code;
    code = job_store_list(txn, &final, before, PAGE, inspection->arena, ret_list, err);
    store_read_end(txn);
    return code;
}

static enum soma_code open_jobs(const struct inspection *inspection, int *ret_fd,
                                struct soma_error *err)
{
    *ret_fd = open(inspection->jobs_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret_fd >= 0 || errno == ENOENT)
        return SOMA_OK;
    return error_set_errno(err, errno, "cannot open %s", inspection->jobs_path);
}

static enum soma_code look_at_jobs(const struct inspection *inspection, int64_t before,
                                   char *ret_next, struct soma_error *err)
{
    struct job_list list = {0};
    FD_CLEANUP int fd = -1;
    enum soma_code code = open_jobs(inspection, &fd, err);
    if (code == SOMA_OK && fd >= 0)
        code = list_final(inspection, before, &list, err);
    for (size_t i = 0; i < list.count && code == SOMA_OK; i++) {
        const struct job *job = &list.rows[i]->job;
        look_at_stream(inspection, fd, job, "stdout", job->status.stdout_size.kept_bytes);
        look_at_stream(inspection, fd, job, "stderr", job->status.stderr_size.kept_bytes);
    }
    if (list.more)
        snprintf(ret_next, INSPECT_STEP_SIZE, "jobs %" PRId64, list.after);
    else
        snprintf(ret_next, INSPECT_STEP_SIZE, "%s",
                 inspection->space ? "collections " : "directories");
    return code;
}

// --- directories

static bool is_left_behind(const struct inspection *inspection, int jobs_fd, const char *name)
{
    struct stat info;
    if (!inspection->is_live)
        return true;
    return fstatat(jobs_fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
           info.st_ctime + LEFT_BEHIND_S < time(NULL);
}

static enum soma_code look_at_directory(const struct inspection *inspection, int jobs_fd,
                                        const char *name, struct soma_error *err)
{
    struct job_row row;
    struct store_txn *txn;
    struct soma_error lookup = {0};
    char what[ID_SIZE + 8];
    enum soma_code code = store_read_begin(inspection->store, &txn, err);
    if (code != SOMA_OK)
        return code;
    code = job_store_get(txn, name, false, inspection->arena, &row, &lookup);
    store_read_end(txn);
    arena_reset(inspection->arena, INSPECT_ARENA_BYTES);
    if (code != SOMA_NOT_FOUND) {
        *err = lookup;
        return code;
    }
    snprintf(what, sizeof what, "jobs/%.*s", ID_LENGTH, name);
    if (is_left_behind(inspection, jobs_fd, name))
        tell(inspection, what, "it is the directory of no job; a start of the server removes it");
    return SOMA_OK;
}

static enum soma_code look_at_directories(const struct inspection *inspection,
                                          struct soma_error *err)
{
    int fd = -1;
    enum soma_code code = open_jobs(inspection, &fd, err);
    if (code != SOMA_OK || fd < 0)
        return code;
    DIR *directory = fdopendir(fd);
    if (!directory) {
        close(fd);
        return error_set_errno(err, errno, "cannot read the directories of jobs");
    }
    const struct dirent *entry;
    while (code == SOMA_OK && (entry = readdir(directory)) != NULL) {
        if (id_is_valid(entry->d_name))
            code = look_at_directory(inspection, fd, entry->d_name, err);
        if (clock_left_ms(inspection->deadline) == 0)
            code = error_set(err, REASON_DEADLINE_EXCEEDED, NULL,
                             "there was no time to look at all directories of jobs");
    }
    closedir(directory);
    return code;
}

// --- collections

static enum soma_code next_collection(const struct inspection *inspection, const char *after,
                                      struct collection_row *ret_row, bool *ret_found,
                                      struct soma_error *err)
{
    struct name_range range;
    struct store_txn *txn;
    size_t count = 0;
    enum soma_code code = store_read_begin(inspection->store, &txn, err);
    if (code != SOMA_OK)
        return code;
    name_range_init(&range, inspection->space, after);
    code = collections_list(txn, &range, 1, inspection->arena, ret_row, &count, err);
    store_read_end(txn);
    *ret_found = code == SOMA_OK && count > 0;
    return code;
}

static enum soma_code look_at_collection(const struct inspection *inspection, const char *name,
                                         struct soma_error *err)
{
    char what[FULL_NAME_BYTES_MAX + 16];
    struct check_report report;
    const struct check_request request = {
        .collection = name, .sample = SAMPLE, .deadline = inspection->deadline};
    enum soma_code code = collection_check(inspection->store, inspection->vectors, &request,
                                           inspection->arena, &report, err);
    snprintf(what, sizeof what, "collection %s", inspection->space ? namespace_plain(name) : name);
    if (code == SOMA_NOT_FOUND && inspection->is_live)
        return SOMA_OK;
    if (code == SOMA_RESOURCE_EXHAUSTED || code == SOMA_DATA_LOSS) {
        tell(inspection, what, "%s", err->text);
        return SOMA_OK;
    }
    for (size_t i = 0; code == SOMA_OK && i < report.finding_count; i++) {
        const struct check_finding *finding = &report.findings[i];
        tell(inspection, what, "%s: %" PRId64 " (%s%s)", finding->text, finding->count,
             finding->id_count ? "the first: " : "", finding->id_count ? finding->ids[0] : "");
    }
    return code;
}

// after is what the range of names takes: a plain name where there is a namespace.
static enum soma_code look_at_next_collection(const struct inspection *inspection,
                                              const char *after, char *ret_next,
                                              struct soma_error *err)
{
    struct collection_row row;
    bool found;
    ret_next[0] = '\0';
    enum soma_code code = next_collection(inspection, after, &row, &found, err);
    if (code != SOMA_OK || !found)
        return code;
    snprintf(ret_next, INSPECT_STEP_SIZE, "collections %s",
             inspection->space ? namespace_plain(row.name) : row.name);
    return look_at_collection(inspection, row.name, err);
}

// --- steps

static enum soma_code look(const struct inspection *inspection, const char *step, char *ret_next,
                           struct soma_error *err)
{
    static const char jobs[] = "jobs ", collections[] = "collections ";
    int64_t before;
    if (strcmp(step, INSPECT_FIRST) == 0) {
        snprintf(ret_next, INSPECT_STEP_SIZE, INSPECT_FIRST_JOBS);
        return inspection->space ? SOMA_OK : look_at_database(inspection, err);
    }
    if (strncmp(step, jobs, sizeof jobs - 1) == 0 &&
        text_to_int64(step + sizeof jobs - 1, 0, INT64_MAX, &before))
        return look_at_jobs(inspection, before, ret_next, err);
    if (strcmp(step, "directories") == 0 && !inspection->space) {
        snprintf(ret_next, INSPECT_STEP_SIZE, "%s", collections);
        return look_at_directories(inspection, err);
    }
    if (strncmp(step, collections, sizeof collections - 1) == 0 && strlen(step) < INSPECT_STEP_SIZE)
        return look_at_next_collection(inspection, step + sizeof collections - 1, ret_next, err);
    return error_set(err, REASON_FIELD_INVALID, "step", "there is no step '%.80s'", step);
}

enum soma_code inspect_step(const struct inspection *inspection, const char *step,
                            char ret_next[INSPECT_STEP_SIZE], struct soma_error *err)
{
    char next[INSPECT_STEP_SIZE] = "";
    enum soma_code code = look(inspection, step, next, err);
    arena_reset(inspection->arena, INSPECT_ARENA_BYTES);
    if (code == SOMA_OK)
        memcpy(ret_next, next, sizeof next);
    return code;
}
