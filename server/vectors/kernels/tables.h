// The kernel tables of the instruction sets; which of them are compiled in depends on the target.
#ifndef VECTORS_KERNELS_TABLES_H
#define VECTORS_KERNELS_TABLES_H

#include "vectors/kernels/kernels.h"

extern const struct kernels kernels_portable;
#if defined(__x86_64__)
extern const struct kernels kernels_avx2;
extern const struct kernels kernels_avx512;
extern const struct kernels kernels_avx512_vnni;
#elif defined(__aarch64__)
extern const struct kernels kernels_neon;
#endif

#endif
