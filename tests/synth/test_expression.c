/* Labels say what the face does: prototypes, thresholds, geometry, circumplex. */
#include "packed.h"
#include "synth/set/expression.h"

#include <math.h>

enum { DRAWS = 200 };

static int au_at(int number)
{
    for (int a = 0; a < AU_COUNT; a++)
        if (au_numbers[a] == number)
            return a;
    fail_msg("no AU%02d", number);
    return -1;
}

static face_expression plain(const head *h, expression_class c)
{
    face_expression e;
    expression_plain(&e, h, c);
    return e;
}

static void synth__expression__prototypes_have_their_units(void **state)
{
    static const struct {
        expression_class c;
        int has[8], has_not[6]; /* AU numbers, 0 ends */
    } cases[] = {
        {EXPRESSION_NEUTRAL, {0}, {1, 4, 12, 15, 25, 26}},
        {EXPRESSION_ANGER, {4, 5, 7, 23}, {1, 12, 15, 24, 26}},
        {EXPRESSION_DISGUST, {9, 15, 16}, {1, 2, 5, 12, 26}},
        {EXPRESSION_FEAR, {1, 2, 4, 5, 7, 20, 26}, {9, 12, 15, 24}},
        {EXPRESSION_HAPPINESS, {6, 12}, {1, 4, 9, 15, 26}},
        {EXPRESSION_SADNESS, {1, 4, 15}, {2, 6, 12, 25, 26}},
        {EXPRESSION_SURPRISE, {1, 2, 5, 25, 26}, {4, 9, 12, 15}},
    };
    const head *h = packed_of(state)->h;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        face_expression e = plain(h, cases[i].c);
        for (int k = 0; k < 8 && cases[i].has[k]; k++)
            if (!e.au[au_at(cases[i].has[k])])
                fail_msg("%s: no AU%02d", expression_names[cases[i].c], cases[i].has[k]);
        for (int k = 0; k < 6 && cases[i].has_not[k]; k++)
            if (e.au[au_at(cases[i].has_not[k])])
                fail_msg("%s: AU%02d", expression_names[cases[i].c], cases[i].has_not[k]);
    }
}

/* Mouth open, eyes closed and pressed together. */
static bool cries(const face_expression *e)
{
    return e->au[au_at(6)] && e->au[au_at(20)] && e->units[EYE_BLINK_LEFT] > 0.4f;
}

/* Over many draws, at what intensities sets use: the units that tell the classes apart, in every one or on the mean. */
static void synth__expression__drawn_classes_can_be_told_apart(void **state)
{
    const head *h = packed_of(state)->h;
    double mean[EXPRESSION_COUNT][AU_COUNT] = {0};
    for (int c = EXPRESSION_ANGER; c <= EXPRESSION_SURPRISE; c++)
        for (int i = 0; i < DRAWS; i++) {
            rng r = rng_at(3, 0, (uint64_t)(c * DRAWS + i), RNG_TEST);
            face_expression e;
            expression_draw(&e, h, (expression_class)c, packed_of(state)->scene, &r);
            for (int a = 0; a < AU_COUNT; a++)
                mean[c][a] += e.au_level[a] / DRAWS;
            assert_int_equal(e.au[au_at(12)], c == EXPRESSION_HAPPINESS);
            if (c == EXPRESSION_SURPRISE)
                assert_true(e.au[au_at(1)] && e.au[au_at(2)] && e.au[au_at(26)]);
            if (c == EXPRESSION_SADNESS)
                assert_true(e.au[au_at(1)] && e.au[au_at(15)] && (!e.au[au_at(26)] || cries(&e)));
            if (c == EXPRESSION_DISGUST)
                assert_true(e.au[au_at(9)]);
            if (c == EXPRESSION_ANGER)
                assert_true(e.au[au_at(4)] && !e.au[au_at(1)]);
            if (c == EXPRESSION_FEAR)
                assert_true(e.au[au_at(5)] && e.au[au_at(20)]);
        }
    assert_true(mean[EXPRESSION_SURPRISE][au_at(26)] > mean[EXPRESSION_SADNESS][au_at(26)] + 0.3);
    assert_true(mean[EXPRESSION_FEAR][au_at(5)] > mean[EXPRESSION_ANGER][au_at(5)]);
}

static scene *scene_of(const char *text)
{
    scene *s;
    assert_ok(scene_read(&s, "test", text, strlen(text), SYNTH_LSD));
    return s;
}

static void synth__expression__levels_decide_labels(void **state)
{
    const head *h = packed_of(state)->h;
    scene *faint = scene_of("expression: {intensity: [0.3, 1]}");
    for (int i = 0; i < DRAWS; i++) {
        rng r = rng_at(4, 0, (uint64_t)i, RNG_TEST);
        face_expression e;
        expression_class c = (expression_class)(i % EXPRESSION_COUNT);
        expression_draw(&e, h, c, faint, &r);
        assert_int_equal(e.expression, c);
        assert_true(fabsf(e.valence) <= 1 && fabsf(e.arousal) <= 1 && e.intensity >= 0 && e.intensity <= 1);
        for (int u = 0; u < UNIT_COUNT; u++)
            assert_true(e.units[u] >= 0 && e.units[u] <= 1);
        for (int a = 0; a < AU_COUNT; a++) {
            assert_true(e.au_level[a] >= 0 && e.au_level[a] <= 1);
            assert_true(e.au[a] == 0 || e.au[a] == 1); /* never missing: the face was drawn */
            if (e.au_level[a] > 0.41f)
                assert_int_equal(e.au[a], 1);
            if (e.au_level[a] < 0.11f)
                assert_int_equal(e.au[a], 0);
            if (c == EXPRESSION_NEUTRAL)
                assert_int_equal(e.au[a], 0);
        }
    }
    scene_free(faint);
}

/* AU25 is measured: the label and the mesh agree, on the neutral head. */
static void synth__expression__lips_part_where_au25_says_so(void **state)
{
    packed_face *p = packed_of(state);
    size_t n = (size_t)p->h->vertex_count;
    vec3 *shape = calloc(n, sizeof *shape), *posed = calloc(n, sizeof *posed);
    assert_true(shape && posed);
    head_shape(p->h, shape, NULL);
    float closed = shape[p->h->lip_upper].y - shape[p->h->lip_lower].y;
    assert_true(fabsf(closed) < 0.06f); /* the neutral mouth is shut */
    for (int c = 0; c < EXPRESSION_COUNT; c++) {
        face_expression e = plain(p->h, (expression_class)c);
        head_pose(p->h, posed, shape, e.units);
        float gap = posed[p->h->lip_upper].y - posed[p->h->lip_lower].y - closed;
        assert_float_equal(gap, head_lip_gap(p->h, e.units), 1e-4f);
        assert_int_equal(e.au[au_at(25)], gap >= 0.036f);
    }
    free(shape);
    free(posed);
}

static void synth__expression__valence_and_arousal_follow_the_circumplex(void **state)
{
    const head *h = packed_of(state)->h;
    face_expression happy = plain(h, EXPRESSION_HAPPINESS), sad = plain(h, EXPRESSION_SADNESS);
    face_expression fear = plain(h, EXPRESSION_FEAR), none = plain(h, EXPRESSION_NEUTRAL);
    assert_true(happy.valence > 0.5f && sad.valence < -0.5f && fear.valence < 0);
    assert_true(fear.arousal > 0.5f && sad.arousal < 0 && happy.arousal > 0);
    assert_float_equal(none.valence, 0, 0);
    double weak = 0, strong = 0;
    scene *faint = scene_of("expression: {intensity: [0.3, 0.4]}"),
          *strong_ones = scene_of("expression: {intensity: [0.9, 1]}");
    for (int i = 0; i < DRAWS; i++) {
        rng r = rng_at(5, 0, (uint64_t)i, RNG_TEST), q = r;
        face_expression a, b;
        expression_draw(&a, h, EXPRESSION_HAPPINESS, faint, &r);
        expression_draw(&b, h, EXPRESSION_HAPPINESS, strong_ones, &q);
        weak += a.valence;
        strong += b.valence;
    }
    assert_true(strong > 2 * weak);
    scene_free(faint);
    scene_free(strong_ones);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synth__expression__prototypes_have_their_units),
        cmocka_unit_test(synth__expression__drawn_classes_can_be_told_apart),
        cmocka_unit_test(synth__expression__levels_decide_labels),
        cmocka_unit_test(synth__expression__lips_part_where_au25_says_so),
        cmocka_unit_test(synth__expression__valence_and_arousal_follow_the_circumplex),
    };
    return cmocka_run_group_tests(tests, packed_setup, packed_teardown);
}
