/* Ensemble files come back as they were written, and say what is wrong with them. */
#include "testing.h"

#include "base/file.h"
#include "format/ensemble_file.h"

#include <math.h>

static void ensemble_file__written__comes_back_with_its_folder(void **state)
{
    (void)state;
    static const char *const models[] = {"x-stage1/best.safetensors", "nobody.safetensors", "/far/y.safetensors"};
    static const double weights[] = {0.3, 0, 0.7};
    ensemble_file f;
    assert_ok(file_make_folders("run"));
    assert_ok(ensemble_file_write("run/e.json", models, weights, 3, json_pack("{s:s}", "fit", "log_loss")));
    assert_ok(ensemble_file_read(&f, "run/e.json"));
    assert_int_equal(f.count, 2); /* who counts nothing is not there */
    assert_string_equal(f.members[0].path, "run/x-stage1/best.safetensors");
    assert_string_equal(f.members[1].path, "/far/y.safetensors");
    assert_true(fabs(f.members[0].weight - 0.3) < 1e-9 && fabs(f.members[1].weight - 0.7) < 1e-9);
    ensemble_file_free(&f);
}

static void ensemble_file__weights__are_relative(void **state)
{
    (void)state;
    static const char text[] = "{\"mien_ensemble\": 1, \"members\": [{\"model\": \"a\", \"weight\": 1}, {\"model\": "
                               "\"b\", \"weight\": 3}]}";
    ensemble_file f;
    assert_ok(ensemble_file_read_bytes(&f, text, strlen(text), "e.json"));
    assert_string_equal(f.members[0].path, "a");
    assert_true(f.members[0].weight == 0.25 && f.members[1].weight == 0.75);
    ensemble_file_free(&f);
}

static void ensemble_file__that_is_wrong__is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
        mien_status code;
    } cases[] = {
        {"{", "e.json: ", MIEN_ERR_FORMAT},
        {"{\"members\": []}", "e.json: mien_ensemble: missing", MIEN_ERR_FORMAT},
        {"{\"mien_ensemble\": 2, \"members\": []}", "e.json: mien_ensemble: version 2 (wanted 1)",
         MIEN_ERR_UNSUPPORTED},
        {"{\"mien_ensemble\": 1, \"members\": []}", "e.json: members: 0 (wanted 1 to 256)", MIEN_ERR_FORMAT},
        {"{\"mien_ensemble\": 1, \"members\": [{\"model\": \"a\", \"weight\": -1}]}",
         "e.json: members: entry 1: weight: -1 (wanted above 0)", MIEN_ERR_FORMAT},
        {"{\"mien_ensemble\": 1, \"members\": [{\"model\": \"a\", \"weight\": 1}, {\"weight\": 1}]}",
         "e.json: members: entry 2: model: missing", MIEN_ERR_FORMAT},
        {"{\"mien_ensemble\": 1, \"members\": [{\"model\": \"a\", \"weight\": 1e308}, {\"model\": \"b\", \"weight\": "
         "1e308}]}",
         "e.json: members: weights: their sum is not finite", MIEN_ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ensemble_file f = {0};
        assert_failure(ensemble_file_read_bytes(&f, cases[i].text, strlen(cases[i].text), "e.json"), cases[i].code,
                       cases[i].message);
        assert_null(f.members);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ensemble_file__written__comes_back_with_its_folder),
        cmocka_unit_test(ensemble_file__weights__are_relative),
        cmocka_unit_test(ensemble_file__that_is_wrong__is_told),
    };
    return cmocka_run_group_tests_name("ensemble_file", tests, temp_folder_enter, temp_folder_leave);
}
