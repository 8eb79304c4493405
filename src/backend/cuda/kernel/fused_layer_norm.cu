/* layer_norm both ways, a warp a row: the row is read once and stays in registers while its moments are made. Backward,
 * a warp also keeps the sums of its rows for the gradients of gamma and beta; a block leaves the sums of its warps, and
 * a second kernel adds those up. */
#include "backend/cuda/kernel/fused_layer_norm.h"
#include "backend/cuda/kernel/vector.h"

enum { EIGHTS = LAYER_NORM_EIGHTS, WARPS = LAYER_NORM_THREADS / WARP };

DEVICE float warp_sum(float v)
{
    for (int mask = WARP / 2; mask > 0; mask /= 2)
        v += shuffle_xor(v, mask);
    return v;
}

/* First number of a lane's eight i, or -1 behind the row's end. */
DEVICE int eight_at(int i, int64_t c)
{
    const int at = 8 * (i * WARP + (int)threadIdx.x % WARP);
    return at < c ? at : -1;
}

DEVICE int64_t first_row(void)
{
    return (int64_t)blockIdx.x * WARPS + threadIdx.x / WARP;
}

DEVICE int64_t row_stride(void)
{
    return (int64_t)gridDim.x * WARPS;
}

/* A row's eights of this lane, 0 behind its end. */
DEVICE void load_row(packed_eight *row, const void *x, int64_t at, int64_t c, const bool is_bf16)
{
    UNROLL
    for (int i = 0; i < EIGHTS; i++)
        if (eight_at(i, c) >= 0)
            row[i] = load_packed(x, at + eight_at(i, c), is_bf16);
}

DEVICE void normalise_row(const layer_norm_args *a, int64_t row, const bool is_x_bf16, const bool is_y_bf16)
{
    packed_eight packed[EIGHTS];
    eight x[EIGHTS];
    float sum = 0, square = 0;
    load_row(packed, a->x, row * a->c, a->c, is_x_bf16);
    UNROLL
    for (int i = 0; i < EIGHTS; i++) {
        if (eight_at(i, a->c) < 0)
            continue;
        x[i] = unpack(packed[i], is_x_bf16);
        UNROLL
        for (int k = 0; k < 8; k++)
            sum += x[i].at[k];
    }
    const float mean = warp_sum(sum) / (float)a->c;
    UNROLL
    for (int i = 0; i < EIGHTS; i++) {
        if (eight_at(i, a->c) < 0)
            continue;
        UNROLL
        for (int k = 0; k < 8; k++)
            square += (x[i].at[k] - mean) * (x[i].at[k] - mean);
    }
    const float inv_std = 1.0f / sqrtf(warp_sum(square) / (float)a->c + a->eps);
    UNROLL
    for (int i = 0; i < EIGHTS; i++) {
        const int at = eight_at(i, a->c);
        if (at < 0)
            continue;
        const eight gamma = load_eight(a->gamma, at, false), beta = load_eight(a->beta, at, false);
        UNROLL
        for (int k = 0; k < 8; k++)
            x[i].at[k] = (x[i].at[k] - mean) * inv_std * gamma.at[k] + beta.at[k];
        store_eight(a->y, row * a->c + at, x[i], is_y_bf16);
    }
    if (a->mean && threadIdx.x % WARP == 0) {
        a->mean[row] = mean;
        a->inv_std[row] = inv_std;
    }
}

/* Move x and y once. In their names, x's type, then y's where it is another. */
#define LAYER_NORM(name, is_x_bf16, is_y_bf16)                                                                         \
    TEAM_KERNEL(name, layer_norm_args)                                                                                 \
    {                                                                                                                  \
        for (int64_t row = first_row(); row < a.rows; row += row_stride())                                             \
            normalise_row(&a, row, is_x_bf16, is_y_bf16);                                                              \
    }
LAYER_NORM(fused_layer_norm_bf16, true, true)
LAYER_NORM(fused_layer_norm_f32, false, false)
LAYER_NORM(fused_layer_norm_f32_bf16, false, true)

/* --- backward ----------------------------------------------------------------------------------------------------- */
DEVICE void row_back(const fused_layer_norm_dx_args *a, int64_t row, eight *dbeta, eight *dgamma, const bool is_dy_bf16,
                     const bool is_x_bf16)
{
    packed_eight dys[EIGHTS], xs[EIGHTS];
    float sum = 0, product = 0;
    load_row(dys, a->dy, row * a->c, a->c, is_dy_bf16);
    load_row(xs, a->x, row * a->c, a->c, is_x_bf16);
    const float mean = a->mean[row], inv_std = a->inv_std[row];
    UNROLL
    for (int i = 0; i < EIGHTS; i++) {
        const int at = eight_at(i, a->c);
        if (at < 0)
            continue;
        const eight gamma = load_eight(a->gamma, at, false), dy = unpack(dys[i], is_dy_bf16);
        const eight x = unpack(xs[i], is_x_bf16);
        UNROLL
        for (int k = 0; k < 8; k++) {
            const float xhat = (x.at[k] - mean) * inv_std, g = gamma.at[k] * dy.at[k];
            sum += g;
            product += g * xhat;
            dbeta[i].at[k] += dy.at[k];
            dgamma[i].at[k] += dy.at[k] * xhat;
        }
    }
    if (!a->dx)
        return;
    sum = warp_sum(sum) / (float)a->c;
    product = warp_sum(product) / (float)a->c;
    UNROLL
    for (int i = 0; i < EIGHTS; i++) {
        const int at = eight_at(i, a->c);
        if (at < 0)
            continue;
        const eight gamma = load_eight(a->gamma, at, false), dy = unpack(dys[i], is_dy_bf16);
        eight x = unpack(xs[i], is_x_bf16);
        UNROLL
        for (int k = 0; k < 8; k++) {
            const float xhat = (x.at[k] - mean) * inv_std;
            x.at[k] = inv_std * (gamma.at[k] * dy.at[k] - sum - xhat * product);
        }
        store_eight(a->dx, row * a->c + at, x, is_x_bf16);
    }
}

/* The sums of a block's warps, warp after warp, to out [c]. */
DEVICE void store_sums(const eight *sums, float *out, int c)
{
    SHARED(float, numbers, WARPS *LAYER_NORM_MOST);
    barrier(); /* sums before these have been read */
    UNROLL
    for (int i = 0; i < EIGHTS; i++) {
        const int at = eight_at(i, c);
        UNROLL
        for (int k = 0; k < 8; k++)
            if (at >= 0) /* threads beside each other write beside each other */
                numbers[(int)threadIdx.x / WARP * LAYER_NORM_MOST + k * (LAYER_NORM_MOST / 8) + at / 8] = sums[i].at[k];
    }
    barrier();
    for (int at = (int)threadIdx.x; at < c; at += LAYER_NORM_THREADS) {
        float sum = 0;
        for (int warp = 0; warp < WARPS; warp++)
            sum += numbers[warp * LAYER_NORM_MOST + at % 8 * (LAYER_NORM_MOST / 8) + at / 8];
        out[at] = sum;
    }
}

DEVICE void rows_back(const fused_layer_norm_dx_args *a, const bool is_dy_bf16, const bool is_x_bf16)
{
    eight dbeta[EIGHTS], dgamma[EIGHTS];
    UNROLL
    for (int i = 0; i < EIGHTS; i++) {
        dbeta[i] = eight_of(0);
        dgamma[i] = eight_of(0);
    }
    for (int64_t row = first_row(); row < a->rows; row += row_stride())
        row_back(a, row, dbeta, dgamma, is_dy_bf16, is_x_bf16);
    if (!a->sums)
        return;
    store_sums(dbeta, a->sums + (int64_t)blockIdx.x * 2 * a->c, a->c);
    store_sums(dgamma, a->sums + ((int64_t)blockIdx.x * 2 + 1) * a->c, a->c);
}

/* Move dy, x and dx once. */
#define LAYER_NORM_DX(name, is_x_bf16, is_dy_bf16)                                                                     \
    TEAM_KERNEL(name, fused_layer_norm_dx_args)                                                                        \
    {                                                                                                                  \
        rows_back(&a, is_dy_bf16, is_x_bf16);                                                                          \
    }
LAYER_NORM_DX(fused_layer_norm_dx_bf16, true, true)
LAYER_NORM_DX(fused_layer_norm_dx_f32, false, false)
LAYER_NORM_DX(fused_layer_norm_dx_f32_bf16, false, true)

/* Moves the sums of all blocks. */
TEAM_KERNEL(fused_layer_norm_sum, fused_layer_norm_sum_args)
{
    const part_sums s = part_sums_of(a.sums, a.parts, a.c);
    if (s.channel < 0)
        return;
    if (a.dbeta)
        a.dbeta[s.channel] = (float)s.first;
    if (a.dgamma)
        a.dgamma[s.channel] = (float)s.second;
}
