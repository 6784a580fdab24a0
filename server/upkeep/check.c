#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "inspection/inspect.h"
#include "store/offline.h"
#include "upkeep/manifest.h"
#include "upkeep/upkeep.h"

enum {
    CHECK_MAX_MS = 3600000, // a step
    READERS = 4
};

static const size_t MEMORY_BYTES = (size_t)4 << 30;

static void tell(void *found, const char *what, const char *text)
{
    printf("%s: %s\n", what, text);
    *(int64_t *)found += 1;
}

static void tell_database(void *found, const char *text)
{
    tell(found, "database", text);
}

// All but the database's file, which was looked at before it was opened.
static enum soma_code look_at_all(struct inspection *inspection, struct soma_error *err)
{
    char step[INSPECT_STEP_SIZE] = INSPECT_FIRST_JOBS;
    enum soma_code code = SOMA_OK;
    while (code == SOMA_OK && step[0]) {
        inspection->deadline = clock_deadline_after(CHECK_MAX_MS);
        code = inspect_step(inspection, step, step, err);
    }
    return code;
}

static enum soma_code look_at_store(const char *data_directory, struct store *store, int64_t *found,
                                    struct soma_error *err)
{
    char jobs[PATH_MAX], index[PATH_MAX];
    struct arena arena;
    snprintf(jobs, sizeof jobs, "%.*s/" JOBS_NAME, PATH_MAX - 16, data_directory);
    snprintf(index, sizeof index, "%.*s/index", PATH_MAX - 16, data_directory);
    const struct vectors_options options = {.budget_bytes = MEMORY_BYTES, .directory = index};
    struct inspection inspection = {
        .store = store, .jobs_path = jobs, .arena = &arena, .found = tell, .user = found};
    enum soma_code code = vectors_open(store, &options, &inspection.vectors, err);
    if (code != SOMA_OK)
        return code;
    arena_init(&arena, INSPECT_ARENA_BYTES);
    code = look_at_all(&inspection, err);
    arena_fini(&arena);
    vectors_close(inspection.vectors);
    return code;
}

enum soma_code upkeep_check(const char *data_directory, int64_t *ret_found, struct soma_error *err)
{
    bool is_older = false;
    int64_t found = 0;
    struct store *store = NULL;
    enum soma_code code = store_examine(data_directory, tell_database, &found, &is_older, err);
    // To open it would be to change it.
    if (code == SOMA_OK && is_older && found == 0)
        code = error_set(err, REASON_CONFIG_INVALID, NULL,
                         "the file soma.db is sound, and of an older schema: what is in it can be "
                         "checked once this server was started on it");
    // What is broken below is broken above.
    if (code == SOMA_OK && found == 0)
        code = store_open(data_directory, READERS, &store, err);
    if (code == SOMA_OK && store)
        code = look_at_store(data_directory, store, &found, err);
    store_close(store);
    *ret_found = found;
    return code;
}
