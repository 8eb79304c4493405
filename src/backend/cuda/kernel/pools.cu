/* Windows of maps, and maps summed and multiplied a channel at a time: a thread an element of the result. */
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/pools.h"

#include <math.h>

/* --- windows ------------------------------------------------------------------------------------------------------ */
/* A window along one axis: where it begins, padding included, and its part inside the image, begin to end - 1. An
 * average counts `counted` positions of it. */
typedef struct {
    int64_t start, begin, end, counted;
} span;

DEVICE span window_span(const pool_attr *a, int axis, int64_t place, int64_t extent)
{
    span s;
    s.start = place * a->stride[axis] - a->pad[axis];
    const int64_t stop = s.start + a->window[axis], last = extent + a->pad[axis];
    s.begin = s.start > 0 ? s.start : 0;
    s.end = stop < extent ? stop : extent;
    s.counted = a->count_pad ? (stop < last ? stop : last) - s.start : s.end - s.begin;
    return s;
}

KERNEL(pool, pool_args)
{
    for (int64_t at = thread_first(); at < a.n * a.p * a.q * a.c; at += thread_stride()) {
        const int64_t c = at % a.c, n = at / a.c / a.q / a.p;
        const span rows = window_span(&a.pool, 0, at / a.c / a.q % a.p, a.h);
        const span columns = window_span(&a.pool, 1, at / a.c % a.q, a.w);
        double sum = 0;
        float best = 0;
        int64_t chosen = -1;
        for (int64_t u = rows.begin; u < rows.end; u++)
            for (int64_t v = columns.begin; v < columns.end; v++) {
                const float x = load(a.x, ((n * a.h + u) * a.w + v) * a.c + c, a.is_bf16);
                sum += (double)x;
                if (chosen < 0 || x > best || (isnan(x) && !isnan(best))) {
                    best = x;
                    chosen = (u - rows.start) * a.pool.window[1] + (v - columns.start);
                }
            }
        store(a.y, at, a.pool.is_max ? best : (float)(sum / (double)(rows.counted * columns.counted)), a.is_bf16);
        if (a.index)
            a.index[at] = (uint8_t)chosen;
    }
}

/* The windows that hold a pixel, along one axis: the first of them, and the last of at most `count`. */
DEVICE int64_t first_over(const pool_attr *a, int axis, int64_t pixel)
{
    const int64_t before = pixel + a->pad[axis] - a->window[axis];
    return before < 0 ? 0 : before / a->stride[axis] + 1;
}

DEVICE int64_t last_over(const pool_attr *a, int axis, int64_t pixel, int64_t count)
{
    const int64_t last = (pixel + a->pad[axis]) / a->stride[axis];
    return last < count ? last : count - 1;
}

KERNEL(pool_dx, pool_dx_args)
{
    for (int64_t at = thread_first(); at < a.n * a.h * a.w * a.c; at += thread_stride()) {
        const int64_t c = at % a.c, v = at / a.c % a.w, u = at / a.c / a.w % a.h, n = at / a.c / a.w / a.h;
        const int64_t last_p = last_over(&a.pool, 0, u, a.p), last_q = last_over(&a.pool, 1, v, a.q);
        double sum = 0;
        for (int64_t p = first_over(&a.pool, 0, u); p <= last_p; p++)
            for (int64_t q = first_over(&a.pool, 1, v); q <= last_q; q++) {
                const span rows = window_span(&a.pool, 0, p, a.h), columns = window_span(&a.pool, 1, q, a.w);
                const int64_t from = ((n * a.p + p) * a.q + q) * a.c + c;
                const double dy = (double)load(a.dy, from, a.is_bf16);
                if (!a.index)
                    sum += dy / (double)(rows.counted * columns.counted);
                else if (a.index[from] == (u - rows.start) * a.pool.window[1] + (v - columns.start))
                    sum += dy;
            }
        store(a.dx, at, (float)sum, a.is_bf16);
    }
}

/* --- a number a channel ------------------------------------------------------------------------------------------- */
KERNEL(map_sum, map_sum_args)
{
    for (int64_t i = thread_first(); i < a.n * a.c; i += thread_stride()) {
        const int64_t first = i / a.c * a.pixels * a.c + i % a.c;
        double sum = 0;
        for (int64_t pixel = 0; pixel < a.pixels; pixel++) {
            const int64_t at = first + pixel * a.c;
            sum += (double)load(a.x, at, a.is_bf16) * (a.other ? (double)load(a.other, at, a.is_bf16) : 1);
        }
        store(a.y, i, (float)(a.factor * sum), a.is_bf16);
    }
}

KERNEL(map_scale, map_scale_args)
{
    for (int64_t i = thread_first(); i < a.n * a.pixels * a.c; i += thread_stride()) {
        const double s = (double)load(a.s, i / (a.pixels * a.c) * a.c + i % a.c, a.is_bf16);
        store(a.y, i, (float)(a.factor * s * (a.x ? (double)load(a.x, i, a.is_bf16) : 1)), a.is_bf16);
    }
}
