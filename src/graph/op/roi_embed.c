/* roi_embed: a 3x3 convolution with padding 1 for each of R regions, each over the map f as the region's attention a
 * brightens it, f (1 + a_r), none of whose R copies is made. Scaling pixels commutes with products over channels, so
 * one matrix product (a 1x1 conv2d without bias) of f with all taps of all regions comes first:
 *
 *   P[n, h, w, (i, j, r, c)] = sum over k of f[n, h, w, k] w[i, j, r, c, k]      d = channels c of a region
 *
 * and here its taps are shifted and added, scaled at the pixel they come from:
 *
 *   y[n, h, w, (r, c)] = b[(r, c)] + sum over i, j with u = h + i - 1, v = w + j - 1 inside the map of
 *                        (1 + a[n, u, v, r]) P[n, u, v, (i, j, r, c)]
 *
 * Backward, dy at (u - i + 1, v - j + 1) or 0 where that is outside:                    roi_embed_dx
 *   dP[n, u, v, (i, j, r, c)] = (1 + a[n, u, v, r]) dy[n, u - i + 1, v - j + 1, (r, c)]
 *   da[n, u, v, r] = sum over i, j, c of P[n, u, v, (i, j, r, c)] dy[n, u - i + 1, v - j + 1, (r, c)]
 *   db[(r, c)] = sum over n, h, w of dy
 * PyTorch, in NCHW: conv2d(f * (1 + a[:, r:r + 1]), w_r, b_r, padding=1) for each r, their results side by side. */
#include "graph/op/rule.h"

#include <inttypes.h>

enum { TAPS = 9 };

static mien_status roi_embed_infer(graph *g, node_id n)
{
    const dtype act = graph_activation_type(g);
    TRY(want_type(g, n, ROI_PRODUCTS, "products", act));
    TRY(want_rank(g, n, ROI_PRODUCTS, "products", 4));
    TRY(want_type(g, n, ROI_ATTENTION, "attention", act));
    TRY(want_rank(g, n, ROI_ATTENTION, "attention", 4));
    const shape p = input_of(g, n, ROI_PRODUCTS)->shape;
    const int64_t regions = input_of(g, n, ROI_ATTENTION)->shape.dim[3];
    TRY(want_shape(g, n, ROI_ATTENTION, "attention", shape_of(4, p.dim[0], p.dim[1], p.dim[2], regions)));
    if (p.dim[3] % (TAPS * regions) != 0)
        return mien_fail(MIEN_ERR_SHAPE, "products have %" PRId64 " channels (wanted %d taps of %" PRId64 " regions)",
                         p.dim[3], TAPS, regions);
    shape y = p;
    y.dim[3] = p.dim[3] / TAPS;
    if (input_of(g, n, ROI_BIAS))
        TRY(want_param(g, n, ROI_BIAS, "bias", shape_of(1, y.dim[3])));
    return graph_add_output(g, n, act, y);
}

static double roi_embed_flops(graph *g, node_id n)
{
    return 2.0 * (double)shape_count(&input_of(g, n, ROI_PRODUCTS)->shape);
}

static mien_status roi_embed_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    const graph_node *node = graph_node_at(g, n);
    const value_id inputs[ROI_DX_INPUTS] = {[ROI_DX_PRODUCTS] = node->inputs[ROI_PRODUCTS],
                                            [ROI_DX_DY] = out_grads[0],
                                            [ROI_DX_ATTENTION] = node->inputs[ROI_ATTENTION]};
    node_id dx = NO_NODE;
    if (!needs[ROI_PRODUCTS] && !needs[ROI_ATTENTION] && !needs[ROI_BIAS])
        return MIEN_OK;
    TRY(graph_add_backward(g, &dx, &op_roi_embed_dx_def, n, "dx", inputs, ROI_DX_INPUTS, NULL, 0));
    in_grads[ROI_PRODUCTS] = graph_node_at(g, dx)->outputs[ROI_PRODUCTS];
    in_grads[ROI_ATTENTION] = graph_node_at(g, dx)->outputs[ROI_ATTENTION];
    return MIEN_OK;
}

/* The outputs are the gradients of the forward node's inputs, in their order. */
static mien_status roi_embed_dx_infer(graph *g, node_id n)
{
    for (int i = ROI_PRODUCTS; i <= ROI_ATTENTION; i++)
        if (forward_wants_grad(g, n, i))
            TRY(graph_add_output(g, n, forward_input_of(g, n, i)->type, forward_input_of(g, n, i)->shape));
        else
            graph_skip_output(g, n);
    if (forward_wants_grad(g, n, ROI_BIAS))
        return graph_add_param_grad_output(g, n, graph_node_at(g, graph_node_at(g, n)->forward)->inputs[ROI_BIAS]);
    graph_skip_output(g, n);
    return MIEN_OK;
}

static double roi_embed_dx_flops(graph *g, node_id n)
{
    return 4.0 * (double)shape_count(&input_of(g, n, ROI_DX_PRODUCTS)->shape);
}

const op_def op_roi_embed_def = {.name = "roi_embed",
                                 .infer = roi_embed_infer,
                                 .grad = roi_embed_grad,
                                 .inplace_input = -1,
                                 .flops = roi_embed_flops};
const op_def op_roi_embed_dx_def = {
    .name = "roi_embed_dx", .infer = roi_embed_dx_infer, .inplace_input = ROI_DX_PRODUCTS, .flops = roi_embed_dx_flops};

mien_status op_roi_embed(graph *g, value_id *y, const char *name, value_id products, value_id attention, value_id bias)
{
    return op_append(g, y, &op_roi_embed_def, name, (value_id[]){products, attention, bias}, ROI_INPUTS, NULL, 0);
}
