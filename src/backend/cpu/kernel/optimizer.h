/* What the kernel of optimizer.c is given. */
#ifndef BACKEND_CPU_KERNEL_OPTIMIZER_H
#define BACKEND_CPU_KERNEL_OPTIMIZER_H

#include "backend/cpu/kernel/kernel.h"
#include "graph/attr.h"

/* grads, values and states are arenas; ranges say which elements move. scratch [threads] doubles */
typedef struct {
    optimizer_attr attr;
    float *values, *state1, *state2;
    const float *grads;
    const float *loss; /* NULL: not checked */
    void *step;        /* step_params */
    double *scratch;
    int threads;
} optimizer_args;

#endif
