/* Sets of the multi-task task: whatever labels come in, each picture has its own name, file and labels, and whoever
 * draws it learns what it knows alone. */
#include "task/mtl_kit.h"

#include "base/hash.h"
#include "data/sets.h"

#define FIELDS "AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26"

/* Of four pictures one has everything, one an expression, one valence and arousal, one action units but the last. */
#define ROWS                                                                                                           \
    "v/1.png,0.5,-0.25,4," ZEROS "v/2.png," NO_VA "1," NO_AU "v/3.png,-1,1,-1," NO_AU "v/4.png," NO_VA NO_EXPRESSION   \
    "1,0,0,0,0,0,0,0,0,0,0,-1\n"

static const char wide[] = "AU26,AU25,AU24,AU23,AU15,AU12,AU10,AU07,AU06,AU04,AU02,AU01,mood,expression,image,arousal,"
                           "valence\n0,0,0,0,0,0,0,0,0,0,0,0,well,happy,v/1.png,-0.25,0.5\n"
                           ",,,,,,,,,,,,,anger,v/2.png,,\n,,,,,,,,,,,,,,v/3.png,1,-1\n"
                           ",0,0,0,0,0,0,0,0,0,0,1,,,v/4.png,,\n";
static const char drawn[] = "image,identity,expression,intensity,valence,arousal,AU01,AU02,AU04,AU06,AU07,AU10,AU12,"
                            "AU15,AU23,AU24,AU25,AU26\nv/1.png,7,happiness,1,0.5,-0.25,0,0,0,0,0,0,0,0,0,0,0,0\n"
                            "v/2.png,7,anger,1,-5,-5,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1\n"
                            "v/3.png,8,-1,1,-1,1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1\n"
                            "v/4.png,8,-1,1,-5,-5,1,0,0,0,0,0,0,0,0,0,0,-1\n";

/* How many pictures a recipe's draws have, in their order. */
static void assert_drawn(const task_set *set, const recipe *r, const int *wanted, int wanted_count)
{
    task_draw draws[TASK_MAX_DRAWS];
    const task_values values = recipe_values(r, 0);
    const int count = task_mtl.draws(draws, &values, r->heads, r->head_count);
    assert_int_equal(count, wanted_count);
    for (int d = 0; d < count; d++) {
        int pictures = 0;
        for (int64_t i = 0; i < set->pictures->source->count; i++)
            pictures += draws[d].has(set, i);
        assert_int_equal(pictures, wanted[d]);
    }
}

static void assert_named(const task_set *set, int64_t picture, const char *wanted_name, const char *wanted_path)
{
    char text[PATH_MAX];
    const picture_source *source = set->pictures->source;
    assert_ok(source->name(source, picture, text, sizeof text));
    assert_string_equal(text, wanted_name);
    assert_ok(source->path(source, picture, text, sizeof text));
    assert_string_equal(text, wanted_path);
}

static void mtl_set__every_form__is_the_same_set(void **state)
{
    (void)state;
    static const struct {
        const char *path, *file, *text;
    } forms[] = {
        {"a/abaw.txt", "a/abaw.txt", HEADER ROWS},
        {"a/bare.txt", "a/bare.txt", ROWS},
        {"a/rewritten.csv", "a/rewritten.csv", "image_path,valence,arousal,expression," FIELDS "\n" ROWS},
        {"a/wide.csv", "a/wide.csv", wide},
        {"a", "a/labels.csv", drawn},
        {"a/labels.csv", "a/labels.csv", drawn},
    };
    recipe *all = MTL_RECIPE("seed=1"), *partial = MTL_RECIPE("mtl.au=partial"),
           *joint = MTL_RECIPE("mtl.sampler=joint");
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        set_text(".", forms[i].file, forms[i].text);
        task_set *set = mtl_open_one(forms[i].path, all, true);
        assert_int_equal(set->pictures->source->count, 4);
        assert_int_equal(set->pictures->group_count, 1);
        assert_string_equal(set->path, forms[i].path);
        assert_named(set, 1, "v/2.png", "a/v/2.png");
        assert_drawn(set, all, (const int[]){1, 2, 2}, 3);
        const annotations *known = &mtl_set_of(set)->known;
        assert_true(*annotation_values(known, ANNOTATION_EXPRESSION, 0) == EXPRESSION_HAPPINESS);
        assert_true(annotation_values(known, ANNOTATION_VA, 2)[1] == 1);
        task_mtl.close(set);
        set = mtl_open_one(forms[i].path, partial, true);
        assert_drawn(set, partial, (const int[]){2, 2, 2}, 3);
        task_mtl.close(set);
        set = mtl_open_one(forms[i].path, joint, true);
        assert_drawn(set, joint, (const int[]){3}, 1); /* the last has nothing that is learned of it */
        task_mtl.close(set);
    }
    recipe_free(all);
    recipe_free(partial);
    recipe_free(joint);
}

/* Folders and lists know expressions alone: a recipe of that head trains on them. */
static void mtl_set__expressions_alone__are_a_set(void **state)
{
    (void)state;
    recipe *r = MTL_RECIPE("mtl.heads=[expression]"), *all = MTL_RECIPE("seed=1");
    set_picture(".", "folders/Happy/1.png", 8, 8, 1);
    set_picture(".", "folders/anger/1.png", 8, 8, 1);
    set_picture(".", "folders/bored/1.png", 8, 8, 1);
    set_text(".", "list.csv", "path,label\nfolders/anger/1.png,anger\nfolders/Happy/1.png,4\n");
    for (int i = 0; i < 2; i++) {
        task_set *set = mtl_open_one(i ? "list.csv" : "folders", r, true);
        int64_t count = 0;
        assert_drawn(set, r, (const int[]){2}, 1);
        assert_named(set, 0, i ? "folders/anger/1.png" : "anger/1.png", "folders/anger/1.png");
        assert_int_equal(task_mtl.ignored_count(set), i ? 0 : 1);
        if (i == 0) {
            assert_string_equal(task_mtl.ignored(set, 0, &count), "bored");
            assert_int_equal(count, 1);
        }
        task_mtl.close(set);
        assert_failure(mtl_try_open(&set, NULL, &(task_source){.path = i ? "list.csv" : "folders"}, 1, all, true),
                       MIEN_ERR_FORMAT, "no picture with action units (head au)");
    }
    recipe_free(r);
    recipe_free(all);
}

/* Two people of both halves; only what lies beside what trains is handed over, and only if somebody asks. */
static void mtl_set__train_and_val__are_two_sets(void **state)
{
    (void)state;
    recipe *r = MTL_RECIPE("mtl.heads=[va]");
    task_set *set, *validation = NULL;
    set_text(".", "both/train/labels.csv", "image,valence,arousal\n1.png,0,0\n2.png,1,1\n");
    set_text(".", "both/val/labels.csv", "image,valence,arousal\n3.png,0,0\n");
    set_text(".", "more.csv", "image,valence,arousal\n4.png,0,0\n");
    const task_source sources[] = {{.path = "more.csv"}, {.path = "both"}};
    assert_ok(mtl_try_open(&set, &validation, sources, 2, r, true));
    assert_int_equal(set->pictures->source->count, 3);
    assert_named(set, 0, "4.png", "4.png");
    assert_named(set, 2, "2.png", "both/train/2.png");
    assert_non_null(validation);
    assert_int_equal(validation->pictures->source->count, 1);
    assert_named(validation, 0, "3.png", "both/val/3.png");
    task_mtl.close(set);
    task_mtl.close(validation);
    validation = NULL;
    assert_ok(mtl_try_open(&set, &validation, sources, 1, r, true));
    assert_null(validation);
    task_mtl.close(set);
    set = mtl_open_one("both", NULL, false); /* held against a model: the half that it did not train on */
    assert_named(set, 0, "3.png", "both/val/3.png");
    task_mtl.close(set);
    recipe_free(r);
}

/* Each source has its labels, its root and its fallback, whatever names they have in common. */
static void mtl_set__several_places__keep_their_own(void **state)
{
    (void)state;
    recipe *r = MTL_RECIPE("mtl.heads=[va, expression, au, pose]");
    set_text(".", "one/set.txt", HEADER "1.png,0,0,-1," ZEROS "2.png,0.5,0,-1," NO_AU);
    set_picture(".", "two/sad/1.png", 8, 8, 1);
    set_text(".", "three.csv", "file,yaw,pitch,roll\n1.png,5,,\n");
    const task_source sources[] = {
        {.path = "one/set.txt", .images = "elsewhere"}, {.path = "two"}, {.path = "three.csv", .images = "x/"}};
    task_set *set;
    assert_ok(mtl_try_open(&set, NULL, sources, 3, r, true));
    assert_int_equal(set->pictures->source->count, 4);
    assert_named(set, 1, "2.png", "elsewhere/2.png");
    assert_named(set, 2, "sad/1.png", "two/sad/1.png");
    assert_named(set, 3, "1.png", "x/1.png");
    assert_drawn(set, r, (const int[]){1, 1, 2}, 3);
    static const char known[4][ANNOTATION_KINDS + 1] = {"101000", "100000", "010000", "000001"};
    for (int64_t i = 0; i < 4; i++)
        for (int k = 0; k < ANNOTATION_KINDS; k++)
            assert_int_equal(mtl_has(mtl_set_of(set), (annotation_kind)k, i), known[i][k] == '1');
    task_mtl.close(set);
    recipe_free(r);
}

/* The held-out share is the end of each place; of a place that knows classes alone, of each class. */
static void mtl_set__a_share_is_held_out__of_every_place_and_class(void **state)
{
    (void)state;
    recipe *r = MTL_RECIPE("mtl.heads=[va, expression]");
    set_text(".", "clips.csv", "image,valence,arousal,expression\na,0,0,7\nb,0,0,\nc,0,0,1\nd,0,0,2\n");
    set_text(".", "classes.csv", "path,label\ne,neutral\nf,neutral\ng,anger\nh,anger\ni,neutral\nj,anger\n");
    const task_source sources[] = {{.path = "clips.csv"}, {.path = "classes.csv"}};
    task_set *set;
    subset kept, held;
    assert_ok(mtl_try_open(&set, NULL, sources, 2, r, true));
    assert_int_equal(set->pictures->group_count, 1 + EXPRESSION_COUNT);
    assert_string_equal(set->pictures->group_names[0], "clips.csv");
    assert_string_equal(set->pictures->group_names[2], "anger");
    assert_ok(subset_split(&kept, &held, set->pictures, 0.25));
    assert_int_equal(held.count, 3);
    assert_int_equal(held.index[0], 3);
    assert_int_equal(held.index[1], 8);
    assert_int_equal(held.index[2], 9);
    subset_free(&kept);
    subset_free(&held);
    task_mtl.close(set);
    recipe_free(r);
}

/* The width of the picture that is read: which file it was. */
static int read_width(const task_set *set, int64_t picture)
{
    picture_reader reader;
    const picture_source *source = set->pictures->source;
    assert_ok(picture_reader_init(&reader));
    mien_status st = source->read(source, picture, &reader);
    const int width = st == MIEN_OK ? reader.decoded.width : -1;
    picture_reader_clear(&reader);
    return width;
}

static void mtl_set__a_picture_that_cannot_be_read__comes_from_the_fallback(void **state)
{
    (void)state;
    set_text(".", "faces.csv", "path,label\nboth.png,0\nsecond.png,1\nbroken.png,2\nnowhere.png,3\n");
    set_picture(".", "first/both.png", 10, 10, 1);
    set_picture(".", "second/both.png", 20, 20, 1);
    set_picture(".", "second/second.png", 21, 21, 1);
    set_text(".", "first/broken.png", "no picture");
    set_picture(".", "second/broken.png", 22, 22, 1);
    task_source source = {.path = "faces.csv", .images = "first", .fallback = "second/"};
    task_set *set;
    assert_ok(mtl_try_open(&set, NULL, &source, 1, NULL, false));
    assert_int_equal(read_width(set, 0), 10);
    assert_int_equal(read_width(set, 1), 21);
    assert_int_equal(read_width(set, 2), 22);
    assert_int_equal(read_width(set, 3), -1);
    assert_non_null(strstr(mien_error(), "second/nowhere.png"));
    task_mtl.close(set);
    source.fallback = NULL;
    assert_ok(mtl_try_open(&set, NULL, &source, 1, NULL, false));
    assert_int_equal(read_width(set, 0), 10);
    assert_int_equal(read_width(set, 1), -1);
    assert_non_null(strstr(mien_error(), "first/second.png"));
    assert_int_equal(read_width(set, 2), -1);
    task_mtl.close(set);
}

/* What trains must teach every head; what is held against a model, some. */
static void mtl_set__labels_that_are_not_there__are_told(void **state)
{
    (void)state;
    recipe *r = MTL_RECIPE("mtl.heads=[va, pose]"), *joint = MTL_RECIPE("mtl.sampler=joint");
    task_set *set = (task_set *)1;
    const task_source va = {.path = "va.csv"}, faces = {.path = "expression.csv"}, half = {.path = "half.csv"};
    set_text(".", "va.csv", "image,valence,arousal\n1.png,0,0\n");
    set_text(".", "expression.csv", "path,label\n1.png,0\n");
    set_text(".", "half.csv", HEADER "1.png,0,-5,1,0,0,0,0,0,0,0,0,0,0,0,-1\n2.png,0.5,-5,1," NO_AU);
    assert_failure(mtl_try_open(&set, NULL, &va, 1, r, true), MIEN_ERR_FORMAT,
                   "va.csv: no picture with head pose (head pose)");
    assert_failure(mtl_try_open(&set, NULL, &faces, 1, r, false), MIEN_ERR_FORMAT, "expression.csv: no picture with");
    /* valence alone and eleven units teach nothing, however a step draws */
    assert_failure(mtl_try_open(&set, NULL, &half, 1, joint, true), MIEN_ERR_FORMAT, "half.csv: no picture with");
    const model_head gaze = {.name = "gaze", .kind = HEAD_REGRESSION, .size = 2};
    assert_failure(
        task_mtl.open(&set, NULL,
                      &(task_set_options){.sources = &va, .source_count = 1, .heads = &gaze, .head_count = 1}),
        MIEN_ERR_FORMAT, "va.csv: head gaze of 2 outputs is none of task mtl");
    assert_ptr_equal(set, (void *)1);
    set = mtl_open_one("va.csv", r, false);
    task_mtl.close(set);
    recipe_free(r);
    recipe_free(joint);
}

/* --- what runs go by ---------------------------------------------------------------------------------------------- */

static uint64_t fingerprint_of(const char *row)
{
    str text = {0};
    assert_ok(str_printf(
        &text,
        "image,valence,arousal,expression,AU01,AU26,AU12_i,jawOpen,yaw,pitch\n1.png,%s\n2.png,0,0,0,0,0,0,0,0,0\n",
        row));
    set_text(".", "print.csv", text.text);
    str_free(&text);
    task_set *set = mtl_open_one("print.csv", NULL, false);
    const uint64_t print = task_mtl.fingerprint(set, 0);
    assert_true(print == task_mtl.fingerprint(set, 0));
    task_mtl.close(set);
    return print;
}

static void mtl_set__any_other_label__is_another_fingerprint(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "0,0,0,0,0,0,0,0,0",    "0.000001,0,0,0,0,0,0,0,0", "0,0.000001,0,0,0,0,0,0,0", "0,0,1,0,0,0,0,0,0",
        "0,0,0,1,0,0,0,0,0",    "0,0,0,0,1,0,0,0,0",        "0,0,0,0,0,0.001,0,0,0",    "0,0,0,0,0,0,0.001,0,0",
        "0,0,0,0,0,0,0,0.01,0", "0,0,0,0,0,0,0,0,0.01",     "-5,0,0,0,0,0,0,0,0",       "0,-5,0,0,0,0,0,0,0",
        "0,0,-1,0,0,0,0,0,0",   "0,0,0,-1,0,0,0,0,0",       "0,0,0,0,-1,0,0,0,0",       "0,0,0,0,0,-1,0,0,0",
        "0,0,0,0,0,0,-1,0,0",   "0,0,0,0,0,0,0,,0",         "0,0,0,0,0,0,0,0,",         "-5,-5,-1,-1,-1,-1,-1,,",
    };
    enum { COUNT = sizeof rows / sizeof rows[0] };
    uint64_t prints[COUNT];
    for (int i = 0; i < COUNT; i++) {
        prints[i] = fingerprint_of(rows[i]);
        for (int k = 0; k < i; k++)
            if (prints[k] == prints[i])
                fail_msg("\"%s\" and \"%s\" have one fingerprint", rows[k], rows[i]);
    }
    assert_true(fingerprint_of(rows[0]) == prints[0]);
}

/* Runs of builds that knew no gaze go on: where a picture has none, nothing of it is in the print. */
static void mtl_set__a_kind_that_came_later__changes_no_fingerprint(void **state)
{
    (void)state;
    set_text(".", "before.csv", "image,valence,arousal\n1.png,0.5,-0.25\n");
    set_text(".", "after.csv",
             "image,valence,arousal,gaze_left_yaw,gaze_left_pitch,gaze_right_yaw,gaze_right_pitch\n1.png,0.5,-0.25,1,2,"
             "3,4\n");
    task_set *before = mtl_open_one("before.csv", NULL, false), *after = mtl_open_one("after.csv", NULL, false);
    static const float values[] = {0.5f, -0.25f};
    uint64_t wanted = hash_mix(HASH_BEGIN, annotation_all(ANNOTATION_VA));
    for (int i = 0; i < 2; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        wanted = hash_mix(wanted, bits);
    }
    for (int k = ANNOTATION_VA + 1; k <= ANNOTATION_POSE; k++)
        wanted = hash_mix(wanted, 0);
    assert_true(task_mtl.fingerprint(before, 0) == wanted);
    assert_true(task_mtl.fingerprint(after, 0) != wanted);
    task_mtl.close(before);
    task_mtl.close(after);
}

static epoch_plan plan_all(subset *all, const task_set *set)
{
    epoch_plan plan;
    assert_ok(subset_all(all, set->pictures));
    assert_ok(epoch_plan_create(&plan, set->pictures, all, false));
    return plan;
}

/* What is counted is what is learned: an expression of a picture whose units are not all known, but not the units. */
static void mtl_set__labels__are_counted_and_what_lacks_is_told(void **state)
{
    (void)state;
    set_text(".", "count.txt",
             HEADER "1.png,0,0,4,1,0,0,0,0,0,0,0,0,0,0,0\n2.png," NO_VA "4,0,1,0,0,0,0,0,0,0,0,0,-1\n"
                    "3.png,0,-5,7,1,0,0,0,0,0,0,0,0,0,0,1\n");
    recipe *r = MTL_RECIPE("seed=1");
    task_set *set = mtl_open_one("count.txt", r, true);
    subset all;
    epoch_plan plan = plan_all(&all, set);
    json_t *account = task_mtl.account(set, &plan), *wanted = NULL;
    char *got;
    const char text[] =
        "{\"labels\":{\"va\":1,\"expression\":3,\"au\":2},\"expressions\":{\"neutral\":0,\"anger\":0,"
        "\"disgust\":0,\"fear\":0,\"happiness\":2,\"sadness\":0,\"surprise\":0,\"other\":1},\"active\":{"
        "\"AU01\":2,\"AU02\":0,\"AU04\":0,\"AU06\":0,\"AU07\":0,\"AU10\":0,\"AU12\":0,\"AU15\":0,"
        "\"AU23\":0,\"AU24\":0,\"AU25\":0,\"AU26\":1}}";
    assert_ok(json_parse(&wanted, text, strlen(text), "wanted"));
    assert_ok(json_print(&got, account));
    if (!json_equal(account, wanted))
        fail_msg("%s", got);
    set_log log = {0};
    mien_set_log(set_log_line, &log);
    assert_ok(task_mtl.tell_missing(set, &plan));
    mien_set_log(NULL, NULL);
    assert_int_equal(log.count, 2);
    assert_non_null(strstr(log.text, "count.txt: no picture of neutral, anger, disgust, fear, sadness or surprise:"));
    assert_non_null(strstr(log.text, "count.txt: no picture of AU02, AU04, AU06, AU07, AU10, AU12, AU15, AU23, AU24 or "
                                     "AU25:"));
    mem_free(got);
    json_decref(account);
    json_decref(wanted);
    epoch_plan_free(&plan);
    subset_free(&all);
    task_mtl.close(set);
    recipe_free(r);
}

static mien_status open_and_close(void *context)
{
    const task_source sources[] = {{.path = "both", .images = "a", .fallback = "b"}, {.path = "half.csv"}};
    task_set *set, *validation = NULL;
    TRY(mtl_try_open(&set, &validation, sources, 2, context, true));
    task_mtl.close(set);
    task_mtl.close(validation);
    return MIEN_OK;
}

static void mtl_set__memory_runs_out__fails_and_leaks_nothing(void **state)
{
    (void)state;
    recipe *r = MTL_RECIPE("mtl.heads=[va, expression]");
    set_text(".", "both/train/labels.csv", "image,valence,arousal\n1.png,0,0\n");
    set_text(".", "both/val/labels.csv", "image,valence,arousal\n3.png,0,0\n");
    set_text(".", "half.csv", "path,label\n1.png,0\n");
    fail_each_allocation(open_and_close, r);
    recipe_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mtl_set__every_form__is_the_same_set),
        cmocka_unit_test(mtl_set__expressions_alone__are_a_set),
        cmocka_unit_test(mtl_set__train_and_val__are_two_sets),
        cmocka_unit_test(mtl_set__several_places__keep_their_own),
        cmocka_unit_test(mtl_set__a_share_is_held_out__of_every_place_and_class),
        cmocka_unit_test(mtl_set__a_picture_that_cannot_be_read__comes_from_the_fallback),
        cmocka_unit_test(mtl_set__labels_that_are_not_there__are_told),
        cmocka_unit_test(mtl_set__any_other_label__is_another_fingerprint),
        cmocka_unit_test(mtl_set__a_kind_that_came_later__changes_no_fingerprint),
        cmocka_unit_test(mtl_set__labels__are_counted_and_what_lacks_is_told),
        cmocka_unit_test(mtl_set__memory_runs_out__fails_and_leaks_nothing),
    };
    return cmocka_run_group_tests_name("mtl_set", tests, temp_folder_enter, temp_folder_leave);
}
