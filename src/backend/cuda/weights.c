/* What stands around libraries' calls. Weights as libraries take them, [o, kh, kw, c] in the activations' type, are
 * nodes of our own: where nothing changes the parameters (inference, a frozen part) they run once, in training once a
 * step, and the data gradient reads what forward has packed. Folded batch norms are multiplied in there:
 *
 *   w' = w gamma / sqrt(var + eps)      b' = beta + (b - mean) gamma / sqrt(var + eps) */
#include "backend/cuda/cuda_int.h"
#include "backend/cuda/kernel/library.h"

#include "base/log.h"
#include "base/size.h"

#include <stdio.h>
#include <string.h>

mien_status cuda_refused(cuda_prepare *p, node_id n, mien_status st)
{
    if (st == MIEN_OK || st == MIEN_ERR_NOMEM)
        return st;
    log_notice("%s: %s: a kernel of ours does it", graph_node_at(p->g, n)->name, mien_error());
    return MIEN_ERR_UNSUPPORTED;
}

/* --- the operator ------------------------------------------------------------------------------------------------- */
typedef struct {
    dtype type;
    layout_id layout;
} pack_attr;

enum { PACK_W, PACK_GAMMA, PACK_VAR, PACK_INPUTS };                                   /* of weights */
enum { BIAS_B, BIAS_GAMMA, BIAS_BETA, BIAS_MEAN, BIAS_VAR, BIAS_SHAPE, BIAS_INPUTS }; /* of a bias; its shape's value */

static mien_status pack_infer(graph *g, node_id n)
{
    const pack_attr *attr = graph_node_at(g, n)->attr;
    const shape s = graph_value_at(g, graph_node_at(g, n)->inputs[PACK_W])->shape;
    TRY(graph_add_output(g, n, attr->type, s));
    graph_value *packed = graph_value_at(g, graph_node_at(g, n)->outputs[0]);
    packed->layout = attr->layout;
    packed->layout_bytes = (size_t)shape_count(&s) * dtype_bytes(attr->type);
    return MIEN_OK;
}
static const op_def pack_def = {.name = "pack", .infer = pack_infer, .inplace_input = -1};

static mien_status pack_bias_infer(graph *g, node_id n)
{
    const pack_attr *attr = graph_node_at(g, n)->attr;
    const shape w = graph_value_at(g, graph_node_at(g, n)->inputs[BIAS_SHAPE])->shape;
    return graph_add_output(g, n, attr->type, shape_of(1, w.dim[0]));
}
static const op_def pack_bias_def = {.name = "pack_bias", .infer = pack_bias_infer, .inplace_input = -1};

static mien_status insert(cuda_prepare *p, node_id *out, node_id before, const op_def *op, const value_id *inputs,
                          int count, const pack_attr *attr)
{
    char name[256];
    snprintf(name, sizeof name, "%s:%s", graph_node_at(p->g, before)->name, op->name);
    return graph_insert_before(p->g, out, before, op, name, inputs, count, attr, sizeof *attr);
}

/* A node before `before` that packs these inputs so already; NO_NODE where there is none. */
static node_id find_packed(graph *g, node_id before, const op_def *op, const value_id *inputs, int count, dtype type)
{
    for (int i = 0; i < graph_order_count(g) && graph_order_at(g, i) != before; i++) {
        const graph_node *node = graph_node_at(g, graph_order_at(g, i));
        if (node->op == op && ((const pack_attr *)node->attr)->type == type &&
            memcmp(node->inputs, inputs, (size_t)count * sizeof *inputs) == 0)
            return graph_order_at(g, i);
    }
    return NO_NODE;
}

/* --- weights ------------------------------------------------------------------------------------------------------ */
static int64_t taps_of(const shape *w)
{
    return w->rank == 4 ? w->dim[2] * w->dim[3] : 1;
}

static mien_status pack_weights(cuda_prepare *p, value_id *out, node_id before, const value_id *inputs, dtype type,
                                float eps)
{
    static const binding bindings[] = {{FROM_INPUT, PACK_W, offsetof(pack_args, src)},
                                       {FROM_INPUT, PACK_GAMMA, offsetof(pack_args, gamma)},
                                       {FROM_INPUT, PACK_VAR, offsetof(pack_args, var)},
                                       {FROM_OUTPUT, 0, offsetof(pack_args, dst)}};
    const shape s = graph_value_at(p->g, inputs[PACK_W])->shape;
    node_id n = find_packed(p->g, before, &pack_def, inputs, PACK_INPUTS, type);
    if (n == NO_NODE) {
        pack_attr attr = {.type = type};
        const pack_args args = {.o = s.dim[0],
                                .taps = taps_of(&s),
                                .c = shape_count(&s) / s.dim[0] / taps_of(&s),
                                .eps = eps,
                                .is_bf16 = type == DTYPE_BF16};
        if (args.taps > 1)
            TRY(graph_layout(p->g, &attr.layout, "channels last"));
        TRY(insert(p, &n, before, &pack_def, inputs, PACK_INPUTS, &attr));
        TRY(cuda_own(p, n, &kernel_pack, grid_of_elements(p->b, shape_count(&s)), &args, sizeof args, bindings, 4));
    }
    *out = graph_node_at(p->g, n)->outputs[0];
    return MIEN_OK;
}

mien_status cuda_pack(cuda_prepare *p, value_id *out, node_id before, value_id w, dtype type)
{
    const graph_value *v = graph_value_at(p->g, w);
    if (v->type == type && (taps_of(&v->shape) == 1 || v->shape.dim[1] == 1)) {
        *out = w;
        return MIEN_OK;
    }
    return pack_weights(p, out, before, (value_id[]){w, NO_VALUE, NO_VALUE}, type, 0);
}

static mien_status pack_bias(cuda_prepare *p, value_id *out, node_id before, const value_id *inputs, dtype type,
                             float eps)
{
    static const binding bindings[] = {{FROM_INPUT, BIAS_B, offsetof(pack_bias_args, bias)},
                                       {FROM_INPUT, BIAS_GAMMA, offsetof(pack_bias_args, gamma)},
                                       {FROM_INPUT, BIAS_BETA, offsetof(pack_bias_args, beta)},
                                       {FROM_INPUT, BIAS_MEAN, offsetof(pack_bias_args, mean)},
                                       {FROM_INPUT, BIAS_VAR, offsetof(pack_bias_args, var)},
                                       {FROM_OUTPUT, 0, offsetof(pack_bias_args, dst)}};
    const pack_attr attr = {.type = type};
    const int64_t o = graph_value_at(p->g, inputs[BIAS_SHAPE])->shape.dim[0];
    const pack_bias_args args = {.o = o, .eps = eps, .is_bf16 = type == DTYPE_BF16};
    node_id n = NO_NODE;
    TRY(insert(p, &n, before, &pack_bias_def, inputs, BIAS_INPUTS, &attr));
    *out = graph_node_at(p->g, n)->outputs[0];
    return cuda_own(p, n, &kernel_pack_bias, grid_of_elements(p->b, o), &args, sizeof args, bindings, 6);
}

mien_status cuda_pack_bias(cuda_prepare *p, value_id *out, node_id before, value_id bias, dtype type)
{
    *out = bias;
    if (graph_value_at(p->g, bias)->type == type)
        return MIEN_OK;
    return pack_bias(p, out, before, (value_id[]){bias, NO_VALUE, NO_VALUE, NO_VALUE, NO_VALUE, bias}, type, 0);
}

mien_status cuda_pack_convolution(cuda_prepare *p, value_id *w, value_id *bias, node_id conv, dtype type)
{
    const conv2d_attr *attr = graph_node_at(p->g, conv)->attr;
    value_id in[CONV_INPUTS];
    memcpy(in, graph_node_at(p->g, conv)->inputs, sizeof in);
    *bias = NO_VALUE;
    if (!attr->is_folded) {
        TRY(cuda_pack(p, w, conv, in[CONV_W], type));
        return in[CONV_B] == NO_VALUE ? MIEN_OK : cuda_pack_bias(p, bias, conv, in[CONV_B], type);
    }
    TRY(pack_weights(p, w, conv, (value_id[]){in[CONV_W], in[CONV_GAMMA], in[CONV_VAR]}, type, attr->eps));
    return pack_bias(p, bias, conv,
                     (value_id[]){in[CONV_B], in[CONV_GAMMA], in[CONV_BETA], in[CONV_MEAN], in[CONV_VAR], in[CONV_W]},
                     type, attr->eps);
}

/* --- addresses ---------------------------------------------------------------------------------------------------- */
/* Values of a program's block begin at 64 bytes, slices of parameters somewhere in an arena that does. */
int64_t cuda_alignment(const graph_value *v)
{
    enum { BLOCK = 64 };
    const bool is_slice = v->kind == VALUE_PARAM || v->kind == VALUE_GRAD;
    const size_t bytes = is_slice ? v->param_offset * sizeof(float) | BLOCK : BLOCK;
    return (int64_t)(bytes & (~bytes + 1));
}

/* A kernel's scratch begins at 64 bytes itself. */
enum { WORKSPACE_ALIGNMENT = 256 };
size_t cuda_workspace(cuda_kernel *k, size_t bytes)
{
    return bytes ? cuda_kernel_scratch(k, bytes + WORKSPACE_ALIGNMENT) : 0;
}

void *cuda_workspace_at(void *address)
{
    return (void *)size_align((uintptr_t)address, WORKSPACE_ALIGNMENT);
}
