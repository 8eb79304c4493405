/* Inverted bottlenecks of inference in f32 as one node: a 1x1 convolution that widens (or none), a depthwise one,
 * squeeze-excite (or none), and the 1x1 convolution that narrows again, with its residual. What lies between is scratch
 * of one kernel: the widened picture is never written whole (kernel/bottleneck.c), the mean is taken on the way, and
 * squeeze-excite's scale is multiplied in where the last convolution reads (kernel/conv1x1.c). */
#include "backend/cpu/kernel/bottleneck.h"
#include "backend/cpu/cpu_int.h"
#include "backend/cpu/kernel/conv1x1.h"

#include <string.h>

enum { CONV_PARAMS = CONV_VAR - CONV_W + 1 }; /* weights, bias, gamma, beta, mean, variance */
enum {
    NECK_X,
    NECK_WIDEN,
    NECK_DEPTHWISE = NECK_WIDEN + CONV_PARAMS,
    NECK_NARROW = NECK_DEPTHWISE + CONV_PARAMS,
    NECK_RESIDUAL = NECK_NARROW + CONV_PARAMS,
    NECK_W1,
    NECK_B1,
    NECK_W2,
    NECK_B2,
    NECK_INPUTS
};

typedef struct {
    shape middle, y; /* of the depthwise convolution's output; of all */
    conv2d_attr widen, depthwise, narrow;
    bool is_widened, is_excited;
} bottleneck_attr;
_Static_assert(sizeof(bottleneck_attr) <= GROUP_MAX_ATTR, "a group has room for it");
_Static_assert((int)NECK_INPUTS <= (int)GROUP_MAX_INPUTS, "a group has room for them");

static mien_status bottleneck_infer(graph *g, node_id n)
{
    const bottleneck_attr *attr = graph_node_at(g, n)->attr;
    return graph_add_output(g, n, DTYPE_F32, attr->y);
}

static double weights_of(graph *g, node_id n, int index)
{
    const graph_value *w = node_input(g, n, index);
    return w ? (double)shape_count(&w->shape) : 0;
}

static double bottleneck_flops(graph *g, node_id n)
{
    const bottleneck_attr *attr = graph_node_at(g, n)->attr;
    const shape *x = &node_input(g, n, NECK_X)->shape, *y = &attr->y;
    const double before = (double)(x->dim[1] * x->dim[2]), behind = (double)(y->dim[1] * y->dim[2]);
    return 2.0 * (double)x->dim[0] *
           (before * weights_of(g, n, NECK_WIDEN) +
            behind * (weights_of(g, n, NECK_DEPTHWISE) + weights_of(g, n, NECK_NARROW)) + weights_of(g, n, NECK_W1) +
            weights_of(g, n, NECK_W2));
}

const op_def bottleneck_def = {
    .name = "bottleneck", .infer = bottleneck_infer, .flops = bottleneck_flops, .inplace_input = -1};

/* --- match -------------------------------------------------------------------------------------------------------- */
static void take_conv(graph *g, node_group *out, int first, node_id n)
{
    memcpy(out->inputs + first, graph_node_at(g, n)->inputs + CONV_W, CONV_PARAMS * sizeof *out->inputs);
}

static bool is_sampled(const conv2d_attr *attr, const shape *w)
{
    return attr->stride[0] == attr->stride[1] && attr->stride[0] <= 2 && w->dim[2] == w->dim[3] &&
           (w->dim[2] == 3 || w->dim[2] == 5);
}

/* A depthwise convolution that the kernel takes. */
static bool is_depthwise(graph *g, node_id n)
{
    const graph_node *node = graph_node_at(g, n);
    if (node->op != &op_conv2d_def)
        return false;
    const conv2d_attr *attr = node->attr;
    const graph_value *x = node_input(g, n, CONV_X), *w = node_input(g, n, CONV_W);
    return attr->is_folded && !is_bf16(x) && conv2d_is_depthwise(attr, &x->shape, &w->shape) &&
           is_sampled(attr, &w->shape) && x->shape.dim[3] % BOTTLENECK_LANES == 0 && attr->act != ACT_GELU &&
           attr->act != ACT_CLIP && attr->act != ACT_SIGMOID && !node_input(g, n, CONV_RESIDUAL);
}

static node_id append(node_group *out, node_id n)
{
    out->nodes[out->count++] = n;
    return n;
}

/* The squeeze-excite that begins with n's output, where there is one: gives its last node, else n. */
static node_id take_excite(graph *g, node_group *out, node_id n)
{
    const value_id y = graph_node_at(g, n)->outputs[0];
    for (node_id mean = n + 1; mean < graph_node_count(g); mean++) {
        node_group found;
        const graph_node *node = graph_node_at(g, mean);
        if (node->is_removed || node->op != &op_global_mean_def || node->inputs[0] != y ||
            !excite_match(g, mean, &found))
            continue;
        for (int i = 0; i < found.count; i++)
            append(out, found.nodes[i]);
        for (int i = 1; i < found.input_count; i++)
            out->inputs[NECK_W1 + i - 1] = found.inputs[i];
        return found.nodes[found.count - 1];
    }
    return n;
}

bool bottleneck_match(graph *g, node_id n, node_group *out)
{
    bottleneck_attr attr = {0};
    *out = (node_group){.op = &bottleneck_def, .input_count = NECK_INPUTS};
    for (int i = 0; i < NECK_INPUTS; i++)
        out->inputs[i] = NO_VALUE;
    if (graph_node_at(g, n)->op != &op_conv2d_def)
        return false;
    out->inputs[NECK_X] = graph_node_at(g, n)->inputs[CONV_X];
    attr.is_widened = conv1x1_is_folded_f32(g, n) && !node_input(g, n, CONV_RESIDUAL);
    if (attr.is_widened) {
        attr.widen = *(const conv2d_attr *)graph_node_at(g, n)->attr;
        take_conv(g, out, NECK_WIDEN, append(out, n));
        n = graph_only_consumer(g, graph_node_at(g, n)->outputs[0]);
    }
    if (n == NO_NODE || !is_depthwise(g, n))
        return false;
    attr.depthwise = *(const conv2d_attr *)graph_node_at(g, n)->attr;
    attr.middle = node_output(g, n, 0)->shape;
    take_conv(g, out, NECK_DEPTHWISE, append(out, n));
    n = take_excite(g, out, n);
    attr.is_excited = out->inputs[NECK_W1] != NO_VALUE;
    n = graph_only_consumer(g, graph_node_at(g, n)->outputs[0]);
    if (n == NO_NODE || !conv1x1_is_folded_f32(g, n))
        return false;
    attr.narrow = *(const conv2d_attr *)graph_node_at(g, n)->attr;
    attr.y = node_output(g, n, 0)->shape;
    take_conv(g, out, NECK_NARROW, append(out, n));
    out->inputs[NECK_RESIDUAL] = graph_node_at(g, n)->inputs[CONV_RESIDUAL];
    memcpy(out->attr, &attr, sizeof attr);
    out->attr_bytes = sizeof attr;
    return true;
}

/* --- prepare ------------------------------------------------------------------------------------------------------ */
/* Bands whose widened rows a core's own cache holds beside what else passes through it. */
static void choose_bands(widen_args *a)
{
    enum { CACHE_FLOATS = 96 * 1024 };
    const int64_t row = widen_columns(a) * BOTTLENECK_CHUNK;
    int64_t most = (CACHE_FLOATS / row - a->kernel) / a->stride + 1;
    most = most < 1 ? 1 : most;
    a->bands = (a->oh + most - 1) / most;
    a->band = (a->oh + a->bands - 1) / a->bands;
    a->bands = (a->oh + a->band - 1) / a->band;
}

/* Where things lie in scratch. */
typedef struct {
    size_t middle, sums, scales, work;
} neck_rooms;

static mien_status add_widen(cpu_prepare *p, cpu_kernel *k, const widen_args *a, const neck_rooms *r)
{
    const binding bindings[] = {{FROM_INPUT, NECK_X, offsetof(widen_args, x)},
                                {FROM_INPUT, NECK_WIDEN, offsetof(widen_args, expand)},
                                {FROM_INPUT, NECK_WIDEN + 1, offsetof(widen_args, expand_bias)},
                                {FROM_INPUT, NECK_DEPTHWISE, offsetof(widen_args, w)},
                                {FROM_INPUT, NECK_DEPTHWISE + 1, offsetof(widen_args, bias)},
                                {FROM_SCRATCH, r->middle, offsetof(widen_args, y)},
                                {FROM_SCRATCH, r->sums, offsetof(widen_args, sums)},
                                {FROM_SCRATCH, r->work, offsetof(widen_args, scratch)}};
    return cpu_kernel_add_own(k, p->b->own->widen, a, sizeof *a, bindings, 8);
}

static mien_status add_squeeze(cpu_prepare *p, cpu_kernel *k, const squeeze_args *a, const neck_rooms *r)
{
    const binding bindings[] = {
        {FROM_SCRATCH, r->sums, offsetof(squeeze_args, sums)},   {FROM_INPUT, NECK_W1, offsetof(squeeze_args, w1)},
        {FROM_INPUT, NECK_B1, offsetof(squeeze_args, b1)},       {FROM_INPUT, NECK_W2, offsetof(squeeze_args, w2)},
        {FROM_INPUT, NECK_B2, offsetof(squeeze_args, b2)},       {FROM_SCRATCH, r->scales, offsetof(squeeze_args, s)},
        {FROM_SCRATCH, r->work, offsetof(squeeze_args, scratch)}};
    return cpu_kernel_add_own(k, p->b->own->squeeze, a, sizeof *a, bindings, 7);
}

static mien_status add_narrow(cpu_prepare *p, cpu_kernel *k, const conv1x1_args *a, const neck_rooms *r,
                              bool is_excited)
{
    const binding bindings[] = {{FROM_SCRATCH, r->middle, offsetof(conv1x1_args, x)},
                                {FROM_INPUT, NECK_NARROW, offsetof(conv1x1_args, w)},
                                {FROM_INPUT, NECK_NARROW + 1, offsetof(conv1x1_args, bias)},
                                {FROM_INPUT, NECK_RESIDUAL, offsetof(conv1x1_args, residual)},
                                {FROM_OUTPUT, 0, offsetof(conv1x1_args, y)},
                                {FROM_SCRATCH, r->work, offsetof(conv1x1_args, scratch)},
                                {FROM_SCRATCH, r->scales, offsetof(conv1x1_args, s)}};
    return cpu_kernel_add_own(k, p->b->own->conv1x1, a, sizeof *a, bindings, is_excited ? 7 : 6);
}

static size_t largest(size_t a, size_t b)
{
    return a > b ? a : b;
}

static mien_status add_steps(cpu_prepare *p, cpu_kernel *k, node_id n)
{
    const bottleneck_attr *attr = graph_node_at(p->g, n)->attr;
    const shape x = node_input(p->g, n, NECK_X)->shape, middle = attr->middle;
    const int64_t c = middle.dim[3], hw = middle.dim[1] * middle.dim[2];
    widen_args widen = {.n = x.dim[0],
                        .h = x.dim[1],
                        .width = x.dim[2],
                        .k = x.dim[3],
                        .c = c,
                        .oh = middle.dim[1],
                        .ow = middle.dim[2],
                        .kernel = (int)node_input(p->g, n, NECK_DEPTHWISE)->shape.dim[2],
                        .stride = attr->depthwise.stride[0],
                        .pad = {attr->depthwise.pad_begin[0], attr->depthwise.pad_begin[1]},
                        .expand_act = attr->widen.act,
                        .act = attr->depthwise.act,
                        .threads = p->b->threads};
    choose_bands(&widen);
    const int64_t squeezed = attr->is_excited ? node_input(p->g, n, NECK_W1)->shape.dim[0] : 0;
    const squeeze_args squeeze = {
        .n = widen.n, .bands = widen.bands, .hw = hw, .c = c, .squeezed = squeezed, .threads = p->b->threads};
    const conv1x1_args narrow = {
        .n = widen.n, .hw = hw, .k = c, .o = attr->y.dim[3], .act = attr->narrow.act, .threads = p->b->threads};
    const size_t row = (size_t)(widen.n * c) * sizeof(float);
    const size_t widen_bytes = (size_t)(widen_part_floats(&widen) * widen.threads) * sizeof(float);
    const size_t squeeze_bytes = (size_t)(widen.n * (c + squeezed)) * sizeof(float);
    neck_rooms r = {.middle = cpu_kernel_scratch(k, row * (size_t)hw),
                    .sums = cpu_kernel_scratch(k, row * (size_t)widen.bands),
                    .scales = cpu_kernel_scratch(k, row)};
    r.work =
        cpu_kernel_scratch(k, largest(largest(widen_bytes, squeeze_bytes), conv1x1_scratch_bytes(c, narrow.threads)));
    TRY(add_widen(p, k, &widen, &r));
    if (attr->is_excited)
        TRY(add_squeeze(p, k, &squeeze, &r));
    return add_narrow(p, k, &narrow, &r, attr->is_excited);
}

static mien_status pack_all(cpu_prepare *p, node_id n, const bottleneck_attr *attr)
{
    const int64_t panel = p->b->own->product_panel;
    if (attr->is_widened)
        TRY(pack_insert_folded(p, n, NECK_WIDEN, attr->widen.eps, &(pack_form){.panel = panel, .suffix = "widen"}));
    TRY(pack_insert_folded(p, n, NECK_DEPTHWISE, attr->depthwise.eps, &(pack_form){.suffix = "depthwise"}));
    TRY(pack_insert_folded(p, n, NECK_NARROW, attr->narrow.eps, &(pack_form){.panel = panel, .suffix = "narrow"}));
    if (!attr->is_excited)
        return MIEN_OK;
    value_id packed = NO_VALUE;
    TRY(pack_insert_transposed(p, &packed, n, graph_node_at(p->g, n)->inputs[NECK_W2]));
    graph_node_at(p->g, n)->inputs[NECK_W2] = packed;
    return MIEN_OK;
}

mien_status bottleneck_prepare(cpu_prepare *p, node_id n)
{
    mien_status st = MIEN_OK;
    cpu_kernel *k = NULL;
    TRY(cpu_kernel_create(&k, p->b));
    TRY_OUT(add_steps(p, k, n)); /* before weights are packed: it reads their shapes */
    TRY_OUT(pack_all(p, n, graph_node_at(p->g, n)->attr));
    TRY_OUT(prepare_set(p, n, k));
    k = NULL;
out:
    cpu_kernel_free(k);
    return st;
}
