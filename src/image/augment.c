/* What a recipe does to a training picture. Each effect draws from its own stream, always the same number of values in
 * the same order, so that turning one effect on or off changes no other. */
#include "image/image_int.h"

#include "base/mem.h"

#include <math.h>

#define LOW_RESOLUTION_MIN 24
#define LOW_RESOLUTION_MAX 48
#define BLUR_SIGMA_MIN 0.3f
#define BLUR_SIGMA_MAX 1.5f
#define JITTER_PROBABILITY 0.8f
#define QUANTILE_BITS 12  /* fraction bits of a quantile */
#define DEVIATION_BITS 8  /* fraction bits of a deviation in grey levels */
#define DEVIATION_MAX 255 /* keeps the product of the two inside 32 bits */

/* The shorter side becomes `side` pixels, then all returns to where it was; a picture that small already stays. */
static mien_status reduce_resolution(image *im, int side, image_scratch *s)
{
    int width = im->width, height = im->height;
    int shorter = width < height ? width : height;
    if (shorter <= side)
        return MIEN_OK;
    int64_t small_width = ((int64_t)width * side + shorter / 2) / shorter;
    int64_t small_height = ((int64_t)height * side + shorter / 2) / shorter;
    TRY(image_resize(&s->spare, im, (int)small_width, (int)small_height, s));
    return image_resize(im, &s->spare, width, height, s);
}

/* torchvision's ColorJitter(s, s, s, h), applied with p 0.8: all in random order. Without hue there are three, whose
 * draws are those of recipes that know no hue. */
static void jitter(image *im, float strength, float hue, rng *r)
{
    enum { HUE = 3 };
    static void (*const change[])(image *, float) = {image_brightness, image_contrast, image_saturation, image_hue};
    const int count = hue > 0.0f ? HUE + 1 : HUE;
    bool applies = rng_float(r) < JITTER_PROBABILITY;
    uint32_t order[HUE + 1];
    rng_shuffle(r, order, (uint32_t)count);
    float low = strength < 1.0f ? 1.0f - strength : 0.0f;
    for (int i = 0; i < count; i++) {
        const bool turns = order[i] == HUE;
        float factor = rng_range(r, turns ? -hue : low, turns ? hue : 1.0f + strength);
        if (applies)
            change[order[i]](im, factor);
    }
}

/* The middles of NOISE_QUANTILES equal shares of the normal distribution. From the centre outwards each value is found
 * by Newton's steps from its neighbour: the distribution function is concave there, so they never overshoot. */
static mien_status quantiles_make(int16_t **out)
{
    int16_t *q;
    TRY(mem_alloc(&q, NOISE_QUANTILES));
    double z = 0.0;
    for (int i = NOISE_QUANTILES / 2; i < NOISE_QUANTILES; i++) {
        double share = (i + 0.5) / NOISE_QUANTILES;
        for (int step = 0; step < 12; step++)
            z += (share - 0.5 * erfc(-z * M_SQRT1_2)) * sqrt(2.0 * M_PI) * exp(0.5 * z * z);
        q[i] = (int16_t)lrint(z * (1 << QUANTILE_BITS));
        q[NOISE_QUANTILES - 1 - i] = (int16_t)-q[i];
    }
    *out = q;
    return MIEN_OK;
}

mien_status image_noise(image *im, float deviation, rng *r, image_scratch *s)
{
    if (!(deviation >= 0.0f && deviation <= DEVIATION_MAX))
        return mien_fail(MIEN_ERR_ARG, "noise: deviation %g (wanted 0..%d)", (double)deviation, DEVIATION_MAX);
    if (s->quantiles == NULL)
        TRY(quantiles_make(&s->quantiles));
    int32_t scale = (int32_t)(deviation * (1 << DEVIATION_BITS) + 0.5f);
    int shift = QUANTILE_BITS + DEVIATION_BITS;
    size_t bytes = image_bytes(im);
    uint32_t word = 0;
    for (size_t i = 0; i < bytes; i++) {
        word = i % 2 == 0 ? rng_u32(r) : word >> 16; /* a table index needs 11 bits: one word serves two levels */
        int32_t quantile = s->quantiles[word % NOISE_QUANTILES];
        int32_t level = im->pixels[i] + ((quantile * scale + (1 << (shift - 1))) >> shift);
        im->pixels[i] = (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
    }
    return MIEN_OK;
}

/* im becomes a rectangle of itself, black where that lies outside. */
static mien_status cut_out(image *im, int x, int y, int width, int height, image_scratch *s)
{
    TRY(image_crop(&s->spare, im, x, y, width, height, 0));
    image kept = *im;
    *im = s->spare;
    s->spare = kept;
    return MIEN_OK;
}

/* A crop of the picture's own size at a random place of the padded picture. */
static mien_status crop_at_random(image *im, int pad, rng *r, image_scratch *s)
{
    int x = (int)rng_below(r, 2 * (uint32_t)pad + 1) - pad;
    int y = (int)rng_below(r, 2 * (uint32_t)pad + 1) - pad;
    if (x == 0 && y == 0)
        return MIEN_OK;
    return cut_out(im, x, y, im->width, im->height, s);
}

int image_zoom_side(const augment_options *o, int size)
{
    return o->zoom > 1.0f ? (int)lrintf(o->zoom * (float)size) : size;
}

mien_status image_random_part(image *im, int size, uint64_t seed, uint32_t epoch, uint64_t sample, image_scratch *s)
{
    if (im->width <= size)
        return MIEN_OK;
    rng r = rng_at(seed, epoch, sample, RNG_ZOOM);
    int x = (int)rng_below(&r, (uint32_t)(im->width - size) + 1);
    int y = (int)rng_below(&r, (uint32_t)(im->height - size) + 1);
    return cut_out(im, x, y, size, size, s);
}

bool image_is_mirrored(const augment_options *o, uint64_t seed, uint32_t epoch, uint64_t sample)
{
    rng r = rng_at(seed, epoch, sample, RNG_FLIP);
    return o->flip && rng_bool(&r);
}

mien_status image_augment(image *im, const augment_options *o, uint64_t seed, uint32_t epoch, uint64_t sample,
                          image_scratch *s)
{
    if (o->grey > 0.0f) {
        rng r = rng_at(seed, epoch, sample, RNG_GREY);
        if (rng_float(&r) < o->grey)
            image_grey(im);
    }
    if (o->low_resolution > 0.0f) {
        rng r = rng_at(seed, epoch, sample, RNG_LOW_RESOLUTION);
        if (rng_float(&r) < o->low_resolution) {
            int side = LOW_RESOLUTION_MIN + (int)rng_below(&r, LOW_RESOLUTION_MAX - LOW_RESOLUTION_MIN + 1);
            TRY(reduce_resolution(im, side, s));
        }
    }
    if (o->blur > 0.0f) {
        rng r = rng_at(seed, epoch, sample, RNG_BLUR);
        if (rng_float(&r) < o->blur)
            TRY(image_blur(im, rng_range(&r, BLUR_SIGMA_MIN, BLUR_SIGMA_MAX), s));
    }
    if (o->jitter > 0.0f || o->hue > 0.0f) {
        rng r = rng_at(seed, epoch, sample, RNG_JITTER);
        jitter(im, o->jitter, o->hue, &r);
    }
    if (o->crop > 0) {
        rng r = rng_at(seed, epoch, sample, RNG_CROP);
        TRY(crop_at_random(im, o->crop, &r, s));
    }
    if (image_is_mirrored(o, seed, epoch, sample))
        image_flip_horizontal(im);
    if (o->noise > 0.0f) {
        rng r = rng_at(seed, epoch, sample, RNG_NOISE);
        float deviation = rng_range(&r, 0.0f, o->noise);
        TRY(image_noise(im, deviation, &r, s));
    }
    return MIEN_OK;
}
