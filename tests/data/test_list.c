/* Lists as people write them, and the challenge's own at its full length. */
#include "data/sets.h"

#include "base/progress.h"
#include "data/list.h"

#include <sys/resource.h>

/* Writes text as set.csv; its path stays in `path` [PATH_MAX]. */
static void write_list(char *path, const char *folder, const char *text)
{
    set_text(folder, "set.csv", text);
    set_path(path, folder, "set.csv");
}

static void assert_refused(const char *folder, const char *text, const char *part)
{
    char path[PATH_MAX];
    write_list(path, folder, text);
    dataset *d = NULL;
    assert_failure(dataset_open(&d, path, six, 6, DATASET_EVALUATE), MIEN_ERR_FORMAT, part);
    assert_int_equal(strncmp(mien_error(), path, strlen(path)), 0);
    assert_null(d);
}

static void dataset_open__list__reads_what_people_write(void **state)
{
    static const struct {
        const char *text;
        const char *first; /* the first row's name; its label is 4, and one row of label 0 follows */
    } cases[] = {
        {"a.jpg,4\nb.jpg,0\n", "a.jpg"},
        {"a.jpg,4\nb.jpg,0", "a.jpg"},
        {"path,label\na.jpg,4\nb.jpg,0\n", "a.jpg"},
        {"Bild,Ausdruck\na.jpg,sadness\nb.jpg,anger\n", "a.jpg"},
        {"\xEF\xBB\xBFimage,expression\r\na.jpg, SADNESS\r\n\r\nb.jpg, ANGERE\r\n", "a.jpg"},
        {"a.jpg,Sadness\nb.jpg,angrer\n", "a.jpg"},
        {"\"a, b \"\"c\"\".jpg\",4\nb.jpg,\"0\"\n", "a, b \"c\".jpg"},
        {"label,path\n4,a.jpg\n0,b.jpg\n", "a.jpg"},
        {"id,expression,valence,image\n1,sadness,0.1,a.jpg\n2,anger,0.2,b.jpg\n", "a.jpg"},
        {"no_extension,sadness\nb.jpg,0\n", "no_extension"},
        {"f\303\244ce.jpg,4\nb.jpg,0\n", "f\303\244ce.jpg"},
        {"a.jpg,4.0\nb.jpg,0.0\n", "a.jpg"},
        {"image;label\r\na.jpg;sad\r\nb.jpg;Angry\r\n", "a.jpg"},
        {"\xEF\xBB\xBF\"a,b.jpg\";4\nb.jpg;0\n", "a,b.jpg"},
        {"a b.jpg\t4\nb.jpg\t0\n", "a b.jpg"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[PATH_MAX];
        write_list(path, *state, cases[i].text);
        dataset *d = set_open(path, DATASET_EVALUATE);
        assert_int_equal(dataset_count(d), 2);
        assert_name(d, 0, cases[i].first);
        assert_name(d, 1, "b.jpg");
        assert_int_equal(dataset_label(d, 0), 4);
        assert_int_equal(dataset_label(d, 1), 0);
        dataset_free(d);
    }
}

static void dataset_open__list__paths_are_relative_to_it(void **state)
{
    char path[PATH_MAX], got[PATH_MAX], wanted[PATH_MAX];
    write_list(path, *state, "faces/a.jpg,0\n/abs/b.jpg,1\nfaces/a.jpg,0\n");
    dataset *d = set_open(path, DATASET_EVALUATE);
    assert_int_equal(dataset_count(d), 3); /* rows may repeat */
    assert_ok(dataset_path(d, 0, got, sizeof(got)));
    snprintf(wanted, sizeof(wanted), "%s/faces/a.jpg", (char *)*state);
    assert_string_equal(got, wanted);
    assert_ok(dataset_path(d, 1, got, sizeof(got)));
    assert_string_equal(got, "/abs/b.jpg");
    dataset_free(d);

    char before[PATH_MAX];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(*state), 0);
    d = set_open("set.csv", DATASET_EVALUATE);
    assert_ok(dataset_path(d, 0, got, sizeof(got)));
    assert_string_equal(got, "faces/a.jpg");
    dataset_free(d);
    assert_int_equal(chdir(before), 0);
}

static void dataset_open__bad_row__names_file_and_line(void **state)
{
    assert_refused(*state, "a.jpg,0\nb.jpg,9\n",
                   "line 2: label 9 (wanted 0..5, or anger, disgust, fear, happiness, sadness or surprise)");
    assert_refused(*state, "a.jpg,9\n", "line 1: label 9 (wanted 0..5");
    assert_refused(*state, "a.jpg,-1\n", "line 1: label -1 (wanted");
    assert_refused(*state, "a.jpg,1.5\n", "line 1: label 1.5 (wanted");
    assert_refused(*state, "a.jpg,1\nb.jpg,6\n", "line 2: label 6 (wanted 0..5, which count from 0 and not from 1, or");
    assert_refused(*state, "a.jpg,1\nb.jpg,2\na.jpg,3\n", "line 3: a.jpg is happiness here and disgust on line 1");
    assert_refused(*state, "path,label\na.jpg,joy\nb.jpg,glee\n",
                   "no row of a class (found joy and others, wanted anger");
    assert_refused(*state, "\xFF\xFE\x61,\xFF", "line 1: UTF-16 text (wanted UTF-8");
    assert_refused(*state, "a.jpg,0\nb.jpg\n", "line 2: 1 field (wanted 2");
    assert_refused(*state, "a.jpg,0\nb.jpg,0,1\n", "line 2: 3 fields (wanted 2");
    assert_refused(*state, "a.jpg,0.1,0.2,4,1\n", "line 1: 5 fields (wanted 2: path,label)");
    assert_refused(*state, "image,valence,arousal,expression,aus\na.jpg,1,1,4,0,1\n", "line 2: 6 fields (wanted 5");
    assert_refused(*state, "a.jpg,\n", "line 1: label  (wanted");
    assert_refused(*state, "a.jpg,0\n,3\n", "line 2: empty path");
    assert_refused(*state, "a.jpg,0\n\"b.jpg,1\nc.jpg,2\n", "line 2: quote never closed");
    assert_refused(*state, "", "no rows");
    assert_refused(*state, "path,label\n", "no rows");
    char long_row[5000] = "a.jpg,0\n";
    memset(long_row + 8, 'x', 4900);
    strcpy(long_row + 4908, ",1\n");
    assert_refused(*state, long_row, "line 2: path of ");
}

static void dataset_open__rows_of_no_class__left_out_with_one_notice(void **state)
{
    char path[PATH_MAX];
    set_log log = {0};
    write_list(path, *state, "a.jpg,neutral\nb.jpg,0\nc.jpg,Neutral\nd.jpg,contempt\n"); /* no header: it has a dot */
    mien_set_log(set_log_line, &log);
    dataset *d = set_open(path, DATASET_EVALUATE);
    mien_set_log(NULL, NULL);
    int64_t rows;
    assert_int_equal(dataset_count(d), 1);
    assert_int_equal(dataset_ignored_count(d), 2);
    assert_string_equal(dataset_ignored(d, 0, &rows), "neutral");
    assert_int_equal(rows, 2);
    assert_int_equal(log.count, 1);
    assert_non_null(strstr(log.text, "left out, not among the classes: neutral (2 rows), contempt (1 rows)"));
    dataset_free(d);
    d = NULL;
    assert_failure(dataset_open(&d, path, six, 6, DATASET_EVALUATE | DATASET_STRICT), MIEN_ERR_FORMAT,
                   "line 1: label neutral (wanted 0..5, or anger");

    str text = {0};
    assert_ok(str_append(&text, "a.jpg,0\n"));
    for (int i = 0; i < 65; i++)
        assert_ok(str_printf(&text, "%d.jpg,word%d\n", i, i));
    assert_refused(*state, text.text, "line 66: label word64 (wanted");
    str_free(&text);
}

static void dataset_open__windows_paths__are_found(void **state)
{
    char path[PATH_MAX], name[PATH_MAX];
    set_text(*state, "faces/a.jpg", "");
    set_text(*state, "odd\\b.jpg", "");
    write_list(path, *state, "faces\\a.jpg,0\nodd\\b.jpg,1\nno\\c.jpg,2\n");
    dataset *d = set_open(path, DATASET_EVALUATE);
    static const char *const wanted[] = {"faces/a.jpg", "odd\\b.jpg", "no\\c.jpg"};
    for (int i = 0; i < 3; i++) {
        assert_ok(dataset_name(d, i, name, sizeof(name)));
        assert_string_equal(name, wanted[i]);
    }
    dataset_free(d);
}

/* Names of a CSV below another folder, and below a second one where they are missing or broken in the first. */
static void dataset_set_images__list__is_read_from_there(void **state)
{
    static const char *const names[] = {"a.png", "b.png", "c.png"};
    char path[PATH_MAX], images[PATH_MAX], fallback[PATH_MAX], got[PATH_MAX];
    picture_reader r;
    set_picture(*state, "images/a.png", 12, 12, 1);
    set_picture(*state, "unaligned/a.png", 20, 20, 1);
    set_picture(*state, "unaligned/b.png", 20, 20, 2);
    set_text(*state, "images/b.png", "no picture");
    set_text(*state, "images/c.png", "no picture");
    snprintf(images, sizeof images, "%s/images", (char *)*state);
    snprintf(fallback, sizeof fallback, "%s/unaligned/", (char *)*state);
    write_list(path, *state, "a.png,0\nb.png,1\nc.png,2\nd.png,3\n");
    dataset *d = set_open(path, DATASET_EVALUATE);
    assert_ok(dataset_set_images(d, images, fallback));
    assert_ok(picture_reader_init(&r));
    const picture_source *source = dataset_pictures(d)->source;
    for (int i = 0; i < 3; i++) {
        char wanted[PATH_MAX + 8];
        snprintf(wanted, sizeof wanted, "%s/%s", images, names[i]);
        assert_name(d, i, names[i]);
        assert_ok(source->path(source, i, got, sizeof got));
        assert_string_equal(got, wanted);
    }
    assert_ok(source->read(source, 0, &r));
    assert_int_equal(r.decoded.width, 12);
    assert_ok(source->read(source, 1, &r));
    assert_int_equal(r.decoded.width, 20);
    assert_failure(source->read(source, 2, &r), MIEN_ERR_FORMAT, "images/c.png: "); /* broken, and not missing */
    assert_failure(source->read(source, 3, &r), MIEN_ERR_IO, "line 4: ");
    assert_non_null(strstr(mien_error(), "unaligned/d.png: cannot open"));
    picture_reader_clear(&r);
    dataset_free(d);
}

static void dataset_set_images__class_folders__refuse(void **state)
{
    static const int counts[6] = {1, 1, 1, 1, 1, 1};
    set_six(*state, counts);
    dataset *d = set_open(*state, DATASET_EVALUATE);
    assert_failure(dataset_set_images(d, "elsewhere", NULL), MIEN_ERR_ARG,
                   "class folders hold their pictures (wanted no folder of images)");
    assert_ok(dataset_set_images(d, NULL, NULL));
    dataset_free(d);
}

static void dataset_open__list_without_a_class__fails_training_only(void **state)
{
    char path[PATH_MAX];
    write_list(path, *state, "a.jpg,0\nb.jpg,1\nc.jpg,2\nd.jpg,3\ne.jpg,5\n");
    dataset *d = NULL;
    assert_failure(dataset_open(&d, path, six, 6, DATASET_TRAIN), MIEN_ERR_FORMAT, "no row of class sadness");
    d = set_open(path, DATASET_EVALUATE);
    dataset_free(d);
}

static void dataset_open__binary_file__is_refused(void **state)
{
    set_picture(*state, "face.png", 20, 20, 1);
    char path[PATH_MAX];
    set_path(path, *state, "face.png");
    dataset *d = NULL;
    assert_failure(dataset_open(&d, path, six, 6, DATASET_EVALUATE), MIEN_ERR_FORMAT, "face.png: line ");
}

static mien_status open_and_free(void *path)
{
    dataset *d = NULL;
    TRY(dataset_open(&d, path, six, 6, DATASET_EVALUATE));
    mien_status st = dataset_set_images(d, "images", "unaligned");
    dataset_free(d);
    return st;
}

static void dataset_open__memory_runs_out__fails_and_leaks_nothing(void **state)
{
    char path[PATH_MAX];
    write_list(path, *state, "path,label\n\"a \"\"b\"\".jpg\",0\nc.jpg,1\nd.jpg,neutral\n");
    fail_each_allocation(open_and_free, path);
}

static void list_add__without_reserve__grows(void **state)
{
    (void)state;
    label_list l = {0};
    for (int i = 0; i < 5000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "picture %d", i);
        assert_ok(list_add(&l, name, strlen(name), i % 7, i + 1));
    }
    assert_int_equal(l.count, 5000);
    for (int i = 0; i < 5000; i++) {
        char name[32];
        snprintf(name, sizeof(name), "picture %d", i);
        assert_string_equal(list_name(&l, i), name);
        assert_int_equal(l.label[i], i % 7);
        assert_int_equal(l.line[i], i + 1);
    }
    list_free(&l);
}

static int64_t peak_rss_kib(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

/* The challenge's training set (spec 1.1), planned to its balanced size: below a second and 100 MB. */
static void dataset_open__challenge_list__is_fast_and_small(void **state)
{
    static const int sizes[6] = {18286, 15150, 10923, 73285, 144631, 14976};
    static const char *const folders[6] = {"ANGRER", "DISGUST", "FEAR", "HAPPINESS", "SADNESS", "SURPRISE"};
    char path[PATH_MAX];
    set_path(path, *state, "train.csv");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int c = 0; c < 6; c++)
        for (int i = 0; i < sizes[c]; i++)
            fprintf(file, "training_set_synthetic_images/%s/%d.jpg,%d\n", folders[c], i, c);
    assert_int_equal(fclose(file), 0);
    int64_t rss_before = peak_rss_kib(), began = clock_ns();
    dataset *d = set_open(path, DATASET_TRAIN);
    subset all;
    epoch_plan plan;
    assert_ok(subset_all(&all, dataset_pictures(d)));
    assert_ok(epoch_plan_create(&plan, dataset_pictures(d), &all, true));
    double seconds = (double)(clock_ns() - began) * 1e-9;
    int64_t kib = peak_rss_kib() - rss_before;
    print_message("277,251 rows, 867,786 planned: %.3f s, %.1f MB\n", seconds, (double)kib / 1024);
    assert_int_equal(dataset_count(d), 277251);
    assert_int_equal(plan.total, 867786);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(seconds < 1.0);
    assert_true(kib < 100 * 1000 * 1000 / 1024);
#endif
    epoch_plan_free(&plan);
    subset_free(&all);
    dataset_free(d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_folder_setup, temp_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(dataset_open__challenge_list__is_fast_and_small), /* first: it watches the peak of memory */
        TEST(dataset_open__list__reads_what_people_write),
        TEST(dataset_open__list__paths_are_relative_to_it),
        TEST(dataset_open__bad_row__names_file_and_line),
        TEST(dataset_open__rows_of_no_class__left_out_with_one_notice),
        TEST(dataset_open__windows_paths__are_found),
        TEST(dataset_set_images__list__is_read_from_there),
        TEST(dataset_set_images__class_folders__refuse),
        TEST(dataset_open__list_without_a_class__fails_training_only),
        TEST(dataset_open__binary_file__is_refused),
        TEST(dataset_open__memory_runs_out__fails_and_leaks_nothing),
        TEST(list_add__without_reserve__grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
