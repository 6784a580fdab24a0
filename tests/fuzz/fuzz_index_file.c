// An index's file that is damaged: it is opened or thrown away, whatever is in it. The input makes
// a file whose places and checksums are right (byte 0, bit 0: and then one byte of it is changed),
// so that what they guard is reached.
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "vectors/index/hnsw_file.h"
#include "vectors/rows.h"

enum {
    DIM = 4,
    NUMBERS = 5, // of the head, two bytes each
    INPUT_MIN = 1 + 2 * NUMBERS + 2 * SECTION_COUNT + 2,
    SECTION_MAX = 4096,
    FILE_MAX = (SECTION_COUNT + 1) * FILE_ALIGNMENT
};

static const struct file_subject subject = {
    .uid = "fuzz",
    .partition = 1,
    .metric = METRIC_L2,
    .dim = DIM,
    .settings = {.quantization = QUANTIZATION_INT8, .m = 4, .ef_construction = 10},
};

static uint32_t take(const uint8_t **bytes)
{
    uint32_t value = (uint32_t)(*bytes)[0] << 8 | (*bytes)[1];
    *bytes += 2;
    return value;
}

static void fill_head(struct file_head *head, const uint8_t **bytes)
{
    *head = (struct file_head){.magic = "SOMAIDX",
                               .version = FILE_VERSION,
                               .dim = DIM,
                               .metric = subject.metric,
                               .quantization = subject.settings.quantization,
                               .m = subject.settings.m,
                               .ef_construction = subject.settings.ef_construction,
                               .partition = subject.partition};
    snprintf(head->uid, sizeof head->uid, "%s", subject.uid);
    head->sequence = take(bytes);
    head->node_count = take(bytes);
    head->upper_count = take(bytes);
    head->entry = take(bytes);
    head->row_count = take(bytes);
}

// The sections' bytes follow each other in the input; what is missing is zeros.
static size_t fill_file(uint8_t *file, const uint8_t *bytes, size_t length)
{
    struct file_head head;
    const uint8_t *end = bytes + length, *at = bytes + 1;
    uint32_t sizes[SECTION_COUNT];
    size_t offset = FILE_ALIGNMENT;
    fill_head(&head, &at);
    for (int i = 0; i < SECTION_COUNT; i++)
        sizes[i] = take(&at) % SECTION_MAX;
    at += 2;
    for (int i = 0; i < SECTION_COUNT; i++) {
        size_t given = sizes[i] < (size_t)(end - at) ? sizes[i] : (size_t)(end - at);
        size_t padded = sizes[i] ? FILE_ALIGNMENT : 0;
        memcpy(file + offset, at, given);
        at += given;
        head.places[i] =
            (struct file_place){offset, sizes[i], file_checksum(file + offset, padded)};
        offset += padded;
    }
    head.file_bytes = offset;
    head.checksum = file_checksum(&head, offsetof(struct file_head, checksum));
    memcpy(file, &head, sizeof head);
    return offset;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static uint8_t file[FILE_MAX];
    static char path[PATH_MAX];
    const char *why = NULL;
    int64_t sequence;
    if (length < INPUT_MIN)
        return 0;
    snprintf(path, sizeof path, "%s/fuzz.idx", fuzz_directory());
    memset(file, 0, sizeof file);
    size_t size = fill_file(file, bytes, length);
    if (bytes[0] & 1)
        file[((size_t)bytes[INPUT_MIN - 2] << 8 | bytes[INPUT_MIN - 1]) * 7 % size] ^= 1;
    fuzz_write(path, file, size);
    struct rows *rows = index_file_open(path, &subject, &sequence, &why);
    MUST(!(rows && bytes[0] & 1));
    MUST(rows || (why[0] && access(path, F_OK) != 0));
    rows_free(rows);
    return 0;
}
