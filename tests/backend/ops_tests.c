/* What every backend's operators are asked: outputs, loss, gradients, running statistics and optimizers are the plain
 * reference's. */
#include "backend/ops_tests.h"

#include "graph/compare.h"
#include "graph/reference_backend.h"

#include <math.h>

const char *ops_only = "";

/* f32: both sum in another order, the reference in double: a few 1e-7 a sum, more where batch_norm divides by a small
 * deviation. bf16: the reference keeps weights in f32 where we round them, and a ReLU that the rounding tips over
 * changes a gradient whole; the test that an operator is right is the f32 one, this one tells a wrong type or layout.
 */
static const tolerance f32_tolerance = {.relative = 2e-5, .absolute = 2e-6};
static const tolerance bf16_tolerance = {.relative = 3e-2, .absolute = 1e-3};

/* Makes the program of s->c.g, and fills it. */
static void side_begin(side *s, uint64_t seed)
{
    assert_ok(params_place(&s->place, s->b, &s->c.params));
    mien_status st = program_create(&s->p, s->c.g, s->b, &s->place.memory);
    s->c.g = NULL;
    if (st != MIEN_OK)
        print_error("%s\n", s->c.spec->name);
    assert_ok(st);
    assert_ok(case_graph_fill(&s->c, s->p, seed)); /* fills the host's parameters too */
    assert_ok(params_upload(&s->place, &s->c.params));
}

/* An arena of s, back from where its backend has it. */
static void fetch(side *s, float *host, const float *placed, size_t count)
{
    if (host && host != placed && count)
        assert_ok(s->b->download(s->b, host, placed, count * sizeof *host));
}

void side_fetch(side *s)
{
    const param_memory *host = &s->c.params, *placed = &s->place.memory;
    assert_ok(params_download(&s->place, host));
    fetch(s, host->grads, placed->grads, host->trained_count);
    fetch(s, host->sums, placed->sums, host->trained_count);
}

void side_open(side *s, backend *b, const op_case *oc, dtype type, case_mode mode)
{
    s->b = b;
    assert_ok(case_graph_build(&s->c, oc, type, mode));
    side_begin(s, 7);
    assert_ok(program_refresh(s->p)); /* no optimizer here: packed weights are made once */
    assert_ok(program_run(s->p));
}

void side_close(side *s)
{
    program_free(s->p);
    params_leave(&s->place);
    case_graph_free(&s->c);
}

static bool compare_value(const char *label, side *got, side *wanted, value_id v, dtype type, int64_t count,
                          tolerance tol)
{
    double *numbers = malloc(2 * (size_t)count * sizeof *numbers);
    assert_non_null(numbers);
    assert_ok(read_doubles(numbers, got->p, v, type, count));
    assert_ok(read_doubles(numbers + count, wanted->p, v, type, count));
    bool is_equal = compare_doubles(label, numbers, numbers + count, count, tol);
    free(numbers);
    return is_equal;
}

bool sides_agree(side *got, side *wanted, const op_case *oc, dtype type, case_mode mode, double slack)
{
    case_graph described;
    assert_ok(case_graph_build(&described, oc, type, mode));
    const graph_value *value = graph_value_at(described.g, described.y);
    const shape y = value->shape;
    const dtype y_type = value->type;
    case_graph_free(&described);
    tolerance tol = type == DTYPE_BF16 ? bf16_tolerance : f32_tolerance;
    tol.relative *= slack;
    tol.absolute *= slack;
    char label[160];
    side_fetch(got);
    side_fetch(wanted);
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
bool case_agrees(backend *b, const op_case *oc, dtype type, case_mode mode, bool spoil)
{
    backend *plain = NULL;
    assert_ok(reference_backend_create(&plain, REFERENCE_STORED));
    side got = {0}, wanted = {0};
    side_open(&wanted, plain, oc, type, mode);
    side_open(&got, b, oc, type, mode);
    if (spoil) {
        got.c.params.values[0] *= 1.1f;
        assert_ok(params_upload(&got.place, &got.c.params));
        assert_ok(program_refresh(got.p));
        assert_ok(program_run(got.p));
    }
    bool is_fine = sides_agree(&got, &wanted, oc, type, mode, 1);
    side_close(&got);
    side_close(&wanted);
    plain->free(plain);
    return is_fine;
}

static void check_all(backend *b, dtype type, case_mode mode)
{
    int failed = 0;
    for (int i = 0; i < op_case_count(); i++) {
        const op_case *oc = op_case_at(i);
        if (!oc->is_large && strncmp(oc->name, ops_only, strlen(ops_only)) == 0)
            failed += !case_agrees(b, oc, type, mode, false);
    }
    assert_int_equal(failed, 0);
}

void ops__forward_f32__is_reference(void **state)
{
    check_all(*state, DTYPE_F32, CASE_FORWARD);
}

void ops__training_f32__is_reference(void **state)
{
    check_all(*state, DTYPE_F32, CASE_TRAINING);
}

void ops__forward_bf16__is_reference(void **state)
{
    backend *b = *state;
    if (!b->computes_bf16(b)) {
        print_message("skipped: %s does not compute in bf16\n", b->isa(b));
        skip();
    }
    check_all(b, DTYPE_BF16, CASE_FORWARD);
}

void ops__training_bf16__is_reference(void **state)
{
    backend *b = *state;
    if (!b->computes_bf16(b)) {
        print_message("skipped: %s does not compute in bf16\n", b->isa(b));
        skip();
    }
    check_all(b, DTYPE_BF16, CASE_TRAINING);
}

const op_case *find_case(const char *name)
{
    for (int i = 0; i < op_case_count(); i++)
        if (strcmp(op_case_at(i)->name, name) == 0)
            return op_case_at(i);
    fail_msg("no case %s", name);
    return NULL;
}

void ops__one_weight_off__is_noticed(void **state)
{
    assert_false(case_agrees(*state, find_case("conv2d/3x3_bias"), DTYPE_F32, CASE_TRAINING, true));
    assert_false(case_agrees(*state, find_case("linear/bias"), DTYPE_F32, CASE_FORWARD, true));
}

/* Steps of an optimizer on both sides: parameters and states. */
static bool steps_agree(backend *b, const optimizer_attr *attr, int steps)
{
    backend *plain = NULL;
    assert_ok(reference_backend_create(&plain, REFERENCE_STORED));
    side sides[2] = {{.b = b}, {.b = plain}};
    step_params params;
    float norms[2];
    for (int i = 0; i < 2; i++) {
        side *s = &sides[i];
        optimizer_attr full = *attr;
        assert_ok(case_graph_build(&s->c, find_case("linear/squeeze"), DTYPE_F32, CASE_TRAINING));
        full.loss = s->c.loss;
        assert_ok(op_optimizer(s->c.g, "update", &full));
        side_begin(s, 3);
        for (int step = 1; step <= steps; step++) {
            params = (step_params){.lr = 0.01f, .step = (uint32_t)step, .seed = 3};
            assert_ok(program_set_step(s->p, &params));
            assert_ok(program_run(s->p));
        }
        assert_ok(program_get_step(&params, s->p));
        assert_false(params.is_nonfinite);
        norms[i] = params.gradient_norm;
        side_fetch(s);
    }
    const param_memory *g = &sides[0].c.params, *w = &sides[1].c.params;
    int64_t count = (int64_t)g->count;
    bool is_fine = compare_floats("values", g->values, w->values, count, f32_tolerance);
    is_fine = compare_floats("state 1", g->state1, w->state1, count, f32_tolerance) && is_fine;
    is_fine = compare_floats("state 2", g->state2, w->state2, count, f32_tolerance) && is_fine;
    is_fine = compare_floats("gradient norm", norms, norms + 1, 1, f32_tolerance) && is_fine;
    side_close(&sides[0]);
    side_close(&sides[1]);
    plain->free(plain);
    return is_fine;
}

void ops__optimizers__are_reference(void **state)
{
    const optimizer_attr attrs[] = {
        {.kind = OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f},
        {.kind = OPTIMIZER_ADAM, .beta1 = 0.8f, .beta2 = 0.99f, .eps = 1e-6f, .weight_decay = 0.1f},
        {.kind = OPTIMIZER_ADAMW, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .weight_decay = 0.1f},
        {.kind = OPTIMIZER_SGD},
        {.kind = OPTIMIZER_SGD, .momentum = 0.9f, .weight_decay = 0.01f},
    };
    for (size_t i = 0; i < sizeof attrs / sizeof *attrs; i++)
        assert_true(steps_agree(*state, &attrs[i], 4));
}

/* Two steps of three batches each on both sides: what was summed, and where the parameters went. */
void ops__accumulated_batches__are_reference(void **state)
{
    enum { BATCHES = 3 };
    backend *plain = NULL;
    assert_ok(reference_backend_create(&plain, REFERENCE_STORED));
    side sides[2] = {{.b = *state}, {.b = plain}};
    for (int i = 0; i < 2; i++) {
        side *s = &sides[i];
        optimizer_attr attr = {.kind = OPTIMIZER_SGD, .momentum = 0.9f};
        assert_ok(case_graph_build(&s->c, find_case("linear/squeeze"), DTYPE_F32, CASE_TRAINING));
        attr.loss = s->c.loss;
        assert_ok(op_accumulate(s->c.g, "sums", s->c.loss));
        assert_ok(op_optimizer(s->c.g, "update", &attr));
        side_begin(s, 3);
        const int64_t count = shape_count(&s->c.spec->x);
        step_params step;
        float *x = malloc((size_t)count * sizeof *x);
        assert_non_null(x);
        for (int batch = 0; batch < 2 * BATCHES; batch++) {
            for (int64_t k = 0; k < count; k++)
                x[k] = (float)((k * 7 + batch * 5) % 11 - 5) * 0.25f;
            assert_ok(program_write(s->p, s->c.x, x));
            assert_ok(program_run_gradients(s->p, batch % BATCHES == 0));
            if (batch % BATCHES == BATCHES - 1)
                assert_ok(program_run_update(s->p));
        }
        free(x);
        assert_ok(program_get_step(&step, s->p));
        assert_false(step.is_nonfinite);
        side_fetch(s);
    }
    const param_memory *g = &sides[0].c.params, *w = &sides[1].c.params;
    assert_true(compare_floats("sums", g->sums, w->sums, (int64_t)g->count, f32_tolerance));
    assert_true(compare_floats("values", g->values, w->values, (int64_t)g->count, f32_tolerance));
    assert_false(compare_floats("no sums", g->grads, w->sums, (int64_t)g->count, f32_tolerance));
    side_close(&sides[0]);
    side_close(&sides[1]);
    plain->free(plain);
}

/* A gradient that is not a number: told, and nothing moves. */
void ops__nan_gradient__changes_nothing(void **state)
{
    side s = {.b = *state};
    optimizer_attr attr = {.kind = OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};
    assert_ok(case_graph_build(&s.c, find_case("linear/squeeze"), DTYPE_F32, CASE_TRAINING));
    attr.loss = s.c.loss;
    assert_ok(op_optimizer(s.c.g, "update", &attr));
    side_begin(&s, 3);
    step_params step;
    float *x = malloc((size_t)shape_count(&s.c.spec->x) * sizeof *x);
    assert_non_null(x);
    assert_ok(program_read(s.p, s.c.x, x));
    x[5] = NAN;
    assert_ok(program_write(s.p, s.c.x, x));
    free(x);
    size_t bytes = s.c.params.count * sizeof(float);
    float *before = malloc(bytes);
    assert_non_null(before);
    memcpy(before, s.c.params.values, bytes);
    assert_ok(program_run(s.p));
    assert_ok(program_get_step(&step, s.p));
    assert_true(step.is_nonfinite);
    side_fetch(&s);
    assert_memory_equal(s.c.params.values, before, bytes);
    free(before);
    side_close(&s);
}

/* The same run twice, in two programs: the same bits of every gradient. */
void ops__twice__same_bits(void **state)
{
    backend *b = *state;
    for (int i = 0; i < op_case_count(); i++) {
        const op_case *oc = op_case_at(i);
        dtype type = b->computes_bf16(b) ? DTYPE_BF16 : DTYPE_F32;
        side first = {0}, second = {0};
        if (oc->is_large)
            continue;
        side_open(&first, b, oc, type, CASE_TRAINING);
        side_open(&second, b, oc, type, CASE_TRAINING);
        side_fetch(&first);
        side_fetch(&second);
        size_t bytes = first.c.params.count * sizeof(float);
        assert_memory_equal(first.c.params.grads, second.c.params.grads, bytes);
        assert_memory_equal(first.c.params.values, second.c.params.values, bytes);
        side_close(&first);
        side_close(&second);
    }
}
