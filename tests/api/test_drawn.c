/* A set that a training draws: other faces each epoch, of people who never select, the same whoever asks. */
#include "../synth/packed.h"
#include "api/drawn.h"
#include "base/thread.h"

#include <stdatomic.h>

enum { FACES = 24, HELD = 6, SIDE = 32, EPOCHS = 2 };

static recipe *read_recipe(const char *task, int seed)
{
    recipe *r;
    char text[256];
    const int length =
        snprintf(text, sizeof text,
                 "task: %s\nseed: %d\nmodels: [efficientnet_b0]\nimage_size: %d\ndata: {drawn: %d, val_share: 0.25}\n",
                 task, seed, SIDE, FACES);
    assert_ok(recipe_read(&r, task_all, "recipe", text, (size_t)length, NULL, 0));
    return r;
}

static drawn_source *open_source(const packed_face *p, const char *scene, const char *task, int seed)
{
    drawn_source *s;
    recipe *r = read_recipe(task, seed);
    assert_ok(api_drawn_source_open(&s, scene, p->path, r));
    recipe_free(r);
    return s;
}

static void read_into(uint8_t *pixels, const picture_maker *m, uint32_t epoch, int64_t index, picture_reader *r)
{
    assert_ok(m->read(m, epoch, index, r));
    assert_int_equal(r->decoded.width, SIDE);
    assert_int_equal(r->decoded.height, SIDE);
    memcpy(pixels, r->decoded.pixels, 3 * SIDE * SIDE);
}

static uint8_t alone[EPOCHS][FACES][3 * SIDE * SIDE];

/* Threads ask for all of them, each from another place on. */
static mien_status ask(void *context, int index)
{
    const picture_maker *m = context;
    picture_reader r;
    mien_status st;
    TRY(picture_reader_init(&r));
    for (int k = 0; k < EPOCHS * FACES; k++) {
        const int at = (k + 7 * index) % (EPOCHS * FACES), epoch = at / FACES, face = at % FACES;
        TRY_OUT(m->read(m, (uint32_t)epoch, face, &r));
        if (memcmp(r.decoded.pixels, alone[epoch][face], sizeof alone[0][0]) != 0)
            TRY_OUT(mien_fail(MIEN_ERR_INTERNAL, "thread %d: face %d of epoch %d is another", index, face, epoch));
    }
out:
    picture_reader_clear(&r);
    return st;
}

static void api__drawn__faces_are_new_each_epoch_and_the_same_to_all(void **state)
{
    packed_face *p = packed_of(state);
    drawn_source *s = open_source(p, "synth:", "lsd", 3);
    const picture_maker *m = api_drawn_source_maker(s, false), *held = api_drawn_source_maker(s, true);
    picture_reader r;
    assert_ok(picture_reader_init(&r));
    assert_true(m->is_renewed);
    assert_int_equal(m->count, FACES);
    for (int e = 0; e < EPOCHS; e++)
        for (int i = 0; i < FACES; i++)
            read_into(alone[e][i], m, (uint32_t)e, i, &r);
    for (int i = 0; i < FACES; i++)
        assert_memory_not_equal(alone[0][i], alone[1][i], sizeof alone[0][0]);
    for (int threads = 1; threads <= 3; threads++) {
        thread_group *group;
        assert_ok(thread_group_start(&group, threads, ask, (void *)m));
        assert_ok(thread_group_join(group));
    }
    static uint8_t first[3 * SIDE * SIDE], later[3 * SIDE * SIDE];
    assert_ptr_equal(m->validation, held);
    assert_int_equal(held->count, HELD);
    read_into(first, held, 0, 2, &r);
    read_into(later, held, 5, 2, &r);
    assert_memory_equal(first, later, sizeof first);
    picture_reader_clear(&r);
    api_drawn_source_free(s);
}

/* The people of a table, each once: the second column. */
static int people_of(long out[FACES], const picture_maker *m, uint32_t epoch)
{
    str text = {0};
    int count = 0;
    assert_ok(m->table(m, epoch, &text));
    for (const char *line = strchr(text.text, '\n') + 1; *line; line = strchr(line, '\n') + 1) {
        const long who = strtol(strchr(line, ',') + 1, NULL, 10);
        if (count == 0 || out[count - 1] != who)
            out[count++] = who;
    }
    str_free(&text);
    return count;
}

static void api__drawn__nobody_is_trained_on_and_selects(void **state)
{
    packed_face *p = packed_of(state);
    for (int t = 0; t < 2; t++) {
        drawn_source *s = open_source(p, "synth:studio", t ? "mtl" : "lsd", 3);
        const picture_maker *m = api_drawn_source_maker(s, false);
        long zero[FACES], one[FACES], held[FACES];
        const int a = people_of(zero, m, 0), b = people_of(one, m, 1), c = people_of(held, m->validation, 0);
        assert_int_equal(a, FACES / (t ? 8 : 6));
        assert_int_equal(b, a);
        assert_int_equal(c, 1);
        for (int i = 0; i < a; i++)
            for (int j = 0; j < a; j++) {
                assert_int_not_equal(zero[i], one[j]);
                assert_int_not_equal(zero[i], held[0]);
                assert_int_not_equal(one[i], held[0]);
            }
        api_drawn_source_free(s);
    }
}

static void api__drawn__other_faces_have_another_fingerprint(void **state)
{
    packed_face *p = packed_of(state);
    drawn_source *some[] = {open_source(p, "synth:studio", "lsd", 3), open_source(p, "synth:wild", "lsd", 3),
                            open_source(p, "synth:studio", "lsd", 4), open_source(p, "synth:studio", "mtl", 3)};
    drawn_source *same = open_source(p, "synth:studio", "lsd", 3);
    const uint64_t first = api_drawn_source_maker(some[0], false)->fingerprint;
    assert_true(first == api_drawn_source_maker(same, false)->fingerprint);
    for (int i = 1; i < 4; i++)
        assert_true(first != api_drawn_source_maker(some[i], false)->fingerprint);
    for (int i = 0; i < 4; i++)
        api_drawn_source_free(some[i]);
    api_drawn_source_free(same);
}

static void api__drawn__faults_are_named(void **state)
{
    packed_face *p = packed_of(state);
    recipe *r = read_recipe("lsd", 1);
    drawn_source *s = NULL;
    assert_failure(api_drawn_source_open(&s, "synth:studio", NULL, r), MIEN_ERR_ARG, "synth:studio: no face model");
    assert_failure(api_drawn_source_open(&s, "synth:no-such.yaml", p->path, r), MIEN_ERR_IO, "no-such.yaml");
    assert_null(s);
    assert_true(api_is_drawn("synth:wild"));
    assert_false(api_is_drawn("synth/wild"));
    recipe_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(api__drawn__faces_are_new_each_epoch_and_the_same_to_all),
        cmocka_unit_test(api__drawn__nobody_is_trained_on_and_selects),
        cmocka_unit_test(api__drawn__other_faces_have_another_fingerprint),
        cmocka_unit_test(api__drawn__faults_are_named),
    };
    return cmocka_run_group_tests(tests, packed_setup, packed_teardown);
}
