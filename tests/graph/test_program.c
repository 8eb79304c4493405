/* Binding and running: what a program promises about memory, allocation, time and failure. */
#include "graph/graph_test.h"

#include "base/mem.h"
#include "graph/compare.h"
#include "graph/exec/program_int.h"
#include "graph/op_cases.h"
#include "graph/reference_backend.h"

#define NHWC(n, h, w, c) shape_of(4, (int64_t)(n), (int64_t)(h), (int64_t)(w), (int64_t)(c))

/* A case as a program on the reference. */
typedef struct {
    case_graph c;
    backend *b;
    program *p;
} bound_case;

static void bound_case_open(bound_case *o, const op_case *oc, dtype type, case_mode mode, reference_precision precision)
{
    assert_ok(case_graph_build(&o->c, oc, type, mode));
    assert_ok(reference_backend_create(&o->b, precision));
    graph *g = o->c.g;
    o->c.g = NULL;
    assert_ok(program_create(&o->p, g, o->b, &o->c.params));
    assert_ok(case_graph_fill(&o->c, o->p, 1));
}

static void bound_case_close(bound_case *o)
{
    program_free(o->p);
    o->b->free(o->b);
    case_graph_free(&o->c);
}

static const op_case *case_named(const char *name)
{
    for (int i = 0; i < op_case_count(); i++)
        if (strcmp(op_case_at(i)->name, name) == 0)
            return op_case_at(i);
    fail_msg("no case %s", name);
    return NULL;
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

/* y, dx and the gradients of a run in planned memory, in place and reused, beside those where every tensor has its own.
 */
static bool compare_with_exact(const op_case *oc, dtype type, case_mode mode, tolerance tol)
{
    bound_case stored = {0}, exact = {0};
    bound_case_open(&stored, oc, type, mode, REFERENCE_STORED);
    bound_case_open(&exact, oc, type, mode, REFERENCE_EXACT);
    assert_ok(program_run_checked(stored.p));
    assert_ok(program_run(exact.p));
    const value_id wanted[] = {stored.c.y, stored.c.dx};
    bool is_same = true;
    for (int i = 0; i < 2; i++) {
        const double *truth = reference_tensor(exact.b, wanted[i]);
        if (wanted[i] == NO_VALUE || !truth)
            continue;
        const graph_value *v = graph_value_at(stored.p->g, wanted[i]);
        const int64_t count = shape_count(&v->shape);
        double *got = malloc((size_t)count * sizeof *got);
        assert_non_null(got);
        assert_ok(read_doubles(got, stored.p, wanted[i], v->type, count));
        is_same = compare_doubles(oc->name, got, truth, count, tol) && is_same;
        free(got);
    }
    is_same =
        compare_floats(oc->name, stored.c.params.grads, exact.c.params.grads, (int64_t)stored.c.params.count, tol) &&
        is_same;
    bound_case_close(&stored);
    bound_case_close(&exact);
    return is_same;
}

static void run__of_every_case__keeps_to_its_own_memory(void **state)
{
    (void)state;
    /* one rounding to f32 a node, against none */
    const tolerance tol = {.relative = 1e-6, .absolute = 1e-7};
    int faults = 0;
    for (int i = 0; i < op_case_count(); i++)
        for (case_mode mode = CASE_FORWARD; mode <= CASE_TRAINING; mode++)
            if (!op_case_at(i)->is_large)
                faults += !compare_with_exact(op_case_at(i), DTYPE_F32, mode, tol);
    assert_int_equal(faults, 0);
}

static void run__in_bf16__is_near_the_truth(void **state)
{
    (void)state;
    /* bf16 keeps 8 bits: 2^-9 of a value lost at each node, a dozen nodes deep, and sums of gradients that cancel */
    const tolerance tol = {.relative = 0.03, .absolute = 1e-3};
    static const char *const names[] = {"conv2d/3x3_bias", "batch_norm/silu", "linear/f32",     "pool/mean_2x2",
                                        "scale/excite",    "concat/uneven",   "activation/gelu"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_true(compare_with_exact(case_named(names[i]), DTYPE_BF16, CASE_TRAINING, tol));
}

/* A kernel that writes one byte where another value lives is found and named. */
typedef struct {
    kernel base;
    kernel *inner;
    unsigned char *victim;
} vandal;

static mien_status vandal_run(kernel *k)
{
    vandal *v = (vandal *)k;
    *v->victim ^= 1;
    return v->inner->run(v->inner);
}

static void run_checked__kernel_that_writes_elsewhere__is_named(void **state)
{
    (void)state;
    bound_case o = {0};
    bound_case_open(&o, case_named("batch_norm/add_relu"), DTYPE_F32, CASE_TRAINING, REFERENCE_STORED);
    assert_ok(program_run_checked(o.p));
    const node_id n = find_node(o.p->g, "head.pool");
    const value_id needed = graph_find(o.p->g, "bn.3"); /* the mask, which backward will read */
    vandal v = {.inner = o.p->kernels[n], .victim = program_address(o.p, needed)};
    v.base = *v.inner;
    v.base.run = vandal_run;
    o.p->kernels[n] = &v.base;
    assert_failure(program_run_checked(o.p), MIEN_ERR_INTERNAL, "head.pool (reference): spoiled bn.3");
    o.p->kernels[n] = v.inner;
    bound_case_close(&o);
}

static void run__after_the_first__allocates_nothing(void **state)
{
    (void)state;
    bound_case o = {0};
    bound_case_open(&o, case_named("conv2d/batch_norm_add_relu"), DTYPE_F32, CASE_TRAINING, REFERENCE_STORED);
    program_profile(o.p, true);
    for (int i = 0; i < 2; i++)
        assert_ok(program_run(o.p));
    const int64_t before = mem_count();
    for (int i = 0; i < 8; i++)
        assert_ok(program_run(o.p));
    assert_ok(program_refresh(o.p));
    assert_int_equal(mem_count(), before);
    bound_case_close(&o);
}

static void memory__as_told__is_the_plans(void **state)
{
    (void)state;
    bound_case o = {0};
    bound_case_open(&o, case_named("batch_norm/add_silu"), DTYPE_F32, CASE_TRAINING, REFERENCE_STORED);
    const program_memory m = program_memory_used(o.p);
    assert_true(m.planned_bytes < m.sum_bytes);
    assert_true(m.scratch_bytes > 0 && m.scratch_bytes < m.planned_bytes);
    assert_int_equal(m.planned_bytes, o.p->plan.block_bytes);
    bound_case_close(&o);
}

/* --- numbers in and out ------------------------------------------------------------------------------------------- */

static void write_and_read__of_rows__touch_no_others(void **state)
{
    (void)state;
    graph *g = new_graph(false);
    backend *b = NULL;
    program *p = NULL;
    float got[6], row[2];
    const value_id x = new_input(g, "x", shape_of(2, 3L, 2L)), inner = new_activation(g, "relu", x, ACT_RELU);
    const value_id y = new_activation(g, "again", inner, ACT_RELU);
    graph_mark_output(g, y);
    assert_ok(reference_backend_create(&b, REFERENCE_STORED));
    assert_ok(program_create(&p, g, b, &(param_memory){0}));
    assert_ok(program_write(p, x, (float[]){1, 2, 3, 4, 5, 6}));
    assert_ok(program_write_rows(p, x, 1, 1, (float[]){30, 40}));
    assert_ok(program_write_rows(p, x, 3, 0, NULL));
    assert_ok(program_run(p));
    assert_ok(program_read(p, y, got));
    assert_memory_equal(got, ((float[]){1, 2, 30, 40, 5, 6}), sizeof got);
    assert_ok(program_read_rows(p, y, 2, 1, row));
    assert_memory_equal(row, got + 4, sizeof row);
    assert_ok(program_read(p, x, got));
    assert_true(got[3] == 40);
    assert_failure(program_write_rows(p, x, 1, 3, got), MIEN_ERR_INTERNAL, "x: rows 1 to 4 (wanted within 3)");
    assert_failure(program_read_rows(p, y, -1, 1, row), MIEN_ERR_INTERNAL, "again: rows -1 to 0 (wanted within 3)");
    assert_failure(program_write(p, y, got), MIEN_ERR_INTERNAL, "again: written from outside (wanted an input)");
    assert_failure(program_read(p, inner, got), MIEN_ERR_INTERNAL, "relu: read from outside");
    program_free(p);
    b->free(b);
}

/* --- what runs when ----------------------------------------------------------------------------------------------- */

static void refresh__after_parameters_changed__computes_constants_again(void **state)
{
    (void)state;
    graph *g = new_graph(false);
    backend *b = NULL;
    program *p = NULL;
    float values[4] = {1, 2, 3, -4};
    const param_memory params = {.values = values, .count = 4};
    const value_id x = new_input(g, "x", shape_of(1, 4L)), w = new_param(g, "w", shape_of(1, 4L), false);
    const value_id y = new_add(g, "y", x, new_activation(g, "relu", w, ACT_RELU));
    graph_mark_output(g, y);
    assert_ok(reference_backend_create(&b, REFERENCE_STORED));
    assert_ok(program_create(&p, g, b, &params));
    float got[4];
    assert_ok(program_run(p));
    assert_ok(program_read(p, y, got));
    assert_true(got[0] == 1 && got[2] == 3 && got[3] == 0); /* inputs begin as 0 */
    values[2] = 30;
    assert_ok(program_run(p));
    assert_ok(program_read(p, y, got));
    assert_true(got[2] == 3);
    assert_ok(program_refresh(p));
    assert_ok(program_run(p));
    assert_ok(program_read(p, y, got));
    assert_true(got[2] == 30);
    assert_int_equal(program_timing_count(p), 1);
    program_free(p);
    b->free(b);
}

/* y = x + relu(w), whose relu is constant. */
static graph *graph_with_constant(int64_t count, value_id *x, value_id *y)
{
    graph *g = new_graph(false);
    *x = new_input(g, "x", shape_of(1, count));
    const value_id w = new_param(g, "w", shape_of(1, count), false);
    *y = new_add(g, "y", *x, new_activation(g, "relu", w, ACT_RELU));
    graph_mark_output(g, *y);
    return g;
}

static void create_beside__another__reads_its_constants(void **state)
{
    (void)state;
    backend *b = NULL;
    program *first = NULL, *second = NULL, *other = NULL;
    float values[4] = {1, 2, 3, -4};
    const param_memory params = {.values = values, .count = 4};
    value_id x, y;
    assert_ok(reference_backend_create(&b, REFERENCE_STORED));
    assert_ok(program_create(&first, graph_with_constant(4, &x, &y), b, &params));
    values[2] = 30;
    assert_ok(program_create_beside(&second, graph_with_constant(4, &x, &y), b, first));
    assert_int_equal(program_memory_used(first).constant_bytes, 64);
    assert_int_equal(program_memory_used(second).constant_bytes, 0);
    float got[4];
    assert_ok(program_write_rows(second, x, 0, 1, &(float){10}));
    assert_ok(program_run(second));
    assert_ok(program_read(second, y, got));
    assert_true(got[0] == 11 && got[2] == 3 && got[3] == 0); /* as refreshed before the parameter changed */
    assert_ok(program_refresh(first));
    assert_ok(program_run(second));
    assert_ok(program_read(second, y, got));
    assert_true(got[2] == 30);
    assert_ok(program_run(first));
    assert_ok(program_read(first, y, got));
    assert_true(got[0] == 1); /* its input is its own */
    assert_failure(program_create_beside(&other, graph_with_constant(3, &x, &y), b, first), MIEN_ERR_INTERNAL,
                   "its constants are not the other's");
    assert_null(other);
    program_free(first); /* whoever is left has them */
    assert_ok(program_create_beside(&other, graph_with_constant(4, &x, &y), b, second));
    program_free(second);
    assert_ok(program_run(other));
    assert_ok(program_read(other, y, got));
    assert_true(got[2] == 30);
    program_free(other);
    b->free(b);
}

static void profile__of_runs__times_every_node(void **state)
{
    (void)state;
    bound_case o = {0};
    bound_case_open(&o, case_named("conv2d/3x3_bias"), DTYPE_F32, CASE_TRAINING, REFERENCE_STORED);
    assert_true(program_timing_at(o.p, 0).seconds == 0);
    program_profile(o.p, true);
    for (int i = 0; i < PROFILE_RUNS + 3; i++)
        assert_ok(program_run(o.p));
    program_profile(o.p, false);
    int backward = 0;
    for (int i = 0; i < program_timing_count(o.p); i++) {
        const program_timing t = program_timing_at(o.p, i);
        assert_true(t.seconds > 0 && t.seconds < 1);
        assert_string_equal(t.implementation, "reference");
        backward += t.phase == PHASE_BACKWARD;
        if (strcmp(t.node, "conv") == 0) { /* y [2, 6, 5, 8], each of 4 channels by 3 x 3 */
            assert_true(t.flops == 2.0 * 2 * 6 * 5 * 8 * 4 * 9);
            assert_true(t.bytes == 4.0 * (2 * 6 * 5 * 4 + 8 * 4 * 9 + 8 + 2 * 6 * 5 * 8));
        }
    }
    assert_true(backward > 4);
    bound_case_close(&o);
}

static void print__of_a_program__tells_kernels_and_rooms(void **state)
{
    (void)state;
    graph *g = new_graph(false);
    backend *b = NULL;
    program *p = NULL;
    str text = {0};
    float values[4] = {0};
    const param_memory params = {.values = values, .count = 4};
    const value_id x = new_input(g, "x", shape_of(1, 4L)), w = new_param(g, "w", shape_of(1, 4L), false);
    const value_id y = new_add(g, "y", x, new_activation(g, "relu", w, ACT_RELU));
    graph_mark_output(g, new_activation(g, "z", y, ACT_SILU));
    assert_ok(reference_backend_create(&b, REFERENCE_STORED));
    assert_ok(program_create(&p, g, b, &params));
    assert_ok(program_print(p, &text));
    static const char wanted[] =
        "at refresh, 1 nodes:\n"
        "   0 forward  relu = activation relu (w [4]) -> [4]\n"
        "             reference, scratch 32 bytes\n"
        "             relu at 0, 16 bytes, kept\n"
        "each run, 2 nodes:\n"
        "   0 forward  y = add (x [4], relu [4]) -> [4]\n"
        "             reference, scratch 32 bytes\n"
        "             y at 128, 16 bytes, nodes 0 to 1\n"
        "   1 forward  z = activation silu (y [4]) -> [4]\n"
        "             reference, scratch 32 bytes\n"
        "             z at 128, 16 bytes, nodes 1 to the end, in place of y\n"
        "memory: 0.0 MiB planned (0.0 inputs, 0.0 tensors, 0.0 scratch) where all tensors side "
        "by side take 0.0 MiB; 0.0 MiB constants\n";
    assert_string_equal(text.text, wanted);
    str_free(&text);
    program_free(p);
    b->free(b);
}

/* --- failure ------------------------------------------------------------------------------------------------------ */

static mien_status odd_infer(graph *g, node_id n)
{
    return graph_add_output(g, n, DTYPE_F32, shape_of(0));
}
static const op_def odd_def = {.name = "odd", .infer = odd_infer, .inplace_input = -1};

static void create__what_does_not_fit__is_refused(void **state)
{
    (void)state;
    backend *b = NULL;
    program *p = NULL;
    float values[8] = {0};
    assert_ok(reference_backend_create(&b, REFERENCE_STORED));

    graph *g = new_graph(false);
    value_id v = NO_VALUE;
    assert_ok(graph_param(g, &v, "w", shape_of(1, 4L), 6, false));
    assert_failure(program_create(&p, g, b, &(param_memory){.values = values, .count = 8}), MIEN_ERR_ARG,
                   "w: elements 6 to 10 (wanted within 8)");
    assert_null(p);

    g = new_graph(true);
    const value_id x = new_input(g, "x", NHWC(1, 1, 1, 2));
    const value_id loss = new_loss(g, x);
    assert_ok(graph_differentiate(g, &(graph_loss){loss, 1}, 1, NO_VALUE, NULL));
    assert_failure(program_create(&p, g, b, &(param_memory){.values = values, .count = 8}), MIEN_ERR_ARG,
                   "fc.weight.grad: the parameters have no gradient arena");

    g = new_graph(false);
    node_id n = NO_NODE;
    assert_ok(graph_add(g, &n, &odd_def, "strange", NULL, 0, NULL, 0));
    assert_failure(program_create(&p, g, b, &(param_memory){.values = values, .count = 8}), MIEN_ERR_UNSUPPORTED,
                   "strange: the reference has no odd");
    b->free(b);
}

static mien_status fail_to_run(kernel *k)
{
    (void)k;
    return mien_fail(MIEN_ERR_DEVICE, "the device is on fire");
}

static void run__kernel_that_fails__is_named(void **state)
{
    (void)state;
    bound_case o = {0};
    bound_case_open(&o, case_named("add/two"), DTYPE_F32, CASE_FORWARD, REFERENCE_STORED);
    kernel *k = o.p->kernels[find_node(o.p->g, "y")];
    mien_status (*run)(kernel *) = k->run;
    k->run = fail_to_run;
    assert_failure(program_run(o.p), MIEN_ERR_DEVICE, "y: the device is on fire");
    program_profile(o.p, true);
    assert_failure(program_run(o.p), MIEN_ERR_DEVICE, "y: the device is on fire");
    k->run = run;
    assert_ok(program_run(o.p));
    bound_case_close(&o);
}

/* Everything from describing to a bound program, with the n-th allocation failing. */
static mien_status build_and_free(const op_case *oc)
{
    case_graph c;
    backend *b = NULL;
    program *p = NULL;
    mien_status st = case_graph_build(&c, oc, DTYPE_F32, CASE_TRAINING);
    if (st != MIEN_OK)
        return st;
    st = reference_backend_create(&b, REFERENCE_EXACT);
    if (st == MIEN_OK) {
        graph *g = c.g;
        c.g = NULL;
        st = program_create(&p, g, b, &c.params);
    }
    program_free(p);
    if (b)
        b->free(b);
    case_graph_free(&c);
    return st;
}

static void create__out_of_memory__leaks_nothing(void **state)
{
    (void)state;
    const op_case *oc = case_named("conv2d/batch_norm_add_relu");
    int failures = 0;
    for (;; failures++) {
        mem_fail_after(failures + 1);
        const mien_status st = build_and_free(oc);
        mem_fail_after(-1);
        if (st == MIEN_OK)
            break;
        assert_int_equal(st, MIEN_ERR_NOMEM);
    }
    assert_true(failures > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run__of_every_case__keeps_to_its_own_memory),
        cmocka_unit_test(run__in_bf16__is_near_the_truth),
        cmocka_unit_test(run_checked__kernel_that_writes_elsewhere__is_named),
        cmocka_unit_test(run__after_the_first__allocates_nothing),
        cmocka_unit_test(memory__as_told__is_the_plans),
        cmocka_unit_test(write_and_read__of_rows__touch_no_others),
        cmocka_unit_test(refresh__after_parameters_changed__computes_constants_again),
        cmocka_unit_test(create_beside__another__reads_its_constants),
        cmocka_unit_test(profile__of_runs__times_every_node),
        cmocka_unit_test(print__of_a_program__tells_kernels_and_rooms),
        cmocka_unit_test(create__what_does_not_fit__is_refused),
        cmocka_unit_test(run__kernel_that_fails__is_named),
        cmocka_unit_test(create__out_of_memory__leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
