/* Rows times packed weights. A tile of PRODUCT_ROWS x PRODUCT_VECTORS sums stays in registers while k runs: each step
 * loads a row of the panel once and meets it with one number of each row, so that the multiply-adds are the limit. What
 * follows the sums is a pass of its own over the tile, which the first-level cache holds. Each sum runs over k in
 * order, whatever tile it is in: results depend on nothing else. */
#include "backend/cpu/kernel/product.h"

enum { HALF_ROWS = PRODUCT_ROWS / 2, FEW_ROWS = PRODUCT_ROWS > 6 ? 3 : 1 };

/* tile [rows, PRODUCT_PANEL] = x w; rows and vectors are constants */
INLINE void sums(float *tile, const float *x, const product_args *a, const int rows, const int vectors)
{
    vf acc[PRODUCT_ROWS][PRODUCT_VECTORS] = {{{0}}};
    for (int64_t t = 0; t < a->k; t++) {
        vf w[PRODUCT_VECTORS];
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            w[v] = vec_load_f32(a->w + t * PRODUCT_PANEL + v * VEC_LANES);
#pragma GCC unroll 14
        for (int r = 0; r < rows; r++) {
            vf one = vec_set(x[r * a->x_pitch + t]);
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++)
                acc[r][v] += w[v] * one;
        }
    }
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            vec_store_f32(tile + r * PRODUCT_PANEL + v * VEC_LANES, acc[r][v]);
}

/* Sums of the most rows that have a tile, at most `most`; gives their number. */
static int sums_of(float *tile, const float *x, const product_args *a, int64_t most)
{
#define SUMS_CASE(ROWS)                                                                                                \
    if (most >= (ROWS)) {                                                                                              \
        if (a->vectors == 2)                                                                                           \
            sums(tile, x, a, ROWS, 2);                                                                                 \
        else                                                                                                           \
            sums(tile, x, a, ROWS, 1);                                                                                 \
        return ROWS;                                                                                                   \
    }
    SUMS_CASE(PRODUCT_ROWS)
    SUMS_CASE(HALF_ROWS)
    SUMS_CASE(FEW_ROWS)
    SUMS_CASE(1)
#undef SUMS_CASE
    return 0;
}

/* Rows [row, row + rows) of y from the tile. */
INLINE void finish(const float *tile, const product_args *a, int64_t row, int rows, const activation_kind act)
{
    int64_t line = row / a->line, left = (line + 1) * a->line - row, at = row * a->y_pitch + line * a->gap;
    for (int r = 0; r < rows; r++) {
        for (int v = 0; v < a->vectors; v++) {
            int64_t from = at + v * VEC_LANES;
            int lanes = v == a->vectors - 1 ? a->lanes : VEC_LANES;
            vf y = vec_load_f32(tile + r * PRODUCT_PANEL + v * VEC_LANES) + vec_load_f32(a->bias + v * VEC_LANES);
            if (a->residual)
                y += vec_load_upto(a->residual, from, lanes, false);
            vec_store_upto(a->y, from, lanes, product_activation(y, act), false);
        }
        at += a->y_pitch;
        if (--left == 0) {
            left = a->line;
            at += a->gap;
        }
    }
}

void KERNEL(product)(const product_args *a)
{
    float tile[PRODUCT_ROWS * PRODUCT_PANEL] __attribute__((aligned(64)));
    for (int64_t row = 0; row < a->rows;) {
        int rows = sums_of(tile, a->x + row * a->x_pitch, a, a->rows - row);
        switch (a->act) {
        case ACT_RELU:
            finish(tile, a, row, rows, ACT_RELU);
            break;
        case ACT_RELU6:
            finish(tile, a, row, rows, ACT_RELU6);
            break;
        case ACT_SILU:
            finish(tile, a, row, rows, ACT_SILU);
            break;
        case ACT_SIGMOID:
            finish(tile, a, row, rows, ACT_SIGMOID);
            break;
        default:
            finish(tile, a, row, rows, ACT_NONE);
        }
        row += rows;
    }
}
