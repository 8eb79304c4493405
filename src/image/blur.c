/* Gaussian blur: torchvision's gaussian_blur with kernel size 2 ceil(3 sigma) + 1 and reflected borders, in whole
 * numbers: 15-bit weights that sum to exactly 1, so that flat areas stay as they are and every machine gives the same
 * bits. Between the two passes a level has 8 bits of fraction. Against torchvision a level differs by at most 1. */
#include "image/image_int.h"

#include "base/mem.h"
#include "base/size.h"

#include <math.h>
#include <string.h>

#define MAX_SIGMA 10.0f
#define MAX_RADIUS 30
#define WEIGHT_BITS 15
#define FRACTION_BITS 8

typedef struct {
    int radius;
    int32_t weight[MAX_RADIUS + 1]; /* at distance 0..radius */
} kernel;

static kernel kernel_make(float sigma)
{
    kernel k = {.radius = (int)ceilf(3.0f * sigma)};
    double share[MAX_RADIUS + 1], total = 0.0;
    for (int t = 0; t <= k.radius; t++) {
        share[t] = exp(-0.5 * (double)t * t / ((double)sigma * sigma));
        total += t == 0 ? share[t] : 2.0 * share[t];
    }
    k.weight[0] = 1 << WEIGHT_BITS;
    for (int t = 1; t <= k.radius; t++) {
        k.weight[t] = (int32_t)(share[t] / total * (1 << WEIGHT_BITS) + 0.5);
        k.weight[0] -= 2 * k.weight[t];
    }
    return k;
}

/* Mirrors a position about the first and last of n, without repeating them: -1 is 1, n is n - 2. */
static int reflect(int at, int n)
{
    if (n == 1)
        return 0;
    int period = 2 * (n - 1);
    at = at < 0 ? -at : at;
    at %= period;
    return at < n ? at : period - at;
}

IMAGE_LOOP static void levels_start(int32_t *restrict sums, const uint8_t *restrict level, int32_t weight, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sums[i] = (1 << (WEIGHT_BITS - FRACTION_BITS - 1)) + level[i] * weight;
}

/* The kernel is symmetric: two levels share a product. */
IMAGE_LOOP static void levels_add(int32_t *restrict sums, const uint8_t *restrict a, const uint8_t *restrict b,
                                  int32_t weight, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sums[i] += (a[i] + b[i]) * weight;
}

IMAGE_LOOP static void levels_finish(uint16_t *restrict fine, const int32_t *restrict sums, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fine[i] = (uint16_t)(sums[i] >> (WEIGHT_BITS - FRACTION_BITS));
}

IMAGE_LOOP static void fine_start(int32_t *restrict sums, const uint16_t *restrict fine, int32_t weight, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sums[i] = (1 << (WEIGHT_BITS + FRACTION_BITS - 1)) + fine[i] * weight;
}

IMAGE_LOOP static void fine_add(int32_t *restrict sums, const uint16_t *restrict a, const uint16_t *restrict b,
                                int32_t weight, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sums[i] += (a[i] + b[i]) * weight; /* all weights sum to 2^15 and a level is at most 65280: below 2^31 */
}

IMAGE_LOOP static void fine_finish(uint8_t *restrict level, const int32_t *restrict sums, size_t n)
{
    for (size_t i = 0; i < n; i++)
        level[i] = (uint8_t)(sums[i] >> (WEIGHT_BITS + FRACTION_BITS));
}

mien_status image_blur(image *im, float sigma, image_scratch *s)
{
    if (!(sigma > 0.0f && sigma <= MAX_SIGMA))
        return mien_fail(MIEN_ERR_ARG, "blur: sigma %g (wanted above 0, at most %g)", (double)sigma, (double)MAX_SIGMA);
    kernel k = kernel_make(sigma);
    size_t n = (size_t)im->width * IMAGE_CHANNELS, border = (size_t)k.radius * IMAGE_CHANNELS, fine_bytes;
    if (!size_mul(&fine_bytes, (size_t)im->height * sizeof(uint16_t), n))
        return mien_fail(MIEN_ERR_NOMEM, "blur: %dx%d pixels do not fit in memory", im->width, im->height);
    TRY(scratch_reserve(&s->rows, fine_bytes));
    TRY(scratch_reserve(&s->wide, n + 2 * border));
    TRY(scratch_reserve(&s->sums, n * sizeof(int32_t)));
    uint16_t *fine = s->rows.bytes;    /* [height, n] after the horizontal pass */
    uint8_t *bordered = s->wide.bytes; /* [border + n + border] one row and its reflection */
    int32_t *sums = s->sums.bytes;     /* [n] */

    for (int y = 0; y < im->height; y++) {
        const uint8_t *row = im->pixels + (size_t)y * n;
        uint8_t *middle = bordered + border;
        memcpy(middle, row, n);
        for (int t = 1; t <= k.radius; t++) {
            size_t away = (size_t)t * IMAGE_CHANNELS;
            memcpy(middle - away, row + (size_t)reflect(-t, im->width) * IMAGE_CHANNELS, IMAGE_CHANNELS);
            memcpy(middle + n - IMAGE_CHANNELS + away,
                   row + (size_t)reflect(im->width - 1 + t, im->width) * IMAGE_CHANNELS, IMAGE_CHANNELS);
        }
        levels_start(sums, middle, k.weight[0], n);
        for (int t = 1; t <= k.radius; t++)
            levels_add(sums, middle - t * IMAGE_CHANNELS, middle + t * IMAGE_CHANNELS, k.weight[t], n);
        levels_finish(fine + (size_t)y * n, sums, n);
    }
    for (int y = 0; y < im->height; y++) {
        fine_start(sums, fine + (size_t)y * n, k.weight[0], n);
        for (int t = 1; t <= k.radius; t++)
            fine_add(sums, fine + (size_t)reflect(y - t, im->height) * n, fine + (size_t)reflect(y + t, im->height) * n,
                     k.weight[t], n);
        fine_finish(im->pixels + (size_t)y * n, sums, n);
    }
    return MIEN_OK;
}
