/* Every operator's gradient rule against finite differences, through the whole pipeline: describe, fuse, differentiate,
 * plan, run on the exact reference. */
#include "graph/compare.h"
#include "graph/exec/program_int.h"
#include "graph/op_cases.h"
#include "graph/reference_backend.h"
#include "testing.h"

/* The loss is a double, so a central difference over a step of 2^-14 errs by about 1e-16 / 2^-14 = 2e-12 in rounding
 * and f''' 2^-28 / 6 = 1e-9 in truncation, beside gradients of 1e-3 to 1; gradients are stored as f32 (6e-8 of
 * themselves). The step is what it became in f32, measured. */
static const float step_size = 0x1p-14f;
static const tolerance gradient_tolerance = {.relative = 1e-5, .absolute = 1e-8};
enum { MAX_CHECKED = 40 }; /* elements of a tensor that are checked, evenly spread */

typedef struct {
    case_graph c;
    backend *b;
    program *p;
} fixture;

static void fixture_open(fixture *f, const op_case *oc)
{
    assert_ok(case_graph_build(&f->c, oc, DTYPE_F32, CASE_TRAINING));
    assert_ok(reference_backend_create(&f->b, REFERENCE_EXACT));
    mien_status st = program_create(&f->p, f->c.g, f->b, &f->c.params);
    f->c.g = NULL;
    assert_ok(st);
    assert_ok(case_graph_fill(&f->c, f->p, 1));
}

static void fixture_close(fixture *f)
{
    program_free(f->p);
    f->b->free(f->b);
    case_graph_free(&f->c);
}

static double loss_now(fixture *f)
{
    assert_ok(program_refresh(f->p)); /* parameters that nothing updates may have made constants */
    assert_ok(program_run(f->p));
    return reference_tensor(f->b, f->c.loss)[0];
}

/* (loss(x + h) - loss(x - h)) / 2h at *x, which is left as it was. It lies where the program reads it: the reference
 * computes in the caller's memory. */
static double difference_at(fixture *f, float *x)
{
    const float kept = *x;
    *x = kept + step_size;
    const double above = loss_now(f), up = (double)*x;
    *x = kept - step_size;
    const double below = loss_now(f), down = (double)*x;
    *x = kept;
    return (above - below) / (up - down);
}

/* Compares `count` analytic gradients of x with differences. */
static bool check_tensor(fixture *f, const char *what, float *x, const double *gradient, int64_t count)
{
    char label[128];
    double got[MAX_CHECKED], wanted[MAX_CHECKED];
    const int64_t checked = count < MAX_CHECKED ? count : MAX_CHECKED;
    for (int64_t i = 0; i < checked; i++) {
        const int64_t at = i * count / checked;
        got[i] = gradient[at];
        wanted[i] = difference_at(f, &x[at]);
    }
    snprintf(label, sizeof label, "%s: gradient of %s", f->c.spec->name, what);
    return compare_doubles(label, got, wanted, checked, gradient_tolerance);
}

/* Gradients as doubles, taken before differences overwrite them; free(). */
static double *copy_doubles(const double *exact, const float *rounded, int64_t count)
{
    double *copy = malloc((size_t)count * sizeof *copy);
    assert_non_null(copy);
    for (int64_t i = 0; i < count; i++)
        copy[i] = exact ? exact[i] : (double)rounded[i];
    return copy;
}

/* All gradients of a case; `spoil` (tests of the test) changes one analytic gradient by a thousandth. */
static bool check_case(const op_case *oc, bool spoil)
{
    fixture f = {0};
    bool is_fine = true;
    fixture_open(&f, oc);
    (void)loss_now(&f);
    const int64_t x_count = shape_count(&oc->x);
    double *dx = copy_doubles(reference_tensor(f.b, f.c.dx), NULL, x_count);
    double *grads = copy_doubles(NULL, f.c.params.grads, (int64_t)f.c.params.count);
    if (spoil)
        for (int64_t i = 0; i < x_count; i++)
            dx[i] *= 1.001;
    is_fine = check_tensor(&f, "x", program_address(f.p, f.c.x), dx, x_count) && is_fine;
    for (int i = 0; i < f.c.param_count; i++) {
        const case_param *p = &f.c.param[i];
        if (p->is_trainable)
            is_fine = check_tensor(&f, p->name, f.c.params.values + p->offset, grads + p->offset, (int64_t)p->count) &&
                      is_fine;
    }
    free(dx);
    free(grads);
    fixture_close(&f);
    return is_fine;
}

static void gradients__of_every_case__are_finite_differences(void **state)
{
    (void)state;
    int checked = 0, failed = 0;
    for (int i = 0; i < op_case_count(); i++) {
        const op_case *oc = op_case_at(i);
        if (oc->is_forward_only || oc->is_large || oc->is_medium)
            continue;
        failed += !check_case(oc, false);
        checked++;
    }
    print_message("%d cases\n", checked);
    assert_int_equal(failed, 0);
    assert_true(checked > 50);
}

/* A thousandth more than the truth must not pass. */
static void gradients__of_a_spoiled_case__are_refused(void **state)
{
    (void)state;
    assert_false(check_case(op_case_at(1), true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients__of_every_case__are_finite_differences),
        cmocka_unit_test(gradients__of_a_spoiled_case__are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
