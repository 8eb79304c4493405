/* 1x1 convolutions of inference, in f32: products with packed weights (product.c), the input scaled a channel on its
 * way in where it comes from a squeeze-excite. */
#include "backend/cpu/kernel/conv1x1.h"
#include "backend/cpu/kernel/product.h"

/* dst = x s, rows of k */
static void scale_rows(float *dst, const float *x, const float *s, int64_t rows, int64_t k)
{
    for (int64_t r = 0; r < rows; r++) {
        int64_t i = 0;
        for (; i + VEC_LANES <= k; i += VEC_LANES)
            vec_store_f32(dst + r * k + i, vec_load_f32(x + r * k + i) * vec_load_f32(s + i));
        for (; i < k; i++)
            dst[r * k + i] = x[r * k + i] * s[i];
    }
}

/* Rows [row, row + rows) of sample i, outputs of vectors [mine). */
static void compute(const conv1x1_args *a, int64_t i, int64_t row, int64_t rows, part mine, float *scratch)
{
    int64_t base = i * a->hw + row;
    product_args p = {.x = a->x + base * a->k,
                      .rows = rows,
                      .k = a->k,
                      .x_pitch = a->k,
                      .y_pitch = a->o,
                      .line = rows,
                      .act = a->act};
    if (a->s) {
        scale_rows(scratch, p.x, a->s + i * a->k, rows, a->k);
        p.x = scratch;
    }
    for (int64_t v = mine.begin; v < mine.end; v += p.vectors) {
        int64_t out = v * VEC_LANES, left = a->o - out;
        p.vectors = v % PRODUCT_VECTORS == 0 && v + 1 < mine.end ? 2 : 1;
        p.lanes = left >= p.vectors * VEC_LANES ? VEC_LANES : (int)(left - (p.vectors - 1) * VEC_LANES);
        p.w = a->w + v / PRODUCT_VECTORS * PRODUCT_PANEL * a->k + v % PRODUCT_VECTORS * VEC_LANES;
        p.bias = a->bias + out;
        p.residual = a->residual ? a->residual + base * a->o + out : NULL;
        p.y = a->y + base * a->o + out;
        KERNEL(product)(&p);
    }
}

void KERNEL(conv1x1)(const void *args)
{
    const conv1x1_args *a = args;
    bool is_few = a->hw <= CONV1X1_FEW_PIXELS;
    int64_t vectors = (a->o + VEC_LANES - 1) / VEC_LANES, tiles = (a->hw + PRODUCT_ROWS - 1) / PRODUCT_ROWS;
    int64_t most = is_few ? vectors : a->n * tiles;
    int parts = parts_for(a->n * a->hw * a->k * a->o / 64, a->threads); /* many multiply-adds an element of work */
    parts = parts > most ? (int)most : parts;
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        float *scratch = a->s ? a->scratch + index * CONV1X1_FEW_PIXELS * a->k : NULL;
        part mine = part_of(most, 1, parts, index);
        if (is_few) {
            for (int64_t i = 0; i < a->n; i++)
                compute(a, i, 0, a->hw, mine, scratch);
            continue;
        }
        for (int64_t t = mine.begin; t < mine.end; t++) {
            int64_t row = t % tiles * PRODUCT_ROWS, left = a->hw - row;
            compute(a, t / tiles, row, left < PRODUCT_ROWS ? left : PRODUCT_ROWS, (part){0, vectors}, scratch);
        }
    }
}
