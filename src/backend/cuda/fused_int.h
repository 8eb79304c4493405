/* What the files of fused kernels share. They serve what networks have: channels that are a multiple of eight. */
#ifndef BACKEND_CUDA_FUSED_INT_H
#define BACKEND_CUDA_FUSED_INT_H

#include "backend/cuda/cuda_int.h"
#include "backend/cuda/kernel/layout.h"

enum { FUSED_WIDTH = 8 }; /* numbers that a thread works on */

/* Can rows of c numbers be taken apart in eights? */
static inline bool is_in_eights(int64_t c)
{
    return c % FUSED_WIDTH == 0 && c <= INT32_MAX;
}

/* How a grid lies over [rows, c]: for passes that leave sums of each part, no more parts than fill the device; else
 * parts of few rows, so that no processor is left waiting for the last. */
column_grid column_grid_for_sums(const cuda_backend *b, int64_t rows, int64_t c);
column_grid column_grid_for_all(const cuda_backend *b, int64_t rows, int64_t c);
/* Over the pixels of one picture of several. */
column_grid column_grid_for_picture(int64_t pixels, int64_t c);
device_grid column_grid_blocks(const column_grid *g);
/* Bytes of sums [parts][2][c]. */
size_t column_sums_bytes(const column_grid *g);

/* A kernel that there is for each type. */
#define KERNEL_OF(name, is_bf16) ((is_bf16) ? &kernel_##name##_bf16 : &kernel_##name##_f32)
/* A step of a kernel of several: bindings is an array. */
#define ADD_OWN(k, kernel, grid, args, bindings)                                                                       \
    cuda_kernel_add_own(k, kernel, grid, &(args), sizeof(args), bindings, (int)(sizeof(bindings) / sizeof *(bindings)))

cuda_prepare_fn fused_batch_norm_prepare, fused_batch_norm_dx_prepare, fused_layer_norm_prepare,
    fused_layer_norm_dx_prepare;
cuda_prepare_fn fused_depthwise_prepare, fused_depthwise_dx_prepare, fused_depthwise_dw_prepare;
cuda_prepare_fn fused_add_prepare, fused_mul_prepare, fused_multiply_prepare, fused_activation_prepare,
    fused_activation_dx_prepare, fused_convert_prepare, fused_normalise_prepare;
cuda_prepare_fn fused_global_mean_prepare, fused_global_mean_dx_prepare, fused_scale_prepare, fused_scale_ds_prepare;
cuda_prepare_fn fused_pool_prepare, fused_pool_dx_prepare;

#endif
