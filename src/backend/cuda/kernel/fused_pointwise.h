/* What the kernels of fused_pointwise.cu are given: what those of pointwise.cu and movement.cu are, counts being
 * multiples of eight. */
#ifndef BACKEND_CUDA_KERNEL_FUSED_POINTWISE_H
#define BACKEND_CUDA_KERNEL_FUSED_POINTWISE_H

#include "backend/cuda/kernel/movement.h"
#include "backend/cuda/kernel/pointwise.h"

enum { FUSED_POINTWISE_THREADS = 256, FUSED_POINTWISE_AT_ONCE = 4 }; /* eights a thread has in flight */
KERNEL_DECLARE(fused_add_bf16);
KERNEL_DECLARE(fused_add_f32);
KERNEL_DECLARE(fused_add_f32_bf16);
KERNEL_DECLARE(fused_mul_bf16);
KERNEL_DECLARE(fused_mul_f32);
KERNEL_DECLARE(fused_multiply_bf16);
KERNEL_DECLARE(fused_multiply_f32);
KERNEL_DECLARE(fused_activation_bf16);
KERNEL_DECLARE(fused_activation_f32);
KERNEL_DECLARE(fused_activation_dx_bf16);
KERNEL_DECLARE(fused_activation_dx_f32);
KERNEL_DECLARE(fused_convert);

KERNEL_DECLARE(fused_normalise);

#endif
