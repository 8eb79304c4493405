/* Gradients summed, and parameters moved: contribute, accumulate, total, optimizer. */
#include "backend/cuda/kernel/update.h"
#include "backend/cuda/cuda_int.h"
#include "backend/cuda/kernel/pointwise.h"
#include "base/mem.h"

enum { TEAM_THREADS = 256, CHUNK = 4096 };

/* slice = part where it begins with it, else slice + part */
static mien_status prepare_contribute(cuda_prepare *p, node_id n)
{
    static const binding sum_bindings[] = {{FROM_INPUT, 0, offsetof(pointwise_args, a)},
                                           {FROM_INPUT, 1, offsetof(pointwise_args, b)},
                                           {FROM_OUTPUT, 0, offsetof(pointwise_args, y)}};
    static const binding bindings[] = {{FROM_INPUT, 1, offsetof(convert_args, x)},
                                       {FROM_OUTPUT, 0, offsetof(convert_args, y)}};
    const int64_t count = shape_count(&node_output(p->g, n, 0)->shape);
    const device_grid grid = grid_of_elements(p->b, count);
    if (node_input(p->g, n, 0))
        return cuda_own(p, n, &kernel_add, grid, &(pointwise_args){.count = count}, sizeof(pointwise_args),
                        sum_bindings, 3);
    return cuda_own(p, n, &kernel_convert, grid, &(convert_args){.count = count}, sizeof(convert_args), bindings, 2);
}

static mien_status prepare_total(cuda_prepare *p, node_id n)
{
    const graph_node *node = graph_node_at(p->g, n);
    const float *weights = node->attr;
    const device_grid one_thread = {.blocks = 1, .threads = 1};
    binding bindings[1 + TOTAL_MAX] = {{FROM_OUTPUT, 0, offsetof(total_args, y)}};
    total_args args = {.count = node->input_count};
    if (node->input_count > TOTAL_MAX)
        return mien_fail(MIEN_ERR_ARG, "%d losses (wanted at most %d)", node->input_count, TOTAL_MAX);
    for (int i = 0; i < node->input_count; i++) {
        args.weights[i] = weights[i];
        bindings[i + 1] = (binding){FROM_INPUT, (size_t)i, offsetof(total_args, x) + (size_t)i * sizeof *args.x};
    }
    return cuda_own(p, n, &kernel_total, one_thread, &args, sizeof args, bindings, 1 + node->input_count);
}

/* --- chunks ------------------------------------------------------------------------------------------------------- */
static int64_t count_chunks(const param_range *ranges, int count)
{
    int64_t chunks = 0;
    for (int r = 0; r < count; r++)
        chunks += (int64_t)((ranges[r].count + CHUNK - 1) / CHUNK);
    return chunks;
}

/* Gives k, on the device, the chunks of these ranges; *count of them. */
static mien_status keep_chunks(cuda_kernel *k, const param_range **out, int64_t *count, const param_range *ranges,
                               int range_count)
{
    const void *kept = NULL;
    param_range *chunks = NULL;
    *count = count_chunks(ranges, range_count);
    TRY(mem_alloc(&chunks, *count));
    param_range *next = chunks;
    for (int r = 0; r < range_count; r++)
        for (size_t at = 0; at < ranges[r].count; at += CHUNK) {
            const size_t left = ranges[r].count - at;
            *next++ = (param_range){ranges[r].offset + at, left < CHUNK ? left : CHUNK};
        }
    mien_status st = cuda_kernel_keep(k, &kept, chunks, (size_t)*count * sizeof *chunks);
    mem_free(chunks);
    *out = kept;
    return st;
}

static mien_status prepare_accumulate(cuda_prepare *p, node_id n)
{
    const graph_node *node = graph_node_at(p->g, n);
    const accumulate_attr *attr = node->attr;
    const binding bindings[] = {{FROM_INPUT, (size_t)node->input_count - 1, offsetof(accumulate_args, loss)},
                                {FROM_GRADS, 0, offsetof(accumulate_args, grads)},
                                {FROM_SUMS, 0, offsetof(accumulate_args, sums)}};
    accumulate_args args = {.is_first = attr->is_first};
    cuda_kernel *k = NULL;
    mien_status st;
    TRY(cuda_kernel_create(&k, p->b));
    TRY_OUT(keep_chunks(k, &args.chunks, &args.chunk_count, attr->ranges, attr->range_count));
    TRY_OUT(cuda_kernel_add_own(k, &kernel_accumulate, grid_of_rows(p->b, args.chunk_count, TEAM_THREADS), &args,
                                sizeof args, bindings, 3));
    return cuda_set(p, n, k);
out:
    k->base.free(&k->base);
    return st;
}

/* --- optimizer ---------------------------------------------------------------------------------------------------- */
static mien_status prepare_optimizer(cuda_prepare *p, node_id n)
{
    const graph_node *node = graph_node_at(p->g, n);
    const optimizer_attr *attr = node->attr;
    optimizer_args args = {.kind = attr->kind,
                           .beta1 = attr->beta1,
                           .beta2 = attr->beta2,
                           .eps = attr->eps,
                           .momentum = attr->momentum,
                           .weight_decay = attr->weight_decay};
    cuda_kernel *k = NULL;
    mien_status st;
    TRY(cuda_kernel_create(&k, p->b));
    TRY_OUT(keep_chunks(k, &args.chunks, &args.chunk_count, attr->ranges, attr->range_count));
    const size_t squares = cuda_kernel_scratch(k, (size_t)args.chunk_count * sizeof *args.squares);
    const size_t numbers = cuda_kernel_scratch(k, sizeof *args.numbers);
    const binding bindings[] = {{FROM_INPUT, 0, offsetof(optimizer_args, step)},
                                {FROM_INPUT, (size_t)node->input_count - 1, offsetof(optimizer_args, loss)},
                                {FROM_VALUES, 0, offsetof(optimizer_args, values)},
                                {attr->is_summed ? FROM_SUMS : FROM_GRADS, 0, offsetof(optimizer_args, grads)},
                                {FROM_STATE1, 0, offsetof(optimizer_args, state1)},
                                {FROM_STATE2, 0, offsetof(optimizer_args, state2)},
                                {FROM_SCRATCH, squares, offsetof(optimizer_args, squares)},
                                {FROM_SCRATCH, numbers, offsetof(optimizer_args, numbers)}};
    enum { BINDINGS = sizeof bindings / sizeof *bindings };
    const device_grid one_block = {.blocks = 1, .threads = TEAM_THREADS};
    const device_grid all = grid_of_rows(p->b, args.chunk_count, TEAM_THREADS);
    TRY_OUT(cuda_kernel_add_own(k, &kernel_optimizer_squares, all, &args, sizeof args, bindings, BINDINGS));
    TRY_OUT(cuda_kernel_add_own(k, &kernel_optimizer_begin, one_block, &args, sizeof args, bindings, BINDINGS));
    TRY_OUT(cuda_kernel_add_own(k, &kernel_optimizer, all, &args, sizeof args, bindings, BINDINGS));
    return cuda_set(p, n, k);
out:
    k->base.free(&k->base);
    return st;
}

const cuda_rule cuda_update_rules[] = {
    {&op_contribute_def, prepare_contribute},
    {&op_accumulate_def, prepare_accumulate},
    {&op_total_def, prepare_total},
    {&op_optimizer_def, prepare_optimizer},
    {0},
};
