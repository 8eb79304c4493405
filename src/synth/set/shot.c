/* Drawing a shot: where the head points, where the camera and the lights stand, what is behind. */
#include "synth/draw/look.h"

static vec3 direction(float azimuth, float elevation)
{
    const float radians = 0.01745329f;
    float a = azimuth * radians, e = elevation * radians;
    return v3(sinf(a) * cosf(e), sinf(e), cosf(a) * cosf(e));
}

/* A light's colour by its warmth: -1 blue sky .. 1 a lamp at home; luminance about 1. */
static vec3 warm(float warmth)
{
    return v3(1 + 0.16f * warmth, 1 - 0.01f * warmth, 1 - 0.26f * warmth);
}

static float luminance(vec3 c)
{
    return 0.2126f * c.x + 0.7152f * c.y + 0.0722f * c.z;
}

/* A camera exposes for the face, but not so far that dark skin turns light. */
static float expose(const shot *s, const person *who)
{
    float light = luminance(s->key) * 0.62f + luminance(s->fill) * 0.4f + luminance(s->sky) * 0.5f;
    float skin = luminance(who->skin), seen = powf(skin, 0.66f) * 0.60f;
    return seen / (skin * light);
}

void shot_draw(shot *out, const person *who, rng *r)
{
    shot s = {.seed = rng_u32(r)};
    s.yaw = maxf(-32, minf(32, 11 * rng_normal(r)));
    s.pitch = maxf(-18, minf(18, 6 * rng_normal(r) - 1));
    s.roll = maxf(-14, minf(14, 4 * rng_normal(r)));
    s.distance = rng_range(r, 5.5f, 14);
    s.field = rng_range(r, 1.35f, 1.75f);
    s.shift_x = 0.02f * rng_normal(r);
    s.shift_y = 0.03f * rng_normal(r) - 0.04f;

    float side = rng_bool(r) ? 1 : -1, contrast = rng_float(r), warmth = rng_range(r, -0.7f, 1);
    s.key_from = direction(side * rng_range(r, 5, 70), rng_range(r, 8, 60));
    s.fill_from = direction(-side * rng_range(r, 20, 80), rng_range(r, -15, 30));
    s.key = v3_scale(warm(warmth), mixf(0.45f, 1.2f, contrast));
    s.fill = v3_scale(warm(warmth - rng_range(r, -0.3f, 0.8f)), mixf(0.42f, 0.12f, contrast));
    vec3 around = v3_scale(warm(rng_range(r, -0.8f, 0.6f)), mixf(0.60f, 0.28f, contrast));
    s.sky = v3_scale(around, 1.15f);
    s.ground = v3_scale(v3_mul(around, warm(0.4f)), rng_range(r, 0.45f, 0.85f));
    surround_add_sky(&s.around, s.sky, s.ground);
    s.exposure = expose(&s, who) * rng_range(r, 0.75f, 1.12f);

    float grey = rng_float(r), level = 0.02f + 0.55f * grey * grey;
    for (int i = 0; i < 2; i++) {
        vec3 c = v3(rng_float(r), rng_float(r), rng_float(r));
        c = v3_scale(v3_mix(v3_all(luminance(c)), c, rng_range(r, 0.05f, 0.6f)), level * rng_range(r, 0.8f, 2.2f));
        *(i ? &s.back_b : &s.back_a) = c;
    }
    s.back_blobs = rng_range(r, 0.1f, 1);
    vec3 dye = v3(rng_float(r), rng_float(r), rng_float(r));
    s.cloth = v3_scale(v3_mix(v3_all(luminance(dye)), dye, rng_range(r, 0.1f, 0.9f)), rng_range(r, 0.08f, 0.8f));
    s.blur = rng_below(r, 3) == 0 ? rng_range(r, 0.3f, 0.9f) : 0;
    s.grain = rng_range(r, 0, 5) * rng_float(r);
    s.quality = 72 + (int)rng_below(r, 24);
    *out = s;
}

void shot_studio(shot *out, const person *who)
{
    shot s = {.distance = 9, .field = 2.15f, .quality = 92, .seed = 1};
    s.key_from = direction(38, 36);
    s.fill_from = direction(-50, 5);
    s.key = v3_scale(warm(0.25f), 1.0f);
    s.fill = v3_scale(warm(-0.1f), 0.16f);
    s.sky = v3_scale(warm(-0.2f), 0.34f);
    s.ground = v3_scale(warm(0.4f), 0.18f);
    surround_add_sky(&s.around, s.sky, s.ground);
    s.exposure = expose(&s, who);
    s.back_a = v3(0.30f, 0.31f, 0.32f);
    s.back_b = v3(0.14f, 0.145f, 0.15f);
    s.cloth = v3(0.07f, 0.08f, 0.10f);
    *out = s;
}
