/* Batch norm and layer norm. Sums over rows are taken in slices, as in columns.cu; the row of a layer norm is a warp's.
 */
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/activation.h"
#include "backend/cuda/kernel/norms.h"

#include <math.h>

/* --- batch norm --------------------------------------------------------------------------------------------------- */
KERNEL(batch_moments, batch_moments_args)
{
    for (int64_t i = thread_first(); i < a.slices * a.c; i += thread_stride()) {
        double sum = 0, squares = 0;
        for (int64_t row = i / a.c; row < a.rows; row += a.slices) {
            const double x = (double)load(a.x, row * a.c + i % a.c, a.is_bf16);
            sum += x;
            squares += x * x;
        }
        a.parts[i] = sum;
        a.parts[a.slices * a.c + i] = squares;
    }
}

/* The sum over slices of parts [slices, c]. */
DEVICE double sum_slices(const double *parts, int64_t slices, int64_t c, int64_t channel)
{
    double sum = 0;
    for (int64_t s = 0; s < slices; s++)
        sum += parts[s * c + channel];
    return sum;
}

KERNEL(batch_statistics, batch_statistics_args)
{
    for (int64_t c = thread_first(); c < a.c; c += thread_stride()) {
        const double count = (double)a.rows, mean = sum_slices(a.parts, a.slices, a.c, c) / count;
        const double raw = sum_slices(a.parts + a.slices * a.c, a.slices, a.c, c) / count - mean * mean;
        const double var = raw < 0 ? 0 : raw; /* a constant's may be rounded below; NaN stays NaN */
        a.mean[c] = (float)mean;
        a.inv_std[c] = (float)(1 / sqrt(var + (double)a.eps));
        const double running_mean = (double)a.running_mean[c], running_var = (double)a.running_var[c];
        a.running_mean[c] = (float)(running_mean + (double)a.momentum * (mean - running_mean));
        a.running_var[c] = (float)(running_var + (double)a.momentum * (var * count / (count - 1) - running_var));
    }
}

/* The inverse deviation of a channel, as inv_std or var gives it. */
DEVICE float inverse_deviation(const float *inv_std, const float *var, float eps, int64_t c)
{
    return inv_std ? inv_std[c] : 1 / sqrtf(var[c] + eps);
}

/* A thread eight elements, the bits of a byte of the mask. */
KERNEL(batch_norm, batch_norm_args)
{
    enum { BITS = 8 };
    const int64_t count = a.rows * a.c;
    for (int64_t byte = thread_first(); byte * BITS < count; byte += thread_stride()) {
        unsigned bits = 0;
        for (int bit = 0; bit < BITS && byte * BITS + bit < count; bit++) {
            const int64_t i = byte * BITS + bit, c = i % a.c;
            const float k = inverse_deviation(a.inv_std, a.var, a.eps, c);
            const float z = a.gamma[c] * (load(a.x, i, a.is_bf16) - a.mean[c]) * k + a.beta[c] +
                            (a.residual ? load(a.residual, i, a.is_bf16) : 0);
            store(a.y, i, act_value(a.act, z), a.is_bf16);
            if (a.mask && act_slope(a.act, z) > 0)
                bits |= 1u << bit;
        }
        if (a.mask)
            a.mask[byte] = (uint8_t)bits;
    }
}

/* (x - mean) k of element i */
DEVICE float batch_xhat(const batch_norm_dx_args *a, int64_t i)
{
    const int64_t c = i % a->c;
    return (load(a->x, i, a->is_bf16) - a->mean[c]) * inverse_deviation(a->inv_std, a->var, a->eps, c);
}

/* The gradient before the activation. */
DEVICE float batch_dz(const batch_norm_dx_args *a, int64_t i, float xhat)
{
    const float dy = load(a->dy, i, a->is_bf16);
    if (a->mask)
        return (a->mask[i / 8] >> (i % 8) & 1) != 0 ? dy : 0;
    if (a->act == ACT_NONE)
        return dy;
    return dy * act_slope(a->act, a->gamma[i % a->c] * xhat + a->beta[i % a->c] +
                                      (a->residual ? load(a->residual, i, a->is_bf16) : 0));
}

KERNEL(batch_norm_dx_parts, batch_norm_dx_args)
{
    for (int64_t i = thread_first(); i < a.slices * a.c; i += thread_stride()) {
        double dbeta = 0, dgamma = 0;
        for (int64_t row = i / a.c; row < a.rows; row += a.slices) {
            const int64_t at = row * a.c + i % a.c;
            const float xhat = batch_xhat(&a, at), dz = batch_dz(&a, at, xhat);
            dbeta += (double)dz;
            dgamma += (double)dz * (double)xhat;
        }
        a.parts[i] = dbeta;
        a.parts[a.slices * a.c + i] = dgamma;
    }
}

KERNEL(batch_norm_dx_sums, batch_norm_dx_args)
{
    for (int64_t c = thread_first(); c < a.c; c += thread_stride()) {
        a.sums[c] = sum_slices(a.parts, a.slices, a.c, c);
        a.sums[a.c + c] = sum_slices(a.parts + a.slices * a.c, a.slices, a.c, c);
        if (a.dbeta)
            a.dbeta[c] = (float)a.sums[c];
        if (a.dgamma)
            a.dgamma[c] = (float)a.sums[a.c + c];
    }
}

KERNEL(batch_norm_dx, batch_norm_dx_args)
{
    const double count = (double)a.rows;
    for (int64_t i = thread_first(); i < a.rows * a.c; i += thread_stride()) {
        const int64_t c = i % a.c;
        const float xhat = batch_xhat(&a, i), dz = batch_dz(&a, i, xhat);
        const float k = inverse_deviation(a.inv_std, a.var, a.eps, c);
        double centred = (double)dz;
        if (a.is_batch)
            centred -= (a.sums[c] + (double)xhat * a.sums[a.c + c]) / count;
        if (a.dresidual)
            store(a.dresidual, i, dz, a.is_bf16);
        if (a.dx)
            store(a.dx, i, (float)((double)a.gamma[c] * (double)k * centred), a.is_bf16);
    }
}

/* --- layer norm --------------------------------------------------------------------------------------------------- */
TEAM_KERNEL(layer_norm, layer_norm_args)
{
    for (int64_t row = blockIdx.x; row < a.rows; row += gridDim.x) {
        const int64_t begin = row * a.c, end = begin + a.c;
        double sum = 0, squares = 0;
        for (int64_t i = begin + threadIdx.x; i < end; i += blockDim.x)
            sum += (double)load(a.x, i, a.is_x_bf16);
        const double mean = block_sum(sum) / (double)a.c;
        for (int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
            const double away = (double)load(a.x, i, a.is_x_bf16) - mean;
            squares += away * away;
        }
        const double k = 1 / sqrt(block_sum(squares) / (double)a.c + (double)a.eps);
        for (int64_t i = begin + threadIdx.x; i < end; i += blockDim.x)
            store(a.y, i,
                  (float)((double)a.gamma[i - begin] * ((double)load(a.x, i, a.is_x_bf16) - mean) * k +
                          (double)a.beta[i - begin]),
                  a.is_y_bf16);
        if (a.mean && threadIdx.x == 0) {
            a.mean[row] = (float)mean;
            a.inv_std[row] = (float)k;
        }
    }
}

/* (x - m) k of element i */
DEVICE double layer_xhat(const layer_norm_dx_args *a, int64_t i)
{
    return ((double)load(a->x, i, a->is_x_bf16) - (double)a->mean[i / a->c]) * (double)a->inv_std[i / a->c];
}

KERNEL(layer_norm_dw, layer_norm_dx_args)
{
    for (int64_t i = thread_first(); i < a.slices * a.c; i += thread_stride()) {
        double dgamma = 0, dbeta = 0;
        for (int64_t row = i / a.c; row < a.rows; row += a.slices) {
            const int64_t at = row * a.c + i % a.c;
            const double dy = (double)load(a.dy, at, a.is_dy_bf16);
            dgamma += dy * layer_xhat(&a, at);
            dbeta += dy;
        }
        a.parts[i] = dgamma;
        a.parts[a.slices * a.c + i] = dbeta;
    }
}

TEAM_KERNEL(layer_norm_dx, layer_norm_dx_args)
{
    for (int64_t row = blockIdx.x; row < a.rows; row += gridDim.x) {
        const int64_t begin = row * a.c, end = begin + a.c;
        double g_sum = 0, product_sum = 0;
        for (int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
            const double g = (double)a.gamma[i - begin] * (double)load(a.dy, i, a.is_dy_bf16);
            g_sum += g;
            product_sum += g * layer_xhat(&a, i);
        }
        const double g_mean = block_sum(g_sum) / (double)a.c, product_mean = block_sum(product_sum) / (double)a.c;
        for (int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
            const double g = (double)a.gamma[i - begin] * (double)load(a.dy, i, a.is_dy_bf16);
            store(a.dx, i, (float)((double)a.inv_std[row] * (g - g_mean - layer_xhat(&a, i) * product_mean)),
                  a.is_x_bf16);
        }
    }
}
