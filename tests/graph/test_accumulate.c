/* Several losses and several batches: their gradients beside finite differences, and a step of K batches beside one
 * batch of their summed loss. */
#include "graph/graph_test.h"

#include "graph/compare.h"
#include "graph/exec/program_int.h"
#include "graph/reference_backend.h"

#include <math.h>

enum { BATCHES = 3, ROWS = 4, WIDTH = 5, CLASSES = 3, COUNT = 64 };

/* A network of two layers that share a weight, and a head; `branches` copies of it, each with its own x, labels and
 * loss, over the same parameters. */
typedef struct {
    graph *g;
    value_id x[BATCHES], labels[BATCHES], loss[BATCHES];
    backend *b;
    program *p;
    float values[COUNT], grads[COUNT], sums[COUNT];
    param_memory params;
} network;

static void add_branch(network *n, int branch, value_id shared, value_id head)
{
    char name[32];
    value_id y = NO_VALUE, probabilities = NO_VALUE;
    snprintf(name, sizeof name, "x%d", branch);
    n->x[branch] = new_input(n->g, name, shape_of(2, (int64_t)ROWS, (int64_t)WIDTH));
    snprintf(name, sizeof name, "first%d", branch);
    assert_ok(op_linear(n->g, &y, name, n->x[branch], shared, NO_VALUE, false));
    snprintf(name, sizeof name, "act%d", branch);
    y = new_activation(n->g, name, y, ACT_SILU);
    snprintf(name, sizeof name, "second%d", branch);
    assert_ok(op_linear(n->g, &y, name, y, shared, NO_VALUE, false));
    snprintf(name, sizeof name, "head%d", branch);
    assert_ok(op_linear(n->g, &y, name, y, head, NO_VALUE, true));
    snprintf(name, sizeof name, "labels%d", branch);
    assert_ok(graph_input(n->g, &n->labels[branch], name, DTYPE_I32, shape_of(1, (int64_t)ROWS)));
    snprintf(name, sizeof name, "loss%d", branch);
    assert_ok(op_cross_entropy(n->g, &n->loss[branch], &probabilities, name, y, n->labels[branch], NO_VALUE, 0.1f));
    graph_mark_output(n->g, n->loss[branch]);
}

static void describe(network *n, int branches, const float *weights)
{
    graph_loss losses[BATCHES];
    *n = (network){.g = new_graph(true)};
    const value_id shared = new_param(n->g, "shared", shape_of(2, (int64_t)WIDTH, (int64_t)WIDTH), true);
    const value_id head = new_param(n->g, "head", shape_of(2, (int64_t)CLASSES, (int64_t)WIDTH), true);
    for (int i = 0; i < branches; i++) {
        add_branch(n, i, shared, head);
        losses[i] = (graph_loss){n->loss[i], weights[i]};
    }
    assert_ok(graph_differentiate(n->g, losses, branches, NO_VALUE, NULL));
}

static void add_update(network *n)
{
    const optimizer_attr sgd = {.kind = OPTIMIZER_SGD, .loss = n->loss[0]};
    assert_ok(op_optimizer(n->g, "update", &sgd));
}

static void bind(network *n, reference_precision precision)
{
    graph *g = n->g;
    n->g = NULL;
    n->params = (param_memory){.values = n->values, .grads = n->grads, .sums = n->sums, .count = COUNT};
    for (int i = 0; i < COUNT; i++)
        n->values[i] = 0.1f * (float)((i * 5) % 13 - 6);
    assert_ok(reference_backend_create(&n->b, precision));
    assert_ok(program_create(&n->p, g, n->b, &n->params));
    assert_ok(program_set_step(n->p, &(step_params){.lr = 0.5f, .step = 1}));
}

/* Batch `batch` into a branch. */
static void fill(network *n, int branch, int batch)
{
    float x[ROWS * WIDTH];
    int32_t labels[ROWS];
    for (int i = 0; i < ROWS * WIDTH; i++)
        x[i] = (float)((i * 7 + batch * 4) % 11 - 5) * 0.3f;
    for (int i = 0; i < ROWS; i++)
        labels[i] = (i + batch) % CLASSES;
    assert_ok(program_write(n->p, n->x[branch], x));
    assert_ok(program_write(n->p, n->labels[branch], labels));
}

static step_params step_of(const network *n)
{
    step_params step;
    assert_ok(program_get_step(&step, n->p));
    return step;
}

static void destroy(network *n)
{
    program_free(n->p);
    n->b->free(n->b);
}

static double summed_loss(network *n, const float *weights)
{
    double sum = 0;
    assert_ok(program_run(n->p));
    for (int i = 0; i < BATCHES; i++)
        sum += (double)weights[i] * reference_tensor(n->b, n->loss[i])[0];
    return sum;
}

static void losses__weighted__have_the_gradient_of_their_sum(void **state)
{
    (void)state;
    static const float weights[BATCHES] = {1, -0.5f, 3}, step = 0x1p-14f;
    enum { USED = WIDTH * WIDTH + CLASSES * WIDTH };
    network n;
    double got[USED], wanted[USED];
    describe(&n, BATCHES, weights);
    bind(&n, REFERENCE_EXACT);
    for (int i = 0; i < BATCHES; i++)
        fill(&n, i, i);
    (void)summed_loss(&n, weights);
    for (int i = 0; i < USED; i++)
        got[i] = (double)n.grads[i];
    for (int i = 0; i < USED; i++) {
        const float kept = n.values[i];
        n.values[i] = kept + step;
        const double above = summed_loss(&n, weights), up = (double)n.values[i];
        n.values[i] = kept - step;
        const double below = summed_loss(&n, weights), down = (double)n.values[i];
        n.values[i] = kept;
        wanted[i] = (above - below) / (up - down);
    }
    assert_true(compare_doubles("gradients", got, wanted, USED, (tolerance){.relative = 1e-5, .absolute = 1e-7}));
    destroy(&n);
}

static const float ones[BATCHES] = {1, 1, 1};

/* Backward goes from the last loss to the first; in that order the batches give the same sums, bit by bit. A parameter
 * with two readers in each branch is summed within its branch first where batches are, so that one is compared to a
 * few units in the last place; the head has one reader in each. */
static void accumulate__of_three_batches__is_their_summed_loss(void **state)
{
    (void)state;
    network one, step;
    describe(&one, BATCHES, ones);
    add_update(&one);
    bind(&one, REFERENCE_STORED);
    for (int i = 0; i < BATCHES; i++)
        fill(&one, i, i);
    describe(&step, 1, ones);
    assert_ok(op_accumulate(step.g, "sums", step.loss[0]));
    add_update(&step);
    bind(&step, REFERENCE_STORED);
    assert_ok(program_run(one.p));
    for (int i = BATCHES - 1; i >= 0; i--) {
        fill(&step, 0, i);
        assert_ok(program_run_gradients(step.p, i == BATCHES - 1));
    }
    assert_ok(program_run_update(step.p));
    const tolerance ulps = {.relative = 1e-6, .absolute = 1e-7};
    const int head = WIDTH * WIDTH, head_count = CLASSES * WIDTH;
    assert_true(compare_floats("shared", step.sums, one.grads, head, ulps));
    assert_memory_equal(step.sums + head, one.grads + head, head_count * sizeof(float));
    assert_memory_equal(step.values + head, one.values + head, head_count * sizeof(float));
    assert_false(compare_floats("last batch alone", step.grads, one.grads, head, ulps));
    destroy(&one);
    destroy(&step);
}

static void open_step(network *n)
{
    describe(n, 1, ones);
    assert_ok(op_accumulate(n->g, "sums", n->loss[0]));
    add_update(n);
    bind(n, REFERENCE_STORED);
}

static void run_step(network *n, float second)
{
    for (int i = 0; i < BATCHES; i++) {
        fill(n, 0, i);
        if (i == 1) {
            float x[ROWS * WIDTH];
            assert_ok(program_read(n->p, n->x[0], x));
            x[2] = second;
            assert_ok(program_write(n->p, n->x[0], x));
        }
        assert_ok(program_run_gradients(n->p, i == 0));
    }
    assert_ok(program_run_update(n->p));
}

static void accumulate__batch_that_is_not_finite__sticks_until_the_update(void **state)
{
    (void)state;
    network n;
    float before[COUNT];
    open_step(&n);
    memcpy(before, n.values, sizeof before);
    run_step(&n, INFINITY);
    assert_true(step_of(&n).is_nonfinite);
    assert_memory_equal(before, n.values, sizeof before);
    run_step(&n, 0);
    assert_false(step_of(&n).is_nonfinite);
    assert_memory_not_equal(before, n.values, sizeof before);
    destroy(&n);
}

/* The gradients of a loss may be finite where it is not. */
static void accumulate__loss_alone_not_finite__sticks(void **state)
{
    (void)state;
    network n;
    open_step(&n);
    const node_id sum = n.p->plan.run[n.p->spans[SPAN_FIRST].begin];
    assert_ok(program_run_gradients(n.p, true));
    *(float *)program_address(n.p, n.loss[0]) = INFINITY;
    assert_ok(n.p->kernels[sum]->run(n.p->kernels[sum]));
    assert_ok(program_run_gradients(n.p, false));
    assert_true(isfinite(*(float *)program_address(n.p, n.loss[0])));
    assert_ok(program_run_update(n.p));
    assert_true(step_of(&n).is_nonfinite);
    destroy(&n);
}

static void run__of_one_batch__is_the_plain_step(void **state)
{
    (void)state;
    network plain, sums;
    describe(&plain, 1, ones);
    add_update(&plain);
    bind(&plain, REFERENCE_STORED);
    open_step(&sums);
    for (int i = 0; i < 2; i++) {
        fill(&plain, 0, i);
        fill(&sums, 0, i);
        assert_ok(program_run(plain.p));
        assert_ok(program_run(sums.p));
    }
    assert_ok(program_run_checked(plain.p));
    assert_ok(program_run_checked(sums.p));
    assert_memory_equal(plain.values, sums.values, sizeof plain.values);
    assert_true(step_of(&plain).gradient_norm == step_of(&sums).gradient_norm);
    destroy(&plain);
    destroy(&sums);
}

static void accumulate__where_it_cannot__is_refused(void **state)
{
    (void)state;
    network n;
    describe(&n, 1, ones);
    bind(&n, REFERENCE_STORED);
    assert_failure(program_run_gradients(n.p, true), MIEN_ERR_ARG, "a program of one batch a step");
    assert_failure(program_run_update(n.p), MIEN_ERR_ARG, "a program of one batch a step");
    destroy(&n);

    graph *g = new_graph(true);
    const value_id loss = new_loss(g, new_input(g, "x", shape_of(4, 1L, 1L, 1L, 2L)));
    assert_failure(op_accumulate(g, "sums", loss), MIEN_ERR_ARG, "sums: no gradients");
    assert_ok(graph_differentiate(g, &(graph_loss){loss, 1}, 1, NO_VALUE, NULL));
    assert_failure(op_accumulate(g, "sums", NO_VALUE), MIEN_ERR_ARG, "sums: no loss");
    assert_ok(op_accumulate(g, "sums", loss));
    float values[8], grads[8];
    program *p = NULL;
    backend *b = NULL;
    assert_ok(reference_backend_create(&b, REFERENCE_STORED));
    assert_failure(program_create(&p, g, b, &(param_memory){.values = values, .grads = grads, .count = 8}),
                   MIEN_ERR_ARG, "sums:first: the parameters have no arena of sums");
    b->free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses__weighted__have_the_gradient_of_their_sum),
        cmocka_unit_test(accumulate__of_three_batches__is_their_summed_loss),
        cmocka_unit_test(accumulate__batch_that_is_not_finite__sticks_until_the_update),
        cmocka_unit_test(accumulate__loss_alone_not_finite__sticks),
        cmocka_unit_test(run__of_one_batch__is_the_plain_step),
        cmocka_unit_test(accumulate__where_it_cannot__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
