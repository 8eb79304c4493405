/* With t the cosine between normal and light, what a point of light gives, max(0, t), is 1/4 + t/2 + 5/32 (3 t^2 - 1)
 * up to the second order; a disc of light weakens the second and third term by its own two coefficients. */
#include "synth/draw/surround.h"

static void add(surround *s, vec3 even, vec3 along, vec3 square, vec3 from)
{
    s->even = v3_add(s->even, even);
    s->x = v3_madd(s->x, along, from.x);
    s->y = v3_madd(s->y, along, from.y);
    s->z = v3_madd(s->z, along, from.z);
    s->xx = v3_madd(s->xx, square, from.x * from.x);
    s->yy = v3_madd(s->yy, square, from.y * from.y);
    s->zz = v3_madd(s->zz, square, from.z * from.z);
    s->xy = v3_madd(s->xy, square, 2 * from.x * from.y);
    s->yz = v3_madd(s->yz, square, 2 * from.y * from.z);
    s->zx = v3_madd(s->zx, square, 2 * from.z * from.x);
}

void surround_add_sky(surround *s, vec3 sky, vec3 ground)
{
    add(s, v3_scale(v3_add(sky, ground), 0.5f), v3_scale(v3_sub(sky, ground), 0.5f), v3_all(0), v3(0, 1, 0));
}

void surround_add_area(surround *s, vec3 from, float half_angle, vec3 colour)
{
    float cosine = cosf(half_angle), first = 0.5f * (1 + cosine), second = 0.5f * cosine * (1 + cosine);
    /* what a surface that faces it gets shall be `colour`, however wide it is */
    float scale = 1 / (0.25f + 0.5f * first + 0.3125f * second), square = scale * second * (5 / 32.0f);
    add(s, v3_scale(colour, 0.25f * scale - square), v3_scale(colour, 0.5f * scale * first),
        v3_scale(colour, 3 * square), from);
}

vec3 surround_light(const surround *s, vec3 n)
{
    vec3 sum = v3_madd(v3_madd(v3_madd(s->even, s->x, n.x), s->y, n.y), s->z, n.z);
    sum = v3_madd(v3_madd(v3_madd(sum, s->xx, n.x * n.x), s->yy, n.y * n.y), s->zz, n.z * n.z);
    sum = v3_madd(v3_madd(v3_madd(sum, s->xy, n.x * n.y), s->yz, n.y * n.z), s->zx, n.z * n.x);
    return v3(maxf(0, sum.x), maxf(0, sum.y), maxf(0, sum.z)); /* the polynomial may dip below on the far side */
}
