/* Scenes: what is read is what is drawn from and printed, keys move nobody else's draws, and what is wrong is refused
 * with its line. */
#include "packed.h"
#include "synth/set/draws.h"

#include <math.h>

enum { DRAWS = 4000 };

static scene *read_ok(const char *text)
{
    scene *s;
    assert_ok(scene_read(&s, "s.yaml", text, strlen(text), SYNTH_LSD));
    return s;
}

static void synth__scene__draws_what_it_says(void **state)
{
    (void)state;
    scene *s = read_ok("pose: {yaw: 5, pitch: [-3, 8], roll: {mean: 2, std: 4, low: -1, high: 4}}\n"
                       "gaze: {blinks: 0.25}\n"
                       "identity: {ancestry: {asian: 3, african: 1}, hair_men: bald}\n");
    double pitch = 0, roll = 0;
    int blinks = 0, ancestry[3] = {0};
    for (uint64_t i = 0; i < DRAWS; i++) {
        const rng r = rng_at(1, 0, i, RNG_TEST);
        float p = distribution_draw(&s->pose_pitch, &r), q = distribution_draw(&s->pose_roll, &r);
        assert_true(distribution_draw(&s->pose_yaw, &r) == 5 && p >= -3 && p < 8 && q >= -1 && q <= 4);
        assert_true(distribution_draw(&s->pose_pitch, &r) == p); /* a face's draw is always the same */
        pitch += (double)p / DRAWS;
        roll += (double)q / DRAWS;
        blinks += share_draw(&s->gaze_blinks, &r);
        ancestry[choice_draw(&s->identity_ancestry, &r)]++;
        assert_int_equal(choice_draw(&s->identity_hair_men, &r), HAIR_BALD);
    }
    assert_float_equal(pitch, 2.5, 0.25); /* five standard deviations of a mean, here and below */
    assert_true(roll > 1.4 && roll < 1.75);
    assert_in_range(blinks, 860, 1140);
    assert_in_range(ancestry[0], 860, 1140);
    assert_int_equal(ancestry[2], 0);
    scene_free(s);
}

static void synth__scene__a_key_moves_no_other(void **state)
{
    packed_face *p = packed_of(state);
    scene *a = read_ok("preset: wild"), *b = read_ok("preset: wild\npose: {yaw: 40}\nlight: {contrast: [0.1, 0.2]}\n"
                                                     "degradation: {blurred: 1}\nidentity: {stubble: 0.5}\n"
                                                     "occluders: {glasses: 1, hat: none}");
    float *weights = calloc((size_t)p->face->identity.count, sizeof *weights);
    assert_non_null(weights);
    for (uint64_t i = 0; i < 20; i++) {
        rng r = rng_at(2, 0, i, RNG_TEST), q = r;
        person x, y;
        shot f, g;
        person_draw(&x, weights, p->face, a, &r);
        person_draw(&y, weights, p->face, b, &q);
        assert_true(x.age == y.age && x.tone == y.tone && x.style == y.style && x.brow_arch == y.brow_arch);
        assert_true(y.glasses || y.age < 4);
        shot_draw(&f, &x, a, &r);
        shot_draw(&g, &y, b, &q);
        assert_true(f.pitch == g.pitch && f.field == g.field && f.back_a.x == g.back_a.x && g.yaw == 40 && g.blur > 0);
    }
    free(weights);
    scene_free(a);
    scene_free(b);
}

static void synth__scene__prints_what_it_reads(void **state)
{
    static const char *const texts[] = {
        "preset: default",
        "preset: studio",
        "preset: portrait",
        "preset: wild",
        "pose: {yaw: 1e-7, roll: [-0.1, 30]}",
        "identity: {hair_women: {long: 1e-3}, freckles: 0.123456789}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        scene *a = read_ok(texts[i]), *b, *fresh = read_ok("preset: default");
        str text = {0}, again = {0};
        char difference[256];
        assert_ok(scene_print(a, &text));
        assert_ok(scene_read(&b, "printed", text.text, text.length, SYNTH_LSD));
        assert_ok(scene_print(b, &again));
        assert_string_equal(text.text, again.text);
        assert_false(scene_difference(a, b, difference, sizeof difference));
        assert_int_equal(scene_difference(fresh, a, difference, sizeof difference), i > 0);
        str_free(&text);
        str_free(&again);
        scene_free(a);
        scene_free(b);
        scene_free(fresh);
    }
}

static void synth__scene__presets_and_tasks_have_their_own(void **state)
{
    (void)state;
    scene *s, *t, *u;
    assert_ok(scene_load(&s, "studio", SYNTH_LSD));
    assert_ok(scene_load(&t, NULL, SYNTH_MTL));
    assert_ok(scene_load(&u, "portrait", SYNTH_MTL));
    assert_true(s->pose_yaw.low == 0 && s->pose_yaw.high == 0);
    assert_float_equal(s->expression_intensity.low, 0.55f, 0);
    assert_float_equal(t->expression_intensity.low, 0.3f, 0);
    assert_true(u->expression_intensity.low > 0.5f);
    scene_free(s);
    scene_free(t);
    scene_free(u);
    assert_failure(scene_load(&s, "portrat", SYNTH_LSD), MIEN_ERR_IO,
                   "portrat: neither a file nor a preset (wanted a YAML file, studio, portrait or wild)");
}

static void synth__scene__says_what_is_wrong(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"pse: {yaw: 0}", "s.yaml: line 1: pse: unknown key (wanted pose, "},
        {"\npose: {jaw: 0}", "s.yaml: line 2: pose.jaw: unknown key (wanted yaw, "},
        {"preset: wlid", "preset: wlid (wanted default, studio, portrait or wild)"},
        {"pose: {yaw: 91}", "pose.yaw: 91 (wanted number, [low, high] or {mean, std, low, high} from -90 to 90)"},
        {"pose: {yaw: .nan}", "pose.yaw: .nan (wanted number"},
        {"pose: {yaw: nan}", "pose.yaw: nan (wanted number"},
        {"pose: {yaw: inf}", "pose.yaw: inf (wanted number"},
        {"pose: {yaw: \"5\"}", "pose.yaw: \"5\" (wanted number"},
        {"pose: {yaw: []}", "pose.yaw: an empty list (wanted"},
        {"pose: {yaw: [1, 2, 3]}", "pose.yaw: a list (wanted"},
        {"pose: {yaw: [5, 5]}", "pose.yaw: [5, 5] is an empty range (wanted [low, high], low < high)"},
        {"pose: {yaw: [5, -5]}", "pose.yaw: [5, -5] is an empty range"},
        {"pose: {yaw: [nan, 5]}", "pose.yaw: nan (wanted"},
        {"pose: {yaw: {mean: 0}}", "pose.yaw: std is missing"},
        {"pose: {yaw: {std: 1}}", "pose.yaw: mean is missing"},
        {"pose: {yaw: {mean: 0, std: 0}}", "pose.yaw.std: 0 (wanted a number above 0)"},
        {"pose: {yaw: {mean: 0, std: -1}}", "pose.yaw.std: -1 (wanted a number above 0)"},
        {"pose: {yaw: {mean: 0, std: .inf}}", "pose.yaw.std: .inf (wanted a number above 0)"},
        {"pose: {yaw: {mean: 99, std: 1}}", "pose.yaw.mean: 99 (wanted a number from -90 to 90)"},
        {"pose: {yaw: {mean: 0, std: 1, low: 2}}", "mean 0, low 2, high 90 (wanted low < high, mean between them)"},
        {"pose: {yaw: {mean: 0, std: 1, hgih: 2}}", "pose.yaw.hgih: unknown key (wanted mean, std, low or high)"},
        {"pose: {yaw: {mean: 0, mean: 1, std: 1}}", "given twice"},
        {"framing: {field: -1}", "framing.field: -1 (wanted number, [low, high] or {mean, std, low, high} from 0.8"},
        {"degradation: {blur: -0.1}", "degradation.blur: -0.1"},
        {"age: {child: [0, 20]}", "age.child: 0 (wanted"},
        {"gaze: {blinks: 1.5}", "gaze.blinks: 1.5 (wanted share from 0 to 1)"},
        {"gaze: {blinks: -0.5}", "gaze.blinks: -0.5 (wanted share"},
        {"gaze: {blinks: .nan}", "gaze.blinks: .nan (wanted share"},
        {"gaze: {blinks: [0, 1]}", "gaze.blinks: a list (wanted share"},
        {"identity: {ancestry: martian}", "identity.ancestry: martian (wanted african, asian or caucasian, or weights"},
        {"identity: {ancestry: {martian: 1}}", "identity.ancestry.martian: unknown name (wanted african, asian"},
        {"identity: {ancestry: {asian: -1}}", "identity.ancestry.asian: -1 (wanted a weight of at least 0)"},
        {"identity: {ancestry: {asian: nan}}", "identity.ancestry.asian: nan (wanted a weight"},
        {"identity: {ancestry: {asian: 0}}", "identity.ancestry: weights sum to 0 (wanted a finite sum above 0)"},
        {"identity: {ancestry: {asian: 3e38, african: 3e38}}", "weights sum to inf"},
        {"identity: {ancestry: {}}", "identity.ancestry: a mapping (wanted"},
        {"identity: {ancestry: []}", "identity.ancestry: an empty list (wanted"},
        {"pose: 3", "pose: 3 (wanted a mapping with any of"},
        {"- 1", "a list (wanted a mapping"},
        {"", "empty"},
        {"pose: *p", "anchor or alias"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scene *s = NULL;
        assert_failure(scene_read(&s, "s.yaml", cases[i].text, strlen(cases[i].text), SYNTH_LSD), MIEN_ERR_FORMAT,
                       cases[i].message);
        assert_null(s);
        assert_null(strchr(mien_error(), '\n'));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synth__scene__draws_what_it_says),
        cmocka_unit_test(synth__scene__a_key_moves_no_other),
        cmocka_unit_test(synth__scene__prints_what_it_reads),
        cmocka_unit_test(synth__scene__presets_and_tasks_have_their_own),
        cmocka_unit_test(synth__scene__says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, packed_setup, packed_teardown);
}
