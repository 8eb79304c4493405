/* Our operators in ONNX's: a row each, a few nodes each, of operator set 17 (github.com/onnx/onnx, docs/Operators.md).
 *
 * A map [n, h, w, c] of ours is [n, c, h, w] here, so that Conv and its like take it as it is; rows [n, c] and tokens
 * [n, t, d] stay. Sizes but the batch are known, and dimension 0 of a Reshape keeps the batch, whatever it is. Where
 * runtimes have been known to differ (a last window that hangs over the edge) the file says it in a way that leaves no
 * choice. */
#include "format/onnx_int.h"

#include "graph/cayley.h"
#include "graph/op.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void refuse(onnx_build *b, const char *what)
{
    if (b->status == MIEN_OK)
        b->status =
            mien_fail(MIEN_ERR_UNSUPPORTED, "%s: %s%s has no form in ONNX", b->node->name, b->node->op->name, what);
}

/* x [n, s, s, 3] of bytes: (x - 255 mean) / (255 std), then NCHW. Raw input has all that behind it. */
static void normalise(onnx_build *b)
{
    const normalise_attr *a = b->node->attr;
    float mean[3], std[3];
    for (int c = 0; c < 3; c++) {
        mean[c] = 255 * a->mean[c];
        std[c] = 255 * a->std[c];
    }
    const char *x = onnx_in(b, 0);
    if (b->form == ONNX_RAW) {
        b->names[b->node->outputs[0]] = x;
        return;
    }
    if (b->form == ONNX_UINT8) {
        x = onnx_emit(b, "Cast", "float", ONNX_INPUTS(x));
        onnx_set_int(b, "to", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
    }
    x = onnx_emit(b, "Sub", "centred", ONNX_INPUTS(x, onnx_floats(b, "mean", 3, mean)));
    x = onnx_emit(b, "Div", "scaled", ONNX_INPUTS(x, onnx_floats(b, "std", 3, std)));
    onnx_emit(b, "Transpose", NULL, ONNX_INPUTS(x));
    ONNX_SET_INTS(b, "perm", 0, 3, 1, 2);
}

static void conv2d(onnx_build *b)
{
    const conv2d_attr *a = b->node->attr;
    const shape *w = onnx_in_shape(b, CONV_W);
    if (a->is_folded || a->act != ACT_NONE)
        refuse(b, ", fused,");
    onnx_emit(b, "Conv", NULL, ONNX_INPUTS(onnx_in(b, CONV_X), onnx_in(b, CONV_W), onnx_in(b, CONV_B)));
    ONNX_SET_INTS(b, "kernel_shape", w->dim[2], w->dim[3]);
    ONNX_SET_INTS(b, "strides", a->stride[0], a->stride[1]);
    ONNX_SET_INTS(b, "pads", a->pad_begin[0], a->pad_begin[1], a->pad_end[0], a->pad_end[1]);
    ONNX_SET_INTS(b, "dilations", a->dilation[0], a->dilation[1]);
    onnx_set_int(b, "group", a->groups);
}

static void batch_norm(onnx_build *b)
{
    const batch_norm_attr *a = b->node->attr;
    if (a->is_batch || a->act != ACT_NONE)
        refuse(b, a->is_batch ? " of a batch" : ", fused,");
    onnx_emit(b, "BatchNormalization", NULL,
              ONNX_INPUTS(onnx_in(b, BN_X), onnx_in(b, BN_GAMMA), onnx_in(b, BN_BETA), onnx_in(b, BN_RUNNING_MEAN),
                          onnx_in(b, BN_RUNNING_VAR)));
    onnx_set_float(b, "epsilon", a->eps);
}

static void layer_norm(onnx_build *b)
{
    const layer_norm_attr *a = b->node->attr;
    onnx_emit(b, "LayerNormalization", NULL, ONNX_INPUTS(onnx_in(b, LN_X), onnx_in(b, LN_GAMMA), onnx_in(b, LN_BETA)));
    onnx_set_int(b, "axis", -1);
    onnx_set_float(b, "epsilon", a->eps);
}

/* Gemm takes rows, so tokens become rows and rows tokens again. */
static void linear(onnx_build *b)
{
    const shape *x = onnx_in_shape(b, 0), *w = onnx_in_shape(b, 1);
    const char *rows = onnx_in(b, 0);
    const bool has_tokens = x->rank == 3;
    if (has_tokens)
        rows = onnx_emit(b, "Reshape", "rows", ONNX_INPUTS(rows, ONNX_INTS(b, "row_shape", -1, w->dim[1])));
    const char *y =
        onnx_emit(b, "Gemm", has_tokens ? "product" : NULL, ONNX_INPUTS(rows, onnx_in(b, 1), onnx_in(b, 2)));
    onnx_set_int(b, "transB", 1);
    if (has_tokens)
        onnx_emit(b, "Reshape", NULL, ONNX_INPUTS(y, ONNX_INTS(b, "token_shape", -1, x->dim[1], w->dim[0])));
}

/* --- activations -------------------------------------------------------------------------------------------------- */

static void relu(onnx_build *b)
{
    onnx_emit(b, "Relu", NULL, ONNX_INPUTS(onnx_in(b, 0)));
}

static void relu6(onnx_build *b)
{
    const float low = 0, high = 6;
    onnx_emit(b, "Clip", NULL,
              ONNX_INPUTS(onnx_in(b, 0), onnx_floats(b, "low", 0, &low), onnx_floats(b, "high", 0, &high)));
}

static void sigmoid(onnx_build *b)
{
    onnx_emit(b, "Sigmoid", NULL, ONNX_INPUTS(onnx_in(b, 0)));
}

static void silu(onnx_build *b)
{
    const char *x = onnx_in(b, 0), *s = onnx_emit(b, "Sigmoid", "sigmoid", ONNX_INPUTS(x));
    onnx_emit(b, "Mul", NULL, ONNX_INPUTS(x, s));
}

/* x (1 + erf(x / sqrt 2)) / 2, in the order that runtimes know as GELU; an operator of its own it is from set 20 on */
static void gelu(onnx_build *b)
{
    const float root = sqrtf(2), one = 1, half = 0.5f;
    const char *x = onnx_in(b, 0);
    const char *y = onnx_emit(b, "Div", "scaled", ONNX_INPUTS(x, onnx_floats(b, "root", 0, &root)));
    y = onnx_emit(b, "Erf", "erf", ONNX_INPUTS(y));
    y = onnx_emit(b, "Add", "shifted", ONNX_INPUTS(y, onnx_floats(b, "one", 0, &one)));
    y = onnx_emit(b, "Mul", "product", ONNX_INPUTS(x, y));
    onnx_emit(b, "Mul", NULL, ONNX_INPUTS(y, onnx_floats(b, "half", 0, &half)));
}

static void clip(onnx_build *b)
{
    const float least = -1, most = 1;
    onnx_emit(b, "Clip", NULL,
              ONNX_INPUTS(onnx_in(b, 0), onnx_floats(b, "least", 0, &least), onnx_floats(b, "most", 0, &most)));
}

static void activation(onnx_build *b)
{
    static void (*const kinds[ACT_COUNT])(onnx_build *) = {
        [ACT_RELU] = relu, [ACT_SILU] = silu,   [ACT_SIGMOID] = sigmoid,
        [ACT_GELU] = gelu, [ACT_RELU6] = relu6, [ACT_CLIP] = clip};
    kinds[((const activation_attr *)b->node->attr)->kind](b); /* the shape rule knows none but these */
}

/* --- maps --------------------------------------------------------------------------------------------------------- */

/* Ceil mode as padding at the end: as much as the last window hangs over. ONNX's own ceil_mode has meant different
 * numbers of windows in different runtimes. Padding that counts is a node of its own: OpenCV (4.8) asks not
 * count_include_pad whether it does, but who wrote the file. */
static void pool(onnx_build *b)
{
    const pool_attr *a = b->node->attr;
    const shape *x = onnx_in_shape(b, 0), *y = onnx_out_shape(b);
    int64_t end[2];
    bool hangs_over = false;
    for (int i = 0; i < 2; i++) {
        int64_t reached = (y->dim[1 + i] - 1) * a->stride[i] + a->window[i] - a->pad[i] - x->dim[1 + i];
        end[i] = !a->is_ceil ? a->pad[i] : reached > 0 ? reached : 0;
        hangs_over |= end[i] > a->pad[i];
    }
    if (a->count_pad && hangs_over)
        refuse(b, ", counting its padding, with a window that hangs over the edge,");
    const char *map = onnx_in(b, 0);
    int64_t pads[4] = {a->pad[0], a->pad[1], end[0], end[1]};
    if (a->count_pad && !a->is_max && (pads[0] || pads[1])) {
        const char *around = ONNX_INTS(b, "around", 0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]);
        map = onnx_emit(b, "Pad", "padded", ONNX_INPUTS(map, around));
        memset(pads, 0, sizeof pads);
    }
    onnx_emit(b, a->is_max ? "MaxPool" : "AveragePool", NULL, ONNX_INPUTS(map));
    ONNX_SET_INTS(b, "kernel_shape", a->window[0], a->window[1]);
    ONNX_SET_INTS(b, "strides", a->stride[0], a->stride[1]);
    onnx_set_ints(b, "pads", 4, pads);
    if (!a->is_max)
        onnx_set_int(b, "count_include_pad", a->count_pad);
}

static void global_mean(onnx_build *b)
{
    const char *mean = onnx_emit(b, "GlobalAveragePool", "pixel", ONNX_INPUTS(onnx_in(b, 0)));
    onnx_emit(b, "Flatten", NULL, ONNX_INPUTS(mean));
}

/* s [n, c] as [n, c, 1, 1] times x. Not by Unsqueeze, of which OpenCV (4.8) knows one axis at a time. */
static void scale(onnx_build *b)
{
    const int64_t c = onnx_in_shape(b, 1)->dim[1];
    const char *s = onnx_emit(b, "Reshape", "map", ONNX_INPUTS(onnx_in(b, 1), ONNX_INTS(b, "map_shape", 0, c, 1, 1)));
    onnx_emit(b, "Mul", NULL, ONNX_INPUTS(onnx_in(b, 0), s));
}

/* Our last dimension is channels: of maps the second one here. */
static void concat(onnx_build *b)
{
    enum { MOST = 16 };
    const char *parts[MOST + 1] = {NULL};
    const int count = b->node->input_count, rank = onnx_out_shape(b)->rank;
    if (count > MOST)
        refuse(b, " of so many parts");
    for (int i = 0; i < count && i < MOST; i++)
        parts[i] = onnx_in(b, i);
    onnx_emit(b, "Concat", NULL, parts);
    onnx_set_int(b, "axis", rank == 4 ? 1 : rank - 1);
}

static void add(onnx_build *b)
{
    onnx_emit(b, "Add", NULL, ONNX_INPUTS(onnx_in(b, 0), onnx_in(b, 1)));
}

static void sub(onnx_build *b)
{
    const sub_attr *a = b->node->attr;
    if (b->node->inputs[SUB_A] == NO_VALUE || a->shift != 0)
        refuse(b, ", as training has it,");
    onnx_emit(b, "Sub", NULL, ONNX_INPUTS(onnx_in(b, SUB_A), onnx_in(b, SUB_B)));
}

/* --- regions ------------------------------------------------------------------------------------------------------ */

/* P [n, 9 R d, h, w], taps before regions before channels, times 1 + attention [n, R, h, w], one for all taps and
 * channels of a region. Shifting is taking windows of the padded map, one a tap, and the rest is their sum. A
 * convolution by ones and zeros would say the same in a node, but of products in another order, and multiply nine
 * times as much. */
static void roi_embed(onnx_build *b)
{
    enum { TAPS = 9 };
    const shape *p = onnx_in_shape(b, ROI_PRODUCTS);
    const int64_t h = p->dim[1], w = p->dim[2], wide = p->dim[3] / TAPS;
    const int64_t regions = onnx_in_shape(b, ROI_ATTENTION)->dim[3];
    const float one = 1;
    const bool has_bias = b->node->inputs[ROI_BIAS] != NO_VALUE;
    const char *taps[TAPS + 1] = {NULL};
    const char *factor =
        onnx_emit(b, "Add", "shifted", ONNX_INPUTS(onnx_in(b, ROI_ATTENTION), onnx_floats(b, "one", 0, &one)));
    factor =
        onnx_emit(b, "Reshape", "factor", ONNX_INPUTS(factor, ONNX_INTS(b, "factor_shape", 0, 1, regions, 1, h * w)));
    const char *x = onnx_emit(
        b, "Reshape", "split",
        ONNX_INPUTS(onnx_in(b, ROI_PRODUCTS), ONNX_INTS(b, "split_shape", 0, TAPS, regions, wide / regions, h * w)));
    x = onnx_emit(b, "Mul", "scaled", ONNX_INPUTS(x, factor));
    x = onnx_emit(b, "Reshape", "map", ONNX_INPUTS(x, ONNX_INTS(b, "map_shape", 0, TAPS * wide, h, w)));
    x = onnx_emit(b, "Pad", "padded", ONNX_INPUTS(x, ONNX_INTS(b, "around", 0, 0, 1, 1, 0, 0, 1, 1)));
    const char *axes = ONNX_INTS(b, "axes", 1, 2, 3);
    for (int64_t t = 0; t < TAPS; t++) {
        char tap[16], begin[16], end[16];
        snprintf(tap, sizeof tap, "tap_%d", (int)t);
        snprintf(begin, sizeof begin, "begin_%d", (int)t);
        snprintf(end, sizeof end, "end_%d", (int)t);
        const char *from = ONNX_INTS(b, begin, t * wide, t / 3, t % 3);
        const char *to = ONNX_INTS(b, end, (t + 1) * wide, t / 3 + h, t % 3 + w);
        taps[t] = onnx_emit(b, "Slice", tap, ONNX_INPUTS(x, from, to, axes));
    }
    x = onnx_emit(b, "Sum", has_bias ? "sum" : NULL, taps);
    if (!has_bias)
        return;
    const char *bias =
        onnx_emit(b, "Reshape", "bias", ONNX_INPUTS(onnx_in(b, ROI_BIAS), ONNX_INTS(b, "bias_shape", 1, wide, 1, 1)));
    onnx_emit(b, "Add", NULL, ONNX_INPUTS(x, bias));
}

/* A convolution of one pixel, in groups; rows become maps of one pixel. */
static void group_linear(onnx_build *b)
{
    const group_linear_attr *a = b->node->attr;
    const shape *x = onnx_in_shape(b, GROUP_X), *w = onnx_in_shape(b, GROUP_W);
    const bool is_rows = x->rank == 2;
    const char *map = onnx_in(b, GROUP_X);
    if (!is_rows && x->rank != 4)
        refuse(b, " of tokens");
    if (is_rows)
        map = onnx_emit(b, "Reshape", "map", ONNX_INPUTS(map, ONNX_INTS(b, "map_shape", 0, x->dim[1], 1, 1)));
    const char *window =
        onnx_emit(b, "Reshape", "window",
                  ONNX_INPUTS(onnx_in(b, GROUP_W), ONNX_INTS(b, "window_shape", w->dim[0], w->dim[1], 1, 1)));
    const char *y = onnx_emit(b, "Conv", is_rows ? "product" : NULL, ONNX_INPUTS(map, window, onnx_in(b, GROUP_B)));
    ONNX_SET_INTS(b, "kernel_shape", 1, 1);
    onnx_set_int(b, "group", a->groups);
    if (is_rows)
        onnx_emit(b, "Reshape", NULL, ONNX_INPUTS(y, ONNX_INTS(b, "row_shape", 0, w->dim[0])));
}

/* No operator of ONNX inverts a matrix, and none need: the matrices are made of parameters alone. */
static void orthogonal(onnx_build *b)
{
    const graph_value *w = graph_value_at(b->member->graph, b->node->inputs[0]);
    const int64_t d = w->shape.dim[1], count = shape_count(&w->shape);
    if (w->kind != VALUE_PARAM)
        refuse(b, " of no parameter");
    float *y = onnx_room(b, count, sizeof *y);
    double *scratch = onnx_room(b, 2 * d * d, sizeof *scratch);
    for (int64_t i = 0; b->status == MIEN_OK && i < count; i += d * d)
        cayley(y + i, b->member->values + w->param_offset + i, scratch, d);
    onnx_constant(b, y);
}

/* --- movement ----------------------------------------------------------------------------------------------------- */

static void constant(onnx_build *b)
{
    if (onnx_out_shape(b)->rank == 4)
        refuse(b, " maps");
    onnx_constant(b, ((const constant_attr *)b->node->attr)->data);
}

/* Sums broadcast what is the same for all samples, so they read it as it is. */
static void repeat(onnx_build *b)
{
    graph *g = b->member->graph;
    const value_id y = b->node->outputs[0];
    for (int i = 0; i < graph_order_count(g); i++) {
        const graph_node *reader = graph_node_at(g, graph_order_at(g, i));
        for (int k = 0; k < reader->input_count; k++)
            if (reader->inputs[k] == y && reader->op != &op_add_def)
                refuse(b, ", but for sums,");
    }
    b->names[y] = onnx_in(b, 0);
}

/* Elements are in the order of ours, so a map is turned before and behind. */
static void reshape(onnx_build *b)
{
    const shape *x = onnx_in_shape(b, 0), *y = onnx_out_shape(b);
    const char *all = onnx_in(b, 0);
    int64_t dims[SHAPE_MAX_RANK] = {0};
    if (x->dim[0] != y->dim[0])
        refuse(b, " of the batch");
    if (x->rank == 4) {
        all = onnx_emit(b, "Transpose", "pixels", ONNX_INPUTS(all));
        ONNX_SET_INTS(b, "perm", 0, 2, 3, 1);
    }
    memcpy(dims + 1, y->dim + 1, (size_t)(y->rank - 1) * sizeof *dims);
    all =
        onnx_emit(b, "Reshape", y->rank == 4 ? "shaped" : NULL, ONNX_INPUTS(all, onnx_ints(b, "shape", y->rank, dims)));
    if (y->rank == 4) {
        onnx_emit(b, "Transpose", NULL, ONNX_INPUTS(all));
        ONNX_SET_INTS(b, "perm", 0, 3, 1, 2);
    }
}

static void slice(onnx_build *b)
{
    static const int map_axes[4] = {0, 2, 3, 1};
    const slice_attr *a = b->node->attr;
    if (a->axis == 0)
        refuse(b, " of the batch");
    const char *from = ONNX_INTS(b, "begin", a->begin), *to = ONNX_INTS(b, "end", a->begin + a->length);
    const char *axes = ONNX_INTS(b, "axes", onnx_out_shape(b)->rank == 4 ? map_axes[a->axis] : a->axis);
    onnx_emit(b, "Slice", NULL, ONNX_INPUTS(onnx_in(b, 0), from, to, axes));
}

/* --- tokens ------------------------------------------------------------------------------------------------------- */

/* The map's pixels behind a row of zeros, plus what stands where: the positions, and in row 0 the class token. No batch
 * need be known, and of the second sum, which is of constants, a runtime makes one. (The class token gets its rows of
 * zeros by a product, since OpenCV 4.8 pads no constant.) */
static void tokens(onnx_build *b)
{
    const shape *x = onnx_in_shape(b, TOKENS_X);
    const int64_t pixels = x->dim[1] * x->dim[2], d = x->dim[3];
    const char *rows =
        onnx_emit(b, "Reshape", "flat", ONNX_INPUTS(onnx_in(b, TOKENS_X), ONNX_INTS(b, "flat_shape", 0, d, pixels)));
    rows = onnx_emit(b, "Transpose", "pixels", ONNX_INPUTS(rows));
    ONNX_SET_INTS(b, "perm", 0, 2, 1);
    rows = onnx_emit(b, "Pad", "behind", ONNX_INPUTS(rows, ONNX_INTS(b, "one_before", 0, 1, 0, 0, 0, 0)));
    const char *first =
        onnx_emit(b, "Mul", "first", ONNX_INPUTS(onnx_in(b, TOKENS_FIRST), onnx_first(b, "row_0", pixels + 1)));
    const char *where = onnx_emit(b, "Add", "where", ONNX_INPUTS(first, onnx_in(b, TOKENS_POSITION)));
    onnx_emit(b, "Add", NULL, ONNX_INPUTS(rows, where));
}

static void first_token(onnx_build *b)
{
    const int64_t zero = 0;
    onnx_emit(b, "Gather", NULL, ONNX_INPUTS(onnx_in(b, 0), onnx_ints(b, "zero", 0, &zero)));
    onnx_set_int(b, "axis", 1);
}

/* qkv [n, t, 3 d] as [3, n, heads, t, c], of which q, k and v are the three. */
static void attention(onnx_build *b)
{
    static const char *const names[3] = {"q", "k", "v"}, *const indices[3] = {"0", "1", "2"};
    const attention_attr *a = b->node->attr;
    const shape *x = onnx_in_shape(b, 0);
    const int64_t t = x->dim[1], d = x->dim[2] / 3, c = d / a->heads;
    const float factor = 1 / sqrtf((float)c);
    const char *part[3];
    const char *all =
        onnx_emit(b, "Reshape", "split", ONNX_INPUTS(onnx_in(b, 0), ONNX_INTS(b, "split_shape", 0, t, 3, a->heads, c)));
    all = onnx_emit(b, "Transpose", "qkv", ONNX_INPUTS(all));
    ONNX_SET_INTS(b, "perm", 2, 0, 3, 1, 4);
    for (int64_t i = 0; i < 3; i++) {
        part[i] = onnx_emit(b, "Gather", names[i], ONNX_INPUTS(all, onnx_ints(b, indices[i], 0, &i)));
        onnx_set_int(b, "axis", 0);
    }
    if (a->is_first_alone) { /* constants one by one: C leaves the order in a list open, and so would the file's be */
        const char *from = ONNX_INTS(b, "begin", 0), *to = ONNX_INTS(b, "end", 1), *axes = ONNX_INTS(b, "axes", 2);
        part[0] = onnx_emit(b, "Slice", "q_first", ONNX_INPUTS(part[0], from, to, axes));
    }
    const char *q = onnx_emit(b, "Mul", "q_scaled", ONNX_INPUTS(part[0], onnx_floats(b, "factor", 0, &factor)));
    const char *k = onnx_emit(b, "Transpose", "k_turned", ONNX_INPUTS(part[1]));
    ONNX_SET_INTS(b, "perm", 0, 1, 3, 2);
    const char *p =
        onnx_emit(b, "Softmax", "weights", ONNX_INPUTS(onnx_emit(b, "MatMul", "scores", ONNX_INPUTS(q, k))));
    onnx_set_int(b, "axis", -1);
    const char *y =
        onnx_emit(b, "Transpose", "rows", ONNX_INPUTS(onnx_emit(b, "MatMul", "heads", ONNX_INPUTS(p, part[2]))));
    ONNX_SET_INTS(b, "perm", 0, 2, 1, 3);
    const char *form = a->is_first_alone ? ONNX_INTS(b, "shape", 0, d) : ONNX_INTS(b, "shape", 0, t, d);
    onnx_emit(b, "Reshape", NULL, ONNX_INPUTS(y, form));
}

static void multiply(onnx_build *b)
{
    const float factor = ((const multiply_attr *)b->node->attr)->factor;
    onnx_emit(b, "Mul", NULL, ONNX_INPUTS(onnx_in(b, 0), onnx_floats(b, "factor", 0, &factor)));
}

static void softmax(onnx_build *b)
{
    onnx_emit(b, "Softmax", NULL, ONNX_INPUTS(onnx_in(b, 0)));
    onnx_set_int(b, "axis", -1);
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static const struct {
    const op_def *op;
    void (*translate)(onnx_build *b);
} rows[] = {
    {&op_normalise_def, normalise},
    {&op_conv2d_def, conv2d},
    {&op_linear_def, linear},
    {&op_batch_norm_def, batch_norm},
    {&op_layer_norm_def, layer_norm},
    {&op_activation_def, activation},
    {&op_add_def, add},
    {&op_sub_def, sub},
    {&op_scale_def, scale},
    {&op_concat_def, concat},
    {&op_pool_def, pool},
    {&op_global_mean_def, global_mean},
    {&op_tokens_def, tokens},
    {&op_first_token_def, first_token},
    {&op_attention_def, attention},
    {&op_multiply_def, multiply},
    {&op_softmax_def, softmax},
    {&op_roi_embed_def, roi_embed},
    {&op_group_linear_def, group_linear},
    {&op_orthogonal_def, orthogonal},
    {&op_constant_def, constant},
    {&op_repeat_def, repeat},
    {&op_reshape_def, reshape},
    {&op_slice_def, slice},
};

void onnx_translate(onnx_build *b)
{
    /* Parameters in this order, whatever order a translation asks in. Those that matrices are computed of stay out. */
    for (int i = 0; i < b->node->input_count && b->node->op != &op_orthogonal_def; i++)
        (void)onnx_name(b, b->node->inputs[i]);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].op == b->node->op) {
            rows[i].translate(b);
            return;
        }
    refuse(b, "");
}
