/* Our own CPU kernels: a table of functions per instruction set, compiled from the same sources (CMakeLists.txt).
 *
 * A kernel reads one argument struct, whose pointers bind fills in, and spreads its work over `threads` parts of fixed
 * size: results depend on that number alone. Activations are rows of channels ([n, h, w, c] = rows [n h w] of c);
 * `is_bf16` is their type, everything else is f32. */
#ifndef BACKEND_CPU_KERNEL_KERNEL_H
#define BACKEND_CPU_KERNEL_KERNEL_H

#include "graph/op.h"

#define KERNEL_PASTE_(name, isa) name##_##isa
#define KERNEL_EXPAND_(name, isa) KERNEL_PASTE_(name, isa)
/* The name of an exported kernel in this compilation: KERNEL(add) is add_avx2. */
#define KERNEL(name) KERNEL_EXPAND_(name, KERNEL_ISA)

typedef void kernel_fn(const void *args);

typedef struct {
    const char *name; /* "mien:avx2" */
    kernel_fn *normalise, *activation, *activation_dx, *add, *add_narrow, *narrow, *sub, *sum, *scale, *scale_ds;
    kernel_fn *batch_norm, *batch_norm_dx;
    kernel_fn *pool, *pool_dx, *global_mean, *global_mean_dx;
    kernel_fn *depthwise, *depthwise_dx, *depthwise_dw;
    kernel_fn *linear, *linear_dx, *linear_dw;
    kernel_fn *optimizer;
    kernel_fn *bias_gradient, *dropout;
    kernel_fn *layer_norm, *layer_norm_dx, *attention, *attention_dx, *tokens, *tokens_dx;
} kernel_table;

/* avx512_bf16 differs from avx512 in how it rounds to bf16: one instruction. */
extern const kernel_table kernel_table_plain, kernel_table_avx2, kernel_table_avx512, kernel_table_avx512_bf16;

/* Per-channel numbers are laid out `repeat` times in a row, so that vectors divide the repeated row ("wide" row)
 * whatever the channel count, and short rows become long enough to be worth a loop. */
#define WIDE_LANES 16
#define WIDE_TARGET 128
static inline int64_t wide_repeat(int64_t c)
{
    int64_t repeat = 1;
    while (c * repeat % WIDE_LANES != 0)
        repeat++;
    int64_t base = repeat;
    while (c * repeat < WIDE_TARGET)
        repeat += base;
    return repeat;
}
static inline int64_t wide_count(int64_t c)
{
    return c * wide_repeat(c);
}

/* Elements [begin, end) of `count` things that part `index` of `parts` works on; multiples of `grain` but for the last.
 */
typedef struct {
    int64_t begin, end;
} part;
static inline part part_of(int64_t count, int64_t grain, int parts, int index)
{
    int64_t grains = (count + grain - 1) / grain;
    int64_t begin = grains * index / parts * grain, end = grains * (index + 1) / parts * grain;
    return (part){begin < count ? begin : count, end < count ? end : count};
}
/* Work below this many elements is not worth waking a thread. */
static inline int parts_for(int64_t elements, int threads)
{
    int64_t most = elements / 8192;
    return most < 1 ? 1 : most < threads ? (int)most : threads;
}

/* --- arguments ---------------------------------------------------------------------------------------------------- */
/* y [pixels, 3] = x [pixels, 3] u8 * scale + shift, by channel */
typedef struct {
    const uint8_t *x;
    void *y;
    int64_t pixels;
    float scale[3], shift[3];
    int threads;
    bool is_bf16;
} normalise_args;

/* activation: y = f(a). activation_dx: y = a f'(b), b the input (ReLU: output) of the forward pass. add: y = a + b.
 * add_narrow: the same, b bf16, a and y f32. narrow: y = a, y bf16, a f32.
 * sub: y = a - b + shift, a NULL: y = shift - b. */
typedef struct {
    const void *a, *b;
    void *y;
    int64_t count;
    activation_kind kind;
    float shift;
    int threads;
    bool is_bf16;
} pointwise_args;

/* y [count] = sum over t of x [terms, count], in order */
typedef struct {
    const float *x;
    float *y;
    int64_t count;
    int terms, threads;
} sum_args;

/* x, y [n, hw, c]; s [n, c]. scale, and scale_dx: y = x s. scale_ds: s = sum over hw of x y.
 * scratch of both: scale_scratch_bytes. */
typedef struct {
    const void *x;
    void *y; /* scale_ds reads it */
    void *s; /* scale reads it */
    float *scratch;
    int64_t n, hw, c;
    int threads;
    bool is_bf16;
} scale_args;
static inline size_t scale_scratch_bytes(int64_t c, int threads)
{
    return (size_t)(wide_count(c) * threads) * sizeof(float);
}

/* x, residual, y [rows, c]. See op.h. scratch: batch_norm_scratch_bytes. */
typedef struct {
    const void *x, *residual;
    const float *gamma, *beta;
    float *running_mean, *running_var;
    void *y;
    float *mean, *inv_std;
    uint8_t *mask; /* NULL: not saved */
    void *scratch;
    int64_t rows, c;
    float eps, momentum;
    activation_kind act;
    int threads;
    bool is_batch, is_bf16;
} batch_norm_args;

typedef struct {
    const void *dy, *x, *residual;
    const float *gamma, *beta;
    const float *mean, *inv_std;             /* of the batch, or NULL and */
    const float *running_mean, *running_var; /* the running ones */
    const uint8_t *mask;
    void *dx, *dresidual;
    float *dgamma, *dbeta; /* all four NULL where not wanted */
    void *scratch;
    int64_t rows, c;
    float eps;
    activation_kind act;
    int threads;
    bool is_bf16;
} batch_norm_dx_args;
/* both: two sums a part in double and float, five numbers a channel */
static inline size_t batch_norm_scratch_bytes(int64_t c, int threads)
{
    return (size_t)wide_count(c) * ((size_t)threads * 2 * (sizeof(double) + sizeof(float)) + 5 * sizeof(float));
}

/* x [n, h, w, c], y [n, oh, ow, c], index as y or NULL. Backward: y is dy, x is dx. */
typedef struct {
    void *x, *y;
    uint8_t *index;
    int64_t n, h, w, c, oh, ow;
    pool_attr pool;
    int threads;
    bool is_bf16;
} pool_args;

/* x [n, hw, c], y [n, c]; backward: y is dy, x is dx. scratch: scale_scratch_bytes */
typedef struct {
    void *x, *y;
    float *scratch;
    int64_t n, hw, c;
    int threads;
    bool is_bf16;
} global_mean_args;

/* Depthwise convolution: x [n, h, w, c], y [n, oh, ow, c], w [kh kw, c] f32 (packed), bias [c] or NULL. forward: y =
 * act(w * x + bias + residual). dx: y is dy, x is dx. dw: dw [c, kh kw] (torchvision's order), dbias [c] or NULL,
 * scratch depthwise_dw_scratch_bytes. */
typedef struct {
    void *x, *y;
    const void *residual;
    const float *w, *bias;
    float *dw, *dbias;
    void *scratch;
    int64_t n, h, width, c, oh, ow;
    int kernel[2], stride[2], pad[2];
    activation_kind act;
    int threads;
    bool is_bf16;
} depthwise_args;
static inline size_t depthwise_dw_scratch_bytes(int64_t c, int taps, int threads)
{
    return (size_t)(c * taps * threads) * sizeof(float);
}

/* x [rows, k], w [o, k] f32, bias [o] or NULL, y [rows, o]. dx: y is dy, x is dx. dw: y is dy; dw [o, k], dbias [o],
 * each NULL where not wanted. x and y each have their own type. */
typedef struct {
    void *x, *y;
    const float *w, *bias;
    float *dw, *dbias;
    float *scratch; /* x, y and a transposed weight, as f32 */
    int64_t rows, k, o;
    int threads;
    bool x_is_bf16, y_is_bf16;
} linear_args;
static inline size_t linear_scratch_bytes(int64_t rows, int64_t k, int64_t o)
{
    return (size_t)(rows * (k + o) + k * o) * sizeof(float);
}

/* dbias [c] = sum over rows of dy [rows, c]; scratch: bias_gradient_scratch_bytes */
typedef struct {
    const void *dy;
    float *dbias;
    double *scratch;
    int64_t rows, c;
    int threads;
    bool is_bf16;
} bias_gradient_args;
static inline size_t bias_gradient_scratch_bytes(int64_t c, int threads)
{
    return (size_t)(wide_count(c) * threads) * (sizeof(double) + sizeof(float));
}

/* y = x kept or dropped, see op.h. A drop path keeps or drops a sample; dropout's samples are single elements. */
typedef struct {
    const void *x;
    void *y;
    const void *step; /* step_params */
    int64_t samples, per_sample;
    float p;
    uint32_t stream;
    int threads;
    bool is_per_sample, is_bf16;
} dropout_args;

/* x, y [rows, c]. mean, inv_std [rows] or NULL: not saved. See op.h. */
typedef struct {
    const void *x;
    const float *gamma, *beta;
    void *y;
    float *mean, *inv_std;
    int64_t rows, c;
    float eps;
    int threads;
    bool is_x_bf16, is_bf16; /* is_bf16: y */
} layer_norm_args;

/* dx, dgamma, dbeta: NULL where not wanted. scratch: layer_norm_dx_scratch_bytes */
typedef struct {
    const void *dy, *x;
    const float *gamma, *mean, *inv_std;
    void *dx;
    float *dgamma, *dbeta;
    void *scratch;
    int64_t rows, c;
    int threads;
    bool is_x_bf16, is_bf16; /* x and dx; dy */
} layer_norm_dx_args;
static inline size_t layer_norm_dx_scratch_bytes(int64_t c, int threads)
{
    return (size_t)(2 * c * threads) * (sizeof(double) + sizeof(float));
}

/* qkv, dqkv [n, t, 3 d], y, dy [n, queries, d], d = heads x c; log_sum [n, heads, queries] or, forward, NULL.
 * scratch: as many words a thread as attention[_dx]_scratch_words. */
typedef struct {
    const void *qkv, *dy;
    void *y; /* backward reads it */
    void *dqkv;
    float *log_sum;
    uint32_t *scratch;
    int64_t n, t, queries, d, heads, c;
    float scale;
    int threads;
    bool is_bf16;
} attention_args;
enum { ATTENTION_TILE_ROWS = 6, ATTENTION_QUERIES = 8 * ATTENTION_TILE_ROWS };
static inline int64_t attention_pad(int64_t columns) /* to whole vectors of any width */
{
    return (columns + 15) / 16 * 16;
}
static inline int64_t attention_scratch_words(int64_t t, int64_t c)
{
    int64_t tp = attention_pad(t), cp = attention_pad(c);
    return 2 * tp * cp + ATTENTION_QUERIES * 2 * (tp + cp);
}
static inline int64_t attention_dx_scratch_words(int64_t t, int64_t c)
{
    int64_t tp = attention_pad(t), cp = attention_pad(c);
    return 3 * tp * cp + 2 * (tp + ATTENTION_TILE_ROWS) * cp + ATTENTION_QUERIES * 5 * (tp + cp) +
           attention_pad(ATTENTION_QUERIES);
}

/* x [n, t - 1, d], first [d], position [t, d], y [n, t, d] */
typedef struct {
    const void *x;
    const float *first, *position;
    void *y;
    int64_t n, t, d;
    int threads;
    bool is_bf16, is_y_bf16;
} tokens_args;

/* dx, dfirst, dposition: NULL where not wanted */
typedef struct {
    const void *dy;
    void *dx;
    float *dfirst, *dposition;
    int64_t n, t, d;
    int threads;
    bool is_bf16, is_dy_bf16; /* is_bf16: dx */
} tokens_dx_args;

/* grads, values and states are arenas; ranges say which elements move. scratch [threads] doubles */
typedef struct {
    optimizer_attr attr;
    float *values, *state1, *state2;
    const float *grads;
    const float *loss; /* NULL: not checked */
    void *step;        /* step_params */
    double *scratch;
    int threads;
} optimizer_args;

#endif
