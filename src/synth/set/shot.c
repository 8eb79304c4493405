/* Drawing a shot: where the head points, where the camera and the lights stand, what is behind. */
#include "synth/set/draws.h"
#include "synth/set/lighting.h"

/* A camera exposes for the face, but not so far that dark skin turns light. */
static float expose(const shot *s, const person *who)
{
    float light = light_luminance(s->key) * 0.62f + light_luminance(s->fill) * 0.4f + light_luminance(s->sky) * 0.5f;
    float skin = light_luminance(who->skin), seen = powf(skin, 0.66f) * 0.60f;
    return seen / (skin * light);
}

void shot_draw(shot *out, const person *who, const scene *from, rng *r)
{
    shot s = {.seed = rng_u32(r)};
    s.yaw = distribution_draw(&from->pose_yaw, r);
    s.pitch = distribution_draw(&from->pose_pitch, r);
    s.roll = distribution_draw(&from->pose_roll, r);
    s.distance = distribution_draw(&from->camera_distance, r);
    s.field = distribution_draw(&from->framing_field, r);
    s.shift_x = distribution_draw(&from->framing_shift_x, r);
    s.shift_y = distribution_draw(&from->framing_shift_y, r);

    float side = share_draw(&from->light_from_left, r) ? 1 : -1, contrast = distribution_draw(&from->light_contrast, r),
          warmth = distribution_draw(&from->light_warmth, r);
    s.key_from = light_direction(side * distribution_draw(&from->light_key_azimuth, r),
                                 distribution_draw(&from->light_key_elevation, r));
    s.fill_from = light_direction(-side * distribution_draw(&from->light_fill_azimuth, r),
                                  distribution_draw(&from->light_fill_elevation, r));
    s.key = v3_scale(light_warm(warmth), mixf(0.45f, 1.2f, contrast));
    s.fill =
        v3_scale(light_warm(warmth - distribution_draw(&from->light_fill_warmth, r)), mixf(0.42f, 0.12f, contrast));
    vec3 around = v3_scale(light_warm(distribution_draw(&from->light_sky_warmth, r)), mixf(0.60f, 0.28f, contrast));
    s.sky = v3_scale(around, 1.15f);
    s.ground = v3_scale(v3_mul(around, light_warm(0.4f)), distribution_draw(&from->light_ground, r));
    surround_add_sky(&s.around, s.sky, s.ground);
    s.exposure = expose(&s, who);
    int setup = choice_draw(&from->light_setup, r);
    rng of_setup = rng_branch(r, ~from->light_setup.stream); /* the numbers that the set-up draws for itself */
    lighting_draw(&s, setup, who, &of_setup);
    s.exposure *= distribution_draw(&from->camera_exposure, r);

    s.back_kind = (background_kind)choice_draw_among(&from->background_kind, lighting_backgrounds(setup), r);
    s.back_blur = distribution_draw(&from->background_blur, r);
    float level = distribution_draw(&from->background_level, r) * lighting_background_level(setup, &of_setup);
    rng colours = rng_branch(r, from->background_colour.stream),
        levels = rng_branch(r, from->background_contrast.stream);
    for (int i = 0; i < 2; i++) {
        vec3 c = v3(rng_float(r), rng_float(r), rng_float(r));
        c = v3_mix(v3_all(light_luminance(c)), c, distribution_next(&from->background_colour, &colours));
        *(i ? &s.back_b : &s.back_a) = v3_scale(c, level * distribution_next(&from->background_contrast, &levels));
    }
    s.back_blobs = distribution_draw(&from->background_blobs, r);
    vec3 dye = v3(rng_float(r), rng_float(r), rng_float(r));
    s.cloth = v3_scale(v3_mix(v3_all(light_luminance(dye)), dye, distribution_draw(&from->background_cloth_colour, r)),
                       distribution_draw(&from->background_cloth_level, r));
    degradation_draw(&s, from, r);
    *out = s;
}

void shot_studio(shot *out, const person *who)
{
    shot s = {.distance = 9, .field = 2.15f, .quality = 92, .seed = 1};
    s.key_from = light_direction(38, 36);
    s.fill_from = light_direction(-50, 5);
    s.key = v3_scale(light_warm(0.25f), 1.0f);
    s.fill = v3_scale(light_warm(-0.1f), 0.16f);
    s.sky = v3_scale(light_warm(-0.2f), 0.34f);
    s.ground = v3_scale(light_warm(0.4f), 0.18f);
    surround_add_sky(&s.around, s.sky, s.ground);
    s.exposure = expose(&s, who);
    s.back_a = v3(0.30f, 0.31f, 0.32f);
    s.back_b = v3(0.14f, 0.145f, 0.15f);
    s.cloth = v3(0.07f, 0.08f, 0.10f);
    *out = s;
}
