#include "cli/import_state.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/folders.h"

static const char state_form[] = "soma-import 1 %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64
                                 " %" SCNd64 " %" SCNd64 " %" SCNd64 " .";

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u; // FNV-1a
    return hash;
}

// A regular file as it is now: its name and when it was changed.
static bool hash_file(uint64_t *hash, const char *path)
{
    struct stat about;
    char version[96], *whole = realpath(path, NULL);
    bool is_regular = whole && stat(whole, &about) == 0 && S_ISREG(about.st_mode);
    if (is_regular) {
        snprintf(version, sizeof version, "/%lld/%lld.%09ld", (long long)about.st_size,
                 (long long)about.st_mtim.tv_sec, about.st_mtim.tv_nsec);
        *hash = hash_text(hash_text(*hash, whole), version);
    }
    free(whole);
    return is_regular;
}

void import_state_init(struct import_state *state, const char *collection_uid, const char *path,
                       const char *ids_path)
{
    uint64_t hash = hash_text(14695981039346656037u, collection_uid);
    char name[32];
    *state = (struct import_state){.path = ""};
    if (!hash_file(&hash, path) || (ids_path && !hash_file(&hash, ids_path)))
        return;
    snprintf(name, sizeof name, "import-%016" PRIx64, hash);
    if (!folder_path("XDG_STATE_HOME", ".local/state", name, state->path, sizeof state->path))
        state->path[0] = '\0';
}

bool import_state_load(struct import_state *state)
{
    struct import_state read = {.path = ""};
    char line[256];
    FILE *file = *state->path ? fopen(state->path, "re") : NULL;
    if (!file)
        return false;
    bool is_line = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    struct import_counts *counts = &read.counts;
    bool is_whole = is_line && sscanf(line, state_form, &read.position.bytes, &read.position.rows,
                                      &counts->inserted, &counts->updated, &counts->unchanged,
                                      &counts->skipped, &counts->rejected) == 7;
    is_whole = is_whole && strchr(line, '.') && read.position.bytes >= 0 && read.position.rows > 0;
    if (!is_whole)
        return false;
    state->position = read.position;
    state->counts = read.counts;
    return true;
}

void import_state_save(const struct import_state *state)
{
    char fresh[sizeof state->path + 8];
    if (!*state->path)
        return;
    snprintf(fresh, sizeof fresh, "%s.%d", state->path, (int)(getpid() % 10000));
    FILE *file = fopen(fresh, "we");
    if (!file) {
        folders_make(state->path);
        file = fopen(fresh, "we");
    }
    if (!file)
        return;
    const struct import_counts *counts = &state->counts;
    fprintf(file,
            "soma-import 1 %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
            " %" PRId64 " .\n",
            state->position.bytes, state->position.rows, counts->inserted, counts->updated,
            counts->unchanged, counts->skipped, counts->rejected);
    if (fclose(file) != 0 || rename(fresh, state->path) != 0)
        unlink(fresh);
}

void import_state_remove(const struct import_state *state)
{
    if (*state->path)
        unlink(state->path);
}
