/* Gradient of a depthwise convolution's weights. A thread sums the taps of one row of the window, for eight channels,
 * over its strips of dy; the threads for the other rows of the window stand in the same block, so that what they read
 * in common comes from its cache. Blocks leave sums of their share of the strips, which a second kernel adds up in
 * double. */
#include "backend/cuda/kernel/fused_depthwise.h"
#include "backend/cuda/kernel/strips.h"

enum { MAX_COLUMNS = 2 * (STRIP - 1) + DEPTHWISE_MAX_WINDOW };

DEVICE void add_strip(eight *sums, const packed_eight *columns, const packed_eight *packed_dy, const int window,
                      const int stride, const bool is_bf16)
{
    eight dy[STRIP];
    UNROLL
    for (int j = 0; j < STRIP; j++)
        dy[j] = unpack(packed_dy[j], is_bf16);
    UNROLL
    for (int i = 0; i < stride * (STRIP - 1) + window; i++) {
        const eight x = unpack(columns[i], is_bf16);
        UNROLL
        for (int j = 0; j < STRIP; j++) {
            const int kw = i - j * stride;
            if (kw < 0 || kw >= window)
                continue;
            UNROLL
            for (int k = 0; k < 8; k++)
                sums[kw].at[k] += x.at[k] * dy[j].at[k];
        }
    }
}

/* The sums of a block's lanes, for each tap, vector and channel of it: [lanes][window][tile] threads. */
DEVICE void store_sums(const fused_depthwise_dw_args *a, const eight *sums, const int window)
{
    enum { PITCH = DEPTHWISE_THREADS + 8 };
    SHARED(float, numbers, 8 * PITCH);
    const strip_grid *g = &a->grid;
    const int thread = (int)threadIdx.x, tile = (int)(blockIdx.x % (unsigned)g->tiles), each = g->tile * window;
    float *out = a->sums + (int64_t)(blockIdx.x / (unsigned)g->tiles) * window * window * g->c;
    UNROLL
    for (int kw = 0; kw < window; kw++) {
        barrier();
        UNROLL
        for (int k = 0; k < 8; k++)
            numbers[k * PITCH + thread] = sums[kw].at[k];
        barrier();
        for (int i = thread; i < 8 * each; i += DEPTHWISE_THREADS) {
            const int k = i / each, at = i % each, kh = at / g->tile;
            const int channel = 8 * (tile * g->tile + at % g->tile) + k;
            float sum = 0;
            for (int lane = 0; lane < g->lanes; lane++)
                sum += numbers[k * PITCH + lane * each + at];
            if (channel < g->c)
                out[(int64_t)(kh * window + kw) * g->c + channel] = sum;
        }
    }
}

DEVICE void sum_taps(const fused_depthwise_dw_args *a, const int window, const int stride, const bool is_bf16)
{
    const int kh = (int)threadIdx.x / a->grid.tile % window;
    const strip_share s = strip_share_of(&a->grid, (int)threadIdx.x / (a->grid.tile * window));
    eight sums[DEPTHWISE_MAX_WINDOW];
    UNROLL
    for (int kw = 0; kw < window; kw++)
        sums[kw] = eight_of(0);
    for (int i = s.begin; i < s.end; i += s.step) {
        const strip_place p = strip_place_of(&a->grid, i, a->oh);
        const int iy = p.y * stride + kh - window / 2;
        packed_eight dy[STRIP], columns[MAX_COLUMNS];
        if (iy < 0 || iy >= a->h)
            continue;
        load_columns(dy, a->dy, (int64_t)p.n * a->oh + p.y, p.x, STRIP, a->ow, &a->grid, s.channel, is_bf16);
        load_columns(columns, a->x, (int64_t)p.n * a->h + iy, p.x * stride - window / 2, stride * (STRIP - 1) + window,
                     a->width, &a->grid, s.channel, is_bf16);
        add_strip(sums, columns, dy, window, stride, is_bf16);
    }
    store_sums(a, sums, window);
}

/* Move x and dy once, beside what the caches hold. */
#define DEPTHWISE_DW(name, window, is_bf16)                                                                            \
    TEAM_KERNEL(name, fused_depthwise_dw_args)                                                                         \
    {                                                                                                                  \
        if (a.stride == 1)                                                                                             \
            sum_taps(&a, window, 1, is_bf16);                                                                          \
        else                                                                                                           \
            sum_taps(&a, window, 2, is_bf16);                                                                          \
    }
DEPTHWISE_DW(fused_depthwise_dw_3_bf16, 3, true)
DEPTHWISE_DW(fused_depthwise_dw_5_bf16, 5, true)
DEPTHWISE_DW(fused_depthwise_dw_3_f32, 3, false)
DEPTHWISE_DW(fused_depthwise_dw_5_f32, 5, false)

/* Moves the sums of all parts; a warp a lane of parts, so that 32 weights beside each other are read together. */
TEAM_KERNEL(fused_depthwise_dw_sum, fused_depthwise_dw_sum_args)
{
    enum { LANES = DEPTHWISE_THREADS / WARP };
    SHARED(double, lanes, DEPTHWISE_THREADS);
    const int thread = (int)threadIdx.x, at = (int)blockIdx.x * WARP + thread % WARP, count = a.c * a.taps;
    double sum = 0;
    UNROLL_BY_8
    for (int p = thread / WARP; p < a.parts; p += LANES)
        sum += at < count ? (double)a.sums[(int64_t)p * count + at] : 0;
    lanes[thread] = sum;
    barrier();
    if (thread >= WARP || at >= count)
        return;
    for (int lane = 1; lane < LANES; lane++)
        sum += lanes[lane * WARP + thread];
    a.dw[(int64_t)(at % a.c) * a.taps + at / a.c] = (float)sum;
}
