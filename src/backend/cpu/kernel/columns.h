/* Sums down the columns of [rows, c], as every statistic and bias gradient needs them.
 *
 * Rows are taken as wide rows (kernel.h). Each part adds its rows into f32 sums, a chunk of rows at a time, and each
 * chunk into doubles: exact enough for any batch, and the adds in double are few. Then parts and repeats fold in
 * order. */
#ifndef BACKEND_CPU_KERNEL_COLUMNS_H
#define BACKEND_CPU_KERNEL_COLUMNS_H

#include "backend/cpu/kernel/kernel.h"
#include "backend/cpu/kernel/vec.h"

/* Wide rows of one chunk: some 64K elements, which stay in the second-level cache for the pass that follows. */
INLINE int64_t chunk_rows(int64_t wide)
{
    int64_t rows = 65536 / wide;
    return rows < 8 ? 8 : rows;
}

/* into[j] += chunk[j]; chunk[j] = 0 */
INLINE void columns_flush(double *restrict into, float *restrict chunk, int64_t count)
{
    for (int64_t j = 0; j < count; j++) {
        into[j] += (double)chunk[j];
        chunk[j] = 0;
    }
}

/* Channel ch of sums [parts][stride], of which the first `wide` are this array: all parts and repeats. */
INLINE double columns_fold(const double *sums, int parts, int64_t stride, int64_t wide, int64_t c, int64_t ch)
{
    double total = 0;
    for (int p = 0; p < parts; p++)
        for (int64_t j = ch; j < wide; j += c)
            total += sums[p * stride + j];
    return total;
}

/* dst [wide] = src [c], repeated */
INLINE void columns_spread(float *restrict dst, const float *restrict src, int64_t c, int64_t wide)
{
    for (int64_t at = 0; at < wide; at += c)
        memcpy(dst + at, src, (size_t)c * sizeof *dst);
}

#endif
