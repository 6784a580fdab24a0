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

// queries is float[query_count][dim], rows float[row_count][dim], both row-major, of any alignment;
// ret is float[query_count][row_count]. Each row is read from memory once for all queries when the
// rows fit in the second-level cache.
typedef void kernel_fn(const float *queries, size_t query_count, const float *rows,
                       size_t row_count, size_t dim, float *ret);

struct kernels {
    const char *name;            // "avx512", for GetServerInfo
    bool (*is_usable)(void);     // on this CPU
    kernel_fn *dot;              // Σ q·x
    kernel_fn *squared_distance; // Σ (q - x)²
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
