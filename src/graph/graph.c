/* Nodes and values are allocated one by one in the arena, so their addresses hold while passes append more; only the
 * tables of pointers to them grow. */
#include "graph/graph.h"

#include "base/mem.h"
#include "graph/backend.h"
#include "graph/graph_int.h"
#include "graph/op.h"

#include <assert.h>
#include <string.h>

typedef struct {
    void *items;
    int count, capacity;
} table;

struct graph {
    arena *memory;
    dtype activation_type;
    bool is_training;
    node_phase phase;    /* of nodes appended now */
    table nodes, values; /* graph_node *, graph_value *, by id */
    table order;         /* node_id, in order of execution, without removed ones */
    table layouts;       /* const char *, by layout id less one */
    value_id step;
};

static graph_node **node_table(const graph *g)
{
    return g->nodes.items;
}

static graph_value **value_table(const graph *g)
{
    return g->values.items;
}

static node_id *order_table(const graph *g)
{
    return g->order.items;
}

/* Room for one more item. */
static mien_status table_grow(table *t, size_t item_bytes)
{
    if (t->count < t->capacity)
        return MIEN_OK;
    int capacity = t->capacity ? 2 * t->capacity : 64;
    TRY(mem_resize_bytes(&t->items, (size_t)t->capacity * item_bytes, (size_t)capacity * item_bytes));
    t->capacity = capacity;
    return MIEN_OK;
}

arena *graph_arena(graph *g)
{
    return g->memory;
}
dtype graph_activation_type(const graph *g)
{
    return g->activation_type;
}
bool graph_is_training(const graph *g)
{
    return g->is_training;
}
void graph_set_phase(graph *g, node_phase phase)
{
    g->phase = phase;
}

/* --- values ------------------------------------------------------------------------------------------------------- */

value_id graph_find(const graph *g, const char *name)
{
    for (value_id v = 0; v < g->values.count; v++)
        if (strcmp(value_table(g)[v]->name, name) == 0)
            return v;
    return NO_VALUE;
}

/* The message of a failure does not name the value: callers do. */
static mien_status value_add(graph *g, value_id *out, const char *name, value_kind kind, dtype type, shape s)
{
    TRY(shape_check(&s));
    if (graph_find(g, name) != NO_VALUE)
        return mien_fail(MIEN_ERR_ARG, "the name is taken (wanted one of its own)");
    TRY(table_grow(&g->values, sizeof(graph_value *)));
    graph_value *v = NULL;
    char *copy = NULL;
    TRY(arena_alloc(g->memory, &v, 1));
    TRY(arena_strdup(g->memory, &copy, name));
    *v = (graph_value){.name = copy, .kind = kind, .type = type, .shape = s, .producer = NO_NODE, .adds_to = NO_VALUE};
    *out = g->values.count;
    value_table(g)[g->values.count++] = v;
    return MIEN_OK;
}

mien_status graph_input(graph *g, value_id *out, const char *name, dtype type, shape s)
{
    mien_status st = value_add(g, out, name, VALUE_INPUT, type, s);
    return st == MIEN_OK ? st : mien_fail_in(st, "%s", name);
}

mien_status graph_param(graph *g, value_id *out, const char *name, shape s, size_t param_offset, bool is_trainable)
{
    value_id known = graph_find(g, name);
    if (known != NO_VALUE) {
        const graph_value *p = value_table(g)[known];
        if (p->kind == VALUE_PARAM && p->param_offset == param_offset && shape_equal(&p->shape, &s)) {
            *out = known;
            return MIEN_OK;
        }
    }
    mien_status st = value_add(g, out, name, VALUE_PARAM, DTYPE_F32, s);
    if (st != MIEN_OK)
        return mien_fail_in(st, "%s", name);
    graph_value *p = value_table(g)[*out];
    p->param_offset = param_offset;
    p->requires_grad = is_trainable && g->is_training;
    return MIEN_OK;
}

value_id graph_step(graph *g)
{
    return g->step;
}

mien_status graph_grad_of(graph *g, value_id *out, value_id param)
{
    const graph_value *p = graph_value_at(g, param);
    if (p->kind != VALUE_PARAM || !p->requires_grad)
        return mien_fail(MIEN_ERR_ARG, "%s: no gradient (wanted a trainable parameter)", p->name);
    char *name = NULL;
    TRY(arena_printf(g->memory, &name, "%s.grad", p->name));
    value_id known = graph_find(g, name);
    if (known == NO_VALUE) {
        TRY(value_add(g, &known, name, VALUE_GRAD, DTYPE_F32, p->shape));
        graph_value_at(g, known)->param_offset = p->param_offset;
    }
    *out = known;
    return MIEN_OK;
}

void graph_mark_output(graph *g, value_id v)
{
    graph_value_at(g, v)->is_output = true;
}

int graph_value_count(const graph *g)
{
    return g->values.count;
}

graph_value *graph_value_at(graph *g, value_id v)
{
    assert(v >= 0 && v < g->values.count);
    return value_table(g)[v];
}

/* --- layouts ------------------------------------------------------------------------------------------------------ */

const char *graph_layout_text(const graph *g, layout_id layout)
{
    assert(layout >= LAYOUT_PLAIN && layout <= g->layouts.count);
    return layout == LAYOUT_PLAIN ? "plain" : ((const char **)g->layouts.items)[layout - 1];
}

mien_status graph_layout(graph *g, layout_id *out, const char *text)
{
    layout_id known = LAYOUT_PLAIN;
    while (known <= g->layouts.count && strcmp(graph_layout_text(g, known), text) != 0)
        known++;
    if (known > g->layouts.count) {
        char *copy = NULL;
        TRY(table_grow(&g->layouts, sizeof(const char *)));
        TRY(arena_strdup(g->memory, &copy, text));
        ((const char **)g->layouts.items)[g->layouts.count++] = copy;
    }
    *out = known;
    return MIEN_OK;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

mien_status graph_create(graph **out, dtype activation_type, bool is_training)
{
    if (activation_type != DTYPE_F32 && activation_type != DTYPE_BF16)
        return mien_fail(MIEN_ERR_ARG, "graph: activation type %d (wanted f32 or bf16)", (int)activation_type);
    graph *g = NULL;
    mien_status st = MIEN_OK;
    TRY(mem_zalloc(&g, 1));
    g->activation_type = activation_type;
    g->is_training = is_training;
    TRY_OUT(arena_create(&g->memory, 0));
    TRY_OUT(value_add(g, &g->step, "step", VALUE_STEP, DTYPE_U8, shape_of(1, (int64_t)sizeof(step_params))));
    *out = g;
    g = NULL;
out:
    graph_free(g);
    return st;
}

void graph_free(graph *g)
{
    if (!g)
        return;
    mem_free(g->nodes.items);
    mem_free(g->values.items);
    mem_free(g->order.items);
    mem_free(g->layouts.items);
    arena_free(g->memory);
    mem_free(g);
}

/* --- outputs of a node, for shape and gradient rules ---------------------------------------------------------------
 */

static mien_status output_create(graph *g, value_id *out, node_id n, int index, dtype type, shape s)
{
    graph_node *node = graph_node_at(g, n);
    const char *name = node->name;
    if (index > 0) {
        char *numbered = NULL;
        TRY(arena_printf(g->memory, &numbered, "%s.%d", node->name, index));
        name = numbered;
    }
    TRY(value_add(g, out, name, VALUE_TENSOR, type, s));
    graph_value_at(g, *out)->producer = n;
    return MIEN_OK;
}

static void output_append(graph_node *node, value_id v)
{
    assert(node->output_count < GRAPH_MAX_OUTPUTS);
    node->outputs[node->output_count++] = v;
}

mien_status graph_add_output(graph *g, node_id n, dtype type, shape s)
{
    graph_node *node = graph_node_at(g, n);
    value_id v = NO_VALUE;
    TRY(output_create(g, &v, n, node->output_count, type, s));
    output_append(node, v);
    return MIEN_OK;
}

void graph_skip_output(graph *g, node_id n)
{
    output_append(graph_node_at(g, n), NO_VALUE);
}

mien_status graph_fill_output(graph *g, node_id n, int index, dtype type, shape s)
{
    graph_node *node = graph_node_at(g, n);
    assert(index < node->output_count && node->outputs[index] == NO_VALUE);
    return output_create(g, &node->outputs[index], n, index, type, s);
}

mien_status graph_add_param_grad_output(graph *g, node_id n, value_id param)
{
    value_id slice = NO_VALUE;
    TRY(graph_grad_of(g, &slice, param));
    if (graph_value_at(g, slice)->producer == NO_NODE) {
        graph_add_slice_output(g, n, slice);
        return MIEN_OK;
    }
    const int index = graph_node_at(g, n)->output_count;
    TRY(graph_add_output(g, n, DTYPE_F32, graph_value_at(g, param)->shape));
    graph_value_at(g, graph_node_at(g, n)->outputs[index])->adds_to = slice;
    return MIEN_OK;
}

void graph_add_slice_output(graph *g, node_id n, value_id slice)
{
    graph_value_at(g, slice)->producer = n;
    output_append(graph_node_at(g, n), slice);
}

void graph_take_output(graph *g, node_id n, int index, value_id v)
{
    graph_node_at(g, n)->outputs[index] = v;
    graph_value_at(g, v)->producer = n;
}

/* --- nodes -------------------------------------------------------------------------------------------------------- */

static mien_status node_create(graph *g, graph_node **out, const op_def *op, const char *name, const value_id *inputs,
                               int input_count, const void *attr, size_t attr_bytes)
{
    graph_node *node = NULL;
    char *name_copy = NULL;
    unsigned char *attr_copy = NULL;
    for (int i = 0; i < input_count; i++)
        if (inputs[i] < NO_VALUE || inputs[i] >= g->values.count)
            return mien_fail(MIEN_ERR_ARG, "%s: input %d is no value of this graph", name, i);
    TRY(arena_alloc(g->memory, &node, 1));
    TRY(arena_strdup(g->memory, &name_copy, name));
    *node = (graph_node){.op = op, .name = name_copy, .input_count = input_count, .phase = g->phase};
    node->forward = NO_NODE;
    TRY(arena_alloc(g->memory, &node->inputs, input_count));
    TRY(arena_alloc(g->memory, &node->outputs, GRAPH_MAX_OUTPUTS));
    if (input_count)
        memcpy(node->inputs, inputs, (size_t)input_count * sizeof *inputs);
    if (attr_bytes) {
        TRY(arena_alloc(g->memory, &attr_copy, attr_bytes));
        memcpy(attr_copy, attr, attr_bytes);
        node->attr = attr_copy;
    }
    *out = node;
    return MIEN_OK;
}

/* A tensor depends on a trainable parameter where an input does. */
static void pass_on_requires_grad(graph *g, const graph_node *node)
{
    bool any = false;
    for (int i = 0; i < node->input_count; i++)
        any = any || (node->inputs[i] != NO_VALUE && graph_value_at(g, node->inputs[i])->requires_grad);
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] != NO_VALUE)
            graph_value_at(g, node->outputs[i])->requires_grad = any;
}

/* Enters a node at a position of the order and runs its shape rule; on failure the order is as before. */
static mien_status node_enter(graph *g, node_id *out, graph_node *node, int position)
{
    TRY(table_grow(&g->nodes, sizeof(graph_node *)));
    TRY(table_grow(&g->order, sizeof(node_id)));
    node_id n = g->nodes.count, *order = order_table(g);
    node_table(g)[g->nodes.count++] = node;
    memmove(order + position + 1, order + position, (size_t)(g->order.count - position) * sizeof *order);
    order[position] = n;
    g->order.count++;
    mien_status st = node->op->infer(g, n);
    if (st != MIEN_OK) {
        graph_remove(g, n);
        return mien_fail_in(st, "%s", node->name);
    }
    if (node->phase == PHASE_FORWARD)
        pass_on_requires_grad(g, node);
    *out = n;
    return MIEN_OK;
}

mien_status graph_add(graph *g, node_id *out, const op_def *op, const char *name, const value_id *inputs,
                      int input_count, const void *attr, size_t attr_bytes)
{
    graph_node *node = NULL;
    TRY(node_create(g, &node, op, name, inputs, input_count, attr, attr_bytes));
    return node_enter(g, out, node, g->order.count);
}

mien_status graph_add_backward(graph *g, node_id *out, const op_def *op, node_id forward, const char *suffix,
                               const value_id *inputs, int input_count, const void *attr, size_t attr_bytes)
{
    graph_node *node = NULL;
    char *name = NULL;
    TRY(arena_printf(g->memory, &name, "%s:%s", graph_node_at(g, forward)->name, suffix));
    TRY(node_create(g, &node, op, name, inputs, input_count, attr, attr_bytes));
    node->phase = PHASE_BACKWARD;
    node->forward = forward;
    return node_enter(g, out, node, g->order.count);
}

static int order_find(const graph *g, node_id n)
{
    for (int i = 0; i < g->order.count; i++)
        if (order_table(g)[i] == n)
            return i;
    assert(!"a node that is in the order");
    return -1;
}

/* Beside a node, and of its phase. */
static mien_status insert_at(graph *g, node_id *out, node_id beside, int position, const op_def *op, const char *name,
                             const value_id *inputs, int input_count, const void *attr, size_t attr_bytes)
{
    graph_node *node = NULL;
    TRY(node_create(g, &node, op, name, inputs, input_count, attr, attr_bytes));
    node->phase = graph_node_at(g, beside)->phase;
    node->forward = graph_node_at(g, beside)->forward;
    return node_enter(g, out, node, position);
}

mien_status graph_insert_before(graph *g, node_id *out, node_id before, const op_def *op, const char *name,
                                const value_id *inputs, int input_count, const void *attr, size_t attr_bytes)
{
    return insert_at(g, out, before, order_find(g, before), op, name, inputs, input_count, attr, attr_bytes);
}

mien_status graph_insert_after(graph *g, node_id *out, node_id after, const op_def *op, const char *name,
                               const value_id *inputs, int input_count, const void *attr, size_t attr_bytes)
{
    return insert_at(g, out, after, order_find(g, after) + 1, op, name, inputs, input_count, attr, attr_bytes);
}

static void order_take_out(graph *g, int position)
{
    node_id *order = order_table(g);
    g->order.count--;
    memmove(order + position, order + position + 1, (size_t)(g->order.count - position) * sizeof *order);
}

void graph_remove(graph *g, node_id n)
{
    order_take_out(g, order_find(g, n));
    graph_node_at(g, n)->is_removed = true;
}

void graph_move_after(graph *g, node_id n, node_id after)
{
    order_take_out(g, order_find(g, n));
    int position = order_find(g, after) + 1;
    node_id *order = order_table(g);
    memmove(order + position + 1, order + position, (size_t)(g->order.count - position) * sizeof *order);
    order[position] = n;
    g->order.count++;
}

int graph_node_count(const graph *g)
{
    return g->nodes.count;
}
int graph_order_count(const graph *g)
{
    return g->order.count;
}
node_id graph_order_at(const graph *g, int position)
{
    assert(position >= 0 && position < g->order.count);
    return order_table(g)[position];
}
graph_node *graph_node_at(graph *g, node_id n)
{
    assert(n >= 0 && n < g->nodes.count);
    return node_table(g)[n];
}

/* Nodes that read v, and the last of them. */
static int count_consumers(graph *g, value_id v, node_id *last)
{
    int count = 0;
    for (int i = 0; i < g->order.count; i++) {
        const graph_node *node = node_table(g)[order_table(g)[i]];
        for (int k = 0; k < node->input_count; k++)
            if (node->inputs[k] == v) {
                count++;
                *last = order_table(g)[i];
                break;
            }
    }
    return count;
}

int graph_consumer_count(graph *g, value_id v)
{
    node_id last = NO_NODE;
    return count_consumers(g, v, &last);
}

node_id graph_only_consumer(graph *g, value_id v)
{
    node_id last = NO_NODE;
    bool is_one = count_consumers(g, v, &last) == 1;
    return is_one && !graph_value_at(g, v)->is_output ? last : NO_NODE;
}
