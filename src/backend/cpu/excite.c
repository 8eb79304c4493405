/* Squeeze-excite as one node: mean, squeeze, SiLU, excite, sigmoid, scale, one after another in scratch that no other
 * node sees. Each step is the kernel that its operator has alone, so the numbers are the same bits. */
#include "backend/cpu/cpu_int.h"
#include "backend/cpu/kernel/channels.h"
#include "backend/cpu/kernel/linear.h"
#include "backend/cpu/kernel/pointwise.h"

enum { EXCITE_X, EXCITE_W1, EXCITE_B1, EXCITE_W2, EXCITE_B2, EXCITE_INPUTS };

static mien_status excite_infer(graph *g, node_id n)
{
    const graph_value *x = graph_value_at(g, graph_node_at(g, n)->inputs[EXCITE_X]);
    return graph_add_output(g, n, x->type, x->shape);
}

static double excite_flops(graph *g, node_id n)
{
    const graph_node *node = graph_node_at(g, n);
    const shape *x = &graph_value_at(g, node->inputs[EXCITE_X])->shape;
    const shape *w = &graph_value_at(g, node->inputs[EXCITE_W1])->shape;
    return 4.0 * (double)x->dim[0] * (double)w->dim[0] * (double)w->dim[1];
}

const op_def excite_def = {.name = "squeeze_excite", .infer = excite_infer, .flops = excite_flops, .inplace_input = -1};

/* --- match -------------------------------------------------------------------------------------------------------- */

/* The next node of the chain: the only reader of the one before, and such an operator. */
static bool follow(graph *g, node_group *out, const op_def *op)
{
    const node_id next = graph_only_consumer(g, graph_node_at(g, out->nodes[out->count - 1])->outputs[0]);
    if (next == NO_NODE || graph_node_at(g, next)->op != op)
        return false;
    out->nodes[out->count++] = next;
    return true;
}

static bool is_activation(graph *g, node_id n, activation_kind kind)
{
    return ((const activation_attr *)graph_node_at(g, n)->attr)->kind == kind;
}

/* Are these products our own kernel's, the first as its weights lie, the second with them transposed? */
static bool are_small(graph *g, node_id squeeze, node_id excite)
{
    const graph_node *a = graph_node_at(g, squeeze), *b = graph_node_at(g, excite);
    const shape *w = &graph_value_at(g, a->inputs[1])->shape;
    return linear_is_small(g, squeeze) && linear_is_small(g, excite) && w->dim[0] < w->dim[1] &&
           !graph_value_at(g, a->inputs[1])->is_mutated && !graph_value_at(g, b->inputs[1])->is_mutated;
}

bool excite_match(graph *g, node_id n, node_group *out)
{
    enum { MEAN, SQUEEZE, SILU, EXCITE, SIGMOID, SCALE };
    if (graph_node_at(g, n)->op != &op_global_mean_def)
        return false;
    *out = (node_group){.nodes = {n}, .count = 1, .op = &excite_def};
    if (!follow(g, out, &op_linear_def) || !follow(g, out, &op_activation_def) || !follow(g, out, &op_linear_def) ||
        !follow(g, out, &op_activation_def) || !follow(g, out, &op_scale_def))
        return false;
    const graph_node *mean = graph_node_at(g, n), *scale = graph_node_at(g, out->nodes[SCALE]);
    const value_id *first = graph_node_at(g, out->nodes[SQUEEZE])->inputs;
    const value_id *second = graph_node_at(g, out->nodes[EXCITE])->inputs;
    const value_id inputs[EXCITE_INPUTS] = {mean->inputs[0], first[1], first[2], second[1], second[2]};
    out->input_count = EXCITE_INPUTS;
    for (int i = 0; i < EXCITE_INPUTS; i++)
        out->inputs[i] = inputs[i];
    return scale->inputs[0] == mean->inputs[0] && is_activation(g, out->nodes[SILU], ACT_SILU) &&
           is_activation(g, out->nodes[SIGMOID], ACT_SIGMOID) && are_small(g, out->nodes[SQUEEZE], out->nodes[EXCITE]);
}

/* --- prepare ------------------------------------------------------------------------------------------------------ */

/* x [n, hw, c]; where things lie in scratch: means and then scales [n, c], the squeezed [n, s], and what the steps
 * themselves want. */
typedef struct {
    int64_t n, hw, c, s;
    size_t means, squeezed, scales, work;
    int threads;
    bool is_bf16;
} excite_plan;

static size_t largest(size_t a, size_t b)
{
    return a > b ? a : b;
}

static excite_plan plan_excite(cpu_prepare *p, node_id n, cpu_kernel *k)
{
    const graph_value *x = node_input(p->g, n, EXCITE_X);
    excite_plan e = {.n = x->shape.dim[0],
                     .hw = x->shape.dim[1] * x->shape.dim[2],
                     .c = x->shape.dim[3],
                     .s = node_input(p->g, n, EXCITE_W1)->shape.dim[0],
                     .threads = p->b->threads,
                     .is_bf16 = is_bf16(x)};
    const size_t row = (size_t)e.n * dtype_bytes(x->type);
    e.means = cpu_kernel_scratch(k, row * (size_t)e.c);
    e.squeezed = cpu_kernel_scratch(k, row * (size_t)e.s);
    e.scales = cpu_kernel_scratch(k, row * (size_t)e.c);
    e.work = cpu_kernel_scratch(k, largest(linear_scratch_bytes(e.n, e.c, e.s), scale_scratch_bytes(e.c, e.threads)));
    return e;
}

static mien_status add_mean(cpu_prepare *p, cpu_kernel *k, const excite_plan *e)
{
    const binding bindings[] = {{FROM_INPUT, EXCITE_X, offsetof(global_mean_args, x)},
                                {FROM_SCRATCH, e->means, offsetof(global_mean_args, y)},
                                {FROM_SCRATCH, e->work, offsetof(global_mean_args, scratch)}};
    const global_mean_args args = {.n = e->n, .hw = e->hw, .c = e->c, .threads = e->threads, .is_bf16 = e->is_bf16};
    return cpu_kernel_add_own(k, p->b->own->global_mean, &args, sizeof args, bindings, 3);
}

/* to [n, o] = w from [n, k]; w, and behind it the bias, are inputs of the node. */
static mien_status add_linear(cpu_prepare *p, cpu_kernel *k, const excite_plan *e, size_t w, size_t from, size_t to,
                              bool is_squeeze)
{
    const binding bindings[] = {{FROM_SCRATCH, from, offsetof(linear_args, x)},
                                {FROM_INPUT, w, offsetof(linear_args, w)},
                                {FROM_INPUT, w + 1, offsetof(linear_args, bias)},
                                {FROM_SCRATCH, to, offsetof(linear_args, y)},
                                {FROM_SCRATCH, e->work, offsetof(linear_args, scratch)}};
    const linear_args args = {.rows = e->n,
                              .k = is_squeeze ? e->c : e->s,
                              .o = is_squeeze ? e->s : e->c,
                              .threads = e->threads,
                              .x_is_bf16 = e->is_bf16,
                              .y_is_bf16 = e->is_bf16,
                              .is_transposed = !is_squeeze};
    return cpu_kernel_add_own(k, p->b->own->linear, &args, sizeof args, bindings, 5);
}

static mien_status add_activation(cpu_prepare *p, cpu_kernel *k, const excite_plan *e, size_t at, int64_t count,
                                  activation_kind kind)
{
    const binding bindings[] = {{FROM_SCRATCH, at, offsetof(pointwise_args, y)},
                                {FROM_SCRATCH, at, offsetof(pointwise_args, a)}};
    const pointwise_args args = {.count = count, .kind = kind, .threads = e->threads, .is_bf16 = e->is_bf16};
    return cpu_kernel_add_own(k, p->b->own->activation, &args, sizeof args, bindings, 2);
}

static mien_status add_scale(cpu_prepare *p, cpu_kernel *k, const excite_plan *e)
{
    const binding bindings[] = {{FROM_INPUT, EXCITE_X, offsetof(scale_args, x)},
                                {FROM_SCRATCH, e->scales, offsetof(scale_args, s)},
                                {FROM_OUTPUT, 0, offsetof(scale_args, y)},
                                {FROM_SCRATCH, e->work, offsetof(scale_args, scratch)}};
    const scale_args args = {.n = e->n, .hw = e->hw, .c = e->c, .threads = e->threads, .is_bf16 = e->is_bf16};
    return cpu_kernel_add_own(k, p->b->own->scale, &args, sizeof args, bindings, 4);
}

mien_status excite_prepare(cpu_prepare *p, node_id n)
{
    mien_status st = MIEN_OK;
    cpu_kernel *k = NULL;
    value_id packed = NO_VALUE;
    TRY(pack_insert_transposed(p, &packed, n, graph_node_at(p->g, n)->inputs[EXCITE_W2]));
    graph_node_at(p->g, n)->inputs[EXCITE_W2] = packed;
    TRY_OUT(cpu_kernel_create(&k, p->b));
    const excite_plan e = plan_excite(p, n, k);
    TRY_OUT(add_mean(p, k, &e));
    TRY_OUT(add_linear(p, k, &e, EXCITE_W1, e.means, e.squeezed, true));
    TRY_OUT(add_activation(p, k, &e, e.squeezed, e.n * e.s, ACT_SILU));
    TRY_OUT(add_linear(p, k, &e, EXCITE_W2, e.squeezed, e.scales, false));
    TRY_OUT(add_activation(p, k, &e, e.scales, e.n * e.c, ACT_SIGMOID));
    TRY_OUT(add_scale(p, k, &e));
    TRY_OUT(prepare_set(p, n, k));
    k = NULL;
out:
    cpu_kernel_free(k);
    return st;
}
