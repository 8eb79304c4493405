/* Building an ONNX model in an arena: protobuf-c's structs point at one another, and all of them go at once. A first
 * failure is kept and later calls do nothing, so that the translation of an operator (onnx_ops.c) is an expression
 * without checks. */
#include "format/onnx_int.h"

#include "base/mem.h"

#include <string.h>

static void *take(onnx_build *b, size_t count, size_t bytes)
{
    void *room = NULL;
    if (b->status == MIEN_OK)
        b->status = arena_alloc_bytes(b->arena, &room, count, bytes);
    return room;
}

/* PREFIX NAME [:PART] */
static char *print_name(onnx_build *b, const char *name, const char *part)
{
    char *text = NULL;
    if (b->status == MIEN_OK)
        b->status =
            arena_printf(b->arena, &text, "%s%s%s%s", b->member->prefix, name, part ? ":" : "", part ? part : "");
    return text;
}

/* A message of `bytes` at the end of a repeated field, whose array doubles where its length is a power of two. */
static void *append(onnx_build *b, void *field, size_t *count, size_t bytes)
{
    enum { FIRST = 8 };
    void **array;
    memcpy(&array, field, sizeof array); /* an array of pointers to whatever message */
    if (*count == 0 || (*count >= FIRST && (*count & (*count - 1)) == 0)) {
        void **grown = take(b, *count ? 2 * *count : FIRST, sizeof *grown);
        if (!grown)
            return NULL;
        if (*count)
            memcpy(grown, array, *count * sizeof *grown);
        array = grown;
        memcpy(field, &array, sizeof array);
    }
    void *message = take(b, 1, bytes);
    if (message)
        array[(*count)++] = message;
    return message;
}

/* --- values ------------------------------------------------------------------------------------------------------- */

static void add_initializer(onnx_build *b, const char *name, Onnx__TensorProto__DataType type, int rank,
                            const int64_t *dims, const void *data, size_t bytes)
{
    Onnx__TensorProto *t = append(b, &b->graph->initializer, &b->graph->n_initializer, sizeof *t);
    int64_t *copy = take(b, (size_t)rank, sizeof *copy);
    if (b->status != MIEN_OK)
        return;
    onnx__tensor_proto__init(t);
    if (rank)
        memcpy(copy, dims, (size_t)rank * sizeof *copy);
    t->name = (char *)name;
    t->has_data_type = true;
    t->data_type = (int32_t)type;
    t->n_dims = (size_t)rank;
    t->dims = copy;
    t->has_raw_data = true;
    t->raw_data = (ProtobufCBinaryData){.len = bytes, .data = (uint8_t *)data};
}

const char *onnx_name(onnx_build *b, value_id v)
{
    if (v == NO_VALUE || b->status != MIEN_OK)
        return NULL;
    const graph_value *value = graph_value_at(b->member->graph, v);
    if (b->names[v])
        return b->names[v];
    const char *name = b->names[v] = print_name(b, value->name, NULL);
    if (value->kind == VALUE_PARAM)
        add_initializer(b, name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, value->shape.rank, value->shape.dim,
                        b->member->values + value->param_offset, (size_t)shape_count(&value->shape) * sizeof(float));
    return name;
}

const char *onnx_in(onnx_build *b, int index)
{
    return onnx_name(b, b->node->inputs[index]);
}

const shape *onnx_in_shape(const onnx_build *b, int index)
{
    return &graph_value_at(b->member->graph, b->node->inputs[index])->shape;
}

const shape *onnx_out_shape(const onnx_build *b)
{
    return &graph_value_at(b->member->graph, b->node->outputs[0])->shape;
}

static const char *constant(onnx_build *b, const char *part, Onnx__TensorProto__DataType type, int count,
                            const void *values, size_t element_bytes)
{
    size_t elements = count ? (size_t)count : 1;
    const char *name = print_name(b, b->node->name, part);
    void *copy = take(b, elements, element_bytes);
    if (!copy)
        return NULL;
    memcpy(copy, values, elements * element_bytes);
    add_initializer(b, name, type, count ? 1 : 0, (int64_t[]){count}, copy, elements * element_bytes);
    return name;
}

const char *onnx_first(onnx_build *b, const char *part, int64_t count)
{
    const char *name = print_name(b, b->node->name, part);
    float *rows = take(b, (size_t)count, sizeof *rows);
    if (!rows)
        return NULL;
    rows[0] = 1;
    add_initializer(b, name, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 2, (int64_t[]){count, 1}, rows,
                    (size_t)count * sizeof *rows);
    return name;
}

void onnx_constant(onnx_build *b, const float *data)
{
    const shape *s = onnx_out_shape(b);
    add_initializer(b, onnx_name(b, b->node->outputs[0]), ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, s->rank, s->dim, data,
                    (size_t)shape_count(s) * sizeof *data);
}

void *onnx_room(onnx_build *b, int64_t count, size_t element_bytes)
{
    return take(b, (size_t)count, element_bytes);
}

const char *onnx_floats(onnx_build *b, const char *part, int count, const float *values)
{
    return constant(b, part, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, count, values, sizeof *values);
}

const char *onnx_ints(onnx_build *b, const char *part, int count, const int64_t *values)
{
    return constant(b, part, ONNX__TENSOR_PROTO__DATA_TYPE__INT64, count, values, sizeof *values);
}

/* --- nodes -------------------------------------------------------------------------------------------------------- */

static void add_node(onnx_build *b, const char *op, const char *name, const char *const *inputs)
{
    size_t count = 0;
    Onnx__NodeProto *n = append(b, &b->graph->node, &b->graph->n_node, sizeof *n);
    while (b->status == MIEN_OK && inputs[count])
        count++;
    char **in = take(b, count, sizeof *in), **out = take(b, 1, sizeof *out);
    if (b->status != MIEN_OK)
        return;
    onnx__node_proto__init(n);
    memcpy(in, inputs, count * sizeof *in);
    out[0] = n->name = (char *)name;
    n->op_type = (char *)op;
    n->input = in;
    n->n_input = count;
    n->output = out;
    n->n_output = 1;
}

const char *onnx_emit(onnx_build *b, const char *op, const char *part, const char *const *inputs)
{
    const char *name = part ? print_name(b, b->node->name, part) : onnx_name(b, b->node->outputs[0]);
    add_node(b, op, name, inputs);
    return name;
}

void onnx_add_mean(onnx_build *b, const char *name, const char *const *values)
{
    add_node(b, "Mean", name, values);
}

static Onnx__AttributeProto *add_attribute(onnx_build *b, const char *name, Onnx__AttributeProto__AttributeType type)
{
    if (b->status != MIEN_OK)
        return NULL;
    Onnx__NodeProto *n = b->graph->node[b->graph->n_node - 1];
    Onnx__AttributeProto *a = append(b, &n->attribute, &n->n_attribute, sizeof *a);
    if (!a)
        return NULL;
    onnx__attribute_proto__init(a);
    a->name = (char *)name;
    a->has_type = true;
    a->type = type;
    return a;
}

void onnx_set_int(onnx_build *b, const char *name, int64_t value)
{
    Onnx__AttributeProto *a = add_attribute(b, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    if (!a)
        return;
    a->has_i = true;
    a->i = value;
}

void onnx_set_float(onnx_build *b, const char *name, float value)
{
    Onnx__AttributeProto *a = add_attribute(b, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    if (!a)
        return;
    a->has_f = true;
    a->f = value;
}

void onnx_set_ints(onnx_build *b, const char *name, int count, const int64_t *values)
{
    Onnx__AttributeProto *a = add_attribute(b, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    int64_t *copy = take(b, (size_t)count, sizeof *copy);
    if (!copy)
        return;
    memcpy(copy, values, (size_t)count * sizeof *copy);
    a->ints = copy;
    a->n_ints = (size_t)count;
}

/* --- inputs and outputs ------------------------------------------------------------------------------------------- */

static Onnx__TypeProto *tensor_type(onnx_build *b, Onnx__TensorProto__DataType type, int rank, const int64_t *dims)
{
    Onnx__TypeProto *t = take(b, 1, sizeof *t);
    Onnx__TypeProto__Tensor *tensor = take(b, 1, sizeof *tensor);
    Onnx__TensorShapeProto *s = take(b, 1, sizeof *s);
    if (!s)
        return NULL;
    onnx__type_proto__init(t);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(s);
    for (int i = -1; i < rank; i++) {
        Onnx__TensorShapeProto__Dimension *d = append(b, &s->dim, &s->n_dim, sizeof *d);
        if (!d)
            return NULL;
        onnx__tensor_shape_proto__dimension__init(d);
        if (i < 0) {
            d->dim_param = "batch";
        } else {
            d->has_dim_value = true;
            d->dim_value = dims[i];
        }
    }
    tensor->has_elem_type = true;
    tensor->elem_type = (int32_t)type;
    tensor->shape = s;
    t->tensor_type = tensor;
    return t;
}

static void add_value_info(onnx_build *b, Onnx__ValueInfoProto ***field, size_t *count, const char *name,
                           Onnx__TypeProto *type)
{
    Onnx__ValueInfoProto *info = append(b, field, count, sizeof *info);
    if (!info)
        return;
    onnx__value_info_proto__init(info);
    info->name = (char *)name;
    info->type = type;
}

void onnx_add_input(onnx_build *b, const char *name, Onnx__TensorProto__DataType type, int rank, const int64_t *dims)
{
    add_value_info(b, &b->graph->input, &b->graph->n_input, name, tensor_type(b, type, rank, dims));
}

void onnx_add_output(onnx_build *b, const char *name, int rank, const int64_t *dims)
{
    add_value_info(b, &b->graph->output, &b->graph->n_output, name,
                   tensor_type(b, ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, rank, dims));
}

int onnx_count_makers(const onnx_build *b, const char *name)
{
    int count = 0;
    for (size_t i = 0; i < b->graph->n_input; i++)
        count += !strcmp(b->graph->input[i]->name, name);
    for (size_t i = 0; i < b->graph->n_initializer; i++)
        count += !strcmp(b->graph->initializer[i]->name, name);
    for (size_t i = 0; i < b->graph->n_node; i++)
        count += !strcmp(b->graph->node[i]->output[0], name);
    return count;
}
