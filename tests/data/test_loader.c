/* Batches are the same bits for any number of threads and after any interruption; bad pictures are replaced or told, in
 * order; nothing is allocated once it is warm. */
#include "data/loader_kit.h"

#include <sys/stat.h>

static void loader__training__equals_read_resize_augment(void **state)
{
    fixture *f = *state;
    augment_options zoomed = lively;
    zoomed.zoom = 1.25f;
    plan_six(f, true);
    loader_options o = {.plan = &f->plan,
                        .batch = 4,
                        .image_size = SIZE,
                        .threads = 2,
                        .is_shuffled = true,
                        .seed = 7,
                        .augment = zoomed};
    loader *l = start(&o, 3);
    assert_int_equal(loader_batches(l), 7); /* of 30 items; two wait for another epoch */
    record r = play(l, 4);
    assert_int_equal(r.rows, 28);
    image source = {0}, wanted = {0};
    image_scratch *scratch = NULL;
    assert_ok(image_scratch_create(&scratch));
    for (int64_t i = 0; i < r.rows; i++) {
        int64_t copy, picture = epoch_plan_item(&f->plan, r.items[i], &copy);
        char path[PATH_MAX];
        assert_int_equal(r.pictures[i], picture);
        assert_true(r.is_read[i]);
        assert_ok(dataset_path(f->data, picture, path, sizeof(path)));
        assert_ok(image_read(&source, path));
        assert_ok(image_resize(&wanted, &source, SIZE * 5 / 4, SIZE * 5 / 4, scratch));
        assert_ok(image_random_part(&wanted, SIZE, 7, 3, (uint64_t)r.items[i], scratch));
        assert_ok(image_augment(&wanted, &zoomed, 7, 3, (uint64_t)r.items[i], scratch));
        assert_memory_equal(r.images + i * BYTES, wanted.pixels, BYTES);
    }
    image_scratch_free(scratch);
    image_free(&source);
    image_free(&wanted);
    free(r.images);
    loader_free(l);
}

static void loader__any_number_of_threads__same_batches(void **state)
{
    fixture *f = *state;
    plan_six(f, true);
    loader_options o = {.plan = &f->plan,
                        .batch = 4,
                        .image_size = SIZE,
                        .threads = 1,
                        .is_shuffled = true,
                        .seed = 1,
                        .augment = lively};
    loader *l = start(&o, 0);
    record wanted = play(l, 4);
    loader_free(l);
    for (int threads = 0; threads < 9; threads += threads ? 3 : 2) { /* 0: one a core, 2, 5, 8 */
        o.threads = threads;
        o.depth = 1 + threads % 3;
        l = start(&o, 0);
        record got = play(l, 4);
        assert_same(&got, &wanted);
        free(got.images);
        loader_free(l);
    }
    free(wanted.images);
}

static void loader__shuffled__each_item_once_and_orders_differ(void **state)
{
    fixture *f = *state;
    plan_six(f, false);
    loader_options o = {.plan = &f->plan, .batch = 1, .image_size = SIZE, .threads = 2, .is_shuffled = true, .seed = 1};
    loader *l = start(&o, 0);
    record first = play(l, 1);
    assert_int_equal(first.rows, 17);
    uint32_t seen = 0;
    for (int i = 0; i < 17; i++)
        seen |= 1u << first.items[i];
    assert_int_equal(seen, (1u << 17) - 1);
    assert_ok(loader_start(l, 1, 0));
    record second = play(l, 1);
    assert_memory_not_equal(first.items, second.items, sizeof(first.items));
    assert_ok(loader_start(l, 0, 0));
    record again = play(l, 1);
    assert_same(&again, &first);
    loader_free(l);
    o.seed = 2;
    l = start(&o, 0);
    record other = play(l, 1);
    assert_memory_not_equal(first.items, other.items, sizeof(first.items));
    loader_free(l);
    free(first.images);
    free(second.images);
    free(again.images);
    free(other.images);
}

static void loader__evaluation__keeps_the_rest_in_order(void **state)
{
    fixture *f = *state;
    plan_six(f, false);
    loader_options o = {.plan = &f->plan, .batch = 5, .image_size = SIZE, .threads = 2, .max_bad_share = -1};
    loader *l = start(&o, 0);
    assert_int_equal(loader_batches(l), 4);
    loader_batch b;
    for (int i = 0; i < 4; i++) {
        assert_ok(loader_next(l, &b));
        assert_int_equal(b.count, i < 3 ? 5 : 2);
        for (int row = 0; row < 5; row++) {
            assert_int_equal(b.items[row], row < b.count ? i * 5 + row : -1);
            assert_int_equal(b.pictures[row], row < b.count ? i * 5 + row : -1);
            assert_int_equal(b.is_read[row], row < b.count);
        }
    }
    for (int i = 2 * BYTES; i < 5 * BYTES; i++)
        assert_int_equal(b.images[i], 0);
    assert_ok(loader_next(l, &b));
    assert_int_equal(b.count, 0);
    assert_ok(loader_next(l, &b)); /* and again */
    assert_int_equal(b.count, 0);
    loader_free(l);
}

static void loader__resumed__continues_the_same_epoch(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < 30; i++) { /* large, so that threads are still at it when the epoch changes */
        char name[32];
        snprintf(name, sizeof(name), "anger/%d.png", i);
        set_picture(f->folder, name, 250, 250, (uint32_t)i);
    }
    plan_all(f, f->folder, true);
    loader_options o = {.plan = &f->plan,
                        .batch = 4,
                        .image_size = SIZE,
                        .threads = 3,
                        .is_shuffled = true,
                        .seed = 9,
                        .augment = lively};
    loader *l = start(&o, 2);
    record whole = play(l, 4);
    loader_free(l);
    for (int64_t first = 0; first <= 7; first++) {
        l = start(&o, 5); /* a busy loader is turned to another epoch */
        loader_batch b;
        assert_ok(loader_next(l, &b));
        assert_ok(loader_start(l, 2, first));
        for (int64_t i = first; i < 7; i++) {
            assert_ok(loader_next(l, &b));
            assert_int_equal(b.index, i);
            assert_memory_equal(b.items, whole.items + i * 4, 4 * sizeof(int64_t));
            assert_memory_equal(b.images, whole.images + i * 4 * BYTES, 4 * BYTES);
        }
        assert_ok(loader_next(l, &b));
        assert_int_equal(b.count, 0);
        assert_failure(loader_start(l, 2, 8), MIEN_ERR_ARG, "batch 8 (wanted 0..7)");
        loader_free(l);
    }
    free(whole.images);
}

static void loader__freed_or_restarted_while_busy__stops(void **state)
{
    fixture *f = *state;
    plan_six(f, true);
    loader_options o = {
        .plan = &f->plan, .batch = 2, .image_size = 200, .threads = 4, .is_shuffled = true, .augment = lively};
    for (int i = 0; i < 20; i++) {
        loader *l = NULL;
        assert_ok(loader_create(&l, &o));
        loader_batch b;
        assert_ok(loader_next(l, &b)); /* not started: nothing to give */
        assert_int_equal(b.count, 0);
        for (uint32_t epoch = 0; epoch < (uint32_t)i % 4; epoch++)
            assert_ok(loader_start(l, epoch, i % 3));
        loader_free(l);
    }
    loader_free(NULL);
}

/* --- bad pictures ------------------------------------------------------------------------------------------------ */

static void loader__unreadable_in_training__next_of_its_class_and_one_line(void **state)
{
    fixture *f = *state;
    set_six(f->folder, six_counts);
    set_text(f->folder, "ANGER/2.png", "no picture");
    set_text(f->folder, "SURPRISE/2.png", "");
    plan_all(f, f->folder, true);
    loader_options o = {.plan = &f->plan, .batch = 5, .image_size = SIZE, .is_shuffled = true, .max_bad_share = 0.12};
    record wanted = {0};
    for (o.threads = 1; o.threads <= 4; o.threads += 3) {
        loader *l = start(&o, 0);
        record r = play(l, 5);
        assert_int_equal(r.rows, 30);
        for (int i = 0; i < 30; i++) {
            int64_t copy, own = epoch_plan_item(&f->plan, r.items[i], &copy);
            /* picture 1 is ANGER/2.png, 2 follows it; 16 is SURPRISE/2.png, the last, so the first follows */
            assert_int_equal(r.pictures[i], own == 1 ? 2 : own == 16 ? 15 : own);
            assert_true(r.is_read[i]);
            assert_int_equal(dataset_label(f->data, r.pictures[i]), dataset_label(f->data, own));
        }
        if (wanted.images)
            assert_same(&r, &wanted);
        assert_ok(loader_start(l, 1, 0)); /* counted once, however often it comes up */
        record second = play(l, 5);
        assert_int_equal(second.rows, 30);
        free(second.images);
        free(wanted.images);
        wanted = r;
        loader_free(l);
    }
    free(wanted.images);
    assert_int_equal(f->log.count, 2); /* of two loaders and two epochs each: a line a picture */
    assert_non_null(strstr(f->log.text, "ANGER/2.png: not a JPEG, PNG or WebP image\n"));
    assert_non_null(strstr(f->log.text, "SURPRISE/2.png: empty file\n"));
}

static void loader__too_many_unreadable__fails_in_order_and_stays_failed(void **state)
{
    fixture *f = *state;
    set_six(f->folder, six_counts);
    set_text(f->folder, "ANGER/2.png", "no picture");
    set_text(f->folder, "SURPRISE/2.png", "");
    plan_all(f, f->folder, false);
    loader_options o = {.plan = &f->plan, .batch = 4, .image_size = SIZE, .max_bad_share = 0.06}; /* one of 17 */
    for (o.threads = 1; o.threads <= 4; o.threads += 3) {
        loader *l = start(&o, 0);
        loader_batch b;
        for (int i = 0; i < 4; i++)
            assert_ok(loader_next(l, &b));
        assert_failure(loader_next(l, &b), MIEN_ERR_FORMAT,
                       "too many unreadable pictures (more than 1 of 17, max_bad_share 0.06), the last: ");
        assert_non_null(strstr(mien_error(), "SURPRISE/2.png: empty file; unreadable are ANGER/2.png, SURPRISE/2.png"));
        assert_failure(loader_next(l, &b), MIEN_ERR_FORMAT, "too many unreadable pictures");
        assert_ok(loader_start(l, 0, 1));
        assert_ok(loader_next(l, &b));
        loader_free(l);
    }
    o.max_bad_share = 0;
    loader *l = start(&o, 0);
    loader_batch b;
    assert_failure(loader_next(l, &b), MIEN_ERR_FORMAT, "more than 0 of 17");
    loader_free(l);
}

static void loader__more_bad_in_a_row_than_allowed__fails_at_once(void **state)
{
    fixture *f = *state;
    set_six(f->folder, six_counts);
    set_text(f->folder, "ANGER/1.png", "");
    set_text(f->folder, "ANGER/2.png", "");
    plan_all(f, f->folder, false);
    loader_options o = {.plan = &f->plan, .batch = 1, .image_size = SIZE, .threads = 2, .max_bad_share = 0.06};
    loader *l = start(&o, 0);
    loader_batch b;
    assert_failure(loader_next(l, &b), MIEN_ERR_FORMAT, "more than 1 of 17");
    loader_free(l);
}

static void loader__class_without_readable_picture__fails(void **state)
{
    fixture *f = *state;
    set_six(f->folder, six_counts);
    set_text(f->folder, "DISGUST/1.png", "");
    set_text(f->folder, "DISGUST/2.png", "");
    plan_all(f, f->folder, false);
    loader_options o = {.plan = &f->plan, .batch = 17, .image_size = SIZE, .threads = 2, .max_bad_share = 0.9};
    loader *l = start(&o, 0);
    loader_batch b;
    assert_failure(loader_next(l, &b), MIEN_ERR_FORMAT, "class disgust has no readable picture");
    loader_free(l);
}

typedef struct {
    int count;
    int64_t items[8];
    char why[8][512];
} bad_list;

static void remember_bad(void *payload, int64_t item, const char *why)
{
    bad_list *list = payload;
    assert_true(list->count < 8);
    list->items[list->count] = item;
    snprintf(list->why[list->count++], 512, "%s", why);
}

static void loader__unreadable_in_evaluation__told_in_order(void **state)
{
    fixture *f = *state;
    set_six(f->folder, six_counts);
    set_text(f->folder, "ANGER/2.png", "no picture");
    set_text(f->folder, "ANGER/4.png", "");
    char path[PATH_MAX];
    set_path(path, f->folder, "SURPRISE/2.png");
    plan_all(f, f->folder, false);
    assert_int_equal(unlink(path), 0); /* gone since the set was opened */
    for (int threads = 1; threads <= 4; threads += 3) {
        bad_list bad = {0};
        loader_options o = {.plan = &f->plan,
                            .batch = 3,
                            .image_size = SIZE,
                            .threads = threads,
                            .depth = 1, /* slots are used again: what was there must not show */
                            .max_bad_share = -1,
                            .on_bad = remember_bad,
                            .payload = &bad};
        loader *l = start(&o, 0);
        record r = play(l, 3);
        assert_int_equal(r.rows, 17);
        for (int i = 0; i < 17; i++) {
            bool is_bad = i == 1 || i == 3 || i == 16;
            assert_int_equal(r.is_read[i], !is_bad);
            assert_int_equal(r.pictures[i], i);
            for (int k = 0; is_bad && k < BYTES; k++)
                assert_int_equal(r.images[i * BYTES + k], 0);
        }
        assert_int_equal(bad.count, 3);
        assert_int_equal(bad.items[0], 1);
        assert_int_equal(bad.items[1], 3);
        assert_int_equal(bad.items[2], 16);
        assert_non_null(strstr(bad.why[0], "ANGER/2.png: not a JPEG, PNG or WebP image"));
        assert_non_null(strstr(bad.why[1], "ANGER/4.png: empty file"));
        assert_non_null(strstr(bad.why[2], "SURPRISE/2.png: cannot open: No such file"));
        free(r.images);
        loader_free(l);
    }
    assert_int_equal(f->log.count, 0);
}

static void loader__missing_file_of_a_list__fails_training_by_line(void **state)
{
    fixture *f = *state;
    char path[PATH_MAX];
    set_picture(f->folder, "a.png", 8, 8, 1);
    set_text(f->folder, "set.csv", "path,label\na.png,0\ngone.png,1\n./a.png,2\n");
    set_path(path, f->folder, "set.csv");
    plan_all(f, path, false);
    bad_list bad = {0};
    loader_options o = {.plan = &f->plan,
                        .batch = 3,
                        .image_size = SIZE,
                        .threads = 2,
                        .max_bad_share = 1,
                        .on_bad = remember_bad,
                        .payload = &bad};
    loader *l = start(&o, 0);
    loader_batch b;
    assert_failure(loader_next(l, &b), MIEN_ERR_IO, "set.csv: line 3: ");
    assert_non_null(strstr(mien_error(), "/gone.png: cannot open: No such file"));
    loader_free(l);
    o.max_bad_share = -1;
    l = start(&o, 0);
    assert_ok(loader_next(l, &b));
    assert_true(b.is_read[0] && !b.is_read[1] && b.is_read[2]);
    assert_int_equal(bad.count, 1);
    assert_non_null(strstr(bad.why[0], "set.csv: line 3: "));
    loader_free(l);
}

static void loader__folder_or_pipe_as_picture__is_a_bad_picture(void **state)
{
    fixture *f = *state;
    char path[PATH_MAX];
    set_path(path, f->folder, "pipe.jpg");
    assert_int_equal(mkfifo(path, 0600), 0);
    set_path(path, f->folder, "folder.jpg/x");
    set_text(f->folder, "set.csv", "pipe.jpg,0\nfolder.jpg,1\n");
    set_path(path, f->folder, "set.csv");
    plan_all(f, path, false);
    bad_list bad = {0};
    loader_options o = {.plan = &f->plan,
                        .batch = 2,
                        .image_size = SIZE,
                        .threads = 1,
                        .max_bad_share = -1,
                        .on_bad = remember_bad,
                        .payload = &bad};
    loader *l = start(&o, 0);
    loader_batch b;
    assert_ok(loader_next(l, &b));
    assert_int_equal(bad.count, 2);
    assert_non_null(strstr(bad.why[0], "pipe.jpg: not a regular file"));
    assert_non_null(strstr(bad.why[1], "folder.jpg: not a regular file"));
    loader_free(l);
}

/* --- resources --------------------------------------------------------------------------------------------------- */

/* One thread, so that it surely is warm. Pictures of one size, as in every set of aligned faces: where sizes change
 * from one to the next the resize makes its table anew. */
static void loader__after_warm_up__allocates_nothing(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < 10; i++) {
        char name[32];
        snprintf(name, sizeof(name), "anger/%d.png", i);
        set_picture(f->folder, name, 40, 40, (uint32_t)i);
    }
    plan_all(f, f->folder, true);
    loader_options o = {.plan = &f->plan,
                        .batch = 4,
                        .image_size = SIZE,
                        .threads = 1,
                        .is_shuffled = true,
                        .augment = {.flip = true, .crop = 2, .noise = 3, .jitter = 0.4f, .grey = 0.5f, .blur = 0.5f}};
    loader *l = NULL;
    assert_ok(loader_create(&l, &o));
    loader_batch b;
    int64_t before = 0;
    for (uint32_t epoch = 0; epoch < 40; epoch++) {
        assert_ok(loader_start(l, epoch, 0));
        if (epoch == 20)
            before = mem_count();
        do
            assert_ok(loader_next(l, &b));
        while (b.count > 0);
    }
    assert_int_equal(mem_count() - before, 0);
    loader_free(l);
}

static void loader__senseless_options__refused(void **state)
{
    fixture *f = *state;
    plan_six(f, false);
    loader *l = NULL;
    loader_options good = {.plan = &f->plan, .batch = 17, .image_size = SIZE, .is_shuffled = true};
    loader_options o = good;
    o.batch = 18;
    assert_failure(loader_create(&l, &o), MIEN_ERR_ARG, "17 pictures (wanted at least one batch of 18)");
    o.batch = 0;
    assert_failure(loader_create(&l, &o), MIEN_ERR_ARG, "batch 0");
    o = good, o.image_size = 0;
    assert_failure(loader_create(&l, &o), MIEN_ERR_ARG, "size 0");
    o = good, o.threads = -1;
    assert_failure(loader_create(&l, &o), MIEN_ERR_ARG, "-1 threads");
    o = good, o.depth = -1;
    assert_failure(loader_create(&l, &o), MIEN_ERR_ARG, "depth -1");
    o = good, o.max_bad_share = 1.5;
    assert_failure(loader_create(&l, &o), MIEN_ERR_ARG, "max_bad_share 1.5");
    assert_null(l);
    l = start(&good, 0);
    loader_free(l);
}

/* One thread, so that allocations come in one order. */
static mien_status create_and_play(void *context)
{
    loader *l = NULL;
    TRY(loader_create(&l, context));
    loader_batch b = {.count = 1};
    mien_status st = loader_start(l, 0, 0);
    while (st == MIEN_OK && b.count > 0)
        st = loader_next(l, &b);
    loader_free(l);
    return st;
}

static void loader__memory_runs_out__fails_and_leaks_nothing(void **state)
{
    fixture *f = *state;
    set_six(f->folder, (const int[]){1, 1, 1, 0, 0, 0});
    plan_all(f, f->folder, false);
    loader_options o = {
        .plan = &f->plan, .batch = 2, .image_size = SIZE, .threads = 1, .is_shuffled = true, .augment = lively};
    fail_each_allocation(create_and_play, &o);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(loader__training__equals_read_resize_augment),
        TEST(loader__any_number_of_threads__same_batches),
        TEST(loader__shuffled__each_item_once_and_orders_differ),
        TEST(loader__evaluation__keeps_the_rest_in_order),
        TEST(loader__resumed__continues_the_same_epoch),
        TEST(loader__freed_or_restarted_while_busy__stops),
        TEST(loader__unreadable_in_training__next_of_its_class_and_one_line),
        TEST(loader__too_many_unreadable__fails_in_order_and_stays_failed),
        TEST(loader__more_bad_in_a_row_than_allowed__fails_at_once),
        TEST(loader__class_without_readable_picture__fails),
        TEST(loader__unreadable_in_evaluation__told_in_order),
        TEST(loader__missing_file_of_a_list__fails_training_by_line),
        TEST(loader__folder_or_pipe_as_picture__is_a_bad_picture),
        TEST(loader__after_warm_up__allocates_nothing),
        TEST(loader__senseless_options__refused),
        TEST(loader__memory_runs_out__fails_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
