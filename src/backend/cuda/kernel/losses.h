/* What the kernels of losses.cu are given. */
#ifndef BACKEND_CUDA_KERNEL_LOSSES_H
#define BACKEND_CUDA_KERNEL_LOSSES_H

#include "backend/cuda/kernel/entry.h"

#include <stdint.h>

/* A block a row of c classes.
 * softmax: y = softmax(x), y may be x. softmax_dx: y = the gradient, x what softmax gave; y may be dy.
 * class_losses: y = the probabilities of logits x, and row_losses. class_loss (one block): their mean, *loss.
 * cross_entropy_dx: y = dlogits, x the probabilities. */
typedef struct {
    const float *x, *dy;
    const float *class_weights; /* [c]; NULL: 1 each */
    const int32_t *labels;      /* [n]; NULL: targets */
    const float *targets;       /* [n, c] */
    const uint8_t *mask;        /* [n]: 0 = absent; NULL: all present */
    float *y, *loss;            /* y [n, c] */
    double *row_losses;         /* [n] */
    int64_t n, c;
    float smoothing;
} classes_args;
KERNEL_DECLARE(softmax);
KERNEL_DECLARE(softmax_dx);
KERNEL_DECLARE(class_losses);
KERNEL_DECLARE(class_loss);
KERNEL_DECLARE(cross_entropy_dx);

/* Predictions x against numbers t, both [rows, columns]: the loss, by one block, or dx of x's shape. */
typedef struct {
    const float *x, *t;
    const float *weights; /* binary_cross_entropy: of positives, [columns]; NULL: 1 each */
    const uint8_t *mask;  /* of x's shape: 0 = absent; NULL: all present */
    float *loss, *dx;
    int64_t rows, columns;
    float beta; /* regression: of smooth L1; 0: squared */
} numbers_args;
KERNEL_DECLARE(regression);
KERNEL_DECLARE(regression_dx);
KERNEL_DECLARE(binary_cross_entropy);
KERNEL_DECLARE(binary_cross_entropy_dx);
KERNEL_DECLARE(ccc);
KERNEL_DECLARE(ccc_dx); /* a block a column */

#endif
