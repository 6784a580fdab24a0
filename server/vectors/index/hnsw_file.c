// Writing an index's file, and what writing and opening share.
#include "vectors/index/hnsw_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crash_point.h"

enum {
    BUFFER_BYTES = 1 << 20,
    LANES = 8 // as many multiplications are under way at once
};

// Each step maps words and sums one to one, so a change in one word is never lost on the way.
static inline uint64_t mix(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * 0x9e3779b97f4a7c15u;
    return sum ^ sum >> 29;
}

struct checksum {
    uint64_t lanes[LANES];
    uint64_t length;
};

static struct checksum checksum_begin(void)
{
    return (struct checksum){{1, 2, 3, 4, 5, 6, 7, 8}, 0};
}

// length is a multiple of 64 in all calls but the last.
static void checksum_add(struct checksum *checksum, const uint8_t *bytes, size_t length)
{
    uint64_t lanes[LANES], words[LANES];
    memcpy(lanes, checksum->lanes, sizeof lanes);
    checksum->length += length;
    for (; length >= sizeof words; bytes += sizeof words, length -= sizeof words) {
        memcpy(words, bytes, sizeof words);
#pragma GCC unroll 8
        for (int i = 0; i < LANES; i++)
            lanes[i] = mix(lanes[i], words[i]);
    }
    for (; length; bytes++, length--)
        lanes[0] = mix(lanes[0], *bytes);
    memcpy(checksum->lanes, lanes, sizeof lanes);
}

static uint64_t checksum_end(const struct checksum *checksum)
{
    uint64_t sum = mix(1, checksum->length);
    for (int i = 0; i < LANES; i++)
        sum = mix(sum, checksum->lanes[i]);
    return sum;
}

uint64_t file_checksum(const void *bytes, size_t length)
{
    struct checksum checksum = checksum_begin();
    checksum_add(&checksum, bytes, length);
    return checksum_end(&checksum);
}

// --- writing

struct writing {
    int fd;
    int errnum; // of the first failure; 0: none
    struct file_head head;
    uint64_t at;
    struct checksum checksum; // of the section in hand
    uint8_t *buffer;
    size_t buffered;
    int64_t sequence;
    const struct row_set *set;
    struct graph *graph;
};

static void write_all(struct writing *writing, const uint8_t *bytes, size_t length)
{
    while (length && !writing->errnum) {
        ssize_t written = write(writing->fd, bytes, length);
        if (written < 0 && errno != EINTR)
            writing->errnum = errno;
        if (written > 0) {
            bytes += written;
            length -= (size_t)written;
        }
    }
}

static void flush(struct writing *writing)
{
    checksum_add(&writing->checksum, writing->buffer, writing->buffered);
    write_all(writing, writing->buffer, writing->buffered);
    writing->at += writing->buffered;
    writing->buffered = 0;
}

static void put(struct writing *writing, const void *bytes, size_t length)
{
    const uint8_t *from = bytes;
    while (length) {
        size_t room = BUFFER_BYTES - writing->buffered;
        size_t some = length < room ? length : room;
        memcpy(writing->buffer + writing->buffered, from, some);
        writing->buffered += some;
        from += some;
        length -= some;
        if (writing->buffered == BUFFER_BYTES)
            flush(writing);
    }
}

static void section_begin(struct writing *writing, enum file_section section)
{
    writing->checksum = checksum_begin();
    writing->head.places[section].offset = writing->at;
}

// The padding belongs to the section, so that it is checked with it.
static void section_end(struct writing *writing, enum file_section section)
{
    static const uint8_t zeros[4096];
    struct file_place *place = &writing->head.places[section];
    uint64_t end = writing->at + writing->buffered;
    place->bytes = end - place->offset;
    uint64_t padding = (FILE_ALIGNMENT - end % FILE_ALIGNMENT) % FILE_ALIGNMENT;
    for (; padding; padding -= padding < sizeof zeros ? padding : sizeof zeros)
        put(writing, zeros, padding < sizeof zeros ? padding : sizeof zeros);
    flush(writing);
    place->checksum = checksum_end(&writing->checksum);
}

static void put_section(struct writing *writing, enum file_section section, const void *bytes,
                        size_t length)
{
    section_begin(writing, section);
    put(writing, bytes, length);
    section_end(writing, section);
}

static void put_graph(struct writing *writing)
{
    const struct graph *graph = writing->graph;
    size_t nodes = writing->head.node_count, m = graph->settings.m;
    put_section(writing, SECTION_CODES, graph->codes.base, nodes * graph->format.stride);
    put_section(writing, SECTION_LINKS, graph->links.base,
                nodes * m * LINKS_PER_M * sizeof(uint32_t));
    put_section(writing, SECTION_UPPERS, graph->uppers.base,
                (size_t)writing->head.upper_count * m * sizeof(uint32_t));
    put_section(writing, SECTION_UPPER_AT, graph->upper_at.base, nodes * sizeof(uint32_t));
    put_section(writing, SECTION_LEVELS, graph->levels.base, nodes);
}

// --- rows

typedef void put_row(struct writing *writing, const struct row *row);

static void for_each_row(struct writing *writing, put_row *put_one)
{
    const struct row_set *set = writing->set;
    for (uint32_t i = 0; i < set->count; i++) {
        struct row_chunk *chunk = set->chunks[i];
        uint32_t count = chunk ? atomic_load_explicit(&chunk->count, memory_order_acquire) : 0;
        for (uint32_t at = 0; at < count; at++) {
            if (row_is_alive(&chunk->rows[at], writing->sequence))
                put_one(writing, &chunk->rows[at]);
        }
    }
}

static void count_row(struct writing *writing, const struct row *row)
{
    (void)row;
    writing->head.row_count++;
}

static void put_num(struct writing *writing, const struct row *row)
{
    put(writing, &row->num, sizeof row->num);
}

// The node may stand for the row's copy, where it moved meanwhile, or for nothing any more.
static void put_node(struct writing *writing, const struct row *row)
{
    uint32_t node = atomic_load_explicit(&row->node, memory_order_acquire);
    if (node == ROW_PASSED || (node < ROW_PASSED && !graph_row(writing->graph, node)))
        node = ROW_WAITING;
    put(writing, &node, sizeof node);
}

static void put_id(struct writing *writing, const struct row *row)
{
    put(writing, row->id, strlen(row->id) + 1);
}

static void put_id_end(struct writing *writing, const struct row *row)
{
    uint64_t end = writing->head.file_bytes += strlen(row->id) + 1; // counts ids until the end
    put(writing, &end, sizeof end);
}

static void put_vector(struct writing *writing, const struct row *row)
{
    put(writing, row->vector, writing->head.dim * sizeof *row->vector);
}

static void put_rows(struct writing *writing)
{
    static const struct {
        enum file_section section;
        put_row *put_one;
    } sections[] = {{SECTION_NUMS, put_num},
                    {SECTION_NODES, put_node},
                    {SECTION_ID_ENDS, put_id_end},
                    {SECTION_IDS, put_id},
                    {SECTION_VECTORS, put_vector}};
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
        section_begin(writing, sections[i].section);
        for_each_row(writing, sections[i].put_one);
        section_end(writing, sections[i].section);
    }
}

// --- together

static void fill_head(struct writing *writing, const struct file_subject *subject)
{
    struct file_head *head = &writing->head;
    const struct graph *graph = writing->graph;
    memcpy(head->magic, "SOMAIDX", sizeof head->magic);
    head->version = FILE_VERSION;
    head->dim = subject->dim;
    head->metric = (uint32_t)subject->metric;
    head->quantization = (uint32_t)graph->settings.quantization;
    head->m = graph->settings.m;
    head->ef_construction = graph->settings.ef_construction;
    memcpy(head->uid, subject->uid, sizeof subject->uid);
    head->partition = subject->partition;
    head->sequence = writing->sequence;
    head->node_count = atomic_load(&graph->count);
    head->upper_count = graph->upper_count;
    head->entry = atomic_load(&graph->entry);
    for_each_row(writing, count_row);
}

static void write_file(struct writing *writing, const struct file_subject *subject)
{
    static const uint8_t empty[FILE_ALIGNMENT];
    fill_head(writing, subject);
    put(writing, empty, sizeof empty);
    flush(writing);
    put_graph(writing);
    put_rows(writing);
    writing->head.file_bytes = writing->at;
    writing->head.checksum = file_checksum(&writing->head, offsetof(struct file_head, checksum));
    if (!writing->errnum && lseek(writing->fd, 0, SEEK_SET) < 0)
        writing->errnum = errno;
    write_all(writing, (const uint8_t *)&writing->head, sizeof writing->head);
    if (!writing->errnum && fsync(writing->fd) != 0)
        writing->errnum = errno;
}

static int sync_directory(const char *path)
{
    char directory[PATH_MAX];
    snprintf(directory, sizeof directory, "%s", path);
    char *slash = strrchr(directory, '/');
    if (slash)
        *slash = 0;
    int fd = open(slash ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int errnum = fd < 0 || fsync(fd) != 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return errnum;
}

enum soma_code index_file_write(const char *path, const struct file_subject *subject,
                                int64_t sequence, const struct row_set *set, struct graph *graph,
                                struct soma_error *err)
{
    char beside[PATH_MAX];
    struct writing writing = {.sequence = sequence, .set = set, .graph = graph};
    snprintf(beside, sizeof beside, "%s.new", path);
    uint8_t *buffer = malloc(BUFFER_BYTES);
    if (!buffer)
        return error_set_no_memory(err);
    writing.buffer = buffer;
    writing.fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (writing.fd < 0)
        writing.errnum = errno;
    else
        write_file(&writing, subject);
    if (writing.fd >= 0 && close(writing.fd) != 0 && !writing.errnum)
        writing.errnum = errno;
    free(buffer);
    crash_point(CRASH_INDEX_WRITTEN);
    if (!writing.errnum && rename(beside, path) != 0)
        writing.errnum = errno;
    crash_point(CRASH_INDEX_PLACED);
    if (!writing.errnum)
        writing.errnum = sync_directory(path);
    if (!writing.errnum)
        return SOMA_OK;
    unlink(beside);
    return error_set(err, writing.errnum == ENOSPC ? REASON_DISK_FULL : REASON_INTERNAL, NULL,
                     "%s: %s", path, strerror(writing.errnum));
}
