/* The kernels of this compilation, for isa.c to pick. */
#include "backend/cpu/kernel/table.h"
#include "backend/cpu/kernel/product.h"

#define KERNEL_TEXT_(isa) #isa
#define KERNEL_NAME_(isa) "mien:" KERNEL_TEXT_(isa)

#if defined(__AVX512BF16__)
kernel_fn KERNEL(conv2d_dw);
#define CONV2D_DW KERNEL(conv2d_dw)
#else
#define CONV2D_DW NULL
#endif

kernel_fn KERNEL(normalise), KERNEL(activation), KERNEL(activation_dx), KERNEL(add), KERNEL(add_narrow), KERNEL(narrow),
    KERNEL(sub), KERNEL(multiply), KERNEL(mul), KERNEL(sum), KERNEL(scale), KERNEL(scale_ds), KERNEL(batch_norm),
    KERNEL(batch_norm_dx), KERNEL(pool), KERNEL(pool_dx), KERNEL(global_mean), KERNEL(global_mean_dx),
    KERNEL(depthwise), KERNEL(depthwise_dx), KERNEL(depthwise_dw), KERNEL(linear), KERNEL(linear_dx), KERNEL(linear_dw),
    KERNEL(softmax), KERNEL(softmax_dx), KERNEL(cross_entropy), KERNEL(cross_entropy_dx), KERNEL(accumulate),
    KERNEL(optimizer), KERNEL(bias_gradient), KERNEL(dropout), KERNEL(layer_norm), KERNEL(layer_norm_dx),
    KERNEL(attention), KERNEL(attention_dx), KERNEL(tokens), KERNEL(tokens_dx), KERNEL(conv1x1), KERNEL(widen),
    KERNEL(squeeze), KERNEL(group_linear), KERNEL(group_linear_dx), KERNEL(group_linear_dw), KERNEL(roi_embed),
    KERNEL(roi_embed_dx);

const kernel_table KERNEL(kernel_table) = {
    .name = KERNEL_NAME_(KERNEL_ISA),
    .normalise = KERNEL(normalise),
    .activation = KERNEL(activation),
    .activation_dx = KERNEL(activation_dx),
    .add = KERNEL(add),
    .add_narrow = KERNEL(add_narrow),
    .narrow = KERNEL(narrow),
    .sub = KERNEL(sub),
    .multiply = KERNEL(multiply),
    .mul = KERNEL(mul),
    .sum = KERNEL(sum),
    .scale = KERNEL(scale),
    .scale_ds = KERNEL(scale_ds),
    .batch_norm = KERNEL(batch_norm),
    .batch_norm_dx = KERNEL(batch_norm_dx),
    .pool = KERNEL(pool),
    .pool_dx = KERNEL(pool_dx),
    .global_mean = KERNEL(global_mean),
    .global_mean_dx = KERNEL(global_mean_dx),
    .depthwise = KERNEL(depthwise),
    .depthwise_dx = KERNEL(depthwise_dx),
    .depthwise_dw = KERNEL(depthwise_dw),
    .conv2d_dw = CONV2D_DW,
    .linear = KERNEL(linear),
    .linear_dx = KERNEL(linear_dx),
    .linear_dw = KERNEL(linear_dw),
    .softmax = KERNEL(softmax),
    .softmax_dx = KERNEL(softmax_dx),
    .cross_entropy = KERNEL(cross_entropy),
    .cross_entropy_dx = KERNEL(cross_entropy_dx),
    .accumulate = KERNEL(accumulate),
    .optimizer = KERNEL(optimizer),
    .bias_gradient = KERNEL(bias_gradient),
    .dropout = KERNEL(dropout),
    .layer_norm = KERNEL(layer_norm),
    .layer_norm_dx = KERNEL(layer_norm_dx),
    .attention = KERNEL(attention),
    .attention_dx = KERNEL(attention_dx),
    .tokens = KERNEL(tokens),
    .tokens_dx = KERNEL(tokens_dx),
    .conv1x1 = KERNEL(conv1x1),
    .widen = KERNEL(widen),
    .squeeze = KERNEL(squeeze),
    .product_panel = PRODUCT_PANEL,
    .group_linear = KERNEL(group_linear),
    .group_linear_dx = KERNEL(group_linear_dx),
    .group_linear_dw = KERNEL(group_linear_dw),
    .roi_embed = KERNEL(roi_embed),
    .roi_embed_dx = KERNEL(roi_embed_dx),
};
