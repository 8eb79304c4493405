/* A run of two members: what it says of itself as an ensemble, and that its models keep temperatures. */
#include "train/run_kit.h"

#include "base/str.h"
#include "format/ensemble_file.h"
#include "nn/model.h"
#include "train/run.h"
#include "train/run_ensemble.h"

#include <math.h>
#include <unistd.h>

static int enter(void **state)
{
    int rc = temp_folder_enter(state);
    kit_make_set("faces", 24, 1);
    return rc;
}

static void assert_ensemble(const char *path)
{
    ensemble_file f;
    model *m;
    assert_ok(ensemble_file_read(&f, path));
    assert_in_range(f.count, 1, 2);
    for (int i = 0; i < f.count; i++) {
        assert_ok(model_load(&m, f.members[i].path));
        model_free(m);
    }
    ensemble_file_free(&f);
}

/* {"loss": .., "macro_f1": ..} */
static double held_out(const char *path, const char *whose, const char *what)
{
    size_t length;
    char *text = kit_read(path, &length);
    json_t *root;
    assert_ok(json_parse(&root, text, length, path));
    const json_t *value = json_object_get(json_object_get(json_object_get(root, "held_out"), whose), what);
    assert_true(json_is_number(value));
    const double number = json_number_value(value);
    json_decref(root);
    mem_free(text);
    return number;
}

static void run_of_two__says_how_much_each_counts(void **state)
{
    (void)state;
    const kit_run run = {.data = "faces", .out = "two", .settings = {"models=[efficientnet_b0, efficientnet_b0]"}};
    assert_ok(kit_train(&run));
    assert_ensemble("two/weighted.json");
    assert_ensemble("two/greedy.json");
    assert_true(held_out("two/weighted.json", "weighted", "loss") <=
                held_out("two/weighted.json", "mean", "loss") + 1e-4);
    assert_true(held_out("two/greedy.json", "weighted", "macro_f1") >=
                held_out("two/greedy.json", "mean", "macro_f1") - 1e-12);

    const kit_run again = {
        .data = "faces", .out = "two", .settings = {"models=[efficientnet_b0, efficientnet_b0]"}, .is_resumed = true};
    size_t length;
    char *before = kit_read("two/weighted.json", &length), *after;
    unlink("two/weighted.json");
    assert_ok(kit_train(&again));
    after = kit_read("two/weighted.json", &length);
    assert_string_equal(before, after);
    mem_free(before);
    mem_free(after);
}

static void run_of_two__of_other_pictures__is_told_and_is_a_run(void **state)
{
    (void)state;
    static const char path[] = "two/efficientnet_b0.2-stage1/validation.csv";
    size_t length;
    char *text = kit_read(path, &length), *line = strchr(text, '\n') + 1;
    unlink("two/weighted.json");
    memcpy(line, "fear ", 5);
    assert_ok(file_write_all(path, text, length));
    mem_free(text);
    assert_ok(run_ensemble_fit("two"));
    assert_false(file_exists("two/weighted.json"));
}

static void run_of_one__says_nothing(void **state)
{
    (void)state;
    const kit_run run = {.data = "faces", .out = "one", .settings = {"stage1.epochs=1"}};
    assert_ok(kit_train(&run));
    assert_false(file_exists("one/weighted.json"));
}

/* validation.csv holds what the model says from then on; a run without the key keeps its bytes. */
static void temperature__held_out__is_the_models(void **state)
{
    (void)state;
    const kit_run run = {.data = "faces", .out = "warm", .settings = {"stage1.temperature=held_out"}},
                  plain = {.data = "faces", .out = "plain"};
    model *warm, *cold;
    size_t length;
    assert_ok(kit_train(&run));
    assert_ok(kit_train(&plain));
    assert_ok(model_load(&warm, "warm/efficientnet_b0-stage1/best.safetensors"));
    assert_ok(model_load(&cold, "plain/efficientnet_b0-stage1/best.safetensors"));
    const double t = (double)model_spec_of(warm)->heads[0].temperature;
    assert_true(t >= (double)HEAD_MIN_TEMPERATURE && t <= (double)HEAD_MAX_TEMPERATURE);
    assert_true(model_spec_of(cold)->heads[0].temperature == 0);
    char *a = kit_read("warm/efficientnet_b0-stage1/validation.csv", &length),
         *b = kit_read("plain/efficientnet_b0-stage1/validation.csv", &length), *at = a, *by = b;
    int lines = 0;
    for (; (at = strchr(at, '\n')) && (by = strchr(by, '\n')) && at[1]; lines++) {
        double p, q;
        assert_int_equal(sscanf(++at, "%*[^,],%*[^,],%lf", &p), 1);
        assert_int_equal(sscanf(++by, "%*[^,],%*[^,],%lf", &q), 1);
        assert_true(fabs(p - 1 / (1 + pow(1 / q - 1, 1 / t))) < 2e-5);
    }
    assert_int_equal(lines, 12);
    mem_free(a);
    mem_free(b);
    model_free(warm);
    model_free(cold);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_of_two__says_how_much_each_counts),
        cmocka_unit_test(run_of_two__of_other_pictures__is_told_and_is_a_run),
        cmocka_unit_test(run_of_one__says_nothing),
        cmocka_unit_test(temperature__held_out__is_the_models),
    };
    return cmocka_run_group_tests_name("train/run_ensemble", tests, enter, temp_folder_leave);
}
