/* What the kernel of conv2d_dw.c is given. */
#ifndef BACKEND_CPU_KERNEL_CONV2D_DW_H
#define BACKEND_CPU_KERNEL_CONV2D_DW_H

#include "backend/cpu/kernel/kernel.h"

/* Gradient of a convolution's weights: x [n, h, w, c] and dy [n, oh, ow, o] bf16, dw [o, c, kh, kw]; no groups.
 * The rest is conv2d_dw_divide's. */
typedef struct {
    const uint16_t *x, *dy;
    float *dw;
    void *scratch;
    int64_t n, h, w, c, oh, ow, o;
    int kernel[2], stride[2], dilation[2], pad[2];
    int threads;
    /* What is packed at a time: so many pairs of pictures, so many rows of dy, and the x that these meet. */
    int64_t pairs, rows, x_rows, x_columns;
    int step[2]; /* packed pixels from one output to the next */
    /* bytes of scratch: where the packed dy begins, then the sums */
    size_t dy_at, sums_at;
} conv2d_dw_args;

/* Channels of x that are summed together, in vectors of CONV2D_DW_LANES, and of dy. */
enum { CONV2D_DW_LANES = 16, CONV2D_DW_C = 2 * CONV2D_DW_LANES, CONV2D_DW_O = 8 };

static inline int64_t conv2d_dw_up(int64_t count, int64_t grain)
{
    return (count + grain - 1) / grain * grain;
}

/* As few parts of `count` as hold at most `most` each, all about as large. */
static inline int64_t conv2d_dw_even(int64_t count, int64_t most)
{
    int64_t parts = (count + most - 1) / most;
    return (count + parts - 1) / parts;
}

/* How much is packed at a time: at most about CHUNK_BYTES, so that it stays in the caches while it is summed, and
 * TILE_BYTES of a tile of x's channels, which all channels of dy meet one after another; whole pictures, else rows of
 * one pair. Sets the fields above and returns the scratch's bytes. */
static inline size_t conv2d_dw_divide(conv2d_dw_args *a)
{
    enum { TILE_BYTES = 320 << 10, CHUNK_BYTES = 2 << 20, ELEMENT = 4 };
    const int64_t c = conv2d_dw_up(a->c, CONV2D_DW_LANES), o = conv2d_dw_up(a->o, CONV2D_DW_O);
    int64_t span[2];
    for (int i = 0; i < 2; i++) {
        a->step[i] = a->kernel[i] == 1 ? 1 : a->stride[i];
        span[i] = (int64_t)(a->kernel[i] - 1) * a->dilation[i] + 1;
    }
    a->x_columns = (a->ow - 1) * a->step[1] + span[1];
    const int64_t whole_rows = (a->oh - 1) * a->step[0] + span[0];
    const int64_t tile_rows = TILE_BYTES / (a->x_columns * CONV2D_DW_C * ELEMENT);
    if (whole_rows <= tile_rows) {
        const int64_t pair_bytes = (whole_rows * a->x_columns * c + a->oh * a->ow * o) * ELEMENT;
        const int64_t by_tile = tile_rows / whole_rows, by_chunk = conv2d_dw_up(CHUNK_BYTES, pair_bytes) / pair_bytes;
        a->pairs = conv2d_dw_even((a->n + 1) / 2, by_tile < by_chunk ? by_tile : by_chunk);
        a->rows = a->oh;
    } else {
        const int64_t most = (tile_rows - span[0]) / a->step[0] + 1;
        a->pairs = 1;
        a->rows = conv2d_dw_even(a->oh, most < 1 ? 1 : most);
    }
    a->x_rows = (a->rows - 1) * a->step[0] + span[0];
    a->dy_at = (size_t)(a->pairs * a->x_rows * a->x_columns * c * ELEMENT);
    a->sums_at = a->dy_at + (size_t)conv2d_dw_up(a->pairs * a->rows * a->ow * o * ELEMENT, 64);
    return a->sums_at + (size_t)(o * c * a->kernel[0] * a->kernel[1]) * sizeof(float);
}

#endif
