/* Inverted bottlenecks as one node, and 1x1 convolutions by our own kernel, beside the plain reference, and the same
 * bits with any number of threads. CTest runs this program once for each MIEN_ISA (tests.cmake). */
#include "backend/cpu/cpu.h"
#include "backend/cpu/isa.h"
#include "graph/compare.h"
#include "graph/exec/program_int.h"
#include "graph/graph_test.h"
#include "graph/reference_backend.h"

#include <math.h>

/* Both sum in another order, the reference in double. */
static const tolerance f32_tolerance = {.relative = 5e-6, .absolute = 1e-6};

enum { MAX_VALUES = 1 << 21, MAX_PIXELS = 1 << 20, EXIT_SKIPPED = 77 };

typedef struct {
    int64_t n, h, w, in, wide, kernel, stride, squeezed, out; /* wide 0: not widened; kernel 0: the 1x1 alone; squeezed
                                                                 0: no squeeze-excite */
    activation_kind act, last;
    bool is_same;  /* padded as TensorFlow does at a stride of 2: at the end alone */
    bool is_shown; /* the depthwise output is one of the graph's: somebody looks inside */
} neck;

static value_id conv(graph *g, const char *name, value_id x, int64_t out, const conv2d_attr *attr, int64_t k)
{
    char text[64];
    value_id y = NO_VALUE;
    const int64_t in = graph_value_at(g, x)->shape.dim[3];
    snprintf(text, sizeof text, "%s.kernel", name);
    const value_id w = new_param(g, text, shape_of(4, out, in / attr->groups, k, k), false);
    assert_ok(op_conv2d(g, &y, name, x, w, NO_VALUE, attr));
    char normed[32];
    snprintf(normed, sizeof normed, "%s.bn", name);
    return new_batch_norm(g, normed, y, false, false);
}

static value_id linear(graph *g, const char *name, value_id x, int64_t in, int64_t out)
{
    char text[64];
    value_id y = NO_VALUE;
    snprintf(text, sizeof text, "%s.weight", name);
    const value_id w = new_param(g, text, shape_of(2, out, in), false);
    snprintf(text, sizeof text, "%s.bias", name);
    assert_ok(op_linear(g, &y, name, x, w, new_param(g, text, shape_of(1, out), false), false));
    return y;
}

static value_id describe(graph *g, value_id x, const neck *e)
{
    const conv2d_attr one = {.stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
    value_id y = x;
    if (e->wide)
        y = new_activation(g, "widen.act", conv(g, "widen", y, e->wide, &one, 1), e->act);
    const int64_t c = e->wide ? e->wide : e->in;
    if (e->kernel) {
        const int pad = (int)(e->kernel - 1) / 2, stride = (int)e->stride, before = e->is_same ? pad - 1 : pad;
        const conv2d_attr depthwise = {.stride = {stride, stride},
                                       .dilation = {1, 1},
                                       .groups = (int)c,
                                       .pad_begin = {before, before},
                                       .pad_end = {pad, pad}};
        y = new_activation(g, "depthwise.act", conv(g, "depthwise", y, c, &depthwise, e->kernel), e->act);
        if (e->is_shown)
            graph_mark_output(g, y);
    }
    if (e->squeezed) {
        value_id s = NO_VALUE;
        assert_ok(op_global_mean(g, &s, "mean", y));
        s = new_activation(g, "silu", linear(g, "squeeze", s, c, e->squeezed), ACT_SILU);
        s = new_activation(g, "gate", linear(g, "excite", s, e->squeezed, c), ACT_SIGMOID);
        assert_ok(op_scale(g, &y, "scale", y, s));
    }
    y = conv(g, "narrow", y, e->out, &one, 1);
    if (e->stride == 1 && e->in == e->out)
        y = new_add(g, "add", y, x);
    return e->last == ACT_NONE ? y : new_activation(g, "narrow.act", y, e->last);
}

static float number(size_t i)
{
    return (float)((i * 2654435761u) % 1000) / 500 - 0.999f;
}

/* Weights that keep numbers about 1, variances above 0. */
static void fill_params(float *values, graph *g)
{
    for (value_id v = 0; v < graph_value_count(g); v++) {
        const graph_value *p = graph_value_at(g, v);
        if (p->kind != VALUE_PARAM)
            continue;
        const size_t count = (size_t)shape_count(&p->shape);
        assert_true(p->param_offset + count <= MAX_VALUES);
        const bool is_variance = strstr(p->name, "running_var");
        const float each = p->shape.rank > 1 ? sqrtf(3 * (float)p->shape.dim[0] / (float)count) : 1;
        for (size_t i = 0; i < count; i++)
            values[p->param_offset + i] = is_variance ? 1.5f + number(i) : each * number(i + p->param_offset);
    }
}

/* What a backend makes of a case; gives how many numbers. *op: of the node that the graph ends with. */
static int64_t run(float *dst, const char **op, backend *b, const neck *e)
{
    static float values[MAX_VALUES], pixels[MAX_PIXELS];
    program *p = NULL;
    graph *g = new_graph(false);
    const shape s = shape_of(4, e->n, e->h, e->w, e->in);
    const value_id x = new_input(g, "x", s), y = describe(g, x, e);
    graph_mark_output(g, y);
    assert_ok(graph_fuse(g));
    fill_params(values, g);
    const int64_t count = shape_count(&graph_value_at(g, y)->shape);
    assert_true(count <= MAX_PIXELS && shape_count(&s) <= MAX_PIXELS);
    const param_memory params = {.values = values, .count = MAX_VALUES};
    assert_ok(program_create(&p, g, b, &params));
    for (int64_t i = 0; i < shape_count(&s); i++)
        pixels[i] = number((size_t)i + 5);
    assert_ok(program_write(p, x, pixels));
    assert_ok(program_run_checked(p));
    assert_ok(program_read(p, y, dst));
    *op = graph_node_at(p->g, p->plan.run[p->plan.run_count - 1])->op->name;
    program_free(p);
    return count;
}

static const neck cases[] = {
    {1, 14, 14, 40, 240, 3, 2, 10, 80, ACT_SILU, ACT_NONE, false, false},
    {1, 7, 7, 24, 144, 5, 1, 6, 24, ACT_SILU, ACT_NONE, false, false},
    {2, 9, 11, 16, 96, 5, 2, 4, 24, ACT_SILU, ACT_NONE, false, false},
    {3, 5, 4, 16, 48, 3, 1, 4, 16, ACT_SILU, ACT_NONE, false, false},
    {1, 30, 33, 32, 0, 3, 1, 8, 16, ACT_SILU, ACT_NONE, false, false},
    {1, 120, 110, 8, 32, 5, 2, 2, 7, ACT_SILU, ACT_RELU, false, false}, /* several bands */
    {2, 90, 120, 8, 32, 3, 1, 2, 8, ACT_SILU, ACT_NONE, false, false},
    {1, 14, 14, 24, 144, 3, 1, 0, 24, ACT_RELU6, ACT_NONE, false, false},
    {1, 15, 16, 24, 144, 5, 2, 0, 40, ACT_RELU, ACT_SILU, false, false},
    {1, 16, 16, 24, 144, 3, 2, 0, 40, ACT_RELU6, ACT_NONE, true, false},
    {1, 1, 1, 16, 32, 3, 1, 1, 5, ACT_SILU, ACT_NONE, false, false},
};

/* At 1, 2, 3 and 7 threads: the same bits, near the reference's. */
static void check(const neck *e, const char *wanted_op)
{
    static const int threads[] = {1, 2, 3, 7};
    static float wanted[MAX_PIXELS], first[MAX_PIXELS], got[MAX_PIXELS];
    const char *op = NULL;
    backend *b = NULL;
    assert_ok(reference_backend_create(&b, REFERENCE_STORED));
    const int64_t count = run(wanted, &op, b, e);
    b->free(b);
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        char label[64];
        assert_ok(backend_cpu_create(&b, &(cpu_options){.threads = threads[t]}));
        assert_int_equal(run(got, &op, b, e), count);
        b->free(b);
        snprintf(label, sizeof label, "%s %dx%d of %d, %d threads", op, (int)e->h, (int)e->w, (int)e->in, threads[t]);
        assert_string_equal(op, wanted_op);
        assert_true(compare_floats(label, got, wanted, count, f32_tolerance));
        if (t == 0)
            memcpy(first, got, (size_t)count * sizeof *got);
        assert_memory_equal(got, first, (size_t)count * sizeof *got);
    }
}

static void bottleneck__as_one_node__is_the_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check(&cases[i], "bottleneck");
}

static void bottleneck__that_is_none__is_left_alone(void **state)
{
    (void)state;
    static const neck others[] = {
        {1, 14, 14, 24, 96, 3, 1, 4, 24, ACT_SILU, ACT_NONE, false, true},     /* somebody looks inside */
        {1, 14, 14, 24, 72, 3, 1, 4, 24, ACT_SILU, ACT_NONE, false, false},    /* channels that are no whole vectors */
        {1, 14, 14, 24, 96, 7, 1, 4, 24, ACT_SILU, ACT_NONE, false, false},    /* another window */
        {1, 14, 14, 24, 96, 3, 1, 4, 24, ACT_SIGMOID, ACT_NONE, false, false}, /* another activation */
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        check(&others[i], "conv2d");
}

static void conv1x1__alone__is_the_reference(void **state)
{
    (void)state;
    static const neck convs[] = {
        {1, 7, 7, 320, 0, 0, 1, 0, 128, ACT_NONE, ACT_SILU, false, false},
        {2, 8, 8, 33, 0, 0, 1, 0, 33, ACT_NONE, ACT_RELU, false, false},
        {3, 5, 13, 20, 0, 0, 1, 0, 56, ACT_NONE, ACT_RELU6, false, false},
        {1, 15, 14, 17, 0, 0, 1, 0, 17, ACT_NONE, ACT_NONE, false, false},
        {1, 4, 4, 1, 0, 0, 1, 0, 1, ACT_NONE, ACT_SIGMOID, false, false},
    };
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++)
        check(&convs[i], "conv2d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bottleneck__as_one_node__is_the_reference),
        cmocka_unit_test(bottleneck__that_is_none__is_left_alone),
        cmocka_unit_test(conv1x1__alone__is_the_reference),
    };
    isa chosen;
    if (isa_get(&chosen) != MIEN_OK) {
        printf("skipped: %s\n", mien_error());
        return EXIT_SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
