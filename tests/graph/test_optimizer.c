/* The update node: which parameters it moves, and what it does where a number is not finite. That its steps are
 * PyTorch's is test_pytorch.c. */
#include "graph/graph_test.h"

#include "graph/program.h"
#include "graph/reference_backend.h"

#include <math.h>

static const optimizer_attr sgd = {.kind = OPTIMIZER_SGD};

static value_id two_layers(graph *g, bool is_first_trained)
{
    const value_id x = new_input(g, "x", shape_of(4, 2L, 3L, 3L, 2L));
    value_id y = new_conv(g, "conv1", x, 3, 1, is_first_trained);
    return new_loss(g, new_conv(g, "conv2", y, 3, 1, true));
}

static const optimizer_attr *attr_of(graph *g)
{
    return graph_node_at(g, find_node(g, "optimizer"))->attr;
}

static void optimizer__ranges__are_merged_where_they_touch(void **state)
{
    (void)state;
    for (int is_first_trained = 0; is_first_trained < 2; is_first_trained++) {
        graph *g = new_graph(true);
        optimizer_attr attr = sgd;
        attr.loss = two_layers(g, is_first_trained);
        assert_ok(graph_differentiate(g, &(graph_loss){attr.loss, 1}, 1, NO_VALUE, NULL));
        assert_ok(op_optimizer(g, "optimizer", &attr));
        const optimizer_attr *full = attr_of(g);
        const node_id n = find_node(g, "optimizer");
        assert_int_equal(full->range_count, 1); /* conv1 6, conv2 9, fc 9 elements, side by side */
        assert_int_equal(full->ranges[0].offset, is_first_trained ? 0 : 6);
        assert_int_equal(full->ranges[0].count, is_first_trained ? 24 : 18);
        assert_int_equal(graph_node_at(g, n)->input_count, is_first_trained ? 5 : 4); /* step, gradients, loss */
        assert_int_equal(graph_node_at(g, n)->phase, PHASE_UPDATE);
        assert_int_equal(graph_value_at(g, graph_find(g, "conv1.weight"))->is_mutated, is_first_trained);
        assert_true(graph_value_at(g, graph_find(g, "fc.weight"))->is_mutated);
        graph_free(g);
    }
}

static void optimizer__gap_between_slices__stays(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", shape_of(4, 2L, 3L, 3L, 2L));
    value_id w = NO_VALUE, y = NO_VALUE;
    const conv2d_attr conv = {.stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
    assert_ok(graph_param(g, &w, "late", shape_of(4, 2L, 2L, 1L, 1L), 100, true));
    assert_ok(op_conv2d(g, &y, "conv", x, w, NO_VALUE, &conv));
    optimizer_attr attr = sgd;
    attr.loss = new_loss(g, y); /* fc.weight comes to lie at 104 */
    graph_value_at(g, graph_find(g, "fc.weight"))->param_offset = 16;
    assert_ok(graph_differentiate(g, &(graph_loss){attr.loss, 1}, 1, NO_VALUE, NULL));
    assert_ok(op_optimizer(g, "optimizer", &attr));
    const optimizer_attr *full = attr_of(g);
    assert_int_equal(full->range_count, 2);
    assert_int_equal(full->ranges[0].offset, 16);
    assert_int_equal(full->ranges[1].offset, 100);
    graph_free(g);
}

static void optimizer__what_makes_no_sense__is_refused(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    optimizer_attr attr = sgd;
    attr.loss = two_layers(g, true);
    assert_failure(op_optimizer(g, "optimizer", &attr), MIEN_ERR_ARG, "optimizer: no gradients (wanted graph_diff");
    assert_ok(graph_differentiate(g, &(graph_loss){attr.loss, 1}, 1, NO_VALUE, NULL));
    attr.momentum = 1;
    assert_failure(op_optimizer(g, "optimizer", &attr), MIEN_ERR_ARG, "optimizer: momentum 1");
    attr.momentum = 0, attr.weight_decay = NAN;
    assert_failure(op_optimizer(g, "optimizer", &attr), MIEN_ERR_ARG, "optimizer: weight decay nan");
    attr.weight_decay = 0, attr.kind = OPTIMIZER_ADAM;
    assert_failure(op_optimizer(g, "optimizer", &attr), MIEN_ERR_ARG, "optimizer: beta1 0, beta2 0, eps 0");
    attr.kind = OPTIMIZER_SGD, attr.loss = NO_VALUE;
    assert_failure(op_optimizer(g, "optimizer", &attr), MIEN_ERR_ARG, "optimizer: no loss");
    graph_free(g);
}

/* Trains on one batch; an infinity in the input stops the update, not the program. */
static void optimizer__number_that_is_not_finite__moves_nothing(void **state)
{
    (void)state;
    enum { COUNT = 24 };
    float values[COUNT], grads[COUNT], before[COUNT];
    const param_memory params = {.values = values, .grads = grads, .count = COUNT};
    backend *b = NULL;
    program *p = NULL;
    graph *g = new_graph(true);
    optimizer_attr attr = sgd;
    attr.loss = two_layers(g, true);
    const value_id x = graph_find(g, "x");
    assert_ok(graph_differentiate(g, &(graph_loss){attr.loss, 1}, 1, NO_VALUE, NULL));
    assert_ok(op_optimizer(g, "optimizer", &attr));
    assert_ok(reference_backend_create(&b, REFERENCE_STORED));
    assert_ok(program_create(&p, g, b, &params));
    for (int i = 0; i < COUNT; i++)
        values[i] = 0.1f * (float)(i % 7 - 3);
    float images[2 * 3 * 3 * 2], first, last;
    step_params step = {.lr = 0.5f, .step = 1};
    for (int i = 0; i < 2 * 3 * 3 * 2; i++)
        images[i] = (float)(i % 5) - 2;
    assert_ok(program_write(p, x, images));
    assert_ok(program_set_step(p, &step));
    assert_ok(program_run(p));
    assert_ok(program_read(p, attr.loss, &first));
    assert_ok(program_get_step(&step, p));
    assert_false(step.is_nonfinite);
    assert_true(step.gradient_norm > 0);
    for (int i = 0; i < 20; i++)
        assert_ok(program_run(p));
    assert_ok(program_read(p, attr.loss, &last));
    assert_true(last < first); /* it learns its batch */
    memcpy(before, values, sizeof values);
    images[3] = INFINITY;
    assert_ok(program_write(p, x, images));
    assert_ok(program_run(p));
    assert_ok(program_get_step(&step, p));
    assert_true(step.is_nonfinite);
    assert_memory_equal(before, values, sizeof values);
    images[3] = 0;
    assert_ok(program_write(p, x, images));
    assert_ok(program_run(p));
    assert_ok(program_get_step(&step, p));
    assert_false(step.is_nonfinite);
    assert_memory_not_equal(before, values, sizeof values);
    program_free(p);
    b->free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(optimizer__ranges__are_merged_where_they_touch),
        cmocka_unit_test(optimizer__gap_between_slices__stays),
        cmocka_unit_test(optimizer__what_makes_no_sense__is_refused),
        cmocka_unit_test(optimizer__number_that_is_not_finite__moves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
