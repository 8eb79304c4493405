/* The cases of operators that look at regions: embeddings, linear layers of groups, orthogonal matrices. */
#include "graph/op_cases.h"

#include <stdio.h>

static const shape *shape_at(const case_graph *c, value_id v)
{
    return &graph_value_at(c->g, v)->shape;
}

/* A 1x1 convolution of x under this name, its parameter NAME.weight. */
static mien_status add_product(case_graph *c, value_id *y, const char *name, value_id x, int64_t out)
{
    const int64_t one = 1, in = shape_at(c, x)->dim[3];
    const conv2d_attr attr = {.stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
    value_id w = NO_VALUE;
    char full[64];
    snprintf(full, sizeof full, "%s.weight", name);
    TRY(case_param_add(c, &w, full, shape_of(4, out, in, one, one), FILL_WEIGHT, (double)in, true));
    return op_conv2d(c->g, y, name, x, w, NO_VALUE, &attr);
}

typedef struct {
    int regions, d;
    bool has_bias;
} roi_spec;

/* Products and attention both of x. "y:products" is of the operator under test: bench_ops times it too. */
static mien_status roi_embed_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    const roi_spec *s = self->spec;
    const int64_t taps = 9, wide = (int64_t)s->regions * s->d;
    value_id products = NO_VALUE, attention = NO_VALUE, bias = NO_VALUE;
    TRY(add_product(c, &attention, "attention", x, s->regions));
    TRY(op_activation(c->g, &attention, "attention.act", attention, ACT_SIGMOID));
    TRY(add_product(c, &products, "y:products", x, taps * wide));
    if (s->has_bias)
        TRY(case_param_add(c, &bias, "y.bias", shape_of(1, wide), FILL_BIAS, 1, true));
    return op_roi_embed(c->g, y, "y", products, attention, bias);
}

/* The same the plain way, and what it costs: for each region a copy of x that its attention brightens, and a
 * convolution of it. */
static mien_status roi_plain_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    const roi_spec *s = self->spec;
    const shape f = *shape_at(c, x);
    const int64_t one = 1, three = 3, pixels = f.dim[0] * f.dim[1] * f.dim[2], channels = f.dim[3], d = s->d;
    const conv2d_attr same = {
        .stride = {1, 1}, .pad_begin = {1, 1}, .pad_end = {1, 1}, .dilation = {1, 1}, .groups = 1};
    value_id attention = NO_VALUE, parts[32], all = NO_VALUE;
    TRY(add_product(c, &attention, "attention", x, s->regions));
    TRY(op_activation(c->g, &attention, "attention.act", attention, ACT_SIGMOID));
    TRY(op_reshape(c->g, &all, "y:pixels", x, shape_of(4, pixels, one, channels, one)));
    for (int r = 0; r < s->regions; r++) {
        value_id scale = NO_VALUE, copy = NO_VALUE, w = NO_VALUE, b = NO_VALUE;
        char name[8][32];
        static const char *const parts_of[8] = {"own",    "negative", "scale",       "rows",
                                                "bright", "map",      "conv.weight", "conv.bias"};
        for (int i = 0; i < 8; i++)
            snprintf(name[i], sizeof name[i], "y:%d.%s", r, parts_of[i]);
        TRY(op_slice(c->g, &scale, name[0], attention, 3, r, 1));
        TRY(op_sub(c->g, &scale, name[1], NO_VALUE, scale, 0));
        TRY(op_sub(c->g, &scale, name[2], NO_VALUE, scale, 1));
        TRY(op_reshape(c->g, &scale, name[3], scale, shape_of(2, pixels, one)));
        TRY(op_scale(c->g, &copy, name[4], all, scale));
        TRY(op_reshape(c->g, &copy, name[5], copy, f));
        TRY(case_param_add(c, &w, name[6], shape_of(4, d, channels, three, three), FILL_WEIGHT, (double)(9 * channels),
                           true));
        TRY(case_param_add(c, &b, name[7], shape_of(1, d), FILL_BIAS, 1, true));
        snprintf(name[0], sizeof name[0], "y:%d.conv", r);
        TRY(op_conv2d(c->g, &parts[r], name[0], copy, w, b, &same));
    }
    value_id halves[2];
    TRY(op_concat(c->g, &halves[0], "y:first", parts, s->regions / 2)); /* the CPU takes twelve parts at once */
    TRY(op_concat(c->g, &halves[1], "y:second", parts + s->regions / 2, s->regions - s->regions / 2));
    return op_concat(c->g, y, "y", halves, 2);
}

typedef struct {
    int groups, out; /* out: of each group */
    bool has_bias, is_f32;
    bool is_orthogonal; /* the weight is what orthogonal makes of the parameter */
} group_spec;

static mien_status group_linear_case(case_graph *c, const op_case *self, value_id *y, value_id x)
{
    const group_spec *s = self->spec;
    const shape *xs = shape_at(c, x);
    const int64_t k = xs->dim[xs->rank - 1] / s->groups, out = (int64_t)s->groups * s->out;
    const group_linear_attr attr = {.groups = s->groups, .is_f32 = s->is_f32};
    value_id w = NO_VALUE, b = NO_VALUE;
    TRY(case_param_add(c, &w, "y.weight", shape_of(2, out, k), FILL_WEIGHT, (double)k, true));
    if (s->is_orthogonal)
        TRY(op_orthogonal(c->g, &w, "y:orthogonal", w));
    if (s->has_bias)
        TRY(case_param_add(c, &b, "y.bias", shape_of(1, out), FILL_BIAS, 1, true));
    return op_group_linear(c->g, y, "y", x, w, b, &attr);
}

// clang-format off
#define ROW(OP, NAME, DESCRIBE, SHAPE, ...) {.op = OP, .name = OP "/" NAME, .describe = DESCRIBE, .x = SHAPE, __VA_ARGS__}
#define SHAPE2(n, k) {2, {n, k}}
#define SHAPE3(n, t, k) {3, {n, t, k}}
#define SHAPE4(n, h, w, c) {4, {n, h, w, c}}
#define ROI(...) .spec = &(const roi_spec){__VA_ARGS__}
#define GROUPS(...) .spec = &(const group_spec){__VA_ARGS__}
// clang-format on

const op_case region_cases[] = {
    ROW("roi_embed", "two_regions", roi_embed_case, SHAPE4(2, 4, 3, 5), ROI(.regions = 2, .d = 4, .has_bias = true)),
    ROW("roi_embed", "odd", roi_embed_case, SHAPE4(1, 3, 5, 7), ROI(.regions = 3, .d = 3, .has_bias = true)),
    ROW("roi_embed", "no_bias", roi_embed_case, SHAPE4(2, 3, 3, 4), ROI(.regions = 1, .d = 5)),
    ROW("roi_embed", "one_pixel", roi_embed_case, SHAPE4(3, 1, 1, 4), ROI(.regions = 2, .d = 2, .has_bias = true)),
    ROW("roi_embed", "one_row", roi_embed_case, SHAPE4(1, 1, 6, 4), ROI(.regions = 2, .d = 2, .has_bias = true)),
    ROW("roi_embed", "medium", roi_embed_case, SHAPE4(3, 9, 8, 24), ROI(.regions = 17, .d = 16, .has_bias = true),
        .is_medium = true),
    ROW("roi_embed", "medium_odd", roi_embed_case, SHAPE4(2, 11, 7, 16), ROI(.regions = 5, .d = 21, .has_bias = true),
        .is_medium = true),
    ROW("roi_embed", "plain", roi_plain_case, SHAPE4(2, 4, 3, 5), ROI(.regions = 2, .d = 4)),
    ROW("roi_embed", "smm_emotionnet", roi_embed_case, SHAPE4(16, 17, 17, 768),
        ROI(.regions = 17, .d = 16, .has_bias = true), .is_large = true),
    ROW("roi_embed", "smm_emotionnet_plain", roi_plain_case, SHAPE4(16, 17, 17, 768), ROI(.regions = 17, .d = 16),
        .is_large = true),

    ROW("group_linear", "rows", group_linear_case, SHAPE2(3, 10), GROUPS(.groups = 2, .out = 3, .has_bias = true)),
    ROW("group_linear", "tokens", group_linear_case, SHAPE3(2, 3, 12), GROUPS(.groups = 3, .out = 4)),
    ROW("group_linear", "map", group_linear_case, SHAPE4(2, 3, 2, 12), GROUPS(.groups = 3, .out = 5, .has_bias = true)),
    ROW("group_linear", "one_each", group_linear_case, SHAPE2(5, 21),
        GROUPS(.groups = 3, .out = 1, .has_bias = true, .is_f32 = true)),
    ROW("group_linear", "medium", group_linear_case, SHAPE4(3, 7, 9, 272),
        GROUPS(.groups = 17, .out = 16, .has_bias = true), .is_medium = true),
    ROW("group_linear", "medium_odd", group_linear_case, SHAPE3(5, 31, 95),
        GROUPS(.groups = 5, .out = 23, .has_bias = true), .is_medium = true),
    ROW("group_linear", "smm_emotionnet", group_linear_case, SHAPE4(16, 17, 17, 272),
        GROUPS(.groups = 17, .out = 16, .has_bias = true), .is_large = true),

    ROW("orthogonal", "groups", group_linear_case, SHAPE2(4, 12),
        GROUPS(.groups = 3, .out = 4, .is_f32 = true, .is_orthogonal = true)),
    ROW("orthogonal", "one_by_one", group_linear_case, SHAPE2(3, 2),
        GROUPS(.groups = 2, .out = 1, .is_orthogonal = true)),
    ROW("orthogonal", "medium", group_linear_case, SHAPE2(40, 272),
        GROUPS(.groups = 17, .out = 16, .is_orthogonal = true), .is_medium = true),
    ROW("orthogonal", "smm_emotionnet", group_linear_case, SHAPE2(16, 272),
        GROUPS(.groups = 17, .out = 16, .is_orthogonal = true), .is_large = true),
};
const int region_case_count = (int)(sizeof region_cases / sizeof *region_cases);
