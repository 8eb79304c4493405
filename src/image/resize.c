/* Pillow's bilinear resize, equal to the last bit: a triangle as wide as the shrink factor, weights rounded to 22 bits,
 * each pass rounded to 8 bits, the horizontal one first (Pillow 13 begins with the vertical one where the height
 * shrinks more). Source: Pillow 9.4, src/libImaging/Resample.c.
 *
 * What differs is the order of work: a pixel's channels are lanes of one vector, so that a tap is one multiplication,
 * and the horizontal results live in a ring of as many rows as the vertical filter is high, so that they stay in cache.
 */
#include "image/image_int.h"

#include "base/mem.h"
#include "base/size.h"

#include <math.h>
#include <string.h>

#define PRECISION_BITS (32 - 8 - 2)
#define HALF (1 << (PRECISION_BITS - 1))
#define LANES 4

typedef int32_t lanes __attribute__((vector_size(LANES * sizeof(int32_t))));
typedef uint8_t byte_lanes __attribute__((vector_size(16)));
typedef uint16_t short_lanes __attribute__((vector_size(16)));

/* Four bytes at `src`, a lane each. Two interleavings with zero are two instructions; of __builtin_convertvector the
 * compiler makes a dozen. */
static inline lanes pixel_load(const uint8_t *src)
{
    uint32_t word;
    memcpy(&word, src, sizeof word);
    byte_lanes bytes = (byte_lanes)(lanes){(int32_t)word, 0, 0, 0}, zero = {0};
    short_lanes shorts =
        (short_lanes)__builtin_shufflevector(bytes, zero, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    return (lanes)__builtin_shufflevector(shorts, (short_lanes)zero, 0, 8, 1, 9, 2, 10, 3, 11);
}

/* The low byte of each lane to four bytes at `dst`. */
static inline void pixel_store(uint8_t *dst, lanes pixel)
{
    byte_lanes all = (byte_lanes)pixel;
    byte_lanes bytes = __builtin_shufflevector(all, all, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
    memcpy(dst, &bytes, LANES);
}

static void axis_free(resize_axis *axis)
{
    mem_free(axis->first);
    mem_free(axis->count);
    mem_free(axis->weight);
    *axis = (resize_axis){0};
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

/* The weights of one output sample; each expression is Pillow's, in its order, because rounding decides bits. */
static void axis_weigh(resize_axis *axis, int i, double scale, double filter_scale)
{
    double center = (i + 0.5) * scale;
    double step = 1.0 / filter_scale;
    int first = (int)(center - filter_scale + 0.5);
    if (first < 0)
        first = 0;
    int count = (int)(center + filter_scale + 0.5);
    if (count > axis->in)
        count = axis->in;
    count -= first;

    double total = 0.0;
    for (int t = 0; t < count; t++)
        total += triangle((t + first - center + 0.5) * step);
    int32_t *weight = axis->weight + (size_t)i * (size_t)axis->taps;
    for (int t = 0; t < count; t++) {
        double w = triangle((t + first - center + 0.5) * step);
        if (total != 0.0)
            w /= total;
        weight[t] = (int32_t)(0.5 + w * (1 << PRECISION_BITS));
    }
    axis->first[i] = first;
    axis->count[i] = count;
}

/* Makes the table for in -> out samples, unless it is there already: a training run asks for one size for ever. */
static mien_status axis_prepare(resize_axis *axis, int in, int out)
{
    if (axis->in == in && axis->out == out)
        return MIEN_OK;
    mien_status st = MIEN_OK;
    resize_axis fresh = {.in = in, .out = out};
    double scale = (double)in / out;
    double filter_scale = scale < 1.0 ? 1.0 : scale;
    double taps = ceil(filter_scale) * 2 + 1;
    fresh.taps = taps < in ? (int)taps : in;
    size_t weights;
    if (!size_mul(&weights, (size_t)out, (size_t)fresh.taps))
        return mien_fail(MIEN_ERR_NOMEM, "resize: %d to %d samples do not fit in memory", in, out);
    TRY_OUT(mem_alloc(&fresh.first, out));
    TRY_OUT(mem_alloc(&fresh.count, out));
    TRY_OUT(mem_zalloc(&fresh.weight, weights));
    for (int i = 0; i < out; i++)
        axis_weigh(&fresh, i, scale, filter_scale);
    axis_free(axis);
    *axis = fresh;
    fresh = (resize_axis){0};
out:
    axis_free(&fresh);
    return st;
}

/* dst [axis->out, 3] from src [axis->in, 3], one byte of slack behind each: a pixel travels as four bytes. Weights are
 * positive and sum to 2^22 within half a unit a tap, so that only tens of thousands of taps could pass 255: the clamp.
 */
IMAGE_LOOP static void row_resize(uint8_t *dst, const uint8_t *src, const resize_axis *axis)
{
    const int *first = axis->first, *count = axis->count;
    const int32_t *weight = axis->weight;
    size_t taps = (size_t)axis->taps;
    int out = axis->out;
    for (int x = 0; x < out; x++, weight += taps) {
        const uint8_t *in = src + (size_t)first[x] * IMAGE_CHANNELS;
        const int32_t *w = weight, *end = weight + count[x];
        lanes sum = {HALF, HALF, HALF, HALF};
        for (; w + 1 < end; w += 2, in += 2 * IMAGE_CHANNELS)
            sum += pixel_load(in) * w[0] + pixel_load(in + IMAGE_CHANNELS) * w[1];
        if (w < end)
            sum += pixel_load(in) * w[0];
        sum >>= PRECISION_BITS;
        lanes over = sum > 255;
        sum = (sum & ~over) | (over & 255);
        pixel_store(dst + (size_t)x * IMAGE_CHANNELS, sum); /* the fourth is the next pixel's first */
    }
}

/* dst [n] = a wa + b wb; two taps cannot pass 255 */
IMAGE_LOOP static void rows_blend(uint8_t *restrict dst, const uint8_t *restrict a, const uint8_t *restrict b,
                                  int32_t wa, int32_t wb, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = (uint8_t)((HALF + a[i] * wa + b[i] * wb) >> PRECISION_BITS);
}

/* sums [n] += row w */
IMAGE_LOOP static void sums_add(int32_t *restrict sums, const uint8_t *restrict row, int32_t w, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sums[i] += row[i] * w;
}

IMAGE_LOOP static void sums_round(uint8_t *restrict dst, const int32_t *restrict sums, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int32_t value = (sums[i] + HALF) >> PRECISION_BITS;
        dst[i] = (uint8_t)(value > 255 ? 255 : value);
    }
}

mien_status scratch_reserve(scratch_block *block, size_t bytes)
{
    if (bytes <= block->capacity)
        return MIEN_OK;
    void *fresh;
    TRY(mem_alloc_bytes(&fresh, bytes));
    mem_free(block->bytes);
    block->bytes = fresh;
    block->capacity = bytes;
    return MIEN_OK;
}

mien_status image_scratch_create(image_scratch **out)
{
    return mem_zalloc(out, 1);
}

void image_scratch_free(image_scratch *s)
{
    if (s == NULL)
        return;
    axis_free(&s->horizontal);
    axis_free(&s->vertical);
    mem_free(s->wide.bytes);
    mem_free(s->sums.bytes);
    mem_free(s->rows.bytes);
    mem_free(s->quantiles);
    image_free(&s->spare);
    mem_free(s);
}

void image_scratch_trim(image_scratch *s, size_t bytes)
{
    if (s->spare.capacity > bytes)
        image_free(&s->spare);
}

mien_status image_resize(image *dst, const image *src, int width, int height, image_scratch *s)
{
    TRY(image_resize_buffer(dst, width, height));
    if (width == src->width && height == src->height) {
        memcpy(dst->pixels, src->pixels, image_bytes(src));
        return MIEN_OK;
    }
    size_t n = (size_t)width * IMAGE_CHANNELS, src_row_bytes = (size_t)src->width * IMAGE_CHANNELS;
    size_t slot_bytes = size_align(n + IMAGE_SLACK, 64), ring_bytes;
    TRY(axis_prepare(&s->horizontal, src->width, width));
    TRY(axis_prepare(&s->vertical, src->height, height));
    const resize_axis *v = &s->vertical;
    if (!size_mul(&ring_bytes, (size_t)v->taps, slot_bytes))
        return mien_fail(MIEN_ERR_NOMEM, "resize: %d rows of %zu bytes do not fit in memory", v->taps, slot_bytes);
    TRY(scratch_reserve(&s->rows, ring_bytes));
    TRY(scratch_reserve(&s->wide, src_row_bytes + IMAGE_SLACK));
    TRY(scratch_reserve(&s->sums, n * sizeof(int32_t)));
    uint8_t *ring = s->rows.bytes; /* [taps, slot_bytes]: source row r, as wide as dst, is in slot r mod taps */
    uint8_t *last = s->wide.bytes; /* the last source row, with slack behind it */
    memcpy(last, src->pixels + ((size_t)src->height - 1) * src_row_bytes, src_row_bytes);
    int32_t *sums = s->sums.bytes; /* [n] sums of one output row */

    int ready = 0; /* source rows below this one have been through the horizontal pass */
    for (int y = 0; y < height; y++) {
        int first = v->first[y], count = v->count[y];
        const int32_t *weight = v->weight + (size_t)y * (size_t)v->taps;
        for (; ready < first + count; ready++) {
            uint8_t *slot = ring + (size_t)(ready % v->taps) * slot_bytes;
            const uint8_t *row = src->pixels + (size_t)ready * src_row_bytes;
            if (width == src->width) {
                memcpy(slot, row, n);
                continue;
            }
            row_resize(slot, ready == src->height - 1 ? last : row, &s->horizontal);
        }
        uint8_t *out = dst->pixels + (size_t)y * n;
        const uint8_t *top = ring + (size_t)(first % v->taps) * slot_bytes;
        if (count == 1) {
            memcpy(out, top, n); /* its weight is 2^22 */
        } else if (count == 2) {
            rows_blend(out, top, ring + (size_t)((first + 1) % v->taps) * slot_bytes, weight[0], weight[1], n);
        } else {
            memset(sums, 0, n * sizeof *sums);
            for (int t = 0; t < count; t++)
                sums_add(sums, ring + (size_t)((first + t) % v->taps) * slot_bytes, weight[t], n);
            sums_round(out, sums, n);
        }
    }
    return MIEN_OK;
}
