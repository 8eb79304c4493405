/* Weights in the layout and type that a primitive wants. A pack node depends on parameters alone: where nothing changes
 * them (inference, a frozen part) it runs once, not every time. There it also folds batch_norm's statistics in:
 *
 *   w' = w gamma / sqrt(var + eps)      b' = beta + (b - mean) gamma / sqrt(var + eps) */
#include "backend/cpu/cpu_int.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    dtype type;
    size_t bytes; /* of the packed weights */
    layout_id layout;
    int64_t
        bias_count; /* a folded bias, with zeros behind its end where panels have them, is the second output; 0: none */
} pack_attr;

/* inputs: w, then for folded ones b (or none), gamma, beta, mean, var */
enum { PACK_W, PACK_B, PACK_GAMMA, PACK_BETA, PACK_MEAN, PACK_VAR, PACK_INPUTS };

static mien_status pack_infer(graph *g, node_id n)
{
    const graph_node *node = graph_node_at(g, n);
    const pack_attr *attr = node->attr;
    shape w = graph_value_at(g, node->inputs[PACK_W])->shape;
    TRY(graph_add_output(g, n, attr->type, w));
    graph_value *packed = graph_value_at(g, graph_node_at(g, n)->outputs[0]);
    packed->layout = attr->layout;
    packed->layout_bytes = attr->bytes;
    return attr->bias_count ? graph_add_output(g, n, DTYPE_F32, shape_of(1, attr->bias_count)) : MIEN_OK;
}

static const op_def pack_def = {.name = "pack", .infer = pack_infer, .inplace_input = -1};

static mien_status pack_node(cpu_prepare *p, node_id *out, node_id before, const value_id *inputs, int count,
                             const pack_attr *attr, const char *suffix)
{
    char name[256];
    snprintf(name, sizeof name, "%s:%s", graph_node_at(p->g, before)->name, suffix);
    return graph_insert_before(p->g, out, before, &pack_def, name, inputs, count, attr, sizeof *attr);
}

/* "288,9,3,1/16a": the strides of the dimensions, then blocks inside, each with the dimension that it is of. */
static mien_status layout_of(graph *g, layout_id *out, const_dnnl_memory_desc_t md)
{
    char text[512];
    int32_t count = 0, block_count = 0, used = 0;
    const dnnl_dims_t *strides = NULL, *blocks = NULL, *blocked = NULL;
    mien_status st = MIEN_OK;
    TRY_DNNL("layout", dnnl_memory_desc_query(md, dnnl_query_ndims_s32, &count));
    TRY_DNNL("layout", dnnl_memory_desc_query(md, dnnl_query_strides, &strides));
    TRY_DNNL("layout", dnnl_memory_desc_query(md, dnnl_query_inner_nblks_s32, &block_count));
    TRY_DNNL("layout", dnnl_memory_desc_query(md, dnnl_query_inner_blks, &blocks));
    TRY_DNNL("layout", dnnl_memory_desc_query(md, dnnl_query_inner_idxs, &blocked));
    for (int i = 0; i < count; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "%s%" PRId64, i ? "," : "", (*strides)[i]);
    for (int i = 0; i < block_count; i++)
        used += snprintf(text + used, sizeof text - (size_t)used, "/%" PRId64 "%c", (*blocks)[i],
                         (char)('a' + (*blocked)[i]));
    TRY_OUT(graph_layout(g, out, text));
out:
    return st;
}

static dtype type_of(const_dnnl_memory_desc_t md)
{
    dnnl_data_type_t type = dnnl_f32;
    dnnl_memory_desc_query(md, dnnl_query_data_type, &type);
    return type == dnnl_bf16 ? DTYPE_BF16 : DTYPE_F32;
}

mien_status pack_insert(cpu_prepare *p, value_id *out, node_id before, value_id w, const_dnnl_memory_desc_t from,
                        const_dnnl_memory_desc_t to, const char *suffix)
{
    mien_status st = MIEN_OK;
    cpu_kernel *k = NULL;
    node_id n = NO_NODE;
    pack_attr attr = {.type = type_of(to), .bytes = dnnl_memory_desc_get_size(to)};
    TRY(layout_of(p->g, &attr.layout, to));
    TRY(pack_node(p, &n, before, &w, 1, &attr, suffix));
    TRY_OUT(cpu_kernel_create(&k, p->b));
    TRY_OUT(cpu_kernel_add_reorder(k, from, (binding){FROM_INPUT, PACK_W, 0}, to, (binding){FROM_OUTPUT, 0, 0}, true));
    TRY_OUT(prepare_set(p, n, k));
    k = NULL;
    *out = graph_node_at(p->g, n)->outputs[0];
out:
    cpu_kernel_free(k);
    return st;
}

/* --- our own layouts and folding ---------------------------------------------------------------------------------- */
typedef struct {
    const float *w, *b, *gamma, *beta, *mean, *var; /* gamma NULL: nothing to fold */
    float *packed, *bias;
    int64_t o, per_output; /* weights of one output channel */
    float eps;
    int64_t panel; /* outputs whose weights lie together, [o / panel, per_output, panel]; o: [per_output, o]; 0: as w */
} fold_args;

static int64_t padded(int64_t o, int64_t panel)
{
    return panel ? (o + panel - 1) / panel * panel : o;
}

static int64_t packed_at(const fold_args *a, int64_t o, int64_t i)
{
    if (a->panel == 0)
        return o * a->per_output + i;
    return (o / a->panel * a->per_output + i) * a->panel + o % a->panel;
}

static void fold(const void *args)
{
    const fold_args *a = args;
    const int64_t count = padded(a->o, a->panel);
    for (int64_t o = a->o; o < count; o++) {
        if (a->bias)
            a->bias[o] = 0;
        for (int64_t i = 0; i < a->per_output; i++)
            a->packed[packed_at(a, o, i)] = 0;
    }
    for (int64_t o = 0; o < a->o; o++) {
        float factor = a->gamma ? a->gamma[o] / sqrtf(a->var[o] + a->eps) : 1;
        if (a->bias)
            a->bias[o] = a->beta[o] + ((a->b ? a->b[o] : 0) - a->mean[o]) * factor;
        for (int64_t i = 0; i < a->per_output; i++)
            a->packed[packed_at(a, o, i)] = a->w[o * a->per_output + i] * factor;
    }
}

static fold_args fold_of(const shape *w)
{
    return (fold_args){.o = w->dim[0], .per_output = shape_count(w) / w->dim[0]};
}

mien_status pack_insert_transposed(cpu_prepare *p, value_id *out, node_id before, value_id w)
{
    static const binding bindings[] = {{FROM_INPUT, PACK_W, offsetof(fold_args, w)},
                                       {FROM_OUTPUT, 0, offsetof(fold_args, packed)}};
    shape s = graph_value_at(p->g, w)->shape;
    pack_attr attr = {.type = DTYPE_F32, .bytes = (size_t)shape_count(&s) * sizeof(float)};
    fold_args args = fold_of(&s);
    args.panel = args.o;
    node_id n = NO_NODE;
    TRY(graph_layout(p->g, &attr.layout, "transposed"));
    TRY(pack_node(p, &n, before, &w, 1, &attr, "pack"));
    *out = graph_node_at(p->g, n)->outputs[0];
    return prepare_own(p, n, fold, &args, sizeof args, bindings, 2, 0);
}

mien_status pack_insert_folded(cpu_prepare *p, node_id before, int first, float eps, const pack_form *form)
{
    static const binding bindings[] = {
        {FROM_INPUT, PACK_W, offsetof(fold_args, w)},         {FROM_INPUT, PACK_B, offsetof(fold_args, b)},
        {FROM_INPUT, PACK_GAMMA, offsetof(fold_args, gamma)}, {FROM_INPUT, PACK_BETA, offsetof(fold_args, beta)},
        {FROM_INPUT, PACK_MEAN, offsetof(fold_args, mean)},   {FROM_INPUT, PACK_VAR, offsetof(fold_args, var)},
        {FROM_OUTPUT, 1, offsetof(fold_args, bias)}};
    mien_status st = MIEN_OK;
    cpu_kernel *k = NULL;
    node_id n = NO_NODE;
    const const_dnnl_memory_desc_t to = form->to;
    shape w = node_input(p->g, before, first)->shape;
    fold_args args = fold_of(&w);
    args.eps = eps;
    args.panel = to ? 0 : form->panel ? form->panel : args.o;
    const int64_t outputs = padded(args.o, args.panel);
    const size_t own_bytes = (size_t)(outputs * args.per_output) * sizeof(float);
    pack_attr pack = {.type = to ? type_of(to) : DTYPE_F32,
                      .bytes = to ? dnnl_memory_desc_get_size(to) : own_bytes,
                      .bias_count = outputs};
    value_id inputs[PACK_INPUTS];
    char name[32];
    memcpy(inputs, graph_node_at(p->g, before)->inputs + first, sizeof inputs);
    snprintf(name, sizeof name, args.panel < args.o ? "panels of %" PRId64 : "transposed", args.panel);
    TRY(to ? layout_of(p->g, &pack.layout, to) : graph_layout(p->g, &pack.layout, name));
    TRY(pack_node(p, &n, before, inputs, PACK_INPUTS, &pack, form->suffix ? form->suffix : "pack"));
    TRY_OUT(cpu_kernel_create(&k, p->b));
    binding packed = {FROM_OUTPUT, 0, offsetof(fold_args, packed)};
    if (to)
        packed = (binding){FROM_SCRATCH, cpu_kernel_scratch(k, own_bytes), packed.at};
    TRY_OUT(cpu_kernel_add_own(k, fold, &args, sizeof args, bindings, 7));
    cpu_kernel_bind(k, packed);
    if (to)
        TRY_OUT(cpu_kernel_add_reorder(k, form->from, (binding){FROM_SCRATCH, packed.index, 0}, to,
                                       (binding){FROM_OUTPUT, 0, 0}, true));
    TRY_OUT(prepare_set(p, n, k));
    k = NULL;
    value_id *rewired = graph_node_at(p->g, before)->inputs + first;
    rewired[PACK_W] = graph_node_at(p->g, n)->outputs[0];
    rewired[PACK_B] = graph_node_at(p->g, n)->outputs[1];
    for (int i = PACK_GAMMA; i <= PACK_VAR; i++)
        rewired[i] = NO_VALUE;
out:
    cpu_kernel_free(k);
    return st;
}
