/* The activation functions and their slopes, for kernels that end or begin with one. */
#ifndef BACKEND_CUDA_KERNEL_ACTIVATION_H
#define BACKEND_CUDA_KERNEL_ACTIVATION_H

#include "backend/cuda/kernel/kernel.h"
#include "graph/attr.h"

DEVICE float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

/* The share of a normal distribution below x; erfc keeps the digits of small ones. */
DEVICE float normal_share(float x)
{
    return 0.5f * erfcf(-x * 0.70710678f);
}

DEVICE float act_value(activation_kind kind, float x)
{
    switch (kind) {
    case ACT_RELU:
        return x <= 0 ? 0 : x; /* NaN stays NaN */
    case ACT_RELU6:
        return x <= 0 ? 0 : x >= 6 ? 6 : x;
    case ACT_SILU:
        return x * sigmoid(x);
    case ACT_SIGMOID:
        return sigmoid(x);
    case ACT_GELU:
        return x * normal_share(x);
    case ACT_CLIP:
        return x < -1 ? -1 : x > 1 ? 1 : x;
    default:
        return x;
    }
}

/* At x; ReLU and ReLU6 may be given their values instead. */
DEVICE float act_slope(activation_kind kind, float x)
{
    const float s = sigmoid(x);
    switch (kind) {
    case ACT_RELU:
        return x > 0 ? 1 : 0;
    case ACT_RELU6:
        return x > 0 && x < 6 ? 1 : 0;
    case ACT_SILU:
        return s * (1 + x * (1 - s));
    case ACT_SIGMOID:
        return s * (1 - s);
    case ACT_GELU:
        return normal_share(x) + x * expf(-0.5f * x * x) * 0.39894228f;
    case ACT_CLIP:
        return x >= -1 && x <= 1 ? 1 : 0;
    default:
        return 1;
    }
}

#endif
