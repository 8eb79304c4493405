/* Teeth, tongue and the hollow of the mouth. The baked shade knows a closed mouth alone, so light comes in by how far
 * behind the lips a place lies; teeth stand right behind them and are as bright as a smile wants them. */
#include "synth/draw/noise.h"
#include "synth/draw/setting.h"

#define TOOTH 0.085f /* decimetres across a front tooth */

/* Light fades with the way into the mouth. */
static float mouth_light(const setting *s, vec3 rest, float reach)
{
    float behind = s->mouth_front - rest.z;
    return (0.35f + 0.65f * s->mouth_open) * bump(maxf(0, behind) / reach);
}

vec3 teeth_shade(const setting *s, const surface *at)
{
    const shot *how = s->how;
    vec3 p = at->rest;
    bool is_upper = p.y > 6.6f + 0.035f * (1.5f - p.z);
    float place = p.x / TOOTH + (is_upper ? 0 : 0.5f), tooth = (float)floor_int(place), in = place - tooth;
    float edge = minf(in, 1 - in); /* 0 between two teeth */
    float gap = bump(edge / 0.07f);
    float own = 0.94f + 0.06f * hash_float((int)tooth, is_upper, 0, s->who->seed);
    float root =
        smooth_step(6.725f, 6.765f, p.y + 0.09f * edge) + smooth_step(6.52f, 6.47f, p.y - 0.09f * edge); /* gums */
    vec3 enamel = v3_scale(s->who->teeth, own * (1 - 0.30f * gap));
    vec3 c = v3_mix(enamel, v3(0.42f, 0.15f, 0.14f), clamp01(root));
    float facing = clamp01(0.35f + 0.65f * v3_dot(at->normal, how->key_from));
    vec3 around = v3_madd(v3_madd(how->sky, how->fill, 0.35f), how->key, 0.50f * facing);
    float behind = maxf(0, s->mouth_front - 0.09f - p.z), row = is_upper ? 1 : 0.62f; /* lips shade the lower row */
    vec3 lit = v3_scale(v3_madd(around, at->light, 0.25f), row * mixf(0.2f, 1, s->lips_apart) * bump(behind / 0.30f));
    return v3_madd(v3_mul(c, lit), gloss(s, at, at->normal, 5, 0), 0.06f);
}

vec3 mouth_shade(const setting *s, const surface *at)
{
    vec3 flesh = v3(0.30f, 0.07f, 0.06f);
    return v3_scale(v3_mul(flesh, at->light), 0.05f + 0.7f * mouth_light(s, at->rest, 0.20f));
}

vec3 tongue_shade(const setting *s, const surface *at)
{
    float bumps = noise_2d(at->rest.x * 30, at->rest.z * 30, 41);
    float furrow = bump(at->rest.x / 0.03f);
    vec3 c = v3_scale(v3(0.46f, 0.16f, 0.15f), (0.8f + 0.4f * bumps) * (1 - 0.25f * furrow));
    vec3 lit = v3_scale(v3_madd(at->light, s->how->sky, 0.35f), mouth_light(s, at->rest, 0.36f));
    return v3_madd(v3_mul(c, lit), gloss(s, at, at->normal, 4, 0), 0.03f * s->mouth_open);
}
