/* Philox 4x32-10: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */
#include "base/rng.h"

#include <assert.h>
#include <math.h>

void rng_block(uint32_t out[4], const uint32_t key[2], const uint32_t counter[4])
{
    uint32_t k0 = key[0], k1 = key[1];
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u; /* the golden ratio */
        k1 += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

/* The seed is the key; the rest of the name fills the counter, so that two names below their limits never meet. */
rng rng_at(uint64_t seed, uint32_t epoch, uint64_t sample, rng_use use)
{
    return (rng){
        .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
        .counter = {0, epoch, (uint32_t)sample, (uint32_t)(sample >> 32) ^ ((uint32_t)use << 24)},
        .used = 4,
    };
}

rng rng_branch(const rng *r, uint32_t name)
{
    return (rng){
        .key = {r->key[0], r->key[1]}, .counter = {0, r->counter[1] ^ name, r->counter[2], r->counter[3]}, .used = 4};
}

uint32_t rng_u32(rng *r)
{
    if (r->used == 4) {
        rng_block(r->block, r->key, r->counter);
        r->counter[0]++;
        r->used = 0;
    }
    return r->block[r->used++];
}

float rng_float(rng *r)
{
    return (float)(rng_u32(r) >> 8) * 0x1p-24f;
}

double rng_double(rng *r)
{
    uint64_t high = rng_u32(r), low = rng_u32(r);
    return (double)((high << 32 | low) >> 11) * 0x1p-53;
}

/* Box-Muller, the cosine half alone: a stream then uses two numbers each time, whatever was asked of it before. */
float rng_normal(rng *r)
{
    float u = (float)(((double)rng_u32(r) + 0.5) * 0x1p-32); /* (0, 1]: its logarithm is finite */
    float angle = 6.28318530717958647692f * rng_float(r);
    return sqrtf(-2.0f * logf(u)) * cosf(angle);
}

/* D. Lemire, "Fast random integer generation in an interval", 2019: a product's high half, its biased fringe rejected.
 */
uint32_t rng_below(rng *r, uint32_t n)
{
    assert(n > 0);
    uint64_t product = (uint64_t)rng_u32(r) * n;
    if ((uint32_t)product < n) {
        uint32_t fringe = -n % n;
        while ((uint32_t)product < fringe)
            product = (uint64_t)rng_u32(r) * n;
    }
    return (uint32_t)(product >> 32);
}

bool rng_bool(rng *r)
{
    return rng_u32(r) >> 31;
}

float rng_range(rng *r, float lo, float hi)
{
    float value = lo + (hi - lo) * rng_float(r);
    return value < hi || hi <= lo ? value : nextafterf(hi, lo); /* rounding may reach hi, which is not in the range */
}

void rng_shuffle(rng *r, uint32_t *order, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = rng_below(r, i), kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}
