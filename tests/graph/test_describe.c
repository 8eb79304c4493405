/* Describing a graph: what shape rules compute, and what they refuse with which words. */
#include "graph/graph_test.h"

#include <math.h>

static shape shape_now(graph *g, value_id v)
{
    return graph_value_at(g, v)->shape;
}

static void assert_shape(graph *g, value_id v, shape wanted)
{
    char found_text[SHAPE_TEXT_BYTES], wanted_text[SHAPE_TEXT_BYTES];
    const shape found = shape_now(g, v);
    assert_string_equal(shape_print(found_text, sizeof found_text, &found),
                        shape_print(wanted_text, sizeof wanted_text, &wanted));
}

#define NHWC(n, h, w, c) shape_of(4, (int64_t)(n), (int64_t)(h), (int64_t)(w), (int64_t)(c))

/* --- graphs ------------------------------------------------------------------------------------------------------- */

static void graph__of_another_type__is_refused(void **state)
{
    (void)state;
    graph *g = NULL;
    assert_failure(graph_create(&g, DTYPE_U8, true), MIEN_ERR_ARG, "activation type");
    assert_null(g);
}

static void input__empty_batch__is_refused(void **state)
{
    (void)state;
    graph *g = new_graph(false);
    value_id v = NO_VALUE;
    assert_failure(graph_input(g, &v, "images", DTYPE_U8, NHWC(0, 8, 8, 3)), MIEN_ERR_SHAPE,
                   "images: dimension 0 of [0, 8, 8, 3] is empty (wanted at least 1)");
    assert_failure(graph_input(g, &v, "images", DTYPE_U8, NHWC(INT64_C(1) << 40, INT64_C(1) << 40, 1, 1)),
                   MIEN_ERR_SHAPE, "is too large");
    graph_free(g);
}

static void names__taken__are_refused(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", NHWC(1, 2, 2, 3));
    value_id y = NO_VALUE;
    assert_failure(graph_input(g, &y, "x", DTYPE_F32, NHWC(1, 2, 2, 3)), MIEN_ERR_ARG, "x: the name is taken");
    assert_ok(op_add(g, &y, "y", x, x));
    const int nodes = count_nodes(g, NULL);
    assert_failure(op_add(g, &y, "y", x, x), MIEN_ERR_ARG, "y: the name is taken (wanted one of its own)");
    assert_int_equal(count_nodes(g, NULL), nodes);
    graph_free(g);
}

static void param__named_twice__is_one_value(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    value_id a = NO_VALUE, b = NO_VALUE;
    assert_ok(graph_param(g, &a, "w", shape_of(1, (int64_t)4), 8, true));
    assert_ok(graph_param(g, &b, "w", shape_of(1, (int64_t)4), 8, true));
    assert_int_equal(a, b);
    assert_failure(graph_param(g, &b, "w", shape_of(1, (int64_t)4), 16, true), MIEN_ERR_ARG, "the name is taken");
    assert_failure(graph_param(g, &b, "w", shape_of(1, (int64_t)5), 8, true), MIEN_ERR_ARG, "the name is taken");
    graph_free(g);
}

static void node__with_a_value_of_nowhere__is_refused(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    value_id y = NO_VALUE;
    assert_failure(op_add(g, &y, "y", 77, 78), MIEN_ERR_ARG, "y: input 0 is no value of this graph");
    assert_failure(op_add(g, &y, "y", NO_VALUE, NO_VALUE), MIEN_ERR_SHAPE, "y: first input is missing");
    graph_free(g);
}

static void requires_grad__follows_trainable_parameters(void **state)
{
    (void)state;
    for (int is_training = 0; is_training < 2; is_training++) {
        graph *g = new_graph(is_training);
        const value_id x = new_input(g, "x", NHWC(1, 4, 4, 3));
        const value_id frozen = new_conv(g, "frozen", x, 4, 3, false),
                       trained = new_conv(g, "trained", frozen, 4, 3, true);
        const value_id after = new_activation(g, "after", trained, ACT_RELU);
        assert_false(graph_value_at(g, frozen)->requires_grad);
        assert_int_equal(graph_value_at(g, trained)->requires_grad, is_training);
        assert_int_equal(graph_value_at(g, after)->requires_grad, is_training);
        graph_free(g);
    }
}

/* --- shapes ------------------------------------------------------------------------------------------------------- */

static void conv2d__shapes__are_pytorchs(void **state)
{
    (void)state;
    static const struct {
        int64_t in, window;
        int stride, pad_begin, pad_end, dilation;
        int64_t out;
    } rows[] = {{224, 7, 2, 3, 3, 1, 112}, {56, 1, 2, 0, 0, 1, 28}, {7, 3, 1, 1, 1, 1, 7},    {1, 3, 1, 1, 1, 1, 1},
                {9, 3, 2, 0, 1, 1, 4},     {8, 3, 1, 2, 2, 2, 8},   {299, 3, 2, 0, 0, 1, 149}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        graph *g = new_graph(true);
        const value_id x = new_input(g, "x", NHWC(2, rows[i].in, rows[i].in, 3));
        const value_id w = new_param(g, "w", NHWC(5, 3, rows[i].window, rows[i].window), true);
        const conv2d_attr attr = {.stride = {rows[i].stride, rows[i].stride},
                                  .pad_begin = {rows[i].pad_begin, rows[i].pad_begin},
                                  .pad_end = {rows[i].pad_end, rows[i].pad_end},
                                  .dilation = {rows[i].dilation, rows[i].dilation},
                                  .groups = 1};
        value_id y = NO_VALUE;
        assert_ok(op_conv2d(g, &y, "y", x, w, NO_VALUE, &attr));
        assert_shape(g, y, NHWC(2, rows[i].out, rows[i].out, 5));
        graph_free(g);
    }
}

static void conv2d__what_does_not_fit__is_refused(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const conv2d_attr plain = {.stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
    const value_id x = new_input(g, "x", NHWC(2, 5, 5, 64)), flat = new_input(g, "flat", shape_of(2, 4L, 64L));
    const value_id w = new_param(g, "w", NHWC(8, 3, 3, 3), true), wide = new_param(g, "wide", NHWC(8, 64, 6, 3), true);
    const value_id fits = new_param(g, "fits", NHWC(8, 64, 3, 3), true), b = new_param(g, "b", shape_of(1, 7L), true);
    value_id bytes = NO_VALUE, y = NO_VALUE;
    assert_ok(graph_input(g, &bytes, "bytes", DTYPE_U8, NHWC(2, 5, 5, 64)));
    assert_failure(op_conv2d(g, &y, "layer1.0.conv1", x, w, NO_VALUE, &plain), MIEN_ERR_SHAPE,
                   "layer1.0.conv1: input has 64 channels (wanted 3)");
    assert_failure(op_conv2d(g, &y, "c", bytes, fits, NO_VALUE, &plain), MIEN_ERR_SHAPE, "c: input is u8 (wanted f32)");
    assert_failure(op_conv2d(g, &y, "c", flat, fits, NO_VALUE, &plain), MIEN_ERR_SHAPE,
                   "c: input is [4, 64] (wanted 4 dimensions)");
    assert_failure(op_conv2d(g, &y, "c", x, wide, NO_VALUE, &plain), MIEN_ERR_SHAPE,
                   "c: height: a window of 6 exceeds the padded input (5)");
    assert_failure(op_conv2d(g, &y, "c", x, fits, b, &plain), MIEN_ERR_SHAPE, "c: bias is [7] (wanted [8])");
    assert_failure(op_conv2d(g, &y, "c", x, x, NO_VALUE, &plain), MIEN_ERR_SHAPE, "c: weight x is no parameter");
    conv2d_attr attr = plain;
    attr.groups = 3;
    assert_failure(op_conv2d(g, &y, "c", x, fits, NO_VALUE, &attr), MIEN_ERR_SHAPE,
                   "c: 3 groups (wanted a divisor of 64");
    attr.groups = 0;
    assert_failure(op_conv2d(g, &y, "c", x, fits, NO_VALUE, &attr), MIEN_ERR_SHAPE, "c: 0 groups");
    attr = plain, attr.stride[1] = 0;
    assert_failure(op_conv2d(g, &y, "c", x, fits, NO_VALUE, &attr), MIEN_ERR_ARG, "c: width: window 3, stride 0");
    attr = plain, attr.dilation[0] = INT32_MAX;
    assert_failure(op_conv2d(g, &y, "c", x, fits, NO_VALUE, &attr), MIEN_ERR_SHAPE, "exceeds the padded input");
    assert_ok(op_conv2d(g, &y, "c", x, fits, NO_VALUE, &plain));
    assert_shape(g, y, NHWC(2, 3, 3, 8));
    graph_free(g);
}

static void linear__what_does_not_fit__is_refused(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", shape_of(2, 4L, 6L)), tokens = new_input(g, "tokens", shape_of(3, 4L, 2L, 6L));
    const value_id w = new_param(g, "w", shape_of(2, 5L, 6L), true),
                   other = new_param(g, "v", shape_of(2, 5L, 7L), true);
    const value_id image = new_input(g, "image", NHWC(1, 1, 1, 6));
    value_id y = NO_VALUE;
    assert_failure(op_linear(g, &y, "fc", x, other, NO_VALUE, true), MIEN_ERR_SHAPE,
                   "fc: input has 6 features (wanted 7)");
    assert_failure(op_linear(g, &y, "fc", image, w, NO_VALUE, true), MIEN_ERR_SHAPE, "fc: input has 4 dimensions");
    assert_ok(op_linear(g, &y, "fc", tokens, w, NO_VALUE, false));
    assert_shape(g, y, shape_of(3, 4L, 2L, 5L));
    graph_free(g);
}

static void batch_norm__what_does_not_fit__is_refused(void **state)
{
    (void)state;
    graph *g = new_graph(true), *inference = new_graph(false);
    const value_id one = new_input(g, "one", NHWC(1, 1, 1, 4)), x = new_input(g, "x", NHWC(2, 1, 1, 4));
    const value_id c = new_param(g, "c", shape_of(1, 4L), true), d = new_param(g, "d", shape_of(1, 5L), true);
    batch_norm_attr attr = {.is_batch = true, .eps = 1e-5f, .momentum = 0.1f};
    value_id y = NO_VALUE;
    assert_failure(op_batch_norm(g, &y, "bn", one, c, c, c, c, &attr), MIEN_ERR_SHAPE,
                   "bn: batch statistics of one value a channel");
    assert_failure(op_batch_norm(g, &y, "bn", x, c, c, c, d, &attr), MIEN_ERR_SHAPE,
                   "bn: running var is [5] (wanted [4])");
    attr.eps = 0;
    assert_failure(op_batch_norm(g, &y, "bn", x, c, c, c, c, &attr), MIEN_ERR_ARG, "bn: eps 0");
    attr.eps = 1e-5f, attr.act = ACT_GELU;
    assert_failure(op_batch_norm(g, &y, "bn", x, c, c, c, c, &attr), MIEN_ERR_ARG, "bn: activation gelu (wanted none");
    attr.act = ACT_NONE;
    const value_id z = new_input(inference, "x", NHWC(2, 1, 1, 4)),
                   p = new_param(inference, "p", shape_of(1, 4L), true);
    assert_failure(op_batch_norm(inference, &y, "bn", z, p, p, p, p, &attr), MIEN_ERR_ARG,
                   "bn: batch statistics in an inference graph");
    graph_free(g);
    graph_free(inference);
}

static void pointwise__what_does_not_fit__is_refused(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id a = new_input(g, "a", NHWC(2, 3, 3, 4)), b = new_input(g, "b", NHWC(2, 3, 3, 5));
    const value_id s = new_input(g, "s", shape_of(2, 2L, 5L)), scalar = new_input(g, "scalar", shape_of(0));
    value_id bytes = NO_VALUE, y = NO_VALUE;
    assert_ok(graph_input(g, &bytes, "bytes", DTYPE_U8, NHWC(2, 3, 3, 4)));
    assert_failure(op_add(g, &y, "y", a, b), MIEN_ERR_SHAPE, "y: second input is [2, 3, 3, 5] (wanted [2, 3, 3, 4])");
    assert_failure(op_scale(g, &y, "y", a, s), MIEN_ERR_SHAPE, "y: scale is [2, 5] (wanted [2, 4])");
    assert_failure(op_activation(g, &y, "y", a, ACT_NONE), MIEN_ERR_ARG, "y: activation none");
    assert_failure(op_activation(g, &y, "y", a, (activation_kind)99), MIEN_ERR_ARG, "y: activation unknown");
    assert_failure(op_activation(g, &y, "y", bytes, ACT_RELU), MIEN_ERR_SHAPE, "y: input is u8 (wanted f32 or bf16)");
    assert_failure(op_concat(g, &y, "y", (value_id[]){a, s}, 2), MIEN_ERR_SHAPE, "y: part 1 is [2, 5] (wanted 4");
    assert_failure(op_concat(g, &y, "y", (value_id[]){scalar, scalar}, 2), MIEN_ERR_SHAPE, "y: part 0 is a scalar");
    assert_failure(op_concat(g, &y, "y", NULL, 0), MIEN_ERR_ARG, "y: no parts");
    assert_ok(op_concat(g, &y, "y", (value_id[]){a, b, a}, 3));
    assert_shape(g, y, NHWC(2, 3, 3, 13));
    graph_free(g);
}

static void pool__shapes__are_pytorchs(void **state)
{
    (void)state;
    static const struct {
        int64_t in;
        int window, stride, pad;
        bool is_ceil;
        int64_t out;
    } rows[] = {
        {112, 3, 2, 1, false, 56}, {112, 3, 2, 0, true, 56}, {56, 3, 2, 0, true, 28}, {14, 2, 2, 0, true, 7},
        {7, 3, 1, 1, true, 7},     {5, 2, 2, 1, true, 3},    {6, 3, 2, 0, false, 2},  {6, 3, 2, 0, true, 3},
        {1, 1, 1, 0, true, 1},     {2, 3, 2, 0, true, 1},    {5, 1, 3, 0, true, 2}, /* a third window would start beyond
                                                                                       the image */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        graph *g = new_graph(true);
        const value_id x = new_input(g, "x", NHWC(1, rows[i].in, rows[i].in, 2));
        const pool_attr attr = {.window = {rows[i].window, rows[i].window},
                                .stride = {rows[i].stride, rows[i].stride},
                                .pad = {rows[i].pad, rows[i].pad},
                                .is_ceil = rows[i].is_ceil,
                                .is_max = true};
        value_id y = NO_VALUE;
        assert_ok(op_pool(g, &y, "y", x, &attr));
        assert_shape(g, y, NHWC(1, rows[i].out, rows[i].out, 2));
        graph_free(g);
    }
}

static void pool__what_does_not_fit__is_refused(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", NHWC(1, 4, 4, 2));
    pool_attr attr = {.window = {3, 3}, .stride = {1, 1}, .pad = {2, 0}, .is_max = true};
    value_id y = NO_VALUE;
    assert_failure(op_pool(g, &y, "y", x, &attr), MIEN_ERR_ARG,
                   "y: height: padding 2 of a window of 3 (wanted at most half)");
    attr.pad[0] = 0, attr.window[1] = 5;
    assert_failure(op_pool(g, &y, "y", x, &attr), MIEN_ERR_SHAPE,
                   "y: width: a window of 5 exceeds the padded input (4)");
    attr.window[1] = 6, attr.stride[1] = 2, attr.is_ceil = true; /* hangs over by 2, one less than a stride would */
    assert_failure(op_pool(g, &y, "y", x, &attr), MIEN_ERR_SHAPE,
                   "y: width: a window of 6 exceeds the padded input (4)");
    attr.window[1] = 0;
    assert_failure(op_pool(g, &y, "y", x, &attr), MIEN_ERR_ARG, "y: width: window 0");
    graph_free(g);
}

static void normalise__what_does_not_fit__is_refused(void **state)
{
    (void)state;
    graph *g = new_graph(false);
    const float mean[3] = {0.5f, 0.5f, 0.5f}, std[3] = {0.25f, 0.25f, 0.25f}, zero[3] = {0.25f, 0, 0.25f};
    const float broken[3] = {NAN, 0, 0};
    value_id grey = NO_VALUE, images = NO_VALUE, y = NO_VALUE;
    assert_ok(graph_input(g, &grey, "grey", DTYPE_U8, NHWC(1, 4, 4, 1)));
    assert_ok(graph_input(g, &images, "images", DTYPE_U8, NHWC(1, 4, 4, 3)));
    assert_failure(op_normalise(g, &y, "n", grey, mean, std), MIEN_ERR_SHAPE, "n: images have 1 channels (wanted 3)");
    assert_failure(op_normalise(g, &y, "n", images, mean, zero), MIEN_ERR_ARG, "n: channel 1: mean 0.5, std 0");
    assert_failure(op_normalise(g, &y, "n", images, broken, std), MIEN_ERR_ARG, "n: channel 0");
    assert_ok(op_normalise(g, &y, "n", images, mean, std));
    assert_shape(g, y, NHWC(1, 4, 4, 3));
    graph_free(g);
}

static void ends__what_does_not_fit__is_refused(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id logits = new_input(g, "logits", shape_of(2, 4L, 6L)), image = new_input(g, "x", NHWC(1, 1, 1, 6));
    const value_id weights = new_input(g, "weights", shape_of(1, 5L));
    value_id labels = NO_VALUE, few = NO_VALUE, loss = NO_VALUE, p = NO_VALUE;
    assert_ok(graph_input(g, &labels, "labels", DTYPE_I32, shape_of(1, 4L)));
    assert_ok(graph_input(g, &few, "few", DTYPE_I32, shape_of(1, 3L)));
    assert_failure(op_softmax(g, &p, "s", image), MIEN_ERR_SHAPE, "s: input is [1, 1, 1, 6] (wanted 2 dimensions)");
    assert_failure(op_cross_entropy(g, &loss, &p, "l", logits, few, NO_VALUE, 0), MIEN_ERR_SHAPE,
                   "l: labels is [3] (wanted [4])");
    assert_failure(op_cross_entropy(g, &loss, &p, "l", logits, weights, NO_VALUE, 0), MIEN_ERR_SHAPE,
                   "l: target probabilities is [5] (wanted [4, 6])");
    value_id bytes = NO_VALUE;
    assert_ok(graph_input(g, &bytes, "bytes", DTYPE_U8, shape_of(1, 4L)));
    assert_failure(op_cross_entropy(g, &loss, &p, "l", logits, bytes, NO_VALUE, 0), MIEN_ERR_SHAPE,
                   "l: labels is u8 (wanted i32)");
    assert_failure(op_cross_entropy(g, &loss, &p, "l", logits, labels, weights, 0), MIEN_ERR_SHAPE,
                   "l: class weights is [5] (wanted [6])");
    assert_failure(op_cross_entropy(g, &loss, &p, "l", logits, labels, NO_VALUE, 1.5f), MIEN_ERR_ARG,
                   "l: label smoothing 1.5 (wanted 0 to 1)");
    assert_failure(op_cross_entropy(g, &loss, &p, "l", logits, labels, NO_VALUE, NAN), MIEN_ERR_ARG,
                   "l: label smoothing nan");
    assert_ok(op_cross_entropy(g, &loss, &p, "l", logits, labels, NO_VALUE, 0.1f));
    assert_shape(g, loss, shape_of(0));
    assert_shape(g, p, shape_of(2, 4L, 6L));
    graph_free(g);
}

static void dropout__in_inference__is_nothing(void **state)
{
    (void)state;
    graph *g = new_graph(false), *training = new_graph(true);
    const value_id x = new_input(g, "x", shape_of(2, 3L, 4L)), z = new_input(training, "x", shape_of(2, 3L, 4L));
    value_id y = NO_VALUE;
    assert_ok(op_dropout(g, &y, "d", x, 0.5f, false));
    assert_int_equal(y, x);
    assert_int_equal(count_nodes(g, NULL), 0);
    assert_ok(op_dropout(training, &y, "none", z, 0, false));
    assert_int_equal(y, z);
    assert_failure(op_dropout(training, &y, "d", z, 1, false), MIEN_ERR_ARG, "d: probability 1 (wanted 0 to below 1)");
    assert_failure(op_dropout(training, &y, "d", z, -0.1f, true), MIEN_ERR_ARG, "d: probability -0.1");
    graph_free(g);
    graph_free(training);
}

static void dropout__streams__count_up(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    value_id y = new_input(g, "x", shape_of(2, 3L, 4L));
    assert_ok(op_dropout(g, &y, "first", y, 0.5f, false));
    assert_ok(op_dropout(g, &y, "second", y, 0.5f, true));
    assert_int_equal(((const dropout_attr *)graph_node_at(g, find_node(g, "first"))->attr)->stream, 0);
    assert_int_equal(((const dropout_attr *)graph_node_at(g, find_node(g, "second"))->attr)->stream, 1);
    graph_free(g);
}

static void graph__printed__is_a_line_a_node(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", NHWC(2, 8, 8, 3));
    value_id y = new_batch_norm(g, "bn", new_conv(g, "conv", x, 4, 3, true), true, true);
    y = new_activation(g, "relu", y, ACT_RELU);
    const value_id loss = new_loss(g, y);
    assert_ok(graph_fuse(g));
    assert_ok(graph_differentiate(g, &(graph_loss){loss, 1}, 1, NO_VALUE, NULL));
    str text = {0};
    assert_ok(graph_print(g, &text));
    static const char wanted[] =
        "forward  conv = conv2d (x [2, 8, 8, 3], conv.weight [4, 3, 3, 3]) -> [2, 8, 8, 4]\n"
        "forward  bn = batch_norm batch relu (conv [2, 8, 8, 4], bn.weight [4], bn.bias [4], bn.running_mean [4], "
        "bn.running_var [4]) -> relu [2, 8, 8, 4], bn.1 [4], bn.2 [4], bn.3 u8[64]\n"
        "forward  pool = global_mean (relu [2, 8, 8, 4]) -> [2, 4]\n"
        "forward  fc = linear (pool [2, 4], fc.weight [3, 4]) -> [2, 3]\n"
        "forward  loss = cross_entropy (fc [2, 3], labels i32[2]) -> [], loss.1 [2, 3]\n"
        "backward loss:dx = cross_entropy_dx (loss.1 [2, 3], labels i32[2]) -> [2, 3]\n"
        "backward fc:dw = linear_dw (pool [2, 4], loss:dx [2, 3], fc.weight [3, 4]) -> fc.weight.grad [3, 4]\n"
        "backward fc:dx = linear_dx (loss:dx [2, 3], fc.weight [3, 4]) -> [2, 4]\n"
        "backward pool:dx = global_mean_dx (fc:dx [2, 4]) -> [2, 8, 8, 4]\n"
        "backward bn:dx = batch_norm_dx batch relu (pool:dx [2, 8, 8, 4], conv [2, 8, 8, 4], bn.weight [4], -, bn.1 "
        "[4], bn.2 [4], -, -, bn.3 u8[64]) -> [2, 8, 8, 4], -, bn.weight.grad [4], bn.bias.grad [4]\n"
        "backward conv:dw = conv2d_dw (x [2, 8, 8, 3], bn:dx [2, 8, 8, 4], conv.weight [4, 3, 3, 3]) -> "
        "conv.weight.grad [4, 3, 3, 3]\n";
    assert_string_equal(text.text, wanted);
    str_free(&text);
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graph__of_another_type__is_refused),
        cmocka_unit_test(input__empty_batch__is_refused),
        cmocka_unit_test(names__taken__are_refused),
        cmocka_unit_test(param__named_twice__is_one_value),
        cmocka_unit_test(node__with_a_value_of_nowhere__is_refused),
        cmocka_unit_test(requires_grad__follows_trainable_parameters),
        cmocka_unit_test(conv2d__shapes__are_pytorchs),
        cmocka_unit_test(conv2d__what_does_not_fit__is_refused),
        cmocka_unit_test(linear__what_does_not_fit__is_refused),
        cmocka_unit_test(batch_norm__what_does_not_fit__is_refused),
        cmocka_unit_test(pointwise__what_does_not_fit__is_refused),
        cmocka_unit_test(pool__shapes__are_pytorchs),
        cmocka_unit_test(pool__what_does_not_fit__is_refused),
        cmocka_unit_test(normalise__what_does_not_fit__is_refused),
        cmocka_unit_test(ends__what_does_not_fit__is_refused),
        cmocka_unit_test(dropout__in_inference__is_nothing),
        cmocka_unit_test(dropout__streams__count_up),
        cmocka_unit_test(graph__printed__is_a_line_a_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
