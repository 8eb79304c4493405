/* Eyeballs. What makes an eye read at a few pixels is the contrast of a dark iris in a light ball under a dark lid. */
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
        v3_mul(v3(0.66f, 0.61f, 0.58f), v3(1 - 0.44f * who->tone, 1 - 0.48f * who->tone, 1 - 0.51f * who->tone));
    vec3 c = v3_mul(white, v3(1 - 0.10f * corner, 1 - 0.28f * corner - 0.25f * vein, 1 - 0.30f * corner - 0.3f * vein));

    float in_iris = smooth_step(1.08f, 0.94f, r);
    if (in_iris > 0) {
        float fibre = noise_2d(angle * 7, r * 2.2f, who->seed + 32), pupil_size = 0.42f;
        vec3 iris = v3_scale(who->iris, 0.34f + 0.5f * fibre + 0.22f * bump((r - 0.55f) / 0.14f));
        iris = v3_scale(iris, 1 - 0.82f * smooth_step(0.66f, 0.98f, r)); /* the dark ring */
        c = v3_mix(c, iris, in_iris);
        c = v3_mix(c, v3(0.004f, 0.004f, 0.004f), smooth_step(pupil_size + 0.09f, pupil_size - 0.05f, r));
    }

    /* the upper lid shades what lies right below it, wherever it stands; the ball turns away at the corners */
    vec3 here = mat3_apply_back(&s->turn, v3_sub(at->position, s->eye[side]));
    float below = s->lid[side] - here.y - 2.6f * here.x * here.x;
    float lid = mixf(0.36f, 1.0f, smooth_step(-0.005f, 0.045f, below));
    vec3 ball = v3_unit(v3_sub(at->position, s->eye[side]));
    vec3 out = v3_scale(v3_mul(c, at->light), lid * 1.3f);
    /* the wet cornea: a window's worth of key light, placed by the ball's own normal bulged over the iris */
    vec3 cornea = v3_unit(v3_madd(ball, v3(0, 0, 1), 0.35f * in_iris));
    surface wet = *at;
    wet.shadow = 0.3f + 0.7f * at->shadow;
    vec3 glint = gloss(s, &wet, cornea, 9, 0);
    out = v3_madd(out, glint, 1.1f);
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
