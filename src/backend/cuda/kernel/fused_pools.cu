/* Pools both ways: a thread makes eight channels of a pixel. Pixels that several windows hold come from the caches; the
 * windows of 3 x 3 that networks have are unrolled. */
#include "backend/cuda/kernel/fused_pools.h"
#include "backend/cuda/kernel/vector.h"

/* Pixel and channels of a position in [n, h, w, c / 8]. */
typedef struct {
    int n, y, x, channel;
} map_place;

DEVICE map_place map_place_of(int64_t i, int64_t h, int64_t w, int64_t c)
{
    const unsigned vectors = (unsigned)c / 8, at = (unsigned)i, pixel = at / vectors, row = pixel / (unsigned)w;
    map_place p;
    p.channel = 8 * (int)(at - pixel * vectors);
    p.x = (int)(pixel - row * (unsigned)w);
    p.n = (int)(row / (unsigned)h);
    p.y = (int)(row - (unsigned)p.n * (unsigned)h);
    return p;
}

/* Positions of a window that an average counts, along one axis. */
DEVICE int counted(const pool_attr *a, int axis, int place, int extent)
{
    const int start = place * a->stride[axis] - a->pad[axis], stop = start + a->window[axis];
    const int last = extent + a->pad[axis], begin = start > 0 ? start : 0;
    return a->count_pad ? (stop < last ? stop : last) - start : (stop < extent ? stop : extent) - begin;
}

/* chosen: as bytes */
DEVICE void store_index(uint8_t *index, int64_t at, const int *chosen)
{
    uint2 bytes;
    bytes.x = (uint32_t)chosen[0] | (uint32_t)chosen[1] << 8 | (uint32_t)chosen[2] << 16 | (uint32_t)chosen[3] << 24;
    bytes.y = (uint32_t)chosen[4] | (uint32_t)chosen[5] << 8 | (uint32_t)chosen[6] << 16 | (uint32_t)chosen[7] << 24;
    store_8(index + at, bytes);
}

/* One pixel of a window, number `number` of it: the first of equals wins, and NaN over all. */
DEVICE void take(eight *best, int *chosen, eight x, int number, bool is_first)
{
    UNROLL
    for (int k = 0; k < 8; k++)
        if (is_first || x.at[k] > best->at[k] || (x.at[k] != x.at[k] && best->at[k] == best->at[k])) {
            best->at[k] = x.at[k];
            chosen[k] = number;
        }
}

DEVICE void pool(const pool_args *a, int64_t i, const int kh, const int kw, const bool is_bf16)
{
    const map_place p = map_place_of(i, a->p, a->q, a->c);
    const int y0 = p.y * a->pool.stride[0] - a->pool.pad[0], x0 = p.x * a->pool.stride[1] - a->pool.pad[1];
    eight result = eight_of(0);
    int chosen[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    bool is_first = true;
    UNROLL
    for (int u = 0; u < kh; u++) {
        UNROLL
        for (int v = 0; v < kw; v++) {
            const int y = y0 + u, x = x0 + v;
            if (y < 0 || y >= a->h || x < 0 || x >= a->w)
                continue;
            const eight e = load_eight(a->x, (((int64_t)p.n * a->h + y) * a->w + x) * a->c + p.channel, is_bf16);
            if (a->pool.is_max) {
                take(&result, chosen, e, u * kw + v, is_first);
                is_first = false;
            } else {
                UNROLL
                for (int k = 0; k < 8; k++)
                    result.at[k] += e.at[k];
            }
        }
    }
    if (!a->pool.is_max) {
        const float divisor = (float)(counted(&a->pool, 0, p.y, (int)a->h) * counted(&a->pool, 1, p.x, (int)a->w));
        UNROLL
        for (int k = 0; k < 8; k++)
            result.at[k] /= divisor;
    }
    store_eight(a->y, 8 * i, result, is_bf16);
    if (a->index)
        store_index(a->index, 8 * i, chosen);
}

DEVICE void pool_all(const pool_args *a, const bool is_bf16)
{
    const bool is_usual = a->pool.window[0] == 3 && a->pool.window[1] == 3;
    for (int64_t i = thread_first(); 8 * i < a->n * a->p * a->q * a->c; i += thread_stride())
        if (is_usual)
            pool(a, i, 3, 3, is_bf16);
        else
            pool(a, i, a->pool.window[0], a->pool.window[1], is_bf16);
}

/* Moves x, y and the index once. */
KERNEL(fused_pool_bf16, pool_args)
{
    pool_all(&a, true);
}
KERNEL(fused_pool_f32, pool_args)
{
    pool_all(&a, false);
}

/* --- backward ----------------------------------------------------------------------------------------------------- */
/* The windows that hold a pixel, along one axis: the first of them, and the last of at most `count`. */
DEVICE int first_over(const pool_attr *a, int axis, int pixel)
{
    const int before = pixel + a->pad[axis] - a->window[axis];
    return before < 0 ? 0 : before / a->stride[axis] + 1;
}

DEVICE int last_over(const pool_attr *a, int axis, int pixel, int count)
{
    const int last = (pixel + a->pad[axis]) / a->stride[axis];
    return last < count ? last : count - 1;
}

/* dx gets window (p, q)'s part. */
DEVICE void add_window(const pool_dx_args *a, const map_place *at, int p, int q, eight *dx, const bool is_bf16)
{
    const int64_t from = (((int64_t)at->n * a->p + p) * a->q + q) * a->c + at->channel;
    const eight dy = load_eight(a->dy, from, is_bf16);
    if (a->index) {
        const uint2 bytes = load_8(a->index + from);
        const int u = at->y + a->pool.pad[0] - p * a->pool.stride[0];
        const int v = at->x + a->pool.pad[1] - q * a->pool.stride[1];
        const uint32_t number = (uint32_t)(u * a->pool.window[1] + v);
        UNROLL
        for (int k = 0; k < 8; k++)
            dx->at[k] += ((k < 4 ? bytes.x : bytes.y) >> (8 * (k % 4)) & 255u) == number ? dy.at[k] : 0;
        return;
    }
    const float share = 1.0f / (float)(counted(&a->pool, 0, p, (int)a->h) * counted(&a->pool, 1, q, (int)a->w));
    UNROLL
    for (int k = 0; k < 8; k++)
        dx->at[k] += dy.at[k] * share;
}

DEVICE void pool_dx_all(const pool_dx_args *a, const bool is_bf16)
{
    for (int64_t i = thread_first(); 8 * i < a->n * a->h * a->w * a->c; i += thread_stride()) {
        const map_place at = map_place_of(i, a->h, a->w, a->c);
        const int last_p = last_over(&a->pool, 0, at.y, (int)a->p), last_q = last_over(&a->pool, 1, at.x, (int)a->q);
        eight dx = eight_of(0);
        for (int p = first_over(&a->pool, 0, at.y); p <= last_p; p++)
            for (int q = first_over(&a->pool, 1, at.x); q <= last_q; q++)
                add_window(a, &at, p, q, &dx, is_bf16);
        store_eight(a->dx, 8 * i, dx, is_bf16);
    }
}

/* Moves dy, the index and dx once. */
KERNEL(fused_pool_dx_bf16, pool_dx_args)
{
    pool_dx_all(&a, true);
}
KERNEL(fused_pool_dx_f32, pool_dx_args)
{
    pool_dx_all(&a, false);
}
