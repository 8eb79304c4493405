/* The deviation module with every architecture, twice as large as it: what equal copies make, that a frozen picture's
 * features may be kept, and what the frozen copy costs in memory. Apart from test_deviation.c because it takes a
 * minute. */
#include "nn/deviation_kit.h"

static int types(dtype out[2])
{
    backend *b;
    assert_ok(backend_cpu_create(&b, NULL));
    int count = b->computes_bf16(b) ? 2 : 1;
    b->free(b);
    out[0] = DTYPE_F32;
    out[1] = DTYPE_BF16;
    return count;
}

/* With both copies alike, and no shift, the head sees nothing but zeros. */
static void deviation__of_equal_copies__is_the_heads_bias(void **state)
{
    (void)state;
    dtype type[2];
    int type_count = types(type);
    for (int a = 0; architecture_at(a); a++)
        for (int t = 0; t < type_count; t++) {
            model *m = make(architecture_at(a)->name, architecture_at(a)->min_size, MODEL_DEVIATION);
            assert_ok(model_init(m, 3, false));
            subject s = bind(m, (model_graph_options){.batch = BATCH, .activation_type = type[t]});
            fill_images(&s, 1);
            assert_ok(program_run(s.p));
            param_store *store = model_params(m);
            float *values = param_store_memory(store)->values;
            float logits[BATCH * CLASSES];
            assert_ok(program_read(s.p, s.io.heads[0].logits, logits));
            const float *bias = values + param_store_at(store, param_store_find(store, "head.bias"))->offset;
            for (int i = 0; i < BATCH; i++)
                assert_memory_equal(logits + (size_t)i * CLASSES, bias, CLASSES * sizeof *bias);
            for (int i = 0; i < param_store_count(store); i++) { /* one copy moved: no longer */
                const param_slice *slice = param_store_at(store, i);
                for (size_t e = 0;
                     str_starts(slice->name, DEVIATION_FACE) && slice->kind == SLICE_PARAMETER && e < slice->count; e++)
                    values[slice->offset + e] = values[slice->offset + e] * 1.25f + 0.01f;
            }
            assert_ok(program_refresh(s.p));
            assert_ok(program_run(s.p));
            assert_ok(program_read(s.p, s.io.heads[0].logits, logits));
            assert_true(memcmp(logits, bias, CLASSES * sizeof *bias) != 0);
            unbind(&s);
            model_free(m);
        }
}

/* --- what is kept may stand for what is computed --------------------------------------------------------------------
 */

/* A picture's features are the same bits at any place of any batch, in a program of their own as in the one that
 * trains. */
static void deviation__frozen_features__are_the_same_bits_everywhere(void **state)
{
    (void)state;
    dtype type[2];
    int type_count = types(type);
    for (int a = 0; architecture_at(a); a++)
        for (int t = 0; t < type_count; t++) {
            model *m = make(architecture_at(a)->name, architecture_at(a)->min_size, MODEL_DEVIATION);
            assert_ok(model_init(m, 3, true));
            const size_t row = (size_t)architecture_at(a)->feature_dim * dtype_bytes(type[t]);
            subject alone =
                bind(m, (model_graph_options){.batch = BATCH, .activation_type = type[t], .part = MODEL_IDENTITY});
            model_graph_options options = training(type[t], NULL);
            subject whole = bind(m, options);
            options.part = MODEL_WITHOUT_IDENTITY;
            subject without = bind(m, options);

            char *first, *second;
            assert_ok(mem_alloc(&first, BATCH * row));
            assert_ok(mem_alloc(&second, BATCH * row));
            fill_images(&alone, 5);
            assert_ok(program_run(alone.p));
            assert_ok(program_read(alone.p, alone.io.identity, first));

            const subject *trained[2] = {&whole, &without};
            for (int i = 0; i < 2; i++) {
                fill_images(trained[i], 5);
                fill_targets(trained[i]);
            }
            assert_ok(program_write(without.p, without.io.identity, first));
            assert_ok(program_run(whole.p));
            assert_ok(program_run(without.p));
            float logits[2][BATCH * CLASSES], loss[2];
            for (int i = 0; i < 2; i++) {
                assert_ok(program_read(trained[i]->p, trained[i]->io.heads[0].logits, logits[i]));
                assert_ok(program_read(trained[i]->p, trained[i]->io.losses[0].value, &loss[i]));
            }
            assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
            assert_memory_equal(&loss[0], &loss[1], sizeof loss[0]);

            const size_t picture = alone.image_bytes / BATCH;
            uint8_t *images, *shuffled;
            assert_ok(mem_alloc(&images, alone.image_bytes));
            assert_ok(mem_alloc(&shuffled, alone.image_bytes));
            assert_ok(program_read(alone.p, alone.io.images, images));
            memset(shuffled, 77, alone.image_bytes); /* place 2 holds a picture that was not there before */
            static const int from[BATCH] = {3, 0, -1, 1};
            for (int i = 0; i < BATCH; i++)
                if (from[i] >= 0)
                    memcpy(shuffled + (size_t)i * picture, images + (size_t)from[i] * picture, picture);
            assert_ok(program_write(alone.p, alone.io.images, shuffled));
            assert_ok(program_run(alone.p));
            assert_ok(program_read(alone.p, alone.io.identity, second));
            for (int i = 0; i < BATCH; i++)
                if (from[i] >= 0)
                    assert_memory_equal(second + (size_t)i * row, first + (size_t)from[i] * row, row);
            mem_free(images);
            mem_free(shuffled);
            mem_free(first);
            mem_free(second);
            unbind(&alone);
            unbind(&whole);
            unbind(&without);
            model_free(m);
        }
}

/* --- what the frozen copy costs ----------------------------------------------------------------------------------- */

/* No value of the frozen copy outlives the moment where its features are subtracted, so all its memory is used again.
 */
static void deviation__memory_plan__frozen_copy_adds_nothing_that_stays(void **state)
{
    (void)state;
    for (int a = 0; architecture_at(a); a++) {
        const int size = architecture_at(a)->min_size < 64 ? 64 : architecture_at(a)->min_size;
        model *m = make(architecture_at(a)->name, size, MODEL_DEVIATION);
        assert_ok(model_init(m, 3, true));
        model_graph_options options = training(DTYPE_F32, &adam);
        subject whole = bind(m, options);
        options.part = MODEL_WITHOUT_IDENTITY;
        subject without = bind(m, options);
        subject alone =
            bind(m, (model_graph_options){.batch = BATCH, .activation_type = DTYPE_F32, .part = MODEL_IDENTITY});

        const plan *made = &whole.p->plan;
        graph *g = whole.p->g;
        int first_face = made->run_count, subtracted = -1, frozen_nodes = 0;
        for (int i = 0; i < made->run_count; i++) {
            const graph_node *node = graph_node_at(g, made->run[i]);
            if (str_starts(node->name, DEVIATION_FACE) && i < first_face)
                first_face = i;
            if (strcmp(node->name, "deviation") == 0)
                subtracted = i;
        }
        assert_true(subtracted > first_face);
        for (int i = 0; i < made->run_count; i++) {
            const graph_node *node = graph_node_at(g, made->run[i]);
            if (!str_starts(node->name, DEVIATION_IDENTITY))
                continue;
            frozen_nodes++;
            assert_int_equal(node->phase, PHASE_FORWARD);
            for (int o = 0; o < node->output_count; o++) {
                const value_id v = node->outputs[o];
                if (v != NO_VALUE)
                    assert_true(made->values[v].last < (v == whole.io.identity ? subtracted + 1 : first_face));
            }
        }
        assert_true(frozen_nodes > 10);
        for (value_id v = 0; v < graph_value_count(g); v++)
            if (graph_value_at(g, v)->kind == VALUE_GRAD)
                assert_false(str_starts(graph_value_at(g, v)->name, DEVIATION_IDENTITY));

        /* one feature row a picture is alive beside the other copy; the rest fits where that copy's values will be */
        const program_memory w = program_memory_used(whole.p), o = program_memory_used(without.p),
                             i = program_memory_used(alone.p);
        print_message(
            "%s: %zu bytes planned with the frozen copy, %zu without, %zu for it alone (sums %zu, %zu, %zu)\n",
            architecture_at(a)->name, w.planned_bytes, o.planned_bytes, i.planned_bytes, w.sum_bytes, o.sum_bytes,
            i.sum_bytes);
        assert_true(w.planned_bytes <= o.planned_bytes + o.planned_bytes / 50);
        assert_true(w.sum_bytes > o.sum_bytes + i.sum_bytes / 2); /* alone it has pictures and scratch of its own */
        assert_int_equal(w.constant_bytes, i.constant_bytes);
        unbind(&whole);
        unbind(&without);
        unbind(&alone);
        model_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deviation__of_equal_copies__is_the_heads_bias),
        cmocka_unit_test(deviation__frozen_features__are_the_same_bits_everywhere),
        cmocka_unit_test(deviation__memory_plan__frozen_copy_adds_nothing_that_stays),
    };
    return cmocka_run_group_tests_name("nn/deviation_zoo", tests, NULL, NULL);
}
