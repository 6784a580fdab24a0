#include "vectors/kernels/kernels.h"

#include <math.h>

#include "vectors/kernels/tables.h"

const struct kernels *const kernel_table[] = {
#if defined(__x86_64__)
    &kernels_avx512_vnni, &kernels_avx512,
    &kernels_avx2,
#elif defined(__aarch64__)
    &kernels_neon,
#endif
    &kernels_portable,    NULL,
};

const struct kernels *kernels_best(void)
{
    for (const struct kernels *const *row = kernel_table; *row; row++) {
        if ((*row)->is_usable())
            return *row;
    }
    return &kernels_portable;
}

double kernel_exact_dot(const float *a, const float *b, size_t dim)
{
    double sum = 0;
    for (size_t i = 0; i < dim; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

double kernel_exact_squared_distance(const float *a, const float *b, size_t dim)
{
    double sum = 0;
    for (size_t i = 0; i < dim; i++) {
        double difference = (double)a[i] - (double)b[i];
        sum += difference * difference;
    }
    return sum;
}

bool kernel_normalise(const float *vector, size_t dim, float *ret)
{
    double norm = sqrt(kernel_exact_dot(vector, vector, dim));
    if (norm == 0)
        return false;
    for (size_t i = 0; i < dim; i++)
        ret[i] = (float)((double)vector[i] / norm);
    return true;
}

bool kernel_all_finite(const float *vector, size_t dim)
{
    for (size_t i = 0; i < dim; i++) {
        if (!isfinite(vector[i]))
            return false;
    }
    return true;
}
