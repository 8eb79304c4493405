/* Random numbers by number, on the device: Philox 4x32-10, the very words of base/rng.h. */
#ifndef BACKEND_CUDA_KERNEL_PHILOX_H
#define BACKEND_CUDA_KERNEL_PHILOX_H

#include "backend/cuda/kernel/kernel.h"

/* A stream as rng_at(seed, epoch, sample, use) names it; sample below 2^32. */
typedef struct {
    uint64_t seed;
    uint32_t epoch, sample, use;
} philox_stream;

/* Words 4 block .. 4 block + 3 of the stream. */
DEVICE void philox_block(uint32_t out[4], const philox_stream *s, int64_t block)
{
    uint32_t k0 = (uint32_t)s->seed, k1 = (uint32_t)(s->seed >> 32);
    uint32_t c0 = (uint32_t)block, c1 = s->epoch, c2 = s->sample, c3 = s->use << 24;
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

/* What rng_float makes of a word: [0, 1), 24 bits. */
DEVICE float philox_float(uint32_t word)
{
    return (float)(word >> 8) * 0x1p-24f;
}

#endif
