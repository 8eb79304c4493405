/* What the kernels of roi_embed.c are given. */
#ifndef BACKEND_CPU_KERNEL_ROI_EMBED_H
#define BACKEND_CPU_KERNEL_ROI_EMBED_H

#include "backend/cpu/kernel/kernel.h"

/* products [n, h, w, 9, regions, d], attention [n, h, w, regions], bias [regions d] f32 or NULL, y [n, h, w, regions,
 * d]. Backward: y is dy; dproducts may be products, dproducts and dattention may be NULL. */
typedef struct {
    const void *products, *attention;
    const float *bias;
    void *y, *dproducts, *dattention;
    int64_t n, h, w, regions, d;
    int threads;
    bool is_bf16;
} roi_embed_args;

#endif
