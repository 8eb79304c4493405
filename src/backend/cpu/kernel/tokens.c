/* Pixels become tokens behind the class token, with their positions added; and the way back. */
#include "backend/cpu/kernel/tokens.h"
#include "backend/cpu/kernel/vec.h"

/* Row i of y [n t]: a pixel of x, or the class token, plus its position. */
INLINE void token_row(const tokens_args *a, int64_t i, bool is_bf16, bool is_y_bf16)
{
    int64_t sample = i / a->t, token = i % a->t, from = (sample * (a->t - 1) + token - 1) * a->d;
    for (int64_t k = 0; k < a->d; k += VEC_LANES) {
        int n = a->d - k < VEC_LANES ? (int)(a->d - k) : VEC_LANES;
        vf v = token == 0 ? vec_load_upto(a->first, k, n, false) : vec_load_upto(a->x, from + k, n, is_bf16);
        v += vec_load_upto(a->position, token * a->d + k, n, false);
        vec_store_upto(a->y, i * a->d + k, n, v, is_y_bf16);
    }
}

void KERNEL(tokens)(const void *args)
{
    const tokens_args *a = args;
    int parts = parts_for(a->n * a->t * a->d, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->n * a->t, 1, parts, index);
        for (int64_t i = mine.begin; i < mine.end; i++)
            if (a->is_y_bf16)
                token_row(a, i, true, true);
            else if (a->is_bf16)
                token_row(a, i, true, false);
            else
                token_row(a, i, false, false);
    }
}

/* The sum over samples of dy at one token, into position's gradient and, for the class token, into its own. */
INLINE void token_sum(const tokens_dx_args *a, int64_t token, bool is_bf16)
{
    for (int64_t k = 0; k < a->d; k += VEC_LANES) {
        int lanes = a->d - k < VEC_LANES ? (int)(a->d - k) : VEC_LANES;
        vf sum = {0};
        for (int64_t i = 0; i < a->n; i++)
            sum += vec_load_upto(a->dy, (i * a->t + token) * a->d + k, lanes, is_bf16);
        if (a->dposition)
            vec_store_upto(a->dposition, token * a->d + k, lanes, sum, false);
        if (a->dfirst && token == 0)
            vec_store_upto(a->dfirst, k, lanes, sum, false);
    }
}

/* dx [n, t - 1, d] = dy [n, t, d] without the class token's rows */
INLINE void pixels_dx(const tokens_dx_args *a, bool is_bf16, bool is_dy_bf16)
{
    const int64_t pixels = (a->t - 1) * a->d;
    for (int64_t i = 0; i < a->n; i++)
        for (int64_t k = 0; k < pixels; k += VEC_LANES) {
            int n = pixels - k < VEC_LANES ? (int)(pixels - k) : VEC_LANES;
            vec_store_upto(a->dx, i * pixels + k, n,
                           vec_load_upto(a->dy, i * (pixels + a->d) + a->d + k, n, is_dy_bf16), is_bf16);
        }
}

void KERNEL(tokens_dx)(const void *args)
{
    const tokens_dx_args *a = args;
    if (a->dx && a->is_dy_bf16)
        pixels_dx(a, true, true);
    else if (a->dx && a->is_bf16)
        pixels_dx(a, true, false);
    else if (a->dx)
        pixels_dx(a, false, false);
    int64_t summed = a->dposition ? a->t : a->dfirst ? 1 : 0;
    int parts = parts_for(a->n * summed * a->d, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(summed, 1, parts, index);
        for (int64_t token = mine.begin; token < mine.end; token++)
            if (a->is_dy_bf16)
                token_sum(a, token, true);
            else
                token_sum(a, token, false);
    }
}
