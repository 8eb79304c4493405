/* What the kernels of fused_pools.cu are given: what those of pools.cu are, c being a multiple of eight, and the maps
 * of fewer than 2^31 eights. */
#ifndef BACKEND_CUDA_KERNEL_FUSED_POOLS_H
#define BACKEND_CUDA_KERNEL_FUSED_POOLS_H

#include "backend/cuda/kernel/pools.h"

KERNEL_DECLARE(fused_pool_bf16);
KERNEL_DECLARE(fused_pool_f32);
KERNEL_DECLARE(fused_pool_dx_bf16);
KERNEL_DECLARE(fused_pool_dx_f32);

#endif
