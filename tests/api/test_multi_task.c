/* Models of several heads, alone and beside models of another task, as their callers see them: what columns are called,
 * what is decided, and that each task's part of a row is what its models say alone. */
#include "mien.h"

#include "format/face_labels.h"
#include "infer/saved_model.h"
#include "testing.h"

#include "image/image.h"

enum { SIZE = 32, PICTURES = 3, MTL = 2 + 1 + EXPRESSION_COUNT + 2 * CHALLENGE_AU_COUNT, LSD = 1 + SAVED_CLASSES };
enum { EXPRESSION = 2, UNITS = EXPRESSION + 1 + EXPRESSION_COUNT, DECISIONS = UNITS + CHALLENGE_AU_COUNT };

static uint8_t pictures[PICTURES * SIZE * SIZE * 3];

static int enter(void **state)
{
    if (temp_folder_enter(state) != 0)
        return 1;
    save_model("lsd.safetensors", SIZE, 1);
    save_model("other.safetensors", 40, 2);
    save_multi_task("mtl.safetensors", SIZE, NULL, false, 3);
    save_multi_task("pose.safetensors", SIZE, NULL, true, 4);
    draw_noise(pictures, PICTURES, SIZE);
    return 0;
}

static mien_model *open_models(const char *const *paths, int count)
{
    mien_model *m = NULL;
    mien_compute compute;
    mien_compute_init(&compute);
    compute.precision = MIEN_PRECISION_F32;
    compute.threads = 2;
    assert_ok(mien_model_open(&m, paths, count, &compute));
    return m;
}

static mien_session *open_session(mien_model *m)
{
    mien_session *s = NULL;
    mien_session_options o;
    mien_session_options_init(&o);
    o.threads = 1;
    assert_ok(mien_session_open(&s, m, &o));
    return s;
}

/* rows [PICTURES, columns] of what these models say together */
static void ask(float *rows, const char *const *paths, int count, int columns)
{
    mien_model *m = open_models(paths, count);
    mien_session *s = open_session(m);
    assert_int_equal(mien_session_column_count(s), columns);
    assert_ok(mien_predict_rgb(rows, (size_t)(PICTURES * columns), s, pictures, PICTURES, SIZE, SIZE));
    mien_session_free(s);
    mien_model_free(m);
}

/* --- columns ------------------------------------------------------------------------------------------------------ */

/* The names of all columns, each behind a comma. */
static void list_columns(char *dst, size_t bytes, const mien_model *m)
{
    size_t length = 0;
    for (int i = 0; i < mien_model_column_count(m); i++)
        length += (size_t)snprintf(dst + length, bytes - length, ",%s", mien_model_column(m, i)->name);
    assert_true(length < bytes);
}

static const char mtl_columns[] =
    ",valence,arousal,expression,neutral,anger,disgust,fear,happiness,sadness,surprise,other,"
    "AU01,AU02,AU04,AU06,AU07,AU10,AU12,AU15,AU23,AU24,AU25,AU26,AU01_c,AU02_c,AU04_c,"
    "AU06_c,AU07_c,AU10_c,AU12_c,AU15_c,AU23_c,AU24_c,AU25_c,AU26_c";

static void columns__of_several_heads__are_those_of_each(void **state)
{
    (void)state;
    const char *const paths[] = {"mtl.safetensors"};
    char names[1024];
    mien_model *m = open_models(paths, 1);
    assert_string_equal(mien_model_task(m), "mtl");
    list_columns(names, sizeof names, m);
    assert_string_equal(names, mtl_columns);
    const struct {
        int place;
        const char *head;
        mien_column_kind kind;
        int labels;
    } cases[] = {{0, "va", MIEN_COLUMN_VALUE, 0},
                 {EXPRESSION, "expression", MIEN_COLUMN_CLASS, EXPRESSION_COUNT},
                 {EXPRESSION + 1, "expression", MIEN_COLUMN_PROBABILITY, 0},
                 {UNITS, "au", MIEN_COLUMN_PROBABILITY, 0},
                 {DECISIONS, "au", MIEN_COLUMN_DECISION, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const mien_column *column = mien_model_column(m, cases[i].place);
        assert_string_equal(column->head, cases[i].head);
        assert_int_equal(column->kind, cases[i].kind);
        assert_int_equal(column->label_count, cases[i].labels);
    }
    mien_model_free(m);
}

static void columns__of_further_heads__stand_behind(void **state)
{
    (void)state;
    const char *const paths[] = {"pose.safetensors"}, *const lacking[] = {"mtl.safetensors"}, *const wanted[] = {"yaw"};
    char names[1024];
    mien_session *s = NULL;
    mien_session_options o;
    mien_model *m = open_models(paths, 1), *other = open_models(lacking, 1);
    list_columns(names, sizeof names, m);
    assert_memory_equal(names, mtl_columns, sizeof mtl_columns - 1);
    assert_string_equal(names + sizeof mtl_columns - 1, ",yaw,pitch,roll");
    mien_session_options_init(&o);
    o.columns = wanted;
    o.column_count = 1;
    assert_failure(mien_session_open(&s, other, &o), MIEN_ERR_ARG,
                   "column yaw: this model has none (wanted of valence,");
    assert_ok(mien_session_open(&s, m, &o));
    assert_string_equal(mien_session_column(s, 0)->head, "pose");
    mien_session_free(s);
    mien_model_free(m);
    mien_model_free(other);
}

static void members__of_other_heads__are_refused(void **state)
{
    (void)state;
    mien_model *m = NULL;
    const char *const paths[] = {"mtl.safetensors", "pose.safetensors"};
    assert_failure(mien_model_open(&m, paths, 2, NULL), MIEN_ERR_FORMAT,
                   "pose.safetensors: classes differ from those of mtl.safetensors");
    assert_null(m);
}

/* --- decisions ---------------------------------------------------------------------------------------------------- */

/* How many of the decisions in a row are yes; each is what its probability and threshold say. */
static int count_decided(const float *row, const float *thresholds)
{
    int count = 0;
    for (int k = 0; k < CHALLENGE_AU_COUNT; k++) {
        const bool is_yes = row[UNITS + k] > (thresholds ? thresholds[k] : 0.5f);
        assert_true(row[UNITS + k] >= 0 && row[UNITS + k] <= 1);
        assert_true(row[DECISIONS + k] == (is_yes ? 1.0f : 0.0f));
        count += is_yes;
    }
    return count;
}

static void decisions__are_yes_above_a_half(void **state)
{
    (void)state;
    const char *const paths[] = {"mtl.safetensors"};
    float rows[PICTURES][MTL];
    int yes = 0;
    ask(rows[0], paths, 1, MTL);
    for (int i = 0; i < PICTURES; i++) {
        const float *p = rows[i] + EXPRESSION + 1;
        const int best = (int)rows[i][EXPRESSION];
        for (int c = 0; c < EXPRESSION_COUNT; c++)
            assert_true(p[best] >= p[c]);
        yes += count_decided(rows[i], NULL);
    }
    assert_in_range(yes, 1, PICTURES * CHALLENGE_AU_COUNT - 1); /* both happen */
    assert_true(memcmp(rows[0], rows[1], sizeof rows[0]) != 0);
}

/* A model decides by its own thresholds; several by the mean of theirs, 0.5 where one has none. */
static void decisions__go_by_thresholds(void **state)
{
    (void)state;
    enum { MODELS = 3 };
    static const float low[CHALLENGE_AU_COUNT] = {0.25f, 0.1f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.75f},
                       high[CHALLENGE_AU_COUNT] = {0.75f, 0.3f, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0.75f};
    const char *const paths[MODELS] = {"low.safetensors", "high.safetensors", "mtl.safetensors"};
    float rows[PICTURES][MTL], mean[CHALLENGE_AU_COUNT];
    save_multi_task(paths[0], SIZE, low, false, 3);
    save_multi_task(paths[1], SIZE, high, false, 5);
    ask(rows[0], paths, 1, MTL);
    for (int i = 0; i < PICTURES; i++)
        assert_true(count_decided(rows[i], low) > 0);
    ask(rows[0], paths + 1, 1, MTL);
    for (int i = 0; i < PICTURES; i++)
        assert_in_range(count_decided(rows[i], high), 0, 3); /* nothing is above 1 */
    ask(rows[0], paths, MODELS, MTL);
    for (int k = 0; k < CHALLENGE_AU_COUNT; k++)
        mean[k] = (float)(((double)low[k] + (double)high[k] + 0.5) / 3);
    for (int i = 0; i < PICTURES; i++)
        count_decided(rows[i], mean);
}

/* --- two tasks ---------------------------------------------------------------------------------------------------- */

static void tasks__together__have_columns_of_their_own(void **state)
{
    (void)state;
    char names[1024];
    for (int turned = 0; turned < 2; turned++) { /* however they are named, the default task stands behind */
        const char *const paths[] = {turned ? "lsd.safetensors" : "mtl.safetensors",
                                     turned ? "mtl.safetensors" : "lsd.safetensors"};
        mien_model *m = open_models(paths, 2);
        assert_string_equal(mien_model_task(m), "mtl");
        list_columns(names, sizeof names, m);
        assert_memory_equal(names, mtl_columns, sizeof mtl_columns - 1);
        assert_string_equal(names + sizeof mtl_columns - 1, ",lsd_expression,lsd_anger,lsd_fear,lsd_sadness");
        const mien_column *best = mien_model_column(m, MTL);
        assert_string_equal(best->head, "lsd_expression");
        assert_string_equal(mien_column_label(best, 2), "sadness");
        assert_string_equal(mien_model_column(m, MTL + 1)->head, "lsd_expression");
        mien_model_free(m);
    }
}

/* Two models of one task, one of another: each task's part is what its models say alone. */
static void tasks__together__answer_as_each_alone(void **state)
{
    (void)state;
    const char *const paths[] = {"lsd.safetensors", "mtl.safetensors", "other.safetensors"}, *const faces[] = {
                                                                                                 "lsd.safetensors",
                                                                                                 "other.safetensors"};
    float rows[PICTURES][MTL + LSD], mtl[PICTURES][MTL], lsd[PICTURES][LSD];
    ask(rows[0], paths, 3, MTL + LSD);
    ask(mtl[0], paths + 1, 1, MTL);
    ask(lsd[0], faces, 2, LSD);
    for (int i = 0; i < PICTURES; i++) {
        assert_memory_equal(rows[i], mtl[i], sizeof mtl[i]);
        assert_memory_equal(rows[i] + MTL, lsd[i], sizeof lsd[i]);
    }
}

typedef struct {
    int count, failures;
    float rows[2 * PICTURES][MTL + LSD];
} heard;

static int hear(void *payload, const mien_prediction *p)
{
    heard *h = payload;
    if (p->failure)
        h->failures++;
    else
        memcpy(h->rows[h->count++], p->row, sizeof h->rows[0]);
    return 0;
}

/* A list goes through both, batch by batch; what cannot be read has no row. */
static void tasks__together__answer_a_list(void **state)
{
    (void)state;
    const char *const paths[] = {"mtl.safetensors", "lsd.safetensors"};
    const char *const inputs[] = {"0.png", "1.png", "nowhere.png", "2.png", "0.png"};
    float rows[PICTURES][MTL + LSD];
    heard h = {0};
    mien_session *s = NULL;
    mien_session_options o;
    for (int i = 0; i < PICTURES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d.png", i);
        image picture = {.pixels = pictures + i * SIZE * SIZE * 3, .width = SIZE, .height = SIZE};
        assert_ok(image_write_png(name, &picture));
    }
    ask(rows[0], paths, 2, MTL + LSD);
    mien_model *m = open_models(paths, 2);
    mien_session_options_init(&o);
    o.threads = 1;
    o.batch = 2;
    assert_ok(mien_session_open(&s, m, &o));
    mien_model_free(m);
    assert_ok(mien_predict(s, inputs, 5, hear, &h));
    assert_int_equal(h.count, 4);
    assert_int_equal(h.failures, 1);
    const int places[] = {0, 1, 2, 0};
    for (int i = 0; i < 4; i++)
        for (int c = 0; c < MTL + LSD; c++)
            assert_float_equal(h.rows[i][c], rows[places[i]][c], 1e-4f);
    mien_session_free(s);
}

static void tasks__together__are_not_evaluated(void **state)
{
    (void)state;
    const char *const paths[] = {"mtl.safetensors", "lsd.safetensors"};
    mien_evaluation *e = NULL;
    assert_failure(mien_evaluate(&e, paths, 2, ".", NULL), MIEN_ERR_FORMAT,
                   "lsd.safetensors: task lsd (wanted mtl, as of mtl.safetensors)");
    assert_null(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns__of_several_heads__are_those_of_each),
        cmocka_unit_test(columns__of_further_heads__stand_behind),
        cmocka_unit_test(members__of_other_heads__are_refused),
        cmocka_unit_test(decisions__are_yes_above_a_half),
        cmocka_unit_test(decisions__go_by_thresholds),
        cmocka_unit_test(tasks__together__have_columns_of_their_own),
        cmocka_unit_test(tasks__together__answer_as_each_alone),
        cmocka_unit_test(tasks__together__answer_a_list),
        cmocka_unit_test(tasks__together__are_not_evaluated),
    };
    return cmocka_run_group_tests_name("multi_task", tests, enter, temp_folder_leave);
}
