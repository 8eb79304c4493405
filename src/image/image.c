/* The picture's buffer and what needs no more than a pass over it. */
#include "image/image_int.h"

#include "base/mem.h"
#include "base/size.h"

#include <string.h>

void image_free(image *im)
{
    mem_free(im->pixels);
    *im = (image){0};
}

mien_status image_resize_buffer(image *im, int width, int height)
{
    size_t bytes;
    if (width < 1 || height < 1)
        return mien_fail(MIEN_ERR_ARG, "image: %dx%d pixels (wanted at least 1x1)", width, height);
    if (!size_mul(&bytes, (size_t)width, (size_t)height) || !size_mul(&bytes, bytes, IMAGE_CHANNELS) ||
        !size_add(&bytes, bytes, IMAGE_SLACK))
        return mien_fail(MIEN_ERR_NOMEM, "image: %dx%d pixels do not fit in memory", width, height);
    if (bytes > im->capacity) {
        uint8_t *pixels;
        TRY(mem_alloc(&pixels, bytes));
        image_free(im);
        im->pixels = pixels;
        im->capacity = bytes;
    }
    im->width = width;
    im->height = height;
    return MIEN_OK;
}

mien_status image_copy(image *dst, const image *src)
{
    TRY(image_resize_buffer(dst, src->width, src->height));
    memcpy(dst->pixels, src->pixels, image_bytes(src));
    return MIEN_OK;
}

mien_status image_crop(image *dst, const image *src, int x, int y, int width, int height, uint8_t fill)
{
    TRY(image_resize_buffer(dst, width, height));
    /* the columns that exist; 64 bits, because x + width of a far rectangle leaves int */
    int64_t left = x < 0 ? -(int64_t)x : 0;
    int64_t right = (int64_t)x + width > src->width ? (int64_t)src->width - x : width;
    if (left > width)
        left = width;
    if (right < left)
        right = left;
    size_t before = (size_t)left * IMAGE_CHANNELS, inside = (size_t)(right - left) * IMAGE_CHANNELS;
    size_t row_bytes = (size_t)width * IMAGE_CHANNELS;
    for (int row = 0; row < height; row++) {
        uint8_t *out = dst->pixels + (size_t)row * row_bytes;
        int64_t from = (int64_t)y + row;
        if (from < 0 || from >= src->height || inside == 0) {
            memset(out, fill, row_bytes);
            continue;
        }
        const uint8_t *in = src->pixels + (size_t)((from * src->width + x + left) * IMAGE_CHANNELS);
        memset(out, fill, before);
        memcpy(out + before, in, inside);
        memset(out + before + inside, fill, row_bytes - before - inside);
    }
    return MIEN_OK;
}

static void swap_pixels(uint8_t *a, uint8_t *b)
{
    for (int c = 0; c < IMAGE_CHANNELS; c++) {
        uint8_t kept = a[c];
        a[c] = b[c];
        b[c] = kept;
    }
}

void image_flip_horizontal(image *im)
{
    for (int y = 0; y < im->height; y++) {
        uint8_t *left = im->pixels + (size_t)y * (size_t)im->width * IMAGE_CHANNELS;
        uint8_t *right = left + ((size_t)im->width - 1) * IMAGE_CHANNELS;
        for (; left < right; left += IMAGE_CHANNELS, right -= IMAGE_CHANNELS)
            swap_pixels(left, right);
    }
}

static void flip_vertical(image *im)
{
    size_t row_bytes = (size_t)im->width * IMAGE_CHANNELS;
    for (int y = 0; y < im->height / 2; y++) {
        uint8_t *top = im->pixels + (size_t)y * row_bytes;
        uint8_t *bottom = im->pixels + (size_t)(im->height - 1 - y) * row_bytes;
        for (size_t i = 0; i < row_bytes; i++) {
            uint8_t kept = top[i];
            top[i] = bottom[i];
            bottom[i] = kept;
        }
    }
}

/* Rows become columns. */
static mien_status transpose(image *im)
{
    image turned = {0};
    TRY(image_resize_buffer(&turned, im->height, im->width));
    for (int y = 0; y < im->height; y++) {
        const uint8_t *in = im->pixels + (size_t)y * (size_t)im->width * IMAGE_CHANNELS;
        uint8_t *out = turned.pixels + (size_t)y * IMAGE_CHANNELS;
        for (int x = 0; x < im->width; x++, in += IMAGE_CHANNELS, out += (size_t)im->height * IMAGE_CHANNELS)
            memcpy(out, in, IMAGE_CHANNELS);
    }
    image_free(im);
    *im = turned;
    return MIEN_OK;
}

mien_status image_orient(image *im, int orientation)
{
    /* How each EXIF value was stored: which steps undo it, in this order. */
    static const struct {
        bool transpose, flip_horizontal, flip_vertical;
    } undo[9] = {
        [2] = {false, true, false}, [3] = {false, true, true}, [4] = {false, false, true}, [5] = {true, false, false},
        [6] = {true, true, false},  [7] = {true, true, true},  [8] = {true, false, true},
    };
    if (orientation < 1 || orientation > 8)
        return MIEN_OK;
    if (undo[orientation].transpose)
        TRY(transpose(im));
    if (undo[orientation].flip_horizontal)
        image_flip_horizontal(im);
    if (undo[orientation].flip_vertical)
        flip_vertical(im);
    return MIEN_OK;
}

void image_add_moments(const image *im, double sum[3], double sum_squares[3])
{
    /* whole numbers, so that the order of pixels does not matter: at most 178e6 * 255^2, far below 2^64 */
    uint64_t level[IMAGE_CHANNELS] = {0}, square[IMAGE_CHANNELS] = {0};
    size_t bytes = image_bytes(im);
    for (size_t i = 0; i < bytes; i += IMAGE_CHANNELS)
        for (int c = 0; c < IMAGE_CHANNELS; c++) {
            uint32_t value = im->pixels[i + (size_t)c];
            level[c] += value;
            square[c] += value * value;
        }
    for (int c = 0; c < IMAGE_CHANNELS; c++) {
        sum[c] += (double)level[c] / 255.0;
        sum_squares[c] += (double)square[c] / 65025.0;
    }
}
