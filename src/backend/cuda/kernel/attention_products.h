/* What the kernels of attention_products.cu are given: attention as products of whole matrices, what goes between
 * them. Rows of scores are `stride` numbers apart. */
#ifndef BACKEND_CUDA_KERNEL_ATTENTION_PRODUCTS_H
#define BACKEND_CUDA_KERNEL_ATTENTION_PRODUCTS_H

#include "backend/cuda/kernel/entry.h"

#include <stdint.h>

/* tokens [n, t, parts, heads, c] to matrices [parts, n, heads, t, c]; c a multiple of eight */
typedef struct {
    const void *tokens;
    void *matrices;
    int64_t n, t, parts, heads, c;
    bool is_bf16;
} attention_split_args;
KERNEL_DECLARE(attention_split);

/* The way back. Of part 0, tokens from `asking` on are 0, and not read. */
typedef struct {
    const void *matrices;
    void *tokens;
    int64_t n, t, parts, heads, c, asking;
    bool is_bf16;
} attention_merge_args;
KERNEL_DECLARE(attention_merge);

enum { ATTENTION_THREADS = 256, ATTENTION_ROWS = ATTENTION_THREADS / 32 }; /* a warp a row */

/* p = softmax of each of the rows of scale s, of t numbers */
typedef struct {
    const float *s;
    void *p;
    float *log_sum; /* [rows]; may be NULL */
    int64_t rows, t, stride;
    float scale;
    bool is_bf16;
} attention_softmax_args;
KERNEL_DECLARE(attention_softmax);

/* p once more, and the gradient of s from that of p */
typedef struct {
    const float *s, *dp, *log_sum;
    void *p, *ds;
    int64_t rows, t, stride;
    float scale;
    bool is_bf16;
} attention_softmax_dx_args;
KERNEL_DECLARE(attention_softmax_dx);

#endif
