/* Glasses are built anew for each picture, in posed coordinates and from nothing but the eyes' places: no mesh of them
 * has to follow the head. */
#include "synth/draw/glasses.h"

#define LENS_COVER 0.032f
#define DARK_LENS 0.97f /* cover of sunglasses' lenses: as opaque as a frame */

static uint32_t add_point(glasses_mesh *m, const setting *s, vec3 middle, vec3 offset, vec3 normal, float cover)
{
    vec3 position = v3_add(middle, mat3_apply(&s->turn, offset));
    surface at = {.position = position, .normal = mat3_apply(&s->turn, normal), .shadow = 1};
    vec3 light = v3_madd(s->how->sky, s->how->key, maxf(0, v3_dot(at.normal, s->how->key_from)));
    vec3 base = cover < 1 ? v3_scale(s->how->sky, 1.2f) : v3_mul(s->who->glasses_colour, light);
    vec3 shine = cover < 1 ? v3_all(0) : v3_scale(gloss(s, &at, at.normal, 5, 0), 0.12f);
    m->points[m->point_count] = (glasses_point){position, v3_add(base, shine), cover};
    return (uint32_t)m->point_count++;
}

static void add_triangle(glasses_mesh *m, uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t *t = &m->triangles[3 * m->triangle_count++];
    t[0] = a;
    t[1] = b;
    t[2] = c;
}

/* The rim's outline: between an ellipse and a rectangle; it bends back toward the temples. */
static vec3 rim_at(const setting *s, float angle, float grow, float outward)
{
    const person *who = s->who;
    float c = cosf(angle), q = sinf(angle);
    float squeeze = powf(powf(fabsf(c), 3) + powf(fabsf(q), 3), -1.0f / 3);
    float x = (who->glasses_width + grow) * c * squeeze, y = (who->glasses_height + grow) * q * squeeze;
    return v3(x, y, s->glasses_forward - 0.16f * maxf(0, x * outward));
}

static float turn_of(int segment)
{
    return 6.2831853f * (float)segment / GLASSES_SEGMENTS;
}

/* A bright window, mirrored as a slanting patch. */
static void add_window(glasses_mesh *m, const setting *s, vec3 middle, float outward)
{
    const person *who = s->who;
    const vec3 bright = v3_add(v3_scale(s->how->key, 0.55f), v3_scale(s->how->sky, 0.6f));
    const float side = s->how->key_from.x >= 0 ? 1 : -1, z = s->glasses_forward + 0.004f;
    static const float corner[4][2] = {{0.10f, 0.72f}, {0.62f, 0.66f}, {0.48f, 0.05f}, {0.0f, 0.12f}};
    uint32_t first = (uint32_t)m->point_count;
    for (int i = 0; i < 4; i++) {
        float x = side * corner[i][0] * who->glasses_width;
        add_point(m, s, middle, v3(x, corner[i][1] * who->glasses_height, z - 0.16f * maxf(0, x * outward)),
                  v3(0, 0, 1), s->how->worn.reflection * (i < 2 ? 0.75f : 0.35f));
        m->points[m->point_count - 1].colour = bright;
    }
    add_triangle(m, first, first + 1, first + 2);
    add_triangle(m, first, first + 2, first + 3);
}

static void add_lens(glasses_mesh *m, const setting *s, vec3 middle, float outward)
{
    const occluders *worn = &s->how->worn;
    const vec3 glass = v3(0.016f, 0.017f, 0.020f);
    uint32_t hub = add_point(m, s, middle, v3(0, 0, s->glasses_forward), v3(0, 0, 1), 0.3f * LENS_COVER);
    uint32_t first = (uint32_t)m->point_count;
    for (int i = 0; i < GLASSES_SEGMENTS; i++) /* the sky is mirrored in the upper half */
        add_point(m, s, middle, rim_at(s, turn_of(i), 0, outward), v3(0, 0, 1),
                  sinf(turn_of(i)) > 0 ? 2.2f * LENS_COVER : LENS_COVER);
    for (uint32_t i = 0; i < GLASSES_SEGMENTS; i++)
        add_triangle(m, hub, first + i, first + (i + 1) % GLASSES_SEGMENTS);
    if (worn->sunglasses) /* dark, mirroring a little of the sky above */
        for (uint32_t i = 0; i <= GLASSES_SEGMENTS; i++) {
            glasses_point *p = &m->points[hub + i];
            float up = i ? 0.5f + 0.5f * sinf(turn_of((int)i - 1)) : 0.4f;
            p->colour = v3_madd(glass, s->how->sky, 0.09f * up * up);
            p->cover = DARK_LENS;
        }
    if (worn->reflection > 0)
        add_window(m, s, middle, outward);
}

static void add_rim(glasses_mesh *m, const setting *s, vec3 middle, float outward)
{
    uint32_t first = (uint32_t)m->point_count;
    for (int i = 0; i < GLASSES_SEGMENTS; i++) {
        vec3 normal = v3_unit(v3(0.5f * cosf(turn_of(i)), 0.5f * sinf(turn_of(i)), 1));
        add_point(m, s, middle, rim_at(s, turn_of(i), 0, outward), normal, 1);
        add_point(m, s, middle, rim_at(s, turn_of(i), s->who->glasses_thick, outward), normal, 1);
    }
    for (uint32_t i = 0; i < GLASSES_SEGMENTS; i++) {
        uint32_t a = first + 2 * i, b = first + 2 * ((i + 1) % GLASSES_SEGMENTS);
        add_triangle(m, a, a + 1, b + 1);
        add_triangle(m, a, b + 1, b);
    }
}

/* A flat bar through three places, `thick` high. */
static void add_bar(glasses_mesh *m, const setting *s, vec3 middle, const vec3 *places, int count, vec3 normal,
                    float thick)
{
    uint32_t first = (uint32_t)m->point_count;
    for (int i = 0; i < count; i++) {
        add_point(m, s, middle, v3_add(places[i], v3(0, thick, 0)), normal, 1);
        add_point(m, s, middle, v3_sub(places[i], v3(0, thick, 0)), normal, 1);
    }
    for (uint32_t i = 0; i + 1 < (uint32_t)count; i++) {
        uint32_t a = first + 2 * i;
        add_triangle(m, a, a + 1, a + 3);
        add_triangle(m, a, a + 3, a + 2);
    }
}

void glasses_build(glasses_mesh *m, const setting *s)
{
    const person *who = s->who;
    m->point_count = m->triangle_count = 0;
    for (int side = 0; side < 2; side++)
        add_lens(m, s, s->eye[side], side ? -1 : 1);
    for (int side = 0; side < 2; side++)
        add_rim(m, s, s->eye[side], side ? -1 : 1);

    /* the bridge spans from rim to rim, a little forward over the nose */
    vec3 between = v3_mix(s->eye[0], s->eye[1], 0.5f);
    float gap = maxf(0.02f, 0.5f * v3_length(v3_sub(s->eye[0], s->eye[1])) - who->glasses_width);
    float z = s->glasses_forward;
    vec3 bridge[3] = {v3(-gap, 0.05f, z), v3(0, 0.065f, z + 0.04f), v3(gap, 0.05f, z)};
    add_bar(m, s, between, bridge, 3, v3(0, 0.3f, 0.95f), 0.6f * who->glasses_thick);
    for (int side = 0; side < 2; side++) {
        float out = side ? -1 : 1, x = who->glasses_width + who->glasses_thick;
        vec3 temple[3] = {v3(out * x, 0.06f, z - 0.03f), v3(out * (x + 0.10f), 0.07f, z - 0.22f),
                          v3(out * (x + 0.26f), 0.05f, -0.85f)};
        add_bar(m, s, s->eye[side], temple, 3, v3(out * 0.9f, 0.2f, 0.4f), 0.8f * who->glasses_thick);
    }
}
