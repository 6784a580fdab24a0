// Kernels for x86-64 with AVX-512 VNNI (Ice Lake, 2019, and Zen 4); compiled with -mavx512vnni too.
#include "vectors/kernels/tables.h"

#include "vectors/kernels/avx512.h"

static bool is_usable(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vnni");
}

const struct kernels kernels_avx512_vnni = {"avx512-vnni", is_usable, KERNELS_ALL};
