/* batch_norm forward in two passes over x: sums of each channel by as many blocks as fill the device, then, behind a
 * small kernel that makes statistics of them, everything else: scale and shift, residual, activation, mask.
 *
 * Sums are of d = x - pivot, the pivot of a channel being the mean of four rows: then floats do for the few hundred
 * rows that a thread adds up, and the square of the mean does not drown the variance. Sums of parts are added in
 * double. */
#include "backend/cuda/kernel/fused_batch_norm.h"
#include "backend/cuda/kernel/vector_activation.h"

enum { PIVOTS = 4, AT_ONCE = 4 }; /* rows a thread has in flight */

DEVICE float pivot_mean(float sum)
{
    return sum * (1.0f / PIVOTS);
}

DEVICE int64_t pivot_row(int64_t rows, int i)
{
    return rows * i / PIVOTS;
}

DEVICE eight pivot_eight(const void *x, const column_grid *g, int channel, const bool is_bf16)
{
    eight pivot = eight_of(0);
    UNROLL
    for (int i = 0; i < PIVOTS; i++) {
        const eight v = load_eight(x, pivot_row(g->rows, i) * g->c + channel, is_bf16);
        UNROLL
        for (int k = 0; k < 8; k++)
            pivot.at[k] += v.at[k];
    }
    UNROLL
    for (int k = 0; k < 8; k++)
        pivot.at[k] = pivot_mean(pivot.at[k]);
    return pivot;
}

/* count rows from row on, loaded together. */
DEVICE void add_rows(const fused_bn_sums_args *a, const column_share *s, int64_t row, const int count, eight pivot,
                     eight *sums, const bool is_bf16)
{
    packed_eight v[AT_ONCE];
    UNROLL
    for (int r = 0; r < count; r++)
        v[r] = load_packed(a->x, (row + r * s->step) * a->grid.c + s->channel, is_bf16);
    UNROLL
    for (int r = 0; r < count; r++) {
        const eight x = unpack(v[r], is_bf16);
        UNROLL
        for (int k = 0; k < 8; k++) {
            const float d = x.at[k] - pivot.at[k];
            sums[0].at[k] += d;
            sums[1].at[k] += d * d;
        }
    }
}

DEVICE void sums_of(const fused_bn_sums_args *a, const bool is_bf16)
{
    const column_share s = column_share_of(&a->grid, blockIdx.x);
    eight sums[2] = {eight_of(0), eight_of(0)};
    int64_t row = s.begin;
    if (row < s.end) {
        const eight pivot = pivot_eight(a->x, &a->grid, s.channel, is_bf16);
        for (; row + (AT_ONCE - 1) * s.step < s.end; row += AT_ONCE * s.step)
            add_rows(a, &s, row, AT_ONCE, pivot, sums, is_bf16);
        for (; row < s.end; row += s.step)
            add_rows(a, &s, row, 1, pivot, sums, is_bf16);
    }
    column_sums(&a->grid, blockIdx.x, sums, 2, a->sums + (int64_t)s.part * 2 * a->grid.c, 1, false);
}

/* Moves x once. */
TEAM_KERNEL(fused_bn_sums_bf16, fused_bn_sums_args)
{
    sums_of(&a, true);
}
TEAM_KERNEL(fused_bn_sums_f32, fused_bn_sums_args)
{
    sums_of(&a, false);
}

/* Moves the sums of all parts. */
TEAM_KERNEL(fused_bn_statistics, fused_bn_statistics_args)
{
    const part_sums s = part_sums_of(a.sums, a.parts, a.c);
    if (s.channel < 0)
        return;
    float pivot = 0;
    for (int i = 0; i < PIVOTS; i++)
        pivot += load(a.x, pivot_row(a.rows, i) * a.c + s.channel, a.is_bf16);
    const double n = (double)a.rows, d = s.first / n, square = s.second / n;
    const double mean = (double)pivot_mean(pivot) + d;
    const double variance = square > d * d ? square - d * d : 0;
    const double unbiased = a.rows > 1 ? variance * n / (n - 1) : variance;
    a.mean[s.channel] = (float)mean;
    a.inv_std[s.channel] = (float)(1 / sqrt(variance + (double)a.eps));
    a.running_mean[s.channel] += a.momentum * ((float)mean - a.running_mean[s.channel]);
    a.running_var[s.channel] += a.momentum * ((float)unbiased - a.running_var[s.channel]);
}

/* --- everything else ---------------------------------------------------------------------------------------------- */
/* y = (x - mean) scale + beta */
typedef struct {
    eight mean, scale, beta;
} channel_terms;

DEVICE channel_terms terms_of(const fused_bn_apply_args *a, int channel)
{
    channel_terms t;
    t.mean = load_eight(a->mean, channel, false);
    t.beta = load_eight(a->beta, channel, false);
    t.scale = load_eight(a->gamma, channel, false);
    const eight spread = load_eight(a->inv_std ? a->inv_std : a->var, channel, false);
    UNROLL
    for (int k = 0; k < 8; k++)
        t.scale.at[k] *= a->inv_std ? spread.at[k] : 1.0f / sqrtf(spread.at[k] + a->eps);
    return t;
}

/* Bit k: is the derivative at z 1? */
DEVICE unsigned mask_bit(float z, activation_kind act, int k)
{
    return (unsigned)(z > 0 && (act != ACT_RELU6 || z < 6)) << k;
}

DEVICE void apply_rows(const fused_bn_apply_args *a, const column_share *s, int64_t row, const int count,
                       const channel_terms *t, const bool is_bf16)
{
    packed_eight x[AT_ONCE], residual[AT_ONCE];
    UNROLL
    for (int r = 0; r < count; r++)
        x[r] = load_packed(a->x, (row + r * s->step) * a->grid.c + s->channel, is_bf16);
    if (a->residual) {
        UNROLL
        for (int r = 0; r < count; r++)
            residual[r] = load_packed(a->residual, (row + r * s->step) * a->grid.c + s->channel, is_bf16);
    }
    UNROLL
    for (int r = 0; r < count; r++) {
        const int64_t at = (row + r * s->step) * a->grid.c + s->channel;
        eight y = unpack(x[r], is_bf16), more = eight_of(0);
        unsigned bits = 0;
        if (a->residual)
            more = unpack(residual[r], is_bf16);
        UNROLL
        for (int k = 0; k < 8; k++) {
            const float z = (y.at[k] - t->mean.at[k]) * t->scale.at[k] + t->beta.at[k] + more.at[k];
            bits |= mask_bit(z, a->act, k);
            y.at[k] = activation_of(a->act, z, is_bf16);
        }
        store_eight(a->y, at, y, is_bf16);
        if (a->mask)
            a->mask[at / 8] = (uint8_t)bits;
    }
}

DEVICE void apply(const fused_bn_apply_args *a, const bool is_bf16)
{
    const column_share s = column_share_of(&a->grid, blockIdx.x);
    int64_t row = s.begin;
    if (row >= s.end)
        return;
    const channel_terms t = terms_of(a, s.channel);
    for (; row + (AT_ONCE - 1) * s.step < s.end; row += AT_ONCE * s.step)
        apply_rows(a, &s, row, AT_ONCE, &t, is_bf16);
    for (; row < s.end; row += s.step)
        apply_rows(a, &s, row, 1, &t, is_bf16);
}

/* Moves x, residual, y and the mask once each. */
KERNEL(fused_bn_apply_bf16, fused_bn_apply_args)
{
    apply(&a, true);
}
KERNEL(fused_bn_apply_f32, fused_bn_apply_args)
{
    apply(&a, false);
}
