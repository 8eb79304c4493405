/* Layer norm: a row of channels is read three times, from the first-level cache after the first. Parts divide the rows;
 * the gradients of gamma and beta are sums down the columns, kept as columns.h says. */
#include "backend/cpu/kernel/layer_norm.h"
#include "backend/cpu/kernel/columns.h"

enum { SUMS = 4 }; /* vectors in flight */

/* sum over the row of x, or of (x - mean)^2; `at` is its first element */
INLINE float row_sum(const void *x, int64_t at, int64_t c, float mean, bool is_square, bool is_bf16)
{
    vf sum[SUMS] = {{0}};
    int64_t i = 0;
    for (; i + SUMS * VEC_LANES <= c; i += SUMS * VEC_LANES)
        for (int s = 0; s < SUMS; s++) {
            vf v = vec_load(x, at + i + s * VEC_LANES, is_bf16) - mean;
            sum[s] += is_square ? v * v : v;
        }
    float rest = 0;
    for (; i < c; i++) {
        float v = scalar_load(x, at + i, is_bf16) - mean;
        rest += is_square ? v * v : v;
    }
    return vec_sum((sum[0] + sum[1]) + (sum[2] + sum[3])) + rest;
}

INLINE void normalise_row(const layer_norm_args *a, int64_t row, bool is_x_bf16, bool is_bf16)
{
    int64_t at = row * a->c, i = 0;
    float count = (float)a->c, mean = row_sum(a->x, at, a->c, 0, false, is_x_bf16) / count;
    float inv_std = 1 / sqrtf(row_sum(a->x, at, a->c, mean, true, is_x_bf16) / count + a->eps);
    for (; i < a->c; i += VEC_LANES) {
        int n = a->c - i < VEC_LANES ? (int)(a->c - i) : VEC_LANES;
        vf xhat = (vec_load_upto(a->x, at + i, n, is_x_bf16) - mean) * inv_std;
        vf y = xhat * vec_load_upto(a->gamma, i, n, false) + vec_load_upto(a->beta, i, n, false);
        vec_store_upto(a->y, at + i, n, y, is_bf16);
    }
    if (a->mean) {
        a->mean[row] = mean;
        a->inv_std[row] = inv_std;
    }
}

void KERNEL(layer_norm)(const void *args)
{
    const layer_norm_args *a = args;
    int parts = parts_for(a->rows * a->c, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->rows, 1, parts, index);
        for (int64_t row = mine.begin; row < mine.end; row++)
            if (a->is_x_bf16)
                normalise_row(a, row, true, true);
            else if (a->is_bf16)
                normalise_row(a, row, false, true);
            else
                normalise_row(a, row, false, false);
    }
}

/* --- backward ----------------------------------------------------------------------------------------------------- */
/* sums [2][c]: dy xhat and dy of this part's rows so far are added to; `row_dx` wants what it adds to them as well. */
INLINE void row_sums(const layer_norm_dx_args *a, float *restrict sums, int64_t row, float *of_g, float *of_gx,
                     bool is_x_bf16, bool is_bf16)
{
    int64_t at = row * a->c, i = 0;
    float mean = a->mean[row], inv_std = a->inv_std[row];
    vf total_g = {0}, total_gx = {0};
    for (; i < a->c; i += VEC_LANES) {
        int n = a->c - i < VEC_LANES ? (int)(a->c - i) : VEC_LANES;
        vf dy = vec_load_upto(a->dy, at + i, n, is_bf16);
        vf xhat = (vec_load_upto(a->x, at + i, n, is_x_bf16) - mean) * inv_std;
        vf g = dy * vec_load_upto(a->gamma, i, n, false); /* 0 past the end */
        total_g += g;
        total_gx += g * xhat;
        vec_store_upto(sums, i, n, vec_load_upto(sums, i, n, false) + dy * xhat, false);
        vec_store_upto(sums + a->c, i, n, vec_load_upto(sums + a->c, i, n, false) + dy, false);
    }
    *of_g = vec_sum(total_g) / (float)a->c;
    *of_gx = vec_sum(total_gx) / (float)a->c;
}

INLINE void row_dx(const layer_norm_dx_args *a, int64_t row, float of_g, float of_gx, bool is_x_bf16, bool is_bf16)
{
    int64_t at = row * a->c;
    float mean = a->mean[row], inv_std = a->inv_std[row];
    for (int64_t i = 0; i < a->c; i += VEC_LANES) {
        int n = a->c - i < VEC_LANES ? (int)(a->c - i) : VEC_LANES;
        vf xhat = (vec_load_upto(a->x, at + i, n, is_x_bf16) - mean) * inv_std;
        vf g = vec_load_upto(a->dy, at + i, n, is_bf16) * vec_load_upto(a->gamma, i, n, false);
        vec_store_upto(a->dx, at + i, n, (g - of_g - xhat * of_gx) * inv_std, is_x_bf16);
    }
}

INLINE void rows_dx(const layer_norm_dx_args *a, double *sums, float *chunk, part mine, bool is_x_bf16, bool is_bf16)
{
    int64_t grain = chunk_rows(a->c);
    memset(sums, 0, (size_t)(2 * a->c) * sizeof *sums);
    memset(chunk, 0, (size_t)(2 * a->c) * sizeof *chunk);
    for (int64_t row = mine.begin; row < mine.end; row++) {
        float of_g, of_gx;
        row_sums(a, chunk, row, &of_g, &of_gx, is_x_bf16, is_bf16);
        if (a->dx)
            row_dx(a, row, of_g, of_gx, is_x_bf16, is_bf16);
        if ((row - mine.begin) % grain == grain - 1)
            columns_flush(sums, chunk, 2 * a->c);
    }
    columns_flush(sums, chunk, 2 * a->c);
}

void KERNEL(layer_norm_dx)(const void *args)
{
    const layer_norm_dx_args *a = args;
    int parts = parts_for(a->rows * a->c, a->threads);
    double *sums = a->scratch;
    float *chunks = (float *)(sums + 2 * a->c * a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->rows, 1, parts, index);
        if (a->is_x_bf16)
            rows_dx(a, sums + index * 2 * a->c, chunks + index * 2 * a->c, mine, true, true);
        else if (a->is_bf16)
            rows_dx(a, sums + index * 2 * a->c, chunks + index * 2 * a->c, mine, false, true);
        else
            rows_dx(a, sums + index * 2 * a->c, chunks + index * 2 * a->c, mine, false, false);
    }
    for (int64_t ch = 0; ch < a->c; ch++) {
        if (a->dgamma)
            a->dgamma[ch] = (float)columns_fold(sums, parts, 2 * a->c, a->c, a->c, ch);
        if (a->dbeta)
            a->dbeta[ch] = (float)columns_fold(sums + a->c, parts, 2 * a->c, a->c, a->c, ch);
    }
}
