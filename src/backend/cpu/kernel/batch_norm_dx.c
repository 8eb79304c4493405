/* batch_norm backward. With z = gamma xhat + beta + residual, xhat = (x - mean) inv_std and dz = dy act'(z):
 *
 *   dbeta = sum dz      dgamma = sum dz xhat      dresidual = dz
 *   batch statistics:   dx = gamma inv_std (dz - dbeta / n - xhat dgamma / n)
 *   running ones:       dx = gamma inv_std dz
 *
 * Two passes over dy and x: the sums, then dx. ReLU's derivative, and ReLU6's, is its saved mask; SiLU's is computed
 * again from z in both passes, which costs less than a tensor written and read. */
#include "backend/cpu/kernel/batch_norm.h"
#include "backend/cpu/kernel/columns.h"

typedef struct {
    int64_t wide;
    float *mean, *scale, *shift; /* z = (x - mean) scale + shift */
    float *offset, *slope;       /* dx = scale dz - offset - slope (x - mean) */
    double *sums;                /* [parts][2 wide]: of dz, and of dz (x - mean) */
    float *chunk;                /* [parts][2 wide] */
} grad_plan;

static grad_plan plan_make(void *scratch, int64_t c, int threads)
{
    grad_plan p = {.wide = wide_count(c)};
    p.sums = scratch;
    p.chunk = (float *)(p.sums + 2 * p.wide * threads);
    p.mean = p.chunk + 2 * p.wide * threads;
    p.scale = p.mean + p.wide;
    p.shift = p.scale + p.wide;
    p.offset = p.shift + p.wide;
    p.slope = p.offset + p.wide;
    return p;
}

/* dz at element `at`, wide position j; *d = x - mean */
INLINE vf dz_vec(const batch_norm_dx_args *a, const grad_plan *p, int64_t at, int64_t j, int n, vf *d, bool is_bf16,
                 activation_kind act, bool has_residual)
{
    vf dy = vec_load_upto(a->dy, at, n, is_bf16);
    *d = vec_load_upto(a->x, at, n, is_bf16) - vec_load_f32(p->mean + j);
    if (activation_is_clipped(act)) {
        uint32_t bits = 0;
        memcpy(&bits, a->mask + at / 8, n == VEC_LANES ? VEC_LANES / 8 : (size_t)(n + 7) / 8);
        return vec_keep_bits(dy, bits);
    }
    if (act == ACT_SILU) {
        vf z = *d * vec_load_f32(p->scale + j) + vec_load_f32(p->shift + j);
        if (has_residual)
            z += vec_load_upto(a->residual, at, n, is_bf16);
        vf s = vec_sigmoid(z, is_bf16);
        return dy * (s * (1.0f + z * (1.0f - s)));
    }
    return dy;
}

INLINE void sum_rows(const batch_norm_dx_args *a, const grad_plan *p, int64_t at, const int rows, float *restrict sum,
                     float *restrict product, bool is_bf16, activation_kind act, bool has_residual)
{
    for (int64_t j = 0; j < p->wide; j += VEC_LANES) {
        vf s = vec_load_f32(sum + j), q = vec_load_f32(product + j), d;
        for (int r = 0; r < rows; r++) {
            vf dz = dz_vec(a, p, at + r * p->wide + j, j, VEC_LANES, &d, is_bf16, act, has_residual);
            s += dz;
            q += dz * d;
        }
        vec_store_f32(sum + j, s);
        vec_store_f32(product + j, q);
    }
}

INLINE void sum_part(const batch_norm_dx_args *a, const grad_plan *p, int parts, int index, bool is_bf16,
                     activation_kind act, bool has_residual)
{
    int64_t wide = p->wide, grain = chunk_rows(wide) * wide;
    part mine = part_of(a->rows * a->c, wide, parts, index);
    double *sums = p->sums + 2 * wide * index;
    float *sum = p->chunk + 2 * wide * index, *product = sum + wide;
    memset(sums, 0, (size_t)(2 * wide) * sizeof *sums);
    memset(sum, 0, (size_t)(2 * wide) * sizeof *sum);
    for (int64_t end = mine.end; end > mine.begin;) {
        int64_t begin = (end - mine.begin - 1) / grain * grain + mine.begin, at = begin;
        for (; at + 4 * wide <= end; at += 4 * wide)
            sum_rows(a, p, at, 4, sum, product, is_bf16, act, has_residual);
        for (; at + wide <= end; at += wide)
            sum_rows(a, p, at, 1, sum, product, is_bf16, act, has_residual);
        for (int64_t j = 0; at + j < end; j += VEC_LANES) {
            int n = end - at - j < VEC_LANES ? (int)(end - at - j) : VEC_LANES;
            vf d, dz = dz_vec(a, p, at + j, j, n, &d, is_bf16, act, has_residual);
            for (int l = 0; l < n; l++) {
                sum[j + l] += dz[l];
                product[j + l] += dz[l] * d[l];
            }
        }
        columns_flush(sums, sum, 2 * wide);
        end = begin;
    }
}

INLINE void apply_vec(const batch_norm_dx_args *a, const grad_plan *p, int64_t at, int64_t j, int n, bool is_bf16,
                      activation_kind act, bool has_residual)
{
    vf d, dz = dz_vec(a, p, at, j, n, &d, is_bf16, act, has_residual);
    if (act != ACT_NONE && a->dresidual)
        vec_store_upto(a->dresidual, at, n, dz, is_bf16);
    if (!a->dx)
        return;
    vf dx = dz * vec_load_f32(p->scale + j) - vec_load_f32(p->offset + j) - d * vec_load_f32(p->slope + j);
    vec_store_upto(a->dx, at, n, dx, is_bf16);
}

INLINE void apply_part(const batch_norm_dx_args *a, const grad_plan *p, int parts, int index, bool is_bf16,
                       activation_kind act, bool has_residual)
{
    part mine = part_of(a->rows * a->c, p->wide, parts, index);
    int64_t at = mine.begin;
    for (; at + p->wide <= mine.end; at += p->wide)
        for (int64_t j = 0; j < p->wide; j += VEC_LANES)
            apply_vec(a, p, at + j, j, VEC_LANES, is_bf16, act, has_residual);
    int64_t j = 0, rest = mine.end - at;
    for (; j + VEC_LANES <= rest; j += VEC_LANES)
        apply_vec(a, p, at + j, j, VEC_LANES, is_bf16, act, has_residual);
    if (j < rest)
        apply_vec(a, p, at + j, j, (int)(rest - j), is_bf16, act, has_residual);
}

INLINE void pass_of_type(const batch_norm_dx_args *a, const grad_plan *p, int parts, int index, bool is_sum,
                         bool is_bf16, activation_kind act, bool has_residual)
{
    if (is_sum)
        sum_part(a, p, parts, index, is_bf16, act, has_residual);
    else
        apply_part(a, p, parts, index, is_bf16, act, has_residual);
}

INLINE void pass_part(const batch_norm_dx_args *a, const grad_plan *p, int parts, int index, bool is_sum, bool is_bf16)
{
    if (activation_is_clipped(a->act)) /* one code for both: the mask tells them apart */
        pass_of_type(a, p, parts, index, is_sum, is_bf16, ACT_RELU, false);
    else if (a->act == ACT_SILU && a->residual)
        pass_of_type(a, p, parts, index, is_sum, is_bf16, ACT_SILU, true);
    else if (a->act == ACT_SILU)
        pass_of_type(a, p, parts, index, is_sum, is_bf16, ACT_SILU, false);
    else
        pass_of_type(a, p, parts, index, is_sum, is_bf16, ACT_NONE, false);
}

static void sums_of_batch(const batch_norm_dx_args *a, const grad_plan *p, int parts)
{
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        if (a->is_bf16)
            pass_part(a, p, parts, index, true, true);
        else
            pass_part(a, p, parts, index, true, false);
    }
}

void KERNEL(batch_norm_dx)(const void *args)
{
    const batch_norm_dx_args *a = args;
    grad_plan p = plan_make(a->scratch, a->c, a->threads);
    int parts = parts_for(a->rows * a->c, a->threads);
    bool is_batch = a->mean != NULL;
    for (int64_t ch = 0; ch < a->c; ch++) {
        float inv_std = is_batch ? a->inv_std[ch] : 1 / sqrtf(a->running_var[ch] + a->eps);
        p.mean[ch] = is_batch ? a->mean[ch] : a->running_mean[ch];
        p.scale[ch] = a->gamma[ch] * inv_std;
        p.shift[ch] = a->beta ? a->beta[ch] : 0;
        p.offset[ch] = p.slope[ch] = 0;
    }
    columns_spread(p.mean + a->c, p.mean, a->c, p.wide - a->c);
    columns_spread(p.scale + a->c, p.scale, a->c, p.wide - a->c);
    columns_spread(p.shift + a->c, p.shift, a->c, p.wide - a->c);
    if (a->dgamma || a->dbeta || (is_batch && a->dx)) {
        sums_of_batch(a, &p, parts);
        double n = (double)a->rows;
        for (int64_t ch = 0; ch < a->c; ch++) {
            double inv_std = is_batch ? (double)a->inv_std[ch] : 1 / sqrt((double)a->running_var[ch] + (double)a->eps);
            double dz = columns_fold(p.sums, parts, 2 * p.wide, p.wide, a->c, ch);
            double dz_d = columns_fold(p.sums + p.wide, parts, 2 * p.wide, p.wide, a->c, ch);
            if (a->dbeta)
                a->dbeta[ch] = (float)dz;
            if (a->dgamma)
                a->dgamma[ch] = (float)(dz_d * inv_std);
            if (is_batch) {
                p.offset[ch] = (float)((double)a->gamma[ch] * inv_std * dz / n);
                p.slope[ch] = (float)((double)a->gamma[ch] * inv_std * inv_std * inv_std * dz_d / n);
            }
        }
    }
    if (!a->dx && !a->dresidual)
        return;
    columns_spread(p.offset + a->c, p.offset, a->c, p.wide - a->c);
    columns_spread(p.slope + a->c, p.slope, a->c, p.wide - a->c);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        if (a->is_bf16)
            pass_part(a, &p, parts, index, false, true);
        else
            pass_part(a, &p, parts, index, false, false);
    }
}
