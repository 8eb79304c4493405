/* Activations of eight numbers: in f32 the functions of activation.h, in bf16 ones whose error is far below its 8 bits
 * and that cost less than the memory they wait for. */
#ifndef BACKEND_CUDA_KERNEL_VECTOR_ACTIVATION_H
#define BACKEND_CUDA_KERNEL_VECTOR_ACTIVATION_H

#include "backend/cuda/kernel/activation.h"
#include "backend/cuda/kernel/vector.h"

DEVICE float fast_sigmoid(float x)
{
    return fast_divide(1.0f, 1.0f + fast_exp(-x));
}

/* The share of a normal distribution below x, to 1e-7 (Abramowitz and Stegun, 7.1.26); *density = exp(-x^2 / 2). */
DEVICE float fast_normal_share(float x, float *density)
{
    const float z = fabsf(x) * 0.70710678f, t = fast_divide(1.0f, 1.0f + 0.3275911f * z);
    *density = fast_exp(-z * z);
    const float p =
        t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
    const float tail = 0.5f * p * *density;
    return x < 0 ? tail : 1 - tail;
}

DEVICE float activation_of(activation_kind kind, float x, const bool is_bf16)
{
    float density;
    if (is_bf16 && kind == ACT_SILU)
        return x * fast_sigmoid(x);
    if (is_bf16 && kind == ACT_SIGMOID)
        return fast_sigmoid(x);
    if (is_bf16 && kind == ACT_GELU)
        return x * fast_normal_share(x, &density);
    return act_value(kind, x);
}

/* At x; ReLU and ReLU6 may be given their values instead. */
DEVICE float slope_of(activation_kind kind, float x, const bool is_bf16)
{
    float density;
    if (kind == ACT_RELU)
        return x > 0 ? 1 : 0;
    if (is_bf16 && (kind == ACT_SILU || kind == ACT_SIGMOID)) {
        const float s = fast_sigmoid(x);
        return s * (1 - s) * (kind == ACT_SILU ? x : 1) + (kind == ACT_SILU ? s : 0);
    }
    if (is_bf16 && kind == ACT_GELU) {
        const float share = fast_normal_share(x, &density);
        return share + x * density * 0.39894228f;
    }
    return act_slope(kind, x);
}

#endif
