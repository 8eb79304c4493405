/* What the kernels of regions.cu are given: products [n, h, w, 9 taps, regions, d], attention [n, h, w, regions], y
 * [n, h, w, regions, d], all of one type. */
#ifndef BACKEND_CUDA_KERNEL_REGIONS_H
#define BACKEND_CUDA_KERNEL_REGIONS_H

#include "backend/cuda/kernel/entry.h"

#include <stdint.h>

typedef struct {
    int64_t n, h, w, regions, d;
} roi_size;

/* bias [regions, d] f32, or NULL */
typedef struct {
    const void *products, *attention;
    const float *bias;
    void *y;
    roi_size size;
    bool is_bf16;
} roi_embed_args;
KERNEL_DECLARE(roi_embed);

/* The gradients of attention and of the products, a kernel each; dproducts may be products, so that of attention comes
 * first. */
typedef struct {
    const void *dy, *products, *attention;
    void *dattention, *dproducts;
    roi_size size;
    bool is_bf16;
} roi_embed_dx_args;
KERNEL_DECLARE(roi_embed_dattention);
KERNEL_DECLARE(roi_embed_dproducts);

#endif
