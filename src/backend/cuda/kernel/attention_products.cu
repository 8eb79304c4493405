/* Between attention's products: tokens to matrices of a head each and back, eight channels a thread; and the softmax of
 * scores, and its gradient, a warp a row. */
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/attention_products.h"
#include "backend/cuda/kernel/vector.h"

/* Where the eight channels number i of matrices [parts, n, heads, t, c] lie: token and part, and their first number
 * among tokens [n, t, parts, heads, c]. */
typedef struct {
    int64_t token, part, at;
} channels;

DEVICE channels channels_of(int64_t i, int64_t n, int64_t t, int64_t parts, int64_t heads, int64_t c)
{
    const int64_t channel = i % (c / 8) * 8, token = i / (c / 8) % t, head = i / (c / 8) / t % heads;
    const int64_t sample = i / (c / 8) / t / heads % n;
    channels out;
    out.token = token;
    out.part = i / (c / 8) / t / heads / n;
    out.at = (((sample * t + token) * parts + out.part) * heads + head) * c + channel;
    return out;
}

KERNEL(attention_split, attention_split_args)
{
    const int64_t count = a.parts * a.n * a.heads * a.t * (a.c / 8);
    for (int64_t i = thread_first(); i < count; i += thread_stride()) {
        const channels from = channels_of(i, a.n, a.t, a.parts, a.heads, a.c);
        store_eight(a.matrices, i * 8, load_eight(a.tokens, from.at, a.is_bf16), a.is_bf16);
    }
}

KERNEL(attention_merge, attention_merge_args)
{
    const int64_t count = a.parts * a.n * a.heads * a.t * (a.c / 8);
    for (int64_t i = thread_first(); i < count; i += thread_stride()) {
        const channels to = channels_of(i, a.n, a.t, a.parts, a.heads, a.c);
        const bool is_asking = to.part > 0 || to.token < a.asking;
        store_eight(a.tokens, to.at, is_asking ? load_eight(a.matrices, i * 8, a.is_bf16) : eight_of(0), a.is_bf16);
    }
}

DEVICE float warp_sum(float v)
{
    for (int mask = WARP / 2; mask > 0; mask /= 2)
        v += shuffle_xor(v, mask);
    return v;
}

DEVICE float warp_max(float v)
{
    for (int mask = WARP / 2; mask > 0; mask /= 2)
        v = fmaxf(v, shuffle_xor(v, mask));
    return v;
}

/* A warp's first row, and how many there are at a time. */
DEVICE int64_t first_row(void)
{
    return (int64_t)blockIdx.x * ATTENTION_ROWS + threadIdx.x / WARP;
}
DEVICE int64_t row_stride(void)
{
    return (int64_t)gridDim.x * ATTENTION_ROWS;
}

TEAM_KERNEL(attention_softmax, attention_softmax_args)
{
    const int lane = (int)threadIdx.x % WARP;
    for (int64_t row = first_row(); row < a.rows; row += row_stride()) {
        const int64_t at = row * a.stride;
        float max = -INFINITY, sum = 0;
        for (int64_t i = lane; i < a.t; i += WARP)
            max = fmaxf(max, a.scale * a.s[at + i]);
        max = warp_max(max);
        for (int64_t i = lane; i < a.t; i += WARP)
            sum += expf(a.scale * a.s[at + i] - max);
        sum = warp_sum(sum);
        for (int64_t i = lane; i < a.t; i += WARP)
            store(a.p, at + i, expf(a.scale * a.s[at + i] - max) / sum, a.is_bf16);
        if (a.log_sum && lane == 0)
            a.log_sum[row] = max + logf(sum);
    }
}

/* The sum of dy y, that the gradient takes away, is that of dp p. */
TEAM_KERNEL(attention_softmax_dx, attention_softmax_dx_args)
{
    const int lane = (int)threadIdx.x % WARP;
    for (int64_t row = first_row(); row < a.rows; row += row_stride()) {
        const int64_t at = row * a.stride;
        const float log_sum = a.log_sum[row];
        float sum = 0;
        for (int64_t i = lane; i < a.t; i += WARP)
            sum += expf(a.scale * a.s[at + i] - log_sum) * a.dp[at + i];
        sum = warp_sum(sum);
        for (int64_t i = lane; i < a.t; i += WARP) {
            const float p = expf(a.scale * a.s[at + i] - log_sum);
            store(a.p, at + i, p, a.is_bf16);
            store(a.ds, at + i, p * (a.dp[at + i] - sum) * a.scale, a.is_bf16);
        }
    }
}
