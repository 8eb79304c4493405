/* Squeeze-excite as one node: taken where it is all there and nobody looks inside, and the same bits as its nodes. */
#include "backend/cpu/cpu.h"
#include "graph/exec/program_int.h"
#include "graph/graph_test.h"
#include "testing.h"

#include <math.h>

enum { MAX_VALUES = 1 << 20, MAX_PIXELS = 1 << 20 };

typedef struct {
    int64_t n, h, w, c, s;
    activation_kind first;
    bool is_shown; /* the means are an output: somebody looks inside */
} excite_case;

typedef struct {
    value_id x, y;
    size_t values; /* of parameters so far */
} described;

static value_id parameter(graph *g, described *d, const char *name, shape s)
{
    value_id v = NO_VALUE;
    assert_ok(graph_param(g, &v, name, s, d->values, false));
    d->values += (size_t)shape_count(&s);
    return v;
}

static graph *describe(described *d, const excite_case *e, dtype type)
{
    graph *g = NULL;
    value_id s = NO_VALUE;
    *d = (described){0};
    assert_ok(graph_create(&g, type, false));
    assert_ok(graph_input(g, &d->x, "x", type, shape_of(4, e->n, e->h, e->w, e->c)));
    assert_ok(op_global_mean(g, &s, "pool", d->x));
    if (e->is_shown)
        graph_mark_output(g, s);
    const value_id w1 = parameter(g, d, "w1", shape_of(2, e->s, e->c)), b1 = parameter(g, d, "b1", shape_of(1, e->s));
    const value_id w2 = parameter(g, d, "w2", shape_of(2, e->c, e->s)), b2 = parameter(g, d, "b2", shape_of(1, e->c));
    assert_ok(op_linear(g, &s, "fc1", s, w1, b1, false));
    assert_ok(op_activation(g, &s, "act", s, e->first));
    assert_ok(op_linear(g, &s, "fc2", s, w2, b2, false));
    assert_ok(op_activation(g, &s, "gate", s, ACT_SIGMOID));
    assert_ok(op_scale(g, &d->y, "scale", d->x, s));
    graph_mark_output(g, d->y);
    return g;
}

/* Elements of `type` that differ, and not only in sign. */
static void fill(void *dst, dtype type, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const float number = (float)((i * 2654435761u) % 1000) / 500 - 0.9f;
        if (type == DTYPE_BF16)
            ((uint16_t *)dst)[i] = bf16_from_f32(number);
        else
            ((float *)dst)[i] = number;
    }
}

/* y into dst; *is_grouped: whether there was a group. */
static size_t run(unsigned char *dst, bool *is_grouped, backend *b, const excite_case *e, dtype type)
{
    static float values[MAX_VALUES], x[MAX_PIXELS];
    described d;
    program *p = NULL;
    graph *g = describe(&d, e, type);
    fill(values, DTYPE_F32, d.values);
    const param_memory params = {.values = values, .count = d.values};
    assert_ok(program_create(&p, g, b, &params));
    fill(x, type, (size_t)(e->n * e->h * e->w * e->c));
    assert_ok(program_write(p, d.x, x));
    assert_ok(program_run_checked(p));
    assert_ok(program_read(p, d.y, dst));
    *is_grouped = false;
    for (int i = 0; i < p->plan.run_count; i++)
        *is_grouped |= strcmp(graph_node_at(p->g, p->plan.run[i])->op->name, "squeeze_excite") == 0;
    const size_t bytes = p->plan.values[d.y].bytes;
    assert_int_equal(p->plan.run_count, *is_grouped ? 1 : 6);
    program_free(p);
    return bytes;
}

static void excite__as_a_group__is_the_bits_of_its_nodes(void **state)
{
    (void)state;
    static const excite_case cases[] = {{1, 14, 14, 480, 20, ACT_SILU, false}, {3, 7, 7, 1152, 48, ACT_SILU, false},
                                        {1, 56, 56, 96, 4, ACT_SILU, false},   {2, 5, 3, 7, 2, ACT_SILU, false},
                                        {5, 9, 9, 144, 6, ACT_SILU, false},    {1, 1, 1, 16, 1, ACT_SILU, false}};
    static unsigned char grouped[MAX_PIXELS * 4], alone[MAX_PIXELS * 4];
    for (int threads = 1; threads <= 3; threads++) {
        backend *b = NULL;
        assert_ok(backend_cpu_create(&b, &(cpu_options){.threads = threads}));
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            for (int half = 0; half <= b->computes_bf16(b); half++) {
                const dtype type = half ? DTYPE_BF16 : DTYPE_F32;
                excite_case shown = cases[i];
                bool is_grouped, is_grouped_too;
                shown.is_shown = true;
                const size_t bytes = run(grouped, &is_grouped, b, &cases[i], type);
                assert_int_equal(run(alone, &is_grouped_too, b, &shown, type), bytes);
                assert_true(is_grouped && !is_grouped_too);
                assert_memory_equal(grouped, alone, bytes);
            }
        b->free(b);
    }
}

static void excite__another_activation_or_a_wide_squeeze__is_left_alone(void **state)
{
    (void)state;
    static const excite_case cases[] = {{1, 4, 4, 32, 8, ACT_RELU, false}, {1, 4, 4, 8, 32, ACT_SILU, false}};
    static unsigned char y[MAX_PIXELS];
    backend *b = NULL;
    assert_ok(backend_cpu_create(&b, NULL));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool is_grouped;
        run(y, &is_grouped, b, &cases[i], DTYPE_F32);
        assert_false(is_grouped);
    }
    b->free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(excite__as_a_group__is_the_bits_of_its_nodes),
        cmocka_unit_test(excite__another_activation_or_a_wide_squeeze__is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
