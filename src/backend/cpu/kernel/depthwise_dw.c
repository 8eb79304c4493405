/* Gradient of a depthwise convolution's weights: dw[ch][ky][kx] = sum over outputs of dy times the input it met.
 *
 * A tile of neighbouring dy sits in registers while each source row passes once; the sums of one tile are added to the
 * part's own [taps][c] in memory, and parts are added up in order at the end. */
#include "backend/cpu/kernel/depthwise.h"
#include "backend/cpu/kernel/vec.h"

enum { MAX_TAPS = 5, TILE = 7, SMALL_TILE = 4 };

/* Where one tile of dy lies. skip: leading outputs that an earlier tile has counted. */
typedef struct {
    int64_t image, dy_at; /* elements: of the image in x, of the tile's first output */
    int64_t iy, ix;       /* input position that tap 0, 0 of its first output meets */
    int skip;
} dy_tile;

INLINE void tile_vec(const depthwise_args *a, const dy_tile *t, float *sums, int64_t ch, const int taps,
                     const int stride, const int tile, bool is_inside, bool is_bf16)
{
    vf dy[TILE];
#pragma GCC unroll 7
    for (int o = 0; o < tile; o++)
        dy[o] = o < t->skip ? vec_set(0) : vec_load(a->y, t->dy_at + o * a->c + ch, is_bf16);
    for (int ky = 0; ky < taps; ky++) {
        if (t->iy + ky < 0 || t->iy + ky >= a->h)
            continue;
        int64_t at = t->image + ((t->iy + ky) * a->width + t->ix) * a->c + ch;
        float *sum = sums + (int64_t)(ky * taps) * a->c + ch;
        vf s[MAX_TAPS];
#pragma GCC unroll 5
        for (int k = 0; k < taps; k++)
            s[k] = vec_load_f32(sum + k * a->c);
#pragma GCC unroll 17
        for (int i = 0; i < (tile - 1) * stride + taps; i++) {
            if (!is_inside && (uint64_t)(t->ix + i) >= (uint64_t)a->width)
                continue;
            vf x = vec_load(a->x, at + i * a->c, is_bf16);
#pragma GCC unroll 5
            for (int k = 0; k < taps; k++)
                if (i >= k && (i - k) % stride == 0 && (i - k) / stride < tile)
                    s[k] += x * dy[(i - k) / stride];
        }
#pragma GCC unroll 5
        for (int k = 0; k < taps; k++)
            vec_store_f32(sum + k * a->c, s[k]);
    }
}

INLINE void tile_all(const depthwise_args *a, const dy_tile *t, float *sums, const int taps, const int stride,
                     const int tile, bool is_bf16)
{
    bool is_inside = t->ix >= 0 && t->ix + (tile - 1) * stride + taps <= a->width;
    if (tile == TILE && is_inside)
        for (int64_t ch = 0; ch + VEC_LANES <= a->c; ch += VEC_LANES)
            tile_vec(a, t, sums, ch, taps, stride, tile, true, is_bf16);
    else
        for (int64_t ch = 0; ch + VEC_LANES <= a->c; ch += VEC_LANES)
            tile_vec(a, t, sums, ch, taps, stride, tile, false, is_bf16);
}

/* Channels [from, c) of one output row, one by one: what vectors leave over, and shapes without a walk. */
static void row_plain(const depthwise_args *a, float *sums, int64_t i, int64_t oy, int64_t from)
{
    for (int ky = 0; ky < a->kernel[0]; ky++) {
        int64_t iy = oy * a->stride[0] - a->pad[0] + ky;
        if (iy < 0 || iy >= a->h)
            continue;
        for (int kx = 0; kx < a->kernel[1]; kx++)
            for (int64_t ox = 0; ox < a->ow; ox++) {
                int64_t ix = ox * a->stride[1] - a->pad[1] + kx;
                if (ix < 0 || ix >= a->width)
                    continue;
                int64_t x = ((i * a->h + iy) * a->width + ix) * a->c, y = ((i * a->oh + oy) * a->ow + ox) * a->c;
                float *sum = sums + (ky * a->kernel[1] + kx) * a->c;
                for (int64_t ch = from; ch < a->c; ch++)
                    sum[ch] += scalar_load(a->x, x + ch, a->is_bf16) * scalar_load(a->y, y + ch, a->is_bf16);
            }
    }
}

/* The next row of dy and the input rows that come with it, as far as this tile reaches (see depthwise.c). */
INLINE void fetch_ahead(const depthwise_args *a, const dy_tile *t, int64_t width, int stride, bool is_bf16)
{
    int64_t element = is_bf16 ? 2 : 4, below = t->iy + a->kernel[0], ix = t->ix < 0 ? 0 : t->ix;
    const char *dy = (const char *)a->y + (t->dy_at + a->ow * a->c) * element;
    for (int64_t at = 0; at < width * a->c * element; at += 64)
        __builtin_prefetch(dy + at);
    for (int r = 0; r < stride && below + r < a->h; r++) {
        const char *x = (const char *)a->x + (t->image + ((below + r) * a->width + ix) * a->c) * element;
        for (int64_t at = 0; at < width * stride * a->c * element; at += 64)
            __builtin_prefetch(x + at);
    }
}

INLINE void row_walk(const depthwise_args *a, float *sums, int64_t i, int64_t oy, const int taps, const int stride,
                     bool is_bf16)
{
    for (int64_t o = 0; o < a->ow;) {
        dy_tile t = {.image = i * a->h * a->width * a->c};
        int64_t left = a->ow - o, width = left >= SMALL_TILE ? SMALL_TILE : 1;
        if (a->ow >= TILE) { /* the last tile overlaps the one before */
            width = TILE;
            t.skip = left < TILE ? (int)(TILE - left) : 0;
        }
        int64_t first = o - t.skip;
        t.dy_at = ((i * a->oh + oy) * a->ow + first) * a->c;
        t.iy = oy * stride - a->pad[0];
        t.ix = first * stride - a->pad[1];
        fetch_ahead(a, &t, width, stride, is_bf16);
        if (width == TILE)
            tile_all(a, &t, sums, taps, stride, TILE, is_bf16);
        else if (width == SMALL_TILE)
            tile_all(a, &t, sums, taps, stride, SMALL_TILE, is_bf16);
        else
            tile_all(a, &t, sums, taps, stride, 1, is_bf16);
        o = first + width;
    }
    if (a->c % VEC_LANES)
        row_plain(a, sums, i, oy, a->c - a->c % VEC_LANES);
}

static void row_run(const depthwise_args *a, float *sums, int64_t i, int64_t oy)
{
#define ROW_CASE(TAPS, STRIDE)                                                                                         \
    if (a->kernel[0] == TAPS && a->kernel[1] == TAPS && a->stride[0] == STRIDE && a->stride[1] == STRIDE) {            \
        if (a->is_bf16)                                                                                                \
            row_walk(a, sums, i, oy, TAPS, STRIDE, true);                                                              \
        else                                                                                                           \
            row_walk(a, sums, i, oy, TAPS, STRIDE, false);                                                             \
        return;                                                                                                        \
    }
    ROW_CASE(3, 1)
    ROW_CASE(5, 1)
    ROW_CASE(3, 2)
    ROW_CASE(5, 2)
#undef ROW_CASE
    row_plain(a, sums, i, oy, 0);
}

void KERNEL(depthwise_dw)(const void *args)
{
    const depthwise_args *a = args;
    int taps = a->kernel[0] * a->kernel[1];
    int64_t rows = a->n * a->oh, count = taps * a->c;
    int parts = parts_for(rows * a->ow * a->c, a->threads);
    float *all = a->scratch;
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(rows, 1, parts, index);
        float *sums = all + index * count;
        memset(sums, 0, (size_t)count * sizeof *sums);
        for (int64_t row = mine.begin; row < mine.end; row++)
            row_run(a, sums, row / a->oh, row % a->oh);
    }
    for (int64_t ch = 0; ch < a->c; ch++)
        for (int k = 0; k < taps; k++) {
            float total = 0;
            for (int index = 0; index < parts; index++)
                total += all[index * count + k * a->c + ch];
            a->dw[ch * taps + k] = total;
        }
}
