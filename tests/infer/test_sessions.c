/* Sessions of one ensemble on several threads: answers are the same bits whoever asks, beside whom, and weights are
 * there once. This is run under ThreadSanitizer too. */
#include "infer/ensemble_int.h"

#include "backend/cpu/cpu.h"
#include "base/thread.h"
#include "infer/saved_model.h"
#include "testing.h"

#include <stdatomic.h>

enum { SIZE = 40, PICTURES = 3, CLASSES = SAVED_CLASSES, PICTURE_BYTES = SIZE * SIZE * 3, THREADS = 4, BATCH = 2 };

static backend *cpu;
static ensemble *both; /* two models, of two input sizes */
static uint8_t pictures[PICTURES * PICTURE_BYTES];

static int enter(void **state)
{
    if (temp_folder_enter(state) != 0)
        return 1;
    const ensemble_source sources[] = {{.path = "a.safetensors", .counts = true},
                                       {.path = "b.safetensors", .counts = true}};
    save_model("a.safetensors", 32, 1);
    save_model("b.safetensors", 40, 2);
    assert_ok(backend_cpu_create(&cpu, &(cpu_options){.threads = 2}));
    assert_ok(ensemble_open(&both, sources, 2, cpu, &(ensemble_options){.precision = PRECISION_F32}));
    draw_noise(pictures, PICTURES, SIZE);
    return 0;
}

static int leave(void **state)
{
    ensemble_free(both);
    cpu->free(cpu);
    return temp_folder_leave(state);
}

typedef struct {
    float row[PICTURES][CLASSES];
} answers;

static const pixel_array all_pictures = {.pixels = pictures,
                                         .count = PICTURES,
                                         .width = SIZE,
                                         .height = SIZE,
                                         .picture_stride = PICTURE_BYTES,
                                         .row_stride = SIZE * 3,
                                         .column_stride = 3};

static answers answers_of(session *s, pixel_array a)
{
    answers got = {0};
    assert_ok(session_predict_pixels(s, got.row[0], &a, NULL));
    return got;
}

static session *open_session(bool is_one_thread)
{
    session *s = NULL;
    assert_ok(session_open(&s, both, &(session_options){.is_one_thread = is_one_thread, .batch = BATCH}));
    return s;
}

/* --- threads ------------------------------------------------------------------------------------------------------ */

typedef struct {
    answers wanted;
    bool is_one_thread;
    atomic_int wrong;
} crowd;

/* Opens a session, asks it and frees it, while others do the same. Assertions belong to the test's own thread. */
static mien_status open_and_ask(void *context, int index)
{
    crowd *c = context;
    session *s = NULL;
    (void)index;
    for (int again = 0; again < 2; again++) {
        answers got;
        TRY(session_open(&s, both, &(session_options){.is_one_thread = c->is_one_thread, .batch = BATCH}));
        mien_status st = session_predict_pixels(s, got.row[0], &all_pictures, NULL);
        session_free(s);
        TRY(st);
        if (memcmp(&got, &c->wanted, sizeof got) != 0)
            atomic_fetch_add(&c->wrong, 1);
    }
    return MIEN_OK;
}

static void sessions__on_several_threads__answer_the_same_bits(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) { /* in turns on the whole backend, and each on its own thread */
        crowd c = {.is_one_thread = kind == 1};
        thread_group *group = NULL;
        session *alone = open_session(c.is_one_thread);
        c.wanted = answers_of(alone, all_pictures);
        session_free(alone);
        assert_true(memcmp(c.wanted.row[0], c.wanted.row[1], sizeof c.wanted.row[0]) != 0); /* pictures matter */
        assert_ok(thread_group_start(&group, THREADS, open_and_ask, &c));
        assert_ok(thread_group_join(group));
        assert_int_equal(c.wrong, 0);
    }
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

static size_t constant_bytes(const session *s)
{
    size_t bytes = 0;
    for (int i = 0; i < both->count; i++)
        for (int k = 0; k < 2; k++) {
            const lanes *l = k ? s->members[i].many : s->members[i].one;
            for (int n = 0; l && n < lanes_count(l); n++)
                bytes += program_memory_used(lanes_program(l, n)).constant_bytes;
        }
    return bytes;
}

static void sessions__of_one_ensemble__pack_weights_once(void **state)
{
    (void)state;
    session *s[THREADS];
    answers first, other;
    for (int i = 0; i < THREADS; i++) {
        s[i] = open_session(true);
        other = answers_of(s[i], all_pictures);
        first = i ? first : other;
        assert_true((constant_bytes(s[i]) > 0) == (i == 0));
    }
    for (int i = 0; i < THREADS; i++) { /* whoever packed them may go first */
        other = answers_of(s[i], all_pictures);
        assert_memory_equal(&other, &first, sizeof first);
        session_free(s[i]);
    }
    s[0] = open_session(true);
    answers_of(s[0], all_pictures);
    assert_true(constant_bytes(s[0]) > 0); /* nobody had kept them */
    session_free(s[0]);
}

static void session__with_a_backend_of_its_own__shares_with_its_like(void **state)
{
    (void)state;
    session *s[2];
    for (int i = 0; i < 2; i++) {
        backend *own = NULL;
        assert_ok(backend_cpu_create(&own, &(cpu_options){.threads = 3}));
        assert_ok(session_open(&s[i], both, &(session_options){.own = own, .batch = BATCH}));
    }
    answers a = answers_of(s[0], all_pictures);
    session *turns = open_session(false); /* of two threads: not its like */
    answers_of(turns, all_pictures);
    assert_true(constant_bytes(turns) > 0);
    answers b = answers_of(s[1], all_pictures);
    assert_true(constant_bytes(s[0]) > 0 && constant_bytes(s[1]) == 0);
    assert_memory_equal(&a, &b, sizeof a);
    session_free(s[0]); /* and its backend with it */
    b = answers_of(s[1], all_pictures);
    assert_memory_equal(&a, &b, sizeof a);
    session_free(turns);
    session_free(s[1]);
}

/* --- how pixels lie ----------------------------------------------------------------------------------------------- */

/* The same pictures, written anew as the strides say. */
static answers answers_of_copy(session *s, const pixel_array *a)
{
    static uint8_t copy[PICTURES * PICTURE_BYTES];
    pixel_array plain = *a;
    plain.pixels = copy;
    plain.column_stride = 3;
    plain.row_stride = 3 * (int64_t)a->width;
    plain.picture_stride = plain.row_stride * a->height;
    uint8_t *to = copy;
    for (int64_t i = 0; i < a->count; i++)
        for (int y = 0; y < a->height; y++)
            for (int x = 0; x < a->width; x++, to += 3)
                memcpy(to, a->pixels + i * a->picture_stride + y * a->row_stride + x * a->column_stride, 3);
    return answers_of(s, plain);
}

static void session__any_strides__are_those_of_the_copy(void **state)
{
    (void)state;
    const uint8_t *last = pictures + (PICTURES - 1) * PICTURE_BYTES;
    const int row = SIZE * 3;
    const pixel_array cases[] = {
        {last, PICTURES, SIZE, SIZE, -PICTURE_BYTES, row, 3},                           /* the last picture first */
        {pictures + row - 3, PICTURES, SIZE, SIZE, PICTURE_BYTES, row, -3},             /* mirrored */
        {pictures + PICTURE_BYTES - row, PICTURES, SIZE, SIZE, PICTURE_BYTES, -row, 3}, /* upside down */
        {pictures, 3, SIZE / 2, SIZE / 2, PICTURE_BYTES, 2 * row, 6},                   /* every other pixel */
        {pictures, PICTURES, SIZE, SIZE, PICTURE_BYTES, 3, row},                        /* columns for rows */
        {pictures, PICTURES, SIZE, SIZE, 0, row, 3},                                    /* one picture, repeated */
        {pictures, PICTURES, SIZE, SIZE, row, row, 3},                                  /* a window that slides down */
        {pictures, 2, SIZE, SIZE, PICTURE_BYTES, 0, 0},                                 /* one pixel everywhere */
        {pictures, 2, SIZE, SIZE, PICTURE_BYTES, row, 1},                               /* pixels that overlap */
        {pictures, 1, SIZE, SIZE / 2, 0, row, 3},
    };
    session *s = NULL; /* all pictures at a time, so by the same kernels */
    assert_ok(session_open(&s, both, &(session_options){.is_one_thread = true, .batch = PICTURES + 1}));
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        answers got = answers_of(s, cases[k]), wanted = answers_of_copy(s, &cases[k]);
        if (memcmp(&got, &wanted, sizeof got) != 0)
            fail_msg("case %zu: other answers than of the copy", k);
    }
    answers forward = answers_of(s, all_pictures), backward = answers_of(s, cases[0]);
    assert_memory_equal(forward.row[0], backward.row[PICTURES - 1], sizeof forward.row[0]);
    assert_true(memcmp(forward.row[0], backward.row[0], sizeof forward.row[0]) != 0);
    answers repeated = answers_of(s, cases[5]);
    assert_memory_equal(repeated.row[0], repeated.row[1], sizeof repeated.row[0]);
    session_free(s);
}

static void session__more_pictures_than_a_batch__are_all_answered(void **state)
{
    (void)state;
    session *few = NULL, *many = NULL;
    assert_ok(session_open(&few, both, &(session_options){.is_one_thread = true, .batch = 2}));
    assert_ok(session_open(&many, both, &(session_options){.is_one_thread = true, .batch = 4}));
    answers a = answers_of(few, all_pictures), b = answers_of(many, all_pictures);
    for (int i = 0; i < PICTURES; i++)
        for (int c = 0; c < CLASSES; c++)
            assert_true(a.row[i][c] - b.row[i][c] < 1e-5f && b.row[i][c] - a.row[i][c] < 1e-5f);
    pixel_array none = all_pictures;
    none.count = 0;
    answers nothing = answers_of(few, none);
    assert_true(nothing.row[0][0] == 0);
    session_free(few);
    session_free(many);
}

static int stop_at_once(void *payload, const char *what, int64_t done, int64_t total, const char *note)
{
    (void)payload, (void)what, (void)done, (void)note;
    return total == PICTURES;
}

static void session__who_watches__may_stop_it(void **state)
{
    (void)state;
    session *s = open_session(true);
    answers got = {0};
    progress p = {.callback = stop_at_once};
    assert_failure(session_predict_pixels(s, got.row[0], &all_pictures, &p), MIEN_ERR_CANCELLED,
                   "interrupted after 0 of 3 pictures");
    session_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions__on_several_threads__answer_the_same_bits),
        cmocka_unit_test(sessions__of_one_ensemble__pack_weights_once),
        cmocka_unit_test(session__with_a_backend_of_its_own__shares_with_its_like),
        cmocka_unit_test(session__any_strides__are_those_of_the_copy),
        cmocka_unit_test(session__more_pictures_than_a_batch__are_all_answered),
        cmocka_unit_test(session__who_watches__may_stop_it),
    };
    return cmocka_run_group_tests_name("sessions", tests, enter, leave);
}
