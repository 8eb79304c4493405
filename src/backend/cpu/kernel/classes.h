/* What softmax and cross entropy are given: by the kernels of classes.c from CLASSES_MANY classes on, by plain_ops.c
 * below. */
#ifndef BACKEND_CPU_KERNEL_CLASSES_H
#define BACKEND_CPU_KERNEL_CLASSES_H

#include "backend/cpu/kernel/kernel.h"

enum { CLASSES_MANY = 64 };

/* softmax: y = softmax(x) by rows, y may be x. softmax_dx: y = the gradient, x what softmax gave; y may be dy.
 * cross_entropy: y the probabilities of logits x, and *loss. cross_entropy_dx: y = dlogits, x the probabilities. */
typedef struct {
    const float *x, *class_weights;
    const int32_t *labels;
    const uint8_t *mask;  /* [n]: 0 = absent; NULL: all present */
    const float *targets; /* [n, c]: probabilities in place of labels */
    const float *dy;      /* softmax_dx */
    float *y, *loss;      /* y [n, c] */
    double *row_losses;   /* scratch of kernels: [n] */
    int64_t n, c;
    float smoothing;
    int threads;
} classes_args;

static inline double class_weight(const classes_args *a, int64_t class)
{
    return a->class_weights ? (double)a->class_weights[class] : 1;
}

static inline bool is_row_present(const classes_args *a, int64_t row)
{
    return a->labels[row] >= 0 && a->labels[row] < a->c && (!a->mask || a->mask[row]);
}

static inline double present_weight(const classes_args *a)
{
    double total = 0;
    for (int64_t r = 0; r < a->n; r++)
        if (is_row_present(a, r))
            total += class_weight(a, a->labels[r]);
    return total;
}

static inline double all_weight(const classes_args *a)
{
    double all = 0;
    for (int64_t i = 0; i < a->c; i++)
        all += class_weight(a, i);
    return all;
}

#endif
