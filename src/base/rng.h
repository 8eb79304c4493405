/* Counter-based random numbers (Philox 4x32-10, Salmon et al. 2011): a stream is named, not carried, so neither thread
 * count nor order of work changes a result. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t key[2];
    uint32_t counter[4]; /* counter[0] advances; the other three name the stream */
    uint32_t block[4];
    int used; /* words of `block` handed out */
} rng;

/* What a stream is for: two uses of one (seed, epoch, sample) never share numbers. Add at the end, never reorder. */
typedef enum {
    RNG_INIT,
    RNG_SHUFFLE,
    RNG_FLIP,
    RNG_CROP,
    RNG_JITTER,
    RNG_RANDAUGMENT,
    RNG_DROPOUT,
    RNG_DROP_PATH,
    RNG_MIX,
    RNG_SYNTH,
    RNG_BENCH,
    RNG_TEST,
    RNG_GREY,
    RNG_LOW_RESOLUTION,
    RNG_BLUR,
    RNG_NOISE,
    RNG_BOOTSTRAP,
    RNG_MISSING,
    RNG_ZOOM,
} rng_use;

/* The stream named (seed, epoch, sample, use); sample below 2^56. 2^34 numbers, then it repeats. */
rng rng_at(uint64_t seed, uint32_t epoch, uint64_t sample, rng_use use);
/* A stream of its own beside r's, which does not move: named by r's name and a number, a hash that is not 0. Two such
 * names could meet, as hashes do; in 2^32 they hardly will. */
rng rng_branch(const rng *r, uint32_t name);
uint32_t rng_u32(rng *r);
float rng_float(rng *r);                     /* [0, 1), 24 bits */
double rng_double(rng *r);                   /* [0, 1), 53 bits */
float rng_normal(rng *r);                    /* mean 0, variance 1 */
uint32_t rng_below(rng *r, uint32_t n);      /* 0..n-1 without bias; n > 0 */
bool rng_bool(rng *r);                       /* one half */
float rng_range(rng *r, float lo, float hi); /* [lo, hi) */
/* The Philox block itself, for kernels that number their elements. */
void rng_block(uint32_t out[4], const uint32_t key[2], const uint32_t counter[4]);
/* Shuffles 0..n-1 into order (Fisher-Yates). */
void rng_shuffle(rng *r, uint32_t *order, uint32_t n);

#endif
