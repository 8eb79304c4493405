/* The case table, and how a row becomes a graph. A new operator is a describe function and rows. */
#include "graph/op_cases.h"

#include "base/mem.h"
#include "base/rng.h"
#include "graph/exec/program_int.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- building ----------------------------------------------------------------------------------------------------- */

enum { CLASSES = 5, PARAM_ALIGNMENT = 16 };

mien_status case_param_add(case_graph *c, value_id *out, const char *name, shape s, case_fill fill, double fan_in,
                           bool is_trainable)
{
    if (c->param_count == CASE_MAX_PARAMS)
        return mien_fail(MIEN_ERR_INTERNAL, "%s: more than %d parameters", name, CASE_MAX_PARAMS);
    const size_t offset = c->params.count, count = (size_t)shape_count(&s);
    TRY(graph_param(c->g, out, name, s, offset, is_trainable));
    c->param[c->param_count++] = (case_param){.value = *out,
                                              .name = graph_value_at(c->g, *out)->name,
                                              .offset = offset,
                                              .count = count,
                                              .fill = fill,
                                              .fan_in = fan_in,
                                              .is_trainable = is_trainable};
    c->params.count = (offset + count + PARAM_ALIGNMENT - 1) / PARAM_ALIGNMENT * PARAM_ALIGNMENT;
    return MIEN_OK;
}

static const shape *shape_at(const case_graph *c, value_id v)
{
    return &graph_value_at(c->g, v)->shape;
}

/* y [.., k] -> [.., out] with parameters NAME.weight [out, k] and, where wanted, NAME.bias [out] */
static mien_status add_linear(case_graph *c, value_id *y, const char *name, value_id x, int64_t out, bool has_bias,
                              bool is_f32)
{
    const shape *s = shape_at(c, x);
    const int64_t k = s->dim[s->rank - 1];
    value_id w = NO_VALUE, b = NO_VALUE;
    char full[64];
    snprintf(full, sizeof full, "%s.weight", name);
    TRY(case_param_add(c, &w, full, shape_of(2, out, k), FILL_WEIGHT, (double)k, true));
    snprintf(full, sizeof full, "%s.bias", name);
    if (has_bias)
        TRY(case_param_add(c, &b, full, shape_of(1, out), FILL_BIAS, 1, true));
    return op_linear(c->g, y, name, x, w, b, is_f32);
}

typedef enum { LOSS_CROSS_ENTROPY, LOSS_SQUARED, LOSS_SMOOTH_L1, LOSS_BINARY, LOSS_CCC } loss_kind;

/* Loss options of cases whose operator is a loss; others have none. Without a mask, what is absent has label -1. */
typedef struct {
    int64_t classes; /* or columns */
    float smoothing;
    bool has_weights, has_absent_rows, is_all_absent, is_soft, has_mask;
    loss_kind kind;
} loss_spec;

static const loss_spec *loss_of(const op_case *oc)
{
    static const loss_spec plain = {.classes = CLASSES};
    return oc->is_loss ? oc->spec : &plain;
}

/* A loss of `v` against numbers, in the input that others have for labels. */
static mien_status add_numbers_loss(case_graph *c, const loss_spec *spec, value_id v)
{
    const shape s = *shape_at(c, v);
    TRY(graph_input(c->g, &c->labels, "target", DTYPE_F32, s));
    if (spec->has_mask)
        TRY(graph_input(c->g, &c->mask, "mask", DTYPE_U8, s));
    if (spec->has_weights)
        TRY(graph_input(c->g, &c->class_weights, "positive_weights", DTYPE_F32, shape_of(1, spec->classes)));
    const regression_attr regression = {spec->kind == LOSS_SMOOTH_L1 ? REGRESSION_SMOOTH_L1 : REGRESSION_SQUARED,
                                        0.25f};
    if (spec->kind == LOSS_BINARY)
        TRY(op_binary_cross_entropy(c->g, &c->loss, "loss", v, c->labels, c->class_weights, c->mask));
    else if (spec->kind == LOSS_CCC)
        TRY(op_ccc(c->g, &c->loss, "loss", v, c->labels, c->mask));
    else
        TRY(op_regression(c->g, &c->loss, "loss", v, c->labels, c->mask, &regression));
    graph_mark_output(c->g, c->loss);
    return MIEN_OK;
}

/* y -> silu -> global_mean -> linear -> cross_entropy; the first two only for images. Tokens [n, t, d] go through silu,
 * a linear to 6 features, and attention of which the first row is kept, [n, 2]. */
static mien_status add_loss(case_graph *c, const op_case *oc)
{
    const loss_spec *spec = loss_of(oc);
    value_id v = c->y, probabilities = NO_VALUE;
    if (shape_at(c, v)->rank == 4) {
        TRY(op_activation(c->g, &v, "head.act", v, ACT_SILU));
        TRY(op_global_mean(c->g, &v, "head.pool", v));
    } else if (shape_at(c, v)->rank == 3) {
        TRY(op_activation(c->g, &v, "head.act", v, ACT_SILU));
        TRY(add_linear(c, &v, "head.qkv", v, 6, true, false));
        TRY(op_attention(c->g, &v, "head.pool", v, 1, true));
    }
    TRY(add_linear(c, &v, "head", v, spec->classes, true, true));
    c->label_count = shape_at(c, v)->dim[0];
    if (spec->kind != LOSS_CROSS_ENTROPY) {
        c->y = v;
        return add_numbers_loss(c, spec, v);
    }
    const bool is_soft = spec->is_soft;
    TRY(graph_input(c->g, &c->labels, "labels", is_soft ? DTYPE_F32 : DTYPE_I32,
                    is_soft ? *shape_at(c, v) : shape_of(1, c->label_count)));
    if (spec->has_weights)
        TRY(graph_input(c->g, &c->class_weights, "class_weights", DTYPE_F32, shape_of(1, spec->classes)));
    if (spec->has_mask)
        TRY(graph_input(c->g, &c->mask, "mask", DTYPE_U8, shape_of(1, c->label_count)));
    TRY(op_cross_entropy_masked(c->g, &c->loss, &probabilities, "loss", v, c->labels, c->class_weights, c->mask,
                                spec->smoothing));
    graph_mark_output(c->g, c->loss);
    if (oc->is_loss)
        c->y = probabilities;
    return MIEN_OK;
}

static mien_status describe(case_graph *c, const op_case *oc, dtype activation_type, case_mode mode)
{
    const bool is_training = mode == CASE_TRAINING;
    TRY(graph_create(&c->g, activation_type, is_training));
    c->x_type = oc->x_type == DTYPE_U8 ? DTYPE_U8 : activation_type;
    TRY(graph_input(c->g, &c->x, "x", c->x_type, oc->x));
    TRY(oc->describe(c, oc, &c->y, c->x));
    if (is_training && !oc->is_forward_only)
        TRY(add_loss(c, oc));
    graph_mark_output(c->g, c->y);
    TRY(graph_fuse(c->g));
    if (is_training && !oc->is_forward_only)
        TRY(graph_differentiate(c->g, &(graph_loss){c->loss, 1}, 1, c->x, &c->dx));
    return MIEN_OK;
}

static mien_status allocate(param_memory *m)
{
    m->trained_count = m->count;
    TRY(mem_zalloc(&m->values, m->count));
    TRY(mem_zalloc(&m->grads, m->count));
    TRY(mem_zalloc(&m->sums, m->count));
    TRY(mem_zalloc(&m->state1, m->count));
    return mem_zalloc(&m->state2, m->count);
}

mien_status case_graph_build(case_graph *out, const op_case *oc, dtype activation_type, case_mode mode)
{
    case_graph c = {.spec = oc,
                    .x = NO_VALUE,
                    .y = NO_VALUE,
                    .labels = NO_VALUE,
                    .class_weights = NO_VALUE,
                    .mask = NO_VALUE,
                    .loss = NO_VALUE,
                    .dx = NO_VALUE};
    mien_status st = describe(&c, oc, activation_type, mode);
    if (st == MIEN_OK)
        st = allocate(&c.params);
    if (st != MIEN_OK) {
        case_graph_free(&c);
        return mien_fail_in(st, "%s", oc->name);
    }
    *out = c;
    return MIEN_OK;
}

void case_graph_free(case_graph *c)
{
    graph_free(c->g);
    mem_free(c->params.values);
    mem_free(c->params.grads);
    mem_free(c->params.sums);
    mem_free(c->params.state1);
    mem_free(c->params.state2);
    c->g = NULL;
    c->params = (param_memory){0};
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

static float draw(rng *r, case_fill fill, double fan_in)
{
    switch (fill) {
    case FILL_WEIGHT:
        return rng_normal(r) / (float)sqrt(fan_in);
    case FILL_GAMMA:
        return 1 + 0.1f * rng_normal(r);
    case FILL_BIAS:
        return 0.3f * rng_normal(r);
    default:
        return rng_range(r, 0.5f, 1.5f);
    }
}

static void fill_params(const case_graph *c, uint64_t seed)
{
    for (int i = 0; i < c->param_count; i++) {
        rng r = rng_at(seed, 1, (uint64_t)i, RNG_TEST);
        for (size_t k = 0; k < c->param[i].count; k++)
            c->params.values[c->param[i].offset + k] = draw(&r, c->param[i].fill, c->param[i].fan_in);
    }
}

static void fill_x(const case_graph *c, void *x, uint64_t seed)
{
    const int64_t count = shape_count(&c->spec->x);
    rng r = rng_at(seed, 0, 0, RNG_TEST);
    for (int64_t i = 0; i < count; i++) {
        const float number = rng_normal(&r);
        if (c->x_type == DTYPE_U8)
            ((uint8_t *)x)[i] = (uint8_t)rng_below(&r, 256);
        else if (c->x_type == DTYPE_BF16)
            ((uint16_t *)x)[i] = bf16_from_f32(number);
        else
            ((float *)x)[i] = number;
    }
}

static void fill_labels(const case_graph *c, void *dst, uint64_t seed)
{
    (void)seed;
    int32_t *labels = dst;
    const loss_spec *spec = loss_of(c->spec);
    for (int64_t i = 0; i < c->label_count; i++) {
        const bool is_absent = spec->is_all_absent || (spec->has_absent_rows && i % 3 == 1);
        labels[i] = is_absent && !spec->has_mask ? -1 : (int32_t)((i * 3 + 1) % spec->classes);
    }
}

/* Two classes a row, or one where they meet, by shares that a float holds exactly. */
static void fill_targets(const case_graph *c, void *dst, uint64_t seed)
{
    (void)seed;
    float *targets = dst;
    const int64_t classes = loss_of(c->spec)->classes;
    memset(targets, 0, (size_t)(c->label_count * classes) * sizeof *targets);
    for (int64_t i = 0; i < c->label_count; i++) {
        const float share = 0.25f * (float)(1 + i % 3);
        targets[i * classes + (i * 3 + 1) % classes] += share;
        targets[i * classes + (i * 5 + 2) % classes] += 1 - share;
    }
}

/* Numbers, or 0 and 1. */
static void fill_numbers(const case_graph *c, void *dst, uint64_t seed)
{
    (void)seed;
    const loss_spec *spec = loss_of(c->spec);
    float *targets = dst;
    for (int64_t i = 0; i < c->label_count * spec->classes; i++)
        targets[i] = spec->kind == LOSS_BINARY ? (float)((i * 7 + 1) % 3 == 0) : 0.2f * (float)((i * 7) % 11 - 5);
}

/* Elements of cross entropy's mask are rows. */
static void fill_mask(const case_graph *c, void *dst, uint64_t seed)
{
    (void)seed;
    const loss_spec *spec = loss_of(c->spec);
    const int64_t columns = spec->kind == LOSS_CROSS_ENTROPY ? 1 : spec->classes;
    for (int64_t i = 0; i < c->label_count * columns; i++)
        ((uint8_t *)dst)[i] = !spec->is_all_absent && !(spec->has_absent_rows && i % 3 == 1);
}

static void fill_class_weights(const case_graph *c, void *dst, uint64_t seed)
{
    (void)seed;
    for (int64_t k = 0; k < loss_of(c->spec)->classes; k++)
        ((float *)dst)[k] = 1 + (float)(k % 3);
}

static mien_status write_filled(const case_graph *c, program *p, value_id v,
                                void (*fill)(const case_graph *c, void *dst, uint64_t seed), uint64_t seed)
{
    void *numbers = NULL;
    TRY(mem_alloc_bytes(&numbers, p->plan.values[v].bytes));
    fill(c, numbers, seed);
    mien_status st = program_write(p, v, numbers);
    mem_free(numbers);
    return st;
}

mien_status case_graph_fill(case_graph *c, program *p, uint64_t seed)
{
    fill_params(c, seed);
    TRY(write_filled(c, p, c->x, fill_x, seed));
    if (c->mask != NO_VALUE)
        TRY(write_filled(c, p, c->mask, fill_mask, seed));
    if (c->labels != NO_VALUE && loss_of(c->spec)->kind != LOSS_CROSS_ENTROPY)
        TRY(write_filled(c, p, c->labels, fill_numbers, seed));
    else if (c->labels != NO_VALUE)
        TRY(write_filled(c, p, c->labels, loss_of(c->spec)->is_soft ? fill_targets : fill_labels, seed));
    if (c->class_weights != NO_VALUE)
        TRY(write_filled(c, p, c->class_weights, fill_class_weights, seed));
    return program_set_step(p, &(step_params){.lr = 0.01f, .step = 1, .seed = seed});
}

/* --- operators ---------------------------------------------------------------------------------------------------- */

static mien_status normalise_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    (void)self;
    return op_normalise(c->g, y, "y", x, (float[]){0.485f, 0.456f, 0.406f}, (float[]){0.229f, 0.224f, 0.225f});
}

/* A batch_norm over x: NAME.weight, .bias, .running_mean, .running_var. */
static mien_status add_batch_norm(case_graph *c, value_id *y, const char *name, value_id x, const batch_norm_attr *attr)
{
    const shape s = shape_of(1, shape_at(c, x)->dim[3]);
    static const struct {
        const char *suffix;
        case_fill fill;
        bool is_trainable;
    } params[] = {{"weight", FILL_GAMMA, true},
                  {"bias", FILL_BIAS, true},
                  {"running_mean", FILL_BIAS, false},
                  {"running_var", FILL_VARIANCE, false}};
    value_id v[4];
    for (int i = 0; i < 4; i++) {
        char full[64];
        snprintf(full, sizeof full, "%s.%s", name, params[i].suffix);
        TRY(case_param_add(c, &v[i], full, s, params[i].fill, 1, params[i].is_trainable));
    }
    return op_batch_norm(c->g, y, name, x, v[0], v[1], v[2], v[3], attr);
}

typedef enum { NORM_NONE, NORM_BATCH, NORM_RUNNING } case_norm;

typedef struct {
    int out, window[2], stride[2], pad[4]; /* pad: top, left, bottom, right; stride 0: 1 */
    int dilation, groups;                  /* 0: 1 */
    bool has_bias, has_residual;
    case_norm norm; /* NORM_BATCH: of the batch in training graphs */
    activation_kind act;
} conv_spec;

static mien_status add_conv2d(case_graph *c, value_id *y, const char *name, value_id x, const conv_spec *s)
{
    const int groups = s->groups ? s->groups : 1;
    const int64_t per_group = shape_at(c, x)->dim[3] / groups, o = s->out, kh = s->window[0], kw = s->window[1];
    conv2d_attr attr = {.pad_begin = {s->pad[0], s->pad[1]}, .pad_end = {s->pad[2], s->pad[3]}, .groups = groups};
    for (int a = 0; a < 2; a++) {
        attr.stride[a] = s->stride[a] ? s->stride[a] : 1;
        attr.dilation[a] = s->dilation ? s->dilation : 1;
    }
    value_id w = NO_VALUE, b = NO_VALUE;
    char full[64];
    snprintf(full, sizeof full, "%s.weight", name);
    TRY(case_param_add(c, &w, full, shape_of(4, o, per_group, kh, kw), FILL_WEIGHT, (double)(per_group * kh * kw),
                       true));
    snprintf(full, sizeof full, "%s.bias", name);
    if (s->has_bias)
        TRY(case_param_add(c, &b, full, shape_of(1, o), FILL_BIAS, 1, true));
    return op_conv2d(c->g, y, name, x, w, b, &attr);
}

/* conv2d [-> batch_norm] [-> add a second convolution] [-> activation] */
static mien_status conv_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    const conv_spec *s = self->spec;
    TRY(add_conv2d(c, y, "conv", x, s));
    const batch_norm_attr attr = {
        .is_batch = s->norm == NORM_BATCH && graph_is_training(c->g), .eps = 1e-3f, .momentum = 0.1f};
    if (s->norm != NORM_NONE)
        TRY(add_batch_norm(c, y, "bn", *y, &attr));
    value_id residual = NO_VALUE;
    if (s->has_residual) {
        TRY(add_conv2d(c, &residual, "residual", x, s));
        TRY(op_add(c->g, y, "add", *y, residual));
    }
    return s->act == ACT_NONE ? MIEN_OK : op_activation(c->g, y, "act", *y, s->act);
}

typedef struct {
    int out;
    bool has_bias, is_f32;
} linear_case_spec;

static mien_status linear_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    const linear_case_spec *s = self->spec;
    return add_linear(c, y, "y", x, s->out, s->has_bias, s->is_f32);
}

typedef struct {
    case_norm norm;
    bool has_residual;
    activation_kind act;
    float lift; /* of the residual; 0: 1 */
} norm_spec;

/* batch_norm [-> add lift sigmoid(x)] [-> activation] */
static mien_status batch_norm_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    const norm_spec *s = self->spec;
    const batch_norm_attr attr = {
        .is_batch = s->norm == NORM_BATCH && graph_is_training(c->g), .eps = 1e-5f, .momentum = 0.1f};
    value_id residual = NO_VALUE;
    if (s->has_residual)
        TRY(op_activation(c->g, &residual, "residual", x, ACT_SIGMOID));
    if (s->lift != 0)
        TRY(op_multiply(c->g, &residual, "lifted", residual, s->lift));
    TRY(add_batch_norm(c, y, "bn", x, &attr));
    if (s->has_residual)
        TRY(op_add(c->g, y, "add", *y, residual));
    return s->act == ACT_NONE ? MIEN_OK : op_activation(c->g, y, "act", *y, s->act);
}

static mien_status activation_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    return op_activation(c->g, y, "y", x, *(const activation_kind *)self->spec);
}

/* Of 4 x, so that ReLU6 has something to clip. */
static mien_status wide_activation_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    value_id wide = NO_VALUE;
    TRY(op_multiply(c->g, &wide, "wide", x, 4));
    return op_activation(c->g, y, "y", wide, *(const activation_kind *)self->spec);
}

/* x + silu(x): two values, and x has two readers */
static mien_status add_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    (void)self;
    value_id b = NO_VALUE;
    TRY(op_activation(c->g, &b, "b", x, ACT_SILU));
    return op_add(c->g, y, "y", x, b);
}

static mien_status add_self_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    (void)self;
    return op_add(c->g, y, "y", x, x);
}

/* silu(x) - x + 0.25: both sides of it depend on x */
static mien_status sub_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    (void)self;
    value_id a = NO_VALUE;
    TRY(op_activation(c->g, &a, "a", x, ACT_SILU));
    return op_sub(c->g, y, "y", a, x, 0.25f);
}

/* x sigmoid(mean x), as squeeze-excite */
static mien_status scale_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    (void)self;
    value_id s = NO_VALUE;
    TRY(op_global_mean(c->g, &s, "mean", x));
    TRY(op_activation(c->g, &s, "s", s, ACT_SIGMOID));
    return op_scale(c->g, y, "y", x, s);
}

/* x, silu(x) and a 1x1 convolution of x to `out` channels, side by side */
static mien_status concat_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    const conv_spec narrow = {.out = *(const int *)self->spec, .window = {1, 1}};
    value_id parts[3] = {x, NO_VALUE, NO_VALUE};
    TRY(op_activation(c->g, &parts[1], "b", x, ACT_SILU));
    TRY(add_conv2d(c, &parts[2], "c", x, &narrow));
    return op_concat(c->g, y, "y", parts, 3);
}

static mien_status pool_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    return op_pool(c->g, y, "y", x, self->spec);
}

static mien_status global_mean_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    (void)self;
    return op_global_mean(c->g, y, "y", x);
}

/* Two of them: their streams differ. */
static mien_status dropout_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    const dropout_attr *s = self->spec;
    TRY(op_dropout(c->g, y, "first", x, s->p, s->is_per_sample));
    return op_dropout(c->g, y, "y", *y, s->p, s->is_per_sample);
}

/* In f32, whatever the activations are. */
static mien_status softmax_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    value_id logits = NO_VALUE;
    TRY(add_linear(c, &logits, "logits", x, self->spec ? *(const int *)self->spec : CLASSES, true, true));
    TRY(op_softmax(c->g, &logits, "softmax", logits));
    return op_cast(c->g, y, "y", logits, graph_activation_type(c->g));
}

/* x times silu(x), and times a parameter */
static mien_status mul_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    (void)self;
    value_id p = NO_VALUE, act = NO_VALUE;
    TRY(case_param_add(c, &p, "factor", *shape_at(c, x), FILL_GAMMA, 1, true));
    TRY(op_cast(c->g, &p, "factor.act", p, graph_activation_type(c->g)));
    TRY(op_activation(c->g, &act, "act", x, ACT_SILU));
    TRY(op_mul(c->g, &act, "square", x, act));
    return op_mul(c->g, y, "y", act, p);
}

/* x [m, r, k] with a parameter to [m, r, 6]; as `self` says which of them is transposed. */
static mien_status matmul_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    const matmul_attr *attr = self->spec;
    const shape s = *shape_at(c, x);
    const int64_t m = s.dim[0], k = s.dim[attr->is_a_transposed ? 1 : 2], o = 6;
    value_id w = NO_VALUE;
    TRY(case_param_add(c, &w, "matrices", attr->is_b_transposed ? shape_of(3, m, o, k) : shape_of(3, m, k, o),
                       FILL_WEIGHT, (double)k, true));
    TRY(op_cast(c->g, &w, "matrices.act", w, graph_activation_type(c->g)));
    return op_matmul(c->g, y, "y", x, w, attr);
}

/* x + numbers, small and of both signs */
static mien_status constant_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    (void)self;
    float numbers[256];
    value_id k = NO_VALUE;
    const int64_t count = shape_count(shape_at(c, x));
    for (int64_t i = 0; i < count && i < 256; i++)
        numbers[i] = 0.125f * (float)(i % 9 - 4);
    TRY(op_constant(c->g, &k, "numbers", graph_activation_type(c->g), *shape_at(c, x), numbers));
    return op_add(c->g, y, "y", x, k);
}

/* x in f32, where it is bf16, and back */
static mien_status cast_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    (void)self;
    const dtype other = graph_activation_type(c->g) == DTYPE_F32 ? DTYPE_BF16 : DTYPE_F32;
    value_id wide = NO_VALUE;
    if (other == DTYPE_BF16) { /* a rounding that finite differences would see: the type it has alone */
        *y = x;
        return MIEN_OK;
    }
    TRY(op_cast(c->g, &wide, "wide", x, DTYPE_F32));
    TRY(op_activation(c->g, &wide, "act", wide, ACT_SILU));
    return op_cast(c->g, y, "y", wide, DTYPE_BF16);
}

/* [n, h, w, c] as [n, h w, c], of an input and of what dies there */
static mien_status reshape_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    (void)self;
    const shape s = *shape_at(c, x);
    TRY(op_reshape(c->g, y, "rows", x, shape_of(2, s.dim[0], s.dim[1] * s.dim[2] * s.dim[3])));
    TRY(op_activation(c->g, y, "act", *y, ACT_SILU));
    return op_reshape(c->g, y, "y", *y, shape_of(3, s.dim[0], s.dim[1] * s.dim[2], s.dim[3]));
}

static mien_status transpose_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    return op_transpose(c->g, y, "y", x, self->spec);
}

static mien_status slice_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    const slice_attr *s = self->spec;
    return op_slice(c->g, y, "y", x, s->axis, s->begin, s->length);
}

/* x [n, t, d] plus a parameter [t, d] for each of n */
static mien_status repeat_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    (void)self;
    const shape s = *shape_at(c, x);
    value_id p = NO_VALUE;
    TRY(case_param_add(c, &p, "position", shape_of(2, s.dim[1], s.dim[2]), FILL_BIAS, 1, true));
    TRY(op_cast(c->g, &p, "position.act", p, graph_activation_type(c->g)));
    TRY(op_repeat(c->g, &p, "repeated", p, s.dim[0]));
    return op_add(c->g, y, "y", x, p);
}

static mien_status token_mean_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    (void)self;
    return op_token_mean(c->g, y, "y", x);
}

/* The loss is added to every case; in those of losses x goes straight into it. */
static mien_status loss_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    (void)c, (void)self;
    *y = x;
    return MIEN_OK;
}

static mien_status layer_norm_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    (void)self;
    const shape *s = shape_at(c, x), row = shape_of(1, s->dim[s->rank - 1]);
    value_id gamma = NO_VALUE, beta = NO_VALUE;
    TRY(case_param_add(c, &gamma, "y.weight", row, FILL_GAMMA, 1, true));
    TRY(case_param_add(c, &beta, "y.bias", row, FILL_BIAS, 1, true));
    return op_layer_norm(c->g, y, "y", x, gamma, beta, 1e-6f);
}

static mien_status attention_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    const attention_attr *s = self->spec;
    return op_attention(c->g, y, "y", x, s->heads, s->is_first_alone);
}

static mien_status tokens_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    (void)self;
    const shape s = *shape_at(c, x);
    const int64_t one = 1, d = s.dim[3];
    value_id first = NO_VALUE, position = NO_VALUE;
    TRY(case_param_add(c, &first, "first", shape_of(3, one, one, d), FILL_BIAS, 1, true));
    TRY(case_param_add(c, &position, "position", shape_of(3, one, 1 + s.dim[1] * s.dim[2], d), FILL_BIAS, 1, true));
    return op_tokens(c->g, y, "y", x, first, position, false);
}

/* Tokens as a sum in f32, to which something of the activation type is added, and which is normalised before and after.
 */
static mien_status stream_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    (void)self;
    const shape s = *shape_at(c, x);
    const int64_t one = 1, d = s.dim[3];
    value_id first = NO_VALUE, position = NO_VALUE, stream = NO_VALUE, branch = NO_VALUE, p[4];
    static const char *const names[4] = {"ln_1.weight", "ln_1.bias", "y.weight", "y.bias"};
    TRY(case_param_add(c, &first, "first", shape_of(3, one, one, d), FILL_BIAS, 1, true));
    TRY(case_param_add(c, &position, "position", shape_of(3, one, 1 + s.dim[1] * s.dim[2], d), FILL_BIAS, 1, true));
    for (int i = 0; i < 4; i++)
        TRY(case_param_add(c, &p[i], names[i], shape_of(1, d), i % 2 ? FILL_BIAS : FILL_GAMMA, 1, true));
    TRY(op_tokens(c->g, &stream, "stream", x, first, position, true));
    TRY(op_layer_norm(c->g, &branch, "ln_1", stream, p[0], p[1], 1e-6f));
    TRY(op_add(c->g, &stream, "add", stream, branch));
    return op_layer_norm(c->g, y, "y", stream, p[2], p[3], 1e-6f);
}

static mien_status first_token_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    (void)self;
    return op_first_token(c->g, y, "y", x);
}

static mien_status multiply_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    return op_multiply(c->g, y, "y", x, *(const float *)self->spec);
}

/* One weight and bias, read by two operators one after the other. */
static mien_status two_readers_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    (void)self;
    const int64_t k = shape_at(c, x)->dim[1];
    value_id w = NO_VALUE, b = NO_VALUE;
    TRY(case_param_add(c, &w, "shared.weight", shape_of(2, k, k), FILL_WEIGHT, (double)k, true));
    TRY(case_param_add(c, &b, "shared.bias", shape_of(1, k), FILL_BIAS, 1, true));
    TRY(op_linear(c->g, y, "first", x, w, b, false));
    TRY(op_activation(c->g, y, "act", *y, ACT_SILU));
    return op_linear(c->g, y, "y", *y, w, b, false);
}

/* A parameter as an operand of two additions, in f32, and of a normalisation. */
static mien_status operand_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    (void)self;
    const shape s = *shape_at(c, x);
    value_id p = NO_VALUE, gamma = NO_VALUE, beta = NO_VALUE;
    TRY(case_param_add(c, &p, "operand", s, FILL_BIAS, 1, true));
    TRY(case_param_add(c, &gamma, "y.weight", shape_of(1, s.dim[1]), FILL_GAMMA, 1, true));
    TRY(case_param_add(c, &beta, "y.bias", shape_of(1, s.dim[1]), FILL_BIAS, 1, true));
    TRY(op_add(c->g, y, "sum", p, x));
    TRY(op_activation(c->g, y, "act", *y, ACT_SILU));
    TRY(op_add(c->g, y, "again", *y, p));
    TRY(op_layer_norm(c->g, y, "norm", *y, gamma, beta, 1e-6f));
    return op_layer_norm(c->g, y, "y", *y, gamma, beta, 1e-6f);
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

// clang-format off
#define ROW(OP, NAME, DESCRIBE, SHAPE, ...) {.op = OP, .name = OP "/" NAME, .describe = DESCRIBE, .x = SHAPE, __VA_ARGS__}
#define SHAPE2(n, k) {2, {n, k}}
#define SHAPE3(n, t, k) {3, {n, t, k}}
#define SHAPE4(n, h, w, c) {4, {n, h, w, c}}
#define SPEC(TYPE, ...) .spec = &(const TYPE){__VA_ARGS__}
#define CONV(...) SPEC(conv_spec, __VA_ARGS__)
#define LINEAR(...) SPEC(linear_case_spec, __VA_ARGS__)
#define NORM(KIND, ...) SPEC(norm_spec, .norm = KIND, __VA_ARGS__)
#define ACT(KIND) SPEC(activation_kind, KIND)
#define POOL(...) SPEC(pool_attr, __VA_ARGS__)
#define DROPOUT(...) SPEC(dropout_attr, __VA_ARGS__)
#define LOSS(...) SPEC(loss_spec, __VA_ARGS__), .is_loss = true
#define MATMUL(...) SPEC(matmul_attr, __VA_ARGS__)
#define SLICE(...) SPEC(slice_attr, __VA_ARGS__)
#define ORDER(...) .spec = (const int[SHAPE_MAX_RANK]){__VA_ARGS__}
#define ATTENTION(...) SPEC(attention_attr, __VA_ARGS__)
// clang-format on

static const op_case cases[] = {
    ROW("normalise", "images", normalise_case, SHAPE4(2, 5, 7, 3), .x_type = DTYPE_U8, .is_forward_only = true),

    ROW("conv2d", "1x1", conv_case, SHAPE4(2, 5, 6, 7), CONV(.out = 9, .window = {1, 1})),
    ROW("conv2d", "1x1_one_pixel", conv_case, SHAPE4(1, 1, 1, 1), CONV(.out = 1, .window = {1, 1})),
    ROW("conv2d", "1x1_stride2", conv_case, SHAPE4(2, 7, 8, 16), CONV(.out = 8, .window = {1, 1}, .stride = {2, 2})),
    ROW("conv2d", "3x3_bias", conv_case, SHAPE4(2, 6, 5, 4),
        CONV(.out = 8, .window = {3, 3}, .pad = {1, 1, 1, 1}, .has_bias = true)),
    ROW("conv2d", "3x3_no_padding", conv_case, SHAPE4(1, 5, 9, 3), CONV(.out = 5, .window = {3, 3})),
    ROW("conv2d", "3x3_stride2_odd", conv_case, SHAPE4(2, 9, 7, 6),
        CONV(.out = 7, .window = {3, 3}, .stride = {2, 2}, .pad = {1, 1, 1, 1})),
    ROW("conv2d", "3x3_stride2x1", conv_case, SHAPE4(1, 8, 6, 4),
        CONV(.out = 4, .window = {3, 3}, .stride = {2, 1}, .pad = {1, 1, 1, 1})),
    ROW("conv2d", "3x3_asymmetric_padding", conv_case, SHAPE4(2, 6, 6, 5),
        CONV(.out = 6, .window = {3, 3}, .stride = {2, 2}, .pad = {0, 0, 1, 1})),
    ROW("conv2d", "3x3_dilation2", conv_case, SHAPE4(1, 8, 9, 4),
        CONV(.out = 4, .window = {3, 3}, .pad = {2, 2, 2, 2}, .dilation = 2)),
    ROW("conv2d", "3x3_wider_than_image", conv_case, SHAPE4(2, 1, 2, 8),
        CONV(.out = 8, .window = {3, 3}, .pad = {1, 1, 1, 1})),
    ROW("conv2d", "1x7", conv_case, SHAPE4(1, 4, 9, 8), CONV(.out = 8, .window = {1, 7}, .pad = {0, 3, 0, 3})),
    ROW("conv2d", "7x1", conv_case, SHAPE4(1, 9, 4, 8), CONV(.out = 8, .window = {7, 1}, .pad = {3, 0, 3, 0})),
    /* channels in the tiles of the kernel for bf16 gradients: whole, in part, of one vector, of pictures that pair or
     * do not, one packed row by row */
    ROW("conv2d", "1x1_tiles", conv_case, SHAPE4(4, 6, 5, 64), CONV(.out = 24, .window = {1, 1})),
    ROW("conv2d", "1x1_stride2_tiles", conv_case, SHAPE4(2, 7, 9, 48),
        CONV(.out = 16, .window = {1, 1}, .stride = {2, 2})),
    ROW("conv2d", "3x3_odd_pictures", conv_case, SHAPE4(5, 5, 6, 32),
        CONV(.out = 8, .window = {3, 3}, .pad = {1, 1, 1, 1})),
    ROW("conv2d", "3x3_stride2_part_tiles", conv_case, SHAPE4(2, 9, 8, 44),
        CONV(.out = 15, .window = {3, 3}, .stride = {2, 2}, .pad = {1, 1, 1, 1})),
    ROW("conv2d", "3x3_dilation2_tiles", conv_case, SHAPE4(2, 7, 8, 16),
        CONV(.out = 8, .window = {3, 3}, .pad = {2, 2, 2, 2}, .dilation = 2)),
    ROW("conv2d", "7x1_tiles", conv_case, SHAPE4(2, 9, 4, 16), CONV(.out = 16, .window = {7, 1}, .pad = {3, 0, 3, 0})),
    ROW("conv2d", "3x3_rows", conv_case, SHAPE4(2, 53, 52, 16), CONV(.out = 8, .window = {3, 3}, .pad = {1, 1, 1, 1}),
        .is_medium = true),
    ROW("conv2d", "7x7_stem", conv_case, SHAPE4(1, 16, 16, 3),
        CONV(.out = 16, .window = {7, 7}, .stride = {2, 2}, .pad = {3, 3, 3, 3})),
    ROW("conv2d", "groups2", conv_case, SHAPE4(2, 5, 5, 8),
        CONV(.out = 6, .window = {3, 3}, .pad = {1, 1, 1, 1}, .groups = 2, .has_bias = true)),
    ROW("conv2d", "depthwise_3x3", conv_case, SHAPE4(2, 6, 7, 16),
        CONV(.out = 16, .window = {3, 3}, .pad = {1, 1, 1, 1}, .groups = 16)),
    ROW("conv2d", "depthwise_5x5_stride2", conv_case, SHAPE4(2, 9, 8, 24),
        CONV(.out = 24, .window = {5, 5}, .stride = {2, 2}, .pad = {2, 2, 2, 2}, .groups = 24)),
    ROW("conv2d", "depthwise_odd_channels", conv_case, SHAPE4(1, 5, 4, 11),
        CONV(.out = 11, .window = {3, 3}, .pad = {1, 1, 1, 1}, .groups = 11, .has_bias = true)),
    ROW("conv2d", "batch_norm", conv_case, SHAPE4(3, 4, 5, 6),
        CONV(.out = 8, .window = {3, 3}, .pad = {1, 1, 1, 1}, .norm = NORM_BATCH)),
    ROW("conv2d", "bias_batch_norm_relu", conv_case, SHAPE4(2, 5, 4, 8),
        CONV(.out = 16, .window = {1, 1}, .has_bias = true, .norm = NORM_RUNNING, .act = ACT_RELU)),
    ROW("conv2d", "bias_batch_norm_relu6", conv_case, SHAPE4(2, 5, 4, 8),
        CONV(.out = 16, .window = {1, 1}, .has_bias = true, .norm = NORM_RUNNING, .act = ACT_RELU6)),
    ROW("conv2d", "batch_norm_silu", conv_case, SHAPE4(2, 5, 4, 8),
        CONV(.out = 16, .window = {1, 1}, .norm = NORM_BATCH, .act = ACT_SILU)),
    ROW("conv2d", "batch_norm_sigmoid", conv_case, SHAPE4(2, 3, 4, 8),
        CONV(.out = 8, .window = {1, 1}, .norm = NORM_BATCH, .act = ACT_SIGMOID)),
    ROW("conv2d", "batch_norm_add", conv_case, SHAPE4(2, 4, 4, 8),
        CONV(.out = 8, .window = {1, 1}, .norm = NORM_BATCH, .has_residual = true)),
    ROW("conv2d", "batch_norm_add_relu", conv_case, SHAPE4(2, 6, 5, 8),
        CONV(.out = 16, .window = {3, 3}, .stride = {2, 2}, .pad = {1, 1, 1, 1}, .norm = NORM_BATCH,
             .has_residual = true, .act = ACT_RELU)),
    ROW("conv2d", "depthwise_batch_norm_relu6", conv_case, SHAPE4(2, 6, 5, 16),
        CONV(.out = 16, .window = {3, 3}, .pad = {1, 1, 1, 1}, .groups = 16, .norm = NORM_RUNNING, .act = ACT_RELU6)),
    ROW("conv2d", "depthwise_batch_norm_silu", conv_case, SHAPE4(2, 6, 5, 16),
        CONV(.out = 16, .window = {3, 3}, .pad = {1, 1, 1, 1}, .groups = 16, .norm = NORM_BATCH, .act = ACT_SILU)),
    ROW("conv2d", "3x3_medium", conv_case, SHAPE4(2, 17, 15, 40),
        CONV(.out = 56, .window = {3, 3}, .pad = {1, 1, 1, 1}), .is_medium = true),
    ROW("conv2d", "1x1_medium", conv_case, SHAPE4(3, 17, 19, 72), CONV(.out = 24, .window = {1, 1}), .is_medium = true),
    ROW("conv2d", "1x1_stride2_few_channels", conv_case, SHAPE4(2, 15, 14, 5),
        CONV(.out = 33, .window = {1, 1}, .stride = {2, 2}), .is_medium = true),
    ROW("conv2d", "depthwise_3x3_medium", conv_case, SHAPE4(2, 23, 30, 40),
        CONV(.out = 40, .window = {3, 3}, .pad = {1, 1, 1, 1}, .groups = 40), .is_medium = true),
    ROW("conv2d", "depthwise_3x3_stride2_medium", conv_case, SHAPE4(3, 24, 29, 24),
        CONV(.out = 24, .window = {3, 3}, .stride = {2, 2}, .pad = {1, 1, 1, 1}, .groups = 24), .is_medium = true),
    ROW("conv2d", "depthwise_5x5_medium", conv_case, SHAPE4(2, 17, 16, 48),
        CONV(.out = 48, .window = {5, 5}, .pad = {2, 2, 2, 2}, .groups = 48), .is_medium = true),
    ROW("conv2d", "depthwise_5x5_stride2_medium", conv_case, SHAPE4(2, 31, 24, 32),
        CONV(.out = 32, .window = {5, 5}, .stride = {2, 2}, .pad = {2, 2, 2, 2}, .groups = 32), .is_medium = true),
    ROW("conv2d", "depthwise_7x7_medium", conv_case, SHAPE4(2, 16, 15, 40),
        CONV(.out = 40, .window = {7, 7}, .pad = {3, 3, 3, 3}, .groups = 40), .is_medium = true),
    ROW("conv2d", "depthwise_wide_medium", conv_case, SHAPE4(2, 5, 6, 136),
        CONV(.out = 136, .window = {5, 5}, .pad = {2, 2, 2, 2}, .groups = 136), .is_medium = true),
    ROW("conv2d", "depthwise_batch_norm_silu_medium", conv_case, SHAPE4(2, 19, 18, 48),
        CONV(.out = 48, .window = {3, 3}, .pad = {1, 1, 1, 1}, .groups = 48, .norm = NORM_BATCH, .act = ACT_SILU),
        .is_medium = true),
    ROW("conv2d", "patches_medium", conv_case, SHAPE4(2, 32, 48, 3),
        CONV(.out = 40, .window = {16, 16}, .stride = {16, 16}, .has_bias = true), .is_medium = true),
    ROW("conv2d", "vit_patches_224", conv_case, SHAPE4(16, 224, 224, 3),
        CONV(.out = 768, .window = {16, 16}, .stride = {16, 16}, .has_bias = true), .is_large = true),
    ROW("conv2d", "resnet_stem_224", conv_case, SHAPE4(16, 224, 224, 3),
        CONV(.out = 64, .window = {7, 7}, .stride = {2, 2}, .pad = {3, 3, 3, 3}), .is_large = true),
    ROW("conv2d", "resnet_1x1_56", conv_case, SHAPE4(16, 56, 56, 64), CONV(.out = 256, .window = {1, 1}),
        .is_large = true),
    ROW("conv2d", "resnet_3x3_28", conv_case, SHAPE4(16, 28, 28, 128),
        CONV(.out = 128, .window = {3, 3}, .pad = {1, 1, 1, 1}), .is_large = true),
    ROW("conv2d", "resnet_3x3_7", conv_case, SHAPE4(16, 7, 7, 512),
        CONV(.out = 512, .window = {3, 3}, .pad = {1, 1, 1, 1}), .is_large = true),
    ROW("conv2d", "efficientnet_depthwise_112", conv_case, SHAPE4(16, 112, 112, 32),
        CONV(.out = 32, .window = {3, 3}, .pad = {1, 1, 1, 1}, .groups = 32), .is_large = true),
    ROW("conv2d", "efficientnet_depthwise_14", conv_case, SHAPE4(16, 14, 14, 672),
        CONV(.out = 672, .window = {5, 5}, .pad = {2, 2, 2, 2}, .groups = 672), .is_large = true),

    ROW("linear", "bias", linear_case, SHAPE2(3, 7), LINEAR(.out = 5, .has_bias = true)),
    ROW("linear", "no_bias", linear_case, SHAPE2(4, 16), LINEAR(.out = 3)),
    ROW("linear", "one", linear_case, SHAPE2(1, 1), LINEAR(.out = 1, .has_bias = true)),
    ROW("linear", "f32", linear_case, SHAPE2(5, 33), LINEAR(.out = 6, .has_bias = true, .is_f32 = true)),
    ROW("linear", "tokens", linear_case, SHAPE3(2, 5, 8), LINEAR(.out = 12, .has_bias = true)),
    ROW("linear", "squeeze", linear_case, SHAPE2(21, 200), LINEAR(.out = 13, .has_bias = true), .is_medium = true),
    ROW("linear", "excite", linear_case, SHAPE2(21, 13), LINEAR(.out = 200, .has_bias = true), .is_medium = true),
    ROW("linear", "many_rows", linear_case, SHAPE2(150, 72), LINEAR(.out = 40, .has_bias = true), .is_medium = true),
    ROW("linear", "many_tokens", linear_case, SHAPE3(3, 50, 40), LINEAR(.out = 72, .has_bias = true),
        .is_medium = true),
    ROW("linear", "resnet_head", linear_case, SHAPE2(16, 2048), LINEAR(.out = 1000, .has_bias = true, .is_f32 = true),
        .is_large = true),
    ROW("linear", "vit_mlp", linear_case, SHAPE3(16, 197, 768), LINEAR(.out = 3072, .has_bias = true),
        .is_large = true),

    ROW("batch_norm", "batch", batch_norm_case, SHAPE4(2, 3, 5, 7), NORM(NORM_BATCH)),
    ROW("batch_norm", "running", batch_norm_case, SHAPE4(2, 4, 3, 8), NORM(NORM_RUNNING)),
    ROW("batch_norm", "one_channel", batch_norm_case, SHAPE4(1, 2, 3, 1), NORM(NORM_BATCH)),
    ROW("batch_norm", "one_pixel", batch_norm_case, SHAPE4(5, 1, 1, 17), NORM(NORM_BATCH)),
    ROW("batch_norm", "relu", batch_norm_case, SHAPE4(2, 3, 3, 5), NORM(NORM_BATCH, .act = ACT_RELU)),
    ROW("batch_norm", "silu", batch_norm_case, SHAPE4(2, 3, 4, 16), NORM(NORM_BATCH, .act = ACT_SILU)),
    ROW("batch_norm", "running_relu", batch_norm_case, SHAPE4(2, 3, 3, 9), NORM(NORM_RUNNING, .act = ACT_RELU)),
    ROW("batch_norm", "running_silu", batch_norm_case, SHAPE4(1, 4, 3, 8), NORM(NORM_RUNNING, .act = ACT_SILU)),
    ROW("batch_norm", "add", batch_norm_case, SHAPE4(2, 3, 2, 6), NORM(NORM_BATCH, .has_residual = true)),
    ROW("batch_norm", "add_relu", batch_norm_case, SHAPE4(2, 3, 4, 11), NORM(NORM_BATCH, true, ACT_RELU)),
    ROW("batch_norm", "add_silu", batch_norm_case, SHAPE4(2, 4, 3, 8), NORM(NORM_BATCH, true, ACT_SILU)),
    ROW("batch_norm", "running_add_relu", batch_norm_case, SHAPE4(2, 2, 3, 7), NORM(NORM_RUNNING, true, ACT_RELU)),
    ROW("batch_norm", "running_add_silu", batch_norm_case, SHAPE4(2, 2, 3, 16), NORM(NORM_RUNNING, true, ACT_SILU)),
    ROW("batch_norm", "relu6", batch_norm_case, SHAPE4(2, 3, 3, 5), NORM(NORM_BATCH, .act = ACT_RELU6)),
    ROW("batch_norm", "add_relu6", batch_norm_case, SHAPE4(2, 3, 4, 11), NORM(NORM_BATCH, true, ACT_RELU6, 8)),
    ROW("batch_norm", "running_add_relu6", batch_norm_case, SHAPE4(2, 2, 3, 7), NORM(NORM_RUNNING, true, ACT_RELU6, 8)),
    ROW("batch_norm", "add_relu6_medium", batch_norm_case, SHAPE4(3, 23, 17, 24), NORM(NORM_BATCH, true, ACT_RELU6, 8),
        .is_medium = true),
    ROW("batch_norm", "sigmoid_stays", batch_norm_case, SHAPE4(2, 3, 2, 4), NORM(NORM_BATCH, .act = ACT_SIGMOID)),
    ROW("batch_norm", "medium", batch_norm_case, SHAPE4(5, 29, 31, 5), NORM(NORM_BATCH), .is_medium = true),
    ROW("batch_norm", "relu_medium", batch_norm_case, SHAPE4(3, 31, 29, 9), NORM(NORM_BATCH, .act = ACT_RELU),
        .is_medium = true),
    ROW("batch_norm", "silu_medium", batch_norm_case, SHAPE4(3, 23, 17, 40), NORM(NORM_BATCH, .act = ACT_SILU),
        .is_medium = true),
    ROW("batch_norm", "add_relu_medium", batch_norm_case, SHAPE4(4, 19, 21, 24), NORM(NORM_BATCH, true, ACT_RELU),
        .is_medium = true),
    ROW("batch_norm", "running_add_silu_medium", batch_norm_case, SHAPE4(2, 21, 23, 20),
        NORM(NORM_RUNNING, true, ACT_SILU), .is_medium = true),
    ROW("batch_norm", "wide_medium", batch_norm_case, SHAPE4(2, 3, 5, 520), NORM(NORM_BATCH, true, ACT_RELU),
        .is_medium = true),
    ROW("batch_norm", "resnet_relu_56", batch_norm_case, SHAPE4(16, 56, 56, 256), NORM(NORM_BATCH, true, ACT_RELU),
        .is_large = true),
    ROW("batch_norm", "efficientnet_silu_112", batch_norm_case, SHAPE4(16, 112, 112, 96),
        NORM(NORM_BATCH, .act = ACT_SILU), .is_large = true),

    ROW("normalise", "eights", normalise_case, SHAPE4(2, 4, 7, 3), .x_type = DTYPE_U8, .is_forward_only = true),

    ROW("activation", "relu", activation_case, SHAPE4(2, 3, 5, 3), ACT(ACT_RELU)),
    ROW("activation", "silu", activation_case, SHAPE4(1, 5, 3, 9), ACT(ACT_SILU)),
    ROW("activation", "sigmoid", activation_case, SHAPE2(3, 17), ACT(ACT_SIGMOID)),
    ROW("activation", "relu6", wide_activation_case, SHAPE4(2, 3, 5, 9), ACT(ACT_RELU6)),
    ROW("activation", "relu6_medium", wide_activation_case, SHAPE4(3, 37, 29, 7), ACT(ACT_RELU6), .is_medium = true),
    ROW("activation", "gelu", activation_case, SHAPE2(5, 7), ACT(ACT_GELU)),
    ROW("activation", "clip", activation_case, SHAPE2(6, 9), ACT(ACT_CLIP)),
    ROW("activation", "relu_eights", activation_case, SHAPE2(5, 8), ACT(ACT_RELU)),
    ROW("activation", "sigmoid_eights", activation_case, SHAPE2(5, 16), ACT(ACT_SIGMOID)),
    ROW("activation", "gelu_eights", activation_case, SHAPE2(6, 24), ACT(ACT_GELU)),
    ROW("activation", "clip_medium", activation_case, SHAPE4(3, 37, 29, 7), ACT(ACT_CLIP), .is_medium = true),
    ROW("activation", "silu_medium", activation_case, SHAPE4(3, 37, 29, 7), ACT(ACT_SILU), .is_medium = true),
    ROW("activation", "relu_medium", activation_case, SHAPE4(3, 37, 29, 7), ACT(ACT_RELU), .is_medium = true),
    ROW("activation", "gelu_medium", activation_case, SHAPE3(3, 37, 201), ACT(ACT_GELU), .is_medium = true),
    ROW("activation", "gelu_vit", activation_case, SHAPE3(16, 197, 3072), ACT(ACT_GELU), .is_large = true),
    ROW("activation", "silu_112", activation_case, SHAPE4(16, 112, 112, 32), ACT(ACT_SILU), .is_large = true),

    ROW("add", "two", add_case, SHAPE4(2, 3, 5, 7), .spec = NULL),
    ROW("add", "itself", add_self_case, SHAPE4(1, 2, 2, 3), .spec = NULL),
    ROW("add", "eights", add_case, SHAPE4(2, 3, 4, 8), .spec = NULL),
    ROW("add", "medium", add_case, SHAPE4(3, 31, 29, 7), .is_medium = true),
    ROW("add", "resnet_56", add_case, SHAPE4(16, 56, 56, 256), .is_large = true),

    ROW("sub", "two", sub_case, SHAPE4(2, 3, 5, 7), .spec = NULL),
    ROW("sub", "features", sub_case, SHAPE2(3, 33), .spec = NULL),
    ROW("sub", "medium", sub_case, SHAPE4(3, 31, 29, 7), .is_medium = true),
    ROW("sub", "resnet_features", sub_case, SHAPE2(64, 2048), .is_large = true),

    ROW("multiply", "negative", multiply_case, SHAPE4(2, 3, 5, 7), .spec = &(const float){-1.5f}),
    ROW("multiply", "eights", multiply_case, SHAPE4(2, 3, 5, 8), .spec = &(const float){0.5f}),
    ROW("multiply", "medium", multiply_case, SHAPE4(3, 31, 29, 7), .spec = &(const float){0.3f}, .is_medium = true),

    ROW("mul", "operands", mul_case, SHAPE2(5, 9), .spec = NULL),
    ROW("mul", "eights", mul_case, SHAPE2(5, 8), .spec = NULL),
    ROW("mul", "medium", mul_case, SHAPE4(3, 31, 29, 7), .is_medium = true),
    ROW("matmul", "plain", matmul_case, SHAPE3(3, 4, 5), MATMUL(0)),
    ROW("matmul", "a_transposed", matmul_case, SHAPE3(3, 4, 5), MATMUL(.is_a_transposed = true)),
    ROW("matmul", "b_transposed", matmul_case, SHAPE3(1, 4, 5), MATMUL(.is_b_transposed = true)),
    ROW("matmul", "both_transposed", matmul_case, SHAPE3(2, 7, 3),
        MATMUL(.is_a_transposed = true, .is_b_transposed = true)),
    ROW("matmul", "medium", matmul_case, SHAPE3(17, 48, 16), MATMUL(.is_b_transposed = true), .is_medium = true),
    ROW("constant", "numbers", constant_case, SHAPE3(2, 5, 8), .spec = NULL),
    ROW("cast", "there_and_back", cast_case, SHAPE3(2, 5, 8), .spec = NULL),
    ROW("cast", "medium", cast_case, SHAPE3(3, 50, 200), .is_medium = true),
    ROW("reshape", "twice", reshape_case, SHAPE4(2, 3, 2, 5), .spec = NULL),
    ROW("reshape", "medium", reshape_case, SHAPE4(3, 17, 17, 24), .is_medium = true),
    ROW("transpose", "tokens", transpose_case, SHAPE3(2, 3, 5), ORDER(1, 0, 2)),
    ROW("transpose", "last", transpose_case, SHAPE3(2, 3, 5), ORDER(2, 0, 1)),
    ROW("transpose", "four", transpose_case, SHAPE4(2, 3, 4, 5), ORDER(0, 3, 1, 2)),
    ROW("transpose", "medium", transpose_case, SHAPE4(3, 17, 19, 24), ORDER(0, 2, 3, 1), .is_medium = true),
    ROW("slice", "tokens", slice_case, SHAPE3(2, 5, 6), SLICE(.axis = 1, .begin = 1, .length = 3)),
    ROW("slice", "last", slice_case, SHAPE3(2, 5, 6), SLICE(.axis = 2, .begin = 4, .length = 2)),
    ROW("slice", "first", slice_case, SHAPE2(5, 6), SLICE(.axis = 0, .begin = 0, .length = 4)),
    ROW("slice", "medium", slice_case, SHAPE3(7, 50, 72), SLICE(.axis = 1, .begin = 3, .length = 41),
        .is_medium = true),
    ROW("repeat", "position", repeat_case, SHAPE3(3, 4, 5), .spec = NULL),
    ROW("repeat", "medium", repeat_case, SHAPE3(21, 17, 72), .is_medium = true),
    ROW("global_mean", "tokens", token_mean_case, SHAPE3(3, 5, 7), .spec = NULL),
    ROW("global_mean", "tokens_medium", token_mean_case, SHAPE3(5, 41, 72), .is_medium = true),

    ROW("contribute", "two_readers", two_readers_case, SHAPE2(3, 7), .spec = NULL),
    ROW("contribute", "two_readers_medium", two_readers_case, SHAPE2(21, 200), .is_medium = true),
    ROW("contribute", "operand", operand_case, SHAPE2(3, 9), .spec = NULL),
    ROW("contribute", "operand_medium", operand_case, SHAPE2(70, 257), .is_medium = true),

    ROW("scale", "excite", scale_case, SHAPE4(2, 3, 4, 5), .spec = NULL),
    ROW("scale", "one_pixel", scale_case, SHAPE4(3, 1, 1, 16), .spec = NULL),
    ROW("scale", "medium", scale_case, SHAPE4(3, 31, 29, 24), .is_medium = true),
    ROW("scale", "wide", scale_case, SHAPE4(5, 7, 7, 144), .is_medium = true),
    ROW("scale", "efficientnet_56", scale_case, SHAPE4(16, 56, 56, 144), .is_large = true),

    ROW("concat", "uneven", concat_case, SHAPE4(2, 3, 2, 5), .spec = &(const int){3}),
    ROW("concat", "even", concat_case, SHAPE4(1, 4, 4, 16), .spec = &(const int){32}),
    ROW("concat", "medium", concat_case, SHAPE4(2, 23, 25, 24), .spec = &(const int){17}, .is_medium = true),
    ROW("concat", "googlenet_28", concat_case, SHAPE4(16, 28, 28, 64), .spec = &(const int){128}, .is_large = true),

    ROW("pool", "max_3x3_stride2", pool_case, SHAPE4(2, 8, 8, 5),
        POOL(.window = {3, 3}, .stride = {2, 2}, .pad = {1, 1}, .is_max = true)),
    ROW("pool", "max_odd", pool_case, SHAPE4(1, 7, 5, 16),
        POOL(.window = {3, 3}, .stride = {2, 2}, .pad = {1, 1}, .is_max = true)),
    ROW("pool", "max_ceil", pool_case, SHAPE4(2, 6, 7, 3),
        POOL(.window = {3, 3}, .stride = {2, 2}, .is_ceil = true, .is_max = true)),
    ROW("pool", "max_ceil_padding", pool_case, SHAPE4(1, 5, 4, 8),
        POOL(.window = {2, 2}, .stride = {2, 2}, .pad = {1, 1}, .is_ceil = true, .is_max = true)),
    ROW("pool", "max_stride1", pool_case, SHAPE4(1, 4, 5, 8),
        POOL(.window = {3, 3}, .stride = {1, 1}, .pad = {1, 1}, .is_max = true)),
    ROW("pool", "mean_2x2", pool_case, SHAPE4(2, 4, 6, 7), POOL(.window = {2, 2}, .stride = {2, 2})),
    ROW("pool", "mean_3x3_count_padding", pool_case, SHAPE4(1, 5, 5, 8),
        POOL(.window = {3, 3}, .stride = {1, 1}, .pad = {1, 1}, .count_pad = true)),
    ROW("pool", "mean_3x3_inside", pool_case, SHAPE4(1, 5, 4, 6),
        POOL(.window = {3, 3}, .stride = {2, 2}, .pad = {1, 1})),
    ROW("pool", "mean_ceil_count_padding", pool_case, SHAPE4(1, 6, 5, 4),
        POOL(.window = {3, 2}, .stride = {2, 3}, .pad = {1, 0}, .is_ceil = true, .count_pad = true)),
    ROW("pool", "max_hanging_over", pool_case, SHAPE4(2, 2, 5, 4),
        POOL(.window = {3, 3}, .stride = {2, 2}, .is_ceil = true, .is_max = true)),
    ROW("pool", "mean_eights", pool_case, SHAPE4(2, 5, 4, 16), POOL(.window = {3, 3}, .stride = {2, 2}, .pad = {1, 1})),
    ROW("pool", "max_stride1_ceil", pool_case, SHAPE4(2, 4, 3, 19),
        POOL(.window = {3, 3}, .stride = {1, 1}, .pad = {1, 1}, .is_ceil = true, .is_max = true)),
    ROW("pool", "max_medium", pool_case, SHAPE4(2, 33, 35, 24),
        POOL(.window = {3, 3}, .stride = {2, 2}, .pad = {1, 1}, .is_max = true), .is_medium = true),
    ROW("pool", "mean_medium", pool_case, SHAPE4(2, 33, 35, 20),
        POOL(.window = {3, 3}, .stride = {1, 1}, .pad = {1, 1}), .is_medium = true),
    ROW("pool", "max_stride3_skips", pool_case, SHAPE4(2, 7, 8, 18),
        POOL(.window = {2, 2}, .stride = {3, 3}, .is_max = true)),
    ROW("pool", "mean_stride3_skips", pool_case, SHAPE4(2, 8, 7, 18), POOL(.window = {2, 2}, .stride = {3, 3})),
    ROW("pool", "max_4x5", pool_case, SHAPE4(1, 9, 8, 16),
        POOL(.window = {4, 5}, .stride = {1, 1}, .pad = {1, 2}, .is_max = true)),
    ROW("pool", "max_stride1_medium", pool_case, SHAPE4(3, 19, 17, 72),
        POOL(.window = {3, 3}, .stride = {1, 1}, .pad = {1, 1}, .is_ceil = true, .is_max = true), .is_medium = true),
    ROW("pool", "mean_counted_medium", pool_case, SHAPE4(3, 18, 21, 52),
        POOL(.window = {3, 3}, .stride = {1, 1}, .pad = {1, 1}, .count_pad = true), .is_medium = true),
    ROW("pool", "max_resnet_112", pool_case, SHAPE4(16, 112, 112, 64),
        POOL(.window = {3, 3}, .stride = {2, 2}, .pad = {1, 1}, .is_max = true), .is_large = true),
    ROW("pool", "max_googlenet_28", pool_case, SHAPE4(16, 28, 28, 256),
        POOL(.window = {3, 3}, .stride = {1, 1}, .pad = {1, 1}, .is_ceil = true, .is_max = true), .is_large = true),
    ROW("pool", "mean_inception_35", pool_case, SHAPE4(16, 35, 35, 288),
        POOL(.window = {3, 3}, .stride = {1, 1}, .pad = {1, 1}, .count_pad = true), .is_large = true),

    ROW("global_mean", "odd", global_mean_case, SHAPE4(3, 5, 3, 7), .spec = NULL),
    ROW("global_mean", "one_pixel", global_mean_case, SHAPE4(2, 1, 1, 4), .spec = NULL),
    ROW("global_mean", "medium", global_mean_case, SHAPE4(5, 31, 29, 20), .is_medium = true),
    ROW("global_mean", "resnet_7", global_mean_case, SHAPE4(16, 7, 7, 2048), .is_large = true),

    ROW("dropout", "elements", dropout_case, SHAPE2(3, 23), DROPOUT(.p = 0.4f)),
    ROW("dropout", "image", dropout_case, SHAPE4(2, 3, 3, 5), DROPOUT(.p = 0.2f)),
    ROW("dropout", "medium", dropout_case, SHAPE2(50, 403), DROPOUT(.p = 0.4f), .is_medium = true),
    ROW("dropout", "per_sample_medium", dropout_case, SHAPE4(9, 17, 19, 11), DROPOUT(.p = 0.3f, .is_per_sample = true),
        .is_medium = true),
    ROW("dropout", "per_sample", dropout_case, SHAPE4(9, 2, 2, 3), DROPOUT(.p = 0.3f, .is_per_sample = true)),

    ROW("softmax", "rows", softmax_case, SHAPE2(4, 9), .spec = NULL),
    ROW("softmax", "tokens", softmax_case, SHAPE3(2, 3, 9), .spec = NULL),
    ROW("softmax", "many", softmax_case, SHAPE2(3, 9), .spec = &(const int){71}),
    ROW("softmax", "many_medium", softmax_case, SHAPE2(37, 9), .spec = &(const int){1003}, .is_medium = true),

    ROW("layer_norm", "rows", layer_norm_case, SHAPE2(3, 17), .spec = NULL),
    ROW("layer_norm", "tokens", layer_norm_case, SHAPE3(2, 5, 16), .spec = NULL),
    ROW("layer_norm", "pixels", layer_norm_case, SHAPE4(2, 3, 2, 5), .spec = NULL),
    ROW("layer_norm", "medium", layer_norm_case, SHAPE3(3, 50, 201), .is_medium = true),
    ROW("layer_norm", "wide_medium", layer_norm_case, SHAPE3(3, 7, 520), .is_medium = true),
    ROW("layer_norm", "vit", layer_norm_case, SHAPE3(16, 197, 768), .is_large = true),

    ROW("attention", "two_heads", attention_case, SHAPE3(2, 5, 24), ATTENTION(.heads = 2)),
    ROW("attention", "odd", attention_case, SHAPE3(1, 7, 9), ATTENTION(.heads = 1)),
    ROW("attention", "one_token", attention_case, SHAPE3(2, 1, 12), ATTENTION(.heads = 2)),
    ROW("attention", "first_alone", attention_case, SHAPE3(2, 6, 24), ATTENTION(.heads = 2, .is_first_alone = true)),
    ROW("attention", "wide_head", attention_case, SHAPE3(3, 17, 384), ATTENTION(.heads = 2)),
    ROW("attention", "wide_head_first_alone", attention_case, SHAPE3(3, 17, 192),
        ATTENTION(.heads = 1, .is_first_alone = true)),
    ROW("attention", "medium", attention_case, SHAPE3(2, 53, 120), ATTENTION(.heads = 2), .is_medium = true),
    ROW("attention", "blocks_medium", attention_case, SHAPE3(1, 101, 192), ATTENTION(.heads = 1), .is_medium = true),
    ROW("attention", "first_alone_medium", attention_case, SHAPE3(3, 50, 90),
        ATTENTION(.heads = 2, .is_first_alone = true), .is_medium = true),
    ROW("attention", "vit", attention_case, SHAPE3(16, 197, 2304), ATTENTION(.heads = 12), .is_large = true),

    ROW("tokens", "map", tokens_case, SHAPE4(2, 2, 3, 5), .spec = NULL),
    ROW("tokens", "one_pixel", tokens_case, SHAPE4(3, 1, 1, 16), .spec = NULL),
    ROW("tokens", "medium", tokens_case, SHAPE4(3, 7, 6, 200), .is_medium = true),
    ROW("tokens", "vit", tokens_case, SHAPE4(16, 14, 14, 768), .is_large = true),

    ROW("add", "to_f32", stream_case, SHAPE4(2, 2, 3, 5), .spec = NULL),
    ROW("add", "to_f32_medium", stream_case, SHAPE4(3, 7, 6, 200), .is_medium = true),

    ROW("first_token", "row", first_token_case, SHAPE3(2, 4, 7), .spec = NULL),
    ROW("first_token", "one_token", first_token_case, SHAPE3(3, 1, 5), .spec = NULL),

    ROW("cross_entropy", "plain", loss_case, SHAPE2(4, 9), LOSS(.classes = 6)),
    ROW("cross_entropy", "smoothing", loss_case, SHAPE2(5, 8), LOSS(.classes = 7, .smoothing = 0.2f)),
    ROW("cross_entropy", "weights_smoothing_absent", loss_case, SHAPE2(7, 5),
        LOSS(.classes = 6, .smoothing = 0.1f, .has_weights = true, .has_absent_rows = true)),
    ROW("cross_entropy", "one_row_one_class", loss_case, SHAPE2(1, 3), LOSS(.classes = 1)),
    ROW("cross_entropy", "all_absent", loss_case, SHAPE2(3, 4), LOSS(.classes = 4, .is_all_absent = true)),
    ROW("cross_entropy", "soft", loss_case, SHAPE2(5, 9), LOSS(.classes = 6, .is_soft = true)),
    ROW("cross_entropy", "soft_weights_smoothing", loss_case, SHAPE2(7, 5),
        LOSS(.classes = 6, .smoothing = 0.2f, .has_weights = true, .is_soft = true)),
    ROW("cross_entropy", "soft_one_row_one_class", loss_case, SHAPE2(1, 3), LOSS(.classes = 1, .is_soft = true)),
    ROW("cross_entropy", "mask", loss_case, SHAPE2(7, 5),
        LOSS(.classes = 6, .smoothing = 0.1f, .has_weights = true, .has_mask = true, .has_absent_rows = true)),
    ROW("cross_entropy", "mask_of_none", loss_case, SHAPE2(3, 4),
        LOSS(.classes = 4, .has_mask = true, .is_all_absent = true)),
    ROW("cross_entropy", "many", loss_case, SHAPE2(4, 9), LOSS(.classes = 64)),
    ROW("cross_entropy", "many_weights_smoothing_absent", loss_case, SHAPE2(7, 5),
        LOSS(.classes = 71, .smoothing = 0.1f, .has_weights = true, .has_absent_rows = true)),
    ROW("cross_entropy", "many_mask", loss_case, SHAPE2(7, 5),
        LOSS(.classes = 80, .smoothing = 0.2f, .has_mask = true, .has_absent_rows = true)),
    ROW("cross_entropy", "many_all_absent", loss_case, SHAPE2(3, 4), LOSS(.classes = 65, .is_all_absent = true)),
    ROW("cross_entropy", "many_soft", loss_case, SHAPE2(5, 9), LOSS(.classes = 77, .smoothing = 0.2f, .is_soft = true)),
    ROW("cross_entropy", "many_soft_weights", loss_case, SHAPE2(5, 9),
        LOSS(.classes = 66, .has_weights = true, .is_soft = true)),
    ROW("cross_entropy", "many_medium", loss_case, SHAPE2(37, 9),
        LOSS(.classes = 1003, .smoothing = 0.1f, .has_weights = true), .is_medium = true),
    ROW("cross_entropy", "many_soft_medium", loss_case, SHAPE2(37, 9), LOSS(.classes = 1003, .is_soft = true),
        .is_medium = true),
    ROW("cross_entropy", "identities", loss_case, SHAPE2(64, 512), LOSS(.classes = 10000), .is_large = true),

    ROW("regression", "squared", loss_case, SHAPE2(4, 9), LOSS(.classes = 3, .kind = LOSS_SQUARED)),
    ROW("regression", "squared_mask", loss_case, SHAPE2(5, 8),
        LOSS(.classes = 3, .kind = LOSS_SQUARED, .has_mask = true, .has_absent_rows = true)),
    ROW("regression", "smooth_l1_mask", loss_case, SHAPE2(7, 5),
        LOSS(.classes = 4, .kind = LOSS_SMOOTH_L1, .has_mask = true, .has_absent_rows = true)),
    ROW("regression", "mask_of_none", loss_case, SHAPE2(3, 5),
        LOSS(.classes = 2, .kind = LOSS_SQUARED, .has_mask = true, .is_all_absent = true)),

    ROW("binary_cross_entropy", "plain", loss_case, SHAPE2(4, 9), LOSS(.classes = 5, .kind = LOSS_BINARY)),
    ROW("binary_cross_entropy", "weights_mask", loss_case, SHAPE2(6, 7),
        LOSS(.classes = 4, .kind = LOSS_BINARY, .has_weights = true, .has_mask = true, .has_absent_rows = true)),
    ROW("binary_cross_entropy", "mask_of_none", loss_case, SHAPE2(3, 4),
        LOSS(.classes = 4, .kind = LOSS_BINARY, .has_weights = true, .has_mask = true, .is_all_absent = true)),

    ROW("ccc", "plain", loss_case, SHAPE2(6, 7), LOSS(.classes = 2, .kind = LOSS_CCC)),
    ROW("ccc", "mask", loss_case, SHAPE2(8, 5),
        LOSS(.classes = 2, .kind = LOSS_CCC, .has_mask = true, .has_absent_rows = true)),
    ROW("ccc", "one_row", loss_case, SHAPE2(1, 4), LOSS(.classes = 2, .kind = LOSS_CCC)),
    ROW("ccc", "mask_of_none", loss_case, SHAPE2(4, 4),
        LOSS(.classes = 2, .kind = LOSS_CCC, .has_mask = true, .is_all_absent = true)),
};

enum { OWN_CASES = sizeof cases / sizeof *cases };

int op_case_count(void)
{
    return OWN_CASES + region_case_count;
}

const op_case *op_case_at(int index)
{
    return index < OWN_CASES ? &cases[index] : &region_cases[index - OWN_CASES];
}
