/* The deviation module: what it declares, what is frozen, what that costs, and the same steps as PyTorch's. */
#include "nn/deviation_kit.h"

#include "format/safetensors.h"
#include "graph/compare.h"

#include <limits.h>
#include <math.h>

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
        step_params params = {.lr = 1e-3f, .step = step};
        assert_ok(program_set_step(s.p, &params));
        assert_ok(program_run_checked(s.p));
        assert_ok(program_get_step(&params, s.p));
        assert_false(params.is_nonfinite);
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
    float logits[BATCH * CLASSES], loss;
    uint8_t *images;
    assert_ok(mem_alloc(&images, s.image_bytes));
    for (uint32_t step = 0; step < 2; step++) {
        snprintf(key, sizeof key, "images%u", step);
        for (size_t i = 0; i < s.image_bytes; i++)
            images[i] = (uint8_t)((draw(key, i) + 1) * 128);
        assert_ok(program_write(s.p, s.io.images, images));
        fill_targets(&s);
        assert_ok(program_set_step(s.p, &(step_params){.lr = lr, .step = step + 1}));
        assert_ok(program_run(s.p));
        assert_ok(program_read(s.p, s.io.heads[0].logits, logits));
        assert_ok(program_read(s.p, s.io.losses[0].value, &loss));
        if (step == 0)
            is_same = compare_floats("logits", logits, numbers_of(f, "logits", BATCH * CLASSES), BATCH * CLASSES,
                                     (tolerance){1e-4, 0}) &&
                      is_same;
        is_same = compare_floats("loss", &loss, losses + step, 1, (tolerance){1e-4, 0}) && is_same;
    }
    mem_free(images);
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
        cmocka_unit_test(deviation__a_step__moves_face_and_head_alone),
        cmocka_unit_test(deviation__two_steps__are_pytorchs),
        cmocka_unit_test(deviation__file__comes_back_and_needs_both_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
