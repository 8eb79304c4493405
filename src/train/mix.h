/* Mixup and CutMix: pictures of a batch mixed with the ones before them, and targets likewise. */
#ifndef TRAIN_MIX_H
#define TRAIN_MIX_H

#include "base/rng.h"
#include "data/loader.h"
#include "train/recipe.h"

bool mix_is_on(const mix_options *o);

/* How a batch is mixed: each picture with its predecessor, the first with the last. */
typedef struct {
    bool is_cut; /* CutMix: the predecessor's pixels inside the box; else Mixup: everywhere, by share */
    int x0, x1, y0, y1;
    uint32_t own; /* share of the picture's own pixels and target, in units of 2^-16 */
} mix_plan;

/* The plan of one batch of size x size pictures, from the stream (seed, epoch, batch, RNG_MIX): a run that is resumed,
 * and any number of threads, mix alike. o is on. Both on: either with probability 1/2. */
mix_plan mix_draw(const mix_options *o, int size, uint64_t seed, uint32_t epoch, int64_t batch);

/* images [count, size, size, 3] of the mixed batch, and what each of its rows [count] shows. Mixed pixels are rounded
 * to the nearest level. */
void mix_batch(uint8_t *images, task_row *rows, const mix_plan *plan, const loader_batch *batch, int size);

/* From Beta(alpha, alpha), alpha > 0. */
double mix_beta(double alpha, rng *r);

#endif
