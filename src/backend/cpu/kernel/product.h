/* Products of rows with packed weights, the work of 1x1 convolutions: what kernel/product.c offers to other kernels. */
#ifndef BACKEND_CPU_KERNEL_PRODUCT_H
#define BACKEND_CPU_KERNEL_PRODUCT_H

#include "backend/cpu/kernel/kernel.h"
#include "backend/cpu/kernel/vec.h"
#include "graph/attr.h"

/* Weights [outputs, k] are packed as panels of PRODUCT_PANEL outputs, [k, PRODUCT_PANEL] each, zeros behind the last
 * output. */
enum { PRODUCT_VECTORS = 2, PRODUCT_PANEL = PRODUCT_VECTORS * VEC_LANES };
/* Rows whose sums stay in registers. */
#if defined(__AVX512F__)
enum { PRODUCT_ROWS = 14 };
#elif defined(__AVX2__)
enum { PRODUCT_ROWS = 6 };
#else
enum { PRODUCT_ROWS = 2 };
#endif

/* y = act(x w + bias + residual), `rows` rows, `vectors` vectors of one panel, the last of them with `lanes` outputs.
 * x: rows of k, x_pitch elements apart. y and residual (or NULL): rows y_pitch apart, `gap` more after each `line`
 * rows. w and bias begin at the first vector. */
typedef struct {
    const float *x, *w, *bias, *residual;
    float *y;
    int64_t rows, k, x_pitch, y_pitch, line, gap;
    int vectors, lanes;
    activation_kind act;
} product_args;
void KERNEL(product)(const product_args *a);

/* What follows a sum in a folded convolution; `act` a constant. */
INLINE vf product_activation(vf v, const activation_kind act)
{
    switch (act) {
    case ACT_RELU:
        return vec_relu(v);
    case ACT_RELU6:
        return vec_relu6(v);
    case ACT_SILU:
        return vec_silu(v);
    case ACT_SIGMOID:
        return vec_sigmoid(v, false);
    default:
        return v;
    }
}

#endif
