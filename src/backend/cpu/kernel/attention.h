/* What the kernels of attention.c are given. */
#ifndef BACKEND_CPU_KERNEL_ATTENTION_H
#define BACKEND_CPU_KERNEL_ATTENTION_H

#include "backend/cpu/kernel/kernel.h"

/* qkv, dqkv [n, t, 3 d], y, dy [n, queries, d], d = heads x c; log_sum [n, heads, queries] or, forward, NULL.
 * scratch: as many words a thread as attention[_dx]_scratch_words. */
typedef struct {
    const void *qkv, *dy;
    void *y; /* backward reads it */
    void *dqkv;
    float *log_sum;
    uint32_t *scratch;
    int64_t n, t, queries, d, heads, c;
    float scale;
    int threads;
    bool is_bf16;
} attention_args;
enum { ATTENTION_TILE_ROWS = 6, ATTENTION_QUERIES = 8 * ATTENTION_TILE_ROWS };
static inline int64_t attention_pad(int64_t columns) /* to whole vectors of any width */
{
    return (columns + 15) / 16 * 16;
}
static inline int64_t attention_scratch_words(int64_t t, int64_t c)
{
    int64_t tp = attention_pad(t), cp = attention_pad(c);
    return 2 * tp * cp + ATTENTION_QUERIES * 2 * (tp + cp);
}
static inline int64_t attention_dx_scratch_words(int64_t t, int64_t c)
{
    int64_t tp = attention_pad(t), cp = attention_pad(c);
    return 3 * tp * cp + 2 * (tp + ATTENTION_TILE_ROWS) * cp + ATTENTION_QUERIES * 5 * (tp + cp) +
           attention_pad(ATTENTION_QUERIES);
}

#endif
