/* Attention and the tokens around it. */
#include "backend/cuda/kernel/tokens.h"
#include "backend/cuda/attention.h"

#include <math.h>

/* --- attention ---------------------------------------------------------------------------------------------------- */
attention_size cuda_attention_size(const attention_attr *attr, const graph_value *qkv)
{
    const int64_t t = qkv->shape.dim[1], c = qkv->shape.dim[2] / 3 / attr->heads;
    return (attention_size){.n = qkv->shape.dim[0],
                            .t = t,
                            .queries = attr->is_first_alone ? 1 : t,
                            .heads = attr->heads,
                            .c = c,
                            .scale = 1 / sqrt((double)c)};
}

static mien_status prepare_attention(cuda_prepare *p, node_id n)
{
    const graph_value *qkv = node_input(p->g, n, 0);
    const attention_size size = cuda_attention_size(graph_node_at(p->g, n)->attr, qkv);
    const int64_t rows = size.n * size.heads * size.queries;
    const attention_args args = {.size = size, .is_bf16 = is_bf16(qkv)};
    cuda_kernel *k = NULL;
    mien_status st = MIEN_OK;
    TRY(cuda_kernel_create(&k, p->b));
    const size_t sums = cuda_kernel_scratch(k, (size_t)(size.c * rows) * sizeof(float));
    const binding bindings[] = {{FROM_INPUT, 0, offsetof(attention_args, qkv)},
                                {FROM_OUTPUT, ATTENTION_Y, offsetof(attention_args, y)},
                                {FROM_OUTPUT, ATTENTION_LOG_SUM, offsetof(attention_args, log_sum)},
                                {FROM_SCRATCH, sums, offsetof(attention_args, sums)}};
    TRY_OUT(cuda_kernel_add_own(k, &kernel_attention, grid_of_elements(p->b, rows), &args, sizeof args, bindings, 4));
    return cuda_set(p, n, k);
out:
    k->base.free(&k->base);
    return st;
}

static mien_status prepare_attention_dx(cuda_prepare *p, node_id n)
{
    const graph_value *qkv = node_input(p->g, n, ATTENTION_DX_QKV);
    const attention_size size = cuda_attention_size(graph_node_at(p->g, n)->attr, qkv);
    const int64_t queries = size.n * size.heads * size.queries, keys = size.n * size.heads * size.t;
    const attention_dx_args args = {.size = size, .is_bf16 = is_bf16(qkv)};
    cuda_kernel *k = NULL;
    mien_status st = MIEN_OK;
    TRY(cuda_kernel_create(&k, p->b));
    const size_t delta = cuda_kernel_scratch(k, (size_t)queries * sizeof(float));
    const size_t sums = cuda_kernel_scratch(k, (size_t)(2 * size.c * keys) * sizeof(float));
    const binding bindings[] = {{FROM_INPUT, ATTENTION_DY, offsetof(attention_dx_args, dy)},
                                {FROM_INPUT, ATTENTION_DX_QKV, offsetof(attention_dx_args, qkv)},
                                {FROM_INPUT, ATTENTION_DX_Y, offsetof(attention_dx_args, y)},
                                {FROM_INPUT, ATTENTION_DX_LOG_SUM, offsetof(attention_dx_args, log_sum)},
                                {FROM_OUTPUT, 0, offsetof(attention_dx_args, dqkv)},
                                {FROM_SCRATCH, delta, offsetof(attention_dx_args, delta)},
                                {FROM_SCRATCH, sums, offsetof(attention_dx_args, sums)}};
    TRY_OUT(
        cuda_kernel_add_own(k, &kernel_attention_dq, grid_of_elements(p->b, queries), &args, sizeof args, bindings, 7));
    TRY_OUT(
        cuda_kernel_add_own(k, &kernel_attention_dkv, grid_of_elements(p->b, keys), &args, sizeof args, bindings, 7));
    return cuda_set(p, n, k);
out:
    k->base.free(&k->base);
    return st;
}

/* --- tokens ------------------------------------------------------------------------------------------------------- */
static mien_status prepare_tokens(cuda_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, TOKENS_X, offsetof(tokens_args, x)},
                                       {FROM_INPUT, TOKENS_FIRST, offsetof(tokens_args, first)},
                                       {FROM_INPUT, TOKENS_POSITION, offsetof(tokens_args, position)},
                                       {FROM_OUTPUT, 0, offsetof(tokens_args, y)}};
    const graph_value *y = node_output(p->g, n, 0);
    const tokens_args args = {.n = y->shape.dim[0],
                              .t = y->shape.dim[1],
                              .d = y->shape.dim[2],
                              .is_x_bf16 = is_bf16(node_input(p->g, n, TOKENS_X)),
                              .is_y_bf16 = is_bf16(y)};
    return cuda_own(p, n, &kernel_tokens, grid_of_elements(p->b, shape_count(&y->shape)), &args, sizeof args, bindings,
                    4);
}

static mien_status prepare_tokens_dx(cuda_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(tokens_dx_args, dy)},
                                       {FROM_OUTPUT, TOKENS_X, offsetof(tokens_dx_args, dx)},
                                       {FROM_OUTPUT, TOKENS_FIRST, offsetof(tokens_dx_args, first)},
                                       {FROM_OUTPUT, TOKENS_POSITION, offsetof(tokens_dx_args, position)}};
    const graph_value *dy = node_input(p->g, n, 0), *dx = node_output(p->g, n, TOKENS_X);
    const tokens_dx_args args = {.n = dy->shape.dim[0],
                                 .t = dy->shape.dim[1],
                                 .d = dy->shape.dim[2],
                                 .is_dy_bf16 = is_bf16(dy),
                                 .is_dx_bf16 = dx && is_bf16(dx)};
    cuda_kernel *k = NULL;
    mien_status st = MIEN_OK;
    TRY(cuda_kernel_create(&k, p->b));
    if (dx)
        TRY_OUT(cuda_kernel_add_own(k, &kernel_tokens_dx, grid_of_elements(p->b, shape_count(&dx->shape)), &args,
                                    sizeof args, bindings, 4));
    if (node_output(p->g, n, TOKENS_FIRST) || node_output(p->g, n, TOKENS_POSITION))
        TRY_OUT(cuda_kernel_add_own(k, &kernel_tokens_dposition, grid_of_elements(p->b, args.t * args.d), &args,
                                    sizeof args, bindings, 4));
    return cuda_set(p, n, k);
out:
    k->base.free(&k->base);
    return st;
}

/* Either way; tokens: the value that has them all. */
static mien_status first_token_own(cuda_prepare *p, node_id n, const device_kernel *fn, const graph_value *tokens)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(first_token_args, x)},
                                       {FROM_OUTPUT, 0, offsetof(first_token_args, y)}};
    const first_token_args args = {
        .n = tokens->shape.dim[0], .t = tokens->shape.dim[1], .d = tokens->shape.dim[2], .is_bf16 = is_bf16(tokens)};
    return cuda_own(p, n, fn, grid_of_elements(p->b, shape_count(&node_output(p->g, n, 0)->shape)), &args, sizeof args,
                    bindings, 2);
}

static mien_status prepare_first_token(cuda_prepare *p, node_id n)
{
    return first_token_own(p, n, &kernel_first_token, node_input(p->g, n, 0));
}

static mien_status prepare_first_token_dx(cuda_prepare *p, node_id n)
{
    return first_token_own(p, n, &kernel_first_token_dx, node_output(p->g, n, 0));
}

const cuda_rule cuda_tokens_rules[] = {{&op_attention_def, prepare_attention},
                                       {&op_attention_dx_def, prepare_attention_dx},
                                       {&op_tokens_def, prepare_tokens},
                                       {&op_tokens_dx_def, prepare_tokens_dx},
                                       {&op_first_token_def, prepare_first_token},
                                       {&op_first_token_dx_def, prepare_first_token_dx},
                                       {0}};
