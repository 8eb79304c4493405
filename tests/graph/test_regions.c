/* Operators of regions: what does not fit is told in one line, and what orthogonal gives is orthogonal. That their
 * numbers are right is in op_cases_regions.c's table and in test_pytorch.c, where each region is a convolution of its
 * own. */
#include "graph/graph_test.h"

#include "graph/program.h"
#include "graph/reference_backend.h"

#include <math.h>

static void regions__what_does_not_fit__is_refused(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id products = new_input(g, "products", shape_of(4, 2L, 3L, 4L, 54L));
    const value_id attention = new_input(g, "attention", shape_of(4, 2L, 3L, 4L, 3L));
    const value_id other = new_input(g, "other", shape_of(4, 2L, 4L, 3L, 3L));
    const value_id five = new_input(g, "five", shape_of(4, 2L, 3L, 4L, 5L));
    const value_id bias = new_param(g, "bias", shape_of(1, 5L), true), rows = new_input(g, "rows", shape_of(2, 4L, 6L));
    const value_id w = new_param(g, "w", shape_of(2, 4L, 3L), true);
    value_id y = NO_VALUE;
    assert_failure(op_roi_embed(g, &y, "e", rows, attention, NO_VALUE), MIEN_ERR_SHAPE,
                   "e: products is [4, 6] (wanted 4 dimensions)");
    assert_failure(op_roi_embed(g, &y, "e", products, other, NO_VALUE), MIEN_ERR_SHAPE,
                   "e: attention is [2, 4, 3, 3] (wanted [2, 3, 4, 3])");
    assert_failure(op_roi_embed(g, &y, "e", products, five, NO_VALUE), MIEN_ERR_SHAPE,
                   "e: products have 54 channels (wanted 9 taps of 5 regions)");
    assert_failure(op_roi_embed(g, &y, "e", products, attention, bias), MIEN_ERR_SHAPE, "e: bias is [5] (wanted [6])");
    assert_failure(op_group_linear(g, &y, "l", rows, w, NO_VALUE, &(group_linear_attr){.groups = 4}), MIEN_ERR_SHAPE,
                   "l: input has 6 features, weight [4, 3] (wanted 4 groups of both)");
    assert_failure(op_group_linear(g, &y, "l", rows, w, NO_VALUE, &(group_linear_attr){0}), MIEN_ERR_SHAPE,
                   "(wanted 0 groups of both)");
    assert_failure(op_group_linear(g, &y, "l", rows, w, bias, &(group_linear_attr){.groups = 2}), MIEN_ERR_SHAPE,
                   "l: bias is [5] (wanted [4])");
    assert_failure(op_orthogonal(g, &y, "o", w), MIEN_ERR_SHAPE,
                   "o: input is [4, 3] (wanted square matrices, one below another)");
    graph_free(g);
}

/* However far what is learned is from it. */
static void orthogonal__of_any_matrix__is_orthogonal(void **state)
{
    (void)state;
    enum { GROUPS = 3, D = 5, COUNT = GROUPS * D * D };
    float values[COUNT];
    const param_memory params = {.values = values, .count = COUNT};
    graph *g = new_graph(false);
    backend *b = NULL;
    program *p = NULL;
    const value_id w = new_param(g, "w", shape_of(2, (int64_t)(GROUPS * D), (int64_t)D), true);
    const value_id x = new_input(g, "x", shape_of(2, (int64_t)D, (int64_t)(GROUPS * D)));
    value_id y = NO_VALUE, turned = NO_VALUE;
    for (int i = 0; i < COUNT; i++)
        values[i] = 20 * sinf((float)(i * i));
    assert_ok(op_orthogonal(g, &y, "o", w));
    graph_mark_output(g, y);
    assert_ok(op_group_linear(g, &turned, "y", x, y, NO_VALUE, &(group_linear_attr){.groups = GROUPS}));
    graph_mark_output(g, turned);
    assert_ok(reference_backend_create(&b, REFERENCE_EXACT));
    assert_ok(program_create(&p, g, b, &params));
    assert_ok(program_run(p));
    const double *t = reference_tensor(b, y);
    for (int i = 0; i < GROUPS * D * D; i++) {
        const double *m = t + i / (D * D) * D * D;
        double product = 0;
        for (int k = 0; k < D; k++)
            product += m[k * D + i / D % D] * m[k * D + i % D];
        assert_true(fabs(product - (i / D % D == i % D)) < 1e-12);
    }
    program_free(p);
    b->free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regions__what_does_not_fit__is_refused),
        cmocka_unit_test(orthogonal__of_any_matrix__is_orthogonal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
