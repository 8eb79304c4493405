/* The plain reference beside PyTorch: outputs, losses, gradients, running statistics and optimizer steps that
 * tests/fixtures/graph/make_operators.py wrote. What backends are compared with is thereby PyTorch's arithmetic, not
 * our reading of it. */
#include "graph/graph_test.h"

#include "format/safetensors.h"
#include "graph/compare.h"
#include "graph/exec/program_int.h"
#include "graph/op_cases.h"
#include "graph/reference_backend.h"

/* Both sides compute in double from the same f32 numbers; what is compared went through one rounding to f32. */
static const tolerance pytorch_tolerance = {.relative = 1e-6, .absolute = 1e-8};

static const st_tensor *tensor_of(const st_file *f, const char *name, const char *part)
{
    char full[128];
    snprintf(full, sizeof full, "%s:%s", name, part);
    return st_find(f, full);
}

static const float *numbers_of(const st_file *f, const char *name, const char *part, int64_t count)
{
    const st_tensor *t = tensor_of(f, name, part);
    if (!t || t->dtype != ST_F32 || t->bytes != (size_t)count * sizeof(float))
        fail_msg("%s: no %s of %d numbers in the fixture", name, part, (int)count);
    return t->data;
}

static st_file *open_fixture(void)
{
    st_file *f = NULL;
    assert_ok(st_open(&f, MIEN_SOURCE_DIR "/tests/fixtures/graph/operators.safetensors"));
    print_message("%s\n", st_meta(f, "made_with"));
    return f;
}

/* --- operators ---------------------------------------------------------------------------------------------------- */

typedef struct {
    const st_file *f;
    const char *name;
    case_graph c;
    backend *b;
    program *p;
} replay;

static bool compare_tensor(const replay *r, const char *part, value_id v, int64_t count)
{
    char label[128];
    const float *from = numbers_of(r->f, r->name, part, count);
    double *wanted = malloc((size_t)count * sizeof *wanted);
    assert_non_null(wanted);
    for (int64_t i = 0; i < count; i++)
        wanted[i] = (double)from[i];
    snprintf(label, sizeof label, "%s: %s", r->name, part);
    const bool is_same = compare_doubles(label, reference_tensor(r->b, v), wanted, count, pytorch_tolerance);
    free(wanted);
    return is_same;
}

static bool compare_param(const replay *r, const case_param *p)
{
    char part[64], label[128];
    snprintf(part, sizeof part, p->is_trainable ? "out.%s.grad" : "out.%s", p->name);
    snprintf(label, sizeof label, "%s: %s", r->name, part);
    const float *got = (p->is_trainable ? r->c.params.grads : r->c.params.values) + p->offset;
    return compare_floats(label, got, numbers_of(r->f, r->name, part, (int64_t)p->count), (int64_t)p->count,
                          pytorch_tolerance);
}

static void load_numbers(replay *r, float shift)
{
    const int64_t x_count = shape_count(&r->c.spec->x);
    assert_ok(case_graph_fill(&r->c, r->p, 0)); /* labels and class weights */
    float *x = malloc((size_t)x_count * sizeof *x);
    assert_non_null(x);
    memcpy(x, numbers_of(r->f, r->name, "x", x_count), (size_t)x_count * sizeof *x);
    x[0] += shift;
    assert_ok(program_write(r->p, r->c.x, x));
    free(x);
    for (int i = 0; i < r->c.param_count; i++) {
        const case_param *p = &r->c.param[i];
        memcpy(r->c.params.values + p->offset, numbers_of(r->f, r->name, p->name, (int64_t)p->count),
               p->count * sizeof(float));
    }
    assert_ok(program_refresh(r->p));
}

/* Runs the case on the fixture's numbers; `shift` is added to one input. */
static bool replay_case(const st_file *f, const op_case *oc, float shift)
{
    replay r = {.f = f, .name = oc->name};
    assert_ok(case_graph_build(&r.c, oc, DTYPE_F32, CASE_TRAINING));
    assert_ok(reference_backend_create(&r.b, REFERENCE_EXACT));
    const int64_t y_count = shape_count(&graph_value_at(r.c.g, r.c.y)->shape);
    mien_status st = program_create(&r.p, r.c.g, r.b, &r.c.params);
    r.c.g = NULL;
    assert_ok(st);
    load_numbers(&r, shift);
    assert_ok(program_run(r.p));
    bool is_same = compare_tensor(&r, "out.y", r.c.y, y_count);
    is_same = compare_tensor(&r, "out.loss", r.c.loss, 1) && is_same;
    is_same = compare_tensor(&r, "out.dx", r.c.dx, shape_count(&oc->x)) && is_same;
    for (int i = 0; i < r.c.param_count; i++)
        is_same = compare_param(&r, &r.c.param[i]) && is_same;
    program_free(r.p);
    r.b->free(r.b);
    case_graph_free(&r.c);
    return is_same;
}

static void pytorch__every_case_it_has__is_the_same(void **state)
{
    (void)state;
    st_file *f = open_fixture();
    int replayed = 0, failed = 0;
    for (int i = 0; i < op_case_count(); i++)
        if (tensor_of(f, op_case_at(i)->name, "x")) {
            failed += !replay_case(f, op_case_at(i), 0);
            replayed++;
        }
    print_message("%d cases\n", replayed);
    assert_int_equal(failed, 0);
    assert_int_equal(replayed, 107); /* as many as the script writes: no case is lost by renaming it */
    st_close(f);
}

/* One input off by a ten thousandth must not pass. */
static void pytorch__one_input_moved__is_noticed(void **state)
{
    (void)state;
    st_file *f = open_fixture();
    const op_case *oc = op_case_at(1);
    assert_false(replay_case(f, oc, 1e-4f));
    st_close(f);
}

/* --- optimizers --------------------------------------------------------------------------------------------------- */

enum { STEPS = 4, ELEMENTS = 24 };

/* Whether a program's optimizer moves `w` [ELEMENTS] as the fixture has it; its kernel is run alone, on gradients of
 * the fixture. */
static bool replay_optimizer(const st_file *f, const char *name, const optimizer_attr *attr)
{
    float values[ELEMENTS], grads[ELEMENTS] = {0}, state1[ELEMENTS] = {0}, state2[ELEMENTS] = {0};
    const param_memory params = {.values = values,
                                 .grads = grads,
                                 .state1 = state1,
                                 .state2 = state2,
                                 .count = ELEMENTS,
                                 .trained_count = ELEMENTS};
    graph *g = new_graph(true);
    backend *b = NULL;
    program *p = NULL;
    const value_id x = new_input(g, "x", shape_of(2, 2L, 8L)), w = new_param(g, "w", shape_of(2, 3L, 8L), true);
    value_id y = NO_VALUE, labels = NO_VALUE, loss = NO_VALUE, probabilities = NO_VALUE;
    assert_ok(op_linear(g, &y, "fc", x, w, NO_VALUE, true));
    assert_ok(graph_input(g, &labels, "labels", DTYPE_I32, shape_of(1, 2L)));
    assert_ok(op_cross_entropy(g, &loss, &probabilities, "loss", y, labels, NO_VALUE, 0));
    graph_mark_output(g, loss);
    assert_ok(graph_differentiate(g, &(graph_loss){loss, 1}, 1, NO_VALUE, NULL));
    optimizer_attr full = *attr;
    full.loss = loss;
    assert_ok(op_optimizer(g, "optimizer", &full));
    const node_id n = find_node(g, "optimizer");
    assert_ok(reference_backend_create(&b, REFERENCE_STORED));
    memcpy(values, numbers_of(f, name, "values", ELEMENTS), sizeof values);
    assert_ok(program_create(&p, g, b, &params));
    *(float *)program_address(p, loss) = 1;
    const float *all_grads = numbers_of(f, name, "grads", STEPS * ELEMENTS);
    const float *wanted = numbers_of(f, name, "out.values", STEPS * ELEMENTS);
    /* values and moments are f32 here and double there: a few 6e-8 of a value each step */
    const tolerance tol = {.relative = 1e-6, .absolute = 1e-7};
    bool is_same = true;
    for (int step = 0; step < STEPS; step++) {
        memcpy(grads, all_grads + step * ELEMENTS, sizeof grads);
        step_params params_of_step = {.lr = 0.01f, .step = (uint32_t)step + 1};
        assert_ok(program_set_step(p, &params_of_step));
        assert_ok(p->kernels[n]->run(p->kernels[n]));
        assert_ok(program_get_step(&params_of_step, p));
        assert_false(params_of_step.is_nonfinite);
        is_same = compare_floats(name, values, wanted + step * ELEMENTS, ELEMENTS, tol) && is_same;
    }
    program_free(p);
    b->free(b);
    return is_same;
}

static void pytorch__optimizers__move_the_same_way(void **state)
{
    (void)state;
    st_file *f = open_fixture();
    const optimizer_attr adam = {.beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .weight_decay = 0.1f};
    optimizer_attr adamw = adam;
    adamw.kind = OPTIMIZER_ADAMW;
    const optimizer_attr sgd = {.kind = OPTIMIZER_SGD, .momentum = 0.9f, .weight_decay = 0.1f};
    const optimizer_attr plain = {.kind = OPTIMIZER_SGD};
    assert_true(replay_optimizer(f, "optimizer/adam", &adam));
    assert_true(replay_optimizer(f, "optimizer/adamw", &adamw));
    assert_true(replay_optimizer(f, "optimizer/sgd", &sgd));
    assert_true(replay_optimizer(f, "optimizer/sgd_plain", &plain));
    st_close(f);
}

/* A hundredth less decay must not pass. */
static void pytorch__optimizer_with_less_decay__is_noticed(void **state)
{
    (void)state;
    st_file *f = open_fixture();
    const optimizer_attr adam = {.beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .weight_decay = 0.099f};
    const optimizer_attr sgd = {.kind = OPTIMIZER_SGD, .momentum = 0.9f, .weight_decay = 0.099f};
    assert_false(replay_optimizer(f, "optimizer/adam", &adam));
    assert_false(replay_optimizer(f, "optimizer/sgd", &sgd));
    st_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pytorch__every_case_it_has__is_the_same),
        cmocka_unit_test(pytorch__one_input_moved__is_noticed),
        cmocka_unit_test(pytorch__optimizers__move_the_same_way),
        cmocka_unit_test(pytorch__optimizer_with_less_decay__is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
