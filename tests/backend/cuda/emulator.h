/* CUDA's words for kernels compiled as C: a grid's blocks run in turn; a block's threads too, or, where they meet, as
 * fibers that change places at barriers and shuffles. Included by backend/cuda/kernel/kernel.h alone.
 *
 * What a GPU would let pass and this does not: a barrier or a shuffle that some threads of the block or warp do not
 * reach, one in a kernel that is not a TEAM_KERNEL, shared memory touched outside its array (under AddressSanitizer) or
 * read before it was written (it holds NaN). A vector access that is not aligned aborts here as it would there. */
#ifndef TESTS_BACKEND_CUDA_EMULATOR_H
#define TESTS_BACKEND_CUDA_EMULATOR_H

#include "backend/cuda/kernel/entry.h"

#include <stdint.h>
#include <string.h>

typedef struct {
    unsigned x;
} emulator_index;
extern _Thread_local emulator_index threadIdx, blockIdx, blockDim, gridDim;

#define DEVICE static inline
#define KERNEL_AS(name, type, is_team, bounds)                                                                         \
    static void name##_body(const type a);                                                                             \
    static void name##_entry(const void *args)                                                                         \
    {                                                                                                                  \
        name##_body(*(const type *)args);                                                                              \
    }                                                                                                                  \
    const device_kernel kernel_##name = {#name, (void (*)(void))name##_entry, sizeof(type), is_team};                  \
    static void name##_body(const type a)
#define SHARED(type, name, count)                                                                                      \
    static const char name##_key;                                                                                      \
    type *const name = emulator_shared(&name##_key, (count) * sizeof(type))

/* Vectors of memory, as CUDA has them. The address of an access is a multiple of its size. */
typedef struct {
    uint32_t x, y;
} uint2;
typedef struct {
    uint32_t x, y, z, w;
} uint4;
void emulator_aligned(const void *p, size_t bytes);
DEVICE uint4 load_16(const void *p)
{
    uint4 v;
    emulator_aligned(p, sizeof v);
    memcpy(&v, p, sizeof v);
    return v;
}
DEVICE void store_16(void *p, uint4 v)
{
    emulator_aligned(p, sizeof v);
    memcpy(p, &v, sizeof v);
}
DEVICE uint2 load_8(const void *p)
{
    uint2 v;
    emulator_aligned(p, sizeof v);
    memcpy(&v, p, sizeof v);
    return v;
}
DEVICE void store_8(void *p, uint2 v)
{
    emulator_aligned(p, sizeof v);
    memcpy(p, &v, sizeof v);
}

/* The block's array of this key. */
void *emulator_shared(const char *key, size_t bytes);
void barrier(void);
float shuffle_xor(float v, int mask);
double shuffle_xor_f64(double v, int mask);

DEVICE uint32_t bits_of(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}
DEVICE float float_of(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* Runs a whole grid; returns when it is done. Aborts, with a line that says why, where a kernel is wrong. */
void emulator_run(const device_kernel *kernel, int64_t blocks, int threads, const void *args);

#endif
