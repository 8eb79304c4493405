/* What the kernels of fused_depthwise.cu and fused_depthwise_dw.cu are given. */
#ifndef BACKEND_CUDA_KERNEL_FUSED_DEPTHWISE_H
#define BACKEND_CUDA_KERNEL_FUSED_DEPTHWISE_H

#include "backend/cuda/kernel/entry.h"
#include "graph/attr.h"

#include <stdbool.h>
#include <stdint.h>

/* A thread makes strips of STRIP pixels of a row, of eight channels; a block has `tile` vectors of channels beside each
 * other, at most DEPTHWISE_TILE, and one of `parts` shares of the strips. The blocks are [parts][tiles]. */
enum { STRIP = 4, DEPTHWISE_TILE = 16, DEPTHWISE_THREADS = 256, DEPTHWISE_MAX_WINDOW = 5 };
typedef struct {
    int strips, strips_a_row; /* of all rows of all pictures */
    int c, tile, tiles, lanes, parts;
} strip_grid;

/* Convolutions of each channel by itself, windows of 3 or 5, padded by half of it, w [c, window, window].
 *
 * fused_depthwise_*: x [n, h, w, c] -> y [n, oh, ow, c], act(w * x + b), or with folded batch norm, see op.h. Also the
 * gradient of x where the stride is 1: then x is dy, y dx, and w is turned around.
 * fused_depthwise_dx_*: of dy [n, h, w, c] at stride 2 -> dx [n, oh, ow, c]. */
typedef struct {
    const void *x;
    const float *w, *bias, *gamma, *beta, *mean, *var; /* NULL: none */
    void *y;
    strip_grid grid;
    int h, width, oh, ow, stride;
    float eps;
    activation_kind act;
    bool is_turned;
} fused_depthwise_args;
KERNEL_DECLARE(fused_depthwise_3_bf16);
KERNEL_DECLARE(fused_depthwise_5_bf16);
KERNEL_DECLARE(fused_depthwise_3_f32);
KERNEL_DECLARE(fused_depthwise_5_f32);
KERNEL_DECLARE(fused_depthwise_dx_3_bf16);
KERNEL_DECLARE(fused_depthwise_dx_5_bf16);
KERNEL_DECLARE(fused_depthwise_dx_3_f32);
KERNEL_DECLARE(fused_depthwise_dx_5_f32);

/* sums [parts][window window][c]: of x dy at each tap. */
typedef struct {
    const void *x, *dy;
    float *sums;
    strip_grid grid; /* strips are dy's */
    int h, width, oh, ow, stride;
} fused_depthwise_dw_args;
KERNEL_DECLARE(fused_depthwise_dw_3_bf16);
KERNEL_DECLARE(fused_depthwise_dw_5_bf16);
KERNEL_DECLARE(fused_depthwise_dw_3_f32);
KERNEL_DECLARE(fused_depthwise_dw_5_f32);

/* dw [c, taps] of sums [parts][taps][c]. */
typedef struct {
    const float *sums;
    float *dw;
    int c, taps, parts;
} fused_depthwise_dw_sum_args;
KERNEL_DECLARE(fused_depthwise_dw_sum);

#endif
