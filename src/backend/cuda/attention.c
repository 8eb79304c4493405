/* Attention by products of cuBLASLt: scores of all queries and keys, their softmax by a kernel of ours, and the sums
 * over values; a few pictures at a time, so that what lies between (t x t of each head) stays small.
 *
 * Heads lie side by side in a token, and pictures behind each other, which no single stride goes over: queries, keys
 * and values are brought into matrices of a head each first, so that one product does all heads of the pictures.
 *
 * Not by cuDNN, whose attention never writes the scores: for an H100, 9.19 has its operation of one piece forward
 * alone, by engines that are compiled at run time (which cudnn_graph.c leaves aside), and refuses a graph of the one
 * backward. */
#include "backend/cuda/attention.h"
#include "backend/cuda/cublas_int.h"
#include "backend/cuda/fused_int.h"
#include "backend/cuda/kernel/attention_products.h"

#include "base/mem.h"
#include "base/size.h"

#include <stdio.h>

/* Operands of the calls. */
enum { AT_QKV, AT_Y, AT_LOG_SUM, AT_DY, AT_DQKV, AT_SCRATCH };

/* What lies in scratch, of the pictures at hand: matrices [n, heads, ..] of queries, keys, values side by side, of
 * their gradients, of y or its gradient, and [queries, t] of scores, the gradient of probabilities (both f32),
 * probabilities and the gradient of scores. */
enum { QKV, DQKV, Y, SCORES, DP, P, DS, WORKSPACE, PIECES };

/* Products, forward and backward. */
enum { GET_SCORES, GET_Y, FORWARD_PRODUCTS };
enum { GET_DP = GET_Y, GET_DV, GET_DQ, GET_DK, BACKWARD_PRODUCTS };

typedef struct {
    cuda_call base;
    cuda_backend *b;
    attention_size size; /* n: pictures at a time */
    int64_t all;         /* pictures */
    dtype type;
    int product_count;
    cuda_product products[BACKWARD_PRODUCTS];
    size_t pieces[PIECES]; /* where they begin */
} attention_call;

/* --- sizes -------------------------------------------------------------------------------------------------------- */
/* From one row of scores to the next: rows begin where tensor cores like them. */
static int64_t row_of_scores(const attention_size *s)
{
    return (int64_t)size_align((size_t)s->t, FUSED_WIDTH);
}

/* Bytes of a piece for one picture, 0 for what the call does not have. */
static size_t picture_bytes(const attention_call *c, int piece)
{
    const attention_size *s = &c->size;
    const bool is_backward = c->product_count == BACKWARD_PRODUCTS;
    const size_t tokens = (size_t)(s->heads * s->t * s->c) * dtype_bytes(c->type);
    const size_t queries = (size_t)(s->heads * s->queries * s->c) * dtype_bytes(c->type);
    const size_t scores = (size_t)(s->heads * s->queries * row_of_scores(s));
    switch (piece) {
    case QKV:
        return 3 * tokens;
    case DQKV:
        return is_backward ? 3 * tokens : 0;
    case Y:
        return queries;
    case SCORES:
        return scores * sizeof(float);
    case DP:
        return is_backward ? scores * sizeof(float) : 0;
    case P:
        return scores * dtype_bytes(c->type);
    case DS:
        return is_backward ? scores * dtype_bytes(c->type) : 0;
    default:
        return 0;
    }
}

/* Pictures at a time: as many as the limit allows, and about as many each time. */
static int64_t pictures_at_a_time(const attention_call *c)
{
    const size_t limit = c->b->options.attention_bytes ? c->b->options.attention_bytes : (size_t)192 << 20;
    size_t bytes = 0;
    for (int i = 0; i < PIECES; i++)
        bytes += picture_bytes(c, i);
    const int64_t most = bytes < limit ? (int64_t)(limit / bytes) : 1, times = (c->all + most - 1) / most;
    return (c->all + times - 1) / times;
}

/* Says where the pieces begin, and returns all their bytes. */
static size_t lay_out(attention_call *c)
{
    enum { ALIGNMENT = 256 };
    size_t bytes = 0;
    for (int i = 0; i < WORKSPACE; i++) {
        c->pieces[i] = bytes;
        bytes += size_align((size_t)c->size.n * picture_bytes(c, i), ALIGNMENT);
    }
    c->pieces[WORKSPACE] = bytes;
    size_t workspace = 0;
    for (int i = 0; i < c->product_count; i++)
        workspace = c->products[i].workspace_bytes > workspace ? c->products[i].workspace_bytes : workspace;
    return bytes + workspace;
}

/* --- work --------------------------------------------------------------------------------------------------------- */
static void *piece(const attention_call *c, int i)
{
    return (char *)cuda_workspace_at(c->base.operands[AT_SCRATCH]) + c->pieces[i];
}

/* Of what lies [parts, n, heads, t, c]. */
static void *part(const attention_call *c, int i, int number)
{
    const attention_size *s = &c->size;
    return (char *)piece(c, i) + (size_t)number * (size_t)(s->n * s->heads * s->t * s->c) * dtype_bytes(c->type);
}

/* Where the pictures from `first` on are in an operand that has so many numbers a picture. */
static void *pictures(const attention_call *c, int operand, int64_t first, int64_t numbers, dtype type)
{
    char *base = c->base.operands[operand];
    return base ? base + (size_t)(first * numbers) * dtype_bytes(type) : NULL;
}

static mien_status multiply(const attention_call *c, device *d, int product, void *left, void *right, void *y)
{
    cuda_call *call = c->products[product].call;
    call->operands[PRODUCT_LEFT] = left;
    call->operands[PRODUCT_RIGHT] = right;
    call->operands[PRODUCT_Y] = y;
    call->operands[PRODUCT_WORKSPACE] = piece(c, WORKSPACE);
    return call->run(call, d);
}

static mien_status split(const attention_call *c, device *d, const void *tokens, void *matrices, int parts, int64_t t)
{
    const attention_size *s = &c->size;
    const attention_split_args args = {.tokens = tokens,
                                       .matrices = matrices,
                                       .n = s->n,
                                       .t = t,
                                       .parts = parts,
                                       .heads = s->heads,
                                       .c = s->c,
                                       .is_bf16 = c->type == DTYPE_BF16};
    const int64_t eights = parts * s->n * t * s->heads * (s->c / FUSED_WIDTH);
    return d->launch(d, &kernel_attention_split, grid_of_elements(c->b, eights), &args);
}

static mien_status merge(const attention_call *c, device *d, const void *matrices, void *tokens, int parts, int64_t t)
{
    const attention_size *s = &c->size;
    const attention_merge_args args = {.matrices = matrices,
                                       .tokens = tokens,
                                       .n = s->n,
                                       .t = t,
                                       .parts = parts,
                                       .heads = s->heads,
                                       .c = s->c,
                                       .asking = s->queries,
                                       .is_bf16 = c->type == DTYPE_BF16};
    const int64_t eights = parts * s->n * t * s->heads * (s->c / FUSED_WIDTH);
    return d->launch(d, &kernel_attention_merge, grid_of_elements(c->b, eights), &args);
}

static int64_t row_count(const attention_size *s)
{
    return s->n * s->heads * s->queries;
}

static device_grid grid_of_scores(const attention_call *c)
{
    return grid_of_rows(c->b, (row_count(&c->size) + ATTENTION_ROWS - 1) / ATTENTION_ROWS, ATTENTION_THREADS);
}

static mien_status forward(const attention_call *c, device *d, int64_t first)
{
    const attention_size *s = &c->size;
    const int64_t width = s->heads * s->c;
    const attention_softmax_args softmax = {.s = piece(c, SCORES),
                                            .p = piece(c, P),
                                            .log_sum = pictures(c, AT_LOG_SUM, first, s->heads * s->queries, DTYPE_F32),
                                            .rows = row_count(s),
                                            .t = s->t,
                                            .stride = row_of_scores(s),
                                            .scale = (float)s->scale,
                                            .is_bf16 = c->type == DTYPE_BF16};
    TRY(split(c, d, pictures(c, AT_QKV, first, s->t * 3 * width, c->type), piece(c, QKV), 3, s->t));
    TRY(multiply(c, d, GET_SCORES, part(c, QKV, 0), part(c, QKV, 1), piece(c, SCORES)));
    TRY(d->launch(d, &kernel_attention_softmax, grid_of_scores(c), &softmax));
    TRY(multiply(c, d, GET_Y, piece(c, P), part(c, QKV, 2), piece(c, Y)));
    return merge(c, d, piece(c, Y), pictures(c, AT_Y, first, s->queries * width, c->type), 1, s->queries);
}

static mien_status backward(const attention_call *c, device *d, int64_t first)
{
    const attention_size *s = &c->size;
    const int64_t width = s->heads * s->c;
    const attention_softmax_dx_args softmax = {.s = piece(c, SCORES),
                                               .dp = piece(c, DP),
                                               .log_sum =
                                                   pictures(c, AT_LOG_SUM, first, s->heads * s->queries, DTYPE_F32),
                                               .p = piece(c, P),
                                               .ds = piece(c, DS),
                                               .rows = row_count(s),
                                               .t = s->t,
                                               .stride = row_of_scores(s),
                                               .scale = (float)s->scale,
                                               .is_bf16 = c->type == DTYPE_BF16};
    TRY(split(c, d, pictures(c, AT_QKV, first, s->t * 3 * width, c->type), piece(c, QKV), 3, s->t));
    TRY(split(c, d, pictures(c, AT_DY, first, s->queries * width, c->type), piece(c, Y), 1, s->queries));
    TRY(multiply(c, d, GET_SCORES, part(c, QKV, 0), part(c, QKV, 1), piece(c, SCORES)));
    TRY(multiply(c, d, GET_DP, piece(c, Y), part(c, QKV, 2), piece(c, DP)));
    TRY(d->launch(d, &kernel_attention_softmax_dx, grid_of_scores(c), &softmax));
    TRY(multiply(c, d, GET_DV, piece(c, P), piece(c, Y), part(c, DQKV, 2)));
    TRY(multiply(c, d, GET_DQ, piece(c, DS), part(c, QKV, 1), part(c, DQKV, 0)));
    TRY(multiply(c, d, GET_DK, piece(c, DS), part(c, QKV, 0), part(c, DQKV, 1)));
    return merge(c, d, piece(c, DQKV), pictures(c, AT_DQKV, first, s->t * 3 * width, c->type), 3, s->t);
}

/* The last pictures are done together with some before them again where they are fewer: to the same bits. */
static mien_status attention_run(cuda_call *base, device *d)
{
    const attention_call *c = (const attention_call *)base;
    for (int64_t first = 0; first < c->all; first += c->size.n) {
        const int64_t last = c->all - c->size.n, from = first < last ? first : last;
        TRY(c->product_count == FORWARD_PRODUCTS ? forward(c, d, from) : backward(c, d, from));
    }
    return MIEN_OK;
}

static void attention_free(cuda_call *base)
{
    attention_call *c = (attention_call *)base;
    for (int i = 0; i < c->product_count; i++)
        if (c->products[i].call)
            c->products[i].call->free(c->products[i].call);
    mem_free(c);
}

/* --- making it ---------------------------------------------------------------------------------------------------- */
enum { PIECE_ALIGNMENT = 16 }; /* of a part too: it may begin at any eight numbers */

/* rows of c channels, of matrices that are t rows apart */
static matrix channels_of(const attention_call *c, int64_t rows, int64_t t)
{
    return (matrix){c->type, PIECE_ALIGNMENT, rows, c->size.c, c->size.c, t * c->size.c, false};
}

static matrix scores_of(const attention_call *c, dtype type)
{
    const int64_t row = row_of_scores(&c->size);
    return (matrix){type, PIECE_ALIGNMENT, c->size.queries, c->size.t, row, c->size.queries * row, false};
}

static matrix turned(matrix m)
{
    m.is_turned = true;
    return m;
}

static mien_status make_products(attention_call *c)
{
    const int64_t t = c->size.t, queries = c->size.queries;
    const matrix q = channels_of(c, queries, t), k = channels_of(c, t, t), y = channels_of(c, queries, queries);
    const matrix s = scores_of(c, DTYPE_F32), p = scores_of(c, c->type);
    const struct {
        matrix left, right, y;
    } forwards[] = {[GET_SCORES] = {q, turned(k), s}, [GET_Y] = {p, k, y}},
      backwards[] = {[GET_SCORES] = {q, turned(k), s},
                     [GET_DP] = {y, turned(k), s},
                     [GET_DV] = {turned(p), y, k},
                     [GET_DQ] = {p, k, q},
                     [GET_DK] = {turned(p), q, k}},
      *wanted = c->product_count == FORWARD_PRODUCTS ? forwards : backwards;
    for (int i = 0; i < c->product_count; i++) {
        const product_plan plan = {.left = wanted[i].left,
                                   .right = wanted[i].right,
                                   .y = wanted[i].y,
                                   .batch = c->size.n * c->size.heads,
                                   .epilogue = LT_EPILOGUE_DEFAULT};
        TRY(cuda_product_create(&c->products[i], c->b, &plan));
    }
    return MIEN_OK;
}

static mien_status attention_create(attention_call **out, cuda_backend *b, const attention_size *size, dtype type,
                                    int product_count)
{
    static const device_kernel *const kernels[] = {&kernel_attention_split, &kernel_attention_merge,
                                                   &kernel_attention_softmax, &kernel_attention_softmax_dx};
    attention_call *c = NULL;
    mien_status st = MIEN_OK;
    TRY(mem_zalloc(&c, 1));
    c->base = (cuda_call){.run = attention_run, .free = attention_free};
    c->b = b;
    c->size = *size;
    c->all = size->n;
    c->type = type;
    c->product_count = product_count;
    c->size.n = pictures_at_a_time(c);
    TRY_OUT(make_products(c));
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
        TRY_OUT(b->device->load(b->device, kernels[i]));
    *out = c;
    return MIEN_OK;
out:
    attention_free(&c->base);
    return st;
}

static mien_status add_attention(cuda_kernel *k, const attention_size *size, dtype type, int product_count,
                                 const binding *operands, int count)
{
    char name[96];
    binding bindings[AT_SCRATCH + 1];
    attention_call *c = NULL;
    TRY(attention_create(&c, k->b, size, type, product_count));
    for (int i = 0; i < count; i++)
        bindings[i] = operands[i];
    bindings[count++] = (binding){FROM_SCRATCH, cuda_workspace(k, lay_out(c)), AT_SCRATCH};
    snprintf(name, sizeof name, "cublaslt:attention:%s", type == DTYPE_BF16 ? "bf16" : "f32");
    return cuda_kernel_add_call(k, &c->base, name, bindings, count);
}

static mien_status prepare(cuda_prepare *p, node_id n, const graph_value *qkv, int product_count,
                           const binding *operands, int count)
{
    const attention_size size = cuda_attention_size(graph_node_at(p->g, n)->attr, qkv);
    cuda_kernel *k = NULL;
    if (!cuda_has_products(p->b) || !is_in_eights(size.c))
        return MIEN_ERR_UNSUPPORTED;
    TRY(cuda_kernel_create(&k, p->b));
    mien_status st = add_attention(k, &size, qkv->type, product_count, operands, count);
    if (st == MIEN_OK)
        return cuda_set(p, n, k);
    k->base.free(&k->base);
    return cuda_refused(p, n, st);
}

static mien_status prepare_attention(cuda_prepare *p, node_id n)
{
    static const binding operands[] = {
        {FROM_INPUT, 0, AT_QKV}, {FROM_OUTPUT, ATTENTION_Y, AT_Y}, {FROM_OUTPUT, ATTENTION_LOG_SUM, AT_LOG_SUM}};
    return prepare(p, n, node_input(p->g, n, 0), FORWARD_PRODUCTS, operands, 3);
}

static mien_status prepare_attention_dx(cuda_prepare *p, node_id n)
{
    static const binding operands[] = {{FROM_INPUT, ATTENTION_DX_QKV, AT_QKV},
                                       {FROM_INPUT, ATTENTION_DX_LOG_SUM, AT_LOG_SUM},
                                       {FROM_INPUT, ATTENTION_DY, AT_DY},
                                       {FROM_OUTPUT, 0, AT_DQKV}};
    return prepare(p, n, node_input(p->g, n, ATTENTION_DX_QKV), BACKWARD_PRODUCTS, operands, 4);
}

const cuda_rule cuda_attention_rules[] = {
    {&op_attention_def, prepare_attention}, {&op_attention_dx_def, prepare_attention_dx}, {0}};
