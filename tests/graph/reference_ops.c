/* Each function is the formula at the head of src/graph/op/NAME.c and nothing else: loops over indices, sums in double.
 * Dimensions are n h w c of x, p q of y's height and width, o output channels, i j window positions. */
#include "graph/reference_ops.h"

#include "base/rng.h"

#include <assert.h>
#include <math.h>

double operand_get(const operand *o, int64_t i)
{
    assert(i >= 0 && i < o->count);
    if (o->exact)
        return o->exact[i];
    switch (o->type) {
    case DTYPE_F32:
        return (double)((const float *)o->data)[i];
    case DTYPE_BF16:
        return (double)bf16_to_f32(((const uint16_t *)o->data)[i]);
    case DTYPE_U8:
        return ((const uint8_t *)o->data)[i];
    case DTYPE_I32:
        return ((const int32_t *)o->data)[i];
    default:
        return (double)((const int64_t *)o->data)[i];
    }
}

void operand_set(const operand *o, int64_t i, double x)
{
    assert(i >= 0 && i < o->count);
    if (o->exact)
        o->exact[i] = x;
    if (o->type == DTYPE_F32)
        ((float *)o->data)[i] = (float)x;
    else if (o->type == DTYPE_BF16)
        ((uint16_t *)o->data)[i] = bf16_from_f32((float)x);
    else
        ((uint8_t *)o->data)[i] = (uint8_t)x;
}

/* Flat index of [n, h, w, c]. */
static int64_t at4(const shape *s, int64_t n, int64_t h, int64_t w, int64_t c)
{
    return ((n * s->dim[1] + h) * s->dim[2] + w) * s->dim[3] + c;
}

/* --- activations -------------------------------------------------------------------------------------------------- */

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double normal_share(double x)
{
    return 0.5 * (1 + erf(x / sqrt(2.0)));
}

static double act_value(activation_kind kind, double x)
{
    switch (kind) {
    case ACT_RELU:
        return x > 0 ? x : x <= 0 ? 0 : x; /* NaN stays NaN */
    case ACT_RELU6:
        return x <= 0 ? 0 : x >= 6 ? 6 : x;
    case ACT_SILU:
        return x * sigmoid(x);
    case ACT_SIGMOID:
        return sigmoid(x);
    case ACT_GELU:
        return x * normal_share(x);
    case ACT_CLIP:
        return x < -1 ? -1 : x > 1 ? 1 : x;
    default:
        return x;
    }
}

static double act_slope(activation_kind kind, double x)
{
    const double s = sigmoid(x), tau = 6.283185307179586;
    switch (kind) {
    case ACT_RELU:
        return x > 0;
    case ACT_RELU6:
        return x > 0 && x < 6;
    case ACT_SILU:
        return s * (1 + x * (1 - s));
    case ACT_SIGMOID:
        return s * (1 - s);
    case ACT_GELU:
        return normal_share(x) + x * exp(-x * x / 2) / sqrt(tau);
    case ACT_CLIP:
        return x >= -1 && x <= 1;
    default:
        return 1;
    }
}

static void activation(const reference_call *c)
{
    const activation_attr *a = c->attr;
    for (int64_t i = 0; i < c->out[0].count; i++)
        operand_set(&c->out[0], i, act_value(a->kind, operand_get(&c->in[0], i)));
}

/* dy, x (y for ReLU and ReLU6: it says as much) */
static void activation_dx(const reference_call *c)
{
    const activation_attr *a = c->attr;
    for (int64_t i = 0; i < c->out[0].count; i++)
        operand_set(&c->out[0], i, operand_get(&c->in[0], i) * act_slope(a->kind, operand_get(&c->in[1], i)));
}

/* --- pointwise ---------------------------------------------------------------------------------------------------- */

static void normalise(const reference_call *c)
{
    const normalise_attr *a = c->attr;
    for (int64_t i = 0; i < c->out[0].count; i++)
        operand_set(&c->out[0], i, (operand_get(&c->in[0], i) / 255 - (double)a->mean[i % 3]) / (double)a->std[i % 3]);
}

static void add(const reference_call *c)
{
    for (int64_t i = 0; i < c->out[0].count; i++)
        operand_set(&c->out[0], i, operand_get(&c->in[0], i) + operand_get(&c->in[1], i));
}

static void add_db(const reference_call *c)
{
    for (int64_t i = 0; i < c->out[0].count; i++)
        operand_set(&c->out[0], i, operand_get(&c->in[0], i));
}

static void sub(const reference_call *c)
{
    const sub_attr *a = c->attr;
    for (int64_t i = 0; i < c->out[0].count; i++)
        operand_set(&c->out[0], i,
                    (c->in[SUB_A].data ? operand_get(&c->in[SUB_A], i) : 0) - operand_get(&c->in[SUB_B], i) +
                        (double)a->shift);
}

static void multiply(const reference_call *c)
{
    const multiply_attr *a = c->attr;
    for (int64_t i = 0; i < c->out[0].count; i++)
        operand_set(&c->out[0], i, (double)a->factor * operand_get(&c->in[0], i));
}

static void contribute(const reference_call *c)
{
    for (int64_t i = 0; i < c->out[0].count; i++)
        operand_set(&c->out[0], i, (c->in[0].data ? operand_get(&c->in[0], i) : 0) + operand_get(&c->in[1], i));
}

/* Index into s [n, c] of element i of x [n, h, w, c]. */
static int64_t scale_of(const shape *x, int64_t i)
{
    return i / (x->dim[1] * x->dim[2] * x->dim[3]) * x->dim[3] + i % x->dim[3];
}

/* x or dy, s */
static void scale(const reference_call *c)
{
    for (int64_t i = 0; i < c->out[0].count; i++)
        operand_set(&c->out[0], i, operand_get(&c->in[0], i) * operand_get(&c->in[1], scale_of(&c->out[0].shape, i)));
}

/* dy, x -> ds [n, c] */
static void scale_ds(const reference_call *c)
{
    for (int64_t k = 0; k < c->out[0].count; k++) {
        double sum = 0;
        for (int64_t i = 0; i < c->in[0].count; i++)
            if (scale_of(&c->in[0].shape, i) == k)
                sum += operand_get(&c->in[0], i) * operand_get(&c->in[1], i);
        operand_set(&c->out[0], k, sum);
    }
}

static void concat(const reference_call *c)
{
    const operand *y = &c->out[0];
    const int64_t columns = y->shape.dim[y->shape.rank - 1];
    int64_t begin = 0;
    for (int k = 0; k < c->in_count; k++) {
        const operand *x = &c->in[k];
        const int64_t length = x->shape.dim[x->shape.rank - 1];
        for (int64_t i = 0; i < x->count; i++)
            operand_set(y, i / length * columns + begin + i % length, operand_get(x, i));
        begin += length;
    }
}

/* Number i of the node's stream, as op.h defines it. */
static bool is_kept(const dropout_attr *a, const step_params *step, int64_t i)
{
    rng r = rng_at(step->seed, step->step, a->stream, a->is_per_sample ? RNG_DROP_PATH : RNG_DROPOUT);
    r.counter[0] = (uint32_t)(i / 4);
    for (int64_t skipped = 0; skipped < i % 4; skipped++)
        (void)rng_u32(&r);
    return rng_float(&r) >= a->p;
}

static void dropout(const reference_call *c)
{
    const dropout_attr *a = c->attr;
    const int64_t per_sample = c->out[0].count / c->out[0].shape.dim[0];
    for (int64_t i = 0; i < c->out[0].count; i++) {
        bool kept = is_kept(a, c->in[1].data, a->is_per_sample ? i / per_sample : i);
        operand_set(&c->out[0], i, kept ? operand_get(&c->in[0], i) / (1 - (double)a->p) : 0);
    }
}

/* --- convolution -------------------------------------------------------------------------------------------------- */

typedef enum { SUM_Y, SUM_DX, SUM_DW } conv_sum;

/* Walks every product x w dy-or-y of a convolution once and adds two of them into the sum of the third: y += x w,
 * dx += dy w, dw += dy x. y stands for dy in the latter two; the summed operand gives its shape alone. */
static void conv_walk(double *sum, conv_sum which, const conv2d_attr *a, const operand *x, const operand *w,
                      const operand *y)
{
    const shape *xs = &x->shape, *ws = &w->shape, *ys = &y->shape;
    const int64_t group_out = ws->dim[0] / a->groups, group_in = ws->dim[1];
    for (int64_t k = 0; k < y->count; k++) {
        const int64_t o = k % ys->dim[3], q = k / ys->dim[3] % ys->dim[2], p = k / ys->dim[3] / ys->dim[2] % ys->dim[1];
        const int64_t n = k / ys->dim[3] / ys->dim[2] / ys->dim[1];
        for (int64_t i = 0; i < ws->dim[2]; i++)
            for (int64_t j = 0; j < ws->dim[3]; j++) {
                const int64_t u = p * a->stride[0] + i * a->dilation[0] - a->pad_begin[0];
                const int64_t v = q * a->stride[1] + j * a->dilation[1] - a->pad_begin[1];
                if (u < 0 || u >= xs->dim[1] || v < 0 || v >= xs->dim[2])
                    continue;
                for (int64_t c = 0; c < group_in; c++) {
                    const int64_t at_x = at4(xs, n, u, v, o / group_out * group_in + c), at_w = at4(ws, o, c, i, j);
                    if (which == SUM_Y)
                        sum[k] += operand_get(x, at_x) * operand_get(w, at_w);
                    else if (which == SUM_DX)
                        sum[at_x] += operand_get(y, k) * operand_get(w, at_w);
                    else
                        sum[at_w] += operand_get(y, k) * operand_get(x, at_x);
                }
            }
    }
}

static void clear(double *sum, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        sum[i] = 0;
}

static void store(operand *o, const double *sum)
{
    for (int64_t i = 0; i < o->count; i++)
        operand_set(o, i, sum[i]);
}

static void conv2d(const reference_call *c)
{
    const conv2d_attr *a = c->attr;
    operand *y = &c->out[0], *in = c->in;
    clear(c->scratch, y->count);
    conv_walk(c->scratch, SUM_Y, a, &in[CONV_X], &in[CONV_W], y);
    for (int64_t k = 0; k < y->count; k++) {
        const int64_t o = k % y->shape.dim[3];
        double z = c->scratch[k] + (in[CONV_B].data ? operand_get(&in[CONV_B], o) : 0);
        if (a->is_folded)
            z = operand_get(&in[CONV_GAMMA], o) * (z - operand_get(&in[CONV_MEAN], o)) /
                    sqrt(operand_get(&in[CONV_VAR], o) + (double)a->eps) +
                operand_get(&in[CONV_BETA], o);
        if (in[CONV_RESIDUAL].data)
            z += operand_get(&in[CONV_RESIDUAL], k);
        operand_set(y, k, act_value(a->act, z));
    }
}

/* dy, w -> dx */
static void conv2d_dx(const reference_call *c)
{
    const conv2d_grad_attr *a = c->attr;
    clear(c->scratch, c->out[0].count);
    conv_walk(c->scratch, SUM_DX, &a->conv, &c->out[0], &c->in[1], &c->in[0]);
    store(&c->out[0], c->scratch);
}

/* db[o] = sum of dy over all else, dy's last dimension being o */
static void bias_gradient(operand *db, const operand *dy)
{
    const int64_t columns = db->count;
    for (int64_t o = 0; o < columns; o++) {
        double sum = 0;
        for (int64_t i = o; i < dy->count; i += columns)
            sum += operand_get(dy, i);
        operand_set(db, o, sum);
    }
}

/* x, dy, w -> dw, db */
static void conv2d_dw(const reference_call *c)
{
    const conv2d_grad_attr *a = c->attr;
    clear(c->scratch, c->in[2].count);
    conv_walk(c->scratch, SUM_DW, &a->conv, &c->in[0], &c->in[2], &c->in[1]);
    if (c->out[DW_WEIGHT].data)
        store(&c->out[DW_WEIGHT], c->scratch);
    if (c->out[DW_BIAS].data)
        bias_gradient(&c->out[DW_BIAS], &c->in[1]);
}

/* --- linear ------------------------------------------------------------------------------------------------------- */

/* x [rows, k], w [o, k], b [o] */
static void linear(const reference_call *c)
{
    const operand *x = &c->in[0], *w = &c->in[1], *b = &c->in[2];
    const int64_t o_count = w->shape.dim[0], k_count = w->shape.dim[1];
    for (int64_t i = 0; i < c->out[0].count; i++) {
        const int64_t row = i / o_count, o = i % o_count;
        double sum = b->data ? operand_get(b, o) : 0;
        for (int64_t k = 0; k < k_count; k++)
            sum += operand_get(x, row * k_count + k) * operand_get(w, o * k_count + k);
        operand_set(&c->out[0], i, sum);
    }
}

/* dy [rows, o], w -> dx [rows, k] */
static void linear_dx(const reference_call *c)
{
    const operand *dy = &c->in[0], *w = &c->in[1];
    const int64_t o_count = w->shape.dim[0], k_count = w->shape.dim[1];
    for (int64_t i = 0; i < c->out[0].count; i++) {
        double sum = 0;
        for (int64_t o = 0; o < o_count; o++)
            sum += operand_get(dy, i / k_count * o_count + o) * operand_get(w, o * k_count + i % k_count);
        operand_set(&c->out[0], i, sum);
    }
}

/* x, dy, w -> dw [o, k], db [o] */
static void linear_dw(const reference_call *c)
{
    const operand *x = &c->in[0], *dy = &c->in[1];
    const int64_t o_count = c->in[2].shape.dim[0], k_count = c->in[2].shape.dim[1], rows = x->count / k_count;
    for (int64_t i = 0; c->out[DW_WEIGHT].data && i < o_count * k_count; i++) {
        double sum = 0;
        for (int64_t row = 0; row < rows; row++)
            sum += operand_get(dy, row * o_count + i / k_count) * operand_get(x, row * k_count + i % k_count);
        operand_set(&c->out[DW_WEIGHT], i, sum);
    }
    if (c->out[DW_BIAS].data)
        bias_gradient(&c->out[DW_BIAS], dy);
}

/* --- batch norm --------------------------------------------------------------------------------------------------- */

/* Mean and biased variance of channel ch of x. */
static void channel_moments(double *mean, double *var, const operand *x, int64_t ch)
{
    const int64_t channels = x->shape.dim[3], count = x->count / channels;
    double sum = 0, squares = 0;
    for (int64_t i = ch; i < x->count; i += channels)
        sum += operand_get(x, i);
    *mean = sum / (double)count;
    for (int64_t i = ch; i < x->count; i += channels)
        squares += (operand_get(x, i) - *mean) * (operand_get(x, i) - *mean);
    *var = squares / (double)count;
}

static void move_towards(operand *running, int64_t i, double momentum, double x)
{
    operand_set(running, i, operand_get(running, i) + momentum * (x - operand_get(running, i)));
}

static void set_bit(operand *mask, int64_t i, bool on)
{
    uint8_t *byte = (uint8_t *)mask->data + i / 8;
    *byte = (uint8_t)(i % 8 ? *byte : 0); /* the first bit of a byte clears it */
    *byte = (uint8_t)(*byte | on << (i % 8));
}

static void batch_norm(const reference_call *c)
{
    const batch_norm_attr *a = c->attr;
    operand *in = c->in, *x = &in[BN_X], *y = &c->out[BN_Y];
    const int64_t channels = x->shape.dim[3];
    double *mean = c->scratch, *k = c->scratch + channels;
    for (int64_t ch = 0; ch < channels; ch++) {
        double var;
        if (a->is_batch) {
            const double count = (double)(x->count / channels);
            channel_moments(&mean[ch], &var, x, ch);
            move_towards(&in[BN_RUNNING_MEAN], ch, (double)a->momentum, mean[ch]);
            move_towards(&in[BN_RUNNING_VAR], ch, (double)a->momentum, var * count / (count - 1));
        } else {
            mean[ch] = operand_get(&in[BN_RUNNING_MEAN], ch);
            var = operand_get(&in[BN_RUNNING_VAR], ch);
        }
        k[ch] = 1 / sqrt(var + (double)a->eps);
        if (a->is_batch) {
            operand_set(&c->out[BN_BATCH_MEAN], ch, mean[ch]);
            operand_set(&c->out[BN_BATCH_INV_STD], ch, k[ch]);
        }
    }
    for (int64_t i = 0; i < x->count; i++) {
        const int64_t ch = i % channels;
        double z = operand_get(&in[BN_GAMMA], ch) * (operand_get(x, i) - mean[ch]) * k[ch] +
                   operand_get(&in[BN_BETA], ch) + (in[BN_RESIDUAL].data ? operand_get(&in[BN_RESIDUAL], i) : 0);
        operand_set(y, i, act_value(a->act, z));
        if (c->out[BN_MASK].data)
            set_bit(&c->out[BN_MASK], i, z > 0 && (a->act != ACT_RELU6 || z < 6));
    }
}

/* dz at element i, given the channel's mean and inverse deviation. */
static double batch_norm_dz(const reference_call *c, int64_t i, double mean, double k)
{
    const batch_norm_attr *a = c->attr;
    const operand *in = c->in;
    const int64_t ch = i % in[BN_DX_X].shape.dim[3];
    const double dy = operand_get(&in[BN_DY], i);
    if (activation_is_clipped(a->act))
        return ((const uint8_t *)in[BN_DX_MASK].data)[i / 8] >> (i % 8) & 1 ? dy : 0;
    if (a->act != ACT_SILU)
        return dy;
    double z = operand_get(&in[BN_DX_GAMMA], ch) * (operand_get(&in[BN_DX_X], i) - mean) * k +
               operand_get(&in[BN_DX_BETA], ch) + (in[BN_DX_RESIDUAL].data ? operand_get(&in[BN_DX_RESIDUAL], i) : 0);
    return dy * act_slope(ACT_SILU, z);
}

static void batch_norm_dx(const reference_call *c)
{
    const batch_norm_attr *a = c->attr;
    const operand *in = c->in, *x = &in[BN_DX_X];
    operand *out = c->out;
    const int64_t channels = x->shape.dim[3];
    const double count = (double)(x->count / channels);
    for (int64_t ch = 0; ch < channels; ch++) {
        const double mean = operand_get(&in[a->is_batch ? BN_DX_MEAN : BN_DX_RUNNING_MEAN], ch);
        const double k = a->is_batch ? operand_get(&in[BN_DX_INV_STD], ch)
                                     : 1 / sqrt(operand_get(&in[BN_DX_RUNNING_VAR], ch) + (double)a->eps);
        double dbeta = 0, dgamma = 0;
        for (int64_t i = ch; i < x->count; i += channels) {
            const double dz = batch_norm_dz(c, i, mean, k);
            dbeta += dz;
            dgamma += dz * (operand_get(x, i) - mean) * k;
        }
        for (int64_t i = ch; i < x->count; i += channels) {
            const double dz = batch_norm_dz(c, i, mean, k), xhat = (operand_get(x, i) - mean) * k;
            const double centred = a->is_batch ? dz - dbeta / count - xhat * dgamma / count : dz;
            if (out[BN_OUT_DRESIDUAL].data)
                operand_set(&out[BN_OUT_DRESIDUAL], i, dz);
            if (out[BN_OUT_DX].data)
                operand_set(&out[BN_OUT_DX], i, operand_get(&in[BN_DX_GAMMA], ch) * k * centred);
        }
        if (out[BN_OUT_DGAMMA].data)
            operand_set(&out[BN_OUT_DGAMMA], ch, dgamma);
        if (out[BN_OUT_DBETA].data)
            operand_set(&out[BN_OUT_DBETA], ch, dbeta);
    }
}

/* --- tokens ------------------------------------------------------------------------------------------------------- */

/* Rows are the last dimension. */
static void layer_norm(const reference_call *c)
{
    const operand *x = &c->in[LN_X];
    const int64_t columns = c->in[LN_GAMMA].count;
    for (int64_t row = 0; row < x->count / columns; row++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < columns; i++)
            sum += operand_get(x, row * columns + i);
        const double mean = sum / (double)columns;
        for (int64_t i = 0; i < columns; i++)
            squares += pow(operand_get(x, row * columns + i) - mean, 2);
        const double k = 1 / sqrt(squares / (double)columns + (double)((const layer_norm_attr *)c->attr)->eps);
        for (int64_t i = 0; i < columns; i++)
            operand_set(&c->out[LN_Y], row * columns + i,
                        operand_get(&c->in[LN_GAMMA], i) * (operand_get(x, row * columns + i) - mean) * k +
                            operand_get(&c->in[LN_BETA], i));
        if (c->out[LN_MEAN].data) {
            operand_set(&c->out[LN_MEAN], row, mean);
            operand_set(&c->out[LN_INV_STD], row, k);
        }
    }
}

static double layer_norm_xhat(const reference_call *c, int64_t i, int64_t columns)
{
    return (operand_get(&c->in[LN_DX_X], i) - operand_get(&c->in[LN_DX_MEAN], i / columns)) *
           operand_get(&c->in[LN_DX_INV_STD], i / columns);
}

static void layer_norm_dx(const reference_call *c)
{
    const operand *dy = &c->in[LN_DY], *gamma = &c->in[LN_DX_GAMMA];
    const int64_t columns = gamma->count;
    for (int64_t ch = 0; ch < columns; ch++) {
        double dgamma = 0, dbeta = 0;
        for (int64_t i = ch; i < dy->count; i += columns) {
            dgamma += operand_get(dy, i) * layer_norm_xhat(c, i, columns);
            dbeta += operand_get(dy, i);
        }
        if (c->out[LN_OUT_DGAMMA].data)
            operand_set(&c->out[LN_OUT_DGAMMA], ch, dgamma);
        if (c->out[LN_OUT_DBETA].data)
            operand_set(&c->out[LN_OUT_DBETA], ch, dbeta);
    }
    for (int64_t row = 0; c->out[LN_OUT_DX].data && row < dy->count / columns; row++) {
        double g = 0, gx = 0;
        for (int64_t i = row * columns; i < (row + 1) * columns; i++) {
            g += operand_get(dy, i) * operand_get(gamma, i % columns) / (double)columns;
            gx +=
                operand_get(dy, i) * operand_get(gamma, i % columns) * layer_norm_xhat(c, i, columns) / (double)columns;
        }
        for (int64_t i = row * columns; i < (row + 1) * columns; i++)
            c->scratch[i] =
                operand_get(&c->in[LN_DX_INV_STD], row) *
                (operand_get(dy, i) * operand_get(gamma, i % columns) - g - layer_norm_xhat(c, i, columns) * gx);
    }
    if (c->out[LN_OUT_DX].data)
        store(&c->out[LN_OUT_DX], c->scratch);
}

/* Extents of an attention node; and where element i of token `t`'s query (0), key (1) or value (2) of a head lies. */
typedef struct {
    int64_t n, t, d, heads, c, queries;
} attention_size;

static attention_size attention_size_of(const operand *qkv, const attention_attr *a)
{
    const int64_t *dim = qkv->shape.dim, d = dim[2] / 3;
    return (attention_size){dim[0], dim[1], d, a->heads, d / a->heads, a->is_first_alone ? 1 : dim[1]};
}

static int64_t qkv_at(const attention_size *s, int64_t n, int64_t token, int which, int64_t head, int64_t i)
{
    return (n * s->t + token) * 3 * s->d + which * s->d + head * s->c + i;
}

/* q of one token times k of another, scaled */
static double attention_score(const operand *qkv, const attention_size *s, int64_t n, int64_t head, int64_t asks,
                              int64_t token)
{
    double sum = 0;
    for (int64_t i = 0; i < s->c; i++)
        sum += operand_get(qkv, qkv_at(s, n, asks, 0, head, i)) * operand_get(qkv, qkv_at(s, n, token, 1, head, i));
    return sum / sqrt((double)s->c);
}

static void attention(const reference_call *c)
{
    const operand *qkv = &c->in[0];
    const attention_size s = attention_size_of(qkv, c->attr);
    for (int64_t row = 0; row < s.n * s.heads * s.queries; row++) {
        const int64_t n = row / s.queries / s.heads, head = row / s.queries % s.heads, asks = row % s.queries;
        double max = -INFINITY, sum = 0, *p = c->scratch;
        for (int64_t t = 0; t < s.t; t++) {
            p[t] = attention_score(qkv, &s, n, head, asks, t);
            max = fmax(max, p[t]);
        }
        for (int64_t t = 0; t < s.t; t++)
            sum += p[t] = exp(p[t] - max);
        for (int64_t i = 0; i < s.c; i++) {
            double y = 0;
            for (int64_t t = 0; t < s.t; t++)
                y += p[t] / sum * operand_get(qkv, qkv_at(&s, n, t, 2, head, i));
            operand_set(&c->out[ATTENTION_Y], (n * s.queries + asks) * s.d + head * s.c + i, y);
        }
        if (c->out[ATTENTION_LOG_SUM].data)
            operand_set(&c->out[ATTENTION_LOG_SUM], row, max + log(sum));
    }
}

static void attention_dx(const reference_call *c)
{
    const operand *qkv = &c->in[ATTENTION_DX_QKV], *dy = &c->in[ATTENTION_DY], *y = &c->in[ATTENTION_DX_Y];
    const attention_size s = attention_size_of(qkv, c->attr);
    double *sum = c->scratch;
    clear(sum, qkv->count);
    for (int64_t row = 0; row < s.n * s.heads * s.queries; row++) {
        const int64_t n = row / s.queries / s.heads, head = row / s.queries % s.heads, asks = row % s.queries;
        const int64_t own = (n * s.queries + asks) * s.d + head * s.c; /* of y and dy */
        double delta = 0;
        for (int64_t i = own; i < own + s.c; i++)
            delta += operand_get(dy, i) * operand_get(y, i);
        for (int64_t t = 0; t < s.t; t++) {
            const double p =
                exp(attention_score(qkv, &s, n, head, asks, t) - operand_get(&c->in[ATTENTION_DX_LOG_SUM], row));
            double dp = 0;
            for (int64_t i = 0; i < s.c; i++)
                dp += operand_get(dy, own + i) * operand_get(qkv, qkv_at(&s, n, t, 2, head, i));
            const double ds = p * (dp - delta) / sqrt((double)s.c);
            for (int64_t i = 0; i < s.c; i++) {
                sum[qkv_at(&s, n, asks, 0, head, i)] += ds * operand_get(qkv, qkv_at(&s, n, t, 1, head, i));
                sum[qkv_at(&s, n, t, 1, head, i)] += ds * operand_get(qkv, qkv_at(&s, n, asks, 0, head, i));
                sum[qkv_at(&s, n, t, 2, head, i)] += p * operand_get(dy, own + i);
            }
        }
    }
    store(&c->out[0], sum);
}

static void tokens(const reference_call *c)
{
    const operand *x = &c->in[TOKENS_X];
    const int64_t t = c->out[0].shape.dim[1], d = c->out[0].shape.dim[2];
    for (int64_t i = 0; i < c->out[0].count; i++) {
        const int64_t n = i / d / t, token = i / d % t;
        const double pixel =
            token ? operand_get(x, (n * (t - 1) + token - 1) * d + i % d) : operand_get(&c->in[TOKENS_FIRST], i % d);
        operand_set(&c->out[0], i, pixel + operand_get(&c->in[TOKENS_POSITION], i % (t * d)));
    }
}

static void tokens_dx(const reference_call *c)
{
    const operand *dy = &c->in[0];
    const int64_t t = dy->shape.dim[1], d = dy->shape.dim[2];
    for (int64_t i = 0; c->out[TOKENS_X].data && i < c->out[TOKENS_X].count; i++)
        operand_set(&c->out[TOKENS_X], i, operand_get(dy, i + d * (1 + i / (d * (t - 1)))));
    for (int64_t i = 0; i < t * d; i++) {
        double sum = 0;
        for (int64_t n = 0; n < dy->shape.dim[0]; n++)
            sum += operand_get(dy, n * t * d + i);
        if (c->out[TOKENS_POSITION].data)
            operand_set(&c->out[TOKENS_POSITION], i, sum);
        if (c->out[TOKENS_FIRST].data && i < d)
            operand_set(&c->out[TOKENS_FIRST], i, sum);
    }
}

static void first_token(const reference_call *c)
{
    const int64_t d = c->out[0].shape.dim[1], t = c->in[0].shape.dim[1];
    for (int64_t i = 0; i < c->out[0].count; i++)
        operand_set(&c->out[0], i, operand_get(&c->in[0], i / d * t * d + i % d));
}

static void first_token_dx(const reference_call *c)
{
    const int64_t t = c->out[0].shape.dim[1], d = c->out[0].shape.dim[2];
    for (int64_t i = 0; i < c->out[0].count; i++)
        operand_set(&c->out[0], i, i / d % t == 0 ? operand_get(&c->in[0], i / (t * d) * d + i % d) : 0);
}

/* --- pooling ------------------------------------------------------------------------------------------------------ */

/* Window (p, q) of one axis pair, clipped to the image: rows u0..u1, columns v0..v1, and what a mean divides by. */
typedef struct {
    int64_t u0, u1, v0, v1;
    int64_t top, left; /* where it begins, padding included */
    double divisor;
} pool_window;

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static pool_window window_at(const pool_attr *a, const shape *x, int64_t p, int64_t q)
{
    const int64_t top = p * a->stride[0] - a->pad[0], left = q * a->stride[1] - a->pad[1];
    const int64_t bottom = min64(top + a->window[0], x->dim[1] + a->pad[0]);
    const int64_t right = min64(left + a->window[1], x->dim[2] + a->pad[1]);
    pool_window w = {.top = top, .left = left};
    w.u0 = top > 0 ? top : 0, w.u1 = min64(bottom, x->dim[1]);
    w.v0 = left > 0 ? left : 0, w.v1 = min64(right, x->dim[2]);
    w.divisor = (double)(a->count_pad ? (bottom - top) * (right - left) : (w.u1 - w.u0) * (w.v1 - w.v0));
    return w;
}

static void pool(const reference_call *c)
{
    const pool_attr *a = c->attr;
    const operand *x = &c->in[0];
    operand *y = &c->out[0], *index = &c->out[1];
    const shape *s = &y->shape;
    for (int64_t i = 0; i < y->count; i++) {
        const int64_t ch = i % s->dim[3], q = i / s->dim[3] % s->dim[2], p = i / s->dim[3] / s->dim[2] % s->dim[1];
        const int64_t n = i / s->dim[3] / s->dim[2] / s->dim[1];
        const pool_window w = window_at(a, &x->shape, p, q);
        double sum = 0, best = -INFINITY;
        int64_t chosen = -1;
        for (int64_t u = w.u0; u < w.u1; u++)
            for (int64_t v = w.v0; v < w.v1; v++) {
                const double value = operand_get(x, at4(&x->shape, n, u, v, ch));
                sum += value;
                if (chosen < 0 || value > best || (isnan(value) && !isnan(best))) {
                    best = value;
                    chosen = (u - w.top) * a->window[1] + (v - w.left);
                }
            }
        operand_set(y, i, a->is_max ? best : sum / w.divisor);
        if (index->data)
            operand_set(index, i, (double)chosen);
    }
}

/* dy, index -> dx */
static void pool_dx(const reference_call *c)
{
    const pool_grad_attr *a = c->attr;
    const operand *dy = &c->in[0], *index = &c->in[1];
    const shape *s = &dy->shape, *xs = &a->x;
    double *dx = c->scratch;
    clear(dx, c->out[0].count);
    for (int64_t i = 0; i < dy->count; i++) {
        const int64_t ch = i % s->dim[3], q = i / s->dim[3] % s->dim[2], p = i / s->dim[3] / s->dim[2] % s->dim[1];
        const int64_t n = i / s->dim[3] / s->dim[2] / s->dim[1];
        const pool_window w = window_at(&a->pool, xs, p, q);
        if (a->pool.is_max) {
            const int64_t at = (int64_t)operand_get(index, i), columns = a->pool.window[1];
            dx[at4(xs, n, w.top + at / columns, w.left + at % columns, ch)] += operand_get(dy, i);
            continue;
        }
        for (int64_t u = w.u0; u < w.u1; u++)
            for (int64_t v = w.v0; v < w.v1; v++)
                dx[at4(xs, n, u, v, ch)] += operand_get(dy, i) / w.divisor;
    }
    store(&c->out[0], dx);
}

static void global_mean(const reference_call *c)
{
    const operand *x = &c->in[0];
    const double pixels = (double)(x->shape.dim[1] * x->shape.dim[2]);
    clear(c->scratch, c->out[0].count);
    for (int64_t i = 0; i < x->count; i++)
        c->scratch[scale_of(&x->shape, i)] += operand_get(x, i) / pixels;
    store(&c->out[0], c->scratch);
}

static void global_mean_dx(const reference_call *c)
{
    const shape *x = &c->out[0].shape;
    for (int64_t i = 0; i < c->out[0].count; i++)
        operand_set(&c->out[0], i, operand_get(&c->in[0], scale_of(x, i)) / (double)(x->dim[1] * x->dim[2]));
}

/* --- movement ----------------------------------------------------------------------------------------------------- */

static void mul(const reference_call *c)
{
    for (int64_t i = 0; i < c->out[0].count; i++)
        operand_set(&c->out[0], i, operand_get(&c->in[0], i) * operand_get(&c->in[1], i));
}

static void matmul(const reference_call *c)
{
    const matmul_attr *a = c->attr;
    const shape *s = &c->out[0].shape;
    const int64_t rows = s->dim[1], columns = s->dim[2], depth = c->in[0].shape.dim[a->is_a_transposed ? 1 : 2];
    for (int64_t i = 0; i < c->out[0].count; i++) {
        const int64_t m = i / columns / rows, r = i / columns % rows, col = i % columns;
        double sum = 0;
        for (int64_t k = 0; k < depth; k++) {
            const int64_t at_a = m * rows * depth + (a->is_a_transposed ? k * rows + r : r * depth + k);
            const int64_t at_b = m * columns * depth + (a->is_b_transposed ? col * depth + k : k * columns + col);
            sum += operand_get(&c->in[0], at_a) * operand_get(&c->in[1], at_b);
        }
        operand_set(&c->out[0], i, sum);
    }
}

static void constant(const reference_call *c)
{
    const constant_attr *a = c->attr;
    for (int64_t i = 0; i < c->out[0].count; i++)
        operand_set(&c->out[0], i, (double)a->data[i]);
}

/* cast, reshape */
static void same_elements(const reference_call *c)
{
    for (int64_t i = 0; i < c->out[0].count; i++)
        operand_set(&c->out[0], i, operand_get(&c->in[0], i));
}

static void transpose(const reference_call *c)
{
    const transpose_attr *a = c->attr;
    const shape *x = &c->in[0].shape, *y = &c->out[0].shape;
    for (int64_t i = 0; i < c->out[0].count; i++) {
        int64_t at[SHAPE_MAX_RANK], rest = i, from = 0;
        for (int d = y->rank - 1; d >= 0; d--) {
            at[a->order[d]] = rest % y->dim[d];
            rest /= y->dim[d];
        }
        for (int d = 0; d < x->rank; d++)
            from = from * x->dim[d] + at[d];
        operand_set(&c->out[0], i, operand_get(&c->in[0], from));
    }
}

/* Where element i of the slice lies in the whole. */
static int64_t slice_at(const slice_attr *a, const shape *whole, int64_t i)
{
    int64_t inner = 1;
    for (int d = a->axis + 1; d < whole->rank; d++)
        inner *= whole->dim[d];
    const int64_t row = i / inner / a->length, along = i / inner % a->length;
    return (row * whole->dim[a->axis] + a->begin + along) * inner + i % inner;
}

static void slice(const reference_call *c)
{
    for (int64_t i = 0; i < c->out[0].count; i++)
        operand_set(&c->out[0], i, operand_get(&c->in[0], slice_at(c->attr, &c->in[0].shape, i)));
}

static void slice_dx(const reference_call *c)
{
    clear(c->scratch, c->out[0].count);
    for (int64_t i = 0; i < c->in[0].count; i++)
        c->scratch[slice_at(c->attr, &c->out[0].shape, i)] = operand_get(&c->in[0], i);
    store(&c->out[0], c->scratch);
}

static void repeat(const reference_call *c)
{
    for (int64_t i = 0; i < c->out[0].count; i++)
        operand_set(&c->out[0], i, operand_get(&c->in[0], i % c->in[0].count));
}

static void repeat_dx(const reference_call *c)
{
    clear(c->scratch, c->out[0].count);
    for (int64_t i = 0; i < c->in[0].count; i++)
        c->scratch[i % c->out[0].count] += operand_get(&c->in[0], i);
    store(&c->out[0], c->scratch);
}

/* --- ends --------------------------------------------------------------------------------------------------------- */

/* Row r of softmax(x); also log of its denominator plus the maximum, so that -log p = that - x. */
static double softmax_row(operand *p, const operand *x, int64_t r, int64_t columns)
{
    double max = -INFINITY, sum = 0;
    for (int64_t i = r * columns; i < (r + 1) * columns; i++)
        max = fmax(max, operand_get(x, i));
    for (int64_t i = r * columns; i < (r + 1) * columns; i++)
        sum += exp(operand_get(x, i) - max);
    for (int64_t i = r * columns; i < (r + 1) * columns; i++)
        operand_set(p, i, exp(operand_get(x, i) - max) / sum);
    return max + log(sum);
}

static void softmax(const reference_call *c)
{
    const int64_t columns = c->in[0].shape.dim[c->in[0].shape.rank - 1];
    for (int64_t r = 0; r < c->in[0].count / columns; r++)
        softmax_row(&c->out[0], &c->in[0], r, columns);
}

/* dy, y -> dx */
static void softmax_dx(const reference_call *c)
{
    const int64_t columns = c->in[1].shape.dim[c->in[1].shape.rank - 1];
    for (int64_t i = 0; i < c->out[0].count; i++) {
        double sum = 0;
        for (int64_t k = i / columns * columns; k < (i / columns + 1) * columns; k++)
            sum += operand_get(&c->in[0], k) * operand_get(&c->in[1], k);
        c->scratch[i] = operand_get(&c->in[1], i) * (operand_get(&c->in[0], i) - sum);
    }
    store(&c->out[0], c->scratch);
}

static double class_weight(const operand *w, int64_t c)
{
    return w->data ? operand_get(w, c) : 1;
}

/* The row's class, or -1 where it is absent. */
static int64_t label_at(const operand *labels, const operand *mask, int64_t r, int64_t classes)
{
    const int64_t t = (int64_t)operand_get(labels, r);
    const bool is_masked = mask->data && operand_get(mask, r) == 0;
    return t >= 0 && t < classes && !is_masked ? t : -1;
}

static double present_weight(const operand *labels, const operand *w, const operand *mask, int64_t classes)
{
    double sum = 0;
    for (int64_t r = 0; r < labels->count; r++)
        if (label_at(labels, mask, r, classes) >= 0)
            sum += class_weight(w, label_at(labels, mask, r, classes));
    return sum;
}

/* What the term of class k in row r is multiplied with, where probabilities stand in place of labels. */
static double soft_share(const operand *q, const operand *w, double e, int64_t r, int64_t k)
{
    const int64_t classes = q->shape.dim[1];
    return class_weight(w, k) * ((1 - e) * operand_get(q, r * classes + k) + e / (double)classes);
}

/* logits, probabilities of the classes, class_weights -> loss, probabilities */
static void soft_cross_entropy(const reference_call *c)
{
    const double e = (double)((const cross_entropy_attr *)c->attr)->smoothing;
    const operand *x = &c->in[0];
    const int64_t rows = x->shape.dim[0], classes = x->shape.dim[1];
    double loss = 0;
    for (int64_t r = 0; r < rows; r++) {
        const double log_sum = softmax_row(&c->out[1], x, r, classes);
        for (int64_t k = 0; k < classes; k++)
            loss += soft_share(&c->in[1], &c->in[2], e, r, k) * (log_sum - operand_get(x, r * classes + k));
    }
    operand_set(&c->out[0], 0, loss / (double)rows);
}

static void soft_cross_entropy_dx(const reference_call *c)
{
    const double e = (double)((const cross_entropy_attr *)c->attr)->smoothing;
    const operand *p = &c->in[0];
    const int64_t rows = p->shape.dim[0], classes = p->shape.dim[1];
    for (int64_t i = 0; i < p->count; i++) {
        const int64_t r = i / classes;
        double all = 0;
        for (int64_t k = 0; k < classes; k++)
            all += soft_share(&c->in[1], &c->in[2], e, r, k);
        const double own = soft_share(&c->in[1], &c->in[2], e, r, i % classes);
        operand_set(&c->out[0], i, (operand_get(p, i) * all - own) / (double)rows);
    }
}

/* logits, labels, class_weights -> loss, probabilities */
static void cross_entropy(const reference_call *c)
{
    if (c->in[1].type == DTYPE_F32) {
        soft_cross_entropy(c);
        return;
    }
    const double e = (double)((const cross_entropy_attr *)c->attr)->smoothing;
    const operand *x = &c->in[0], *labels = &c->in[1], *w = &c->in[2], *mask = &c->in[3];
    const int64_t classes = x->shape.dim[1];
    double loss = 0;
    for (int64_t r = 0; r < labels->count; r++) {
        const int64_t t = label_at(labels, mask, r, classes);
        const double log_sum = softmax_row(&c->out[1], x, r, classes);
        for (int64_t k = 0; t >= 0 && k < classes; k++) {
            const double share = e / (double)classes * class_weight(w, k) + (k == t ? (1 - e) * class_weight(w, t) : 0);
            loss += share * (log_sum - operand_get(x, r * classes + k));
        }
    }
    const double total = present_weight(labels, w, mask, classes);
    operand_set(&c->out[0], 0, total > 0 ? loss / total : 0);
}

/* probabilities, labels, class_weights -> dlogits */
static void cross_entropy_dx(const reference_call *c)
{
    if (c->in[1].type == DTYPE_F32) {
        soft_cross_entropy_dx(c);
        return;
    }
    const double e = (double)((const cross_entropy_attr *)c->attr)->smoothing;
    const operand *p = &c->in[0], *labels = &c->in[1], *w = &c->in[2], *mask = &c->in[3];
    const int64_t classes = p->shape.dim[1];
    const double total = present_weight(labels, w, mask, classes);
    double sum = 0;
    for (int64_t k = 0; k < classes; k++)
        sum += class_weight(w, k);
    for (int64_t i = 0; i < p->count; i++) {
        const int64_t t = label_at(labels, mask, i / classes, classes), k = i % classes;
        double d = 0;
        if (t >= 0 && total > 0) {
            const double target = (1 - e) * class_weight(w, t);
            d = operand_get(p, i) * (target + e / (double)classes * sum) - (k == t ? target : 0) -
                e / (double)classes * class_weight(w, k);
        }
        operand_set(&c->out[0], i, total > 0 ? d / total : 0);
    }
}

/* --- losses against numbers: prediction, target, mask, weights ------------------------------------------------------
 */

static bool is_present(const reference_call *c, int64_t i)
{
    return !c->in[2].data || operand_get(&c->in[2], i) != 0;
}

static double present_elements(const reference_call *c)
{
    double count = 0;
    for (int64_t i = 0; i < c->in[0].count; i++)
        count += is_present(c, i);
    return count;
}

/* The mean of f over what is present. */
static void masked_mean(const reference_call *c, double (*f)(const reference_call *c, int64_t i, double x, double t))
{
    const double count = present_elements(c);
    double sum = 0;
    for (int64_t i = 0; i < c->in[0].count; i++)
        if (is_present(c, i))
            sum += f(c, i, operand_get(&c->in[0], i), operand_get(&c->in[1], i));
    operand_set(&c->out[0], 0, count > 0 ? sum / count : 0);
}

static void masked_slopes(const reference_call *c, double (*f)(const reference_call *c, int64_t i, double x, double t))
{
    const double count = present_elements(c);
    for (int64_t i = 0; i < c->in[0].count; i++)
        operand_set(&c->out[0], i,
                    is_present(c, i) ? f(c, i, operand_get(&c->in[0], i), operand_get(&c->in[1], i)) / count : 0);
}

static double regression_value(const reference_call *c, int64_t i, double x, double t)
{
    (void)i;
    const regression_attr *a = c->attr;
    const double d = fabs(x - t), beta = (double)a->beta;
    if (a->kind == REGRESSION_SQUARED)
        return d * d;
    return d < beta ? 0.5 * d * d / beta : d - 0.5 * beta;
}

static double regression_slope(const reference_call *c, int64_t i, double x, double t)
{
    (void)i;
    const regression_attr *a = c->attr;
    const double d = x - t, beta = (double)a->beta;
    if (a->kind == REGRESSION_SQUARED)
        return 2 * d;
    return d >= beta ? 1 : d <= -beta ? -1 : d / beta;
}

static double binary_weight(const reference_call *c, int64_t i)
{
    return c->in[BINARY_WEIGHTS].data ? operand_get(&c->in[BINARY_WEIGHTS], i % c->in[0].shape.dim[1]) : 1;
}

static double binary_value(const reference_call *c, int64_t i, double x, double t)
{
    return -binary_weight(c, i) * t * log(sigmoid(x)) - (1 - t) * log(sigmoid(-x));
}

static double binary_slope(const reference_call *c, int64_t i, double x, double t)
{
    return (1 - t) * sigmoid(x) - binary_weight(c, i) * t * sigmoid(-x);
}

static void regression(const reference_call *c)
{
    masked_mean(c, regression_value);
}

static void regression_dx(const reference_call *c)
{
    masked_slopes(c, regression_slope);
}

static void binary_cross_entropy(const reference_call *c)
{
    masked_mean(c, binary_value);
}

static void binary_cross_entropy_dx(const reference_call *c)
{
    masked_slopes(c, binary_slope);
}

/* Mean of a b over the present rows of column k, less the product of the means, times n / (n - 1). */
static double covariance(const reference_call *c, const operand *a, const operand *b, int64_t k, double *n,
                         double *mean)
{
    const int64_t columns = a->shape.dim[1];
    double sum_a = 0, sum_b = 0, sum = 0;
    *n = 0;
    for (int64_t i = k; i < a->count; i += columns)
        if (is_present(c, i)) {
            *n += 1;
            sum_a += operand_get(a, i);
            sum_b += operand_get(b, i);
        }
    for (int64_t i = k; i < a->count; i += columns)
        if (is_present(c, i))
            sum += (operand_get(a, i) - sum_a / *n) * (operand_get(b, i) - sum_b / *n);
    *mean = *n > 0 ? sum_a / *n : 0;
    return *n > 1 ? sum / (*n - 1) : 0;
}

typedef struct {
    double n, x_mean, t_mean, twice_covariance, d;
} column_ccc;

static column_ccc ccc_of(const reference_call *c, int64_t k)
{
    column_ccc v = {0};
    const double xx = covariance(c, &c->in[0], &c->in[0], k, &v.n, &v.x_mean);
    const double tt = covariance(c, &c->in[1], &c->in[1], k, &v.n, &v.t_mean);
    double unused;
    v.twice_covariance = 2 * covariance(c, &c->in[0], &c->in[1], k, &v.n, &unused);
    v.d = xx + tt + (v.x_mean - v.t_mean) * (v.x_mean - v.t_mean) + 1e-8;
    return v;
}

static void ccc(const reference_call *c)
{
    double loss = 0;
    for (int64_t k = 0; k < c->in[0].shape.dim[1]; k++) {
        const column_ccc v = ccc_of(c, k);
        loss += v.n > 1 ? 1 - v.twice_covariance / v.d : 0;
    }
    operand_set(&c->out[0], 0, loss);
}

/* -(s' d - s d') / d^2, s = 2 s_xy */
static void ccc_dx(const reference_call *c)
{
    for (int64_t i = 0; i < c->in[0].count; i++) {
        const column_ccc v = ccc_of(c, i % c->in[0].shape.dim[1]);
        const double s_slope = 2 * (operand_get(&c->in[1], i) - v.t_mean) / (v.n - 1);
        const double d_slope = 2 * (operand_get(&c->in[0], i) - v.x_mean) / (v.n - 1) + 2 * (v.x_mean - v.t_mean) / v.n;
        const double slope = (s_slope * v.d - v.twice_covariance * d_slope) / (v.d * v.d);
        operand_set(&c->out[0], i, v.n > 1 && is_present(c, i) ? -slope : 0);
    }
}

static void total(const reference_call *c)
{
    const float *weights = c->attr;
    double sum = 0;
    for (int i = 0; i < c->in_count; i++)
        sum += (double)weights[i] * operand_get(&c->in[i], 0);
    operand_set(&c->out[0], 0, sum);
}

/* --- update ------------------------------------------------------------------------------------------------------- */

static void accumulate(const reference_call *c)
{
    const accumulate_attr *a = c->attr;
    float *sums = c->params->sums;
    for (int r = 0; r < a->range_count; r++)
        for (size_t i = a->ranges[r].offset; i < a->ranges[r].offset + a->ranges[r].count; i++)
            sums[i] = (a->is_first ? 0 : sums[i]) + c->params->grads[i];
    if (!isfinite(operand_get(&c->in[c->in_count - 1], 0)))
        sums[a->ranges[0].offset] = NAN;
}

static const float *gradients_of(const optimizer_attr *a, const param_memory *m)
{
    return a->is_summed ? m->sums : m->grads;
}

static void adam(const optimizer_attr *a, const param_memory *m, const step_params *step, size_t i)
{
    const double b1 = (double)a->beta1, b2 = (double)a->beta2, t = (double)step->step, lr = (double)step->lr;
    double p = (double)m->values[i], g = (double)gradients_of(a, m)[i];
    if (a->kind == OPTIMIZER_ADAMW)
        p -= lr * (double)a->weight_decay * p;
    else
        g += (double)a->weight_decay * p;
    const double m1 = b1 * (double)m->state1[i] + (1 - b1) * g, m2 = b2 * (double)m->state2[i] + (1 - b2) * g * g;
    m->state1[i] = (float)m1;
    m->state2[i] = (float)m2;
    m->values[i] = (float)(p - lr * (m1 / (1 - pow(b1, t))) / (sqrt(m2 / (1 - pow(b2, t))) + (double)a->eps));
}

static void sgd(const optimizer_attr *a, const param_memory *m, const step_params *step, size_t i)
{
    double u = (double)gradients_of(a, m)[i] + (double)a->weight_decay * (double)m->values[i];
    if (a->momentum > 0) {
        u += step->step > 1 ? (double)a->momentum * (double)m->state1[i] : 0;
        m->state1[i] = (float)u;
    }
    m->values[i] = (float)((double)m->values[i] - (double)step->lr * u);
}

/* step, gradients, loss */
static void optimizer(const reference_call *c)
{
    const optimizer_attr *a = c->attr;
    step_params *step = c->in[0].data;
    const float *grads = gradients_of(a, c->params);
    double squares = 0;
    for (int r = 0; r < a->range_count; r++)
        for (size_t i = a->ranges[r].offset; i < a->ranges[r].offset + a->ranges[r].count; i++)
            squares += (double)grads[i] * (double)grads[i];
    step->gradient_norm = (float)sqrt(squares);
    step->is_nonfinite = !isfinite(squares) || !isfinite(operand_get(&c->in[c->in_count - 1], 0));
    if (step->is_nonfinite)
        return;
    for (int r = 0; r < a->range_count; r++)
        for (size_t i = a->ranges[r].offset; i < a->ranges[r].offset + a->ranges[r].count; i++)
            (a->kind == OPTIMIZER_SGD ? sgd : adam)(a, c->params, step, i);
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

reference_fn reference_find(const op_def *op)
{
    static const struct {
        const op_def *op;
        reference_fn fn;
    } table[] = {
        {&op_normalise_def, normalise},
        {&op_conv2d_def, conv2d},
        {&op_conv2d_dx_def, conv2d_dx},
        {&op_conv2d_dw_def, conv2d_dw},
        {&op_linear_def, linear},
        {&op_linear_dx_def, linear_dx},
        {&op_linear_dw_def, linear_dw},
        {&op_batch_norm_def, batch_norm},
        {&op_batch_norm_dx_def, batch_norm_dx},
        {&op_activation_def, activation},
        {&op_activation_dx_def, activation_dx},
        {&op_add_def, add},
        {&op_add_db_def, add_db},
        {&op_sub_def, sub},
        {&op_multiply_def, multiply},
        {&op_contribute_def, contribute},
        {&op_scale_def, scale},
        {&op_scale_dx_def, scale},
        {&op_scale_ds_def, scale_ds},
        {&op_concat_def, concat},
        {&op_slice_def, slice},
        {&op_pool_def, pool},
        {&op_pool_dx_def, pool_dx},
        {&op_global_mean_def, global_mean},
        {&op_global_mean_dx_def, global_mean_dx},
        {&op_dropout_def, dropout},
        {&op_softmax_def, softmax},
        {&op_cross_entropy_def, cross_entropy},
        {&op_cross_entropy_dx_def, cross_entropy_dx},
        {&op_accumulate_def, accumulate},
        {&op_mul_def, mul},
        {&op_matmul_def, matmul},
        {&op_constant_def, constant},
        {&op_cast_def, same_elements},
        {&op_reshape_def, same_elements},
        {&op_transpose_def, transpose},
        {&op_slice_dx_def, slice_dx},
        {&op_repeat_def, repeat},
        {&op_repeat_dx_def, repeat_dx},
        {&op_softmax_dx_def, softmax_dx},
        {&op_regression_def, regression},
        {&op_regression_dx_def, regression_dx},
        {&op_binary_cross_entropy_def, binary_cross_entropy},
        {&op_binary_cross_entropy_dx_def, binary_cross_entropy_dx},
        {&op_ccc_def, ccc},
        {&op_ccc_dx_def, ccc_dx},
        {&op_total_def, total},
        {&op_optimizer_def, optimizer},
        {&op_layer_norm_def, layer_norm},
        {&op_layer_norm_dx_def, layer_norm_dx},
        {&op_attention_def, attention},
        {&op_attention_dx_def, attention_dx},
        {&op_tokens_def, tokens},
        {&op_tokens_dx_def, tokens_dx},
        {&op_first_token_def, first_token},
        {&op_first_token_dx_def, first_token_dx},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].op == op)
            return table[i].fn;
    return reference_find_regions(op);
}
