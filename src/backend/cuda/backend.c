/* prepare goes over the graph once and asks the rules for a kernel of each node: the fast ones first. */
#include "backend/cuda/cuda_int.h"

#include "base/mem.h"

#include <stdio.h>

static const cuda_rule *const plain_rules[] = {
    cuda_pointwise_rules, cuda_movement_rules, cuda_losses_rules, cuda_update_rules, cuda_convolution_rules,
    cuda_products_rules,  cuda_norms_rules,    cuda_pools_rules,  cuda_tokens_rules, cuda_regions_rules,
};
static const cuda_rule *const fast_rules[] = {cuda_fused_rules, cuda_cudnn_rules, cuda_cublas_rules,
                                              cuda_attention_rules};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* --- prepare ------------------------------------------------------------------------------------------------------ */
mien_status cuda_set(cuda_prepare *p, node_id n, cuda_kernel *k)
{
    return kernel_list_set(&p->kernels, p->g, n, &k->base);
}

mien_status cuda_own(cuda_prepare *p, node_id n, const device_kernel *fn, device_grid grid, const void *args,
                     size_t args_bytes, const binding *bindings, int count)
{
    cuda_kernel *k = NULL;
    TRY(cuda_kernel_create(&k, p->b));
    mien_status st = cuda_kernel_add_own(k, fn, grid, args, args_bytes, bindings, count);
    if (st != MIEN_OK) {
        k->base.free(&k->base);
        return st;
    }
    return cuda_set(p, n, k);
}

/* MIEN_ERR_UNSUPPORTED where no rule serves the node. */
static mien_status try_rules(cuda_prepare *p, node_id n, const cuda_rule *const *tables, size_t count)
{
    const op_def *op = graph_node_at(p->g, n)->op;
    for (size_t t = 0; t < count; t++)
        for (const cuda_rule *rule = tables[t]; rule->op; rule++) {
            mien_status st = rule->op == op ? rule->prepare(p, n) : MIEN_ERR_UNSUPPORTED;
            if (st != MIEN_ERR_UNSUPPORTED)
                return st;
        }
    return MIEN_ERR_UNSUPPORTED;
}

static mien_status prepare_node(cuda_prepare *p, node_id n)
{
    mien_status st = MIEN_ERR_UNSUPPORTED;
    if (!p->b->options.is_plain)
        st = try_rules(p, n, fast_rules, COUNT(fast_rules));
    if (st == MIEN_ERR_UNSUPPORTED)
        st = try_rules(p, n, plain_rules, COUNT(plain_rules));
    if (st == MIEN_ERR_UNSUPPORTED)
        (void)mien_fail(st, "CUDA has no kernel for %s", graph_node_at(p->g, n)->op->name);
    return st == MIEN_OK ? st : mien_fail_in(st, "%s", graph_node_at(p->g, n)->name);
}

static mien_status cuda_prepare_graph(backend *base, graph *g, kernel ***out_kernels)
{
    cuda_prepare p = {.b = (cuda_backend *)base, .g = g};
    mien_status st = MIEN_OK;
    const int described = graph_node_count(g); /* inserted nodes come with their kernels */
    TRY(p.b->device->use(p.b->device));
    for (node_id n = 0; n < described; n++)
        if (!graph_node_at(g, n)->is_removed)
            TRY_OUT(prepare_node(&p, n));
    TRY_OUT(kernel_list_take(&p.kernels, g, out_kernels));
out:
    kernel_list_free(&p.kernels);
    return st;
}

/* --- capture ------------------------------------------------------------------------------------------------------ */
typedef struct {
    captured base;
    device *device;
    device_run *run;
} cuda_captured;

static mien_status captured_run(captured *base)
{
    cuda_captured *c = (cuda_captured *)base;
    return c->device->run(c->device, c->run);
}

static void captured_free(captured *base)
{
    cuda_captured *c = (cuda_captured *)base;
    c->device->run_free(c->device, c->run);
    mem_free(c);
}

static mien_status cuda_capture(backend *base, captured **out, kernel *const *kernels, int count)
{
    device *d = ((cuda_backend *)base)->device;
    cuda_captured *c = NULL;
    mien_status st = MIEN_OK;
    TRY(mem_zalloc(&c, 1));
    c->base = (captured){captured_run, captured_free};
    c->device = d;
    for (int i = 0; i < count; i++)
        TRY_OUT(cuda_kernel_warm_up((const cuda_kernel *)kernels[i]));
    TRY_OUT(d->wait(d));
    TRY_OUT(d->capture_begin(d));
    for (int i = 0; i < count && st == MIEN_OK; i++)
        st = kernels[i]->run(kernels[i]);
    mien_status end = d->capture_end(d, &c->run);
    st = st == MIEN_OK ? end : st;
    if (st == MIEN_OK) {
        *out = &c->base;
        return MIEN_OK;
    }
out:
    captured_free(&c->base);
    return st;
}

/* --- the backend -------------------------------------------------------------------------------------------------- */
static device *device_of(const backend *b)
{
    return ((const cuda_backend *)b)->device;
}

static const char *cuda_isa(const backend *b)
{
    return ((const cuda_backend *)b)->isa;
}

static bool cuda_computes_bf16(const backend *b)
{
    enum { AMPERE = 80 };
    return device_of(b)->capability >= AMPERE;
}

static int cuda_threads(const backend *b)
{
    (void)b;
    return 1;
}

/* What is taken is the most after an allocation: kernels' code, captured runs and what libraries keep count too. */
static mien_status look_at_memory(cuda_backend *b, size_t *free_bytes, size_t *total_bytes)
{
    TRY(b->device->memory(b->device, free_bytes, total_bytes));
    if (*free_bytes < b->least_free)
        b->least_free = *free_bytes;
    return MIEN_OK;
}

static mien_status cuda_alloc(backend *base, void **out, size_t bytes)
{
    cuda_backend *b = (cuda_backend *)base;
    size_t left, total;
    void *block;
    TRY(b->device->alloc(b->device, &block, bytes));
    mien_status st = look_at_memory(b, &left, &total);
    if (st == MIEN_OK)
        *out = block;
    else
        b->device->dealloc(b->device, block);
    return st;
}

static mien_status cuda_room(backend *base, backend_room *out)
{
    cuda_backend *b = (cuda_backend *)base;
    TRY(look_at_memory(b, &out->free, &out->total));
    out->peak = b->free_at_first - b->least_free;
    return MIEN_OK;
}

static void cuda_dealloc(backend *b, void *block)
{
    device_of(b)->dealloc(device_of(b), block);
}

static mien_status cuda_upload(backend *b, void *dst, const void *src, size_t bytes)
{
    return device_of(b)->upload(device_of(b), dst, src, bytes);
}

static mien_status cuda_download(backend *b, void *dst, const void *src, size_t bytes)
{
    return device_of(b)->download(device_of(b), dst, src, bytes);
}

static mien_status cuda_clear(backend *b, void *dst, size_t bytes)
{
    return device_of(b)->clear(device_of(b), dst, bytes);
}

static mien_status cuda_stage(backend *b, const void *src, size_t bytes)
{
    return device_of(b)->stage(device_of(b), src, bytes);
}

static mien_status cuda_take(backend *b, void *dst)
{
    return device_of(b)->take(device_of(b), dst);
}

static mien_status cuda_wait(backend *b)
{
    return device_of(b)->wait(device_of(b));
}

static void cuda_free(backend *base)
{
    cuda_backend *b = (cuda_backend *)base;
    cuda_libraries_free(b->libraries); /* before the stream that they work in */
    if (b->device)
        b->device->free(b->device);
    mem_free(b);
}

bool backend_cuda_is_built(void)
{
    return true;
}

mien_status backend_cuda_create(backend **out, const cuda_options *options)
{
    cuda_backend *b = NULL;
    mien_status st;
    TRY(mem_zalloc(&b, 1));
    b->options = options ? *options : (cuda_options){0};
    size_t total;
    TRY_OUT(device_open(&b->device, b->options.index));
    snprintf(b->isa, sizeof b->isa, "%s%s%s", b->device->isa, b->options.is_loose ? "+fast" : "",
             b->options.is_tf32 ? "+tf32" : "");
    TRY_OUT(b->device->memory(b->device, &b->free_at_first, &total));
    b->least_free = b->free_at_first;
    if (!b->options.is_plain)
        TRY_OUT(cuda_libraries_open(&b->libraries, b->device));
    b->base = (backend){.name = "cuda",
                        .device = b->device->name,
                        .isa = cuda_isa,
                        .computes_bf16 = cuda_computes_bf16,
                        .threads = cuda_threads,
                        .prepare = cuda_prepare_graph,
                        .memory = b->device,
                        .alloc = cuda_alloc,
                        .dealloc = cuda_dealloc,
                        .upload = cuda_upload,
                        .download = cuda_download,
                        .clear = cuda_clear,
                        .room = cuda_room,
                        .stage = cuda_stage,
                        .take = cuda_take,
                        .wait = cuda_wait,
                        .capture = cuda_capture,
                        .free = cuda_free};
    *out = &b->base;
    return MIEN_OK;
out:
    cuda_free(&b->base);
    return st;
}
