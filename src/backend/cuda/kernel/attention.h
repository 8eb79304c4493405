/* What the kernels of attention.cu are given: qkv [n, t, 3 d], y [n, queries, d], log_sum [n, heads, queries]; queries
 * is t, or 1 where the first token asks alone. */
#ifndef BACKEND_CUDA_KERNEL_ATTENTION_H
#define BACKEND_CUDA_KERNEL_ATTENTION_H

#include "backend/cuda/kernel/entry.h"

#include <stdint.h>

typedef struct {
    int64_t n, t, queries, heads, c; /* c: of a head; d = heads c */
    double scale;                    /* 1 / sqrt(c) */
} attention_size;

/* sums f32 [c, n, heads, queries]: y as it grows. log_sum may be NULL. */
typedef struct {
    const void *qkv;
    void *y;
    float *log_sum, *sums;
    attention_size size;
    bool is_bf16;
} attention_args;
KERNEL_DECLARE(attention);

/* dqkv in two kernels: what queries get, with delta [n, heads, queries] for the other, the sums of dy y; and what keys
 * and values get. sums f32 [2 c, n, heads, t]: the gradients as they grow, used by one after the other. */
typedef struct {
    const void *dy, *qkv, *y;
    const float *log_sum;
    void *dqkv;
    float *delta, *sums;
    attention_size size;
    bool is_bf16;
} attention_dx_args;
KERNEL_DECLARE(attention_dq);
KERNEL_DECLARE(attention_dkv);

#endif
