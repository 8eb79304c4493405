/* The work around a library's call: weights and their gradients between our order and theirs, and what
 * follows a convolution where the library does not take it along. */
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/library.h"
#include "graph/attr.h"

DEVICE float fold_factor(const float *gamma, const float *var, int64_t o, float eps)
{
    return gamma ? gamma[o] / sqrtf(var[o] + eps) : 1.0f;
}

KERNEL(pack, pack_args)
{
    const int64_t count = a.o * a.taps * a.c;
    for (int64_t i = thread_first(); i < count; i += thread_stride()) {
        const int64_t c = i % a.c, t = i / a.c % a.taps, o = i / a.c / a.taps;
        store(a.dst, i, a.src[(o * a.c + c) * a.taps + t] * fold_factor(a.gamma, a.var, o, a.eps), a.is_bf16);
    }
}

KERNEL(pack_bias, pack_bias_args)
{
    for (int64_t o = thread_first(); o < a.o; o += thread_stride()) {
        const float b = a.bias ? a.bias[o] : 0.0f;
        const float folded = a.gamma ? a.beta[o] + (b - a.mean[o]) * fold_factor(a.gamma, a.var, o, a.eps) : b;
        store(a.dst, o, folded, a.is_bf16);
    }
}

KERNEL(unpack, unpack_args)
{
    const int64_t count = a.o * a.taps * a.c;
    for (int64_t i = thread_first(); i < count; i += thread_stride()) {
        const int64_t t = i % a.taps, c = i / a.taps % a.c, o = i / a.taps / a.c;
        a.dst[i] = load(a.src, (o * a.taps + t) * a.c + c, a.is_bf16);
    }
}

/* What convolutions may end with (graph/fuse.c). */
DEVICE float activate(float v, int act)
{
    if (act == ACT_RELU || act == ACT_RELU6)
        v = v < 0.0f ? 0.0f : v; /* NaN stays */
    if (act == ACT_RELU6)
        v = v > 6.0f ? 6.0f : v;
    if (act == ACT_SILU)
        v = v / (1.0f + expf(-v));
    if (act == ACT_SIGMOID)
        v = 1.0f / (1.0f + expf(-v));
    return v;
}

KERNEL(epilogue, epilogue_args)
{
    for (int64_t i = thread_first(); i < a.count; i += thread_stride()) {
        float v = load(a.y, i, a.is_bf16);
        if (a.bias)
            v += load(a.bias, i % a.columns, a.is_bf16);
        if (a.residual)
            v += load(a.residual, i, a.is_bf16);
        store(a.y, i, activate(v, a.act), a.is_bf16);
    }
}
