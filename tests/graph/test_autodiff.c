/* Which backward nodes appear, and which must not. That their numbers are right is test_gradients.c. */
#include "graph/graph_test.h"

#define NHWC(n, h, w, c) shape_of(4, (int64_t)(n), (int64_t)(h), (int64_t)(w), (int64_t)(c))

static const graph_node *node_named(graph *g, const char *name)
{
    const node_id n = find_node(g, name);
    if (n == NO_NODE)
        fail_msg("no node %s", name);
    return graph_node_at(g, n);
}

static void differentiate__images__get_no_gradient(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", NHWC(2, 4, 4, 3));
    const value_id loss = new_loss(g, new_conv(g, "conv2", new_conv(g, "conv1", x, 4, 3, true), 4, 3, true));
    assert_ok(graph_differentiate(g, &(graph_loss){loss, 1}, 1, NO_VALUE, NULL));
    assert_int_equal(find_node(g, "conv1:dx"), NO_NODE);
    assert_int_equal(count_nodes(g, &op_conv2d_dx_def), 1);
    assert_int_equal(count_nodes(g, &op_conv2d_dw_def), 2);
    const graph_node *dw = node_named(g, "conv1:dw");
    assert_int_equal(dw->phase, PHASE_BACKWARD);
    assert_int_equal(dw->forward, find_node(g, "conv1"));
    const graph_value *grad = graph_value_at(g, dw->outputs[DW_WEIGHT]),
                      *w = graph_value_at(g, graph_find(g, "conv1.weight"));
    assert_int_equal(grad->kind, VALUE_GRAD);
    assert_int_equal(grad->param_offset, w->param_offset);
    assert_int_equal(dw->outputs[DW_BIAS], NO_VALUE);
    graph_free(g);
}

static void differentiate__frozen_part__costs_nothing(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", NHWC(2, 8, 8, 3));
    const pool_attr max = {.window = {2, 2}, .stride = {2, 2}, .is_max = true};
    value_id frozen = new_activation(g, "frozen.relu", new_batch_norm(g, "frozen.bn", x, true, false), ACT_RELU);
    assert_ok(op_pool(g, &frozen, "frozen.pool", frozen, &max));
    value_id y = new_activation(g, "relu", new_batch_norm(g, "bn", frozen, true, true), ACT_RELU);
    assert_ok(op_pool(g, &y, "max", y, &max));
    const value_id loss = new_loss(g, y);
    assert_ok(graph_fuse(g));
    assert_ok(graph_differentiate(g, &(graph_loss){loss, 1}, 1, NO_VALUE, NULL));
    assert_int_equal(count_nodes(g, &op_batch_norm_dx_def), 1);
    assert_int_equal(count_nodes(g, &op_pool_dx_def), 1);
    assert_int_equal(node_named(g, "frozen.bn")->outputs[BN_MASK], NO_VALUE);
    assert_int_equal(node_named(g, "frozen.pool")->outputs[1], NO_VALUE);
    assert_int_not_equal(node_named(g, "bn")->outputs[BN_MASK], NO_VALUE);
    assert_int_not_equal(node_named(g, "max")->outputs[1], NO_VALUE);
    assert_int_equal(node_named(g, "bn:dx")->outputs[BN_OUT_DX], NO_VALUE); /* nothing below it trains */
    graph_free(g);
}

static void differentiate__frozen_weight_with_trained_bias__writes_the_bias_alone(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", NHWC(2, 4, 4, 3));
    const value_id w = new_param(g, "w", NHWC(4, 3, 1, 1), false), b = new_param(g, "b", shape_of(1, 4L), true);
    const conv2d_attr attr = {.stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
    value_id y = NO_VALUE;
    assert_ok(op_conv2d(g, &y, "conv", x, w, b, &attr));
    const value_id loss = new_loss(g, y);
    assert_ok(graph_differentiate(g, &(graph_loss){loss, 1}, 1, NO_VALUE, NULL));
    const graph_node *dw = node_named(g, "conv:dw");
    assert_int_equal(dw->outputs[DW_WEIGHT], NO_VALUE);
    assert_int_equal(dw->outputs[DW_BIAS], graph_find(g, "b.grad"));
    assert_int_equal(graph_find(g, "w.grad"), NO_VALUE);
    graph_free(g);
}

static void differentiate__value_with_three_readers__sums_two_by_two(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", NHWC(2, 4, 4, 3)), y = new_conv(g, "conv", x, 4, 3, true);
    value_id z = new_add(g, "z1", new_activation(g, "a", y, ACT_SILU), new_activation(g, "b", y, ACT_SIGMOID));
    z = new_add(g, "z2", z, new_activation(g, "c", y, ACT_GELU));
    const value_id loss = new_loss(g, z);
    const int adds = count_nodes(g, &op_add_def);
    assert_ok(graph_differentiate(g, &(graph_loss){loss, 1}, 1, NO_VALUE, NULL));
    assert_int_equal(count_nodes(g, &op_add_def) - adds, 2);
    assert_int_equal(node_named(g, "conv:sum0")->phase, PHASE_BACKWARD);
    graph_free(g);
}

/* Values that do not lead to the loss are no part of backward. */
static void differentiate__side_branch__has_no_gradient(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", NHWC(2, 4, 4, 3)), y = new_conv(g, "conv", x, 4, 3, true);
    graph_mark_output(g, new_conv(g, "side", y, 4, 1, true));
    const value_id loss = new_loss(g, y);
    assert_ok(graph_differentiate(g, &(graph_loss){loss, 1}, 1, NO_VALUE, NULL));
    assert_int_equal(find_node(g, "side:dw"), NO_NODE);
    assert_int_equal(graph_find(g, "side.weight.grad"), NO_VALUE);
    graph_free(g);
}

static void differentiate__wanted_input__is_an_output(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", NHWC(2, 4, 4, 3));
    value_id dx = NO_VALUE;
    const value_id loss = new_loss(g, new_activation(g, "act", x, ACT_SILU));
    assert_ok(graph_differentiate(g, &(graph_loss){loss, 1}, 1, x, &dx));
    assert_int_equal(dx, node_named(g, "act:dx")->outputs[0]);
    assert_true(graph_value_at(g, dx)->is_output);
    graph_free(g);
}

static void differentiate__what_it_cannot__is_refused(void **state)
{
    (void)state;
    graph *g = new_graph(false);
    const value_id x = new_input(g, "x", NHWC(2, 4, 4, 3)), inference_loss = new_loss(g, x);
    assert_failure(graph_differentiate(g, &(graph_loss){inference_loss, 1}, 1, NO_VALUE, NULL), MIEN_ERR_ARG,
                   "gradient of an inference graph");
    graph_free(g);

    g = new_graph(true);
    const value_id z = new_input(g, "x", NHWC(2, 4, 4, 3)), other = new_input(g, "other", NHWC(2, 4, 4, 3));
    const value_id y = new_conv(g, "conv", z, 4, 3, true), loss = new_loss(g, y);
    assert_failure(graph_differentiate(g, &(graph_loss){y, 1}, 1, NO_VALUE, NULL), MIEN_ERR_ARG, "conv: not a loss");
    assert_failure(graph_differentiate(g, &(graph_loss){-5, 1}, 1, NO_VALUE, NULL), MIEN_ERR_ARG,
                   "no value of this graph");
    assert_failure(graph_differentiate(g, &(graph_loss){graph_find(g, "loss.1"), 1}, 1, NO_VALUE, NULL), MIEN_ERR_ARG,
                   "loss.1: not a loss");
    assert_failure(graph_differentiate(g, &(graph_loss){loss, 1}, 1, graph_find(g, "conv.weight"), NULL), MIEN_ERR_ARG,
                   "gradient of a parameter");
    assert_failure(graph_differentiate(g, &(graph_loss){loss, 1}, 1, 9999, NULL), MIEN_ERR_ARG,
                   "input_grad is no value");
    assert_failure(graph_differentiate(g, &(graph_loss){loss, 1}, 1, other, NULL), MIEN_ERR_ARG,
                   "other: the loss does not depend on it");
    assert_failure(graph_differentiate(g, &(graph_loss){loss, 1}, 1, NO_VALUE, NULL), MIEN_ERR_ARG,
                   "has gradients already");
    graph_free(g);
}

static void differentiate__nothing_trains__is_refused(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id logits = new_input(g, "logits", shape_of(2, 2L, 3L));
    value_id labels = NO_VALUE, loss = NO_VALUE, p = NO_VALUE;
    assert_ok(graph_input(g, &labels, "labels", DTYPE_I32, shape_of(1, 2L)));
    assert_ok(op_cross_entropy(g, &loss, &p, "loss", logits, labels, NO_VALUE, 0));
    assert_failure(graph_differentiate(g, &(graph_loss){loss, 1}, 1, NO_VALUE, NULL), MIEN_ERR_ARG,
                   "loss: depends on nothing that trains");
    graph_free(g);
}

static mien_status step_infer(graph *g, node_id n)
{
    return graph_add_output(g, n, DTYPE_F32, graph_value_at(g, graph_node_at(g, n)->inputs[0])->shape);
}

static const op_def step_def = {.name = "step", .infer = step_infer, .inplace_input = -1};

static void differentiate__through_an_operator_without_gradient__is_refused(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", shape_of(2, 2L, 3L)), w = new_param(g, "w", shape_of(2, 3L, 3L), true);
    value_id y = NO_VALUE, labels = NO_VALUE, loss = NO_VALUE, p = NO_VALUE;
    assert_ok(op_linear(g, &y, "fc", x, w, NO_VALUE, true));
    node_id n = NO_NODE;
    assert_ok(graph_add(g, &n, &step_def, "step_function", &y, 1, NULL, 0));
    y = graph_node_at(g, n)->outputs[0];
    assert_ok(graph_input(g, &labels, "labels", DTYPE_I32, shape_of(1, 2L)));
    assert_ok(op_cross_entropy(g, &loss, &p, "loss", y, labels, NO_VALUE, 0));
    assert_failure(graph_differentiate(g, &(graph_loss){loss, 1}, 1, NO_VALUE, NULL), MIEN_ERR_UNSUPPORTED,
                   "step_function: step has no gradient");
    graph_free(g);
}

/* The first reader (the last in order) writes the slice, the other a tensor that is added to it at once. */
static void differentiate__parameter_with_two_readers__adds_to_its_slice(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", NHWC(2, 4, 4, 4));
    value_id y = new_conv(g, "conv", x, 4, 3, true);
    const conv2d_attr attr = {
        .stride = {1, 1}, .pad_begin = {1, 1}, .pad_end = {1, 1}, .dilation = {1, 1}, .groups = 1};
    assert_ok(op_conv2d(g, &y, "again", y, graph_find(g, "conv.weight"), NO_VALUE, &attr));
    const value_id loss = new_loss(g, y);
    assert_ok(graph_differentiate(g, &(graph_loss){loss, 1}, 1, NO_VALUE, NULL));
    const value_id slice = graph_find(g, "conv.weight.grad"), part = node_named(g, "conv:dw")->outputs[DW_WEIGHT];
    assert_int_equal(node_named(g, "again:dw")->outputs[DW_WEIGHT], slice);
    assert_int_equal(graph_value_at(g, part)->kind, VALUE_TENSOR);
    const graph_node *sum = node_named(g, "conv.weight.grad:sum0");
    assert_ptr_equal(sum->op, &op_contribute_def);
    assert_int_equal(sum->phase, PHASE_BACKWARD);
    assert_int_equal(sum->inputs[0], slice);
    assert_int_equal(sum->inputs[1], part);
    assert_int_equal(sum->outputs[0], slice);
    assert_int_equal(count_nodes(g, &op_contribute_def), 1);
    graph_free(g);
}

static void differentiate__parameter_as_operand__begins_its_slice(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", NHWC(1, 2, 2, 4)), p = new_param(g, "position", NHWC(1, 2, 2, 4), true);
    const value_id loss = new_loss(g, new_add(g, "again", new_add(g, "add", x, p), p));
    assert_ok(graph_differentiate(g, &(graph_loss){loss, 1}, 1, NO_VALUE, NULL));
    const value_id slice = graph_find(g, "position.grad");
    assert_int_equal(graph_value_at(g, slice)->kind, VALUE_GRAD);
    assert_int_equal(node_named(g, "position:sum0")->inputs[0], NO_VALUE);
    assert_int_equal(node_named(g, "position:sum1")->inputs[0], slice);
    assert_int_equal(count_nodes(g, &op_contribute_def), 2);
    graph_free(g);
}

/* Two heads over one trunk. Weights other than 1 are nodes behind the losses' gradients; the trunk's meet in a sum. */
static void differentiate__two_losses__meet_in_the_trunk(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", NHWC(2, 4, 4, 3)), y = new_conv(g, "conv", x, 4, 3, true);
    value_id pooled = NO_VALUE, logits = NO_VALUE, labels = NO_VALUE, other = NO_VALUE, p = NO_VALUE;
    const value_id loss = new_loss(g, y);
    assert_ok(op_global_mean(g, &pooled, "other.pool", y));
    assert_ok(op_linear(g, &logits, "other.fc", pooled, new_param(g, "other.weight", shape_of(2, 5L, 4L), true),
                        NO_VALUE, true));
    assert_ok(graph_input(g, &labels, "other.labels", DTYPE_I32, shape_of(1, 2L)));
    assert_ok(op_cross_entropy(g, &other, &p, "other", logits, labels, NO_VALUE, 0));
    const graph_loss losses[] = {{loss, 1}, {other, 0.25f}};
    assert_ok(graph_differentiate(g, losses, 2, NO_VALUE, NULL));
    assert_int_equal(count_nodes(g, &op_multiply_def), 1);
    assert_int_equal(node_named(g, "other:weighed0")->inputs[0], node_named(g, "other:dx")->outputs[0]);
    assert_int_equal(node_named(g, "other.fc:dw")->inputs[1], node_named(g, "other:weighed0")->outputs[0]);
    assert_int_equal(node_named(g, "fc:dw")->inputs[1], node_named(g, "loss:dx")->outputs[0]);
    assert_int_equal(node_named(g, "conv:dw")->inputs[1], node_named(g, "conv:sum0")->outputs[0]);
    graph_free(g);
}

static void differentiate__losses_that_make_no_sense__are_refused(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id loss = new_loss(g, new_conv(g, "conv", new_input(g, "x", NHWC(2, 4, 4, 3)), 4, 3, true));
    const float infinite = 1e38f * 10;
    assert_failure(graph_differentiate(g, NULL, 0, NO_VALUE, NULL), MIEN_ERR_ARG, "no losses (wanted at least one");
    assert_failure(graph_differentiate(g, &(graph_loss){loss, 0}, 1, NO_VALUE, NULL), MIEN_ERR_ARG, "no losses");
    assert_failure(graph_differentiate(g, &(graph_loss){loss, infinite}, 1, NO_VALUE, NULL), MIEN_ERR_ARG,
                   "loss: weight inf (wanted a finite one)");
    graph_free(g);
}

/* A loss of weight 0 has no gradient; what depends on a loss does not lead back through it. */
static void differentiate__loss_of_weight_0__is_left_out(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", NHWC(2, 4, 4, 3)), y = new_conv(g, "conv", x, 4, 3, true);
    const value_id loss = new_loss(g, y), w = new_param(g, "other.weight", shape_of(2, 5L, 4L), true);
    value_id pooled = graph_find(g, "pool"), logits = NO_VALUE, labels = graph_find(g, "labels"), other = NO_VALUE;
    value_id p = NO_VALUE;
    assert_ok(op_linear(g, &logits, "other.fc", pooled, w, NO_VALUE, true));
    assert_ok(op_cross_entropy(g, &other, &p, "other", logits, labels, NO_VALUE, 0));
    assert_ok(graph_differentiate(g, (graph_loss[]){{loss, 1}, {other, 0}}, 2, NO_VALUE, NULL));
    assert_int_equal(find_node(g, "other:dx"), NO_NODE);
    assert_int_equal(graph_find(g, "other.weight.grad"), NO_VALUE);
    graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differentiate__images__get_no_gradient),
        cmocka_unit_test(differentiate__frozen_part__costs_nothing),
        cmocka_unit_test(differentiate__frozen_weight_with_trained_bias__writes_the_bias_alone),
        cmocka_unit_test(differentiate__value_with_three_readers__sums_two_by_two),
        cmocka_unit_test(differentiate__side_branch__has_no_gradient),
        cmocka_unit_test(differentiate__wanted_input__is_an_output),
        cmocka_unit_test(differentiate__what_it_cannot__is_refused),
        cmocka_unit_test(differentiate__nothing_trains__is_refused),
        cmocka_unit_test(differentiate__through_an_operator_without_gradient__is_refused),
        cmocka_unit_test(differentiate__parameter_with_two_readers__adds_to_its_slice),
        cmocka_unit_test(differentiate__parameter_as_operand__begins_its_slice),
        cmocka_unit_test(differentiate__two_losses__meet_in_the_trunk),
        cmocka_unit_test(differentiate__losses_that_make_no_sense__are_refused),
        cmocka_unit_test(differentiate__loss_of_weight_0__is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
