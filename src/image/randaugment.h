/* RandAugment (Cubuk et al. 2020) as torchvision.transforms.RandAugment does it on uint8 tensors: nearest sampling,
 * fill 0. A few operations, drawn uniformly and with replacement, all at one magnitude. */
#ifndef IMAGE_RANDAUGMENT_H
#define IMAGE_RANDAUGMENT_H

#include "image/image.h"

#define RANDAUGMENT_BINS 31    /* magnitudes are 0..30 */
#define RANDAUGMENT_MAX_OPS 16 /* more says nothing about faces, and a number that large is a mistake */

typedef enum { /* torchvision's order */
               RANDAUGMENT_IDENTITY,
               RANDAUGMENT_SHEAR_X,
               RANDAUGMENT_SHEAR_Y,
               RANDAUGMENT_TRANSLATE_X,
               RANDAUGMENT_TRANSLATE_Y,
               RANDAUGMENT_ROTATE,
               RANDAUGMENT_BRIGHTNESS,
               RANDAUGMENT_COLOR,
               RANDAUGMENT_CONTRAST,
               RANDAUGMENT_SHARPNESS,
               RANDAUGMENT_POSTERIZE,
               RANDAUGMENT_SOLARIZE,
               RANDAUGMENT_AUTO_CONTRAST,
               RANDAUGMENT_EQUALIZE,
               RANDAUGMENT_OP_COUNT
} randaugment_op;

typedef struct {
    int ops;                                 /* operations a picture, 0..RANDAUGMENT_MAX_OPS */
    int magnitude;                           /* bin 0..30 of each operation's range */
    bool include_solarize, include_equalize; /* they distort skin, so the paper took them out */
} randaugment_options;
#define RANDAUGMENT_OPTIONS_INIT ((randaugment_options){.ops = 2, .magnitude = 9})

/* MIEN_ERR_ARG for options out of range. */
MIEN_MUST_USE mien_status randaugment_check(const randaugment_options *o);

/* Changes im (dims kept) by o->ops operations. Every draw comes from the stream (seed, epoch, sample, RNG_RANDAUGMENT):
 * the same name gives the same picture; a copy that must not change from epoch to epoch passes epoch 0.
 *
 * sample  below 2^56: randaugment_copy_id for the copies of a balanced set
 * Errors  MIEN_ERR_ARG for options out of range, MIEN_ERR_NOMEM; im is then somewhere on its way. Threads: any, one
 *         scratch each. Once s has seen the size, nothing is allocated. */
MIEN_MUST_USE mien_status image_randaugment(image *im, const randaugment_options *o, uint64_t seed, uint32_t epoch,
                                            uint64_t sample, image_scratch *s);

/* The stream's name of copy `copy` (below 2^40) of class `label` (below 2^16): it depends on no other class's size. */
uint64_t randaugment_copy_id(int label, int64_t copy);

/* One drawn operation and the value it is applied with, sign included. */
typedef struct {
    randaugment_op op;
    float value;
} randaugment_step;
/* The next operation of a width x height picture; o is in range. */
randaugment_step randaugment_draw(const randaugment_options *o, int width, int height, rng *r);

/* What torchvision calls the operation ("ShearX"). */
const char *randaugment_name(randaugment_op op);
/* Whether the operation's value is negated half of the time. */
bool randaugment_is_signed(randaugment_op op);
/* The value at bin 0..30 for a width x height picture, before its sign: a shear factor, whole and part pixels, degrees,
 * what is added to a blend's factor of 1, bits kept, a threshold; 0 where the operation has none. */
float randaugment_value(randaugment_op op, int bin, int width, int height);

/* One operation on im (dims kept). Errors: MIEN_ERR_ARG for a value outside what the operation can mean (shears within
 * +-1, angles +-180 degrees, blends -1..10, bits 0..8, thresholds 0..255), MIEN_ERR_NOMEM. */
MIEN_MUST_USE mien_status randaugment_apply(image *im, randaugment_op op, float value, image_scratch *s);

#endif
