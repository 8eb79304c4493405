/* Operators of heads and their losses: what does not fit is told in one line, and what a mask hides is not read. That
 * their numbers are right is in op_cases.c's table. */
#include "graph/graph_test.h"

#include "graph/exec/program_int.h"
#include "graph/reference_backend.h"

#include <math.h>

static void heads__what_does_not_fit__is_refused(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", shape_of(3, 2L, 3L, 4L)), row = new_input(g, "row", shape_of(2, 2L, 3L));
    const float numbers[1] = {1};
    value_id y = NO_VALUE;
    assert_failure(op_mul(g, &y, "m", x, row), MIEN_ERR_SHAPE, "m: second input is [2, 3] (wanted [2, 3, 4])");
    assert_failure(op_matmul(g, &y, "m", x, row, &(matmul_attr){0}), MIEN_ERR_SHAPE, "m: second input is [2, 3]");
    assert_failure(op_matmul(g, &y, "m", x, x, &(matmul_attr){0}), MIEN_ERR_SHAPE,
                   "m: 2 products over 3 (wanted 2 over 4 as in the first input)");
    assert_failure(op_constant(g, &y, "k", DTYPE_I32, shape_of(1, 1L), numbers), MIEN_ERR_ARG, "k: type i32");
    assert_failure(op_constant(g, &y, "k", DTYPE_F32, shape_of(1, 0L), numbers), MIEN_ERR_SHAPE, "k: ");
    assert_failure(op_cast(g, &y, "c", x, DTYPE_U8), MIEN_ERR_ARG, "c: to u8 (wanted f32 or bf16)");
    assert_failure(op_reshape(g, &y, "r", x, shape_of(2, 5L, 5L)), MIEN_ERR_SHAPE,
                   "r: [2, 3, 4] as [5, 5] (wanted as many elements)");
    assert_failure(op_transpose(g, &y, "t", x, (const int[]){0, 2, 2}), MIEN_ERR_SHAPE,
                   "t: dimension 2 from 2 (wanted each of 3 once)");
    assert_failure(op_slice(g, &y, "s", x, 3, 0, 1), MIEN_ERR_SHAPE, "s: axis 3 (wanted one of 3)");
    assert_failure(op_slice(g, &y, "s", x, 1, 2, 2), MIEN_ERR_SHAPE, "s: elements 2 to 4 (wanted some of 3)");
    assert_failure(op_slice(g, &y, "s", x, 1, -1, 2), MIEN_ERR_SHAPE, "s: elements -1 to 1 (wanted some of 3)");
    assert_failure(op_repeat(g, &y, "r", x, 0), MIEN_ERR_SHAPE, "r: 0 times 3 dimensions");
    assert_failure(op_token_mean(g, &y, "mean", row), MIEN_ERR_SHAPE, "mean: input is no tokens");
    assert_failure(op_multiply(g, &y, "f", x, NAN), MIEN_ERR_ARG, "f: factor nan (wanted a finite one)");
    assert_ok(op_cast(g, &y, "same", x, DTYPE_F32));
    assert_int_equal(y, x);
    graph_free(g);
}

static void losses__what_does_not_fit__is_refused(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", shape_of(2, 4L, 3L)), other = new_input(g, "other", shape_of(2, 4L, 2L));
    const value_id three = new_input(g, "three", shape_of(3, 1L, 4L, 3L)), w = new_input(g, "w", shape_of(1, 2L));
    const regression_attr squared = {.kind = REGRESSION_SQUARED}, smooth = {.kind = REGRESSION_SMOOTH_L1};
    value_id loss = NO_VALUE, p = NO_VALUE, labels = NO_VALUE, mask = NO_VALUE;
    assert_ok(graph_input(g, &labels, "labels", DTYPE_I32, shape_of(1, 4L)));
    assert_ok(graph_input(g, &mask, "mask", DTYPE_U8, shape_of(1, 3L)));
    assert_failure(op_regression(g, &loss, "l", x, other, NO_VALUE, &squared), MIEN_ERR_SHAPE,
                   "l: target is [4, 2] (wanted [4, 3])");
    assert_failure(op_regression(g, &loss, "l", x, x, x, &squared), MIEN_ERR_SHAPE, "l: mask is f32 (wanted u8)");
    assert_failure(op_regression(g, &loss, "l", x, x, mask, &squared), MIEN_ERR_SHAPE,
                   "l: mask is [3] (wanted [4, 3])");
    assert_failure(op_regression(g, &loss, "l", x, x, NO_VALUE, &smooth), MIEN_ERR_ARG, "l: beta 0 (wanted above 0)");
    assert_failure(op_binary_cross_entropy(g, &loss, "b", x, x, w, NO_VALUE), MIEN_ERR_SHAPE,
                   "b: positive weights is [2] (wanted [3])");
    assert_failure(op_ccc(g, &loss, "c", three, three, NO_VALUE), MIEN_ERR_SHAPE,
                   "c: prediction is [1, 4, 3] (wanted 2");
    assert_failure(op_cross_entropy_masked(g, &loss, &p, "e", x, labels, NO_VALUE, mask, 0), MIEN_ERR_SHAPE,
                   "e: mask is [3] (wanted [4])");
    assert_failure(op_cross_entropy_masked(g, &loss, &p, "e", x, x, NO_VALUE, mask, 0), MIEN_ERR_SHAPE,
                   "e: labels of a mask is f32 (wanted i32)");
    assert_failure(op_total(g, &loss, "t", NULL, 0), MIEN_ERR_ARG, "t: no losses");
    assert_failure(op_total(g, &loss, "t", (graph_loss[]){{x, 1}}, 1), MIEN_ERR_SHAPE, "t: loss 0 is [4, 3]");
    graph_free(g);
}

/* A loss as an operand of another is none of the losses. */
static void losses__loss_as_operand__is_refused(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", shape_of(2, 4L, 3L)), w = new_param(g, "w", shape_of(2, 3L, 3L), true);
    const regression_attr squared = {.kind = REGRESSION_SQUARED};
    value_id y = NO_VALUE, inner = NO_VALUE, outer = NO_VALUE;
    assert_ok(op_linear(g, &y, "fc", x, w, NO_VALUE, true));
    assert_ok(op_regression(g, &inner, "inner", y, x, NO_VALUE, &squared));
    assert_ok(op_regression(g, &outer, "outer", inner, inner, NO_VALUE, &squared));
    assert_failure(graph_differentiate(g, &(graph_loss){outer, 1}, 1, NO_VALUE, NULL), MIEN_ERR_UNSUPPORTED,
                   "inner: a loss as an operand (wanted it among the losses)");
    graph_free(g);
}

enum { ROWS = 3, COLUMNS = 2 };

/* Losses of y = x w under one mask, with their total. */
static void masked__numbers_that_are_not_finite__do_not_matter(void **state)
{
    (void)state;
    float values[4] = {1, 0.5f, -0.25f, 2}, grads[4];
    const param_memory params = {.values = values, .grads = grads, .count = 4};
    graph *g = new_graph(true);
    const value_id x = new_input(g, "x", shape_of(2, (int64_t)ROWS, (int64_t)COLUMNS));
    const value_id w = new_param(g, "w", shape_of(2, 2L, 2L), true);
    const value_id t = new_input(g, "t", shape_of(2, (int64_t)ROWS, (int64_t)COLUMNS));
    const regression_attr squared = {.kind = REGRESSION_SQUARED};
    value_id y = NO_VALUE, mask = NO_VALUE, labels = NO_VALUE, rows = NO_VALUE, loss[4], p = NO_VALUE, total = NO_VALUE;
    assert_ok(op_linear(g, &y, "fc", x, w, NO_VALUE, true));
    assert_ok(graph_input(g, &mask, "mask", DTYPE_U8, shape_of(2, (int64_t)ROWS, (int64_t)COLUMNS)));
    assert_ok(graph_input(g, &labels, "labels", DTYPE_I32, shape_of(1, (int64_t)ROWS)));
    assert_ok(graph_input(g, &rows, "rows", DTYPE_U8, shape_of(1, (int64_t)ROWS)));
    assert_ok(op_regression(g, &loss[0], "squared", y, t, mask, &squared));
    assert_ok(op_binary_cross_entropy(g, &loss[1], "binary", y, t, NO_VALUE, mask));
    assert_ok(op_ccc(g, &loss[2], "ccc", y, t, mask));
    assert_ok(op_cross_entropy_masked(g, &loss[3], &p, "classes", y, labels, NO_VALUE, rows, 0.1f));
    const graph_loss losses[] = {{loss[0], 1}, {loss[1], 2}, {loss[2], 1}, {loss[3], 0.5f}};
    assert_ok(op_total(g, &total, "total", losses, 4));
    graph_mark_output(g, total);
    for (int i = 0; i < 4; i++)
        graph_mark_output(g, loss[i]);
    assert_ok(graph_differentiate(g, losses, 4, NO_VALUE, NULL));
    const value_id dy = graph_find(g, "squared:dx");
    graph_mark_output(g, dy);
    backend *b = NULL;
    program *run = NULL;
    assert_ok(reference_backend_create(&b, REFERENCE_STORED));
    assert_ok(program_create(&run, g, b, &params));
    float targets[ROWS * COLUMNS], pictures[ROWS * COLUMNS], dys[ROWS * COLUMNS], value;
    uint8_t is_present[ROWS * COLUMNS], is_row[ROWS];
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        pictures[i] = 0.5f * (float)(i % 5 - 2);
        targets[i] = (float)(i % 2);
        is_present[i] = i >= COLUMNS;
    }
    memset(is_row, 1, ROWS);
    is_row[0] = 0;
    targets[0] = NAN, targets[1] = INFINITY;
    assert_ok(program_write(run, t, targets));
    assert_ok(program_write(run, x, pictures));
    assert_ok(program_write(run, mask, is_present));
    assert_ok(program_write(run, rows, is_row));
    assert_ok(program_write(run, labels, (int32_t[ROWS]){0, 1, 0}));
    assert_ok(program_run(run));
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        assert_ok(program_read(run, loss[i], &value));
        assert_true(isfinite(value) && value > 0);
        sum += (double)losses[i].weight * (double)value;
    }
    assert_ok(program_read(run, total, &value));
    assert_true(fabs(sum - (double)value) < 1e-6);
    assert_ok(program_read(run, dy, dys));
    assert_true(dys[0] == 0 && dys[2] != 0);
    for (int i = 0; i < 4; i++)
        assert_true(isfinite(grads[i]) && grads[i] != 0);
    memset(is_present, 0, ROWS * COLUMNS);
    memset(is_row, 0, ROWS);
    assert_ok(program_write(run, mask, is_present));
    assert_ok(program_write(run, rows, is_row));
    assert_ok(program_run(run));
    assert_ok(program_read(run, total, &value));
    assert_true(value == 0);
    for (int i = 0; i < 4; i++)
        assert_true(grads[i] == 0);
    program_free(run);
    b->free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads__what_does_not_fit__is_refused),
        cmocka_unit_test(losses__what_does_not_fit__is_refused),
        cmocka_unit_test(losses__loss_as_operand__is_refused),
        cmocka_unit_test(masked__numbers_that_are_not_finite__do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
