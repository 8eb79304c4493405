/* Planned memory: what lives together lies apart, what may share does, and the sum is far above the plan. */
#include "graph/graph_test.h"

#include "base/rng.h"
#include "base/size.h"
#include "graph/op_cases.h"
#include "graph/plan.h"

#define NHWC(n, h, w, c) shape_of(4, (int64_t)(n), (int64_t)(h), (int64_t)(w), (int64_t)(c))

/* --- what must hold of every plan --------------------------------------------------------------------------------- */

static bool is_planned(const plan *p, value_id v)
{
    return p->values[v].place != PLACE_NONE;
}

/* Kept and constant values live from run to run. */
static bool live_together(const plan *p, value_id a, value_id b)
{
    const value_plan *x = &p->values[a], *y = &p->values[b];
    if (x->place != PLACE_REUSED || y->place != PLACE_REUSED)
        return true;
    return x->first <= y->last && y->first <= x->last;
}

static bool overlap(const plan *p, value_id a, value_id b)
{
    const value_plan *x = &p->values[a], *y = &p->values[b];
    if ((x->place == PLACE_CONSTANT) != (y->place == PLACE_CONSTANT)) /* in blocks of their own */
        return false;
    return x->offset < y->offset + y->bytes && y->offset < x->offset + x->bytes;
}

/* b took a's memory in place: they meet in one node alone, which reads a and writes b. */
static bool is_handed_over(const plan *p, value_id a, value_id b)
{
    return p->values[b].shares == a && p->values[a].last == p->values[b].first;
}

static int check_plan(graph *g, const plan *p)
{
    const int count = graph_value_count(g);
    int faults = 0;
    for (value_id a = 0; a < count; a++) {
        const value_plan *at = &p->values[a];
        if (!is_planned(p, a))
            continue;
        faults += at->offset % PLAN_ALIGNMENT != 0;
        faults += at->bytes < value_bytes(graph_value_at(g, a));
        faults += at->offset + at->bytes > (at->place == PLACE_CONSTANT ? p->constant_bytes : p->scratch_offset);
        for (value_id b = a + 1; b < count; b++)
            if (is_planned(p, b) && live_together(p, a, b) && overlap(p, a, b) && !is_handed_over(p, a, b) &&
                !is_handed_over(p, b, a)) {
                print_message("%s and %s live together and overlap\n", graph_value_at(g, a)->name,
                              graph_value_at(g, b)->name);
                faults++;
            }
    }
    return faults + (p->scratch_offset + p->scratch_bytes > p->block_bytes);
}

/* The most bytes alive at one node: no plan without in-place sharing can be smaller than the largest of these. */
static size_t lower_bound(graph *g, const plan *p)
{
    size_t most = 0;
    for (int i = 0; i < p->run_count; i++) {
        size_t alive = 0;
        for (value_id v = 0; v < graph_value_count(g); v++) {
            const value_plan *at = &p->values[v];
            const bool is_gone = at->last == i && is_planned(p, v) && at->first < i; /* perhaps handed over */
            if (at->place == PLACE_REUSED && at->first <= i && at->last >= i && !is_gone)
                alive += size_align(at->bytes, PLAN_ALIGNMENT);
        }
        most = alive > most ? alive : most;
    }
    return most;
}

/* --- graphs ------------------------------------------------------------------------------------------------------- */

static void plan__of_every_case__keeps_apart_what_lives_together(void **state)
{
    (void)state;
    for (int i = 0; i < op_case_count(); i++)
        for (case_mode mode = CASE_FORWARD; mode <= CASE_TRAINING; mode++) {
            case_graph c;
            plan p;
            assert_ok(case_graph_build(&c, op_case_at(i), DTYPE_F32, mode));
            assert_ok(plan_make(&p, c.g, 1000));
            if (check_plan(c.g, &p))
                fail_msg("%s", op_case_at(i)->name);
            case_graph_free(&c);
        }
}

/* A bottleneck network of `blocks` residual blocks, differentiated. */
static graph *residual_network(int blocks)
{
    graph *g = new_graph(true);
    value_id x = new_conv(g, "stem", new_input(g, "x", NHWC(4, 16, 16, 3)), 32, 3, true);
    for (int i = 0; i < blocks; i++) {
        static const char *const parts[] = {"conv1", "bn1", "relu1", "conv2", "bn2", "add", "relu2"};
        char name[7][32];
        for (int k = 0; k < 7; k++)
            snprintf(name[k], sizeof name[k], "block%d.%s", i, parts[k]);
        value_id y = new_batch_norm(g, name[1], new_conv(g, name[0], x, 16, 3, true), true, true);
        y = new_conv(g, name[3], new_activation(g, name[2], y, ACT_RELU), 32, 1, true);
        y = new_add(g, name[5], new_batch_norm(g, name[4], y, true, true), x);
        x = new_activation(g, name[6], y, ACT_RELU);
    }
    const value_id loss = new_loss(g, x);
    assert_ok(graph_fuse(g));
    assert_ok(graph_differentiate(g, &(graph_loss){loss, 1}, 1, NO_VALUE, NULL));
    return g;
}

static void plan__of_a_residual_network__is_near_what_must_live(void **state)
{
    (void)state;
    graph *g = residual_network(8);
    plan p;
    assert_ok(plan_make(&p, g, 0));
    assert_int_equal(check_plan(g, &p), 0);
    const size_t bound = lower_bound(g, &p);
    print_message("planned %zu bytes, %zu alive at most, %zu side by side\n", p.reused_bytes, bound,
                  p.sum_bytes - p.kept_bytes);
    assert_true(p.reused_bytes >= bound);
    assert_true((double)p.reused_bytes <= 1.1 * (double)bound);
    assert_true((double)p.reused_bytes <= 0.75 * (double)(p.sum_bytes - p.kept_bytes));
    graph_free(g);
}

/* Random graphs of adds and activations over random values: sizes and lifetimes no network has. */
static void plan__of_random_graphs__keeps_apart_what_lives_together(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        rng r = rng_at(seed, 0, 0, RNG_TEST);
        graph *g = new_graph(false);
        value_id made[60];
        for (int i = 0; i < 60; i++) {
            char name[16];
            snprintf(name, sizeof name, "v%d", i);
            const int64_t width = 1 + rng_below(&r, 300);
            made[i] = NO_VALUE;
            if (i < 4) {
                made[i] = new_input(g, name, shape_of(2, 3L, width));
            } else if (rng_bool(&r)) {
                made[i] = new_activation(g, name, made[rng_below(&r, (uint32_t)i)], ACT_SILU);
            } else {
                const value_id parts[2] = {made[rng_below(&r, (uint32_t)i)], made[rng_below(&r, (uint32_t)i)]};
                assert_ok(op_concat(g, &made[i], name, parts, rng_below(&r, 4) == 0 ? 2 : 1));
            }
            if (rng_below(&r, 10) == 0)
                graph_mark_output(g, made[i]);
        }
        plan p;
        assert_ok(plan_make(&p, g, rng_below(&r, 5000)));
        if (check_plan(g, &p))
            fail_msg("seed %d", (int)seed);
        graph_free(g);
    }
}

/* --- single rules ------------------------------------------------------------------------------------------------- */

static void plan__chain_of_activations__lives_in_one_place(void **state)
{
    (void)state;
    graph *g = new_graph(false);
    const value_id x = new_input(g, "x", NHWC(1, 4, 4, 4)), a = new_activation(g, "a", x, ACT_SILU);
    const value_id b = new_activation(g, "b", a, ACT_GELU), c = new_activation(g, "c", b, ACT_RELU);
    graph_mark_output(g, c);
    plan p;
    assert_ok(plan_make(&p, g, 0));
    assert_int_equal(p.values[a].shares, NO_VALUE); /* the input stays the user's */
    assert_int_equal(p.values[b].shares, a);
    assert_int_equal(p.values[c].shares, b);
    assert_int_equal(p.values[c].offset, p.values[a].offset);
    assert_int_equal(p.reused_bytes, 4 * 4 * 4 * 4);
    graph_free(g);
}

static void plan__value_read_later_or_wanted__is_not_overwritten(void **state)
{
    (void)state;
    graph *g = new_graph(false);
    const value_id x = new_input(g, "x", NHWC(1, 4, 4, 4)), a = new_activation(g, "a", x, ACT_SILU);
    const value_id b = new_activation(g, "b", a, ACT_GELU), c = new_activation(g, "c", b, ACT_RELU);
    const value_id d = new_add(g, "d", c, a);
    graph_mark_output(g, b);
    plan p;
    assert_ok(plan_make(&p, g, 0));
    assert_int_equal(p.values[b].shares, NO_VALUE);
    assert_int_equal(p.values[c].shares, NO_VALUE);
    assert_int_equal(p.values[d].shares, c);
    assert_int_equal(p.values[b].last, p.run_count);
    assert_int_equal(check_plan(g, &p), 0);
    graph_free(g);
}

static void plan__gradient_of_two_readers__is_added_in_place(void **state)
{
    (void)state;
    graph *g = new_graph(true);
    const value_id y = new_conv(g, "conv", new_input(g, "x", NHWC(2, 4, 4, 3)), 4, 3, true);
    const value_id z = new_add(g, "z", new_activation(g, "a", y, ACT_SILU), new_activation(g, "b", y, ACT_GELU));
    const value_id loss = new_loss(g, z);
    assert_ok(graph_differentiate(g, &(graph_loss){loss, 1}, 1, NO_VALUE, NULL));
    plan p;
    assert_ok(plan_make(&p, g, 0));
    const value_id sum = graph_find(g, "conv:sum0");
    assert_int_not_equal(p.values[sum].shares, NO_VALUE);
    graph_free(g);
}

static void layout__of_the_same_text__is_the_same_id(void **state)
{
    (void)state;
    graph *g = new_graph(false);
    layout_id id[4];
    static const char *const texts[4] = {"plain", "blocked", "transposed", "blocked"};
    for (int i = 0; i < 4; i++)
        assert_ok(graph_layout(g, &id[i], texts[i]));
    assert_int_equal(id[0], LAYOUT_PLAIN);
    assert_int_equal(id[1], id[3]);
    assert_int_not_equal(id[1], id[2]);
    assert_string_equal(graph_layout_text(g, id[2]), "transposed");
    graph_free(g);
}

static void plan__layouts_that_differ__are_not_shared_in_place(void **state)
{
    (void)state;
    graph *g = new_graph(false);
    const value_id a = new_activation(g, "a", new_input(g, "x", NHWC(1, 4, 4, 4)), ACT_SILU);
    const value_id b = new_activation(g, "b", a, ACT_GELU);
    graph_value *packed = graph_value_at(g, a);
    assert_ok(graph_layout(g, &packed->layout, "blocked"));
    packed->layout_bytes = 4 * 4 * 4 * 4;
    plan p;
    assert_ok(plan_make(&p, g, 0));
    assert_int_equal(p.values[b].shares, NO_VALUE);
    packed->layout_bytes = 1 << 20;
    assert_ok(plan_make(&p, g, 0));
    assert_int_equal(p.values[a].bytes, 1 << 20);
    graph_free(g);
}

/* A node that packs a weight, as a backend inserts it. */
static mien_status pack_infer(graph *g, node_id n)
{
    return graph_add_output(g, n, DTYPE_F32, graph_value_at(g, graph_node_at(g, n)->inputs[0])->shape);
}
static const op_def pack_def = {.name = "pack", .infer = pack_infer, .inplace_input = -1};

/* Packs the weights of every conv2d; returns how many of these nodes the plan runs once. */
static int count_packed_once(graph *g)
{
    const int forward_count = graph_order_count(g);
    for (int i = 0, seen = 0; seen < forward_count; i++) {
        const node_id n = graph_order_at(g, i);
        graph_node *node = graph_node_at(g, n);
        seen += node->op != &pack_def;
        if (node->op != &op_conv2d_def || graph_value_at(g, node->inputs[CONV_W])->kind != VALUE_PARAM)
            continue;
        char name[64];
        node_id pack = NO_NODE;
        snprintf(name, sizeof name, "%s:pack", node->name);
        assert_ok(graph_insert_before(g, &pack, n, &pack_def, name, &node->inputs[CONV_W], 1, NULL, 0));
        node->inputs[CONV_W] = graph_node_at(g, pack)->outputs[0];
        i++; /* the node moved up by one */
    }
    plan p;
    assert_ok(plan_make(&p, g, 0));
    assert_int_equal(check_plan(g, &p), 0);
    assert_int_equal(p.refresh_count + p.run_count, graph_order_count(g));
    for (int i = 0; i < p.refresh_count; i++)
        assert_true(graph_node_at(g, p.refresh[i])->op == &pack_def);
    return p.refresh_count;
}

static void plan__packing_of_weights_that_nothing_moves__is_done_once(void **state)
{
    (void)state;
    for (int has_optimizer = 0; has_optimizer < 2; has_optimizer++) {
        graph *g = new_graph(true);
        value_id y = new_conv(g, "frozen", new_input(g, "x", NHWC(2, 4, 4, 3)), 4, 3, false);
        y = new_conv(g, "trained", y, 4, 3, true);
        const value_id loss = new_loss(g, y);
        assert_ok(graph_differentiate(g, &(graph_loss){loss, 1}, 1, NO_VALUE, NULL));
        const optimizer_attr sgd = {.kind = OPTIMIZER_SGD, .loss = loss};
        if (has_optimizer)
            assert_ok(op_optimizer(g, "optimizer", &sgd));
        assert_int_equal(count_packed_once(g), has_optimizer ? 1 : 2);
        graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan__of_every_case__keeps_apart_what_lives_together),
        cmocka_unit_test(plan__of_a_residual_network__is_near_what_must_live),
        cmocka_unit_test(plan__of_random_graphs__keeps_apart_what_lives_together),
        cmocka_unit_test(plan__chain_of_activations__lives_in_one_place),
        cmocka_unit_test(plan__value_read_later_or_wanted__is_not_overwritten),
        cmocka_unit_test(plan__gradient_of_two_readers__is_added_in_place),
        cmocka_unit_test(layout__of_the_same_text__is_the_same_id),
        cmocka_unit_test(plan__layouts_that_differ__are_not_shared_in_place),
        cmocka_unit_test(plan__packing_of_weights_that_nothing_moves__is_done_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
