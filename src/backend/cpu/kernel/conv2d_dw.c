/* Weight gradients of convolutions in bf16, where there is an instruction that adds two products of bf16 at a time.
 *
 *   dw[o][c][ky][kx] = sum over pictures and pixels of dy[o] times the x that it met
 *
 * The two products are of the same pixel in two pictures: packed so, x serves every tap, whichever way it shifts. A
 * tile of sums, eight channels of dy by 32 of x, stays in registers over all that is packed. Pictures are packed some
 * at a time, as conv2d_dw_divide says; every sum is one thread's and in one order, so that the number of threads
 * changes nothing. */
#include "backend/cpu/kernel/conv2d_dw.h"
#include "backend/cpu/kernel/vec.h"

#if defined(__AVX512BF16__)

/* What is packed: pairs of pictures from `pair`, rows of dy from `row`, and the rows of x that these meet. */
typedef struct {
    int64_t pair, pairs, row, rows, x_rows;
    bool is_first;
} chunk;

/* --- packing ------------------------------------------------------------------------------------------------------ */
/* to[i] = the pair a[i], b[i] for i < n <= 32, b's half 0 where there is none; zeros behind, up to whole vectors. */
INLINE void pack_channels(uint32_t *to, const uint16_t *a, const uint16_t *b, bool has_b, int n, int vectors)
{
    const __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37,
                                         5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    const __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
    const __mmask32 mask = n == CONV2D_DW_C ? ~0u : (1u << n) - 1;
    const __m512i even = _mm512_maskz_loadu_epi16(mask, a), odd = _mm512_maskz_loadu_epi16(has_b ? mask : 0, b);
    _mm512_storeu_si512(to, _mm512_permutex2var_epi16(even, low, odd));
    if (vectors == 2)
        _mm512_storeu_si512(to + CONV2D_DW_LANES, _mm512_permutex2var_epi16(even, high, odd));
}

/* `count` pixels, `jump` elements apart, tile by tile of 32 channels; the last has one vector where that is enough. */
INLINE void pack_x_pixels(const conv2d_dw_args *args, uint32_t *to, int64_t tile, int64_t pixel, int64_t count,
                          const uint16_t *a, const uint16_t *b, int64_t jump, bool has_b)
{
    const int left = (int)(args->c % CONV2D_DW_C), vectors = left > CONV2D_DW_LANES ? 2 : 1;
    for (int64_t end = pixel + count; pixel < end; pixel++, a += jump, b += jump) {
        uint32_t *at = to;
        int64_t ch = 0;
        for (; ch + CONV2D_DW_C <= args->c; ch += CONV2D_DW_C, at += tile)
            pack_channels(at + pixel * CONV2D_DW_C, a + ch, b + ch, has_b, CONV2D_DW_C, 2);
        if (left)
            pack_channels(at + pixel * vectors * CONV2D_DW_LANES, a + ch, b + ch, has_b, left, vectors);
    }
}

static void zero_x_pixels(const conv2d_dw_args *args, uint32_t *to, int64_t tile, int64_t pixel, int64_t count)
{
    const int64_t wide = conv2d_dw_up(args->c, CONV2D_DW_LANES);
    for (int64_t ch = 0; ch < wide; ch += CONV2D_DW_C, to += tile) {
        const int64_t width = wide - ch < CONV2D_DW_C ? wide - ch : CONV2D_DW_C;
        memset(to + pixel * width, 0, (size_t)(count * width) * sizeof *to);
    }
}

/* The columns of x within the picture, as packed. */
static part columns_inside(const conv2d_dw_args *a, int jump)
{
    const int64_t begin = (a->pad[1] + jump - 1) / jump, end = (a->w + a->pad[1] + jump - 1) / jump;
    return (part){begin < a->x_columns ? begin : a->x_columns, end < a->x_columns ? end : a->x_columns};
}

/* Row `index` of the chunk's packed x, counted over its pairs. */
static void pack_x_row(const conv2d_dw_args *a, const chunk *k, uint32_t *to, int64_t index)
{
    const int64_t tile = k->pairs * k->x_rows * a->x_columns * CONV2D_DW_C, picture = a->h * a->w * a->c;
    const int jump[2] = {a->stride[0] / a->step[0], a->stride[1] / a->step[1]};
    const int64_t first = 2 * (k->pair + index / k->x_rows), pixel = index * a->x_columns;
    const int64_t iy = k->row * a->stride[0] + index % k->x_rows * jump[0] - a->pad[0];
    part in = columns_inside(a, jump[1]);
    if (iy < 0 || iy >= a->h)
        in.begin = in.end = a->x_columns;
    zero_x_pixels(a, to, tile, pixel, in.begin);
    zero_x_pixels(a, to, tile, pixel + in.end, a->x_columns - in.end);
    const int64_t from = first * picture + (iy * a->w + in.begin * jump[1] - a->pad[1]) * a->c;
    const int64_t other = first + 1 < a->n ? picture : 0;
    if (in.begin < in.end)
        pack_x_pixels(a, to, tile, pixel + in.begin, in.end - in.begin, a->x + from, a->x + from + other,
                      jump[1] * a->c, other != 0);
}

/* Row `index` of the chunk's packed dy: tiles of eight channels. */
static void pack_dy_row(const conv2d_dw_args *a, const chunk *k, uint32_t *to, int64_t index)
{
    const int64_t tile = k->pairs * k->rows * a->ow * CONV2D_DW_O, picture = a->oh * a->ow * a->o;
    const int64_t first = 2 * (k->pair + index / k->rows), oy = k->row + index % k->rows;
    const int64_t other = first + 1 < a->n ? picture : 0;
    const __mmask8 last = (__mmask8)(0xff >> (conv2d_dw_up(a->o, CONV2D_DW_O) - a->o)), all = other ? 0xff : 0;
    const uint16_t *dy = a->dy + first * picture + oy * a->ow * a->o;
    to += index * a->ow * CONV2D_DW_O;
    for (int64_t column = 0; column < a->ow; column++, dy += a->o, to += CONV2D_DW_O) {
        uint32_t *at = to;
        for (int64_t ch = 0; ch < a->o; ch += CONV2D_DW_O, at += tile) {
            const __mmask8 mask = ch + CONV2D_DW_O <= a->o ? 0xff : last;
            const __m128i even = _mm_maskz_loadu_epi16(mask, dy + ch);
            const __m128i odd = _mm_maskz_loadu_epi16(mask & all, dy + other + ch);
            _mm_storeu_si128((__m128i *)at, _mm_unpacklo_epi16(even, odd));
            _mm_storeu_si128((__m128i *)(at + 4), _mm_unpackhi_epi16(even, odd));
        }
    }
}

static void pack(const conv2d_dw_args *a, const chunk *k, int index)
{
    const part x = part_of(k->pairs * k->x_rows, 1, a->threads, index);
    for (int64_t row = x.begin; row < x.end; row++)
        pack_x_row(a, k, a->scratch, row);
    const part dy = part_of(k->pairs * k->rows, 1, a->threads, index);
    for (int64_t row = dy.begin; row < dy.end; row++)
        pack_dy_row(a, k, (uint32_t *)((char *)a->scratch + a->dy_at), row);
}

/* --- sums --------------------------------------------------------------------------------------------------------- */
/* How one tile walks what is packed: runs of pixels, their pitches in pixels. */
typedef struct {
    int64_t pairs, rows, run;
    int64_t pair_pitch, row_pitch, step; /* of x */
} walk;

INLINE void sum_tile(const walk *k, const uint32_t *x, const uint32_t *dy, float *sums, bool is_first,
                     const int vectors)
{
    __m512 s[CONV2D_DW_O][2];
#pragma GCC unroll 8
    for (int i = 0; i < CONV2D_DW_O; i++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            s[i][v] = is_first ? _mm512_setzero_ps() : _mm512_loadu_ps(sums + (i * vectors + v) * CONV2D_DW_LANES);
    const int64_t step = k->step * vectors * CONV2D_DW_LANES;
    for (int64_t pair = 0; pair < k->pairs; pair++)
        for (int64_t row = 0; row < k->rows; row++) {
            const uint32_t *at = x + (pair * k->pair_pitch + row * k->row_pitch) * vectors * CONV2D_DW_LANES;
            for (int64_t pixel = 0; pixel < k->run; pixel++, at += step, dy += CONV2D_DW_O) {
                __m512bh vx[2];
#pragma GCC unroll 2
                for (int v = 0; v < vectors; v++)
                    vx[v] = (__m512bh)_mm512_loadu_si512(at + v * CONV2D_DW_LANES);
#pragma GCC unroll 8
                for (int i = 0; i < CONV2D_DW_O; i++) {
                    const __m512bh vy = (__m512bh)_mm512_set1_epi32((int)dy[i]);
#pragma GCC unroll 2
                    for (int v = 0; v < vectors; v++)
                        s[i][v] = _mm512_dpbf16_ps(s[i][v], vx[v], vy);
                }
            }
        }
#pragma GCC unroll 8
    for (int i = 0; i < CONV2D_DW_O; i++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            _mm512_storeu_ps(sums + (i * vectors + v) * CONV2D_DW_LANES, s[i][v]);
}

/* Tiles in their order: channels of x, of dy, taps. One is eight channels of dy by one or two vectors of x. */
typedef struct {
    int64_t x_vectors, dy_tiles, taps;
} tiles;

static tiles tiles_of(const conv2d_dw_args *a)
{
    return (tiles){conv2d_dw_up(a->c, CONV2D_DW_LANES) / CONV2D_DW_LANES, conv2d_dw_up(a->o, CONV2D_DW_O) / CONV2D_DW_O,
                   (int64_t)a->kernel[0] * a->kernel[1]};
}

/* The first tile of part `index`: parts have about as many vectors each. */
static int64_t tile_begin(const conv2d_dw_args *a, const tiles *t, int index)
{
    const int64_t each = t->dy_tiles * t->taps, doubles = t->x_vectors / 2 * each;
    const int64_t vector = t->x_vectors * each * index / a->threads;
    return vector <= 2 * doubles ? (vector + 1) / 2 : vector - doubles;
}

/* Vectors of the tile of x: the last may have one. */
static int64_t vectors_of(const tiles *t, int64_t x_tile)
{
    return t->x_vectors - 2 * x_tile >= 2 ? 2 : 1;
}

static float *sums_of(const conv2d_dw_args *a, const tiles *t, int64_t x_tile, int64_t dy_tile)
{
    const int64_t before = 2 * x_tile * t->dy_tiles + vectors_of(t, x_tile) * dy_tile;
    return (float *)((char *)a->scratch + a->sums_at) + before * t->taps * CONV2D_DW_O * CONV2D_DW_LANES;
}

static void sum_tiles(const conv2d_dw_args *a, const chunk *k, int index)
{
    const tiles t = tiles_of(a);
    const int64_t x_tile = k->pairs * k->x_rows * a->x_columns * CONV2D_DW_C,
                  dy_tile = k->pairs * k->rows * a->ow * CONV2D_DW_O;
    walk way = {k->pairs, k->rows, a->ow, k->x_rows * a->x_columns, a->step[0] * a->x_columns, a->step[1]};
    if (way.step == 1 && way.row_pitch == way.run) { /* rows without a gap are one */
        way.run *= way.rows;
        way.rows = 1;
    }
    const int64_t end = tile_begin(a, &t, index + 1);
    for (int64_t i = tile_begin(a, &t, index); i < end; i++) {
        const int64_t tap = i % t.taps, dy = i / t.taps % t.dy_tiles, x = i / t.taps / t.dy_tiles;
        const int64_t vectors = vectors_of(&t, x);
        const int64_t pixel = tap / a->kernel[1] * a->dilation[0] * a->x_columns + tap % a->kernel[1] * a->dilation[1];
        const uint32_t *from = (const uint32_t *)a->scratch + x * x_tile + pixel * vectors * CONV2D_DW_LANES;
        const uint32_t *meets = (const uint32_t *)((const char *)a->scratch + a->dy_at) + dy * dy_tile;
        float *sums = sums_of(a, &t, x, dy) + tap * vectors * CONV2D_DW_O * CONV2D_DW_LANES;
        if (vectors == 2)
            sum_tile(&way, from, meets, sums, k->is_first, 2);
        else
            sum_tile(&way, from, meets, sums, k->is_first, 1);
    }
}

/* The sums of one channel of dy and the channels of one tile of x, as dw lays them out. */
static void put_row(float *dw, const float *sums, int64_t channels, int64_t width, int64_t taps)
{
    if (taps == 1) {
        memcpy(dw, sums, (size_t)channels * sizeof *dw);
        return;
    }
    for (int64_t c = 0; c < channels; c++)
        for (int64_t tap = 0; tap < taps; tap++)
            *dw++ = sums[tap * CONV2D_DW_O * width + c];
}

static void put(const conv2d_dw_args *a, int index)
{
    const tiles t = tiles_of(a);
    const part mine = part_of(t.dy_tiles, 1, a->threads, index);
    for (int64_t dy = mine.begin; dy < mine.end; dy++)
        for (int64_t x = 0; 2 * x < t.x_vectors; x++) {
            const int64_t width = vectors_of(&t, x) * CONV2D_DW_LANES, left = a->c - x * CONV2D_DW_C;
            const float *sums = sums_of(a, &t, x, dy);
            for (int64_t o = dy * CONV2D_DW_O; o < a->o && o < (dy + 1) * CONV2D_DW_O; o++, sums += width)
                put_row(a->dw + (o * a->c + x * CONV2D_DW_C) * t.taps, sums, left < width ? left : width, width,
                        t.taps);
        }
}

void KERNEL(conv2d_dw)(const void *args)
{
    const conv2d_dw_args *a = args;
    const int64_t pairs = (a->n + 1) / 2;
    chunk k = {.is_first = true};
    for (k.pair = 0; k.pair < pairs; k.pair += a->pairs)
        for (k.row = 0; k.row < a->oh; k.row += a->rows) {
            k.pairs = pairs - k.pair < a->pairs ? pairs - k.pair : a->pairs;
            k.rows = a->oh - k.row < a->rows ? a->oh - k.row : a->rows;
            k.x_rows = a->x_rows - (a->rows - k.rows) * a->step[0];
#pragma omp parallel for num_threads(a->threads) schedule(static)
            for (int index = 0; index < a->threads; index++)
                pack(a, &k, index);
#pragma omp parallel for num_threads(a->threads) schedule(static)
            for (int index = 0; index < a->threads; index++)
                sum_tiles(a, &k, index);
            k.is_first = false;
        }
#pragma omp parallel for num_threads(a->threads) schedule(static)
    for (int index = 0; index < a->threads; index++)
        put(a, index);
}

#endif
