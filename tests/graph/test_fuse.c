/* Fusing: which chains become one node, which must not, and that the numbers stay the same. */
#include "graph/graph_test.h"

#include "graph/compare.h"
#include "graph/program.h"
#include "graph/reference_backend.h"

#define NHWC(n, h, w, c) shape_of(4, (int64_t)(n), (int64_t)(h), (int64_t)(w), (int64_t)(c))

/* --- structure ---------------------------------------------------------------------------------------------------- */

static void fuse__in_training__batch_norm_takes_add_and_relu(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", NHWC(2, 4, 4, 8));
    value_id y = new_batch_norm(g, "bn", new_conv(g, "conv", x, 8, 3, true), true, true);
    y = new_activation(g, "relu", new_add(g, "add", x, y), ACT_RELU);
    assert_ok(graph_fuse(g));
    assert_int_equal(count_nodes(g, NULL), 2);
    const graph_node *bn = graph_node_at(g, find_node(g, "bn"));
    assert_int_equal(((const batch_norm_attr *)bn->attr)->act, ACT_RELU);
    assert_int_equal(bn->inputs[BN_RESIDUAL], x);
    assert_int_equal(bn->outputs[BN_Y], y); /* readers of relu's output need not know */
    assert_int_equal(graph_value_at(g, y)->producer, find_node(g, "bn"));
    graph_free(g);
}

static void fuse__residual_described_later__comes_before_the_fused_node(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", NHWC(2, 4, 4, 8));
    const value_id a = new_batch_norm(g, "bn", new_conv(g, "conv", x, 16, 3, true), true, true);
    const value_id b = new_batch_norm(g, "down.bn", new_conv(g, "down", x, 16, 1, true), true, true);
    const value_id y = new_activation(g, "relu", new_add(g, "add", a, b), ACT_RELU);
    graph_mark_output(g, y);
    assert_ok(graph_fuse(g));
    static const char *const wanted[] = {"conv", "down", "down.bn", "bn"};
    assert_int_equal(graph_order_count(g), 4);
    for (int i = 0; i < 4; i++)
        assert_string_equal(graph_node_at(g, graph_order_at(g, i))->name, wanted[i]);
    assert_int_equal(graph_node_at(g, find_node(g, "bn"))->inputs[BN_RESIDUAL], b);
    graph_free(g);
}

static void fuse__inner_value_read_twice_or_wanted__stays(void **state)
{
    (void)state;
    for (int is_output = 0; is_output < 2; is_output++) {
        graph *g = new_graph(true);
        const value_id x = new_input(g, "x", NHWC(2, 4, 4, 8));
        const value_id a = new_batch_norm(g, "bn", x, true, true);
        value_id y = new_activation(g, "relu", a, ACT_RELU);
        if (is_output)
            graph_mark_output(g, a);
        else
            y = new_add(g, "again", y, a);
        const int nodes = count_nodes(g, NULL);
        assert_ok(graph_fuse(g));
        assert_int_equal(count_nodes(g, NULL), nodes);
        graph_free(g);
    }
}

static void fuse__add_to_itself_and_other_activations__stay(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", NHWC(2, 4, 4, 8));
    const value_id a = new_batch_norm(g, "bn", x, true, true);
    const value_id b = new_batch_norm(g, "bn2", new_add(g, "double", a, a), true, true);
    new_activation(g, "gelu", b, ACT_GELU);
    assert_ok(graph_fuse(g));
    assert_int_equal(count_nodes(g, NULL), 4);
    graph_free(g);
}

static void fuse__in_inference__conv2d_takes_all(void **state)
{
    (void)state;
    graph *g = new_graph(false);
    const value_id x = new_input(g, "x", NHWC(2, 4, 4, 8));
    value_id y = new_batch_norm(g, "bn1", new_conv(g, "conv1", x, 8, 3, true), false, true);
    y = new_batch_norm(g, "bn2", new_conv(g, "conv2", new_activation(g, "silu", y, ACT_SILU), 8, 1, true), false, true);
    y = new_activation(g, "relu", new_add(g, "add", y, x), ACT_RELU);
    assert_ok(graph_fuse(g));
    assert_int_equal(count_nodes(g, NULL), 2);
    const conv2d_attr *first = graph_node_at(g, find_node(g, "conv1"))->attr;
    const graph_node *conv2 = graph_node_at(g, find_node(g, "conv2"));
    const conv2d_attr *second = conv2->attr;
    assert_true(first->is_folded && second->is_folded);
    assert_int_equal(first->act, ACT_SILU);
    assert_int_equal(second->act, ACT_RELU);
    assert_int_equal(conv2->inputs[CONV_RESIDUAL], x);
    assert_int_equal(conv2->inputs[CONV_GAMMA], graph_find(g, "bn2.weight"));
    assert_int_equal(conv2->inputs[CONV_VAR], graph_find(g, "bn2.running_var"));
    assert_int_equal(conv2->outputs[0], y);
    graph_free(g);
}

/* In a training graph: what is frozen folds, what trains does not, and neither does a residual that trains. */
static void fuse__frozen_part_of_training__folds(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", NHWC(2, 4, 4, 8));
    value_id frozen = new_batch_norm(g, "bn1", new_conv(g, "conv1", x, 8, 3, false), false, false);
    frozen = new_activation(g, "silu", frozen, ACT_SILU);
    const value_id batch = new_batch_norm(g, "bn2", new_conv(g, "conv2", x, 8, 3, false), true, false);
    const value_id trained = new_batch_norm(g, "bn3", new_conv(g, "conv3", x, 8, 3, true), false, true);
    const value_id gamma = new_batch_norm(g, "bn4", new_conv(g, "conv4", x, 8, 3, false), false, true);
    value_id y = new_batch_norm(g, "bn5", new_conv(g, "conv5", x, 8, 3, false), false, false);
    y = new_activation(g, "relu", new_add(g, "mixed", y, trained), ACT_RELU);
    new_add(g, "all", new_add(g, "some", frozen, batch), new_add(g, "others", y, gamma));
    assert_ok(graph_fuse(g));
    static const bool is_folded[] = {true, false, false, false, true};
    for (int i = 0; i < 5; i++) {
        char name[8] = {'c', 'o', 'n', 'v', (char)('1' + i)};
        assert_int_equal(((const conv2d_attr *)graph_node_at(g, find_node(g, name))->attr)->is_folded, is_folded[i]);
    }
    const graph_node *conv1 = graph_node_at(g, find_node(g, "conv1")), *conv5 = graph_node_at(g, find_node(g, "conv5"));
    assert_int_equal(conv1->outputs[0], frozen);
    assert_int_equal(conv5->inputs[CONV_RESIDUAL], NO_VALUE);
    assert_int_equal(count_nodes(g, &op_add_def), 1); /* the others are batch norms' residuals */
    const graph_node *bn3 = graph_node_at(g, find_node(g, "bn3"));
    assert_int_equal(((const batch_norm_attr *)bn3->attr)->act, ACT_RELU);
    assert_int_equal(bn3->inputs[BN_RESIDUAL], conv5->outputs[0]);
    graph_free(g);
}

static void fuse__convolution_read_twice__leaves_batch_norm_its_own_chain(void **state)
{
    (void)state;
    graph *g = new_graph(false);
    const value_id x = new_input(g, "x", NHWC(2, 4, 4, 8)), c = new_conv(g, "conv", x, 8, 3, true);
    const value_id y = new_activation(g, "relu", new_batch_norm(g, "bn", c, false, true), ACT_RELU);
    new_add(g, "add", y, c);
    assert_ok(graph_fuse(g));
    assert_int_equal(count_nodes(g, NULL), 3);
    assert_false(((const conv2d_attr *)graph_node_at(g, find_node(g, "conv"))->attr)->is_folded);
    assert_int_equal(((const batch_norm_attr *)graph_node_at(g, find_node(g, "bn"))->attr)->act, ACT_RELU);
    graph_free(g);
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

/* A residual block with squeeze-excite: every kind of chain, running statistics throughout. */
static value_id describe_block(graph *g, value_id x)
{
    value_id y = new_batch_norm(g, "bn1", new_conv(g, "conv1", x, 8, 3, true), false, true);
    y = new_activation(g, "silu", y, ACT_SILU);
    value_id s = NO_VALUE;
    assert_ok(op_global_mean(g, &s, "mean", y));
    assert_ok(op_scale(g, &y, "scale", y, new_activation(g, "gate", s, ACT_SIGMOID)));
    y = new_batch_norm(g, "bn2", new_conv(g, "conv2", y, 6, 1, true), false, true);
    value_id down = new_batch_norm(g, "down.bn", new_conv(g, "down", x, 6, 1, true), false, true);
    return new_activation(g, "relu", new_add(g, "add", y, down), ACT_RELU);
}

typedef struct {
    param_memory params;
    double y[2 * 5 * 4 * 6]; /* REFERENCE_EXACT: rounding plays no part */
} block_run;

static float number(size_t i)
{
    return (float)((i * 2654435761u) % 1000) / 500 - 1;
}

/* Runs the block as a training or an inference graph, fused or as described. */
static void run_block(block_run *r, bool is_training, bool is_fused)
{
    graph *g = new_graph(is_training);
    backend *b = NULL;
    program *p = NULL;
    const value_id x = new_input(g, "x", NHWC(2, 5, 4, 3)), y = describe_block(g, x);
    graph_mark_output(g, y);
    if (is_fused)
        assert_ok(graph_fuse(g));
    assert_ok(reference_backend_create(&b, REFERENCE_EXACT));
    assert_ok(program_create(&p, g, b, &r->params));
    float input[2 * 5 * 4 * 3];
    for (size_t i = 0; i < sizeof input / sizeof *input; i++)
        input[i] = number(i + 7);
    assert_ok(program_write(p, x, input));
    assert_ok(program_run(p));
    memcpy(r->y, reference_tensor(b, y), sizeof r->y);
    program_free(p);
    b->free(b);
}

static void fuse__of_a_block__changes_no_number(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    static float values[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        values[i] = 1.5f + number(i); /* above 0: running variances are among them */
    block_run described = {.params = {.values = values, .count = COUNT}}, r = described;
    run_block(&described, true, false);
    /* the same sums in another order: a few units in the last place of a double */
    const tolerance same = {.relative = 1e-13, .absolute = 1e-13};
    run_block(&r, true, true);
    assert_true(compare_doubles("training graph, fused", r.y, described.y, 2 * 5 * 4 * 6, same));
    run_block(&r, false, true);
    assert_true(compare_doubles("inference graph, folded", r.y, described.y, 2 * 5 * 4 * 6, same));
    run_block(&r, false, false);
    assert_true(compare_doubles("inference graph, as described", r.y, described.y, 2 * 5 * 4 * 6, same));
    values[3] *= 1.0001f;
    run_block(&r, false, true);
    assert_false(compare_doubles("one weight moved (this must differ)", r.y, described.y, 2 * 5 * 4 * 6, same));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fuse__in_training__batch_norm_takes_add_and_relu),
        cmocka_unit_test(fuse__residual_described_later__comes_before_the_fused_node),
        cmocka_unit_test(fuse__inner_value_read_twice_or_wanted__stays),
        cmocka_unit_test(fuse__add_to_itself_and_other_activations__stay),
        cmocka_unit_test(fuse__in_inference__conv2d_takes_all),
        cmocka_unit_test(fuse__frozen_part_of_training__folds),
        cmocka_unit_test(fuse__convolution_read_twice__leaves_batch_norm_its_own_chain),
        cmocka_unit_test(fuse__of_a_block__changes_no_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
