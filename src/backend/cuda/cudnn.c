/* Convolutions by cuDNN, forward and both gradients, channels last. Grouped ones are left to kernels of ours.
 *
 * Weights are packed as [o, kh, kw, c] in the activations' type before the node, with a folded batch norm multiplied
 * in; their gradient comes in that order and type, in scratch, and is brought into ours by a step of its own. What
 * follows a convolution (bias, residual, activation) is part of cuDNN's graph where an engine has it so, else a step of
 * ours. */
#include "backend/cuda/columns.h"
#include "backend/cuda/cudnn_int.h"
#include "backend/cuda/kernel/library.h"

#include <stdio.h>

/* Operands of the calls: x, w and y, or their gradients. */
enum { AT_X, AT_W, AT_Y, AT_BIAS, AT_RESIDUAL };

static dnn_dims maps_of(const shape *s)
{
    return (dnn_dims){{s->dim[0], s->dim[3], s->dim[1], s->dim[2]}};
}

static dnn_dims weights_of(const shape *s)
{
    return (dnn_dims){{s->dim[0], s->dim[1], s->dim[2], s->dim[3]}};
}

static bool is_served(const cuda_prepare *p, const conv2d_attr *attr, const graph_value *a, const graph_value *b)
{
    return p->b->libraries && p->b->libraries->dnn_handle && attr->groups == 1 && a->type == b->type;
}

static mien_status add_call(cuda_kernel *k, dnn_graph *g, dtype type, const char *what, const binding *operands,
                            int count)
{
    binding bindings[DNN_MAX_OPERANDS + 1];
    char name[96];
    cuda_call *call = NULL;
    size_t workspace = 0;
    TRY(dnn_plan(&call, &workspace, g, type, &k->b->options));
    for (int i = 0; i < count; i++)
        bindings[i] = operands[i];
    if (workspace)
        bindings[count++] = (binding){FROM_SCRATCH, cuda_workspace(k, workspace), DNN_WORKSPACE};
    snprintf(name, sizeof name, "cudnn:%s:%s", what, type == DTYPE_BF16 ? "bf16" : "f32");
    return cuda_kernel_add_call(k, call, name, bindings, count);
}

/* --- forward ------------------------------------------------------------------------------------------------------ */
/* What a forward node is made of, and what it ends with. */
typedef struct {
    const conv2d_attr *attr;
    const graph_value *x, *w, *y;
    dtype type;
    bool has_bias, has_residual;
} forward;

static bool has_epilogue(const forward *f)
{
    return f->has_bias || f->has_residual || f->attr->act != ACT_NONE;
}

/* Where the node finds operands once its weights are packed. */
static const binding forward_operands[] = {{FROM_INPUT, CONV_X, AT_X},
                                           {FROM_INPUT, CONV_W, AT_W},
                                           {FROM_OUTPUT, 0, AT_Y},
                                           {FROM_INPUT, CONV_B, AT_BIAS},
                                           {FROM_INPUT, CONV_RESIDUAL, AT_RESIDUAL}};

/* cuDNN's compiled engines know this order: convolution, residual, bias, activation. */
static mien_status describe(dnn_graph *g, const forward *f, graph *source, node_id n, bool with_epilogue)
{
    enum { ALIGNMENT = 64 }; /* of what we pack */
    const dnn_dims y_dims = maps_of(&f->y->shape), bias_dims = {{1, f->y->shape.dim[3], 1, 1}};
    const int left_first = with_epilogue ? f->has_residual + f->has_bias + (f->attr->act != ACT_NONE) : 0;
    int left = left_first; /* operations to come: only the last one's result is an operand */
    dnn_descriptor x, w, y, operand;
    TRY(dnn_tensor(g, &x, AT_X, f->type, maps_of(&f->x->shape), cuda_alignment(f->x)));
    TRY(dnn_tensor(g, &w, AT_W, f->type, weights_of(&f->w->shape), ALIGNMENT));
    TRY(dnn_tensor(g, &y, left ? DNN_VIRTUAL : AT_Y, f->type, y_dims, cuda_alignment(f->y)));
    TRY(dnn_convolution(g, DNN_FORWARD, f->attr, x, w, y));
    const struct {
        bool is_there;
        int at;
        dnn_dims dims;
        int64_t alignment;
    } added[] = {{f->has_residual, AT_RESIDUAL, y_dims,
                  f->has_residual ? cuda_alignment(node_input(source, n, CONV_RESIDUAL)) : 0},
                 {f->has_bias, AT_BIAS, bias_dims, ALIGNMENT}};
    for (size_t i = 0; i < sizeof added / sizeof *added; i++)
        if (left && added[i].is_there) {
            dnn_descriptor before = y;
            left--;
            TRY(dnn_tensor(g, &operand, added[i].at, f->type, added[i].dims, added[i].alignment));
            TRY(dnn_tensor(g, &y, left ? DNN_VIRTUAL : AT_Y, f->type, y_dims, cuda_alignment(f->y)));
            TRY(dnn_add(g, before, operand, y));
        }
    if (!left)
        return MIEN_OK;
    operand = y;
    TRY(dnn_tensor(g, &y, AT_Y, f->type, y_dims, cuda_alignment(f->y)));
    return dnn_activation(g, f->attr->act, operand, y);
}

static mien_status add_forward(cuda_kernel *k, const forward *f, graph *source, node_id n, bool with_epilogue)
{
    dnn_graph g = {.l = k->b->libraries};
    binding bindings[DNN_MAX_OPERANDS];
    int count = 0;
    for (int i = 0; i <= AT_Y; i++)
        bindings[count++] = forward_operands[i];
    if (with_epilogue && f->has_bias)
        bindings[count++] = forward_operands[AT_BIAS];
    if (with_epilogue && f->has_residual)
        bindings[count++] = forward_operands[AT_RESIDUAL];
    mien_status st = describe(&g, f, source, n, with_epilogue);
    if (st == MIEN_OK)
        st = add_call(k, &g, f->type, with_epilogue && has_epilogue(f) ? "fused" : "conv", bindings, count);
    dnn_graph_free(&g);
    return st;
}

static mien_status add_epilogue(cuda_kernel *k, const forward *f)
{
    static const binding bindings[] = {{FROM_OUTPUT, 0, offsetof(epilogue_args, y)},
                                       {FROM_INPUT, CONV_B, offsetof(epilogue_args, bias)},
                                       {FROM_INPUT, CONV_RESIDUAL, offsetof(epilogue_args, residual)}};
    const epilogue_args args = {.count = shape_count(&f->y->shape),
                                .columns = f->y->shape.dim[3],
                                .act = (int)f->attr->act,
                                .is_bf16 = f->type == DTYPE_BF16};
    return cuda_kernel_add_own(k, &kernel_epilogue, grid_of_elements(k->b, args.count), &args, sizeof args, bindings,
                               3);
}

static mien_status add_all(cuda_kernel *k, const forward *f, graph *source, node_id n)
{
    mien_status st = add_forward(k, f, source, n, true);
    if (st == MIEN_OK || st == MIEN_ERR_NOMEM || !has_epilogue(f))
        return st;
    TRY(add_forward(k, f, source, n, false));
    return add_epilogue(k, f);
}

static mien_status prepare_forward(cuda_prepare *p, node_id n)
{
    graph_node *node = graph_node_at(p->g, n);
    const conv2d_attr *attr = node->attr;
    const forward f = {.attr = attr,
                       .x = node_input(p->g, n, CONV_X),
                       .w = node_input(p->g, n, CONV_W),
                       .y = node_output(p->g, n, 0),
                       .type = node_output(p->g, n, 0)->type,
                       .has_bias = attr->is_folded || node->inputs[CONV_B] != NO_VALUE,
                       .has_residual = node->inputs[CONV_RESIDUAL] != NO_VALUE};
    cuda_kernel *k = NULL;
    if (!is_served(p, attr, f.x, f.y))
        return MIEN_ERR_UNSUPPORTED;
    TRY(cuda_kernel_create(&k, p->b));
    mien_status st = add_all(k, &f, p->g, n);
    if (st != MIEN_OK) {
        k->base.free(&k->base);
        return cuda_refused(p, n, st);
    }
    TRY(cuda_set(p, n, k));
    value_id w = NO_VALUE, bias = NO_VALUE;
    TRY(cuda_pack_convolution(p, &w, &bias, n, f.type));
    node->inputs[CONV_W] = w;
    node->inputs[CONV_B] = bias;
    for (int i = CONV_GAMMA; i <= CONV_VAR; i++)
        node->inputs[i] = NO_VALUE;
    return MIEN_OK;
}

/* --- gradients ---------------------------------------------------------------------------------------------------- */
static mien_status add_dx(cuda_kernel *k, const conv2d_grad_attr *attr, const graph_value *dy, const graph_value *w,
                          const graph_value *dx)
{
    enum { ALIGNMENT = 64 };
    static const binding bindings[] = {{FROM_OUTPUT, 0, AT_X}, {FROM_INPUT, 1, AT_W}, {FROM_INPUT, 0, AT_Y}};
    dnn_graph g = {.l = k->b->libraries};
    dnn_descriptor to, weights, from;
    mien_status st = MIEN_OK;
    TRY_OUT(dnn_tensor(&g, &to, AT_X, dx->type, maps_of(&dx->shape), cuda_alignment(dx)));
    TRY_OUT(dnn_tensor(&g, &weights, AT_W, dx->type, weights_of(&w->shape), ALIGNMENT));
    TRY_OUT(dnn_tensor(&g, &from, AT_Y, dx->type, maps_of(&dy->shape), cuda_alignment(dy)));
    TRY_OUT(dnn_convolution(&g, DNN_DATA_GRADIENT, &attr->conv, to, weights, from));
    TRY_OUT(add_call(k, &g, dx->type, "dx", bindings, 3));
out:
    dnn_graph_free(&g);
    return st;
}

static mien_status prepare_dx(cuda_prepare *p, node_id n)
{
    graph_node *node = graph_node_at(p->g, n);
    const conv2d_grad_attr *attr = node->attr;
    const graph_value *dy = node_input(p->g, n, 0), *dx = node_output(p->g, n, 0);
    cuda_kernel *k = NULL;
    if (!is_served(p, &attr->conv, dy, dx))
        return MIEN_ERR_UNSUPPORTED;
    TRY(cuda_kernel_create(&k, p->b));
    mien_status st = add_dx(k, attr, dy, node_input(p->g, n, 1), dx);
    if (st != MIEN_OK) {
        k->base.free(&k->base);
        return cuda_refused(p, n, st);
    }
    TRY(cuda_set(p, n, k));
    value_id w = NO_VALUE;
    TRY(cuda_pack(p, &w, n, node->inputs[1], dx->type));
    node->inputs[1] = w;
    return MIEN_OK;
}

/* DW_WEIGHT: straight into its place where that is the order and type that it comes in, else by way of scratch. */
static mien_status add_dw(cuda_kernel *k, const conv2d_grad_attr *attr, const graph_value *x, const graph_value *dy,
                          const graph_value *dw)
{
    enum { ALIGNMENT = 64 };
    const shape *s = &dw->shape;
    const int64_t taps = s->dim[2] * s->dim[3];
    const bool is_straight = x->type == DTYPE_F32 && (taps == 1 || s->dim[1] == 1);
    dnn_graph g = {.l = k->b->libraries};
    dnn_descriptor from, to, gradient;
    mien_status st = MIEN_OK;
    binding bindings[] = {{FROM_INPUT, 0, AT_X}, {FROM_OUTPUT, DW_WEIGHT, AT_W}, {FROM_INPUT, 1, AT_Y}};
    size_t at = 0;
    if (!is_straight) {
        at = cuda_kernel_scratch(k, (size_t)shape_count(s) * dtype_bytes(x->type));
        bindings[1] = (binding){FROM_SCRATCH, at, AT_W};
    }
    TRY_OUT(dnn_tensor(&g, &from, AT_X, x->type, maps_of(&x->shape), cuda_alignment(x)));
    TRY_OUT(dnn_tensor(&g, &to, AT_W, x->type, weights_of(s), is_straight ? cuda_alignment(dw) : ALIGNMENT));
    TRY_OUT(dnn_tensor(&g, &gradient, AT_Y, x->type, maps_of(&dy->shape), cuda_alignment(dy)));
    TRY_OUT(dnn_convolution(&g, DNN_WEIGHT_GRADIENT, &attr->conv, from, to, gradient));
    TRY_OUT(add_call(k, &g, x->type, "dw", bindings, 3));
    if (!is_straight) {
        const binding unpack[] = {{FROM_SCRATCH, at, offsetof(unpack_args, src)},
                                  {FROM_OUTPUT, DW_WEIGHT, offsetof(unpack_args, dst)}};
        const unpack_args args = {.o = s->dim[0], .c = s->dim[1], .taps = taps, .is_bf16 = x->type == DTYPE_BF16};
        TRY_OUT(cuda_kernel_add_own(k, &kernel_unpack, grid_of_elements(k->b, shape_count(s)), &args, sizeof args,
                                    unpack, 2));
    }
out:
    dnn_graph_free(&g);
    return st;
}

static mien_status prepare_dw(cuda_prepare *p, node_id n)
{
    const conv2d_grad_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *x = node_input(p->g, n, 0), *dy = node_input(p->g, n, 1), *dw = node_output(p->g, n, DW_WEIGHT);
    const int64_t columns = dy->shape.dim[3];
    cuda_kernel *k = NULL;
    if (!dw || !is_served(p, &attr->conv, x, dy))
        return MIEN_ERR_UNSUPPORTED;
    TRY(cuda_kernel_create(&k, p->b));
    mien_status st = add_dw(k, attr, x, dy, dw);
    if (st == MIEN_OK && node_output(p->g, n, DW_BIAS))
        st = column_sum_add(k, 1, DW_BIAS, shape_count(&dy->shape) / columns, columns, is_bf16(dy));
    if (st == MIEN_OK)
        return cuda_set(p, n, k);
    k->base.free(&k->base);
    return cuda_refused(p, n, st);
}

const cuda_rule cuda_cudnn_rules[] = {
    {&op_conv2d_def, prepare_forward}, {&op_conv2d_dx_def, prepare_dx}, {&op_conv2d_dw_def, prepare_dw}, {0}};
