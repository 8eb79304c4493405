/* Smooth random fields over space: the same place always gives the same value. Cheap hashes of the lattice, not Philox:
 * a picture asks for them a hundred thousand times. */
#ifndef SYNTH_NOISE_H
#define SYNTH_NOISE_H

#include "synth/mesh/vec.h"

#include <stdint.h>

static inline uint32_t hash_lattice(int32_t x, int32_t y, int32_t z, uint32_t seed)
{
    uint32_t h = seed ^ (uint32_t)x * 0x8DA6B343u ^ (uint32_t)y * 0xD8163841u ^ (uint32_t)z * 0xCB1AB31Fu;
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
static inline float noise_2d(float x, float y, uint32_t seed)
{
    int32_t ix = floor_int(x), iy = floor_int(y);
    float u = noise_fade(x - (float)ix), v = noise_fade(y - (float)iy);
    return mixf(mixf(hash_float(ix, iy, 0, seed), hash_float(ix + 1, iy, 0, seed), u),
                mixf(hash_float(ix, iy + 1, 0, seed), hash_float(ix + 1, iy + 1, 0, seed), u), v);
}
static inline float noise_3d(vec3 p, uint32_t seed)
{
    int32_t x = floor_int(p.x), y = floor_int(p.y), z = floor_int(p.z);
    float u = noise_fade(p.x - (float)x), v = noise_fade(p.y - (float)y), w = noise_fade(p.z - (float)z);
    float near = mixf(mixf(hash_float(x, y, z, seed), hash_float(x + 1, y, z, seed), u),
                      mixf(hash_float(x, y + 1, z, seed), hash_float(x + 1, y + 1, z, seed), u), v);
    float far = mixf(mixf(hash_float(x, y, z + 1, seed), hash_float(x + 1, y, z + 1, seed), u),
                     mixf(hash_float(x, y + 1, z + 1, seed), hash_float(x + 1, y + 1, z + 1, seed), u), v);
    return mixf(near, far, w);
}

#endif
