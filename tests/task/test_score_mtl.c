/* Files of truth and prediction of the multi-task challenge: matched by name, each task over its own rows, each fault
 * with file and line; and what we write is what we read. */
#include "task/score_mtl.h"

#include "testing.h"

#include "no_memory.h"

#include "base/file.h"
#include "task/submission.h"

#include <math.h>

#define HEADER "image,valence,arousal,expression,aus\n"
#define ZEROS "0,0,0,0,0,0,0,0,0,0,0,0\n"
#define NO_AU "-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1\n"

static const char truth_text[] = HEADER "a.jpg,0.5,0.5,0," ZEROS /* everything */
                                        "b.jpg,-0.5,-5,1," NO_AU /* an expression; valence alone is none of VA's rows */
                                        "c.jpg,-0.5,-0.5,-1," NO_AU                  /* VA */
                                        "d.jpg,-5,-5,-1,1,0,0,0,0,0,0,0,0,0,0,1\n"   /* AU */
                                        "e.jpg,-5,-5,-1,1,0,0,0,0,0,0,0,0,0,0,-1\n"; /* AU, not all of them */

static const char *const predictions[] = {
    HEADER "a.jpg,0.5,0.25,0," ZEROS "b.jpg,1,1,2," ZEROS "c.jpg,-0.5,-0.25,5," ZEROS
           "d.jpg,1,1,7,1,0,0,0,0,0,0,0,0,0,0,0\ne.jpg,1,1,7,0,0,0,0,0,0,0,0,0,0,0,1\n",
    /* another order, no header, names of expressions, CRLF and spaces */
    "e.jpg, 1, 1, other, 0,0,0,0,0,0,0,0,0,0,0,1\r\nd.jpg,1,1,7,1,0,0,0,0,0,0,0,0,0,0,0\r\nb.jpg,1,1,disgust,"
    "0,0,0,0,0,0,0,0,0,0,0,0\r\nc.jpg,-0.5,-0.25,sad,0,0,0,0,0,0,0,0,0,0,0,0\r\na.jpg,0.5,0.25,Neutral,"
    "0,0,0,0,0,0,0,0,0,0,0,0\r\n",
};

static void write_both(const char *truth, const char *predicted)
{
    assert_ok(file_write_all("truth.txt", truth, strlen(truth)));
    assert_ok(file_write_all("pred.txt", predicted, strlen(predicted)));
}

static void score_mtl__each_task_over_its_rows__in_any_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof predictions / sizeof predictions[0]; i++) {
        mtl_report r;
        write_both(truth_text, predictions[i]);
        assert_ok(score_mtl(&r, "truth.txt", "pred.txt", false));
        assert_true(r.n == 5 && r.n_va == 2 && r.n_expr == 2 && r.n_au == 2);
        assert_true(r.value[MTL_CCC_V] == 1);
        /* truth 0.5 and -0.5, predicted half of it: 2 * 0.125 / (0.25 + 0.0625) */
        assert_true(fabs(r.value[MTL_CCC_A] - 0.8) < 1e-15);
        assert_true(r.value[MTL_F1_EXPR] == 1 && r.value[MTL_P_EXPR] == 1.0 / 8);
        assert_true(r.value[MTL_F1_AU] == 1 && r.value[MTL_F1_AU + 11] == 0 && r.value[MTL_P_AU] == 1.0 / 12);
        assert_true(fabs(r.value[MTL_P_MTL] - (0.9 + 1.0 / 8 + 1.0 / 12)) < 1e-15);
        assert_false(r.is_known[MTL_AUC_AU]); /* of decisions there is none */
        assert_ok(score_mtl(&r, "truth.txt", "pred.txt", true));
        assert_int_equal(r.n_au, 3);
        assert_true(fabs(r.value[MTL_F1_AU] - 2.0 / 3) < 1e-15 && r.value[MTL_F1_AU + 11] == 0);
    }
    static const char expressions[] = "path,label\na.jpg,neutral\nb.jpg,contempt\n";
    mtl_report r;
    write_both(expressions, HEADER "b.jpg,0,0,7," ZEROS "a.jpg,0,0,0," ZEROS);
    assert_ok(score_mtl(&r, "truth.txt", "pred.txt", false));
    assert_true(r.value[MTL_P_EXPR] == 0.25 && r.is_known[MTL_P_EXPR]);
    assert_false(r.is_known[MTL_P_VA] || r.is_known[MTL_P_AU] || r.is_known[MTL_P_MTL]);
}

static void score_mtl__faults__named_with_file_and_line(void **state)
{
    (void)state;
    static const struct {
        const char *truth, *predicted, *fault;
    } cases[] = {
        {HEADER "a,0,0,0," ZEROS "b,0,0,0," ZEROS, HEADER "a,0,0,0," ZEROS,
         "pred.txt: no row for b (truth.txt: line 3)"},
        {HEADER "a,0,0,0," ZEROS, HEADER "a,0,0,0," ZEROS "b,0,0,0," ZEROS, "pred.txt: line 3: b is not in truth.txt"},
        {HEADER "a,0,0,0," ZEROS, HEADER "a,0,0,0," ZEROS "a,0,0,0," ZEROS,
         "pred.txt: line 3: a is there twice (first on line 2)"},
        {HEADER "a,0,0,0," ZEROS "a,0,0,0," ZEROS, HEADER "a,0,0,0," ZEROS,
         "truth.txt: line 3: a is there twice (first on line 2)"},
        {HEADER "a,0,0,0," ZEROS, HEADER "a,0,0,-1," ZEROS, "pred.txt: line 2: expression -1 (wanted 0..7"},
        {HEADER "a,0,0,0," ZEROS, HEADER "a,-5,0,0," ZEROS, "pred.txt: line 2: valence -5 (wanted -1..1)"},
        {HEADER "a,0,0,0," ZEROS, HEADER "a,1.5,0,0," ZEROS, "pred.txt: line 2: valence 1.5 (wanted -1..1)"},
        {HEADER "a,0,0,0," ZEROS, HEADER "a,0,nan,0," ZEROS, "pred.txt: line 2: arousal nan (wanted -1..1)"},
        {HEADER "a,0,0,0," ZEROS, HEADER "a,0,0,1.5," ZEROS, "pred.txt: line 2: expression 1.5 (wanted"},
        {HEADER "a,0,0,0," ZEROS, HEADER "a,0,0,0,2,0,0,0,0,0,0,0,0,0,0,0\n",
         "pred.txt: line 2: AU01 2 (wanted 0 or 1)"},
        {HEADER "a,0,0,0," ZEROS, HEADER "a,0,0,0,0,0,0,0,0,0,0,0,0,0,0\n", "pred.txt: line 2: 15 fields (wanted 16)"},
        {HEADER "a,0,0,0," ZEROS, HEADER "a,0,0,0,0," ZEROS, "pred.txt: line 2: 17 fields (wanted 16)"},
        {HEADER "a,0,0,9," ZEROS, HEADER "a,0,0,0," ZEROS, "truth.txt: line 2: expression 9 (wanted"},
        {HEADER "a,0,-5,-1," NO_AU, HEADER "a,0,0,0," ZEROS, "truth.txt: no label that is scored"},
        {"image,yaw,roll\na,0,0\n", HEADER "a,0,0,0," ZEROS, "truth.txt: no label that is scored"},
        {HEADER "a,0,0,0," ZEROS, "image,expression\na,0\n", "pred.txt: line 1: no column valence (wanted 16 fields"},
        {HEADER "a,0,0,0," ZEROS, HEADER, "pred.txt: no rows"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mtl_report r = {.n = 77};
        write_both(cases[i].truth, cases[i].predicted);
        assert_failure(score_mtl(&r, "truth.txt", "pred.txt", false), MIEN_ERR_FORMAT, cases[i].fault);
        assert_int_equal(r.n, 77);
    }
}

/* Written, read back and scored against itself. */
static void submission_mtl__is_what_the_score_reads(void **state)
{
    (void)state;
    static const char list[] = HEADER "v/2.jpg\n\"q\".jpg\nv/1,5.jpg\n";
    static const float va[3][2] = {{0.1234567f, -2}, {1.5f, 0}, {0, 0}};
    static const uint8_t au[3][CHALLENGE_AU_COUNT] = {{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, {0}, {0}};
    char *text;
    size_t length;
    label_list rows;
    file_writer *w;
    assert_ok(file_write_all("list.txt", list, strlen(list)));
    assert_ok(submission_read_list(&rows, "list.txt"));
    assert_int_equal(rows.count, 3);
    rows.label[0] = 7;
    rows.label[1] = 0;
    rows.label[2] = 7;
    assert_ok(file_write_open(&w, "pred.txt"));
    assert_ok(submission_write_mtl(w, &rows, va[0], au[0]));
    assert_ok(file_write_commit(w));
    assert_ok(file_read(&text, &length, "pred.txt", 0));
    assert_string_equal(text, HEADER "v/2.jpg,0.123457,-1.000000,7,1,0,0,0,0,0,0,0,0,0,0,1\n"
                                     "\"\"\"q\"\".jpg\",1.000000,0.000000,0," ZEROS
                                     "\"v/1,5.jpg\",0.000000,0.000000,7," ZEROS);
    mtl_report r;
    assert_ok(score_mtl(&r, "pred.txt", "pred.txt", false));
    assert_true(r.n == 3 && r.value[MTL_P_VA] > 1 - 1e-12 && r.value[MTL_P_EXPR] == 0.25);

    static const float nan_va[3][2] = {{0, 0}, {0, NAN}, {0, 0}};
    assert_ok(file_write_open(&w, "pred.txt"));
    assert_failure(submission_write_mtl(w, &rows, nan_va[0], au[0]), MIEN_ERR_ARG, "\"q\".jpg: arousal nan");
    file_write_abort(w);
    mem_free(text);
    list_free(&rows);
}

static mien_status score(void *context)
{
    (void)context;
    mtl_report r;
    return score_mtl(&r, "truth.txt", "pred.txt", false);
}

static void score_mtl__memory_runs_out__fails_and_leaks_nothing(void **state)
{
    (void)state;
    write_both(truth_text, predictions[0]);
    fail_each_allocation(score, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(score_mtl__each_task_over_its_rows__in_any_order),
        cmocka_unit_test(score_mtl__faults__named_with_file_and_line),
        cmocka_unit_test(submission_mtl__is_what_the_score_reads),
        cmocka_unit_test(score_mtl__memory_runs_out__fails_and_leaks_nothing),
    };
    return cmocka_run_group_tests_name("score_mtl", tests, temp_folder_enter, temp_folder_leave);
}
