/* Addresses that the backend gives out lie in pages without rights, so that whoever touches them dies of it; the
 * numbers lie elsewhere, and kernels are bound to where they really are. */
#include "backend/apart_backend.h"

#include "base/mem.h"
#include "base/size.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, PATTERN = 0xa5, PATTERN_BYTES = 64 };

typedef struct block block;
struct block {
    unsigned char *shown, *real; /* real: PATTERN_BYTES more than `count` */
    size_t count;
    block *next;
};

/* What the backend and its one-thread form have in common. */
typedef struct {
    pthread_mutex_t lock;
    block *blocks;
    atomic_int captured_runs;
    unsigned char *staged; /* [staged_count] on its way in; NULL: nothing */
    size_t staged_count;
} heap;

typedef struct apart_backend apart_backend;
struct apart_backend {
    backend base;
    backend *inner;
    heap *heap;
    apart_backend *single; /* on inner's one-thread form; NULL in that one itself */
};

typedef struct {
    kernel base;
    kernel *inner;
    heap *heap;
    int input_count, output_count;
    kernel_io io; /* as shown, but where things really are */
    param_memory params;
    void *table[]; /* inputs, then outputs */
} apart_kernel;

typedef struct {
    captured base;
    heap *heap;
    int count;
    kernel *kernels[];
} apart_captured;

/* --- the wall ----------------------------------------------------------------------------------------------------- */

/* Where `count` bytes that are shown at `at` really are; NULL where they are not this memory's. */
static void *find_real(heap *h, const void *at, size_t count)
{
    const unsigned char *first = at;
    void *real = NULL;
    pthread_mutex_lock(&h->lock);
    for (const block *b = h->blocks; b && !real; b = b->next)
        if (first >= b->shown && first + count <= b->shown + b->count)
            real = b->real + (first - b->shown);
    pthread_mutex_unlock(&h->lock);
    return real;
}

static heap *heap_of(const backend *b)
{
    return ((const apart_backend *)b)->heap;
}

static void block_free(block *b)
{
    if (b->shown)
        munmap(b->shown, size_align(b->count + 1, PAGE));
    mem_free(b->real);
    mem_free(b);
}

static mien_status apart_alloc(backend *base, void **out, size_t count)
{
    heap *h = heap_of(base);
    block *b = NULL;
    void *shown;
    mien_status st;
    TRY(mem_zalloc(&b, 1));
    b->count = count;
    TRY_OUT(mem_alloc(&b->real, count + PATTERN_BYTES));
    shown = mmap(NULL, size_align(count + 1, PAGE), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (shown == MAP_FAILED) {
        st = mien_fail(MIEN_ERR_NOMEM, "apart: %zu bytes", count);
        goto out;
    }
    b->shown = shown;
    memset(b->real, PATTERN, count + PATTERN_BYTES);
    pthread_mutex_lock(&h->lock);
    b->next = h->blocks;
    h->blocks = b;
    pthread_mutex_unlock(&h->lock);
    *out = shown;
    return MIEN_OK;
out:
    block_free(b);
    return st;
}

/* Aborts where something was written behind the block: there is no status to say it by. */
static void apart_dealloc(backend *base, void *shown)
{
    heap *h = heap_of(base);
    pthread_mutex_lock(&h->lock);
    block **at = &h->blocks;
    while (*at && (*at)->shown != shown)
        at = &(*at)->next;
    block *b = *at;
    if (!b)
        abort();
    *at = b->next;
    pthread_mutex_unlock(&h->lock);
    for (size_t i = b->count; i < b->count + PATTERN_BYTES; i++)
        if (b->real[i] != PATTERN)
            abort();
    block_free(b);
}

static mien_status apart_upload(backend *base, void *dst, const void *src, size_t count)
{
    void *real = find_real(heap_of(base), dst, count);
    if (!real || find_real(heap_of(base), src, 1))
        return mien_fail(MIEN_ERR_INTERNAL, "apart: upload (wanted from outside to inside)");
    memcpy(real, src, count);
    return MIEN_OK;
}

static mien_status apart_download(backend *base, void *dst, const void *src, size_t count)
{
    const void *real = find_real(heap_of(base), src, count);
    if (!real || find_real(heap_of(base), dst, 1))
        return mien_fail(MIEN_ERR_INTERNAL, "apart: download (wanted from inside to outside)");
    memcpy(dst, real, count);
    return MIEN_OK;
}

/* What is on its way is a copy that nobody sees. */
static mien_status apart_stage(backend *base, const void *src, size_t count)
{
    heap *h = heap_of(base);
    if (count != h->staged_count) {
        mem_free(h->staged);
        h->staged = NULL;
        h->staged_count = 0;
        TRY(mem_alloc(&h->staged, count));
        h->staged_count = count;
    }
    memcpy(h->staged, src, count);
    return MIEN_OK;
}

static mien_status apart_take(backend *base, void *dst)
{
    heap *h = heap_of(base);
    return h->staged ? apart_upload(base, dst, h->staged, h->staged_count)
                     : mien_fail(MIEN_ERR_INTERNAL, "apart: nothing was staged");
}

static mien_status apart_clear(backend *base, void *dst, size_t count)
{
    void *real = find_real(heap_of(base), dst, count);
    if (!real)
        return mien_fail(MIEN_ERR_INTERNAL, "apart: clear (wanted inside)");
    memset(real, 0, count);
    return MIEN_OK;
}

/* --- kernels ------------------------------------------------------------------------------------------------------ */

static mien_status translate(heap *h, void **out, const void *shown)
{
    *out = shown ? find_real(h, shown, 0) : NULL;
    if (shown && !*out)
        return mien_fail(MIEN_ERR_INTERNAL, "apart: a kernel bound to memory outside");
    return MIEN_OK;
}

static mien_status kernel_bind(kernel *base, const kernel_io *io)
{
    apart_kernel *k = (apart_kernel *)base;
    const param_memory *m = io->params;
    heap *h = k->heap;
    for (int i = 0; i < k->input_count; i++)
        TRY(translate(h, &k->table[i], io->inputs[i]));
    for (int i = 0; i < k->output_count; i++)
        TRY(translate(h, &k->table[k->input_count + i], io->outputs[i]));
    k->params = *m;
    TRY(translate(h, (void **)&k->params.values, m->values));
    TRY(translate(h, (void **)&k->params.grads, m->grads));
    TRY(translate(h, (void **)&k->params.sums, m->sums));
    TRY(translate(h, (void **)&k->params.state1, m->state1));
    TRY(translate(h, (void **)&k->params.state2, m->state2));
    k->io = (kernel_io){.inputs = k->table, .outputs = k->table + k->input_count, .params = &k->params};
    TRY(translate(h, &k->io.scratch, io->scratch));
    return k->inner->bind(k->inner, &k->io);
}

static mien_status kernel_run(kernel *base)
{
    apart_kernel *k = (apart_kernel *)base;
    return k->inner->run(k->inner);
}

static void kernel_free(kernel *base)
{
    apart_kernel *k = (apart_kernel *)base;
    k->inner->free(k->inner);
    mem_free(k);
}

static mien_status wrap(kernel **slot, heap *h, const graph_node *node)
{
    const size_t count = (size_t)(node->input_count + node->output_count);
    apart_kernel *k = NULL;
    TRY(mem_zalloc_bytes((void **)&k, 1, sizeof *k + count * sizeof(void *)));
    k->base = **slot; /* its scratch, name and bytes */
    k->base.bind = kernel_bind;
    k->base.run = kernel_run;
    k->base.free = kernel_free;
    k->inner = *slot;
    k->heap = h;
    k->input_count = node->input_count;
    k->output_count = node->output_count;
    *slot = &k->base;
    return MIEN_OK;
}

static mien_status apart_prepare(backend *base, graph *g, kernel ***out)
{
    apart_backend *b = (apart_backend *)base;
    kernel **kernels = NULL;
    mien_status st = MIEN_OK;
    TRY(b->inner->prepare(b->inner, g, &kernels));
    for (node_id n = 0; n < graph_node_count(g) && st == MIEN_OK; n++)
        if (kernels[n])
            st = wrap(&kernels[n], b->heap, graph_node_at(g, n));
    for (node_id n = 0; n < graph_node_count(g) && st != MIEN_OK; n++)
        if (kernels[n])
            kernels[n]->free(kernels[n]);
    if (st == MIEN_OK)
        *out = kernels;
    return st;
}

/* --- capture ------------------------------------------------------------------------------------------------------ */

static mien_status captured_run(captured *base)
{
    apart_captured *c = (apart_captured *)base;
    atomic_fetch_add(&c->heap->captured_runs, 1);
    for (int i = 0; i < c->count; i++)
        TRY(c->kernels[i]->run(c->kernels[i]));
    return MIEN_OK;
}

static void captured_free(captured *base)
{
    mem_free(base);
}

static mien_status apart_capture(backend *base, captured **out, kernel *const *kernels, int count)
{
    apart_captured *c = NULL;
    TRY(mem_zalloc_bytes((void **)&c, 1, sizeof *c + (size_t)count * sizeof *kernels));
    c->base = (captured){captured_run, captured_free};
    c->heap = heap_of(base);
    c->count = count;
    for (int i = 0; i < count; i++)
        c->kernels[i] = ((apart_kernel *)kernels[i])->inner;
    *out = &c->base;
    return MIEN_OK;
}

/* --- the backend -------------------------------------------------------------------------------------------------- */

static backend *inner_of(const backend *b)
{
    return ((const apart_backend *)b)->inner;
}

static const char *apart_isa(const backend *b)
{
    return inner_of(b)->isa(inner_of(b));
}

static bool apart_computes_bf16(const backend *b)
{
    return inner_of(b)->computes_bf16(inner_of(b));
}

static int apart_threads(const backend *b)
{
    return inner_of(b)->threads(inner_of(b));
}

static backend *apart_one_thread(backend *base)
{
    apart_backend *b = (apart_backend *)base;
    return b->single ? &b->single->base : base;
}

static mien_status apart_side_by_side(backend *b, int parts, mien_status (*body)(void *, int), void *context)
{
    return inner_of(b)->side_by_side(inner_of(b), parts, body, context);
}

static void apart_free(backend *base)
{
    apart_backend *b = (apart_backend *)base;
    b->inner->free(b->inner);
    if (b->heap) {
        pthread_mutex_destroy(&b->heap->lock);
        mem_free(b->heap->staged);
    }
    mem_free(b->heap);
    mem_free(b->single);
    mem_free(b);
}

mien_status apart_backend_create(backend **out, backend *inner, bool captures)
{
    mien_status st;
    apart_backend *b = NULL;
    TRY_OUT(mem_zalloc(&b, 1));
    b->inner = inner;
    inner = NULL;
    TRY_OUT(mem_zalloc(&b->heap, 1));
    TRY_OUT(mem_zalloc(&b->single, 1));
    pthread_mutex_init(&b->heap->lock, NULL);
    b->base = (backend){.name = "apart",
                        .device = "apart",
                        .isa = apart_isa,
                        .computes_bf16 = apart_computes_bf16,
                        .threads = apart_threads,
                        .prepare = apart_prepare,
                        .memory = b->heap,
                        .alloc = apart_alloc,
                        .dealloc = apart_dealloc,
                        .upload = apart_upload,
                        .download = apart_download,
                        .clear = apart_clear,
                        .stage = apart_stage,
                        .take = apart_take,
                        .one_thread = apart_one_thread,
                        .side_by_side = apart_side_by_side,
                        .capture = captures ? apart_capture : NULL,
                        .free = apart_free};
    *b->single = (apart_backend){.base = b->base, .inner = b->inner->one_thread(b->inner), .heap = b->heap};
    *out = &b->base;
    return MIEN_OK;
out:
    if (b)
        apart_free(&b->base);
    else
        inner->free(inner);
    return st;
}

int apart_captured_runs(const backend *b)
{
    return heap_of(b)->captured_runs;
}

int apart_block_count(const backend *b)
{
    int count = 0;
    for (const block *at = heap_of(b)->blocks; at; at = at->next)
        count++;
    return count;
}
