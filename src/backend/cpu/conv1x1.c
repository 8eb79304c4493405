/* 1x1 convolutions of inference by our own kernel (kernel/conv1x1.c), where it is faster than oneDNN's. */
#include "backend/cpu/kernel/conv1x1.h"
#include "backend/cpu/cpu_int.h"

static bool is_plain_1x1(const conv2d_attr *attr, const shape *w)
{
    for (int a = 0; a < 2; a++)
        if (w->dim[2 + a] != 1 || attr->stride[a] != 1 || attr->pad_begin[a] != 0 || attr->pad_end[a] != 0)
            return false;
    return attr->groups == 1;
}

bool conv1x1_is_folded_f32(graph *g, node_id n)
{
    const graph_node *node = graph_node_at(g, n);
    if (node->op != &op_conv2d_def)
        return false;
    const conv2d_attr *attr = node->attr;
    return attr->is_folded && !is_bf16(node_input(g, n, CONV_X)) &&
           is_plain_1x1(attr, &node_input(g, n, CONV_W)->shape) && attr->act != ACT_GELU && attr->act != ACT_CLIP;
}

/* Few pixels, and rows short enough for a core's own cache to hold a panel's weights beside them. */
bool conv1x1_is_own(graph *g, node_id n)
{
    enum { MOST_INPUTS = 384 };
    if (!conv1x1_is_folded_f32(g, n))
        return false;
    const shape *x = &node_input(g, n, CONV_X)->shape;
    return x->dim[1] * x->dim[2] <= CONV1X1_FEW_PIXELS && x->dim[3] <= MOST_INPUTS;
}

mien_status conv1x1_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, CONV_X, offsetof(conv1x1_args, x)},
                                       {FROM_INPUT, CONV_W, offsetof(conv1x1_args, w)},
                                       {FROM_INPUT, CONV_B, offsetof(conv1x1_args, bias)},
                                       {FROM_INPUT, CONV_RESIDUAL, offsetof(conv1x1_args, residual)},
                                       {FROM_OUTPUT, 0, offsetof(conv1x1_args, y)}};
    const conv2d_attr *attr = graph_node_at(p->g, n)->attr;
    const shape x = node_input(p->g, n, CONV_X)->shape;
    const conv1x1_args args = {.n = x.dim[0],
                               .hw = x.dim[1] * x.dim[2],
                               .k = x.dim[3],
                               .o = node_output(p->g, n, 0)->shape.dim[3],
                               .act = attr->act,
                               .threads = p->b->threads};
    TRY(pack_insert_folded(p, n, CONV_W, attr->eps, &(pack_form){.panel = p->b->own->product_panel}));
    return prepare_own(p, n, p->b->own->conv1x1, &args, sizeof args, bindings, 5, 0);
}
