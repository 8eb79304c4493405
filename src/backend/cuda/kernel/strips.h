/* The strips of a thread, for kernels of depthwise convolution. */
#ifndef BACKEND_CUDA_KERNEL_STRIPS_H
#define BACKEND_CUDA_KERNEL_STRIPS_H

#include "backend/cuda/kernel/fused_depthwise.h"
#include "backend/cuda/kernel/vector.h"

/* From `begin` by `step` to `end`; the first of its channels, -1 where it has none. */
typedef struct {
    int begin, end, step, channel, vector;
} strip_share;

/* Of a thread that is number `lane` of its vector's. */
DEVICE strip_share strip_share_of(const strip_grid *g, int lane)
{
    const int tile = (int)(blockIdx.x % (unsigned)g->tiles);
    const int64_t part = blockIdx.x / (unsigned)g->tiles, strips = g->strips;
    strip_share s;
    s.vector = (int)threadIdx.x % g->tile;
    s.channel = 8 * (tile * g->tile + s.vector);
    s.begin = (int)(strips * part / g->parts) + lane;
    s.end = (int)(strips * (part + 1) / g->parts);
    s.step = g->lanes;
    if (lane >= g->lanes || s.channel >= g->c) {
        s.channel = -1;
        s.begin = s.end;
    }
    return s;
}

/* Where strip i begins: picture, row, column. */
typedef struct {
    int n, y, x;
} strip_place;

DEVICE strip_place strip_place_of(const strip_grid *g, int i, int rows)
{
    const int row = i / g->strips_a_row;
    strip_place p;
    p.x = (i - row * g->strips_a_row) * STRIP;
    p.n = row / rows;
    p.y = row - p.n * rows;
    return p;
}

/* Columns x .. x + count - 1 of a row of pixels [width, c] at the share's channels; 0 outside. */
DEVICE void load_columns(packed_eight *columns, const void *pixels, int64_t row, int x, const int count, int width,
                         const strip_grid *g, int channel, const bool is_bf16)
{
    UNROLL
    for (int i = 0; i < count; i++) {
        if (x + i >= 0 && x + i < width) {
            columns[i] = load_packed(pixels, (row * width + x + i) * g->c + channel, is_bf16);
        } else {
            columns[i].low.x = columns[i].low.y = columns[i].low.z = columns[i].low.w = 0;
            columns[i].high = columns[i].low;
        }
    }
}

#endif
