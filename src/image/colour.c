/* Colour changes. Brightness, contrast and saturation blend with black, the mean grey and the pixel's grey, as
 * torchvision's adjust_* do on uint8 tensors: single-precision products and sums, clamped, truncated. */
#include "image/image_int.h"

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
