/* An operator's reference (reference_ops.c) reads numbers through operands, which hide their type. Where it is to be
 * exact, every float tensor has doubles of its own beside the planned memory, and nothing is rounded between nodes. */
#include "graph/reference_backend.h"

#include "base/mem.h"
#include "graph/reference_ops.h"

#include <string.h>

typedef struct {
    backend base;
    reference_precision precision;
    double **tensors; /* REFERENCE_EXACT: by value id; NULL for what keeps its type */
    int tensor_count;
} reference_backend;

typedef struct {
    kernel base;
    reference_fn fn;
    reference_call call;
    operand operands[]; /* inputs, then outputs */
} reference_kernel;

static bool is_float(dtype t)
{
    return t == DTYPE_F32 || t == DTYPE_BF16;
}

/* --- kernels ------------------------------------------------------------------------------------------------------ */

static mien_status kernel_bind(kernel *k, const kernel_io *io)
{
    reference_call *c = &((reference_kernel *)k)->call;
    for (int i = 0; i < c->in_count; i++)
        c->in[i].data = io->inputs[i];
    for (int i = 0; i < c->out_count; i++)
        c->out[i].data = io->outputs[i];
    c->scratch = io->scratch;
    c->params = io->params;
    return MIEN_OK;
}

static mien_status kernel_run(kernel *k)
{
    const reference_kernel *r = (reference_kernel *)k;
    r->fn(&r->call);
    return MIEN_OK;
}

static void kernel_free(kernel *k)
{
    mem_free(k);
}

static operand operand_of(const reference_backend *b, graph *g, value_id v)
{
    if (v == NO_VALUE)
        return (operand){0};
    const graph_value *value = graph_value_at(g, v);
    return (operand){.type = value->type,
                     .shape = value->shape,
                     .count = shape_count(&value->shape),
                     .exact = b->precision == REFERENCE_EXACT ? b->tensors[v] : NULL};
}

static mien_status kernel_create(kernel **out, const reference_backend *b, graph *g, const graph_node *node)
{
    const int count = node->input_count + node->output_count;
    reference_kernel *k = NULL;
    int64_t largest = 0;
    if (!reference_find(node->op))
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: the reference has no %s", node->name, node->op->name);
    TRY(mem_zalloc_bytes((void **)&k, 1, sizeof *k + (size_t)count * sizeof(operand)));
    k->call = (reference_call){.in = k->operands,
                               .out = k->operands + node->input_count,
                               .in_count = node->input_count,
                               .out_count = node->output_count,
                               .attr = node->attr};
    for (int i = 0; i < count; i++) {
        const value_id v = i < node->input_count ? node->inputs[i] : node->outputs[i - node->input_count];
        k->operands[i] = operand_of(b, g, v);
        largest = k->operands[i].count > largest ? k->operands[i].count : largest;
        k->base.bytes_moved +=
            v == NO_VALUE ? 0 : (double)k->operands[i].count * (double)dtype_bytes(k->operands[i].type);
    }
    k->fn = reference_find(node->op);
    k->base.bind = kernel_bind;
    k->base.run = kernel_run;
    k->base.free = kernel_free;
    k->base.scratch_bytes = (size_t)reference_scratch(largest) * sizeof(double);
    k->base.implementation = "reference";
    *out = &k->base;
    return MIEN_OK;
}

/* --- the backend -------------------------------------------------------------------------------------------------- */

static void tensors_free(reference_backend *b)
{
    for (int v = 0; v < b->tensor_count; v++)
        mem_free(b->tensors[v]);
    mem_free(b->tensors);
    b->tensors = NULL;
    b->tensor_count = 0;
}

static mien_status tensors_create(reference_backend *b, graph *g)
{
    tensors_free(b);
    TRY(mem_zalloc(&b->tensors, graph_value_count(g)));
    b->tensor_count = graph_value_count(g);
    for (value_id v = 0; v < b->tensor_count; v++) {
        const graph_value *value = graph_value_at(g, v);
        if (value->kind == VALUE_TENSOR && is_float(value->type))
            TRY(mem_zalloc(&b->tensors[v], shape_count(&value->shape)));
    }
    return MIEN_OK;
}

static mien_status reference_prepare(backend *base, graph *g, kernel ***out_kernels)
{
    reference_backend *b = (reference_backend *)base;
    kernel **kernels = NULL;
    if (b->precision == REFERENCE_EXACT)
        TRY(tensors_create(b, g));
    TRY(arena_alloc(graph_arena(g), &kernels, graph_node_count(g)));
    mien_status st = MIEN_OK;
    for (int i = 0; i < graph_order_count(g) && st == MIEN_OK; i++) {
        const node_id n = graph_order_at(g, i);
        st = kernel_create(&kernels[n], b, g, graph_node_at(g, n));
    }
    for (node_id n = 0; n < graph_node_count(g) && st != MIEN_OK; n++)
        mem_free(kernels[n]);
    if (st == MIEN_OK)
        *out_kernels = kernels;
    return st;
}

static const char *reference_isa(const backend *b)
{
    (void)b;
    return "reference";
}

static bool reference_computes_bf16(const backend *b)
{
    (void)b;
    return true;
}

static int reference_threads(const backend *b)
{
    (void)b;
    return 1;
}

static mien_status reference_alloc(backend *b, void **out, size_t bytes)
{
    (void)b;
    return mem_alloc_bytes(out, bytes);
}

static void reference_dealloc(backend *b, void *block)
{
    (void)b;
    mem_free(block);
}

static mien_status reference_move(backend *b, void *dst, const void *src, size_t bytes)
{
    (void)b;
    memcpy(dst, src, bytes);
    return MIEN_OK;
}

static mien_status reference_clear(backend *b, void *dst, size_t bytes)
{
    (void)b;
    memset(dst, 0, bytes);
    return MIEN_OK;
}

static backend *reference_one_thread(backend *b)
{
    return b;
}

static mien_status reference_side_by_side(backend *b, int parts, mien_status (*body)(void *, int), void *context)
{
    (void)b;
    for (int i = 0; i < parts; i++)
        TRY(body(context, i));
    return MIEN_OK;
}

static void reference_free(backend *b)
{
    tensors_free((reference_backend *)b);
    mem_free(b);
}

mien_status reference_backend_create(backend **out, reference_precision precision)
{
    reference_backend *b = NULL;
    TRY(mem_zalloc(&b, 1));
    b->base = (backend){.name = "reference",
                        .isa = reference_isa,
                        .computes_bf16 = reference_computes_bf16,
                        .threads = reference_threads,
                        .prepare = reference_prepare,
                        .alloc = reference_alloc,
                        .dealloc = reference_dealloc,
                        .upload = reference_move,
                        .download = reference_move,
                        .clear = reference_clear,
                        .one_thread = reference_one_thread,
                        .side_by_side = reference_side_by_side,
                        .free = reference_free};
    b->precision = precision;
    *out = &b->base;
    return MIEN_OK;
}

const double *reference_tensor(const backend *b, value_id v)
{
    const reference_backend *r = (const reference_backend *)b;
    return v >= 0 && v < r->tensor_count ? r->tensors[v] : NULL;
}
