/* matmul: y[m] = A[m] B[m], with A = a, or a transposed, and B likewise.
 *
 * dA = dy B^T, dB = A^T dy, each as a lies or b: the operator itself.
 * PyTorch: torch.bmm(a, b), of a.transpose(1, 2) or b.transpose(1, 2) where they are transposed. */
#include "graph/op/rule.h"

#include <inttypes.h>

enum { MATMUL_A, MATMUL_B };

static mien_status matmul_infer(graph *g, node_id n)
{
    const matmul_attr *attr = graph_node_at(g, n)->attr;
    TRY(want_float(g, n, MATMUL_A, "first input"));
    TRY(want_rank(g, n, MATMUL_A, "first input", 3));
    TRY(want_rank(g, n, MATMUL_B, "second input", 3));
    TRY(want_type(g, n, MATMUL_B, "second input", input_of(g, n, MATMUL_A)->type));
    const shape a = input_of(g, n, MATMUL_A)->shape, b = input_of(g, n, MATMUL_B)->shape;
    const int64_t k = a.dim[attr->is_a_transposed ? 1 : 2], b_k = b.dim[attr->is_b_transposed ? 2 : 1];
    if (a.dim[0] != b.dim[0] || k != b_k)
        return mien_fail(MIEN_ERR_SHAPE,
                         "%" PRId64 " products over %" PRId64 " (wanted %" PRId64 " over %" PRId64
                         " as in the first input)",
                         b.dim[0], b_k, a.dim[0], k);
    return graph_add_output(
        g, n, input_of(g, n, MATMUL_A)->type,
        shape_of(3, a.dim[0], a.dim[attr->is_a_transposed ? 2 : 1], b.dim[attr->is_b_transposed ? 1 : 2]));
}

static mien_status matmul_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    const graph_node *node = graph_node_at(g, n);
    const matmul_attr *attr = node->attr;
    const value_id a = node->inputs[MATMUL_A], b = node->inputs[MATMUL_B], dy = out_grads[0];
    const matmul_attr plain_a = {false, !attr->is_b_transposed}, turned_a = {attr->is_b_transposed, true};
    const matmul_attr plain_b = {!attr->is_a_transposed, false}, turned_b = {true, attr->is_a_transposed};
    if (needs[MATMUL_A] && !attr->is_a_transposed) /* dy B^T */
        TRY(op_append_backward(g, &in_grads[MATMUL_A], &op_matmul_def, n, "da", (value_id[]){dy, b}, 2, &plain_a,
                               sizeof plain_a));
    if (needs[MATMUL_A] && attr->is_a_transposed) /* B dy^T */
        TRY(op_append_backward(g, &in_grads[MATMUL_A], &op_matmul_def, n, "da", (value_id[]){b, dy}, 2, &turned_a,
                               sizeof turned_a));
    if (needs[MATMUL_B] && !attr->is_b_transposed) /* A^T dy */
        TRY(op_append_backward(g, &in_grads[MATMUL_B], &op_matmul_def, n, "db", (value_id[]){a, dy}, 2, &plain_b,
                               sizeof plain_b));
    if (needs[MATMUL_B] && attr->is_b_transposed) /* dy^T A */
        TRY(op_append_backward(g, &in_grads[MATMUL_B], &op_matmul_def, n, "db", (value_id[]){dy, a}, 2, &turned_b,
                               sizeof turned_b));
    return MIEN_OK;
}

static double matmul_flops(graph *g, node_id n)
{
    const matmul_attr *attr = graph_node_at(g, n)->attr;
    return 2.0 * (double)shape_count(&output_of(g, n, 0)->shape) *
           (double)input_of(g, n, MATMUL_A)->shape.dim[attr->is_a_transposed ? 1 : 2];
}

static mien_status matmul_print(const graph_node *node, str *out)
{
    const matmul_attr *attr = node->attr;
    return str_printf(out, "%s%s", attr->is_a_transposed ? " a^T" : "", attr->is_b_transposed ? " b^T" : "");
}

const op_def op_matmul_def = {.name = "matmul",
                              .infer = matmul_infer,
                              .grad = matmul_grad,
                              .inplace_input = -1,
                              .flops = matmul_flops,
                              .print = matmul_print};

mien_status op_matmul(graph *g, value_id *y, const char *name, value_id a, value_id b, const matmul_attr *attr)
{
    return op_append(g, y, &op_matmul_def, name, (value_id[]){a, b}, 2, attr, sizeof *attr);
}
