/* Smooth random fields over space: the same place always gives the same value. Cheap hashes of the lattice, not Philox:
 * a picture asks for them a hundred thousand times. */
#ifndef SYNTH_NOISE_H
#define SYNTH_NOISE_H

#include "synth/mesh/vec.h"

#include <stdint.h>

#define HASH_X 0x8DA6B343u
#define HASH_Y 0xD8163841u
#define HASH_Z 0xCB1AB31Fu

static inline uint32_t hash_lattice(int32_t x, int32_t y, int32_t z, uint32_t seed)
{
    uint32_t h = seed ^ (uint32_t)x * HASH_X ^ (uint32_t)y * HASH_Y ^ (uint32_t)z * HASH_Z;
    h ^= h >> 15;
    h *= 0x2C1B3C6Du;
    h ^= h >> 12;
    h *= 0x297A2D39u;
    return h ^ (h >> 15);
}
static inline float hash_float(int32_t x, int32_t y, int32_t z, uint32_t seed)
{
    return (float)(hash_lattice(x, y, z, seed) >> 8) * 0x1p-24f;
}
static inline float noise_fade(float t)
{
    return t * t * (3 - 2 * t);
}

/* Value noise, [0, 1), one lattice cell per unit. */
static inline float noise_1d(float x, uint32_t seed)
{
    int32_t ix = floor_int(x);
    return mixf(hash_float(ix, 0, 0, seed), hash_float(ix + 1, 0, 0, seed), noise_fade(x - (float)ix));
}
/* Corners of a lattice cell side by side: what follows gives the same bits as hash_float and mixf, one by one. */
typedef uint32_t hash_lanes __attribute__((vector_size(16)));
typedef float noise_lanes __attribute__((vector_size(16)));

/* h: seed and coordinates, each times its own constant, mixed by exclusive or. */
static inline noise_lanes hash_floats(hash_lanes h)
{
    typedef int32_t int_lanes __attribute__((vector_size(16)));
    h ^= h >> 15;
    h *= 0x2C1B3C6Du;
    h ^= h >> 12;
    h *= 0x297A2D39u;
    h ^= h >> 15;
    return __builtin_convertvector((int_lanes)(h >> 8), noise_lanes) * 0x1p-24f;
}
static inline float noise_2d(float x, float y, uint32_t seed)
{
    int32_t ix = floor_int(x), iy = floor_int(y);
    float u = noise_fade(x - (float)ix), v = noise_fade(y - (float)iy);
    uint32_t x0 = seed ^ (uint32_t)ix * HASH_X, x1 = seed ^ (uint32_t)(ix + 1) * HASH_X;
    uint32_t y0 = (uint32_t)iy * HASH_Y, y1 = (uint32_t)(iy + 1) * HASH_Y;
    noise_lanes c = hash_floats((hash_lanes){x0 ^ y0, x1 ^ y0, x0 ^ y1, x1 ^ y1});
    return mixf(mixf(c[0], c[1], u), mixf(c[2], c[3], u), v);
}
static inline float noise_3d(vec3 p, uint32_t seed)
{
    int32_t x = floor_int(p.x), y = floor_int(p.y), z = floor_int(p.z);
    float u = noise_fade(p.x - (float)x), v = noise_fade(p.y - (float)y), w = noise_fade(p.z - (float)z);
    uint32_t y0 = (uint32_t)y * HASH_Y, y1 = (uint32_t)(y + 1) * HASH_Y;
    uint32_t z0 = (uint32_t)z * HASH_Z, z1 = (uint32_t)(z + 1) * HASH_Z;
    hash_lanes yz = {y0 ^ z0, y1 ^ z0, y0 ^ z1, y1 ^ z1};
    noise_lanes left = hash_floats(yz ^ (seed ^ (uint32_t)x * HASH_X));
    noise_lanes right = hash_floats(yz ^ (seed ^ (uint32_t)(x + 1) * HASH_X));
    noise_lanes c = left + (right - left) * u;
    return mixf(mixf(c[0], c[1], v), mixf(c[2], c[3], v), w);
}

#endif
