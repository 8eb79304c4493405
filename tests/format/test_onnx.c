/* What the ONNX writer makes of a graph, read back by protobuf-c. That other runtimes compute the same from it is
 * parity/check_export.py's to see. */
#include "format/onnx.h"
#include "format/onnx.pb-c.h"

#include "base/file.h"
#include "base/str.h"
#include "graph/graph_test.h"
#include "no_memory.h"

#include <signal.h>
#include <sys/resource.h>

static const char path[] = "m.onnx";

/* --- graphs ------------------------------------------------------------------------------------------------------- */

enum { VALUES = 4096 };
static float values[VALUES]; /* all parameters: value i is i */

typedef struct {
    graph *g;
    value_id images, output;
} subject;

/* images [1, 9, 12, 3] and what stands behind them, normalised. */
static value_id begin(subject *s, bool is_training)
{
    static const float mean[3] = {0.5f, 0.25f, 0}, std[3] = {0.5f, 0.25f, 1};
    value_id x = NO_VALUE;
    for (int i = 0; i < VALUES; i++)
        values[i] = (float)i;
    s->g = new_graph(is_training);
    assert_ok(graph_input(s->g, &s->images, "images", DTYPE_U8,
                          shape_of(4, (int64_t)1, (int64_t)9, (int64_t)12, (int64_t)3)));
    assert_ok(op_normalise(s->g, &x, "normalise", s->images, mean, std));
    return x;
}

static value_id new_linear(graph *g, const char *name, value_id x, int64_t out, bool has_bias)
{
    char weight[64], bias[64];
    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(bias, sizeof bias, "%s.bias", name);
    const shape *in = &graph_value_at(g, x)->shape;
    const value_id w = new_param(g, weight, shape_of(2, out, in->dim[in->rank - 1]), true);
    const value_id b = has_bias ? new_param(g, bias, shape_of(1, out), true) : NO_VALUE;
    value_id y = NO_VALUE;
    assert_ok(op_linear(g, &y, name, x, w, b, true));
    return y;
}

static void end(subject *s, value_id features)
{
    assert_ok(op_softmax(s->g, &s->output, "softmax", new_linear(s->g, "fc", features, 4, true)));
    graph_mark_output(s->g, s->output);
}

static value_id new_pool(graph *g, const char *name, value_id x, pool_attr attr)
{
    value_id y = NO_VALUE;
    assert_ok(op_pool(g, &y, name, x, &attr));
    return y;
}

/* Every operator over maps, no two extents alike. */
static subject maps(void)
{
    subject s;
    value_id x = begin(&s, false), y = NO_VALUE, pooled = NO_VALUE, other = NO_VALUE;
    graph *g = s.g;
    const value_id w = new_param(g, "conv.weight", shape_of(4, (int64_t)6, (int64_t)1, (int64_t)3, (int64_t)2), true);
    const value_id b = new_param(g, "conv.bias", shape_of(1, (int64_t)6), true);
    const conv2d_attr attr = {
        .stride = {2, 1}, .pad_begin = {0, 1}, .pad_end = {2, 3}, .dilation = {1, 2}, .groups = 3};
    assert_ok(op_conv2d(g, &x, "conv", x, w, b, &attr)); /* [1, 5, 14, 6] */
    x = new_batch_norm(g, "bn", x, false, true);
    x = new_activation(g, "silu", x, ACT_SILU);
    assert_ok(op_global_mean(g, &pooled, "squeeze", x));
    y = new_activation(g, "sigmoid", new_linear(g, "excite", pooled, 6, false), ACT_SIGMOID);
    assert_ok(op_scale(g, &x, "scale", x, y));
    x = new_add(g, "add", x, x);
    const value_id parts[] = {
        new_pool(g, "max", x, (pool_attr){.window = {3, 2}, .stride = {3, 2}, .pad = {1, 1}, .is_max = true}),
        new_pool(g, "max_ceil", x, (pool_attr){.window = {4, 2}, .stride = {3, 2}, .is_ceil = true, .is_max = true}),
        new_pool(g, "mean", x, (pool_attr){.window = {5, 2}, .stride = {2, 2}, .pad = {1, 0}, .count_pad = true}),
        new_pool(g, "mean_ceil", x, (pool_attr){.window = {4, 2}, .stride = {3, 2}, .is_ceil = true}),
    };
    x = new_activation(g, "relu", parts[0], ACT_RELU);
    (void)x;
    const value_id alike[] = {parts[1], parts[3]};
    assert_ok(op_concat(g, &x, "cat", alike, 2));
    assert_ok(op_global_mean(g, &pooled, "pool", x));
    assert_ok(op_global_mean(g, &other, "pool2", parts[2]));
    const value_id rows[] = {other, other};
    assert_ok(op_concat(g, &other, "cat_rows", rows, 2));
    assert_ok(op_sub(g, &pooled, "sub", pooled, other, 0));
    end(&s, pooled);
    return s;
}

/* Every operator over tokens: 9 x 12 pixels in patches of 3 make 12, and the class token. */
static subject tokens(void)
{
    subject s;
    value_id x = begin(&s, false), y = NO_VALUE;
    graph *g = s.g;
    const value_id w = new_param(g, "patch.weight", shape_of(4, (int64_t)8, (int64_t)3, (int64_t)3, (int64_t)3), true);
    const conv2d_attr attr = {.stride = {3, 3}, .dilation = {1, 1}, .groups = 1};
    assert_ok(op_conv2d(g, &x, "patch", x, w, NO_VALUE, &attr));
    const value_id first = new_param(g, "first", shape_of(3, (int64_t)1, (int64_t)1, (int64_t)8), true);
    const value_id position = new_param(g, "position", shape_of(3, (int64_t)1, (int64_t)13, (int64_t)8), true);
    assert_ok(op_tokens(g, &x, "tokens", x, first, position, true));
    const value_id gamma = new_param(g, "ln.weight", shape_of(1, (int64_t)8), true);
    const value_id beta = new_param(g, "ln.bias", shape_of(1, (int64_t)8), true);
    assert_ok(op_layer_norm(g, &y, "ln", x, gamma, beta, 0.5f));
    y = new_linear(g, "qkv", y, 24, true);
    assert_ok(op_attention(g, &y, "attention", y, 2, false));
    x = new_add(g, "add", x, y);
    y = new_activation(g, "gelu", new_linear(g, "mlp", x, 24, true), ACT_GELU);
    assert_ok(op_attention(g, &y, "last", y, 2, true));
    assert_ok(op_first_token(g, &x, "first_token", x));
    end(&s, new_add(g, "add_2", x, y));
    return s;
}

/* What networks over regions have beside: 2 regions of 2 channels over a map, then rows and tokens of them. */
static value_id new_groups(graph *g, const char *name, value_id x, int groups, int64_t out, bool is_orthogonal)
{
    char weight[64], bias[64];
    const shape in = graph_value_at(g, x)->shape;
    const group_linear_attr attr = {.groups = groups};
    value_id y = NO_VALUE, b = NO_VALUE;
    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(bias, sizeof bias, "%s.bias", name);
    value_id w = new_param(g, weight, shape_of(2, groups * out, in.dim[in.rank - 1] / groups), true);
    if (is_orthogonal) {
        snprintf(weight, sizeof weight, "%s.orthogonal", name);
        assert_ok(op_orthogonal(g, &w, weight, w));
    } else {
        b = new_param(g, bias, shape_of(1, groups * out), true);
    }
    assert_ok(op_group_linear(g, &y, name, x, w, b, &attr));
    return y;
}

static const float places[6] = {0, 1, 2, 3, 4, 5};

/* Its second output is other[1]. */
static subject regions(value_id other[2])
{
    subject s;
    value_id x = begin(&s, false), y = NO_VALUE, place = NO_VALUE;
    graph *g = s.g;
    value_id products = new_conv(g, "products", x, 36, 1, false);
    value_id attention = new_activation(g, "maps", new_conv(g, "attention", x, 2, 1, true), ACT_SIGMOID);
    const value_id bias = new_param(g, "embed.bias", shape_of(1, (int64_t)4), true);
    assert_ok(op_roi_embed(g, &x, "embed", products, attention, bias));
    x = new_groups(g, "second", x, 2, 3, false); /* [1, 9, 12, 6] */
    assert_ok(op_roi_embed(g, &y, "bare", products, attention, NO_VALUE));
    assert_ok(op_slice(g, &y, "cut", y, 3, 1, 2));
    assert_ok(op_slice(g, &y, "row", y, 1, 4, 1));
    assert_ok(op_reshape(g, &y, "flat", y, shape_of(2, (int64_t)1, (int64_t)24)));
    other[1] = new_activation(g, "clip", y, ACT_CLIP);
    assert_ok(op_global_mean(g, &x, "pool", x));
    x = new_groups(g, "turned", x, 3, 2, true);
    assert_ok(op_reshape(g, &x, "tokens", x, shape_of(3, (int64_t)1, (int64_t)3, (int64_t)2)));
    assert_ok(op_constant(g, &place, "places", DTYPE_F32, shape_of(2, (int64_t)3, (int64_t)2), places));
    assert_ok(op_repeat(g, &place, "places.each", place, 1));
    x = new_add(g, "positioned", x, place);
    assert_ok(op_token_mean(g, &x, "mean", x));
    end(&s, x);
    other[0] = s.output;
    graph_mark_output(g, other[1]);
    return s;
}

static const char *const outputs[] = {"probabilities"};
static const onnx_property properties[] = {{"task", "lsd"}, {"classes", "[\"a\"]"}};

static mien_status write_form(const subject *s, onnx_form form)
{
    const onnx_member m = {
        .graph = s->g, .images = s->images, .outputs = &s->output, .values = values, .input = "images", .prefix = ""};
    return onnx_write(path, &(onnx_file){.name = "net",
                                         .form = form,
                                         .members = &m,
                                         .member_count = 1,
                                         .outputs = outputs,
                                         .output_count = 1,
                                         .properties = properties,
                                         .property_count = 2});
}

/* --- reading back ------------------------------------------------------------------------------------------------- */

static Onnx__ModelProto *read_back(void)
{
    char *bytes;
    size_t length;
    assert_ok(file_read(&bytes, &length, path, 0));
    Onnx__ModelProto *m = onnx__model_proto__unpack(NULL, length, (const uint8_t *)bytes);
    mem_free(bytes);
    assert_non_null(m);
    return m;
}

static void free_model(Onnx__ModelProto *m)
{
    onnx__model_proto__free_unpacked(m, NULL);
}

/* "Conv(x, w) -> y strides=2,1 group=3" */
static void print_node(str *text, const Onnx__NodeProto *n)
{
    assert_ok(str_printf(text, "%s(", n->op_type));
    for (size_t i = 0; i < n->n_input; i++)
        assert_ok(str_printf(text, "%s%s", i ? ", " : "", n->input[i]));
    assert_int_equal(n->n_output, 1);
    assert_string_equal(n->name, n->output[0]);
    assert_ok(str_printf(text, ") -> %s", n->output[0]));
    for (size_t i = 0; i < n->n_attribute; i++) {
        const Onnx__AttributeProto *a = n->attribute[i];
        assert_ok(str_printf(text, " %s=", a->name));
        assert_true(a->has_type);
        if (a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT)
            assert_ok(str_printf(text, "%g", (double)a->f));
        else if (a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT)
            assert_ok(str_printf(text, "%lld", (long long)a->i));
        for (size_t k = 0; k < a->n_ints; k++)
            assert_ok(str_printf(text, "%s%lld", k ? "," : "", (long long)a->ints[k]));
        assert_true((a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT) == a->has_f);
        assert_true((a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT) == a->has_i);
        assert_true((a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS) == (a->n_ints > 0));
    }
    assert_ok(str_append(text, "\n"));
}

static void assert_nodes(const Onnx__ModelProto *m, const char *const *wanted, size_t count)
{
    for (size_t i = 0; i < m->graph->n_node || i < count; i++) {
        str text = {0};
        assert_true(i < m->graph->n_node && i < count);
        print_node(&text, m->graph->node[i]);
        text.text[text.length - 1] = '\0';
        assert_string_equal(text.text, wanted[i]);
        str_free(&text);
    }
}

static const Onnx__TensorProto *find_tensor(const Onnx__ModelProto *m, const char *name)
{
    for (size_t i = 0; i < m->graph->n_initializer; i++)
        if (!strcmp(m->graph->initializer[i]->name, name))
            return m->graph->initializer[i];
    return NULL;
}

/* The initializer `name` is of these int64. */
static void assert_numbers(const Onnx__ModelProto *m, const char *name, size_t count, const int64_t *numbers)
{
    const Onnx__TensorProto *t = find_tensor(m, name);
    assert_non_null(t);
    assert_int_equal(t->raw_data.len, count * sizeof *numbers);
    assert_memory_equal(t->raw_data.data, numbers, t->raw_data.len);
}

/* Where `name` is made: how often, among inputs, initializers and the first `nodes` nodes. */
static int count_makers(const Onnx__ModelProto *m, const char *name, size_t nodes)
{
    int count = find_tensor(m, name) != NULL;
    for (size_t i = 0; i < m->graph->n_input; i++)
        count += !strcmp(m->graph->input[i]->name, name);
    for (size_t i = 0; i < nodes; i++)
        count += !strcmp(m->graph->node[i]->output[0], name);
    return count;
}

/* What holds for any file: each name is made once, before it is read; sizes fit; nothing is left over. */
static void assert_sound(const Onnx__ModelProto *m)
{
    const Onnx__GraphProto *g = m->graph;
    assert_int_equal(m->ir_version, 8);
    assert_int_equal(m->n_opset_import, 1);
    assert_string_equal(m->opset_import[0]->domain, "");
    assert_int_equal(m->opset_import[0]->version, ONNX_OPSET);
    assert_string_equal(m->producer_name, "mien");
    assert_string_equal(m->producer_version, MIEN_VERSION);
    for (size_t i = 0; i < g->n_node; i++) {
        const Onnx__NodeProto *n = g->node[i];
        assert_true(n->n_input > 0);
        for (size_t k = 0; k < n->n_input; k++)
            assert_int_equal(count_makers(m, n->input[k], i), 1);
        assert_int_equal(count_makers(m, n->output[0], g->n_node), 1);
    }
    for (size_t i = 0; i < g->n_initializer; i++) {
        const Onnx__TensorProto *t = g->initializer[i];
        size_t count = 1, readers = 0;
        for (size_t d = 0; d < t->n_dims; d++)
            count *= (size_t)t->dims[d];
        assert_true(t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT ||
                    t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64);
        assert_int_equal(t->raw_data.len, count * (t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64 ? 8 : 4));
        for (size_t n = 0; n < g->n_node; n++)
            for (size_t k = 0; k < g->node[n]->n_input; k++)
                readers += !strcmp(g->node[n]->input[k], t->name);
        assert_true(readers > 0);
        assert_int_equal(count_makers(m, t->name, g->n_node), 1);
    }
    for (size_t i = 0; i < g->n_output; i++)
        assert_int_equal(count_makers(m, g->output[i]->name, g->n_node), 1);
}

static void assert_value(const Onnx__ValueInfoProto *v, const char *name, int type, size_t rank, const int64_t *dims)
{
    const Onnx__TypeProto__Tensor *t = v->type->tensor_type;
    assert_string_equal(v->name, name);
    assert_int_equal(t->elem_type, type);
    assert_int_equal(t->shape->n_dim, rank + 1);
    assert_string_equal(t->shape->dim[0]->dim_param, "batch");
    assert_false(t->shape->dim[0]->has_dim_value);
    for (size_t i = 0; i < rank; i++) {
        assert_null(t->shape->dim[1 + i]->dim_param);
        assert_int_equal(t->shape->dim[1 + i]->dim_value, dims[i]);
    }
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void onnx__maps__are_these_nodes(void **state)
{
    (void)state;
    static const char *const wanted[] = {
        "Cast(images) -> normalise:float to=1",
        "Sub(normalise:float, normalise:mean) -> normalise:centred",
        "Div(normalise:centred, normalise:std) -> normalise:scaled",
        "Transpose(normalise:scaled) -> normalise perm=0,3,1,2",
        "Conv(normalise, conv.weight, conv.bias) -> conv kernel_shape=3,2 strides=2,1 pads=0,1,2,3 dilations=1,2 "
        "group=3",
        "BatchNormalization(conv, bn.weight, bn.bias, bn.running_mean, bn.running_var) -> bn epsilon=1e-05",
        "Sigmoid(bn) -> silu:sigmoid",
        "Mul(bn, silu:sigmoid) -> silu",
        "GlobalAveragePool(silu) -> squeeze:pixel",
        "Flatten(squeeze:pixel) -> squeeze",
        "Gemm(squeeze, excite.weight) -> excite transB=1",
        "Sigmoid(excite) -> sigmoid",
        "Reshape(sigmoid, scale:map_shape) -> scale:map",
        "Mul(silu, scale:map) -> scale",
        "Add(scale, scale) -> add",
        "MaxPool(add) -> max kernel_shape=3,2 strides=3,2 pads=1,1,1,1",
        "MaxPool(add) -> max_ceil kernel_shape=4,2 strides=3,2 pads=0,0,2,0",
        "Pad(add, mean:around) -> mean:padded",
        "AveragePool(mean:padded) -> mean kernel_shape=5,2 strides=2,2 pads=0,0,0,0 count_include_pad=1",
        "AveragePool(add) -> mean_ceil kernel_shape=4,2 strides=3,2 pads=0,0,2,0 count_include_pad=0",
        "Relu(max) -> relu",
        "Concat(max_ceil, mean_ceil) -> cat axis=1",
        "GlobalAveragePool(cat) -> pool:pixel",
        "Flatten(pool:pixel) -> pool",
        "GlobalAveragePool(mean) -> pool2:pixel",
        "Flatten(pool2:pixel) -> pool2",
        "Concat(pool2, pool2) -> cat_rows axis=1",
        "Sub(pool, cat_rows) -> sub",
        "Gemm(sub, fc.weight, fc.bias) -> fc transB=1",
        "Softmax(fc) -> probabilities axis=-1",
    };
    subject s = maps();
    assert_ok(write_form(&s, ONNX_UINT8));
    Onnx__ModelProto *m = read_back();
    assert_sound(m);
    assert_nodes(m, wanted, sizeof wanted / sizeof wanted[0]);
    assert_string_equal(m->graph->name, "net");
    assert_int_equal(m->graph->n_input, 1);
    assert_value(m->graph->input[0], "images", ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, 3, (int64_t[]){9, 12, 3});
    assert_value(m->graph->output[0], "probabilities", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 1, (int64_t[]){4});
    assert_numbers(m, "scale:map_shape", 4, (int64_t[]){0, 6, 1, 1}); /* one Unsqueeze of two axes not all can read */
    assert_numbers(m, "mean:around", 8, (int64_t[]){0, 0, 1, 0, 0, 0, 1, 0});
    assert_int_equal(m->n_metadata_props, 2);
    assert_string_equal(m->metadata_props[1]->key, "classes");
    assert_string_equal(m->metadata_props[1]->value, "[\"a\"]");
    free_model(m);
    graph_free(s.g);
}

static void onnx__tokens__are_these_nodes(void **state)
{
    (void)state;
    static const char *const wanted[] = {
        "Sub(images, normalise:mean) -> normalise:centred",
        "Div(normalise:centred, normalise:std) -> normalise:scaled",
        "Transpose(normalise:scaled) -> normalise perm=0,3,1,2",
        "Conv(normalise, patch.weight) -> patch kernel_shape=3,3 strides=3,3 pads=0,0,0,0 dilations=1,1 group=1",
        "Reshape(patch, tokens:flat_shape) -> tokens:flat",
        "Transpose(tokens:flat) -> tokens:pixels perm=0,2,1",
        "Pad(tokens:pixels, tokens:one_before) -> tokens:behind",
        "Mul(first, tokens:row_0) -> tokens:first",
        "Add(tokens:first, position) -> tokens:where",
        "Add(tokens:behind, tokens:where) -> tokens",
        "LayerNormalization(tokens, ln.weight, ln.bias) -> ln axis=-1 epsilon=0.5",
        "Reshape(ln, qkv:row_shape) -> qkv:rows",
        "Gemm(qkv:rows, qkv.weight, qkv.bias) -> qkv:product transB=1",
        "Reshape(qkv:product, qkv:token_shape) -> qkv",
        "Reshape(qkv, attention:split_shape) -> attention:split",
        "Transpose(attention:split) -> attention:qkv perm=2,0,3,1,4",
        "Gather(attention:qkv, attention:0) -> attention:q axis=0",
        "Gather(attention:qkv, attention:1) -> attention:k axis=0",
        "Gather(attention:qkv, attention:2) -> attention:v axis=0",
        "Mul(attention:q, attention:factor) -> attention:q_scaled",
        "Transpose(attention:k) -> attention:k_turned perm=0,1,3,2",
        "MatMul(attention:q_scaled, attention:k_turned) -> attention:scores",
        "Softmax(attention:scores) -> attention:weights axis=-1",
        "MatMul(attention:weights, attention:v) -> attention:heads",
        "Transpose(attention:heads) -> attention:rows perm=0,2,1,3",
        "Reshape(attention:rows, attention:shape) -> attention",
        "Add(tokens, attention) -> add",
        "Reshape(add, mlp:row_shape) -> mlp:rows",
        "Gemm(mlp:rows, mlp.weight, mlp.bias) -> mlp:product transB=1",
        "Reshape(mlp:product, mlp:token_shape) -> mlp",
        "Div(mlp, gelu:root) -> gelu:scaled",
        "Erf(gelu:scaled) -> gelu:erf",
        "Add(gelu:erf, gelu:one) -> gelu:shifted",
        "Mul(mlp, gelu:shifted) -> gelu:product",
        "Mul(gelu:product, gelu:half) -> gelu",
        "Reshape(gelu, last:split_shape) -> last:split",
        "Transpose(last:split) -> last:qkv perm=2,0,3,1,4",
        "Gather(last:qkv, last:0) -> last:q axis=0",
        "Gather(last:qkv, last:1) -> last:k axis=0",
        "Gather(last:qkv, last:2) -> last:v axis=0",
        "Slice(last:q, last:begin, last:end, last:axes) -> last:q_first",
        "Mul(last:q_first, last:factor) -> last:q_scaled",
        "Transpose(last:k) -> last:k_turned perm=0,1,3,2",
        "MatMul(last:q_scaled, last:k_turned) -> last:scores",
        "Softmax(last:scores) -> last:weights axis=-1",
        "MatMul(last:weights, last:v) -> last:heads",
        "Transpose(last:heads) -> last:rows perm=0,2,1,3",
        "Reshape(last:rows, last:shape) -> last",
        "Gather(add, first_token:zero) -> first_token axis=1",
        "Add(first_token, last) -> add_2",
        "Gemm(add_2, fc.weight, fc.bias) -> fc transB=1",
        "Softmax(fc) -> probabilities axis=-1",
    };
    static const struct {
        const char *name;
        size_t count;
        int64_t numbers[6];
    } constants[] = {
        {"tokens:flat_shape", 3, {0, 8, 12}},
        {"tokens:one_before", 6, {0, 1, 0, 0, 0, 0}},
        {"qkv:row_shape", 2, {-1, 8}},
        {"qkv:token_shape", 3, {-1, 13, 24}},
        {"attention:split_shape", 5, {0, 13, 3, 2, 4}},
        {"attention:shape", 3, {0, 13, 8}},
        {"last:shape", 2, {0, 8}},
        {"last:begin", 1, {0}},
        {"last:end", 1, {1}},
        {"last:axes", 1, {2}},
        {"attention:2", 1, {2}},
    };
    subject s = tokens();
    assert_ok(write_form(&s, ONNX_FLOAT));
    Onnx__ModelProto *m = read_back();
    assert_sound(m);
    assert_nodes(m, wanted, sizeof wanted / sizeof wanted[0]);
    assert_value(m->graph->input[0], "images", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 3, (int64_t[]){9, 12, 3});
    for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++)
        assert_numbers(m, constants[i].name, constants[i].count, constants[i].numbers);
    const Onnx__TensorProto *rows = find_tensor(m, "tokens:row_0");
    assert_true(rows->n_dims == 2 && rows->dims[0] == 13 && rows->dims[1] == 1);
    for (int i = 0; i < 13; i++)
        assert_float_equal(((const float *)(const void *)rows->raw_data.data)[i], i == 0, 0);
    assert_int_equal(find_tensor(m, "attention:2")->n_dims, 0); /* or Gather would keep the axis */
    assert_float_equal(*(const float *)find_tensor(m, "attention:factor")->raw_data.data, 0.5f, 0); /* 1 / sqrt 4 */
    free_model(m);
    graph_free(s.g);
}

#define TAP(name, t)                                                                                                   \
    "Slice(" name ":padded, " name ":begin_" t ", " name ":end_" t ", " name ":axes) -> " name ":tap_" t
#define TAP_NAMES(name)                                                                                                \
    name ":tap_0, " name ":tap_1, " name ":tap_2, " name ":tap_3, " name ":tap_4, " name ":tap_5, " name               \
         ":tap_6, " name ":tap_7, " name ":tap_8"
/* What roi_embed is, up to the sum. */
#define REGIONS(name)                                                                                                  \
    "Add(maps, " name ":one) -> " name ":shifted",                                                                     \
        "Reshape(" name ":shifted, " name ":factor_shape) -> " name ":factor",                                         \
        "Reshape(products, " name ":split_shape) -> " name ":split",                                                   \
        "Mul(" name ":split, " name ":factor) -> " name ":scaled",                                                     \
        "Reshape(" name ":scaled, " name ":map_shape) -> " name ":map",                                                \
        "Pad(" name ":map, " name ":around) -> " name ":padded", TAP(name, "0"), TAP(name, "1"), TAP(name, "2"),       \
        TAP(name, "3"), TAP(name, "4"), TAP(name, "5"), TAP(name, "6"), TAP(name, "7"), TAP(name, "8")

/* A tap's window begins where the pixel lies in the padded map that the tap is of. */
static void assert_taps(const Onnx__ModelProto *m, int64_t wide, int64_t h, int64_t w)
{
    char name[32];
    for (int64_t t = 0; t < 9; t++) {
        snprintf(name, sizeof name, "embed:begin_%d", (int)t);
        assert_numbers(m, name, 3, (int64_t[]){t * wide, t / 3, t % 3});
        snprintf(name, sizeof name, "embed:end_%d", (int)t);
        assert_numbers(m, name, 3, (int64_t[]){t * wide + wide, t / 3 + h, t % 3 + w});
    }
}

/* Two outputs; and matrices that are computed of parameters, which are not in the file. */
static void onnx__regions__are_these_nodes(void **state)
{
    (void)state;
    static const char *const wanted[] = {
        "Conv(images, products.weight) -> products kernel_shape=1,1 strides=1,1 pads=0,0,0,0 dilations=1,1 group=1",
        "Conv(images, attention.weight) -> attention kernel_shape=1,1 strides=1,1 pads=0,0,0,0 dilations=1,1 group=1",
        "Sigmoid(attention) -> maps",
        REGIONS("embed"),
        "Sum(" TAP_NAMES("embed") ") -> embed:sum",
        "Reshape(embed.bias, embed:bias_shape) -> embed:bias",
        "Add(embed:sum, embed:bias) -> embed",
        "Reshape(second.weight, second:window_shape) -> second:window",
        "Conv(embed, second:window, second.bias) -> second kernel_shape=1,1 group=2",
        REGIONS("bare"),
        "Sum(" TAP_NAMES("bare") ") -> bare",
        "Slice(bare, cut:begin, cut:end, cut:axes) -> cut",
        "Slice(cut, row:begin, row:end, row:axes) -> row",
        "Transpose(row) -> flat:pixels perm=0,2,3,1",
        "Reshape(flat:pixels, flat:shape) -> flat",
        "Clip(flat, clip:least, clip:most) -> va",
        "GlobalAveragePool(second) -> pool:pixel",
        "Flatten(pool:pixel) -> pool",
        "Reshape(pool, turned:map_shape) -> turned:map",
        "Reshape(turned.orthogonal, turned:window_shape) -> turned:window",
        "Conv(turned:map, turned:window) -> turned:product kernel_shape=1,1 group=3",
        "Reshape(turned:product, turned:row_shape) -> turned",
        "Reshape(turned, tokens:shape) -> tokens",
        "Add(tokens, places) -> positioned",
        "Reshape(positioned, mean:map:shape) -> mean:map:shaped",
        "Transpose(mean:map:shaped) -> mean:map perm=0,3,1,2",
        "GlobalAveragePool(mean:map) -> mean:pixel",
        "Flatten(mean:pixel) -> mean",
        "Gemm(mean, fc.weight, fc.bias) -> fc transB=1",
        "Softmax(fc) -> classes axis=-1",
    };
    static const struct {
        const char *name;
        size_t count;
        int64_t numbers[8];
    } constants[] = {
        {"embed:factor_shape", 5, {0, 1, 2, 1, 108}},
        {"embed:split_shape", 5, {0, 9, 2, 2, 108}},
        {"embed:map_shape", 4, {0, 36, 9, 12}},
        {"embed:around", 8, {0, 0, 1, 1, 0, 0, 1, 1}},
        {"embed:axes", 3, {1, 2, 3}},
        {"embed:bias_shape", 4, {1, 4, 1, 1}},
        {"second:window_shape", 4, {6, 2, 1, 1}},
        {"cut:begin", 1, {1}},
        {"cut:end", 1, {3}},
        {"cut:axes", 1, {1}},
        {"row:begin", 1, {4}},
        {"row:end", 1, {5}},
        {"row:axes", 1, {2}},
        {"flat:shape", 2, {0, 24}},
        {"turned:map_shape", 4, {0, 6, 1, 1}},
        {"turned:row_shape", 2, {0, 6}},
        {"tokens:shape", 3, {0, 3, 2}},
        {"mean:map:shape", 4, {0, 3, 1, 2}},
    };
    static const char *const names[] = {"classes", "va"};
    value_id ends[2];
    subject s = regions(ends);
    const onnx_member member = {s.g, s.images, ends, values, "images", ""};
    assert_ok(onnx_write(path, &(onnx_file){.name = "net",
                                            .form = ONNX_RAW,
                                            .members = &member,
                                            .member_count = 1,
                                            .outputs = names,
                                            .output_count = 2}));
    Onnx__ModelProto *m = read_back();
    assert_sound(m);
    assert_nodes(m, wanted, sizeof wanted / sizeof wanted[0]);
    for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++)
        assert_numbers(m, constants[i].name, constants[i].count, constants[i].numbers);
    assert_taps(m, 4, 9, 12);
    assert_int_equal(m->graph->n_output, 2);
    assert_value(m->graph->output[0], "classes", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 1, (int64_t[]){4});
    assert_value(m->graph->output[1], "va", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 1, (int64_t[]){24});
    assert_memory_equal(find_tensor(m, "places")->raw_data.data, places, sizeof places);
    /* of [k, k + 1; k + 2, k + 3] the skew part is [0, -1/2; 1/2, 0], whatever k is */
    const Onnx__TensorProto *turned = find_tensor(m, "turned.orthogonal");
    assert_int_equal(turned->raw_data.len, 12 * sizeof(float));
    for (int i = 0; i < 12; i++)
        assert_float_equal(((const float *)(const void *)turned->raw_data.data)[i],
                           ((const float[]){0.6f, 0.8f, -0.8f, 0.6f})[i % 4], 1e-7);
    free_model(m);
    graph_free(s.g);
}

static void onnx__raw__has_no_normalisation(void **state)
{
    (void)state;
    subject s = tokens();
    assert_ok(write_form(&s, ONNX_RAW));
    Onnx__ModelProto *m = read_back();
    assert_sound(m);
    assert_value(m->graph->input[0], "images", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, 3, (int64_t[]){3, 9, 12});
    assert_string_equal(m->graph->node[0]->op_type, "Conv");
    assert_string_equal(m->graph->node[0]->input[0], "images");
    assert_null(find_tensor(m, "normalise:mean"));
    free_model(m);
    graph_free(s.g);
}

/* Weights are the store's, each from its place; the normalisation is of bytes. */
static void onnx__numbers__are_the_stores(void **state)
{
    (void)state;
    subject s = maps();
    assert_ok(write_form(&s, ONNX_UINT8));
    Onnx__ModelProto *m = read_back();
    for (value_id v = 0; v < graph_value_count(s.g); v++) {
        const graph_value *p = graph_value_at(s.g, v);
        if (p->kind != VALUE_PARAM)
            continue;
        const Onnx__TensorProto *t = find_tensor(m, p->name);
        assert_int_equal(t->n_dims, p->shape.rank);
        assert_memory_equal(t->dims, p->shape.dim, t->n_dims * sizeof *t->dims);
        assert_memory_equal(t->raw_data.data, values + p->param_offset, t->raw_data.len);
    }
    static const float mean[3] = {127.5f, 63.75f, 0}, std[3] = {127.5f, 63.75f, 255};
    assert_memory_equal(find_tensor(m, "normalise:mean")->raw_data.data, mean, sizeof mean);
    assert_memory_equal(find_tensor(m, "normalise:std")->raw_data.data, std, sizeof std);
    free_model(m);
    graph_free(s.g);
}

/* Two members of one input and a third of another: three outputs, their mean, and no name twice. */
static void onnx__members__are_a_mean(void **state)
{
    (void)state;
    subject one = maps(), two = tokens();
    const onnx_member members[] = {
        {one.g, one.images, &one.output, values, "images_9", "a/"},
        {two.g, two.images, &two.output, values, "images_9", "b/"},
        {one.g, one.images, &one.output, values, "images_12", "c/"},
    };
    const onnx_file file = {
        .name = "ensemble", .members = members, .member_count = 3, .outputs = outputs, .output_count = 1};
    assert_ok(onnx_write(path, &file));
    Onnx__ModelProto *m = read_back();
    assert_sound(m);
    assert_int_equal(m->graph->n_input, 2);
    assert_string_equal(m->graph->input[0]->name, "images_9");
    assert_string_equal(m->graph->input[1]->name, "images_12");
    str last = {0};
    print_node(&last, m->graph->node[m->graph->n_node - 1]);
    assert_string_equal(last.text, "Mean(a/softmax, b/softmax, c/softmax) -> probabilities\n");
    str_free(&last);
    assert_non_null(find_tensor(m, "c/conv.weight"));
    free_model(m);
    graph_free(one.g);
    graph_free(two.g);
}

static void onnx__same_graph__same_bytes(void **state)
{
    (void)state;
    char *bytes[2];
    size_t length[2];
    for (int i = 0; i < 2; i++) {
        subject s = tokens();
        assert_ok(write_form(&s, ONNX_UINT8));
        assert_ok(file_read(&bytes[i], &length[i], path, 0));
        graph_free(s.g);
    }
    assert_int_equal(length[0], length[1]);
    assert_memory_equal(bytes[0], bytes[1], length[0]);
    mem_free(bytes[0]);
    mem_free(bytes[1]);
}

static void assert_refused(subject s, const char *text)
{
    assert_failure(write_form(&s, ONNX_UINT8), MIEN_ERR_UNSUPPORTED, text);
    assert_false(file_exists(path));
    graph_free(s.g);
}

/* begin, `x`, and an end. */
static subject ended(subject s, value_id x)
{
    value_id pooled = NO_VALUE;
    assert_ok(op_global_mean(s.g, &pooled, "pool", x));
    end(&s, pooled);
    return s;
}

static void onnx__what_has_no_form__is_refused(void **state)
{
    (void)state;
    unlink(path);
    subject s;
    value_id x = begin(&s, true), y = NO_VALUE;
    assert_refused(ended(s, new_batch_norm(s.g, "bn", x, true, true)), "bn: batch_norm of a batch has no form in ONNX");
    x = begin(&s, true);
    assert_ok(op_dropout(s.g, &y, "drop", x, 0.5f, false));
    assert_refused(ended(s, y), "drop: dropout has no form in ONNX");
    x = begin(&s, true);
    assert_ok(op_sub(s.g, &y, "sub", x, x, 1e-6f));
    assert_refused(ended(s, y), "sub: sub, as training has it, has no form in ONNX");
    x = begin(&s, false);
    y = new_pool(s.g, "mean", x,
                 (pool_attr){.window = {4, 4}, .stride = {4, 4}, .pad = {1, 1}, .is_ceil = true, .count_pad = true});
    assert_refused(ended(s, y),
                   "mean: pool, counting its padding, with a window that hangs over the edge, has no form");
    x = begin(&s, false);
    y = new_batch_norm(s.g, "bn", new_conv(s.g, "conv", x, 4, 3, true), false, true);
    s = ended(s, y);
    assert_ok(graph_fuse(s.g));
    assert_refused(s, "conv: conv2d, fused, has no form in ONNX");
}

static void onnx__moved_batches__are_refused(void **state)
{
    (void)state;
    const group_linear_attr groups = {.groups = 2};
    const shape pixels = shape_of(3, (int64_t)1, (int64_t)54, (int64_t)6);
    subject s;
    value_id x = begin(&s, false), y = NO_VALUE, w = NO_VALUE;
    assert_ok(op_reshape(s.g, &y, "rows", x, shape_of(2, (int64_t)108, (int64_t)3)));
    s.output = y;
    assert_refused(s, "rows: reshape of the batch has no form in ONNX");
    x = begin(&s, false);
    assert_ok(op_slice(s.g, &y, "first", x, 0, 0, 1));
    assert_refused(ended(s, y), "first: slice of the batch has no form in ONNX");
    x = begin(&s, false);
    assert_ok(op_reshape(s.g, &x, "tokens", x, pixels));
    w = new_param(s.g, "own.weight", shape_of(2, (int64_t)2, (int64_t)3), true);
    assert_ok(op_group_linear(s.g, &y, "own", x, w, NO_VALUE, &groups));
    s.output = y;
    assert_refused(s, "own: group_linear of tokens has no form in ONNX");
}

/* Constants are what sums add, and matrices are made of parameters. */
static void onnx__other_constants__are_refused(void **state)
{
    (void)state;
    subject s;
    value_id x = begin(&s, false), y = NO_VALUE, place = NO_VALUE;
    assert_ok(op_constant(s.g, &place, "places", DTYPE_F32, shape_of(2, (int64_t)2, (int64_t)3), places));
    assert_ok(op_repeat(s.g, &y, "each", place, 1));
    assert_ok(op_token_mean(s.g, &y, "mean", y));
    end(&s, y);
    assert_refused(s, "each: repeat, but for sums, has no form in ONNX");
    x = begin(&s, false);
    assert_ok(
        op_constant(s.g, &y, "places", DTYPE_F32, shape_of(4, (int64_t)1, (int64_t)1, (int64_t)2, (int64_t)3), places));
    assert_refused(ended(s, y), "places: constant maps has no form in ONNX");
    x = begin(&s, false);
    assert_ok(op_global_mean(s.g, &x, "pool", x));
    const value_id w = new_linear(s.g, "made", x, 1, false);
    assert_ok(op_orthogonal(s.g, &y, "turned", w));
    s.output = y;
    assert_refused(s, "turned: orthogonal of no parameter has no form in ONNX");
}

/* A head may be called as a layer is, and a file cannot say so. */
static void onnx__output_of_a_taken_name__is_refused(void **state)
{
    (void)state;
    subject s = maps();
    const onnx_member m = {s.g, s.images, &s.output, values, "images", ""};
    static const char *const taken[] = {"squeeze", "images", "conv.weight"};
    unlink(path);
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        const onnx_file file = {
            .name = "net", .members = &m, .member_count = 1, .outputs = &taken[i], .output_count = 1};
        char text[64];
        snprintf(text, sizeof text, "output %s: something else in the file is called so", taken[i]);
        assert_failure(onnx_write(path, &file), MIEN_ERR_UNSUPPORTED, text);
    }
    assert_false(file_exists(path));
    graph_free(s.g);
}

/* The sizes are told before a byte is read: there are no such weights. */
static void onnx__beyond_two_gibibytes__is_refused(void **state)
{
    (void)state;
    unlink(path);
    subject s;
    value_id pooled = NO_VALUE, x = begin(&s, false);
    assert_ok(op_global_mean(s.g, &pooled, "pool", x));
    end(&s, new_linear(s.g, "huge", pooled, 100000000, false));
    assert_refused(s, "bytes (wanted at most 2147483647, which is all that ONNX's encoding holds)");
}

static mien_status attempt(void *context)
{
    return write_form(context, ONNX_UINT8);
}

static void onnx__no_memory__is_told(void **state)
{
    (void)state;
    value_id ends[2];
    subject subjects[] = {tokens(), regions(ends)};
    for (int i = 0; i < 2; i++) {
        fail_each_allocation(attempt, &subjects[i]);
        graph_free(subjects[i].g);
    }
}

static void onnx__what_cannot_be_written__leaves_the_old(void **state)
{
    (void)state;
    subject s = tokens();
    struct rlimit kept, small;
    char *bytes;
    size_t length;
    assert_ok(file_write_all(path, "old", 3));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &kept), 0);
    small = (struct rlimit){.rlim_cur = 1000, .rlim_max = kept.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const mien_status st = write_form(&s, ONNX_UINT8);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &kept), 0);
    signal(SIGXFSZ, handler);
    assert_failure(st, MIEN_ERR_IO, "m.onnx: cannot write: File too large");
    assert_ok(file_read(&bytes, &length, path, 0));
    assert_string_equal(bytes, "old");
    mem_free(bytes);
    assert_ok(write_form(&s, ONNX_UINT8)); /* and is replaced whole where it can be */
    free_model(read_back());
    const onnx_member m = {s.g, s.images, &s.output, values, "images", ""};
    const onnx_file file = {.name = "net", .members = &m, .member_count = 1, .outputs = outputs, .output_count = 1};
    assert_failure(onnx_write("/nowhere/m.onnx", &file), MIEN_ERR_IO, "/nowhere/m.onnx: cannot create: No such file");
    assert_failure(onnx_write("/dev/full", &file), MIEN_ERR_IO, "/dev/full: cannot write: No space left");
    graph_free(s.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(onnx__maps__are_these_nodes),
        cmocka_unit_test(onnx__tokens__are_these_nodes),
        cmocka_unit_test(onnx__regions__are_these_nodes),
        cmocka_unit_test(onnx__raw__has_no_normalisation),
        cmocka_unit_test(onnx__numbers__are_the_stores),
        cmocka_unit_test(onnx__members__are_a_mean),
        cmocka_unit_test(onnx__same_graph__same_bytes),
        cmocka_unit_test(onnx__what_has_no_form__is_refused),
        cmocka_unit_test(onnx__moved_batches__are_refused),
        cmocka_unit_test(onnx__other_constants__are_refused),
        cmocka_unit_test(onnx__output_of_a_taken_name__is_refused),
        cmocka_unit_test(onnx__beyond_two_gibibytes__is_refused),
        cmocka_unit_test(onnx__no_memory__is_told),
        cmocka_unit_test(onnx__what_cannot_be_written__leaves_the_old),
    };
    return cmocka_run_group_tests_name("format/onnx", tests, temp_folder_enter, temp_folder_leave);
}
