/* Eyes, teeth, tongue and the inside of the mouth. */
#include "synth/draw/noise.h"
#include "synth/draw/setting.h"

#define IRIS_SINE 0.455f /* sine of the iris's half angle seen from the eyeball's middle */

static vec3 eye_shade(const setting *s, const surface *at, int side)
{
    const person *who = s->who;
    vec3 axis = v3_unit(v3_sub(at->rest, s->h->eye_middle[side])); /* turns with the mesh: gaze is in the mesh */
    float r = sqrtf(axis.x * axis.x + axis.y * axis.y) / IRIS_SINE, angle = atan2f(axis.y, axis.x);
    if (axis.z < 0)
        r = 4;

    /* sclera: not white; pinker toward the corners, with a few veins */
    float corner = smooth_step(1.1f, 2.1f, fabsf(axis.x) / IRIS_SINE);
    float vein = smooth_step(0.62f, 0.9f, noise_2d(angle * 9, r * 3, who->seed + 31)) * corner;
    /* cameras and lids keep eyes from glowing in a dark face: the ball is dimmed with the skin */
    vec3 white =
        v3_mul(v3(0.60f, 0.545f, 0.51f), v3(1 - 0.48f * who->tone, 1 - 0.53f * who->tone, 1 - 0.57f * who->tone));
    vec3 c = v3_mul(white, v3(1 - 0.10f * corner, 1 - 0.28f * corner - 0.25f * vein, 1 - 0.30f * corner - 0.3f * vein));

    float in_iris = smooth_step(1.08f, 0.94f, r);
    if (in_iris > 0) {
        float fibre = noise_2d(angle * 7, r * 2.2f, who->seed + 32), pupil_size = 0.40f;
        vec3 iris = v3_scale(who->iris, 0.55f + 0.8f * fibre + 0.35f * bump((r - 0.55f) / 0.14f));
        iris = v3_scale(iris, 1 - 0.72f * smooth_step(0.74f, 1.0f, r)); /* the dark ring */
        c = v3_mix(c, iris, in_iris);
        c = v3_mix(c, v3(0.004f, 0.004f, 0.004f), smooth_step(pupil_size + 0.09f, pupil_size - 0.05f, r));
    }

    /* the upper lid shades the top; the ball turns away at the corners */
    float lid = mixf(0.50f, 1.0f, smooth_step(0.55f, -0.05f, axis.y / IRIS_SINE * 0.55f));
    vec3 ball = v3_unit(v3_sub(at->position, s->eye[side]));
    vec3 out = v3_scale(v3_mul(c, at->light), lid * 1.25f);
    /* the wet cornea: a window's worth of key light, placed by the ball's own normal bulged over the iris */
    vec3 cornea = v3_unit(v3_madd(ball, v3(0, 0, 1), 0.35f * in_iris));
    surface wet = *at;
    wet.shadow = 0.3f + 0.7f * at->shadow;
    vec3 glint = gloss(s, &wet, cornea, 7, 0);
    out = v3_madd(out, glint, 0.75f);
    return v3_madd(out, gloss(s, &wet, ball, 4, 0), 0.05f);
}

vec3 eye_left_shade(const setting *s, const surface *at)
{
    return eye_shade(s, at, 0);
}

vec3 eye_right_shade(const setting *s, const surface *at)
{
    return eye_shade(s, at, 1);
}

/* Light fades with the way into the mouth. */
static float mouth_light(const setting *s, vec3 rest, float reach)
{
    float behind = s->mouth_front - rest.z;
    return (0.35f + 0.65f * s->mouth_open) * bump(maxf(0, behind) / reach);
}

vec3 teeth_shade(const setting *s, const surface *at)
{
    float gap = bump((fabsf(fmodf(fabsf(at->rest.x) + 0.045f, 0.09f) - 0.045f) - 0.045f) / 0.007f);
    float root = smooth_step(6.70f, 6.78f, at->rest.y) + smooth_step(6.54f, 6.47f, at->rest.y); /* gums */
    vec3 enamel = v3_scale(v3(0.62f, 0.58f, 0.47f), 1 - 0.45f * s->who->tone);                  /* as the eye's white */
    vec3 c = v3_mix(v3_scale(enamel, 1 - 0.35f * gap), v3(0.40f, 0.12f, 0.11f), clamp01(root));
    vec3 around =
        v3_add(v3_scale(s->how->key, 0.45f), s->how->sky); /* lips that part let in more than the baked shade knows */
    vec3 lit = v3_scale(v3_madd(at->light, around, 0.55f), mouth_light(s, at->rest, 0.42f));
    return v3_madd(v3_mul(c, lit), gloss(s, at, at->normal, 5, 0), 0.05f * s->mouth_open);
}

vec3 mouth_shade(const setting *s, const surface *at)
{
    vec3 flesh = v3(0.30f, 0.07f, 0.06f);
    return v3_scale(v3_mul(flesh, at->light), 0.08f + 0.8f * mouth_light(s, at->rest, 0.22f));
}

vec3 tongue_shade(const setting *s, const surface *at)
{
    float bumps = noise_2d(at->rest.x * 30, at->rest.z * 30, 41);
    vec3 c = v3_scale(v3(0.42f, 0.14f, 0.13f), 0.8f + 0.4f * bumps);
    vec3 lit = v3_scale(v3_add(at->light, v3_all(0.12f)), mouth_light(s, at->rest, 0.40f));
    return v3_madd(v3_mul(c, lit), gloss(s, at, at->normal, 4, 0), 0.03f * s->mouth_open);
}
