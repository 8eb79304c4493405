/* The deviation module: what it declares, what is frozen, what that costs, and the same steps as PyTorch's. */
#include "testing.h"

#include "backend/cpu/cpu.h"
#include "base/mem.h"
#include "base/rng.h"
#include "format/safetensors.h"
#include "graph/compare.h"
#include "graph/exec/program_int.h"
#include "nn/deviation.h"

#include <limits.h>
#include <math.h>

enum { CLASSES = 6, BATCH = 4 };

static model *make(const char *arch, int size, model_kind kind)
{
    static const char *const classes[CLASSES] = {"anger", "disgust", "fear", "happiness", "sadness", "surprise"};
    const model_spec spec = {.task = "lsd",
                             .arch = arch,
                             .classes = classes,
                             .class_count = CLASSES,
                             .image_size = size,
                             .mean = {0.5f, 0.5f, 0.5f},
                             .std = {0.25f, 0.25f, 0.25f},
                             .kind = kind};
    model *m = NULL;
    assert_ok(model_create(&m, &spec));
    return m;
}

/* A program over a model, with a backend of its own. */
typedef struct {
    model *model;
    backend *b;
    program *p;
    model_io io;
    size_t image_bytes;
} subject;

static const optimizer_attr adam = {.kind = OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f};

static subject bind(model *m, model_graph_options options)
{
    subject s = {.model = m};
    graph *g = NULL;
    const size_t side = (size_t)model_spec_of(m)->image_size;
    s.image_bytes = (size_t)options.batch * side * side * 3;
    assert_ok(model_graph(&g, &s.io, m, &options));
    assert_ok(backend_cpu_create(&s.b, &(cpu_options){.threads = 2}));
    assert_ok(program_create(&s.p, g, s.b, param_store_memory(model_params(m))));
    return s;
}

static void unbind(subject *s)
{
    program_free(s->p);
    s->b->free(s->b);
}

static model_graph_options training(dtype type, const optimizer_attr *optimizer)
{
    return (model_graph_options){.batch = BATCH,
                                 .activation_type = type,
                                 .is_training = true,
                                 .label_smoothing = 0.2f,
                                 .has_class_weights = true,
                                 .optimizer = optimizer};
}

static void fill_images(const subject *s, uint64_t seed)
{
    rng r = rng_at(seed, 0, 0, RNG_TEST);
    uint8_t *images = program_data(s->p, s->io.images);
    for (size_t i = 0; i < s->image_bytes; i++)
        images[i] = (uint8_t)rng_below(&r, 256);
}

static void fill_targets(const subject *s)
{
    static const float weights[CLASSES] = {1, 3, 5, 1, 1, 1};
    int32_t *labels = program_data(s->p, s->io.labels);
    for (int i = 0; i < BATCH; i++)
        labels[i] = i * 2 % CLASSES;
    memcpy(program_data(s->p, s->io.class_weights), weights, sizeof weights);
}

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

/* --- what it is --------------------------------------------------------------------------------------------------- */

static void deviation__names__are_the_architectures_twice(void **state)
{
    (void)state;
    for (int a = 0; architecture_at(a); a++) {
        const architecture *arch = architecture_at(a);
        model *plain = make(arch->name, 0, MODEL_PLAIN), *m = make(arch->name, 0, MODEL_DEVIATION);
        const param_store *one = model_params(plain), *two = model_params(m);
        int bodies = 0;
        for (int i = 0; i < param_store_count(one); i++) {
            const param_slice *slice = param_store_at(one, i);
            if (str_starts(slice->name, arch->head_prefix))
                continue;
            bodies++;
            static const char *const roots[2] = {DEVIATION_IDENTITY, DEVIATION_FACE};
            for (int r = 0; r < 2; r++) {
                char name[256];
                snprintf(name, sizeof name, "%s%s", roots[r], slice->name);
                int at = param_store_find(two, name);
                assert_true(at >= 0);
                assert_true(shape_equal(&param_store_at(two, at)->shape, &slice->shape));
                assert_int_equal(param_store_at(two, at)->is_trainable, r == 1 && slice->is_trainable);
            }
        }
        const param_slice *head = param_store_at(two, param_store_find(two, "head.weight"));
        assert_int_equal(head->shape.dim[0], CLASSES);
        assert_int_equal(head->shape.dim[1], arch->feature_dim);
        assert_int_equal(param_store_count(two), 2 * bodies + 2);
        assert_string_equal(model_head_prefix(m), "head.");
        model_free(plain);
        model_free(m);
    }
}

/* Gradients and optimizer state are not allocated for what is frozen. */
static void deviation__frozen_copy__has_no_gradient_memory(void **state)
{
    (void)state;
    model *m = make("efficientnet_b0", 32, MODEL_DEVIATION);
    assert_ok(model_init(m, 1, true));
    param_store *s = model_params(m);
    size_t trained = param_store_trained_count(s);
    for (int i = 0; i < param_store_count(s); i++) {
        const param_slice *slice = param_store_at(s, i);
        if (slice->kind != SLICE_COUNTER)
            assert_int_equal(slice->offset < trained, !str_starts(slice->name, DEVIATION_IDENTITY));
    }
    model_free(m);
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
            const float *logits = program_data(s.p, s.io.logits);
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

            char *first;
            assert_ok(mem_alloc(&first, BATCH * row));
            fill_images(&alone, 5);
            assert_ok(program_run(alone.p));
            memcpy(first, program_data(alone.p, alone.io.identity), BATCH * row);

            const subject *trained[2] = {&whole, &without};
            for (int i = 0; i < 2; i++) {
                fill_images(trained[i], 5);
                fill_targets(trained[i]);
            }
            memcpy(program_data(without.p, without.io.identity), first, BATCH * row);
            assert_ok(program_run(whole.p));
            assert_ok(program_run(without.p));
            assert_memory_equal(program_data(whole.p, whole.io.logits), program_data(without.p, without.io.logits),
                                BATCH * CLASSES * sizeof(float));
            assert_memory_equal(program_data(whole.p, whole.io.loss), program_data(without.p, without.io.loss),
                                sizeof(float));

            uint8_t *images = program_data(alone.p, alone.io.images);
            const size_t picture = alone.image_bytes / BATCH;
            uint8_t *shuffled;
            assert_ok(mem_alloc(&shuffled, alone.image_bytes));
            memset(shuffled, 77, alone.image_bytes); /* place 2 holds a picture that was not there before */
            static const int from[BATCH] = {3, 0, -1, 1};
            for (int i = 0; i < BATCH; i++)
                if (from[i] >= 0)
                    memcpy(shuffled + (size_t)i * picture, images + (size_t)from[i] * picture, picture);
            memcpy(images, shuffled, alone.image_bytes);
            assert_ok(program_run(alone.p));
            const char *second = program_data(alone.p, alone.io.identity);
            for (int i = 0; i < BATCH; i++)
                if (from[i] >= 0)
                    assert_memory_equal(second + (size_t)i * row, first + (size_t)from[i] * row, row);
            mem_free(shuffled);
            mem_free(first);
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
        print_message("%s: %zu bytes planned with the frozen copy, %zu without, %zu for it alone\n",
                      architecture_at(a)->name, w.planned_bytes, o.planned_bytes, i.planned_bytes);
        assert_true(w.planned_bytes <= o.planned_bytes + o.planned_bytes / 50);
        assert_true(w.sum_bytes > o.sum_bytes + i.planned_bytes);
        assert_int_equal(w.constant_bytes, i.constant_bytes);
        unbind(&whole);
        unbind(&without);
        unbind(&alone);
        model_free(m);
    }
}

/* --- numbers by formula --------------------------------------------------------------------------------------------
 */

/* Element i of what tests/fixtures/nn/make_deviation.py draws for a name. */
static double draw(const char *name, size_t i)
{
    uint32_t seed = 2166136261u;
    for (const char *c = name; *c; c++)
        seed = (seed ^ (uint8_t)*c) * 16777619u;
    uint32_t x = (uint32_t)(((uint64_t)i + seed) * 2654435761u);
    x = (x ^ (x >> 15)) * 0x2C1B3C6Du;
    x ^= x >> 12;
    return (double)x / 2147483648.0 - 1;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static float drawn_value(const param_slice *slice, size_t i)
{
    double u = draw(slice->name, i);
    if (slice->shape.rank > 1)
        return (float)(u * sqrt(6.0 / ((double)slice->count / (double)slice->shape.dim[0])));
    if (ends_with(slice->name, ".running_var"))
        return (float)(1 + 0.5 * u);
    return (float)(ends_with(slice->name, ".weight") ? 1 + 0.1 * u : 0.1 * u);
}

static void fill_params(param_store *s)
{
    float *values = param_store_memory(s)->values;
    for (int i = 0; i < param_store_count(s); i++) {
        const param_slice *slice = param_store_at(s, i);
        for (size_t e = 0; slice->kind != SLICE_COUNTER && e < slice->count; e++)
            values[slice->offset + e] = drawn_value(slice, e);
    }
}

/* --- what a step moves -------------------------------------------------------------------------------------------- */

static bool is_batch_norm(const param_store *s, const param_slice *slice)
{
    char mean[256];
    const char *dot = strrchr(slice->name, '.');
    snprintf(mean, sizeof mean, "%.*s.running_mean", (int)(dot - slice->name), slice->name);
    return param_store_find(s, mean) >= 0;
}

static void deviation__a_step__moves_face_and_head_alone(void **state)
{
    (void)state;
    model *m = make("efficientnet_b0", 32, MODEL_DEVIATION);
    assert_ok(model_init(m, 3, true));
    param_store *store = model_params(m);
    fill_params(store);
    const param_memory *memory = param_store_memory(store);
    subject s = bind(m, training(DTYPE_F32, &adam));
    float *before;
    assert_ok(mem_alloc(&before, memory->count));
    memcpy(before, memory->values, memory->count * sizeof *before);
    fill_images(&s, 9);
    fill_targets(&s);
    for (uint32_t step = 1; step <= 2; step++) {
        *program_step(s.p) = (step_params){.lr = 1e-3f, .step = step};
        assert_ok(program_run_checked(s.p));
        assert_false(program_step(s.p)->is_nonfinite);
    }
    int affine = 0, convolutions = 0, head = 0;
    for (int i = 0; i < param_store_count(store); i++) {
        const param_slice *slice = param_store_at(store, i);
        if (slice->kind == SLICE_COUNTER)
            continue;
        bool is_same =
            memcmp(before + slice->offset, memory->values + slice->offset, slice->count * sizeof *before) == 0;
        if (str_starts(slice->name, DEVIATION_IDENTITY) || slice->kind == SLICE_BUFFER)
            assert_true(is_same);
        else if (str_starts(slice->name, DEVIATION_HEAD))
            head += !is_same;
        else if (is_batch_norm(store, slice))
            affine += !is_same;
        else
            convolutions += !is_same;
    }
    assert_int_equal(head, 2);
    assert_int_equal(affine, 2 * 49);
    assert_true(convolutions > 49);
    mem_free(before);
    unbind(&s);
    model_free(m);
}

/* --- PyTorch ------------------------------------------------------------------------------------------------------ */

static const float *numbers_of(const st_file *f, const char *name, size_t count)
{
    const st_tensor *t = st_find(f, name);
    if (!t || t->bytes != count * sizeof(float))
        fail_msg("%s: not %zu numbers in the fixture", name, count);
    return t->data;
}

/* How far a parameter moved, ours beside theirs: f32 against f64, over two steps. */
static bool moved_alike(const param_store *s, const float *values, const st_file *f, const char *name)
{
    char key[256];
    snprintf(key, sizeof key, "sgd.%s", name);
    const param_slice *slice = param_store_at(s, param_store_find(s, name));
    const float *after = numbers_of(f, key, slice->count);
    double *got, *wanted;
    assert_ok(mem_alloc(&got, slice->count));
    assert_ok(mem_alloc(&wanted, slice->count));
    for (size_t i = 0; i < slice->count; i++) {
        got[i] = (double)values[slice->offset + i] - (double)drawn_value(slice, i);
        wanted[i] = (double)after[i] - (double)drawn_value(slice, i);
    }
    bool is_same = compare_doubles(name, got, wanted, (int64_t)slice->count, (tolerance){1e-3, 1e-7});
    mem_free(got);
    mem_free(wanted);
    return is_same;
}

/* Two steps from the formula's parameters, `moved` apart in one of them. */
static bool replay(const st_file *f, const char *kind, const optimizer_attr *optimizer, float lr, float moved)
{
    static const char *const kept[] = {"head.weight",
                                       "head.bias",
                                       "face.features.0.0.weight",
                                       "face.features.0.1.weight",
                                       "face.features.0.1.bias",
                                       "face.features.3.0.block.2.fc1.bias",
                                       "face.features.8.1.weight"};
    char key[64];
    model *m = make("efficientnet_b0", 32, MODEL_DEVIATION);
    assert_ok(model_init(m, 1, true));
    param_store *store = model_params(m);
    float *values = param_store_memory(store)->values;
    fill_params(store);
    values[param_store_at(store, param_store_find(store, "identity.features.0.0.weight"))->offset] += moved;
    subject s = bind(m, training(DTYPE_F32, optimizer));
    snprintf(key, sizeof key, "%s.losses", kind);
    const float *losses = numbers_of(f, key, 2);
    bool is_same = true;
    for (uint32_t step = 0; step < 2; step++) {
        uint8_t *images = program_data(s.p, s.io.images);
        snprintf(key, sizeof key, "images%u", step);
        for (size_t i = 0; i < s.image_bytes; i++)
            images[i] = (uint8_t)((draw(key, i) + 1) * 128);
        fill_targets(&s);
        *program_step(s.p) = (step_params){.lr = lr, .step = step + 1};
        assert_ok(program_run(s.p));
        if (step == 0)
            is_same = compare_floats("logits", program_data(s.p, s.io.logits), numbers_of(f, "logits", BATCH * CLASSES),
                                     BATCH * CLASSES, (tolerance){1e-4, 0}) &&
                      is_same;
        is_same =
            compare_floats("loss", program_data(s.p, s.io.loss), losses + step, 1, (tolerance){1e-4, 0}) && is_same;
    }
    for (size_t i = 0; strcmp(kind, "sgd") == 0 && i < sizeof kept / sizeof kept[0]; i++)
        is_same = moved_alike(store, values, f, kept[i]) && is_same;
    unbind(&s);
    model_free(m);
    return is_same;
}

static void deviation__two_steps__are_pytorchs(void **state)
{
    (void)state;
    static const optimizer_attr sgd = {.kind = OPTIMIZER_SGD, .momentum = 0.9f};
    st_file *f = NULL;
    assert_ok(st_open(&f, MIEN_SOURCE_DIR "/tests/fixtures/nn/deviation.safetensors"));
    print_message("%s\n", st_meta(f, "made_with"));
    assert_true(replay(f, "sgd", &sgd, 0.1f, 0));
    assert_true(replay(f, "adam", &adam, 1e-4f, 0));
    assert_false(replay(f, "sgd", &sgd, 0.1f, 1)); /* one frozen weight moved (this must differ) */
    st_close(f);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static int missing_count;

static void count_missing(void *payload, int level, const char *line)
{
    (void)payload, (void)level;
    missing_count += strstr(line, "missing: identity.") != NULL;
}

static void deviation__file__comes_back_and_needs_both_copies(void **state)
{
    (void)state;
    char folder[PATH_MAX], path[PATH_MAX + 32], half[PATH_MAX + 32];
    temp_folder_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/whole.safetensors", folder);
    snprintf(half, sizeof half, "%s/half.safetensors", folder);
    model *m = make("efficientnet_b0", 32, MODEL_DEVIATION), *back = NULL;
    assert_ok(model_init(m, 7, false));
    assert_ok(model_save(m, path, NULL));
    assert_ok(model_load(&back, path));
    assert_int_equal(model_spec_of(back)->kind, MODEL_DEVIATION);
    const param_memory *a = param_store_memory(model_params(m)), *b = param_store_memory(model_params(back));
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->values, b->values, a->count * sizeof(float));
    model_free(back);

    st_file *f = NULL;
    assert_ok(st_open(&f, path));
    st_tensor *kept;
    size_t count = 0, left_out = 0;
    assert_ok(mem_alloc(&kept, st_count(f)));
    for (size_t i = 0; i < st_count(f); i++)
        if (!str_starts(st_at(f, i)->name, DEVIATION_IDENTITY))
            kept[count++] = *st_at(f, i);
        else
            left_out += !ends_with(st_at(f, i)->name, ".num_batches_tracked");
    assert_ok(st_write(half, kept, count, &(st_metadata){"mien", st_meta(f, "mien")}, 1));
    mem_free(kept);
    st_close(f);
    missing_count = 0;
    mien_set_log(count_missing, NULL);
    assert_failure(model_load(&back, half), MIEN_ERR_FORMAT, "half.safetensors: tensors do not fit (");
    mien_set_log(NULL, NULL);
    assert_int_equal(missing_count, left_out);
    model_free(m);
    temp_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deviation__names__are_the_architectures_twice),
        cmocka_unit_test(deviation__frozen_copy__has_no_gradient_memory),
        cmocka_unit_test(deviation__of_equal_copies__is_the_heads_bias),
        cmocka_unit_test(deviation__frozen_features__are_the_same_bits_everywhere),
        cmocka_unit_test(deviation__memory_plan__frozen_copy_adds_nothing_that_stays),
        cmocka_unit_test(deviation__a_step__moves_face_and_head_alone),
        cmocka_unit_test(deviation__two_steps__are_pytorchs),
        cmocka_unit_test(deviation__file__comes_back_and_needs_both_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
