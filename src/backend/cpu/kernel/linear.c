/* Small products (heads, squeeze-excite): few rows, so packing weights for a library's product would cost more than the
 * product itself. x and y come in f32 or bf16 and are widened once; weights are read as they lie, [o, k] f32. */
#include "backend/cpu/kernel/kernel.h"
#include "backend/cpu/kernel/vec.h"

static void widen(float *dst, const void *src, int64_t count, bool is_bf16)
{
    int64_t i = 0;
    for (; i + VEC_LANES <= count; i += VEC_LANES)
        vec_store_f32(dst + i, is_bf16 ? vec_load(src, i, true) : vec_load(src, i, false));
    for (; i < count; i++)
        dst[i] = scalar_load(src, i, is_bf16);
}

/* How many multiply-adds; parts_for thinks in elements of memory-bound work, which are some 4 of them. */
static int parts_of(const linear_args *a, int64_t most)
{
    int parts = parts_for(a->rows * a->k * a->o / 4, a->threads);
    return parts < most ? parts : (int)most;
}

enum { ROWS = 4, OUTS = 4 };

/* sum[r][j] = <x row r, w row j> for `rows` x `outs`, constants */
INLINE void dots(const float *x, const float *w, int64_t k, const int rows, const int outs, float sum[ROWS][OUTS])
{
    vf acc[ROWS][OUTS] = {{{0}}};
    int64_t i = 0;
    for (; i + VEC_LANES <= k; i += VEC_LANES)
#pragma GCC unroll 4
        for (int j = 0; j < outs; j++) {
            vf wv = vec_load_f32(w + j * k + i);
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++)
                acc[r][j] += wv * vec_load_f32(x + r * k + i);
        }
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < outs; j++) {
            float total = vec_sum(acc[r][j]);
            for (int64_t t = i; t < k; t++)
                total += x[r * k + t] * w[j * k + t];
            sum[r][j] = total;
        }
}

void KERNEL(linear)(const void *args)
{
    const linear_args *a = args;
    float *x = a->scratch;
    widen(x, a->x, a->rows * a->k, a->x_is_bf16);
    int64_t blocks = (a->o + OUTS - 1) / OUTS;
    int parts = parts_of(a, blocks);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(blocks, 1, parts, index);
        for (int64_t b = mine.begin; b < mine.end; b++) {
            int64_t o = b * OUTS;
            int outs = a->o - o < OUTS ? (int)(a->o - o) : OUTS;
            for (int64_t row = 0; row < a->rows; row += ROWS) {
                int rows = a->rows - row < ROWS ? (int)(a->rows - row) : ROWS;
                float sum[ROWS][OUTS];
                if (rows == ROWS && outs == OUTS) {
                    dots(x + row * a->k, a->w + o * a->k, a->k, ROWS, OUTS, sum);
                } else {
                    for (int r = 0; r < rows; r++)
                        for (int j = 0; j < outs; j++) {
                            float one[ROWS][OUTS];
                            dots(x + (row + r) * a->k, a->w + (o + j) * a->k, a->k, 1, 1, one);
                            sum[r][j] = one[0][0];
                        }
                }
                for (int r = 0; r < rows; r++)
                    for (int j = 0; j < outs; j++)
                        scalar_store(a->y, (row + r) * a->o + o + j, sum[r][j] + (a->bias ? a->bias[o + j] : 0),
                                     a->y_is_bf16);
            }
        }
    }
}

/* dst [count] of element type = sum over `terms` of factor[t * factor_step] * rows[t * row_step ..], a few vectors at a
 * time */
INLINE void combine(void *dst, int64_t at, int64_t count, const float *factor, int64_t factor_step, const float *rows,
                    int64_t row_step, int64_t terms, bool is_bf16)
{
    int64_t i = 0;
    for (; i + 4 * VEC_LANES <= count; i += 4 * VEC_LANES) {
        vf s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
        for (int64_t t = 0; t < terms; t++) {
            const float *row = rows + t * row_step + i;
            vf f = vec_set(factor[t * factor_step]);
            s0 += f * vec_load_f32(row);
            s1 += f * vec_load_f32(row + VEC_LANES);
            s2 += f * vec_load_f32(row + 2 * VEC_LANES);
            s3 += f * vec_load_f32(row + 3 * VEC_LANES);
        }
        vec_store(dst, at + i, s0, is_bf16);
        vec_store(dst, at + i + VEC_LANES, s1, is_bf16);
        vec_store(dst, at + i + 2 * VEC_LANES, s2, is_bf16);
        vec_store(dst, at + i + 3 * VEC_LANES, s3, is_bf16);
    }
    for (; i < count; i += VEC_LANES) {
        int n = count - i < VEC_LANES ? (int)(count - i) : VEC_LANES;
        vf s = {0};
        for (int64_t t = 0; t < terms; t++)
            s += vec_set(factor[t * factor_step]) * vec_load_upto(rows + t * row_step, i, n, false);
        vec_store_upto(dst, at + i, n, s, is_bf16);
    }
}

/* dx [rows, k] = dy [rows, o] w [o, k] */
void KERNEL(linear_dx)(const void *args)
{
    const linear_args *a = args;
    float *dy = a->scratch;
    widen(dy, a->y, a->rows * a->o, a->y_is_bf16);
    int parts = parts_of(a, a->rows);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->rows, 1, parts, index);
        for (int64_t r = mine.begin; r < mine.end; r++) {
            if (a->x_is_bf16)
                combine(a->x, r * a->k, a->k, dy + r * a->o, 1, a->w, a->k, a->o, true);
            else
                combine(a->x, r * a->k, a->k, dy + r * a->o, 1, a->w, a->k, a->o, false);
        }
    }
}

/* dw [o, k] = dy^T x; dbias [o] = sum over rows of dy */
void KERNEL(linear_dw)(const void *args)
{
    const linear_args *a = args;
    float *x = a->scratch, *dy = a->scratch + a->rows * a->k;
    widen(x, a->x, a->rows * a->k, a->x_is_bf16);
    widen(dy, a->y, a->rows * a->o, a->y_is_bf16);
    int parts = parts_of(a, a->o);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->o, 1, parts, index);
        for (int64_t o = mine.begin; o < mine.end; o++) {
            if (a->dw)
                combine(a->dw, o * a->k, a->k, dy + o, a->o, x, a->k, a->rows, false);
            if (a->dbias) {
                double sum = 0;
                for (int64_t r = 0; r < a->rows; r++)
                    sum += (double)dy[r * a->o + o];
                a->dbias[o] = (float)sum;
            }
        }
    }
}
