#include "cli/snapshot_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <soma/soma.h>

enum {
    VERSION = 1,
    PAGE_BYTES_MAX = 8 << 20 // no page is larger than a frame
};

static const char magic[8] = "SOMASNAP";
static const uint64_t checksum_begin = 14695981039346656037u;

static bool put(struct snapshot_file *snapshot, const void *bytes, size_t length)
{
    snapshot->checksum = soma_snapshot_checksum(snapshot->checksum, bytes, length);
    return fwrite(bytes, 1, length, snapshot->file) == length;
}

bool snapshot_write_begin(struct snapshot_file *snapshot, FILE *file)
{
    const uint32_t version = VERSION;
    *snapshot = (struct snapshot_file){.file = file, .checksum = checksum_begin};
    return put(snapshot, magic, sizeof magic) && put(snapshot, &version, sizeof version);
}

bool snapshot_write_page(struct snapshot_file *snapshot, const void *bytes, size_t length)
{
    uint32_t number = (uint32_t)length;
    snapshot->pages++;
    return put(snapshot, &number, sizeof number) && put(snapshot, bytes, length);
}

bool snapshot_write_end(struct snapshot_file *snapshot)
{
    const uint32_t end = 0;
    uint64_t pages = snapshot->pages;
    if (!put(snapshot, &end, sizeof end) || !put(snapshot, &pages, sizeof pages))
        return false;
    uint64_t checksum = snapshot->checksum;
    return put(snapshot, &checksum, sizeof checksum) && fflush(snapshot->file) == 0;
}

static enum snapshot_read take(struct snapshot_file *snapshot, void *ret_bytes, size_t length)
{
    errno = 0;
    if (fread(ret_bytes, 1, length, snapshot->file) != length)
        return ferror(snapshot->file) ? SNAPSHOT_FAILED : SNAPSHOT_DAMAGED;
    snapshot->checksum = soma_snapshot_checksum(snapshot->checksum, ret_bytes, length);
    return SNAPSHOT_PAGE;
}

enum snapshot_read snapshot_read_begin(struct snapshot_file *snapshot, FILE *file)
{
    char begin[sizeof magic];
    uint32_t version = 0;
    *snapshot = (struct snapshot_file){.file = file, .checksum = checksum_begin};
    enum snapshot_read read = take(snapshot, begin, sizeof begin);
    if (read == SNAPSHOT_PAGE && memcmp(begin, magic, sizeof magic) == 0)
        read = take(snapshot, &version, sizeof version);
    if (read == SNAPSHOT_FAILED)
        return read;
    return read == SNAPSHOT_PAGE && version == VERSION ? SNAPSHOT_PAGE : SNAPSHOT_NONE;
}

static enum snapshot_read read_end(struct snapshot_file *snapshot)
{
    uint64_t pages = 0, checksum = 0, due;
    enum snapshot_read read = take(snapshot, &pages, sizeof pages);
    due = snapshot->checksum;
    if (read == SNAPSHOT_PAGE)
        read = take(snapshot, &checksum, sizeof checksum);
    if (read != SNAPSHOT_PAGE)
        return read;
    bool is_whole = pages == snapshot->pages && checksum == due && getc(snapshot->file) == EOF;
    return is_whole ? SNAPSHOT_END : SNAPSHOT_DAMAGED;
}

static bool make_room(struct snapshot_file *snapshot, size_t length)
{
    if (length <= snapshot->page_room)
        return true;
    unsigned char *grown = realloc(snapshot->page, length);
    if (!grown)
        return false;
    snapshot->page = grown;
    snapshot->page_room = length;
    return true;
}

enum snapshot_read snapshot_read_page(struct snapshot_file *snapshot, const void **ret_bytes,
                                      size_t *ret_length)
{
    uint32_t length = 0;
    enum snapshot_read read = take(snapshot, &length, sizeof length);
    if (read != SNAPSHOT_PAGE)
        return read;
    if (!length)
        return read_end(snapshot);
    if (length > PAGE_BYTES_MAX)
        return SNAPSHOT_DAMAGED;
    if (!make_room(snapshot, length))
        return SNAPSHOT_FAILED;
    read = take(snapshot, snapshot->page, length);
    snapshot->pages += read == SNAPSHOT_PAGE;
    *ret_bytes = snapshot->page;
    *ret_length = length;
    return read;
}

void snapshot_file_fini(struct snapshot_file *snapshot)
{
    free(snapshot->page);
    snapshot->page = NULL;
}
