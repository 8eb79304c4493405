/* What the files of this room share and no other room sees. */
#ifndef IMAGE_IMAGE_INT_H
#define IMAGE_IMAGE_INT_H

#include "image/image.h"

/* A loop compiled once per instruction set and chosen by the loader. Only integer arithmetic and single IEEE operations
 * (contraction is off) live in such loops, so each form gives the same bits. Sanitizers start after the loader would
 * call the choosing code, and clang is only used for fuzzing: both take the plain form. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) &&               \
    !defined(__SANITIZE_THREAD__)
#define IMAGE_LOOP __attribute__((target_clones("default", "avx2"), optimize("O3"), noinline))
#else
#define IMAGE_LOOP
#endif

#define IMAGE_CHANNELS 3

/* Bytes behind the pixels of every buffer made here, so that a loop may store whole groups of four. */
#define IMAGE_SLACK 16

static inline size_t image_bytes(const image *im)
{
    return (size_t)im->width * (size_t)im->height * IMAGE_CHANNELS;
}

/* Decoding with a limit of one's own: image_decode passes IMAGE_MAX_PIXELS, the fuzzer less. */
MIEN_MUST_USE mien_status image_decode_limited(image *dst, const uint8_t *bytes, size_t length, const char *name,
                                               int64_t max_pixels);

/* One format each; `bytes` are known to begin with its signature. dst holds unfinished pixels after a failure. */
MIEN_MUST_USE mien_status decode_jpeg(image *dst, const uint8_t *bytes, size_t length, const char *name,
                                      int64_t max_pixels);
MIEN_MUST_USE mien_status decode_png(image *dst, const uint8_t *bytes, size_t length, const char *name,
                                     int64_t max_pixels);
MIEN_MUST_USE mien_status decode_webp(image *dst, const uint8_t *bytes, size_t length, const char *name,
                                      int64_t max_pixels);

/* Refuses an empty picture or one above max_pixels, then makes room for it. */
MIEN_MUST_USE mien_status decode_make_room(image *dst, int64_t width, int64_t height, const char *name,
                                           int64_t max_pixels);

/* EXIF orientation 1..8 of a TIFF block, with or without "Exif\0\0" before it; 1 where absent or damaged. */
int exif_orientation(const uint8_t *bytes, size_t length);
/* Turns stored pixels upright: what a viewer does for this orientation. 1 and unknown values change nothing. */
MIEN_MUST_USE mien_status image_orient(image *im, int orientation);

/* One axis of a resize (resize.c): output i is the sum over t < count[i] of weight[i * taps + t] * input[first[i] + t].
 */
typedef struct {
    int in, out; /* 0 while empty */
    int taps;    /* room for a sample's weights: at least the largest count */
    int *first, *count;
    int32_t *weight; /* [out, taps] in units of 2^-22 */
} resize_axis;

/* Memory that grows to the largest use and stays. */
typedef struct {
    void *bytes;
    size_t capacity;
} scratch_block;
/* Room for `bytes`, content undefined. */
MIEN_MUST_USE mien_status scratch_reserve(scratch_block *block, size_t bytes);

#define NOISE_QUANTILES 2048

struct image_scratch {
    resize_axis horizontal, vertical;
    scratch_block wide, sums, rows; /* named by whoever uses them */
    image spare;                    /* the picture between two steps of an augmentation */
    int16_t *quantiles;             /* [NOISE_QUANTILES] of the normal distribution in 2^-12; NULL until first used */
};

/* Augmentations one by one, for their tests. */
/* out = f * pixel, clamped and truncated */
void image_brightness(image *im, float factor);
/* out = f * pixel + (1 - f) * mean grey of the picture */
void image_contrast(image *im, float factor);
/* out = f * pixel + (1 - f) * grey of the pixel */
void image_saturation(image *im, float factor);
/* Pillow's HSV, its hue turned by that share of the circle */
void image_hue(image *im, float shift);
/* Adds normal noise of `deviation` grey levels to every channel of every pixel. */
MIEN_MUST_USE mien_status image_noise(image *im, float deviation, rng *r, image_scratch *s);

#endif
