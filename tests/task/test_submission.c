/* A challenge's list becomes its prediction file, in order and to its full length, and our own scorer reads it. */
#include "task/submission.h"

#include "no_memory.h"
#include "task/score.h"
#include "testing.h"

#include "base/str.h"

#include <limits.h>
#include <unistd.h>

/* "name@line " for each row of a list that holds `text`. */
static void assert_names(const char *text, const char *wanted)
{
    char got[512] = "";
    label_list l;
    assert_ok(file_write_all("list.txt", text, strlen(text)));
    assert_ok(submission_read_list(&l, "list.txt"));
    for (int64_t i = 0; i < l.count; i++) {
        size_t at = strlen(got);
        snprintf(got + at, sizeof got - at, "%s@%u ", list_name(&l, i), l.line[i]);
        assert_int_equal(l.label[i], SUBMISSION_UNKNOWN);
    }
    assert_string_equal(got, wanted);
    list_free(&l);
}

static void submission_list__as_challenges_write_it(void **state)
{
    (void)state;
    assert_names("2.jpg\n1.jpg", "2.jpg@1 1.jpg@2 ");
    assert_names("image\n2.jpg\n1.jpg\n", "2.jpg@2 1.jpg@3 ");
    assert_names("\xEF\xBB\xBFimage,expression\r\n2.jpg\r\n\r\n1.jpg \r\n\r\n", "2.jpg@2 1.jpg@4 ");
    assert_names("\n\nimage\nimage\n", "image@4 "); /* the second is a picture */
    assert_names("images.jpg\nimage.jpg\n", "images.jpg@1 image.jpg@2 ");
    assert_names("a b.jpg\na,b.jpg\n..a/b..jpg\n...\n", "a b.jpg@1 a,b.jpg@2 ..a/b..jpg@3 ...@4 ");
}

static void assert_refused(const char *text, const char *message)
{
    label_list l = {.count = 77};
    assert_ok(file_write_all("list.txt", text, strlen(text)));
    assert_failure(submission_read_list(&l, "list.txt"), MIEN_ERR_FORMAT, message);
    assert_int_equal(l.count, 77);
}

static void submission_list__names_that_lead_astray__are_refused(void **state)
{
    (void)state;
    assert_refused("a\nb\na\nb\n", "list.txt: line 3: a is there twice (first on line 1)");
    assert_refused("a\n..\n", "list.txt: line 2: .. leads out of the images' folder");
    assert_refused("a/../b\n", "line 1: a/../b leads out");
    assert_refused("a/..\n", "line 1: a/.. leads out");
    assert_refused("a//../b\n", "leads out");
    assert_refused("/a\n", "line 1: /a leads out");
    assert_refused("", "list.txt: no pictures (wanted a name a line)");
    assert_refused("image\n \n", "list.txt: no pictures");
    label_list l;
    assert_failure(submission_read_list(&l, "nowhere.txt"), MIEN_ERR_IO, "nowhere.txt");
}

/* Two classes are equally frequent: the first is taken. */
static void submission_fill__most_frequent(void **state)
{
    (void)state;
    uint16_t labels[] = {3, SUBMISSION_UNKNOWN, 1, 1, 3, SUBMISSION_UNKNOWN};
    label_list l = {.count = 6, .label = labels};
    int64_t filled = -1;
    int fallback = -1;
    assert_true(submission_fill(&l, 6, &filled, &fallback));
    assert_true(filled == 2 && fallback == 1);
    assert_true(labels[0] == 3 && labels[1] == 1 && labels[5] == 1);
    assert_true(submission_fill(&l, 6, &filled, &fallback));
    assert_true(filled == 0 && fallback == 1);
    labels[0] = labels[1] = labels[2] = labels[3] = labels[4] = labels[5] = SUBMISSION_UNKNOWN;
    assert_false(submission_fill(&l, 6, &filled, &fallback));
}

static mien_status read_and_write(void *context)
{
    (void)context;
    label_list l;
    file_writer *w;
    int64_t filled;
    int fallback;
    TRY(submission_read_list(&l, "long.txt"));
    for (int64_t i = 1; i < l.count; i++)
        l.label[i] = (uint16_t)(i % LSD_CLASSES);
    assert_true(submission_fill(&l, LSD_CLASSES, &filled, &fallback));
    mien_status st = file_write_open(&w, "long.csv");
    if (st == MIEN_OK) {
        st = submission_write_lsd(w, &l);
        if (st == MIEN_OK)
            st = file_write_commit(w);
        else
            file_write_abort(w);
    }
    list_free(&l);
    return st;
}

static void write_long_list(int count)
{
    str text = {0};
    for (int i = 0; i < count; i++)
        assert_ok(str_printf(&text, "%s%d.jpg\n", i % 1000 ? "" : "some \"folder\", named/", (i * 7919) % 1000003));
    assert_ok(file_write_all("long.txt", text.text, text.length));
    str_free(&text);
}

/* As long as the challenge's own, and `score` agrees with what was written. */
static void submission__106120_pictures__are_written_and_scored(void **state)
{
    (void)state;
    metric_report r;
    write_long_list(106120);
    assert_ok(read_and_write(NULL));
    assert_ok(score_lsd(&r, "long.csv", "long.csv"));
    assert_int_equal(r.count, 106120);
    assert_true(r.accuracy == 1);
    metric_report_free(&r);
}

static void submission__memory_may_fail__anywhere(void **state)
{
    (void)state;
    write_long_list(3);
    fail_each_allocation(read_and_write, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(submission_list__as_challenges_write_it),
        cmocka_unit_test(submission_list__names_that_lead_astray__are_refused),
        cmocka_unit_test(submission_fill__most_frequent),
        cmocka_unit_test(submission__106120_pictures__are_written_and_scored),
        cmocka_unit_test(submission__memory_may_fail__anywhere),
    };
    return cmocka_run_group_tests_name("submission", tests, temp_folder_enter, temp_folder_leave);
}
