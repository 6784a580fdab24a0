// Kernels for x86-64 with AVX-512F and BW (Skylake-X, 2017); compiled with -mavx512f -mavx512bw.
#include "vectors/kernels/tables.h"

#include "vectors/kernels/avx512.h"

static bool is_usable(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
}

const struct kernels kernels_avx512 = {"avx512", is_usable, KERNELS_ALL};
