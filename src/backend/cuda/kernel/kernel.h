/* What our kernels (*.cu) are written in: the part of CUDA that is C too. nvcc compiles them for GPUs; the tests
 * compile them a second time, as C, for an emulator (tests/backend/cuda/emulator.h), under the sanitizers.
 *
 *   KERNEL(add, add_args)            threads go their own ways; `a` is the argument struct
 *   {
 *       for (int64_t i = thread_first(); i < a.count; i += thread_stride())
 *           store(a.y, i, load(a.a, i, a.is_bf16) + load(a.b, i, a.is_bf16), a.is_bf16);
 *   }
 *   TEAM_KERNEL(row_sum, row_args)   a block's threads meet: all of them reach every barrier and every shuffle
 *   {
 *       SHARED(float, sums, 32);     one array for the block, unset at first
 *       ...
 *       barrier();
 *   }
 *
 * The argument struct of a kernel, and KERNEL_DECLARE of it, stand in a header beside its file, for the C that fills
 * it in. Results depend on no scheduling: sums have an order, and blocks never add into the same place (atomics on
 * integers alone). Activations are bf16 or f32 as `is_bf16` says, everything else is f32. */
#ifndef BACKEND_CUDA_KERNEL_KERNEL_H
#define BACKEND_CUDA_KERNEL_KERNEL_H

#include "backend/cuda/kernel/entry.h"

#include <math.h>
#include <stdint.h>

#ifdef __CUDACC__
#define DEVICE static __device__ __forceinline__
#define KERNEL_AS(name, type, is_team, bounds)                                                                         \
    static __global__ void bounds name##_body(const __grid_constant__ type a);                                         \
    extern "C" const device_kernel kernel_##name = {#name, (void (*)(void))name##_body, sizeof(type), is_team};        \
    static __global__ void bounds name##_body(const __grid_constant__ type a)
#define TWO_A_PROCESSOR __launch_bounds__(256, 2)
#define SHARED(type, name, count) __shared__ type name[count]
DEVICE void barrier(void)
{
    __syncthreads();
}
/* Another lane's v: the one whose number differs in the bits of `mask`. All 32 lanes of the warp come here. */
DEVICE float shuffle_xor(float v, int mask)
{
    return __shfl_xor_sync(0xffffffffu, v, mask);
}
DEVICE double shuffle_xor_f64(double v, int mask)
{
    return __shfl_xor_sync(0xffffffffu, v, mask);
}
DEVICE uint32_t bits_of(float v)
{
    return __float_as_uint(v);
}
DEVICE float float_of(uint32_t bits)
{
    return __uint_as_float(bits);
}
#else
#include "backend/cuda/emulator.h"
#endif

#define KERNEL(name, type) KERNEL_AS(name, type, false, )
#define TEAM_KERNEL(name, type) KERNEL_AS(name, type, true, )
/* Two blocks of 256 threads shall find room on a processor: a thread gets 128 registers at most. */
#define KERNEL_FOR_TWO(name, type) KERNEL_AS(name, type, false, TWO_A_PROCESSOR)
#define TEAM_KERNEL_FOR_TWO(name, type) KERNEL_AS(name, type, true, TWO_A_PROCESSOR)

/* Threads of a grid in a row: where this one begins, and how many there are. */
DEVICE int64_t thread_first(void)
{
    return (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
}
DEVICE int64_t thread_stride(void)
{
    return (int64_t)gridDim.x * blockDim.x;
}

/* bf16 is the upper half of an f32, rounded to nearest even; NaN stays NaN. */
DEVICE float bf16_load(uint16_t b)
{
    return float_of((uint32_t)b << 16);
}
DEVICE uint16_t bf16_round(float f)
{
    uint32_t u = bits_of(f);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((u >> 16) | 0x40u);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}
DEVICE float load(const void *p, int64_t i, bool is_bf16)
{
    return is_bf16 ? bf16_load(((const uint16_t *)p)[i]) : ((const float *)p)[i];
}
DEVICE void store(void *p, int64_t i, float v, bool is_bf16)
{
    if (is_bf16)
        ((uint16_t *)p)[i] = bf16_round(v);
    else
        ((float *)p)[i] = v;
}

/* The sum of v over a block of at most 1,024 threads, a multiple of 32, for each of them, always in the same order. */
enum { WARP = 32 };
DEVICE double block_sum(double v)
{
    SHARED(double, warps, WARP);
    const int lane = (int)(threadIdx.x % WARP), warp = (int)(threadIdx.x / WARP);
    for (int mask = WARP / 2; mask > 0; mask /= 2)
        v += shuffle_xor_f64(v, mask);
    barrier(); /* a sum before this one has been read */
    if (lane == 0)
        warps[warp] = v;
    barrier();
    v = 0;
    for (int w = 0; w < (int)(blockDim.x / WARP); w++)
        v += warps[w];
    return v;
}

/* The greatest v of the block, for each of its threads; NaN where all are. */
DEVICE float block_max(float v)
{
    SHARED(float, warps, WARP);
    const int lane = (int)(threadIdx.x % WARP), warp = (int)(threadIdx.x / WARP);
    for (int mask = WARP / 2; mask > 0; mask /= 2)
        v = fmaxf(v, shuffle_xor(v, mask));
    barrier(); /* the one before this one has been read */
    if (lane == 0)
        warps[warp] = v;
    barrier();
    for (int w = 0; w < (int)(blockDim.x / WARP); w++)
        v = fmaxf(v, warps[w]);
    return v;
}

#endif
