/* What the kernel of accumulate.c is given. */
#ifndef BACKEND_CPU_KERNEL_ACCUMULATE_H
#define BACKEND_CPU_KERNEL_ACCUMULATE_H

#include "backend/cpu/kernel/kernel.h"
#include "graph/attr.h"

/* sums and grads are arenas; ranges say which elements are added */
typedef struct {
    accumulate_attr attr;
    float *sums;
    const float *grads;
    const float *loss;
    int threads;
} accumulate_args;

#endif
