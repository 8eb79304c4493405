/* Kept scores: what is written is read back, and what holds no probabilities is refused with its row. */
#include "infer/scores.h"

#include "base/mem.h"
#include "train/run_kit.h"

#include <math.h>

static void write_array(const char *path, const int64_t *dims, int rank, const float *values)
{
    file_writer *w;
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    assert_ok(file_write_open(&w, path));
    assert_ok(npy_write_header(w, dims, rank));
    assert_ok(file_write_bytes(w, values, count * sizeof *values));
    assert_ok(file_write_commit(w));
}

static void scores__written__are_read_back(void **state)
{
    (void)state;
    static const float a[] = {0.25f, 0.75f, NAN, NAN, 1, 0}, b[] = {0.5f, 0.5f, 0, 1, 0.3f, 0.7f};
    static const float *const rows[] = {a, b};
    for (int members = 1; members <= 2; members++) {
        file_writer *w;
        score_table t;
        assert_ok(file_write_open(&w, "s.npy"));
        assert_ok(scores_write(w, rows, members, 3, 2));
        assert_ok(file_write_commit(w));
        assert_ok(scores_read(&t, "s.npy"));
        assert_int_equal(t.array.rank, members == 1 ? 2 : 3);
        assert_true(t.members == members && t.classes == 2 && t.pictures == 3);
        assert_memory_equal(scores_row(&t, 0, 2), a + 4, 2 * sizeof *a);
        assert_null(scores_row(&t, 0, 1));
        if (members == 2)
            assert_memory_equal(scores_row(&t, 1, 1), b + 2, 2 * sizeof *b);
        scores_free(&t);
    }
    assert_true(scores_is_file("a/s.npy"));
    assert_false(scores_is_file("s.npy.safetensors"));
}

static void assert_refused(const char *message, int64_t members, int64_t pictures, int64_t classes, const float *values)
{
    const int64_t dims[] = {members, pictures, classes};
    score_table t = {.members = 77};
    write_array("bad.npy", members ? dims : dims + 1, members ? 3 : 2, values);
    assert_failure(scores_read(&t, "bad.npy"), MIEN_ERR_FORMAT, message);
    assert_int_equal(t.members, 77);
}

static void scores__no_probabilities__are_refused_with_their_row(void **state)
{
    (void)state;
    static const float above[] = {0.5f, 0.5f, 1.5f, -0.5f}, below[] = {0.5f, 0.5f, -0.01f, 1},
                       part[] = {NAN, 0.5f, 1, 0}, sum[] = {0.5f, 0.5f, 0.5f, 0.498f}, infinite[] = {INFINITY, 0},
                       good[] = {0.5f, 0.4995f, 1.00005f, 0};
    assert_refused("bad.npy: row 1: 1.5 of class 0 (wanted probabilities, 0..1)", 0, 2, 2, above);
    assert_refused("bad.npy: member 2, row 0: 1.5 of class 0", 2, 1, 2, above);
    assert_refused("bad.npy: row 1: -0.01 of class 0", 0, 2, 2, below);
    assert_refused("bad.npy: row 0: NaN in a part of it (wanted none, or a whole row)", 0, 2, 2, part);
    assert_refused("bad.npy: row 1: sum 0.998 (wanted probabilities, which sum to 1)", 0, 2, 2, sum);
    assert_refused("bad.npy: row 0: inf of class 0", 0, 1, 2, infinite);
    assert_refused("bad.npy: scores of 1 members, 0 pictures, 2 classes (wanted at least one of each)", 0, 0, 2, good);
    assert_refused("bad.npy: scores of 1 members, 2 pictures, 0 classes", 1, 2, 0, good);
    score_table t;
    write_array("good.npy", (const int64_t[]){2, 2}, 2, good); /* as far from 1 as rounding to three digits goes */
    assert_ok(scores_read(&t, "good.npy"));
    scores_free(&t);
    write_array("line.npy", (const int64_t[]){4}, 1, good);
    assert_failure(scores_read(&t, "line.npy"), MIEN_ERR_FORMAT, "line.npy: 1 dimensions (wanted pictures x classes");
    assert_failure(scores_read(&t, "nowhere.npy"), MIEN_ERR_IO, "nowhere.npy: cannot open");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores__written__are_read_back),
        cmocka_unit_test(scores__no_probabilities__are_refused_with_their_row),
    };
    return cmocka_run_group_tests_name("scores", tests, temp_folder_enter, temp_folder_leave);
}
