/* Many small linear layers side by side, one a group of features: matrices of 16 x 16, which no library's product is
 * made for. Rows are widened to f32 a block at a time; vectors run along a group's results, forward over a transposed
 * weight, backward over it as it lies. Sums over rows are of blocks first. */
#include "backend/cpu/kernel/group_linear.h"
#include "backend/cpu/kernel/rows.h"

enum { BLOCK = GROUP_LINEAR_ROWS, TOGETHER = 4 };

/* Numbers of rows of two matrices, [count, groups, terms] and [count, groups, columns]. */
typedef struct {
    int64_t groups, terms, columns;
} sizes;

/* dst[row, g, i ..] of `rows` rows from this one on, a constant: (bias +) sum over t of src[row, g, t] m[g, t, i ..] */
INLINE void combine_rows(float *dst, const float *src, const float *m, const float *bias, sizes s, int64_t g, int64_t i,
                         int n, const int rows)
{
    vf acc[TOGETHER];
    for (int r = 0; r < rows; r++)
        acc[r] = bias ? vec_load_upto(bias, g * s.columns + i, n, false) : vec_set(0);
    for (int64_t t = 0; t < s.terms; t++) {
        vf v = vec_load_upto(m, (g * s.terms + t) * s.columns + i, n, false);
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++)
            acc[r] += v * src[(r * s.groups + g) * s.terms + t];
    }
    for (int r = 0; r < rows; r++)
        vec_store_upto(dst, (r * s.groups + g) * s.columns + i, n, acc[r], false);
}

/* dst [count, groups, columns] = src [count, groups, terms] by m [groups, terms, columns] (+ bias) */
static void combine(float *dst, const float *src, const float *m, const float *bias, sizes s, int64_t count)
{
    for (int64_t g = 0; g < s.groups; g++)
        for (int64_t i = 0; i < s.columns; i += VEC_LANES) {
            const int n = s.columns - i < VEC_LANES ? (int)(s.columns - i) : VEC_LANES;
            int64_t r = 0;
            for (; r + TOGETHER <= count; r += TOGETHER)
                combine_rows(dst + r * s.groups * s.columns, src + r * s.groups * s.terms, m, bias, s, g, i, n,
                             TOGETHER);
            for (; r < count; r++)
                combine_rows(dst + r * s.groups * s.columns, src + r * s.groups * s.terms, m, bias, s, g, i, n, 1);
        }
}

static int parts_of(const group_linear_args *a)
{
    return parts_for(a->rows * a->groups * a->k * a->o / 8, a->threads); /* eight multiply-adds an element of work */
}

/* A part's rows of x in scratch, and of y behind them. */
static float *block_of(const group_linear_args *a, int index)
{
    return a->scratch + a->groups * a->k * a->o + index * BLOCK * a->groups * (a->k + a->o);
}

void KERNEL(group_linear)(const void *args)
{
    const group_linear_args *a = args;
    const int64_t wide = a->groups * a->k, out = a->groups * a->o;
    const int parts = parts_of(a);
    for (int64_t g = 0; g < a->groups; g++)
        rows_transpose(a->scratch + g * a->k * a->o, a->w + g * a->k * a->o, a->o, a->k);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->rows, TOGETHER, parts, index);
        float *x = block_of(a, index), *y = x + BLOCK * wide;
        for (int64_t at = mine.begin; at < mine.end; at += BLOCK) {
            const int64_t count = mine.end - at < BLOCK ? mine.end - at : BLOCK;
            rows_widen(x, a->x, at * wide, count * wide, a->x_is_bf16);
            combine(y, x, a->scratch, a->bias, (sizes){a->groups, a->k, a->o}, count);
            rows_narrow(a->y, at * out, y, count * out, a->y_is_bf16);
        }
    }
}

void KERNEL(group_linear_dx)(const void *args)
{
    const group_linear_args *a = args;
    const int64_t wide = a->groups * a->k, out = a->groups * a->o;
    const int parts = parts_of(a);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->rows, TOGETHER, parts, index);
        float *dx = block_of(a, index), *dy = dx + BLOCK * wide;
        for (int64_t at = mine.begin; at < mine.end; at += BLOCK) {
            const int64_t count = mine.end - at < BLOCK ? mine.end - at : BLOCK;
            rows_widen(dy, a->y, at * out, count * out, a->y_is_bf16);
            combine(dx, dy, a->w, NULL, (sizes){a->groups, a->o, a->k}, count);
            rows_narrow(a->x, at * wide, dx, count * wide, a->x_is_bf16);
        }
    }
}

/* dw[j .. j + outs, :] += dy^T x over a block: x [count, k], dy [count, o]; outs is a constant */
INLINE void add_products(float *dw, const float *x, const float *dy, int64_t k, int64_t o, int64_t j, int64_t count,
                         const int outs)
{
    for (int64_t i = 0; i < k; i += VEC_LANES) {
        const int n = k - i < VEC_LANES ? (int)(k - i) : VEC_LANES;
        vf acc[TOGETHER] = {{0}};
        for (int64_t r = 0; r < count; r++) {
            vf v = vec_load_upto(x, r * k + i, n, false);
#pragma GCC unroll 4
            for (int q = 0; q < outs; q++)
                acc[q] += v * dy[r * o + j + q];
        }
        for (int q = 0; q < outs; q++) {
            vf before = vec_load_upto(dw, (j + q) * k + i, n, false);
            vec_store_upto(dw, (j + q) * k + i, n, before + acc[q], false);
        }
    }
}

/* One group's gradients; x and dy are room for a block of its rows. */
static void group_gradients(const group_linear_args *a, int64_t g, float *x, float *dy)
{
    float *dw = a->dw ? a->dw + g * a->o * a->k : NULL, *dbias = a->dbias ? a->dbias + g * a->o : NULL;
    if (dw)
        memset(dw, 0, (size_t)(a->o * a->k) * sizeof *dw);
    if (dbias)
        memset(dbias, 0, (size_t)a->o * sizeof *dbias);
    for (int64_t at = 0; at < a->rows; at += BLOCK) {
        const int64_t count = a->rows - at < BLOCK ? a->rows - at : BLOCK;
        for (int64_t r = 0; r < count; r++) {
            rows_widen(x + r * a->k, a->x, ((at + r) * a->groups + g) * a->k, a->k, a->x_is_bf16);
            rows_widen(dy + r * a->o, a->y, ((at + r) * a->groups + g) * a->o, a->o, a->y_is_bf16);
        }
        int64_t j = 0;
        for (; dw && j + TOGETHER <= a->o; j += TOGETHER)
            add_products(dw, x, dy, a->k, a->o, j, count, TOGETHER);
        for (; dw && j < a->o; j++)
            add_products(dw, x, dy, a->k, a->o, j, count, 1);
        for (j = 0; dbias && j < a->o; j++) {
            float sum = 0;
            for (int64_t r = 0; r < count; r++)
                sum += dy[r * a->o + j];
            dbias[j] += sum;
        }
    }
}

void KERNEL(group_linear_dw)(const void *args)
{
    const group_linear_args *a = args;
    const int parts = parts_of(a);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->groups, 1, parts, index);
        float *x = block_of(a, index), *dy = x + BLOCK * a->k;
        for (int64_t g = mine.begin; g < mine.end; g++)
            group_gradients(a, g, x, dy);
    }
}
