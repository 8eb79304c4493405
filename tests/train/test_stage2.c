/* Two stages: what the second begins with, what it leaves, and that neither a kill nor a kept feature moves a bit. */
#include "train/run_kit.h"

#include "nn/deviation.h"
#include "train/checkpoint.h"
#include "train/run.h"

#define STAGE1 "/efficientnet_b0-stage1/"
#define STAGE2 "/efficientnet_b0-stage2/"

static int enter(void **state)
{
    int rc = temp_folder_enter(state);
    kit_make_set("faces", 12, 1);
    return rc;
}

/* 2 epochs of 4 steps, twice; pictures fixed, so that features are kept. */
static kit_run two_stages(const char *out)
{
    return (kit_run){
        .data = "faces",
        .out = out,
        .settings = {"stage2.enabled=true", "augment={flip: false, crop: 0}", "stage2.class_weights=[1, 3]"}};
}

static void assert_same_file(const char *a, const char *b, const char *file)
{
    char left[PATH_MAX], right[PATH_MAX];
    snprintf(left, sizeof left, "%s%s", a, file);
    snprintf(right, sizeof right, "%s%s", b, file);
    kit_assert_same_file(left, right);
}

static void assert_same_stage2(const char *a, const char *b)
{
    assert_same_file(a, b, STAGE2 "best.safetensors");
    assert_same_file(a, b, STAGE2 "validation.csv");
    assert_same_file(a, b, STAGE2 "done");
}

static const float *values_of(model *m, const char *root, const char *name, size_t *count)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s", root, name);
    param_store *s = model_params(m);
    int at = param_store_find(s, full);
    assert_true(at >= 0);
    const param_slice *slice = param_store_at(s, at);
    *count = slice->count;
    return param_store_memory(s)->values + slice->offset;
}

/* The run that the others are compared with. */
static void stage2__follows__and_begins_with_the_best_of_stage1(void **state)
{
    (void)state;
    kit_run run = two_stages("whole");
    assert_ok(kit_train(&run));
    run_model *models;
    int count;
    assert_ok(run_models(&models, &count, "whole"));
    assert_int_equal(count, 2);
    assert_string_equal(models[0].stage, "stage1");
    assert_string_equal(models[1].stage, "stage2");
    assert_true(!models[0].is_last && models[1].is_last);

    model *one, *two;
    assert_ok(model_load(&one, models[0].path));
    assert_ok(model_load(&two, models[1].path));
    assert_int_equal(model_spec_of(two)->kind, MODEL_DEVIATION);
    assert_memory_equal(model_spec_of(one)->mean, model_spec_of(two)->mean, 3 * sizeof(float));
    int moved = 0, stayed = 0;
    for (int i = 0; i < param_store_count(model_params(one)); i++) {
        const param_slice *slice = param_store_at(model_params(one), i);
        if (slice->kind == SLICE_COUNTER || str_starts(slice->name, model_head_prefix(one)))
            continue;
        size_t n;
        const float *before = param_store_memory(model_params(one))->values + slice->offset;
        const float *identity = values_of(two, DEVIATION_IDENTITY, slice->name, &n);
        const float *face = values_of(two, DEVIATION_FACE, slice->name, &n);
        assert_memory_equal(before, identity, n * sizeof *before);
        bool is_same = memcmp(before, face, n * sizeof *before) == 0;
        if (slice->kind == SLICE_BUFFER)
            assert_true(is_same);
        moved += slice->kind == SLICE_PARAMETER && !is_same;
        stayed += slice->kind == SLICE_PARAMETER && is_same;
    }
    assert_true(moved > 100 && moved > stayed);
    int counter_count;
    const int64_t *counters = param_store_counters(model_params(two), &counter_count);
    const int64_t *before = param_store_counters(model_params(one), &count);
    assert_int_equal(counter_count, 2 * count);
    for (int i = 0; i < counter_count; i++)
        assert_int_equal(counters[i], before[0]); /* no batch was counted */
    model_free(one);
    model_free(two);
    mem_free(models);

    char *log = kit_log("whole");
    const char *start = strstr(log, "{\"event\":\"start\",\"member\":\"efficientnet_b0\",\"stage\":\"stage2\"");
    assert_non_null(start);
    assert_non_null(strstr(start, "\"cached_features\":true"));
    assert_non_null(
        strstr(start, "\"event\":\"epoch\",\"member\":\"efficientnet_b0\",\"stage\":\"stage2\",\"epoch\":2,"));
    mem_free(log);
}

static void stage2__features_not_kept__same_bits(void **state)
{
    (void)state;
    kit_run run = two_stages("computed");
    run.feature_limit = 1; /* no room: the training and validation programs compute them each time */
    assert_ok(kit_train(&run));
    assert_same_stage2("computed", "whole");
    char *log = kit_log("computed");
    assert_non_null(strstr(log, "\"cached_features\":false"));
    mem_free(log);
}

/* Pictures that change have no features to keep, whatever the room. */
static void stage2__augmented__keeps_no_features(void **state)
{
    (void)state;
    kit_run run = two_stages("augmented");
    run.settings[1] = "augment.crop=0"; /* flip stays */
    run.settings[3] = "stage1.epochs=1";
    run.settings[4] = "stage2.epochs=1";
    assert_ok(kit_train(&run));
    char *log = kit_log("augmented");
    assert_non_null(strstr(log, "\"cached_features\":false"));
    mem_free(log);
}

/* Stopped at the n-th word of progress, in either stage or between them, and once more, then left to end. */
static void stage2__cancelled__goes_on_to_the_same_bits(void **state)
{
    (void)state;
    /* a stage has 2 epochs of 5 words to train and some to validate */
    static const int first[] = {2, 13, 16, 20};
    bool was_in_stage2 = false;
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
        char out[32], checkpoint[PATH_MAX];
        snprintf(out, sizeof out, "cancelled%zu", i);
        snprintf(checkpoint, sizeof checkpoint, "%s" STAGE2 "last.ckpt", out);
        kit_run run = two_stages(out);
        run.cancel_after = first[i];
        assert_failure(kit_train(&run), MIEN_ERR_CANCELLED, "--resume");
        run.is_resumed = true;
        run.cancel_after = 3;
        was_in_stage2 = was_in_stage2 || file_exists(checkpoint);
        mien_status st = kit_train(&run);
        assert_true(st == MIEN_ERR_CANCELLED || st == MIEN_OK);
        run.cancel_after = 0;
        assert_ok(kit_train(&run));
        assert_same_file(out, "whole", STAGE1 "best.safetensors");
        assert_same_stage2(out, "whole");
        char *wanted = kit_log("whole"), *got = kit_log(out);
        assert_string_equal(got, wanted);
        mem_free(wanted);
        mem_free(got);
    }
    assert_true(was_in_stage2);
}

/* A later process finds stage 1 done and nothing of stage 2 yet. */
static void stage2__killed_between_stages__goes_on_to_the_same_bits(void **state)
{
    (void)state;
    kit_run run = two_stages("between");
    run.cancel_after = 1;
    assert_failure(kit_train(&run), MIEN_ERR_CANCELLED, "--resume");
    static const char *const files[] = {"best.safetensors", "last.ckpt", "validation.csv", "done"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char from[PATH_MAX], to[PATH_MAX];
        size_t length;
        snprintf(from, sizeof from, "whole" STAGE1 "%s", files[i]);
        snprintf(to, sizeof to, "between" STAGE1 "%s", files[i]);
        char *bytes = kit_read(from, &length);
        assert_ok(file_write_all(to, bytes, length));
        mem_free(bytes);
    }
    run.is_resumed = true;
    run.cancel_after = 0;
    assert_ok(kit_train(&run));
    assert_same_stage2("between", "whole");
}

/* The same file as `pretrained` gives the same bits, without a stage 1. */
static void stage2__pretrained__begins_with_the_init_file(void **state)
{
    (void)state;
    kit_run run = two_stages("pretrained");
    run.settings[3] = "stage1.enabled=false";
    run.settings[4] = "stage2.init=pretrained";
    run.settings[5] = "init.efficientnet_b0=whole" STAGE1 "best.safetensors";
    assert_ok(kit_train(&run));
    assert_false(file_exists("pretrained" STAGE1));
    assert_same_stage2("pretrained", "whole");
    run_model *models;
    int count;
    assert_ok(run_models(&models, &count, "pretrained"));
    assert_int_equal(count, 1);
    assert_true(models[0].is_last);
    mem_free(models);
}

static void stage2__frozen__trains_the_head_alone(void **state)
{
    (void)state;
    kit_run run = two_stages("frozen");
    run.settings[3] = "stage1.enabled=false";
    run.settings[4] = "stage2={init: pretrained, freeze: true, epochs: 1}";
    run.settings[5] = "init.efficientnet_b0=whole" STAGE1 "best.safetensors";
    assert_ok(kit_train(&run));
    model *m;
    assert_ok(model_load(&m, "frozen" STAGE2 "best.safetensors"));
    const param_store *s = model_params(m);
    for (int i = 0; i < param_store_count(s); i++) {
        const param_slice *slice = param_store_at(s, i);
        if (!str_starts(slice->name, DEVIATION_FACE) || slice->kind == SLICE_COUNTER)
            continue;
        size_t n;
        const float *face = param_store_memory(model_params(m))->values + slice->offset;
        assert_memory_equal(face, values_of(m, DEVIATION_IDENTITY, slice->name + strlen(DEVIATION_FACE), &n),
                            slice->count * sizeof *face);
    }
    model_free(m);
}

static void stage2__too_little__is_told(void **state)
{
    (void)state;
    kit_run run = two_stages("x");
    run.settings[3] = "stage2.batch=64";
    assert_failure(kit_train(&run), MIEN_ERR_ARG, "faces: 18 pictures to train on (wanted at least stage2.batch, 64)");
    run.settings[3] = "stage2.init=pretrained";
    assert_failure(kit_train(&run), MIEN_ERR_FORMAT,
                   "--set stage2.init: pretrained without init.efficientnet_b0 (wanted a file to begin with)");
}

static void stage2__steps__allocate_nothing(void **state)
{
    (void)state;
    const char *const settings[] = {"models=[efficientnet_b0]", "classes=[anger, fear]", "image_size=32",
                                    "stage1={batch: 4, epochs: 1}", "stage2={batch: 4, epochs: 2}"};
    kit_assert_steps_allocate_nothing(settings, 5, "stage2", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stage2__follows__and_begins_with_the_best_of_stage1),
        cmocka_unit_test(stage2__features_not_kept__same_bits),
        cmocka_unit_test(stage2__augmented__keeps_no_features),
        cmocka_unit_test(stage2__cancelled__goes_on_to_the_same_bits),
        cmocka_unit_test(stage2__killed_between_stages__goes_on_to_the_same_bits),
        cmocka_unit_test(stage2__pretrained__begins_with_the_init_file),
        cmocka_unit_test(stage2__frozen__trains_the_head_alone),
        cmocka_unit_test(stage2__too_little__is_told),
        cmocka_unit_test(stage2__steps__allocate_nothing),
    };
    return cmocka_run_group_tests_name("stage2", tests, enter, temp_folder_leave);
}
