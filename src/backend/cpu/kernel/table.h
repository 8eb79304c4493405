/* The table of kernels that each instruction set's compilation fills (table.c). Kernels do not see it: a new row
 * recompiles table.c alone of them. */
#ifndef BACKEND_CPU_KERNEL_TABLE_H
#define BACKEND_CPU_KERNEL_TABLE_H

#include "backend/cpu/kernel/kernel.h"

typedef struct {
    const char *name; /* "mien:avx2" */
    kernel_fn *normalise, *activation, *activation_dx, *add, *add_narrow, *narrow, *sub, *multiply, *mul, *sum, *scale,
        *scale_ds;
    kernel_fn *batch_norm, *batch_norm_dx;
    kernel_fn *pool, *pool_dx, *global_mean, *global_mean_dx;
    kernel_fn *depthwise, *depthwise_dx, *depthwise_dw;
    kernel_fn *conv2d_dw; /* NULL where there is no instruction for it */
    kernel_fn *linear, *linear_dx, *linear_dw;
    kernel_fn *softmax, *softmax_dx, *cross_entropy, *cross_entropy_dx;
    kernel_fn *accumulate, *optimizer;
    kernel_fn *bias_gradient, *dropout;
    kernel_fn *layer_norm, *layer_norm_dx, *attention, *attention_dx, *tokens, *tokens_dx;
    kernel_fn *conv1x1, *widen, *squeeze;
    int product_panel; /* outputs of a panel of packed weights (product.h) */
    kernel_fn *group_linear, *group_linear_dx, *group_linear_dw, *roi_embed, *roi_embed_dx;
} kernel_table;

/* Weak: at NULL where MIEN_ISAS (CMakeLists.txt) left that instruction set out. avx512_bf16 differs from avx512 in two
 * instructions: one rounds to bf16, one adds products of bf16. */
extern const kernel_table kernel_table_plain;
extern const kernel_table kernel_table_avx2 __attribute__((weak));
extern const kernel_table kernel_table_avx512 __attribute__((weak));
extern const kernel_table kernel_table_avx512_bf16 __attribute__((weak));

#endif
