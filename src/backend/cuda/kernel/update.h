/* What the kernels of update.cu are given. Of the arenas they walk chunks: pieces, of a few thousand elements at most,
 * of the ranges that move. Chunks are the same on every device, and so is the order of sums over them. */
#ifndef BACKEND_CUDA_KERNEL_UPDATE_H
#define BACKEND_CUDA_KERNEL_UPDATE_H

#include "backend/cuda/kernel/entry.h"
#include "graph/attr.h"

#include <stdint.h>

/* *y = sum of weights times *x, by one thread. */
enum { TOTAL_MAX = 15 };
typedef struct {
    const float *x[TOTAL_MAX];
    float weights[TOTAL_MAX];
    float *y;
    int count;
} total_args;
KERNEL_DECLARE(total);

/* A block a chunk: sums = grads where is_first, else sums + grads; the first is NaN where *loss is not finite. */
typedef struct {
    const param_range *chunks;
    int64_t chunk_count;
    const float *grads, *loss;
    float *sums;
    bool is_first;
} accumulate_args;
KERNEL_DECLARE(accumulate);

/* Numbers of one step, worked out in double as PyTorch does. */
typedef struct {
    float lr, decay, keep; /* decay: weight decay added to the gradient; keep: what AdamW leaves of a value */
    float rest1, rest2;    /* 1 - beta */
    float step_size, root; /* step_size = lr / (1 - beta1^t); root = 1 / sqrt(1 - beta2^t) */
    bool is_first;
} step_numbers;

/* In turn: optimizer_squares, a block a chunk, fills `squares`; optimizer_begin, one block, adds them up, says in *step
 * whether all is finite, and fills `numbers`; optimizer, a block a chunk, moves what is to move. */
typedef struct {
    const param_range *chunks;
    int64_t chunk_count;
    const float *grads, *loss;
    float *values, *state1, *state2; /* state1 NULL for SGD without momentum, state2 for all SGD */
    step_params *step;
    double *squares; /* [chunk_count] */
    step_numbers *numbers;
    optimizer_kind kind;
    float beta1, beta2, eps, momentum, weight_decay;
} optimizer_args;
KERNEL_DECLARE(optimizer_squares);
KERNEL_DECLARE(optimizer_begin);
KERNEL_DECLARE(optimizer);

#endif
