/* Pixels made into tokens, and the first token taken back: a thread an element of the result. */
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/tokens.h"

KERNEL(tokens, tokens_args)
{
    for (int64_t i = thread_first(); i < a.n * a.t * a.d; i += thread_stride()) {
        const int64_t token = i / a.d % a.t, n = i / a.d / a.t; /* x has a row less for each of n */
        const float v = token > 0 ? load(a.x, i - (n + 1) * a.d, a.is_x_bf16) : a.first[i % a.d];
        store(a.y, i, v + a.position[i % (a.t * a.d)], a.is_y_bf16);
    }
}

KERNEL(tokens_dx, tokens_dx_args)
{
    for (int64_t i = thread_first(); i < a.n * (a.t - 1) * a.d; i += thread_stride())
        store(a.dx, i, load(a.dy, i + (i / ((a.t - 1) * a.d) + 1) * a.d, a.is_dy_bf16), a.is_dx_bf16);
}

KERNEL(tokens_dposition, tokens_dx_args)
{
    for (int64_t i = thread_first(); i < a.t * a.d; i += thread_stride()) {
        double sum = 0;
        for (int64_t n = 0; n < a.n; n++)
            sum += (double)load(a.dy, n * a.t * a.d + i, a.is_dy_bf16);
        if (a.position)
            a.position[i] = (float)sum;
        if (a.first && i < a.d)
            a.first[i] = (float)sum;
    }
}

KERNEL(first_token, first_token_args)
{
    for (int64_t i = thread_first(); i < a.n * a.d; i += thread_stride())
        store(a.y, i, load(a.x, i / a.d * a.t * a.d + i % a.d, a.is_bf16), a.is_bf16);
}

KERNEL(first_token_dx, first_token_args)
{
    for (int64_t i = thread_first(); i < a.n * a.t * a.d; i += thread_stride()) {
        const bool is_first = i / a.d % a.t == 0;
        store(a.y, i, is_first ? load(a.x, i / (a.t * a.d) * a.d + i % a.d, a.is_bf16) : 0, a.is_bf16);
    }
}
