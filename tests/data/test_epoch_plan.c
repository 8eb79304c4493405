/* Splits and balanced plans on sets that are nothing but class sizes: which items, in which order, how often. */
#include "data/sets.h"

#include <math.h>

/* A set of these class sizes without any file: `order` lists labels row by row. */
static dataset *list_of(const char *folder, const int *order, int count)
{
    char path[PATH_MAX], text[8192] = "";
    for (int i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d.jpg,%d\n", i, order[i]);
    set_text(folder, "set.csv", text);
    set_path(path, folder, "set.csv");
    return set_open(path, DATASET_EVALUATE);
}

static void assert_indices(const subset *s, const int *wanted, int count)
{
    assert_int_equal(s->count, count);
    for (int i = 0; i < count; i++)
        assert_int_equal(s->index[i], wanted[i]);
}

static void subset_split__share__last_of_each_class_in_file_order(void **state)
{
    static const int order[] = {0, 1, 0, 0, 1, 2, 0, 0, 1, 0};
    dataset *d = list_of(*state, order, 10);
    subset kept, held;
    assert_ok(subset_split(&kept, &held, dataset_pictures(d), 0.34)); /* of 6: 2, of 3: 1, of 1: none */
    assert_indices(&kept, (const int[]){0, 1, 2, 3, 4, 5, 6}, 7);
    assert_indices(&held, (const int[]){7, 8, 9}, 3);
    subset_free(&kept);
    subset_free(&held);
    assert_ok(subset_split(&kept, &held, dataset_pictures(d), 0.001)); /* at least one of a class that has two */
    assert_indices(&held, (const int[]){8, 9}, 2);
    subset_free(&kept);
    subset_free(&held);
    assert_ok(subset_split(&kept, &held, dataset_pictures(d), 0.99)); /* never all */
    assert_indices(&kept, (const int[]){0, 1, 5}, 3);
    subset_free(&kept);
    subset_free(&held);
    assert_ok(subset_split(&kept, &held, dataset_pictures(d), 0));
    assert_int_equal(kept.count, 10);
    assert_int_equal(held.count, 0);
    subset_free(&kept);
    subset_free(&held);
    assert_failure(subset_split(&kept, &held, dataset_pictures(d), 1), MIEN_ERR_ARG, "share: 1 (wanted");
    assert_failure(subset_split(&kept, &held, dataset_pictures(d), -0.1), MIEN_ERR_ARG, "share");
    assert_failure(subset_split(&kept, &held, dataset_pictures(d), (double)NAN), MIEN_ERR_ARG, "share");
    dataset_free(d);
}

static void epoch_plan__balanced__copies_of_own_images_in_turn(void **state)
{
    static const int order[] = {1, 0, 0, 2, 0, 0, 2, 0}; /* five of 0, one of 1, two of 2 */
    dataset *d = list_of(*state, order, 8);
    subset all;
    epoch_plan p;
    assert_ok(subset_all(&all, dataset_pictures(d)));
    assert_ok(epoch_plan_create(&p, dataset_pictures(d), &all, true));
    assert_int_equal(p.total, 15); /* absent classes stay absent */
    int per_class[6] = {0};
    for (int64_t item = 0; item < p.total; item++) {
        int64_t copy, picture = epoch_plan_item(&p, item, &copy);
        int c = dataset_label(d, picture);
        per_class[c]++;
        if (item < 8) {
            assert_int_equal(picture, item);
            assert_int_equal(copy, -1);
        } else {
            static const int copy_of[] = {0, 0, 0, 0, 3, 6, 3}; /* class 1 is picture 0; class 2 pictures 3 and 6 */
            static const int number[] = {0, 1, 2, 3, 0, 1, 2};
            assert_int_equal(picture, copy_of[item - 8]);
            assert_int_equal(copy, number[item - 8]);
        }
        assert_int_equal(all.index[p.by_group[epoch_plan_position(&p, item)]], picture);
    }
    assert_int_equal(per_class[0], 5);
    assert_int_equal(per_class[1], 5);
    assert_int_equal(per_class[2], 5);
    epoch_plan_free(&p);
    subset_free(&all);
    dataset_free(d);
}

static void epoch_plan__subset__only_its_items(void **state)
{
    static const int order[] = {0, 1, 0, 1, 1, 0, 0};
    dataset *d = list_of(*state, order, 7);
    subset kept, held;
    epoch_plan p;
    assert_ok(subset_split(&kept, &held, dataset_pictures(d),
                           0.5)); /* keeps 0, 1, 2 and holds 3, 4, 5, 6: half of three is two */
    assert_indices(&kept, (const int[]){0, 1, 2}, 3);
    assert_ok(epoch_plan_create(&p, dataset_pictures(d), &kept, true));
    assert_int_equal(p.total, 4);
    int64_t copy;
    assert_int_equal(epoch_plan_item(&p, 3, &copy), 1);
    assert_int_equal(copy, 0);
    epoch_plan_free(&p);
    assert_ok(epoch_plan_create(&p, dataset_pictures(d), &held, false));
    assert_int_equal(p.total, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(epoch_plan_item(&p, i, &copy), 3 + i);
        assert_int_equal(copy, -1);
    }
    epoch_plan_free(&p);
    subset_free(&kept);
    subset_free(&held);
    dataset_free(d);
}

static mien_status plan_and_free(void *context)
{
    const dataset *d = context;
    subset kept = {0}, held = {0};
    epoch_plan p = {0};
    mien_status st;
    TRY_OUT(subset_split(&kept, &held, dataset_pictures(d), 0.3));
    TRY_OUT(epoch_plan_create(&p, dataset_pictures(d), &kept, true));
out:
    epoch_plan_free(&p);
    subset_free(&kept);
    subset_free(&held);
    return st;
}

static void epoch_plan__memory_runs_out__fails_and_leaks_nothing(void **state)
{
    dataset *d = list_of(*state, (const int[]){0, 1, 0}, 3);
    fail_each_allocation(plan_and_free, d);
    dataset_free(d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_folder_setup, temp_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(subset_split__share__last_of_each_class_in_file_order),
        TEST(epoch_plan__balanced__copies_of_own_images_in_turn),
        TEST(epoch_plan__subset__only_its_items),
        TEST(epoch_plan__memory_runs_out__fails_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
