/* RandAugment's shears, shifts and rotation: nearest sampling, 0 from outside. torchvision makes a grid of places in
 * single precision and grid_sample rounds them to pixels; the same products and sums in the same order here decide ties
 * alike. In those, a torch whose compiler fused a multiplication and an addition may take the neighbour. */
#include "image/randaugment_int.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Where an output pixel comes from, both measured in pixels from the picture's centre:
 * x = xx * to_x + xy * to_y + x0,  y = yx * to_x + yy * to_y + y0 */
typedef struct {
    double xx, xy, x0;
    double yx, yy, y0;
} affine;

/* The same with sources in units of half the picture, from -1 to 1, as grid_sample takes them. */
typedef struct {
    float xx, xy, x0;
    float yx, yy, y0;
} grid;

static grid grid_of(const affine *a, int width, int height)
{
    float half_width = (float)(0.5 * width), half_height = (float)(0.5 * height);
    return (grid){
        .xx = (float)a->xx / half_width,
        .xy = (float)a->xy / half_width,
        .x0 = (float)a->x0 / half_width,
        .yx = (float)a->yx / half_height,
        .yy = (float)a->yy / half_height,
        .y0 = (float)a->y0 / half_height,
    };
}

/* from [width]: the byte at which each pixel of output row `row` lies in the source; `outside` where it lies nowhere */
IMAGE_LOOP static void row_places(uint32_t *restrict from, const grid *g, int width, int height, int row,
                                  uint32_t outside)
{
    float half_width = 0.5f * (float)width, half_height = 0.5f * (float)height;
    float first = 0.5f - half_width, to_y = (float)row + (0.5f - half_height);
    float xx = g->xx, yx = g->yx, x_of_y = to_y * g->xy, y_of_y = to_y * g->yy, x0 = g->x0, y0 = g->y0;
    for (int i = 0; i < width; i++) {
        float to_x = (float)i + first;
        float grid_x = to_x * xx + x_of_y + x0, grid_y = to_x * yx + y_of_y + y0;
        int32_t x = (int32_t)rintf((grid_x + 1.0f) * half_width - 0.5f);
        int32_t y = (int32_t)rintf((grid_y + 1.0f) * half_height - 0.5f);
        bool is_inside = (x >= 0) & (x < width) & (y >= 0) & (y < height);
        uint32_t place = ((uint32_t)y * (uint32_t)width + (uint32_t)x) * IMAGE_CHANNELS;
        from[i] = is_inside ? place : outside;
    }
}

static mien_status sample_nearest(image *im, const affine *a, image_scratch *s)
{
    assert((int64_t)im->width * im->height <= IMAGE_MAX_PIXELS); /* so that 32 bits number the bytes */
    size_t width = (size_t)im->width;
    TRY(scratch_reserve(&s->sums, width * sizeof(uint32_t)));
    TRY(image_resize_buffer(&s->spare, im->width, im->height));
    uint32_t *from = s->sums.bytes; /* [width] */
    grid g = grid_of(a, im->width, im->height);
    uint32_t outside = (uint32_t)image_bytes(im);
    memset(im->pixels + outside, 0, IMAGE_CHANNELS + 1); /* a black pixel in the slack: no branch in the loop below */
    for (int y = 0; y < im->height; y++) {
        row_places(from, &g, im->width, im->height, y, outside);
        uint8_t *dst = s->spare.pixels + (size_t)y * width * IMAGE_CHANNELS;
        for (size_t x = 0; x < width; x++, dst += IMAGE_CHANNELS) /* four bytes move faster than three */
            memcpy(dst, im->pixels + from[x], IMAGE_CHANNELS + 1);
    }
    swap_with_spare(im, s);
    return MIEN_OK;
}

/* torchvision shears about the upper left corner; the offsets say so in coordinates of the centre. (It turns the factor
 * into degrees and back first, which is lost in the rounding to single precision.) */
mien_status randaugment_shear_x(image *im, float factor, image_scratch *s)
{
    double left = 0.5 * im->width, top = 0.5 * im->height, k = (double)factor;
    affine a = {.xx = 1.0, .xy = k, .x0 = (left + k * top) - left, .yy = 1.0};
    return sample_nearest(im, &a, s);
}

mien_status randaugment_shear_y(image *im, float factor, image_scratch *s)
{
    double left = 0.5 * im->width, top = 0.5 * im->height, k = (double)factor;
    affine a = {.xx = 1.0, .yx = k, .yy = 1.0, .y0 = (k * left + top) - top};
    return sample_nearest(im, &a, s);
}

mien_status randaugment_rotate(image *im, float degrees, image_scratch *s)
{
    double angle_rad = (double)degrees * (M_PI / 180.0);
    double cosine = cos(angle_rad), sine = sin(angle_rad);
    affine a = {.xx = cosine, .xy = -sine, .yx = sine, .yy = cosine};
    return sample_nearest(im, &a, s);
}

static mien_status shift(image *im, int x, int y, image_scratch *s)
{
    if (x == 0 && y == 0)
        return MIEN_OK;
    TRY(image_crop(&s->spare, im, -x, -y, im->width, im->height, 0));
    swap_with_spare(im, s);
    return MIEN_OK;
}

mien_status randaugment_translate_x(image *im, float pixels, image_scratch *s)
{
    return shift(im, (int)pixels, 0, s);
}

mien_status randaugment_translate_y(image *im, float pixels, image_scratch *s)
{
    return shift(im, 0, (int)pixels, s);
}
