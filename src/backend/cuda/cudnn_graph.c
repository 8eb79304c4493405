/* Operation graphs of cuDNN's backend interface: descriptors, the choice of an engine, and the call that runs a plan.
 *
 * An engine is the first that cuDNN's heuristics name (mode A, then what it falls back on) that
 *   - gives the same bits in every run, unless options.is_loose;
 *   - sums in f32, and for f32 computes in f32 alone (no tensor cores, unless options.is_tf32; no transforms);
 *   - is compiled in the library: engines that compile at run time want a driver, NVRTC, and time for each plan;
 *   - takes no more workspace than is bearable.
 *
 * cuDNN 9.19 tells without a GPU what it has for one (CUDNN_ATTR_ENGINEHEUR_DEVICEPROP with an H100's properties). So
 * it is known of its compiled engines for bf16, channels last: convolutions and both gradients are there, weights'
 * gradients in bf16 alone (none writes f32); a graph of convolution [+ residual] + bias [+ ReLU] is there where the
 * bias is bf16 (none for f32), and none with SiLU. For f32 without tensor cores the engines come from the fallback
 * mode. */
#include "backend/cuda/cudnn_int.h"

#include "base/mem.h"

#include <string.h>

static int dnn_type(dtype type)
{
    return type == DTYPE_BF16 ? DNN_DATA_BFLOAT16 : DNN_DATA_FLOAT;
}

/* --- descriptors -------------------------------------------------------------------------------------------------- */
static mien_status create(const cuda_libraries *l, dnn_descriptor *out, int type)
{
    TRY_DNN(l, "descriptor", l->dnn.create_descriptor(type, out));
    return MIEN_OK;
}

static mien_status own(dnn_graph *g, dnn_descriptor *out, int type)
{
    if (g->owned_count == DNN_MAX_DESCRIPTORS)
        return mien_fail(MIEN_ERR_INTERNAL, "cuDNN: a graph of more than %d descriptors", DNN_MAX_DESCRIPTORS);
    TRY(create(g->l, out, type));
    g->owned[g->owned_count++] = *out;
    return MIEN_OK;
}

void dnn_graph_free(dnn_graph *g)
{
    while (g->owned_count > 0) /* what was made last was made of others */
        (void)g->l->dnn.destroy_descriptor(g->owned[--g->owned_count]);
    *g = (dnn_graph){.l = g->l};
}

typedef struct {
    int name, type;
    int64_t count;
    const void *elements;
} attribute;

/* Sets all attributes, and finalizes. */
static mien_status finish(const cuda_libraries *l, const char *what, dnn_descriptor d, const attribute *attributes,
                          size_t count)
{
    for (size_t i = 0; i < count; i++)
        TRY_DNN(l, what,
                l->dnn.set_attribute(d, attributes[i].name, attributes[i].type, attributes[i].count,
                                     attributes[i].elements));
    TRY_DNN(l, what, l->dnn.finalize(d));
    return MIEN_OK;
}
#define FINISH(l, what, d, ...)                                                                                        \
    finish((l), (what), (d), (const attribute[]){__VA_ARGS__},                                                         \
           sizeof(const attribute[]){__VA_ARGS__} / sizeof(attribute))

mien_status dnn_tensor(dnn_graph *g, dnn_descriptor *out, int operand, dtype type, dnn_dims dims, int64_t alignment)
{
    enum { FIRST_VIRTUAL = 100 };
    const bool is_virtual = operand == DNN_VIRTUAL;
    const int64_t *d = dims.dim, strides[] = {d[1] * d[2] * d[3], 1, d[3] * d[1], d[1]};
    const int64_t uid = is_virtual ? FIRST_VIRTUAL + g->virtual_count++ : operand + 1;
    const int data_type = dnn_type(is_virtual ? DTYPE_F32 : type);
    if (!is_virtual)
        g->ids[g->operand_count++] = uid;
    TRY(own(g, out, DNN_BACKEND_TENSOR_DESCRIPTOR));
    return FINISH(g->l, "tensor", *out, {DNN_ATTR_TENSOR_DATA_TYPE, DNN_TYPE_DATA_TYPE, 1, &data_type},
                  {DNN_ATTR_TENSOR_DIMENSIONS, DNN_TYPE_INT64, 4, d},
                  {DNN_ATTR_TENSOR_STRIDES, DNN_TYPE_INT64, 4, strides},
                  {DNN_ATTR_TENSOR_UNIQUE_ID, DNN_TYPE_INT64, 1, &uid},
                  {DNN_ATTR_TENSOR_BYTE_ALIGNMENT, DNN_TYPE_INT64, 1, &alignment},
                  {DNN_ATTR_TENSOR_IS_VIRTUAL, DNN_TYPE_BOOLEAN, 1, &is_virtual});
}

static mien_status own_operation(dnn_graph *g, dnn_descriptor *out, int type)
{
    if (g->operation_count == DNN_MAX_OPERATIONS)
        return mien_fail(MIEN_ERR_INTERNAL, "cuDNN: a graph of more than %d operations", DNN_MAX_OPERATIONS);
    TRY(own(g, out, type));
    g->operations[g->operation_count++] = *out;
    return MIEN_OK;
}

/* --- operations --------------------------------------------------------------------------------------------------- */
static mien_status geometry(dnn_graph *g, dnn_descriptor *out, const conv2d_attr *a)
{
    const int64_t dims = 2, stride[] = {a->stride[0], a->stride[1]}, dilation[] = {a->dilation[0], a->dilation[1]};
    const int64_t before[] = {a->pad_begin[0], a->pad_begin[1]}, after[] = {a->pad_end[0], a->pad_end[1]};
    const int mode = DNN_CROSS_CORRELATION, compute = DNN_DATA_FLOAT;
    TRY(own(g, out, DNN_BACKEND_CONVOLUTION_DESCRIPTOR));
    return FINISH(g->l, "geometry", *out, {DNN_ATTR_CONVOLUTION_SPATIAL_DIMS, DNN_TYPE_INT64, 1, &dims},
                  {DNN_ATTR_CONVOLUTION_COMP_TYPE, DNN_TYPE_DATA_TYPE, 1, &compute},
                  {DNN_ATTR_CONVOLUTION_CONV_MODE, DNN_TYPE_CONVOLUTION_MODE, 1, &mode},
                  {DNN_ATTR_CONVOLUTION_PRE_PADDINGS, DNN_TYPE_INT64, 2, before},
                  {DNN_ATTR_CONVOLUTION_POST_PADDINGS, DNN_TYPE_INT64, 2, after},
                  {DNN_ATTR_CONVOLUTION_DILATIONS, DNN_TYPE_INT64, 2, dilation},
                  {DNN_ATTR_CONVOLUTION_FILTER_STRIDES, DNN_TYPE_INT64, 2, stride});
}

mien_status dnn_convolution(dnn_graph *g, dnn_direction direction, const conv2d_attr *attr, dnn_descriptor x,
                            dnn_descriptor w, dnn_descriptor y)
{
    static const struct {
        int type, conv, x, w, y, alpha, beta;
    } kinds[] = {
        [DNN_FORWARD] = {DNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                         DNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, DNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                         DNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, DNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                         DNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, DNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
        [DNN_DATA_GRADIENT] = {DNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                               DNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                               DNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, DNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                               DNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                               DNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                               DNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
        [DNN_WEIGHT_GRADIENT] = {
            DNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
            DNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, DNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
            DNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, DNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
            DNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, DNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA}};
    const float one = 1, zero = 0;
    dnn_descriptor operation = NULL, conv = NULL;
    TRY(geometry(g, &conv, attr));
    TRY(own_operation(g, &operation, kinds[direction].type));
    return FINISH(g->l, "convolution", operation, {kinds[direction].conv, DNN_TYPE_BACKEND_DESCRIPTOR, 1, &conv},
                  {kinds[direction].x, DNN_TYPE_BACKEND_DESCRIPTOR, 1, &x},
                  {kinds[direction].w, DNN_TYPE_BACKEND_DESCRIPTOR, 1, &w},
                  {kinds[direction].y, DNN_TYPE_BACKEND_DESCRIPTOR, 1, &y},
                  {kinds[direction].alpha, DNN_TYPE_FLOAT, 1, &one}, {kinds[direction].beta, DNN_TYPE_FLOAT, 1, &zero});
}

static mien_status pointwise(dnn_graph *g, dnn_descriptor *out, int mode)
{
    const int precision = DNN_DATA_FLOAT;
    TRY(own(g, out, DNN_BACKEND_POINTWISE_DESCRIPTOR));
    return FINISH(g->l, "pointwise", *out, {DNN_ATTR_POINTWISE_MODE, DNN_TYPE_POINTWISE_MODE, 1, &mode},
                  {DNN_ATTR_POINTWISE_MATH_PREC, DNN_TYPE_DATA_TYPE, 1, &precision});
}

mien_status dnn_add(dnn_graph *g, dnn_descriptor a, dnn_descriptor b, dnn_descriptor y)
{
    dnn_descriptor mode = NULL, operation = NULL;
    TRY(pointwise(g, &mode, DNN_POINTWISE_ADD));
    TRY(own_operation(g, &operation, DNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR));
    return FINISH(g->l, "sum", operation,
                  {DNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, DNN_TYPE_BACKEND_DESCRIPTOR, 1, &mode},
                  {DNN_ATTR_OPERATION_POINTWISE_XDESC, DNN_TYPE_BACKEND_DESCRIPTOR, 1, &a},
                  {DNN_ATTR_OPERATION_POINTWISE_BDESC, DNN_TYPE_BACKEND_DESCRIPTOR, 1, &b},
                  {DNN_ATTR_OPERATION_POINTWISE_YDESC, DNN_TYPE_BACKEND_DESCRIPTOR, 1, &y});
}

mien_status dnn_activation(dnn_graph *g, activation_kind kind, dnn_descriptor x, dnn_descriptor y)
{
    dnn_descriptor mode = NULL, operation = NULL;
    if (kind != ACT_RELU)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "cuDNN: activation");
    TRY(pointwise(g, &mode, DNN_POINTWISE_RELU_FWD));
    TRY(own_operation(g, &operation, DNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR));
    return FINISH(g->l, "activation", operation,
                  {DNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, DNN_TYPE_BACKEND_DESCRIPTOR, 1, &mode},
                  {DNN_ATTR_OPERATION_POINTWISE_XDESC, DNN_TYPE_BACKEND_DESCRIPTOR, 1, &x},
                  {DNN_ATTR_OPERATION_POINTWISE_YDESC, DNN_TYPE_BACKEND_DESCRIPTOR, 1, &y});
}

/* --- the call ----------------------------------------------------------------------------------------------------- */
typedef struct {
    cuda_call base;
    dnn_graph graph; /* what the plan was made of */
    dnn_descriptor engine, plan, pack;
    size_t workspace_bytes;
} planned;

static void destroy(const cuda_libraries *l, dnn_descriptor *d)
{
    if (*d)
        (void)l->dnn.destroy_descriptor(*d);
    *d = NULL;
}

/* Addresses become part of a descriptor of their own, which is read only. */
static mien_status planned_bind(cuda_call *base)
{
    planned *c = (planned *)base;
    const cuda_libraries *l = c->graph.l;
    const void *addresses[DNN_MAX_OPERANDS];
    const void *workspace = c->workspace_bytes ? cuda_workspace_at(base->operands[DNN_WORKSPACE]) : NULL;
    for (int i = 0; i < c->graph.operand_count; i++)
        addresses[i] = base->operands[c->graph.ids[i] - 1];
    destroy(l, &c->pack);
    TRY(create(l, &c->pack, DNN_BACKEND_VARIANT_PACK_DESCRIPTOR));
    return FINISH(l, "addresses", c->pack,
                  {DNN_ATTR_VARIANT_PACK_UNIQUE_IDS, DNN_TYPE_INT64, c->graph.operand_count, c->graph.ids},
                  {DNN_ATTR_VARIANT_PACK_DATA_POINTERS, DNN_TYPE_VOID_PTR, c->graph.operand_count, addresses},
                  {DNN_ATTR_VARIANT_PACK_WORKSPACE, DNN_TYPE_VOID_PTR, 1, &workspace});
}

static mien_status planned_run(cuda_call *base, device *d)
{
    const planned *c = (const planned *)base;
    const cuda_libraries *l = c->graph.l;
    (void)d; /* its stream is the handle's */
    TRY_DNN(l, "run", l->dnn.execute(l->dnn_handle, c->plan, c->pack));
    return MIEN_OK;
}

static void planned_free(cuda_call *base)
{
    planned *c = (planned *)base;
    destroy(c->graph.l, &c->pack);
    destroy(c->graph.l, &c->plan);
    destroy(c->graph.l, &c->engine);
    dnn_graph_free(&c->graph);
    mem_free(c);
}

/* --- engines ------------------------------------------------------------------------------------------------------ */
enum { MAX_NOTES = 16 };

static bool has_note(const int *notes, int64_t count, int note)
{
    for (int64_t i = 0; i < count; i++)
        if (notes[i] == note)
            return true;
    return false;
}

/* What an engine's notes say against it. */
static bool is_fit(const int *numerical, int64_t numerical_count, const int *behaviour, int64_t behaviour_count,
                   dtype type, const cuda_options *options)
{
    static const int never[] = {DNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION};
    static const int strict[] = {DNN_NUMERICAL_NOTE_NONDETERMINISTIC, DNN_NUMERICAL_NOTE_FFT,
                                 DNN_NUMERICAL_NOTE_WINOGRAD};
    static const int exact[] = {DNN_NUMERICAL_NOTE_TENSOR_CORE, DNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS};
    const struct {
        const int *notes;
        size_t count;
        bool is_asked;
    } refused[] = {
        {never, 1, true}, {strict, 3, !options->is_loose}, {exact, 2, type == DTYPE_F32 && !options->is_tf32}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        for (size_t k = 0; refused[i].is_asked && k < refused[i].count; k++)
            if (has_note(numerical, numerical_count, refused[i].notes[k]))
                return false;
    return !has_note(behaviour, behaviour_count, DNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION);
}

static mien_status engine_is_fit(const cuda_libraries *l, bool *out, dnn_descriptor config, dtype type,
                                 const cuda_options *options)
{
    dnn_descriptor engine = NULL;
    int numerical[MAX_NOTES], behaviour[MAX_NOTES];
    int64_t count = 0, numerical_count = 0, behaviour_count = 0;
    TRY(create(l, &engine, DNN_BACKEND_ENGINE_DESCRIPTOR));
    int status =
        l->dnn.get_attribute(config, DNN_ATTR_ENGINECFG_ENGINE, DNN_TYPE_BACKEND_DESCRIPTOR, 1, &count, &engine);
    if (status == DNN_STATUS_SUCCESS)
        status = l->dnn.get_attribute(engine, DNN_ATTR_ENGINE_NUMERICAL_NOTE, DNN_TYPE_NUMERICAL_NOTE, MAX_NOTES,
                                      &numerical_count, numerical);
    if (status == DNN_STATUS_SUCCESS)
        status = l->dnn.get_attribute(engine, DNN_ATTR_ENGINE_BEHAVIOR_NOTE, DNN_TYPE_BEHAVIOR_NOTE, MAX_NOTES,
                                      &behaviour_count, behaviour);
    destroy(l, &engine);
    if (status != DNN_STATUS_SUCCESS)
        return dnn_fail(l, "engine", status);
    *out = is_fit(numerical, numerical_count, behaviour, behaviour_count, type, options);
    return MIEN_OK;
}

/* c->plan by this configuration; stays NULL where it has none, or one that wants too much memory. */
static mien_status try_engine(planned *c, dnn_descriptor config)
{
    const int64_t most = 512 << 20;
    const cuda_libraries *l = c->graph.l;
    int64_t count = 0, bytes = 0;
    TRY(create(l, &c->plan, DNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR));
    mien_status st = FINISH(l, "plan", c->plan, {DNN_ATTR_EXECUTION_PLAN_HANDLE, DNN_TYPE_HANDLE, 1, &l->dnn_handle},
                            {DNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, DNN_TYPE_BACKEND_DESCRIPTOR, 1, &config});
    if (st == MIEN_OK)
        TRY_DNN(
            l, "plan",
            l->dnn.get_attribute(c->plan, DNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, DNN_TYPE_INT64, 1, &count, &bytes));
    if (st != MIEN_OK || bytes > most)
        destroy(l, &c->plan);
    c->workspace_bytes = (size_t)bytes;
    return st == MIEN_ERR_NOMEM ? st : MIEN_OK;
}

/* The first of these configurations that is fit and gives a plan; it becomes c's. */
static mien_status choose(planned *c, dnn_descriptor *configs, int64_t count, dtype type, const cuda_options *options)
{
    for (int64_t i = 0; i < count && !c->plan; i++) {
        bool is_fine = false;
        TRY(engine_is_fit(c->graph.l, &is_fine, configs[i], type, options));
        if (is_fine)
            TRY(try_engine(c, configs[i]));
        if (c->plan) {
            c->engine = configs[i];
            configs[i] = NULL;
        }
    }
    return MIEN_OK;
}

/* Asks the heuristics in one mode; c->plan stays NULL where nothing comes of it. */
static mien_status ask(planned *c, dnn_descriptor operations, int mode, dtype type, const cuda_options *options)
{
    enum { MAX_CONFIGS = 64 };
    const cuda_libraries *l = c->graph.l;
    dnn_descriptor heuristics = NULL, configs[MAX_CONFIGS] = {0};
    int64_t count = 0;
    mien_status st = MIEN_OK;
    TRY(create(l, &heuristics, DNN_BACKEND_ENGINEHEUR_DESCRIPTOR));
    TRY_OUT(FINISH(l, "heuristics", heuristics,
                   {DNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, DNN_TYPE_BACKEND_DESCRIPTOR, 1, &operations},
                   {DNN_ATTR_ENGINEHEUR_MODE, DNN_TYPE_HEUR_MODE, 1, &mode}));
    for (int i = 0; i < MAX_CONFIGS; i++)
        TRY_OUT(create(l, &configs[i], DNN_BACKEND_ENGINECFG_DESCRIPTOR));
    int status = l->dnn.get_attribute(heuristics, DNN_ATTR_ENGINEHEUR_RESULTS, DNN_TYPE_BACKEND_DESCRIPTOR, MAX_CONFIGS,
                                      &count, configs);
    if (status == DNN_STATUS_SUCCESS)
        TRY_OUT(choose(c, configs, count < MAX_CONFIGS ? count : MAX_CONFIGS, type, options));
out:
    for (int i = 0; i < MAX_CONFIGS; i++)
        destroy(l, &configs[i]);
    destroy(l, &heuristics);
    return st == MIEN_ERR_NOMEM ? st : MIEN_OK; /* what one mode refuses another may serve */
}

mien_status dnn_plan(cuda_call **out, size_t *workspace_bytes, dnn_graph *g, dtype type, const cuda_options *options)
{
    static const int modes[] = {DNN_HEUR_MODE_A, DNN_HEUR_MODE_FALLBACK};
    planned *c = NULL;
    dnn_descriptor operations = NULL;
    mien_status st = MIEN_OK;
    const cuda_libraries *l = g->l;
    TRY(mem_zalloc(&c, 1));
    c->base = (cuda_call){.bind = planned_bind, .run = planned_run, .free = planned_free};
    c->graph = *g;
    *g = (dnn_graph){.l = l};
    TRY_OUT(own(&c->graph, &operations, DNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR));
    TRY_OUT(FINISH(
        l, "graph", operations, {DNN_ATTR_OPERATIONGRAPH_HANDLE, DNN_TYPE_HANDLE, 1, &l->dnn_handle},
        {DNN_ATTR_OPERATIONGRAPH_OPS, DNN_TYPE_BACKEND_DESCRIPTOR, c->graph.operation_count, c->graph.operations}));
    for (size_t i = 0; i < sizeof modes / sizeof *modes && !c->plan; i++)
        TRY_OUT(ask(c, operations, modes[i], type, options));
    if (!c->plan) {
        st = mien_fail(MIEN_ERR_UNSUPPORTED, "cuDNN: no engine");
        goto out;
    }
    *out = &c->base;
    *workspace_bytes = c->workspace_bytes;
    return MIEN_OK;
out:
    planned_free(&c->base);
    return st;
}
