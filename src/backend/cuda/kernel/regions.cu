/* The shifted sums of SMM-EmotionNet's regions: a thread an element of the result. */
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/regions.h"

enum { TAPS = 9, TAPS_A_ROW = 3 };

/* The pixel that lies `rows` below and `columns` right of `pixel`, of [n, h, w]; -1: outside the map. */
DEVICE int64_t pixel_beside(const roi_size *s, int64_t pixel, int64_t rows, int64_t columns)
{
    const int64_t u = pixel / s->w % s->h + rows, v = pixel % s->w + columns;
    return u < 0 || u >= s->h || v < 0 || v >= s->w ? -1 : pixel + rows * s->w + columns;
}

/* The pixel that tap `tap` of y at `pixel` comes from, and the one that the tap of `pixel` goes to. */
DEVICE int64_t tap_source(const roi_size *s, int64_t pixel, int64_t tap)
{
    return pixel_beside(s, pixel, tap / TAPS_A_ROW - 1, tap % TAPS_A_ROW - 1);
}
DEVICE int64_t tap_target(const roi_size *s, int64_t pixel, int64_t tap)
{
    return pixel_beside(s, pixel, 1 - tap / TAPS_A_ROW, 1 - tap % TAPS_A_ROW);
}

KERNEL(roi_embed, roi_embed_args)
{
    const roi_size *s = &a.size;
    const int64_t wide = s->regions * s->d;
    for (int64_t i = thread_first(); i < s->n * s->h * s->w * wide; i += thread_stride()) {
        double sum = a.bias ? (double)a.bias[i % wide] : 0;
        for (int64_t tap = 0; tap < TAPS; tap++) {
            const int64_t from = tap_source(s, i / wide, tap);
            if (from >= 0)
                sum += (1 + (double)load(a.attention, from * s->regions + i % wide / s->d, a.is_bf16)) *
                       (double)load(a.products, (from * TAPS + tap) * wide + i % wide, a.is_bf16);
        }
        store(a.y, i, (float)sum, a.is_bf16);
    }
}

KERNEL(roi_embed_dattention, roi_embed_dx_args)
{
    const roi_size *s = &a.size;
    const int64_t wide = s->regions * s->d;
    for (int64_t i = thread_first(); i < s->n * s->h * s->w * s->regions; i += thread_stride()) {
        const int64_t pixel = i / s->regions, first = i % s->regions * s->d; /* of the region's channels */
        double sum = 0;
        for (int64_t tap = 0; tap < TAPS; tap++) {
            const int64_t to = tap_target(s, pixel, tap);
            for (int64_t c = first; to >= 0 && c < first + s->d; c++)
                sum += (double)load(a.products, (pixel * TAPS + tap) * wide + c, a.is_bf16) *
                       (double)load(a.dy, to * wide + c, a.is_bf16);
        }
        store(a.dattention, i, (float)sum, a.is_bf16);
    }
}

KERNEL(roi_embed_dproducts, roi_embed_dx_args)
{
    const roi_size *s = &a.size;
    const int64_t wide = s->regions * s->d;
    for (int64_t i = thread_first(); i < s->n * s->h * s->w * TAPS * wide; i += thread_stride()) {
        const int64_t c = i % wide, pixel = i / wide / TAPS, to = tap_target(s, pixel, i / wide % TAPS);
        const float scale = 1 + load(a.attention, pixel * s->regions + c / s->d, a.is_bf16);
        store(a.dproducts, i, to < 0 ? 0 : scale * load(a.dy, to * wide + c, a.is_bf16), a.is_bf16);
    }
}
