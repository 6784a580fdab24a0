// Codes of vectors: fewer bits for each component, for the walk through the graph, which is bound
// by the bytes that it reads. What is near by the codes is compared exactly afterwards.
//
// int8 and int4 are affine for each vector by itself: x ≈ scale × c + offset, with scale and offset
// from the vector's own range (the "locally adaptive" idea of Aguerrebere et al., Similarity Search
// in the Blink of an Eye with Compressed Indices, VLDB 2023, without its global mean). The query is
// not coded as coarsely: it keeps 14 bits for each component.
#ifndef VECTORS_INDEX_CODES_H
#define VECTORS_INDEX_CODES_H

#include "vectors/index/settings.h"
#include "vectors/kernels/kernels.h"

struct code_format {
    enum quantization quantization;
    bool is_dot; // distances are -q·x; otherwise Σ (q - x)²
    uint32_t dim;
    uint32_t padded;      // dim, rounded up to CODE_BLOCK
    size_t stride;        // bytes from code to code, a multiple of 64
    uint32_t asked_ahead; // codes that are asked for from memory before they are wanted
    const struct kernels *kernels;
    kernel_code_fn *kernel; // of these, that of the quantization
};

// Codes that are compared one after the other, and those of them that were asked for from memory.
struct code_run {
    const uint32_t *numbers; // of codes that are or will be wanted: known_count
    size_t known_count;
    size_t asked_count;
    size_t at; // the one that is wanted next
};

// The table's kernel for these codes.
kernel_code_fn *code_kernel(const struct kernels *kernels, enum quantization quantization);

void code_format_init(struct code_format *format, enum quantization quantization, bool is_dot,
                      uint32_t dim);

// What the codes take of a vector of that dimension in bytes.
size_t code_bytes(enum quantization quantization, uint32_t dim);

// Writes the vector's code, stride bytes.
void code_encode(const struct code_format *format, const float *vector, uint8_t *ret_code);

// Room for a query's numbers and steps.
size_t code_query_bytes(const struct code_format *format);
// memory is of code_query_bytes and aligned to 64; the query lives as long as it. False: the vector
// is so long that sums overflow, and codes say nothing about it.
bool code_query_init(const struct code_format *format, const float *vector, void *memory,
                     struct code_query *ret_query);

static inline const uint8_t *code_ask_next(const struct code_format *format, const uint8_t *codes,
                                           struct code_run *run)
{
    size_t limit = run->at + format->asked_ahead, number;
    if (run->asked_count < run->known_count && run->asked_count <= limit)
        number = run->numbers[run->asked_count++];
    else
        number = run->numbers[run->at];
    return codes + number * format->stride;
}

// The distance of the run's next, while up to two others are asked for; there is a next.
static inline float code_run_next(const struct code_format *format, const struct code_query *query,
                                  const uint8_t *codes, struct code_run *run)
{
    if (run->asked_count <= run->at) // asking for it now is too late
        run->asked_count = run->at + 1;
    const uint8_t *code = codes + run->numbers[run->at] * format->stride;
    const uint8_t *soon = code_ask_next(format, codes, run);
    const uint8_t *later = code_ask_next(format, codes, run);
    run->at++;
    return format->kernel(query, code, soon, later);
}

#endif
