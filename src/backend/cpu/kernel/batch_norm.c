/* batch_norm forward: statistics in one pass, then normalise, add the residual, activate and save ReLU's mask in
 * another.
 *
 * Sums are of x - shift, shift being the mean of a few rows: then the square of the mean does not drown the variance.
 * The first pass runs from the last chunk to the first, because the convolution before wrote the last ones last and the
 * second pass starts at the first: what is still in the cache is used first. */
#include "backend/cpu/kernel/batch_norm.h"
#include "backend/cpu/kernel/columns.h"

enum { SHIFT_SAMPLES = 16 };

/* Wide numbers of one run: [wide] each. */
typedef struct {
    int64_t wide;
    float *mean, *scale, *shift; /* y = (x - mean) scale + shift */
    double *sums;                /* [parts][2 wide]: of d = x - pivot, and of d d */
    float *chunk;                /* [parts][2 wide] */
} norm_plan;

static norm_plan plan_make(void *scratch, int64_t c, int threads)
{
    norm_plan p = {.wide = wide_count(c)};
    p.sums = scratch;
    p.chunk = (float *)(p.sums + 2 * p.wide * threads);
    p.mean = p.chunk + 2 * p.wide * threads;
    p.scale = p.mean + p.wide;
    p.shift = p.scale + p.wide;
    return p;
}

/* sum [wide] += d, square [wide] += d d for `rows` wide rows from element `at`; rows is a constant */
INLINE void sum_rows(const void *x, int64_t at, const int rows, const norm_plan *p, float *restrict sum,
                     float *restrict square, bool is_bf16)
{
    for (int64_t j = 0; j < p->wide; j += VEC_LANES) {
        vf pivot = vec_load_f32(p->mean + j), s = vec_load_f32(sum + j), q = vec_load_f32(square + j);
        for (int r = 0; r < rows; r++) {
            vf d = vec_load(x, at + r * p->wide + j, is_bf16) - pivot;
            s += d;
            q += d * d;
        }
        vec_store_f32(sum + j, s);
        vec_store_f32(square + j, q);
    }
}

INLINE void sum_part(const batch_norm_args *a, const norm_plan *p, int parts, int index, bool is_bf16)
{
    int64_t count = a->rows * a->c, wide = p->wide, grain = chunk_rows(wide) * wide;
    part mine = part_of(count, wide, parts, index);
    double *sums = p->sums + 2 * wide * index;
    float *sum = p->chunk + 2 * wide * index, *square = sum + wide;
    memset(sums, 0, (size_t)(2 * wide) * sizeof *sums);
    memset(sum, 0, (size_t)(2 * wide) * sizeof *sum);
    for (int64_t end = mine.end; end > mine.begin;) {
        int64_t begin = (end - mine.begin - 1) / grain * grain + mine.begin, at = begin;
        for (; at + 4 * wide <= end; at += 4 * wide)
            sum_rows(a->x, at, 4, p, sum, square, is_bf16);
        for (; at + wide <= end; at += wide)
            sum_rows(a->x, at, 1, p, sum, square, is_bf16);
        for (int64_t j = 0; at + j < end; j++) {
            float d = scalar_load(a->x, at + j, is_bf16) - p->mean[j];
            sum[j] += d;
            square[j] += d * d;
        }
        columns_flush(sums, sum, 2 * wide);
        end = begin;
    }
}

/* Pivot: the mean of a few rows, spread over the batch. */
INLINE void pivot_find(const batch_norm_args *a, const norm_plan *p, bool is_bf16)
{
    int64_t samples = a->rows < SHIFT_SAMPLES ? a->rows : SHIFT_SAMPLES, step = a->rows / samples;
    for (int64_t ch = 0; ch < a->c; ch++)
        p->shift[ch] = 0;
    for (int64_t s = 0; s < samples; s++)
        for (int64_t ch = 0; ch < a->c; ch++)
            p->shift[ch] += scalar_load(a->x, s * step * a->c + ch, is_bf16);
    for (int64_t ch = 0; ch < a->c; ch++)
        p->shift[ch] /= (float)samples;
    columns_spread(p->mean, p->shift, a->c, p->wide);
}

static void statistics_of_batch(const batch_norm_args *a, const norm_plan *p, int parts)
{
    if (a->is_bf16)
        pivot_find(a, p, true);
    else
        pivot_find(a, p, false);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        if (a->is_bf16)
            sum_part(a, p, parts, index, true);
        else
            sum_part(a, p, parts, index, false);
    }
    double n = (double)a->rows, unbiased = n > 1 ? n / (n - 1) : 1;
    for (int64_t ch = 0; ch < a->c; ch++) {
        double d = columns_fold(p->sums, parts, 2 * p->wide, p->wide, a->c, ch) / n;
        double square = columns_fold(p->sums + p->wide, parts, 2 * p->wide, p->wide, a->c, ch) / n;
        double mean = (double)p->mean[ch] + d, variance = square - d * d;
        if (variance < 0)
            variance = 0;
        a->mean[ch] = (float)mean;
        a->inv_std[ch] = (float)(1 / sqrt(variance + (double)a->eps));
        a->running_mean[ch] += a->momentum * ((float)mean - a->running_mean[ch]);
        a->running_var[ch] += a->momentum * ((float)(variance * unbiased) - a->running_var[ch]);
    }
}

INLINE void apply_vec(const batch_norm_args *a, const norm_plan *p, int64_t at, int64_t j, int n, bool is_bf16,
                      activation_kind act, bool has_residual, bool has_mask)
{
    vf x = vec_load_upto(a->x, at, n, is_bf16);
    vf z = (x - vec_load_f32(p->mean + j)) * vec_load_f32(p->scale + j) + vec_load_f32(p->shift + j);
    if (has_residual)
        z += vec_load_upto(a->residual, at, n, is_bf16);
    if (has_mask) {
        uint32_t bits = vec_positive_bits(z) & ((1u << n) - 1);
        if (act == ACT_RELU6)
            bits &= vec_positive_bits(6 - z);
        memcpy(a->mask + at / 8, &bits, (size_t)(n + 7) / 8);
    }
    if (act == ACT_RELU)
        z = vec_relu(z);
    else if (act == ACT_RELU6)
        z = vec_relu6(z);
    else if (act == ACT_SILU)
        z *= vec_sigmoid(z, is_bf16);
    vec_store_upto(a->y, at, n, z, is_bf16);
}

INLINE void apply_part(const batch_norm_args *a, const norm_plan *p, int parts, int index, bool is_bf16,
                       activation_kind act, bool has_residual, bool has_mask)
{
    part mine = part_of(a->rows * a->c, p->wide, parts, index);
    int64_t at = mine.begin;
    for (; at + p->wide <= mine.end; at += p->wide)
        for (int64_t j = 0; j < p->wide; j += VEC_LANES)
            apply_vec(a, p, at + j, j, VEC_LANES, is_bf16, act, has_residual, has_mask);
    int64_t j = 0, rest = mine.end - at;
    for (; j + VEC_LANES <= rest; j += VEC_LANES)
        apply_vec(a, p, at + j, j, VEC_LANES, is_bf16, act, has_residual, has_mask);
    if (j < rest)
        apply_vec(a, p, at + j, j, (int)(rest - j), is_bf16, act, has_residual, has_mask);
}

INLINE void apply_part_of_act(const batch_norm_args *a, const norm_plan *p, int parts, int index, bool is_bf16,
                              activation_kind act, bool has_mask)
{
    if (a->residual)
        apply_part(a, p, parts, index, is_bf16, act, true, has_mask);
    else
        apply_part(a, p, parts, index, is_bf16, act, false, has_mask);
}

INLINE void apply_part_of_type(const batch_norm_args *a, const norm_plan *p, int parts, int index, bool is_bf16)
{
    if (a->act == ACT_SILU)
        apply_part_of_act(a, p, parts, index, is_bf16, ACT_SILU, false);
    else if (a->act == ACT_RELU && a->mask)
        apply_part_of_act(a, p, parts, index, is_bf16, ACT_RELU, true);
    else if (a->act == ACT_RELU)
        apply_part_of_act(a, p, parts, index, is_bf16, ACT_RELU, false);
    else if (a->act == ACT_RELU6 && a->mask)
        apply_part_of_act(a, p, parts, index, is_bf16, ACT_RELU6, true);
    else if (a->act == ACT_RELU6)
        apply_part_of_act(a, p, parts, index, is_bf16, ACT_RELU6, false);
    else
        apply_part_of_act(a, p, parts, index, is_bf16, ACT_NONE, false);
}

void KERNEL(batch_norm)(const void *args)
{
    const batch_norm_args *a = args;
    norm_plan p = plan_make(a->scratch, a->c, a->threads);
    int parts = parts_for(a->rows * a->c, a->threads);
    if (a->is_batch)
        statistics_of_batch(a, &p, parts);
    for (int64_t ch = 0; ch < a->c; ch++) {
        float inv_std = a->is_batch ? a->inv_std[ch] : 1 / sqrtf(a->running_var[ch] + a->eps);
        p.mean[ch] = a->is_batch ? a->mean[ch] : a->running_mean[ch];
        p.scale[ch] = a->gamma[ch] * inv_std;
    }
    columns_spread(p.mean + a->c, p.mean, a->c, p.wide - a->c);
    columns_spread(p.scale + a->c, p.scale, a->c, p.wide - a->c);
    columns_spread(p.shift, a->beta, a->c, p.wide);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        if (a->is_bf16)
            apply_part_of_type(a, &p, parts, index, true);
        else
            apply_part_of_type(a, &p, parts, index, false);
    }
}
