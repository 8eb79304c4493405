/* RandAugment's operations on levels that training's own augmentations do not have: sharpness, posterize, solarize,
 * auto-contrast, equalize. Formulas: torchvision 0.14, transforms/functional_tensor.py. */
#include "image/randaugment_int.h"

#include <math.h>
#include <string.h>

#define LEVELS 256

/* dst = ratio a + rest b, clamped and truncated */
IMAGE_LOOP static void levels_blend(uint8_t *restrict dst, const uint8_t *restrict a, const uint8_t *restrict b,
                                    size_t count, float ratio, float rest)
{
    for (size_t i = 0; i < count; i++) {
        float value = ratio * a[i] + rest * b[i];
        value = value > 0.0f ? value : 0.0f;
        value = value < 255.0f ? value : 255.0f;
        dst[i] = (uint8_t)(int32_t)value;
    }
}

/* dst [count] = the 3x3 mean in which the middle counts five times, to the nearest level. torchvision convolves in
 * single precision and rounds: a thirteenth never lies between two levels, so whole numbers give the same. The pointers
 * lead to the first pixel that has neighbours on both sides. */
IMAGE_LOOP static void row_smooth(uint8_t *restrict dst, const uint8_t *restrict above, const uint8_t *restrict at,
                                  const uint8_t *restrict below, size_t count)
{
    const int next = IMAGE_CHANNELS;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *a = above + i, *m = at + i, *b = below + i;
        uint16_t sum =
            (uint16_t)(a[-next] + a[0] + a[next] + m[-next] + 5 * m[0] + m[next] + b[-next] + b[0] + b[next]);
        dst[i] = (uint8_t)((uint16_t)(sum + 6) / 13);
    }
}

mien_status randaugment_sharpness(image *im, float change, image_scratch *s)
{
    if (im->width < 3 || im->height < 3)
        return MIEN_OK;
    size_t row_bytes = (size_t)im->width * IMAGE_CHANNELS, border = IMAGE_CHANNELS;
    TRY(scratch_reserve(&s->wide, row_bytes));
    TRY(image_resize_buffer(&s->spare, im->width, im->height));
    uint8_t *smooth = s->wide.bytes; /* [row_bytes] */
    double factor = 1.0 + (double)change;
    for (int y = 0; y < im->height; y++) {
        const uint8_t *at = im->pixels + (size_t)y * row_bytes;
        memcpy(smooth, at, row_bytes); /* the border stays, but for the blend's truncation */
        if (y > 0 && y < im->height - 1)
            row_smooth(smooth + border, at - row_bytes + border, at + border, at + row_bytes + border,
                       row_bytes - 2 * border);
        levels_blend(s->spare.pixels + (size_t)y * row_bytes, at, smooth, row_bytes, (float)factor,
                     (float)(1.0 - factor));
    }
    swap_with_spare(im, s);
    return MIEN_OK;
}

IMAGE_LOOP static void levels_mask(uint8_t *levels, size_t count, uint8_t mask)
{
    for (size_t i = 0; i < count; i++)
        levels[i] &= mask;
}

mien_status randaugment_posterize(image *im, float bits, image_scratch *s)
{
    (void)s;
    levels_mask(im->pixels, image_bytes(im), (uint8_t)(0xFF << (8 - (int)bits)));
    return MIEN_OK;
}

IMAGE_LOOP static void levels_invert_from(uint8_t *levels, size_t count, uint8_t first)
{
    for (size_t i = 0; i < count; i++)
        levels[i] = levels[i] >= first ? (uint8_t)(255 - levels[i]) : levels[i];
}

mien_status randaugment_solarize(image *im, float threshold, image_scratch *s)
{
    (void)s;
    levels_invert_from(im->pixels, image_bytes(im), (uint8_t)ceilf(threshold));
    return MIEN_OK;
}

/* Replaces each channel's levels by its own table. */
static void levels_map(image *im, uint8_t map[IMAGE_CHANNELS][LEVELS])
{
    uint8_t *end = im->pixels + image_bytes(im);
    for (uint8_t *p = im->pixels; p < end; p += IMAGE_CHANNELS)
        for (int c = 0; c < IMAGE_CHANNELS; c++)
            p[c] = map[c][p[c]];
}

/* Least and greatest level a channel. Runs of 32 pixels are compared side by side, so that the loop has no stride. */
#define RUN (32 * IMAGE_CHANNELS)
IMAGE_LOOP static void levels_extremes(uint8_t low[RUN], uint8_t high[RUN], const uint8_t *levels, size_t runs)
{
    for (size_t i = 0; i < runs; i++)
        for (int j = 0; j < RUN; j++) {
            uint8_t level = levels[i * RUN + (size_t)j];
            low[j] = level < low[j] ? level : low[j];
            high[j] = level > high[j] ? level : high[j];
        }
}

mien_status randaugment_auto_contrast(image *im, float unused, image_scratch *s)
{
    (void)unused, (void)s;
    uint8_t low[RUN], high[RUN], map[IMAGE_CHANNELS][LEVELS];
    size_t bytes = image_bytes(im);
    memset(low, 255, sizeof low);
    memset(high, 0, sizeof high);
    levels_extremes(low, high, im->pixels, bytes / RUN);
    for (size_t i = bytes - bytes % RUN; i < bytes; i++) {
        uint8_t level = im->pixels[i];
        size_t c = i % IMAGE_CHANNELS;
        low[c] = level < low[c] ? level : low[c];
        high[c] = level > high[c] ? level : high[c];
    }
    for (int c = 0; c < IMAGE_CHANNELS; c++) {
        int least = 255, most = 0;
        for (int j = c; j < RUN; j += IMAGE_CHANNELS) {
            least = low[j] < least ? low[j] : least;
            most = high[j] > most ? high[j] : most;
        }
        float from = 0.0f, scale = 1.0f; /* a channel of one level stays as it is */
        if (most > least) {
            from = (float)least;
            scale = 1.0f / (float)(most - least) * 255.0f; /* two roundings: torch divides by a tensor so */
        }
        for (int level = 0; level < LEVELS; level++)
            map[c][level] = (uint8_t)fminf(fmaxf(((float)level - from) * scale, 0.0f), 255.0f);
    }
    levels_map(im, map);
    return MIEN_OK;
}

mien_status randaugment_equalize(image *im, float unused, image_scratch *s)
{
    (void)unused, (void)s;
    uint32_t count[IMAGE_CHANNELS][LEVELS] = {{0}};
    uint8_t map[IMAGE_CHANNELS][LEVELS];
    size_t bytes = image_bytes(im);
    for (size_t i = 0; i < bytes; i += IMAGE_CHANNELS)
        for (int c = 0; c < IMAGE_CHANNELS; c++)
            count[c][im->pixels[i + (size_t)c]]++;
    for (int c = 0; c < IMAGE_CHANNELS; c++) {
        int last = LEVELS - 1;
        while (count[c][last] == 0)
            last--;
        uint32_t step = (uint32_t)(bytes / IMAGE_CHANNELS - count[c][last]) / 255, below = 0;
        for (int level = 0; level < LEVELS; level++) {
            uint32_t target = step == 0 ? (uint32_t)level : (below + step / 2) / step;
            map[c][level] = (uint8_t)(target < 255 ? target : 255);
            below += count[c][level];
        }
    }
    levels_map(im, map);
    return MIEN_OK;
}
