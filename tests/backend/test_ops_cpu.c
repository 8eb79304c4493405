/* Every operator case on the CPU backend beside the plain reference: outputs, loss, gradients and running statistics,
 * in f32 and, where the machine computes in it, in bf16. CTest runs this program once for each MIEN_ISA (tests.cmake).
 */
#include "graph/compare.h"
#include "graph/op_cases.h"
#include "graph/reference_backend.h"
#include "testing.h"

#include "backend/cpu/cpu.h"
#include "backend/cpu/isa.h"

#include <math.h>

/* f32: both sum in another order, the reference in double: a few 1e-7 a sum, more where batch_norm divides by a small
 * deviation. bf16: the reference keeps weights in f32 where we round them, and a ReLU that the rounding tips over
 * changes a gradient whole; the test that an operator is right is the f32 one, this one tells a wrong type or layout.
 */
static const tolerance f32_tolerance = {.relative = 2e-5, .absolute = 2e-6};
static const tolerance bf16_tolerance = {.relative = 3e-2, .absolute = 1e-3};

typedef struct {
    backend *b;
    program *p;
    case_graph c;
} side;

static void side_open(side *s, backend *b, const op_case *oc, dtype type, case_mode mode)
{
    s->b = b;
    assert_ok(case_graph_build(&s->c, oc, type, mode));
    mien_status st = program_create(&s->p, s->c.g, b, &s->c.params);
    s->c.g = NULL;
    assert_ok(st);
    case_graph_fill(&s->c, s->p, 7);
    assert_ok(program_refresh(s->p)); /* no optimizer here: packed weights are made once */
    assert_ok(program_run(s->p));
}

static void side_close(side *s)
{
    program_free(s->p);
    case_graph_free(&s->c);
}

static bool compare_value(const char *label, side *got, side *wanted, value_id v, dtype type, int64_t count,
                          tolerance tol)
{
    double *numbers = malloc(2 * (size_t)count * sizeof *numbers);
    assert_non_null(numbers);
    load_doubles(numbers, program_data(got->p, v), type, count);
    load_doubles(numbers + count, program_data(wanted->p, v), type, count);
    bool is_equal = compare_doubles(label, numbers, numbers + count, count, tol);
    free(numbers);
    return is_equal;
}

/* Everything that a run leaves behind. */
static bool sides_agree(side *got, side *wanted, const op_case *oc, dtype type, tolerance tol, shape y, dtype y_type)
{
    char label[160];
    const char *suffix = type == DTYPE_BF16 ? " bf16" : "";
    snprintf(label, sizeof label, "%s%s: y", oc->name, suffix);
    bool is_fine = compare_value(label, got, wanted, got->c.y, y_type, shape_count(&y), tol);
    if (got->c.loss != NO_VALUE) {
        snprintf(label, sizeof label, "%s%s: loss", oc->name, suffix);
        is_fine = compare_value(label, got, wanted, got->c.loss, DTYPE_F32, 1, tol) && is_fine;
    }
    if (got->c.dx != NO_VALUE) {
        snprintf(label, sizeof label, "%s%s: dx", oc->name, suffix);
        is_fine = compare_value(label, got, wanted, got->c.dx, got->c.x_type, shape_count(&oc->x), tol) && is_fine;
    }
    for (int i = 0; i < got->c.param_count; i++) {
        const case_param *p = &got->c.param[i];
        bool is_grad = p->is_trainable && got->c.loss != NO_VALUE;
        const param_memory *g = &got->c.params, *w = &wanted->c.params;
        snprintf(label, sizeof label, "%s%s: %s %s", oc->name, suffix, is_grad ? "gradient of" : "value of", p->name);
        is_fine = compare_floats(label, (is_grad ? g->grads : g->values) + p->offset,
                                 (is_grad ? w->grads : w->values) + p->offset, (int64_t)p->count, tol) &&
                  is_fine;
    }
    return is_fine;
}

/* Runs one case on both; spoil: with one weight of ours changed by a tenth of the largest. */
static bool case_agrees(backend *cpu, const op_case *oc, dtype type, case_mode mode, bool spoil)
{
    backend *plain = NULL;
    assert_ok(reference_backend_create(&plain, REFERENCE_STORED));
    side got = {0}, wanted = {0};
    side_open(&wanted, plain, oc, type, mode);
    side_open(&got, cpu, oc, type, mode);
    if (spoil) {
        got.c.params.values[0] *= 1.1f;
        assert_ok(program_refresh(got.p));
        assert_ok(program_run(got.p));
    }
    const graph_value *y = NULL;
    case_graph described;
    assert_ok(case_graph_build(&described, oc, type, mode));
    y = graph_value_at(described.g, described.y);
    bool is_fine =
        sides_agree(&got, &wanted, oc, type, type == DTYPE_BF16 ? bf16_tolerance : f32_tolerance, y->shape, y->type);
    case_graph_free(&described);
    side_close(&got);
    side_close(&wanted);
    plain->free(plain);
    return is_fine;
}

static void check_all(backend *cpu, dtype type, case_mode mode)
{
    int failed = 0;
    for (int i = 0; i < op_case_count(); i++) {
        const op_case *oc = op_case_at(i);
        if (!oc->is_large)
            failed += !case_agrees(cpu, oc, type, mode, false);
    }
    assert_int_equal(failed, 0);
}

static void ops_cpu__forward_f32__is_reference(void **state)
{
    check_all(*state, DTYPE_F32, CASE_FORWARD);
}

static void ops_cpu__training_f32__is_reference(void **state)
{
    check_all(*state, DTYPE_F32, CASE_TRAINING);
}

static void ops_cpu__forward_bf16__is_reference(void **state)
{
    backend *cpu = *state;
    if (!cpu->computes_bf16(cpu)) {
        print_message("skipped: %s does not compute in bf16\n", cpu->isa(cpu));
        skip();
    }
    check_all(cpu, DTYPE_BF16, CASE_FORWARD);
}

static void ops_cpu__training_bf16__is_reference(void **state)
{
    backend *cpu = *state;
    if (!cpu->computes_bf16(cpu)) {
        print_message("skipped: %s does not compute in bf16\n", cpu->isa(cpu));
        skip();
    }
    check_all(cpu, DTYPE_BF16, CASE_TRAINING);
}

static const op_case *find_case(const char *name)
{
    for (int i = 0; i < op_case_count(); i++)
        if (strcmp(op_case_at(i)->name, name) == 0)
            return op_case_at(i);
    fail_msg("no case %s", name);
    return NULL;
}

static void ops_cpu__one_weight_off__is_noticed(void **state)
{
    assert_false(case_agrees(*state, find_case("conv2d/3x3_bias"), DTYPE_F32, CASE_TRAINING, true));
    assert_false(case_agrees(*state, find_case("linear/bias"), DTYPE_F32, CASE_FORWARD, true));
}

/* The same run twice, in two programs: the same bits of every gradient. */
static void ops_cpu__twice__same_bits(void **state)
{
    backend *cpu = *state;
    for (int i = 0; i < op_case_count(); i++) {
        const op_case *oc = op_case_at(i);
        dtype type = cpu->computes_bf16(cpu) ? DTYPE_BF16 : DTYPE_F32;
        side first = {0}, second = {0};
        if (oc->is_large)
            continue;
        side_open(&first, cpu, oc, type, CASE_TRAINING);
        side_open(&second, cpu, oc, type, CASE_TRAINING);
        size_t bytes = first.c.params.count * sizeof(float);
        assert_memory_equal(first.c.params.grads, second.c.params.grads, bytes);
        assert_memory_equal(first.c.params.values, second.c.params.values, bytes);
        side_close(&first);
        side_close(&second);
    }
}

/* oneDNN's slow fallback never runs: not on the test shapes, and not on the networks' own. */
static void ops_cpu__implementations__are_not_ref(void **state)
{
    backend *cpu = *state;
    if (strcmp(cpu->isa(cpu), "plain") == 0) {
        print_message("skipped: oneDNN has little but its reference code for plain\n");
        skip();
    }
    int refs = 0;
    for (int i = 0; i < op_case_count(); i++) {
        const op_case *oc = op_case_at(i);
        side s = {.b = cpu};
        dtype type = cpu->computes_bf16(cpu) ? DTYPE_BF16 : DTYPE_F32;
        assert_ok(case_graph_build(&s.c, oc, type, CASE_TRAINING));
        mien_status st = program_create(&s.p, s.c.g, cpu, &s.c.params);
        s.c.g = NULL;
        assert_ok(st);
        for (int t = 0; t < program_timing_count(s.p); t++) {
            program_timing row = program_timing_at(s.p, t);
            if (strncmp(row.implementation, "ref", 3) == 0 || strstr(row.implementation, ":ref")) {
                print_error("%s: %s (%s) runs %s\n", oc->name, row.node, row.op, row.implementation);
                refs++;
            }
        }
        side_close(&s);
    }
    assert_int_equal(refs, 0);
}

static int backend_open(void **state)
{
    backend *b = NULL;
    const cpu_options options = {.threads = 2};
    assert_ok(backend_cpu_create(&b, &options));
    *state = b;
    return 0;
}

static int backend_close(void **state)
{
    backend *b = *state;
    b->free(b);
    return 0;
}

enum { EXIT_SKIPPED = 77 };

int main(void)
{
    isa chosen;
    if (isa_get(&chosen) != MIEN_OK) {
        printf("skipped: %s\n", mien_error());
        return EXIT_SKIPPED;
    }
    printf("instruction set: %s\n", isa_name(chosen));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ops_cpu__forward_f32__is_reference),    cmocka_unit_test(ops_cpu__training_f32__is_reference),
        cmocka_unit_test(ops_cpu__forward_bf16__is_reference),   cmocka_unit_test(ops_cpu__training_bf16__is_reference),
        cmocka_unit_test(ops_cpu__one_weight_off__is_noticed),   cmocka_unit_test(ops_cpu__twice__same_bits),
        cmocka_unit_test(ops_cpu__implementations__are_not_ref),
    };
    return cmocka_run_group_tests(tests, backend_open, backend_close);
}
