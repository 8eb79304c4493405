/* Colour changes. Hue is turned in Pillow's HSV of 8 bits, as torchvision's adjust_hue does on pictures of Pillow's;
 * brightness, contrast and saturation blend with black, the mean grey and the pixel's grey, as
 * torchvision's adjust_* do on uint8 tensors: single-precision products and sums, clamped, truncated. */
#include "image/image_int.h"

#include <math.h>

/* ratio a + rest b, as a tensor of uint8 leaves it; written so that it vectorises (no branch, no libm). */
static inline uint8_t blend(float ratio, float a, float rest, float b)
{
    float value = ratio * a + rest * b;
    value = value > 0.0f ? value : 0.0f;
    value = value < 255.0f ? value : 255.0f;
    return (uint8_t)(int32_t)value;
}

/* torchvision's rgb_to_grayscale, truncated; image_grey is Pillow's. */
static inline int32_t truncated_grey(const uint8_t *p)
{
    return (int32_t)(0.2989f * p[0] + 0.587f * p[1] + 0.114f * p[2]);
}

/* pixels [count, 3] in place */
IMAGE_LOOP static void pixels_grey(uint8_t *pixels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t *p = pixels + i * IMAGE_CHANNELS;
        uint8_t grey = (uint8_t)((19595u * p[0] + 38470u * p[1] + 7471u * p[2] + 32768u) >> 16);
        p[0] = grey;
        p[1] = grey;
        p[2] = grey;
    }
}

void image_grey(image *im)
{
    pixels_grey(im->pixels, (size_t)im->width * (size_t)im->height);
}

IMAGE_LOOP static void levels_blend(uint8_t *levels, size_t count, float ratio, float rest, float other)
{
    for (size_t i = 0; i < count; i++)
        levels[i] = blend(ratio, levels[i], rest, other);
}

/* 1 - factor is taken in double, as Python does, before it becomes a float. */
static float rest_of(float factor)
{
    return (float)(1.0 - (double)factor);
}

void image_brightness(image *im, float factor)
{
    levels_blend(im->pixels, image_bytes(im), factor, 0.0f, 0.0f);
}

IMAGE_LOOP static uint64_t pixels_grey_sum(const uint8_t *pixels, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (uint64_t)truncated_grey(pixels + i * IMAGE_CHANNELS);
    return sum;
}

void image_contrast(image *im, float factor)
{
    size_t count = (size_t)im->width * (size_t)im->height;
    float mean = (float)((double)pixels_grey_sum(im->pixels, count) / (double)count);
    levels_blend(im->pixels, image_bytes(im), factor, rest_of(factor), mean);
}

IMAGE_LOOP static void pixels_saturate(uint8_t *pixels, size_t count, float ratio, float rest)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t *p = pixels + i * IMAGE_CHANNELS;
        float grey = (float)truncated_grey(p);
        for (int c = 0; c < IMAGE_CHANNELS; c++)
            p[c] = blend(ratio, p[c], rest, grey);
    }
}

void image_saturation(image *im, float factor)
{
    pixels_saturate(im->pixels, (size_t)im->width * (size_t)im->height, factor, rest_of(factor));
}

/* Pillow's steps and types, from colorsys.py: (hue, saturation) of a pixel; its value is the largest level. */
static void hue_of(uint8_t hs[2], const uint8_t *p, uint8_t most, uint8_t least)
{
    hs[0] = hs[1] = 0;
    if (most == least)
        return;
    const float range = (float)(most - least);
    const float r = (float)(most - p[0]) / range, g = (float)(most - p[1]) / range, b = (float)(most - p[2]) / range;
    float h = p[0] == most   ? b - g
              : p[1] == most ? (float)(2.0 + (double)r - (double)b)
                             : (float)(4.0 + (double)g - (double)r);
    h = (float)fmod((double)h / 6.0 + 1.0, 1.0);
    hs[0] = (uint8_t)((double)h * 255.0);
    hs[1] = (uint8_t)((double)(range / (float)most) * 255.0);
}

static void pixel_of(uint8_t *p, const uint8_t hs[2], uint8_t value)
{
    const float place = (float)hs[0] * 6.0f / 255.0f, share = (float)((double)(float)hs[1] / 255.0);
    const int sector = (int)place;
    const float rest = place - (float)sector, v = (float)value;
    const uint8_t low = (uint8_t)round((double)v * (1.0 - (double)share));
    const uint8_t falling = (uint8_t)round((double)v * (1.0 - (double)(share * rest)));
    const uint8_t rising = (uint8_t)round((double)v * (1.0 - (double)share * (1.0 - (double)rest)));
    const uint8_t levels[6][3] = {{value, rising, low},  {falling, value, low}, {low, value, rising},
                                  {low, falling, value}, {rising, low, value},  {value, low, falling}};
    for (int c = 0; c < IMAGE_CHANNELS; c++)
        p[c] = levels[sector % 6][c];
}

void image_hue(image *im, float shift)
{
    const uint8_t turn = (uint8_t)(int)((double)shift * 255.0); /* truncated, and around the circle */
    const size_t count = (size_t)im->width * (size_t)im->height;
    for (size_t i = 0; i < count; i++) {
        uint8_t *p = im->pixels + i * IMAGE_CHANNELS, hs[2];
        uint8_t most = p[0] > p[1] ? p[0] : p[1], least = p[0] < p[1] ? p[0] : p[1];
        most = p[2] > most ? p[2] : most;
        least = p[2] < least ? p[2] : least;
        hue_of(hs, p, most, least);
        hs[0] = (uint8_t)(hs[0] + turn);
        pixel_of(p, hs, most);
    }
}
