/* The copies that balance a plan, as the loader makes them: RandAugmented, and by name alone. */
#include "data/loader_kit.h"

static loader_options balanced(const fixture *f, int threads)
{
    return (loader_options){.plan = &f->plan,
                            .batch = 1,
                            .image_size = SIZE,
                            .threads = threads,
                            .is_shuffled = true,
                            .seed = 7,
                            .randaugment_of = LOADER_RANDAUGMENT_COPIES,
                            .randaugment = RANDAUGMENT_OPTIONS_INIT};
}

static record play_epoch(const loader_options *o, uint32_t epoch)
{
    loader *l = start(o, epoch);
    record r = play(l, o->batch);
    loader_free(l);
    return r;
}

/* Copies are decoded, RandAugmented at their own size (12 x 12 and more, not 16), and then treated as all others. */
static void loader__copies__are_randaugmented_at_their_own_size(void **state)
{
    fixture *f = *state;
    plan_six(f, true);
    image source = {0}, wanted = {0};
    image_scratch *scratch = NULL;
    assert_ok(image_scratch_create(&scratch));
    for (int resampled = 0; resampled < 2; resampled++) {
        loader_options o = balanced(f, 2);
        o.augment = lively;
        o.is_resampled = resampled;
        record r = play_epoch(&o, 3);
        assert_int_equal(r.rows, 30);
        int copies = 0, changed = 0;
        for (int64_t i = 0; i < r.rows; i++) {
            int64_t copy, picture = epoch_plan_item(&f->plan, r.items[i], &copy);
            char path[PATH_MAX];
            assert_ok(dataset_path(f->data, picture, path, sizeof(path)));
            assert_ok(image_read(&source, path));
            if (copy >= 0) {
                image untouched = {0};
                uint64_t name = randaugment_copy_id(dataset_label(f->data, picture), copy);
                assert_ok(image_copy(&untouched, &source));
                assert_ok(image_randaugment(&source, &o.randaugment, 7, resampled ? 3 : 0, name, scratch));
                changed += memcmp(source.pixels, untouched.pixels, 12 * 12 * 3) != 0;
                copies++;
                image_free(&untouched);
            }
            assert_ok(image_resize(&wanted, &source, SIZE, SIZE, scratch));
            assert_ok(image_augment(&wanted, &lively, 7, 3, (uint64_t)r.items[i], scratch));
            assert_memory_equal(r.images + i * BYTES, wanted.pixels, BYTES);
        }
        assert_int_equal(copies, 13);
        assert_in_range(changed, 8, 13); /* one of 144 draws is identity twice, and others change nothing here */
        free(r.images);
    }
    image_scratch_free(scratch);
    image_free(&source);
    image_free(&wanted);
}

/* Pixels by item, and not by place in an epoch. */
static void sort_by_item(record *r)
{
    record sorted = {.rows = r->rows, .images = malloc((size_t)r->rows * BYTES)};
    assert_non_null(sorted.images);
    for (int64_t i = 0; i < r->rows; i++) {
        int64_t item = r->items[i];
        assert_true(item >= 0 && item < r->rows);
        memcpy(sorted.images + item * BYTES, r->images + i * BYTES, BYTES);
        sorted.items[item] = item;
        sorted.is_read[item] = r->is_read[i];
        sorted.pictures[item] = r->pictures[i];
    }
    free(r->images);
    *r = sorted;
}

static void loader__copies__same_in_each_epoch_unless_resampled(void **state)
{
    fixture *f = *state;
    plan_six(f, true);
    for (int resampled = 0; resampled < 2; resampled++) {
        loader_options o = balanced(f, 1);
        o.is_resampled = resampled;
        record first = play_epoch(&o, 0), second = play_epoch(&o, 1), threaded;
        o.threads = 4;
        threaded = play_epoch(&o, 1);
        assert_same(&threaded, &second);
        sort_by_item(&first);
        sort_by_item(&second);
        int differing = 0;
        for (int64_t i = 0; i < 30; i++) {
            bool differs = memcmp(first.images + i * BYTES, second.images + i * BYTES, BYTES) != 0;
            assert_false(differs && i < 17); /* an original */
            differing += differs;
        }
        if (resampled)
            assert_in_range(differing, 8, 13);
        else
            assert_int_equal(differing, 0);
        free(first.images);
        free(second.images);
        free(threaded.images);
    }
}

/* More of anger: disgust's copies move to other items and there are more of them, and yet they are what they were. */
static void loader__copies__do_not_depend_on_other_classes(void **state)
{
    fixture *f = *state;
    plan_six(f, true);
    loader_options o = balanced(f, 1);
    record before = play_epoch(&o, 0);
    sort_by_item(&before);
    int64_t before_begin[6], before_count[6];
    for (int c = 0; c < 6; c++) {
        before_begin[c] = f->plan.copy_begin[c];
        before_count[c] = f->plan.copy_begin[c + 1] - f->plan.copy_begin[c];
    }
    epoch_plan_free(&f->plan);
    subset_free(&f->all);
    dataset_free(f->data);
    for (int i = 6; i <= 9; i++) {
        char name[32];
        snprintf(name, sizeof(name), "ANGER/%d.png", i);
        set_picture(f->folder, name, 12, 12, (uint32_t)i);
    }
    plan_all(f, f->folder, true);
    record after = play_epoch(&o, 0);
    sort_by_item(&after);
    assert_int_equal(after.rows, 54);
    for (int c = 1; c < 6; c++)
        for (int64_t copy = 0; copy < before_count[c]; copy++) {
            int64_t then = before_begin[c] + copy, now = f->plan.copy_begin[c] + copy;
            assert_int_not_equal(then, now);
            assert_memory_equal(after.images + now * BYTES, before.images + then * BYTES, BYTES);
        }
    free(before.images);
    free(after.images);
}

static void loader__impossible_randaugment__refused(void **state)
{
    fixture *f = *state;
    plan_six(f, true);
    loader_options o = balanced(f, 1);
    loader *l = NULL;
    o.randaugment.magnitude = 31;
    assert_failure(loader_create(&l, &o), MIEN_ERR_ARG, "randaugment: magnitude 31 (wanted 0..30)");
    o.randaugment = (randaugment_options){.ops = 17};
    assert_failure(loader_create(&l, &o), MIEN_ERR_ARG, "randaugment: 17 operations (wanted 0..16)");
    assert_null(l);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(loader__copies__are_randaugmented_at_their_own_size),
        TEST(loader__copies__same_in_each_epoch_unless_resampled),
        TEST(loader__copies__do_not_depend_on_other_classes),
        TEST(loader__impossible_randaugment__refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
