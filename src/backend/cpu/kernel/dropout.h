/* What the kernel of dropout.c is given. */
#ifndef BACKEND_CPU_KERNEL_DROPOUT_H
#define BACKEND_CPU_KERNEL_DROPOUT_H

#include "backend/cpu/kernel/kernel.h"

/* y = x kept or dropped, see op.h. A drop path keeps or drops a sample; dropout's samples are single elements. */
typedef struct {
    const void *x;
    void *y;
    const void *step; /* step_params */
    int64_t samples, per_sample;
    float p;
    uint32_t stream;
    int threads;
    bool is_per_sample, is_bf16;
} dropout_args;

#endif
