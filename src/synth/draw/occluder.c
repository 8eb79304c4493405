/* Everything over a face is lofts (skins around a row of ellipses) and shells (the head's own quads, lifted): two
 * shapes that make hats, scarves, fingers, cups and headphones without a model of any of them. */
#include "synth/draw/occluder.h"

#include "base/mem.h"
#include "synth/draw/noise.h"

#include <assert.h>

#define LOFT_POINTS 6000 /* room beside a shell of the whole head */
#define LOFT_TRIANGLES 12000

const char *const hat_names[] = {"none", "beanie", "cap", "brim", "headscarf", "hood", NULL};
const char *const scarf_names[] = {"none", "neck", "mouth", "mask", NULL};
const char *const hand_names[] = {"none", "mouth", "cheek", "cheeks", "brow", "chin", NULL};
const char *const held_names[] = {"none", "microphone", "cup", NULL};

mien_status occluder_mesh_create(occluder_mesh *out, const head *h)
{
    occluder_mesh m = {.point_room = h->vertex_count + LOFT_POINTS,
                       .triangle_room = 2 * h->quad_count + LOFT_TRIANGLES};
    mien_status st;
    TRY_OUT(mem_alloc(&m.points, (size_t)m.point_room));
    TRY_OUT(mem_alloc(&m.triangles, 3 * (size_t)m.triangle_room));
    TRY_OUT(mem_alloc(&m.stuff, (size_t)m.triangle_room));
    TRY_OUT(mem_alloc(&m.place, (size_t)h->vertex_count));
    *out = m;
    return MIEN_OK;
out:
    occluder_mesh_free(&m);
    return st;
}

void occluder_mesh_free(occluder_mesh *m)
{
    mem_free(m->points);
    mem_free(m->triangles);
    mem_free(m->stuff);
    mem_free(m->place);
}

uint32_t add_point(occluder_work *w, vec3 position, vec3 normal, vec3 colour, float across, float along, float depth)
{
    occluder_mesh *m = w->m;
    assert(m->point_count < m->point_room);
    m->points[m->point_count] = (occluder_point){.position = mat3_apply(&w->s->turn, v3_sub(position, w->face_middle)),
                                                 .normal = mat3_apply(&w->s->turn, v3_unit(normal)),
                                                 .colour = colour,
                                                 .across = across,
                                                 .along = along,
                                                 .depth = depth,
                                                 .shadow = 1};
    return (uint32_t)m->point_count++;
}

static void add_triangle(occluder_mesh *m, uint32_t a, uint32_t b, uint32_t c, stuff of)
{
    assert(m->triangle_count < m->triangle_room);
    uint32_t *t = &m->triangles[3 * m->triangle_count];
    t[0] = a;
    t[1] = b;
    t[2] = c;
    m->stuff[m->triangle_count++] = (uint8_t)of;
}

void add_quad(occluder_work *w, uint32_t a, uint32_t b, uint32_t c, uint32_t d, stuff of)
{
    add_triangle(w->m, a, b, c, of);
    add_triangle(w->m, a, c, d, of);
}

void add_loft(occluder_work *w, const loft_ring *rings, int count, int segments, vec3 colour, stuff of)
{
    uint32_t first = (uint32_t)w->m->point_count, row = (uint32_t)segments + 1;
    for (int i = 0; i < count; i++) {
        const loft_ring *r = &rings[i];
        /* the skin leans forward where rings shrink, back where they grow */
        const loft_ring *before = &rings[i > 0 ? i - 1 : 0], *after = &rings[i < count - 1 ? i + 1 : i];
        vec3 along = v3_sub(after->middle, before->middle);
        float length = maxf(v3_length(along), 1e-4f), shrink = v3_length(before->side) - v3_length(after->side);
        vec3 lean = v3_scale(along, shrink / (length * length));
        float a = maxf(v3_length(r->side), 1e-4f), b = maxf(v3_length(r->up), 1e-4f);
        for (uint32_t k = 0; k < row; k++) {
            float turn = 6.2831853f * (float)k / (float)segments, c = cosf(turn), q = sinf(turn);
            vec3 place = v3_madd(v3_madd(r->middle, r->side, c), r->up, q);
            vec3 out = v3_unit(v3_madd(v3_scale(r->side, c / (a * a)), r->up, q / (b * b)));
            add_point(w, place, v3_add(out, lean), colour, (float)k / (float)segments, (float)i / (float)(count - 1),
                      1);
        }
    }
    for (uint32_t i = 0; i + 1 < (uint32_t)count; i++)
        for (uint32_t k = 0; k + 1 < row; k++) {
            uint32_t a = first + i * row + k;
            add_quad(w, a, a + 1, a + row + 1, a + row, of);
        }
}

float front_z(const occluder_work *w, float x, float y, float reach, float otherwise)
{
    const head *h = w->s->h;
    float best = -INFINITY, square = reach * reach;
    for (int v = 0; v < h->face->vertex_count; v++) {
        vec3 p = w->posed[v];
        float dx = p.x - x, dy = p.y - y;
        if (dx * dx + dy * dy < square && p.z > best)
            best = p.z;
    }
    return best > 0.2f ? best : otherwise;
}

void occluder_build(occluder_mesh *m, const setting *s, const vec3 *posed, const vec3 *normal, vec3 face_middle)
{
    occluder_work w = {m, s, posed, normal, face_middle};
    m->point_count = m->triangle_count = 0;
    add_headwear(&w);
    add_scarf(&w);
    add_hands(&w);
}

vec3 occluder_light(const setting *s, const occluder_point *p)
{
    const shot *how = s->how;
    vec3 n = p->normal;
    float key = maxf(0, (v3_dot(n, how->key_from) + 0.12f) / 1.12f) * mixf(0.08f, 1, p->shadow);
    float fill = maxf(0, (v3_dot(n, how->fill_from) + 0.2f) / 1.2f);
    vec3 soft = v3_scale(surround_light(&how->around, n), 0.75f);
    return v3_madd(v3_madd(soft, how->key, key), how->fill, fill);
}

/* The back of a hand and its fingers: knuckles' creases, redder knuckles and tips, a nail. */
static vec3 hand_colour(const setting *s, const occluder_point *at, bool is_finger)
{
    float blotch = noise_2d(at->across * 9 + at->position.x * 14, at->along * 11, s->who->seed + 81);
    vec3 c = v3_scale(at->colour, 0.90f + 0.16f * blotch);
    if (!is_finger) { /* tendons */
        float tendon = bump((at->across * 32 - 8) - 2 * (float)floor_int(at->across * 16 - 3.5f));
        return v3_scale(c, 1 - 0.06f * tendon * smooth_step(0.4f, 0.7f, at->along));
    }
    float seen = smooth_step(0.16f, 0.06f, fabsf(at->across - 0.25f)); /* the side with the nail */
    float joint = bump((at->along - 0.40f) / 0.05f) + bump((at->along - 0.72f) / 0.04f);
    float red = 0.5f * joint + 0.6f * smooth_step(0.85f, 1, at->along);
    c = v3_mul(c, v3(1, 1 - 0.12f * red, 1 - 0.12f * red));
    float line =
        bump((at->along - 0.40f) / 0.012f) + bump((at->along - 0.43f) / 0.01f) + bump((at->along - 0.72f) / 0.01f);
    c = v3_scale(c, 1 - 0.20f * minf(line, 1));
    float nail = seen * smooth_step(0.84f, 0.87f, at->along) * smooth_step(0.985f, 0.96f, at->along);
    return v3_mix(c, s->who->nails, nail * 0.8f);
}

vec3 occluder_shade(const setting *s, const occluder_point *at, stuff of, float *cover)
{
    vec3 c = at->colour;
    surface sheen = {.position = at->position, .normal = v3_unit(at->normal), .shadow = at->shadow};
    float shine = 0.02f;
    int sharp = 3;
    *cover = smooth_step(0, 0.02f, at->depth);
    if (of == STUFF_FINGER || of == STUFF_PALM) {
        c = hand_colour(s, at, of == STUFF_FINGER);
        shine = 0.05f;
        sharp = 4;
    } else if (of == STUFF_KNIT) {
        float rib = at->across * 34, in = rib - (float)floor_int(rib);
        float stitch = noise_2d(rib, at->along * 60, s->how->seed + 82);
        float left = detail_left(s, 20);
        c = v3_scale(c, 1 - left * (0.30f * bump((in - 0.5f) / 0.25f) - 0.1f + 0.15f * (stitch - 0.5f)));
    } else if (of == STUFF_CLOTH) {
        float weave = noise_2d(at->across * 40, at->along * 40, s->how->seed + 83);
        float fold = noise_2d(at->across * 5, at->along * 9, s->how->seed + 84);
        c = v3_scale(c, 0.86f + 0.12f * weave * detail_left(s, 40) + 0.20f * fold);
    } else {
        shine = 0.25f;
        sharp = 6;
    }
    return v3_madd(v3_mul(c, at->light), gloss(s, &sheen, sheen.normal, sharp, 0.15f), shine);
}
