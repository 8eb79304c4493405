/* Depthwise convolution, forward and with respect to its input, on NHWC.
 *
 * Both are the same walk: a run of TILE neighbouring outputs of one image row, a vector of channels at a time, gathers
 * from a few source rows. Each source column is loaded once and used by every output of the run that it reaches; sums
 * and one row of weights stay in registers. Backward at stride 2 falls apart into outputs of even and odd columns, each
 * a walk at stride 1 with every other tap. Kernels other than 3x3 and 5x5 (stride 1 and 2), and fewer channels than a
 * vector, take the plain walk at the end. */
#include "backend/cpu/kernel/depthwise.h"
#include "backend/cpu/kernel/vec.h"

enum { MAX_TAPS = 5, TILE = 7, SMALL_TILE = 4 }; /* 7 divides the rows of a 224-pixel network: 112, 56, 28, 14, 7 */

/* What a run of outputs gathers from. */
typedef struct {
    const void *src;
    int64_t row[MAX_TAPS];     /* element offset of column 0 of each source row */
    int64_t weights[MAX_TAPS]; /* element offset in w of what tap 0 of that row multiplies by */
    int64_t weight_step;       /* elements from there to the next tap's */
    int rows;
    int64_t ahead;   /* element offset of column 0 of the source row that the next line meets first */
    int ahead_rows;  /* rows from there to fetch meanwhile */
    int64_t columns; /* of the source */
    int64_t first;   /* source column that tap 0 of the row's output 0 meets (may be outside) */
    int64_t count;   /* outputs of the row */
    void *dst;
    const void *residual; /* as dst, or NULL */
    int64_t at, step;     /* element of output 0; elements from one output to the next */
    const float *w, *bias;
    int64_t c;
    activation_kind act;
    bool has_finish; /* bias, residual or activation */
} line;

/* What follows the sums, where anything does: rare in training, so kept out of the walk. */
static __attribute__((noinline)) void finish(const line *l, vf *sum, int64_t o, int64_t ch, int tile, bool is_bf16)
{
    for (int t = 0; t < tile; t++) {
        int64_t at = l->at + (o + t) * l->step + ch;
        vf v = sum[t];
        if (l->bias)
            v += vec_load_f32(l->bias + ch);
        if (l->residual)
            v += vec_load(l->residual, at, is_bf16);
        if (l->act == ACT_RELU)
            v = vec_relu(v);
        else if (l->act == ACT_RELU6)
            v = vec_relu6(v);
        else if (l->act == ACT_SILU)
            v *= vec_sigmoid(v, is_bf16);
        else if (l->act == ACT_SIGMOID)
            v = vec_sigmoid(v, is_bf16);
        vec_store(l->dst, at, v, is_bf16);
    }
}

/* What the next line of outputs will read below this tile: its order is too scattered for the processor to foresee. */
INLINE void fetch_ahead(const line *l, int64_t first, int64_t columns, bool is_bf16)
{
    const char *src = l->src;
    int64_t element = is_bf16 ? 2 : 4, from = first < 0 ? 0 : first;
    int64_t to = first + columns < l->columns ? first + columns : l->columns;
    for (int r = 0; r < l->ahead_rows; r++) {
        int64_t row = l->ahead + r * l->columns * l->c;
        for (int64_t at = (row + from * l->c) * element; at < (row + to * l->c) * element; at += 64)
            __builtin_prefetch(src + at);
    }
}

/* Outputs [o, o + tile) of the line, channels [ch, ch + VEC_LANES). is_inside: no source column is outside. */
INLINE void tile_vec(const line *l, int64_t o, int64_t ch, const int taps, const int stride, const int tile,
                     bool is_inside, bool is_bf16)
{
    vf sum[TILE] = {{0}};
    int64_t first = l->first + o * stride;
    for (int r = 0; r < l->rows; r++) {
        vf w[MAX_TAPS];
#pragma GCC unroll 5
        for (int k = 0; k < taps; k++)
            w[k] = vec_load_f32(l->w + l->weights[r] + k * l->weight_step + ch);
        int64_t at = l->row[r] + first * l->c + ch;
#pragma GCC unroll 17
        for (int i = 0; i < (tile - 1) * stride + taps; i++) {
            if (!is_inside && (uint64_t)(first + i) >= (uint64_t)l->columns)
                continue;
            vf x = vec_load(l->src, at + i * l->c, is_bf16);
#pragma GCC unroll 5
            for (int k = 0; k < taps; k++)
                if (i >= k && (i - k) % stride == 0 && (i - k) / stride < tile)
                    sum[(i - k) / stride] += x * w[k];
        }
    }
    if (l->has_finish) {
        vf copy[TILE]; /* sum itself must have no address, or it would not stay in registers */
#pragma GCC unroll 7
        for (int t = 0; t < tile; t++)
            copy[t] = sum[t];
        finish(l, copy, o, ch, tile, is_bf16);
        return;
    }
#pragma GCC unroll 7
    for (int t = 0; t < tile; t++)
        vec_store(l->dst, l->at + (o + t) * l->step + ch, sum[t], is_bf16);
}

/* All channels of a tile; the last vector overlaps the one before where it must. */
INLINE void tile_all(const line *l, int64_t o, const int taps, const int stride, const int tile, bool is_bf16)
{
    int64_t first = l->first + o * stride;
    bool is_inside = first >= 0 && first + (tile - 1) * stride + taps <= l->columns;
    fetch_ahead(l, first, tile * stride, is_bf16);
    if (tile == TILE && is_inside) {
        for (int64_t ch = 0; ch < l->c; ch += VEC_LANES)
            tile_vec(l, o, ch + VEC_LANES <= l->c ? ch : l->c - VEC_LANES, taps, stride, tile, true, is_bf16);
    } else {
        for (int64_t ch = 0; ch < l->c; ch += VEC_LANES)
            tile_vec(l, o, ch + VEC_LANES <= l->c ? ch : l->c - VEC_LANES, taps, stride, tile, false, is_bf16);
    }
}

INLINE void line_walk(const line *l, const int taps, const int stride, bool is_bf16)
{
    if (l->count >= TILE) {
        for (int64_t o = 0; o < l->count; o += TILE)
            tile_all(l, o + TILE <= l->count ? o : l->count - TILE, taps, stride, TILE, is_bf16);
        return;
    }
    int64_t o = 0;
    for (; o + SMALL_TILE <= l->count; o += SMALL_TILE)
        tile_all(l, o, taps, stride, SMALL_TILE, is_bf16);
    for (; o < l->count; o++)
        tile_all(l, o, taps, stride, 1, is_bf16);
}

/* Taps and stride that have a walk of their own; the others go the plain way. */
static bool line_run(const line *l, int taps, int stride, bool is_bf16)
{
#define LINE_CASE(TAPS, STRIDE)                                                                                        \
    if (taps == TAPS && stride == STRIDE) {                                                                            \
        if (is_bf16)                                                                                                   \
            line_walk(l, TAPS, STRIDE, true);                                                                          \
        else                                                                                                           \
            line_walk(l, TAPS, STRIDE, false);                                                                         \
        return true;                                                                                                   \
    }
    LINE_CASE(3, 1)
    LINE_CASE(5, 1)
    LINE_CASE(3, 2)
    LINE_CASE(5, 2)
    LINE_CASE(1, 1)
    LINE_CASE(2, 1)
#undef LINE_CASE
    return false;
}

static bool has_walk(const depthwise_args *a)
{
    return a->c >= VEC_LANES && a->kernel[0] == a->kernel[1] && a->stride[0] == a->stride[1] && a->stride[0] <= 2 &&
           (a->kernel[0] == 3 || a->kernel[0] == 5);
}

/* --- forward ------------------------------------------------------------------------------------------------------ */
static void forward_row(const depthwise_args *a, int64_t i, int64_t oy)
{
    int taps = a->kernel[0], stride = a->stride[0];
    line l = {.src = a->x,
              .columns = a->width,
              .first = -a->pad[1],
              .count = a->ow,
              .dst = a->y,
              .residual = a->residual,
              .at = (i * a->oh + oy) * a->ow * a->c,
              .step = a->c,
              .w = a->w,
              .bias = a->bias,
              .c = a->c,
              .act = a->act,
              .weight_step = a->c};
    l.has_finish = a->bias || a->residual || a->act != ACT_NONE;
    for (int k = 0; k < taps; k++) {
        int64_t iy = oy * stride - a->pad[0] + k;
        if (iy < 0 || iy >= a->h)
            continue;
        l.row[l.rows] = (i * a->h + iy) * a->width * a->c;
        l.weights[l.rows++] = k * taps * a->c;
    }
    int64_t next = oy * stride - a->pad[0] + taps;
    l.ahead = (i * a->h + next) * a->width * a->c;
    l.ahead_rows = next + stride <= a->h ? stride : 0;
    line_run(&l, taps, stride, a->is_bf16);
}

/* Any kernel, stride and channel count: a vector of channels of one output at a time. */
static void forward_row_plain(const depthwise_args *a, int64_t i, int64_t oy)
{
    for (int64_t ox = 0; ox < a->ow; ox++)
        for (int64_t ch = 0; ch < a->c; ch++) {
            float sum = a->bias ? a->bias[ch] : 0;
            for (int ky = 0; ky < a->kernel[0]; ky++)
                for (int kx = 0; kx < a->kernel[1]; kx++) {
                    int64_t iy = oy * a->stride[0] - a->pad[0] + ky, ix = ox * a->stride[1] - a->pad[1] + kx;
                    if (iy >= 0 && iy < a->h && ix >= 0 && ix < a->width)
                        sum += a->w[(ky * a->kernel[1] + kx) * a->c + ch] *
                               scalar_load(a->x, ((i * a->h + iy) * a->width + ix) * a->c + ch, a->is_bf16);
                }
            int64_t at = ((i * a->oh + oy) * a->ow + ox) * a->c + ch;
            if (a->residual)
                sum += scalar_load(a->residual, at, a->is_bf16);
            if (a->act == ACT_RELU)
                sum = sum < 0 ? 0 : sum;
            else if (a->act == ACT_RELU6)
                sum = sum < 0 ? 0 : sum > 6 ? 6 : sum;
            else if (a->act == ACT_SILU)
                sum /= 1 + expf(-sum);
            else if (a->act == ACT_SIGMOID)
                sum = 1 / (1 + expf(-sum));
            scalar_store(a->y, at, sum, a->is_bf16);
        }
}

void KERNEL(depthwise)(const void *args)
{
    const depthwise_args *a = args;
    int64_t rows = a->n * a->oh;
    bool is_walk = has_walk(a);
    int parts = parts_for(rows * a->ow * a->c, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(rows, 1, parts, index);
        for (int64_t row = mine.begin; row < mine.end; row++) {
            if (is_walk)
                forward_row(a, row / a->oh, row % a->oh);
            else
                forward_row_plain(a, row / a->oh, row % a->oh);
        }
    }
}

/* --- with respect to x -------------------------------------------------------------------------------------------- */
/* Input row iy, columns of one residue `phase` modulo the stride. dx[ix] gathers dy[(ix + pad - k) / stride] w[k] from
 * the taps k that make it whole: k = phase', phase' + stride ..., one dy column further left each. */
static void backward_phase(const depthwise_args *a, int64_t i, int64_t iy, int phase)
{
    int taps = a->kernel[0], stride = a->stride[0];
    int y_tap = (int)((iy + a->pad[0]) % stride), x_tap = (phase + a->pad[1]) % stride;
    int x_taps = (taps - x_tap + stride - 1) / stride;
    line l = {.src = a->y,
              .columns = a->ow,
              .count = (a->width - phase + stride - 1) / stride,
              .dst = a->x,
              .at = ((i * a->h + iy) * a->width + phase) * a->c,
              .step = stride * a->c,
              .w = a->w,
              .c = a->c};
    l.weight_step = -stride * a->c;
    l.first = (phase + a->pad[1] - x_tap) / stride - (x_taps - 1);
    for (int k = y_tap; k < taps; k += stride) {
        int64_t oy = (iy + a->pad[0] - k) / stride;
        if (iy + a->pad[0] < k || oy >= a->oh)
            continue;
        l.row[l.rows] = (i * a->oh + oy) * a->ow * a->c;
        l.weights[l.rows++] = (k * taps + x_tap + stride * (x_taps - 1)) * a->c;
    }
    int64_t next = (iy + a->pad[0]) / stride + 1;
    l.ahead = (i * a->oh + next) * a->ow * a->c;
    l.ahead_rows = phase == 0 && (iy + a->pad[0]) % stride == 0 && next < a->oh;
    line_run(&l, x_taps, 1, a->is_bf16);
}

static void backward_row_plain(const depthwise_args *a, int64_t i, int64_t iy)
{
    for (int64_t ix = 0; ix < a->width; ix++)
        for (int64_t ch = 0; ch < a->c; ch++) {
            float sum = 0;
            for (int ky = 0; ky < a->kernel[0]; ky++)
                for (int kx = 0; kx < a->kernel[1]; kx++) {
                    int64_t y = iy + a->pad[0] - ky, x = ix + a->pad[1] - kx;
                    if (y < 0 || x < 0 || y % a->stride[0] || x % a->stride[1] || y / a->stride[0] >= a->oh ||
                        x / a->stride[1] >= a->ow)
                        continue;
                    int64_t at = ((i * a->oh + y / a->stride[0]) * a->ow + x / a->stride[1]) * a->c + ch;
                    sum += a->w[(ky * a->kernel[1] + kx) * a->c + ch] * scalar_load(a->y, at, a->is_bf16);
                }
            scalar_store(a->x, ((i * a->h + iy) * a->width + ix) * a->c + ch, sum, a->is_bf16);
        }
}

void KERNEL(depthwise_dx)(const void *args)
{
    const depthwise_args *a = args;
    int64_t rows = a->n * a->h;
    bool is_walk = has_walk(a);
    int parts = parts_for(rows * a->width * a->c, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(rows, 1, parts, index);
        for (int64_t row = mine.begin; row < mine.end; row++) {
            for (int phase = 0; is_walk && phase < a->stride[0] && phase < a->width; phase++)
                backward_phase(a, row / a->h, row % a->h, phase);
            if (!is_walk)
                backward_row_plain(a, row / a->h, row % a->h);
        }
    }
}
