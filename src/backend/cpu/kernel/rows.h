/* Rows between their own type and the f32 that products are computed in. */
#ifndef BACKEND_CPU_KERNEL_ROWS_H
#define BACKEND_CPU_KERNEL_ROWS_H

#include "backend/cpu/kernel/vec.h"

/* dst = src from element `at` on */
static inline void rows_widen(float *dst, const void *src, int64_t at, int64_t count, bool is_bf16)
{
    int64_t i = 0;
    for (; i + VEC_LANES <= count; i += VEC_LANES)
        vec_store_f32(dst + i, is_bf16 ? vec_load(src, at + i, true) : vec_load(src, at + i, false));
    for (; i < count; i++)
        dst[i] = scalar_load(src, at + i, is_bf16);
}

/* dst from element `at` on = src */
static inline void rows_narrow(void *dst, int64_t at, const float *src, int64_t count, bool is_bf16)
{
    int64_t i = 0;
    for (; i + VEC_LANES <= count; i += VEC_LANES)
        if (is_bf16)
            vec_store(dst, at + i, vec_load_f32(src + i), true);
        else
            vec_store(dst, at + i, vec_load_f32(src + i), false);
    for (; i < count; i++)
        scalar_store(dst, at + i, src[i], is_bf16);
}

/* dst [columns, rows] = src [rows, columns] */
static inline void rows_transpose(float *restrict dst, const float *restrict src, int64_t rows, int64_t columns)
{
    for (int64_t c = 0; c < columns; c++)
        for (int64_t r = 0; r < rows; r++)
            dst[c * rows + r] = src[r * columns + c];
}

#endif
