/* The wide middle of an inverted bottleneck, f32: a 1x1 convolution that widens, the depthwise one behind it, and the
 * sums that squeeze-excite takes the mean of.
 *
 * The widened picture is six times as large as what it comes from, so it is never written whole: a chunk of its
 * channels over a band of rows is computed into a buffer that a core's own cache holds, and the depthwise convolution
 * reads it there. The buffer has columns of zeros where the picture is padded, so the walk over it has no edges. A
 * channel's numbers depend neither on the chunk that it is in nor on the number of threads. */
#include "backend/cpu/kernel/bottleneck.h"
#include "backend/cpu/kernel/product.h"

enum { MAX_TAPS = 5, TILE = 7, SMALL_TILE = 3 };

/* A chunk of a band: where its buffer begins and what of the picture lies there. */
typedef struct {
    float *buffer;
    int64_t pitch, columns; /* floats a pixel, pixels a row */
    int64_t first, rows;    /* of the picture: row 0 of the buffer, rows there */
    int64_t channel;
    int vectors;
} chunk;

static void clear(float *dst, int64_t count)
{
    memset(dst, 0, (size_t)count * sizeof *dst);
}

/* x, widened, into the buffer. */
static void fill(const widen_args *a, const chunk *b, int64_t i)
{
    const float *x = a->x + (i * a->h + b->first) * a->width * a->k;
    int64_t left = a->pad[1], right = b->columns - left - a->width;
    for (int64_t r = 0; r < b->rows; r++) {
        float *row = b->buffer + r * b->columns * b->pitch;
        clear(row, left * b->pitch);
        clear(row + (left + a->width) * b->pitch, right * b->pitch);
        for (int64_t p = 0; !a->expand && p < a->width; p++)
            memcpy(row + (left + p) * b->pitch, x + (r * a->width + p) * a->k + b->channel,
                   (size_t)b->pitch * sizeof *row);
    }
    if (!a->expand)
        return;
    const int64_t vector = b->channel / VEC_LANES;
    KERNEL(product)
    (&(product_args){.x = x,
                     .w = a->expand + vector / PRODUCT_VECTORS * PRODUCT_PANEL * a->k +
                          vector % PRODUCT_VECTORS * VEC_LANES,
                     .bias = a->expand_bias + b->channel,
                     .y = b->buffer + left * b->pitch,
                     .rows = b->rows * a->width,
                     .k = a->k,
                     .x_pitch = a->k,
                     .y_pitch = b->pitch,
                     .line = a->width,
                     .gap = (left + right) * b->pitch,
                     .vectors = b->vectors,
                     .lanes = VEC_LANES,
                     .act = a->expand_act});
}

/* What one row of outputs meets: rows of the buffer and of weights. */
typedef struct {
    const float *src, *w, *bias;
    float *y;
    int64_t src_row, pitch, c;
    int rows;
} line;

/* Outputs [o, o + tile) of a vector of channels; gives their sum. All but l and o are constants. */
INLINE vf tile_of(const line *l, int64_t o, const int taps, const int stride, const int tile, const activation_kind act)
{
    vf sum[TILE], total = {0};
#pragma GCC unroll 7
    for (int t = 0; t < tile; t++)
        sum[t] = vec_load_f32(l->bias);
    for (int r = 0; r < l->rows; r++) {
        const float *src = l->src + r * l->src_row + o * stride * l->pitch, *from = l->w + r * taps * l->c;
        vf w[MAX_TAPS];
#pragma GCC unroll 5
        for (int k = 0; k < taps; k++)
            w[k] = vec_load_f32(from + k * l->c);
#pragma GCC unroll 17
        for (int i = 0; i < (tile - 1) * stride + taps; i++) {
            vf x = vec_load_f32(src + i * l->pitch);
#pragma GCC unroll 5
            for (int k = 0; k < taps; k++)
                if (i >= k && (i - k) % stride == 0 && (i - k) / stride < tile)
                    sum[(i - k) / stride] += x * w[k];
        }
    }
#pragma GCC unroll 7
    for (int t = 0; t < tile; t++) {
        vf y = product_activation(sum[t], act);
        vec_store_f32(l->y + (o + t) * l->c, y);
        total += y;
    }
    return total;
}

/* A row of `count` outputs. */
INLINE vf line_of(const line *l, int64_t count, const int taps, const int stride, const activation_kind act)
{
    vf total = {0};
    int64_t o = 0;
    for (; o + TILE <= count; o += TILE)
        total += tile_of(l, o, taps, stride, TILE, act);
    for (; o + SMALL_TILE <= count; o += SMALL_TILE)
        total += tile_of(l, o, taps, stride, SMALL_TILE, act);
    for (; o < count; o++)
        total += tile_of(l, o, taps, stride, 1, act);
    return total;
}

INLINE void walk(const widen_args *a, const chunk *b, part rows, int64_t i, float *sums, const int taps,
                 const int stride, const activation_kind act)
{
    for (int v = 0; v < b->vectors; v++) {
        vf total = {0};
        const int64_t channel = b->channel + v * VEC_LANES;
        for (int64_t oy = rows.begin; oy < rows.end; oy++) {
            int64_t top = oy * stride - a->pad[0], from = top < 0 ? 0 : top, to = top + taps;
            line l = {.src = b->buffer + (from - b->first) * b->columns * b->pitch + v * VEC_LANES,
                      .w = a->w + (from - top) * taps * a->c + channel,
                      .bias = a->bias + channel,
                      .y = a->y + (i * a->oh + oy) * a->ow * a->c + channel,
                      .src_row = b->columns * b->pitch,
                      .pitch = b->pitch,
                      .c = a->c,
                      .rows = (int)((to > a->h ? a->h : to) - from)};
            total += line_of(&l, a->ow, taps, stride, act);
        }
        vec_store_f32(sums + channel, total);
    }
}

static void convolve(const widen_args *a, const chunk *b, part rows, int64_t i, float *sums)
{
#define WALK_CASE(TAPS, STRIDE, ACT)                                                                                   \
    if (a->kernel == TAPS && a->stride == STRIDE && a->act == ACT)                                                     \
        walk(a, b, rows, i, sums, TAPS, STRIDE, ACT);
#define WALK_CASES(ACT)                                                                                                \
    WALK_CASE(3, 1, ACT)                                                                                               \
    WALK_CASE(5, 1, ACT) WALK_CASE(3, 2, ACT) WALK_CASE(5, 2, ACT)
    WALK_CASES(ACT_SILU)
    WALK_CASES(ACT_RELU6)
    WALK_CASES(ACT_RELU)
    WALK_CASES(ACT_NONE)
#undef WALK_CASES
#undef WALK_CASE
}

/* Chunk of channels from `vector` on of band `band` of sample i. */
static void compute(const widen_args *a, int64_t i, int64_t band, int64_t vector, int vectors, float *buffer)
{
    part rows = {band * a->band, (band + 1) * a->band < a->oh ? (band + 1) * a->band : a->oh};
    int64_t first = rows.begin * a->stride - a->pad[0];
    int64_t end = (rows.end - 1) * a->stride - a->pad[0] + a->kernel;
    chunk b = {.buffer = buffer,
               .pitch = vectors * VEC_LANES,
               .columns = widen_columns(a),
               .first = first < 0 ? 0 : first,
               .channel = vector * VEC_LANES,
               .vectors = vectors};
    b.rows = (end > a->h ? a->h : end) - b.first;
    fill(a, &b, i);
    convolve(a, &b, rows, i, a->sums + (i * a->bands + band) * a->c);
}

void KERNEL(widen)(const void *args)
{
    const widen_args *a = args;
    int64_t vectors = a->c / VEC_LANES, units = a->n * a->bands * vectors;
    int parts = parts_for(a->n * a->h * a->width * a->c, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(units, 1, parts, index);
        float *buffer = a->scratch + index * widen_part_floats(a);
        for (int64_t u = mine.begin; u < mine.end;) {
            int64_t vector = u % vectors, left = vectors - vector < mine.end - u ? vectors - vector : mine.end - u;
            int count = vector % PRODUCT_VECTORS == 0 && left >= 2 ? 2 : 1;
            compute(a, u / vectors / a->bands, u / vectors % a->bands, vector, count, buffer);
            u += count;
        }
    }
}

/* --- squeeze-excite ----------------------------------------------------------------------------------------------- */
enum { OUTS = 4 };

static void means(const squeeze_args *a, float *mean, int64_t i)
{
    for (int64_t ch = 0; ch < a->c; ch += VEC_LANES) {
        vf sum = {0};
        for (int64_t band = 0; band < a->bands; band++)
            sum += vec_load_f32(a->sums + (i * a->bands + band) * a->c + ch);
        vec_store_f32(mean + ch, sum * (1 / (float)a->hw));
    }
}

/* squeezed[o .. o + outs) of one sample; outs is a constant */
INLINE void squeeze_outs(const squeeze_args *a, const float *mean, float *squeezed, int64_t o, const int outs)
{
    vf sum[OUTS] = {{0}};
    for (int64_t ch = 0; ch < a->c; ch += VEC_LANES)
#pragma GCC unroll 4
        for (int j = 0; j < outs; j++)
            sum[j] += vec_load_f32(mean + ch) * vec_load_f32(a->w1 + (o + j) * a->c + ch);
#pragma GCC unroll 4
    for (int j = 0; j < outs; j++) {
        float x = vec_sum(sum[j]) + (a->b1 ? a->b1[o + j] : 0);
        squeezed[o + j] = x / (1 + expf(-x));
    }
}

static void squeeze(const squeeze_args *a, const float *mean, float *squeezed, part mine)
{
    int64_t o = mine.begin;
    for (; o + OUTS <= mine.end; o += OUTS)
        squeeze_outs(a, mean, squeezed, o, OUTS);
    for (; o < mine.end; o++)
        squeeze_outs(a, mean, squeezed, o, 1);
}

static void excite(const squeeze_args *a, const float *squeezed, float *s, part mine)
{
    for (int64_t ch = mine.begin; ch < mine.end; ch += VEC_LANES) {
        vf sum = a->b2 ? vec_load_f32(a->b2 + ch) : vec_set(0);
        for (int64_t o = 0; o < a->squeezed; o++)
            sum += vec_load_f32(a->w2 + o * a->c + ch) * squeezed[o];
        vec_store_f32(s + ch, vec_sigmoid(sum, false));
    }
}

void KERNEL(squeeze)(const void *args)
{
    const squeeze_args *a = args;
    int parts = parts_for(a->squeezed * a->c, a->threads);
    for (int64_t i = 0; i < a->n; i++) {
        float *mean = a->scratch + i * (a->c + a->squeezed), *squeezed = mean + a->c;
        means(a, mean, i);
#pragma omp parallel for num_threads(parts) schedule(static)
        for (int index = 0; index < parts; index++)
            squeeze(a, mean, squeezed, part_of(a->squeezed, OUTS, parts, index));
#pragma omp parallel for num_threads(parts) schedule(static)
        for (int index = 0; index < parts; index++)
            excite(a, squeezed, a->s + i * a->c, part_of(a->c, VEC_LANES, parts, index));
    }
}
