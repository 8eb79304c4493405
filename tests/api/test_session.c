/* Sessions as their callers see them: rows and columns, how pictures lie, who has a session, and in which order things
 * are freed. */
#include "mien.h"

#include "base/thread.h"
#include "infer/saved_model.h"
#include "testing.h"

enum {
    SIZE = 32,
    COLUMNS = 4,
    BOTH_COLUMNS = 35 + COLUMNS,
    PICTURES = 3,
    PICTURE_BYTES = SIZE * SIZE * 3,
    THREADS = 4
};

static uint8_t pictures[PICTURES * PICTURE_BYTES];
static mien_model *shared;

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

static mien_model *open_model(void)
{
    const char *path = "a.safetensors";
    return open_models(&path, 1);
}

static mien_session *open_session(mien_model *m, int threads)
{
    mien_session *s = NULL;
    mien_session_options o;
    mien_session_options_init(&o);
    o.threads = threads;
    assert_ok(mien_session_open(&s, m, &o));
    return s;
}

static int enter(void **state)
{
    if (temp_folder_enter(state) != 0)
        return 1;
    save_model("a.safetensors", SIZE, 1);
    save_multi_task("mtl.safetensors", SIZE, NULL, false, 2);
    draw_noise(pictures, PICTURES, SIZE);
    shared = open_model();
    return 0;
}

static int leave(void **state)
{
    mien_model_free(shared);
    return temp_folder_leave(state);
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static void columns__of_a_model_of_classes__are_the_best_and_each(void **state)
{
    (void)state;
    mien_session *s = open_session(shared, 1);
    float rows[PICTURES][COLUMNS];
    assert_string_equal(mien_model_task(shared), "lsd");
    assert_int_equal(mien_model_column_count(shared), COLUMNS);
    assert_int_equal(mien_session_column_count(s), COLUMNS);
    const mien_column *best = mien_model_column(shared, 0);
    assert_string_equal(best->name, "expression");
    assert_true(best->kind == MIEN_COLUMN_CLASS && best->label_count == 3);
    for (int c = 0; c < 3; c++) {
        const mien_column *column = mien_session_column(s, c + 1);
        assert_string_equal(column->name, saved_classes[c]);
        assert_string_equal(column->head, best->head);
        assert_true(column->kind == MIEN_COLUMN_PROBABILITY && !column->labels);
        assert_string_equal(mien_column_label(best, (float)c), saved_classes[c]);
    }
    assert_null(mien_model_column(shared, COLUMNS));
    assert_null(mien_session_column(s, -1));
    assert_null(mien_column_label(best, 3));
    assert_null(mien_column_label(best, -1));
    assert_null(mien_column_label(best, 0.5f));
    assert_null(mien_column_label(mien_model_column(shared, 1), 0));
    assert_ok(mien_predict_rgb(rows[0], PICTURES * COLUMNS, s, pictures, PICTURES, SIZE, SIZE));
    for (int i = 0; i < PICTURES; i++) {
        const float *p = rows[i] + 1;
        const int top = (int)rows[i][0];
        assert_true(p[top] >= p[0] && p[top] >= p[1] && p[top] >= p[2]);
        assert_true(p[0] + p[1] + p[2] > 0.9999f && p[0] + p[1] + p[2] < 1.0001f);
    }
    assert_true(memcmp(rows[0], rows[1], sizeof rows[0]) != 0);
    mien_session_free(s);
}

static void columns__asked_for__are_given_in_that_order(void **state)
{
    (void)state;
    const char *const wanted[] = {"sadness", "expression"}, *const none[] = {"fear", "valence"};
    mien_session *s = NULL, *all = open_session(shared, 1);
    mien_session_options o;
    mien_session_options_init(&o);
    o.threads = 1;
    o.columns = none;
    o.column_count = 2;
    assert_failure(mien_session_open(&s, shared, &o), MIEN_ERR_ARG,
                   "column valence: this model has none (wanted of expression, anger, fear, sadness)");
    o.column_count = 0;
    assert_failure(mien_session_open(&s, shared, &o), MIEN_ERR_ARG, "columns: 0 of them");
    assert_null(s);
    o.columns = wanted;
    o.column_count = 2;
    assert_ok(mien_session_open(&s, shared, &o));
    assert_int_equal(mien_session_column_count(s), 2);
    assert_string_equal(mien_session_column(s, 0)->name, "sadness");
    float two[2], four[COLUMNS];
    assert_ok(mien_predict_rgb(two, 2, s, pictures, 1, SIZE, SIZE));
    assert_ok(mien_predict_rgb(four, COLUMNS, all, pictures, 1, SIZE, SIZE));
    assert_true(two[0] == four[3] && two[1] == four[0]);
    mien_session_free(s);
    mien_session_free(all);
}

static void open__bad_options__are_refused(void **state)
{
    (void)state;
    mien_session *s = NULL;
    mien_session_options o;
    mien_session_options_init(&o);
    o.threads = -1;
    assert_failure(mien_session_open(&s, shared, &o), MIEN_ERR_ARG, "threads: -1");
    mien_session_options_init(&o);
    o.batch = 1 << 20;
    assert_failure(mien_session_open(&s, shared, &o), MIEN_ERR_ARG, "batch: 1048576");
    assert_null(s);
}

/* --- how pictures lie --------------------------------------------------------------------------------------------- */

static void predict__no_picture__writes_nothing(void **state)
{
    (void)state;
    mien_session *s = open_session(shared, 1);
    float row[COLUMNS] = {7, 7, 7, 7};
    mien_pictures none;
    mien_pictures_init(&none, pictures, 0, SIZE, SIZE);
    assert_ok(mien_predict_rgb(row, COLUMNS, s, pictures, 0, SIZE, SIZE));
    assert_ok(mien_predict_rgb(NULL, 0, s, NULL, 0, 0, 0));
    assert_ok(mien_predict_pictures(row, 0, s, &none));
    assert_true(row[0] == 7 && row[3] == 7);
    mien_session_free(s);
}

static void predict__bad_pictures__are_refused_before_they_are_read(void **state)
{
    (void)state;
    mien_session *s = open_session(shared, 1);
    float rows[PICTURES * COLUMNS] = {7};
    assert_failure(mien_predict_rgb(rows, 4, s, pictures, -1, SIZE, SIZE), MIEN_ERR_ARG, "count: -1 pictures");
    assert_failure(mien_predict_rgb(rows, 4, s, pictures, 1, 0, SIZE), MIEN_ERR_ARG, "32x0 pixels");
    assert_failure(mien_predict_rgb(rows, 4, s, pictures, 1, 1 << 30, 1 << 30), MIEN_ERR_ARG, "pixels (wanted 1 to");
    assert_failure(mien_predict_rgb(rows, 4, s, NULL, 1, SIZE, SIZE), MIEN_ERR_ARG, "pixels: missing");
    assert_failure(mien_predict_rgb(NULL, 4, s, pictures, 1, SIZE, SIZE), MIEN_ERR_ARG, "out: missing");
    assert_failure(mien_predict_rgb(rows, 7, s, pictures, 2, SIZE, SIZE), MIEN_ERR_ARG,
                   "room for 7 numbers (wanted 2 x 4)");
    assert_failure(mien_predict_rgb(rows, 7, s, pictures, INT64_MAX, SIZE, SIZE), MIEN_ERR_ARG, "room for 7 numbers");
    assert_failure(mien_predict_bytes(rows, 4, s, "no picture", 10), MIEN_ERR_FORMAT, "picture in memory: not a JPEG");
    assert_failure(mien_predict_file(rows, 4, s, "nowhere.png"), MIEN_ERR_IO, "nowhere.png");
    assert_failure(mien_predict_file(rows, 3, s, "nowhere.png"), MIEN_ERR_ARG, "room for 3 numbers (wanted 1 x 4)");
    assert_true(rows[0] == 7);
    mien_session_free(s);
}

/* The pictures' own bytes are the buffer. */
static mien_pictures in_buffer(int64_t first_byte, int64_t count, int64_t picture_stride, int64_t row_stride,
                               int64_t column_stride)
{
    mien_pictures p;
    mien_pictures_init(&p, (const uint8_t *)((uintptr_t)pictures + (uintptr_t)first_byte), count, SIZE, SIZE);
    p.picture_stride = picture_stride;
    p.row_stride = row_stride;
    p.column_stride = column_stride;
    p.buffer = pictures;
    p.buffer_bytes = sizeof pictures;
    return p;
}

static void predict__strides_within_the_buffer__are_views(void **state)
{
    (void)state;
    enum { ROW = SIZE * 3, LAST = (PICTURES - 1) * PICTURE_BYTES };
    mien_session *s = open_session(shared, 1);
    float forward[PICTURES][COLUMNS], rows[PICTURES][COLUMNS];
    assert_ok(mien_predict_rgb(forward[0], PICTURES * COLUMNS, s, pictures, PICTURES, SIZE, SIZE));
    mien_pictures p = in_buffer(LAST, PICTURES, -PICTURE_BYTES, ROW, 3); /* backwards */
    assert_ok(mien_predict_pictures(rows[0], PICTURES * COLUMNS, s, &p));
    for (int i = 0; i < PICTURES; i++)
        assert_memory_equal(rows[i], forward[PICTURES - 1 - i], sizeof rows[i]);
    p = in_buffer(PICTURE_BYTES, PICTURES, 0, ROW, 3); /* one, again and again */
    assert_ok(mien_predict_pictures(rows[0], PICTURES * COLUMNS, s, &p));
    for (int i = 0; i < PICTURES; i++)
        assert_memory_equal(rows[i], forward[1], sizeof rows[i]);
    p = in_buffer(PICTURE_BYTES - 3, PICTURES, PICTURE_BYTES, -ROW, -3); /* turned by half */
    assert_ok(mien_predict_pictures(rows[0], PICTURES * COLUMNS, s, &p));
    assert_true(memcmp(rows[0], forward[0], sizeof rows[0]) != 0);
    p = in_buffer(0, PICTURES, ROW, ROW, 3); /* a window that slides down a row at a time */
    assert_ok(mien_predict_pictures(rows[0], PICTURES * COLUMNS, s, &p));
    assert_memory_equal(rows[0], forward[0], sizeof rows[0]);
    assert_true(memcmp(rows[1], rows[0], sizeof rows[0]) != 0);
    mien_session_free(s);
}

static void predict__strides_that_leave_the_buffer__are_refused(void **state)
{
    (void)state;
    enum { ROW = SIZE * 3, LAST = (PICTURES - 1) * PICTURE_BYTES };
    const mien_pictures cases[] = {
        in_buffer(3, PICTURES, PICTURE_BYTES, ROW, 3),            /* three bytes too far */
        in_buffer(-3, PICTURES, PICTURE_BYTES, ROW, 3),           /* begins before it */
        in_buffer(0, PICTURES, PICTURE_BYTES, ROW + 1, 3),        /* rows with a gap that is not there */
        in_buffer(LAST, PICTURES, -PICTURE_BYTES - 1, ROW, 3),    /* backwards, a byte too far */
        in_buffer(0, 1, 0, ROW, -3),                              /* mirrored from the wrong end */
        in_buffer(0, PICTURES, INT64_MAX, ROW, 3),                /* leaves memory */
        in_buffer(0, PICTURES, INT64_MAX / 2, INT64_MAX / 31, 3), /* the sum does */
        in_buffer(0, PICTURES, INT64_MIN, ROW, 3),
        in_buffer(0, INT64_MAX / 16, 1 << 20, ROW, 3),
    };
    mien_session *s = open_session(shared, 1);
    static float rows[PICTURES * COLUMNS] = {7};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_failure(mien_predict_pictures(rows, SIZE_MAX, s, &cases[i]), MIEN_ERR_ARG, "strides: ");
    mien_pictures short_buffer = in_buffer(0, PICTURES, PICTURE_BYTES, ROW, 3);
    short_buffer.buffer_bytes--;
    assert_failure(mien_predict_pictures(rows, SIZE_MAX, s, &short_buffer), MIEN_ERR_ARG,
                   "strides: bytes 0 to 9216 of the buffer (wanted 0 to 9215)");
    short_buffer.buffer_bytes++;
    assert_ok(mien_predict_pictures(rows, PICTURES * COLUMNS, s, &short_buffer));
    assert_true(rows[0] != 7);
    mien_session_free(s);
}

/* --- threads ------------------------------------------------------------------------------------------------------ */

typedef struct {
    mien_session *session;
    mien_status other, same; /* what a second caller was told, on another thread and on this one */
    char text[256];
    bool frees;
} intruder;

static mien_status call_in(void *context, int index)
{
    intruder *i = context;
    float row[COLUMNS];
    (void)index;
    i->other = mien_predict_rgb(row, COLUMNS, i->session, pictures, 1, SIZE, SIZE);
    snprintf(i->text, sizeof i->text, "%s", mien_error());
    return MIEN_OK;
}

static int intrude(void *payload, const char *what, int64_t done, int64_t total, const char *note)
{
    intruder *i = payload;
    thread_group *group = NULL;
    float row[COLUMNS];
    (void)what, (void)done, (void)total, (void)note;
    assert_ok(thread_group_start(&group, 1, call_in, i));
    assert_ok(thread_group_join(group));
    i->same = mien_predict_rgb(row, COLUMNS, i->session, pictures, 1, SIZE, SIZE);
    if (i->frees)
        mien_session_free(i->session);
    return 0;
}

static void session__two_at_once__the_second_is_refused(void **state)
{
    (void)state;
    for (int frees = 0; frees < 2; frees++) {
        intruder i = {.frees = frees == 1};
        float rows[PICTURES * COLUMNS] = {7};
        mien_session_options o;
        mien_session_options_init(&o);
        o.threads = 1;
        o.progress = intrude;
        o.payload = &i;
        assert_ok(mien_session_open(&i.session, shared, &o));
        assert_ok(mien_predict_rgb(rows, PICTURES * COLUMNS, i.session, pictures, PICTURES, SIZE, SIZE));
        assert_true(rows[0] != 7); /* who was first is not disturbed, not even where the other one freed it */
        assert_int_equal(i.other, MIEN_ERR_ARG);
        assert_int_equal(i.same, MIEN_ERR_ARG);
        assert_non_null(strstr(i.text, "session: in use by another thread"));
        if (!frees) {
            assert_ok(mien_predict_rgb(rows, COLUMNS, i.session, pictures, 1, SIZE, SIZE));
            mien_session_free(i.session);
        }
    }
}

typedef struct {
    mien_session *sessions[THREADS];
    int columns;
    float rows[THREADS][PICTURES * BOTH_COLUMNS]; /* [PICTURES, columns] of each */
} four;

static mien_status ask(void *context, int index)
{
    four *f = context;
    for (int again = 0; again < 3; again++)
        TRY(mien_predict_rgb(f->rows[index], (size_t)(PICTURES * f->columns), f->sessions[index], pictures, PICTURES,
                             SIZE, SIZE));
    return MIEN_OK;
}

static void ask_on_four_threads(const char *const *models, int model_count, int columns)
{
    for (int threads = 0; threads < 3; threads++) { /* in turns, alone, two each */
        four f = {.columns = columns};
        float wanted[PICTURES * BOTH_COLUMNS];
        const size_t numbers = (size_t)(PICTURES * columns);
        thread_group *group = NULL;
        mien_model *m = open_models(models, model_count);
        mien_session *lone = open_session(m, threads);
        assert_int_equal(mien_session_column_count(lone), columns);
        assert_ok(mien_predict_rgb(wanted, numbers, lone, pictures, PICTURES, SIZE, SIZE));
        mien_session_free(lone);
        for (int i = 0; i < THREADS; i++)
            f.sessions[i] = open_session(m, threads);
        mien_model_free(m); /* its sessions still need it, and have it */
        assert_ok(thread_group_start(&group, THREADS, ask, &f));
        assert_ok(thread_group_join(group));
        for (int i = 0; i < THREADS; i++) {
            assert_memory_equal(f.rows[i], wanted, numbers * sizeof *wanted);
            assert_non_null(strstr(mien_session_column(f.sessions[i], columns - 1)->name, "sadness"));
            mien_session_free(f.sessions[i]);
        }
    }
}

static void sessions__of_four_threads__have_the_same_bits_as_one(void **state)
{
    (void)state;
    const char *const models[] = {"a.safetensors", "mtl.safetensors"};
    ask_on_four_threads(models, 1, COLUMNS);
    ask_on_four_threads(models, 2, BOTH_COLUMNS); /* whose ensembles share threads */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns__of_a_model_of_classes__are_the_best_and_each),
        cmocka_unit_test(columns__asked_for__are_given_in_that_order),
        cmocka_unit_test(open__bad_options__are_refused),
        cmocka_unit_test(predict__no_picture__writes_nothing),
        cmocka_unit_test(predict__bad_pictures__are_refused_before_they_are_read),
        cmocka_unit_test(predict__strides_within_the_buffer__are_views),
        cmocka_unit_test(predict__strides_that_leave_the_buffer__are_refused),
        cmocka_unit_test(session__two_at_once__the_second_is_refused),
        cmocka_unit_test(sessions__of_four_threads__have_the_same_bits_as_one),
    };
    return cmocka_run_group_tests_name("session", tests, enter, leave);
}
