/* Three floats and what geometry and light do with them. */
#ifndef SYNTH_VEC_H
#define SYNTH_VEC_H

#include <math.h>

typedef struct {
    float x, y, z;
} vec3;

static inline vec3 v3(float x, float y, float z)
{
    return (vec3){x, y, z};
}
static inline vec3 v3_all(float a)
{
    return (vec3){a, a, a};
}
static inline vec3 v3_load(const float *p)
{
    return (vec3){p[0], p[1], p[2]};
}
static inline vec3 v3_add(vec3 a, vec3 b)
{
    return (vec3){a.x + b.x, a.y + b.y, a.z + b.z};
}
static inline vec3 v3_sub(vec3 a, vec3 b)
{
    return (vec3){a.x - b.x, a.y - b.y, a.z - b.z};
}
static inline vec3 v3_mul(vec3 a, vec3 b)
{
    return (vec3){a.x * b.x, a.y * b.y, a.z * b.z};
}
static inline vec3 v3_scale(vec3 a, float s)
{
    return (vec3){a.x * s, a.y * s, a.z * s};
}
static inline vec3 v3_madd(vec3 a, vec3 b, float s)
{
    return (vec3){a.x + b.x * s, a.y + b.y * s, a.z + b.z * s};
}
static inline vec3 v3_mix(vec3 a, vec3 b, float t)
{
    return (vec3){a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t, a.z + (b.z - a.z) * t};
}
static inline float v3_dot(vec3 a, vec3 b)
{
    return a.x * b.x + a.y * b.y + a.z * b.z;
}
static inline vec3 v3_cross(vec3 a, vec3 b)
{
    return (vec3){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
static inline float v3_length(vec3 a)
{
    return sqrtf(v3_dot(a, a));
}
/* The direction of a; the zero vector stays zero. */
static inline vec3 v3_unit(vec3 a)
{
    float n = v3_dot(a, a);
    return n > 0 ? v3_scale(a, 1 / sqrtf(n)) : a;
}

/* C's fmaxf and floorf are calls, for the sake of NaN: these are not */
static inline float maxf(float a, float b)
{
    return a > b ? a : b;
}
static inline float minf(float a, float b)
{
    return a < b ? a : b;
}
static inline int floor_int(float x)
{
    int i = (int)x;
    return i - (x < (float)i);
}
static inline float clamp01(float x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}
static inline float mixf(float a, float b, float t)
{
    return a + (b - a) * t;
}
/* 0 below a, 1 above b, smooth between; a > b falls instead of rising. */
static inline float smooth_step(float a, float b, float x)
{
    float t = clamp01((x - a) / (b - a));
    return t * t * (3 - 2 * t);
}
/* exp(-x^2) to about 1 %, without the call: a bump that is exactly 0 beyond |x| = 2.5 */
static inline float bump(float x)
{
    float t = 1 - x * x * 0.16f;
    if (t <= 0)
        return 0;
    t *= t;
    return t * t * t;
}

/* A rotation, rows. */
typedef struct {
    vec3 row[3];
} mat3;

static inline vec3 mat3_apply(const mat3 *m, vec3 v)
{
    return (vec3){v3_dot(m->row[0], v), v3_dot(m->row[1], v), v3_dot(m->row[2], v)};
}
/* m transposed, which turns back what m turned */
static inline vec3 mat3_apply_back(const mat3 *m, vec3 v)
{
    return v3_madd(v3_madd(v3_scale(m->row[0], v.x), m->row[1], v.y), m->row[2], v.z);
}
/* Head rotation in radians: yaw about y (positive: the face turns to its own left, the picture's right), then pitch
 * about x (positive: up), then roll about z (positive: counter-clockwise in the picture). */
static inline mat3 mat3_head(float yaw, float pitch, float roll)
{
    float cy = cosf(yaw), sy = sinf(yaw), cp = cosf(pitch), sp = sinf(pitch), cr = cosf(roll), sr = sinf(roll);
    vec3 a = v3(cy, 0, sy), b = v3(-sp * sy, cp, sp * cy), c = v3(-cp * sy, -sp, cp * cy);
    return (mat3){{v3_sub(v3_scale(a, cr), v3_scale(b, sr)), v3_add(v3_scale(a, sr), v3_scale(b, cr)), c}};
}

#endif
