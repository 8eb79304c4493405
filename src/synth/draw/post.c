/* What a camera does to a picture: blur, in two passes along the axes, then grain. Grain is a hash of place, colour and
 * the shot's seed: it needs no stream of its own, and rows could be done in any order. */
#include "synth/draw/post.h"

#include "synth/draw/noise.h"

#include <string.h>

#define MAX_RADIUS 4

/* One direction of a Gaussian: step is the distance in bytes between neighbours, edges repeat. */
static void blur_lines(uint8_t *dst, const uint8_t *src, int lines, int length, size_t line_step, size_t step,
                       const float *kernel, int radius)
{
    for (int line = 0; line < lines; line++)
        for (int i = 0; i < length; i++)
            for (int c = 0; c < 3; c++) {
                float sum = 0;
                for (int k = -radius; k <= radius; k++) {
                    int at = i + k < 0 ? 0 : i + k >= length ? length - 1 : i + k;
                    sum += kernel[k + radius] * (float)src[(size_t)line * line_step + (size_t)at * step + (size_t)c];
                }
                dst[(size_t)line * line_step + (size_t)i * step + (size_t)c] = (uint8_t)(sum + 0.5f);
            }
}

static void blur(image *im, image *room, float sigma)
{
    float kernel[2 * MAX_RADIUS + 1], total = 0;
    int radius = (int)ceilf(2.5f * sigma);
    radius = radius > MAX_RADIUS ? MAX_RADIUS : radius;
    for (int k = -radius; k <= radius; k++)
        total += kernel[k + radius] = expf(-0.5f * (float)(k * k) / (sigma * sigma));
    for (int k = 0; k <= 2 * radius; k++)
        kernel[k] /= total;
    size_t row = 3 * (size_t)im->width;
    blur_lines(room->pixels, im->pixels, im->height, im->width, row, 3, kernel, radius);
    blur_lines(im->pixels, room->pixels, im->width, im->height, 3, row, kernel, radius);
}

mien_status post_apply(image *im, const shot *how, image *room)
{
    if (how->blur > 0.05f) {
        TRY(image_resize_buffer(room, im->width, im->height));
        blur(im, room, how->blur);
    }
    if (how->grain <= 0.05f)
        return MIEN_OK;
    for (int y = 0; y < im->height; y++)
        for (int x = 0; x < im->width; x++)
            for (int c = 0; c < 3; c++) {
                uint8_t *p = &im->pixels[3 * ((size_t)y * (size_t)im->width + (size_t)x) + (size_t)c];
                uint32_t h = hash_lattice(x, y, c, how->seed + 9 + 977 * how->frame);
                /* the sum of four bytes is near enough to normal: mean 510, standard deviation 147.8 */
                int sum = (int)(h & 255) + (int)(h >> 8 & 255) + (int)(h >> 16 & 255) + (int)(h >> 24);
                float v = (float)*p + how->grain * ((float)sum - 510) / 147.8f;
                *p = v <= 0 ? 0 : v >= 255 ? 255 : (uint8_t)(v + 0.5f);
            }
    return MIEN_OK;
}
