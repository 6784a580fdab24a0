// Kernels in the compilers' own vector type, which every target has or imitates.
#include "vectors/kernels_tables.h"

#include <string.h>

typedef float VF __attribute__((vector_size(16)));

enum {
    VF_LANES = 4,
    TILE_QUERIES = 2,
    TILE_ROWS = 4
};

static inline VF vf_zero(void)
{
    return (VF){0};
}

static inline VF vf_load(const float *from)
{
    VF v;
    memcpy(&v, from, sizeof v);
    return v;
}

static inline VF vf_load_tail(const float *from, size_t count)
{
    VF v = {0};
    memcpy(&v, from, count * sizeof *from);
    return v;
}

static inline VF vf_sub(VF a, VF b)
{
    return a - b;
}

static inline VF vf_fma(VF a, VF b, VF c)
{
    return a * b + c;
}

static inline float vf_sum(VF v)
{
    return (v[0] + v[1]) + (v[2] + v[3]);
}

#include "vectors/kernel_tile.h"

static bool always(void)
{
    return true;
}

const struct kernels kernels_portable = {"portable", always, tile_dot, tile_squared_distance};
