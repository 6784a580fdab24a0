// Inner products and squared distances between queries and rows of float32.
//
// One table of kernels for each instruction set; the best that the CPU has is chosen once. A pair's
// result depends on its two vectors and the table alone, never on the batch it was computed in: so
// equal rows get equal distances, bit for bit, wherever they lie. Sums are float32 and may overflow
// to infinity or NaN for components beyond 1e17; the exact functions at the end do not.
#ifndef VECTORS_KERNELS_H
#define VECTORS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// queries is float[query_count][dim], rows float[row_count][dim], both row-major, of any alignment;
// ret is float[query_count][row_count]. Each row is read from memory once for all queries when the
// rows fit in the second-level cache.
typedef void kernel_fn(const float *queries, size_t query_count, const float *rows,
                       size_t row_count, size_t dim, float *ret);

// The same for one query and rows that lie apart, bit by bit: ret is float[row_count].
typedef void kernel_rows_fn(const float *query, const float *const *rows, size_t row_count,
                            size_t dim, float *ret);

enum {
    // Codes are padded with zeros to a multiple of it, so that kernels of codes know no tails.
    CODE_BLOCK = 32,
    CODE_STEPS_MAX = 8191
};

// What stands behind the components of an int8 or int4 code: x ≈ scale × c + offset.
struct code_tail {
    float scale;
    float offset;
    float norm; // Σ x² of what the code says
};

// A query as kernels of codes want it; who made it says where it lies. Components from the
// dimension on are 0.
struct code_query {
    size_t padded;        // components, a multiple of CODE_BLOCK
    const float *numbers; // float[padded]
    const int16_t *steps; // int16_t[padded], at most CODE_STEPS_MAX: q ≈ step × steps
    float step;
    float sum;   // Σ q
    float norm;  // Σ q²
    bool is_dot; // distances are -q·x; otherwise Σ (q - x)²
};

// The distance from the query to a code. Two others, which will be wanted soon, are asked for from
// memory line by line meanwhile: of many lines that are asked for in one go, a processor drops
// those beyond the few that it can wait for. Where there are none, they are the code itself. The
// sums over int8 and int4 codes are of whole numbers, and exact.
typedef float kernel_code_fn(const struct code_query *query, const uint8_t *code,
                             const uint8_t *soon, const uint8_t *later);

struct kernels {
    const char *name;            // "avx512", for GetServerInfo
    bool (*is_usable)(void);     // on this CPU
    kernel_fn *dot;              // Σ q·x
    kernel_fn *squared_distance; // Σ (q - x)²
    kernel_rows_fn *dot_rows;
    kernel_rows_fn *squared_distance_rows;
    kernel_code_fn *float32; // float[padded]
    kernel_code_fn *bf16;    // uint16_t[padded], the upper half of a float each
    kernel_code_fn *int8;    // int8_t[padded], tail
    kernel_code_fn *int4;    // blocks of 16 bytes, tail: low halves are components 0 to 15 of 32
};

// The kernels compiled in, best first; the last is portable and always usable. Ends with NULL.
extern const struct kernels *const kernel_table[];

// The first usable of the table. From any thread.
const struct kernels *kernels_best(void);

// In double precision; finite for all finite vectors of up to 4 096 numbers.
double kernel_exact_dot(const float *a, const float *b, size_t dim);
double kernel_exact_squared_distance(const float *a, const float *b, size_t dim);

// Writes vector / |vector| and returns true; false, with nothing written, for a vector of zeros.
// ret may be vector.
bool kernel_normalise(const float *vector, size_t dim, float *ret);

bool kernel_all_finite(const float *vector, size_t dim);

#endif
