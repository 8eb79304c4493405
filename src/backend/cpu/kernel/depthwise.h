/* Depthwise convolution's backward kernels in NHWC (groups = channels), where oneDNN 3.2 falls to gemm or strided code:
 * on a Zen 5 its 5x5 weight gradients run at 4-9 GFLOP/s and its bf16 stride-2 data gradients at 2, these at 100 and
 * more.
 *
 * KERNEL_ISA (plain, avx2, avx512) names the compilation: depthwise_dx_avx2 and so on. */
#ifndef BACKEND_CPU_KERNEL_DEPTHWISE_H
#define BACKEND_CPU_KERNEL_DEPTHWISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    int64_t n, c;   /* batch, channels */
    int64_t h, w;   /* of x and dx */
    int64_t oh, ow; /* of y and dy */
    int kernel[2], stride[2], pad[2];
    bool is_bf16; /* x, dx, dy; weights and their gradient are f32 */
} depthwise_dims;

/* dx [n, h, w, c] = the transposed convolution of dy [n, oh, ow, c] by weights [c, 1, kh, kw]. scratch:
 * depthwise_scratch_bytes. */
typedef void depthwise_dx_fn(const depthwise_dims *d, void *dx, const void *dy, const float *weights, void *scratch);
/* dw [c, 1, kh, kw] = sum over n, oh, ow of dy x. */
typedef void depthwise_dw_fn(const depthwise_dims *d, float *dw, const void *dy, const void *x, void *scratch);

/* For either, with `threads` OpenMP threads. */
static inline size_t depthwise_scratch_bytes(const depthwise_dims *d, int threads)
{
    size_t padded = ((size_t)d->c + 15) / 16 * 16;
    return (size_t)threads * padded * (size_t)(d->kernel[0] * d->kernel[1]) * sizeof(float);
}

depthwise_dx_fn depthwise_dx_plain, depthwise_dx_avx2, depthwise_dx_avx512;
depthwise_dw_fn depthwise_dw_plain, depthwise_dw_avx2, depthwise_dw_avx512;

#endif
