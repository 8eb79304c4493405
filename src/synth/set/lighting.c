/* Only ratios of lights matter here, for the exposure takes out their sum: the key light is about 1 in each row. */
#include "synth/set/lighting.h"

#include <stddef.h>

typedef struct {
    float low, high;
} range;

typedef struct {
    range azimuth, elevation; /* of the key light, degrees; it stands on either side */
    range key, soft;
    range fill;           /* a second light on the other side */
    range around, ground; /* light of all else; what comes from below, of that from above */
    range warmth, sky_warmth;
    float shaded, coloured; /* probabilities: of a shade before the key light, of strong colours */
    range back;             /* factor on the background's level */
    float backgrounds[BACKGROUND_KINDS];
} setup;

const char *const lighting_names[] = {"keys",  "soft", "low_key", "window", "overcast", "sun", "lamps",
                                      "flash", "back", "below",   "stage",  "split",    NULL};

/* One row for each name. Backgrounds in the order of background_kind: blobs, plain, white, black, spot; room, shelves,
 * window, foliage, sky; pattern, crowd, text, lights. */
static const setup setups[] = {
    {.back = {1, 1}, .backgrounds = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
    /* a studio's large lights before white paper */
    {.azimuth = {0, 35},
     .elevation = {5, 45},
     .key = {1, 1},
     .soft = {0.5f, 1},
     .fill = {0.2f, 0.6f},
     .around = {0.35f, 0.9f},
     .ground = {0.5f, 1},
     .warmth = {-0.2f, 0.4f},
     .sky_warmth = {-0.2f, 0.3f},
     .back = {0.8f, 1.5f},
     .backgrounds = {1, 2, 6, 0.3f, 2, 0.5f, 0.5f, 0.3f, 0.3f, 0.1f, 0.7f, 0.2f, 0.7f, 0}},
    /* one light from the side in the dark */
    {.azimuth = {35, 110},
     .elevation = {0, 55},
     .key = {1, 1},
     .soft = {0, 0.5f},
     .fill = {0, 0.06f},
     .around = {0.03f, 0.14f},
     .ground = {0.3f, 1},
     .warmth = {-0.3f, 0.7f},
     .sky_warmth = {-0.5f, 0.5f},
     .shaded = 0.1f,
     .back = {0.05f, 0.4f},
     .backgrounds = {1, 1, 0, 6, 2, 0.5f, 0.5f, 0.2f, 0.2f, 0, 0.5f, 0.2f, 0.2f, 0.7f}},
    /* daylight from one side of a room */
    {.azimuth = {40, 100},
     .elevation = {0, 35},
     .key = {1, 1},
     .soft = {0.6f, 1},
     .fill = {0, 0.12f},
     .around = {0.12f, 0.4f},
     .ground = {0.6f, 1},
     .warmth = {-0.6f, 0.1f},
     .sky_warmth = {-0.1f, 0.6f},
     .shaded = 0.1f,
     .back = {0.4f, 1},
     .backgrounds = {1, 1, 0.5f, 0.3f, 0.3f, 4, 3, 3, 0.3f, 0.1f, 2, 0.3f, 0.5f, 0}},
    /* a grey sky above */
    {.azimuth = {0, 180},
     .elevation = {45, 88},
     .key = {0.15f, 0.5f},
     .soft = {1, 1},
     .fill = {0, 0.1f},
     .around = {0.7f, 1},
     .ground = {0.25f, 0.6f},
     .warmth = {-0.5f, 0.1f},
     .sky_warmth = {-0.5f, 0},
     .back = {0.7f, 1.4f},
     .backgrounds = {1, 0.3f, 0.5f, 0, 0, 0.2f, 0, 0.2f, 4, 3, 1.5f, 2, 0.7f, 0}},
    /* the sun, past roofs and leaves */
    {.azimuth = {0, 110},
     .elevation = {12, 75},
     .key = {1, 1},
     .soft = {0, 0.08f},
     .fill = {0, 0.05f},
     .around = {0.15f, 0.42f},
     .ground = {0.5f, 1.1f},
     .warmth = {0.1f, 0.7f},
     .sky_warmth = {-0.9f, -0.2f},
     .shaded = 0.45f,
     .back = {0.7f, 1.8f},
     .backgrounds = {1, 0.2f, 0.3f, 0.2f, 0, 0, 0, 0.2f, 4, 3, 1.5f, 2, 0.5f, 0}},
    /* lamps under a ceiling */
    {.azimuth = {0, 70},
     .elevation = {35, 85},
     .key = {0.6f, 1},
     .soft = {0.2f, 0.7f},
     .fill = {0.05f, 0.3f},
     .around = {0.2f, 0.5f},
     .ground = {0.3f, 0.7f},
     .warmth = {0.2f, 1},
     .sky_warmth = {0, 0.8f},
     .back = {0.5f, 1.2f},
     .backgrounds = {1, 1, 0.5f, 0.3f, 0.5f, 3, 2, 0.4f, 0, 0, 2, 1.5f, 1.5f, 0.5f}},
    /* a light upon the camera: what stands behind stays dark */
    {.azimuth = {0, 8},
     .elevation = {0, 18},
     .key = {1, 1},
     .soft = {0, 0.2f},
     .fill = {0, 0},
     .around = {0.04f, 0.25f},
     .ground = {0.5f, 1},
     .warmth = {-0.3f, 0.2f},
     .sky_warmth = {0, 0.7f},
     .back = {0.15f, 0.9f},
     .backgrounds = {1, 1, 0.5f, 2, 0.5f, 1.5f, 1, 0.2f, 0.3f, 0, 1, 1, 2, 0.7f}},
    /* against the light: its rim around a face in the shade */
    {.azimuth = {115, 170},
     .elevation = {5, 55},
     .key = {0.8f, 2.2f},
     .soft = {0, 0.6f},
     .fill = {0, 0.3f},
     .around = {0.3f, 0.7f},
     .ground = {0.5f, 1.2f},
     .warmth = {-0.2f, 0.8f},
     .sky_warmth = {-0.6f, 0.3f},
     .back = {1, 2.5f},
     .backgrounds = {1, 0.3f, 2, 0.5f, 0.5f, 0.3f, 0, 3, 2, 3, 0.3f, 0.5f, 0.2f, 1}},
    /* a fire, a lamp on the table, a torch under the chin */
    {.azimuth = {0, 70},
     .elevation = {-70, -15},
     .key = {1, 1},
     .soft = {0.1f, 0.5f},
     .fill = {0, 0.1f},
     .around = {0.05f, 0.3f},
     .ground = {0.6f, 1.2f},
     .warmth = {-0.2f, 1},
     .sky_warmth = {-0.6f, 0.4f},
     .coloured = 0.1f,
     .back = {0.1f, 0.8f},
     .backgrounds = {1, 1, 0, 4, 0.5f, 1.5f, 1, 0.2f, 0.3f, 0.3f, 0.5f, 0.3f, 0.3f, 0.7f}},
    /* coloured light, one from each side */
    {.azimuth = {15, 90},
     .elevation = {10, 70},
     .key = {1, 1},
     .soft = {0, 0.3f},
     .fill = {0.1f, 0.8f},
     .around = {0.03f, 0.2f},
     .ground = {0.3f, 1},
     .warmth = {-0.3f, 0.8f},
     .sky_warmth = {-0.8f, 0.5f},
     .coloured = 0.8f,
     .back = {0.2f, 1},
     .backgrounds = {1, 0.5f, 0, 4, 1, 0, 0, 0, 0.2f, 0, 0.3f, 1.5f, 0.5f, 3}},
    /* both sides lit, the middle dark */
    {.azimuth = {60, 115},
     .elevation = {0, 40},
     .key = {1, 1},
     .soft = {0.1f, 0.6f},
     .fill = {0.4f, 1},
     .around = {0.05f, 0.25f},
     .ground = {0.4f, 1},
     .warmth = {-0.3f, 0.5f},
     .sky_warmth = {-0.3f, 0.3f},
     .coloured = 0.1f,
     .back = {0.2f, 1.2f},
     .backgrounds = {1, 1, 1.5f, 3, 1, 0.5f, 0.3f, 0.5f, 0.3f, 0.3f, 0.5f, 0.5f, 0.3f, 0.5f}},
};

vec3 light_direction(float azimuth, float elevation)
{
    const float radians = 0.01745329f;
    float a = azimuth * radians, e = elevation * radians;
    return v3(sinf(a) * cosf(e), sinf(e), cosf(a) * cosf(e));
}

vec3 light_warm(float warmth)
{
    return v3(1 + 0.16f * warmth, 1 - 0.01f * warmth, 1 - 0.26f * warmth);
}

float light_luminance(vec3 c)
{
    return 0.2126f * c.x + 0.7152f * c.y + 0.0722f * c.z;
}

static float in(range from, rng *r)
{
    return rng_range(r, from.low, from.high);
}

/* Any hue, as bright as white. */
static vec3 any_hue(rng *r)
{
    float turn = 6.2831853f * rng_float(r), strong = rng_range(r, 0.3f, 0.9f);
    vec3 c = v3(1 + strong * cosf(turn), 1 + strong * cosf(turn - 2.0944f), 1 + strong * cosf(turn + 2.0944f));
    return v3_scale(c, 1 / light_luminance(c));
}

/* Between what lights the face's front on the mean and its brightest side: a camera looks at both, so that faces
 * against the light stay dark, and faces half in the dark do not burn. */
static float light_on_face(const shot *s)
{
    static const vec3 normals[] = {{0, 0, 1}, {0.6f, 0, 0.8f}, {-0.6f, 0, 0.8f}, {0, 0.6f, 0.8f}, {0, -0.6f, 0.8f}};
    const int count = sizeof normals / sizeof normals[0];
    float sum = 0, most = 0;
    for (int i = 0; i < count; i++) {
        vec3 n = normals[i], light = v3_scale(surround_light(&s->around, n), 0.8f);
        light = v3_madd(light, s->key, maxf(0, v3_dot(n, s->key_from)));
        light = v3_madd(light, s->fill, maxf(0, v3_dot(n, s->fill_from)));
        float seen = light_luminance(light);
        sum += seen / (float)count;
        most = maxf(most, seen);
    }
    return 0.7f * sum + 0.3f * most;
}

static void draw_shade(shot *s, rng *r)
{
    s->shade = SHADE_EDGE + (shade_kind)rng_below(r, 3);
    s->shade_angle = rng_range(r, -3.1416f, 3.1416f);
    s->shade_at = rng_range(r, -0.7f, 0.7f);
    s->shade_dark = rng_range(r, 0.5f, 0.95f);
}

void lighting_draw(shot *s, int which, const person *who, rng *r)
{
    s->lighting = which;
    if (which == 0)
        return;
    const setup *from = &setups[which];
    float side = rng_bool(r) ? 1 : -1, warmth = in(from->warmth, r);
    s->key_from = light_direction(side * in(from->azimuth, r), in(from->elevation, r));
    s->fill_from = light_direction(-side * rng_range(r, 20, 100), rng_range(r, -15, 40));
    bool is_coloured = rng_float(r) < from->coloured;
    s->key = v3_scale(is_coloured ? any_hue(r) : light_warm(warmth), in(from->key, r));
    s->fill = v3_scale(is_coloured ? any_hue(r) : light_warm(warmth - rng_range(r, -0.3f, 0.6f)), in(from->fill, r));
    s->key_soft = in(from->soft, r);
    float around = in(from->around, r);
    s->sky = v3_scale(light_warm(in(from->sky_warmth, r)), around);
    s->ground = v3_scale(v3_mul(s->sky, light_warm(0.3f)), in(from->ground, r));
    s->around = (surround){0};
    surround_add_sky(&s->around, s->sky, s->ground);
    for (int i = 0; i < 2; i++) { /* walls, doors, screens: some of the surroundings are brighter than others */
        vec3 toward = light_direction(rng_range(r, -150, 150), rng_range(r, -40, 60));
        surround_add_area(&s->around, toward, rng_range(r, 0.2f, 1.2f),
                          v3_scale(light_warm(rng_range(r, -0.7f, 0.7f)), around * rng_range(r, 0, 0.7f)));
    }
    s->shade = SHADE_NONE;
    if (rng_float(r) < from->shaded)
        draw_shade(s, r);
    float skin = light_luminance(who->skin), seen = powf(skin, 0.66f) * 0.60f;
    s->exposure = seen / (skin * light_on_face(s));
}

const float *lighting_backgrounds(int which)
{
    return setups[which].backgrounds;
}

float lighting_background_level(int which, rng *r)
{
    return in(setups[which].back, r);
}
