/* Scores, thresholds and rows of the multi-task task, from passes whose outputs are written down. */
#include "task/mtl_kit.h"

#include "data/sets.h"

#include <math.h>

enum { PICTURES = 6 };

/* The first four have all labels of the challenge, the fifth an expression, the sixth poses; units are of picture 1 the
 * first, of picture 2 the first two. */
static const char labels[] =
    "image,valence,arousal,expression,AU01,AU02,AU04,AU06,AU07,AU10,AU12,AU15,AU23,AU24,AU25,AU26,yaw,pitch,roll\n"
    "\"a,b.png\",0.5,0.5,0,1,0,0,0,0,0,0,0,0,0,0,0,,,\n2.png,-0.5,-0.5,1,1,1,0,0,0,0,0,0,0,0,0,0,,,\n"
    "3.png,0.5,-0.5,1,0,0,0,0,0,0,0,0,0,0,0,0,10,0,\n4.png,-0.5,0.5,0,0,0,0,0,0,0,0,0,0,0,0,0,-10,0,\n"
    "5.png,,,7,,,,,,,,,,,,,,,\n6.png,,,,,,,,,,,,,,,,0,0,\n";

/* A pass over the set in its order, with an array of outputs for each head. */
typedef struct {
    recipe *r;
    task_set *set;
    int64_t numbers[PICTURES];
    bool is_read[PICTURES];
    float va[PICTURES][2], expression[PICTURES][EXPRESSION_COUNT], au[PICTURES][CHALLENGE_AU_COUNT], pose[PICTURES][3];
    model_head heads[4];
    task_pass pass;
} fixture;

static void fixture_create(fixture *f, const char *path, const char *heads)
{
    *f = (fixture){.r = MTL_RECIPE(heads)};
    f->set = mtl_open_one(path, f->r, false);
    f->pass = (task_pass){.set = f->set,
                          .heads = f->heads,
                          .head_count = f->r->head_count,
                          .count = f->set->pictures->source->count,
                          .pictures = f->numbers,
                          .is_read = f->is_read};
    for (int64_t i = 0; i < PICTURES; i++) {
        f->numbers[i] = i;
        f->is_read[i] = true;
    }
    for (int h = 0; h < f->r->head_count; h++) {
        const float *const outputs[MTL_HEADS] = {f->va[0], f->expression[0], f->au[0], [MTL_POSE] = f->pose[0]};
        f->heads[h] = f->r->heads[h];
        f->pass.outputs[h] = outputs[mtl_head_of(&f->heads[h])];
    }
}

static void fixture_free(fixture *f)
{
    task_mtl.close(f->set);
    recipe_free(f->r);
}

/* Valence is right and arousal half of it; the expression is right of all but picture 4, which is none of the set's;
 * the first unit is likely at 0.4 where it is there, the second everywhere. */
static void answer(fixture *f)
{
    static const float va[4][2] = {{0.5f, 0.25f}, {-0.5f, -0.25f}, {0.5f, -0.25f}, {-0.5f, 0.25f}};
    static const int expressions[PICTURES] = {0, 1, 1, 5, 7, 3};
    memcpy(f->va, va, sizeof va);
    for (int i = 0; i < PICTURES; i++) {
        f->expression[i][expressions[i]] = 1;
        f->au[i][0] = i < 2 ? 0.4f : 0.3f;
        f->au[i][1] = 0.9f;
    }
    f->pose[2][0] = 5;
    f->pose[3][0] = -5;
}

static int enter(void **state)
{
    const int rc = temp_folder_enter(state);
    set_text(".", "labels.csv", labels);
    return rc;
}

static double item_of(const task_report *r, const char *name)
{
    for (int i = 0; i < r->item_count; i++)
        if (strcmp(r->items[i].name, name) == 0)
            return r->items[i].value;
    fail_msg("no %s", name);
    return 0;
}

static bool has_item(const task_report *r, const char *name)
{
    for (int i = 0; i < r->item_count; i++)
        if (strcmp(r->items[i].name, name) == 0)
            return true;
    return false;
}

static bool is_near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

static task_report score(const fixture *f)
{
    task_report r;
    assert_ok(task_mtl.score(&r, &f->pass));
    return r;
}

/* --- scores ------------------------------------------------------------------------------------------------------- */

static void mtl_score__all_tasks__sum_to_p_mtl(void **state)
{
    (void)state;
    fixture f;
    fixture_create(&f, "labels.csv", "mtl.heads=[va, expression, au, pose]");
    answer(&f);
    task_report r = score(&f);
    assert_int_equal(r.count, PICTURES);
    assert_true(is_near(item_of(&r, "ccc_v"), 1) && is_near(item_of(&r, "ccc_a"), 0.8));
    assert_true(is_near(item_of(&r, "p_va"), 0.9));
    /* neutral: one right, one taken for sadness; sadness: never there, once said */
    assert_true(is_near(item_of(&r, "f1_expr.neutral"), 2.0 / 3) && item_of(&r, "f1_expr.sadness") == 0);
    assert_true(is_near(item_of(&r, "p_expr"), (2.0 / 3 + 1 + 1) / 8));
    assert_true(is_near(item_of(&r, "accuracy"), 0.8) && is_near(item_of(&r, "macro_f1"), (2.0 / 3 + 1 + 1) / 3));
    /* 0.4 is no yes; the second is there once in four */
    assert_true(item_of(&r, "f1_au.AU01") == 0 && is_near(item_of(&r, "f1_au.AU02"), 0.4));
    assert_true(is_near(item_of(&r, "p_au"), 0.4 / 12));
    assert_true(item_of(&r, "auc_au.AU01") == 1 && item_of(&r, "auc_au.AU02") == 0.5);
    assert_true(isnan(item_of(&r, "auc_au.AU26")));
    assert_true(is_near(item_of(&r, "p_mtl"), item_of(&r, "p_va") + item_of(&r, "p_expr") + item_of(&r, "p_au")));
    assert_true(task_report_find(&r, "p_mtl")->value == item_of(&r, "p_mtl"));
    assert_true(item_of(&r, "n_va") == 4 && item_of(&r, "n_expr") == 5 && item_of(&r, "n_au") == 4);
    /* yaw 10, -10, 0 said as half of it; pitch is always right, and of a constant there is no CCC */
    assert_true(is_near(item_of(&r, "ccc_pose.yaw"), 0.8) && item_of(&r, "ccc_pose.pitch") == 0);
    assert_true(isnan(item_of(&r, "ccc_pose.roll")) && is_near(item_of(&r, "mae_pose.yaw"), 10.0 / 3));
    assert_true(is_near(item_of(&r, "p_pose"), 0.4) && is_near(task_report_find(&r, "p_pose")->value, 0.4));
    const int last = r.items[r.columns[r.column_count - 1].item].name[0];
    assert_int_equal(last, 'p');
    task_report_clear(&r);

    /* what could not be read is no row of any task */
    f.is_read[3] = f.is_read[5] = false;
    r = score(&f);
    assert_int_equal(r.count, PICTURES - 2);
    assert_true(item_of(&r, "n_va") == 3 && item_of(&r, "n_expr") == 4 && item_of(&r, "n_au") == 3);
    assert_true(item_of(&r, "accuracy") == 1);
    task_report_clear(&r);

    /* thresholds of a head are those of its decisions */
    static const float thresholds[CHALLENGE_AU_COUNT] = {0.35f, 0.95f};
    f.heads[2].thresholds = thresholds;
    r = score(&f);
    assert_true(item_of(&r, "f1_au.AU01") == 1 && item_of(&r, "f1_au.AU02") == 0);
    task_report_clear(&r);
    fixture_free(&f);
}

static void mtl_score__heads_or_labels_that_lack__are_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *path, *heads, *there, *not_there;
    } cases[] = {
        {"labels.csv", "mtl.heads=[va]", "p_va", "p_expr"},
        {"labels.csv", "mtl.heads=[va, au]", "p_au", "p_mtl"},
        {"labels.csv", "mtl.heads=[expression]", "p_expr", "p_va"},
        {"classes.csv", "mtl.heads=[va, expression, au, pose]", "p_expr", "p_au"},
        {"classes.csv", "mtl.heads=[va, expression, au]", "f1_expr.other", "f1_au.AU01"},
        {"poses.csv", "mtl.heads=[va, expression, au, pose]", "p_pose", "p_va"},
    };
    set_text(".", "classes.csv", "path,label\n1,neutral\n2,anger\n3,anger\n4,neutral\n5,other\n");
    set_text(".", "poses.csv", "image,yaw,pitch,roll\n1,0,0,0\n2,1,2,3\n3,5,6,7\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture f;
        double sum = 0;
        fixture_create(&f, cases[i].path, cases[i].heads);
        answer(&f);
        task_report r = score(&f);
        assert_true(has_item(&r, cases[i].there));
        assert_false(has_item(&r, cases[i].not_there) || has_item(&r, "p_mtl"));
        /* what trainings may go by all the same: the sum over what is known */
        for (int s = 0; s < r.score_count; s++)
            sum += strcmp(r.scores[s].name, "p_mtl") != 0 && strcmp(r.scores[s].name, "p_pose") != 0 ? r.scores[s].value
                                                                                                     : 0;
        const task_score *whole = task_report_find(&r, "p_mtl");
        assert_true(whole ? is_near(whole->value, sum) : sum == 0);
        for (int c = 0; c < r.column_count; c++)
            assert_true(r.columns[c].item >= 0 && r.columns[c].item < r.item_count);
        task_report_clear(&r);
        fixture_free(&f);
    }
    fixture f;
    fixture_create(&f, "labels.csv", "mtl.heads=[va]");
    memset(f.is_read, 0, 4 * sizeof f.is_read[0]);
    task_report r;
    assert_failure(task_mtl.score(&r, &f.pass), MIEN_ERR_FORMAT, "labels.csv: no label of what the model says");
    fixture_free(&f);
}

static void mtl_score__metrics_of_files__are_lists_with_null(void **state)
{
    (void)state;
    fixture f;
    fixture_create(&f, "labels.csv", "mtl.heads=[va, expression, au]");
    answer(&f);
    task_report r = score(&f);
    json_t *m = task_mtl.metrics(&r);
    assert_int_equal(json_array_size(json_object_get(m, "f1_expr")), EXPRESSION_COUNT);
    assert_int_equal(json_array_size(json_object_get(m, "f1_au")), CHALLENGE_AU_COUNT);
    assert_int_equal(json_array_size(json_object_get(m, "auc_au")), CHALLENGE_AU_COUNT);
    assert_true(json_is_null(json_array_get(json_object_get(m, "auc_au"), CHALLENGE_AU_COUNT - 1)));
    assert_true(json_real_value(json_object_get(m, "p_mtl")) == item_of(&r, "p_mtl"));
    assert_int_equal(json_integer_value(json_object_get(m, "n")), PICTURES);
    json_decref(m);
    task_report_clear(&r);
    fixture_free(&f);
}

/* --- thresholds --------------------------------------------------------------------------------------------------- */

static model *make_model(const recipe *r)
{
    model *m;
    const task_values values = recipe_values(r, 0);
    model_spec spec = {.task = "mtl",
                       .arch = "efficientnet_b0",
                       .heads = r->heads,
                       .head_count = r->head_count,
                       .image_size = 32,
                       .std = {1, 1, 1}};
    assert_ok(task_mtl.specify(&spec, &values));
    assert_ok(model_create(&m, &spec));
    assert_ok(model_init(m, 1, false));
    return m;
}

/* Found on the pass, kept in the model, and there again in its file; `half` keeps none. */
static void mtl_thresholds__held_out__are_in_the_model_s_file(void **state)
{
    (void)state;
    fixture f;
    fixture_create(&f, "labels.csv", "mtl={thresholds: held_out, kind: baseline}");
    answer(&f);
    f.au[5][0] = 0.5f; /* a picture whose units nobody knows */
    model *m = make_model(f.r), *back;
    const task_values values = recipe_values(f.r, 0);
    assert_null(model_spec_of(m)->heads[2].thresholds);
    assert_ok(task_mtl.keep(m, &f.pass, &values));
    assert_ok(model_save(m, "kept.safetensors", NULL));
    assert_ok(model_load(&back, "kept.safetensors"));
    const float *thresholds = model_spec_of(back)->heads[2].thresholds;
    assert_non_null(thresholds);
    assert_memory_equal(thresholds, model_spec_of(m)->heads[2].thresholds, CHALLENGE_AU_COUNT * sizeof *thresholds);
    assert_true(fabsf(thresholds[0] - 0.35f) < 1e-6f); /* midway between yes and no */
    assert_true(thresholds[1] < 0.9f);                 /* all are alike: saying yes to all is best */
    for (int k = 2; k < CHALLENGE_AU_COUNT; k++)
        assert_true(thresholds[k] == 0.5f); /* none is active */
    assert_null(model_spec_of(back)->heads[1].thresholds);
    model_free(back);

    /* they are what the model's heads are scored by */
    f.heads[2].thresholds = model_spec_of(m)->heads[2].thresholds;
    task_report r = score(&f);
    assert_true(item_of(&r, "f1_au.AU01") == 1);
    task_report_clear(&r);
    model_free(m);
    fixture_free(&f);

    fixture_create(&f, "labels.csv", "mtl={thresholds: half, kind: baseline}");
    answer(&f);
    m = make_model(f.r);
    const task_values half = recipe_values(f.r, 0);
    assert_ok(task_mtl.keep(m, &f.pass, &half));
    assert_null(model_spec_of(m)->heads[2].thresholds);
    model_free(m);
    fixture_free(&f);
}

/* A set without units, and a model without their head. */
static void mtl_thresholds__where_there_is_nothing_to_go_by__are_half(void **state)
{
    (void)state;
    fixture f;
    set_text(".", "classes.csv", "path,label\n1,neutral\n2,anger\n");
    fixture_create(&f, "classes.csv", "mtl={thresholds: held_out, kind: baseline}");
    answer(&f);
    model *m = make_model(f.r);
    const task_values values = recipe_values(f.r, 0);
    assert_ok(task_mtl.keep(m, &f.pass, &values));
    const float *thresholds = model_spec_of(m)->heads[2].thresholds;
    for (int k = 0; thresholds && k < CHALLENGE_AU_COUNT; k++)
        assert_true(thresholds[k] == 0.5f);
    model_free(m);
    fixture_free(&f);
    fixture_create(&f, "labels.csv", "mtl={thresholds: held_out, kind: baseline, heads: [va]}");
    m = make_model(f.r);
    const task_values without = recipe_values(f.r, 0);
    assert_ok(task_mtl.keep(m, &f.pass, &without));
    model_free(m);
    fixture_free(&f);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static void mtl_validation__truths_stand_before_outputs(void **state)
{
    (void)state;
    fixture f;
    str text = {0};
    fixture_create(&f, "labels.csv", "mtl.heads=[va, expression, pose]");
    f.va[0][0] = 0.25f;
    f.va[0][1] = -1.5f;
    f.expression[0][0] = 0.75f;
    f.expression[0][7] = 0.25f;
    f.pose[2][0] = 12.5f;
    memset(f.is_read, 0, sizeof f.is_read);
    f.is_read[0] = f.is_read[2] = f.is_read[4] = true;
    assert_ok(task_mtl.write_validation(&text, &f.pass));
    assert_string_equal(
        text.text,
        "image,valence_truth,arousal_truth,expression_truth,yaw_truth,pitch_truth,roll_truth,valence,arousal,neutral,"
        "anger,disgust,fear,happiness,sadness,surprise,other,yaw,pitch,roll\n"
        "\"a,b.png\",0.5,0.5,neutral,,,,0.250000,-1.500000,0.750000,0.000000,0.000000,0.000000,0.000000,0.000000,"
        "0.000000,0.250000,0.000000,0.000000,0.000000\n"
        "3.png,0.5,-0.5,anger,10,0,,0.000000,0.000000,0.000000,0.000000,0.000000,0.000000,0.000000,0.000000,0.000000,"
        "0.000000,12.500000,0.000000,0.000000\n"
        "5.png,,,other,,,,0.000000,0.000000,0.000000,0.000000,0.000000,0.000000,0.000000,0.000000,0.000000,0.000000,"
        "0.000000,0.000000,0.000000\n");
    str_free(&text);
    fixture_free(&f);
}

static mien_status score_and_clear(void *context)
{
    task_report r;
    TRY(task_mtl.score(&r, &((fixture *)context)->pass));
    task_report_clear(&r);
    return MIEN_OK;
}

static void mtl_score__memory_runs_out__fails_and_leaks_nothing(void **state)
{
    (void)state;
    fixture f;
    fixture_create(&f, "labels.csv", "mtl.heads=[va, expression, au, pose]");
    answer(&f);
    fail_each_allocation(score_and_clear, &f);
    fixture_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mtl_score__all_tasks__sum_to_p_mtl),
        cmocka_unit_test(mtl_score__heads_or_labels_that_lack__are_left_out),
        cmocka_unit_test(mtl_score__metrics_of_files__are_lists_with_null),
        cmocka_unit_test(mtl_thresholds__held_out__are_in_the_model_s_file),
        cmocka_unit_test(mtl_thresholds__where_there_is_nothing_to_go_by__are_half),
        cmocka_unit_test(mtl_validation__truths_stand_before_outputs),
        cmocka_unit_test(mtl_score__memory_runs_out__fails_and_leaks_nothing),
    };
    return cmocka_run_group_tests_name("mtl_scores", tests, enter, temp_folder_leave);
}
