/* Bindings, operands and the table of kernels: what every backend's prepare does alike. */
#include "backend/prepare.h"

#include "base/mem.h"
#include "graph/plan.h"

#include <string.h>

void *binding_address(const kernel_io *io, const binding *b)
{
    switch (b->from) {
    case FROM_INPUT:
        return io->inputs[b->index];
    case FROM_OUTPUT:
        return io->outputs[b->index];
    case FROM_SCRATCH:
        return (char *)io->scratch + b->index;
    case FROM_VALUES:
        return io->params->values;
    case FROM_GRADS:
        return io->params->grads;
    case FROM_SUMS:
        return io->params->sums;
    case FROM_STATE1:
        return io->params->state1;
    case FROM_STATE2:
        return io->params->state2;
    }
    return NULL;
}

void binding_set(void *args, const kernel_io *io, const binding *b)
{
    void *address = binding_address(io, b);
    memcpy((char *)args + b->at, &address, sizeof address);
}

const graph_value *node_input(graph *g, node_id n, int index)
{
    const graph_node *node = graph_node_at(g, n);
    if (index >= node->input_count || node->inputs[index] == NO_VALUE)
        return NULL;
    return graph_value_at(g, node->inputs[index]);
}

const graph_value *node_output(graph *g, node_id n, int index)
{
    const graph_node *node = graph_node_at(g, n);
    if (index >= node->output_count || node->outputs[index] == NO_VALUE)
        return NULL;
    return graph_value_at(g, node->outputs[index]);
}

double node_bytes(graph *g, node_id n)
{
    const graph_node *node = graph_node_at(g, n);
    double bytes = 0;
    for (int i = 0; i < node->input_count + node->output_count; i++) {
        const graph_value *v = i < node->input_count ? node_input(g, n, i) : node_output(g, n, i - node->input_count);
        if (v && v->kind != VALUE_STEP)
            bytes += (double)value_bytes(v);
    }
    return bytes;
}

bool is_bf16(const graph_value *v)
{
    return v->type == DTYPE_BF16;
}

/* --- the table ---------------------------------------------------------------------------------------------------- */
mien_status kernel_list_set(kernel_list *list, graph *g, node_id n, kernel *k)
{
    if (n >= list->capacity) {
        int capacity = list->capacity * 2 > n + 64 ? list->capacity * 2 : n + 64;
        void *block = list->items;
        mien_status st = mem_resize_bytes(&block, (size_t)list->capacity * sizeof *list->items,
                                          (size_t)capacity * sizeof *list->items);
        if (st != MIEN_OK) {
            k->free(k);
            return st;
        }
        list->items = block;
        memset(list->items + list->capacity, 0, (size_t)(capacity - list->capacity) * sizeof *list->items);
        list->capacity = capacity;
    }
    if (k->bytes_moved == 0)
        k->bytes_moved = node_bytes(g, n);
    list->items[n] = k;
    return MIEN_OK;
}

mien_status kernel_list_take(kernel_list *list, graph *g, kernel ***out)
{
    kernel **kernels = NULL;
    TRY(arena_alloc(graph_arena(g), &kernels, graph_node_count(g)));
    int count = graph_node_count(g) < list->capacity ? graph_node_count(g) : list->capacity;
    if (count)
        memcpy(kernels, list->items, (size_t)count * sizeof *kernels);
    mem_free(list->items);
    *list = (kernel_list){0};
    *out = kernels;
    return MIEN_OK;
}

void kernel_list_free(kernel_list *list)
{
    for (int n = 0; n < list->capacity; n++)
        if (list->items[n])
            list->items[n]->free(list->items[n]);
    mem_free(list->items);
    *list = (kernel_list){0};
}
