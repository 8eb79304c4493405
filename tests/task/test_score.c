/* Files of truth and prediction are matched by name in any order and form; each fault names file and line. */
#include "testing.h"

#include "no_memory.h"

#include "base/file.h"
#include "task/score.h"

#include <limits.h>

typedef struct {
    char folder[PATH_MAX], truth[PATH_MAX], predicted[PATH_MAX];
} files;

static int make(void **state)
{
    files *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    temp_folder_make(f->folder, sizeof(f->folder));
    assert_true(snprintf(f->truth, sizeof(f->truth), "%s/truth.csv", f->folder) < PATH_MAX);
    assert_true(snprintf(f->predicted, sizeof(f->predicted), "%s/pred.csv", f->folder) < PATH_MAX);
    *state = f;
    return 0;
}

static int unmake(void **state)
{
    files *f = *state;
    temp_folder_remove(f->folder);
    free(f);
    return 0;
}

static void write_both(const files *f, const char *truth, const char *predicted)
{
    assert_ok(file_write_all(f->truth, truth, strlen(truth)));
    assert_ok(file_write_all(f->predicted, predicted, strlen(predicted)));
}

static void score_lsd__rows_in_any_order_and_form__matched_by_name(void **state)
{
    const files *f = *state;
    static const char truth[] = "image,expression\n1.jpg,0\n2.jpg,1\n10.jpg,5\n3.jpg,5\n";
    static const char *const predictions[] = {
        "1.jpg,0\n2.jpg,1\n10.jpg,5\n3.jpg,4\n",
        "\xEF\xBB\xBFimage,expression\r\n3.jpg, Sadness\r\n10.jpg, surprise\r\n2.jpg, DISGUST\r\n1.jpg, ANGRER\r\n",
        "\"10.jpg\",5\n\"3.jpg\",\"4\"\n\n1.jpg,0\n2.jpg,1",
        /* what `predict` writes */
        "image,expression,anger\n1.jpg,anger,0.9\n2.jpg,disgust,0.1\n3.jpg,sadness,0.1\n10.jpg,surprise,0.2\n",
    };
    for (size_t i = 0; i < sizeof(predictions) / sizeof(predictions[0]); i++) {
        write_both(f, truth, predictions[i]);
        metric_report r;
        assert_ok(score_lsd(&r, f->truth, f->predicted));
        assert_int_equal(r.class_count, 6);
        assert_int_equal(r.count, 4);
        assert_true(r.accuracy == 0.75);
        /* F1: 1, 1, 0 (absent), 0 (absent), 0, 2/3 */
        assert_true(r.f1[0] == 1 && r.f1[1] == 1 && r.f1[2] == 0 && r.f1[3] == 0 && r.f1[4] == 0);
        assert_true(r.f1[5] > 0.6666 && r.f1[5] < 0.6667);
        assert_true(r.macro_f1 > 0.4444 && r.macro_f1 < 0.4445);
        assert_int_equal(r.confusion[5 * 6 + 4], 1);
        assert_int_equal(r.confusion[5 * 6 + 5], 1);
        assert_false(r.has_ece);
        metric_report_free(&r);
    }
}

static void score_lsd__names_that_do_not_match__named_with_file_and_line(void **state)
{
    const files *f = *state;
    static const struct {
        const char *truth, *predicted, *fault;
    } cases[] = {
        {"a.jpg,0\nb.jpg,1\n", "a.jpg,0\n", "pred.csv: no row for b.jpg ("},
        {"a.jpg,0\nb.jpg,1\n", "b.jpg,0\n", "truth.csv: line 1)"},
        {"a.jpg,0\n", "image,expression\na.jpg,0\nb.jpg,1\n", "pred.csv: line 3: b.jpg is not in "},
        {"b.jpg,0\n", "a.jpg,0\nb.jpg,1\n", "pred.csv: line 1: a.jpg is not in "},
        {"a.jpg,0\nb.jpg,1\na.jpg,0\n", "a.jpg,0\nb.jpg,1\n",
         "truth.csv: line 3: a.jpg is there twice (first on line 1)"},
        {"a.jpg,0\nb.jpg,1\n", "a.jpg,0\nb.jpg,1\nb.jpg,1\n",
         "pred.csv: line 3: b.jpg is there twice (first on line 2)"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        metric_report r;
        write_both(f, cases[i].truth, cases[i].predicted);
        assert_failure(score_lsd(&r, f->truth, f->predicted), MIEN_ERR_FORMAT, cases[i].fault);
    }
}

static void score_lsd__bad_rows__named_with_file_and_line(void **state)
{
    const files *f = *state;
    static const struct {
        const char *truth, *predicted, *fault;
    } cases[] = {
        {"a.jpg,0\nb.jpg,6\n", "a.jpg,0\nb.jpg,1\n",
         "truth.csv: line 2: label 6 (wanted 0..5, which count from 0 and not from 1, or anger"},
        {"a.jpg,0\n", "image,expression\na.jpg,neutral\n", "pred.csv: line 2: label neutral (wanted"},
        {"a.jpg,0\n", "a.jpg,-1\n", "pred.csv: line 1: label -1 (wanted"},
        {"a.jpg,0\n", "a.jpg\n", "pred.csv: line 1: 1 field (wanted 2"},
        {"a.jpg,0\n", "\"a.jpg,0\n", "pred.csv: line 1: quote never closed"},
        {"", "a.jpg,0\n", "truth.csv: no rows"},
        {"a.jpg,0\n", "image,expression\n", "pred.csv: no rows"},
        {"image,valence,arousal,expression,aus\na.jpg,0.1,0.2,3,1,0\n", "a.jpg,0\n", "truth.csv: line 2: 6 fields"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        metric_report r;
        write_both(f, cases[i].truth, cases[i].predicted);
        assert_failure(score_lsd(&r, f->truth, f->predicted), MIEN_ERR_FORMAT, cases[i].fault);
    }
    metric_report r;
    write_both(f, "a.jpg,0\n", "a.jpg,0\n");
    assert_int_equal(unlink(f->predicted), 0);
    assert_failure(score_lsd(&r, f->truth, f->predicted), MIEN_ERR_IO, "pred.csv: cannot open: No such file");
}

static mien_status score_and_free(void *context)
{
    const files *f = context;
    metric_report r;
    TRY(score_lsd(&r, f->truth, f->predicted));
    metric_report_free(&r);
    return MIEN_OK;
}

static void score_lsd__memory_runs_out__fails_and_leaks_nothing(void **state)
{
    files *f = *state;
    write_both(f, "a.jpg,0\n\"b \"\"c\"\".jpg\",1\n", "\"b \"\"c\"\".jpg\",1\na.jpg,3\n");
    fail_each_allocation(score_and_free, f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(score_lsd__rows_in_any_order_and_form__matched_by_name),
        TEST(score_lsd__names_that_do_not_match__named_with_file_and_line),
        TEST(score_lsd__bad_rows__named_with_file_and_line),
        TEST(score_lsd__memory_runs_out__fails_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
