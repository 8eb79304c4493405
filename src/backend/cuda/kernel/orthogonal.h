/* What the kernels of orthogonal.cu are given: matrices [groups, d, d], one a block. */
#ifndef BACKEND_CUDA_KERNEL_ORTHOGONAL_H
#define BACKEND_CUDA_KERNEL_ORTHOGONAL_H

#include "backend/cuda/kernel/entry.h"

#include <stdint.h>

/* out = y of w; or, on the way back, dw of dy, w and y. rows [groups, d, 2 d] is theirs to work in. */
typedef struct {
    const float *w, *y, *dy;
    float *out;
    double *rows;
    int64_t groups, d;
} orthogonal_args;
KERNEL_DECLARE(orthogonal);
KERNEL_DECLARE(orthogonal_dx);

#endif
