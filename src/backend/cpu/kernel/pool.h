/* What the kernels of pool.c are given. */
#ifndef BACKEND_CPU_KERNEL_POOL_H
#define BACKEND_CPU_KERNEL_POOL_H

#include "backend/cpu/kernel/kernel.h"
#include "graph/attr.h"

/* x [n, h, w, c], y [n, oh, ow, c], index as y or NULL. Backward: y is dy, x is dx. */
typedef struct {
    void *x, *y;
    uint8_t *index;
    int64_t n, h, w, c, oh, ow;
    pool_attr pool;
    int threads;
    bool is_bf16;
} pool_args;

#endif
