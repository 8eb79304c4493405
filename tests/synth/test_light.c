/* Light and backgrounds: soft light is what the areas that make it would give, set-ups light the side they say and
 * expose for the face, shades darken parts of it, and places behind are different ones and stay behind. */
#include "synth/draw/background.h"
#include "synth/set/lighting.h"
#include "synth/set/synth.h"
#include "synth/studio.h"

#include <math.h>

enum { SIZE = STUDIO_SIZE, BYTES = 3 * SIZE * SIZE };

static void synth__surround__gives_what_its_areas_would(void **state)
{
    (void)state;
    surround s = {0};
    assert_true(surround_light(&s, v3(0, 0, 1)).x == 0);
    surround_add_sky(&s, v3_all(1), v3_all(0.5f));
    assert_float_equal(surround_light(&s, v3(0, 1, 0)).y, 1, 1e-5f);
    assert_float_equal(surround_light(&s, v3(0, -1, 0)).y, 0.5f, 1e-5f);
    assert_float_equal(surround_light(&s, v3(0, 0, 1)).y, 0.75f, 1e-5f);
    for (int wide = 0; wide <= 3;
         wide++) { /* a lamp faces its full colour, and is the cosine else, but for the order */
        s = (surround){0};
        vec3 from = v3_unit(v3(1, 2, 2)), aside = v3_unit(v3(2, -2, 1));
        surround_add_area(&s, from, 0.5f * (float)wide, v3(1, 2, 4));
        assert_float_equal(surround_light(&s, from).x, 1, 1e-5f);
        assert_float_equal(surround_light(&s, from).z, 4, 1e-5f);
        for (int k = -10; k <= 10; k++) {
            float t = (float)k / 10;
            vec3 n = v3_madd(v3_scale(from, t), aside, sqrtf(1 - t * t));
            float got = surround_light(&s, n).x;
            if (wide == 0)
                assert_float_equal(got, maxf(0, t), 0.11f);
            assert_true(got >= 0 && got <= 1.0001f);
        }
    }
}

static void take(studio *s)
{
    static const float none[UNIT_COUNT];
    studio_take(s, none);
}

/* Mean level of a part of the face's middle. */
static double part(const studio *s, int left, int right)
{
    double sum = 0;
    for (int y = 24; y < 44; y++)
        for (int x = left; x < right; x++)
            sum += s->im.pixels[3 * (y * SIZE + x) + 1];
    return sum / (20.0 * (right - left));
}

static void synth__lighting__exposes_for_the_face(void **state)
{
    studio s = studio_open(packed_of(state), 4);
    for (int which = 1; lighting_names[which]; which++) {
        double sum = 0, uneven = 0;
        for (uint64_t i = 0; i < 12; i++) {
            rng r = rng_at(2, 0, i, RNG_TEST);
            lighting_draw(&s.how, which, &s.who, &r);
            take(&s);
            double left = part(&s, 20, 30), right = part(&s, 34, 44);
            sum += (left + right) / 24;
            uneven += fabs(left - right) / 12;
            if (left + right < 50 || left + right > 480)
                fail_msg("%s %d: the face's halves are %.0f and %.0f", lighting_names[which], (int)i, left, right);
            vec3 from = s.how.key_from;
            if (fabsf(from.x) > 0.6f && from.z > 0 && s.how.shade == SHADE_NONE && v3_length(s.how.fill) < 0.2f)
                assert_true((from.x > 0) == (right > left));
        }
        if (sum < 60 || sum > 215)
            fail_msg("%s: faces have a mean level of %.0f", lighting_names[which], sum);
        const char *name = lighting_names[which];
        if (!strcmp(name, "low_key"))
            assert_true(uneven > 20);
        if (!strcmp(name, "overcast") || !strcmp(name, "flash"))
            assert_true(uneven < 20);
    }
    studio_close(&s);
}

static void synth__lighting__shades_darken_parts_of_the_face(void **state)
{
    studio s = studio_open(packed_of(state), 4);
    s.how.key_from = v3(0, 0, 1);
    take(&s);
    double left = part(&s, 20, 30), right = part(&s, 34, 44);
    for (shade_kind shade = SHADE_EDGE; shade <= SHADE_LEAVES; shade++) {
        double darkest = 0;
        for (int i = 0; i < 6; i++) {
            s.how.seed = (uint32_t)i;
            s.how.shade = shade;
            s.how.shade_at = 0.2f * (float)(i - 3);
            s.how.shade_dark = 0.9f;
            take(&s);
            darkest = fmax(darkest, fmax(left - part(&s, 20, 30), right - part(&s, 34, 44)));
            s.how.shade_dark = 0;
            take(&s);
            assert_float_equal(part(&s, 20, 30), left, 2); /* the seed moves the background beside the cheek */
        }
        if (darkest < 10)
            fail_msg("shade %d takes %.1f levels at most", (int)shade, darkest);
    }
    s.how.shade = SHADE_EDGE; /* it begins to the right of the middle, and grows softer with the light's size */
    s.how.shade_at = 0;
    s.how.shade_angle = 0;
    s.how.shade_dark = 0.9f;
    take(&s);
    double lost = right - part(&s, 34, 44), sharp = part(&s, 34, 36);
    assert_true(lost > 20 && fabs(left - part(&s, 20, 30)) < 5);
    s.how.key_soft = 1;
    take(&s);
    assert_true(part(&s, 34, 36) > sharp + 5);
    studio_close(&s);
}

static void synth__lighting__names_have_backgrounds(void **state)
{
    (void)state;
    for (int which = 0; lighting_names[which]; which++) {
        float sum = 0;
        for (int k = 0; k < BACKGROUND_KINDS; k++) {
            assert_true(lighting_backgrounds(which)[k] >= 0);
            sum += lighting_backgrounds(which)[k];
        }
        assert_true(sum > 3);
        rng r = rng_at(1, 0, 0, RNG_TEST);
        float level = lighting_background_level(which, &r);
        assert_true(level > 0 && level < 3);
    }
}

static shot place(background_kind kind, uint32_t seed)
{
    return (shot){.seed = seed,
                  .back_kind = kind,
                  .back_a = {0.3f, 0.25f, 0.2f},
                  .back_b = {0.1f, 0.12f, 0.2f},
                  .back_blobs = 0.5f};
}

static float roughness(const background *b)
{
    float sum = 0;
    for (int i = 1; i < b->side * b->side; i++)
        if (i % b->side)
            sum += fabsf(b->pixels[i].y - b->pixels[i - 1].y);
    return sum;
}

static void synth__background__kinds_differ_and_repeat(void **state)
{
    (void)state;
    static vec3 kept[BACKGROUND_KINDS][SIZE * SIZE];
    background b;
    assert_ok(background_create(&b, SIZE));
    for (int kind = 0; kind < BACKGROUND_KINDS; kind++) {
        shot how = place((background_kind)kind, 0);
        for (how.seed = 0; how.seed < 200; how.seed++) {
            how.back_blur = how.seed % 4 ? 0.01f * (float)(how.seed % 4) : 1e9f;
            assert_ok(background_paint(&b, &how));
            for (int i = 0; i < SIZE * SIZE; i++)
                if (!(b.pixels[i].x >= -1e-4f && b.pixels[i].y < 8 && b.pixels[i].z >= -1e-4f))
                    fail_msg("%s %u: pixel %d is %g", background_names[kind], how.seed, i, (double)b.pixels[i].x);
        }
        how = place((background_kind)kind, 7);
        assert_ok(background_paint(&b, &how));
        memcpy(kept[kind], b.pixels, sizeof kept[kind]);
        for (int other = 0; other < kind; other++)
            if (!memcmp(kept[kind], kept[other], sizeof kept[kind]))
                fail_msg("%s looks as %s", background_names[kind], background_names[other]);
    }
    assert_null(background_names[BACKGROUND_KINDS]);
    for (int kind = 0; kind < BACKGROUND_KINDS; kind++) {
        shot how = place((background_kind)kind, 7);
        assert_ok(background_paint(&b, &how));
        assert_memory_equal(kept[kind], b.pixels, sizeof kept[kind]);
    }
    background_free(&b);
    for (int side = 1; side < 20; side += 6) {
        assert_ok(background_create(&b, side));
        for (int kind = 0; kind < BACKGROUND_KINDS; kind++) {
            shot how = place((background_kind)kind, 3);
            how.back_blur = 0.1f;
            assert_ok(background_paint(&b, &how));
        }
        background_free(&b);
    }
}

static void synth__background__blur_smooths_and_keeps_the_light(void **state)
{
    (void)state;
    background b;
    assert_ok(background_create(&b, SIZE));
    shot how = place(BACKGROUND_SHELVES, 5);
    assert_ok(background_paint(&b, &how));
    float rough = roughness(&b), sum[2] = {0};
    for (int i = 0; i < SIZE * SIZE; i++)
        sum[0] += b.pixels[i].y;
    how.back_blur = 0.03f;
    assert_ok(background_paint(&b, &how));
    for (int i = 0; i < SIZE * SIZE; i++)
        sum[1] += b.pixels[i].y;
    assert_true(roughness(&b) < 0.6f * rough);
    assert_float_equal(sum[1], sum[0], 0.06f * sum[0]);
    how = place(BACKGROUND_SKY, 5); /* above stays above, which a turn once too often would break */
    how.back_blur = 0.03f;
    assert_ok(background_paint(&b, &how));
    assert_true(b.pixels[SIZE / 2].y > b.pixels[SIZE * SIZE - SIZE / 2].y);
    background_free(&b);
}

static void synth__background__leaves_the_face_alone(void **state)
{
    static uint8_t before[BYTES];
    studio s = studio_open(packed_of(state), 4);
    take(&s);
    memcpy(before, s.im.pixels, BYTES);
    s.how.back_kind = BACKGROUND_WHITE;
    take(&s);
    for (int y = 26; y < 40; y++)
        assert_memory_equal(&before[3 * (y * SIZE + 24)], &s.im.pixels[3 * (y * SIZE + 24)], 3 * 16);
    assert_true(s.im.pixels[0] > 220 && before[0] < 200);
    studio_close(&s);
}

/* What a preset draws: how many of 400 shots have each degradation, light and background. */
static void synth__presets__studio_has_nothing_and_wild_has_all(void **state)
{
    enum { SHOTS = 400, KINDS = 18 };
    (void)state;
    scene *presets[2];
    int hits[2][KINDS] = {0}, places[2][BACKGROUND_KINDS] = {0};
    person who = {.skin = {0.5f, 0.4f, 0.3f}};
    assert_ok(scene_load(&presets[0], "studio", SYNTH_LSD));
    assert_ok(scene_load(&presets[1], "wild", SYNTH_LSD));
    for (int preset = 0; preset < 2; preset++) {
        for (uint64_t i = 0; i < SHOTS; i++) {
            shot s;
            rng r = rng_at(3, 0, i, RNG_TEST);
            shot_draw(&s, &who, presets[preset], &r);
            const degradation *d = &s.degraded;
            const bool has[KINDS] = {s.blur > 0,           d->motion > 0,   d->shrink > 0,    d->warmth != 0,
                                     d->tint != 0,         d->gamma != 0,   d->contrast != 0, d->vignette > 0,
                                     d->halo > 0,          d->grey > 0,     d->sepia > 0,     d->fade > 0,
                                     d->film_grain > 0,    d->halftone > 0, d->dust > 0,      d->scratches > 0,
                                     d->first_quality > 0, d->watermark > 0};
            for (int k = 0; k < KINDS; k++)
                hits[preset][k] += has[k];
            assert_true(d->grey > 0 || (d->sepia == 0 && d->fade == 0 && d->film_grain == 0));
            places[preset][s.back_kind]++;
            assert_true(s.exposure > 0 && s.exposure < 100 && fabsf(v3_length(s.key_from) - 1) < 1e-3f);
        }
        for (int k = 0; k < KINDS; k++)
            if (preset == 0 ? hits[0][k] != 0 : hits[1][k] == 0)
                fail_msg("preset %d, degradation %d: %d of %d", preset, k, hits[preset][k], (int)SHOTS);
        for (int k = 0; k < BACKGROUND_KINDS; k++)
            if (preset == 0 ? places[0][k] != (k == 0 ? SHOTS : 0) : places[1][k] == 0)
                fail_msg("preset %d, %s: %d of %d", preset, background_names[k], places[preset][k], (int)SHOTS);
        scene_free(presets[preset]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synth__surround__gives_what_its_areas_would),
        cmocka_unit_test(synth__lighting__exposes_for_the_face),
        cmocka_unit_test(synth__lighting__shades_darken_parts_of_the_face),
        cmocka_unit_test(synth__lighting__names_have_backgrounds),
        cmocka_unit_test(synth__background__kinds_differ_and_repeat),
        cmocka_unit_test(synth__background__blur_smooths_and_keeps_the_light),
        cmocka_unit_test(synth__background__leaves_the_face_alone),
        cmocka_unit_test(synth__presets__studio_has_nothing_and_wild_has_all),
    };
    return cmocka_run_group_tests(tests, packed_setup, packed_teardown);
}
