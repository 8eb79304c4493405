/* batch_norm backward in two passes over dy and x: the sums of each channel, then dx and dresidual. dz = dy act'(z) is
 * made in both: ReLU's derivative is a bit read, SiLU's is computed again from z, either of which is less than a tensor
 * written and read. */
#include "backend/cuda/kernel/fused_batch_norm.h"
#include "backend/cuda/kernel/vector_activation.h"

enum { AT_ONCE = 4 }; /* rows a thread has in flight */

/* z = (x - mean) scale + beta [+ residual] */
typedef struct {
    eight mean, scale, beta;
} channel_terms;

DEVICE float inverse(const fused_bn_dx_args *a, float spread)
{
    return a->inv_std ? spread : 1.0f / sqrtf(spread + a->eps);
}

DEVICE channel_terms terms_of(const fused_bn_dx_args *a, int channel)
{
    channel_terms t;
    t.mean = load_eight(a->mean, channel, false);
    t.scale = load_eight(a->gamma, channel, false);
    t.beta = a->act == ACT_SILU ? load_eight(a->beta, channel, false) : eight_of(0);
    const eight spread = load_eight(a->inv_std ? a->inv_std : a->var, channel, false);
    UNROLL
    for (int k = 0; k < 8; k++)
        t.scale.at[k] *= inverse(a, spread.at[k]);
    return t;
}

/* Rows of dy, x and what their activation needs. */
typedef struct {
    packed_eight dy[AT_ONCE], x[AT_ONCE], residual[AT_ONCE];
    unsigned bits[AT_ONCE];
} loaded_rows;

DEVICE void load_rows(const fused_bn_dx_args *a, const column_share *s, int64_t row, const int count, loaded_rows *l,
                      const bool is_bf16)
{
    UNROLL
    for (int r = 0; r < count; r++) {
        const int64_t at = (row + r * s->step) * a->grid.c + s->channel;
        l->dy[r] = load_packed(a->dy, at, is_bf16);
        l->x[r] = load_packed(a->x, at, is_bf16);
        l->bits[r] = a->mask ? a->mask[at / 8] : 0;
    }
    if (a->act == ACT_SILU && a->residual) {
        UNROLL
        for (int r = 0; r < count; r++)
            l->residual[r] = load_packed(a->residual, (row + r * s->step) * a->grid.c + s->channel, is_bf16);
    }
}

/* *d = x - mean of row r, and its dz. */
DEVICE eight dz_of(const fused_bn_dx_args *a, const loaded_rows *l, const int r, const channel_terms *t, eight *d,
                   const bool is_bf16)
{
    eight dz = unpack(l->dy[r], is_bf16), more = eight_of(0);
    *d = unpack(l->x[r], is_bf16);
    UNROLL
    for (int k = 0; k < 8; k++)
        d->at[k] -= t->mean.at[k];
    if (a->act == ACT_RELU || a->act == ACT_RELU6) {
        UNROLL
        for (int k = 0; k < 8; k++)
            dz.at[k] = l->bits[r] >> k & 1u ? dz.at[k] : 0;
    } else if (a->act == ACT_SILU) {
        if (a->residual)
            more = unpack(l->residual[r], is_bf16);
        UNROLL
        for (int k = 0; k < 8; k++) {
            const float z = d->at[k] * t->scale.at[k] + t->beta.at[k] + more.at[k];
            dz.at[k] *= slope_of(ACT_SILU, z, is_bf16);
        }
    }
    return dz;
}

/* --- sums --------------------------------------------------------------------------------------------------------- */
DEVICE void add_rows(const fused_bn_dx_args *a, const column_share *s, int64_t row, const int count,
                     const channel_terms *t, eight *sums, const bool is_bf16)
{
    loaded_rows l;
    load_rows(a, s, row, count, &l, is_bf16);
    UNROLL
    for (int r = 0; r < count; r++) {
        eight d;
        const eight dz = dz_of(a, &l, r, t, &d, is_bf16);
        UNROLL
        for (int k = 0; k < 8; k++) {
            sums[0].at[k] += dz.at[k];
            sums[1].at[k] += dz.at[k] * d.at[k];
        }
    }
}

DEVICE void sums_of(const fused_bn_dx_args *a, const bool is_bf16)
{
    const column_share s = column_share_of(&a->grid, blockIdx.x);
    eight sums[2] = {eight_of(0), eight_of(0)};
    int64_t row = s.begin;
    if (row < s.end) {
        const channel_terms t = terms_of(a, s.channel);
        for (; row + (AT_ONCE - 1) * s.step < s.end; row += AT_ONCE * s.step)
            add_rows(a, &s, row, AT_ONCE, &t, sums, is_bf16);
        for (; row < s.end; row += s.step)
            add_rows(a, &s, row, 1, &t, sums, is_bf16);
    }
    column_sums(&a->grid, blockIdx.x, sums, 2, a->sums + (int64_t)s.part * 2 * a->grid.c, 1, false);
}

/* Moves dy, x, and the mask or, for SiLU, the residual, once each. */
TEAM_KERNEL(fused_bn_dx_sums_bf16, fused_bn_dx_args)
{
    sums_of(&a, true);
}
TEAM_KERNEL(fused_bn_dx_sums_f32, fused_bn_dx_args)
{
    sums_of(&a, false);
}

/* Moves the sums of all parts. */
TEAM_KERNEL(fused_bn_dx_terms, fused_bn_dx_terms_args)
{
    const part_sums s = part_sums_of(a.sums, a.parts, a.c);
    if (s.channel < 0)
        return;
    const double k = a.inv_std ? (double)a.inv_std[s.channel] : 1 / sqrt((double)a.var[s.channel] + (double)a.eps);
    if (a.dbeta)
        a.dbeta[s.channel] = (float)s.first;
    if (a.dgamma)
        a.dgamma[s.channel] = (float)(k * s.second);
    if (a.terms) {
        a.terms[s.channel] = (float)(s.first / (double)a.rows);
        a.terms[a.c + s.channel] = (float)(k * k * s.second / (double)a.rows);
    }
}

/* --- dx and dresidual --------------------------------------------------------------------------------------------- */
DEVICE void apply_rows(const fused_bn_dx_args *a, const column_share *s, int64_t row, const int count,
                       const channel_terms *t, eight offset, eight slope, const bool is_bf16)
{
    loaded_rows l;
    load_rows(a, s, row, count, &l, is_bf16);
    UNROLL
    for (int r = 0; r < count; r++) {
        const int64_t at = (row + r * s->step) * a->grid.c + s->channel;
        eight d, dz = dz_of(a, &l, r, t, &d, is_bf16);
        if (a->dresidual)
            store_eight(a->dresidual, at, dz, is_bf16);
        UNROLL
        for (int k = 0; k < 8; k++)
            dz.at[k] = t->scale.at[k] * (dz.at[k] - offset.at[k] - d.at[k] * slope.at[k]);
        if (a->dx)
            store_eight(a->dx, at, dz, is_bf16);
    }
}

DEVICE void apply(const fused_bn_dx_args *a, const bool is_bf16)
{
    const column_share s = column_share_of(&a->grid, blockIdx.x);
    int64_t row = s.begin;
    if (row >= s.end)
        return;
    const channel_terms t = terms_of(a, s.channel);
    eight offset = eight_of(0), slope = eight_of(0);
    if (a->terms) {
        offset = load_eight(a->terms, s.channel, false);
        slope = load_eight(a->terms, a->grid.c + s.channel, false);
    }
    for (; row + (AT_ONCE - 1) * s.step < s.end; row += AT_ONCE * s.step)
        apply_rows(a, &s, row, AT_ONCE, &t, offset, slope, is_bf16);
    for (; row < s.end; row += s.step)
        apply_rows(a, &s, row, 1, &t, offset, slope, is_bf16);
}

/* Moves dy, x, the mask or the residual, dx and dresidual once each. */
KERNEL_FOR_TWO(fused_bn_dx_apply_bf16, fused_bn_dx_args)
{
    apply(&a, true);
}
KERNEL(fused_bn_dx_apply_f32, fused_bn_dx_args)
{
    apply(&a, false);
}
