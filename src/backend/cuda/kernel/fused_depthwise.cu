/* Depthwise convolution, and the gradient of its input: a thread makes four pixels of eight channels, so that a column
 * it has loaded serves all of them that see it. Weights wait in shared memory, folded batch norm multiplied in; pixels
 * that several rows see come from the caches. */
#include "backend/cuda/kernel/fused_depthwise.h"
#include "backend/cuda/kernel/strips.h"
#include "backend/cuda/kernel/vector_activation.h"

enum {
    MAX_TAPS = DEPTHWISE_MAX_WINDOW * DEPTHWISE_MAX_WINDOW,
    MAX_COLUMNS = 2 * (STRIP - 1) + DEPTHWISE_MAX_WINDOW,
    TILE_CHANNELS = 8 * DEPTHWISE_TILE
};

/* Weights of a tile, [taps][2][DEPTHWISE_TILE][4]: threads beside each other read 16 bytes beside each other. Behind
 * them what is added to each channel, [2][DEPTHWISE_TILE][4]. */
DEVICE void stage_weights(const fused_depthwise_args *a, float *staged, const int taps)
{
    const int first = 8 * (int)(blockIdx.x % (unsigned)a->grid.tiles) * a->grid.tile;
    const int left = a->grid.c - first, channels = left < 8 * a->grid.tile ? left : 8 * a->grid.tile;
    for (int i = (int)threadIdx.x; i < channels * (taps + 1); i += DEPTHWISE_THREADS) {
        const bool is_weight = i < channels * taps;
        const int ch = is_weight ? i / taps : i - channels * taps, c = first + ch;
        const int tap = !is_weight ? taps : a->is_turned ? taps - 1 - i % taps : i % taps;
        const float scale = a->gamma ? a->gamma[c] / sqrtf(a->var[c] + a->eps) : 1;
        float v;
        if (is_weight) {
            v = a->w[(int64_t)first * taps + i] * scale;
        } else {
            v = a->bias ? a->bias[c] : 0;
            v = a->gamma ? (v - a->mean[c]) * scale + a->beta[c] : v;
        }
        staged[((2 * tap + ch % 8 / 4) * DEPTHWISE_TILE + ch / 8) * 4 + ch % 4] = v;
    }
    barrier();
}

DEVICE eight staged_at(const uint4 *staged, int tap, int vector)
{
    packed_eight v;
    v.low = load_16(staged + 2 * tap * DEPTHWISE_TILE + vector);
    v.high = load_16(staged + (2 * tap + 1) * DEPTHWISE_TILE + vector);
    return unpack(v, false);
}

/* What of the strip lies in the picture. */
DEVICE void store_strip(const fused_depthwise_args *a, const strip_place *p, int channel, const eight *y,
                        const bool is_bf16)
{
    const int64_t row = (int64_t)p->n * a->oh + p->y;
    UNROLL
    for (int j = 0; j < STRIP; j++)
        if (p->x + j < a->ow)
            store_eight(a->y, (row * a->ow + p->x + j) * a->grid.c + channel, y[j], is_bf16);
}

/* One row of the window: a column goes to each pixel and tap that meet in it. */
DEVICE void add_row(eight *y, const packed_eight *columns, const uint4 *staged, int kh, int vector, const int window,
                    const int stride, const bool is_bf16)
{
    eight w[DEPTHWISE_MAX_WINDOW];
    UNROLL
    for (int kw = 0; kw < window; kw++)
        w[kw] = staged_at(staged, kh * window + kw, vector);
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
                y[j].at[k] += x.at[k] * w[kw].at[k];
        }
    }
}

DEVICE void depthwise(const fused_depthwise_args *a, const uint4 *staged, const int window, const int stride,
                      const bool is_bf16)
{
    const strip_share s = strip_share_of(&a->grid, (int)threadIdx.x / a->grid.tile);
    for (int i = s.begin; i < s.end; i += s.step) {
        const strip_place p = strip_place_of(&a->grid, i, a->oh);
        eight y[STRIP];
        UNROLL
        for (int j = 0; j < STRIP; j++)
            y[j] = staged_at(staged, window * window, s.vector);
        for (int kh = 0; kh < window; kh++) {
            const int iy = p.y * stride + kh - window / 2;
            packed_eight columns[MAX_COLUMNS];
            if (iy < 0 || iy >= a->h)
                continue;
            load_columns(columns, a->x, (int64_t)p.n * a->h + iy, p.x * stride - window / 2,
                         stride * (STRIP - 1) + window, a->width, &a->grid, s.channel, is_bf16);
            add_row(y, columns, staged, kh, s.vector, window, stride, is_bf16);
        }
        UNROLL
        for (int j = 0; j < STRIP; j++) {
            UNROLL
            for (int k = 0; k < 8; k++)
                y[j].at[k] = activation_of(a->act, y[j].at[k], is_bf16);
        }
        store_strip(a, &p, s.channel, y, is_bf16);
    }
}

/* Move x and y once, and w for each block. */
#define DEPTHWISE(KIND, name, window, is_bf16)                                                                         \
    KIND(name, fused_depthwise_args)                                                                                   \
    {                                                                                                                  \
        SHARED(uint4, staged, (MAX_TAPS + 1) * TILE_CHANNELS / 4);                                                     \
        stage_weights(&a, (float *)staged, (window) * (window));                                                       \
        if (a.stride == 1)                                                                                             \
            depthwise(&a, staged, window, 1, is_bf16);                                                                 \
        else                                                                                                           \
            depthwise(&a, staged, window, 2, is_bf16);                                                                 \
    }
DEPTHWISE(TEAM_KERNEL_FOR_TWO, fused_depthwise_3_bf16, 3, true)
DEPTHWISE(TEAM_KERNEL_FOR_TWO, fused_depthwise_5_bf16, 5, true)
DEPTHWISE(TEAM_KERNEL, fused_depthwise_3_f32, 3, false)
DEPTHWISE(TEAM_KERNEL, fused_depthwise_5_f32, 5, false)

/* --- the gradient of x at stride 2 ------------------------------------------------------------------------------- */
/* Pixel x of dx meets tap kw at column (x + window / 2 - kw) / 2 of dy, where that is whole. A strip begins at a
 * multiple of four: of its pixel j, tap kw and column i behind half of x that is j + half - kw = 2 (i - half / 2). */
DEVICE void add_gradient_row(eight *dx, const packed_eight *columns, const uint4 *staged, int kh, int vector,
                             const int window, const bool is_bf16)
{
    const int half = window / 2;
    UNROLL
    for (int i = 0; i < (STRIP - 1 + half) / 2 + half / 2 + 1; i++) {
        const eight dy = unpack(columns[i], is_bf16);
        UNROLL
        for (int kw = 0; kw < window; kw++) {
            const int j = 2 * (i - half / 2) + kw - half;
            if (j < 0 || j >= STRIP)
                continue;
            const eight w = staged_at(staged, kh * window + kw, vector);
            UNROLL
            for (int k = 0; k < 8; k++)
                dx[j].at[k] += dy.at[k] * w.at[k];
        }
    }
}

DEVICE void gradient(const fused_depthwise_args *a, const uint4 *staged, const int window, const bool is_bf16)
{
    const int half = window / 2;
    const strip_share s = strip_share_of(&a->grid, (int)threadIdx.x / a->grid.tile);
    for (int i = s.begin; i < s.end; i += s.step) {
        const strip_place p = strip_place_of(&a->grid, i, a->oh);
        eight dx[STRIP];
        UNROLL
        for (int j = 0; j < STRIP; j++)
            dx[j] = eight_of(0);
        for (int kh = (p.y + half) % 2; kh < window; kh += 2) {
            const int y = (p.y + half - kh) / 2; /* whole; below 0 only where the sum is below -1 */
            packed_eight columns[MAX_COLUMNS];
            if (p.y + half - kh < 0 || y >= a->h)
                continue;
            load_columns(columns, a->x, (int64_t)p.n * a->h + y, p.x / 2 - half / 2,
                         (STRIP - 1 + half) / 2 + half / 2 + 1, a->width, &a->grid, s.channel, is_bf16);
            add_gradient_row(dx, columns, staged, kh, s.vector, window, is_bf16);
        }
        store_strip(a, &p, s.channel, dx, is_bf16);
    }
}

/* Move dy and dx once, and w for each block. */
#define DEPTHWISE_DX(name, window, is_bf16)                                                                            \
    TEAM_KERNEL(name, fused_depthwise_args)                                                                            \
    {                                                                                                                  \
        SHARED(uint4, staged, (MAX_TAPS + 1) * TILE_CHANNELS / 4);                                                     \
        stage_weights(&a, (float *)staged, (window) * (window));                                                       \
        gradient(&a, staged, window, is_bf16);                                                                         \
    }
DEPTHWISE_DX(fused_depthwise_dx_3_bf16, 3, true)
DEPTHWISE_DX(fused_depthwise_dx_5_bf16, 5, true)
DEPTHWISE_DX(fused_depthwise_dx_3_f32, 3, false)
DEPTHWISE_DX(fused_depthwise_dx_5_f32, 5, false)
