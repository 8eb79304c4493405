/* Operators on tokens: layer_norm, attention, and what makes pixels into tokens and takes the first one back. */
#include "backend/cpu/kernel/tokens.h"
#include "backend/cpu/cpu_int.h"
#include "backend/cpu/kernel/attention.h"
#include "backend/cpu/kernel/layer_norm.h"

#include <math.h>
#include <string.h>

/* --- layer norm --------------------------------------------------------------------------------------------------- */
mien_status layer_norm_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, LN_X, offsetof(layer_norm_args, x)},
                                       {FROM_INPUT, LN_GAMMA, offsetof(layer_norm_args, gamma)},
                                       {FROM_INPUT, LN_BETA, offsetof(layer_norm_args, beta)},
                                       {FROM_OUTPUT, LN_Y, offsetof(layer_norm_args, y)},
                                       {FROM_OUTPUT, LN_MEAN, offsetof(layer_norm_args, mean)},
                                       {FROM_OUTPUT, LN_INV_STD, offsetof(layer_norm_args, inv_std)}};
    const layer_norm_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *x = node_input(p->g, n, LN_X);
    const int64_t c = x->shape.dim[x->shape.rank - 1];
    layer_norm_args args = {.rows = shape_count(&x->shape) / c,
                            .c = c,
                            .eps = attr->eps,
                            .threads = p->b->threads,
                            .is_x_bf16 = is_bf16(x),
                            .is_bf16 = is_bf16(node_output(p->g, n, LN_Y))};
    return prepare_own(p, n, p->b->own->layer_norm, &args, sizeof args, bindings, 6, 0);
}

mien_status layer_norm_dx_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, LN_DY, offsetof(layer_norm_dx_args, dy)},
                                       {FROM_INPUT, LN_DX_X, offsetof(layer_norm_dx_args, x)},
                                       {FROM_INPUT, LN_DX_GAMMA, offsetof(layer_norm_dx_args, gamma)},
                                       {FROM_INPUT, LN_DX_MEAN, offsetof(layer_norm_dx_args, mean)},
                                       {FROM_INPUT, LN_DX_INV_STD, offsetof(layer_norm_dx_args, inv_std)},
                                       {FROM_OUTPUT, LN_OUT_DX, offsetof(layer_norm_dx_args, dx)},
                                       {FROM_OUTPUT, LN_OUT_DGAMMA, offsetof(layer_norm_dx_args, dgamma)},
                                       {FROM_OUTPUT, LN_OUT_DBETA, offsetof(layer_norm_dx_args, dbeta)},
                                       {FROM_SCRATCH, 0, offsetof(layer_norm_dx_args, scratch)}};
    const graph_value *x = node_input(p->g, n, LN_DX_X);
    const int64_t c = x->shape.dim[x->shape.rank - 1];
    layer_norm_dx_args args = {.rows = shape_count(&x->shape) / c,
                               .c = c,
                               .threads = p->b->threads,
                               .is_x_bf16 = is_bf16(x),
                               .is_bf16 = is_bf16(node_input(p->g, n, LN_DY))};
    return prepare_own(p, n, p->b->own->layer_norm_dx, &args, sizeof args, bindings, 9,
                       layer_norm_dx_scratch_bytes(c, args.threads));
}

/* --- attention ---------------------------------------------------------------------------------------------------- */
static attention_args attention_of(cpu_prepare *p, node_id n, const graph_value *qkv)
{
    const attention_attr *attr = graph_node_at(p->g, n)->attr;
    const int64_t t = qkv->shape.dim[1], d = qkv->shape.dim[2] / 3, c = d / attr->heads;
    return (attention_args){.n = qkv->shape.dim[0],
                            .t = t,
                            .queries = attr->is_first_alone ? 1 : t,
                            .d = d,
                            .heads = attr->heads,
                            .c = c,
                            .scale = (float)(1 / sqrt((double)c)),
                            .threads = p->b->threads,
                            .is_bf16 = is_bf16(qkv)};
}

mien_status attention_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(attention_args, qkv)},
                                       {FROM_OUTPUT, ATTENTION_Y, offsetof(attention_args, y)},
                                       {FROM_OUTPUT, ATTENTION_LOG_SUM, offsetof(attention_args, log_sum)},
                                       {FROM_SCRATCH, 0, offsetof(attention_args, scratch)}};
    const attention_args args = attention_of(p, n, node_input(p->g, n, 0));
    return prepare_own(p, n, p->b->own->attention, &args, sizeof args, bindings, 4,
                       (size_t)(attention_scratch_words(args.t, args.c) * args.threads) * sizeof(uint32_t));
}

mien_status attention_dx_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, ATTENTION_DY, offsetof(attention_args, dy)},
                                       {FROM_INPUT, ATTENTION_DX_QKV, offsetof(attention_args, qkv)},
                                       {FROM_INPUT, ATTENTION_DX_Y, offsetof(attention_args, y)},
                                       {FROM_INPUT, ATTENTION_DX_LOG_SUM, offsetof(attention_args, log_sum)},
                                       {FROM_OUTPUT, 0, offsetof(attention_args, dqkv)},
                                       {FROM_SCRATCH, 0, offsetof(attention_args, scratch)}};
    const attention_args args = attention_of(p, n, node_input(p->g, n, ATTENTION_DX_QKV));
    return prepare_own(p, n, p->b->own->attention_dx, &args, sizeof args, bindings, 6,
                       (size_t)(attention_dx_scratch_words(args.t, args.c) * args.threads) * sizeof(uint32_t));
}

/* --- tokens ------------------------------------------------------------------------------------------------------- */
mien_status tokens_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, TOKENS_X, offsetof(tokens_args, x)},
                                       {FROM_INPUT, TOKENS_FIRST, offsetof(tokens_args, first)},
                                       {FROM_INPUT, TOKENS_POSITION, offsetof(tokens_args, position)},
                                       {FROM_OUTPUT, 0, offsetof(tokens_args, y)}};
    const graph_value *y = node_output(p->g, n, 0);
    const tokens_args args = {.n = y->shape.dim[0],
                              .t = y->shape.dim[1],
                              .d = y->shape.dim[2],
                              .threads = p->b->threads,
                              .is_bf16 = is_bf16(node_input(p->g, n, TOKENS_X)),
                              .is_y_bf16 = is_bf16(y)};
    return prepare_own(p, n, p->b->own->tokens, &args, sizeof args, bindings, 4, 0);
}

mien_status tokens_dx_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(tokens_dx_args, dy)},
                                       {FROM_OUTPUT, TOKENS_X, offsetof(tokens_dx_args, dx)},
                                       {FROM_OUTPUT, TOKENS_FIRST, offsetof(tokens_dx_args, dfirst)},
                                       {FROM_OUTPUT, TOKENS_POSITION, offsetof(tokens_dx_args, dposition)}};
    const graph_value *dy = node_input(p->g, n, 0), *dx = node_output(p->g, n, TOKENS_X);
    const tokens_dx_args args = {.n = dy->shape.dim[0],
                                 .t = dy->shape.dim[1],
                                 .d = dy->shape.dim[2],
                                 .threads = p->b->threads,
                                 .is_bf16 = dx && is_bf16(dx),
                                 .is_dy_bf16 = is_bf16(dy)};
    return prepare_own(p, n, p->b->own->tokens_dx, &args, sizeof args, bindings, 4, 0);
}

/* Sample i's first row, of `row` bytes in `sample` bytes of x, beside row i of y. */
typedef struct {
    char *x, *y;
    int64_t n;
    size_t row, sample;
} first_token_args;

static void first_token(const void *args)
{
    const first_token_args *a = args;
    for (int64_t i = 0; i < a->n; i++)
        memcpy(a->y + (size_t)i * a->row, a->x + (size_t)i * a->sample, a->row);
}

static void first_token_dx(const void *args)
{
    const first_token_args *a = args;
    for (int64_t i = 0; i < a->n; i++) {
        char *x = a->x + (size_t)i * a->sample;
        memcpy(x, a->y + (size_t)i * a->row, a->row);
        memset(x + a->row, 0, a->sample - a->row);
    }
}

static first_token_args first_token_of(const graph_value *x)
{
    const size_t row = (size_t)x->shape.dim[2] * dtype_bytes(x->type);
    return (first_token_args){.n = x->shape.dim[0], .row = row, .sample = (size_t)x->shape.dim[1] * row};
}

mien_status first_token_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(first_token_args, x)},
                                       {FROM_OUTPUT, 0, offsetof(first_token_args, y)}};
    const first_token_args args = first_token_of(node_input(p->g, n, 0));
    return prepare_own(p, n, first_token, &args, sizeof args, bindings, 2, 0);
}

mien_status first_token_dx_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(first_token_args, y)},
                                       {FROM_OUTPUT, 0, offsetof(first_token_args, x)}};
    const first_token_args args = first_token_of(node_output(p->g, n, 0));
    return prepare_own(p, n, first_token_dx, &args, sizeof args, bindings, 2, 0);
}
