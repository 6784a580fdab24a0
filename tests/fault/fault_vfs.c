#include "fault_vfs.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

enum {
    KINDS = 4,  // of io_methods that the real file system has
    FILES = 8,  // database, log
    OPEN = 128, // files at once
    SECTOR = 512
};

// One of the real file system's sets of methods, with ours in front.
struct methods {
    sqlite3_io_methods ours; // first: found by the file's pMethods
    const sqlite3_io_methods *real;
};

// What the disk holds of a file.
struct image {
    char path[PATH_MAX];
    uint8_t *synced;
    size_t size;
    bool is_there;    // a directory entry that was synced
    bool is_replaced; // the file of this name is another one than that which was synced
};

static struct {
    pthread_mutex_t lock;
    sqlite3_vfs ours;
    sqlite3_vfs *real;
    struct methods methods[KINDS];
    struct image images[FILES];
    struct {
        sqlite3_file *file;
        struct image *image;
    } open[OPEN];
    enum fault_kind kind;
    unsigned step, wanted;
    bool goes_on;
    bool has_struck;
    bool is_cut;
} vfs = {.lock = PTHREAD_MUTEX_INITIALIZER};

enum step {
    STEP_READ,
    STEP_WRITE,
    STEP_TRUNCATE,
    STEP_SYNC,
    STEP_OPEN,
    STEP_DELETE,
    STEP_MAP,
    STEPS
};

static const int io_error_of[STEPS] = {
    [STEP_READ] = SQLITE_IOERR_READ,         [STEP_WRITE] = SQLITE_IOERR_WRITE,
    [STEP_TRUNCATE] = SQLITE_IOERR_TRUNCATE, [STEP_SYNC] = SQLITE_IOERR_FSYNC,
    [STEP_OPEN] = SQLITE_CANTOPEN,           [STEP_DELETE] = SQLITE_IOERR_DELETE,
    [STEP_MAP] = SQLITE_IOERR_SHMMAP,
};

// Under the lock: does this step fail, and as what?
static int fails(enum step step)
{
    bool changes = step != STEP_READ && step != STEP_MAP;
    if (vfs.is_cut)
        return changes ? io_error_of[step] : SQLITE_OK;
    bool takes_room = step == STEP_WRITE || step == STEP_OPEN || step == STEP_MAP;
    if (vfs.kind == FAULT_NONE || (vfs.kind == FAULT_FULL && !takes_room) ||
        (vfs.kind == FAULT_CUT && !changes))
        return SQLITE_OK;
    vfs.step++;
    if (vfs.step < vfs.wanted || (vfs.step > vfs.wanted && !vfs.goes_on))
        return SQLITE_OK;
    vfs.has_struck = true;
    vfs.is_cut = vfs.kind == FAULT_CUT;
    return vfs.kind == FAULT_FULL ? SQLITE_FULL : io_error_of[step];
}

static int check(enum step step)
{
    pthread_mutex_lock(&vfs.lock);
    int rc = fails(step);
    pthread_mutex_unlock(&vfs.lock);
    return rc;
}

static const sqlite3_io_methods *real_of(sqlite3_file *file)
{
    return ((const struct methods *)file->pMethods)->real;
}

// --- what is synced

static struct image *image_of(const char *path)
{
    for (size_t i = 0; i < FILES; i++) {
        struct image *image = &vfs.images[i];
        if (strcmp(image->path, path) == 0)
            return image;
        if (!image->path[0]) {
            snprintf(image->path, sizeof image->path, "%s", path);
            return image;
        }
    }
    abort();
}

static uint8_t *read_whole(const char *path, size_t *ret_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    size_t size = (size_t)lseek(fd, 0, SEEK_END);
    uint8_t *bytes = malloc(size + 1);
    if (!bytes || pread(fd, bytes, size, 0) != (ssize_t)size)
        abort();
    close(fd);
    *ret_size = size;
    return bytes;
}

static void note_synced(struct image *image)
{
    free(image->synced);
    image->synced = read_whole(image->path, &image->size);
    image->is_there = image->synced != NULL;
    image->is_replaced = false;
}

// --- the methods

static int faulty_close(sqlite3_file *file)
{
    const sqlite3_io_methods *real = real_of(file);
    pthread_mutex_lock(&vfs.lock);
    for (size_t i = 0; i < OPEN; i++) {
        if (vfs.open[i].file == file)
            vfs.open[i].file = NULL;
    }
    pthread_mutex_unlock(&vfs.lock);
    return real->xClose(file);
}

static int faulty_read(sqlite3_file *file, void *bytes, int length, sqlite3_int64 offset)
{
    int rc = check(STEP_READ);
    return rc ? rc : real_of(file)->xRead(file, bytes, length, offset);
}

static int faulty_write(sqlite3_file *file, const void *bytes, int length, sqlite3_int64 offset)
{
    pthread_mutex_lock(&vfs.lock);
    bool was_cut = vfs.is_cut;
    int rc = fails(STEP_WRITE);
    bool halves = rc && !was_cut && (vfs.kind == FAULT_SHORT || vfs.kind == FAULT_CUT);
    if (!rc || halves) {
        int done = real_of(file)->xWrite(file, bytes, halves ? length / 2 : length, offset);
        rc = rc ? rc : done;
    }
    pthread_mutex_unlock(&vfs.lock);
    return rc;
}

static int faulty_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int rc = check(STEP_TRUNCATE);
    return rc ? rc : real_of(file)->xTruncate(file, size);
}

// The real one is not asked: a power cut is ours to make.
static int faulty_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    pthread_mutex_lock(&vfs.lock);
    int rc = fails(STEP_SYNC);
    for (size_t i = 0; i < OPEN && !rc; i++) {
        if (vfs.open[i].file == file)
            note_synced(vfs.open[i].image);
    }
    pthread_mutex_unlock(&vfs.lock);
    return rc;
}

static int faulty_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
    int rc = check(STEP_MAP);
    return rc ? rc : real_of(file)->xShmMap(file, page, size, extend, ret);
}

static const sqlite3_io_methods *in_front_of(const sqlite3_io_methods *real)
{
    for (size_t i = 0; i < KINDS; i++) {
        struct methods *methods = &vfs.methods[i];
        if (methods->real == real)
            return &methods->ours;
        if (methods->real)
            continue;
        methods->ours = *real;
        methods->ours.xClose = faulty_close;
        methods->ours.xRead = faulty_read;
        methods->ours.xWrite = faulty_write;
        methods->ours.xTruncate = faulty_truncate;
        methods->ours.xSync = faulty_sync;
        methods->ours.xShmMap = faulty_map;
        methods->real = real;
        return &methods->ours;
    }
    abort();
}

// What lay there before the test began is on the disk; a file that is made now is not.
static struct image *remember(const char *name)
{
    struct image *image = image_of(name);
    bool is_known = image->synced || image->is_replaced;
    for (size_t i = 0; i < OPEN; i++)
        is_known = is_known || (vfs.open[i].file && vfs.open[i].image == image);
    if (!is_known && access(name, F_OK) == 0) {
        note_synced(image);
        image->is_there = image->size > 0;
    }
    return image;
}

static void note_open(sqlite3_file *file, struct image *image)
{
    for (size_t i = 0; i < OPEN; i++) {
        if (vfs.open[i].file)
            continue;
        vfs.open[i].file = file;
        vfs.open[i].image = image;
        return;
    }
    abort();
}

static int faulty_open(sqlite3_vfs *ours, const char *name, sqlite3_file *file, int flags,
                       int *ret_flags)
{
    (void)ours;
    file->pMethods = NULL;
    pthread_mutex_lock(&vfs.lock);
    struct image *image = name ? remember(name) : NULL;
    int rc = fails(STEP_OPEN);
    if (!rc)
        rc = vfs.real->xOpen(vfs.real, name, file, flags, ret_flags);
    if (!rc && image) {
        file->pMethods = in_front_of(file->pMethods);
        note_open(file, image);
    }
    pthread_mutex_unlock(&vfs.lock);
    return rc;
}

static int faulty_delete(sqlite3_vfs *ours, const char *name, int syncs_directory)
{
    (void)ours;
    int rc = check(STEP_DELETE);
    if (!rc)
        rc = vfs.real->xDelete(vfs.real, name, syncs_directory);
    if (rc)
        return rc;
    pthread_mutex_lock(&vfs.lock);
    struct image *image = image_of(name);
    image->is_replaced = true;
    if (syncs_directory)
        image->is_there = false;
    pthread_mutex_unlock(&vfs.lock);
    return SQLITE_OK;
}

void fault_vfs_install(void)
{
    vfs.real = sqlite3_vfs_find(NULL);
    vfs.ours = *vfs.real;
    vfs.ours.zName = "faulty";
    vfs.ours.xOpen = faulty_open;
    vfs.ours.xDelete = faulty_delete;
    sqlite3_vfs_register(&vfs.ours, 1);
}

void fault_vfs_arm(enum fault_kind kind, unsigned step, bool goes_on)
{
    pthread_mutex_lock(&vfs.lock);
    vfs.kind = kind;
    vfs.step = 0;
    vfs.wanted = step;
    vfs.goes_on = goes_on;
    vfs.has_struck = false;
    pthread_mutex_unlock(&vfs.lock);
}

bool fault_vfs_disarm(void)
{
    pthread_mutex_lock(&vfs.lock);
    vfs.kind = FAULT_NONE;
    bool has_struck = vfs.has_struck;
    pthread_mutex_unlock(&vfs.lock);
    return has_struck;
}

void fault_vfs_cut(void)
{
    pthread_mutex_lock(&vfs.lock);
    vfs.is_cut = true;
    pthread_mutex_unlock(&vfs.lock);
}

// --- after the cut

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Chooses each sector that was written and not synced; *size may grow with them.
static void keep_some(uint8_t *bytes, size_t *size, const uint8_t *now, size_t now_size,
                      struct dice *dice)
{
    for (size_t at = 0; at < now_size; at += SECTOR) {
        size_t length = smaller(SECTOR, now_size - at);
        bool is_same = at + length <= *size && memcmp(bytes + at, now + at, length) == 0;
        if (is_same || dice_below(dice, 2) == 0)
            continue;
        memcpy(bytes + at, now + at, length);
        *size = *size > at + length ? *size : at + length;
    }
}

static void write_survivor(const struct image *image, const char *path, enum survival survival,
                           struct dice *dice)
{
    size_t now_size = 0, size = image->is_there ? image->size : 0;
    uint8_t *now = survival == SURVIVES_SOME ? read_whole(image->path, &now_size) : NULL;
    bool is_new = image->is_replaced && now && dice_below(dice, 2);
    bool is_there = image->is_there || (now && dice_below(dice, 2));
    uint8_t *bytes = calloc(1, size + now_size + 1);
    if (!bytes)
        abort();
    if (is_new)
        size = 0;
    else if (size > 0)
        memcpy(bytes, image->synced, size);
    if (now && (is_new || !image->is_replaced))
        keep_some(bytes, &size, now, now_size, dice);
    if (is_there || is_new) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
            abort();
        close(fd);
    }
    free(bytes);
    free(now);
}

void fault_vfs_survivors(const char *directory, enum survival survival, struct dice *dice)
{
    for (size_t i = 0; i < FILES && vfs.images[i].path[0]; i++) {
        char path[PATH_MAX];
        const char *name = strrchr(vfs.images[i].path, '/');
        if (snprintf(path, sizeof path, "%s%s", directory, name) >= (int)sizeof path)
            abort();
        write_survivor(&vfs.images[i], path, survival, dice);
    }
}

void fault_vfs_forget(void)
{
    for (size_t i = 0; i < FILES; i++) {
        free(vfs.images[i].synced);
        vfs.images[i] = (struct image){.path = ""};
    }
    vfs.is_cut = false;
}
