/* Folders as people keep them: odd names, links, hidden files, missing classes; each is read or refused with the
 * reason. */
#include "data/sets.h"

#include "data/label.h"

#include <sys/stat.h>

static int unmake(void **state)
{
    mien_set_log(NULL, NULL);
    return temp_folder_teardown(state);
}

/* One empty file per class, so that a set opens; opening looks at no content. */
static void touch_six(const char *folder)
{
    static const char *const names[] = {"ANGER/1.jpg",     "disgust/1.jpg", "Fear/1.jpg",
                                        "HAPPINESS/1.jpg", "SADNESS/1.jpg", "SURPRISE/1.jpg"};
    for (int c = 0; c < 6; c++)
        set_text(folder, names[c], "");
}

static void dataset_open__class_folders__natural_order_by_group(void **state)
{
    touch_six(*state);
    set_text(*state, "ANGER/10.jpg", "");
    set_text(*state, "ANGER/2.png", "");
    set_text(*state, "readme.txt", "not in a class folder");
    dataset *d = set_open(*state, DATASET_TRAIN);
    assert_int_equal(dataset_count(d), 8);
    assert_int_equal(dataset_class_count(d), 6);
    assert_string_equal(dataset_class(d, 3), "happiness");
    assert_string_equal(dataset_source(d), *state);
    static const char *const wanted[] = {"ANGER/1.jpg", "ANGER/2.png",     "ANGER/10.jpg",  "disgust/1.jpg",
                                         "Fear/1.jpg",  "HAPPINESS/1.jpg", "SADNESS/1.jpg", "SURPRISE/1.jpg"};
    static const int labels[] = {0, 0, 0, 1, 2, 3, 4, 5};
    for (int i = 0; i < 8; i++) {
        assert_name(d, i, wanted[i]);
        assert_int_equal(dataset_label(d, i), labels[i]);
    }
    assert_int_equal(dataset_class_size(d, 0), 3);
    assert_int_equal(dataset_class_size(d, 5), 1);
    char path[PATH_MAX], wanted_path[PATH_MAX];
    assert_ok(dataset_path(d, 2, path, sizeof(path)));
    snprintf(wanted_path, sizeof(wanted_path), "%s/ANGER/10.jpg", (char *)*state);
    assert_string_equal(path, wanted_path);
    assert_failure(dataset_name(d, 2, path, 12), MIEN_ERR_ARG, "12 bytes (room for 12)");
    assert_ok(dataset_name(d, 2, path, 13));
    assert_int_equal(dataset_ignored_count(d), 0);
    assert_false(dataset_has_validation(d));
    dataset *val = NULL;
    assert_failure(dataset_open_validation(&val, d), MIEN_ERR_ARG, "no folder val");
    dataset_free(d);
    dataset_free(NULL);
}

static void dataset_open__synonyms__are_their_class(void **state)
{
    static const struct {
        const char *written;
        int label;
    } cases[] = {{"ANGERE", 0},  {"ANGRER", 0}, {"angrer", 0}, {"Angry", 0},    {"disgusted", 1},
                 {"fearful", 2}, {"Happy", 3},  {"SAD", 4},    {"surprised", 5}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char folder[PATH_MAX], name[PATH_MAX];
        snprintf(folder, sizeof(folder), "%s/%zu", (char *)*state, i);
        snprintf(name, sizeof(name), "%s/1.jpg", cases[i].written);
        set_text(folder, name, "");
        dataset *d = set_open(folder, DATASET_EVALUATE);
        assert_int_equal(dataset_count(d), 1);
        assert_int_equal(dataset_label(d, 0), cases[i].label);
        dataset_free(d);
    }
    static const char *const own[] = {"happy", "happiness"}; /* a model's own names come first */
    assert_int_equal(label_find("Happiness", own, 2), 1);
    assert_int_equal(label_find("angry", own, 2), -1);
    assert_int_equal(label_find("HAPPINESS", own, 1), 0);
}

static void dataset_open__folders_of_no_class__left_out_with_one_notice(void **state)
{
    set_log log = {0};
    mien_set_log(set_log_line, &log);
    touch_six(*state);
    set_text(*state, "NEUTRAL/1.jpg", "");
    set_text(*state, "NEUTRAL/video/2.jpg", "");
    set_text(*state, "contempt/1.jpg", "");
    set_text(*state, ".git/config", "");
    dataset *d = set_open(*state, DATASET_TRAIN);
    assert_int_equal(dataset_count(d), 6);
    assert_int_equal(dataset_ignored_count(d), 2);
    int64_t files;
    assert_string_equal(dataset_ignored(d, 0, &files), "NEUTRAL");
    assert_int_equal(files, 2);
    assert_string_equal(dataset_ignored(d, 1, &files), "contempt");
    assert_int_equal(files, 1);
    assert_int_equal(log.count, 1);
    assert_non_null(strstr(log.text, "NEUTRAL (2 files), contempt (1 files)"));
    dataset_free(d);
    d = NULL;
    assert_failure(dataset_open(&d, *state, six, 6, DATASET_TRAIN | DATASET_STRICT), MIEN_ERR_FORMAT,
                   "/NEUTRAL: none of the classes (wanted anger, ");
}

static void dataset_open__hidden_and_special_files__are_no_pictures(void **state)
{
    char path[PATH_MAX];
    touch_six(*state);
    set_text(*state, "ANGER/.DS_Store", "");
    set_text(*state, "ANGER/Thumbs.db", "");
    set_text(*state, "ANGER/desktop.ini", "");
    set_text(*state, "__MACOSX/ANGER/1.jpg", "");
    set_text(*state, "ANGER/.thumbnails/1.jpg", "");
    set_path(path, *state, "ANGER/pipe.jpg");
    assert_int_equal(mkfifo(path, 0600), 0);
    dataset *d = set_open(*state, DATASET_TRAIN);
    assert_int_equal(dataset_class_size(d, 0), 1);
    dataset_free(d);
}

static void dataset_open__subfolders_and_links__are_followed(void **state)
{
    char path[PATH_MAX], target[PATH_MAX];
    touch_six(*state);
    set_text(*state, "ANGER/video10/1.jpg", "");
    set_text(*state, "ANGER/video2/7.jpg", "");
    set_text(*state, "elsewhere/x.jpg", "");
    snprintf(target, sizeof(target), "%s/elsewhere", (char *)*state);
    set_path(path, *state, "ANGER/linked");
    assert_int_equal(symlink(target, path), 0);
    set_path(path, *state, "ANGER/0.jpg"); /* leads nowhere: told when read, not dropped */
    assert_int_equal(symlink("/nonexistent/0.jpg", path), 0);
    dataset *d = set_open(*state, DATASET_TRAIN);
    static const char *const wanted[] = {"ANGER/0.jpg", "ANGER/1.jpg", "ANGER/linked/x.jpg", "ANGER/video2/7.jpg",
                                         "ANGER/video10/1.jpg"};
    assert_int_equal(dataset_class_size(d, 0), 5);
    for (int i = 0; i < 5; i++)
        assert_name(d, i, wanted[i]);
    dataset_free(d);
}

static void dataset_open__link_that_leads_back__is_left_out(void **state)
{
    static const char *const targets[] = {".", "..", "/"};
    char path[PATH_MAX];
    touch_six(*state);
    for (int i = 0; i < 3; i++) {
        set_log log = {0};
        set_path(path, *state, "ANGER/deep/again");
        assert_int_equal(symlink(targets[i], path), 0);
        mien_set_log(set_log_line, &log);
        dataset *d = set_open(*state, DATASET_TRAIN);
        assert_int_equal(dataset_count(d), 6);
        assert_int_equal(log.count, 1);
        assert_non_null(strstr(log.text, "ANGER/deep/again: left out, a link to a folder that it lies in"));
        dataset_free(d);
        assert_int_equal(unlink(path), 0);
    }
}

static void dataset_open__too_deep__fails(void **state)
{
    touch_six(*state);
    char name[PATH_MAX] = "ANGER/";
    for (int i = 0; i < 70; i++)
        strcat(name, "d/");
    strcat(name, "1.jpg");
    set_text(*state, name, "");
    dataset *d = NULL;
    assert_failure(dataset_open(&d, *state, six, 6, DATASET_TRAIN), MIEN_ERR_FORMAT, "more than 64 deep");
    assert_null(d);
}

static void dataset_open__empty_class_folder__fails_whatever_the_use(void **state)
{
    touch_six(*state);
    char path[PATH_MAX];
    set_path(path, *state, "Fear/1.jpg");
    assert_int_equal(unlink(path), 0);
    dataset *d = NULL;
    assert_failure(dataset_open(&d, *state, six, 6, DATASET_TRAIN), MIEN_ERR_FORMAT, "/Fear: empty class folder");
    assert_failure(dataset_open(&d, *state, six, 6, DATASET_EVALUATE), MIEN_ERR_FORMAT, "/Fear: empty class folder");
    set_text(*state, "Fear/.keep", "");
    assert_failure(dataset_open(&d, *state, six, 6, DATASET_TRAIN), MIEN_ERR_FORMAT, "/Fear: empty class folder");
    assert_null(d);
}

static void dataset_open__class_without_folder__fails_training_only(void **state)
{
    set_text(*state, "anger/1.jpg", "");
    set_text(*state, "fear/1.jpg", "");
    dataset *d = NULL;
    assert_failure(dataset_open(&d, *state, six, 6, DATASET_TRAIN), MIEN_ERR_FORMAT, "no folder of class disgust");
    d = set_open(*state, DATASET_EVALUATE);
    assert_int_equal(dataset_count(d), 2);
    assert_int_equal(dataset_label(d, 1), 2);
    assert_int_equal(dataset_class_size(d, 1), 0);
    dataset_free(d);
}

static void dataset_open__two_folders_of_a_class__fails(void **state)
{
    touch_six(*state);
    set_text(*state, "ANGERE/1.jpg", "");
    dataset *d = NULL;
    assert_failure(dataset_open(&d, *state, six, 6, DATASET_TRAIN), MIEN_ERR_FORMAT,
                   "two folders of class anger (ANGER and ANGERE)");
}

static void dataset_open__no_class_folder__says_what_was_found_and_wanted(void **state)
{
    dataset *d = NULL;
    assert_failure(dataset_open(&d, *state, six, 6, DATASET_TRAIN), MIEN_ERR_FORMAT,
                   "(found no folder, wanted anger, ");
    set_text(*state, "joyful/1.jpg", "");
    set_text(*state, "cross/1.jpg", "");
    assert_failure(dataset_open(&d, *state, six, 6, DATASET_TRAIN), MIEN_ERR_FORMAT, "(found cross or joyful, wanted ");
    assert_failure(dataset_open(&d, *state, six, 6, DATASET_EVALUATE), MIEN_ERR_FORMAT, "no class folder");
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/nonexistent", (char *)*state);
    assert_failure(dataset_open(&d, path, six, 6, DATASET_TRAIN), MIEN_ERR_IO,
                   "nonexistent: cannot open: No such file");
    assert_failure(dataset_open(&d, *state, six, 0, DATASET_TRAIN), MIEN_ERR_ARG, "0 classes");
    assert_null(d);
}

static void dataset_open__train_and_val__each_use_its_own(void **state)
{
    char train[512], val[512];
    snprintf(train, sizeof(train), "%s/train", (char *)*state);
    snprintf(val, sizeof(val), "%s/val", (char *)*state);
    touch_six(train);
    set_text(val, "anger/7.jpg", "");
    set_text(val, "neutral/8.jpg", "");
    dataset *d = set_open(*state, DATASET_TRAIN);
    assert_int_equal(dataset_count(d), 6);
    assert_name(d, 0, "ANGER/1.jpg");
    assert_true(dataset_has_validation(d));
    dataset *held = NULL;
    assert_ok(dataset_open_validation(&held, d));
    assert_int_equal(dataset_count(held), 1);
    assert_name(held, 0, "anger/7.jpg");
    assert_int_equal(dataset_ignored_count(held), 1);
    dataset_free(held);
    dataset_free(d);

    d = set_open(*state, DATASET_EVALUATE);
    assert_name(d, 0, "anger/7.jpg");
    assert_false(dataset_has_validation(d));
    dataset_free(d);

    temp_folder_remove(val);
    d = set_open(*state, DATASET_TRAIN); /* a share of train is held out instead */
    assert_false(dataset_has_validation(d));
    dataset_free(d);
    d = NULL;
    assert_failure(dataset_open(&d, *state, six, 6, DATASET_EVALUATE), MIEN_ERR_FORMAT, "no folder val (found train)");
    set_text(val, "joyful/1.jpg", "");
    assert_failure(dataset_open(&d, *state, six, 6, DATASET_EVALUATE), MIEN_ERR_FORMAT,
                   "/val: no class folder (found ");
    assert_null(d);
}

static mien_status open_and_free(void *folder)
{
    dataset *d = NULL;
    TRY(dataset_open(&d, folder, six, 6, DATASET_TRAIN));
    dataset *val = NULL;
    mien_status st = dataset_open_validation(&val, d);
    dataset_free(val);
    dataset_free(d);
    return st;
}

static void dataset_open__memory_runs_out__fails_and_leaks_nothing(void **state)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof(folder), "%s/train", (char *)*state);
    touch_six(folder);
    set_text(folder, "neutral/1.jpg", "");
    set_text(*state, "val/anger/sub/1.jpg", "");
    fail_each_allocation(open_and_free, *state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_folder_setup, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(dataset_open__class_folders__natural_order_by_group),
        TEST(dataset_open__synonyms__are_their_class),
        TEST(dataset_open__folders_of_no_class__left_out_with_one_notice),
        TEST(dataset_open__hidden_and_special_files__are_no_pictures),
        TEST(dataset_open__subfolders_and_links__are_followed),
        TEST(dataset_open__link_that_leads_back__is_left_out),
        TEST(dataset_open__too_deep__fails),
        TEST(dataset_open__empty_class_folder__fails_whatever_the_use),
        TEST(dataset_open__class_without_folder__fails_training_only),
        TEST(dataset_open__two_folders_of_a_class__fails),
        TEST(dataset_open__no_class_folder__says_what_was_found_and_wanted),
        TEST(dataset_open__train_and_val__each_use_its_own),
        TEST(dataset_open__memory_runs_out__fails_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
