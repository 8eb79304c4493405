/* What faces wear: each thing changes the part of the picture that it covers, keeps off the rest, and touches no label
 * but those that name it. */
#include "packed.h"
#include "synth/draw/render.h"
#include "synth/draw/setting.h"
#include "synth/set/adorn.h"
#include "synth/set/draws.h"
#include "synth/set/expression.h"
#include "synth/set/labels.h"

#include <math.h>

enum { SIZE = 96 };

typedef struct {
    renderer *r;
    float *weights;
    person who;
    shot how;
    image im;
    uint8_t bare[3 * SIZE * SIZE];
} studio;

static studio studio_open(packed_face *p, uint64_t identity)
{
    studio s = {0};
    assert_ok(renderer_create(&s.r, p->h, SIZE));
    s.weights = calloc((size_t)p->face->identity.count, sizeof *s.weights);
    assert_non_null(s.weights);
    rng r = rng_at(1, 1, identity, RNG_TEST);
    person_draw(&s.who, s.weights, p->face, p->scene, &r);
    s.who.glasses = false;
    shot_studio(&s.how, &s.who);
    return s;
}

static void take(studio *s, const float *units)
{
    renderer_set_person(s->r, &s->who, s->weights); /* `who` may have changed */
    assert_ok(render_face(&s->im, s->r, units, &s->how));
}

static void studio_close(studio *s)
{
    renderer_free(s->r);
    free(s->weights);
    image_free(&s->im);
}

/* Row of a height of the upright head, as studio shots show it. */
static int row_of(const studio *s, float y)
{
    int row = (int)((0.5f - (y - 7.02f) / s->how.field) * SIZE);
    return row < 0 ? 0 : row > SIZE ? SIZE : row;
}

/* Share of pixels between two heights and within `half` of the middle that differ from the bare face's. */
static double changed(const studio *s, float high, float low, float half)
{
    int count = 0, different = 0, wide = (int)(half / s->how.field * SIZE);
    for (int y = row_of(s, high); y < row_of(s, low); y++)
        for (int x = SIZE / 2 - wide; x < SIZE / 2 + wide; x++) {
            const size_t at = 3 * ((size_t)y * SIZE + (size_t)x);
            int d = 0;
            for (int c = 0; c < 3; c++)
                d += abs(s->im.pixels[at + (size_t)c] - s->bare[at + (size_t)c]);
            count++;
            different += d > 12;
        }
    return count ? (double)different / count : 0;
}

/* What each thing covers: at least `most` of the pixels between two heights, within half a decimetre of the middle;
 * and what it leaves: at most `least` between two others. */
typedef struct {
    const char *name;
    occluders worn;
    float high, low;
    double most;
    float free_high, free_low;
    double least;
} covering;

static const covering coverings[] = {
    {"beanie", {.hat = HAT_BEANIE}, 8.15f, 7.95f, 0.9, 7.1f, 6.3f, 0.02},
    {"cap", {.hat = HAT_CAP}, 8.15f, 8.0f, 0.9, 6.9f, 6.3f, 0.02},
    {"brim", {.hat = HAT_BRIM}, 8.15f, 8.0f, 0.9, 6.8f, 6.3f, 0.02},
    {"headscarf", {.hat = HAT_HEADSCARF}, 8.1f, 8.0f, 0.8, 6.9f, 6.7f, 0.3},
    {"hood", {.hat = HAT_HOOD}, 8.1f, 8.05f, 0.0, 6.9f, 6.7f, 0.3},
    {"scarf", {.scarf = SCARF_NECK}, 6.0f, 5.97f, 0.7, 8.0f, 6.6f, 0.02},
    {"scarf over the mouth", {.scarf = SCARF_MOUTH}, 6.65f, 6.2f, 0.9, 8.0f, 7.2f, 0.05},
    {"mask", {.scarf = SCARF_MASK}, 6.85f, 6.4f, 0.9, 8.0f, 7.25f, 0.05},
    {"hand before the mouth", {.hand = HAND_MOUTH}, 6.7f, 6.5f, 0.5, 8.0f, 7.6f, 0.05},
    {"hand on the brow", {.hand = HAND_BROW}, 7.7f, 7.4f, 0.3, 6.5f, 6.3f, 0.1},
    {"fist under the chin", {.hand = HAND_CHIN}, 6.25f, 6.1f, 0.3, 8.0f, 7.0f, 0.05},
    {"microphone", {.held = HELD_MICROPHONE}, 6.5f, 6.3f, 0.2, 8.0f, 7.1f, 0.05},
    {"cup", {.held = HELD_CUP}, 6.5f, 6.2f, 0.4, 8.0f, 7.1f, 0.05},
    {"tears", {.tears = 1}, 7.1f, 6.8f, 0.03, 6.5f, 6.3f, 0.02},
    {"sunglasses", {.sunglasses = true}, 7.35f, 7.2f, 0.6, 6.8f, 6.3f, 0.02},
};
#define COVERINGS (int)(sizeof coverings / sizeof *coverings)

static occluders coloured(occluders worn)
{
    worn.hat_cloth = worn.scarf_cloth = worn.thing = v3(0.02f, 0.1f, 0.5f);
    return worn;
}

static void synth__worn__covers_what_it_should(void **state)
{
    packed_face *p = packed_of(state);
    const float none[UNIT_COUNT] = {0};
    studio s = studio_open(p, 3);
    take(&s, none);
    memcpy(s.bare, s.im.pixels, sizeof s.bare);
    for (int i = 0; i < COVERINGS; i++) {
        const covering *c = &coverings[i];
        s.how.worn = coloured(c->worn);
        take(&s, none);
        double covers = changed(&s, c->high, c->low, 0.4f), leaves = changed(&s, c->free_high, c->free_low, 0.25f);
        if (covers < c->most || leaves > c->least)
            fail_msg("%s: covers %.2f (wanted %.2f), and %.2f of what is to stay free (at most %.2f)", c->name, covers,
                     c->most, leaves, c->least);
    }
    s.how.worn = (occluders){0};
    take(&s, none);
    assert_memory_equal(s.bare, s.im.pixels, sizeof s.bare); /* nothing of it stays */
    studio_close(&s);
}

static void synth__worn__changes_no_other_label(void **state)
{
    packed_face *p = packed_of(state);
    studio s = studio_open(p, 3);
    synth_face bare = {.shot = s.how}, covered;
    expression_plain(&bare.expression, p->h, EXPRESSION_FEAR);
    covered = bare;
    covered.shot.worn = (occluders){.hat = HAT_CAP, .scarf = SCARF_NECK, .hand = HAND_CHEEKS, .sunglasses = true};
    const synth_options plain = SYNTH_OPTIONS_INIT;
    const synth_told told = {true, true, true};
    str a = {0}, b = {0};
    assert_ok(labels_row(&a, &plain, "a.jpg", 0, &bare, &s.who, told));
    assert_ok(labels_row(&b, &plain, "a.jpg", 0, &covered, &s.who, told));
    static const char nothing[] = ",none,none,none,none,0,0,0.0000,anny\n",
                      all[] = ",cap,neck,cheeks,none,0,1,0.0000,anny\n";
    size_t shared = a.length - strlen(nothing);
    assert_string_equal(a.text + shared, nothing);
    assert_string_equal(b.text + shared, all);
    assert_memory_equal(a.text, b.text, shared);
    str_free(&a);
    str_free(&b);
    studio_close(&s);
}

static void synth__worn__any_draw_fits_any_head(void **state)
{
    packed_face *p = packed_of(state);
    int hats = 0, hands = 0, both = 0;
    enum { FACES = 400, PEOPLE = 40 };
    for (uint64_t i = 0; i < PEOPLE; i++) {
        studio s = studio_open(p, 500 + i);
        for (uint64_t k = 0; k < FACES / PEOPLE; k++) {
            rng r = rng_at(7, 0, i * PEOPLE + k, RNG_TEST), again = r;
            occluders o, same;
            occluders_draw(&o, &s.who, EXPRESSION_SURPRISE, p->scene, &r);
            occluders_draw(&same, &s.who, EXPRESSION_SURPRISE, p->scene, &again);
            assert_true(o.hat == same.hat && o.hand == same.hand && o.turn == same.turn);
            hats += o.hat != HAT_NONE;
            hands += o.hand != HAND_NONE;
            both += o.hand != HAND_NONE && o.held != HELD_NONE;
            if (o.hat == HAT_HEADSCARF)
                assert_true(s.who.male < 0.5f);
        }
        /* one of each on somebody, in any pose */
        rng r = rng_at(8, 0, i, RNG_TEST);
        face_expression e;
        expression_draw(&e, p->h, (expression_class)(i % EXPRESSION_COUNT), p->scene, &r);
        s.how.worn = coloured(coverings[i % COVERINGS].worn);
        s.how.worn.spread = rng_float(&r);
        s.how.worn.turn = 20 * rng_normal(&r);
        s.how.worn.headphones = i % 3 == 0;
        s.how.yaw = rng_range(&r, -70, 70);
        s.how.pitch = rng_range(&r, -30, 30);
        take(&s, e.units);
        studio_close(&s);
    }
    assert_in_range(hats, FACES / 20, FACES / 4);
    assert_in_range(hands, FACES / 50, FACES / 5);
    assert_int_equal(both, 0);
}

/* The mean of a patch around the middle of the mouth. */
static double mouth_grey(const studio *s, float high, float low, float half)
{
    double sum = 0;
    int count = 0, wide = (int)(half / s->how.field * SIZE);
    for (int y = row_of(s, high); y < row_of(s, low); y++)
        for (int x = SIZE / 2 - wide; x < SIZE / 2 + wide; x++, count++)
            sum += s->im.pixels[3 * ((size_t)y * SIZE + (size_t)x) + 1];
    return sum / count;
}

static void synth__surface__smiles_show_bright_teeth(void **state)
{
    packed_face *p = packed_of(state);
    for (uint64_t i = 0; i < 4; i++) {
        studio s = studio_open(p, 20 + i);
        s.how.field = 1.4f;
        float units[UNIT_COUNT] = {0};
        units[MOUTH_SMILE_LEFT] = units[MOUTH_SMILE_RIGHT] = 1;
        units[MOUTH_UPPER_UP_LEFT] = units[MOUTH_UPPER_UP_RIGHT] = 0.6f;
        units[JAW_OPEN] = 0.35f;
        s.who.teeth = v3(0.7f, 0.68f, 0.62f);
        take(&s, units);
        double white = mouth_grey(&s, 6.75f, 6.45f, 0.1f);
        s.who.teeth = v3_all(0.02f);
        take(&s, units);
        double black = mouth_grey(&s, 6.75f, 6.45f, 0.1f);
        if (white < black + 15)
            fail_msg("person %d: %.1f with white teeth, %.1f with black ones", (int)i, white, black);
        studio_close(&s);
    }
}

static void synth__surface__makeup_and_marks_are_seen(void **state)
{
    packed_face *p = packed_of(state);
    const float none[UNIT_COUNT] = {0};
    studio s = studio_open(p, 22);
    s.who.eyeliner = s.who.eye_shadow = s.who.blush = s.who.moles = s.who.stubble = s.who.fringe = 0;
    s.who.style = HAIR_SHORT;
    float *const marks[] = {&s.who.eyeliner, &s.who.eye_shadow, &s.who.blush,
                            &s.who.moles,    &s.who.stubble,    &s.who.fringe};
    s.who.shadow_tint = v3(0.02f, 0.05f, 0.2f);
    take(&s, none);
    memcpy(s.bare, s.im.pixels, sizeof s.bare);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        *marks[i] = 0.8f;
        take(&s, none);
        if (changed(&s, 8.1f, 6.1f, 0.7f) < 0.001)
            fail_msg("mark %zu changes nothing", i);
        *marks[i] = 0;
    }
    studio_close(&s);
}

/* Where a unit folds the skin, on a face without lines of its own. */
static const struct {
    face_unit unit;
    vec3 low, high; /* of the neutral head: the fold runs through this box */
} folds[] = {
    {BROW_INNER_UP, {-0.1f, 7.6f, 1.3f}, {0.1f, 7.9f, 1.3f}},
    {BROW_DOWN_LEFT, {0.03f, 7.42f, 1.4f}, {0.07f, 7.55f, 1.4f}},
    {NOSE_SNEER_LEFT, {0, 7.2f, 1.5f}, {0.05f, 7.35f, 1.5f}},
    {MOUTH_SMILE_LEFT, {0.25f, 6.65f, 1.3f}, {0.5f, 6.9f, 1.3f}},
    {CHEEK_SQUINT_LEFT, {0.55f, 7.15f, 1.0f}, {0.65f, 7.4f, 1.0f}},
    {MOUTH_FROWN_LEFT, {0.25f, 6.4f, 1.4f}, {0.36f, 6.5f, 1.4f}},
    {MOUTH_SHRUG_LOWER, {-0.1f, 6.25f, 1.4f}, {0.1f, 6.42f, 1.4f}},
};

static float deepest(const setting *s, vec3 low, vec3 high)
{
    float most = 0;
    for (int i = 0; i <= 20; i++)
        for (int k = 0; k <= 20; k++)
            most = fmaxf(most, crease_at(s, v3(mixf(low.x, high.x, (float)i / 20), mixf(low.y, high.y, (float)k / 20),
                                               mixf(low.z, high.z, (float)i / 20))));
    return most;
}

static void synth__surface__folds_deepen_with_their_units(void **state)
{
    (void)state;
    const person young = {.seed = 5}, old = {.seed = 5, .lines = 1};
    for (size_t i = 0; i < sizeof folds / sizeof *folds; i++) {
        float units[UNIT_COUNT] = {0}, depth[3];
        setting s = {.who = &young};
        for (int level = 0; level < 3; level++) {
            units[folds[i].unit] = 0.5f * (float)level;
            creases_find(&s.crease, units, &young);
            depth[level] = deepest(&s, folds[i].low, folds[i].high);
        }
        if (depth[1] < depth[0] + 0.05f || depth[2] < depth[1] + 0.05f)
            fail_msg("%s: %.3f, %.3f, %.3f", unit_names[folds[i].unit], (double)depth[0], (double)depth[1],
                     (double)depth[2]);
    }
    setting s = {.who = &old};
    const float none[UNIT_COUNT] = {0};
    creases_find(&s.crease, none, &old);
    assert_true(deepest(&s, folds[0].low, folds[0].high) > 0.1f); /* age leaves them standing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synth__worn__covers_what_it_should),
        cmocka_unit_test(synth__worn__changes_no_other_label),
        cmocka_unit_test(synth__worn__any_draw_fits_any_head),
        cmocka_unit_test(synth__surface__smiles_show_bright_teeth),
        cmocka_unit_test(synth__surface__makeup_and_marks_are_seen),
        cmocka_unit_test(synth__surface__folds_deepen_with_their_units),
    };
    return cmocka_run_group_tests(tests, packed_setup, packed_teardown);
}
