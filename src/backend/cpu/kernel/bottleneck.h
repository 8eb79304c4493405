/* What the kernels of bottleneck.c are given. */
#ifndef BACKEND_CPU_KERNEL_BOTTLENECK_H
#define BACKEND_CPU_KERNEL_BOTTLENECK_H

#include "backend/cpu/kernel/kernel.h"
#include "graph/attr.h"

/* The wide channels are a multiple of the one; at most so many are computed at a time. */
enum { BOTTLENECK_LANES = 16, BOTTLENECK_CHUNK = 32 };

/* A wider copy of x and its depthwise convolution, f32: y [n, oh, ow, c] = act(w * act(x v + b) + bias), x [n, h, w,
 * k]. expand (v): packed in panels (product.h), or NULL: x itself is widened, c = k. w [kh kw, c]. sums [n, bands, c]:
 * of y over the rows of each band. scratch: widen_part_floats for each thread. */
typedef struct {
    const float *x, *expand, *expand_bias, *w, *bias;
    float *y, *sums, *scratch;
    int64_t n, h, width, k, c, oh, ow;
    int64_t bands, band; /* output rows [i band, (i + 1) band) are band i */
    int kernel, stride, pad[2];
    activation_kind expand_act, act;
    int threads;
} widen_args;

static inline int64_t widen_columns(const widen_args *a)
{
    int64_t reached = (a->ow - 1) * a->stride + a->kernel, given = a->width + a->pad[1];
    return reached > given ? reached : given;
}
static inline int64_t widen_rows(const widen_args *a)
{
    return (a->band - 1) * a->stride + a->kernel;
}
static inline int64_t widen_part_floats(const widen_args *a)
{
    return widen_rows(a) * widen_columns(a) * BOTTLENECK_CHUNK;
}

/* s [n, c] = sigmoid(w2 silu(w1 mean + b1) + b2), of sums over `bands` that make `hw` pixels. w1 [squeezed, c], w2
 * [squeezed, c] (transposed); scratch [n, c + squeezed]. */
typedef struct {
    const float *sums, *w1, *b1, *w2, *b2;
    float *s, *scratch;
    int64_t n, bands, hw, c, squeezed;
    int threads;
} squeeze_args;

#endif
