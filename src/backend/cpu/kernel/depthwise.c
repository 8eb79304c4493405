/* Every inner loop works on one register of neighbouring channels, LANES of them in the ISA of this compilation.
 *
 *   dx[n, y, x, c] = sum over taps (ky, kx) with y + pad - ky = s oy, x + pad - kx = s ox of  dy[n, oy, ox, c] w[c, ky,
 * kx] dw[c, ky, kx]  = sum over n, oy, ox of  dy[n, oy, ox, c] x[n, s oy + ky - pad, s ox + kx - pad, c]
 */
#include "backend/cpu/kernel/depthwise.h"

#include <omp.h>
#include <string.h>

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)
#define KERNEL(name) PASTE(name, KERNEL_ISA)

#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX2__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
enum { MAX_KERNEL = 7, PIXELS = 4 };
/* Working set of one dw task: a share of the L2 cache. */
enum { CHUNK_BYTES = 256 * 1024 };

typedef float floats __attribute__((vector_size(LANES * sizeof(float)), aligned(4)));
typedef uint32_t words __attribute__((vector_size(LANES * sizeof(uint32_t))));
typedef uint16_t halves __attribute__((vector_size(LANES * sizeof(uint16_t)), aligned(2)));

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* `lanes` channels from element `at`; lanes beyond are zero. */
ALWAYS_INLINE floats load(const void *src, int64_t at, bool is_bf16, int lanes)
{
    if (is_bf16) {
        halves h = {0};
        if (lanes == LANES)
            h = *(const halves *)((const uint16_t *)src + at);
        else
            memcpy(&h, (const uint16_t *)src + at, (size_t)lanes * sizeof(uint16_t));
        words u = __builtin_convertvector(h, words) << 16;
        return (floats)u;
    }
    floats f = {0};
    if (lanes == LANES)
        return *(const floats *)((const float *)src + at);
    memcpy(&f, (const float *)src + at, (size_t)lanes * sizeof(float));
    return f;
}

/* Rounds to nearest even. */
ALWAYS_INLINE void store(void *dst, int64_t at, floats v, bool is_bf16, int lanes)
{
    if (is_bf16) {
        words u = (words)v;
        u = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
        halves h = __builtin_convertvector(u, halves);
        if (lanes == LANES)
            *(halves *)((uint16_t *)dst + at) = h;
        else
            memcpy((uint16_t *)dst + at, &h, (size_t)lanes * sizeof(uint16_t));
    } else if (lanes == LANES) {
        *(floats *)((float *)dst + at) = v;
    } else {
        memcpy((float *)dst + at, &v, (size_t)lanes * sizeof(float));
    }
}

/* packed [block][tap][LANES] = weights [c, taps], zero beyond c */
static void pack_weights(float *packed, const float *weights, int64_t c, int taps)
{
    int64_t blocks = (c + LANES - 1) / LANES;
    for (int64_t b = 0; b < blocks; b++)
        for (int t = 0; t < taps; t++)
            for (int i = 0; i < LANES; i++) {
                int64_t channel = b * LANES + i;
                packed[(b * taps + t) * LANES + i] = channel < c ? weights[channel * taps + t] : 0.0f;
            }
}

/* --- data gradient ------------------------------------------------------------------------------------------------ */

/* `count` pixels of row y of dx, x = first, first + step, ...: all of one residue class of the stride, so they share
 * taps. Taps (ky, kx) reach dy at row oy = (y + pad - ky)/s and column (x + pad - kx)/s; every one of them is inside
 * for these pixels. */
ALWAYS_INLINE void dx_pixels(const depthwise_dims *d, void *dx, const void *dy, const float *w, int64_t sample,
                             int64_t y, int64_t first, int count, int64_t channel, int lanes, bool is_bf16)
{
    int kh = d->kernel[0], kw = d->kernel[1], sh = d->stride[0], sw = d->stride[1];
    floats acc[PIXELS] = {{0}};
    for (int ky = (int)((y + d->pad[0]) % sh); ky < kh; ky += sh) {
        int64_t oy = (y + d->pad[0] - ky) / sh;
        if (y + d->pad[0] < ky || oy >= d->oh)
            continue;
        for (int kx = (int)((first + d->pad[1]) % sw); kx < kw; kx += sw) {
            int64_t ox = (first + d->pad[1] - kx) / sw;
            floats tap = *(const floats *)(w + (ky * kw + kx) * LANES);
            const int64_t at = ((sample * d->oh + oy) * d->ow + ox) * d->c + channel;
            for (int p = 0; p < count; p++) /* the next pixel of the class reads the next column of dy */
                acc[p] += tap * load(dy, at + p * d->c, is_bf16, lanes);
        }
    }
    for (int p = 0; p < count; p++)
        store(dx, ((sample * d->h + y) * d->w + first + (int64_t)p * sw) * d->c + channel, acc[p], is_bf16, lanes);
}

/* One pixel near a border, where taps may fall outside. */
ALWAYS_INLINE void dx_border_pixel(const depthwise_dims *d, void *dx, const void *dy, const float *w, int64_t sample,
                                   int64_t y, int64_t x, int64_t channel, int lanes, bool is_bf16)
{
    int kh = d->kernel[0], kw = d->kernel[1], sh = d->stride[0], sw = d->stride[1];
    floats acc = {0};
    for (int ky = 0; ky < kh; ky++)
        for (int kx = 0; kx < kw; kx++) {
            int64_t ty = y + d->pad[0] - ky, tx = x + d->pad[1] - kx;
            if (ty < 0 || tx < 0 || ty % sh || tx % sw || ty / sh >= d->oh || tx / sw >= d->ow)
                continue;
            int64_t at = ((sample * d->oh + ty / sh) * d->ow + tx / sw) * d->c + channel;
            acc += *(const floats *)(w + (ky * kw + kx) * LANES) * load(dy, at, is_bf16, lanes);
        }
    store(dx, ((sample * d->h + y) * d->w + x) * d->c + channel, acc, is_bf16, lanes);
}

/* Row y of one sample, one block of channels. */
ALWAYS_INLINE void dx_row(const depthwise_dims *d, void *dx, const void *dy, const float *w, int64_t sample, int64_t y,
                          int64_t channel, int lanes, bool is_bf16)
{
    int sw = d->stride[1];
    /* columns whose taps all lie inside: x + pad - kx >= 0 for the largest kx, (x + pad)/s < ow for the smallest */
    int64_t begin = d->kernel[1] - 1 - d->pad[1], end = (d->ow - 1) * sw - d->pad[1] + 1;
    begin = begin < 0 ? 0 : begin > d->w ? d->w : begin;
    end = end > d->w ? d->w : end < begin ? begin : end;
    for (int64_t x = 0; x < begin; x++)
        dx_border_pixel(d, dx, dy, w, sample, y, x, channel, lanes, is_bf16);
    for (int residue = 0; residue < sw; residue++) {
        int64_t x = begin + residue;
        for (; x + (PIXELS - 1) * sw < end; x += PIXELS * sw)
            dx_pixels(d, dx, dy, w, sample, y, x, PIXELS, channel, lanes, is_bf16);
        for (; x < end; x += sw)
            dx_pixels(d, dx, dy, w, sample, y, x, 1, channel, lanes, is_bf16);
    }
    for (int64_t x = end; x < d->w; x++)
        dx_border_pixel(d, dx, dy, w, sample, y, x, channel, lanes, is_bf16);
}

void KERNEL(depthwise_dx)(const depthwise_dims *d, void *dx, const void *dy, const float *weights, void *scratch)
{
    int taps = d->kernel[0] * d->kernel[1];
    float *packed = scratch;
    pack_weights(packed, weights, d->c, taps);
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < d->n * d->h; row++)
        for (int64_t channel = 0; channel < d->c; channel += LANES) {
            const float *w = packed + channel * taps;
            int64_t sample = row / d->h, y = row % d->h;
            int lanes = d->c - channel < LANES ? (int)(d->c - channel) : LANES;
            if (lanes < LANES)
                dx_row(d, dx, dy, w, sample, y, channel, lanes, d->is_bf16);
            else if (d->is_bf16)
                dx_row(d, dx, dy, w, sample, y, channel, LANES, true);
            else
                dx_row(d, dx, dy, w, sample, y, channel, LANES, false);
        }
}

/* --- weight gradient ---------------------------------------------------------------------------------------------- */

/* Adds rows [oy, oy_end) of one sample to sums [tap][LANES] for taps of kernel row ky. */
ALWAYS_INLINE void dw_rows(const depthwise_dims *d, float *sums, const void *dy, const void *x, int64_t sample,
                           int64_t oy, int64_t oy_end, int ky, int kw, int64_t channel, int lanes, bool is_bf16)
{
    int sw = d->stride[1];
    /* output columns whose taps all lie inside the picture */
    int64_t begin = (d->pad[1] + sw - 1) / sw, end = d->w - kw + d->pad[1] >= 0 ? (d->w - kw + d->pad[1]) / sw + 1 : 0;
    begin = begin > d->ow ? d->ow : begin;
    end = end > d->ow ? d->ow : end < begin ? begin : end;
    floats acc[MAX_KERNEL];
    for (int kx = 0; kx < kw; kx++)
        acc[kx] = *(floats *)(sums + kx * LANES);
    for (; oy < oy_end; oy++) {
        int64_t iy = oy * d->stride[0] + ky - d->pad[0];
        if (iy < 0 || iy >= d->h)
            continue;
        int64_t g_row = (sample * d->oh + oy) * d->ow * d->c + channel,
                x_row = (sample * d->h + iy) * d->w * d->c + channel;
        for (int64_t ox = 0; ox < d->ow; ox = ox + 1 == begin ? end : ox + 1) { /* both borders */
            if (ox >= begin && ox < end) {
                ox = end - 1;
                continue;
            }
            floats g = load(dy, g_row + ox * d->c, is_bf16, lanes);
            for (int kx = 0; kx < kw; kx++) {
                int64_t ix = ox * sw + kx - d->pad[1];
                if (ix >= 0 && ix < d->w)
                    acc[kx] += g * load(x, x_row + ix * d->c, is_bf16, lanes);
            }
        }
        for (int64_t ox = begin; ox < end; ox++) {
            floats g = load(dy, g_row + ox * d->c, is_bf16, lanes);
            int64_t at = x_row + (ox * sw - d->pad[1]) * d->c;
            for (int kx = 0; kx < kw; kx++)
                acc[kx] += g * load(x, at + kx * d->c, is_bf16, lanes);
        }
    }
    for (int kx = 0; kx < kw; kx++)
        *(floats *)(sums + kx * LANES) = acc[kx];
}

/* The same with what the compiler must know to keep sums in registers. */
ALWAYS_INLINE void dw_rows_fixed(const depthwise_dims *d, float *sums, const void *dy, const void *x, int64_t sample,
                                 int64_t oy, int64_t oy_end, int ky, int64_t channel, bool is_bf16)
{
    if (d->kernel[1] == 3)
        dw_rows(d, sums, dy, x, sample, oy, oy_end, ky, 3, channel, LANES, is_bf16);
    else if (d->kernel[1] == 5)
        dw_rows(d, sums, dy, x, sample, oy, oy_end, ky, 5, channel, LANES, is_bf16);
    else
        dw_rows(d, sums, dy, x, sample, oy, oy_end, ky, d->kernel[1], channel, LANES, is_bf16);
}

void KERNEL(depthwise_dw)(const depthwise_dims *d, float *dw, const void *dy, const void *x, void *scratch)
{
    int kh = d->kernel[0], kw = d->kernel[1], taps = kh * kw;
    int64_t blocks = (d->c + LANES - 1) / LANES, sums_count = blocks * taps * LANES;
    float *all_sums = scratch; /* [threads][block][tap][LANES] */
    size_t row_bytes = (size_t)((d->w * d->stride[0] + d->ow) * d->c) * (d->is_bf16 ? sizeof(uint16_t) : sizeof(float));
    int64_t rows = (int64_t)(CHUNK_BYTES / (row_bytes ? row_bytes : 1));
    rows = rows < 1 ? 1 : rows > d->oh ? d->oh : rows;
    int64_t chunks = (d->oh + rows - 1) / rows;
    int threads = 1;
#pragma omp parallel
    {
#pragma omp single
        threads = omp_get_num_threads();
        float *sums = all_sums + omp_get_thread_num() * sums_count;
        memset(sums, 0, (size_t)sums_count * sizeof(float));
#pragma omp for schedule(static)
        for (int64_t task = 0; task < d->n * chunks; task++) {
            int64_t sample = task / chunks, oy = task % chunks * rows, oy_end = oy + rows < d->oh ? oy + rows : d->oh;
            for (int64_t b = 0; b < blocks; b++)
                for (int ky = 0; ky < kh; ky++) {
                    float *s = sums + (b * taps + ky * kw) * LANES;
                    int lanes = d->c - b * LANES < LANES ? (int)(d->c - b * LANES) : LANES;
                    if (lanes < LANES)
                        dw_rows(d, s, dy, x, sample, oy, oy_end, ky, kw, b * LANES, lanes, d->is_bf16);
                    else if (d->is_bf16)
                        dw_rows_fixed(d, s, dy, x, sample, oy, oy_end, ky, b * LANES, true);
                    else
                        dw_rows_fixed(d, s, dy, x, sample, oy, oy_end, ky, b * LANES, false);
                }
        }
    }
    for (int64_t channel = 0; channel < d->c; channel++)
        for (int t = 0; t < taps; t++) {
            float sum = 0;
            for (int thread = 0; thread < threads; thread++)
                sum += all_sums[thread * sums_count + (channel / LANES * taps + t) * LANES + channel % LANES];
            dw[channel * taps + t] = sum;
        }
}
