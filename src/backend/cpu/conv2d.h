/* What the two files of convolutions share: descriptors. */
#ifndef BACKEND_CPU_CONV2D_H
#define BACKEND_CPU_CONV2D_H

#include "backend/cpu/cpu_int.h"

/* Everything that a convolution's descriptors say. */
typedef struct {
    dnnl_memory_desc_t x, w, w_f32, w_plain, b, y; /* w, w_f32: in any layout; w_plain: f32 as stored */
    dnnl_dims_t stride, dilation, pad_begin, pad_end;
} conv_desc;

/* x, y: shapes of the forward input and output; half: activations are bf16. conv_desc_free releases it. */
MIEN_MUST_USE mien_status conv_desc_make(conv_desc *d, const conv2d_attr *attr, const shape *x, const shape *w,
                                         const shape *y, bool half);
void conv_desc_free(conv_desc *d);
/* Attributes of a primitive with its post operations. Scratchpads are ours, so that a program's memory is planned
 * whole.
 */
MIEN_MUST_USE mien_status conv_attr_make(dnnl_primitive_attr_t *out, activation_kind act,
                                         const_dnnl_memory_desc_t residual);
/* What backward primitives are made from; the forward descriptor is their hint. Free each. */
MIEN_MUST_USE mien_status conv_backward_make(conv_desc *d, dnnl_primitive_desc_t *hint, dnnl_primitive_attr_t *attr,
                                             cpu_prepare *p, const conv2d_attr *conv, const shape *x, const shape *w,
                                             const shape *dy, bool half);

#endif
