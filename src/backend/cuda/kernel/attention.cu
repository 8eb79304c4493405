/* Attention: a thread a query, or a key, of a head. Neither scores nor probabilities are kept: they are computed again
 * wherever they are needed. What a thread adds up for its c channels lies in memory, threads beside each other. */
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/attention.h"

#include <math.h>

enum { QUERY, KEY, VALUE, PARTS };

/* The first of a token's c channels of a head in qkv. */
DEVICE int64_t qkv_at(const attention_size *s, int64_t n, int64_t token, int part, int64_t head)
{
    return ((n * s->t + token) * PARTS + part) * s->heads * s->c + head * s->c;
}

/* The first of them in y. */
DEVICE int64_t y_at(const attention_size *s, int64_t n, int64_t query, int64_t head)
{
    return ((n * s->queries + query) * s->heads + head) * s->c;
}

/* The product of c channels of a with those of b. */
DEVICE double dot(const void *a, int64_t at_a, const void *b, int64_t at_b, int64_t c, bool is_bf16)
{
    double sum = 0;
    for (int64_t i = 0; i < c; i++)
        sum += (double)load(a, at_a + i, is_bf16) * (double)load(b, at_b + i, is_bf16);
    return sum;
}

DEVICE double score(const void *qkv, const attention_size *s, int64_t n, int64_t head, int64_t query, int64_t token,
                    bool is_bf16)
{
    return s->scale * dot(qkv, qkv_at(s, n, query, QUERY, head), qkv, qkv_at(s, n, token, KEY, head), s->c, is_bf16);
}

/* sums[i of stride] gets factor times channel i of x, more than it holds, or all it holds where is_first. */
DEVICE void add_channels(float *sums, int64_t stride, bool is_first, double factor, const void *x, int64_t at,
                         int64_t c, bool is_bf16)
{
    for (int64_t i = 0; i < c; i++)
        sums[i * stride] =
            (float)((is_first ? 0 : (double)sums[i * stride]) + factor * (double)load(x, at + i, is_bf16));
}

DEVICE void store_channels(void *y, int64_t at, const float *sums, int64_t stride, int64_t c, bool is_bf16)
{
    for (int64_t i = 0; i < c; i++)
        store(y, at + i, sums[i * stride], is_bf16);
}

KERNEL(attention, attention_args)
{
    const attention_size *s = &a.size;
    const int64_t rows = s->n * s->heads * s->queries;
    for (int64_t row = thread_first(); row < rows; row += thread_stride()) {
        const int64_t query = row % s->queries, head = row / s->queries % s->heads, n = row / s->queries / s->heads;
        double max = -INFINITY, sum = 0;
        for (int64_t token = 0; token < s->t; token++) {
            const double x = score(a.qkv, s, n, head, query, token, a.is_bf16);
            sum = x > max ? sum * exp(max - x) + 1 : sum + exp(x - max);
            max = x > max ? x : max;
        }
        const double log_sum = max + log(sum);
        for (int64_t token = 0; token < s->t; token++)
            add_channels(a.sums + row, rows, token == 0,
                         exp(score(a.qkv, s, n, head, query, token, a.is_bf16) - log_sum), a.qkv,
                         qkv_at(s, n, token, VALUE, head), s->c, a.is_bf16);
        store_channels(a.y, y_at(s, n, query, head), a.sums + row, rows, s->c, a.is_bf16);
        if (a.log_sum)
            a.log_sum[row] = (float)log_sum;
    }
}

/* How much a query listens to a token, and the gradient of the product of theirs. */
typedef struct {
    double p, ds;
} listening;

DEVICE listening listen(const attention_dx_args *a, int64_t n, int64_t head, int64_t query, int64_t token, double delta)
{
    const attention_size *s = &a->size;
    const int64_t row = (n * s->heads + head) * s->queries + query;
    const double dp = dot(a->dy, y_at(s, n, query, head), a->qkv, qkv_at(s, n, token, VALUE, head), s->c, a->is_bf16);
    listening l;
    l.p = exp(score(a->qkv, s, n, head, query, token, a->is_bf16) - (double)a->log_sum[row]);
    l.ds = l.p * (dp - delta) * s->scale;
    return l;
}

KERNEL(attention_dq, attention_dx_args)
{
    const attention_size *s = &a.size;
    const int64_t rows = s->n * s->heads * s->queries;
    for (int64_t row = thread_first(); row < rows; row += thread_stride()) {
        const int64_t query = row % s->queries, head = row / s->queries % s->heads, n = row / s->queries / s->heads;
        const int64_t own = y_at(s, n, query, head);
        const double delta = dot(a.dy, own, a.y, own, s->c, a.is_bf16);
        for (int64_t token = 0; token < s->t; token++)
            add_channels(a.sums + row, rows, token == 0, listen(&a, n, head, query, token, delta).ds, a.qkv,
                         qkv_at(s, n, token, KEY, head), s->c, a.is_bf16);
        store_channels(a.dqkv, qkv_at(s, n, query, QUERY, head), a.sums + row, rows, s->c, a.is_bf16);
        a.delta[row] = (float)delta;
    }
}

KERNEL(attention_dkv, attention_dx_args)
{
    const attention_size *s = &a.size;
    const int64_t rows = s->n * s->heads * s->t;
    for (int64_t row = thread_first(); row < rows; row += thread_stride()) {
        const int64_t token = row % s->t, head = row / s->t % s->heads, n = row / s->t / s->heads;
        float *dk = a.sums + row, *dv = a.sums + s->c * rows + row;
        for (int64_t query = 0; query < s->queries; query++) {
            const double delta = (double)a.delta[(n * s->heads + head) * s->queries + query];
            const listening l = listen(&a, n, head, query, token, delta);
            add_channels(dk, rows, query == 0, l.ds, a.qkv, qkv_at(s, n, query, QUERY, head), s->c, a.is_bf16);
            add_channels(dv, rows, query == 0, l.p, a.dy, y_at(s, n, query, head), s->c, a.is_bf16);
        }
        store_channels(a.dqkv, qkv_at(s, n, token, KEY, head), dk, rows, s->c, a.is_bf16);
        store_channels(a.dqkv, qkv_at(s, n, token, VALUE, head), dv, rows, s->c, a.is_bf16);
        for (int64_t i = 0; token >= s->queries && i < s->c; i++) /* it did not ask */
            store(a.dqkv, qkv_at(s, n, token, QUERY, head) + i, 0, a.is_bf16);
    }
}
