/* prepare takes the groups that it knows, then goes over the graph once and asks each operator's function for a kernel.
 */
#include "backend/cpu/cpu_int.h"

#include "base/mem.h"
#include "base/thread.h"
#include "graph/plan.h"

#include <string.h>

static const struct {
    const op_def *op;
    prepare_fn *prepare;
} rules[] = {
    {&op_normalise_def, normalise_prepare},
    {&op_conv2d_def, conv2d_prepare},
    {&op_conv2d_dx_def, conv2d_dx_prepare},
    {&op_conv2d_dw_def, conv2d_dw_prepare},
    {&op_linear_def, linear_prepare},
    {&op_linear_dx_def, linear_dx_prepare},
    {&op_linear_dw_def, linear_dw_prepare},
    {&op_batch_norm_def, batch_norm_prepare},
    {&op_batch_norm_dx_def, batch_norm_dx_prepare},
    {&op_activation_def, activation_prepare},
    {&op_activation_dx_def, activation_dx_prepare},
    {&op_add_def, add_prepare},
    {&op_add_db_def, add_db_prepare},
    {&op_sub_def, sub_prepare},
    {&op_multiply_def, multiply_prepare},
    {&op_contribute_def, contribute_prepare},
    {&op_mul_def, mul_prepare},
    {&op_matmul_def, matmul_prepare},
    {&op_constant_def, constant_prepare},
    {&op_cast_def, cast_prepare},
    {&op_reshape_def, reshape_prepare},
    {&op_transpose_def, transpose_prepare},
    {&op_slice_dx_def, slice_dx_prepare},
    {&op_repeat_def, repeat_prepare},
    {&op_repeat_dx_def, repeat_dx_prepare},
    {&op_softmax_dx_def, softmax_dx_prepare},
    {&op_regression_def, regression_prepare},
    {&op_regression_dx_def, regression_dx_prepare},
    {&op_binary_cross_entropy_def, binary_cross_entropy_prepare},
    {&op_binary_cross_entropy_dx_def, binary_cross_entropy_dx_prepare},
    {&op_ccc_def, ccc_prepare},
    {&op_ccc_dx_def, ccc_dx_prepare},
    {&op_total_def, total_prepare},
    {&op_accumulate_def, accumulate_prepare},
    {&op_scale_def, scale_prepare},
    {&op_scale_dx_def, scale_dx_prepare},
    {&op_scale_ds_def, scale_ds_prepare},
    {&op_concat_def, concat_prepare},
    {&op_slice_def, slice_prepare},
    {&op_pool_def, pool_prepare},
    {&op_pool_dx_def, pool_dx_prepare},
    {&op_global_mean_def, global_mean_prepare},
    {&op_global_mean_dx_def, global_mean_dx_prepare},
    {&op_dropout_def, dropout_prepare},
    {&op_softmax_def, softmax_prepare},
    {&op_cross_entropy_def, cross_entropy_prepare},
    {&op_cross_entropy_dx_def, cross_entropy_dx_prepare},
    {&op_optimizer_def, optimizer_prepare},
    {&op_layer_norm_def, layer_norm_prepare},
    {&op_layer_norm_dx_def, layer_norm_dx_prepare},
    {&op_attention_def, attention_prepare},
    {&op_attention_dx_def, attention_dx_prepare},
    {&op_tokens_def, tokens_prepare},
    {&op_tokens_dx_def, tokens_dx_prepare},
    {&op_first_token_def, first_token_prepare},
    {&op_first_token_dx_def, first_token_dx_prepare},
    {&op_group_linear_def, group_linear_prepare},
    {&op_group_linear_dx_def, group_linear_dx_prepare},
    {&op_group_linear_dw_def, group_linear_dw_prepare},
    {&op_roi_embed_def, roi_embed_prepare},
    {&op_roi_embed_dx_def, roi_embed_dx_prepare},
    {&op_orthogonal_def, orthogonal_prepare},
    {&op_orthogonal_dx_def, orthogonal_dx_prepare},
    {&excite_def, excite_prepare},
    {&bottleneck_def, bottleneck_prepare},
};

static group_match *const groups[] = {bottleneck_match, excite_match};

/* --- prepare ------------------------------------------------------------------------------------------------------ */
mien_status prepare_set(cpu_prepare *p, node_id n, cpu_kernel *k)
{
    return kernel_list_set(&p->kernels, p->g, n, &k->base);
}

mien_status prepare_own(cpu_prepare *p, node_id n, kernel_fn *fn, const void *args, size_t args_bytes,
                        const binding *bindings, int count, size_t scratch_bytes)
{
    cpu_kernel *k = NULL;
    TRY(cpu_kernel_create(&k, p->b));
    mien_status st = cpu_kernel_add_own(k, fn, args, args_bytes, bindings, count);
    if (st != MIEN_OK) {
        cpu_kernel_free(k);
        return st;
    }
    cpu_kernel_scratch(k, scratch_bytes);
    return prepare_set(p, n, k);
}

static mien_status prepare_node(cpu_prepare *p, node_id n)
{
    const graph_node *node = graph_node_at(p->g, n);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].op == node->op) {
            mien_status st = onednn_check_memory();
            if (st == MIEN_OK)
                st = rules[i].prepare(p, n);
            return st == MIEN_OK ? st : mien_fail_in(st, "%s", graph_node_at(p->g, n)->name);
        }
    return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: the CPU has no kernel for %s", node->name, node->op->name);
}

static mien_status prepare_all(cpu_backend *b, graph *g, kernel ***out_kernels)
{
    cpu_prepare p = {.b = b, .g = g};
    mien_status st = MIEN_OK;
    if (graph_activation_type(g) == DTYPE_BF16 && !isa_computes_bf16(p.b->isa))
        return mien_fail(MIEN_ERR_UNSUPPORTED, "bf16: this CPU does not compute in it (found %s, wanted %s or %s)",
                         isa_name(p.b->isa), isa_name(ISA_AVX512_BF16), isa_name(ISA_AMX));
    TRY(graph_group(g, groups, sizeof groups / sizeof *groups));
    int described = graph_node_count(g); /* inserted nodes come with their kernels */
    for (node_id n = 0; n < described; n++)
        if (!graph_node_at(g, n)->is_removed)
            TRY_OUT(prepare_node(&p, n));
    TRY_OUT(kernel_list_take(&p.kernels, g, out_kernels));
    return MIEN_OK;
out:
    kernel_list_free(&p.kernels);
    return st;
}

/* oneDNN asks how many threads there are when a primitive is made. */
static mien_status cpu_prepare_graph(backend *base, graph *g, kernel ***out_kernels)
{
    cpu_backend *b = (cpu_backend *)base;
    team *before = openmp_enter(b->team);
    mien_status st = prepare_all(b, g, out_kernels);
    openmp_enter(before);
    return st;
}

/* --- the backend -------------------------------------------------------------------------------------------------- */
static const char *cpu_isa(const backend *b)
{
    return isa_name(((const cpu_backend *)b)->isa);
}

static bool cpu_computes_bf16(const backend *b)
{
    return isa_computes_bf16(((const cpu_backend *)b)->isa);
}

static int cpu_threads(const backend *b)
{
    return ((const cpu_backend *)b)->threads;
}

static mien_status cpu_alloc(backend *b, void **out, size_t bytes)
{
    (void)b;
    return mem_alloc_bytes(out, bytes);
}

static void cpu_dealloc(backend *b, void *block)
{
    (void)b;
    mem_free(block);
}

/* Its memory is the caller's own: moving in and out is a copy. */
static mien_status cpu_move(backend *b, void *dst, const void *src, size_t bytes)
{
    (void)b;
    memcpy(dst, src, bytes);
    return MIEN_OK;
}

static mien_status cpu_clear(backend *b, void *dst, size_t bytes)
{
    (void)b;
    memset(dst, 0, bytes);
    return MIEN_OK;
}

static backend *cpu_one_thread(backend *base)
{
    cpu_backend *b = (cpu_backend *)base;
    return b->single ? &b->single->base : base;
}

static mien_status cpu_side_by_side(backend *b, int parts, mien_status (*body)(void *, int), void *context)
{
    return team_try(((cpu_backend *)b)->team, parts, body, context);
}

static void cpu_free(backend *base)
{
    cpu_backend *b = (cpu_backend *)base;
    if (!b)
        return;
    if (b->engine)
        dnnl_engine_destroy(b->engine);
    team_free(b->team);
    team_free(b->alone);
    mem_free(b->single);
    mem_free(b);
}

/* For base.free of what is freed with its lender. */
static void lent_free(backend *b)
{
    (void)b;
}

mien_status backend_cpu_create(backend **out, const cpu_options *options)
{
    mien_status st = MIEN_OK;
    isa chosen;
    TRY(isa_get(&chosen));
    cpu_backend *b = NULL;
    TRY(mem_zalloc(&b, 1));
    b->base = (backend){.name = "cpu",
                        .device = "cpu",
                        .isa = cpu_isa,
                        .computes_bf16 = cpu_computes_bf16,
                        .threads = cpu_threads,
                        .prepare = cpu_prepare_graph,
                        .alloc = cpu_alloc,
                        .dealloc = cpu_dealloc,
                        .upload = cpu_move,
                        .download = cpu_move,
                        .clear = cpu_clear,
                        .one_thread = cpu_one_thread,
                        .side_by_side = cpu_side_by_side,
                        .free = cpu_free};
    b->isa = chosen;
    b->own = isa_kernels(chosen);
    b->reduce = options ? options->reduce : (all_reduce){0};
    b->threads = options && options->threads > 0 ? options->threads : thread_cores();
    openmp_lead_onednn();
    TRY_OUT(team_create(&b->team, b->threads));
    TRY_OUT(team_create(&b->alone, 1));
    TRY_DNNL("engine", dnnl_engine_create(&b->engine, dnnl_cpu, 0));
    TRY_OUT(mem_zalloc(&b->single, 1));
    *b->single = *b;
    b->single->base.free = lent_free;
    b->single->threads = 1;
    b->single->team = b->alone;
    b->single->single = NULL;
    *out = &b->base;
    return MIEN_OK;
out:
    cpu_free(&b->base);
    return st;
}
