/* Runs of the multi-task task: both networks and both samplers learn from faces of which labels are missing, go on to
 * the same bits after a kill, and learn from two places that know different things. */
#include "train/run_kit.h"

#include "base/json.h"
#include "base/rng.h"
#include "base/str.h"
#include "image/image.h"
#include "nn/model.h"
#include "task/mtl.h"

#include <math.h>

enum { SIDE = 32, FACES = 40 };
#define STAGE "/efficientnet_b0-mtl/"

static const char *const base[] = {"task=mtl",
                                   "models=[efficientnet_b0]",
                                   "image_size=32",
                                   "augment={jitter: 0, flip: true}",
                                   "data.val_share=0.25",
                                   "mtl={batch: 4, epochs: 3, lr: 0.01}",
                                   NULL};

/* Noise, brighter with valence; every second in a strong red, every third in a strong blue. */
static void draw(const char *path, int i, float valence)
{
    image im = {0};
    rng r = rng_at(5, 0, (uint64_t)i, RNG_TEST);
    assert_ok(image_resize_buffer(&im, SIDE, SIDE));
    for (int at = 0; at < SIDE * SIDE * 3; at++)
        im.pixels[at] = (uint8_t)((int)rng_below(&r, 60) + (int)(60 * (valence + 1)) +
                                  ((at % 3 == 0 && i % 2 == 0) || (at % 3 == 2 && i % 3 == 0) ? 70 : 0));
    assert_ok(image_write_png(path, &im));
    image_free(&im);
}

/* FOLDER/labels.csv, of which every picture misses one task's labels, and FOLDER/bright.csv, of the same pictures, that
 * knows of no expression. */
static void make_faces(const char *folder)
{
    str all = {0}, bright = {0};
    assert_ok(file_make_folders(folder));
    assert_ok(str_append(&all, "image,valence,arousal,expression,aus\n"));
    assert_ok(str_append(&bright, "image,valence,arousal,expression,aus\n"));
    for (int i = 0; i < FACES; i++) {
        char path[PATH_MAX];
        const float valence = (float)(i % 9) / 4 - 1;
        snprintf(path, sizeof path, "%s/%d.png", folder, i);
        draw(path, i, valence);
        str *const texts[] = {&all, &bright};
        for (int t = 0; t < 2; t++) {
            assert_ok(str_printf(texts[t], "%d.png", i));
            if (t == 0 && i % 4 == 0)
                assert_ok(str_append(texts[t], ",-5,-5"));
            else
                assert_ok(str_printf(texts[t], ",%g,%g", (double)valence, (double)-valence / 2));
            assert_ok(str_printf(texts[t], ",%d", t == 1 || i % 4 == 1 ? -1 : i % 2));
            for (int k = 0; k < 12; k++)
                assert_ok(str_printf(texts[t], ",%d", t == 0 && i % 4 == 2 ? -1 : (i + k) % 3 == 0));
            assert_ok(str_append(texts[t], "\n"));
        }
    }
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/labels.csv", folder);
    assert_ok(file_write_all(path, all.text, all.length));
    snprintf(path, sizeof path, "%s/bright.csv", folder);
    assert_ok(file_write_all(path, bright.text, bright.length));
    str_free(&all);
    str_free(&bright);
}

static int enter(void **state)
{
    const int rc = temp_folder_enter(state);
    make_faces("faces");
    kit_make_set("classes", 12, 1);
    return rc;
}

static mien_status train(const char *out, const char *const *more, int cancel_after, bool is_resumed)
{
    kit_run run = {.base = base,
                   .data = "faces",
                   .out = out,
                   .precision = PRECISION_F32,
                   .cancel_word = " epoch ",
                   .cancel_after = cancel_after,
                   .is_resumed = is_resumed};
    for (int i = 0; more[i]; i++)
        run.settings[i] = more[i];
    return kit_train(&run);
}

/* A number of the log's epoch-th line about an epoch. */
static double epoch_value(const char *out, int epoch, const char *name)
{
    char *log = kit_log(out), *rest = log, *line;
    double value = NAN;
    while ((line = strsep(&rest, "\n")) && *line) {
        json_t *object;
        assert_ok(json_parse(&object, line, strlen(line), "log"));
        const char *event = json_string_value(json_object_get(object, "event"));
        if (strcmp(event, "epoch") == 0 && json_integer_value(json_object_get(object, "epoch")) == epoch)
            value = json_number_value(json_object_get(object, name));
        json_decref(object);
    }
    mem_free(log);
    return value;
}

static void mtl_run__both_networks_and_samplers__learn(void **state)
{
    (void)state;
    static const char *const kinds[] = {"mtl.kind=smm", "mtl.kind=baseline"}, *const samplers[] = {"mtl.sampler=tasks",
                                                                                                   "mtl.sampler=joint"};
    for (int i = 0; i < 4; i++) {
        char out[16];
        snprintf(out, sizeof out, "learn%d", i);
        assert_ok(train(out, (const char *const[]){kinds[i / 2], samplers[i % 2], NULL}, 0, false));
        const double first = epoch_value(out, 1, "train_loss"), last = epoch_value(out, 3, "train_loss");
        if (!(last < first))
            fail_msg("%s, %s: loss %g after the first epoch and %g after the last", kinds[i / 2], samplers[i % 2],
                     first, last);
        static const char *const scores[] = {"val_p_va", "val_p_expr", "val_p_au"};
        double sum = 0;
        for (int s = 0; s < 3; s++)
            sum += epoch_value(out, 2, scores[s]);
        assert_true(fabs(sum - epoch_value(out, 2, "val_p_mtl")) < 1e-9);
    }
}

static void assert_same_run(const char *a, const char *b)
{
    static const char *const files[] = {"last.ckpt", "best.safetensors", "validation.csv", "done"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char left[64], right[64];
        snprintf(left, sizeof left, "%s" STAGE "%s", a, files[i]);
        snprintf(right, sizeof right, "%s" STAGE "%s", b, files[i]);
        kit_assert_same_file(left, right);
    }
    char *wanted = kit_log(b), *got = kit_log(a);
    assert_string_equal(got, wanted);
    mem_free(wanted);
    mem_free(got);
}

/* Stopped at two moments, within the first epoch and the last one, then left to end: as if nothing had happened. */
static void mtl_run__cancelled__goes_on_to_the_same_bits(void **state)
{
    (void)state;
    static const char *const settings[2][4] = {{"mtl.kind=smm", "mtl.sampler=tasks", "mtl.thresholds=held_out", NULL},
                                               {"mtl.kind=baseline", "mtl.sampler=joint", NULL}};
    for (int i = 0; i < 2; i++) {
        char whole[16], cut[16];
        snprintf(whole, sizeof whole, "whole%d", i);
        snprintf(cut, sizeof cut, "cut%d", i);
        assert_ok(train(whole, settings[i], 0, false));
        assert_failure(train(cut, settings[i], 4, false), MIEN_ERR_CANCELLED, "--resume");
        assert_failure(train(cut, settings[i], 13, true), MIEN_ERR_CANCELLED, "--resume");
        assert_ok(train(cut, settings[i], 0, true));
        assert_same_run(cut, whole);
    }
    model *m;
    assert_ok(model_load(&m, "whole0" STAGE "best.safetensors"));
    assert_int_equal(model_spec_of(m)->kind, MODEL_SMM);
    assert_non_null(model_spec_of(m)->heads[2].thresholds); /* they were chosen anew, and alike, on the way */
    model_free(m);
}

/* Other labels are another set: nothing goes on. */
static void mtl_run__other_labels__are_not_gone_on_with(void **state)
{
    (void)state;
    static const char *const settings[] = {"mtl.kind=baseline", NULL};
    make_faces("other");
    kit_run run = {
        .base = base, .data = "other", .out = "changed", .precision = PRECISION_F32, .settings = {settings[0]}};
    run.cancel_word = " epoch ";
    run.cancel_after = 3;
    assert_failure(kit_train(&run), MIEN_ERR_CANCELLED, "--resume");
    size_t length;
    char *text = kit_read("other/labels.csv", &length);
    char *field = strstr(text, "3.png,"); /* its arousal, say */
    assert_non_null(field);
    char *sign = strchr(strchr(field, ',') + 1, ',') + 1;
    *sign = *sign == '-' ? '0' : '1';
    assert_ok(file_write_all("other/labels.csv", text, length));
    mem_free(text);
    run.cancel_after = 0;
    run.is_resumed = true;
    assert_failure(kit_train(&run), MIEN_ERR_FORMAT, "other");
}

/* Faces without expressions, and folders of two that know nothing else. */
static mien_status open_two(task_set **out, task_set **validation, const task_set_options *o)
{
    static const task_source sources[] = {{.path = "faces/bright.csv"}, {.path = "classes"}};
    task_set_options both = *o;
    both.sources = sources;
    both.source_count = 2;
    return task_mtl.open(out, validation, &both);
}

static void mtl_run__two_places__teach_one_model(void **state)
{
    (void)state;
    task_def two = task_mtl;
    two.open = open_two;
    const task_def *const tasks[] = {&two, NULL};
    for (int is_joint = 0; is_joint < 2; is_joint++) {
        kit_run run = {.tasks = tasks, .base = base, .data = "both", .precision = PRECISION_F32};
        run.out = is_joint ? "two_joint" : "two";
        run.settings[0] = "mtl.kind=baseline";
        run.settings[1] = is_joint ? "mtl.sampler=joint" : "mtl.sampler=tasks";
        assert_ok(kit_train(&run));
        /* both have their share in what selects */
        assert_true(isfinite(epoch_value(run.out, 3, "val_p_expr")) && isfinite(epoch_value(run.out, 3, "val_p_va")));
        assert_true(epoch_value(run.out, 3, "train_loss") < epoch_value(run.out, 1, "train_loss"));
        char *log = kit_log(run.out);
        assert_non_null(strstr(log, "\"labels\":{\"va\":30,\"expression\":18,\"au\":30}"));
        mem_free(log);
    }
}

static void mtl_run__what_the_data_cannot_teach__is_told_before(void **state)
{
    (void)state;
    kit_run run = {.base = base, .data = "faces/bright.csv", .out = "none", .precision = PRECISION_F32};
    assert_failure(kit_train(&run), MIEN_ERR_FORMAT, "faces/bright.csv: no picture with expressions (head expression)");
    run.settings[0] = "mtl.heads=[va, pose]";
    assert_failure(kit_train(&run), MIEN_ERR_FORMAT, "faces/bright.csv: no picture with head pose (head pose)");
    run.settings[0] = "mtl.heads=[va]";
    run.settings[1] = "mtl={select: p_au, epochs: 1, kind: baseline}";
    assert_failure(kit_train(&run), MIEN_ERR_FORMAT, "faces/bright.csv: no label that tells p_au (mtl.select)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mtl_run__both_networks_and_samplers__learn),
        cmocka_unit_test(mtl_run__cancelled__goes_on_to_the_same_bits),
        cmocka_unit_test(mtl_run__other_labels__are_not_gone_on_with),
        cmocka_unit_test(mtl_run__two_places__teach_one_model),
        cmocka_unit_test(mtl_run__what_the_data_cannot_teach__is_told_before),
    };
    return cmocka_run_group_tests_name("mtl_run", tests, enter, temp_folder_leave);
}
